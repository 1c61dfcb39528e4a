"""The plays of the registration cache: each planted race is found, and without it nothing is."""

from __future__ import annotations

import pytest
from explored_rig import check_shortest, check_words, failures, planted_in

from sw_stack.drivers.regcache.policy import Race

WORDS = {
    "regcache_unaware": "page 1: the adapter sends 2s, the process has written 4s",
    "regcache_part_missed": "page 1: the adapter sends 2s, the process has written 4s",
    "regcache_madvise_unhooked": "page 0: the adapter sends 1s, the process has written 3s",
    "regcache_remove_ignored": "page 0: the adapter sends 1s, the process has written 3s",
    "regcache_dereg_in_use": "is not registered",
    "regcache_merge_fails": "no registration of pages 0 and 1, which are there",
    "regcache_lock_in_monitor": "regcache_lock[program]: held by sender, wanted by monitor",
    "regcache_lock_in_hook": "takes regcache_lock[program] twice",
    "regcache_hit_unchecked": "is not registered",
    "regcache_fork_locked": "waits for regcache_lock[child]",
}
PLAYS = ("regcache_reuse", "regcache_merge", "regcache_locks", "regcache_fork")
PLANTED = planted_in(PLAYS)


def test_every_race_has_its_words() -> None:
    check_words(PLANTED, WORDS, Race)


@pytest.mark.parametrize(("play", "name"), PLANTED)
def test_the_planted_race_is_found_and_made_short(play: str, name: str) -> None:
    check_shortest(play, name, WORDS)


@pytest.mark.parametrize("bound", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("play", PLAYS)
def test_nothing_is_found_without_them(play: str, bound: int) -> None:
    assert failures(play, None, bound) == {}


@pytest.mark.slow
@pytest.mark.parametrize(("play", "name"), [*((play, None) for play in PLAYS), *PLANTED])
def test_pruning_hides_nothing(play: str, name: str | None) -> None:
    pruned, whole = failures(play, name, 2), failures(play, name, 2, prune=False)
    assert pruned.keys() == whole.keys()
