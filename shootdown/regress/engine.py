"""Plays runs on a farm: what they need is built first, as jobs of their own; then they run, the longest first.

Promises: every run has an outcome in the end. A build that fails makes its runs LOST, with its reason; the others go on. What the
engine could not run after all attempts is LOST too, and says why. Runs begin as soon as what they need is there.
Needs: a folder that all workers see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from shootdown.regress import worker
from shootdown.regress.buckets import buckets
from shootdown.regress.commands import WAVES
from shootdown.regress.farm import Farm
from shootdown.regress.outcome import Outcome, Status
from shootdown.regress.prebuild import Build, needed
from shootdown.regress.run import Run
from shootdown.regress.store import Store
from tb.plan.run import RunResult
from tb.plan.test import Kind
from tb.toolchain import BuildError, check_tools

__all__ = ["AGAIN", "Say", "again_with_waves", "play"]

Say = Callable[[str], None]
AGAIN = "again"
"""Folder, in that of a run, of the same run with a waveform."""
HANG_SECONDS = 60.0
"""How long a run that hung is watched with a waveform."""
BUILDS_FIRST = 1_000_000


def play(farm: Farm, runs: Sequence[Run], store: Store, say: Say, below: str = "") -> Iterator[Outcome]:
    """Outcomes as they come. `below`: a folder in that of each run, for its files."""
    order = store.longest_first(runs)
    rank = {run: len(order) - index for index, run in enumerate(order)}
    users: dict[Build, list[Run]] = {}
    for run in order:
        users.setdefault(needed(run), []).append(run)
    for index, asked in enumerate(users):
        farm.submit(asked, BUILDS_FIRST - index, worker.build, asked, store.out)
    for done in farm.finished():
        if isinstance(done.key, Build):
            failed = done.error or done.value
            if failed:
                say(f"{done.key.name} could not be built: {failed}")
            for run in users[done.key]:
                if failed:
                    yield _lost(run, store.folder(run) / below, f"{done.key.target} could not be built: {failed}")
                else:
                    farm.submit(run, rank[run], worker.play, run, store.folder(run) / below)
        else:
            assert isinstance(done.key, Run)
            yield done.value if not done.error else _lost(done.key, store.folder(done.key) / below, done.error)


def _lost(run: Run, folder: Path, why: str) -> Outcome:
    outcome = Outcome(
        run.test.name, run.seed, Status.LOST, 0.0, why, RunResult(), run.again, str(folder), max(1, worker.attempts(folder))
    )
    with suppress(OSError):  # no room to say so: the summary will
        folder.mkdir(parents=True, exist_ok=True)
        outcome.write(folder / "outcome.json")
    return outcome


def again_with_waves(farm: Farm, outcomes: Mapping[str, Outcome], runs: Mapping[str, Run], store: Store, say: Say) -> None:
    """The first failure of each bucket once more; its waveform is then in the folder of the run. Both by name of the run."""
    wanted = []
    for bucket in buckets(outcomes.values()):
        run = runs[bucket.first.name]
        if run.test.kind in (Kind.UVM, Kind.COSIM) and bucket.status is not Status.LOST and not run.waves:
            hung = bucket.status is Status.TIMEOUT
            wanted.append(replace(run, waves=True, coverage=False, seconds=min(run.limit, HANG_SECONDS) if hung else run.seconds))
    if not wanted:
        return
    try:
        check_tools(waves=True)
    except BuildError as error:
        say(f"no waveforms: {error}")
        return
    say(f"playing {len(wanted)} {'failure' if len(wanted) == 1 else 'failures'} again, with waveforms")
    for outcome in play(farm, wanted, store, say, AGAIN):
        first, run = outcomes[outcome.name], runs[outcome.name]
        file = store.folder(run) / AGAIN / WAVES
        if not file.exists():
            say(f"{run.name}: no waveform: {outcome.text or 'the run wrote none'}")
            continue
        if outcome.result.digest != first.result.digest and first.status is not Status.TIMEOUT:
            say(f"{run.name}: the run with a waveform saw something else: its digest differs")
        for part in file.parent.glob("waves.*"):
            part.replace(store.folder(run) / part.name)
