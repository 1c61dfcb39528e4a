"""The registration cache: how it serves, how it goes wrong with nobody to tell it, and what each repair hears of."""

from __future__ import annotations

import errno
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, get_args

import pytest
from mm_rig import PAGE, Log, Rig, register
from support.hca_rig import BASE as HCA_BASE
from support.hca_rig import LOCAL, REMOTE, pair, rdma
from support.hca_rig import Rig as HcaRig

from hwif.gen import timing
from hwif.gen.hca import Access as HcaAccess
from hwif.gen.hca import WcStatus, WrOpcode
from sw_stack.drivers.pinned import Access, CompletionError, PinnedAdapter, PinnedMr
from sw_stack.drivers.regcache import CachePolicy, Entry, HcaRegistrar, Hooks, PinnedRegistrar, RegistrationCache, UmmuNotifier
from sw_stack.drivers.regcache.events import SLOTS, Event, WatchSet
from sw_stack.drivers.regcache.hooks import HookedCall
from sw_stack.drivers.regcache.intervals import IntervalMap
from sw_stack.drivers.regcache.policy import MUTANT_TEXT, Mutant, Repair
from sw_stack.mm import PROT_READ, PROT_WRITE, Mm, MmError
from sw_stack.mm.check import audit
from sw_stack.mm.filemap import truncate
from sw_stack.mm.files import File
from sw_stack.mm.types import MemlockError
from sw_stack.sched import LockdepError

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


# ---- the cache by itself ---------------------------------------------------------------------------------------------------


def test_a_request_covered_with_enough_rights_is_a_hit() -> None:
    async def body(s: Scene) -> None:
        first = await s.cache.get(at(1) + 100, 2 * PAGE, READ | WRITE)
        assert (first.start, first.end, first.users) == (at(1), at(4), 1)
        for addr, n, access in ((at(1), 3 * PAGE, WRITE), (at(3), 1, READ), (at(4) - 1, 1, READ | WRITE)):
            again = await s.cache.get(addr, n, access)
            assert again is first
            await s.cache.put(again)
        assert first.users == 1
        await s.cache.put(first)
        with pytest.raises(ValueError, match="is nobody's"):
            await s.cache.put(first)
        with refused(errno.EINVAL):
            await s.cache.get(at(1), 0, READ)

    stats = stage(body).stats
    assert (stats["hits"], stats["misses"], stats["registrations"]) == (3, 1, 1)


@pytest.mark.parametrize("repair", REPAIRS)
def test_a_hit_makes_no_system_call(repair: Repair) -> None:
    async def body(s: Scene) -> None:
        await s.send(at(0))
        start = s.sched.now
        entry = await s.get(0, 1)
        assert s.sched.now - start == LOOK
        await s.cache.put(entry)
        assert s.sched.now - start == LOOK

    assert stage(body, repair=repair).stats["event_reads"] == 0


def test_more_than_is_cached_is_registered_together_with_it() -> None:
    async def body(s: Scene) -> None:
        await s.cache.put(await s.get(0, 2))
        busy = await s.get(3, 5, WRITE)
        await s.cache.put(await s.get(6, 7))
        wide = await s.get(1, 4)
        assert s.spans() == [(0, 5), (6, 7)] and wide.access == READ | WRITE
        assert not busy.live and busy.registration.live, "in use: its user goes on with what it has"
        await s.adapter.write(busy.registration, at(4), b"busy")
        assert await s.adapter.read(wide.registration, at(4), 4) == b"busy"
        assert len(s.adapter.regions()) == 3
        await s.cache.put(busy)
        assert len(s.adapter.regions()) == 2 and s.cache.pages == 6
        await s.cache.put(wide)
        await s.cache.put(await s.get(6, 7, WRITE))  # more rights: the same place, registered anew
        assert s.spans() == [(0, 5), (6, 7)]
        await s.cache.put(await s.get(5, 6))
        assert s.spans() == [(0, 5), (5, 6), (6, 7)], "neighbours that only touch are left alone"

    stats = stage(body).stats
    assert (stats["merges"], stats["unmerged"], stats["hits"], stats["registrations"]) == (2, 0, 0, 6)


def test_beyond_the_limit_the_least_recently_used_goes() -> None:
    async def body(s: Scene) -> None:
        for page in (0, 2, 4):
            await s.cache.put(await s.get(page, page + 1))
        await s.cache.put(await s.get(0, 1))
        await s.cache.put(await s.get(6, 7))
        assert s.spans() == [(0, 1), (4, 5), (6, 7)] and s.stats["evictions"] == 1
        await s.cache.put(await s.get(1, 3))
        assert s.spans() == [(1, 3), (6, 7)]
        wide = await s.get(0, 4)  # more than the limit by itself: it is served, and does not take its neighbours along
        assert s.spans() == [(0, 4)] and s.cache.pages == 4
        await s.cache.put(wide)
        assert s.spans() == [] and s.cache.pages == 0

    stage(body, limit=3)


