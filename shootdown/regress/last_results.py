"""What the last regression said, small enough to be committed: runs and passes of each test, bins hit of each cover group.

Promises: read from the folder a regression left, complete or interrupted, or from the file that `write` wrote; the same results
give the same bytes. What is not there counts as not run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from shootdown.regress.outcome import Outcome
from tb.plan.cover import Counts

__all__ = ["LastResults", "outcomes"]

LAYOUT = 1  # of the file


def outcomes(folder: Path) -> list[Outcome]:
    """Every run that has ended, in order of test and seed. One whose file cannot be read counts as not ended."""
    found = []
    for path in (folder / "runs").glob("*/outcome.json"):
        with suppress(OSError, ValueError, TypeError, KeyError):
            found.append(Outcome.read(path))
    return sorted(found, key=lambda outcome: (outcome.test, outcome.seed))


@dataclass(frozen=True)
class LastResults:
    """`tests`: (runs, passed) by name. `groups`: (bins hit, bins) by name."""

    tests: dict[str, tuple[int, int]] = field(default_factory=dict)
    groups: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, ended: Iterable[Outcome], functional: Counts) -> LastResults:
        """Of a regression's runs and its merged cover groups."""
        tests: dict[str, tuple[int, int]] = {}
        for outcome in ended:
            runs, passed = tests.get(outcome.test, (0, 0))
            tests[outcome.test] = (runs + 1, passed + outcome.passed)
        groups = {name: (sum(map(bool, bins.values())), len(bins)) for name, bins in functional.items()}
        return cls(dict(sorted(tests.items())), dict(sorted(groups.items())))

    @classmethod
    def of_folder(cls, folder: Path) -> LastResults:
        """What a regression left."""
        functional = folder / "functional.json"
        return cls.of(outcomes(folder), json.loads(functional.read_text()) if functional.exists() else {})

    @classmethod
    def read(cls, path: Path) -> LastResults:
        """What `write` wrote; nothing if there is no such file. Raises ValueError for another layout."""
        if not path.exists():
            return cls()
        found = json.loads(path.read_text())
        if found.get("layout") != LAYOUT:
            raise ValueError(f"{path}: layout {found.get('layout')}, not {LAYOUT}; write it again from a regression's folder")
        return cls(
            {name: (runs, passed) for name, (runs, passed) in found["tests"].items()},
            {name: (hit, bins) for name, (hit, bins) in found["groups"].items()},
        )

    def write(self, path: Path) -> None:
        """As JSON, a line a name."""
        tests = ",\n".join(f"    {json.dumps(name)}: {json.dumps(pair)}" for name, pair in sorted(self.tests.items()))
        groups = ",\n".join(f"    {json.dumps(name)}: {json.dumps(pair)}" for name, pair in sorted(self.groups.items()))
        path.write_text(f'{{\n  "layout": {LAYOUT},\n  "tests": {{\n{tests}\n  }},\n  "groups": {{\n{groups}\n  }}\n}}\n')

    def runs(self, names: Iterable[str]) -> tuple[int, int]:
        """Runs and passes of some tests together."""
        pairs = [self.tests.get(name, (0, 0)) for name in names]
        return sum(runs for runs, _ in pairs), sum(passed for _, passed in pairs)

    def bins(self, names: Iterable[str]) -> tuple[int, int]:
        """Bins hit and bins of some groups together."""
        pairs = [self.groups.get(name, (0, 0)) for name in names]
        return sum(hit for hit, _ in pairs), sum(bins for _, bins in pairs)
