"""mremap: the entries move, the frames stay.

The old range is invalidated round the move (V6 move_page_tables); the new one is not notified, nobody can know it yet. The old
area is then unmapped as munmap does, so its range is announced twice, as in Linux.
"""

from __future__ import annotations

import errno
from contextlib import nullcontext
from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm.mapping import check_alive, check_range, do_munmap
from sw_stack.mm.pagetable import EXCLUSIVE, MIGRATION, PRESENT, VALUE_SHIFT
from sw_stack.mm.traced import traced
from sw_stack.mm.types import ADDRESS_END, PAGE_SHIFT, PAGE_SIZE, MmError
from sw_stack.mm.vma import Vma

if TYPE_CHECKING:
    from sw_stack.mm.files import File
    from sw_stack.mm.mm import Mm

__all__ = ["mremap"]


async def mremap(mm: Mm, old: int, old_len: int, new_len: int, *, may_move: bool, new: int | None) -> int:
    old_end = check_range(old, old_len)
    old_len = old_end - old
    new_len = check_range(0, new_len)
    if new is not None:
        new_end = check_range(new, new_len)
        if not may_move or (new < old_end and old < new_end):
            raise MmError(errno.EINVAL, f"[{old:#x}, {old_end:#x}) cannot move to {new:#x}")
    await mm.machine.sched.charge(timing.SW_SYSCALL)
    async with mm.mmap_lock.writing():
        check_alive(mm)
        with traced(mm.machine, TraceEvent.VM_MREMAP, mm.id, old, old if new is None else new, new_len, mm=mm.id):
            mm.machine.count("mremap")
            if new is not None:
                _source(mm, old, old + min(old_len, new_len))  # refuse before anything is unmapped
                await do_munmap(mm, new, new + new_len)
            if new_len < old_len:
                await do_munmap(mm, old + new_len, old_end)
                old_len, old_end = new_len, old + new_len
            vma = _source(mm, old, old_end)
            if new is None:
                if new_len == old_len:
                    return old
                if old + new_len <= ADDRESS_END and not mm.vmas.overlapping(old_end, old + new_len):
                    mm.vmas.insert(vma.part(old_end, old + new_len))
                    return old
                if not may_move:
                    raise MmError(errno.ENOMEM, f"no room to grow [{old:#x}, {old_end:#x}) in place")
                new = mm.vmas.free_area(new_len, PAGE_SIZE, None)
            mm.vmas.insert(vma.clip(old, old_end).at(new, new + new_len))
            await _move_page_tables(mm, old, old_end, new, vma.file)
            await do_munmap(mm, old, old_end)
            return new


def _source(mm: Mm, start: int, end: int) -> Vma:
    """The one area of small pages that contains the range."""
    vma = mm.vmas.find(start)
    if vma is None or vma.end < end:
        raise MmError(errno.EFAULT, f"[{start:#x}, {end:#x}) is not one mapping")
    if vma.shift != PAGE_SHIFT:
        raise MmError(errno.EINVAL, f"large pages at {start:#x} cannot move")
    return vma


async def _move_page_tables(mm: Mm, old: int, old_end: int, new: int, file: File | None) -> None:
    machine = mm.machine
    distance = (new - old) >> PAGE_SHIFT
    async with mm.notifiers.range(old, old_end, atomic=False):
        for first, last in mm.page_table.populated(old >> PAGE_SHIFT, old_end >> PAGE_SHIFT):
            # A truncate must not look for pages at the old place after they left it and at the new before they came.
            async with file.i_mmap_lock if file is not None else nullcontext(), mm.pte_lock:
                entries = mm.page_table.entries(first, last)
                for vpn, _shift, pte in entries:
                    _move_entry(mm, vpn, vpn + distance, pte)
                await machine.sched.charge(timing.SW_PTE_OP * 2 * len(entries))
        await machine.sched.charge(timing.SW_CPU_TLB_FLUSH)


def _move_entry(mm: Mm, old: int, new: int, pte: int) -> None:
    mm.page_table.set(old, 0)
    mm.page_table.set(new, pte)
    if pte & (PRESENT | EXCLUSIVE):
        frame = mm.machine.frames[pte >> VALUE_SHIFT]
        frame.unmap(mm, old)
        frame.map(mm, new)
        mm.shadow.established(new, pte)
    elif pte & MIGRATION:
        moving = mm.machine.frames[pte >> VALUE_SHIFT].moving
        moving[mm.id, new] = moving.pop((mm.id, old))
