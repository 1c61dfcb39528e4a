"""The whole loop on two systems: a program on A, system B at work on its memory over the link, both oracles.

The model stands in for the RTL where the software is the subject; the RTL itself plays the same at the end of the file.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from shootdown.errors import InputError
from shootdown.result import Column, CosimConfig, RunResult, Verdict
from shootdown.rig import run

SHIPPED = Path(__file__).resolve().parents[2] / "examples" / "traces" / "blockcache.sdt"
LIMIT = 1500  # VM events: every kind of call, a few hundred operations


@pytest.fixture
def config(tmp_path: Path) -> CosimConfig:
    return CosimConfig(trace=SHIPPED, seed=1, out=tmp_path, device="hca", backend="model", limit=LIMIT)


def play(config: CosimConfig, **changes: object) -> RunResult:
    return run(dataclasses.replace(config, **changes), lambda _update: None)  # type: ignore[arg-type]


def test_a_clean_run_is_clean_and_did_something(config: CosimConfig) -> None:
    result = play(config, memory=500)
    assert result.verdict is Verdict.CLEAN, (result.violations, result.data_failures, result.stalled)
    assert result.oracle.violations == 0 and not result.data_failures
    assert result.oracle.checked_beats > 10_000
    assert result.shootdowns > 40 and result.faults > 200
    assert result.workload["operations_verified"] > 100
    for event in ("mmap", "munmap", "mprotect", "brk", "migrated"):
        assert result.vm_events[event] > 0, event
    assert len(result.fault_latency) > 200 and min(result.fault_latency) > 0
    assert len(result.shootdown_latency) > 40
    assert result.over_invalidated == 0


def test_one_seed_gives_one_digest_another_seed_another(config: CosimConfig) -> None:
    first, again, other = (play(config, limit=400, seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest


def test_a_timeline_tells_both_journeys(config: CosimConfig) -> None:
    from shootdown.timeline.read import read_timeline  # noqa: PLC0415

    result = play(config, limit=400, timeline=True)
    assert result.timeline is not None
    view = read_timeline(result.timeline)
    names = {(arrow.source.name.split(" ")[0], arrow.target.name.split(" ")[0]) for arrow in view.arrows}
    assert ("invalidate_range_begin", "INVALIDATE_RANGE") in names, "the notifier's call rings a command"
    assert ("INVALIDATE_RANGE", "invalidate") in names and ("FENCE", "fence") in names, "the device takes both"
    assert {("record", "raised"), ("raised", "fault"), ("record", "page"), ("page", "resume")} <= names, "a fault, all round"


@pytest.mark.parametrize("mutant", ["no_invalidate", "invalidate_short", "map_writable"])
def test_the_oracle_catches_a_broken_driver_and_says_how(config: CosimConfig, mutant: str) -> None:
    result = play(config, mutant=mutant, limit=None)
    assert result.verdict is Verdict.VIOLATION
    chain = result.violations[0].chain
    assert chain[-1].column is Column.DEVICE and "QP" in chain[-1].text
    assert len(chain) > 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"mutant": "free_before_ack"}, "mutant"), ({"memory": 10}, "too few frames"), ({"scenario": "fork_cow"}, "scenario")],
    ids=["a mutant of the other device", "no memory", "a scenario of the other device"],
)
def test_bad_input_is_one_line(config: CosimConfig, changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError) as caught:
        play(config, **changes)
    assert words in str(caught.value)
