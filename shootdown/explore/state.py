"""A search put aside: what it covered, and the plans that wait, in a file.

Promises: `load` of what `save` wrote goes on where the search ended; what had been seen is forgotten, so some orders are tried
twice. Raises InputError, one line, for a file that is not one, or of another version.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from shootdown.errors import InputError
from shootdown.explore.engine import Covered
from shootdown.explore.worker import Subject

__all__ = ["load", "save"]

FORMAT = "shootdown-search"


def save(path: Path, subject: Subject, covered: Covered) -> None:
    """Raises InputError if the file cannot be written."""
    told = {
        "format": FORMAT,
        "version": version("shootdown"),
        "subject": asdict(subject),
        "schedules": covered.schedules,
        "waiting": covered.waiting,
        "points": covered.points,
        "pruned": covered.pruned,
        "drawn": covered.drawn,
        "orders": sorted(covered.orders),
    }
    try:
        with gzip.open(path, "wt", encoding="ascii") as file:
            json.dump(told, file)
    except OSError as error:
        raise InputError(f"{path}: cannot write the state of the search: {error.strerror}") from None


def load(path: Path) -> tuple[Subject, Covered]:
    """What was searched, and how far."""
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            told = json.load(file)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(
            f"{path}: not the state of a search ({error})", "shootdown explore writes one when it ends early"
        ) from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise InputError(f"{path}: not the state of a search", "shootdown explore writes one when it ends early")
    if told.get("version") != version("shootdown"):
        raise InputError(
            f"{path}: the search was begun by version {told.get('version')}, this is {version('shootdown')}", "begin anew"
        )
    try:
        waiting = [[tuple((at, pick) for at, pick in plan) for plan in plans] for plans in told["waiting"]]
        covered = Covered(told["schedules"], waiting, told["points"], told["pruned"], told["drawn"], set(told["orders"]))
        return Subject(**told["subject"]), covered
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: the state of the search is damaged ({error})", "begin anew") from None
