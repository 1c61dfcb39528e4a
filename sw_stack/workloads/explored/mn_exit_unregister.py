"""A client leaves the chain while the process exits, and while a page of it is reclaimed.

Exit calls release of every client; reclaim calls invalidate_page without the lock that keeps others from leaving. A client that
unregisters may be freed as soon as it has been taken out, so whoever has it in hand must be waited for; and if exit is about to
call its release, or calls it just then, that must happen once or not at all. Linux had both mistakes: a pass that called a client
that was gone, and two releases ("NULL pointer deref and multiple release callouts", Linux 3.9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.drivers.skeleton import Skeleton
from sw_stack.workloads.explored.play import BASE, Actor, Planted, Play


class Scene(Play):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "mn_unregister_at_once": Planted(
            (11,), "unregister does not wait for those who have the client in hand", 3, "unregister_at_once"
        ),
        "mn_two_releases": Planted((11,), "unregister calls release of a client that exit releases", 2, "unregister_releases"),
    }

    async def prepare(self) -> None:
        self.mm = await self.program("program")
        self.client = Skeleton(self.mm)
        await self.client.attach()
        await self.client.write(BASE, b"device")

    def actors(self) -> Sequence[Actor]:
        return (
            Actor("closer", 0, self.client.detach()),
            Actor("program", 1, self.mm.exit()),
            Actor("reclaim", 2, self._reclaim()),
        )

    async def _reclaim(self) -> None:
        await self.machine.reclaim(1)

    async def settle(self) -> None:
        self.check(not self.client.entries(), "a client that has left still has translations")
        await self.prepare()
