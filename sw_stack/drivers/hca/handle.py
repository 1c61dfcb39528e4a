"""A registration for an adapter that cannot fault: a handle that an invalidation marks, and its owner re-establishes before the
next operation.

    "You only need to check if a handle has been receiving invalidates. If not then you can just go ahead as now. You can use the
    notifier to take down the whole region if any reclaim occurs against it. Then you mark the handle so that the mapping is
    reestablished before the next operation."

Promises: inside `use` every page of the region is in the device's table, so no access of an operation posted there faults; an
invalidation marks the handle, waits until the operations under way have ended, and takes the whole region down. No page is pinned:
all of it can be reclaimed, migrated and unmapped. Needs: a block of `use` waits for nothing but the device, since reclaim spins
until the block is left, with a pte lock held. Costs a test an operation, and a lookup of every page after an invalidation.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hwif.gen.hca import Access
from sw_stack.drivers.hca.enter import enter_pages
from sw_stack.drivers.hca.regions import Mr, Pd, dereg_mr, reg_mr
from sw_stack.drivers.hca.state import DriverCore
from sw_stack.mm.types import PAGE_MASK, PAGE_SIZE
from sw_stack.sched import WaitQueue

__all__ = ["Handle"]


class Handle:
    """A marked registration; made by `Handle.open`. The guard of its region."""

    def __init__(self, drv: DriverCore, mr: Mr) -> None:
        self._drv = drv
        self.mr = mr
        self.marked = True
        self.established = 0
        """Times the mapping was made."""
        self._operations = 0
        self._idle = WaitQueue(drv.sched, f"operations under handle {mr.key:#x}")

    @classmethod
    async def open(cls, drv: DriverCore, pd: Pd, start: int, length: int, access: int) -> Handle:
        """Register memory of the domain's process. Nothing is entered before the first use."""
        handle = cls(drv, await reg_mr(drv, pd, start, length, access | Access.ON_DEMAND, implicit=False))
        handle.mr.guard = handle
        return handle

    async def close(self) -> None:
        """Give it up. Nobody may be using it."""
        await dereg_mr(self._drv, self.mr)

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Mr]:
        """The region, established, for one operation or several. MmError EFAULT if the process has lost a page of it."""
        while self.marked:
            await self._establish()
        self._operations += 1  # no cycle since the mark was looked at
        try:
            yield self.mr
        finally:
            self._operations -= 1
            self._idle.wake_all()

    async def _establish(self) -> None:
        drv, mr = self._drv, self.mr
        subs = drv.space(mr.mm).subs
        assert mr.sub is not None
        seq = await subs.read_begin(mr.sub)
        step = drv.policy.fault_pages * PAGE_SIZE
        with mr.using():
            for first in range(mr.start & ~PAGE_MASK, mr.end, step):
                end = min(first + step, mr.end)
                await enter_pages(drv, mr, max(first, mr.start), end, end, mr.writable)
        if not subs.read_retry(mr.sub, seq):
            self.marked = False
            self.established += 1

    async def going(self, start: int, end: int) -> tuple[int, int]:
        """Mark, let what is under way end, and give everything up."""
        self.marked = True
        await self._idle.wait_event(lambda: self._operations == 0, spin=True)
        return self.mr.start, self.mr.end

    def used(self, address: int) -> bool:
        """The device has no accessed bit, and an adapter that cannot fault must not be made to."""
        return False
