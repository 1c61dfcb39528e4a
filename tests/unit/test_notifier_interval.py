"""Interval notifiers: the sequence numbers, and subscriptions that come and go while invalidations run (mm/mmu_notifier.c)."""

from __future__ import annotations

import pytest
from mm_rig import PAGE, Rig

from sw_stack.mm import PROT_READ, PROT_WRITE, Mm
from sw_stack.notifier import IntervalSubscription, IntervalSubscriptions, NotifierError

BASE = 0x1000_0000_0000
RW = PROT_READ | PROT_WRITE


class Sub(IntervalSubscription):
    """Writes down what it is called with, and takes its time."""

    def __init__(self, rig: Rig, start: int, end: int, *, cycles: int = 0) -> None:
        super().__init__(start, end)
        self.calls: list[tuple[int, int, bool]] = []
        self.done = 0
        self._rig = rig
        self._cycles = cycles

    async def invalidate(self, start: int, end: int, atomic: bool) -> None:
        self.calls.append((start, end, atomic))
        await self._rig.sched.charge(self._cycles)
        self.done += 1


async def watched(rig: Rig, *subs: Sub) -> tuple[Mm, IntervalSubscriptions]:
    mm = rig.machine.new_mm("program")
    await mm.mmap(BASE, 16 * PAGE, RW, fixed=True)
    for page in range(16):
        await mm.store(BASE + page * PAGE, bytes([page]))
    group = IntervalSubscriptions(rig.sched, mm)
    async with mm.mmap_lock.writing():
        for sub in subs:
            group.insert(sub)
    return mm, group


def test_only_overlapping_subscriptions_are_called_and_numbered() -> None:
    rig = Rig()
    near, far = Sub(rig, BASE, BASE + 4 * PAGE), Sub(rig, BASE + 8 * PAGE, BASE + 12 * PAGE)

    async def body() -> None:
        mm, group = await watched(rig, near, far)
        first, second = await group.read_begin(near), await group.read_begin(far)
        await mm.madvise_dontneed(BASE + 3 * PAGE, 5 * PAGE)
        assert group.read_retry(near, first)
        assert not group.read_retry(far, second)
        assert not group.read_retry(near, await group.read_begin(near))
        assert not group.invalidating

    rig.run(body())
    assert near.calls == [(BASE + 3 * PAGE, BASE + 8 * PAGE, False)]
    assert far.calls == []


def test_read_begin_sleeps_while_the_range_is_invalidated_and_no_longer() -> None:
    rig = Rig()
    sub = Sub(rig, BASE, BASE + PAGE, cycles=5000)

    async def body() -> None:
        mm, group = await watched(rig, sub)
        task = rig.sched.spawn(mm.madvise_dontneed(BASE, PAGE), "madvise", 1)
        while not sub.calls:
            await rig.sched.sleep(50)
        assert group.invalidating
        began = rig.sched.now
        seq = await group.read_begin(sub)
        assert sub.done == 1
        assert rig.sched.now > began + 4000
        assert not group.read_retry(sub, seq)
        await rig.sched.join(task)

    rig.run(body())


def test_concurrent_invalidations_end_together() -> None:
    """The number turns even when the last of several overlapping ranges has ended."""
    rig = Rig()
    sub = Sub(rig, BASE, BASE + 8 * PAGE)

    async def body() -> None:
        mm, group = await watched(rig, sub)
        async with mm.mmap_lock.reading():
            one = await mm.notifiers.range_begin(BASE, BASE + PAGE, False)
            two = await mm.notifiers.range_begin(BASE + PAGE, BASE + 2 * PAGE, False)
            await mm.notifiers.range_end(one)
            assert group.invalidating
            await mm.notifiers.range_end(two)
            assert not group.invalidating

    rig.run(body())
    assert len(sub.calls) == 2


def test_a_subscription_that_comes_during_an_invalidation_waits_for_its_end() -> None:
    rig = Rig()
    old, new = Sub(rig, BASE, BASE + PAGE, cycles=4000), Sub(rig, BASE, BASE + PAGE)

    async def body() -> None:
        mm, group = await watched(rig, old)
        task = rig.sched.spawn(mm.madvise_dontneed(BASE, PAGE), "madvise", 1)
        while not old.calls:
            await rig.sched.sleep(50)
        group.insert(new)
        assert new not in group.subscriptions()
        await group.read_begin(new)
        assert old.done == 1
        assert new in group.subscriptions()
        await rig.sched.join(task)
        await mm.madvise_dontneed(BASE, PAGE)

    rig.run(body())
    assert len(new.calls) == 1


