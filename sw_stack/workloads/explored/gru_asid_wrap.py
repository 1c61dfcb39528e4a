"""ASIDs come round while contexts are loaded.

The entries of the TLB belong to address spaces by their ASIDs, which the driver gives out in blocks, one to an address space.
Here there are two blocks. One program had the first, and its context is not loaded now; the second has been given away as well.
Both programs load their contexts at the same time: one needs a new block, so the search for one wraps, empties the TLB and begins
anew at the first; the other comes back and believes that this one is its own. An ASID kept from before the wrap is worthless (the
generation tells), one that is in use is passed over, and none is given out again before the TLB is empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from sw_stack.drivers.gru.contexts import gru_unload_context
from sw_stack.drivers.gru.policy import ASID_STEP, MIN_ASID, DriverPolicy
from sw_stack.mm.mm import Mm
from sw_stack.workloads.device_user import DeviceUser
from sw_stack.workloads.explored.play import BASE, Actor, GruPlay, Planted

LAST = MIN_ASID + ASID_STEP


class Scene(GruPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "gru_old_generation": Planted((6,), "an ASID is kept although they were given out anew meanwhile", 8, "old_generation"),
        "gru_wrap_no_flush": Planted((6,), "ASIDs are given out again without emptying the TLB", 8, "wrap_no_flush"),
    }

    def policy(self) -> DriverPolicy:
        return replace(super().policy(), max_asid=LAST + ASID_STEP)

    async def prepare(self) -> None:
        self.old = await self._tagged("old", 1)
        self.new = await self._tagged("new", 2)
        self.users = await self.user(self.old), await self.user(self.new)
        await self._restore()

    async def _tagged(self, name: str, tag: int) -> Mm:
        mm = await self.program(name)
        await mm.store(BASE, bytes([tag]) * 8)
        return mm

    def actors(self) -> Sequence[Actor]:
        first, second = self.users
        return (
            Actor("returns", 0, self.driver.gru_fault(first.gts)),
            Actor("comes", 1, self.driver.gru_fault(second.gts)),
        )

    async def _load(self, user: DeviceUser, tag: int) -> None:
        found = await user.load(0, BASE)
        self.check(found == bytes([tag]) * 8, f"the device loaded {found!r} for a program that wrote {tag}s")

    async def settle(self) -> None:
        for tag, user in enumerate(self.users, 1):
            await self._load(user, tag)
        await self._restore()

    async def _restore(self) -> None:
        """Nothing loaded; the first block is the first program's and in the TLB, the second is spent."""
        gru, driver = self.driver.grus[0], self.driver
        await self._unload()
        await self.purge()
        gru.gs_asid, gru.gs_asid_limit = MIN_ASID - ASID_STEP, driver.policy.max_asid
        for user in self.users:
            user.gts.ts_gms.ms_asids[0].mt_asid = 0
        await self.users[0].load(0, BASE)
        await self._unload()
        gru.gs_asid = LAST

    async def _unload(self) -> None:
        for user in self.users:
            async with user.gts.ts_ctxlock:
                await gru_unload_context(self.driver, user.gts, savestate=False)
