"""The model and the RTL play the same program: same events, same payload, same order, same memory; latencies within a bound.

Cycles are never compared for equality: the model promises an order and approximate latencies, and may trade cycles for speed.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest
from support.hosts import Case, Played, play

from hwif.gen.events import TraceEvent
from hwif.gen.gru import CbIstatus
from hwif.port import Irq, MmioDone, OracleStop, Snoop
from tb.hil.abi import HarnessOptions

TIGHT = HarnessOptions(read_latency=37, write_latency=11, bytes_per_cycle=16, max_outstanding=4)
OPTIONS = {"default": HarnessOptions(), "tight": TIGHT}
CYCLE_BOUND = 0.05  # of the total
LATENCY_BOUND = 0.20  # of the mean latency of a kind of request, fault or shootdown

MIXED = "tests.equiv.programs:mixed"
REVOKED = "tests.equiv.programs:revoked_under_copy"
CHAOS = "tests.equiv.chaos:chaos"


def both(case: Case) -> tuple[Played, Played]:
    return play(case, "native"), play(case, "model")


def by_line(played: Played) -> dict[tuple[Any, ...], list[Any]]:
    """What each asker, line and probe saw, in order, without cycles."""
    seen: dict[tuple[Any, ...], list[Any]] = {}
    for event in played.events:
        if isinstance(event, MmioDone):
            seen.setdefault(("done", event.serial), []).append((event.data, event.error))
        elif isinstance(event, Irq):
            seen.setdefault(("irq", event.line), []).append(event.level)
        elif isinstance(event, Snoop):
            seen.setdefault(("snoop", event.kind, event.index), []).append(None)
        else:
            assert isinstance(event, OracleStop)
            seen.setdefault(("oracle",), []).append(None)
    return seen


def records(played: Played) -> list[tuple[int, ...]]:
    """The device's trace, in its order, without cycles."""
    return [tuple(row[1:]) for row in played.trace.tolist()]


def objections(played: Played) -> list[Any]:
    return [dataclasses.replace(violation, cycle=0) for violation in played.violations]


def counters(played: Played) -> dict[str, int]:
    """Counters that count events, not cycles."""
    timed = ("evaluated_cycles", "skipped_cycles", "hit_latency_min", "hit_latency_max", "hit_latency_sum")
    return {name: value for name, value in played.statistics.items() if name not in timed}


def mean_latency(played: Played, first: TraceEvent, last: TraceEvent) -> float:
    """Mean cycles from an event to the next `last` of the same first argument."""
    begun: dict[int, int] = {}
    taken = []
    for cycle, event, number, *_ in played.trace.tolist():
        if event == first:
            begun[number] = cycle
        elif event == last and number in begun:
            taken.append(cycle - begun.pop(number))
    return sum(taken) / len(taken) if taken else 0.0


def assert_agree(rtl: Played, model: Played) -> None:
    assert by_line(model) == by_line(rtl)
    assert records(model) == records(rtl)
    assert model.notes == rtl.notes
    assert model.memory == rtl.memory
    assert objections(model) == objections(rtl)
    assert counters(model) == counters(rtl)
    assert abs(model.cycle - rtl.cycle) <= CYCLE_BOUND * rtl.cycle
    for first, last in (
        (TraceEvent.DEV_MISS, TraceEvent.DEV_RESTART),
        (TraceEvent.DEV_SHOOT_ACCEPT, TraceEvent.DEV_SHOOT_DONE),
    ):
        expected = mean_latency(rtl, first, last)
        assert abs(mean_latency(model, first, last) - expected) <= LATENCY_BOUND * expected


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("seed", range(1, 9))
def test_programs_of_every_kind(seed: int, options: HarnessOptions) -> None:
    rtl, model = both(Case(MIXED, {"seed": seed}, options=options))
    assert_agree(rtl, model)
    assert rtl.statistics["dropins"] > 10 and rtl.statistics["shootdowns"] > 2, "the program must exercise something"


@pytest.mark.parametrize("acknowledge", [True, False])
def test_a_page_revoked_under_a_copy(acknowledge: bool) -> None:
    rtl, model = both(Case(REVOKED, {"acknowledge": acknowledge}))
    assert_agree(rtl, model)
    assert bool(model.violations) is not acknowledge


@pytest.mark.parametrize("seed", range(100, 130))
def test_programs_without_sense(seed: int) -> None:
    assert_agree(*both(Case(CHAOS, {"seed": seed}, options=list(OPTIONS.values())[seed % 2])))


