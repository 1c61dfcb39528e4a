"""Latencies, over-invalidation and hit rate, from hand-made records."""

from __future__ import annotations

import numpy as np

from hwif.gen.events import TraceEvent
from hwif.trace import CPU_SHIFT
from shootdown.measure import Measure

PAGE = 4096
ASID = 8


def fed(*rows: tuple[int, ...]) -> Measure:
    """A Measure that has settled the rows; software's and the device's in separate blocks, as they come."""
    measure = Measure()
    for software in (True, False):
        chosen = [row for row in rows if (TraceEvent(row[1]) < TraceEvent.DEV_MISS) == software]
        words = [[row[0], row[1] | (software << CPU_SHIFT), *row[2:], *([0] * (8 - len(row)))] for row in chosen]
        if words:
            measure(np.array(words, dtype=np.uint64))
    measure.settle(1 << 40)
    return measure


def test_a_fault_lasts_from_miss_to_restart_of_its_control_block() -> None:
    measure = fed(
        (10, TraceEvent.DEV_MISS, 1, PAGE, ASID, 1),
        (12, TraceEvent.DEV_MISS, 2, PAGE, ASID, 1),
        (40, TraceEvent.DEV_RESTART, 2),
        (70, TraceEvent.DEV_RESTART, 1),
    )
    assert measure.fault_latency == [28, 60]


def test_a_shootdown_lasts_from_issue_to_seen() -> None:
    measure = fed(
        (100, TraceEvent.DRV_SHOOTDOWN, 3, PAGE, ASID, 4),
        (130, TraceEvent.DEV_SHOOT_ACCEPT, 3, PAGE, ASID, 4, 0),
        (260, TraceEvent.DRV_SHOOTDOWN_DONE, 3),
    )
    assert measure.shootdown_latency == [160]
    assert measure.shootdown_pages == 5


def test_a_covered_entry_is_not_over_invalidated_a_neighbour_is() -> None:
    accept = (10, TraceEvent.DEV_SHOOT_ACCEPT, 0, 4 * PAGE, ASID, 1, 0)
    inside = (20, TraceEvent.DEV_KILL, 5 * PAGE, ASID, 0)
    beyond = (20, TraceEvent.DEV_KILL, 6 * PAGE, ASID, 0)
    assert fed(accept, inside).over_invalidated == 0
    assert fed(accept, beyond).over_invalidated == 1


def test_a_large_entry_dies_rightly_with_one_of_its_pages() -> None:
    accept = (10, TraceEvent.DEV_SHOOT_ACCEPT, 0, 4 * PAGE, ASID, 0, 0)
    assert fed(accept, (20, TraceEvent.DEV_KILL, 0, ASID, 5)).over_invalidated == 0


def test_the_widest_count_is_measured_against_what_the_notifier_said() -> None:
    begin = (5, TraceEvent.MN_RANGE_BEGIN, 1, 0, 2000 * PAGE, 0)
    accept = (10, TraceEvent.DEV_SHOOT_ACCEPT, 0, 0, ASID, 1023, 0)
    assert fed(begin, accept, (20, TraceEvent.DEV_KILL, 1999 * PAGE, ASID, 0)).over_invalidated == 0
    assert fed(begin, accept, (20, TraceEvent.DEV_KILL, 2000 * PAGE, ASID, 0)).over_invalidated == 1


def test_replacement_by_a_drop_in_is_no_invalidation() -> None:
    accept = (10, TraceEvent.DEV_SHOOT_ACCEPT, 0, 90 * PAGE, ASID, 0, 0)
    fill = (20, TraceEvent.DEV_FILL, 1, 6 * PAGE, ASID, 7, 0, 1)
    assert fed(accept, fill, (21, TraceEvent.DEV_KILL, 6 * PAGE, ASID, 0)).over_invalidated == 0


def test_hit_rate_keeps_the_totals() -> None:
    measure = Measure()
    for cycle, lookups, hits in ((0, 0, 0), (1000, 10, 5), (5000, 110, 95)):
        measure.sample(cycle, lookups, hits)
    rate = measure.hit_rate()
    assert rate is not None
    assert rate.lookups.sum() == 110
    assert rate.hits.sum() == 95


def test_a_range_to_the_top_of_the_address_space_ends_there() -> None:
    """Its end is 0 in a record."""
    top, asid = (1 << 64) - 2000 * PAGE, ASID + 7
    begin = (5, TraceEvent.MN_RANGE_BEGIN, 1, top, 0, 0)
    accept = (10, TraceEvent.DEV_SHOOT_ACCEPT, 0, top, asid, 1023, 0)
    assert fed(begin, accept, (20, TraceEvent.DEV_KILL, (1 << 64) - PAGE, asid, 0)).over_invalidated == 0
    assert fed(begin, accept, (20, TraceEvent.DEV_KILL, top - PAGE, asid, 0)).over_invalidated == 1
