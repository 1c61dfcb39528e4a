"""The registration cache by itself: hits, merges, limits, threads, closing; and the same cache in front of the HCA."""

from __future__ import annotations

import errno

import pytest
from mm_rig import PAGE, Rig
from regcache_rig import LOOK, READ, REPAIRS, RW, WRITE, Cache, Scene, SlowRegistrar, at, refused, stage
from support.hca_rig import BASE as HCA_BASE
from support.hca_rig import LOCAL, REMOTE, pair, rdma
from support.hca_rig import Rig as HcaRig

from hwif.gen.hca import Access as HcaAccess
from hwif.gen.hca import WcStatus, WrOpcode
from sw_stack.drivers.pinned import PinnedMr
from sw_stack.drivers.regcache import CachePolicy, Entry, HcaRegistrar, Hooks, PinnedRegistrar, RegistrationCache, UmmuNotifier
from sw_stack.drivers.regcache.policy import Repair
from sw_stack.mm import Mm
from sw_stack.mm.check import audit
from sw_stack.mm.types import MemlockError

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
        ({"mutant": "fast"}, "mutant 'fast' is not one of no_generation_check"),
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
