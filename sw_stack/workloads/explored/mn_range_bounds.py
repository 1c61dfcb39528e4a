"""The end of a range names another range than its begin.

A client that remembers ranges by their bounds enters no page of a range that has begun, until it is told that this very range has
ended. V6 as posted began at the first page that was copied and ended at the start of the area; and truncate, which lets go of its
lock now and then, ended where it had stopped and not where it had said it would. The client never finds what has ended and
refuses the pages for ever.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.drivers.skeleton import Skeleton
from sw_stack.mm import MmError
from sw_stack.mm.filemap import ZAP_BLOCK, truncate
from sw_stack.mm.forking import copy_page_range
from sw_stack.workloads.explored.play import BASE, PAGE, RW, Actor, Planted, Play

FILE = BASE + 0x10_0000
FILE_PAGES = ZAP_BLOCK + 1


class Scene(Play):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "mn_fork_end_from_area": Planted(
            (9,), "a copy ends its range at the start of the area, not of the copy", 4, "fork_end_from_area"
        ),
        "mn_zap_end_short": Planted(
            (9,), "truncate ends its range where its lock had a rest, not where it said", 4, "zap_end_short"
        ),
    }

    async def prepare(self) -> None:
        self.mm = await self.program("program", pages=2)
        self.file = self.machine.new_file("file", FILE_PAGES)
        await self.mm.mmap(FILE, FILE_PAGES * PAGE, RW, fixed=True, file=self.file, shared=True)
        self.client = Skeleton(self.mm, tracking="ranges")
        await self.client.attach()
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        return (
            Actor("device", 0, self._use()),
            Actor("copier", 1, self._copy()),
            Actor("truncator", 2, self._truncate()),
        )

    async def _use(self) -> None:
        for place in (BASE + PAGE, FILE):
            await self._store(place)

    async def _store(self, place: int) -> bool:
        try:
            await self.client.write(place, b"device")
        except MmError as error:
            self.check(error.errno in (errno.EAGAIN, errno.EFAULT), f"the client's store to {place:#x}: {error}")
            return False
        return True

    async def _copy(self) -> None:
        """The second half of the area, as any caller of copy_page_range may ask."""
        child = self.machine.new_mm("child")
        async with self.mm.mmap_lock.writing(), child.mmap_lock.writing():
            area = self.mm.vmas.find(BASE)
            assert area is not None
            child.vmas.insert(area)
            await copy_page_range(self.mm, child, area, BASE + PAGE, BASE + 2 * PAGE)
        await child.exit()

    async def _truncate(self) -> None:
        await truncate(self.file, 0)
        await truncate(self.file, FILE_PAGES)

    async def settle(self) -> None:
        for place in (BASE + PAGE, FILE):
            self.check(await self._store(place), f"the client refuses {place:#x}: for it a range has begun and not ended")
            self.check(await self.mm.load(place, 6) == b"device", f"the client's store to {place:#x} is lost")