def test_a_transfer_does_not_fail_for_the_limits_sake() -> None:
    async def body(s: Scene) -> None:
        entries = [await s.get(page, page + 1) for page in (0, 2, 4)]
        assert s.cache.pages == 3 and s.stats["evictions"] == 0
        await s.cache.put(entries[1])
        assert s.spans() == [(0, 1), (4, 5)]
        for entry in (entries[0], entries[2]):
            assert await s.adapter.read(entry.registration, entry.start, 1) == b"A"
            await s.cache.put(entry)
        assert s.cache.pages == 2

    stage(body, limit=2)


def test_over_the_memory_limit_idle_registrations_make_room() -> None:
    async def body(s: Scene) -> None:
        s.mm.rlimit_memlock = 4
        await s.cache.put(await s.get(0, 2))
        busy = await s.get(2, 4)
        entry = await s.get(4, 6)
        assert s.spans() == [(2, 4), (4, 6)] and s.stats["evictions"] == 1
        with refused(errno.ENOMEM, MemlockError):
            await s.get(6, 7)
        assert s.mm.locked_vm == 4 and s.spans() == [(2, 4), (4, 6)], "what is in use stays"
        assert await s.adapter.read(busy.registration, at(2), 1) == b"A"
        await s.cache.put(busy)
        await s.cache.put(entry)
        await s.cache.put(await s.get(6, 7))
        assert s.spans() == [(4, 6), (6, 7)]
        # Pages mlocked meanwhile count as well.
        await s.mm.mlock(at(0), PAGE)
        await s.cache.put(await s.get(0, 2))
        assert s.mm.locked_vm == 4 and s.spans() == [(0, 2), (6, 7)]
        await s.mm.munlock(at(0), PAGE)

    stats = stage(body).stats
    assert (stats["evictions"], stats["registration_failed"]) == (3, 1)


def test_two_threads_register_a_buffer_once() -> None:
    got: list[Entry[PinnedMr]] = []

    async def thread(s: Scene) -> None:
        entry = await s.get(0, 4)
        got.append(entry)
        await s.sched.sleep(10_000)
        await s.cache.put(entry)

    scene = stage(thread, thread, thread)
    assert got[0] is got[1] is got[2]
    assert scene.stats["registrations"] == scene.stats["misses"] == 1 and scene.stats["hits"] == 2


def test_a_registration_waits_for_another_threads_deregistration() -> None:
    """Over the memory limit with nothing idle left, but somebody about to let go."""

    async def body(s: Scene) -> None:
        await s.reopen(SlowRegistrar(s.adapter, s.mm, dereg=5000))
        s.mm.rlimit_memlock = 5
        await s.cache.put(await s.get(0, 4))
        task = s.sched.spawn(s.cache.flush(), "flushes", 3)
        await s.sched.sleep(100)
        assert s.spans() == [] and len(s.adapter.regions()) == 1
        await s.cache.put(await s.get(1, 5))
        assert task.finished and s.stats["evictions"] == 0

    stats = stage(body).stats
    assert stats["registration_failed"] == 0 and stats["registrations"] == 2


def test_closing_needs_everything_put_back() -> None:
    async def body(s: Scene) -> None:
        entry = await s.get(0, 1)
        with refused(errno.EBUSY):
            await s.cache.close()
        await s.cache.put(entry)
        await s.cache.flush()
        assert s.spans() == [] and s.adapter.regions() == []
        other = await Cache.open(s.mm, PinnedRegistrar(s.adapter, s.mm))
        await other.put(await other.get(at(0), 1, READ))
        await other.close()
        with refused(errno.EINVAL):
            await other.get(at(0), 1, READ)
        with refused(errno.EBADF):
            await other.source.close()

    stage(body)


def test_a_process_that_does_not_close_is_closed() -> None:
    """It is killed: the files it had open are released."""
    scene = Scene(CachePolicy(), 64, 4, ())
    rig = scene.rig

    async def body() -> None:
        await scene.open()
        entry = await scene.get(0, 2)
        await scene.cache.put(await scene.get(2, 4))
        await scene.mm.exit()
        assert scene.cache.source.counter() == 2, "release invalidates everything"
        assert await scene.adapter.read(entry.registration, at(0), 1) == b"A"
        with refused(errno.ESRCH):
            await scene.cache.source.watch(9, at(0), at(1))
        await scene.adapter.close(scene.mm)
        await scene.cache.source.close()
        with refused(errno.ESRCH):
            await UmmuNotifier.open(scene.mm)

    rig.run(body())
    audit(rig.machine, quiet=True)
    assert rig.machine.frames.free == rig.machine.frames.count and not rig.shadow.words.any()
    assert rig.machine.statistic("pinned") == rig.machine.statistic("unpinned") == 4


