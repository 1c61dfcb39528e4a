"""Claims about reclaim, at a small size: which way the curves go, and what a broken client does to the verdict."""

from __future__ import annotations

from typing import Any

import pytest
from support.small_claims import measured, verdict

from shootdown.claims import collective, livelock, moving, processors
from shootdown.claims.base import Outcome, pick
from shootdown.claims.holders import MLOCKED, NOBODY, NOTIFIER, PINNED, REFERENCES, REMOTE, REMOTE_PINNED
from sw_stack.drivers.kvm import Kvm

FRAMES = 64


def held(*kinds: str, shares: tuple[float, ...] = (0.8, 0.95, 1.0)) -> list[Any]:
    return measured("livelock", *(livelock.Point(kind, share, frames=FRAMES) for kind in kinds for share in shares))


def test_the_more_is_pinned_the_more_is_looked_at_until_nothing_can_be_had() -> None:
    rows = held(NOBODY, PINNED, NOTIFIER, REFERENCES, REMOTE)
    looks = [row.looks_each for row in pick(rows, kind=PINNED)]
    assert looks[0] < looks[1] and looks[2] is None
    full = pick(rows, kind=PINNED, share=1.0)[0]
    assert full.failed == full.touches and full.cycles_each is None
    assert not any(row.failed for row in rows if row.kind != PINNED)
    assert verdict("livelock", rows).outcome is Outcome.HOLDS


def test_mlocked_pages_go_round_as_well_but_what_else_there_is_can_be_had() -> None:
    rows = held(NOBODY, PINNED, MLOCKED, NOTIFIER)
    mlocked = pick(rows, kind=MLOCKED)
    assert [row.failed for row in mlocked] == [0, 0, mlocked[2].touches]
    assert mlocked[0].looks_each < mlocked[1].looks_each and not any(row.unmapped_in_vain for row in mlocked)
    found = verdict("livelock", rows)
    assert found.outcome is Outcome.HOLDS and "no notifier helps there" in found.text


def test_a_client_that_is_not_called_is_no_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(self: Kvm, mm: Any, address: int) -> None:
        """The notifier is not called: the references stay."""

    monkeypatch.setattr(Kvm, "invalidate_page", deaf)
    found = verdict("livelock", held(NOBODY, PINNED, REFERENCES))
    assert found.outcome is Outcome.PART and "no cure" in found.text


def test_the_killer_takes_who_pins_and_nobody_else() -> None:
    points = (livelock.Point(kind, 1.0, killer=True, frames=FRAMES) for kind in (PINNED, NOTIFIER))
    assert [row.killed for row in measured("livelock", *points)] == [1, 0]


def test_more_processors_look_more_over_pinned_pages_only() -> None:
    kinds = (NOBODY, PINNED, NOTIFIER)
    rows = measured("processors", *(processors.Point(kind, count, 0.9, frames=128) for kind in kinds for count in (1, 8)))
    growth = {kind: pick(rows, kind=kind)[1].looks_each / pick(rows, kind=kind)[0].looks_each for kind in kinds}
    assert growth[PINNED] > 1.5 and growth[PINNED] > 1.3 * growth[NOBODY], growth
    assert verdict("processors", rows).outcome is not Outcome.NOT


def test_with_everything_pinned_processors_keep_each_other_waiting() -> None:
    rows = measured("processors", *(processors.Point(PINNED, count, 1.0, frames=32, work=0.25) for count in (1, 4)))
    assert all(row.failed == row.touches for row in rows)
    assert rows[1].looks > 2 * rows[0].looks and rows[1].cycles > rows[0].cycles


def moved(*kinds: str) -> list[Any]:
    return measured("moving", *(moving.Point(kind, share, frames=128) for kind in kinds for share in (1 / 64, 1 / 16)))


def test_pinned_pages_stay_and_all_others_move() -> None:
    rows = moved(PINNED, REMOTE_PINNED, MLOCKED, NOTIFIER, REFERENCES, REMOTE)
    for row in rows:
        stays = row.kind in (PINNED, REMOTE_PINNED)
        assert row.moved == (0 if stays else row.held)
        assert (row.unplugged < row.blocks) == stays and row.unplugged_after == row.blocks
    assert verdict("moving", rows).outcome is Outcome.HOLDS


def test_a_client_that_is_not_called_stops_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(self: Kvm, mm: Any, address: int) -> None:
        """The notifier is not called."""

    monkeypatch.setattr(Kvm, "invalidate_page", deaf)
    assert verdict("moving", moved(PINNED, MLOCKED, REFERENCES)).outcome is Outcome.PART


def test_messages_grow_with_the_users_and_time_does_not_as_fast() -> None:
    kinds, users = (collective.IDLE, collective.BUSY, collective.SPREAD), (0, 1, 8)
    rows = measured("collective", *(collective.Point(kind, count, pages=6) for kind in kinds for count in users))
    none, one, many = pick(rows, kind=collective.IDLE)
    assert not none.messages and many.invalidations == 8 * one.invalidations and many.messages > 7 * one.messages
    assert none.migration < one.migration < many.migration < 4 * one.migration and none.each < many.each < 4 * one.each
    assert all(row.reclaimed == row.pages for row in rows)
    spread = pick(rows, kind=collective.SPREAD)
    assert spread[2].invalidations == spread[1].invalidations
    assert verdict("collective", rows).outcome is Outcome.PART


def test_the_same_seed_gives_the_same_rows() -> None:
    point = livelock.Point(REMOTE, 0.9, frames=FRAMES)
    assert measured("livelock", point) == measured("livelock", point)
