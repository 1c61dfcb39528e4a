"""A user moves to another processor between its fault and its call.

A context's misses interrupt the processor its user runs on. A miss that the handler cannot answer is handed to the user, who
calls the driver; meanwhile the scheduler may have moved it to another processor. The call checks the placement of the context and
turns its interrupts round. A check that unloads the context instead, to have it loaded again near the user, leaves its caller
with a place that is no longer the context's: whoever goes on with it touches control blocks of somebody else (CVE-2022-3424).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from hwif.gen import timing
from sw_stack.sched import Task
from sw_stack.workloads.explored.play import BASE, PAGE, Actor, GruPlay, Planted


class Scene(GruPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "gru_place_after_unload": Planted(
            (2,), "the placement check unloads a context, and its caller goes on with the place it had", 5, "place_after_unload"
        ),
    }

    async def prepare(self) -> None:
        self.mm = await self.program("program")
        self.device_user = await self.user(self.mm)
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        self.runs: Task | None = None
        return Actor("user", 0, self._load()), Actor("balancer", 1, self._move())

    async def _load(self) -> None:
        self.runs = self.sched.task()
        found = await self.device_user.load(0, BASE)
        self.check(found == bytes(8), f"the device loaded {found!r} from a fresh page")

    async def _move(self) -> None:
        """The scheduler finds the user's processor too busy."""
        await self.sched.charge(timing.SW_SYSCALL)
        self.sched.touch(self.device_user.gts.ts_ctxlock)  # under which the driver asks where its caller runs
        if self.runs is not None:
            self.runs.cpu = 1

    async def settle(self) -> None:
        """A miss that goes to the user turns the interrupts back to processor 0; then the page goes again."""
        for _ in range(2):
            await self.mm.madvise_dontneed(BASE, PAGE)
            found = await self.device_user.load(0, BASE)
            self.check(found == bytes(8), f"the device loaded {found!r} from a fresh page")
        await self.mm.madvise_dontneed(BASE, PAGE)
