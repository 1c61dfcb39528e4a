"""The environment: agents of the register bus, the memory bus, the link and the interrupts; the cable; the boards that check, and
the judge to whom they object.

Needs: "BFM", "SEED" and "PLAN" in the ConfigDB.
"""

from __future__ import annotations

import random

from pyuvm import ConfigDB, uvm_active_passive_enum, uvm_env

from hwif.memory import HostMemory
from hwif.shadow import Shadow
from pymodels.hca.oracle import Oracle
from tb.uvm.agents.axi.agent import MemoryAgent
from tb.uvm.agents.axi.config import ErrorRule, MemoryConfig, Resp, memory_pins
from tb.uvm.agents.axil.agent import RegisterAgent
from tb.uvm.agents.axil.config import RegisterConfig, register_pins
from tb.uvm.agents.axil.item import RegisterItem
from tb.uvm.agents.axil.sequence import RegisterSequence
from tb.uvm.agents.irq.agent import IrqAgent
from tb.uvm.agents.irq.config import IrqConfig
from tb.uvm.agents.link.agent import LinkAgent
from tb.uvm.agents.link.config import LinkConfig
from tb.uvm.hca.bfm import HcaBfm
from tb.uvm.hca.boards.beats import BeatBoard
from tb.uvm.hca.boards.commands import CommandBoard
from tb.uvm.hca.boards.data import DataBoard
from tb.uvm.hca.boards.faults import FaultBoard
from tb.uvm.hca.boards.fences import FenceBoard
from tb.uvm.hca.boards.lines import LineBoard
from tb.uvm.hca.boards.trace import TraceBoard
from tb.uvm.hca.boards.work import WorkBoard
from tb.uvm.hca.cable import Cable
from tb.uvm.hca.coverage import Coverage
from tb.uvm.hca.judge import Judge
from tb.uvm.hca.mirror import Mirror
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.scattered import ScatteredMemory, ScatteredOracle, ScatteredShadow
from tb.uvm.hca.store import HostStore
from tb.uvm.hca.trace import TraceMonitor

__all__ = ["HcaEnv"]


class HcaEnv(uvm_env):
    """Around one HCA."""

    def build_phase(self) -> None:
        super().build_phase()
        self.bfm: HcaBfm = ConfigDB().get(self, "", "BFM")
        self.plan: Plan = ConfigDB().get(self, "", "PLAN")
        self.seed: str = ConfigDB().get(self, "", "SEED")
        dut, clocking, plan = self.bfm.dut, self.bfm.clocking, self.plan
        self.memory: HostMemory
        self.shadow: Shadow
        if plan.scattered:
            self.memory = memory = ScatteredMemory(plan.frames, f"{self.seed}:frames")
            self.shadow = ScatteredShadow(memory)
            oracle: Oracle = ScatteredOracle(memory, self.shadow)
        else:
            self.memory, self.shadow = HostMemory(plan.frames), Shadow(plan.frames)
            oracle = Oracle(0, self.memory, self.shadow)
        self.bus = MemoryConfig(
            memory_pins(dut, "m_axi"),
            clocking,
            HostStore(self.memory),
            f"{self.seed}:memory",
            latency=plan.latency,
            reorder=plan.reorder,
            stalls=dict(plan.stalls),
            lost_reservations=plan.lost_reservations,
            errors=[ErrorRule(Resp.DECERR, where=lambda address: not self.memory.holds(address))],
        )
        self.wire = LinkConfig(self.bfm, f"{self.seed}:link", stall=plan.link_stall)
        self.window = RegisterConfig(register_pins(dut, "s_axil"), clocking)
        configs = {
            "registers": self.window,
            "memory": self.bus,
            "link": self.wire,
            "irq": IrqConfig(dut.irq_o, clocking),
        }
        for name, config in configs.items():
            ConfigDB().set(self, f"{name}*", "config", config)
        if plan.loop:
            ConfigDB().set(self, "link", "is_active", uvm_active_passive_enum.UVM_PASSIVE)
        self.bfm.put(node=0, loop=int(plan.loop), loop_latency=plan.cable_latency, loop_rate=plan.cable_rate, loop_fates=0)
        self.judge = Judge.create("judge", self)
        ConfigDB().set(self, "*", "JUDGE", self.judge)
        self.mirror = Mirror.create("mirror", self)
        self.mirror.memory = self.memory
        ConfigDB().set(self, "*", "MIRROR", self.mirror)
        ConfigDB().set(self, "*", "MEMORY", self.memory)
        ConfigDB().set(self, "*", "ORACLE", oracle)
        self.registers = RegisterAgent.create("registers", self)
        self.port = MemoryAgent.create("memory", self)
        self.link = LinkAgent.create("link", self)
        self.irq = IrqAgent.create("irq", self)
        self.cable = Cable.create("cable", self)
        self.trace = TraceMonitor.create("trace", self)
        self.traces = TraceBoard.create("traces", self)
        self.beats = BeatBoard.create("beats", self)
        self.commands = CommandBoard.create("commands", self)
        self.faults = FaultBoard.create("faults", self)
        self.fences = FenceBoard.create("fences", self)
        self.lines = LineBoard.create("lines", self)
        self.data = DataBoard.create("data", self)
        self.work = WorkBoard.create("work", self)
        self.cover = Coverage.create("cover", self)

    def connect_phase(self) -> None:
        cover = self.cover
        cover.faults, cover.traces = self.faults, self.traces
        self.commands.cover = self.work.cover = cover
        self.cable.told = cover.spoilt
        # Before the boards, so that it sees the mirror and the oracle as they were.
        self.registers.monitor.ap.connect(cover.registers)
        self.port.monitor.started.connect(cover.started)
        self.port.monitor.ap.connect(cover.accesses)
        self.link.monitor.ap.connect(cover.packets)
        self.irq.monitor.ap.connect(cover.changes)
        self.trace.ap.connect(cover.records)
        self.registers.monitor.ap.connect(self.mirror.analysis_export)
        for board in (self.faults, self.lines):
            self.registers.monitor.ap.connect(board.registers)
        for board in (self.fences, self.commands, self.faults, self.work, self.data):
            self.port.monitor.ap.connect(board.accesses)
        self.port.monitor.started.connect(self.beats.started)
        self.port.monitor.started.connect(self.fences.started)
        self.port.monitor.ap.connect(self.beats.accesses)
        self.link.monitor.ap.connect(self.data.packets)
        self.irq.monitor.ap.connect(self.lines.changes)
        for board in (self.traces, self.fences, self.faults, self.lines, self.commands, self.work):
            self.trace.ap.connect(board.records)

    def register_sequence(self) -> RegisterSequence:
        """On the register agent, with its timing drawn by the plan."""
        sequence = RegisterSequence("registers")
        most = self.plan.register_delay
        if most:
            rng = random.Random(f"{self.seed}:registers")

            def shape(item: RegisterItem) -> None:
                item.delay, item.skew, item.patience = rng.randint(0, most), rng.randint(-most, most), rng.randint(0, most)

            sequence.shape = shape
        sequence.sequencer = self.registers.sequencer
        return sequence
