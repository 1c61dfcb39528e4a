"""The malloc hook: a library that puts its own munmap and madvise in front of the system's, and tells its registration caches.

Each call that is hooked is announced before it is made and again when it is over, as a notifier's range is. Promises: a cache that
reads its events misses none of the calls made through here, if they are among `calls`. It knows nothing of the others: a call that
is not hooked, one that another thread makes past the library, memory that somebody else takes away (truncate of a shared file).
Announcing takes no lock and handles nothing, so it may happen anywhere, also while the library frees memory under its own lock.
Costs SW_CPU_ACCESS a hooked call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Literal, get_args

from hwif.gen import timing
from sw_stack.drivers.regcache.events import Event, WatchSet
from sw_stack.drivers.regcache.policy import Mutant, Race
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import ADDRESS_END, PAGE_MASK
from sw_stack.sched.shared import Shared

__all__ = ["HookEvents", "HookedCall", "Hooks"]

HookedCall = Literal["munmap", "madvise", "mmap", "mremap", "brk", "fork"]
"""What can be interposed; "fork" by pthread_atfork."""


class HookEvents(Shared):
    """The events of one cache. An EventSource."""

    def __init__(self, hooks: Hooks, mutant: Mutant | Race | None) -> None:
        self.watches = WatchSet(mutant)
        self.handler: Callable[[int, int], Awaitable[None]] | None = None
        """Called at each begin; only of a broken cache, which handles events where they happen."""
        self._hooks = hooks
        self._sched = hooks.mm.machine.sched
        self._deaf_to: frozenset[HookedCall] = frozenset({"madvise"} if mutant == "remove_ignored" else ())

    def begin(self, call: HookedCall, start: int, end: int) -> None:
        """A call that is hooked is about to be made."""
        if call not in self._deaf_to:
            self._sched.touch(self)
            self.watches.begin(start, end)

    def end(self, call: HookedCall, start: int, end: int) -> None:
        """It is over."""
        if call not in self._deaf_to:
            self._sched.touch(self)
            self.watches.end(start, end)

    async def watch(self, cookie: int, start: int, end: int) -> None:
        self._sched.touch(self)
        self.watches.watch(cookie, start, end)

    async def unwatch(self, cookie: int) -> None:
        self._sched.touch(self)
        self.watches.unwatch(cookie)

    def counter(self) -> int:
        self._sched.touch(self)
        return self.watches.counter

    async def read(self) -> tuple[list[Event], int]:
        self._sched.touch(self)
        return self.watches.take(), self.watches.counter

    async def close(self) -> None:
        self._hooks.sources.remove(self)


class Hooks:
    """A process's memory calls as the library has interposed them. `calls`: those that are hooked."""

    def __init__(self, mm: Mm, calls: Iterable[HookedCall] = ("munmap", "madvise")) -> None:
        self.mm = mm
        self.calls = frozenset(calls)
        if self.calls - set(get_args(HookedCall)):
            raise ValueError(f"{sorted(self.calls)}: only {', '.join(get_args(HookedCall))} can be hooked")
        self.sources: list[HookEvents] = []

    def events(self, mutant: Mutant | Race | None = None) -> HookEvents:
        """A source of events for one more cache."""
        source = HookEvents(self, mutant)
        self.sources.append(source)
        return source

    async def munmap(self, addr: int, length: int) -> None:
        """munmap, announced if it is hooked. This and the others: arguments and errors of sw_stack.mm.Mm's."""
        async with self._announced("munmap", addr, addr + length):
            await self.mm.munmap(addr, length)

    async def madvise_dontneed(self, addr: int, length: int) -> None:
        async with self._announced("madvise", addr, addr + length):
            await self.mm.madvise_dontneed(addr, length)

    async def mmap(self, addr: int | None, length: int, prot: int, *, fixed: bool = False, **options: Any) -> int:
        """A fixed mapping takes away what was there."""
        async with self._announced("mmap", addr or 0, (addr or 0) + length if fixed else 0):
            return await self.mm.mmap(addr, length, prot, fixed=fixed, **options)

    async def mremap(self, old: int, old_len: int, new_len: int, *, may_move: bool = True, new: int | None = None) -> int:
        """The old range goes; so does what was at `new`."""
        async with (
            self._announced("mremap", old, old + old_len),
            self._announced("mremap", new or 0, 0 if new is None else new + new_len),
        ):
            return await self.mm.mremap(old, old_len, new_len, may_move=may_move, new=new)

    async def brk(self, new: int) -> int:
        """A heap that shrinks goes above `new`."""
        async with self._announced("brk", new, self.mm.heap_end if new else 0):
            return await self.mm.brk(new)

    async def fork(self, name: str) -> Mm:
        """After it each first store moves the parent to a new page: everything goes."""
        async with self._announced("fork", 0, ADDRESS_END):
            return await self.mm.fork(name)

    @asynccontextmanager
    async def _announced(self, call: HookedCall, start: int, end: int) -> AsyncIterator[None]:
        start, end = start & ~PAGE_MASK, (end + PAGE_MASK) & ~PAGE_MASK
        sources = tuple(self.sources) if call in self.calls and start < end else ()
        for source in sources:
            source.begin(call, start, end)
        try:
            if sources:
                await self.mm.machine.sched.charge(timing.SW_CPU_ACCESS)
            for source in sources:
                if source.handler is not None:
                    await source.handler(start, end)
            yield
        finally:
            for source in sources:
                source.end(call, start, end)
