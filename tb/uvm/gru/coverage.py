"""Functional coverage of the chip: which situations the checks have been in (points.py says what there is).

Needs: the environment connects it; it looks at the boards' references for what is going on.
"""

from __future__ import annotations

from typing import Any

from pyuvm import uvm_component

from hwif.gen import gru as g
from tb.plan.cover import CoverGroup, Tally
from tb.uvm.agents.axi.config import MemoryAccess, Resp
from tb.uvm.agents.axil.config import RegisterAccess
from tb.uvm.gru.config import ChipConfig
from tb.uvm.gru.data_board import Judgement
from tb.uvm.gru.handles_board import Context, HandlesBoard
from tb.uvm.gru.points import ALL, ANSWER, CONTEXT, MAP, MEMORY, OPCODE, OPCODES, REFUSED, REGISTER, RESET, SHOOTDOWN
from tb.uvm.gru.window import place, unit_of
from tb.uvm.tlb.observed import Asked

__all__ = ["Coverage"]

INTERRUPTS = (g.CchOpc.INTERRUPT, g.CchOpc.INTERRUPT_SYNC)


class Coverage(uvm_component):
    """Counts."""

    handles: HandlesBoard
    config: ChipConfig

    def build_phase(self) -> None:
        super().build_phase()
        self.tally = Tally(ALL)
        self.running: Any = {}  # the data board's: control block -> instruction
        self._forget()

    def _forget(self) -> None:
        self._missed: set[int] = set()  # control blocks whose instruction has missed
        self._interrupted: set[int] = set()
        self._errors: dict[int, set[str]] = {}
        self.shooting: set[int] = set()  # handles
        self._asked = 0  # register accesses under way
        self._tgh: dict[int, dict[int, int]] = {}  # what was written to the handles' further double-words
        self._cleared: tuple[int, int] = (0, -1)  # core, cycle of the latest clearing write

    def count(self, group: CoverGroup, name: str, when: bool = True) -> None:
        """A bin once more."""
        if when:
            self.tally.hit(group, name)

    # ---- instructions -----------------------------------------------------------------------------------------------------------

    def miss(self, asked: Asked, cycle: int) -> None:
        """A lookup missed; the handles board knows already."""
        self._missed.add(asked.cbr)
        config, levels = self.handles.contexts[asked.ctx].config, self.handles.levels
        if not g.Cch.tfm_fault_bit_enable.get(config):
            return
        core = g.Cch.tlb_int_select.get(config)
        up = bool(levels >> core & 1)
        interrupt = bool(g.Cch.tlb_int_enable.get(config))
        self.count(MAP, "fault bit without interrupt", not interrupt)
        self.count(MAP, f"fault bit, line {'up' if up else 'down'}", interrupt)
        self.count(MAP, "bit set as others are cleared", self._cleared[0] == core and cycle - self._cleared[1] <= 1)

    def error(self, access: MemoryAccess) -> None:
        """A response was taken."""
        if access.resp in (Resp.SLVERR, Resp.DECERR):
            found = self._errors.setdefault(access.ident, set())
            found.add(f"{'write' if access.write else 'read'}, {Resp(access.resp).name}")

    def instruction(self, judged: Judgement) -> None:
        """It has ended."""
        cbr, opc = judged.done.cbr, judged.one.opc
        errors = self._errors.pop(cbr, set())
        missed, interrupted = cbr in self._missed, cbr in self._interrupted
        self._missed.discard(cbr)
        self._interrupted.discard(cbr)
        names = [one.name for one in g.CbOpc if one == opc]
        if not names or names[0] not in OPCODES:
            return
        name = names[0]
        for error in errors:
            self.count(MEMORY, f"{name}, {error}")
        if judged.failed:
            self.count(OPCODE, f"{name}, bus error")
        elif judged.fatal and judged.done.ecause:
            self.count(OPCODE, f"{name}, ended by its fault handle")
        elif judged.done.istatus == g.CbIstatus.EXCEPTION:
            self.count(OPCODE, f"{name}, exception")
        else:
            self.count(OPCODE, f"{name}, after a miss", missed)
            self.count(OPCODE, f"{name}, after an interrupt", interrupted)
            self.count(OPCODE, f"{name}, at once", not missed and not interrupted)
        if judged.one.ima & g.CbIma.INTERRUPT:
            context = self.handles.contexts[judged.ctx]
            if g.Cch.cb_int_enable.get(context.config) and g.Cch.tfm_done_bit_enable.get(context.config):
                up = self.handles.levels >> g.Cch.tlb_int_select.get(context.config) & 1
                self.count(MAP, f"done bit, line {'up' if up else 'down'}")

    # ---- the register bus -------------------------------------------------------------------------------------------------------

    def asked(self, access: RegisterAccess) -> None:
        """An access is taken; this is told before the handles board is."""
        self._asked += 1
        unit, index, dw = place(access.addr)
        if not access.write or not access.whole:
            return
        if unit == "tfm" and dw in (0, 1, 4, 5):
            maps = self.handles.maps[index]
            before = any(maps)
            left = list(maps)
            left[dw // 4] &= ~(access.data << 64 * (dw % 4))
            self._cleared = index, access.issued
            self.count(MAP, "cleared to empty", before and not any(left))
            self.count(MAP, "cleared in part", left != maps and any(left))
            self.count(MAP, "two lines up", self.handles.levels.bit_count() > 1)
        if dw == 0 and access.data & 1:
            if unit == "tfh" and index not in self.handles.commands:
                self._answer(index, access)
            elif unit == "tgh" and index not in self.shooting:
                self._shoot(index, access)
            elif unit == "cch" and self.handles.contexts[index].command is None:
                self._context(self.handles.contexts[index], g.Cch.opc.of(access.data))
        if unit == "tgh" and dw:
            self._tgh.setdefault(index, {})[dw] = access.data

    def _answer(self, cbr: int, access: RegisterAccess) -> None:
        opc, miss = g.Tfh.opc.of(access.data), self.handles.misses.get(cbr)
        names = [one.name for one in g.TfhOpc if one == opc]
        if names:
            self.count(ANSWER, f"{names[0]}, {'no miss' if miss is None else miss.kind.name}")

    def _going_on(self) -> list[str]:
        handles = self.handles
        found = []
        if handles.flying:
            found.append("accesses on the bus")
        if handles.misses:
            found.append("misses pending")
        if self.shooting:
            found.append("another shootdown")
        if any(context.command is not None for context in handles.contexts):
            found.append("a context command")
        return found or ["nothing"]

    def _shoot(self, handle: int, access: RegisterAccess) -> None:
        if g.Tgh.opc.of(access.data) != g.TghOpc.TLBINV:
            return
        words = self._tgh.get(handle, {})
        line = [access.data, *(words.get(dw, 0) for dw in range(1, 8))]
        scope = "contexts" if g.Tgh.is_global.get(line) else "asid" if g.Tgh.n.get(line) == g.INVAL_ALL_N else "range"
        for what in self._going_on():
            self.count(SHOOTDOWN, f"{scope}, {what}")
        self.shooting.add(handle)

    def _context(self, context: Context, opc: int) -> None:
        names = [one.name for one in g.CchOpc if one == opc and one is not g.CchOpc.NONE]
        if not names:
            return
        mine = [cbr for cbr in range(g.NUM_CBR) if context.holds(cbr)]
        met = {
            "its instructions": any(cbr in self.running for cbr in mine),
            "its faults": any(cbr in self.handles.misses for cbr in mine),
            "a shootdown": bool(self.shooting),
            "another context's command": any(other.command is not None for other in self.handles.contexts if other is not context),
        }
        if opc == g.CchOpc.ALLOCATE:
            met["its instructions"] = met["its faults"] = False
        if opc in INTERRUPTS:
            self._interrupted.update(cbr for cbr in mine if cbr in self.running)
        if opc == g.CchOpc.START:
            self._interrupted.update(cbr for cbr in mine if cbr in self.running)
        for what, so in met.items():
            self.count(CONTEXT, f"{names[0]}, {what}", so)
        self.count(CONTEXT, f"{names[0]}, nothing", not any(met.values()))

    def answered(self, access: RegisterAccess) -> None:
        """An access has ended."""
        self._asked = max(0, self._asked - 1)
        unit, index, dw = place(access.addr)
        if access.okay:
            if unit:
                self.count(REGISTER, f"{unit}, {'write' if access.write else 'read'}")
            self.count(REGISTER, f"{unit}, partial write", access.write and not access.whole and unit in ("cb", "dsr"))
            if not access.write and dw == 0:
                self._status(unit, index, access.data)
            return
        for name in self._refusals(access, unit):
            self.count(REGISTER, name)

    def _status(self, unit: str, index: int, word: int) -> None:
        if unit == "tgh" and g.Tgh.status.of(word) != g.HandleStatus.ACTIVE:
            self.shooting.discard(index)
        if unit == "cch" and g.Cch.status.of(word) == g.HandleStatus.EXCEPTION:
            self.count(REFUSED, g.CchCause(g.Cch.cause.of(word)).name)

    def _refusals(self, access: RegisterAccess, unit: str) -> list[str]:
        """Why it was refused."""
        if unit in ("cb", "dsr"):
            return [f"{unit}, not owned"]
        if unit:
            return [f"{unit}, partial write refused"] if access.write and not access.whole else []
        there, _index, _dw = place(access.addr - access.addr % g.HANDLE_STRIDE)
        if there and there != "dsr":
            return [f"{there}, past its line"]
        unit = unit_of(access.addr)
        if unit:
            return [f"{unit}, no such"]
        return [f"nothing there, {'write' if access.write else 'read'}"]

    # ---- reset ------------------------------------------------------------------------------------------------------------------

    def reset(self, writes: bool, reads: bool) -> None:
        """A reset begins; told before the boards forget."""
        handles = self.handles
        met = {
            "instructions": bool(self.running),
            "reads on the bus": reads,
            "writes on the bus": writes,
            "misses pending": bool(handles.misses),
            "a fault handle's command": bool(handles.commands),
            "a shootdown": bool(self.shooting),
            "a context command": any(context.command is not None for context in handles.contexts),
            "a register access": self._asked > 0,
            "a line that is up": bool(handles.levels),
        }
        for what, so in met.items():
            self.count(RESET, what, so)
        self.count(RESET, "nothing", not any(met.values()))
        self._forget()