def test_impossible_policies_are_refused() -> None:
    for options, text in (
        ({"repair": "prayer"}, "repair 'prayer' is not one of none, hook, ummunotify"),
        ({"mutant": "fast"}, "mutant 'fast' is not one of None, no_generation_check"),
        ({"limit": -1}, "limit -1 is negative"),
    ):
        with pytest.raises(ValueError, match=text):
            CachePolicy(**options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="only munmap, madvise"):
        Hooks(Rig().machine.new_mm("a"), ("munmap", "sbrk"))  # type: ignore[arg-type]

    async def body(s: Scene) -> None:
        registrar = PinnedRegistrar(s.adapter, s.mm)
        with pytest.raises(ValueError, match="'hook' needs hooks"):
            await Cache.open(s.mm, registrar, CachePolicy("hook"))
        with pytest.raises(ValueError, match="'none' has no use for hooks"):
            await Cache.open(s.mm, registrar, CachePolicy("none"), hooks=s.hooks)

    stage(body)


# ---- memory that comes back at the same address ------------------------------------------------------------------------------


async def _munmap(s: Scene, addr: int) -> None:
    await s.hooks.munmap(addr, PAGE)
    await s.mm.mmap(addr, PAGE, RW, fixed=True)


async def _raw_munmap(s: Scene, addr: int) -> None:
    """By another thread, past the library."""
    await s.sched.join(s.sched.spawn(s.mm.munmap(addr, PAGE), "thread", 3))
    await s.mm.mmap(addr, PAGE, RW, fixed=True)


async def _madvise(s: Scene, addr: int) -> None:
    await s.hooks.madvise_dontneed(addr, PAGE)


async def _mmap_over(s: Scene, addr: int) -> None:
    await s.hooks.mmap(addr, PAGE, RW, fixed=True)


async def _mremap_away(s: Scene, addr: int) -> None:
    await s.hooks.mremap(addr, PAGE, PAGE, new=at(100))
    await s.mm.mmap(addr, PAGE, RW, fixed=True)


async def _mremap_onto(s: Scene, addr: int) -> None:
    await s.mm.mmap(at(100), PAGE, RW, fixed=True)
    await s.hooks.mremap(at(100), PAGE, PAGE, new=addr)


async def _brk(s: Scene, addr: int) -> None:
    await s.hooks.brk(addr)
    await s.hooks.brk(addr + PAGE)


async def _fork(s: Scene, addr: int) -> None:
    """Nothing is freed; but the next store goes to a new page."""
    await s.hooks.fork("child")


async def _truncate(s: Scene, addr: int) -> None:
    """By whoever has the file."""
    await truncate(s.files[0], 0)
    await truncate(s.files[0], 1)


EVERY_CALL: tuple[HookedCall, ...] = get_args(HookedCall)
AS_USUAL: tuple[HookedCall, ...] = ("munmap", "madvise")
# How memory goes and comes: the call the library would have to see, None if it cannot.
WAYS: dict[Callable[[Scene, int], Awaitable[None]], HookedCall | None] = {
    _munmap: "munmap",
    _madvise: "madvise",
    _mmap_over: "mmap",
    _mremap_away: "mremap",
    _mremap_onto: "mremap",
    _brk: "brk",
    _fork: "fork",
    _raw_munmap: None,
    _truncate: None,
}


async def place(s: Scene, way: object) -> int:
    """A page that can go that way."""
    if way is _brk:
        heap = await s.mm.brk(0)
        await s.mm.brk(heap + PAGE)
        return heap
    if way is _truncate:
        return await s.shared(1)
    return at(2)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("repair", "hooked"), [("none", ()), ("hook", AS_USUAL), ("hook", EVERY_CALL), ("ummunotify", ())], ids=str
)
def test_pain_27_memory_that_comes_back_at_the_same_address(
    way: Callable[[Scene, int], Awaitable[None]], repair: Repair, hooked: tuple[HookedCall, ...]
) -> None:
    """Stale entry after free and mmap at the same address: without a repair the adapter moves the bytes of pages the process has
    lost, in both directions; a hook repairs what it sees; the kernel sees everything."""
    heard = repair == "ummunotify" or WAYS[way] in hooked

    async def body(s: Scene) -> None:
        addr = await place(s, way)
        await s.mm.store(addr, b"old!")
        assert await s.send(addr) == b"old!"
        await s.receive(addr + 8, b"in")
        assert await s.mm.load(addr + 8, 2) == b"in"
        await way(s, addr)
        await s.mm.store(addr, b"new!")
        assert await s.send(addr) == (b"new!" if heard else b"old!")
        await s.mm.store(addr + 16, b"....")
        await s.receive(addr + 16, b"data")
        assert await s.mm.load(addr + 16, 4) == (b"data" if heard else b"....")

    stats = stage(body, repair=repair, hooked=hooked).stats
    assert stats["stale_hits_prevented"] >= 1 if heard else stats["invalidated"] == 0


