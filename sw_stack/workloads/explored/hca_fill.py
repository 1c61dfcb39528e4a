"""A page is entered while the table it belongs in goes.

A prefetch finds that every table it needs is there and enters its page; meanwhile the last other page of that table is dropped, and
the table with it. Frames for new tables must be had before umem_lock, the lock of the region's tables, is taken: an allocation may
reclaim, reclaim invalidates, and an invalidation takes umem_lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.workloads.explored.hca_play import BASE, PAGE, HcaPlay
from sw_stack.workloads.explored.play import Actor, Planted

OTHER = BASE + PAGE


class Scene(HcaPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "hca_reclaim_under_fill_lock": Planted(
            (16,), "memory is allocated under the lock that an invalidation by reclaim would want", 3, "tables_under_lock"
        ),
    }

    async def begin(self) -> None:
        self.mm = await self.program("program", 2)
        self.whole = await self.everything(self.mm)
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        return Actor("fault", 0, self.prefetch(self.whole)), Actor("program", 1, self.mm.madvise_dontneed(OTHER, PAGE))

    async def settle(self) -> None:
        for page in (BASE, OTHER):
            await self.mm.madvise_dontneed(page, PAGE)
            await self.mm.store(page, bytes([1]) * 8)
        await self.prefetch(self.whole, base=OTHER)
