"""Reclaim: two lists, second chance, and out to swap or to its file.

A page starts on the active list; found unused there it moves to the inactive list; found unused there it is unmapped everywhere,
written back unless swap or the file has its bytes, and freed. "Used" is the entry's accessed bit or a device's (age_page). Takes
page locks by try-lock only, so a task that holds any may reclaim. Large and kernel pages are never on a list.

That somebody holds a reference is found out last, as in 2.6.24: mlocked and pinned pages stay on the lists and are looked at
again and again, and a pinned page is even unmapped each time. `Scan` counts it; with enough of them reclaim does nothing else
(the thread's livelock), until it gives up and the allocation fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm.filemap import write_page
from sw_stack.mm.frames import Frame, Lru, PageFlag
from sw_stack.mm.pagetable import FILE, SWAP, make
from sw_stack.mm.rmap import page_referenced, try_to_unmap
from sw_stack.mm.swap import Slot
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_SHIFT, PAGE_SIZE
from sw_stack.mm.vma import VmaFlag
from sw_stack.notifier import NotifierError
from sw_stack.sched.callchain import call_chain

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine
    from sw_stack.mm.mm import Mm

__all__ = ["Reclaimer", "Scan"]

# Looks at each page a call may take: used, used by a device a moment later, unused on the active list, unused on the inactive list.
ROUNDS: Final = 4
# Of these, rounds over an active list from which nothing moves (mlocked, or used all the time) until the inactive one has its turn
# although it is the shorter: 2.6.24 scans both.
STUCK_ROUNDS: Final = 2
NEVER_WRITTEN: Final = bytes(PAGE_SIZE)
"""What a file's page holds that has never been written back."""


@dataclass
class Scan:
    """What reclaim has looked at, and what came of it."""

    aged: int = 0
    """Looks at pages of the active list."""
    scanned: int = 0
    """Looks at pages of the inactive list. Each has one of the outcomes below; mlocked ones are counted on both lists."""
    reclaimed: int = 0
    referenced: int = 0
    """Used since the last look: not unmapped."""
    mlocked: int = 0
    """Looks at mlocked pages, on either list."""
    locked: int = 0
    """Some task had the page lock."""
    pinned: int = 0
    """Unmapped in vain: somebody holds a reference."""
    no_swap: int = 0
    """Swap is full."""
    remapped: int = 0
    """Mapped again, or found in use, on the way out."""

    @property
    def in_vain(self) -> int:
        """Looks that freed nothing."""
        return self.aged + self.scanned - self.reclaimed

    def verdict(self) -> str:
        """One clause for the message of an allocation that fails."""
        shares = {
            "pinned": self.pinned,
            "mlocked": self.mlocked,
            "in use": self.referenced,
            "locked": self.locked,
            "without swap": self.no_swap,
        }
        text = ", ".join(f"{count} {name}" for name, count in shares.items() if count)
        return f"{self.aged + self.scanned} scanned, {self.reclaimed} reclaimed" + (f", {text}" if text else "")


