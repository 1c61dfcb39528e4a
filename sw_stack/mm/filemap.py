"""File pages in address spaces: faults on them, writeback, and taking them out by truncate and hole punch.

Notifier calls (V6 table): a fault calls nobody, copy-on-write of a private page calls as fault.py says. Writeback takes the right
to write from every shared entry with invalidate_page (page_mkclean_one), then tells the rmap notifiers. Truncate and hole punch zap
with an atomic range, because i_mmap_lock is held; after ZAP_BLOCK pages the lock has a rest and the rest of the area is a new
range.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm.files import File
from sw_stack.mm.frames import Frame, PageFlag
from sw_stack.mm.pagetable import ACCESSED, DIRTY, PRESENT, READ, WRITE, make
from sw_stack.mm.rmap import page_mkclean
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_SHIFT, MmError
from sw_stack.mm.unmapping import zap_range
from sw_stack.mm.vma import Vma

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = [
    "ZAP_BLOCK",
    "bus_error",
    "drop_unlinked",
    "establish",
    "file_fault",
    "punch",
    "truncate",
    "unmap_mapping_range",
    "write_page",
    "writeback",
]

ZAP_BLOCK: Final = 64
"""Pages unmapped under one hold of i_mmap_lock (2.6.24: ZAP_BLOCK_SIZE)."""


def bus_error(mm: Mm, file: File, index: int) -> MmError:
    """A page past the end of the file: the program would get SIGBUS."""
    return MmError(errno.EFAULT, f"{mm.name}: page {index} of {file.name} is past its end, {file.size} pages (SIGBUS)")


async def establish(mm: Mm, frame: Frame, vpn: int, pte: int, shift: int = PAGE_SHIFT) -> None:
    """Map `frame`, under the pte lock. The first mapping puts it on the LRU."""
    mm.page_table.set(vpn, pte, shift)
    frame.map(mm, vpn)
    mm.shadow.established(vpn, pte, shift)
    mm.machine.reclaimer.add(frame)
    await mm.machine.sched.charge(timing.SW_PTE_OP)


async def file_fault(mm: Mm, vma: Vma, vpn: int, index: int, write: bool, entry: int) -> bool:
    """Map page `index` of the area's file at `vpn`, where `entry` stands now. True if that was done; False if somebody was faster.
    MmError EFAULT past the end of the file."""
    file, machine = vma.file, mm.machine
    assert file is not None
    if index >= file.size:
        raise bus_error(mm, file, index)
    page = await file.locked_page(index)
    try:
        if write and vma.cow:
            return await _private_copy(mm, page, vpn, entry)
        flags = PRESENT | READ | ACCESSED
        async with mm.pte_lock:
            # The page lock is held and the page is in the cache, so no truncate has passed; the entry may be another task's by now.
            if mm.page_table.get(vpn) != entry:
                return False
            if write:
                flags |= WRITE | DIRTY
                page.flags |= PageFlag.DIRTY
            await establish(mm, page, vpn, make(page.pfn, flags))
            return True
    finally:
        page.lock.release()
        machine.unpin(page)


async def _private_copy(mm: Mm, page: Frame, vpn: int, entry: int) -> bool:
    """The first access to a private page is a store: the copy is mapped at once, nobody has seen the original here."""
    machine = mm.machine
    copy = await machine.alloc_page()
    try:
        await machine.sched.charge(timing.SW_COW_COPY)
        machine.copy(page, copy)
        async with mm.pte_lock:
            if mm.page_table.get(vpn) != entry:
                return False
            await establish(mm, copy, vpn, make(copy.pfn, PRESENT | READ | WRITE | ACCESSED | DIRTY))
            return True
    finally:
        machine.unpin(copy)


# ---- writeback ---------------------------------------------------------------------------------------------------------


async def writeback(file: File) -> int:
    """Write every dirty page to the store; how many. Entries come to be read-only, so the next store is seen."""
    written = 0
    for index in sorted(file.pages):
        frame = file.pages.get(index)
        if frame is None:
            continue
        frame.pins += 1
        async with frame.lock:
            if frame.file is file:
                written += await write_page(frame)
        file.machine.unpin(frame)
    return written


async def write_page(frame: Frame) -> bool:
    """Write one page back if it is dirty. Hold its lock. May sleep. Whoever gives an entry the right to write says that the page is
    dirty (PageFlag.DIRTY), so a page that is not has no such entry."""
    file, machine = frame.file, None if frame.file is None else frame.file.machine
    assert file is not None and machine is not None
    if not frame.flags & PageFlag.DIRTY:
        return False
    with traced(machine, TraceEvent.VM_WRITEBACK, file.id, frame.index, frame.pfn):
        await page_mkclean(machine, frame)
        frame.flags &= ~PageFlag.DIRTY
        # Nobody may store to it now: who wants to waits for the page lock. So these bytes are one moment's.
        data = machine.memory.read(frame.pfn << PAGE_SHIFT, 1 << PAGE_SHIFT)
        await machine.sched.sleep(timing.SW_SWAP_WRITE)
        file.store[frame.index] = data
        machine.count("written_back")
        return True


# ---- truncate and hole punch -------------------------------------------------------------------------------------------


async def truncate(file: File, size: int) -> None:
    """Cut the file to `size` pages, or let it grow. Pages beyond leave every address space, private copies too."""
    if size < 0:
        raise MmError(errno.EINVAL, f"{file.name}: a file of {size} pages")
    await file.machine.sched.charge(timing.SW_SYSCALL)
    old, file.size = file.size, size  # first: no fault finds a page beyond from here on
    if size < old:
        await _take_out(file, size, old)
    if size == 0:
        file.drop_sparse()


async def drop_unlinked(file: File) -> None:
    """The pages of a file without a name go when no area shows it any more."""
    if file.unlinked and not any(True for _ in file.areas(0, file.size)):
        await _take_out(file, 0, file.size)


async def punch(file: File, first: int, last: int) -> None:
    """Pages first..last-1 read as zeros afterwards (madvise(MADV_REMOVE), fallocate(PUNCH_HOLE))."""
    if not 0 <= first < last <= file.size:
        raise MmError(errno.EINVAL, f"{file.name}: no pages [{first}, {last}) in a file of {file.size}")
    await file.machine.sched.charge(timing.SW_SYSCALL)
    await _take_out(file, first, last)


async def _take_out(file: File, first: int, last: int) -> None:
    machine = file.machine
    with traced(machine, TraceEvent.VM_TRUNCATE, file.id, first, last):
        machine.count("truncate")
        await unmap_mapping_range(file, first, last)
        for index in sorted(index for index in {*file.pages, *file.store} if first <= index < last):
            while await _take_page(file, index):
                pass


async def _take_page(file: File, index: int) -> bool:
    """Take one page out of cache and store. True if it was another frame's by the time its lock was ours: look again."""
    machine, frame = file.machine, file.pages.get(index)
    if frame is None:
        file.store.pop(index, None)  # a fault that comes now reads zeros; one that came before is in the cache
        return False
    frame.pins += 1
    async with frame.lock:
        # A fault that held the page lock may have mapped it since; with the lock ours no other can. Who is unmapping the area has
        # taken it off the list already and needs the time this charges to come to the entry.
        while frame.file is file and frame.mapped:
            await unmap_mapping_range(file, index, index + 1)
            await machine.sched.charge(timing.SW_PTE_OP)
        again = frame.file is not file
        if not again:
            file.forget_page(frame)
            file.store.pop(index, None)
            machine.reclaimer.remove(frame)
            if file.xip:
                frame.pins -= 1  # the block's own
    machine.unpin(frame)
    return again


async def unmap_mapping_range(file: File, first: int, last: int) -> None:
    """Take pages first..last-1 of the file, and private copies of them, out of every address space (unmap_mapping_range)."""
    await file.i_mmap_lock.acquire()
    try:
        for mm, part in list(file.areas(first, last)):
            start = part.start
            while start < part.end:
                now = mm.vmas.find(start)  # the area may have changed while the lock had a rest
                if now is None or now.file is not file:
                    break
                end = min(part.end, now.end)
                stop = min(end, start + (ZAP_BLOCK << PAGE_SHIFT))
                async with mm.notifiers.range(start, end, atomic=True) as active:
                    if mm.machine.historical.zap_end_short:
                        active.end_said = (start, stop)
                    await zap_range(mm, [now.clip(start, stop)], only=(file, first, last))
                start = stop
                if start < part.end:
                    file.i_mmap_lock.release()
                    await mm.machine.sched.charge(timing.SW_PTE_OP)
                    await file.i_mmap_lock.acquire()
    finally:
        file.i_mmap_lock.release()
