"""Serving a fault where the memory is: find the page, make sure of it, take a reference, tell the requester.

    get_user_pages          under mmap_lock; may sleep, reclaim, copy on write; calls notifiers, this driver's among them
    take a reference        the frame cannot be freed or moved any more
    lock_page               reclaim, migration and writeback of the page are over, or have not begun
    block recalls           no range is between its begin and its end, no page is being taken back
    look again              the page table still has this frame here, with the right asked for
    export, enter, tell     at one instant, so that an invalidation can only come after

Why look again: nothing keeps the page where it is between the lookup and the page lock.

     fault                             process
     get_user_pages: frame 5
     takes a reference                 madvise: begin, frame 5 unmapped, end
     locks the page                    touches it: frame 9
     no recall going on
     must not enter frame 5

The reference has kept frame 5 from being freed, so nothing else would notice: the attachment and the process would go on with two
pages. (The module gave SIGBUS where it now retries: 90a95a4.)

Style "today" asks for the right to write wherever the owner's area has it, whatever the access (xpmem_pin_page), and marks nothing
as exported. The page lock and the second look are not in the module; without them it enters frame 5.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.drivers.xpmem.home import Export, Holder
from sw_stack.drivers.xpmem.recall import recall
from sw_stack.mm.frames import Frame
from sw_stack.mm.types import PAGE_SHIFT, PROT_WRITE, MmError, Translation

if TYPE_CHECKING:
    from sw_stack.drivers.xpmem.partition import Partition

__all__ = ["serve_fault"]

Tell = Callable[[Holder], None]


class _Outcome(Enum):
    DONE = auto()
    AGAIN = auto()
    STALE = auto()  # the export still has another frame for this page


async def serve_fault(part: Partition, export: Export, page: int, write: bool, tell: Tell) -> None:
    """Give page `page` of an export to its attachment; `tell` is called with the holder at the instant it is good. Takes the
    source's mmap_lock for reading. MmError EFAULT if the segment or the source's page is gone or may not be written; ENOMEM."""
    segment, gate = export.segment, export.segment.tg.gate
    part.stats.faults_served += 1
    while True:
        if part.policy.mutant != "ignore_recall":
            if not gate.open:
                part.stats.fault_blocked += 1
            await gate.wait_open()
        if segment.destroyed or (write and not export.writable):
            why = "is read only" if not segment.destroyed else "has been removed"
            raise MmError(errno.EFAULT, f"{segment.tg.mm.name}: page {page} of an attachment: the segment {why} (SIGBUS)")
        outcome = await _attempt(part, export, page, write, tell)
        if outcome is _Outcome.DONE:
            return
        if outcome is _Outcome.STALE:
            await _take_back(part, export, page)


async def _attempt(part: Partition, export: Export, page: int, write: bool, tell: Tell) -> _Outcome:
    tg, machine = export.segment.tg, part.machine
    mm, vaddr = tg.mm, export.vpn(page) << PAGE_SHIFT
    async with mm.mmap_lock.reading():
        if tg.attached_at(vaddr):
            raise MmError(errno.EFAULT, f"{mm.name}: {vaddr:#x} is an attachment itself (SIGBUS)")
        vma = mm.vmas.find(vaddr)
        if part.policy.style == "today":
            write |= vma is not None and bool(vma.prot & PROT_WRITE)
        found = await mm.get_user_pages(vaddr, write)
        # get_user_pages forces a small page only: the second look at a large one finds the right missing, again and again.
        forced = part.policy.mutant == "force_write" and found.shift != PAGE_SHIFT
        # No cycle has passed since the entry was found good: the frame is still allocated.
        frame = machine.frames[found.pfn]
        frame.pins += 1
        kept = False
        try:
            await part.sched.charge(timing.SW_PIN_PAGE)
            async with frame.lock:
                blocked = tg.gate.begin_fault()
                if not blocked and part.policy.mutant != "ignore_recall":
                    return _Outcome.AGAIN
                try:
                    await part.sched.charge(timing.SW_PAGE_WALK)
                    now = mm.follow_page(vaddr, write or forced)
                    if part.policy.mutant == "pte_vanished":
                        now = found
                    outcome, kept = _enter(part, export, page, frame, found, now, tell)
                    return outcome
                finally:
                    if blocked:
                        tg.gate.end_fault()
        finally:
            if not kept:
                machine.unpin(frame)


def _enter(
    part: Partition, export: Export, page: int, frame: Frame, found: Translation, now: Translation | None, tell: Tell
) -> tuple[_Outcome, bool]:
    """The end of a fault, in no time. Also whether the reference is used up."""
    part.holders.look()
    if export.segment.destroyed:
        return _Outcome.AGAIN, False
    if now is None or now.pfn != found.pfn:
        part.stats.fault_vanished += 1
        if part.policy.mutant == "sigbus_on_vanish":
            name, vaddr = export.segment.tg.mm.name, export.vpn(page) << PAGE_SHIFT
            raise MmError(errno.EFAULT, f"{name}: {vaddr:#x} has changed since it was looked up (SIGBUS)")
        return _Outcome.AGAIN, False
    writable = export.writable and (part.policy.mutant == "map_writable" or (now.writable and now.dirty))
    if part.policy.style == "v6" and part.policy.mutant != "no_export":
        part.machine.rmap_notifiers.export(frame)
    holder = export.holders.get(page)
    if holder is not None and (holder.pfn != found.pfn or holder.going):
        return _Outcome.STALE, False
    kept = holder is None
    if holder is None:
        holder = part.holders.enter(export, page, frame, found.pfn, writable=writable)
    elif writable and not holder.writable:
        part.holders.upgrade(holder)
    holder.young = True
    tell(holder)
    return _Outcome.DONE, kept


async def _take_back(part: Partition, export: Export, page: int) -> None:
    """The attachment has another frame for this page, of which nobody has told: a range of somebody who is not the owner's, in
    style "today"."""
    gate = export.segment.tg.gate
    await gate.begin_recall()
    try:
        holder = export.holders.get(page)
        if holder is not None:
            await recall(part, [holder])
    finally:
        gate.end_recall()
