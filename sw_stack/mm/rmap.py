"""The reverse map at work: is a page in use, and take it away from everybody (V6 page_referenced and try_to_unmap).

Needs the page lock. Takes the pte lock of one address space at a time. An address space that moves or copies its entry meanwhile
is missed and found by the caller as a mapping left over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.mm.frames import Frame
from sw_stack.mm.pagetable import ACCESSED, PRESENT, VALUE_SHIFT
from sw_stack.mm.types import PAGE_SHIFT

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["page_referenced", "try_to_unmap"]


async def page_referenced(frame: Frame) -> bool:
    """True if a processor or a device used the page since the last call."""
    young = False
    for mm, vpn in frame.mappings():
        async with mm.pte_lock:
            if _maps(mm, vpn, frame):
                young |= await _test_and_clear_young(mm, vpn)
    return young


async def try_to_unmap(frame: Frame, *, aging: bool, replace: Callable[[Mm, int, int], int]) -> bool:
    """Take every entry that maps `frame`: clear it, flush, invalidate_page, then write what `replace(mm, vpn, pte)` returns.

    With `aging`, a page found in use is left alone and the result is False. False also if a mapping is left over.
    """
    for mm, vpn in frame.mappings():
        async with mm.pte_lock:
            if not _maps(mm, vpn, frame):
                continue
            if aging and await _test_and_clear_young(mm, vpn):
                return False
            pte = mm.page_table.get(vpn)
            mm.page_table.set(vpn, 0)
            await mm.machine.sched.charge(timing.SW_PTE_OP + timing.SW_CPU_TLB_FLUSH)
            await mm.notifiers.invalidate_page(vpn << PAGE_SHIFT)
            frame.unmap(mm, vpn)
            mm.page_table.set(vpn, replace(mm, vpn, pte))
    return frame.mapcount == 0


def _maps(mm: Mm, vpn: int, frame: Frame) -> bool:
    pte = mm.page_table.get(vpn)
    return bool(pte & PRESENT) and pte >> VALUE_SHIFT == frame.pfn and frame.maps(mm, vpn)


async def _test_and_clear_young(mm: Mm, vpn: int) -> bool:
    pte = mm.page_table.get(vpn)
    mm.page_table.set(vpn, pte & ~ACCESSED)
    await mm.machine.sched.charge(timing.SW_PTE_OP)
    # Both are asked, always: the question clears the device's bit too.
    return bool(pte & ACCESSED) | await mm.notifiers.age_page(vpn << PAGE_SHIFT)
