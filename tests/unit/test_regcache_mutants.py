"""Each way to get the cache wrong, with the scene that catches it. The mistakes of rows 29 and 30 of the pain points are among
them: neighbours that fail a request, the cache's own lock, fork, what is removed and not unmapped."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, get_args

import pytest
from mm_rig import PAGE, Log, register
from regcache_rig import READ, RW, WRITE, Body, Scene, SlowRegistrar, at, refused, stage

from sw_stack.drivers.pinned import CompletionError
from sw_stack.drivers.regcache import Hooks, PinnedRegistrar
from sw_stack.drivers.regcache.policy import MUTANT_TEXT, Mutant, Repair
from sw_stack.mm import PROT_READ, MmError
from sw_stack.sched import LockdepError

# ---- mistakes that have been made --------------------------------------------------------------------------------------------


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
        await s.remap(at(4))
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


# ---- broken caches -----------------------------------------------------------------------------------------------------------


async def remap_scene(s: Scene) -> None:
    """Exactly the registered range goes and comes back."""
    assert await s.send(at(2)) == b"AAAA"
    await s.remap(at(2))
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
