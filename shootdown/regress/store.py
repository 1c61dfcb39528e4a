"""The folder a regression writes: taken, resumed or cleared, and how long runs took the last time.

Promises: one regression at a time writes to a folder. A resumed one keeps the outcomes of runs that ended with the same sources and
in the same way, those the engine lost excepted; otherwise old runs go. History and durations stay.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shootdown.errors import InputError
from shootdown.regress.outcome import Outcome, Status
from shootdown.regress.run import Run
from tb.toolchain import ROOT
from tb.whole_file import write_whole

__all__ = ["Store", "opened", "sources"]

MADE_FROM = ("rtl", "spec", "hwif", "tb", "pymodels", "sw_stack", "shootdown", "tests", "pyproject.toml")
KINDS = {".py", ".sv", ".svh", ".cpp", ".h", ".c", ".vlt", ".toml", ".rdl"}
DURATIONS = "durations.json"
SAME = "played.json"


def sources() -> str:
    """A digest of everything that runs of tests are made of."""
    made_from = hashlib.sha256()
    for name in MADE_FROM:
        top = ROOT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.suffix in KINDS and path.is_file():
                made_from.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return made_from.hexdigest()[:16]


class Store:
    """A folder that is ours."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.sources = ""
        """A digest of the sources, once it has begun."""

    def folder(self, run: Run) -> Path:
        """Of a run."""
        return self.out / "runs" / run.name

    def begin(self, runs: Sequence[Run], *, resume: bool) -> tuple[dict[str, Outcome], str]:
        """What has ended already, by name of the run, and what to say about it. Everything else of older runs is gone."""
        self._keep_durations()
        self.sources = sources()
        same = self._read(SAME)
        kept: dict[str, Outcome] = {}
        said = ""
        if resume and same.get("sources") != self.sources:
            said = "nothing to resume: no regression was begun here" if not same else "the sources changed: all is played again"
        elif resume:
            ways = same.get("runs", {})
            kept = {
                run.name: outcome
                for run in runs
                if ways.get(run.name) == _way(run) and (outcome := self._outcome(run)) and outcome.status is not Status.LOST
            }
            said = f"{len(kept)} of {len(runs)} runs have ended already"
        self._clear(kept)
        self._write(SAME, {"sources": self.sources, "runs": {run.name: _way(run) for run in runs}})
        return kept, said

    def longest_first(self, runs: Iterable[Run]) -> list[Run]:
        """By how long they took the last time; what has never run, by its limit, a tenth of which a run is meant to take."""
        known = self._read(DURATIONS)
        return sorted(runs, key=lambda run: -float(known.get(run.name, run.test.seconds / 10)))

    def remember(self, outcomes: Iterable[Outcome]) -> None:
        """How long these took, for the next time."""
        known = self._read(DURATIONS)
        known.update({one.name: round(one.seconds, 2) for one in outcomes if one.status is not Status.LOST})
        self._write(DURATIONS, known)

    def _keep_durations(self) -> None:
        """Those of a regression that did not come to its end."""
        if not (self.out / DURATIONS).exists():
            self.remember(outcome for path in (self.out / "runs").glob("*/outcome.json") if (outcome := _outcome(path)))

    def _outcome(self, run: Run) -> Outcome | None:
        return _outcome(self.folder(run) / "outcome.json")

    def _clear(self, kept: Mapping[str, Outcome]) -> None:
        for name in ("index.html", "summary.json", "results.xml", "functional.json", "code.json", "coverage.info"):
            (self.out / name).unlink(missing_ok=True)
        shutil.rmtree(self.out / "builds", ignore_errors=True)
        for folder in (self.out / "runs").glob("*"):
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.out / name).read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, name: str, content: Mapping[str, object]) -> None:
        write_whole(self.out / name, json.dumps(content) + "\n")


def _outcome(path: Path) -> Outcome | None:
    try:
        return Outcome.read(path)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _way(run: Run) -> list[object]:
    """What else makes a run what it is."""
    return [run.mutant, run.scale, run.waves, run.coverage]


@contextmanager
def opened(out: Path) -> Iterator[Store]:
    """Make the folder, and have it for ourselves. Raises InputError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = (out / "lock").open("w")
    except OSError as error:
        raise InputError(f"--out {out}: {error.strerror}", "give another folder") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"another regression is writing to {out}", "wait for it, or give another --out") from None
        yield Store(out)
