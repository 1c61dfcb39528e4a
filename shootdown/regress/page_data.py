"""What the page tells of, read from the folder a regression left.

Promises: whatever is missing there is None or empty here, never an error: an interrupted regression, one without code coverage and
one without runs have a page too. Figures that can be counted from the runs are counted, not believed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shootdown.regress import history
from shootdown.regress.buckets import Bucket, buckets
from shootdown.regress.last_results import LastResults, outcomes
from shootdown.regress.outcome import Outcome, Status
from shootdown.regress.page_code import Code, read_code
from shootdown.regress.plan import Plan, collect
from tb.plan.cover import Counts
from tb.plan.goals import GOALS

__all__ = ["Facts", "load"]


@dataclass(frozen=True)
class Facts:
    """One regression. `planned`: runs that were to be, None if nobody says. `coverage`: fractions of what was measured."""

    folder: Path
    outcomes: tuple[Outcome, ...]
    plan: Plan
    functional: Counts = field(default_factory=dict)
    code: Code | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[history.Entry, ...] = ()

    @property
    def passed(self) -> int:
        """Runs that did."""
        return sum(outcome.passed for outcome in self.outcomes)

    @property
    def planned(self) -> int | None:
        """Runs that were to be."""
        found = self.summary.get("planned")
        return found if isinstance(found, int) else None

    @property
    def interrupted(self) -> bool:
        """It ended before its end, or has not ended."""
        if not self.summary:
            return bool(self.outcomes)
        return bool(self.summary.get("interrupted")) or (self.planned or 0) > len(self.outcomes)

    @property
    def problems(self) -> list[str]:
        """What fails it beside runs and goals."""
        return [str(one) for one in self.summary.get("problems", ())]

    @property
    def buckets(self) -> list[Bucket]:
        """Of failures."""
        return buckets(self.outcomes)

    @property
    def numbers(self) -> dict[tuple[str, Status], int]:
        """Of the buckets, from 1."""
        return {(bucket.signature, bucket.status): number for number, bucket in enumerate(self.buckets, 1)}

    @property
    def goals(self) -> dict[str, float]:
        """By kind of coverage; empty when none apply: a part of the tests cannot reach what all of them must."""
        said = self.summary.get("goals", GOALS)
        return {kind: float(goal) for kind, goal in said.items()} if isinstance(said, Mapping) else {}

    @property
    def coverage(self) -> dict[str, float]:
        """By kind: what was measured."""
        said = self.summary.get("coverage", {})
        found = dict(self.code.shares) if self.code is not None else {}
        found |= {kind: float(share) for kind, share in said.items() if share is not None}
        bins = [times for group in self.functional.values() for times in group.values()]
        if bins:
            found["functional"] = sum(map(bool, bins)) / len(bins)
        return found

    @property
    def missed(self) -> dict[str, float | None]:
        """Goals that were not reached: what was reached, None for what was not measured."""
        found = self.coverage
        return {kind: found.get(kind) for kind, goal in self.goals.items() if found.get(kind, 0.0) < goal}

    @property
    def cycles(self) -> int:
        """Simulated."""
        return sum(outcome.result.cycles for outcome in self.outcomes)

    @property
    def run_seconds(self) -> float:
        """Of all runs, one after the other."""
        return sum(outcome.seconds for outcome in self.outcomes)


def load(folder: Path) -> Facts:
    """What is there."""
    functional = _json(folder / "functional.json")
    ended = tuple(outcomes(folder))
    return Facts(
        folder,
        ended,
        collect(LastResults.of(ended, functional)),
        functional,
        read_code(_json(folder / "code.json")),
        _json(folder / "summary.json"),
        tuple(history.read(folder / "history.jsonl")),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