@pytest.mark.parametrize("repair", REPAIRS)
def test_pain_28_part_of_a_registration_is_unmapped_while_it_is_in_use(repair: Repair) -> None:
    """Its user is on another page of it, and is not disturbed; what is left can be used on, and what comes instead is new."""

    async def body(s: Scene) -> None:
        entry = await s.get(0, 4, READ | WRITE)
        writer = s.sched.spawn(s.adapter.write(entry.registration, at(0), b"W" * PAGE), "write", 3)
        await s.hooks.munmap(at(2), PAGE)
        await s.sched.join(writer)
        assert await s.mm.load(at(0), 2) == b"WW"
        assert await s.send(at(1)) == b"AAAA"
        if repair == "none":
            assert s.spans() == [(0, 4)]
        else:
            assert s.spans() == [(1, 2)] and not entry.live and entry.registration.live
            with refused(errno.EFAULT):
                await s.get(0, 4)
            assert s.spans() == [], "dropped for a larger one that could not be had"
        await s.cache.put(entry)
        await s.mm.mmap(at(2), PAGE, RW, fixed=True)
        await s.fill(2, 3, b"N")
        whole = await s.get(0, 4)
        assert await s.adapter.read(whole.registration, at(2), 1) == (b"A" if repair == "none" else b"N")
        await s.cache.put(whole)

    stats = stage(body, repair=repair).stats
    assert stats["deferred"] == (repair != "none")


async def merge_scene(s: Scene) -> None:
    """A neighbour has become a hole and nobody has said so."""
    await s.cache.put(await s.get(0, 4))
    await s.mm.munmap(at(0), 2 * PAGE)
    entry = await s.get(3, 6)
    assert s.spans() == [(3, 6)]
    assert await s.adapter.read(entry.registration, at(5), 1) == b"A"
    await s.cache.put(entry)
    # The same for rights the neighbour does not give any more.
    await s.cache.put(await s.get(3, 6, WRITE))
    await s.mm.mprotect(at(3), PAGE, PROT_READ)
    await s.cache.put(await s.get(5, 7))
    assert s.spans() == [(5, 7)] and s.cache.entries()[0].access == READ


def test_pain_29_a_hole_in_a_neighbour_does_not_fail_the_request() -> None:
    stats = stage(merge_scene, repair="none").stats
    assert (stats["merges"], stats["unmerged"], stats["registration_failed"]) == (3, 2, 2)

    async def own_fault(s: Scene) -> None:
        await s.cache.put(await s.get(0, 4))
        await s.mm.munmap(at(5), PAGE)
        with refused(errno.EFAULT):
            await s.get(3, 6)  # its own page is missing, with neighbours or without

    stats = stage(own_fault, repair="none").stats
    assert stats["registration_failed"] == 2


class Arena:
    """The library's malloc: every entry is a page of its own, given back to the system at once."""

    def __init__(self) -> None:
        self.pages: list[int] = []
        self.hooks: Hooks | None = None

    async def malloc(self) -> None:
        assert self.hooks is not None
        self.pages.append(await self.hooks.mmap(None, PAGE, RW))

    async def free(self) -> None:
        assert self.hooks is not None
        await self.hooks.munmap(self.pages.pop(), PAGE)


def arena_scene(mutant: Mutant | None = None, repair: Repair = "hook") -> Scene:
    arena = Arena()

    async def body(s: Scene) -> None:
        arena.hooks = s.hooks
        for page in (0, 2, 4, 0):
            await s.cache.put(await s.get(page, page + 1))
        await _munmap(s, at(4))
        await s.fill(4, 5, b"N")
        assert await s.send(at(4)) == b"NNNN"

    return stage(body, repair=repair, limit=2, mutant=mutant, heap=arena)


@pytest.mark.parametrize("repair", ["hook", "ummunotify"])
def test_pain_30_the_cache_frees_memory_under_its_own_lock(repair: Repair) -> None:
    """Its own munmap is an event like any other: queued, and looked at by the next request."""
    scene = arena_scene(repair=repair)
    assert scene.stats["evictions"] >= 2 and scene.stats["invalidated"] == 1


def test_pain_30_a_monitor_that_takes_the_caches_lock_meets_itself() -> None:
    with pytest.raises(LockdepError, match=r"takes regcache_lock\[process\] twice"):
        arena_scene("lock_in_hook")


async def fork_scene(s: Scene) -> None:
    """The child sends from its own pages, with its own registrations."""
    await s.send(at(0))
    child = await s.mm.fork("child")
    registrar = PinnedRegistrar(s.adapter, child)
    cache = await s.cache.forked(child, registrar)
    await child.store(at(0), b"child")
    async with cache.using(at(0), 5, READ) as mr:
        assert mr.mm is child and await s.adapter.read(mr, at(0), 5) == b"child"
    assert await s.send(at(0)) == b"AAAA"
    await cache.close()


