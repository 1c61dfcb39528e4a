"""The plays of the GRU and the notifiers: each planted race is found, made short, and shown on the RTL; without it nothing is."""

from __future__ import annotations

import pytest
from _pytest.mark import ParameterSet
from explored_rig import check_shortest, check_words, failures, kind_on_rtl, planted_in

from sw_stack.drivers.gru.policy import Race
from sw_stack.workloads.explored import load

WORDS = {
    "gru_walk_freed_table": "from a page table that was freed while it walked",
    "gru_ignore_range_active": "of va 0x100000",
    "gru_free_before_ack": "read of va 0x100000",
    "gru_end_lost": "ms_wait_queue",
    "gru_place_after_unload": "control block 0 is used after the context was unloaded",
    "gru_large_not_flushed": "read of va 0x102000",
    "gru_long_wraps": "read of va 0x8000000000501000",
    "gru_region_short": "read of va 0x8000000000501000",
    "gru_empty_is_one": "a flush of length 0 from 0x100000 left the entry of 0x101000",
    "gru_old_generation": "read of va 0x100000",
    "gru_wrap_no_flush": "read of va 0x100000",
    "gru_fork_no_end": "ms_wait_queue",
    "gru_refusal_no_end": "ms_wait_queue",
    "gru_unregister_first": "read of va 0x100000",
    "gru_upgrade_assumed": "no end after 60 points",
    "mn_fork_end_from_area": "the client refuses 0x101000: for it a range has begun and not ended",
    "mn_zap_end_short": "the client refuses 0x200000: for it a range has begun and not ended",
    "mn_dispatch_under_rcu": "in invalidate_range_begin of <Remote>: sleeping while atomic",
    "mn_deaf_to_atomic": "of <Skeleton>: sleeping while atomic",
    "mn_unregister_at_once": "uses <Skeleton>, which was unregistered while the pass was under way",
    "mn_two_releases": "release of <Skeleton> on mm",
}
GRU = (
    "gru_asid_wrap", "gru_dropin", "gru_exit_close", "gru_failed_fork", "gru_large_page", "gru_long_range", "gru_moved_user",
    "gru_refused_range", "gru_upgrade", "gru_user_flush",
)  # fmt: skip
SOFTWARE = ("mn_exit_unregister", "mn_range_bounds", "mn_sleepers")
QUICK = {"gru_exit_close", "gru_refused_range", *SOFTWARE}
"""Plays whose races are found and made short in a second or two."""
LARGE = {"gru_asid_wrap"}
"""Plays that have more orders with one preemption than the budget."""
PLANTED = planted_in((*GRU, *SOFTWARE))


def quick(play: str, *more: str) -> ParameterSet:
    return pytest.param(play, *more, marks=() if play in QUICK else pytest.mark.slow)


def test_every_race_has_its_words() -> None:
    check_words(PLANTED, WORDS, Race)


@pytest.mark.parametrize(("play", "name"), [quick(play, name) for play, name in PLANTED])
def test_the_planted_race_is_found_made_short_and_shows_on_the_rtl(play: str, name: str) -> None:
    best = check_shortest(play, name, WORDS)
    if load(play).DEVICE is not None:
        assert kind_on_rtl(play, name, best) == best.failure.kind


@pytest.mark.parametrize("play", [*(pytest.param(play, marks=pytest.mark.slow) for play in GRU), *SOFTWARE])
def test_nothing_is_found_without_them(play: str) -> None:
    assert failures(play, None, 0 if play in LARGE else 1) == {}


@pytest.mark.slow
@pytest.mark.parametrize("play", [*GRU, *SOFTWARE])
def test_nothing_is_found_without_them_and_two_preemptions(play: str) -> None:
    assert failures(play, None, 2, budget=True) == {}


@pytest.mark.slow
@pytest.mark.parametrize(("play", "name"), [*((play, None) for play in (*GRU, *SOFTWARE)), *PLANTED])
def test_pruning_hides_nothing(play: str, name: str | None) -> None:
    bound = 2 if play in SOFTWARE else 1
    pruned, whole = failures(play, name, bound, budget=True), failures(play, name, bound, prune=False, budget=True)
    assert pruned.keys() == whole.keys()
