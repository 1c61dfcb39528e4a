"""Plays whose orders can be counted by hand, for the tests of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.sched import SpinLock, WaitQueue
from sw_stack.sched.shared import Shared
from sw_stack.workloads.explored.play import Actor, Planted, Play


class Counting(Play):
    """Tasks add one to a number. Planted: they look and store without the lock. Two of them lose an addition if one is stopped."""

    TASKS: ClassVar[int] = 2
    PLANTED: ClassVar[Mapping[str, Planted]] = {"no_lock": Planted((), "the lock is not taken", 3, "no_lock")}

    async def prepare(self) -> None:
        self.lock = SpinLock(self.sched, "number")
        self.place = Shared()
        self.number = 0

    def actors(self) -> Sequence[Actor]:
        return [Actor(f"adder{index}", index, self._add()) for index in range(self.TASKS)]

    async def _add(self) -> None:
        await self.sched.charge(1)
        if self.switch == "no_lock":
            await self._add_one()
        else:
            async with self.lock:
                await self._add_one()

    async def _add_one(self) -> None:
        self.sched.touch(self.place)
        found = self.number
        await self.sched.charge(1)
        self.sched.touch(self.place)
        self.number = found + 1

    async def settle(self) -> None:
        self.check(self.number == self.TASKS, f"{self.TASKS} additions made {self.number}")
        self.number = 0


class Three(Counting):
    """The same with three tasks."""

    TASKS = 3


class Strangers(Play):
    """Tasks that share nothing."""

    POINTS: ClassVar[int] = 4

    def actors(self) -> Sequence[Actor]:
        return [Actor(f"stranger{index}", index, self._work()) for index in range(2)]

    async def _work(self) -> None:
        own = Shared()
        for _ in range(self.POINTS):
            self.sched.touch(own)
            await self.sched.charge(1)


class Waking(Play):
    """One waits until the other has said so. Planted: the wake-up is given before the word is."""

    PLANTED: ClassVar[Mapping[str, Planted]] = {"early": Planted((), "the wake-up comes before the word", 3, "early")}

    async def prepare(self) -> None:
        self.queue = WaitQueue(self.sched, "the word")
        self.said = False

    def actors(self) -> Sequence[Actor]:
        return Actor("sayer", 0, self._say()), Actor("waiter", 1, self._wait())

    async def _say(self) -> None:
        await self.sched.charge(1)
        if self.switch == "early":
            self.queue.wake_all()
            await self.sched.charge(1)
        self.sched.touch(self.queue)
        self.said = True
        if self.switch != "early":
            self.queue.wake_all()

    async def _wait(self) -> None:
        await self.sched.charge(1)
        await self.queue.wait_event(lambda: self.said)

    async def settle(self) -> None:
        self.said = False


class Spinning(Play):
    """One spins until the other has moved, which is fine; or for ever."""

    PLANTED: ClassVar[Mapping[str, Planted]] = {"for_ever": Planted((), "nobody moves", 1, "for_ever")}

    async def prepare(self) -> None:
        self.moved = False

    def actors(self) -> Sequence[Actor]:
        return Actor("spinner", 0, self._spin()), Actor("mover", 1, self._move())

    async def _spin(self) -> None:
        while not self.moved:
            await self.sched.charge(1)

    async def _move(self) -> None:
        await self.sched.charge(1)
        self.moved = self.switch != "for_ever"
        while self.switch == "for_ever":
            await self.sched.charge(1)

    async def settle(self) -> None:
        self.moved = False


class Leaking(Strangers):
    """Leaves something behind, and falls over it in the second round."""

    async def prepare(self) -> None:
        self.left = 0

    async def settle(self) -> None:
        self.left += 1
        self.check(self.left < 2, f"rounds have left {self.left} behind")


Operation = tuple[str, int, int]
"""What to do, with which thing, under which lock."""
OPERATIONS = ("use", "lock", "pause", "wake", "wait")


class Program(Play):
    """Tasks that do what `TASKS` says: use a thing, under a lock or without, let time pass, wake everybody, or wait to be woken."""

    TASKS: ClassVar[Sequence[Sequence[Operation]]] = ()

    async def prepare(self) -> None:
        self.things = [Shared() for _ in range(3)]
        self.locks = [SpinLock(self.sched, f"lock{number}") for number in range(2)]
        self.queue = WaitQueue(self.sched, "queue")
        self.woken = 0

    def actors(self) -> Sequence[Actor]:
        return [Actor(f"task{number}", number, self._run(task)) for number, task in enumerate(self.TASKS)]

    async def _run(self, task: Sequence[Operation]) -> None:
        for what, thing, lock in task:
            match what:
                case "use":
                    await self.sched.charge(1)
                    self.sched.touch(self.things[thing])
                case "lock":
                    async with self.locks[lock]:
                        await self.sched.charge(1)
                        self.sched.touch(self.things[thing])
                case "pause":
                    await self.sched.sleep(1)
                case "wake":
                    self.woken += 1
                    self.queue.wake_all()
                case _:
                    await self.queue.wait_event(lambda: self.woken > 0)

    async def settle(self) -> None:
        self.woken = 0
