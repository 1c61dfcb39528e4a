"""A page is copied on write while the device reads it and another.

The table of Documentation/mm/mmu_notifier.rst: one thread is in the middle of giving page A a copy of its own; a second one finds
that copy, writes to A, then to B. A device that reads the new B must not read the old A afterwards: the program wrote A first. So
an old translation must be gone before the new page can be written to, not some time later, although nobody has freed the old page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from hwif.gen.hca import WcStatus
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.mm.historical import Historical
from sw_stack.workloads.explored.hca_play import BASE, PAGE, HcaPlay
from sw_stack.workloads.explored.play import RW, Actor, Planted

A, B = BASE, BASE + PAGE
MINE = BASE + 16 * PAGE
NEW = bytes([2]) * 8


class Scene(HcaPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "hca_copy_told_late": Planted(
            (14,),
            "copy-on-write tells its clients when the entry has been changed already, as if the contents had stayed",
            4,
            "cow_told_late",
        ),
    }

    def policy(self) -> DriverPolicy:
        return self.sizes()

    def historical(self) -> Historical:
        return Historical(cow_told_late=self.planted is not None)

    async def begin(self) -> None:
        self.mm = self.machine.new_mm("program")
        await self.mm.mmap(BASE, 2 * PAGE, RW, fixed=True)
        await self.mm.mmap(A, PAGE, RW, fixed=True, file=self.machine.new_file("file", 1))
        self.mr = await self.region(self.mm, 2)
        self.mine = await self.region(self.mm, base=MINE)
        self.wire = await self.connect(self.mm)
        await self.prefetch(self.mine, base=MINE)
        await self.prefetch(self.mr, base=B)
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        return (
            Actor("first", 0, self.mm.store(A + 8, NEW)),
            Actor("second", 1, self._store()),
            Actor("device_user", 2, self._read()),
        )

    async def _store(self) -> None:
        await self.mm.store(A, NEW)
        await self.mm.store(B, NEW)

    async def _read(self) -> None:
        for place, page in ((MINE, B), (MINE + 8, A)):
            status = await self.wire.read(self.mine, place, self.mr, page)
            self.check(status is WcStatus.SUCCESS, f"the read ended in {status.name}")
        found = await self.mm.load(MINE, 16)
        b, a = found[:8], found[8:]
        self.check(b != NEW or a == NEW, "the device has read the new B and then the old A; the program wrote A first")

    async def settle(self) -> None:
        await self.mm.madvise_dontneed(A, PAGE)  # and the file's page is there again
        await self.mm.load(A, 8)
        await self.mm.store(B, bytes(8))
        await self.look(self.mr)
        await self._read()
