"""Verdicts follow from figures: made-up ones for every outcome."""

from __future__ import annotations

from typing import Any

import pytest
from support.small_claims import verdict

from shootdown.claims import (
    collective,
    deadlock,
    larger,
    livelock,
    moving,
    paging,
    processors,
    registration,
    small_messages,
    startup,
    take_down,
)
from shootdown.claims.base import Outcome
from shootdown.claims.holders import MLOCKED, NOBODY, NOTIFIER, PINNED, REFERENCES, REMOTE, REMOTE_PINNED
from shootdown.claims.library import NAMES

HOLDS, PART, NOT = Outcome.HOLDS, Outcome.PART, Outcome.NOT
Rows = list[Any]


def _livelock(pinned: int, failed: int, told: int, told_failed: int = 0) -> Rows:
    """Looks for 100 frames with nobody's hands on memory: 500."""

    def row(kind: str, share: float, looks: int, fails: int = 0) -> livelock.Row:
        return livelock.Row(kind, share, False, 256, fails, looks, 0 if fails == 256 else 100, 7, 1000, 0)

    rows = [row(NOBODY, share, 500) for share in (0.9, 1.0)]
    rows += [row(PINNED, 0.9, pinned), row(PINNED, 1.0, 9000, failed)]
    return rows + [row(kind, share, told, told_failed) for kind in (NOTIFIER, REFERENCES, REMOTE) for share in (0.9, 1.0)]


def _processors(pinned: float, nobody: float) -> Rows:
    def row(kind: str, count: int, looks: float) -> processors.Row:
        return processors.Row(kind, count, 0.9, 100, 0, int(looks), 100, 5, 0, 1000, 1000 * count)

    growth = {NOBODY: nobody, PINNED: pinned, NOTIFIER: nobody}
    return [row(kind, count, 1000 * (more if count > 1 else 1)) for kind, more in growth.items() for count in (1, 16)]


def _moving(pinned: int, mlocked: int, told: int) -> Rows:
    """How many of 8 held pages move."""

    def row(kind: str, moved: int) -> moving.Row:
        return moving.Row(kind, 1 / 32, 8, moved, 16, 16 if moved == 8 else 4, 16, 1000)

    return [row(PINNED, pinned), row(REMOTE_PINNED, pinned), row(MLOCKED, mlocked), row(NOTIFIER, told), row(REFERENCES, told)]


def _startup(pinned: int, demand_few: int, demand_all: int) -> Rows:
    """Cycles: first byte of a pinned region of 256 pages; total on demand with few pages used, and with all. Pinned: 10,000."""

    def row(kind: str, pages: int, share: float, used: int, first: int, total: int) -> startup.Row:
        return startup.Row(kind, pages, share, 1, used, 100, first, total, 0)

    rows = [row(kind, 4, 1 / 64, 1, 100, 200) for kind in startup.KINDS]
    for kind in startup.KINDS:
        demand = kind == startup.DEMAND
        first = 1000 if demand else pinned
        rows.append(row(kind, 256, 1 / 64, 4, first, demand_few if demand else 10_000))
        rows.append(row(kind, 256, 1.0, 256, first, demand_all if demand else 10_000))
    return rows


def _paging(calm: int, faults: int = 0) -> Rows:
    """Cycles of a message on demand while memory suffices; 1,000 pinned."""

    def row(kind: str, ratio: float, each: int, hits: int) -> paging.Row:
        return paging.Row(kind, ratio, 10, 10 * each, hits, 10, 100, 0, 0)

    rows = [row(paging.PINNED, ratio, 1000, 0) for ratio in (0.8, 1.2, 2.0)]
    return [*rows, row(paging.DEMAND, 0.8, calm, faults), *(row(paging.DEMAND, ratio, 20_000, 9) for ratio in (1.2, 2.0))]


def _deadlock(stall: int, restart: int) -> Rows:
    """Standstills of 96 pages."""
    far = [
        deadlock.Row(deadlock.FAR, policy, 8, 96, {"stall": stall, "restart": restart}.get(policy, 0), 0)
        for policy in deadlock.POLICIES
    ]
    near = [deadlock.Row(deadlock.NEAR, policy, count, 8, 0, 1000) for policy in deadlock.POLICIES for count in (0, 8)]
    return far + near


def _collective(messages: int, cycles: int) -> Rows:
    """Messages and cycles with 64 users; 10 messages and 100 cycles with one."""

    def row(kind: str, users: int, sent: int, took: int) -> collective.Row:
        return collective.Row(kind, users, 10, 10, 10 * took, 10 * sent, users, took)

    rows = []
    for kind in collective.KINDS:
        rows += [row(kind, 0, 0, 90), row(kind, 1, 10, 100), row(kind, 64, messages, cycles)]
    return rows


def _small(optimistic: int, pessimistic: int, large: int = 50_000) -> Rows:
    """Cycles of a message of 8 bytes, 1,000 with no question at all; of 64 KiB with a question before each, 50,000 with none."""
    each = dict(zip(small_messages.KINDS, (1000, optimistic, 1050, pessimistic), strict=True))
    rows = [small_messages.Row(kind, 8, 0, 10, 10 * cycles, 0, 0) for kind, cycles in each.items()]
    asks = small_messages.PESSIMISTIC
    return rows + [small_messages.Row(kind, 65536, 0, 10, 10 * (large if kind == asks else 50_000), 0, 0) for kind in each]


