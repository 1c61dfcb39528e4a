"""The play of the HMM mirror: its race is found, and without it nothing is."""

from __future__ import annotations

import pytest
from explored_rig import check_shortest, check_words, failures, planted_in

PLAY = "hmm_gone"
WORDS = {"hmm_fault_after_exit": "no end after 300 points"}


def test_the_planted_race_is_found_and_made_short() -> None:
    check_words(planted_in((PLAY,)), WORDS)
    assert check_shortest(PLAY, "hmm_fault_after_exit", WORDS).failure.kind == "STALL"


@pytest.mark.parametrize("bound", [1, 2])
def test_nothing_is_found_without_it(bound: int) -> None:
    assert failures(PLAY, None, bound) == {}


@pytest.mark.parametrize("planted", [None, pytest.param("hmm_fault_after_exit", marks=pytest.mark.slow)])
def test_pruning_hides_nothing(planted: str | None) -> None:
    pruned, whole = failures(PLAY, planted, 1), failures(PLAY, planted, 1, prune=False)
    assert pruned.keys() == whole.keys()
