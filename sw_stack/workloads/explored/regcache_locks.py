"""The registration cache's lock: what is waited for under it, and who else waits.

One thread sends a page that is not cached: the cache allocates and registers under its lock. Another frees memory of the library's,
which the next allocation gives back to the system; that is an event of the cache's own. A third deregisters at the adapter what it
finds there, as a device that is reset does. The first must come to its end, and send through a registration that exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.workloads.explored.play import Actor, Planted
from sw_stack.workloads.explored.regcache_play import CachePlay


class Scene(CachePlay):
    HEAPED: ClassVar[bool] = True
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "regcache_lock_in_monitor": Planted(
            (30,), "a monitor thread wants the lock under which the event was caused", 4, "lock_in_monitor"
        ),
        "regcache_lock_in_hook": Planted((30,), "the hook takes the lock under which the memory was given back", 2, "lock_in_hook"),
        "regcache_hit_unchecked": Planted((30,), "a hit is not asked whether its registration still exists", 2, "no_valid"),
    }

    async def refill(self) -> None:
        self.heap.freed = False
        await self.cached(0, 1)

    def actors(self) -> Sequence[Actor]:
        return Actor("sender", 0, self._send()), Actor("worker", 1, self.heap.drop()), Actor("reset", 2, self._reset())

    async def _send(self) -> None:
        for page in range(2):
            async with self.lock:
                sent = await self.send(page)
            self.check(sent == page + 1, f"page {page}: the adapter sends {sent}s, the process has written {page + 1}s")

    async def _reset(self) -> None:
        async with self.lock:
            for region in self.adapter.regions():
                await self.adapter.dereg_mr(region)
