"""`shootdown explore`: search a play for the order of steps that breaks it.

Promises: exit status 0 if every order within the bound was tried and held; 1 if one failed (its schedule is kept, shortened, shown
as a table and replayed on the RTL); 3 if the budget ended first or the strategy draws orders: what was covered is said, and where
to go on. With several defects (`--planted all`): 0 if each was found, shows the same on the RTL if a device is in it, and nothing
is found without it. 2 for bad input, 130 when interrupted.
JSON keys of one search: play, planted, strategy, bound, seed, found, failure {kind, text}, trouble, schedule, schedule_steps,
seconds, schedules, schedules_per_s, orders, complete_to, waiting, pruned, interrupted, device, replayed_on_rtl, state.
JSON keys of `--planted all`: schedules_per_s, schedules, seconds, budget, bound, strategy, and races, a list of {name, rows, play,
what, found, failure, seconds, schedules, schedule_steps, shortest_known, found_when_off, off_complete_to, device, replayed_on_rtl,
schedule}.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from shootdown.commands.cosim import check_out, terminated_is_interrupted
from shootdown.console import Display
from shootdown.errors import InputError, unknown
from shootdown.interleaving import terminal_width
from shootdown.result import ProgressUpdate
from shootdown.words import plural

if TYPE_CHECKING:
    from shootdown.explore.case import Case
    from shootdown.explore.engine import Covered, Outcome
    from shootdown.explore.worker import Subject

__all__ = ["Request", "list_all", "run"]

ALL = "all"
BUDGET = 20_000
BOUND = 2
FOUND, UNFINISHED, INTERRUPTED = 1, 3, 130
STATE_BYTES = 16 << 20


@dataclass(frozen=True)
class Request:
    """The command line."""

    play: str | None
    planted: tuple[str, ...] = ()
    strategy: str = "dfs"
    budget: int | None = None
    bound: int | None = None
    seed: int | None = None
    jobs: int = 1
    out: Path = Path("build/explore")
    resume: Path | None = None
    rtl: bool = True
    as_json: bool = False


def list_all(as_json: bool) -> int:
    """Every play, and the defects that can be planted in it."""
    from sw_stack.workloads import explored  # noqa: PLC0415

    plays = [(name, explored.load(name), explored.describe(name)) for name in explored.names()]
    if as_json:
        told = [
            {
                "name": name,
                "device": scene.DEVICE,
                "title": title,
                "description": rest,
                "planted": {defect: {"rows": list(what.rows), "what": what.text} for defect, what in scene.PLANTED.items()},
            }
            for name, scene, (title, rest) in plays
        ]
        print(json.dumps(told, indent=2))
        return 0
    table = Table(box=None, pad_edge=False)
    for head in ("play", "device", "planted", "what"):
        table.add_column(head, no_wrap=head != "what")
    for name, scene, (title, _rest) in plays:
        table.add_row(name, scene.DEVICE or "none", "", title)
        for defect, what in scene.PLANTED.items():
            table.add_row("", "", defect, what.text)
    Console(highlight=False, markup=False, width=terminal_width()).print(table)
    return 0


def run(request: Request) -> int:
    """The whole command; its exit status."""
    for name, value, least in (("--budget", request.budget, 1), ("--bound", request.bound, 0), ("--jobs", request.jobs, 1)):
        if value is not None and value < least:
            raise InputError(f"{name} {value}: must be at least {least}")
    check_out(request.out, STATE_BYTES)
    with terminated_is_interrupted():
        if request.resume is not None:
            return _one(request, *_resumed(request))
        races = _races(request)
        if len(races) > 1 or request.planted == (ALL,):
            from shootdown.explore.planted import all_of  # noqa: PLC0415

            return all_of(races, _subject(request, "", None), request)
        play, planted = (request.play, None) if not races else races[0]
        if play is None:
            raise InputError("nothing to search", "give a play (shootdown explore --list), or --planted NAME")
        return _one(request, _subject(request, play, planted), None)


def _subject(request: Request, play: str, planted: str | None) -> Subject:
    from shootdown.explore.search import STRATEGIES  # noqa: PLC0415
    from shootdown.explore.worker import Subject  # noqa: PLC0415

    if request.strategy not in STRATEGIES:
        raise InputError(f"--strategy {request.strategy}: there is no such strategy", f"choose {', '.join(STRATEGIES)}")
    bound = BOUND if request.bound is None else request.bound
    return Subject(play, planted, request.strategy, bound, 1 if request.seed is None else request.seed)


def _races(request: Request) -> list[tuple[str, str]]:
    """The plays and defects asked for."""
    from sw_stack.workloads import explored  # noqa: PLC0415

    if request.play is not None and request.play not in explored.names():
        raise unknown("play", request.play, "play", explored.names())
    known = {name: play for name, (play, _what) in explored.planted().items() if request.play in (None, play)}
    if request.planted == (ALL,):
        return [(play, name) for name, play in known.items()]
    for name in request.planted:
        if name not in known:
            raise unknown("--planted", name, f"defect{f' of {request.play}' if request.play else ''}", known or explored.planted())
    return [(known[name], name) for name in request.planted]


def _resumed(request: Request) -> tuple[Subject, Covered]:
    from shootdown.explore.state import load  # noqa: PLC0415

    assert request.resume is not None
    given = {"a play": request.play, "--planted": request.planted or None, "--bound": request.bound, "--seed": request.seed}
    for name, value in given.items():
        if value is not None:
            raise InputError(f"--resume {request.resume}: not with {name}", "the search is continued as it was begun")
    return load(request.resume)


# ---- one search --------------------------------------------------------------------------------------------------------


def _one(request: Request, subject: Subject, covered: Covered | None) -> int:
    from shootdown.explore.case import search  # noqa: PLC0415

    budget = BUDGET if request.budget is None else request.budget
    if not request.as_json:
        print(f"{_title(subject)}, budget {budget:,}, seed {subject.seed}", flush=True)
    with Display() as display:
        before = covered.total if covered is not None else 0

        def progress(done: Covered) -> None:
            display(ProgressUpdate("explore", done.total - before, budget, note=f"{sum(map(len, done.waiting)):,} wait"))

        case = search(subject, budget, jobs=request.jobs, out=request.out, rtl=request.rtl, covered=covered, progress=progress)
    state = _put_aside(request, case.outcome)
    if request.as_json:
        print(json.dumps(_as_json(case, state), indent=2))
    else:
        for line in _told(case, budget, state):
            print(line)
    if case.outcome.failure is not None:
        return FOUND
    if case.outcome.interrupted:
        return INTERRUPTED
    return 0 if case.outcome.all_tried else UNFINISHED


def _put_aside(request: Request, outcome: Outcome) -> Path | None:
    """Where a search that is not over is kept."""
    from shootdown.explore.state import save  # noqa: PLC0415

    if outcome.failure is not None or outcome.all_tried:
        return None
    path = request.out / f"{outcome.subject.planted or outcome.subject.play}.search.gz"
    save(path, outcome.subject, outcome.covered)
    return path


def _title(subject: Subject) -> str:
    planted = f" with {subject.planted} planted" if subject.planted else ""
    how = {"dfs": f"at most {subject.bound} preemptions", "pct": f"{subject.bound} changes of priority", "random": "a random walk"}
    return f"{subject.play}{planted}: {subject.strategy}, {how[subject.strategy]}"


def _told(case: Case, budget: int, state: Path | None) -> list[str]:
    from shootdown.explore.replay import replay  # noqa: PLC0415
    from shootdown.explore.table import heading, table  # noqa: PLC0415

    outcome, schedule = case.outcome, case.schedule
    lines = [*_covered(outcome)]
    if schedule is None:
        if case.trouble:
            lines.append(f"failed, and cannot be repeated: {case.trouble}")
        elif outcome.interrupted:
            lines.append("interrupted")
        elif not outcome.all_tried and outcome.subject.strategy == "dfs" and outcome.covered.complete < 0:
            lines.append(
                f"a budget of {budget:,} does not even cover the orders without a preemption: this says nothing about the play"
            )
        if state is not None:
            lines.append(f"go on: shootdown explore --resume {state}")
        return lines
    lines += [
        f"found after {plural(outcome.covered.total, 'schedule')}, {outcome.seconds:.1f} s: {schedule.kind}: {schedule.text}",
        f"shortened from {plural(case.before, 'step')} to {len(schedule.steps)} in {plural(case.rounds, 'round')}",
        "",
        *heading(schedule.play, schedule.planted),
        "",
        table(replay(schedule, "model"), terminal_width()),
        "",
        f"schedule: {case.path}",
    ]
    if case.rtl is not None:
        same = "the same" if case.on_rtl else f"{case.rtl}{f': {case.rtl_note}' if case.rtl_note else ''}, which is not the same"
        lines.append(f"on the RTL: {same}")
    return [*lines, f"again: shootdown cosim --schedule {case.path}"]


def _covered(outcome: Outcome) -> list[str]:
    covered, subject = outcome.covered, outcome.subject
    rate = f"{covered.total / max(outcome.seconds, 1e-9):,.0f} a second"
    lines = [
        f"covered: {plural(covered.total, 'schedule')} ({rate}), {len(covered.orders):,} different orders of what is shared, "
        f"{plural(covered.points, 'point')}, {covered.pruned:,} branches cut as equal"
    ]
    if subject.strategy != "dfs":
        return lines
    for used, (played, waiting) in enumerate(zip(covered.schedules, covered.waiting, strict=True)):
        word = "without preemption" if used == 0 else f"with {plural(used, 'preemption')}"
        whole = used <= covered.complete
        rest = "all" if whole else f"{len(waiting):,} known wait" if played else f"{len(waiting):,} known, none played"
        lines.append(f"  {word}: {played:,}, {rest}")
    return lines


def _as_json(case: Case, state: Path | None) -> dict[str, Any]:
    from sw_stack.workloads import explored  # noqa: PLC0415

    outcome, schedule = case.outcome, case.schedule
    subject, covered = outcome.subject, outcome.covered
    return {
        "play": subject.play,
        "planted": subject.planted,
        "strategy": subject.strategy,
        "bound": subject.bound,
        "seed": subject.seed,
        "found": schedule is not None,
        "failure": {"kind": schedule.kind, "text": schedule.text} if schedule else None,
        "trouble": case.trouble or None,
        "schedule": str(case.path) if case.path else None,
        "schedule_steps": len(schedule.steps) if schedule else None,
        "seconds": round(case.seconds, 3),
        "schedules": covered.total,
        "schedules_per_s": round(covered.total / max(outcome.seconds, 1e-9), 1),
        "orders": len(covered.orders),
        "complete_to": covered.complete if subject.strategy == "dfs" else None,
        "waiting": [len(waiting) for waiting in covered.waiting],
        "pruned": covered.pruned,
        "interrupted": outcome.interrupted,
        "device": explored.load(subject.play).DEVICE,
        "replayed_on_rtl": case.on_rtl,
        "state": str(state) if state else None,
    }
