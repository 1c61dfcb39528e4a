"""A range that is longer than a shootdown counts, in the upper half of the address space.

A shootdown names at most 1,024 pages; the code for more purges the whole address space. Its ASID says which
of the eight regions the addresses are in, by their top three bits. The program drops an area of 1,026 pages in region 4, of which
only the last is in use, while a user loads from that page: its entry must be reached by the count, and by the region.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.workloads.explored.play import PAGE, RW, Actor, GruPlay, Planted

PAGES = 1026
AREA = 0x8000_0000_0010_0000
LAST = AREA + (PAGES - 1) * PAGE


class Scene(GruPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "gru_long_wraps": Planted((5,), "a shootdown of 1,026 pages covers two: the count is cut to its bits", 4, "long_wraps"),
        "gru_region_short": Planted((5,), "shootdowns in regions 4 to 7 go to ASIDs of regions 0 to 3", 4, "region_short"),
    }

    async def prepare(self) -> None:
        self.mm = self.machine.new_mm("program")
        await self.mm.mmap(AREA, PAGES * PAGE, RW, fixed=True)
        await self.mm.store(LAST, bytes([1]) * 8)
        self.device_user = await self.user(self.mm)
        await self.device_user.load(0, LAST)
        await self.purge()

    def actors(self) -> Sequence[Actor]:
        return Actor("user", 0, self._load()), Actor("program", 1, self._drop())

    async def _load(self) -> None:
        found = await self.device_user.load(0, LAST)
        self.check(found in (bytes([1]) * 8, bytes(8), bytes([2]) * 8), f"the device loaded {found!r}")

    async def _drop(self) -> None:
        await self.mm.madvise_dontneed(AREA, PAGES * PAGE)
        await self.mm.store(LAST, bytes([2]) * 8)

    async def settle(self) -> None:
        found = await self.device_user.load(0, LAST)
        self.check(found == bytes([2]) * 8, f"the device finds {found!r}, the program wrote 2s")
        await self.mm.store(LAST, bytes([1]) * 8)
        await self.purge()