def test_pain_30_a_child_begins_with_an_empty_cache() -> None:
    scene = stage(fork_scene)
    assert scene.stats["stale_hits_prevented"] == 1, "fork concerns every registration of the parent"


async def fork_under_lock_scene(s: Scene) -> None:
    """Another thread is inside the cache, with its lock, at the time of the fork."""
    await s.send(at(0))

    async def register() -> None:
        await s.cache.put(await s.get(2, 8))

    async def child() -> None:
        mm = await s.mm.fork("child")
        cache = await s.cache.forked(mm, PinnedRegistrar(s.adapter, mm))
        async with cache.using(at(7), 1, READ) as mr:
            assert await s.adapter.read(mr, at(7), 1) == b"A"
        await cache.close()

    tasks = [s.sched.spawn(register(), "registers", 2), s.sched.spawn(child(), "forks", 3)]
    for task in tasks:
        await s.sched.join(task)


def test_pain_30_fork_while_another_thread_holds_the_lock() -> None:
    stage(fork_under_lock_scene)
    with pytest.raises(AssertionError, match=r"(?s)waits for regcache_lock"):
        stage(fork_under_lock_scene, mutant="fork_inherits")


@pytest.mark.parametrize("repair", ["hook", "ummunotify"])
def test_pain_30_removed_is_not_unmapped(repair: Repair) -> None:
    """madvise takes the pages and leaves the mapping: the address can be registered again at once, as munmap's cannot. Both take
    the registration; a monitor that hears only of munmap keeps a dead one."""

    async def body(s: Scene) -> None:
        await s.cache.put(await s.get(0, 2))
        await s.hooks.madvise_dontneed(at(0), PAGE)
        assert await s.send(at(0)) == bytes(4)
        assert await s.send(at(1)) == b"AAAA"
        await s.hooks.munmap(at(0), PAGE)
        with refused(errno.EFAULT):
            await s.send(at(0))
        assert s.spans() == [(1, 2)]
        assert await s.send(at(1)) == b"AAAA"

    stage(body, repair=repair)

    async def deaf(s: Scene) -> None:
        await s.send(at(0))
        await s.hooks.madvise_dontneed(at(0), PAGE)
        assert await s.send(at(0)) == b"AAAA" != await s.mm.load(at(0), 4)

    stage(deaf, repair="hook", hooked=("munmap",))


async def valid_scene(s: Scene) -> None:
    """The adapter has lost the registration: somebody closed it, or it was reset."""
    await s.send(at(0))
    await s.adapter.close(s.mm)
    assert await s.send(at(0)) == b"AAAA"


def test_pain_30_a_hit_is_asked_whether_it_still_exists() -> None:
    stats = stage(valid_scene, repair="none").stats
    assert (stats["hits"], stats["registrations"], stats["invalidated"]) == (0, 2, 1)


# ---- what a repaired cache still is ------------------------------------------------------------------------------------------


def test_reclaim_makes_a_registration_again_for_nothing() -> None:
    """Pinned pages keep their frames: reclaim unmaps them, meets the reference, and has told the notifiers by then."""

    async def body(s: Scene) -> None:
        entry = await s.get(0, 2)
        await s.cache.put(entry)
        before = entry.registration.pfns
        await s.machine.reclaim(s.machine.frames.count)
        entry = await s.get(0, 2)
        assert entry.registration.pfns == before
        assert await s.adapter.read(entry.registration, at(1), 1) == b"A"
        await s.cache.put(entry)
        assert not await s.machine.migrate_page(s.mm, at(0))
        assert await s.send(at(0)) == b"AAAA"

    scene = stage(body)
    source = scene.cache.source
    assert isinstance(source, UmmuNotifier)
    assert source.watches.stats.marked == source.watches.stats.marked_by_page == 2
    assert (scene.stats["invalidated"], scene.stats["registrations"], scene.stats["stale_hits_prevented"]) == (2, 3, 2)


def test_what_no_cache_repairs() -> None:
    """Another thread unmaps the buffer between the hit and the transfer: the pinned frames take the data, and nobody else's
    memory."""

    async def body(s: Scene) -> None:
        entry = await s.get(0, 1, WRITE)
        await s.mm.munmap(at(0), PAGE)
        await s.mm.mmap(at(0), PAGE, RW, fixed=True)
        await s.mm.store(at(0), b"theirs")
        await s.adapter.write(entry.registration, at(0), b"arrived too late")
        assert await s.mm.load(at(0), 6) == b"theirs"
        await s.cache.put(entry)
        await s.receive(at(0), b"next")
        assert await s.mm.load(at(0), 6) == b"nextrs"

    stage(body)

    async def fork(s: Scene) -> None:
        """A receive is posted when the process forks, and the process stores to another part of the page."""
        entry = await s.get(0, 1, WRITE)
        await s.mm.fork("child")
        await s.mm.store(at(0) + 64, b"parent")
        await s.adapter.write(entry.registration, at(0), b"arrived")
        assert await s.mm.load(at(0), 7) == b"A" * 7
        await s.cache.put(entry)
        await s.receive(at(0), b"arrived")
        assert await s.mm.load(at(0), 7) == b"arrived" and await s.mm.load(at(0) + 64, 6) == b"parent"

    stage(fork)