def test_programs_without_sense_reach_everything() -> None:
    """What the comparison above is worth: the programs meet every kind of event, end and exception it is to compare."""
    events: Counter[int] = Counter()
    causes: Counter[int] = Counter()
    stops = exclusive = 0
    for seed in range(100, 112):
        played = play(Case(CHAOS, {"seed": seed}), "model")
        events.update(row[1] for row in played.trace.tolist())
        ends = [row for row in played.trace.tolist() if row[1] == TraceEvent.DEV_CB_DONE and row[3] == CbIstatus.EXCEPTION]
        causes.update(row[4] for row in ends)
        stops += len(played.violations)
        exclusive += played.statistics["exclusive_passed"]
    device = [event for event in TraceEvent if event.name.startswith("DEV_")]
    assert [event.name for event in device if not events[event]] == []
    assert len(causes) >= 6 and stops > 5 and exclusive > 10


@pytest.mark.parametrize("change", ["memory", "record", "event", "violation", "latency"])
def test_the_comparison_can_fail(change: str) -> None:
    rtl, model = both(Case(REVOKED, {"acknowledge": False}))
    assert_agree(rtl, model)
    if change == "memory":
        model.memory = model.memory[:-1] + b"\xff"
    elif change == "record":
        model.trace[[3, 4], 1:] = model.trace[[4, 3], 1:]
    elif change == "event":
        model.events.pop()
    elif change == "violation":
        model.violations.pop()
    else:
        model.cycle += rtl.cycle // 10
    with pytest.raises(AssertionError):
        assert_agree(rtl, model)


def test_slower_memory_is_slower_on_both() -> None:
    """The bound on latencies would notice a model that ignores the memory's settings."""
    slow = dataclasses.replace(HarnessOptions(), read_latency=600, write_latency=300)
    fast_rtl, fast_model = both(Case(MIXED, {"seed": 3, "rounds": 4}))
    slow_rtl, slow_model = both(Case(MIXED, {"seed": 3, "rounds": 4}, options=slow))
    assert slow_rtl.cycle > 1.1 * fast_rtl.cycle and slow_model.cycle > 1.1 * fast_model.cycle
    assert_agree(slow_rtl, slow_model)


# ---- corners -------------------------------------------------------------------------------------------------------------


def corner(name: str, options: HarnessOptions = OPTIONS["default"], **arguments: int) -> Played:
    """Both agree; what the model did."""
    rtl, model = both(Case(f"tests.equiv.corners:{name}", arguments, options=options))
    assert_agree(rtl, model)
    return model


@pytest.mark.parametrize("shootdowns", [0, 4, 5, 63, 64, 65, 130])
def test_a_log_that_has_lapped_drops_the_drop_in(shootdowns: int) -> None:
    """Once: its miss comes again, and the next drop-in finds the log where it left it."""
    model = corner("lapped", shootdowns=shootdowns)
    assert (model.statistics["dropins_dropped"], model.statistics["dropins"]) == ((1, 1) if shootdowns > 64 else (0, 1))


def test_every_shootdown_handle_at_once() -> None:
    model = corner("every_handle")
    assert model.statistics["shootdowns"] == 48 and model.statistics["kills"] > 24 and not model.violations


@pytest.mark.parametrize("pages", [3, 4, 5, 7])
def test_the_same_victims_leave_full_sets(pages: int) -> None:
    model = corner("full_sets", pages=pages)
    assert (model.statistics["dropins"] > pages) == (pages > 4)


def test_drop_ins_of_every_size_replace_each_other() -> None:
    model = corner("all_sizes")
    sizes = {row[6] for row in model.trace.tolist() if row[1] == TraceEvent.DEV_FILL}
    assert len(sizes) == 11 and model.statistics["kills"] > 20


def test_contended_atomics_and_queues() -> None:
    model = corner("contended")
    assert model.statistics["exclusive_failed"] > 10
    words = [int.from_bytes(model.memory[at : at + 8], "little") for at in ((5 << 12), (5 << 12) + 8, (5 << 12) + 512)]
    assert words == [8, 8, 12 | 12 << 32], "no increment lost, the queue full to its limit and no further"


def test_a_shootdown_of_a_context_waits_for_its_access_through_anothers_entry() -> None:
    slow = HarnessOptions(write_latency=300)
    model = corner("shared_entry", slow)
    ends = [row[1] for row in model.trace.tolist() if row[1] in (TraceEvent.DEV_CB_DONE, TraceEvent.DEV_SHOOT_DONE)]
    assert ends[:3] == [TraceEvent.DEV_CB_DONE, TraceEvent.DEV_CB_DONE, TraceEvent.DEV_SHOOT_DONE]
    assert ends[-2:] == [TraceEvent.DEV_SHOOT_DONE, TraceEvent.DEV_CB_DONE], "a context that is not there does not wait"
