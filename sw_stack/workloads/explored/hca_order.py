"""A page is copied on write, written, and the device told to read it.

The table of Documentation/mm/mmu_notifier.rst, with the fewest actors. One thread is in the middle of giving page A a copy of its
own. A second one finds that copy, writes to A, and then writes B: a work request, which makes the device read A. A device that has
seen the new B must not see the old A: the program wrote A first. So an old translation must be gone before the new page can be
written to, not some time later, although nobody has freed the old page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from hwif.gen import timing
from hwif.gen.hca import WcStatus
from sw_stack.mm.types import PAGE_SHIFT
from sw_stack.workloads.explored.hca_play import BASE, PAGE, HcaPlay
from sw_stack.workloads.explored.play import RW, Actor, Planted

A = BASE
TARGET = BASE + 16 * PAGE
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

    async def begin(self) -> None:
        self.mm = self.machine.new_mm("program")
        await self.mm.mmap(A, PAGE, RW, fixed=True, file=self.machine.new_file("file", 1))
        self.mr = await self.region(self.mm)
        self.target = await self.region(self.mm, base=TARGET)
        self.wire = await self.connect(self.mm)
        await self.prefetch(self.target, base=TARGET)
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        return Actor("first", 0, self.mm.store(A + 8, NEW)), Actor("second", 1, self._second())

    async def _second(self) -> None:
        await self.sched.charge(timing.SW_CPU_ACCESS)
        self.sched.touch(self.mm.pte_lock)
        self.sched.touch(self.mr.umem_lock)
        if self.mr.table.lookup(0) is None or not self.mm.touch_fast(A >> PAGE_SHIFT, write=True):
            return  # the copy is not there yet, or the device has been told of it: this thread wants to be between
        await self.mm.store(A, NEW)
        await self._send()
        found = await self.mm.load(TARGET, 8)
        self.check(found == NEW, f"the device has seen a request that was written after {NEW!r}, and has read {found!r}")

    async def _send(self) -> None:
        status = await self.wire.write(self.mr, A, self.target, TARGET)
        self.check(status is WcStatus.SUCCESS, f"the write ended in {status.name}")

    async def settle(self) -> None:
        await self.mm.madvise_dontneed(A, PAGE)  # and the file's page is there again
        await self.mm.load(A, 8)
        await self._send()
