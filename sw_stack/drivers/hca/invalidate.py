"""Taking translations away: what the notifiers of an address space make a region do.

    change the table      under umem_lock, so against whoever enters pages (faults.py)
    INVALIDATE_RANGE      covered translations are dead; walks that began before are dropped and walk the changed table
    FENCE, wait           no access that used one is in flight, no walk reads a table that was unlinked
    free                  the tables; and, by returning, the caller its pages

Promises: when `zap` returns, the device holds no translation of the range and uses none. Tables and commands need spinning only, so
every callback may run under a pte lock, whatever `atomic` says. A range of which the table holds nothing costs no command, unless
another invalidation of the region has changed the table and not come to the end of its fence.

Dirty pages (MN-6): a page is entered writable only if its pte is dirty already, so nothing is left to hand over when it goes.
Used pages: the device has no accessed bit, so `age_page` takes the page out and says that it was there, as V6 allows; a page in use
faults again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hwif.gen import hca as h
from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.drivers.hca.commands import Order
from sw_stack.drivers.hca.state import DriverCore
from sw_stack.drivers.hca.tables import Unmapped
from sw_stack.mm.types import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE
from sw_stack.notifier import IntervalSubscription

if TYPE_CHECKING:
    from sw_stack.drivers.hca.regions import Mr

__all__ = ["Guard", "MrSubscription", "zap"]


REVOKED_KEY = (1 << 32) - 1
"""What a mistaken driver leaves in a region whose key is revoked: a number that no entry has."""


class Guard(Protocol):
    """Somebody who counts on translations of a region, and is heard before they go."""

    async def going(self, start: int, end: int) -> tuple[int, int]:
        """[start, end) is about to be taken out: return when it may, and what is to go along. Must not sleep."""
        ...

    def used(self, address: int) -> bool:
        """The page has been used since the last question. Asked instead of the device, whose translation stays."""
        ...


class MrSubscription(IntervalSubscription):
    """A region's watch over its pages."""

    def __init__(self, drv: DriverCore, mr: Mr) -> None:
        super().__init__(mr.first_page, mr.end_page)
        self._drv = drv
        self._mr = mr

    async def invalidate(self, start: int, end: int, atomic: bool) -> None:
        """A page under its pte lock, a range, or everything at release. Never sleeps."""
        drv, stats = self._drv, self._drv.stats
        if end - start == PAGE_SIZE and atomic:
            stats.invalidate_page += 1
        elif start == 0 and end > self.end:
            stats.released += 1
        else:
            stats.invalidate_range += 1
        if drv.policy.mutant == "forget_implicit" and self._mr.implicit:
            return
        if self._mr.guard is not None:
            start, end = await self._mr.guard.going(start, end)
        await zap(drv, self._mr, start, end)

    async def age_page(self, address: int) -> bool:
        """Context: page lock and pte lock held."""
        page = self._mr.table.page(address)
        if self._mr.guard is not None:
            return self._mr.guard.used(address)
        if self._mr.table.lookup(page) is None:
            return False
        self._drv.stats.aged_pages += 1
        start = address & ~PAGE_MASK
        await zap(self._drv, self._mr, start, start + PAGE_SIZE)
        return True


async def zap(drv: DriverCore, mr: Mr, start: int, end: int) -> int:
    """Take [start, end) of a region away from the device; how many pages had a translation. Context: may run atomic."""
    if drv.policy.mutant == "round_overflow":
        end = start + ((end - start + PAGE_MASK) % (1 << 64) & ~PAGE_MASK)
    start, end = max(start & ~PAGE_MASK, mr.first_page), min((end + PAGE_MASK) & ~PAGE_MASK, mr.end_page)
    if start >= end:
        return 0
    if drv.policy.mutant == "table_twice":
        return await _zap_child(drv, mr, start, end)
    mr.pending += 1
    try:
        if drv.policy.mutant == "table_after_invalidate":
            first, last = mr.table.page(start), mr.table.page(end)
            await _tell(drv, mr, Unmapped(first, last))
            gone = await _unmap(drv, mr, start, end)
        else:
            gone = await _unmap(drv, mr, start, end)
            if not gone.pages and mr.pending == 1:
                drv.stats.invalidate_nothing += 1
                return 0
            await _tell(drv, mr, gone)
    finally:
        drv.sched.touch(mr.umem_lock)
        mr.pending -= 1
    drv.free_tables(gone.tables)
    return gone.pages


async def _unmap(drv: DriverCore, mr: Mr, start: int, end: int) -> Unmapped:
    async with mr.umem_lock:
        drv.sched.touch_memory()
        gone = mr.table.unmap(mr.table.page(start), mr.table.page(end))
        await drv.sched.charge(timing.SW_PTE_OP * gone.pages)
    drv.stats.invalidated_pages += gone.pages
    drv.emit(TraceEvent.HCA_UNMAP, mr.key, start, end, gone.pages)
    return gone


async def _zap_child(drv: DriverCore, mr: Mr, start: int, end: int) -> int:
    """`zap` with the mistake of mlx5's implicit regions (until 6.14): an empty table stays linked until the device has been told,
    and whoever finds it empty then queues its destruction."""
    first, last = mr.table.page(start), mr.table.page(end)
    async with mr.umem_lock:
        drv.sched.touch_memory()
        gone = mr.table.unmap(first, last, keep=True)
        await drv.sched.charge(timing.SW_PTE_OP * gone.pages)
        empty = mr.table.empty(first, last)
    await _tell(drv, mr, gone)
    for table in empty:
        async with mr.umem_lock:
            drv.sched.touch_memory()
            mr.table.destroy(table)
        drv.free_tables([table])
    return gone.pages


async def _tell(drv: DriverCore, mr: Mr, gone: Unmapped) -> None:
    """Ring for the span, and wait for the fence behind it."""
    mutant, commands = drv.policy.mutant, drv.commands
    if mutant == "no_invalidate":
        return
    addr, length = mr.table.base + (gone.first << PAGE_SHIFT), (gone.last - gone.first) << PAGE_SHIFT
    if mutant == "invalidate_short":
        length -= PAGE_SIZE
    if mutant == "zap_revoked":
        drv.sched.touch(drv.keys)
        key = REVOKED_KEY if mr.revoked else mr.key
        await commands.must(Order(h.CmdOp.INVALIDATE_RANGE, key=key, addr=addr, length=length))
        await commands.fenced([])
        return
    invalidate = Order(h.CmdOp.INVALIDATE_RANGE, key=mr.key, addr=addr, length=length)
    if mutant == "free_before_fence":
        for ticket in await commands.ring(invalidate, Order(h.CmdOp.FENCE)):
            commands.abandon(ticket)
    elif mutant == "fence_before_invalidate":
        fence, ticket = await commands.ring(Order(h.CmdOp.FENCE), invalidate)
        commands.abandon(ticket)
        await commands.wait_fence(fence)
    else:
        await commands.fenced([invalidate])
