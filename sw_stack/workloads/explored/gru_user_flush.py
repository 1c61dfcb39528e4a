"""A user flushes everything, by length 0.

The driver lets a user flush what the device holds of its own memory. On the real machine length 0 wraps to the largest count, which
purges the whole address space, and users rely on that. Another user of the context loads meanwhile from the second page: after a
flush of length 0 from the first, the driver must be asked for it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.workloads.explored.play import BASE, PAGE, Actor, GruPlay, Planted

PLACE = BASE + PAGE


class Scene(GruPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "gru_empty_is_one": Planted((5,), "a shootdown of length 0 covers one page instead of everything", 6, "empty_is_one"),
    }

    async def prepare(self) -> None:
        self.mm = await self.program("program", pages=2)
        self.device_user = await self.user(self.mm)
        await self._load()
        await self.purge()

    def actors(self) -> Sequence[Actor]:
        return Actor("user", 0, self._load()), Actor("flusher", 1, self._flush())

    async def _load(self) -> None:
        found = await self.device_user.load(0, PLACE)
        self.check(found == bytes([2]) * 8, f"the device loaded {found!r}, the program wrote 2s")

    async def _flush(self) -> None:
        await self.device_user.forget(BASE, 0)

    async def settle(self) -> None:
        await self._load()
        await self._flush()
        answered = self.driver.stats.tlb_dropin
        await self._load()
        self.check(self.driver.stats.tlb_dropin > answered, f"a flush of length 0 from {BASE:#x} left the entry of {PLACE:#x}")
        await self.purge()
