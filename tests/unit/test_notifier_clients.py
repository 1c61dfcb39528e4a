"""The notifier chain's clients: how they come (register), and how they go (unregister, release)."""

from __future__ import annotations

from typing import Any

import pytest
from mm_rig import PAGE
from notifier_rig import Bench, bench

from hwif.gen import timing
from sw_stack.notifier import MmuNotifier, NotifierError
from sw_stack.sched import LockdepError

__all__ = ["bench"]


def test_mn4_release_comes_once_and_last(bench: Bench) -> None:
    log = bench.log(cycles=5)

    async def body() -> None:
        await bench.register(log)
        await bench.chain.release()
        assert not bench.chain.has_clients
        await bench.chain.invalidate_page(0)
        assert not await bench.chain.age_page(0)
        async with bench.chain.range(0, PAGE):
            pass
        await bench.unregister(log)  # a driver that closes late: nothing to do
        with pytest.raises(NotifierError, match="MN-4: register"):
            await bench.register(bench.log())
        with pytest.raises(NotifierError, match="MN-4: release"):
            await bench.chain.release()

    bench.run(body())
    assert log.calls == [("release",)]


def test_mn4_a_client_may_unregister_itself_from_release(bench: Bench) -> None:
    class Quitter(MmuNotifier):
        async def release(self, mm: Any) -> None:
            await bench.unregister(self)

    bench.run(bench.register(Quitter()))
    bench.run(bench.chain.release())


def test_mn4_release_inside_a_range_raises(bench: Bench) -> None:
    async def body() -> None:
        await bench.chain.range_begin(0, PAGE, atomic=False)
        await bench.chain.release()

    with pytest.raises(NotifierError, match="MN-4: release of mm 7 with 1 ranges active"):
        bench.run(body())


@pytest.mark.parametrize("how", ["unlocked", "reading"])
def test_mn5_registration_needs_the_mmap_lock_for_writing(bench: Bench, how: str) -> None:
    async def add() -> None:
        if how == "reading":
            await bench.lock.down_read()
        bench.chain.register(bench.log())

    with pytest.raises(LockdepError, match="MN-5: mmu_notifier register without mmap_lock held for writing"):
        bench.run(add())


def test_mn4_unregister_waits_for_a_release_that_runs(bench: Bench) -> None:
    """When it returns the client may be freed."""
    order: list[str] = []

    class Slow(MmuNotifier):
        async def release(self, mm: object) -> None:
            await bench.sched.sleep(1000)
            order.append("released")

    slow = Slow()

    async def leave() -> None:
        await bench.sched.sleep(500)
        await bench.unregister(slow)
        order.append("unregistered")

    async def body() -> None:
        await bench.register(slow)
        bench.sched.spawn(leave(), "leave", 1)
        await bench.chain.release()

    bench.run(body())
    assert order == ["released", "unregistered"]


def test_mn4_a_client_that_left_before_its_turn_is_not_released(bench: Bench) -> None:
    """Exit has begun and is busy with another client."""

    class Slow(MmuNotifier):
        async def release(self, mm: object) -> None:
            await bench.sched.sleep(1000)

    log = bench.log()

    async def leave() -> None:
        await bench.sched.sleep(500)
        await bench.unregister(log)

    async def body() -> None:
        await bench.register(log, Slow())
        bench.sched.spawn(leave(), "leave", 1)
        await bench.chain.release()

    bench.run(body())
    assert log.calls == [] and not bench.chain.has_clients


def test_mn5_unregister_needs_it_too(bench: Bench) -> None:
    async def body() -> None:
        log = bench.log()
        await bench.register(log)
        await bench.chain.unregister(log)

    with pytest.raises(LockdepError, match="MN-5: mmu_notifier unregister"):
        bench.run(body())


def test_mn5_double_registration_and_strangers_are_refused(bench: Bench) -> None:
    async def body() -> None:
        log = bench.log()
        await bench.register(log)
        with pytest.raises(NotifierError, match="registered on mm 7"):
            await bench.register(log)
        with pytest.raises(NotifierError, match="not registered"):
            await bench.unregister(bench.log())
        await bench.unregister(log)
        await bench.register(log)

    bench.run(body())


def test_mn5_a_newcomer_sees_nothing_of_what_began_before(bench: Bench) -> None:
    slow, late = bench.log(cycles=1000), bench.log()

    async def operation() -> None:
        await bench.register(slow)
        async with bench.chain.range(0, PAGE):
            await bench.sched.sleep(5000)
        await bench.chain.invalidate_page(PAGE)

    async def newcomer() -> None:
        await bench.sched.sleep(200)  # within the begin
        await bench.register(late)

    bench.run(operation(), newcomer())
    assert late.calls == [("page", PAGE)]


def test_mn5_unregister_waits_for_the_callback_under_way(bench: Bench) -> None:
    """Reclaim calls without the mmap lock; the client must not go away under it."""
    slow = bench.log(cycles=1000)
    gone = []

    async def reclaim() -> None:
        await bench.register(slow)
        await bench.chain.invalidate_page(0)
        assert gone == []

    async def closing() -> None:
        await bench.sched.sleep(200)
        await bench.unregister(slow)
        gone.append(bench.sched.now)

    bench.run(reclaim(), closing())
    assert gone == [timing.SW_NOTIFIER_CALL + 1000]


def test_mn1_unregister_between_begin_and_end_raises(bench: Bench) -> None:
    async def body() -> None:
        log = bench.log()
        await bench.register(log)
        async with bench.chain.range(0, PAGE):
            await bench.unregister(log)

    with pytest.raises(NotifierError, match=r"MN-1: client .* between a begin it saw and its end"):
        bench.run(body())
