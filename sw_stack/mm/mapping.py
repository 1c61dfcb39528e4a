"""mmap, munmap, mprotect, madvise, brk and exit, with the notifier calls of the V6 table.

munmap, mmap over and brk shrink: one range over all that is unmapped, sleeping allowed, begun before the first entry goes and ended
after the pages are free. mprotect and madvise: one range an area. exit: release, then silence.
"""

from __future__ import annotations

import errno
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from hwif.gen.gru import PAGE_SHIFTS
from sw_stack.mm.filemap import drop_unlinked
from sw_stack.mm.pagetable import EXCLUSIVE, MIGRATION, PRESENT, READ, WAS_WRITE, WRITE
from sw_stack.mm.traced import traced
from sw_stack.mm.types import ADDRESS_END, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, PROT_READ, PROT_WRITE, MmError
from sw_stack.mm.unmapping import zap_range
from sw_stack.mm.vma import Vma, VmaFlag

if TYPE_CHECKING:
    from sw_stack.mm.files import File
    from sw_stack.mm.mm import Mm

__all__ = [
    "brk",
    "check_alive",
    "check_range",
    "do_munmap",
    "exit_mm",
    "madvise_dontneed",
    "mmap",
    "mprotect",
    "munmap",
    "set_heap",
]


def check_alive(mm: Mm) -> None:
    """MmError ESRCH if the address space has exited."""
    if not mm.alive:
        raise MmError(errno.ESRCH, f"{mm.name} has exited")


