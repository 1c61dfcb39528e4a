"""A page is entered for reading while the device writes to it.

A prefetch enters a page read-only; a write of the device faults on the same page. The right to write grows without an invalidation:
the process has it already. Whoever answers the fault finds an entry there and must make it writable, or the device faults on it for
ever (SD-7; Linux 6bbd42e2 and its cover letter: translations left with stale permissions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from hwif.gen.hca import WcStatus
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.mm import PROT_READ
from sw_stack.workloads.explored.hca_play import BASE, PAGE, HcaPlay
from sw_stack.workloads.explored.play import RW, Actor, Planted

SOURCE = BASE + 16 * PAGE


class Scene(HcaPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "hca_upgrade_lost": Planted(
            (12,), "a fault that wants to write leaves an entry as it is that allows reading", 21, "upgrade_lost"
        ),
    }

    def policy(self) -> DriverPolicy:
        return replace(super().policy(), fault_loop=3)

    async def begin(self) -> None:
        self.mm = await self.program("program")
        self.mr = await self.region(self.mm)
        self.source = await self.region(self.mm, base=SOURCE)
        self.wire = await self.connect(self.mm)
        await self.mm.store(SOURCE, bytes([2]) * 8)
        await self.prefetch(self.source, base=SOURCE)
        await self.prefetch(self.mr)
        await self._write()
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        return Actor("reader", 0, self.look(self.mr)), Actor("writer", 1, self._write())

    async def _write(self) -> None:
        status = await self.wire.write(self.source, SOURCE, self.mr, BASE)
        self.check(status is WcStatus.SUCCESS, f"the write ended in {status.name}")

    async def settle(self) -> None:
        found = await self.mm.load(BASE, 8)
        self.check(found == bytes([2]) * 8, f"the device wrote 2s, the program finds {found!r}")
        await self.mm.store(BASE, bytes([1]) * 8)
        for prot in (PROT_READ, RW):  # what the program may write it does not have writable yet
            await self.mm.mprotect(BASE, PAGE, prot)
