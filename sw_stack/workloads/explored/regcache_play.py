"""The stage of the plays of the registration cache: a process, an adapter that pins, and the cache between them.

The process has PAGES pages at BASE. Its memory calls go through the library's hooks. `lock` is the application's own: who sends
from a buffer and who changes the buffer hold it, so that no order makes the application itself wrong.
"""

from __future__ import annotations

from typing import ClassVar

from hwif.trace import Trace
from sw_stack.drivers.pinned import Access, PinnedAdapter, PinnedMr
from sw_stack.drivers.regcache import CachePolicy, Entry, Hooks, PinnedRegistrar, RegistrationCache
from sw_stack.drivers.regcache.hooks import HookedCall
from sw_stack.drivers.regcache.policy import Mutant, Race, Repair
from sw_stack.mm import Mm
from sw_stack.sched import Mutex, Scheduler
from sw_stack.workloads.explored.play import BASE, PAGE, RW, Play

__all__ = ["HEAP", "READ", "CachePlay", "Heap", "at"]

READ = Access.READ
HEAP = BASE + 0x1000 * PAGE


def at(page: int) -> int:
    """Address of a page of the buffer."""
    return BASE + page * PAGE


class Heap:
    """The library's allocator. It gives memory back to the system when it is asked for some, if some was freed before."""

    def __init__(self, hooks: Hooks) -> None:
        self.freed = False
        self._hooks = hooks
        self._lock = Mutex(hooks.mm.machine.sched, "heap_lock")

    async def drop(self) -> None:
        """A thread frees something."""
        async with self._lock:
            self.freed = True

    async def malloc(self) -> None:
        async with self._lock:
            purge, self.freed = self.freed, False
        if purge:
            await self._hooks.madvise_dontneed(HEAP, PAGE)

    async def free(self) -> None:
        """Kept for the next time."""


class CachePlay(Play):
    PAGES: ClassVar[int] = 2
    HEAPED: ClassVar[bool] = False

    def __init__(self, sched: Scheduler, trace: Trace, planted: str | None = None) -> None:
        super().__init__(sched, trace, planted)
        self.adapter = PinnedAdapter(self.machine)
        self.lock = Mutex(sched, "application_lock")

    def policy(self) -> CachePolicy:
        """How the cache is set up."""
        repair: Repair = "none" if self.switch == "none" else "hook"
        return CachePolicy(repair, mutant=self.switched(Mutant, Race))

    async def prepare(self) -> None:
        self.mm = await self.program("program", self.PAGES)
        calls: tuple[HookedCall, ...] = ("munmap",) if self.switch == "no_madvise_hook" else ("munmap", "madvise")
        self.hooks = Hooks(self.mm, calls)
        self.heap = Heap(self.hooks)
        if self.HEAPED:
            await self.mm.mmap(HEAP, PAGE, RW, fixed=True)
        policy = self.policy()
        self.cache: RegistrationCache[PinnedMr] = await RegistrationCache.open(
            self.mm,
            PinnedRegistrar(self.adapter, self.mm),
            policy,
            hooks=self.hooks if policy.repair == "hook" else None,
            heap=self.heap if self.HEAPED else None,
        )
        await self.refill()

    async def refill(self) -> None:
        """What is cached when a round begins."""

    async def send(self, page: int) -> int:
        """The adapter reads the first byte of a page, by way of the cache."""
        async with self.cache.using(at(page), PAGE, READ) as mr:
            return (await self.adapter.read(mr, at(page), 1))[0]

    async def cached(self, first: int, last: int) -> None:
        """Let pages first..last-1 be registered together, and idle."""
        await self.cache.put(await self.get(first, last))

    async def get(self, first: int, last: int) -> Entry[PinnedMr]:
        return await self.cache.get(at(first), (last - first) * PAGE, READ)

    async def fill(self, page: int, byte: int, mm: Mm | None = None) -> None:
        """The process writes."""
        await (mm or self.mm).store(at(page), bytes([byte]) * 8)

    async def reuse(self, page: int, byte: int) -> None:
        """The process frees a page and gets another at the same address."""
        await self.hooks.munmap(at(page), PAGE)
        await self.mm.mmap(at(page), PAGE, RW, fixed=True)
        await self.fill(page, byte)

    async def settle(self) -> None:
        """Everything given up, the pages as they were, the cache refilled."""
        await self.cache.flush()
        regions = self.adapter.regions()
        self.check(not regions, f"{len(regions)} registrations are left when everything is given up: their pages stay pinned")
        for page in range(self.PAGES):
            await self.fill(page, page + 1)
        await self.refill()
