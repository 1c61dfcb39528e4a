"""Every scenario of two systems with HCAs; and that one which misses its race, or whose driver is broken, does not pass."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from shootdown.result import CosimConfig, RunResult, Verdict
from shootdown.rig import run
from sw_stack.workloads import hca_scenarios
from sw_stack.workloads.hca_stage import HcaStage

NAMES = hca_scenarios.names()
FAR = 300_000  # cycles after which nothing of a round is under way any more


def play(name: str, backend: str = "model", seed: int = 1, mutant: str | None = None) -> RunResult:
    print(f"shootdown scenarios run {name} --backend {backend} --seed {seed}" + (f" --mutant {mutant}" if mutant else ""))
    config = CosimConfig(trace=None, device="hca", scenario=name, seed=seed, out=Path(), backend=backend, mutant=mutant)
    return run(config, lambda _update: None, waves=False)


def clean(result: RunResult) -> None:
    assert result.verdict is Verdict.CLEAN, (result.violations, result.data_failures, result.stalled)
    assert result.workload["data_bytes_compared"] > 0
    assert result.workload["operations"] >= 10
    assert result.oracle.checked_beats > 50
    assert any(name.startswith("met_") for name in result.workload)


@pytest.mark.parametrize("name", NAMES)
def test_model(name: str) -> None:
    clean(play(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_other_seeds(name: str) -> None:
    """The races are met whatever the seed."""
    for seed in range(2, 8):
        clean(play(name, seed=seed))


@cache
def native(name: str) -> RunResult:
    return play(name, "native")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_native(name: str) -> None:
    clean(native(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_cocotb_plays_the_same_run(name: str) -> None:
    result = play(name, "cocotb")
    clean(result)
    assert result.digest == native(name).digest
    assert result.workload == native(name).workload


@pytest.mark.parametrize("name", ["dereg_madvise", "exit_in_fault", "marked_handle", "two_empty_one_table"])
def test_a_scenario_that_misses_its_race_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes second comes when the other has long been done."""

    def far(stage: HcaStage, _first: int, _last: int, rounds: int) -> Iterator[int]:
        for _ in range(rounds):
            yield FAR
            stage.round()

    monkeypatch.setattr(HcaStage, "sweep", far)
    result = play(name)
    assert result.verdict is Verdict.DATA
    assert {failure.rule for failure in result.data_failures} == {"NOT_MET"}
    assert any("'during'" in failure.what for failure in result.data_failures)


@pytest.mark.parametrize(
    ("name", "mutant"),
    [
        ("dereg_madvise", "stale_key"),
        ("end_of_everything", "forget_implicit"),
        ("more_faults_than_queue", "invalidate_short"),
        ("more_faults_than_queue", "lost_wakeup"),
        ("optimistic_restart", "no_invalidate"),
        ("packet_damming", "ignore_sequence"),
        ("pinned_pages", "pin_uncounted"),
    ],
)
def test_a_broken_driver_does_not_pass(name: str, mutant: str) -> None:
    assert play(name, mutant=mutant).verdict is not Verdict.CLEAN
