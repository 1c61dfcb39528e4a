"""What a regression comes to: coverage merged, goals held against it, and the files that say so. docs/regress.md is the contract.

Promises: works on whatever outcomes there are, so an interrupted regression has its summary too. A cover group that nobody counted
is all holes. Coverage that was not measured is None, and a goal for it is missed.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shootdown.regress import history
from shootdown.regress.buckets import buckets
from shootdown.regress.outcome import Outcome
from tb.plan.cover import Counts, CoverGroup
from tb.plan.goals import GOALS
from tb.toolchain import ROOT
from tb.whole_file import write_whole

__all__ = ["Regression", "functional", "holes", "missed", "summarise", "write"]

KINDS = tuple(kind for kind in GOALS if kind != "functional")
"""Of code coverage, as far as they have goals."""


@dataclass(frozen=True)
class Regression:
    """What was asked, beside the outcomes. `chosen`: the set, or "part". `planned`: runs that were to be. `complete`: goals
    apply. `sources`: the digest at its begin."""

    chosen: str
    planned: int
    workers: int
    farm: str
    wall_s: float
    complete: bool
    coverage: bool
    interrupted: bool
    sources: str


def functional(outcomes: Sequence[Outcome], groups: Mapping[str, CoverGroup]) -> tuple[Counts, list[str]]:
    """Bins of all runs added up, and names of groups or bins that runs counted and nobody declared."""
    merged: Counts = {name: dict.fromkeys(group.bins, 0) for name, group in groups.items()}
    strange = set()
    for outcome in outcomes:
        for group, bins in outcome.result.coverage.items():
            known = merged.get(group, {})
            for name, times in bins.items():
                if name in known:
                    known[name] += times
                elif times:
                    strange.add(f"{group}: {name}")
    return merged, sorted(strange)


def holes(counts: Counts) -> dict[str, list[str]]:
    """Bins never hit, by group."""
    missing = {group: [name for name, times in bins.items() if not times] for group, bins in counts.items()}
    return {group: names for group, names in missing.items() if names}


def code(folders: Sequence[Path], out: Path) -> tuple[dict[str, float | None], tuple[str, ...]]:
    """Code coverage of the runs in these folders, written and told by kind; and what is wrong with its exclusions."""
    counted = [folder for folder in folders if any(folder.glob("*.dat"))]
    if not counted:
        return dict.fromkeys(KINDS), ()
    from shootdown.regress.code_coverage import CodeCoverage  # noqa: PLC0415 - a run without coverage has no use for them
    from shootdown.regress.lcov import write_lcov  # noqa: PLC0415
    from shootdown.regress.points import Kind  # noqa: PLC0415

    merged = CodeCoverage.merge(counted)
    merged.write(out / "code.json")
    write_lcov(merged, out / "coverage.info")
    return {kind: merged.fraction(Kind(kind)) for kind in KINDS}, merged.stale


def missed(coverage: Mapping[str, float | None], goals: Mapping[str, float]) -> dict[str, float | None]:
    """Goals that were not reached, and what was reached instead."""
    return {kind: coverage[kind] for kind, goal in goals.items() if (reached := coverage[kind]) is None or reached < goal}


def summarise(
    asked: Regression,
    outcomes: Sequence[Outcome],
    counts: Counts,
    measured: Mapping[str, float | None],
    problems: Sequence[str] = (),
) -> dict[str, Any]:
    """summary.json. `problems`: what fails the regression beside its runs and goals, in words."""
    gone = 0 if asked.interrupted else asked.planned - len(outcomes)
    bins = [times for group in counts.values() for times in group.values()]
    coverage = {"functional": sum(map(bool, bins)) / len(bins) if bins else 0.0, **measured}
    goals = {kind: goal for kind, goal in GOALS.items() if asked.complete and (asked.coverage or kind == "functional")}
    passed = sum(outcome.passed for outcome in outcomes)
    seeds: dict[str, list[int]] = {}
    for outcome in outcomes:
        seeds.setdefault(outcome.test, []).append(outcome.seed)
    return {
        "tests": len(outcomes),
        "passed": passed,
        "failed": len(outcomes) - passed,
        "wall_s": round(asked.wall_s, 1),
        "coverage": {kind: None if value is None else round(value, 6) for kind, value in coverage.items()},
        "goals": goals,
        "missed": missed(coverage, goals),
        "problems": [*problems, *([f"{gone} runs left no outcome"] if gone else [])],
        "holes": holes(counts),
        "statuses": dict(Counter(outcome.status.value for outcome in outcomes)),
        "set": asked.chosen,
        "seeds": seeds,
        "planned": asked.planned,
        "interrupted": asked.interrupted,
        "workers": asked.workers,
        "farm": asked.farm,
        "run_s": round(sum(outcome.seconds for outcome in outcomes), 1),
        "cycles": sum(outcome.result.cycles for outcome in outcomes),
        "items": sum(outcome.result.items for outcome in outcomes),
        "failures": [_bucket(bucket.signature, bucket.outcomes, bucket.first) for bucket in buckets(outcomes)],
        "sources": asked.sources,
        "commit": _commit(),
        "ended": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _bucket(signature: str, outcomes: Sequence[Outcome], first: Outcome) -> dict[str, Any]:
    waves = Path(first.folder) / "waves.fst"
    return {
        "signature": signature,
        "status": first.status.value,
        "runs": [one.name for one in outcomes],
        "first": first.text,
        "log": str(Path(first.folder) / "run.log"),
        "waves": str(waves) if waves.exists() else None,
        "again": first.command,
    }


def _commit() -> str:
    """Short; "" outside git."""
    try:
        asked = ["git", "rev-parse", "--short", "HEAD"]
        return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def write(summary: Mapping[str, Any], counts: Counts, out: Path) -> None:
    """summary.json, functional.json and a line of the history."""
    for name, content in (("functional.json", counts), ("summary.json", summary)):
        write_whole(out / name, json.dumps(content, indent=1) + "\n")
    covered = summary["coverage"]
    entry = history.Entry(
        when=summary["ended"],
        chosen=summary["set"],
        commit=summary["commit"],
        tests=summary["tests"],
        passed=summary["passed"],
        wall_s=summary["wall_s"],
        workers=summary["workers"],
        cycles=summary["cycles"],
        functional=covered["functional"],
        line=covered["line"],
        toggle=covered["toggle"],
        assertion=covered["assertion"],
    )
    if summary["tests"]:
        history.append(out / "history.jsonl", entry)
