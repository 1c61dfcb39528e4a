"""A miss is answered while its page goes.

A user loads through the device and misses; the interrupt handler answers the miss from the page table. Meanwhile the program
drops the page and touches it again, which gives it another frame. A drop-in that was looked up before the drop must not be
entered after it, and must not be entered at all between begin and end of the range (SD-3, MN-1). The page table goes with its
last page, with mmap_lock held for reading as munmap of today does: a walk that takes its time must not read from a table that is
gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.workloads.explored.play import BASE, PAGE, Actor, GruPlay, Planted


class Scene(GruPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "gru_ignore_range_active": Planted((12,), "drop-ins go on between begin and end of a range", 6, "ignore_range_active"),
        "gru_free_before_ack": Planted((12,), "a page is freed before the device has let go of it", 4, "free_before_ack"),
        "gru_walk_freed_table": Planted((1,), "the handler walks page tables that others may free meanwhile", 4, "walk_in_steps"),
        "gru_end_lost": Planted((9,), "the driver's range begins and never ends", 6, "end_lost"),
    }

    async def prepare(self) -> None:
        self.mm = await self.program("program")
        self.device_user = await self.user(self.mm)
        await self.device_user.load(0, BASE)
        await self.device_user.forget(BASE, PAGE)

    def actors(self) -> Sequence[Actor]:
        return Actor("user", 0, self._load()), Actor("program", 1, self._drop())

    async def _load(self) -> None:
        found = await self.device_user.load(0, BASE)
        self.check(found in (bytes([1]) * 8, bytes(8), bytes([2]) * 8), f"the device loaded {found!r}")

    async def _drop(self) -> None:
        await self.mm.madvise_dontneed(BASE, PAGE)
        await self.mm.store(BASE, bytes([2]) * 8)

    async def settle(self) -> None:
        found = await self.device_user.load(0, BASE)
        self.check(found == bytes([2]) * 8, f"the device finds {found!r}, the program wrote 2s")
        await self.mm.store(BASE, bytes([1]) * 8)
        await self.device_user.forget(BASE, PAGE)
