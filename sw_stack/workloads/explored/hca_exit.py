"""A process exits while its memory is being looked up for the device.

A prefetch looks pages up and enters them; meanwhile the process exits. Who drops the last reference to an address space tears it
down, with everything that does: so none may be dropped under the region's umem_lock, which the teardown takes to empty the region
("Fix a nested dead lock as part of ODP flow"). release comes first and empties it; whoever looks up afterwards is told that the
process is gone (MN-4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.mm import MmError
from sw_stack.workloads.explored.hca_play import HcaPlay
from sw_stack.workloads.explored.play import Actor, Planted


class Scene(HcaPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "hca_last_reference_in_fault": Planted(
            (20,),
            "a fault drops the last reference to its address space under the lock that the teardown wants",
            3,
            "mmput_in_fault",
        ),
    }

    async def begin(self) -> None:
        await self._open()

    async def _open(self) -> None:
        self.mm = await self.program("program")
        self.mr = await self.region(self.mm)

    def actors(self) -> Sequence[Actor]:
        return Actor("fault", 0, self._fill()), Actor("program", 1, self.mm.exit())

    async def _fill(self) -> None:
        try:
            await self.prefetch(self.mr)
        except MmError:
            self.check(not self.mm.alive, "a page of a living process could not be had")

    async def settle(self) -> None:
        self.check(not self.mm.alive, "the process has exited, its address space is still there")
        self.check(self.mr.table.pages == 0, f"the process has exited, the device still has {self.mr.table.pages} pages of it")
        await self.close(self.mm)
        await self._open()
