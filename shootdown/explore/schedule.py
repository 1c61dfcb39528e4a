"""The file of a schedule: what a search found, in words, to be read, kept and replayed.

    shootdown-schedule 2
    play     gru_dropin
    planted  gru_free_before_ack
    version  0.3.0
    failure  ORACLE REVOKED: read of va 0x100000 at pa 0x20000
    steps
      1  user      2  waits  CB 0 to change
      2  program   9  stops  zap_range (unmapping.py:35)
      3  device    1  waits  TFH 0

A step: its number, who goes on, how many points, whether it then waits (or ends) or is stopped, and where that is. The place is for
the reader; a line number in it may be another version's. A line that begins with # is a remark.

Promises: what `write` wrote, `read` reads. Raises ScheduleError, one line with file and line, for anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sw_stack.sched import ScheduleError
from sw_stack.sched.steps import Step

__all__ = ["MAGIC", "Schedule", "is_schedule", "read", "write"]

MAGIC = "shootdown-schedule"
VERSION = 2
HEADS = ("play", "planted", "version", "failure")
WAITS, STOPS = "waits", "stops"
NOTHING = "-"


@dataclass(frozen=True)
class Schedule:
    """`planted`: the defect that was switched on, or None. `kind` and `text`: the failure it shows. `version`: of the program."""

    play: str
    planted: str | None
    kind: str
    text: str
    steps: tuple[Step, ...]
    version: str = version("shootdown")


def is_schedule(path: Path) -> bool:
    """A file of this kind, whatever its version; not the compressed one that a whole run records."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC.encode()
    except OSError:
        return False


def write(path: Path, schedule: Schedule) -> None:
    """Raises ScheduleError if the file cannot be written."""
    widest = max((len(step.actor) for step in schedule.steps), default=0)
    text = schedule.text.replace("\n", " ")
    lines = [
        f"{MAGIC} {VERSION}",
        f"play     {schedule.play}",
        f"planted  {schedule.planted or NOTHING}",
        f"version  {schedule.version}",
        f"failure  {schedule.kind}: {text}",
        "steps",
    ]
    for number, step in enumerate(schedule.steps, 1):
        how = STOPS if step.stopped else WAITS
        lines.append(f"{number:3}  {step.actor:{widest}}  {step.points:3}  {how}  {step.place}".rstrip())
    try:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise ScheduleError(f"{path}: cannot write the schedule: {error.strerror}") from None


def read(path: Path) -> Schedule:
    """A schedule from its file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ScheduleError(f"{path}: no such schedule file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ScheduleError(f"{path}: not a readable schedule ({error})") from None
    told = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    if not told or told[0][1].split()[:1] != [MAGIC]:
        raise ScheduleError(f"{path}: not a schedule; shootdown explore writes one")
    if told[0][1].split()[1:] != [str(VERSION)]:
        found = " ".join(told[0][1].split()[1:]) or "none"
        raise ScheduleError(f"{path}: schedule version {found}, this program reads {VERSION}; search again with shootdown explore")
    heads: dict[str, str] = {}
    body: list[tuple[int, str]] = []
    for at, (number, line) in enumerate(told[1:], 1):
        word, _, rest = line.strip().partition(" ")
        if word == "steps" and not rest:
            body = told[at + 1 :]
            break
        if word not in HEADS:
            raise ScheduleError(f"{path}: line {number}: '{word}' is not one of {', '.join(HEADS)}, steps")
        heads[word] = rest.strip()
    for name in ("play", "planted", "failure"):
        if not heads.get(name):
            raise ScheduleError(f"{path}: the line '{name} ...' is missing")
    if not body:
        raise ScheduleError(f"{path}: no steps")
    kind, _, text = heads["failure"].partition(": ")
    planted = None if heads["planted"] == NOTHING else heads["planted"]
    steps = tuple(_step(path, number, line, place) for place, (number, line) in enumerate(body, 1))
    return Schedule(heads["play"], planted, kind, text, steps, heads.get("version", ""))


def _step(path: Path, number: int, line: str, place: int) -> Step:
    parts = line.split(maxsplit=4)
    wanted = f"{path}: line {number}: not a step: wants number, who, points, {WAITS} or {STOPS}, place"
    if len(parts) < 4 or parts[3] not in (WAITS, STOPS) or not (parts[0] + parts[2]).isdecimal():
        raise ScheduleError(wanted)
    if int(parts[0]) != place:
        raise ScheduleError(f"{path}: line {number}: step {parts[0]} where step {place} should be")
    return Step(parts[1], int(parts[2]), parts[3] == STOPS, parts[4] if len(parts) > 4 else "")
