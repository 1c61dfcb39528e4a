"""What a workload needs of an address space at one instant: none of these awaits, so no other task comes between.

`store_fast` is a program's store to a page it has just touched; `peek` and `allows` look without leaving a mark. They stand for
instructions of the program and for the checker's eye, not for a driver: no lock is needed and none is taken.
"""

from __future__ import annotations

from sw_stack.mm.mm import Mm
from sw_stack.mm.pagetable import ACCESSED, DIRTY, PRESENT, VALUE_SHIFT, WRITE
from sw_stack.mm.types import PAGE_MASK, PAGE_SHIFT, PROT_READ, PROT_WRITE

__all__ = ["allows", "peek", "store_fast"]


def _physical(mm: Mm, vaddr: int) -> int | None:
    entry = mm.page_table.lookup(vaddr >> PAGE_SHIFT)
    if entry is None or not entry.pte & PRESENT:
        return None
    frame = (entry.pte >> VALUE_SHIFT) + (vaddr >> PAGE_SHIFT) - entry.vpn
    return (frame << PAGE_SHIFT) | (vaddr & PAGE_MASK)


def store_fast(mm: Mm, vaddr: int, data: bytes) -> bool:
    """Store within one page if the processor could without a fault; True if it did."""
    frame = mm.page_table.frame_for(vaddr >> PAGE_SHIFT, WRITE, ACCESSED | DIRTY)
    if frame < 0:
        return False
    mm.machine.memory.write((frame << PAGE_SHIFT) | (vaddr & PAGE_MASK), data)
    return True


def peek(mm: Mm, vaddr: int, n: int) -> bytes | None:
    """`n` bytes within one page as memory holds them, None when the page is not in memory."""
    physical = _physical(mm, vaddr)
    return None if physical is None else mm.machine.memory.read(physical, n)


def allows(mm: Mm, vaddr: int, write: bool) -> bool:
    """Whether the mapping grants the access, present or not."""
    area = mm.vmas.find(vaddr)
    return mm.alive and area is not None and bool(area.prot & (PROT_WRITE if write else PROT_READ))
