"""Execute-in-place mappings (mm/filemap_xip.c): the file's blocks are mapped as they lie, without a page cache.

Where the file has no block, readers see a page of zeros that all such places share. The first store there makes a block; the
zeros must then leave every address space. That is __xip_unmap: under i_mmap_lock, without the page lock (there is none), each
entry between an atomic begin and end over its page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm.filemap import establish
from sw_stack.mm.files import File
from sw_stack.mm.frames import Frame
from sw_stack.mm.pagetable import ACCESSED, DIRTY, PRESENT, READ, VALUE_SHIFT, WRITE, make
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_SHIFT
from sw_stack.mm.vma import Vma

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["block_for_store", "xip_fault"]


async def xip_fault(mm: Mm, vma: Vma, vpn: int, index: int, write: bool, entry: int) -> bool:
    """Map block `index`, or the zeros, at `vpn`, where `entry` stands now. True if that was done. A store to a private area is not
    for here: fault.py copies."""
    file = vma.file
    assert file is not None
    if write and not vma.cow:
        await block_for_store(file, index)
    frame = file.pages.get(index) or await _sparse(file)
    flags = PRESENT | READ | ACCESSED | (WRITE | DIRTY if write and not vma.cow else 0)
    async with mm.pte_lock:
        # From the look to the entry no cycle passes: a block that appears afterwards finds the entry (__xip_unmap).
        if mm.page_table.get(vpn) != entry or (file.pages.get(index) or file.sparse) is not frame:
            return False
        await establish(mm, frame, vpn, make(frame.pfn, flags))
        return True


async def block_for_store(file: File, index: int) -> None:
    """The file has a block there afterwards, and nobody sees zeros in its place. May sleep. MmError ENOMEM."""
    if index in file.pages:
        return
    frame = await _reserved(file)
    if index in file.pages:
        frame.reserved = False
        file.machine.unpin(frame)  # another task was faster while this one waited for memory
        return
    file.pages[index] = frame
    frame.file, frame.index = file, index
    if file.sparse is not None:
        await _xip_unmap(file, file.sparse, index)


async def _sparse(file: File) -> Frame:
    if file.sparse is None:
        frame = await _reserved(file)
        if file.sparse is None:
            file.sparse = frame
        else:
            frame.reserved = False
            file.machine.unpin(frame)
    return file.sparse


async def _reserved(file: File) -> Frame:
    """A frame of zeros that the file holds on to by its pin."""
    frame = await file.machine.alloc_page()
    file.machine.clear(frame)
    frame.reserved = True
    return frame


async def _xip_unmap(file: File, sparse: Frame, index: int) -> None:
    machine = file.machine
    with traced(machine, TraceEvent.VM_XIP_UNMAP, file.id, index, sparse.pfn):
        async with file.i_mmap_lock:
            for mm, part in list(file.areas(index, index + 1)):
                vpn = part.start >> PAGE_SHIFT
                async with mm.notifiers.range(part.start, part.end, atomic=True), mm.pte_lock:
                    pte = mm.page_table.get(vpn)
                    if pte & PRESENT and pte >> VALUE_SHIFT == sparse.pfn:
                        mm.page_table.set(vpn, 0)
                        sparse.unmap(mm, vpn)
                        await machine.sched.charge(timing.SW_PTE_OP + timing.SW_CPU_TLB_FLUSH)