class Reclaimer:
    """The lists of one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._lists: list[dict[int, Frame]] = [{} for _ in Lru]  # by Lru
        self.busy = 0  # frames some task is working on
        self.scan = Scan()

    @property
    def active(self) -> int:
        return len(self._lists[Lru.ACTIVE])

    @property
    def inactive(self) -> int:
        return len(self._lists[Lru.INACTIVE])

    def add(self, frame: Frame, which: Lru = Lru.ACTIVE) -> None:
        """Put a page at the young end of a list, unless it is on one, is being worked on, or can never be reclaimed."""
        if frame.lru is Lru.NONE and frame.order == 0 and not frame.isolated and not frame.reserved:
            frame.lru = which
            self._lists[which][frame.pfn] = frame

    def remove(self, frame: Frame) -> None:
        """Take a page off its list."""
        if frame.lru is not Lru.NONE:
            del self._lists[frame.lru][frame.pfn]
            frame.lru = Lru.NONE

    async def reclaim(self, n: int) -> int:
        """Free up to `n` frames; how many. Zero means: none can be had."""
        freed = stuck = 0
        budget = ROUNDS * (self.active + self.inactive)
        while freed < n and budget > 0:
            budget -= 1
            if self.active > self.inactive and (stuck < STUCK_ROUNDS * self.active or not self.inactive):
                stuck = 0 if await self._deactivate_one() else stuck + 1
            elif self.inactive:
                freed += await self._shrink_one()
            else:
                break
        return freed

    def _isolate(self, which: Lru) -> Frame:
        frame = next(iter(self._lists[which].values()))
        self.remove(frame)
        frame.isolated = True
        frame.pins += 1
        self.busy += 1
        return frame

    def _put_back(self, frame: Frame, which: Lru) -> bool:
        """End of the work on an isolated page. True if that freed it."""
        self.busy -= 1
        frame.isolated = False
        self.add(frame, which)
        return self._machine.unpin(frame)

    async def _deactivate_one(self) -> bool:
        """Look at the oldest page of the active list. True if that moved it to the other."""
        frame = self._isolate(Lru.ACTIVE)
        self.scan.aged += 1
        which = Lru.ACTIVE
        try:
            await self._machine.sched.charge(timing.SW_PTE_OP)
            if frame.lock.try_acquire():
                try:
                    which = Lru.ACTIVE if await page_referenced(frame) else Lru.INACTIVE
                    self.scan.mlocked += bool(frame.flags & PageFlag.LOCKED)
                finally:
                    frame.lock.release()
        finally:
            self._put_back(frame, which)
        return which is Lru.INACTIVE

    async def _shrink_one(self) -> int:
        frame = self._isolate(Lru.INACTIVE)
        which = Lru.ACTIVE
        self.scan.scanned += 1
        try:
            await self._machine.sched.charge(timing.SW_PTE_OP)
            if frame.lock.try_acquire():
                try:
                    which = await self._pageout(frame)
                finally:
                    frame.lock.release()
            else:
                self.scan.locked += 1
        finally:
            freed = self._put_back(frame, which)
        self.scan.reclaimed += freed
        self._machine.count("reclaimed", int(freed))
        return int(freed)

    async def _pageout(self, frame: Frame) -> Lru:
        """Get an isolated, locked page out of memory; on which list it belongs if it stays."""
        if await page_referenced(frame):
            locked = bool(frame.flags & PageFlag.LOCKED)
            self.scan.referenced += not locked
            self.scan.mlocked += locked
            return Lru.ACTIVE
        return await (self._swap_out(frame) if frame.file is None else self._drop_file_page(frame))

    async def _swap_out(self, frame: Frame) -> Lru:
        machine = self._machine
        slot = frame.slot
        if frame.mapped:
            if slot is None:
                slot = machine.swap.attach(frame)
                if slot is None:
                    self.scan.no_swap += 1
                    return Lru.ACTIVE
            await self._unmap(frame, slot)
        if slot is not None and not frame.mapped and frame.pins == 1 and slot.data is None and slot.entries:
            await machine.sched.charge(timing.SW_SWAP_WRITE)
            # Nobody maps it and whoever wants to waits for the page lock, so these bytes are the page's last.
            slot.data = machine.memory.read(frame.pfn << PAGE_SHIFT, PAGE_SIZE)
            machine.count("swapped_out")
            machine.trace.emit(machine.sched.now, TraceEvent.VM_SWAP_OUT, frame.pfn, slot.number)
        if self._kept(frame):
            if slot is not None and slot.data is None and not slot.entries:
                machine.swap.detach(frame)  # its one mapping may write again
            return Lru.ACTIVE
        if slot is not None and slot.entries:
            self._check_saved(frame, slot.data)
        machine.swap.detach(frame)
        return Lru.INACTIVE

    async def _drop_file_page(self, frame: Frame) -> Lru:
        """A page of the page cache: unmapped, written back if dirty, taken out of the cache."""
        machine, file = self._machine, frame.file
        assert file is not None
        if frame.mapped:
            await self._unmap(frame, None)
        if not frame.mapped and frame.pins == 1 and frame.flags & PageFlag.DIRTY:
            await write_page(frame)
        if self._kept(frame):
            return Lru.ACTIVE
        self._check_saved(frame, file.store.get(frame.index, NEVER_WRITTEN))
        file.forget_page(frame)
        machine.count("file_dropped")
        return Lru.INACTIVE

    def _check_saved(self, frame: Frame, saved: bytes | None) -> None:
        """The page goes and `saved` is what comes back: if its bytes are others, a store was never told of."""
        if self._machine.memory.read(frame.pfn << PAGE_SHIFT, PAGE_SIZE) != saved:
            raise NotifierError(
                f"MN-6: frame {frame.pfn} leaves memory as clean with bytes that neither swap nor its file has: a client let "
                f"go of it without telling that its device had stored; called by {call_chain()}"
            )

    def _kept(self, frame: Frame) -> bool:
        """True if the page cannot go, all considered."""
        if frame.mapped:
            self.scan.remapped += 1
        elif frame.pins > 1:
            self.scan.pinned += 1
        return frame.mapped or frame.pins > 1

    async def _unmap(self, frame: Frame, slot: Slot | None) -> None:
        machine = self._machine

        def entry(mm: Mm, vpn: int, _pte: int) -> int:
            machine.trace.emit(machine.sched.now, TraceEvent.VM_RECLAIM, frame.pfn, mm.id, vpn << PAGE_SHIFT)
            if slot is not None:
                slot.entries += 1
                return make(slot.number, SWAP)
            vma = mm.vmas.find(vpn << PAGE_SHIFT)
            return make(frame.index, FILE) if vma is not None and vma.flags & VmaFlag.NONLINEAR else 0

        with traced(machine, TraceEvent.VM_PAGEOUT, frame.pfn):
            await try_to_unmap(machine, frame, aging=True, replace=entry)
