"""Claims about devices, at a small size, on the model: which way the curves go, and that a broken driver gives no figure."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from support.small_claims import measured, verdict

from shootdown.claims import deadlock, larger, paging, pair, registration, small_messages, startup, take_down
from shootdown.claims.base import Outcome, RuleBrokenError, pick
from shootdown.result import CosimConfig


def test_the_first_byte_is_there_sooner_on_demand_and_the_last_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "SIZE", 16)
    monkeypatch.setattr(startup, "SIZES", (4, 16))
    points = [startup.Point(kind, pages, 1 / 64) for kind in startup.KINDS for pages in (4, 16)]
    points += [startup.Point(kind, 16, 1.0) for kind in startup.KINDS]
    rows = measured("startup", *points)
    first = {(row.kind, row.pages): row.first for row in rows if row.used == 1}
    assert first[startup.DEMAND, 16] < first[startup.DEMAND, 4] * 1.5
    assert first[startup.PINNED, 16] > 2 * first[startup.PINNED, 4] and first[startup.PINNED, 16] > 2 * first[startup.DEMAND, 16]
    pinned, demand = (pick(rows, kind=kind, share=1.0)[0].total for kind in (startup.PINNED, startup.DEMAND))
    assert demand > pinned
    assert verdict("startup", rows).outcome is Outcome.HOLDS


def pressed(**options: Any) -> list[Any]:
    point = partial(paging.Point, frames=192, messages=40, **options)
    return measured("paging", *(point(kind, ratio) for kind in paging.KINDS for ratio in (0.8, 1.2)))


def test_demand_is_free_while_memory_suffices_and_shares_the_price_when_it_does_not() -> None:
    rows = pressed()
    pinned, demand = (pick(rows, kind=kind) for kind in paging.KINDS)
    assert demand[0].faults == 0 and demand[0].each < 1.1 * pinned[0].each
    assert demand[1].each > 3 * pinned[1].each and pinned[1].store > 3 * demand[1].store
    assert verdict("paging", rows).outcome is Outcome.HOLDS


def test_a_driver_that_does_not_tell_the_device_gives_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair, "CosimConfig", partial(CosimConfig, mutant="no_invalidate"))
    with pytest.raises(RuleBrokenError):
        pressed()


def test_only_stalling_comes_to_a_standstill() -> None:
    far = [deadlock.Point(deadlock.FAR, policy, victims, rounds=1) for policy in deadlock.POLICIES for victims in (1, 8)]
    near = [deadlock.Point(deadlock.NEAR, policy, victims, rounds=1) for policy in deadlock.POLICIES for victims in (0, 8)]
    rows = measured("deadlock", *far, *near)
    stuck = {(row.policy, row.victims) for row in rows if row.standstills}
    assert stuck == {(deadlock.STALL, 8)}
    found = verdict("deadlock", rows)
    assert found.outcome is Outcome.PART and "never did" in found.text


def test_a_question_before_each_small_message_is_dear() -> None:
    point = partial(small_messages.Point, messages=20)
    kinds = small_messages.KINDS
    calm = [point(kind, size) for kind in kinds for size in (8, 65536)]
    rows = measured("small_messages", *calm, *(point(kind, 8, 500) for kind in kinds))
    each = {row.kind: row.each for row in rows if row.size == 8 and not row.taken}
    assert each[small_messages.PESSIMISTIC] > 2 * each[small_messages.NOTHING]
    assert each[small_messages.OPTIMISTIC] < 1.1 * each[small_messages.NOTHING]
    taken = {row.kind: row for row in rows if row.taken}
    assert taken[small_messages.OPTIMISTIC].faults and taken[small_messages.MARKED].asked
    assert not taken[small_messages.MARKED].faults and taken[small_messages.PESSIMISTIC].asked == 20
    assert verdict("small_messages", rows).outcome in (Outcome.PART, Outcome.HOLDS)


def test_a_region_outgrows_memory_and_then_swap() -> None:
    point = partial(larger.Point, frames=128, messages=20)
    kinds, ratios = larger.KINDS, (0.5, 2.0)
    rows = measured(
        "larger",
        *(point(kind, ratio) for kind in kinds for ratio in ratios),
        *(point(larger.ANYWHERE, ratio, 1.0) for ratio in (1.5, 2.5)),
    )
    assert [row.refused for row in pick(rows, kind=larger.PINNED)] == [False, True]
    near, anywhere = (pick(rows, kind=kind, ratio=2.0)[0].each for kind in (larger.NEAR, larger.ANYWHERE))
    assert near < anywhere
    assert [row.failed for row in rows if row.swap is not None] == [0, 1]
    assert "point of no return" in verdict("larger", rows).text


def test_a_cache_saves_registrations_and_must_be_told() -> None:
    point = partial(registration.Point, size=2, transfers=16)
    rows = measured(
        "registration",
        *(point(kind, uses) for kind in registration.KINDS for uses in (1, 8)),
        *(point(kind, freed=8) for kind in registration.KINDS),
    )
    reused = {row.kind: row for row in rows if row.uses == 8 and not row.freed}
    assert [reused[kind].registrations for kind in registration.KINDS] == [16, 2, 2, 0]
    assert reused[registration.EACH].each > reused[registration.CACHE].each
    wrong = {row.kind: row.wrong for row in rows if row.freed}
    assert wrong.pop(registration.DEAF) >= 8 and not any(wrong.values())
    assert verdict("registration", rows).outcome in (Outcome.HOLDS, Outcome.PART)


def test_the_whole_region_is_for_small_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take_down, "SIZE", 128)
    monkeypatch.setattr(take_down, "RATE", 200)
    rows = measured("take_down", *(take_down.Point(kind, pages, 200, 40) for kind in take_down.KINDS for pages in (2, 128)))
    whole, page = (pick(rows, kind=kind) for kind in take_down.KINDS)
    assert whole[0].each < page[0].each and whole[1].each > page[1].each
    assert whole[1].entered > 5 * page[1].entered
    assert verdict("take_down", rows).outcome is Outcome.PART