def test_a_subscription_that_comes_while_others_ranges_are_invalidated_is_called_from_then_on() -> None:
    """Nothing that was subscribed overlaps, so the number is even; the newcomer must still wait for ranges it did not see begin."""
    rig = Rig()
    new = Sub(rig, BASE, BASE + 4 * PAGE)

    async def body() -> None:
        mm, group = await watched(rig, Sub(rig, BASE + 8 * PAGE, BASE + 9 * PAGE))
        async with mm.mmap_lock.reading():
            seen = await mm.notifiers.range_begin(BASE, BASE + PAGE, False)
            assert not group.invalidating
            group.insert(new)
            assert group.invalidating
            task = rig.sched.spawn(group.read_begin(new), "reader", 1)
            await rig.sched.sleep(1000)
            assert not task.finished
            await mm.notifiers.range_end(seen)
            await rig.sched.join(task)

    rig.run(body())
    assert new.calls == []


def test_pain_10_remove_returns_when_no_invalidation_can_use_the_subscription() -> None:
    """Deregistration during an invalidation: the end of the range still meets the subscription."""
    rig = Rig()
    sub = Sub(rig, BASE, BASE + PAGE, cycles=4000)

    async def body() -> None:
        mm, group = await watched(rig, sub)
        task = rig.sched.spawn(mm.madvise_dontneed(BASE, PAGE), "madvise", 1)
        while not sub.calls:
            await rig.sched.sleep(50)
        await group.remove(sub)
        assert sub.done == 1
        assert not group.invalidating
        assert group.subscriptions() == ()
        await rig.sched.join(task)
        await mm.madvise_dontneed(BASE, PAGE)
        with pytest.raises(NotifierError, match="not subscribed"):
            await group.remove(sub)

    rig.run(body())
    assert len(sub.calls) == 1


def test_a_subscription_inserted_and_removed_during_one_invalidation_never_joins() -> None:
    rig = Rig()
    old, new = Sub(rig, BASE, BASE + PAGE, cycles=4000), Sub(rig, BASE, BASE + PAGE)

    async def body() -> None:
        mm, group = await watched(rig, old)
        task = rig.sched.spawn(mm.madvise_dontneed(BASE, PAGE), "madvise", 1)
        while not old.calls:
            await rig.sched.sleep(50)
        group.insert(new)
        await group.remove(new)
        assert old.done == 0
        await rig.sched.join(task)
        assert group.subscriptions() == (old,)

    rig.run(body())


def test_a_page_is_a_begin_and_an_end_in_one_and_atomic() -> None:
    rig = Rig()
    sub = Sub(rig, BASE, BASE + 4 * PAGE, cycles=10)

    async def body() -> None:
        mm, group = await watched(rig, sub)
        seq = await group.read_begin(sub)
        assert await rig.machine.migrate_page(mm, BASE + 2 * PAGE)
        assert group.read_retry(sub, seq)
        assert not group.invalidating

    rig.run(body())
    assert sub.calls == [(BASE + 2 * PAGE, BASE + 3 * PAGE, True)]


def test_release_invalidates_everything_once_and_later_subscriptions_are_refused() -> None:
    rig = Rig()
    sub = Sub(rig, BASE, BASE + PAGE)

    async def body() -> None:
        mm, group = await watched(rig, sub)
        await mm.exit()
        with pytest.raises(NotifierError, match="MN-4"):
            group.insert(Sub(rig, BASE, BASE + PAGE))
        await group.remove(sub)

    rig.run(body())
    assert sub.calls == [(0, 1 << 64, False)]


@pytest.mark.parametrize(("start", "end"), [(5, 5), (-1, 3), (0, (1 << 64) + 1)])
def test_impossible_intervals_are_refused(start: int, end: int) -> None:
    with pytest.raises(NotifierError, match="no interval"):
        IntervalSubscription(start, end)
