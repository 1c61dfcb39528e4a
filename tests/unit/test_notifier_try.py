"""Ranges that may not sleep and may fail: the chain, the interval notifier on it, and their one caller, the OOM reaper."""

from __future__ import annotations

import pytest
from mm_context import AREA, RW, ContextLog, Scene, at, stage
from mm_rig import PAGE, Rig, register

from hwif.gen.events import TraceEvent
from sw_stack.mm import Mm, MmError
from sw_stack.mm.oom import oom_reap
from sw_stack.notifier import IntervalSubscription, IntervalSubscriptions
from sw_stack.sched import LockdepError


class Refuses(ContextLog):
    """A client that would have to sleep."""

    async def invalidate_range_try(self, mm: Mm, start: int, end: int) -> bool:
        self._note("refused", start, end)
        return False


class Sleeps(ContextLog):
    """One that does not know the difference."""

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        await self.sched.sleep(10)


def what(log: ContextLog) -> list[str]:
    return [call.what for call in log.take()]


@pytest.mark.parametrize("first", [True, False])
def test_one_refusal_undoes_the_range_for_those_that_agreed(first: bool) -> None:
    """The newest client is asked first. Nobody that refused, or was not asked, hears an end (mn_hlist_invalidate_range_start)."""

    async def body(s: Scene) -> None:
        refuses = Refuses(s.rig.sched)
        if first:
            await register(s.mm, refuses)
        else:
            async with s.mm.mmap_lock.writing():
                await s.mm.notifiers.unregister(s.log)
                s.mm.notifiers.register(refuses)
                s.mm.notifiers.register(s.log)
        assert await s.mm.notifiers.try_range(at(0), at(2)) is None
        assert what(refuses) == ["refused"]
        assert what(s.log) == ([] if first else ["begin", "end"])
        assert s.mm.notifiers.active_ranges() == () and s.mm.shadow.records().get(at(0) // PAGE)
        assert len(s.rig.seen(TraceEvent.MN_RANGE_FAILED)) == 1

    stage(body)


def test_agreed_by_all_it_is_an_atomic_range_like_any_other() -> None:
    async def body(s: Scene) -> None:
        active = await s.mm.notifiers.try_range(at(0), at(2))
        assert active is not None and not s.mm.shadow.records().get(at(0) // PAGE)
        await s.mm.notifiers.range_end(active)
        calls = s.log.take()
        assert [(call.what, call.args, call.sleep) for call in calls] == [
            ("begin", (at(0), at(2), True), False),
            ("end", (at(0), at(2), True), False),
        ]
        assert s.mm.shadow.records().get(at(0) // PAGE)

    stage(body)


def test_a_client_that_sleeps_all_the_same_is_caught() -> None:
    async def body(s: Scene) -> None:
        await register(s.mm, Sleeps(s.rig.sched))
        with pytest.raises(LockdepError, match="MN-2: in invalidate_range_begin of <Sleeps>: sleeping while atomic"):
            await s.mm.notifiers.try_range(at(0), at(2))
        assert s.mm.notifiers.active_ranges() == ()

    stage(body)


class Interval(IntervalSubscription):
    def __init__(self, page: int, *, sleeps: bool) -> None:
        super().__init__(at(page), at(page + 1))
        self.sleeps = sleeps
        self.calls = 0

    async def invalidate(self, start: int, end: int, atomic: bool) -> None:
        self.calls += 1

    async def invalidate_try(self, start: int, end: int) -> bool:
        if not self.sleeps:
            self.calls += 1
        return not self.sleeps


def test_an_interval_that_would_sleep_opens_the_others_again() -> None:
    async def body(s: Scene) -> None:
        group, quick, slow = IntervalSubscriptions(s.rig.sched, s.mm), Interval(0, sleeps=False), Interval(1, sleeps=True)
        async with s.mm.mmap_lock.writing():
            group.insert(quick)
            group.insert(slow)
        seq = await group.read_begin(quick)
        assert await s.mm.notifiers.try_range(at(0), at(2)) is None
        assert not group.invalidating and quick.calls == 1 and slow.calls == 0
        assert group.read_retry(quick, seq)  # what was looked up before may be stale all the same
        assert not group.read_retry(quick, await group.read_begin(quick))
        active = await s.mm.notifiers.try_range(at(0), at(1))
        assert active is not None and group.invalidating
        await s.mm.notifiers.range_end(active)
        assert not group.invalidating

    stage(body)


def test_the_reaper_skips_the_areas_whose_client_would_sleep() -> None:
    async def body(s: Scene) -> None:
        group, slow = IntervalSubscriptions(s.rig.sched, s.mm), Interval(1, sleeps=True)
        async with s.mm.mmap_lock.writing():
            group.insert(slow)
        await s.mm.mmap(at(8), 2 * PAGE, RW, fixed=True)
        await s.mm.store(at(8), b"x")
        s.mm.oom_victim = True
        free = s.machine.frames.free
        assert await oom_reap(s.mm) == 1
        assert s.machine.frames.free == free + 1 and s.machine.statistic("oom_area_skipped") == 1
        assert s.frame(1) and s.mm.page_table.lookup(at(8) // PAGE) is None
        s.mm.oom_victim = False

    stage(body)


def test_the_reaper_does_not_wait_for_the_mmap_lock() -> None:
    async def body(s: Scene) -> None:
        async def writer() -> None:
            async with s.mm.mmap_lock.writing():
                await s.rig.sched.sleep(1000)

        task = s.rig.sched.spawn(writer(), "writer", 1)
        await s.rig.sched.sleep(10)
        assert await oom_reap(s.mm) == 1 and s.machine.statistic("oom_reap_failed") == 1
        await s.rig.sched.join(task)

    stage(body)


def test_a_victim_gets_no_more_memory() -> None:
    rig = Rig(frames=24, swap=0, oom_killer=True)
    small, large = rig.machine.new_mm("small"), rig.machine.new_mm("large")

    async def body() -> None:
        for mm, pages in ((small, 6), (large, 14)):
            await mm.mmap(AREA, 20 * PAGE, RW, fixed=True)
            for page in range(pages):
                await mm.store(at(page), b"x")
        for page in range(6, 13):
            await small.store(at(page), b"y")  # the last of these need what large gives up
        assert large.oom_victim and not small.oom_victim and rig.machine.statistic("oom_kill") == 1
        with pytest.raises(MmError, match="killed, out of memory"):
            await large.store(at(0), b"z")
        await large.exit()
        await small.exit()

    rig.run(body())
    assert rig.machine.frames.free == rig.machine.frames.count
