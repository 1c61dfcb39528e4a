"""How far the model is from the RTL: the shipped program played on both, the same seed, each with its own clock.

Software reacts to the device's cycles, so the two runs part ways where a latency differs; that is part of the error, not taken out.
An error is |model - RTL| / RTL. Percentiles are of the latencies the report shows (shootdown/measure.py): a fault from its miss to
the control block running again, a shootdown from its command to the status the driver saw.

Promises: both runs end clean, or it is a MeasureError. Costs: about a minute on two cores, one run after the other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import MeasureError
from shootdown.commands.cosim import DEFAULT_SEED, DEFAULT_TRACE
from shootdown.result import CosimConfig, ProgressUpdate, RunResult, Verdict
from shootdown.rig import run

__all__ = ["MeasureError", "errors", "figures", "measure"]

Progress = Callable[[ProgressUpdate], None]


def measure(progress: Progress, limit: int | None = None) -> dict[str, Any]:
    """The errors, and the figures of both sides. `limit`: VM events after which the program stops."""
    with tempfile.TemporaryDirectory(prefix="shootdown-bench-") as folder:
        sides = {backend: figures(_run(backend, Path(folder), progress, limit)) for backend in ("native", "model")}
    return {
        **errors(sides["native"], sides["model"]),
        "rtl": sides["native"],
        "model": sides["model"],
        "run": {"trace": DEFAULT_TRACE.name, "seed": DEFAULT_SEED, "limit": limit},
    }


def _run(backend: str, folder: Path, progress: Progress, limit: int | None) -> RunResult:
    config = CosimConfig(trace=DEFAULT_TRACE, seed=DEFAULT_SEED, out=folder, backend=backend, limit=limit)
    result = run(config, progress)
    if result.verdict is not Verdict.CLEAN:
        raise MeasureError(f"the run on {backend} ended {result.verdict.name.lower()}, not clean")
    return result


def figures(result: RunResult) -> dict[str, Any]:
    """What is compared of a run, and what it cost."""
    return {
        "cycles": result.cycles,
        "translations": result.translations,
        "faults": result.faults,
        "shootdowns": result.shootdowns,
        "fault_p50": _percentile(result, "fault_latency", 50),
        "fault_p99": _percentile(result, "fault_latency", 99),
        "shootdown_p50": _percentile(result, "shootdown_latency", 50),
        "shootdown_p99": _percentile(result, "shootdown_latency", 99),
        "digest": result.digest,
        "seconds": round(result.wall_s, 3),
    }


def _percentile(result: RunResult, samples: str, share: float) -> float:
    latencies = getattr(result, samples)
    if not len(latencies):
        raise MeasureError(f"the run on {result.config.backend} has no {samples.replace('_', ' ')} to measure")
    return float(np.percentile(latencies, share))


def errors(rtl: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, float]:
    """Relative errors of the model."""
    fault, shootdown = (abs(model[key] - rtl[key]) / rtl[key] for key in ("fault_p99", "shootdown_p99"))
    return {
        "cycle_error": abs(model["cycles"] - rtl["cycles"]) / rtl["cycles"],
        "p99_error": max(fault, shootdown),
        "fault_p99_error": fault,
        "shootdown_p99_error": shootdown,
    }
