"""The plays of the HCA: each planted race is found, made short, shown on the RTL, and without it nothing is found."""

from __future__ import annotations

import pytest
from explored_rig import check_shortest, check_words, failures, kind_on_rtl, planted_in, shortest

from sw_stack.drivers.hca.policy import Race

WORDS = {
    "hca_invalidated_early": "read of va",
    "hca_invalidated_late": "read of va",
    "hca_interval_removed_early": "its remove has returned already",
    "hca_revoked_key": "INVALIDATE_RANGE (entry",
    "hca_child_destroyed_twice": "destroyed a second time",
    "hca_reclaim_under_fill_lock": "page allocation, under hca_umem_lock",
    "hca_everything_is_nothing": "read of va",
    "hca_upgrade_lost": "faults at 0x100000 again and again",
    "hca_retry_unbounded": "each is to give up after 2",
    "hca_last_reference_in_fault": "exit_mm",
    "hca_copy_told_late": "has seen a request that was written after",
}
PLAYS = tuple(f"hca_{name}" for name in ("child", "dereg", "dropped", "everything", "exit", "fill", "order", "storm", "upgrade"))
PLANTED = planted_in(PLAYS)
LONG = ("hca_interval_removed_early", "hca_retry_unbounded", "hca_revoked_key", "hca_upgrade_lost")
"""Those whose search or shortening takes seconds."""


def marked(found: tuple[str, str]) -> object:
    return pytest.param(*found, marks=pytest.mark.slow) if found[1] in LONG else found


def test_every_race_has_its_words() -> None:
    check_words(PLANTED, WORDS, Race)


@pytest.mark.parametrize(("play", "name"), [marked(found) for found in PLANTED])
def test_the_planted_race_is_found_and_made_short(play: str, name: str) -> None:
    check_shortest(play, name, WORDS)


@pytest.mark.slow
@pytest.mark.parametrize(("play", "name"), PLANTED)
def test_the_rtl_fails_alike(play: str, name: str) -> None:
    best = shortest(play, name)
    assert kind_on_rtl(play, name, best) == best.failure.kind


@pytest.mark.slow
@pytest.mark.parametrize("play", PLAYS)
def test_nothing_is_found_within_the_budget_without_them(play: str) -> None:
    assert failures(play, None, 2, budget=True) == {}


@pytest.mark.parametrize("play", [pytest.param(play, marks=pytest.mark.slow) for play in PLAYS])
def test_nothing_is_found_without_them(play: str) -> None:
    assert failures(play, None, 1) == {}


@pytest.mark.slow
@pytest.mark.parametrize(("play", "name"), [*((play, None) for play in PLAYS), *PLANTED])
def test_pruning_hides_nothing(play: str, name: str | None) -> None:
    pruned, whole = failures(play, name, 1), failures(play, name, 1, prune=False, budget=True)
    assert pruned.keys() >= whole.keys()