def _larger(still: int, failed: int, refused: bool = True) -> Rows:
    """Cycles of a message in a window that hardly moves, in a region of 8 times memory; 1,000 in one that fits."""

    def row(kind: str, ratio: float, each: int, fails: int = 0, no: bool = False) -> larger.Row:
        return larger.Row(kind, ratio, None, no, 50, 50, 100, fails, 0 if fails or no else 100 * each, 5, 100)

    rows = [row(kind, 0.5, 1000) for kind in larger.KINDS]
    each = {larger.STILL: still, larger.NEAR: 4000, larger.ANYWHERE: 20_000}
    return [*rows, row(larger.PINNED, 8.0, 1000, no=refused), *(row(kind, 8.0, cycles, failed) for kind, cycles in each.items())]


def _registration(each: int, deaf: int, told: int = 0) -> Rows:
    """Cycles of a transfer registered each time, 1,000 out of a cache; wrong transfers of the deaf cache and of the others."""

    def row(kind: str, uses: int, freed: int, cycles: int, wrong: int) -> registration.Row:
        return registration.Row(kind, uses, 16, freed, 64, 64 * cycles, wrong, 128, 8, 0)

    rows = []
    for kind in registration.KINDS:
        cycles = each if kind == registration.EACH else 1000
        rows += [row(kind, uses, 0, cycles, 0) for uses in (1, 8)]
        rows.append(row(kind, 8, 16, cycles, deaf if kind == registration.DEAF else told))
    return rows


def _take_down(small: int, large: int) -> Rows:
    """Cycles of an operation when the whole region goes, of 4 and of 64 pages; 1,000 page by page."""

    def row(kind: str, pages: int, each: int) -> take_down.Row:
        return take_down.Row(kind, pages, take_down.RATE, 10, 10 * each, 3, 100, 30, 3)

    whole = [row(take_down.WHOLE, 4, small), row(take_down.WHOLE, 64, large)]
    return whole + [row(take_down.PAGES, pages, 1000) for pages in (4, 64)]


CASES: list[tuple[str, Rows, Outcome]] = [
    ("livelock", _livelock(9000, 256, 500), HOLDS),
    ("livelock", _livelock(9000, 256, 500, 256), PART),
    ("livelock", _livelock(9000, 256, 2000), PART),
    ("livelock", _livelock(900, 0, 500), NOT),
    ("livelock", _livelock(9000, 0, 500), NOT),
    ("processors", _processors(4.0, 1.2), HOLDS),
    ("processors", _processors(1.9, 1.0), PART),
    ("processors", _processors(4.0, 4.0), NOT),
    ("processors", _processors(1.0, 1.0), NOT),
    ("moving", _moving(0, 8, 8), HOLDS),
    ("moving", _moving(0, 8, 5), PART),
    ("moving", _moving(0, 0, 8), NOT),
    ("moving", _moving(8, 8, 8), NOT),
    ("startup", _startup(5000, 2000, 20_000), HOLDS),
    ("startup", _startup(5000, 12_000, 20_000), PART),
    ("startup", _startup(5000, 2000, 9000), PART),
    ("startup", _startup(1500, 2000, 20_000), NOT),
    ("paging", _paging(1000), HOLDS),
    ("paging", _paging(1020, 3), PART),
    ("paging", _paging(1500), PART),
    ("paging", _paging(5000, 9), NOT),
    ("deadlock", _deadlock(72, 12), HOLDS),
    ("deadlock", _deadlock(72, 0), PART),
    ("deadlock", _deadlock(0, 0), NOT),
    ("collective", _collective(640, 6000), HOLDS),
    ("collective", _collective(640, 150), PART),
    ("collective", _collective(10, 100), NOT),
    ("small_messages", _small(1000, 4000), HOLDS),
    ("small_messages", _small(1000, 4000, 150_000), PART),
    ("small_messages", _small(1000, 1300), NOT),
    ("small_messages", _small(4000, 4000), NOT),
    ("larger", _larger(1500, 0), HOLDS),
    ("larger", _larger(9000, 0), PART),
    ("larger", _larger(1500, 0, refused=False), PART),
    ("larger", _larger(1500, 1), NOT),
    ("registration", _registration(3000, 5), HOLDS),
    ("registration", _registration(1000, 5), PART),
    ("registration", _registration(3000, 0), PART),
    ("registration", _registration(1000, 5, 5), NOT),
    ("take_down", _take_down(900, 1000), HOLDS),
    ("take_down", _take_down(900, 2000), PART),
    ("take_down", _take_down(1500, 2000), NOT),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{name}-{outcome.name}-{index}" for index, (name, _, outcome) in enumerate(CASES)])
def test_outcome_follows_from_the_figures(case: tuple[str, Rows, Outcome]) -> None:
    name, rows, outcome = case
    found = verdict(name, rows)
    assert found.outcome is outcome, found.text
    assert found.text and "None" not in found.text and "nan" not in found.text


def test_every_claim_has_a_case_for_every_outcome() -> None:
    assert {(name, outcome) for name, _, outcome in CASES} == {(name, outcome) for name in NAMES for outcome in Outcome}
