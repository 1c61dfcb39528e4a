"""A range that one client refuses after others have agreed.

The killer of the out-of-memory case takes a process's pages itself. It may not sleep: a client that would have to refuses the
range, and the area is left alone. The device's driver was asked before and has agreed, so it answers no miss of the area until
it is told that the range is over. It must be told though the range never came about; else it waits for that for ever, and so
does the device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hwif.gen import timing
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
        "gru_refusal_no_end": Planted(
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
        return Actor("reaper", 0, self._reap()), Actor("other", 1, self._keep_busy())

    async def _reap(self) -> None:
        await oom_reap(self.mm)

    async def _keep_busy(self) -> None:
        async with self.mutex:
            await self.sched.charge(timing.SW_PTE_OP)

    async def settle(self) -> None:
        await self.mm.store(BASE, bytes([1]) * 8)
        found = await self.device_user.load(0, BASE)
        self.check(found == bytes([1]) * 8, f"the device finds {found!r}, the program wrote 1s")
        await self.device_user.forget(BASE, PAGE)
