"""The environment of the chip: agents of its two buses and its lines, the TLB's agents inside it (passive), the boards, coverage.

Promises: everything that judges is fed by monitors alone, so a passive environment judges as well as an active one. A reset of
the chip resets every reference.
Needs: "config" (a ChipConfig) in the ConfigDB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyuvm import ConfigDB, uvm_active_passive_enum, uvm_env

from pymodels.oracle import NoHit
from tb.uvm.agents.axi.agent import MemoryAgent
from tb.uvm.agents.axil.agent import RegisterAgent
from tb.uvm.agents.irq.agent import IrqAgent
from tb.uvm.gru.config import ChipConfig
from tb.uvm.gru.coverage import Coverage
from tb.uvm.gru.data_board import DataBoard
from tb.uvm.gru.handles_board import HandlesBoard
from tb.uvm.gru.tlb_board import ChipPortRules, ChipTlbBoard
from tb.uvm.gru.translation_board import TranslationBoard
from tb.uvm.gru.view import Done, Probe, ProbeMonitor
from tb.uvm.gru.virtual_sequencer import VirtualSequencer
from tb.uvm.inlet import Inlet
from tb.uvm.tlb.agents.access.agent import AccessAgent
from tb.uvm.tlb.agents.fill.agent import FillAgent
from tb.uvm.tlb.agents.lookup.agent import LookupAgent
from tb.uvm.tlb.agents.shoot.agent import ShootAgent
from tb.uvm.tlb.observed import Answered, Asked, FillTaken, Observed

__all__ = ["ChipEnv"]


class ChipEnv(uvm_env):
    """Around one GRU."""

    def build_phase(self) -> None:
        super().build_phase()
        self.config: ChipConfig = ConfigDB().get(self, "", "config")
        db = ConfigDB()
        for path, value in (("registers*", self.config.registers), ("memory*", self.config.memory), ("irq*", self.config.irq)):
            db.set(self, path, "config", value)
        db.set(self, "probes", "view", self.config.view)
        db.set(self, "tlb_*", "BFM", self.config.view)
        db.set(self, "tlb_*", "is_active", uvm_active_passive_enum.UVM_PASSIVE)
        self.registers = RegisterAgent.create("registers", self)
        self.memory = MemoryAgent.create("memory", self)
        self.irq = IrqAgent.create("irq", self)
        self.probes = ProbeMonitor.create("probes", self)
        self.tlb_agents = [
            kind.create(f"tlb_{name}", self)
            for name, kind in (("lookup", LookupAgent), ("access", AccessAgent), ("fill", FillAgent), ("shoot", ShootAgent))
        ]
        self.tlb_board = ChipTlbBoard.create("tlb_board", self)
        self.tlb_rules = ChipPortRules.create("tlb_rules", self)
        self.translations = TranslationBoard.create("translations", self)
        self.handles = HandlesBoard.create("handles", self)
        self.data = DataBoard.create("data", self)
        self.coverage = Coverage.create("coverage", self)
        self.virtual = VirtualSequencer.create("virtual", self)
        self.config.clocking.on_reset.append(self._in_reset)

    def connect_phase(self) -> None:
        translations, handles, data, coverage = self.translations, self.handles, self.data, self.coverage
        data.handles, data.spaces = handles, self.config.spaces
        handles.on_freed = data.freed
        coverage.handles, coverage.config = handles, self.config
        coverage.running = data.running
        for agent in self.tlb_agents:
            agent.monitor.ap.connect(self.tlb_board.analysis_export)
        self.tlb_board.ap.connect(self.tlb_rules.analysis_export)
        self.tlb_rules.scoreboard = self.tlb_board
        self._asked: dict[int, Asked] = {}
        self._tap("lookups", self.tlb_agents[0].monitor.ap, self._lookup)
        self._tap("fills", self.tlb_agents[2].monitor.ap, self._fill)
        self._tap("asked", self.registers.monitor.started, coverage.asked, translations.asked, data.asked, handles.asked)
        answered = (coverage.answered, translations.answered, data.answered, handles.answered)
        self._tap("answered", self.registers.monitor.ap, *answered)
        self._tap("began", self.memory.monitor.started, translations.began, handles.began)
        self._tap("ended", self.memory.monitor.ap, translations.ended, handles.ended, data.ended, coverage.error)
        self._tap("lines", self.irq.monitor.ap, handles.line)
        self._tap("probe", self.probes.ap, self._probe)
        self._tap("judged", data.ap, coverage.instruction)
        self.virtual.connect(self)

    def _tap(self, name: str, port: Any, *calls: Callable[[Any], None]) -> None:
        """Functions are called in their order with what a port publishes."""
        for number, call in enumerate(calls):
            port.connect(Inlet(f"{name}{number}", self, call))

    def _lookup(self, event: Observed) -> None:
        if isinstance(event, Asked):
            self._asked[event.cbr] = event
        elif isinstance(event, Answered) and isinstance(event.outcome, NoHit) and event.cbr in self._asked:
            mod = event.outcome is NoHit.CLEAN
            self.handles.miss(event.cycle, self._asked[event.cbr], mod=mod)
            self.coverage.miss(self._asked[event.cbr], event.cycle)

    def _fill(self, event: Observed) -> None:
        if isinstance(event, FillTaken):
            self.handles.fill(event.cycle, event.cbr)

    def _probe(self, event: Probe | Done) -> None:
        if isinstance(event, Done):
            self.handles.done(event)
            self.data.done(event)
        else:
            self.handles.probe(event)

    def _in_reset(self) -> None:
        self._asked.clear()
        flying = self.translations.flying.values()
        writes, reads = any(one.access.write for one in flying), any(not one.access.write for one in flying)
        self.coverage.reset(writes=writes, reads=reads)
        for board in (self.translations, self.handles, self.data):
            board.reset()
