"""Taking entries out of a page table: what munmap, madvise and exit share.

The pages freed are handed back only after the processors' TLBs were flushed; the caller has told the notifiers before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.mm.frames import Frame
from sw_stack.mm.pagetable import PRESENT, SWAP, VALUE_SHIFT, Entry
from sw_stack.mm.types import PAGE_SHIFT
from sw_stack.mm.vma import Vma

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["unmap_pages", "zap_range"]


async def zap_range(mm: Mm, parts: list[Vma]) -> None:
    """Unmap the parts, flush, free. Large pages get their own nested atomic range, as __unmap_hugepage_range does."""
    gathered: list[Frame] = []
    for part in parts:
        if part.shift == PAGE_SHIFT or not mm.alive:
            await unmap_pages(mm, part.start, part.end, gathered)
        else:
            async with mm.notifiers.range(part.start, part.end, atomic=True):
                await unmap_pages(mm, part.start, part.end, gathered)
    if gathered:
        await mm.machine.sched.charge(timing.SW_CPU_TLB_FLUSH)
        for frame in gathered:
            mm.machine.unpin(frame)
    for part in parts:
        mm.page_table.prune(part.start >> PAGE_SHIFT, part.end >> PAGE_SHIFT)


async def unmap_pages(mm: Mm, start: int, end: int, gathered: list[Frame]) -> None:
    """Empty the entries of a range; each frame keeps a pin for `gathered`."""
    for first, last in mm.page_table.populated(start >> PAGE_SHIFT, end >> PAGE_SHIFT):
        async with mm.pte_lock:
            entries = mm.page_table.entries(first, last)
            for entry in entries:
                _zap(mm, entry, gathered)
            await mm.machine.sched.charge(timing.SW_PTE_OP * len(entries))


def _zap(mm: Mm, entry: Entry, gathered: list[Frame]) -> None:
    mm.page_table.set(entry.vpn, 0, entry.shift)
    value = entry.pte >> VALUE_SHIFT
    if entry.pte & PRESENT:
        frame = mm.machine.frames[value]
        frame.pins += 1
        frame.unmap(mm, entry.vpn)
        gathered.append(frame)
    elif entry.pte & SWAP:
        mm.machine.drop_swap_entry(mm.machine.swap[value])
    else:
        del mm.machine.frames[value].moving[mm.id, entry.vpn]
