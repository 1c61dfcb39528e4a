"""A process with a registration cache in front of a pinned adapter: what the tests of the cache share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, get_args

import pytest
from mm_rig import PAGE, Rig

from hwif.gen import timing
from sw_stack.drivers.pinned import Access, PinnedAdapter, PinnedMr
from sw_stack.drivers.regcache import CachePolicy, Entry, Hooks, PinnedRegistrar, RegistrationCache
from sw_stack.drivers.regcache.hooks import HookedCall
from sw_stack.drivers.regcache.policy import Mutant, Repair
from sw_stack.mm import PROT_READ, PROT_WRITE, Mm, MmError
from sw_stack.mm.check import audit
from sw_stack.mm.filemap import truncate
from sw_stack.mm.files import File

RW = PROT_READ | PROT_WRITE
READ, WRITE = Access.READ, Access.WRITE
BASE = 0x10_0000_0000
LOOK = timing.SW_CPU_ACCESS + timing.SW_PAGE_WALK

Body = Callable[["Scene"], Awaitable[None]]
Cache = RegistrationCache[PinnedMr]


def at(page: int) -> int:
    return BASE + page * PAGE


class SlowRegistrar(PinnedRegistrar):
    """The adapter takes its time: after the pages are pinned, or before they are let go."""

    def __init__(self, adapter: PinnedAdapter, mm: Mm, *, reg: int = 0, dereg: int = 0) -> None:
        super().__init__(adapter, mm)
        self._sched = mm.machine.sched
        self._delays = reg, dereg

    async def reg(self, start: int, length: int, access: int) -> PinnedMr:
        mr = await super().reg(start, length, access)
        await self._sched.sleep(self._delays[0])
        return mr

    async def dereg(self, handle: PinnedMr) -> None:
        await self._sched.sleep(self._delays[1])
        await super().dereg(handle)


class Scene:
    """A process with `pages` pages at BASE, each full of its own letter, a pinned adapter, and the process's cache."""

    cache: Cache

    def __init__(self, policy: CachePolicy, frames: int, pages: int, hooked: tuple[HookedCall, ...]) -> None:
        self.rig = Rig(frames)
        self.machine = self.rig.machine
        self.sched = self.rig.sched
        self.mm = self.machine.new_mm("process")
        self.adapter = PinnedAdapter(self.machine)
        self.policy = policy
        self.pages = pages
        self.hooks = Hooks(self.mm, hooked)
        self.files: list[File] = []

    @property
    def stats(self) -> dict[str, int]:
        return self.cache.statistics()

    async def shared(self, pages: int) -> int:
        """A shared mapping of a file of its own; where."""
        self.files.append(self.machine.new_file("shared", pages))
        return await self.mm.mmap(None, pages * PAGE, RW, file=self.files[-1], shared=True)

    async def open(self, **options: Any) -> None:
        await self.mm.mmap(BASE, self.pages * PAGE, RW, fixed=True)
        await self.fill(0, self.pages, b"A")
        hooks = self.hooks if self.policy.repair == "hook" else None
        self.cache = await Cache.open(self.mm, PinnedRegistrar(self.adapter, self.mm), self.policy, hooks=hooks, **options)

    async def reopen(self, registrar: PinnedRegistrar) -> None:
        """The cache again, at this registrar, and registered with the notifiers last."""
        await self.cache.close()
        self.cache = await Cache.open(self.mm, registrar, self.policy)

    async def fill(self, first: int, last: int, letter: bytes) -> None:
        for page in range(first, last):
            await self.mm.store(at(page), letter * 64)

    async def remap(self, addr: int) -> None:
        """The process unmaps a page by way of its library, and maps a new one there."""
        await self.hooks.munmap(addr, PAGE)
        await self.mm.mmap(addr, PAGE, RW, fixed=True)

    async def send(self, addr: int, n: int = 4) -> bytes:
        """What the adapter reads there, by way of the cache."""
        async with self.cache.using(addr, n, READ) as mr:
            return await self.adapter.read(mr, addr, n)

    async def receive(self, addr: int, data: bytes) -> None:
        """The adapter writes there, by way of the cache."""
        async with self.cache.using(addr, len(data), WRITE) as mr:
            await self.adapter.write(mr, addr, data)

    async def get(self, first: int, last: int, access: int = READ) -> Entry[PinnedMr]:
        return await self.cache.get(at(first), (last - first) * PAGE, access)

    def spans(self) -> list[tuple[int, int]]:
        """What can be hit, in pages from BASE."""
        return [((entry.start - BASE) // PAGE, (entry.end - BASE) // PAGE) for entry in self.cache.entries()]


def stage(
    *bodies: Body,
    repair: Repair = "ummunotify",
    mutant: Mutant | None = None,
    limit: int | None = None,
    hooked: tuple[HookedCall, ...] = ("munmap", "madvise"),
    frames: int = 96,
    pages: int = 8,
    **options: Any,
) -> Scene:
    """Play the bodies together, close the cache, end the process: nothing may be left."""
    scene = Scene(CachePolicy(repair, limit, mutant), frames, pages, hooked)

    async def play(body: Body) -> None:
        await body(scene)

    async def end() -> None:
        await scene.cache.close()
        assert scene.cache.pages == 0 and len(scene.cache) == 0 and scene.mm.locked_vm == 0
        for mm in list(scene.machine.mms.values()):
            await mm.exit()
        for file in scene.files:
            await truncate(file, 0)

    scene.rig.run(scene.open(**options))
    scene.rig.run(*map(play, bodies))
    audit(scene.machine)
    scene.rig.run(end())
    counts = scene.machine.statistics()
    assert counts["pinned"] == counts["unpinned"], "pins leaked"
    audit(scene.machine, quiet=True)
    assert scene.adapter.regions() == [] and scene.stats["registrations"] == scene.stats["deregistrations"]
    assert scene.machine.frames.free == scene.machine.frames.count
    assert not scene.rig.shadow.words.any()
    return scene


@contextmanager
def refused(code: int, kind: type[MmError] = MmError) -> Iterator[None]:
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.errno == code, caught.value


REPAIRS = get_args(Repair)
