"""Reclaim: two lists, second chance, and out to swap.

A page starts on the active list; found unused there it moves to the inactive list; found unused there it is unmapped everywhere,
written to swap unless swap has its bytes, and freed. "Used" is the entry's accessed bit or a device's (age_page). Takes page locks
by try-lock only, so a task that holds any may reclaim. Large and kernel pages are never on a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm.frames import Frame, Lru
from sw_stack.mm.pagetable import SWAP, make
from sw_stack.mm.rmap import page_referenced, try_to_unmap
from sw_stack.mm.swap import Slot
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine
    from sw_stack.mm.mm import Mm

__all__ = ["Reclaimer"]

# Looks at each page a call may take: used, used by a device a moment later, unused on the active list, unused on the inactive list.
ROUNDS: Final = 4


class Reclaimer:
    """The lists of one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._lists: dict[Lru, dict[int, Frame]] = {Lru.ACTIVE: {}, Lru.INACTIVE: {}}
        self.busy = 0  # frames some task is working on

    @property
    def active(self) -> int:
        return len(self._lists[Lru.ACTIVE])

    @property
    def inactive(self) -> int:
        return len(self._lists[Lru.INACTIVE])

    def add(self, frame: Frame, which: Lru = Lru.ACTIVE) -> None:
        """Put a page at the young end of a list, unless it is on one, is being worked on, or can never be reclaimed."""
        if frame.lru is Lru.NONE and frame.order == 0 and not frame.isolated:
            frame.lru = which
            self._lists[which][frame.pfn] = frame

    def remove(self, frame: Frame) -> None:
        """Take a page off its list."""
        if frame.lru is not Lru.NONE:
            del self._lists[frame.lru][frame.pfn]
            frame.lru = Lru.NONE

    async def reclaim(self, n: int) -> int:
        """Free up to `n` frames; how many. Zero means: none can be had."""
        freed = 0
        budget = ROUNDS * (self.active + self.inactive)
        while freed < n and budget > 0:
            budget -= 1
            if self.active > self.inactive:
                await self._deactivate_one()
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

    async def _deactivate_one(self) -> None:
        frame = self._isolate(Lru.ACTIVE)
        which = Lru.ACTIVE
        try:
            await self._machine.sched.charge(timing.SW_PTE_OP)
            if frame.lock.try_acquire():
                try:
                    which = Lru.ACTIVE if await page_referenced(frame) else Lru.INACTIVE
                finally:
                    frame.lock.release()
        finally:
            self._put_back(frame, which)

    async def _shrink_one(self) -> int:
        frame = self._isolate(Lru.INACTIVE)
        which = Lru.ACTIVE
        try:
            await self._machine.sched.charge(timing.SW_PTE_OP)
            if frame.lock.try_acquire():
                try:
                    which = await self._pageout(frame)
                finally:
                    frame.lock.release()
        finally:
            freed = self._put_back(frame, which)
        self._machine.count("reclaimed", int(freed))
        return int(freed)

    async def _pageout(self, frame: Frame) -> Lru:
        """Get an isolated, locked page out of memory; on which list it belongs if it stays."""
        machine = self._machine
        if frame.pins > 1 or await page_referenced(frame):
            return Lru.ACTIVE
        slot = frame.slot
        if frame.mapcount:
            if slot is None:
                slot = machine.swap.attach(frame)
                if slot is None:
                    return Lru.ACTIVE  # swap is full
            await self._unmap(frame, slot)
        if slot is not None and frame.mapcount == 0 and slot.data is None and slot.entries:
            await machine.sched.charge(timing.SW_SWAP_WRITE)
            # Nobody maps it and whoever wants to waits for the page lock, so these bytes are the page's last.
            slot.data = machine.memory.read(frame.pfn << PAGE_SHIFT, PAGE_SIZE)
            machine.count("swapped_out")
            machine.trace.emit(machine.sched.now, TraceEvent.VM_SWAP_OUT, frame.pfn, slot.number)
        if frame.mapcount or frame.pins > 1:
            if slot is not None and slot.data is None and not slot.entries:
                machine.swap.detach(frame)  # its one mapping may write again
            return Lru.ACTIVE
        machine.swap.detach(frame)
        return Lru.INACTIVE

    async def _unmap(self, frame: Frame, slot: Slot) -> None:
        machine = self._machine

        def swap_entry(mm: Mm, vpn: int, _pte: int) -> int:
            slot.entries += 1
            machine.trace.emit(machine.sched.now, TraceEvent.VM_RECLAIM, frame.pfn, mm.id, vpn << PAGE_SHIFT)
            return make(slot.number, SWAP)

        with traced(machine, TraceEvent.VM_PAGEOUT, frame.pfn):
            await try_to_unmap(frame, aging=True, replace=swap_entry)