def test_an_end_that_never_comes_costs_hits_and_nothing_else() -> None:
    """As copy_page_range of V6 after an error: the range counts as being invalidated for ever."""

    async def body(s: Scene) -> None:
        s.mm.notifiers.forget_range(await s.mm.notifiers.range_begin(at(0), at(2), False))
        for page in (1, 1, 1, 4, 4):
            assert await s.send(at(page)) == b"AAAA"

    stats = stage(body).stats
    assert (stats["hits"], stats["registrations"], stats["stale_hits_prevented"]) == (1, 4, 2)


def test_more_invalidations_at_once_than_are_remembered() -> None:
    """The range of the last two is not known: until both have ended nothing is hit, and after that only what the others spare."""

    async def body(s: Scene) -> None:
        begin = s.mm.notifiers.range_begin
        running = [await begin(at(page), at(page + 1), False) for page in range(SLOTS + 2)]
        for hits in (0, 0, 0, 1):
            assert await s.send(at(40)) == await s.send(at(0)) == b"AAAA"
            assert s.stats["hits"] == hits
            await s.mm.notifiers.range_end(running.pop() if len(running) > SLOTS else running.pop(1))
        while running:
            await s.mm.notifiers.range_end(running.pop())
        await s.send(at(0))
        assert await s.send(at(0)) == b"AAAA" and s.stats["hits"] == 2

    stage(body, pages=48)


def test_nothing_is_read_while_nothing_happens_and_each_event_once() -> None:
    async def body(s: Scene) -> None:
        await s.cache.put(await s.get(0, 4))
        await s.cache.put(await s.get(6, 7))
        for page in (3, 1, 1):
            await s.mm.madvise_dontneed(at(page), PAGE)
        await s.mm.madvise_dontneed(at(5), PAGE)  # nobody's
        source = s.cache.source
        counter = source.counter()
        assert await source.read() == ([Event(1, at(1), at(4))], counter)
        assert await source.read() == ([], counter) and source.counter() == counter
        await s.mm.munmap(at(0), 8 * PAGE)
        with refused(errno.EFAULT):
            await s.get(0, 1)
        assert s.spans() == [], "one unmapping, two registrations"
        await s.mm.mmap(at(0), 8 * PAGE, RW, fixed=True)

    scene = stage(body)
    source = scene.cache.source
    assert isinstance(source, UmmuNotifier)
    stats = source.watches.stats
    assert (stats.marked, stats.already_marked, stats.read, stats.marked_at_watch) == (3, 2, 3, 0)
    assert scene.stats["event_reads"] == 1 and scene.stats["invalidated"] == 2


def test_ranges_are_watched_under_the_librarys_own_names() -> None:
    async def body(s: Scene) -> None:
        source = await UmmuNotifier.open(s.mm)
        await source.watch(7, at(0), at(4))
        await source.watch(8, at(2), at(6))
        for cookie, start, end in ((7, at(6), at(7)), (9, at(3), at(3))):
            with refused(errno.EINVAL):
                await source.watch(cookie, start, end)
        await source.unwatch(99)
        await s.mm.mprotect(at(3), 2 * PAGE, PROT_READ)
        assert (await source.read())[0] == [Event(7, at(3), at(4)), Event(8, at(3), at(5))]
        await s.mm.mprotect(at(3), 2 * PAGE, RW)
        await source.unwatch(7)
        assert (await source.read())[0] == [Event(8, at(3), at(5))]
        await source.close()
        with pytest.raises(ValueError, match="its page is unmapped"):
            source.counter()
        with refused(errno.ESRCH):
            await source.watch(10, at(0), at(1))

    stage(body, repair="none")


def test_an_event_is_queued_where_nobody_may_sleep() -> None:
    """truncate holds a spinlock, and the client must not allocate, wait, or take a lock that the library holds."""

    async def body(s: Scene) -> None:
        where = await s.shared(4)
        (file,) = s.files
        await s.mm.store(where + PAGE, b"before")
        assert await s.send(where + PAGE) == b"befo"
        async with s.cache._lock:
            await s.sched.join(s.sched.spawn(truncate(file, 1), "truncates", 3))
        assert s.cache.source.counter() == 1
        await truncate(file, 4)
        assert await s.send(where + PAGE) == bytes(4)

    stage(body)


