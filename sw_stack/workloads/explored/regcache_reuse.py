"""A cached registration and an address that is used again.

Two pages are registered together. One thread sends both, by way of the cache; another frees the second page and gets a new one at
the same address; a third drops the contents of the first and writes it anew. Each holds the application's lock meanwhile, so each
order is right for the application, and what the adapter sends must be what the process has written last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.workloads.explored.play import PAGE, Actor, Planted
from sw_stack.workloads.explored.regcache_play import CachePlay, at


class Scene(CachePlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "regcache_unaware": Planted((27,), "nobody tells the cache that memory was freed", 2, "none"),
        "regcache_part_missed": Planted((28,), "only an event for exactly the registered range counts", 2, "overlap_missed"),
        "regcache_madvise_unhooked": Planted((28,), "the library hooks munmap, and madvise not", 2, "no_madvise_hook"),
        "regcache_remove_ignored": Planted((30,), "madvise is told, and not taken for an invalidation", 2, "remove_ignored"),
    }

    async def refill(self) -> None:
        self.written = [1, 2]
        await self.cached(0, 2)

    def actors(self) -> Sequence[Actor]:
        return Actor("sender", 0, self._send()), Actor("freer", 1, self._free()), Actor("dropper", 2, self._drop())

    async def _send(self) -> None:
        async with self.lock:
            for page, byte in enumerate(self.written):
                sent = await self.send(page)
                self.check(sent == byte, f"page {page}: the adapter sends {sent}s, the process has written {byte}s")

    async def _free(self) -> None:
        async with self.lock:
            await self.reuse(1, 4)
            self.written[1] = 4

    async def _drop(self) -> None:
        async with self.lock:
            await self.hooks.madvise_dontneed(at(0), PAGE)
            await self.fill(0, 3)
            self.written[0] = 3
