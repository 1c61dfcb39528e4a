"""The port's contract (hwif/port.py), on every host."""

from __future__ import annotations

import pytest
from support.hosts import HOSTS, Case, Played, play

from hwif.gen.events import TraceEvent
from hwif.port import Irq, LineKind, OracleStop, Snoop, ViolationReason
from tb.hil.abi import DeviceError


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def case(program: str, **arguments: object) -> Case:
    return Case(f"tests.contract.port_programs:{program}", arguments, frames=64)


def records(played: Played, event: TraceEvent) -> list[list[int]]:
    return [row for row in played.trace.tolist() if row[1] == event]


def test_without_events_advance_ends_exactly_at_until(host: str) -> None:
    assert play(case("quiet_time"), host).notes == [0, 1, 2, 10, 10, 1000, 123_456]


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0), (2, 5, 0, 4, 1, 3)])
def test_requests_are_answered_once_in_order_of_cycle_and_serial(host: str, order: tuple[int, ...]) -> None:
    answers = play(case("many_requests", order=order), host).notes
    assert [answer.serial for answer in answers] == [3, 1, 2, 4, 5, 6]
    assert [answer.data for answer in answers] == [(0,), (), (0x11, 0x22), (), (0, 0), (0x33,)]
    assert not any(answer.error for answer in answers)


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_it_makes_no_difference_how_early_a_request_comes(host: str, step: int) -> None:
    late, early = play(case("late_requests", step=step), host), play(case("early_requests"), host)
    assert late.notes == early.notes
    assert late.notes[0].cycle - 50 == late.notes[3].cycle - 999, "the same request costs the same"
    assert late.notes[2].cycle > late.notes[1].cycle > 201, "one after the other"


def test_bus_errors_are_told(host: str) -> None:
    answers = play(case("bus_errors"), host).notes
    assert [answer.error for answer in answers] == [True, True, False]


def test_a_request_in_the_past_is_refused(host: str) -> None:
    with pytest.raises(DeviceError, match="cycle 99 is in the past, now 100"):
        play(case("past_request"), host)


def test_a_fault_raises_its_line_until_the_map_is_swapped(host: str) -> None:
    played = play(case("fault_and_answer"), host)
    words, again, status, written = played.notes
    assert words == (0b10, 0) and again == (0, 0) and list(status) == [0]
    assert written == (0x5A).to_bytes(8, "little") * 2
    lines = [event for event in played.events if isinstance(event, Irq)]
    assert [(event.line, event.level) for event in lines] == [(3, 1), (3, 0)]
    assert [row[0] for row in records(played, TraceEvent.DEV_IRQ)] == [event.cycle for event in lines]
    snoops = {(event.kind, event.index) for event in played.events if isinstance(event, Snoop)}
    assert {(LineKind.CCH, 0), (LineKind.TFH, 1), (LineKind.CB, 1)} <= snoops


def test_double_word_0_lands_last(host: str) -> None:
    played = play(case("shootdown_line"), host)
    ((_, _, tgh, va, asid, n, is_global, _),) = records(played, TraceEvent.DEV_SHOOT_ACCEPT)
    assert (tgh, va, asid, n, is_global) == (7, 0x40_0000, 8, 4, 0)


def test_the_trace_is_in_order_and_drained_once(host: str) -> None:
    played = play(case("fault_and_answer"), host)
    cycles = [row[0] for row in played.trace.tolist()]
    assert cycles == sorted(cycles) and played.trace.shape[1] == 8
    names = [TraceEvent(row[1]) for row in played.trace.tolist()]
    wanted = [TraceEvent.DEV_MISS, TraceEvent.DEV_FILL, TraceEvent.DEV_RESTART, TraceEvent.DEV_CB_DONE]
    assert [name for name in names if name in wanted] == wanted


@pytest.mark.parametrize("kind", ["REVOKED", "READ_ONLY", "OUTSIDE", "NOT_KERNEL", "NO_CONTEXT"])
def test_the_oracle_stops_the_run_in_the_cycle_of_the_violation(host: str, kind: str) -> None:
    played = play(case("violation", kind=kind), host)
    (violation,) = played.violations
    stops = [event.cycle for event in played.events if isinstance(event, OracleStop)]
    assert stops == [violation.cycle]
    assert violation.reason is ViolationReason[kind] and violation.write and violation.ctx == 0 and violation.cbr == 0
    assert violation.mapped == (kind != "NOT_KERNEL")
    assert played.statistics["violations"] == 1


@pytest.mark.parametrize("kind", ["none", "KERNEL"])
def test_the_oracle_lets_legal_beats_pass(host: str, kind: str) -> None:
    played = play(case("violation", kind=kind), host)
    assert not played.violations and played.statistics["checked_beats"] == 1 and played.statistics["checked_bytes"] == 64
    assert list(played.notes) == [0]
