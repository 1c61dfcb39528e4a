"""Interrupt lines are levels of what waits (FQ-6): the fault line of the queue's indices, the completion line of CQ_EVENT, the
asynchronous line of its events; each only when enabled, and with coalescing in time.

Promises: a line that differs from what it must be for more than SLACK cycles is an objection; below that it is the device's
affair how soon a line follows. What the completion and asynchronous lines must be is read from the registers that software reads.
"""

from __future__ import annotations

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from tb.uvm.agents.axil.config import RegisterAccess
from tb.uvm.agents.irq.config import IrqChanged
from tb.uvm.hca.boards.base import Board
from tb.uvm.hca.observed import Record
from tb.uvm.inlet import Inlet

__all__ = ["LineBoard"]

SLACK = 24


class LineBoard(Board):
    """Three lines."""

    def build_phase(self) -> None:
        super().build_phase()
        self.changes = Inlet("changes", self, self._changed)
        self.records = Inlet("records", self, self._records)
        self.registers = Inlet("registers", self, self._register)
        self.levels = [0] * len(h.IrqLine)
        self.forget()

    def forget(self) -> None:
        """A new device."""
        self._moved = dict.fromkeys(h.IrqLine, self.cycle)
        """When something that decides a line last changed."""
        self._nonempty = self.cycle
        self._wanted: tuple[int | None, int] = (None, self.cycle)

    # ---- the fault line -------------------------------------------------------------------------------------------------------

    def _fault_wanted(self) -> int | None:
        """What the line must be now; None: either."""
        mirror = self.mirror
        pending = mirror.fault_pending
        if not mirror.enabled or not pending or not mirror.value(h.IrqEnableReg, "fault"):
            return 0
        if pending >= max(1, mirror.value(h.FqCoalesceReg, "count")):
            return 1
        delay = mirror.value(h.FqCoalesceReg, "delay")
        return 1 if delay and self.cycle > self._nonempty + delay else None

    def _look(self) -> None:
        """Something is about to change: was it right until now?"""
        wanted, since = self._wanted
        level = self.levels[h.IrqLine.FAULT]
        since = max(since, self._moved[h.IrqLine.FAULT])
        if wanted is not None and level != wanted and self.cycle - since > SLACK:
            pending = self.mirror.fault_pending
            self.judge.object("FQ-6", f"{pending} records wait and the line has been {level} for {self.cycle - since} cycles")
        self._wanted = self._fault_wanted(), self.cycle

    def _records(self, records: list[Record]) -> None:
        for record in records:
            if record[1] == TraceEvent.HDEV_RECORD:
                self._look()
                if self.mirror.fault_pending <= 1:
                    self._nonempty = self.cycle
                self._moved[h.IrqLine.FAULT] = self.cycle
                self._wanted = self._fault_wanted(), self.cycle

    def _changed(self, seen: IrqChanged) -> None:
        if seen.line == h.IrqLine.FAULT:
            self._look()
        self.levels[seen.line] = seen.level
        self._moved[h.IrqLine(seen.line)] = seen.cycle
        self.judge.note("line", seen.line, seen.level)
        if self.judge.bfm.clocking.in_reset or not seen.level:
            return
        enabled = (h.IrqEnableReg.fault, h.IrqEnableReg.completion, h.IrqEnableReg.asynchronous)[seen.line]
        word = self.mirror.registers.get(h.IrqEnableReg.offset, 0)
        if not enabled.of(word) and self.cycle - self._enable_written > SLACK:
            self.judge.object("FQ-6", f"line {seen.line} rose and is not enabled")
        if seen.line == h.IrqLine.FAULT and not self.mirror.fault_pending and self.cycle - self._cons_written > SLACK:
            self.judge.object("FQ-6", "the fault line rose and no record waits")

    _enable_written = _cons_written = 0

    # ---- registers -----------------------------------------------------------------------------------------------------------

    def _register(self, access: RegisterAccess) -> None:
        self.judge.note("register", access.write, access.addr, access.data, access.resp)
        if not access.okay:
            return
        self._look()
        if access.write:
            self._written(access.addr)
        elif access.addr == h.AsyncEventReg.offset:
            self._compare(h.IrqLine.ASYNC, h.AsyncEventReg.valid.of(access.data), "asynchronous")
        elif access.addr == h.FqProdReg.offset and self.mirror.enabled:
            waiting = access.data != self.mirror.value(h.FqConsReg, "index")
            if not self.mirror.registers.get(h.FqCoalesceReg.offset, 0):
                self._compare(h.IrqLine.FAULT, int(waiting), "fault")

    def _written(self, addr: int) -> None:
        if addr == h.IrqEnableReg.offset:
            self._enable_written = self.cycle
            self._moved = dict.fromkeys(h.IrqLine, self.cycle)
        elif addr in (h.FqConsReg.offset, h.FqCoalesceReg.offset):
            self._nonempty = self._cons_written = self._moved[h.IrqLine.FAULT] = self.cycle
        elif addr == h.AsyncPopReg.offset:
            self._moved[h.IrqLine.ASYNC] = self.cycle
        self._wanted = self._fault_wanted(), self.cycle

    def _compare(self, line: h.IrqLine, waits: int, enable: str) -> None:
        """What a register says has been so for a while."""
        if self.cycle - self._moved[line] <= SLACK:
            return
        wanted = waits and self.mirror.value(h.IrqEnableReg, enable)
        if self.levels[line] != wanted:
            self.judge.object("FQ-6", f"line {line.name} is {self.levels[line]}, and its register says {waits}")

    def check_phase(self) -> None:
        """As it is left."""
        if not self.judge.enough.is_set():
            self._look()
