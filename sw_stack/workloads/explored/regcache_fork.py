"""A fork while another thread is inside the registration cache.

One thread sends a page that is not cached, so it holds the cache's lock for a while. Another forks, and the child sends a page of
its own. The child has a copy of the library's memory as it was at that instant: a lock that was held is held for ever, since nobody
in the child will release it. The library's child handler must make it anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.drivers.regcache import Hooks, PinnedRegistrar
from sw_stack.workloads.explored.play import PAGE, Actor, Planted
from sw_stack.workloads.explored.regcache_play import READ, CachePlay, at


class Scene(CachePlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "regcache_fork_locked": Planted((30,), "the child goes on with the cache's lock as it was at the fork", 3, "fork_inherits"),
    }

    def actors(self) -> Sequence[Actor]:
        return Actor("sender", 0, self._send()), Actor("forker", 1, self._fork())

    async def _send(self) -> None:
        sent = await self.send(1)
        self.check(sent == 2, f"page 1: the adapter sends {sent}s, the process has written 2s")

    async def _fork(self) -> None:
        child = await self.mm.fork("child")
        cache = await self.cache.forked(child, PinnedRegistrar(self.adapter, child), hooks=Hooks(child))
        async with cache.using(at(0), PAGE, READ) as mr:
            sent = (await self.adapter.read(mr, at(0), 1))[0]
        self.check(sent == 1, f"page 0 of the child: the adapter sends {sent}s, the process has written 1s")
        await cache.close()
        await child.exit()
