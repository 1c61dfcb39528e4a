"""Everything is invalidated while the device writes.

A range [0, 2**64 - 1) is how "all of it" is said. Who counts its pages in 64 bits, rounding up, gets none, and flushes nothing
(Linux, Lu Baolu, November 2023). Between the begin and the end of the range the device may reach no page (MN-1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from hwif.gen import timing
from hwif.gen.hca import WcStatus
from sw_stack.workloads.explored.hca_play import BASE, HcaPlay
from sw_stack.workloads.explored.play import Actor, Planted

END = (1 << 64) - 1


class Scene(HcaPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "hca_everything_is_nothing": Planted(
            (13,), "the page count of a range to the end of everything overflows to 0: nothing is flushed", 3, "round_overflow"
        ),
    }

    async def begin(self) -> None:
        self.mm = await self.program("program", 2)
        self.mr = await self.region(self.mm, 2)
        self.wire = await self.connect(self.mm)
        await self.prefetch(self.mr, 2)
        await self._write()
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        return Actor("user", 0, self._write()), Actor("program", 1, self._everything())

    async def _write(self) -> None:
        status = await self.wire.write(self.mr, BASE, self.mr, BASE + 8)
        self.check(status is WcStatus.SUCCESS, f"the write ended in {status.name}")

    async def _everything(self) -> None:
        async with self.mm.mmap_lock.reading(), self.mm.notifiers.range(0, END):
            await self.sched.charge(timing.SW_PTE_OP)

    async def settle(self) -> None:
        found = await self.mm.load(BASE + 8, 8)
        self.check(found == bytes([1]) * 8, f"the device wrote 1s, the program finds {found!r}")
        await self._everything()
        await self.mm.store(BASE + 8, bytes(8))
        await self.prefetch(self.mr, 2)
