"""Accesses, faults and invalidations that overlap: who waits for whom, who begins again, and hypervisors that do not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from kvm_rig import Scene, at, drops, every_policy, every_style, forks, migrates, number, replaces, stage, unmaps
from mm_rig import PAGE

from sw_stack.drivers.kvm import KvmPolicy, Style
from sw_stack.mm.secondary import DeadTranslationError


def in_flight(policy: KvmPolicy, act: Callable[[Scene], Awaitable[None]] = drops) -> Scene:
    async def body(s: Scene) -> None:
        await s.warm(1)
        s.slow.tasks.add("guest")

        async def store() -> int:
            await s.vcpu.write(8, b"late")
            return s.sched.now

        task = s.spawn(store(), "guest")
        await s.until(lambda: s.vcpu.in_guest)
        start = s.sched.now
        await act(s)
        returned = s.sched.now
        ended = await s.sched.join(task)
        assert start + 2000 < ended <= returned and s.kvm.stats.kicks == 1

    return stage(body, policy)


@every_policy
@pytest.mark.parametrize("act", [drops, unmaps, migrates, forks], ids=lambda act: act.__name__)
def test_an_invalidation_waits_for_the_access_in_flight(act: Any, policy: KvmPolicy) -> None:
    in_flight(policy, act)


@every_policy
def test_an_access_in_flight_that_is_not_waited_for_is_caught(policy: KvmPolicy) -> None:
    with pytest.raises(DeadTranslationError, match="write of 0x1000000008"):
        in_flight(KvmPolicy(policy.style, policy.accessed_bit, mutant="no_wait"))


def second_invalidation(policy: KvmPolicy) -> None:
    """The spte has been torn down by ageing, and the access that used it is in flight, when the range begins."""

    async def body(s: Scene) -> None:
        await s.warm(1)
        s.slow.tasks.add("guest")
        task = s.spawn(s.vcpu.write(8, b"late"), "guest")
        await s.until(lambda: s.vcpu.in_guest)
        s.spawn(s.kvm.age_page(s.mm, at(0)), "reclaim")
        await s.until(lambda: len(s.kvm.sptes) == 0)
        await drops(s)
        in_guest = s.vcpu.in_guest
        await s.sched.join(task)
        assert not in_guest and s.kvm.stats.kicks == 1

    stage(body, policy)


@every_style
def test_a_second_invalidation_does_not_return_before_the_first_has_waited(style: Style) -> None:
    second_invalidation(KvmPolicy(style, accessed_bit=False))
    with pytest.raises(DeadTranslationError):
        second_invalidation(KvmPolicy(style, accessed_bit=False, mutant="flush_unlocked"))


def entering(policy: KvmPolicy) -> None:
    """The flush is asked for while the vcpu is on its way into the guest."""

    async def body(s: Scene) -> None:
        await s.warm(1)
        s.slow.tasks.add("guest")
        s.spawn(s.vcpu.read(8, 4), "guest")
        await s.sched.charge(1)
        await drops(s)

    stage(body, policy)


@every_style
def test_a_vcpu_looks_for_requests_after_it_has_entered(style: Style) -> None:
    entering(KvmPolicy(style))
    with pytest.raises(DeadTranslationError):
        entering(KvmPolicy(style, mutant="late_mode"))


def between_begin_and_end(policy: KvmPolicy) -> Scene:
    async def body(s: Scene) -> None:
        await s.warm(2)
        async with s.mm.notifiers.range(at(0), at(1)):
            task = s.spawn(s.vcpu.read(8, 5), "guest")
            await s.sched.sleep(20_000)
            assert not task.finished and s.kvm.stats.blocked == 1
        assert await s.sched.join(task) == b"guest"

    return stage(body, policy)


@every_policy
def test_no_spte_is_made_between_begin_and_end(policy: KvmPolicy) -> None:
    between_begin_and_end(policy)


@every_style
def test_sptes_zapped_at_the_end_of_the_range_are_caught(style: Style) -> None:
    with pytest.raises(DeadTranslationError):
        between_begin_and_end(KvmPolicy(style, mutant="zap_late"))


def test_an_active_range_holds_off_everybody_in_2008_and_today_those_inside_it() -> None:
    for style, blocked in (("2008", 1), ("modern", 0)):

        async def body(s: Scene, blocked: int = blocked) -> None:
            async with s.mm.notifiers.range(at(2), at(3)):
                task = s.spawn(s.vcpu.read(0, 8), "guest")
                await s.sched.sleep(20_000)
                assert task.finished == (not blocked) and s.kvm.stats.blocked == blocked
            assert await s.sched.join(task) == number(0)

        stage(body, KvmPolicy(style))  # type: ignore[arg-type]


def nested(policy: KvmPolicy) -> None:
    """A range ends inside another one."""

    async def body(s: Scene) -> None:
        await s.warm(1)
        async with s.mm.notifiers.range(at(0), at(6)):
            async with s.mm.notifiers.range(at(0), at(2)):
                pass
            task = s.spawn(s.vcpu.read(PAGE, 8), "guest")
            await s.sched.sleep(20_000)
            assert not task.finished
        assert await s.sched.join(task) == number(1)
        assert await s.vcpu.read(7 * PAGE, 8) == number(7)

    stage(body, policy)


@every_style
def test_the_end_of_a_range_opens_nothing_another_one_covers(style: Style) -> None:
    nested(KvmPolicy(style))


def test_a_union_that_shrinks_is_caught() -> None:
    with pytest.raises(DeadTranslationError):
        nested(KvmPolicy("modern", mutant="union_shrinks"))


def overtaken(act: Callable[[Scene], Awaitable[None]], policy: KvmPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The VM takes the page away between the lookup of a fault and its spte."""

    async def body(s: Scene) -> None:
        await s.mm.touch(at(0), True)
        look_up, lookups = s.mm.get_user_pages, [0]

        async def slowly(vaddr: int, write: bool) -> object:
            found = await look_up(vaddr, write)
            lookups[0] += 1
            return found

        monkeypatch.setattr(s.mm, "get_user_pages", slowly)
        s.slow.tasks.add("guest")
        task = s.spawn(s.vcpu.read(0, 8), "guest")
        await s.until(lambda: lookups[0] == 1)
        await act(s)
        assert await s.sched.join(task) == await s.mm.load(at(0), 8)
        assert s.kvm.stats.retries == 1 and lookups[0] == 2

    stage(body, policy)


@every_policy
@pytest.mark.parametrize("act", [drops, replaces], ids=lambda act: act.__name__)
def test_a_lookup_that_was_overtaken_is_made_again(act: Any, policy: KvmPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    overtaken(act, policy, monkeypatch)


def test_a_lookup_that_migration_overtook_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """In 2008 the reference of the lookup keeps the page where it is."""
    overtaken(migrates, KvmPolicy("modern"), monkeypatch)
    with pytest.raises(DeadTranslationError):
        overtaken(migrates, KvmPolicy("modern", mutant="ignore_seq"), monkeypatch)


@every_style
@pytest.mark.parametrize("act", [drops, replaces], ids=lambda act: act.__name__)
def test_an_spte_of_an_overtaken_lookup_is_caught(act: Any, style: Style, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeadTranslationError):
        overtaken(act, KvmPolicy(style, mutant="ignore_seq"), monkeypatch)
