"""history.jsonl: a line for every regression, for the trend.

Promises: lines stay in the order they were written; at most KEPT are kept; a line that cannot be read (a disk that was full) is
passed over and goes with the next `append`. The file is whole or not there.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tb.whole_file import write_whole

__all__ = ["KEPT", "Entry", "append", "read"]

KEPT = 200


@dataclass(frozen=True)
class Entry:
    """One regression. `when`: UTC, as in 2030-01-31T23:59:59Z. `commit`: short, "" outside git. Coverage: fractions, None if it
    was not measured."""

    when: str
    commit: str
    tests: int  # runs that ended
    passed: int
    wall_s: float
    chosen: str = ""  # the set, or "part"
    workers: int = 1
    cycles: int = 0
    functional: float | None = None
    line: float | None = None
    toggle: float | None = None
    assertion: float | None = None

    @property
    def rate(self) -> float:
        """Of runs that passed."""
        return self.passed / self.tests if self.tests else 0.0


def read(path: Path) -> list[Entry]:
    """Oldest first; nothing if there is no file."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found.append(Entry(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def append(path: Path, entry: Entry) -> None:
    """One more, and the oldest gone if they are too many."""
    kept = [*read(path), entry][-KEPT:]
    write_whole(path, "".join(json.dumps(asdict(one)) + "\n" for one in kept))
