"""`shootdown bench farm`: the same runs with one worker and with several, and how much faster that was.

Promises: everything is built before the first clock starts; both times include start and end of the farm. Exit status 1 if a
run did not pass. JSON keys: runs, workers, seconds {"1": ..., "N": ...}, speedup.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from shootdown.commands.cosim import terminated_is_interrupted
from shootdown.commands.regress import place, tier
from shootdown.errors import InputError
from shootdown.regress import engine
from shootdown.regress.farm import Farm
from shootdown.regress.run import Run
from shootdown.regress.select import Request, runs
from shootdown.regress.show import Ticker
from shootdown.regress.store import Store

__all__ = ["run_farm"]


def run_farm(chosen: str, tests: Sequence[str], seeds: int | None, jobs: int, as_json: bool) -> int:
    """The whole command; its exit status."""
    asked = runs(Request(tier=tier(chosen), tests=tests, seeds=seeds, coverage=False))
    if jobs < 2:
        raise InputError(f"--jobs {jobs}: must be at least 2", "it is compared with 1")
    with tempfile.TemporaryDirectory(prefix="shootdown-farm-") as folder, terminated_is_interrupted():
        out = Path(folder)
        ticker = Ticker(3 * len(asked), 0)
        with ticker.shown():
            _play(asked, jobs, out, ticker)  # builds, and what a first run finds in no cache; and how long each run takes
            seconds, failed = {}, 0
            for workers in (1, jobs):
                begun = time.monotonic()
                failed += _play(asked, workers, out, ticker)
                seconds[workers] = time.monotonic() - begun
    speedup = seconds[1] / seconds[jobs]
    if as_json:
        times = {str(workers): round(taken, 2) for workers, taken in seconds.items()}
        print(json.dumps({"runs": len(asked), "workers": jobs, "seconds": times, "speedup": round(speedup, 3)}, indent=1))
    else:
        print(
            f"{len(asked)} runs: {seconds[1]:.1f} s with 1 worker, {seconds[jobs]:.1f} s with {jobs}: {speedup:.2f} times as fast"
        )
    return int(failed > 0)


def _play(asked: Sequence[Run], workers: int, out: Path, ticker: Ticker) -> int:
    """How many did not pass."""
    store = Store(out)
    store.begin(asked, resume=False)
    with Farm(place("local", workers, ())) as farm:
        outcomes = []
        for outcome in engine.play(farm, asked, store, ticker.say):
            outcomes.append(outcome)
            ticker.ended(outcome)
    store.remember(outcomes)
    return sum(not outcome.passed for outcome in outcomes)
