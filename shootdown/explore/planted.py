"""Every planted defect searched for, and every play without one.

Promises: each race is searched with the same strategy, bound and budget, on and off; a play that carries several is searched once
without any. An interruption prints what is known by then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from shootdown.console import Display
from shootdown.explore.case import Case, search
from shootdown.explore.worker import Subject
from shootdown.interleaving import terminal_width
from shootdown.result import ProgressUpdate
from sw_stack.workloads import explored

if TYPE_CHECKING:
    from shootdown.commands.explore import Request

__all__ = ["Race", "all_of"]

INTERRUPTED = 130


@dataclass(frozen=True)
class Race:
    """A defect, the search for it, and the search of its play without it."""

    name: str
    play: str
    on: Case
    off: Case

    @property
    def good(self) -> bool:
        """Found, the same on the RTL if there is one in it, and nothing without it."""
        return self.on.schedule is not None and self.on.on_rtl is not False and self.off.outcome.failure is None

    def as_json(self) -> dict[str, Any]:
        """Its entry."""
        what = explored.planted()[self.name][1]
        schedule = self.on.schedule
        return {
            "name": self.name,
            "rows": list(what.rows),
            "play": self.play,
            "what": what.text,
            "found": schedule is not None,
            "failure": {"kind": schedule.kind, "text": schedule.text} if schedule else None,
            "seconds": round(self.on.seconds, 3),
            "schedules": self.on.outcome.covered.total,
            "schedule_steps": len(schedule.steps) if schedule else None,
            "shortest_known": what.steps,
            "found_when_off": self.off.outcome.failure is not None,
            "off_complete_to": self.off.outcome.covered.complete,
            "device": explored.load(self.play).DEVICE,
            "replayed_on_rtl": self.on.on_rtl,
            "schedule": str(self.on.path) if self.on.path else None,
        }


def all_of(races: Sequence[tuple[str, str]], subject: Subject, request: Request) -> int:
    """Search them all, print, and give the exit status."""
    from shootdown.commands.explore import BUDGET  # noqa: PLC0415 - the command loads this

    budget = BUDGET if request.budget is None else request.budget
    off: dict[str, Case] = {}
    done: list[Race] = []
    started = time.monotonic()
    interrupted = False
    with Display() as display:
        for number, (play, name) in enumerate(races):
            display(ProgressUpdate("planted", number, len(races), note=name))
            try:
                if play not in off:
                    off[play] = search(replace(subject, play=play), budget, jobs=request.jobs, out=request.out, rtl=False)
                if off[play].outcome.interrupted:
                    interrupted = True
                    break
                on = search(replace(subject, play=play, planted=name), budget, jobs=request.jobs, out=request.out, rtl=request.rtl)
            except KeyboardInterrupt:
                interrupted = True
                break
            if on.outcome.interrupted:
                interrupted = True
                break
            done.append(Race(name, play, on, off[play]))
    searches = [*(race.on for race in done), *off.values()]
    schedules = sum(case.outcome.covered.total for case in searches)
    searching = sum(case.outcome.seconds for case in searches)
    if request.as_json:
        told = {
            "schedules_per_s": round(schedules / max(searching, 1e-9), 1),
            "schedules": schedules,
            "seconds": round(time.monotonic() - started, 3),
            "budget": budget,
            "bound": subject.bound,
            "strategy": subject.strategy,
            "races": [race.as_json() for race in done],
        }
        print(json.dumps(told, indent=2))
    else:
        _show(done)
        good = sum(race.good for race in done)
        left = f"; interrupted with {len(races) - len(done)} to go" if interrupted else ""
        print(
            f"{good} of {len(done)} races as they should be; {schedules:,} schedules, "
            f"{schedules / max(searching, 1e-9):,.0f} a second{left}"
        )
    if interrupted:
        return INTERRUPTED
    return 0 if all(race.good for race in done) else 1


def _show(races: Sequence[Race]) -> None:
    table = Table(box=None, pad_edge=False)
    heads = ("race", "found", "by", "schedules", "seconds", "steps", "on the RTL", "without it")
    for head in heads:
        table.add_column(head, justify="right" if head in ("schedules", "seconds", "steps") else "left", overflow="fold")
    for race in races:
        case, schedule = race.on, race.on.schedule
        complete = race.off.outcome.covered.complete
        without = (
            "FOUND" if race.off.outcome.failure is not None else f"nothing (all up to {complete})" if complete >= 0 else "nothing"
        )
        rtl = {None: "no device", True: "the same", False: f"{case.rtl}"}[case.on_rtl] if schedule else ""
        table.add_row(
            race.name,
            "yes" if schedule else "NO",
            schedule.kind if schedule else case.trouble,
            f"{case.outcome.covered.total:,}",
            f"{case.seconds:.1f}",
            str(len(schedule.steps)) if schedule else "",
            rtl,
            without,
        )
    Console(highlight=False, markup=False, width=terminal_width()).print(table)
