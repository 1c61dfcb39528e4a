"""How far the model is from the RTL: the shipped program played on both, the same seed, each with its own clock.

Software reacts to the device's cycles, so the two runs part ways where a latency differs; that is part of the error, not taken out.
An error is |model - RTL| / RTL. Percentiles are of the latencies the report shows (shootdown/measure.py): a fault from its miss to
the control block running again, a shootdown from its command to the status the driver saw.

The scheduler's random delays at preemption points are off: they are drawn anew wherever the two runs part, one in sixteen points
up to 2,500 cycles, and a 99th percentile over a few hundred waits would measure who drew what.

For a pair of HCAs also `model_over_native`: seconds of the native host over the model's, for the same run in which the devices do
nearly all the work (bench/hca_streaming.py), the median of a few rounds. The GRU's stands in bench/speed.py.

Promises: both runs end clean, or it is a MeasureError. Costs: one to three minutes on two cores, one run after the other.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import MeasureError
from bench.hca_streaming import streaming_job
from shootdown.commands.cosim import DEFAULT_SEED, DEFAULT_TRACE
from shootdown.result import CosimConfig, ProgressUpdate, RunResult, Verdict
from shootdown.rig import open_device, play, run
from shootdown.session import Session

__all__ = ["MeasureError", "errors", "figures", "measure"]

BACKENDS = ("native", "model")
UNDISTURBED = 1 << 30  # preemption points for one that delays its task
ROUNDS = 3
STREAM_ROUNDS = 2

Progress = Callable[[ProgressUpdate], None]


def measure(progress: Progress, limit: int | None = None, device: str = "gru", rounds: int = ROUNDS) -> dict[str, Any]:
    """The errors, and the figures of both sides. `limit`: VM events after which the program stops; `rounds` of the speed's runs."""
    with tempfile.TemporaryDirectory(prefix="shootdown-bench-") as folder:
        sides = {backend: figures(_run(backend, Path(folder), progress, limit, device)) for backend in BACKENDS}
        speed = {"model_over_native": _speed(Path(folder), rounds)} if device == "hca" else {}
    return {
        **errors(sides["native"], sides["model"]),
        **speed,
        "rtl": sides["native"],
        "model": sides["model"],
        "run": {"trace": DEFAULT_TRACE.name, "seed": DEFAULT_SEED, "limit": limit, "device": device},
    }


def _run(backend: str, folder: Path, progress: Progress, limit: int | None, device: str) -> RunResult:
    config = CosimConfig(DEFAULT_TRACE, DEFAULT_SEED, folder, device=device, backend=backend, limit=limit, preempt_odds=UNDISTURBED)
    return _clean(run(config, progress))


def _speed(folder: Path, rounds: int) -> float:
    """How much faster the model plays the devices' own work."""
    ratios = []
    for _ in range(rounds):
        seconds = {}
        for backend in BACKENDS:
            session = Session(
                CosimConfig(trace=None, seed=DEFAULT_SEED, out=folder, backend=backend, device="hca"),
                streaming_job(STREAM_ROUNDS),
                lambda _update: None,
            )
            with open_device(session.config, session) as opened:
                play(session, opened)
                seconds[backend] = _clean(session.result()).wall_s
        ratios.append(seconds["native"] / seconds["model"])
    return statistics.median(ratios)


def _clean(result: RunResult) -> RunResult:
    backend = result.config.backend
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
