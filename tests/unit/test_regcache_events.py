"""What a repaired cache hears of invalidations, what that costs it, and what it cannot repair; the watches and the intervals behind
it, each against a list."""

from __future__ import annotations

import errno
import random

import pytest
from mm_rig import PAGE
from regcache_rig import RW, WRITE, Scene, at, refused, stage

from sw_stack.drivers.regcache import UmmuNotifier
from sw_stack.drivers.regcache.events import SLOTS, Event, WatchSet
from sw_stack.drivers.regcache.intervals import IntervalMap
from sw_stack.mm import PROT_READ
from sw_stack.mm.filemap import truncate

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
