"""The registration cache: what an MPI library keeps between a buffer's address and the adapter's registration of it.

    entry = await cache.get(addr, length, access)      covered by a registration with enough rights: a hit, no system call
    ... transfers through entry.registration ...
    await cache.put(entry)                             kept, for the next time

The key is a virtual address, and the registration is of frames. Free a buffer and get another at the same address, and the two are
no longer the same memory: a cache that hears nothing of it (repair "none") goes on to hit, and the adapter moves the old frames'
bytes. That is the known bug. The repairs differ in who tells the cache (policy.Repair); what it does when told is the same: `get`
looks at a counter, reads the events if it has moved, and drops the registrations they name before it looks for a hit.

Promises, with a source that misses nothing: a hit is a registration whose pages were the process's when the counter was looked at,
with no cycle between that and the hit. A registration in use is never deregistered: invalidated, replaced or evicted, it is found
no more, and its last user gives it up. A request is refused only if the adapter refuses it by itself, with everything idle given
up. Registrations in the index are disjoint: a request that overlaps some is registered together with them, and alone if that is
refused, since a neighbour may be a hole by now.

What no cache can promise: between the hit and the transfer another thread may unmap the buffer. That is the application's own
error. The registration is in use, so its frames stay pinned and it is they that are read or written: nobody else's memory, and not
the process's. The same holds for a buffer that is in use across a fork and written to.

Concurrency (sw_stack.drivers.regcache.shelf has the life of a registration): `regcache_lock`, a mutex of the library, is held over
every miss, so that two threads do not register one buffer twice, and waits under it are for the kernel and the adapter only. Hits
and events do not take it: dropping an entry awaits nothing. Who drops an idle entry has it to deregister, and does so later.
Nothing that reports an event takes the lock, so the library may allocate and free under it although that unmaps memory and raises
events of its own (`heap`).

Costs: SW_CPU_ACCESS for the counter and SW_PAGE_WALK for the look-up of a request; a miss what the adapter takes.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from hwif.gen import timing
from sw_stack.drivers.regcache.entry import Entry
from sw_stack.drivers.regcache.events import EventSource, NoEvents
from sw_stack.drivers.regcache.hooks import Hooks
from sw_stack.drivers.regcache.monitor import Monitor
from sw_stack.drivers.regcache.policy import CachePolicy
from sw_stack.drivers.regcache.registrar import Registrar
from sw_stack.drivers.regcache.shelf import LibraryHeap, Shelf
from sw_stack.drivers.regcache.stats import CacheStats
from sw_stack.drivers.regcache.ummunotify import UmmuNotifier
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import PAGE_MASK, PAGE_SHIFT, MmError
from sw_stack.sched import Mutex

__all__ = ["RegistrationCache"]

H = TypeVar("H")


class RegistrationCache(Generic[H]):
    """The cache of one process at one adapter; made by `open`."""

    def __init__(
        self, mm: Mm, registrar: Registrar[H], policy: CachePolicy, source: EventSource, heap: LibraryHeap | None = None
    ) -> None:
        self.mm = mm
        self.policy = policy
        self.stats = CacheStats()
        self.source = source
        self._heap = heap
        self._sched = mm.machine.sched
        self._shelf = Shelf(mm, registrar, policy, source, self.stats, heap)
        self._lock = Mutex(self._sched, f"regcache_lock[{mm.name}]")
        self._seen = source.counter()
        self._closed = False

    @classmethod
    async def open(
        cls,
        mm: Mm,
        registrar: Registrar[H],
        policy: CachePolicy | None = None,
        *,
        hooks: Hooks | None = None,
        heap: LibraryHeap | None = None,
    ) -> RegistrationCache[H]:
        """An empty cache that hears events as the policy says. `hooks`: the process's, for "hook". MmError ESRCH, ENOMEM."""
        policy = policy if policy is not None else CachePolicy()
        if (policy.repair == "hook") != (hooks is not None):
            raise ValueError(f"registration cache: repair {policy.repair!r} {'needs' if hooks is None else 'has no use for'} hooks")
        if hooks is not None:
            events = hooks.events(policy.mutant)
            cache = cls(mm, registrar, policy, events, heap)
            if policy.mutant == "lock_in_hook":
                events.handler = cache._invalidate_now
            if policy.mutant == "lock_in_monitor":
                events.handler = Monitor(mm.machine.sched, cache._invalidate_now).tell
            return cache
        source = await UmmuNotifier.open(mm, mutant=policy.mutant) if policy.repair == "ummunotify" else NoEvents()
        return cls(mm, registrar, policy, source, heap)

    def __len__(self) -> int:
        """Registrations that can be hit."""
        return len(self._shelf.index)

    @property
    def pages(self) -> int:
        """Pages registered, those in use and those on their way out included."""
        return self._shelf.pages

    def entries(self) -> list[Entry[H]]:
        """What can be hit, in order of addresses."""
        return list(self._shelf.index)

    def statistics(self) -> dict[str, int]:
        """Counters by name."""
        return self.stats.snapshot()

    # ---- use ---------------------------------------------------------------------------------------------------------

    async def get(self, addr: int, length: int, access: int) -> Entry[H]:
        """A registration of bytes [addr, addr + length) with at least the rights `access`; give it to `put`. MmError as the
        adapter's registration, EINVAL for no bytes or after `close`."""
        if length <= 0 or self._closed:
            raise MmError(errno.EINVAL, f"{length} bytes at {addr:#x}" if length <= 0 else "the registration cache is closed")
        start, end = addr & ~PAGE_MASK, (addr + length + PAGE_MASK) & ~PAGE_MASK
        await self._sched.charge(timing.SW_CPU_ACCESS + timing.SW_PAGE_WALK)
        entry = await self._hit(start, end, access)
        if entry is None:
            async with self._lock:
                entry = await self._hit(start, end, access)  # another thread may have made it meanwhile
                if entry is None:
                    self.stats.misses += 1
                    return await self._miss(start, end, access)
        self.stats.hits += 1
        await self._shelf.reap()
        return entry

    async def put(self, entry: Entry[H]) -> None:
        """Done with it. ValueError if nobody uses it."""
        await self._shelf.put(entry)

    @asynccontextmanager
    async def using(self, addr: int, length: int, access: int) -> AsyncIterator[H]:
        """`async with cache.using(addr, length, access) as registration:` get, body, put."""
        entry = await self.get(addr, length, access)
        try:
            yield entry.registration
        finally:
            await self.put(entry)

    async def flush(self) -> None:
        """Give up every registration that is idle."""
        await self._shelf.flush()

    async def close(self) -> None:
        """Give everything up. MmError EBUSY while something is in use."""
        if self._shelf.in_use():
            raise MmError(errno.EBUSY, f"registrations of {self.mm.name} are in use")
        self._closed = True
        await self._shelf.flush()
        await self._shelf.quiet()
        await self.source.close()

    async def forked(self, mm: Mm, registrar: Registrar[H], *, hooks: Hooks | None = None) -> RegistrationCache[H]:
        """The cache of a child, as the library's child handler of pthread_atfork makes it: empty, with a lock of its own. What fork
        copied is the parent's: registrations of the parent's pages at the parent's adapter, and a lock that another thread of the
        parent may have held and will not release here."""
        child = await RegistrationCache.open(mm, registrar, self.policy, hooks=hooks, heap=self._heap)
        if self.policy.mutant == "fork_inherits":
            child._lock.owner = self._lock.owner
            for entry in self._shelf.index:
                copy: Entry[H] = Entry(-entry.cookie, entry.start, entry.end, entry.access)
                copy.registration, copy.users, copy.indexed = entry.registration, 0, True
                child._shelf.index.add(copy.start, copy.end, copy)
        return child

    # ---- hits and events ---------------------------------------------------------------------------------------------

    async def _hit(self, start: int, end: int, access: int) -> Entry[H] | None:
        """The registration that covers the range, with one more user; None if there is none now."""
        shelf = self._shelf
        shelf.look()
        before = shelf.index.covering(start, end)
        await self._settle()
        # From here to the return no cycle passes: the counter, the index and the user count are of one instant.
        if before is not None and not before.live and before.allows(access):
            self.stats.stale_hits_prevented += 1
        shelf.look()
        entry = shelf.index.covering(start, end)
        if entry is None or not entry.allows(access):
            return None
        if self.policy.mutant != "no_valid" and not shelf.valid(entry):
            shelf.invalidated(entry)
            return None
        shelf.take(entry)
        return entry

    async def _settle(self) -> None:
        """Drop what has been invalidated up to now. On return the counter has just been looked at."""
        if self.policy.mutant == "no_generation_check":
            return
        while self.source.counter() != self._seen:
            self.stats.event_reads += 1
            events, self._seen = await self.source.read()
            for event in events:
                entry = self._shelf.entries.get(event.cookie)
                if entry is not None:
                    self._shelf.invalidated(entry)

    async def _invalidate_now(self, start: int, end: int) -> None:
        """What a hook must not do: handle the event where it happens, under the lock."""
        async with self._lock:
            for entry in self._shelf.index.overlapping(start, end):
                self._shelf.invalidated(entry)
        await self._shelf.reap()

    # ---- misses ------------------------------------------------------------------------------------------------------

    async def _miss(self, start: int, end: int, access: int) -> Entry[H]:
        """Register, with the lock held."""
        low, high, rights = start, end, access
        self._shelf.look()
        for entry in self._shelf.index.overlapping(start, end):
            low, high, rights = min(low, entry.start), max(high, entry.end), rights | entry.access
            self._shelf.drop(entry)
        fits = self.policy.limit is None or high - low >> PAGE_SHIFT <= self.policy.limit
        if fits and (low, high, rights) != (start, end, access):
            self.stats.merges += 1
            try:
                return await self._shelf.make(low, high, rights)
            except MmError:
                if self.policy.mutant == "merge_or_fail":
                    raise
                self.stats.unmerged += 1
        return await self._shelf.make(start, end, access)
