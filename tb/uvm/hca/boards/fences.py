"""A fence waits for every access in flight that used a translation which an invalidation before it covered (SD-2): none of them is
unanswered when the fence's value leaves for memory.

Promises: what was on the bus when an invalidation was accepted is compared by page; what the device had begun and not yet put on
the bus shows elsewhere, when software has given the page away (boards/beats.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from hwif.gen.gru import PAGE_SHIFT
from tb.uvm.agents.axi.config import MemoryAccess
from tb.uvm.hca.boards.base import Board
from tb.uvm.hca.mirror import INDEX
from tb.uvm.hca.observed import Record, owner_of
from tb.uvm.inlet import Inlet

__all__ = ["FenceBoard"]


@dataclass(eq=False)
class _Flying:
    """An access that is not answered; `covered`: indices of commands that invalidated its translation."""

    key: int
    page: int
    write: bool
    covered: list[int] = field(default_factory=list)


class FenceBoard(Board):
    """Accesses against invalidations against fences."""

    def build_phase(self) -> None:
        super().build_phase()
        self.started = Inlet("started", self, self._started)
        self.accesses = Inlet("accesses", self, self._ended)
        self.records = Inlet("records", self, self._records)
        self.judge.bfm.clocking.on_reset.append(self._in_reset)
        self._in_reset()

    def _in_reset(self) -> None:
        self._flying: dict[tuple[bool, int], list[_Flying | None]] = {}
        """By direction and ID, oldest first; None: not through a translation."""

    def forget(self) -> None:
        """Commands begin anew; what is on the bus stays there."""
        for flying in self._flying.values():
            for one in flying:
                if one is not None:
                    one.covered.clear()

    def _started(self, access: MemoryAccess) -> None:
        owner = owner_of(access.user)
        one = _Flying(owner.key, owner.va >> PAGE_SHIFT, access.write) if owner.mapped else None
        self._flying.setdefault((access.write, access.ident), []).append(one)
        if access.write and one is None:
            self._fence(access)

    def _ended(self, access: MemoryAccess) -> None:
        self._flying[access.write, access.ident].pop(0)

    def _records(self, records: list[Record]) -> None:
        for record in records:
            if record[1] == TraceEvent.HDEV_INVALIDATE:
                _cycle, _event, index, key, addr, length, whole = record
                first, last = addr >> PAGE_SHIFT, min(addr + length - 1, (1 << 64) - 1) >> PAGE_SHIFT
                for flying in self._flying.values():
                    for one in flying:
                        if one is not None and one.key == key >> 8 and (whole or first <= one.page <= last):
                            one.covered.append(index)

    def _fence(self, access: MemoryAccess) -> None:
        fence = next((one for one in self.mirror.rung if one.entry["opcode"] == h.CmdOp.FENCE), None)
        if fence is None or fence.entry["addr"] & -64 != access.addr & -64:
            return
        left = [
            one
            for flying in self._flying.values()
            for one in flying
            if one is not None and any(0 < fence.index - index & INDEX <= INDEX >> 1 for index in one.covered)
        ]
        self.judge.note("fence", fence.index, len(left))
        if left:
            what = "write" if left[0].write else "read"
            self.judge.object("SD-2", f"fence {fence.index} is done and a {what} of page {left[0].page:#x} is not answered")
