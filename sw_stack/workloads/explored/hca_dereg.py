"""A region is deregistered while its pages go.

The process gives a region up; another of its threads drops the region's page, so the invalidation of that page runs at the same
time. Deregistration revokes the key, waits for whoever uses the region, and takes its interval out of the notifier's list. An
invalidation that is under way must not name a key that is revoked, and must not touch the interval once it is out (MN-1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.workloads.explored.hca_play import BASE, PAGE, HcaPlay
from sw_stack.workloads.explored.play import Actor, Planted


class Scene(HcaPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "hca_interval_removed_early": Planted(
            (10,), "remove of an interval returns while the end of an invalidation still has it in hand", 9, "remove_early"
        ),
        "hca_revoked_key": Planted(
            (15,),
            "an invalidation names a key that deregistration has revoked: the command fails, and the queue with it",
            7,
            "zap_revoked",
        ),
    }

    async def begin(self) -> None:
        self.mm = await self.program("program")
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        return Actor("owner", 0, self.driver.dereg_mr(self.mr)), Actor("program", 1, self.mm.madvise_dontneed(BASE, PAGE))

    async def settle(self) -> None:
        await self.mm.store(BASE, bytes([1]) * 8)
        self.mr = await self.region(self.mm)
        await self.prefetch(self.mr)
