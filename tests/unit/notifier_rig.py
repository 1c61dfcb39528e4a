"""A notifier chain alone: no virtual memory above it, one client or more below."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from mm_rig import Log, NoChoice, drive

from hwif.trace import Trace
from sw_stack.notifier import MmuNotifier, MmuNotifierChain
from sw_stack.sched import RwSem, Scheduler

__all__ = ["Bench", "Observer", "bench"]


class Observer:
    def __init__(self, sched: Scheduler) -> None:
        self.sched = sched
        self.seen: list[tuple[Any, ...]] = []

    def range_begun(self, start: int, end: int) -> None:
        self.seen.append(("begun", start, end, self.sched.now))

    def range_ending(self, start: int, end: int) -> None:
        self.seen.append(("ending", start, end, self.sched.now))

    def page_invalidated(self, address: int) -> None:
        self.seen.append(("page", address, self.sched.now))

    def released(self) -> None:
        self.seen.append(("released", self.sched.now))


class Bench:
    def __init__(self) -> None:
        self.sched = Scheduler(NoChoice())
        self.observer = Observer(self.sched)
        self.lock = RwSem(self.sched, "mmap_lock")
        self.trace = Trace()
        self.chain = MmuNotifierChain(self.sched, self.trace, "the mm", 7, self.lock, self.observer)

    def log(self, **options: Any) -> Log:
        return Log(self.sched, **options)

    def run(self, *bodies: Coroutine[Any, Any, Any]) -> None:
        for number, body in enumerate(bodies):
            self.sched.spawn(body, f"t{number}", number)
        drive(self.sched)

    async def register(self, *clients: MmuNotifier) -> None:
        for client in clients:
            async with self.lock.writing():
                self.chain.register(client)

    async def unregister(self, client: MmuNotifier) -> None:
        async with self.lock.writing():
            await self.chain.unregister(client)


@pytest.fixture
def bench() -> Bench:
    return Bench()