# ---- the parts ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_intervals_against_a_list(seed: int) -> None:
    rng = random.Random(seed)
    fast: IntervalMap[int] = IntervalMap()
    naive: dict[int, tuple[int, int]] = {}
    for number in range(600):
        start = rng.randrange(200)
        end = start + rng.randrange(0, 12)
        clash = start >= end or any(low < end and start < high for low, high in naive.values())
        if rng.random() < 0.5:
            if clash:
                with pytest.raises(ValueError, match="overlaps"):
                    fast.add(start, end, number)
            else:
                fast.add(start, end, number)
                naive[number] = (start, end)
        elif naive and rng.random() < 0.5:
            victim = rng.choice(sorted(naive))
            assert fast.remove(naive.pop(victim)[0]) == victim
        start = rng.randrange(200)
        end = start + rng.randrange(1, 20)
        overlapping = [
            item for low, item in sorted((low, item) for item, (low, high) in naive.items() if low < end and start < high)
        ]
        assert fast.overlapping(start, end) == overlapping
        covering = [item for item, (low, high) in naive.items() if low <= start and end <= high]
        assert fast.covering(start, end) == (covering[0] if covering else None)
    assert len(fast) == len(naive) == len(list(fast)) > 2
    with pytest.raises(KeyError):
        fast.remove(1000)


@pytest.mark.parametrize("seed", range(5))
def test_watches_against_a_list(seed: int) -> None:
    rng = random.Random(seed)
    watches = WatchSet()
    naive: dict[int, tuple[int, int]] = {}
    pending: set[int] = set()
    running: list[tuple[int, int]] = []
    for cookie in range(800):
        start = rng.randrange(300)
        end = start + rng.choice((1, 3, 10, 100))
        before = watches.counter
        match rng.randrange(6):
            case 0 | 1:
                watches.watch(cookie, start, end)
                naive[cookie] = (start, end)
                covered = any(low < end and start < high for low, high in running)
                pending |= {cookie} if covered or len(running) > SLOTS else set()
            case 2:
                if naive:
                    victim = rng.choice(sorted(naive))
                    watches.unwatch(victim)
                    del naive[victim]
                    pending.discard(victim)
            case 3 | 4:
                found = {item for item, (low, high) in naive.items() if low < end and start < high}
                assert watches.invalidate(start, end) == len(found - pending)
                pending |= found
            case _:
                if running and rng.random() < 0.4 + len(running) / 40:
                    watches.end(*running.pop())
                else:
                    found = {item for item, (low, high) in naive.items() if low < end and start < high}
                    watches.begin(start, end)
                    running.append((start, end))
                    pending |= found
        assert watches.counter >= before
        if rng.random() < 0.2:
            assert {event.cookie for event in watches.take()} == pending
            pending.clear()
    assert len(watches) == len(naive) and watches.stats.read > 30


# ---- broken caches -----------------------------------------------------------------------------------------------------------


async def remap_scene(s: Scene) -> None:
    """Exactly the registered range goes and comes back."""
    assert await s.send(at(2)) == b"AAAA"
    await _munmap(s, at(2))
    await s.mm.store(at(2), b"new!")
    assert await s.send(at(2)) == b"new!"


async def part_scene(s: Scene) -> None:
    """Part of the registered range goes and comes back."""
    await s.cache.put(await s.get(0, 4))
    await remap_scene(s)


async def evict_scene(s: Scene) -> None:
    """More in use than the limit allows."""
    first = await s.get(0, 2)
    second = await s.get(4, 6)
    assert await s.adapter.read(first.registration, at(1), 1) == b"A"
    await s.cache.put(first)
    await s.cache.put(second)


async def deferred_scene(s: Scene) -> None:
    """Invalidated while in use, put back afterwards: the pages must be let go."""
    entry = await s.get(0, 2)
    await s.mm.madvise_dontneed(at(0), PAGE)
    assert await s.send(at(0)) == bytes(4)
    await s.cache.put(entry)
    await s.cache.flush()
    assert s.machine.statistic("pinned") == s.machine.statistic("unpinned"), "pins leaked"


async def late_watch_scene(s: Scene) -> None:
    """Another thread unmaps a page while it is being registered. That transfer is the application's error; the next is not."""
    await s.reopen(SlowRegistrar(s.adapter, s.mm, reg=5000))

    async def unmap() -> None:
        while not s.machine.statistic("pinned"):
            await s.sched.sleep(50)
        await s.mm.munmap(at(3), PAGE)

    task = s.sched.spawn(unmap(), "unmaps", 3)
    await s.cache.put(await s.get(0, 4))
    await s.sched.join(task)
    await s.mm.mmap(at(3), PAGE, RW, fixed=True)
    await s.mm.store(at(3), b"new!")
    assert await s.send(at(3)) == b"new!"


