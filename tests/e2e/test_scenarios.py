"""Every scenario on every device; and that a scenario which misses its race, or whose device is broken, does not pass."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from shootdown.result import CosimConfig, RunResult, Verdict
from shootdown.rig import run
from sw_stack.workloads import scenarios
from sw_stack.workloads.stage import Stage

NAMES = scenarios.names()
EVALUATED = 700_000  # cycles a scenario may cost a simulator that skips idle time
FAR = 300_000  # cycles after which nothing of a round is under way any more


def play(name: str, backend: str = "native", seed: int = 1, **options: object) -> RunResult:
    config = CosimConfig(trace=None, scenario=name, seed=seed, out=Path(), backend=backend, **options)  # type: ignore[arg-type]
    return run(config, lambda _update: None, waves=False)


@cache
def native(name: str) -> RunResult:
    return play(name)


def clean(result: RunResult) -> None:
    assert result.verdict is Verdict.CLEAN, (result.violations, result.data_failures, result.stalled)
    assert result.workload["data_bytes_compared"] > 0 and result.workload["operations"] > 40
    assert result.oracle.checked_beats > 50
    assert sum(name.startswith("met_") for name in result.workload) >= 1


@pytest.mark.parametrize("name", NAMES)
def test_native(name: str) -> None:
    clean(native(name))
    assert native(name).cycles - native(name).skipped_cycles < EVALUATED


@pytest.mark.parametrize("name", NAMES)
def test_cocotb_plays_the_same_run(name: str) -> None:
    result = play(name, "cocotb")
    clean(result)
    assert result.digest == native(name).digest
    assert result.workload == native(name).workload


@pytest.mark.parametrize("name", NAMES)
def test_model(name: str) -> None:
    clean(play(name, "model"))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["native", "model"])
@pytest.mark.parametrize("name", NAMES)
def test_other_seeds(name: str, backend: str) -> None:
    """The races are met whatever the seed."""
    for seed in range(2, 12):
        clean(play(name, backend, seed))


@pytest.mark.parametrize("name", ["dropin_shootdown", "exit_with_faults", "mprotect_readonly", "small_in_huge"])
def test_a_scenario_that_misses_its_race_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes second comes when the other has long been done."""

    def far(stage: Stage, _first: int, _last: int, rounds: int) -> Iterator[int]:
        for _ in range(rounds):
            yield FAR
            stage.round()

    monkeypatch.setattr(Stage, "sweep", far)
    result = play(name)
    assert result.verdict is Verdict.DATA
    assert {failure.rule for failure in result.data_failures} == {"NOT_MET"}
    assert any("'during'" in failure.what for failure in result.data_failures)


@pytest.mark.parametrize(
    ("mutant", "name"),
    [
        ("ack_before_drain", "shootdown_bcopy"),
        ("ack_before_drain", "migration_dma"),
        ("fill_not_dropped", "dropin_shootdown"),
        ("range_short", "top_of_address_space"),
        ("large_survives", "small_in_huge"),
        ("asid_ignored", "asid_wrap"),
        ("mod_lost", "write_clean_entry"),
        ("ignore_range_active", "dropin_shootdown"),
        ("flush_short", "mprotect_readonly"),
        ("free_before_ack", "shootdown_bcopy"),
        ("stale_asid", "context_steal"),
        ("no_flush", "fork_cow"),
        ("no_flush", "reclaim_in_use"),
        ("no_flush", "exit_with_faults"),
        ("no_flush", "remap_other_frame"),
    ],
)
def test_a_scenario_sees_what_it_is_about(mutant: str, name: str) -> None:
    """By the oracle and the data alone: the RTL's assertions are off."""
    result = play(name, mutant=mutant, asserts=False)
    found = [*result.violations, *(failure for failure in result.data_failures if failure.rule != "NOT_MET")]
    assert found, f"{mutant} passes {name}: {result.data_failures}"


def test_a_range_that_ends_at_the_top_is_told_as_it_is() -> None:
    """Its end does not fit in a record."""
    result = play("top_of_address_space", mutant="flush_short", asserts=False)
    told = [row.text for row in result.violations[0].chain]
    assert any(text.startswith("munmap 0xffffffffffffc000 +4 pages") for text in told), told
    assert any("invalidate_range_begin" in text and "+4 pages" in text for text in told), told
