"""/dev/ummunotify: a client of the MMU notifiers that hands invalidations on to the process they happen to.

The library opens it once, watches the range of each registration under a cookie of its own, and reads the cookies of those that
were invalidated. A counter in a page both can see says that there is something to read, so a request to the cache makes no system
call while nothing happens. Source: R. Dreier's /dev/ummunotify (2009/2010, never merged), as the history in the facts has it; the
overlap of watch and invalidation is this client's own (sw_stack.drivers.regcache.events).

Promises: when invalidate_range_begin, invalidate_page or release has returned, every watched range it overlaps is marked and the
counter has moved; each marked range is read once. Callbacks allocate nothing and never sleep. It takes no translation away from
anybody: the registrations it reports are pinned, and go on as they are until their owner gives them up.
Needs: `open` before the first registration, since a client sees no call of an operation that began before it registered (MN-5);
`close` also after the process has exited. Costs: SW_SYSCALL a call of the library; a callback SW_PTE_OP a range marked.

Locks: mmap_lock and pte_lock, then ummunotify_lock, a spinlock; the library's own locks are never taken here. So a library may
allocate and unmap under its lock: the event is queued, not handled.
"""

from __future__ import annotations

import errno
from typing import Any

from hwif.gen import timing
from sw_stack.drivers.regcache.events import Event, WatchSet
from sw_stack.drivers.regcache.policy import Mutant, Race
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import ADDRESS_END, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, MmError
from sw_stack.notifier import MmuNotifier
from sw_stack.sched import SpinLock

__all__ = ["UmmuNotifier"]

COUNTER_BYTES = 8


class UmmuNotifier(MmuNotifier):
    """One open file: the watched ranges of one address space; made by `open`. An EventSource."""

    def __init__(self, mm: Mm, page: int, mutant: Mutant | Race | None) -> None:
        self.watches = WatchSet(mutant)
        self.released = False
        self._mm = mm
        self._sched = mm.machine.sched
        self._page: int | None = page
        """Frame with the counter. That the process has it mapped is taken as read: it is the kernel's, and never moves."""
        self._lock = SpinLock(self._sched, f"ummunotify_lock[{mm.name}]")

    @classmethod
    async def open(cls, mm: Mm, *, mutant: Mutant | Race | None = None) -> UmmuNotifier:
        """Open the device. MmError ESRCH if the process has exited, ENOMEM."""
        machine = mm.machine
        await machine.sched.charge(timing.SW_SYSCALL)
        page = await machine.alloc_kernel_page()
        self = cls(mm, page, mutant)
        async with mm.mmap_lock.writing():
            if not mm.alive:
                machine.free_kernel_frames(range(page, page + 1))
                raise MmError(errno.ESRCH, f"{mm.name} has exited")
            mm.notifiers.register(self)
        return self

    async def close(self) -> None:
        """Release the file: no callback comes any more. MmError EBADF the second time."""
        await self._sched.charge(timing.SW_SYSCALL)
        if self._page is None:
            raise MmError(errno.EBADF, f"ummunotify of {self._mm.name} is closed already")
        page, self._page = self._page, None
        async with self._mm.mmap_lock.writing():
            await self._mm.notifiers.unregister(self)
        self._mm.machine.free_kernel_frames(range(page, page + 1))

    # ---- the library's calls -----------------------------------------------------------------------------------------

    async def watch(self, cookie: int, start: int, end: int) -> None:
        """Register a range. MmError EINVAL for an empty range or a cookie in use, ESRCH when the address space is gone."""
        await self._sched.charge(timing.SW_SYSCALL)
        async with self._lock:
            if self.released or self._page is None:
                raise MmError(errno.ESRCH, f"the address space of {self._mm.name} is not watched")
            try:
                self.watches.watch(cookie, start, end)
            except ValueError as error:
                raise MmError(errno.EINVAL, str(error)) from None
            self._publish()

    async def unwatch(self, cookie: int) -> None:
        """Unregister a range; an event of it that was not read is lost with it."""
        await self._sched.charge(timing.SW_SYSCALL)
        async with self._lock:
            self.watches.unwatch(cookie)

    async def read(self) -> tuple[list[Event], int]:
        """Events not read yet, and the counter (the LAST event of the device)."""
        await self._sched.charge(timing.SW_SYSCALL)
        async with self._lock:
            events = self.watches.take()
            counter = self.watches.counter
        # No cycle since: the caller acts on the events before it can miss another.
        return events, counter

    def counter(self) -> int:
        """A load from the shared page. The caller charges it."""
        self._sched.touch(self._lock)
        if self._page is None:
            raise ValueError(f"ummunotify of {self._mm.name} is closed: its page is unmapped")
        return int.from_bytes(self._mm.machine.memory.read(self._page << PAGE_SHIFT, COUNTER_BYTES), "little")

    def _publish(self) -> None:
        """After the events are queued, so that who sees the counter finds them."""
        if self._page is not None:
            data = self.watches.counter.to_bytes(COUNTER_BYTES, "little")
            self._mm.machine.memory.write(self._page << PAGE_SHIFT, data)

    # ---- the chain's callbacks ---------------------------------------------------------------------------------------

    async def invalidate_range_begin(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        async with self._lock:
            await self._marked(self.watches.begin(start, end))

    async def invalidate_range_end(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        async with self._lock:
            self.watches.end(start, end)

    async def invalidate_page(self, mm: Any, address: int) -> None:
        start = address & ~PAGE_MASK
        async with self._lock:
            marked = self.watches.invalidate(start, start + PAGE_SIZE)
            self.watches.stats.marked_by_page += marked
            await self._marked(marked)

    async def release(self, mm: Any) -> None:
        self.released = True
        async with self._lock:
            await self._marked(self.watches.invalidate(0, ADDRESS_END))

    async def _marked(self, count: int) -> None:
        self._publish()
        await self._sched.charge(timing.SW_PTE_OP * count)
