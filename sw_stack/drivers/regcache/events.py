"""Events for a registration cache: which watched ranges have been invalidated since the cache last asked.

    watch(cookie, range)                         before the pages of the range are looked up
    counter() != what read() said last           something happened: one load, no system call
    read()  ->  events, counter                  each marked range once, and is unmarked

A range is marked by the first invalidation that overlaps it and queued then; further ones before the event is read only widen the
event's hint. So an event costs no memory: flag, hint and link stand in the watch, and marking is legal where nothing may be
allocated.

Between the begin of an invalidation and its end the old pages may still be found in the page table, by a task that holds mmap_lock
for reading as madvise does:

    madvise                 this thread                      another thread
    begin: marks
                            get: drops, watches, pins
                            the old page
    takes the page out
                                                             stores: a new page
                                                             get: must not hit
    end

So a range that is watched while an invalidation of it runs is marked at once: its registration serves the one who made it, for
pages nobody may be unmapping while he transfers, and nobody else (MN-1). Any number of invalidations may run, and nothing may be
allocated to remember them: SLOTS ranges are remembered, of the rest the number, and while there are such everything watched is
marked. An end that names no begun range leaves its range running. Either marks too much, and never too little.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from typing import Final, Protocol

from sw_stack.drivers.regcache.policy import Mutant, Race
from sw_stack.drivers.regcache.stats import WatchStats

__all__ = ["SLOTS", "Event", "EventSource", "NoEvents", "WatchSet"]

SLOTS: Final = 8
"""Running invalidations remembered by their range."""


@dataclass(frozen=True, slots=True)
class Event:
    """The range watched under `cookie` was invalidated. `start` and `end` are a hint: no byte of it outside them was."""

    cookie: int
    start: int
    end: int


class EventSource(Protocol):
    """Where a cache gets its events from. Calls are the library's; none may be made in atomic context."""

    async def watch(self, cookie: int, start: int, end: int) -> None:
        """Report invalidations of [start, end) from now on."""
        ...

    async def unwatch(self, cookie: int) -> None:
        """Report no more. Nothing to do for a cookie that is not watched."""
        ...

    def counter(self) -> int:
        """Differs from what `read` returned last if there are events to read. One load."""
        ...

    async def read(self) -> tuple[list[Event], int]:
        """Events not read yet, oldest first, and the counter as it was when they were taken. Does not wait."""
        ...

    async def close(self) -> None:
        """Report nothing more."""
        ...


class NoEvents:
    """Nobody says anything: the cache as it was before."""

    async def watch(self, cookie: int, start: int, end: int) -> None:
        """Nothing to do."""

    async def unwatch(self, cookie: int) -> None:
        """Nothing to do."""

    def counter(self) -> int:
        return 0

    async def read(self) -> tuple[list[Event], int]:
        return [], 0

    async def close(self) -> None:
        """Nothing to do."""


class _Watch:
    """A watched range, its mark and its event."""

    __slots__ = ("cookie", "end", "hint_end", "hint_start", "marked", "start")

    def __init__(self, cookie: int, start: int, end: int) -> None:
        self.cookie = cookie
        self.start = start
        self.end = end
        self.marked = False
        self.hint_start = self.hint_end = 0


class WatchSet:
    """The watched ranges of one cache; they may overlap. No call awaits, so each is at one instant."""

    def __init__(self, mutant: Mutant | Race | None = None) -> None:
        self.stats = WatchStats()
        self.counter = 0
        """Moves with every event queued."""
        self.running: list[tuple[int, int]] = []
        """Invalidations between begin and end, up to SLOTS of them,"""
        self.unremembered = 0
        """and the number of the others."""
        self._mutant = mutant
        self._watches: dict[int, _Watch] = {}
        self._order: list[tuple[int, int]] = []  # (start, cookie)
        self._longest = 0  # of the ranges watched since there was none
        self._queue: list[_Watch] = []

    def __len__(self) -> int:
        return len(self._watches)

    def watch(self, cookie: int, start: int, end: int) -> None:
        """Watch [start, end). ValueError if the cookie is in use or the range empty."""
        if cookie in self._watches or start >= end:
            raise ValueError(f"cookie {cookie} cannot watch [{start:#x}, {end:#x})")
        watch = self._watches[cookie] = _Watch(cookie, start, end)
        insort(self._order, (start, cookie))
        self._longest = max(self._longest, end - start)
        running = self.unremembered > 0 or any(low < end and start < high for low, high in self.running)
        if running and self._mutant != "ignore_active":
            self.stats.marked_at_watch += 1
            self._mark(watch, start, end)

    def unwatch(self, cookie: int) -> None:
        """Forget a range, and its event."""
        watch = self._watches.pop(cookie, None)
        if watch is None:
            return
        self._order.remove((watch.start, cookie))
        if watch in self._queue:
            self._queue.remove(watch)
        if not self._watches:
            self._longest = 0

    def begin(self, start: int, end: int) -> int:
        """An invalidation begins; how many ranges it marked."""
        if len(self.running) < SLOTS:
            self.running.append((start, end))
        else:
            self.unremembered += 1
        return self.invalidate(start, end)

    def end(self, start: int, end: int) -> None:
        """An invalidation ends, named by the range of its begin."""
        if (start, end) in self.running:
            self.running.remove((start, end))
        elif self.unremembered:
            self.unremembered -= 1

    def invalidate(self, start: int, end: int) -> int:
        """An invalidation that is over when it is known; how many ranges it marked."""
        # None longer than the longest reaches here from further below.
        first = bisect_right(self._order, (start - self._longest, 1 << 64))
        marked = 0
        for low, cookie in self._order[first : bisect_left(self._order, (end, 0))]:
            watch = self._watches[cookie]
            if watch.end <= start or (self._mutant == "overlap_missed" and (low, watch.end) != (start, end)):
                continue
            marked += self._mark(watch, max(start, low), min(end, watch.end))
        return marked

    def _mark(self, watch: _Watch, start: int, end: int) -> bool:
        if watch.marked:
            self.stats.already_marked += 1
            watch.hint_start, watch.hint_end = min(watch.hint_start, start), max(watch.hint_end, end)
            return False
        watch.marked = True
        watch.hint_start, watch.hint_end = start, end
        if self._mutant != "event_lost":
            self._queue.append(watch)
        self.counter += 1
        self.stats.marked += 1
        return True

    def take(self) -> list[Event]:
        """The events not taken yet; their ranges are unmarked."""
        queue, self._queue = self._queue, []
        for watch in queue:
            watch.marked = False
        self.stats.read += len(queue)
        return [Event(watch.cookie, watch.hint_start, watch.hint_end) for watch in queue]
