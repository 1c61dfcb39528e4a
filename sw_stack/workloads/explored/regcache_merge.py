"""A registration that is partly unmapped: while it is in use, and while a request is merged with it.

Pages 1 and 2 are registered together. One thread sends page 1 through that registration. Another sends pages 0 and 1: the cache has
to make one registration of all three. A third frees page 2, which nobody sends. Nobody may notice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.mm import MmError
from sw_stack.workloads.explored.play import PAGE, RW, Actor, Planted, PlayError
from sw_stack.workloads.explored.regcache_play import CachePlay, at


class Scene(CachePlay):
    PAGES: ClassVar[int] = 3
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "regcache_dereg_in_use": Planted((28,), "an invalidated registration is given up while it is in use", 4, "dereg_in_use"),
        "regcache_merge_fails": Planted((29,), "a request fails when it cannot be merged with a neighbour", 3, "merge_or_fail"),
    }

    async def refill(self) -> None:
        await self.cached(1, 3)

    def actors(self) -> Sequence[Actor]:
        return Actor("one", 0, self._one()), Actor("two", 1, self._two()), Actor("freer", 2, self._free())

    async def _one(self) -> None:
        sent = await self.send(1)
        self.check(sent == 2, f"page 1: the adapter sends {sent}s, the process has written 2s")

    async def _two(self) -> None:
        try:
            entry = await self.get(0, 2)
        except MmError as error:
            raise PlayError(f"no registration of pages 0 and 1, which are there: {error}") from None
        for page in range(2):
            sent = (await self.adapter.read(entry.registration, at(page), 1))[0]
            self.check(sent == page + 1, f"page {page}: the adapter sends {sent}s, the process has written {page + 1}s")
        await self.cache.put(entry)

    async def _free(self) -> None:
        await self.hooks.munmap(at(2), PAGE)

    async def settle(self) -> None:
        await self.mm.mmap(at(2), PAGE, RW, fixed=True)
        await super().settle()
