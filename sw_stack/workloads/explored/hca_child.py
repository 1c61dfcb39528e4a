"""Two invalidations empty one table.

A region of the whole address space has its translations in tables that come and go. Two threads drop pages of one table at
the same time, one of them all. Whoever takes the last page frees the table: one of them, once (Linux d3d93041, CVE-2025-21714).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.workloads.explored.hca_play import BASE, PAGE, HcaPlay
from sw_stack.workloads.explored.play import Actor, Planted


class Scene(HcaPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "hca_child_destroyed_twice": Planted(
            (17,), "an empty table is destroyed by whoever finds it empty, twice if two do", 7, "table_twice"
        ),
    }

    async def begin(self) -> None:
        self.mm = await self.program("program", 2)
        self.whole = await self.everything(self.mm)
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        return (
            Actor("both", 0, self.mm.madvise_dontneed(BASE, 2 * PAGE)),
            Actor("right", 1, self.mm.madvise_dontneed(BASE + PAGE, PAGE)),
        )

    async def settle(self) -> None:
        self.check(self.whole.table.pages == 0, f"every page has gone, the table has {self.whole.table.pages} left")
        for page in range(2):
            await self.mm.store(BASE + page * PAGE, bytes([1]) * 8)
        await self.prefetch(self.whole, 2)
