"""fork: the child gets the parent's entries, both lose the right to write.

The parent's translations are invalidated area by area, of private areas only: shared ones lose nothing (is_cow_mapping). The
range is the whole area, both at the begin and at the end. An error on the way ends the range, tears the half-made child down and
is passed on.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm.mapping import check_alive
from sw_stack.mm.pagetable import (
    ACCESSED,
    DIRTY,
    EXCLUSIVE,
    MIGRATION,
    PRESENT,
    READ,
    SWAP,
    VALUE_SHIFT,
    WAS_WRITE,
    WRITE,
    Entry,
    make,
)
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_SHIFT, MmError
from sw_stack.mm.vma import Vma, VmaFlag

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["copy_page_range", "fork"]


async def fork(parent: Mm, name: str) -> Mm:
    machine = parent.machine
    await machine.sched.charge(timing.SW_SYSCALL)
    async with parent.mmap_lock.writing():
        check_alive(parent)
        child = machine.new_mm(name)
        with traced(machine, TraceEvent.VM_FORK, parent.id, child.id, mm=parent.id):
            machine.count("fork")
            try:
                async with child.mmap_lock.writing():
                    child.heap_start, child.heap_end = parent.heap_start, parent.heap_end
                    for vma in parent.vmas:
                        child.vmas.insert(vma._replace(flags=vma.flags & ~VmaFlag.LOCKED))
                        if vma.file is None:
                            await copy_page_range(parent, child, vma, vma.start, vma.end)
                        else:
                            async with vma.file.i_mmap_lock:  # a truncate sees the child's area and entries, or neither
                                vma.file.mms[child.id] = child
                            await copy_page_range(parent, child, vma, vma.start, vma.end)
                    await machine.sched.charge(timing.SW_CPU_TLB_FLUSH)
            except BaseException:
                await child.exit()
                raise
    return child


async def copy_page_range(parent: Mm, child: Mm, vma: Vma, start: int, end: int) -> None:
    """Give the child the parent's entries of [start, end), a part of `vma`. Both mmap locks held for writing."""
    historical = parent.machine.historical
    if not vma.cow or (historical.hugetlb_fork_silent and vma.shift != PAGE_SHIFT):
        if vma.cow:
            parent.shadow.overlooked(start, end)
        await _copy_entries(parent, child, start, end)
        return
    active = await parent.notifiers.range_begin(start, end, atomic=False)
    try:
        await _copy_entries(parent, child, start, end)
    except BaseException:
        if historical.fork_error_no_end:
            parent.notifiers.forget_range(active)
        else:
            await parent.notifiers.range_end(active)
        raise
    if historical.fork_end_from_area:
        active.end_said = (vma.start, end)
    await parent.notifiers.range_end(active)


async def _copy_entries(parent: Mm, child: Mm, start: int, end: int) -> None:
    cow = (vma := parent.vmas.find(start)) is None or vma.cow
    machine = parent.machine
    for first, last in parent.page_table.populated(start >> PAGE_SHIFT, end >> PAGE_SHIFT):
        if machine.child_tables is not None:
            machine.child_tables -= 1
            if machine.child_tables < 0:
                raise MmError(errno.ENOMEM, f"no memory for a page table of {child.name}")
        async with child.pte_lock, parent.pte_lock:
            entries = parent.page_table.entries(first, last)
            for entry in entries:
                _share(parent, child, entry, cow)
            await parent.machine.sched.charge(timing.SW_PTE_OP * 2 * len(entries))


def _share(parent: Mm, child: Mm, entry: Entry, cow: bool) -> None:
    machine = parent.machine
    vpn, shift, pte = entry
    value = pte >> VALUE_SHIFT
    if pte & EXCLUSIVE:
        # What a device has to itself cannot be shared: it loses it (the range is announced), and the page is shared like any other.
        pte = make(value, PRESENT | READ | DIRTY | pte & ACCESSED)
    if pte & PRESENT:
        machine.frames[value].map(child, vpn)
        if cow:
            pte &= ~WRITE
    elif pte & SWAP:
        machine.swap[value].entries += 1
    elif pte & MIGRATION:
        machine.frames[value].add_moving(child, vpn)
        if cow:
            pte &= ~WAS_WRITE
    parent.page_table.set(vpn, pte, shift)
    parent.shadow.established(vpn, pte, shift)
    child_pte = pte & ~ACCESSED if pte & PRESENT else pte
    child.page_table.set(vpn, child_pte, shift)
    child.shadow.established(vpn, child_pte, shift)
