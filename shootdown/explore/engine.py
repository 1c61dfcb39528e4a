"""A whole search: its parts go to processes, wave by wave, until something fails, everything was tried or the budget is spent.

Promises: equal arguments, `jobs` among them, give equal results: a wave is dealt to the processes in a fixed way, all of it is
  awaited, and the first failure in the order of dealing counts. Ctrl-C ends it with what was covered; `waiting` says how to go on.
Needs: the play. Costs: a process's start, a second or two, for each of `jobs` above 1; a wave lasts as long as its longest part.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from shootdown.explore.search import Plan
from shootdown.explore.shrink import Found
from shootdown.explore.worker import Part, PartDone, Subject, Worker
from shootdown.explore.world import Failure

__all__ = ["Covered", "Outcome", "explore"]

SLICE = 250
"""Schedules of a part."""
PARTS = 4
"""Parts of a process in a wave."""
MOST_PLANS = 64
"""Of a part: few, so that a wave spreads over the processes; what grows out of them comes back."""


@dataclass
class Covered:
    """How far a search has come. dfs: `waiting` are the plans known and not played, by preemptions. pct, random: `drawn` runs."""

    schedules: list[int]
    """By preemptions; pct, random: all in the first place."""
    waiting: list[list[Plan]]
    points: int = 0
    pruned: int = 0
    drawn: int = 0
    orders: set[int] = field(default_factory=set)

    @classmethod
    def nothing(cls, bound: int) -> Covered:
        """A search that has not begun."""
        return cls([0] * (bound + 1), [[()], *([] for _ in range(bound))])

    @property
    def total(self) -> int:
        """Schedules played."""
        return sum(self.schedules)

    @property
    def complete(self) -> int:
        """dfs: every order with at most so many preemptions was tried; -1: not even those without."""
        for used, waiting in enumerate(self.waiting):
            if waiting:
                return used - 1
        return len(self.waiting) - 1


@dataclass(frozen=True)
class Outcome:
    """How a search ended. `found` None with a `failure`: it failed, and not again on a new machine. `seconds` of wall time."""

    subject: Subject
    covered: Covered
    found: Found | None
    failure: Failure | None
    seconds: float
    interrupted: bool = False

    @property
    def all_tried(self) -> bool:
        """Nothing failed, and every order within the bound was tried."""
        return self.failure is None and self.subject.strategy == "dfs" and self.covered.complete == self.subject.bound


def explore(
    subject: Subject, budget: int, jobs: int = 1, covered: Covered | None = None, progress: Callable[[Covered], None] | None = None
) -> Outcome:
    """Search until the first failure, at most `budget` schedules from here. `covered`: of an earlier search that is continued."""
    covered = covered if covered is not None else Covered.nothing(subject.bound)
    started = time.monotonic()
    until = covered.total + budget
    failed: PartDone | None = None
    interrupted = False
    try:
        with _workers(subject, jobs) as deal:
            while failed is None and covered.total < until:
                parts = _wave(subject, covered, until - covered.total, jobs)
                if not parts:
                    break
                failed = _played(deal, parts, covered)
                if progress is not None:
                    progress(covered)
    except KeyboardInterrupt:
        interrupted = True
    found, failure = (failed.found, failed.failure) if failed is not None else (None, None)
    return Outcome(subject, covered, found, failure, time.monotonic() - started, interrupted)


def _wave(subject: Subject, covered: Covered, budget: int, jobs: int) -> list[Part]:
    """The next parts: of the plans that wait with the fewest preemptions, the latest first."""
    count = PARTS * jobs if jobs > 1 else 1
    limit = max(1, min(SLICE, budget // count))
    if subject.strategy != "dfs":
        return [Part(limit, first=covered.drawn + limit * number) for number in range(min(count, budget // limit))]
    for used, waiting in enumerate(covered.waiting):
        if waiting:
            size = max(1, min(MOST_PLANS, len(waiting) // count))
            if jobs == 1:
                size = min(SLICE, len(waiting))
            parts = []
            for _ in range(min(count, -(-len(waiting) // size), budget)):
                parts.append(Part(limit, used, tuple(waiting[-size:])))
                del waiting[-size:]
            return parts
    return []


Deal = Callable[[int, Part], Future[PartDone]]


def _played(deal: Deal, parts: list[Part], covered: Covered) -> PartDone | None:
    """Play a wave and count it; its first failure. What an interruption leaves unplayed waits again."""
    failed: PartDone | None = None
    counted = 0
    try:
        futures = [deal(number, part) for number, part in enumerate(parts)]
        for part, future in zip(parts, futures, strict=True):
            done = future.result()
            covered.schedules[part.used] += done.schedules
            covered.points += done.points
            covered.pruned += done.pruned
            covered.drawn = part.first + done.schedules
            covered.orders |= done.orders
            for used, left in enumerate(done.left):
                covered.waiting[used].extend(left)
            if failed is None and done.failure is not None:
                failed = done
            counted += 1
    except KeyboardInterrupt:
        for part in parts[counted:]:
            covered.waiting[part.used].extend(part.plans)
        raise
    return failed


# ---- processes ---------------------------------------------------------------------------------------------------------

_worker: Worker | None = None


def _start(subject: Subject) -> None:
    """In a new process. Ctrl-C is the parent's to answer."""
    global _worker  # noqa: PLW0603 - the process is this worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = Worker(subject)


def _run(part: Part) -> PartDone:
    assert _worker is not None
    return _worker.run(part)


@contextmanager
def _workers(subject: Subject, jobs: int) -> Iterator[Deal]:
    """Deals part n of a wave to process n modulo `jobs`; with one job plays it here."""
    if jobs == 1:
        worker = Worker(subject)

        def here(_number: int, part: Part) -> Future[PartDone]:
            future: Future[PartDone] = Future()
            future.set_result(worker.run(part))
            return future

        try:
            yield here
        finally:
            worker.close()
        return
    context = multiprocessing.get_context("spawn")  # the parent may have threads
    pools = [ProcessPoolExecutor(1, context, _start, (subject,)) for _ in range(jobs)]
    try:
        yield lambda number, part: pools[number % jobs].submit(_run, part)
    finally:
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
