"""The plays of XPMEM: each planted race is found, and without it nothing is."""

from __future__ import annotations

import pytest
from explored_rig import check_shortest, check_words, failures, planted_in

from sw_stack.drivers.xpmem.policy import Race

WORDS = {
    "xpmem_sigbus": "the user is refused a page that the owner has",
    "xpmem_stale_page": "the user reads 1, the owner has written 2",
    "xpmem_soft_lockup": "no end after 300 points",
    "xpmem_hold_and_wait": "owner waits for allow_recall_PFNs[owner]",
    "xpmem_current_mm": "the owner has lost its memory when the user's file was closed",
    "xpmem_close_leaks": "pages of the owner's are held by an attachment of a process that is gone",
}
PLAYS = ("xpmem_fault", "xpmem_large", "xpmem_detach", "xpmem_close", "xpmem_last_close")
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
    bound = 1 if name == "xpmem_soft_lockup" else 2  # a task without an end can be stopped in too many places
    pruned, whole = failures(play, name, bound), failures(play, name, bound, prune=False)
    assert pruned.keys() == whole.keys()
