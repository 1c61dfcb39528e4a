"""The choices of a run: drawn from a seed, recorded to a file, or replayed from one.

A choice is a small number: which of `n` ready tasks runs first (TIE), or which step of the delay ladder a task waits at a
preemption point (PREEMPT). The sequence of choices, with the run's configuration, is the schedule: the bug report.

File: one JSON header line, then one line per stretch, `count` of zeros or an explicit value with the place it was made, gzip
compressed. Zeros dominate, so a run of a million choices is a few kilobytes to a few hundred.
"""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Protocol

__all__ = ["Chooser", "RecordedChooser", "ReplayChooser", "ScheduleError", "SeededChooser"]

FORMAT = "shootdown-schedule"
VERSION = 1


class ScheduleError(Exception):
    """A schedule file cannot be read or does not fit the run. The message is one line."""


class Chooser(Protocol):
    """Where a run's choices come from."""

    def choose(self, kind: str, n: int) -> int:
        """A value in 0..n-1 for the choice of this kind ("tie", "preempt")."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


class SeededChooser:
    """Draws from a seed. `preempt_odds`: one preemption point in this many delays its task."""

    def __init__(self, seed: int, preempt_odds: int = 16) -> None:
        self._random = random.Random(seed)
        self._odds = preempt_odds

    def choose(self, kind: str, n: int) -> int:
        if kind == "preempt":
            # One draw a point: the low part decides whether, the high part how long.
            draw = self._random.getrandbits(16)
            if draw % self._odds:
                return 0
            return 1 + (draw // self._odds) % (n - 1)
        return self._random.getrandbits(16) % n

    def close(self) -> None:
        pass


class RecordedChooser:
    """Passes another chooser's choices on and writes them down."""

    def __init__(self, source: Chooser, path: Path, header: Mapping[str, Any]) -> None:
        self._source = source
        try:
            self._file: IO[str] = gzip.open(path, "wt", encoding="ascii", compresslevel=6)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise ScheduleError(f"{path}: cannot write the schedule: {error.strerror}") from None
        self._file.write(json.dumps({"format": FORMAT, "version": VERSION, **header}, sort_keys=True) + "\n")
        self._zeros = 0

    def choose(self, kind: str, n: int) -> int:
        value = self._source.choose(kind, n)
        if value == 0:
            self._zeros += 1
        else:
            self._file.write(f"{self._zeros} {kind[0]} {n} {value}\n")
            self._zeros = 0
        return value

    def close(self) -> None:
        if not self._file.closed:
            self._file.write(f"{self._zeros} end\n")
            self._file.close()
        self._source.close()


class ReplayChooser:
    """Replays a schedule file. Raises ScheduleError, naming the step, when the run asks for something else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with gzip.open(path, "rt", encoding="ascii") as file:
                lines = file.read().splitlines()
            header = json.loads(lines[0])
        except FileNotFoundError:
            raise ScheduleError(f"{path}: no such schedule file") from None
        except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
            raise ScheduleError(f"{path}: not a readable schedule ({error}); record one with --record-schedule") from None
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ScheduleError(f"{path}: not a schedule file; record one with --record-schedule")
        self.header: dict[str, Any] = header
        if self.header.get("version") != VERSION:
            raise ScheduleError(f"{path}: schedule version {self.header.get('version')}, this program reads {VERSION}")
        self._lines = lines[1:]
        self._next = 0
        self._step = 0
        self._zeros = 0
        self._then: tuple[str, int, int] | None = None
        self._load()

    def _load(self) -> None:
        if self._next >= len(self._lines):
            raise ScheduleError(f"{self._path}: ends without its end mark after step {self._step}")
        parts = self._lines[self._next].split()
        self._next += 1
        try:
            self._zeros = int(parts[0])
            self._then = None if parts[1] == "end" else (parts[1], int(parts[2]), int(parts[3]))
            if self._zeros < 0 or (self._then is not None and not 0 < self._then[2] < self._then[1]):
                raise ValueError("a choice out of range")
        except (ValueError, IndexError):
            raise ScheduleError(f"{self._path}: line {self._next + 1} is not a choice") from None

    def choose(self, kind: str, n: int) -> int:
        self._step += 1
        if self._zeros:
            self._zeros -= 1
            return 0
        if self._then is None:
            raise ScheduleError(f"{self._path}: the run goes on past the schedule's last step, {self._step - 1}")
        want_kind, want_n, value = self._then
        if want_kind != kind[0] or want_n != n:
            raise ScheduleError(
                f"{self._path}: step {self._step}: the schedule has a choice '{want_kind}' of {want_n}, the run asks for "
                f"'{kind[0]}' of {n}; it was recorded with another trace, option or version"
            )
        self._load()
        return value

    def close(self) -> None:
        pass
