"""A search and everything after it: the schedule that fails, shortened, checked on a new machine, kept, and replayed on the RTL.

Promises: a schedule that is kept fails, step by step, on a machine that has played nothing before. `rtl` None: no device is in it.
Costs: the search; shortening some hundred rounds; the replay on the RTL a second, beside its build.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from shootdown.explore.engine import Covered, Outcome, explore
from shootdown.explore.replay import replay
from shootdown.explore.schedule import Schedule, write
from shootdown.explore.shrink import Shrinker
from shootdown.explore.worker import Subject
from sw_stack.sched import ScheduleError
from sw_stack.workloads import explored

__all__ = ["Case", "search"]


@dataclass(frozen=True)
class Case:
    """`before`: steps of the schedule as it was found. `rounds`: what shortening cost. `rtl`: the kind of failure the RTL shows.
    `trouble`: something failed, and not again on a new machine: the play leaves something behind from round to round."""

    outcome: Outcome
    schedule: Schedule | None = None
    path: Path | None = None
    before: int = 0
    rounds: int = 0
    seconds: float = 0.0
    rtl: str | None = None
    rtl_note: str = ""
    trouble: str = ""

    @property
    def on_rtl(self) -> bool | None:
        """The RTL shows the same; None if no device is in the play, or it was not asked."""
        return None if self.rtl is None or self.schedule is None else self.rtl == self.schedule.kind


def search(
    subject: Subject,
    budget: int,
    *,
    jobs: int = 1,
    out: Path | None = None,
    rtl: bool = True,
    covered: Covered | None = None,
    progress: Callable[[Covered], None] | None = None,
) -> Case:
    """All of it. `out`: folder for the schedule. `rtl`: replay there too, if the play has a device."""
    started = time.monotonic()
    outcome = explore(subject, budget, jobs, covered, progress)
    if outcome.failure is None:
        return Case(outcome, seconds=time.monotonic() - started)
    again = None
    if outcome.found is not None:
        shrinker = Shrinker(explored.load(subject.play), subject.planted)
        try:
            shortest = shrinker(outcome.found)
            again = shrinker.replay(shortest)
        except ScheduleError:
            again = None
        finally:
            shrinker.close()
    if outcome.found is None or again is None or again.failure.kind != outcome.failure.kind:
        gist = f"{outcome.failure.kind}: {outcome.failure.text.splitlines()[0]}"
        trouble = f"{gist}; it did not come again on a new machine: {subject.play} leaves something behind from round to round"
        return Case(outcome, seconds=time.monotonic() - started, trouble=trouble)
    schedule = Schedule(subject.play, subject.planted, again.failure.kind, again.failure.text.split("\n", 1)[0], again.steps)
    path = None
    if out is not None:
        path = out / f"{subject.planted or subject.play}.schedule"
        write(path, schedule)
    seconds = time.monotonic() - started
    case = Case(outcome, schedule, path, len(outcome.found.steps), shrinker.rounds, seconds)
    if not rtl or explored.load(subject.play).DEVICE is None:
        return case
    kind, note = "nothing", ""
    try:
        found = replay(schedule, "native", path or "the schedule").failure
        if found is not None:
            kind, note = found.kind, found.text.split("\n", 1)[0]
    except ScheduleError as error:
        kind, note = "another order", str(error)
    return replace(case, rtl=kind, rtl_note=note)
