"""`bench.model`: two sides, their errors, and a run that was not clean is no measurement."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench import model
from hwif.gen import timing
from shootdown.commands import bench_model
from shootdown.commands.reach import Reach, reach_table
from shootdown.result import ProgressUpdate
from sw_stack.sched import Scheduler

SIDE = {"cycles": 1000, "fault_p99": 100.0, "shootdown_p99": 50.0}


def test_the_model_is_within_its_bounds() -> None:
    seen: list[ProgressUpdate] = []
    numbers = model.measure(seen.append, limit=400)
    assert all(bound.met(numbers[key]) in ("yes", "") for key, bound in bench_model.REACH.items())
    assert Reach("", "most", 0.05).met(0.06) == "NO" and Reach("", "least", 20).met(19) == "NO"
    assert numbers["rtl"]["faults"] > 20 and numbers["rtl"]["shootdowns"] > 10 and numbers["model"]["cycles"] > 0
    assert seen and json.loads(json.dumps(numbers)) == numbers
    assert reach_table({key: numbers[key] for key in bench_model.REACH}, bench_model.REACH).row_count == len(bench_model.REACH)
    assert bench_model.side_table(numbers).row_count == len(numbers["rtl"])


def test_the_model_of_the_hca_is_within_its_bounds() -> None:
    """The speed is a benchmark's affair: only that it is measured."""
    numbers = model.measure(lambda _update: None, limit=800, device="hca", rounds=1)
    assert all(bound.met(numbers[key]) in ("yes", "") for key, bound in bench_model.REACH.items()), numbers
    assert numbers["rtl"]["faults"] > 20 and numbers["rtl"]["shootdowns"] > 5
    assert set(bench_model.HCA_REACH) - set(bench_model.REACH) == {"model_over_native"}
    assert numbers["model_over_native"] > 0
    assert json.loads(json.dumps(numbers)) == numbers
    assert bench_model.side_table(numbers).row_count == len(numbers["rtl"])


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("cycles", 1100, {"cycle_error": 0.1}),
        ("cycles", 950, {"cycle_error": 0.05}),
        ("fault_p99", 130.0, {"fault_p99_error": 0.3, "p99_error": 0.3}),
        ("shootdown_p99", 40.0, {"shootdown_p99_error": 0.2, "p99_error": 0.2}),
    ],
)
def test_errors_are_relative_to_the_rtl(key: str, value: float, expected: dict[str, float]) -> None:
    assert set(model.errors(SIDE, SIDE).values()) == {0.0}
    found = model.errors(SIDE, SIDE | {key: value})
    assert {name: pytest.approx(error) for name, error in expected.items()}.items() <= found.items()


def test_a_model_with_slower_memory_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the memory's latency on the model's side alone: the numbers see it."""
    import pymodels.gru  # noqa: PLC0415

    options = pymodels.gru.ModelOptions

    def slow(**given: Any) -> pymodels.gru.ModelOptions:
        return options(**given, read_latency=10 * timing.MEM_READ_LATENCY, write_latency=10 * timing.MEM_WRITE_LATENCY)

    monkeypatch.setattr(pymodels.gru, "ModelOptions", slow)
    numbers = model.measure(lambda _update: None, limit=400)
    assert numbers["cycle_error"] > 0 and numbers["rtl"]["digest"] != numbers["model"]["digest"]


def test_a_run_that_stalls_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scheduler, "overdue", lambda _self, _bound: "nobody moves")
    monkeypatch.setattr(timing, "LIVENESS_BOUND", 400)
    with pytest.raises(model.MeasureError, match="native ended stalled"):
        model.measure(lambda _update: None, limit=400)
