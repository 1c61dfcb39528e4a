"""One run of software and RTL together in a process of its own:
`python -m shootdown.regress.cosim_job CONFIG_FILE DEVICE:SCENARIO MUTANT OPTIONS`.

CONFIG_FILE holds a RunConfig; the scenario "program" is the recorded program that ships; MUTANT is a name, of the RTL or of the
driver, or empty; OPTIONS is JSON: memory, limit, preempt_odds, bandwidth, waves (numbers, as texts).

Promises: the RunResult has every objection of the oracle, the notifiers, lockdep and the data checks; its items are the beats that
passed the oracle, its digest the trace's. Counts of cosim_points.py are in it. Waveforms are written next to the result.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shootdown.commands.cosim import DEFAULT_TRACE
from shootdown.errors import input_errors
from shootdown.regress.cosim_oracle import NotifierJudge
from shootdown.regress.cosim_points import Watcher
from shootdown.result import CosimConfig, Verdict
from shootdown.result import RunResult as Played
from tb.plan.run import RunConfig, RunResult

__all__ = ["main", "result_of"]

KEPT = 20
PROGRAM = "program"
NUMBERS = ("memory", "limit", "preempt_odds", "bandwidth")


def main(arguments: Sequence[str]) -> int:
    """The command line; the exit status."""
    from shootdown.rig import run  # noqa: PLC0415 - loads the simulator

    file, target, mutant, given = arguments
    config, options = RunConfig.load(Path(file).read_text()), json.loads(given)
    print(f"seed {config.seed}: {target}", flush=True)
    watcher, judge = Watcher(), NotifierJudge()

    def listen(records: NDArray[np.uint64]) -> None:
        watcher(records)
        judge(records)

    try:
        asked = _config(config, target, mutant, options)
        played = run(asked, lambda _update: None, waves="waves" in options, listen=listen)
    except input_errors() as error:
        print(f"Error: {error}", flush=True)
        return 2
    result = result_of(played, watcher, judge.objections())
    result.write(Path(config.result))
    print(
        f"seed {config.seed}: {played.verdict.name.lower()}, {result.cycles} cycles, {result.items} beats, digest {result.digest}"
    )
    return int(played.verdict is not Verdict.CLEAN or result.errors > 0)


def _config(config: RunConfig, target: str, mutant: str, options: Mapping[str, str]) -> CosimConfig:
    device, _, scenario = target.partition(":")
    program = scenario == PROGRAM
    numbers: dict[str, Any] = {name: int(options[name]) for name in NUMBERS if name in options}
    return CosimConfig(
        trace=DEFAULT_TRACE if program else None,
        seed=config.seed,
        out=Path(config.result).parent,
        scenario=None if program else scenario,
        device=device,
        mutant=mutant or None,
        waves="waves" in options,
        **numbers,
    )


def result_of(played: Played, watcher: Watcher, objections: Sequence[str] = ()) -> RunResult:
    """What the regression keeps of a run. `objections`: of those who listened."""
    said = [f"cycle {found.cycle}: {found.rule}: {found.what}" for found in (*played.violations, *played.data_failures)]
    said += objections
    if played.stalled is not None:
        said.append(f"cycle {played.cycles}: LIVENESS: no progress: {' '.join(played.stalled.split())}")
    if not said and played.verdict is not Verdict.CLEAN:
        said.append(f"cycle {played.cycles}: {played.verdict.name}")
    return RunResult(played.cycles, played.oracle.checked_beats, len(said), said[:KEPT], watcher.counts(), played.digest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
