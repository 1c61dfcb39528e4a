"""Measure claims, over processes.

Promises: the same claims and seed give the same findings, whatever `jobs`: every point is measured by itself, and findings come in
the order of the points. A point that breaks a rule is a Break of its claim, which then has no verdict. One job measures in this
process. Costs: all claims about two minutes of two idle cores.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

from shootdown.claims.base import Claim, RuleBrokenError, Verdict
from shootdown.claims.library import load

__all__ = ["Break", "Finding", "measure_all"]


@dataclass(frozen=True)
class Break:
    """A rule that a run has broken, and at which point."""

    point: str
    rule: str
    what: str


@dataclass(frozen=True)
class Finding:
    """What became of one claim: its rows, and the rules that were broken on the way."""

    name: str
    rows: tuple[Any, ...]
    breaks: tuple[Break, ...] = field(default=())

    @property
    def claim(self) -> Claim[Any, Any]:
        return load(self.name)

    @property
    def verdict(self) -> Verdict | None:
        """None: a rule was broken, and nothing follows from the figures."""
        return None if self.breaks else self.claim.verdict(self.rows)


def measure_all(
    names: Sequence[str], seed: int, jobs: int, progress: Callable[[int, int, str], None] = lambda _done, _of, _name: None
) -> list[Finding]:
    """Measure these claims. `progress` hears points done, points in all, and the claim of the last."""
    work = [(name, index) for name in names for index in range(len(load(name).points()))]
    found: dict[tuple[str, int], Any] = {}
    progress(0, len(work), "")
    for item, result in _results(work, seed, jobs):
        found[item] = result
        progress(len(found), len(work), item[0])
    findings = []
    for name in names:
        results = [found[item] for item in work if item[0] == name]
        rows = tuple(result for result in results if not isinstance(result, Break))
        findings.append(Finding(name, rows, tuple(result for result in results if isinstance(result, Break))))
    return findings


def _results(work: Sequence[tuple[str, int]], seed: int, jobs: int) -> Iterator[tuple[tuple[str, int], Any]]:
    if jobs == 1:
        for name, index in work:
            yield (name, index), _measure(name, index, seed)
        return
    # Spawned, not forked: the parent has threads (the progress bar's).
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        tasks: dict[Future[Any], tuple[str, int]] = {pool.submit(_measure, *item, seed): item for item in work}
        try:
            for task in as_completed(tasks):
                yield tasks[task], task.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _measure(name: str, index: int, seed: int) -> Any:
    """A row, or the rule that was broken."""
    claim = load(name)
    point = claim.points()[index]
    try:
        return claim.measure(point, seed)
    except RuleBrokenError as error:
        return Break(str(point), error.rule, error.what)
