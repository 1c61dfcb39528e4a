"""The registrations a cache holds: how one is made, how it leaves, and what is given up for room.

    made         being registered; events may name it already
    indexed      can be found: in use, or idle
    dropped      found no more: invalidated, replaced, evicted. In use, its last user gives it up; idle, it waits on the list `dead`
    leaving      being deregistered by whoever took it off that list

Promises: a registration in use is not deregistered; one that is dropped is deregistered once; those in the index are disjoint.
Dropping awaits nothing, so it may be done wherever an event is learnt of. Needs: one `make` at a time (the cache's lock). Costs:
what the adapter and the source of events take.
"""

from __future__ import annotations

import errno
from typing import Generic, Protocol, TypeVar

from sw_stack.drivers.regcache.entry import Entry
from sw_stack.drivers.regcache.events import EventSource
from sw_stack.drivers.regcache.intervals import IntervalMap
from sw_stack.drivers.regcache.policy import CachePolicy
from sw_stack.drivers.regcache.registrar import Registrar
from sw_stack.drivers.regcache.stats import CacheStats
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import MmError
from sw_stack.sched import WaitQueue

__all__ = ["LibraryHeap", "Shelf"]

H = TypeVar("H")


class LibraryHeap(Protocol):
    """The library's own memory for an entry. Either call may map or unmap memory of the process."""

    async def malloc(self) -> None:
        """Before an entry is made, under the cache's lock."""
        ...

    async def free(self) -> None:
        """After an entry is gone, under the cache's lock or not."""
        ...


