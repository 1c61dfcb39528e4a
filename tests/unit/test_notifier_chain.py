"""The notifier chain: pairing, nesting, atomic context, release, registration, and what the observer is told when."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from mm_rig import PAGE, Log, NoChoice, drive

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from hwif.trace import EVENT_MASK, Trace
from sw_stack.notifier import MmuNotifier, MmuNotifierChain, NotifierError
from sw_stack.sched import LockdepError, Mutex, RwSem, Scheduler


class Observer:
    def __init__(self, sched: Scheduler) -> None:
        self.sched = sched
        self.seen: list[tuple[Any, ...]] = []

    def range_begun(self, start: int, end: int) -> None:
        self.seen.append(("begun", start, end, self.sched.now))

    def range_ending(self, start: int, end: int) -> None:
        self.seen.append(("ending", start, end, self.sched.now))

    def page_invalidated(self, address: int) -> None:
        self.seen.append(("page", address, self.sched.now))

    def released(self) -> None:
        self.seen.append(("released", self.sched.now))


class Bench:
    def __init__(self) -> None:
        self.sched = Scheduler(NoChoice())
        self.observer = Observer(self.sched)
        self.lock = RwSem(self.sched, "mmap_lock")
        self.trace = Trace()
        self.chain = MmuNotifierChain(self.sched, self.trace, "the mm", 7, self.lock, self.observer)

    def log(self, **options: Any) -> Log:
        return Log(self.sched, **options)

    def run(self, *bodies: Coroutine[Any, Any, Any]) -> None:
        for number, body in enumerate(bodies):
            self.sched.spawn(body, f"t{number}", number)
        drive(self.sched)

    async def register(self, *clients: MmuNotifier) -> None:
        for client in clients:
            async with self.lock.writing():
                self.chain.register(client)

    async def unregister(self, client: MmuNotifier) -> None:
        async with self.lock.writing():
            await self.chain.unregister(client)


@pytest.fixture
def bench() -> Bench:
    return Bench()


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