async def running_scene(s: Scene) -> None:
    """A registration is made between the begin of a madvise and the moment it takes the pages out; the next transfer is after
    it."""
    # Another client of the address space takes its time, after the cache's has been called.
    slow = Log(s.sched, cycles=3000)
    await register(s.mm, slow)
    await s.reopen(PinnedRegistrar(s.adapter, s.mm))
    task = s.sched.spawn(s.mm.madvise_dontneed(at(0), 4 * PAGE), "madvise", 3)
    await s.sched.sleep(500)
    assert [call[0] for call in slow.calls] == ["begin"]
    entry = await s.get(0, 4)
    assert not task.finished and await s.adapter.read(entry.registration, at(3), 1) == b"A"
    await s.cache.put(entry)
    await s.sched.join(task)
    await s.mm.store(at(3), b"new!")
    assert await s.send(at(3)) == b"new!"


def play(body: Body, **options: Any) -> Callable[[Mutant | None], Scene]:
    return lambda mutant: stage(body, mutant=mutant, **options)


SCENES: dict[Mutant, tuple[Callable[[Mutant | None], Scene], type[BaseException], str]] = {
    "no_generation_check": (play(remap_scene), AssertionError, "b'AAAA' == b'new!'"),
    "event_lost": (play(remap_scene), AssertionError, "b'AAAA' == b'new!'"),
    "evict_in_use": (play(evict_scene, limit=2), CompletionError, "EINVAL: .* is not registered"),
    "overlap_missed": (play(part_scene), AssertionError, "b'AAAA' == b'new!'"),
    "watch_late": (play(late_watch_scene), AssertionError, "b'AAAA' == b'new!'"),
    "ignore_active": (play(running_scene), AssertionError, "b'AAAA' == b'new!'"),
    "no_valid": (play(valid_scene), CompletionError, "EINVAL: .* is not registered"),
    "merge_or_fail": (play(merge_scene, repair="none"), MmError, "EFAULT"),
    "forget_deferred": (play(deferred_scene), AssertionError, "pins leaked"),
    "lock_in_hook": (arena_scene, LockdepError, "takes regcache_lock"),
    "fork_inherits": (play(fork_scene), AssertionError, "<Mm 1 process> is <Mm"),
}


def test_every_mutant_has_a_scene_and_a_text() -> None:
    assert set(SCENES) == set(MUTANT_TEXT) == set(get_args(Mutant))


@pytest.mark.parametrize("mutant", SCENES)
def test_a_broken_cache_is_caught(mutant: Mutant) -> None:
    scene, error, text = SCENES[mutant]
    scene(None)
    with pytest.raises(error, match=text):
        scene(mutant)


def test_an_event_that_is_lost_or_missed_is_the_hooks_affair_too() -> None:
    for mutant in ("event_lost", "overlap_missed", "no_generation_check"):
        stage(part_scene, repair="hook")
        with pytest.raises(AssertionError, match="b'AAAA' == b'new!'"):
            stage(part_scene, repair="hook", mutant=mutant)  # type: ignore[arg-type]


# ---- the HCA -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("repair", ["none", "ummunotify"])
def test_the_same_cache_in_front_of_the_hca(repair: Repair) -> None:
    rig = HcaRig()

    async def body() -> None:
        left, right = await pair(rig)
        mms: list[Mm] = [left.mm, right.mm]
        for mm in mms:
            await mm.mmap(HCA_BASE, 2 * PAGE, RW, fixed=True)
            await mm.store(HCA_BASE, b"old!" * 16)
        policy = CachePolicy(repair)
        mine = await RegistrationCache.open(left.mm, HcaRegistrar(left.driver, left.pd), policy)
        theirs = await RegistrationCache.open(right.mm, HcaRegistrar(right.driver, right.pd), policy)

        async def transfer() -> None:
            async with mine.using(HCA_BASE, 64, LOCAL) as local, theirs.using(HCA_BASE, 64, REMOTE) as remote:
                done = await left.do(rdma(WrOpcode.RDMA_WRITE, HCA_BASE, 64, local, HCA_BASE, remote))
                assert done.status is WcStatus.SUCCESS

        await transfer()
        await left.mm.munmap(HCA_BASE, PAGE)
        await left.mm.mmap(HCA_BASE, PAGE, RW, fixed=True)
        await left.mm.store(HCA_BASE, b"new!" * 16)
        await transfer()
        assert await right.mm.load(HCA_BASE, 4) == (b"old!" if repair == "none" else b"new!")
        assert (mine.stats.hits, mine.stats.registrations) == ((1, 1) if repair == "none" else (0, 2))
        assert (theirs.stats.hits, theirs.stats.registrations) == (1, 1)
        with refused(errno.EINVAL):
            await mine.get(HCA_BASE, PAGE, HcaAccess.ON_DEMAND)
        for cache, end in ((mine, left), (theirs, right)):
            await cache.close()
            await end.close()
            await end.mm.exit()

    rig.run(body())
    assert not rig.device.violations()
    for system in rig.systems:
        counts = system.machine.statistics()
        assert counts["pinned"] == counts["unpinned"]
        audit(system.machine, quiet=True)