def check_range(addr: int, length: int, align: int = PAGE_SIZE) -> int:
    """The end of the range, rounded up to whole pages. MmError EINVAL for an odd start, no length, or a range past the end."""
    end = addr + -(-length // align) * align
    if length <= 0 or addr < 0 or addr & (align - 1) or end > ADDRESS_END:
        raise MmError(errno.EINVAL, f"no range of {align}-byte pages: {length} bytes at {addr:#x}")
    return end


def _protection(prot: int) -> int:
    """Write implies read, as on every processor this models."""
    if prot & ~(PROT_READ | PROT_WRITE):
        raise MmError(errno.EINVAL, f"unknown protection {prot:#x}")
    return prot | PROT_READ if prot & PROT_WRITE else prot


async def mmap(
    mm: Mm, addr: int | None, length: int, prot: int, *, fixed: bool, shift: int, file: File | None, pgoff: int, shared: bool
) -> int:
    prot = _protection(prot)
    if file is not None and (shift != PAGE_SHIFT or pgoff < 0):
        raise MmError(errno.EINVAL, f"{file.name} cannot be mapped from page {pgoff} in pages of 2**{shift} bytes")
    if shift not in PAGE_SHIFTS.values():
        raise MmError(errno.EINVAL, f"no page size of 2**{shift} bytes")
    size = 1 << shift
    length = check_range(0, length, size)
    if fixed:
        check_range(addr if addr is not None else -1, length, size)
    await mm.machine.sched.charge(timing.SW_SYSCALL)
    async with mm.mmap_lock.writing():
        check_alive(mm)
        if fixed:
            assert addr is not None
            start = addr
        else:
            start = mm.vmas.free_area(length, size, addr)
        with _traced(mm, TraceEvent.VM_MMAP, start, start + length):
            if fixed:
                await do_munmap(mm, start, start + length)
            if shared and file is None:
                file = mm.machine.new_file(f"shared memory of {mm.name}", length >> PAGE_SHIFT)
                file.unlinked = True
            if file is not None:
                file.mms[mm.id] = mm
            mm.vmas.insert(Vma(start, start + length, prot, shift, VmaFlag.SHARED if shared else 0, file, pgoff))
            mm.machine.count("mmap")
    return start


async def munmap(mm: Mm, addr: int, length: int) -> None:
    end = check_range(addr, length)
    await mm.machine.sched.charge(timing.SW_SYSCALL)
    async with mm.mmap_lock.writing():
        check_alive(mm)
        with _traced(mm, TraceEvent.VM_MUNMAP, addr, end):
            mm.machine.count("munmap")
            await do_munmap(mm, addr, end)


async def do_munmap(mm: Mm, start: int, end: int) -> None:
    """Unmap with mmap_lock held for writing."""
    parts = mm.vmas.carve(start, end)
    if parts:
        mm.locked_vm -= sum(part.end - part.start for part in parts if part.flags & VmaFlag.LOCKED) >> PAGE_SHIFT
        async with mm.notifiers.range(start, end, atomic=False):
            await zap_range(mm, parts)
        for file in {part.file for part in parts if part.file is not None}:
            await drop_unlinked(file)


async def mprotect(mm: Mm, addr: int, length: int, prot: int) -> None:
    prot = _protection(prot)
    end = check_range(addr, length)
    await mm.machine.sched.charge(timing.SW_SYSCALL)
    async with mm.mmap_lock.writing():
        check_alive(mm)
        with _traced(mm, TraceEvent.VM_MPROTECT, addr, end, prot):
            mm.machine.count("mprotect")
            if not mm.vmas.covered(addr, end):
                raise MmError(errno.ENOMEM, f"[{addr:#x}, {end:#x}) is not wholly mapped")
            for part in mm.vmas.whole_pages(addr, end):
                if part.prot == prot:
                    continue
                mm.vmas.carve(part.start, part.end)
                mm.vmas.insert(part._replace(prot=prot))
                async with mm.notifiers.range(part.start, part.end, atomic=False):
                    await _change_protection(mm, part, prot)


async def _change_protection(mm: Mm, part: Vma, prot: int) -> None:
    """Rewrite the entries. The right to write is not given here but by the next write fault, which knows who shares the page."""
    changed = 0
    for first, last in mm.page_table.populated(part.start >> PAGE_SHIFT, part.end >> PAGE_SHIFT):
        async with mm.pte_lock:
            entries = mm.page_table.entries(first, last)
            for vpn, shift, pte in entries:
                if pte & PRESENT:
                    new = (pte & ~(READ | WRITE)) | (READ if prot & PROT_READ else 0)
                elif pte & (MIGRATION | EXCLUSIVE) and not prot & PROT_WRITE:
                    new = pte & ~WAS_WRITE
                else:
                    continue
                mm.page_table.set(vpn, new, shift)
                mm.shadow.established(vpn, new, shift)
                changed += 1
            await mm.machine.sched.charge(timing.SW_PTE_OP * len(entries))
    if changed:
        await mm.machine.sched.charge(timing.SW_CPU_TLB_FLUSH)


async def madvise_dontneed(mm: Mm, addr: int, length: int) -> None:
    end = check_range(addr, length)
    await mm.machine.sched.charge(timing.SW_SYSCALL)
    async with mm.mmap_lock.reading():
        check_alive(mm)
        with _traced(mm, TraceEvent.VM_MADVISE, addr, end):
            mm.machine.count("madvise")
            parts = mm.vmas.overlapping(addr, end)
            for part in parts:
                if part.shift != PAGE_SHIFT:
                    raise MmError(errno.EINVAL, f"large pages at {part.start:#x} cannot be dropped")
                if part.flags & (VmaFlag.LOCKED | VmaFlag.PFNMAP):
                    raise MmError(errno.EINVAL, f"[{part.start:#x}, {part.end:#x}) is mlocked, or a driver's")
                async with mm.notifiers.range(part.start, part.end, atomic=False):
                    await zap_range(mm, [part])
            if sum(part.end - part.start for part in parts) != end - addr:
                raise MmError(errno.ENOMEM, f"[{addr:#x}, {end:#x}) is not wholly mapped")


async def brk(mm: Mm, new: int) -> int:
    await mm.machine.sched.charge(timing.SW_SYSCALL)
    async with mm.mmap_lock.writing():
        check_alive(mm)
        old = mm.heap_end
        old_top, new_top = (old + PAGE_MASK) & ~PAGE_MASK, (new + PAGE_MASK) & ~PAGE_MASK
        if new < mm.heap_start or (new_top > old_top and mm.vmas.overlapping(old_top, new_top)) or new_top > ADDRESS_END:
            return old
        with _traced(mm, TraceEvent.VM_BRK, old, new):
            mm.machine.count("brk")
            if new_top > old_top:
                mm.vmas.insert(Vma(old_top, new_top, PROT_READ | PROT_WRITE, PAGE_SHIFT))
            elif new_top < old_top:
                await do_munmap(mm, new_top, old_top)
        mm.heap_end = new
        return new


def set_heap(mm: Mm, start: int, end: int) -> None:
    if not 0 <= start <= end < ADDRESS_END:
        raise MmError(errno.EINVAL, f"no heap from {start:#x} to {end:#x}")
    mm.heap_start, mm.heap_end = start, end


async def exit_mm(mm: Mm) -> None:
    async with mm.mmap_lock.writing():
        check_alive(mm)
        mm.alive = False  # faults that wait for the lock find it; those inside have left
        mm.machine.count("exit")
    with _traced(mm, TraceEvent.VM_EXIT):
        # Without the lock: a client may take it, and nobody else is left to keep out.
        await mm.notifiers.release()
        files = {vma.file for vma in mm.vmas if vma.file is not None}
        for file in files:
            file.mms.pop(mm.id, None)
        async with mm.mmap_lock.writing():
            parts = list(mm.vmas)
            for part in parts:
                mm.vmas.carve(part.start, part.end)
            await zap_range(mm, parts)
        for file in files:
            await drop_unlinked(file)
        mm.machine.forget(mm)


def _traced(mm: Mm, event: TraceEvent, *args: int) -> AbstractContextManager[None]:
    return traced(mm.machine, event, mm.id, *args, mm=mm.id)
