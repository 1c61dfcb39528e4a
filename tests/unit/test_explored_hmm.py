"""The play of the HMM mirror: its race is found, and without it nothing is."""

from __future__ import annotations

import pytest
from explored_rig import failures, shortest

from sw_stack.workloads.explored import load

PLAY = "hmm_gone"


def test_the_planted_race_is_found_and_made_short() -> None:
    ((name, what),) = load(PLAY).PLANTED.items()
    _played, best = shortest(PLAY, name)
    assert best.failure.kind == "STALL" and "no end" in best.failure.text
    assert len(best.steps) <= 1.5 * what.steps


@pytest.mark.parametrize("bound", [1, 2])
def test_nothing_is_found_without_it(bound: int) -> None:
    assert failures(PLAY, None, bound) == {}


@pytest.mark.parametrize("planted", [None, pytest.param("hmm_fault_after_exit", marks=pytest.mark.slow)])
def test_pruning_hides_nothing(planted: str | None) -> None:
    pruned, whole = failures(PLAY, planted, 1), failures(PLAY, planted, 1, prune=False)
    assert pruned.keys() == whole.keys()
