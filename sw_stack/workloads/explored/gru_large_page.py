"""One small page of a large one goes.

The device enters a large page as one entry. The VM splits the page, which tells nobody, and drops one small page of it: the
notifier names that page, the shootdown too. The large entry contains it and must go as a whole (SD-5). The real driver knows
flushes of base pages only: large ones were left for later. There a large page has 2 MiB; here the smallest there is, 16 KiB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.workloads.explored.play import BASE, PAGE, RW, Actor, GruPlay, Planted

SHIFT = 14
SIZE = 1 << SHIFT
PLACE = BASE + 2 * PAGE


class Scene(GruPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "gru_large_not_flushed": Planted(
            (4,), "the shootdown of a small page is not sent to the entry of a large one that contains it", 5, "large_not_flushed"
        ),
    }

    async def prepare(self) -> None:
        self.mm = self.machine.new_mm("program")
        self.device_user = await self.user(self.mm)
        await self._map()
        await self.device_user.load(0, PLACE)  # from here on the context looks for pages of this size too
        await self.purge()

    async def _map(self) -> None:
        await self.mm.mmap(BASE, SIZE, RW, fixed=True, huge=SHIFT)
        await self.mm.store(PLACE, bytes([1]) * 8)

    def actors(self) -> Sequence[Actor]:
        return Actor("user", 0, self._load()), Actor("program", 1, self._drop())

    async def _load(self) -> None:
        found = await self.device_user.load(0, PLACE)
        self.check(found in (bytes([1]) * 8, bytes(8), bytes([2]) * 8), f"the device loaded {found!r}")

    async def _drop(self) -> None:
        await self.mm.split_large_page(BASE)
        await self.mm.madvise_dontneed(PLACE, PAGE)
        await self.mm.store(PLACE, bytes([2]) * 8)

    async def settle(self) -> None:
        found = await self.device_user.load(0, PLACE)
        self.check(found == bytes([2]) * 8, f"the device finds {found!r}, the program wrote 2s")
        await self.mm.munmap(BASE, SIZE)
        await self._map()
