"""Taking entries out of a page table: what munmap, madvise, truncate and exit share.

The pages freed are handed back only after the processors' TLBs were flushed; the caller has told the notifiers before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.mm.frames import Frame
from sw_stack.mm.pagetable import EXCLUSIVE, FILE, MIGRATION, PRESENT, SWAP, VALUE_SHIFT, Entry, make
from sw_stack.mm.types import PAGE_SHIFT
from sw_stack.mm.vma import Vma, VmaFlag

if TYPE_CHECKING:
    from sw_stack.mm.files import File
    from sw_stack.mm.mm import Mm

__all__ = ["unmap_pages", "zap_range"]


async def zap_range(mm: Mm, parts: list[Vma], only: tuple[File, int, int] | None = None) -> None:
    """Unmap the parts, flush, free. Large pages get their own nested atomic range, as __unmap_hugepage_range does. `only`: of areas
    that remap_file_pages has reordered, just these pages of the file (file, first, last)."""
    gathered: list[Frame] = []
    for part in parts:
        of = only if part.flags & VmaFlag.NONLINEAR else None
        if part.shift == PAGE_SHIFT or not mm.alive:
            await unmap_pages(mm, part.start, part.end, gathered, of)
        else:
            async with mm.notifiers.range(part.start, part.end, atomic=True):
                await unmap_pages(mm, part.start, part.end, gathered, of)
    if gathered:
        await mm.machine.sched.charge(timing.SW_CPU_TLB_FLUSH)
        for frame in gathered:
            mm.machine.unpin(frame)
    # Under the lock: reclaim and migration empty an entry for a while and hold the lock until they have filled it again, and a
    # leaf must not be found empty meanwhile.
    async with mm.pte_lock:
        for part in parts:
            mm.page_table.prune(part.start >> PAGE_SHIFT, part.end >> PAGE_SHIFT)


async def unmap_pages(mm: Mm, start: int, end: int, gathered: list[Frame], only: tuple[File, int, int] | None = None) -> None:
    """Empty the entries of a range; each frame keeps a pin for `gathered`."""
    for first, last in mm.page_table.populated(start >> PAGE_SHIFT, end >> PAGE_SHIFT):
        async with mm.pte_lock:
            entries = mm.page_table.entries(first, last)
            if only is not None:
                entries = [entry for entry in entries if _shows(mm, entry, *only)]
            for entry in entries:
                _zap(mm, entry, gathered, keep_place=only is not None)
            await mm.machine.sched.charge(timing.SW_PTE_OP * len(entries))


def _shows(mm: Mm, entry: Entry, file: File, first: int, last: int) -> bool:
    """True if the entry maps one of these pages of the file."""
    if entry.pte & (FILE | SWAP):
        return False
    frame = mm.machine.frames[entry.pte >> VALUE_SHIFT]
    return frame.file is file and first <= frame.index < last


def _zap(mm: Mm, entry: Entry, gathered: list[Frame], *, keep_place: bool) -> None:
    """Empty an entry; `keep_place` (of a file's page, see `_shows`): but for which page it was for, which its place does not
    tell."""
    pte = entry.pte
    mm.page_table.set(entry.vpn, 0, entry.shift)
    value = pte >> VALUE_SHIFT
    if pte & (PRESENT | EXCLUSIVE):
        frame = mm.machine.frames[value]
        frame.pins += 1
        frame.unmap(mm, entry.vpn)
        gathered.append(frame)
    elif pte & SWAP:
        mm.machine.drop_swap_entry(mm.machine.swap[value])
    elif pte & MIGRATION:
        frame = mm.machine.frames[value]
        del frame.moving[mm.id, entry.vpn]
    if keep_place:
        mm.page_table.set(entry.vpn, make(frame.index, FILE))