class Shelf(Generic[H]):
    """Made by RegistrationCache."""

    def __init__(
        self,
        mm: Mm,
        registrar: Registrar[H],
        policy: CachePolicy,
        source: EventSource,
        stats: CacheStats,
        heap: LibraryHeap | None,
    ) -> None:
        self._sched = mm.machine.sched
        self.index: IntervalMap[Entry[H]] = IntervalMap()
        self.entries: dict[int, Entry[H]] = {}
        """By cookie, until deregistered."""
        self.pages = 0
        """Registered, those on their way out included."""
        self._registrar = registrar
        self._policy = policy
        self._source = source
        self._stats = stats
        self._heap = heap
        self._idle: dict[int, Entry[H]] = {}  # of the index, nobody's, least recently used first
        self._dead: list[Entry[H]] = []  # dropped, nobody's, still registered
        self._leaving = 0  # deregistrations under way
        self._left = WaitQueue(mm.machine.sched, f"deregistrations of {mm.name}")
        self._next_cookie = 1

    def look(self) -> None:
        """Index, users and lists, which no lock guards, are about to be used."""
        self._sched.touch(self._left)

    def in_use(self) -> bool:
        """True if some registration has a user."""
        self.look()
        return any(entry.users for entry in self.entries.values())

    def valid(self, entry: Entry[H]) -> bool:
        """True while the adapter knows it."""
        return self._registrar.valid(entry.registration)

    # ---- users -------------------------------------------------------------------------------------------------------

    def take(self, entry: Entry[H]) -> None:
        """One more user."""
        self.look()
        self._idle.pop(entry.cookie, None)
        entry.users += 1

    async def put(self, entry: Entry[H]) -> None:
        """One user less. ValueError if there is none."""
        self.look()
        if entry.users == 0:
            raise ValueError(f"{entry!r} is nobody's")
        entry.users -= 1
        if entry.users:
            return
        if entry.live:
            self._idle[entry.cookie] = entry
            await self._trim(0)
        elif self._policy.mutant != "forget_deferred":
            self._dead.append(entry)
            await self.reap()

    # ---- coming ------------------------------------------------------------------------------------------------------

    async def make(self, start: int, end: int, access: int) -> Entry[H]:
        """Register, and put into the index, with one user. Nothing in the index may overlap it. MmError of the registration."""
        if self._heap is not None:
            await self._heap.malloc()
        entry: Entry[H] = Entry(self._next_cookie, start, end, access)
        self._next_cookie += 1
        self.entries[entry.cookie] = entry
        late = self._policy.mutant == "watch_late"
        try:
            await self.reap()
            await self._trim(entry.pages)
            # Watched before its pages are looked up: what happens to them from here on is an event.
            if not late:
                await self._source.watch(entry.cookie, start, end)
            entry.registration = await self._register(start, end, access)
            if late:
                await self._source.watch(entry.cookie, start, end)
        except MmError:
            self._stats.registration_failed += 1
            await self._forget(entry)
            raise
        self.look()
        self._stats.registrations += 1
        self.pages += entry.pages
        if entry.live:
            self.index.add(start, end, entry)
            entry.indexed = True
        return entry

    async def _register(self, start: int, end: int, access: int) -> H:
        """The adapter's registration, after giving up others for it if need be."""
        while True:
            try:
                return await self._registrar.reg(start, end - start, access)
            except MmError as error:
                if error.errno != errno.ENOMEM or not await self._make_room():
                    raise

    # ---- going -------------------------------------------------------------------------------------------------------

    def invalidated(self, entry: Entry[H]) -> None:
        """Its pages may be others by now, or the adapter does not know it."""
        if entry.live:
            self._stats.invalidated += 1
            self._stats.deferred += entry.users > 0
            self.drop(entry)
            if entry.users and self._policy.mutant == "dereg_in_use":
                self._dead.append(entry)

    def drop(self, entry: Entry[H]) -> None:
        """It is found no more."""
        self.look()
        entry.live = False
        if entry.indexed:
            self.index.remove(entry.start)
            entry.indexed = False
        self._idle.pop(entry.cookie, None)
        if entry.users == 0:
            self._dead.append(entry)

    async def flush(self) -> None:
        """Give up what is idle."""
        for entry in tuple(self._idle.values()):
            self.drop(entry)
        await self.reap()

    async def quiet(self) -> None:
        """Wait for the deregistrations under way."""
        await self._left.wait_event(lambda: self._leaving == 0)

    async def reap(self) -> None:
        """Deregister what was dropped. Whoever takes an entry off the list is the only one to do it."""
        self.look()
        while self._dead:
            await self._deregister(self._dead.pop())
            self.look()

    async def _make_room(self) -> bool:
        """Give one registration up, or wait for another thread that does. False if all that is left is in use."""
        self.look()
        if self._dead:
            await self.reap()
        elif self._evictable():
            await self._evict()
        elif self._leaving:
            gone = self._stats.deregistrations
            await self._left.wait_event(lambda: self._stats.deregistrations != gone)
        else:
            return False
        return True

    async def _trim(self, extra: int) -> None:
        """Stay below the limit with `extra` pages to come, as far as idle registrations allow."""
        limit = self._policy.limit
        while limit is not None and self.pages + extra > limit and self._evictable():
            await self._evict()

    def _evictable(self) -> Entry[H] | None:
        """The idle registration used least recently."""
        entry = next(iter(self._idle.values()), None)
        if entry is None and self._policy.mutant == "evict_in_use":
            entry = next(iter(self.index), None)
        return entry

    async def _evict(self) -> None:
        entry = self._evictable()
        assert entry is not None
        self._stats.evictions += 1
        self.drop(entry)
        if entry.users:  # only of a broken cache
            self._dead.append(entry)
        await self.reap()

    async def _deregister(self, entry: Entry[H]) -> None:
        self._leaving += 1
        try:
            if self.valid(entry):
                await self._registrar.dereg(entry.registration)
        except MmError:
            if self.valid(entry):
                raise  # else the adapter, or the end of the process, was faster
        finally:
            self._leaving -= 1
            self.pages -= entry.pages
            self._stats.deregistrations += 1
            self._left.wake_all()
        await self._forget(entry)

    async def _forget(self, entry: Entry[H]) -> None:
        """It is not registered, or no longer."""
        self.look()
        self.entries.pop(entry.cookie, None)
        await self._source.unwatch(entry.cookie)
        if self._heap is not None:
            await self._heap.free()
