"""Callbacks that sleep.

A range says whether its callbacks may sleep. madvise holds no spinlock and lets them; truncate, which in V6 holds the spinlock of
the file's mappings, does not. One client waits for something far away when it may. V6 as posted called everybody inside
rcu_read_lock, where nobody may sleep, whatever the range said. The other client takes its lock in either case: with a lock that
sleeps it breaks the rule that holds for truncate (MN-2).
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hwif.gen import timing
from sw_stack.drivers.skeleton import Skeleton
from sw_stack.mm import MmError
from sw_stack.mm.filemap import truncate
from sw_stack.notifier import MmuNotifier
from sw_stack.sched import Scheduler
from sw_stack.workloads.explored.play import BASE, PAGE, RW, Actor, Planted, Play


class Remote(MmuNotifier):
    """Its translations are on another machine: it waits for the answer, asleep if it may."""

    def __init__(self, sched: Scheduler) -> None:
        self._sched = sched

    async def invalidate_range_begin(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        if atomic:
            await self._sched.charge(timing.SW_BACKOFF)
        else:
            await self._sched.sleep(timing.SW_BACKOFF)


class Scene(Play):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "mn_dispatch_under_rcu": Planted((8,), "callbacks run inside rcu_read_lock, where none may sleep", 1, "dispatch_under_rcu"),
        "mn_deaf_to_atomic": Planted((8,), "a client takes a lock that sleeps, whatever the range says", 1, "deaf_to_atomic"),
    }

    async def prepare(self) -> None:
        self.mm = self.machine.new_mm("program")
        self.file = self.machine.new_file("file", 1)
        await self.mm.mmap(BASE, PAGE, RW, fixed=True, file=self.file, shared=True)
        async with self.mm.mmap_lock.writing():
            self.mm.notifiers.register(Remote(self.sched))
        self.client = Skeleton(self.mm, deaf_to_atomic=self.switch == "deaf_to_atomic")
        await self.client.attach()
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        return (
            Actor("device", 0, self._use()),
            Actor("program", 1, self.mm.madvise_dontneed(BASE, PAGE)),
            Actor("truncator", 2, self._truncate()),
        )

    async def _use(self) -> None:
        try:
            await self.client.write(BASE, b"device")
        except MmError as error:
            self.check(error.errno in (errno.EAGAIN, errno.EFAULT), f"the client's store: {error}")

    async def _truncate(self) -> None:
        await truncate(self.file, 0)
        await truncate(self.file, 1)

    async def settle(self) -> None:
        await self.client.write(BASE, b"device")
        self.check(await self.mm.load(BASE, 6) == b"device", "the client's store is lost")
