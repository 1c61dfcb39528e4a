"""A page goes while the device reads it.

An operation takes its bytes from a page; meanwhile the program drops the page, and its frame becomes another page. The device walks
the region's table by itself, at any moment: told to forget before the table is changed, it may look the old entry up again and keep
it. Told in time but not waited for, it may be in the middle of an access (SD-1, SD-2, MN-1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from hwif.gen.hca import WcStatus
from sw_stack.workloads.explored.hca_play import BASE, PAGE, HcaPlay
from sw_stack.workloads.explored.play import Actor, Planted

HEIR = BASE + PAGE
TARGET = BASE + 16 * PAGE


class Scene(HcaPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "hca_invalidated_early": Planted(
            (12,), "the device is told to forget a page before the page is out of the table it reads", 7, "table_after_invalidate"
        ),
        "hca_invalidated_late": Planted(
            (12,), "a page is given back while the device still has the invalidation before it", 3, "free_before_fence"
        ),
    }

    async def begin(self) -> None:
        self.mm = await self.program("program", 3)
        self.mr = await self.region(self.mm)
        self.target = await self.region(self.mm, base=TARGET)
        self.wire = await self.connect(self.mm)
        self.value = 1
        await self._drop()
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        return Actor("user", 0, self._write()), Actor("program", 1, self._drop())

    async def _drop(self) -> None:
        for page in (HEIR + PAGE, HEIR, BASE):
            await self.mm.madvise_dontneed(page, PAGE)

    async def _write(self) -> None:
        status = await self.wire.write(self.mr, BASE, self.target, TARGET)
        self.check(status is WcStatus.SUCCESS, f"the write ended in {status.name}")

    async def settle(self) -> None:
        self.value = 3 - self.value
        await self.mm.store(HEIR, bytes(8))  # takes the frame that has just been given back
        await self.mm.store(BASE, bytes([self.value]) * 8)
        await self._write()  # and the device knows the page's translation
        found = await self.mm.load(TARGET, 8)
        self.check(found == bytes([self.value]) * 8, f"the page holds {self.value}s, the device has taken {found!r} from it")
        await self.mm.madvise_dontneed(HEIR, PAGE)
