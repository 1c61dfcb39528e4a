"""The notifier chain: pairing, nesting, atomic context, and what the observer is told when."""

from __future__ import annotations

from typing import Any

import pytest
from mm_rig import PAGE, Log, drive
from notifier_rig import Bench, bench

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from hwif.trace import EVENT_MASK
from sw_stack.notifier import MmuNotifier, NotifierError
from sw_stack.sched import LockdepError, Mutex, Scheduler

__all__ = ["bench"]


def test_begin_and_end_reach_every_client_and_cost_their_cycles(bench: Bench) -> None:
    first, second = bench.log(cycles=100), bench.log()

    async def body() -> None:
        await bench.register(first, second)
        async with bench.chain.range(0, PAGE):
            await bench.sched.charge(1000)

    bench.run(body())
    calls = [("begin", 0, PAGE, False), ("end", 0, PAGE, False)]
    assert first.calls == second.calls == calls
    begun = 2 * timing.SW_NOTIFIER_CALL + 100
    assert bench.observer.seen == [("begun", 0, PAGE, begun), ("ending", 0, PAGE, begun + 1000)]
    assert bench.sched.now == 2 * begun + 1000
    assert bench.chain.statistics() == {
        "release": 0, "age_page": 0, "invalidate_page": 0, "invalidate_range_begin": 2, "invalidate_range_end": 2,
    }  # fmt: skip


def test_without_clients_nothing_is_called_but_the_observer(bench: Bench) -> None:
    async def body() -> None:
        async with bench.chain.range(0, PAGE):
            pass
        await bench.chain.invalidate_page(PAGE)
        assert not await bench.chain.age_page(0)

    bench.run(body())
    assert bench.observer.seen == [("begun", 0, PAGE, 0), ("ending", 0, PAGE, 0), ("page", PAGE, 0)]
    bench.trace.flush()
    assert bench.trace.records == 0


def test_an_operation_left_out_costs_nothing(bench: Bench) -> None:
    class Pages(MmuNotifier):
        async def invalidate_page(self, mm: Any, address: int) -> None:
            assert mm == "the mm"

    async def body() -> None:
        await bench.register(Pages())
        async with bench.chain.range(0, PAGE):
            pass
        await bench.chain.invalidate_page(0)

    bench.run(body())
    assert bench.sched.now == timing.SW_NOTIFIER_CALL


def test_ranges_nest_and_overlap(bench: Bench) -> None:
    log = bench.log(cycles=10)

    async def first() -> None:
        await bench.register(log)
        async with bench.chain.range(0, 8 * PAGE), bench.chain.range(PAGE, 2 * PAGE, atomic=True):
            await bench.sched.charge(500)

    async def second() -> None:
        await bench.sched.sleep(50)
        async with bench.chain.range(0, 8 * PAGE):
            assert len(bench.chain.active_ranges()) >= 2
            await bench.sched.sleep(5000)
        assert bench.chain.active_ranges() == ()

    bench.run(first(), second())
    assert sum(call[0] == "begin" for call in log.calls) == 3 == sum(call[0] == "end" for call in log.calls)
    depth = 0
    for call in log.calls:
        depth += 1 if call[0] == "begin" else -1
        assert depth >= 0


def test_mn1_end_without_begin_raises(bench: Bench) -> None:
    async def body() -> None:
        active = await bench.chain.range_begin(0, PAGE, atomic=False)
        await bench.chain.range_end(active)
        await bench.chain.range_end(active)

    with pytest.raises(NotifierError, match=r"MN-1: end of .* without its begin"):
        bench.run(body())


@pytest.mark.parametrize(("start", "end"), [(0, 0), (PAGE, 0)])
def test_an_empty_range_is_refused(bench: Bench, start: int, end: int) -> None:
    async def body() -> None:
        await bench.chain.range_begin(start, end, atomic=False)

    with pytest.raises(NotifierError, match=r"MN-1: (empty|wrapping) range"):
        bench.run(body())


def test_the_last_page_of_the_address_space_is_a_range(bench: Bench) -> None:
    log = bench.log()

    async def body() -> None:
        await bench.register(log)
        async with bench.chain.range((1 << 64) - PAGE, 1 << 64):
            pass

    bench.run(body())
    assert log.calls[0] == ("begin", (1 << 64) - PAGE, 1 << 64, False)


def test_the_end_comes_also_when_the_operation_fails(bench: Bench) -> None:
    log = bench.log()

    async def body() -> None:
        await bench.register(log)
        with pytest.raises(KeyError):
            async with bench.chain.range(0, PAGE):
                raise KeyError

    bench.run(body())
    assert [call[0] for call in log.calls] == ["begin", "end"]
    assert bench.chain.active_ranges() == ()


