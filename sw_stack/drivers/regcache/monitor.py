"""A thread of the library's that handles events as they come, under the cache's lock: a mistake, kept to be found.

userfaultfd's monitors work so: the kernel keeps the task that unmaps waiting until the thread has read the event. A task that
unmaps while it holds the cache's lock (it has allocated an entry, and the allocator gave memory back) waits for the thread, and the
thread waits for the lock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sw_stack.sched import Scheduler, WaitQueue

__all__ = ["Monitor"]


class Monitor:
    """Hands each event to `handle`, one after the other."""

    def __init__(self, sched: Scheduler, handle: Callable[[int, int], Awaitable[None]], cpu: int = 7) -> None:
        self._handle = handle
        self._events: list[tuple[int, int]] = []
        self._moved = WaitQueue(sched, "events of the monitor thread")
        sched.spawn(self._run(), "monitor", cpu, daemon=True)

    async def tell(self, start: int, end: int) -> None:
        """An event has happened; wait until it is handled."""
        event = (start, end)
        self._events.append(event)
        self._moved.wake_all()
        await self._moved.wait_event(lambda: event not in self._events)

    async def _run(self) -> None:
        while True:
            await self._moved.wait_event(lambda: bool(self._events), patient=True)
            await self._handle(*self._events[0])
            del self._events[0]
            self._moved.wake_all()
