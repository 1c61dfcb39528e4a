"""Entering pages into a region's table: what faults and prefetches share (ib_umem_odp_map_dma_and_lock). faults.py tells the story.

Promises: a page is entered only if no invalidation of the region began since it was looked up, and only with a right the process
has: writable only if its pte is, and dirty (MN-6). Raises MmError: EFAULT where the process would get a signal, ENOMEM, and EAGAIN
after `fault_retries` lookups that invalidations spoilt.
"""

from __future__ import annotations

import errno
from itertools import count
from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.drivers.hca.invalidate import zap
from sw_stack.drivers.hca.state import DriverCore
from sw_stack.drivers.hca.tables import LARGE_SHIFTS, Leaf
from sw_stack.mm.types import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, MmError, Translation

if TYPE_CHECKING:
    from sw_stack.drivers.hca.regions import Mr

__all__ = ["enter_pages"]


async def enter_pages(drv: DriverCore, mr: Mr, start: int, needed: int, wanted: int, write: bool, *, fault: bool = True) -> int:
    """Enter the pages of [start, needed), and of [needed, wanted) as far as they can be had, `fault_pages` in all. Without `fault`
    only what is present. The caller is a user of `mr`. How many pages were entered; large ones count what they span."""
    endless = drv.policy.mutant == "retry_forever"
    for _ in count() if endless else range(drv.policy.fault_retries):
        seq = await _begin(drv, mr)
        holds = drv.policy.mutant == "mmput_in_fault" and mr.mm.get()
        try:
            leaves = await _look_up(drv, mr, start, needed, wanted, write, fault)
        except MmError:
            if holds:
                await mr.mm.put()
            raise
        spare = await drv.take_tables(mr.table.missing(leaves))
        if drv.policy.mutant == "tables_under_lock":
            await drv.sched.charge(timing.SW_PAGE_WALK)
        try:
            pages = await _enter(drv, mr, seq, leaves, spare, holds)
        finally:
            drv.free_tables(spare)
        if isinstance(pages, Leaf):
            first = mr.table.base + (pages.page << PAGE_SHIFT)
            await zap(drv, mr, first, first + (1 << pages.shift))
        elif pages is not None:
            return pages
        else:
            drv.stats.fault_retry += 1
    raise MmError(errno.EAGAIN, f"{mr}: {drv.policy.fault_retries} lookups at {start:#x} were overtaken by invalidations")


async def _begin(drv: DriverCore, mr: Mr) -> int:
    assert mr.sub is not None
    if drv.policy.mutant == "ignore_sequence":
        return mr.sub.seq
    return await drv.space(mr.mm).subs.read_begin(mr.sub)


async def _look_up(drv: DriverCore, mr: Mr, start: int, needed: int, wanted: int, write: bool, fault: bool) -> list[Leaf]:
    """What is to be entered, in order of address."""
    leaves: list[Leaf] = []
    mm, va = mr.mm, start & ~PAGE_MASK
    needed = max(needed, start + 1)
    async with mm.mmap_lock.reading():
        if not mm.alive:
            raise MmError(errno.EFAULT, f"{mm.name} has exited")
        while va < max(needed, wanted) and len(leaves) < drv.policy.fault_pages:
            await drv.sched.charge(timing.SW_PAGE_WALK)
            found = mm.follow_page(va, write)
            if found is None and fault:
                try:
                    found = await mm.get_user_pages(va, write)
                except MmError:
                    if va < needed:
                        raise
                    break
            if found is None:
                va += PAGE_SIZE
                continue
            leaf = _leaf(drv, mr, va, found, write)
            leaves.append(leaf)
            va = mr.table.base + (leaf.page << PAGE_SHIFT) + (1 << leaf.shift)
    return leaves


def _leaf(drv: DriverCore, mr: Mr, va: int, found: Translation, write: bool) -> Leaf:
    """The largest entry that fits page, region and table."""
    writable = mr.writable and (write or (found.writable and found.dirty) or drv.policy.mutant == "map_writable")
    for shift in LARGE_SHIFTS:
        base = va & -1 << shift
        if shift <= found.shift and base >= mr.first_page and base + (1 << shift) <= mr.end_page:
            page = mr.table.page(base)
            if drv.policy.large_pages and mr.table.fits(page, shift):
                return Leaf(page, shift, found.pfn & -1 << (shift - PAGE_SHIFT), writable)
    return Leaf(mr.table.page(va), PAGE_SHIFT, found.pfn, writable)


async def _enter(drv: DriverCore, mr: Mr, seq: int, leaves: list[Leaf], spare: list[int], holds: bool) -> int | Leaf | None:
    """Enter all, or nothing: None if an invalidation or another fault came between; or the large entry to be broken first."""
    assert mr.sub is not None
    async with mr.umem_lock:
        if holds:
            await mr.mm.put()
        if drv.policy.mutant == "tables_under_lock":
            spare += await drv.take_tables(max(0, mr.table.missing(leaves) - len(spare)))
        if drv.space(mr.mm).subs.read_retry(mr.sub, seq) and drv.policy.mutant != "ignore_sequence":
            return None
        if mr.table.missing(leaves) > len(spare):
            return None
        for leaf in leaves:
            if leaf.shift > PAGE_SHIFT and not mr.table.fits(leaf.page, leaf.shift):
                return None  # smaller entries have come there since
            broken = mr.table.blocked(leaf)
            if broken is not None:
                return broken
        pages = 0
        drv.sched.touch_memory()
        for leaf in leaves:
            if drv.policy.mutant == "upgrade_lost" and mr.table.lookup(leaf.page) is not None:
                continue
            if mr.table.map(leaf, spare):
                pages += 1 << (leaf.shift - PAGE_SHIFT)
                drv.stats.fault_large_pages += leaf.shift > PAGE_SHIFT
                va = mr.table.base + (leaf.page << PAGE_SHIFT)
                drv.emit(TraceEvent.HCA_MAP, mr.key, va, leaf.pfn, int(leaf.write))
        await drv.sched.charge(timing.SW_PTE_OP * len(leaves))
    return pages
