"""The scheduler: order of time, ties, priorities, effects against a device, waits and their windows."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mm_rig import NoChoice, drive

from hwif.gen import timing
from hwif.port import Irq, LineKind, MmioDone, MmioRead, MmioSwap, MmioWrite, Snoop
from sw_stack.sched import BusError, LockdepError, Mutex, Scheduler, SeededChooser, WaitQueue
from sw_stack.sched.scheduler import DELAYS, PRIORITY_IRQ


def run_ready(sched: Scheduler) -> None:
    while sched.step():
        pass


class Always:
    """Answers every choice of one kind with one value."""

    def __init__(self, kind: str, value: int) -> None:
        self.kind, self.value = kind, value

    def choose(self, kind: str, n: int) -> int:
        return min(self.value, n - 1) if kind == self.kind else 0

    def close(self) -> None:
        pass


def story(seed: int) -> list[tuple[int, str]]:
    """Four tasks that charge, sleep and share a queue; who did what when."""
    sched = Scheduler(SeededChooser(seed))
    queue = WaitQueue(sched, "queue")
    log: list[tuple[int, str]] = []
    open_gate = [False]

    async def body(name: str) -> None:
        for turn in range(6):
            log.append((sched.now, f"{name}{turn}"))
            await sched.charge(10)
            if turn == 2 and name != "a":
                await queue.wait_event(lambda: open_gate[0])
            await sched.sleep(5)
        if name == "a":
            open_gate[0] = True
            queue.wake_all()

    for name in "abcd":
        sched.spawn(body(name), name, 0)
    drive(sched)
    return log


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_one_seed_is_one_run(seed: int) -> None:
    assert story(seed) == story(seed)


def test_seeds_differ() -> None:
    assert len({tuple(story(seed)) for seed in range(8)}) > 4


def test_ties_take_every_order() -> None:
    orders = set()
    for seed in range(64):
        sched = Scheduler(SeededChooser(seed))
        order: list[str] = []

        async def body(name: str, order: list[str] = order) -> None:
            order.append(name)

        for name in "abc":
            sched.spawn(body(name), name, 0)
        drive(sched)
        orders.add("".join(order))
    assert orders == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_without_choices_order_is_by_arrival() -> None:
    sched = Scheduler(NoChoice())
    order: list[str] = []

    async def body(name: str, cycles: int) -> None:
        await sched.charge(cycles)
        order.append(f"{name}@{sched.now}")

    for name, cycles in (("a", 20), ("b", 10), ("c", 20)):
        sched.spawn(body(name, cycles), name, 0)
    drive(sched)
    assert order == ["b@10", "a@20", "c@20"]


def test_a_priority_lasts_through_waits() -> None:
    """An interrupt task that wakes at the same cycle as others goes first, not only when it was spawned."""
    sched = Scheduler(Always("tie", 99))
    order: list[str] = []

    async def body(name: str) -> None:
        for _ in range(3):
            await sched.sleep(10)
            order.append(name)

    sched.spawn(body("low"), "low", 0)
    sched.spawn(body("high"), "high", 0, priority=PRIORITY_IRQ)
    sched.spawn(body("low"), "low", 0)
    drive(sched)
    assert order == ["high", "low", "low"] * 3


@pytest.mark.parametrize("step", range(len(DELAYS)))
def test_preemption_adds_the_step_of_the_ladder(step: int) -> None:
    sched = Scheduler(Always("preempt", step))

    async def body() -> None:
        await sched.charge(4)

    sched.spawn(body(), "t", 0)
    drive(sched)
    assert sched.now == 4 + DELAYS[step]


def test_time_never_runs_backwards() -> None:
    sched = Scheduler(NoChoice())
    sched.advance_to(5)
    with pytest.raises(ValueError, match="backwards"):
        sched.advance_to(4)


def test_join_returns_the_result_before_and_after_the_end() -> None:
    sched = Scheduler(NoChoice())

    async def child() -> int:
        await sched.sleep(10)
        return 7

    async def parent() -> tuple[int, int]:
        task = sched.spawn(child(), "child", 1)
        return await sched.join(task), await sched.join(task)

    task = sched.spawn(parent(), "parent", 0)
    drive(sched)
    assert task.result == (7, 7)


def test_daemons_do_not_keep_a_run_alive() -> None:
    sched = Scheduler(NoChoice())

    async def forever() -> None:
        while True:
            await sched.sleep(10)

    async def short() -> None:
        await sched.sleep(25)

    sched.spawn(forever(), "daemon", 1, daemon=True)
    sched.spawn(short(), "t", 0)
    drive(sched)
    assert sched.finished and sched.now == 25


@pytest.mark.parametrize(
    ("call", "kind", "cost"),
    [
        (lambda s: s.mmio_read(0x40, 2), MmioRead, timing.SW_MMIO_READ),
        (lambda s: s.mmio_write(0x40, [1, 2]), MmioWrite, timing.SW_MMIO_WRITE),
        (lambda s: s.mmio_swap(0x40, 2), MmioSwap, timing.SW_MMIO_READ),
    ],
)
def test_requests_carry_the_cycle_and_return_the_answer(
    call: Callable[[Scheduler], object], kind: type[MmioRead | MmioWrite | MmioSwap], cost: int
) -> None:
    sched = Scheduler(NoChoice())

    async def body() -> object:
        return await call(sched)  # type: ignore[misc]

    task = sched.spawn(body(), "t", 0)
    run_ready(sched)
    sched.advance_to(cost)
    run_ready(sched)
    (request,) = sched.take_requests()
    assert isinstance(request, kind) and request.at == cost and request.addr == 0x40
    assert sched.take_requests() == []
    assert not task.finished and "0x40" in sched.wait_for_report()
    sched.advance_to(cost + 9)
    sched.deliver(MmioDone(cycle=cost + 9, serial=request.serial, data=(5, 6)))
    run_ready(sched)
    assert task.result == (None if kind is MmioWrite else (5, 6))


def test_a_bus_error_reaches_the_caller() -> None:
    sched = Scheduler(NoChoice())

    async def body() -> str:
        try:
            await sched.mmio_read(0x18)
        except BusError as error:
            return str(error)
        return ""

    task = sched.spawn(body(), "t", 0)
    run_ready(sched)
    sched.advance_to(timing.SW_MMIO_READ)
    run_ready(sched)
    (request,) = sched.take_requests()
    sched.deliver(MmioDone(cycle=sched.now, serial=request.serial, data=(), error=True))
    run_ready(sched)
    assert "0x18" in task.result and "SLVERR" in task.result


def test_wait_line_closes_the_window_between_look_and_wait() -> None:
    """The line changes after it was read and before the wait: the wait must not hang."""
    sched = Scheduler(NoChoice())
    woken = []

    async def body() -> None:
        seen = sched.line_seq(LineKind.TGH, 3)
        await sched.charge(50)  # reads the line: still ACTIVE
        await sched.wait_line(LineKind.TGH, 3, seen)
        woken.append(sched.now)

    sched.spawn(body(), "t", 0)
    run_ready(sched)
    sched.advance_to(20)
    sched.deliver(Snoop(cycle=20, kind=LineKind.TGH, index=3))
    drive(sched)
    assert woken == [50 + timing.SW_SNOOP]


def test_wait_line_wakes_only_for_its_line() -> None:
    sched = Scheduler(NoChoice())
    woken = []

    async def body() -> None:
        await sched.wait_line(LineKind.TGH, 3, sched.line_seq(LineKind.TGH, 3))
        woken.append(sched.now)

    sched.spawn(body(), "t", 0)
    run_ready(sched)
    for cycle, kind, index in ((10, LineKind.TGH, 2), (20, LineKind.CB, 3), (30, LineKind.TGH, 3)):
        sched.advance_to(cycle)
        sched.deliver(Snoop(cycle=cycle, kind=kind, index=index))
        run_ready(sched)
    drive(sched)
    assert woken == [30 + timing.SW_SNOOP]


def test_wait_line_is_legal_in_atomic_context() -> None:
    sched = Scheduler(NoChoice())

    async def body() -> None:
        sched.task().atomic += 1
        await sched.wait_line(LineKind.TGH, 0, sched.line_seq(LineKind.TGH, 0))
        sched.task().atomic -= 1

    task = sched.spawn(body(), "t", 0)
    run_ready(sched)
    sched.deliver(Snoop(cycle=0, kind=LineKind.TGH, index=0))
    drive(sched)
    assert task.finished


def test_wait_irq_sees_a_line_that_is_already_high() -> None:
    sched = Scheduler(NoChoice())
    woken = []

    async def handler() -> None:
        for _ in range(2):
            await sched.wait_irq(4)
            woken.append(sched.now)

    sched.deliver(Irq(cycle=0, line=4, level=1))
    sched.spawn(handler(), "irq", 0)
    drive(sched)
    assert woken == [timing.SW_IRQ_LATENCY, 2 * timing.SW_IRQ_LATENCY]


def test_wait_irq_sleeps_while_the_line_is_low() -> None:
    sched = Scheduler(NoChoice())

    async def handler() -> int:
        await sched.wait_irq(4)
        return sched.now

    task = sched.spawn(handler(), "irq", 0)
    run_ready(sched)
    assert sched.next_deadline() is None
    sched.advance_to(10)
    sched.deliver(Irq(cycle=10, line=5, level=1))
    sched.deliver(Irq(cycle=10, line=4, level=0))
    run_ready(sched)
    assert sched.next_deadline() is None
    sched.deliver(Irq(cycle=10, line=4, level=1))
    drive(sched)
    assert task.result == 10 + timing.SW_IRQ_LATENCY


def test_only_impatient_waits_are_overdue() -> None:
    sched = Scheduler(NoChoice())
    queue = WaitQueue(sched, "answers")

    async def patient() -> None:
        await queue.wait_event(lambda: False, patient=True)

    async def impatient() -> None:
        await sched.charge(100)
        await queue.wait_event(lambda: False)

    sched.spawn(patient(), "idle thread", 1, daemon=True)
    run_ready(sched)
    sched.advance_to(10_000)
    assert sched.overdue(1000) is None
    sched.spawn(impatient(), "hung", 0)
    run_ready(sched)
    sched.advance_to(10_100)
    run_ready(sched)
    sched.advance_to(11_101)
    report = sched.overdue(1000)
    assert report is not None and "hung: waits for answers since cycle 10100" in report


def test_patient_waits_nobody_can_end_are_overdue() -> None:
    sched = Scheduler(NoChoice())
    queue = WaitQueue(sched, "work")

    async def worker() -> None:
        await queue.wait_event(lambda: False, patient=True)

    sched.spawn(worker(), "forgotten", 0)
    run_ready(sched)
    sched.advance_to(1000)
    assert sched.overdue(1000) is None
    sched.advance_to(1001)
    report = sched.overdue(1000)
    assert report is not None and "forgotten: waits for work" in report


def test_wait_event_looks_again_after_every_wake() -> None:
    sched = Scheduler(NoChoice())
    queue = WaitQueue(sched, "queue")
    level = [0]

    async def waiter() -> int:
        await queue.wait_event(lambda: level[0] >= 2)
        return sched.now

    async def waker() -> None:
        for _ in range(2):
            await sched.sleep(10)
            level[0] += 1
            queue.wake_all()

    task = sched.spawn(waiter(), "w", 0)
    sched.spawn(waker(), "k", 1)
    drive(sched)
    assert task.result == 20


def test_wait_event_may_not_be_called_atomic_even_if_it_would_not_wait() -> None:
    sched = Scheduler(NoChoice())
    queue = WaitQueue(sched, "queue")

    async def body() -> None:
        sched.task().atomic += 1
        await queue.wait_event(lambda: True)

    sched.spawn(body(), "t", 0)
    with pytest.raises(LockdepError, match="sleeping while atomic: queue"):
        drive(sched)


def test_close_unwinds_every_task_without_noise(recwarn: pytest.WarningsRecorder) -> None:
    sched = Scheduler(NoChoice())
    lock, queue = Mutex(sched, "lock"), WaitQueue(sched, "queue")
    log: list[str] = []

    async def body(name: str) -> None:
        try:
            async with lock:
                try:
                    await queue.wait_event(lambda: False)
                finally:
                    await sched.sleep(10)
                    log.append("never: the sleep is abandoned too")
        finally:
            log.append(name)

    for name in ("first", "second"):
        sched.spawn(body(name), name, 0)
    while sched.step():
        pass
    sched.spawn(body("not started"), "third", 0)
    sched.close()
    assert log == ["first", "second"] and sched.next_deadline() is None
    gc.collect()
    assert [str(w.message) for w in recwarn.list] == []
