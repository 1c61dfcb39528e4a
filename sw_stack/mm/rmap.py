"""The reverse map at work: is a page in use, take it away from everybody, take the right to write from everybody
(V6 page_referenced, try_to_unmap, page_mkclean).

Needs the page lock. Takes the pte lock of one address space at a time. An address space that moves or copies its entry meanwhile
is missed and found by the caller as a mapping left over. The last two end with the rmap notifier, for pages that drivers have
exported: after this machine's own entries, with no spinlock held (V6-5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.mm.frames import Frame, PageFlag
from sw_stack.mm.pagetable import ACCESSED, DIRTY, EXCLUSIVE, PRESENT, VALUE_SHIFT, WAS_WRITE, WRITE
from sw_stack.mm.types import PAGE_SHIFT
from sw_stack.mm.vma import VmaFlag

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine
    from sw_stack.mm.mm import Mm

__all__ = ["page_mkclean", "page_referenced", "try_to_unmap"]


async def page_referenced(frame: Frame) -> bool:
    """True if a processor or a device used the page since the last call, or if it is mlocked somewhere."""
    young = False
    for mm, vpn in frame.mappings():
        async with mm.pte_lock:
            if not _maps(mm, vpn, frame):
                continue
            if _mlocked(mm, vpn):
                frame.flags |= PageFlag.LOCKED
                return True
            young |= await _test_and_clear_young(mm, vpn)
    frame.flags &= ~PageFlag.LOCKED
    return young


async def try_to_unmap(machine: Machine, frame: Frame, *, aging: bool, replace: Callable[[Mm, int, int], int]) -> bool:
    """Take every entry that maps `frame`: clear it, flush, invalidate_page, then write what `replace(mm, vpn, pte)` returns.

    With `aging` (reclaim, not migration) a page found in use or mlocked is left alone and the result is False. False also if a
    mapping is left over.
    """
    for mm, vpn in frame.mappings():
        async with mm.pte_lock:
            if not _maps(mm, vpn, frame):
                continue
            if aging and (_mlocked(mm, vpn) or await _test_and_clear_young(mm, vpn)):
                break  # the rmap notifier is still owed for what has gone already
            pte = mm.page_table.get(vpn)
            mm.page_table.set(vpn, 0)
            await _flush(mm, vpn, pte)
            frame.unmap(mm, vpn)
            mm.page_table.set(vpn, replace(mm, vpn, pte))
    await machine.rmap_notifiers.invalidate_page(frame)
    return not frame.mapped


async def page_mkclean(machine: Machine, frame: Frame) -> None:
    """Take the right to write from every shared entry, a device's own too, so that the next store faults."""
    for mm, vpn in frame.mappings():
        async with mm.pte_lock:
            pte = mm.page_table.get(vpn)
            if not _maps(mm, vpn, frame) or not pte & (WRITE | WAS_WRITE | DIRTY):
                continue
            mm.page_table.set(vpn, 0)
            await _flush(mm, vpn, pte)
            clean = pte & ~(WRITE | WAS_WRITE | DIRTY)
            mm.page_table.set(vpn, clean)
            mm.shadow.established(vpn, clean)
    await machine.rmap_notifiers.invalidate_page(frame)


async def _flush(mm: Mm, vpn: int, pte: int) -> None:
    """The entry was cleared: flush it everywhere, and tell the clients. If one breaks the rules the entry comes back as it was."""
    try:
        await mm.machine.sched.charge(timing.SW_PTE_OP + timing.SW_CPU_TLB_FLUSH)
        await mm.notifiers.invalidate_page(vpn << PAGE_SHIFT)
    except BaseException:
        mm.page_table.set(vpn, pte)
        raise


def _maps(mm: Mm, vpn: int, frame: Frame) -> bool:
    pte = mm.page_table.get(vpn)
    return bool(pte & (PRESENT | EXCLUSIVE)) and pte >> VALUE_SHIFT == frame.pfn and frame.maps(mm, vpn)


def _mlocked(mm: Mm, vpn: int) -> bool:
    vma = mm.vmas.find(vpn << PAGE_SHIFT)
    return vma is not None and bool(vma.flags & VmaFlag.LOCKED)


async def _test_and_clear_young(mm: Mm, vpn: int) -> bool:
    pte = mm.page_table.get(vpn)
    mm.page_table.set(vpn, pte & ~ACCESSED)
    await mm.machine.sched.charge(timing.SW_PTE_OP)
    # Both are asked, always: the question clears the device's bit too.
    return bool(pte & ACCESSED) | await mm.notifiers.age_page(vpn << PAGE_SHIFT)
