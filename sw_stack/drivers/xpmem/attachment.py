"""An attachment where it is used: its translation table, accesses through it, and taking pages out of it.

An access takes the page's entry, passes its time, moves the bytes and lets the entry go. What moves is the memory of the home
machine: from another partition an access goes there and back over the link. `users` counts the accesses under way; an invalidation
takes the entry out first, so that no new access finds it, then waits for those under way (SD-2).

Promises: when `drop` returns, no access uses the pages and none will until a new fill. Needs: an access waits for nothing but time,
since an invalidation, and whoever waits for its acknowledgement, waits for the access. Costs: SW_CPU_ACCESS an access, and from
another partition two LINK_LATENCY and the memory's latency; a drop SW_PTE_OP a page and one SW_CPU_TLB_FLUSH (zap_vma_ptes).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.drivers.xpmem.ids import XpmemId
from sw_stack.mm.secondary import check_access, read_through, write_through
from sw_stack.mm.types import PAGE_SHIFT, MmError
from sw_stack.sched import WaitQueue
from sw_stack.sched.shared import Shared

if TYPE_CHECKING:
    from sw_stack.drivers.xpmem.messages import Attached, Fill
    from sw_stack.drivers.xpmem.thread_group import ThreadGroup

__all__ = ["Attachment"]


@dataclass(eq=False)
class _Entry:
    """A translation: frame `pfn` of the home machine."""

    pfn: int
    writable: bool
    users: int = 0
    used: bool = False
    """Since the last question (the accessed bit)."""


class Attachment:
    """`size` bytes at `vaddr` of the attaching process that are another's memory. Made by ThreadGroup.attach."""

    def __init__(self, tg: ThreadGroup, apid: XpmemId, home: int, size: int, *, writable: bool, there: Attached) -> None:
        self.tg = tg
        self.apid = apid
        self.home = home
        """Partition whose memory it is."""
        self.number = there.export
        self.source = there.vaddr
        """Address of its first byte in the source."""
        self.owner = there.owner
        self.size = size
        self.writable = writable
        self.vaddr = 0
        self.closing = False
        self.detached = False
        self.faults = 0
        """Faults under way."""
        self._table: dict[int, _Entry] = {}
        self._leaving: list[tuple[int, _Entry]] = []
        self._part = tg.partition
        self._sched = tg.partition.sched
        self._machine = tg.partition.fabric.machine(home)
        self.changed = WaitQueue(self._sched, f"xpmem attachment {there.export}")
        """Woken when an access or a fault has ended."""
        # What accesses share, guarded by no lock, with those who take pages back and with the owner's own.
        self._home_state: Shared = self.changed
        self._memory: Shared = self.changed
        if self.is_local:
            self._home_state = self._part.holders.left
            self._memory = self._part.exports[self.number].segment.tg.mm.pte_lock

    def __repr__(self) -> str:
        return f"<Attachment {self.number} of partition {self.home} in {self.tg.mm.name}>"

    @property
    def end(self) -> int:
        return self.vaddr + self.size

    @property
    def is_local(self) -> bool:
        return self.home == self._part.partid

    def covers(self, address: int) -> bool:
        """True if the address is in it."""
        return self.vaddr <= address < self.end

    def table(self) -> dict[int, tuple[int, bool]]:
        """Page -> (frame of the home machine, writable), as it is now."""
        return {page: (entry.pfn, entry.writable) for page, entry in self._table.items()}

    # ---- accesses --------------------------------------------------------------------------------------------------

    async def load(self, address: int, n: int) -> bytes:
        """`n` bytes at `address` of the attaching process, within a page. MmError EFAULT where the program would get a signal."""
        entry = await self._begin(address, write=False)
        source = self.source + address - self.vaddr
        try:
            check_access(self._machine, self.owner, source, entry.pfn, False, self)
            await self._sched.charge(self._latency(timing.MEM_READ_LATENCY))
            self._look()
            self._sched.touch(self._memory)
            self._part.stats.loads += 1
            return read_through(self._machine, self.owner, source, entry.pfn, n, self)
        finally:
            self._end(entry)

    async def store(self, address: int, data: bytes) -> None:
        """Store within a page. MmError EFAULT also for an attachment that may only be read."""
        entry = await self._begin(address, write=True)
        source = self.source + address - self.vaddr
        try:
            check_access(self._machine, self.owner, source, entry.pfn, True, self)
            await self._sched.charge(self._latency(timing.MEM_WRITE_LATENCY))
            self._look()
            self._sched.touch(self._memory)
            self._part.stats.stores += 1
            write_through(self._machine, self.owner, source, entry.pfn, data, self)
        finally:
            self._end(entry)

    def _look(self) -> None:
        self._sched.touch(self.changed)
        self._sched.touch(self._home_state)

    def _latency(self, memory: int) -> int:
        return timing.SW_CPU_ACCESS + (0 if self.is_local else 2 * timing.LINK_LATENCY + memory)

    async def _begin(self, address: int, *, write: bool) -> _Entry:
        """The entry of an access that begins now."""
        page = (address - self.vaddr) >> PAGE_SHIFT
        while True:
            self._look()
            self.tg.check_killed()
            if self.closing or (write and not self.writable):
                why = "detached" if self.closing else "read only"
                raise MmError(errno.EFAULT, f"{self.tg.mm.name}: access to {address:#x}: attachment is {why}")
            entry = self._table.get(page)
            if entry is not None and (entry.writable or not write):
                entry.users += 1
                entry.used = True
                return entry
            self.faults += 1
            try:
                await self._part.fault(self, page, write=write)
            finally:
                self.faults -= 1
                self.changed.wake_all()

    def _end(self, entry: _Entry) -> None:
        self._look()
        entry.users -= 1
        if not entry.users:
            self.changed.wake_all()

    # ---- the table -------------------------------------------------------------------------------------------------

    def fill(self, fill: Fill) -> None:
        """A page has been granted. Call at the instant the fill is known here: an invalidation may be right behind it."""
        self._look()
        entry = self._table.get(fill.page)
        if entry is None:
            self._table[fill.page] = _Entry(fill.pfn, fill.writable)
        elif entry.pfn == fill.pfn:
            entry.writable |= fill.writable
        else:
            raise AssertionError(f"{self!r}: page {fill.page} goes from frame {entry.pfn} to {fill.pfn} without an invalidation")

    async def drop(self, pages: Iterable[int] | None = None, *, spin: bool = False) -> None:
        """Take pages out, all by default, and wait for the accesses under way: also for those through entries that another call has
        taken out and is waiting for itself.

            detach                              recall of page 3
            takes page 3 out, an access is
            under way: waits
                                                finds no page 3
                                                must wait all the same: it acknowledges for everybody
        """
        self._look()
        wanted = set(self._table) if pages is None else set(pages)
        gone = [(page, self._table.pop(page)) for page in sorted(wanted) if page in self._table]
        others = [] if self._part.policy.mutant == "drop_blind" else [item for item in self._leaving if item[0] in wanted]
        if gone:
            self._leaving += gone
            await self._sched.charge(timing.SW_PTE_OP * len(gone) + timing.SW_CPU_TLB_FLUSH)
        leaving = gone + others
        if any(entry.users for _page, entry in leaving):
            self._part.stats.drains += 1
            if self._part.policy.mutant != "ack_before_drain":
                await self.changed.wait_event(lambda: not any(entry.users for _page, entry in leaving), spin=spin)
        self._leaving = [item for item in self._leaving if item not in gone]

    def test_and_clear_used(self, page: int) -> bool:
        """True if the page has been used since the last question."""
        self._look()
        entry = self._table.get(page)
        if entry is None or not entry.used:
            return False
        entry.used = False
        return True
