"""Two systems that have come to a standstill: the report says who waits, and what the adapters hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from shootdown.result import CosimConfig, Verdict
from shootdown.rig import run


@pytest.mark.parametrize("backend", ["model", "native"])
def test_records_nobody_takes(backend: str) -> None:
    """The driver runs out of work items, leaves records in the queue, and is not woken for them (lost_wakeup)."""
    config = CosimConfig(
        trace=None, seed=1, out=Path(), device="hca", scenario="more_faults_than_queue", backend=backend, mutant="lost_wakeup"
    )
    result = run(config, lambda _update: None, waves=False)
    assert result.verdict is Verdict.STALLED
    assert result.stalled is not None
    of_a, of_b = result.stalled.split("system A:")[1].split("system B:")
    assert "commands rung and not done: 0; fault records not taken: 4" in of_a
    assert "the fault interrupt is masked" in of_a
    assert "fault records not taken: 0" in of_b
    assert "masked" not in of_b
    assert of_b.count("1 sends and 0 receives not completed, 0 faults at work") == 8, "the pairs whose faults nobody answers"
    assert "hca_pf0.0: waits for hca fault work 0" in result.stalled
    assert "device user: waits for event of completion queue" in result.stalled
