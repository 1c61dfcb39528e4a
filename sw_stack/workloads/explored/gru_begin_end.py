"""A range that is begun and never ended.

Between begin and end of a range the driver answers no miss. The program forks and fails, for want of a page table for the child;
the killer of the out-of-memory case takes the program's pages, which it may not do if a client of the notifiers would have to
sleep: then the clients that had agreed before must be told that the range is over. In both cases an end that never comes leaves
the driver waiting, and the device's misses unanswered for ever.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hwif.gen import timing
from sw_stack.mm import MmError
from sw_stack.mm.oom import oom_reap
from sw_stack.notifier import MmuNotifier
from sw_stack.sched import Mutex
from sw_stack.workloads.explored.play import BASE, PAGE, Actor, GruPlay, Planted


class Busy(MmuNotifier):
    """A client with a mutex: it refuses a range that may not sleep while somebody has the mutex. As such a client must, it has no
    callback for the end."""

    def __init__(self, mutex: Mutex) -> None:
        self._mutex = mutex

    async def invalidate_range_begin(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        async with self._mutex:
            pass

    async def invalidate_range_try(self, mm: Any, start: int, end: int) -> bool:
        if not self._mutex.try_acquire():
            return False
        self._mutex.release()
        return True


class Scene(GruPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "mn_fork_no_end": Planted((9,), "a fork that fails leaves its range without an end", 2, "fork_error_no_end"),
        "mn_refusal_no_end": Planted(
            (9,), "a range that one client refuses is not ended for those that had agreed", 3, "refusal_ends_nothing"
        ),
    }

    async def prepare(self) -> None:
        self.mutex = Mutex(self.sched, "busy_lock")
        self.mm = await self.program("program")
        async with self.mm.mmap_lock.writing():
            self.mm.notifiers.register(Busy(self.mutex))  # before the driver, so it is asked after it
        self.device_user = await self.user(self.mm)
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        self.machine.child_tables = 0
        return (
            Actor("user", 0, self._load()),
            Actor("program", 1, self._fork()),
            Actor("reaper", 2, self._reap()),
            Actor("other", 3, self._keep_busy()),
        )

    async def _load(self) -> None:
        found = await self.device_user.load(0, BASE)
        self.check(found in (bytes(8), bytes([1]) * 8), f"the device loaded {found!r}")

    async def _fork(self) -> None:
        try:
            await (await self.mm.fork("child")).exit()
        except MmError as error:
            self.check(error.errno == errno.ENOMEM, f"fork failed by {error}")

    async def _reap(self) -> None:
        await oom_reap(self.mm)

    async def _keep_busy(self) -> None:
        async with self.mutex:
            await self.sched.charge(timing.SW_PTE_OP)

    async def settle(self) -> None:
        self.machine.child_tables = None
        await self.mm.store(BASE, bytes([1]) * 8)
        found = await self.device_user.load(0, BASE)
        self.check(found == bytes([1]) * 8, f"the device finds {found!r}, the program wrote 1s")
        await self.device_user.forget(BASE, PAGE)