def test_a_failing_begin_is_undone_for_those_who_saw_it(bench: Bench) -> None:
    class Broken(Log):
        async def invalidate_range_begin(self, mm: Any, start: int, end: int, atomic: bool) -> None:
            await super().invalidate_range_begin(mm, start, end, atomic)
            raise OSError

    never, broken, saw = bench.log(), Broken(bench.sched), bench.log()

    async def body() -> None:
        await bench.register(never, broken, saw)  # the list is walked from the last registered
        with pytest.raises(OSError):
            await bench.chain.range_begin(0, PAGE, atomic=False)

    bench.run(body())
    assert [call[0] for call in saw.calls] == ["begin", "end"] == [call[0] for call in broken.calls]
    assert never.calls == [] and bench.chain.active_ranges() == () and bench.observer.seen == []


class Sleeper(MmuNotifier):
    """Sleeps wherever it is called, as XPMEM must."""

    def __init__(self, sched: Scheduler) -> None:
        self.sched = sched

    async def _sleep(self) -> None:
        await self.sched.sleep(10)

    async def age_page(self, mm: Any, address: int) -> bool:
        await self._sleep()
        return False

    async def invalidate_page(self, mm: Any, address: int) -> None:
        async with Mutex(self.sched, "remote"):
            pass

    async def invalidate_range_begin(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        await self._sleep()

    async def release(self, mm: Any) -> None:
        await self._sleep()


@pytest.mark.parametrize("operation", ["age", "page", "atomic begin"])
def test_mn2_atomic_callbacks_may_not_sleep(bench: Bench, operation: str) -> None:
    async def body() -> None:
        await bench.register(Sleeper(bench.sched))
        if operation == "age":
            await bench.chain.age_page(0)
        elif operation == "page":
            await bench.chain.invalidate_page(0)
        else:
            await bench.chain.range_begin(0, PAGE, atomic=True)

    with pytest.raises(LockdepError, match="sleeping while atomic"):
        bench.run(body())


def test_mn2_other_callbacks_may_sleep(bench: Bench) -> None:
    async def body() -> None:
        await bench.register(Sleeper(bench.sched))
        async with bench.chain.range(0, PAGE):
            assert bench.sched.task().atomic == 0
        await bench.chain.release()

    bench.run(body())


def test_mn2_a_sleeping_range_may_not_begin_in_atomic_context(bench: Bench) -> None:
    async def body() -> None:
        bench.sched.task().atomic += 1
        await bench.chain.range_begin(0, PAGE, atomic=False)

    with pytest.raises(LockdepError, match="invalidate_range_begin with atomic=0"):
        bench.run(body())


def test_age_page_asks_every_client(bench: Bench) -> None:
    """The question clears the device's bit, so a young first client may not spare the second its call."""
    clients = [bench.log(young=young) for young in (True, False, True)]

    async def body() -> bool:
        await bench.register(*clients)
        return await bench.chain.age_page(PAGE)

    task = bench.sched.spawn(body(), "t", 0)
    drive(bench.sched)
    assert task.result is True
    assert all(client.calls == [("age", PAGE)] for client in clients)


def test_the_trace_shows_the_dispatch(bench: Bench) -> None:
    events: list[tuple[int, ...]] = []
    bench.trace.subscribe(lambda block: events.extend((int(row[1]) & EVENT_MASK, *map(int, row[2:5])) for row in block))

    async def body() -> None:
        await bench.register(bench.log(young=True))
        async with bench.chain.range(PAGE, 3 * PAGE, atomic=True):
            pass
        await bench.chain.invalidate_page(PAGE)
        await bench.chain.age_page(PAGE)
        await bench.chain.release()

    bench.run(body())
    bench.trace.flush()
    kinds = [TraceEvent(event[0]) for event in events]
    assert kinds == [
        TraceEvent.MN_RANGE_BEGIN, TraceEvent.MN_RANGE_BEGIN_DONE, TraceEvent.MN_RANGE_END, TraceEvent.MN_INVALIDATE_PAGE,
        TraceEvent.MN_INVALIDATE_PAGE_DONE, TraceEvent.MN_AGE_PAGE, TraceEvent.MN_RELEASE, TraceEvent.MN_RELEASE_DONE,
    ]  # fmt: skip
    assert events[0][1:4] == (7, PAGE, 3 * PAGE)
