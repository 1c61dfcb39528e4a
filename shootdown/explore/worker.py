"""Plays a part of a search on one machine after another: what runs in a process.

Promises: a Worker keeps its machine, and what it has seen, from part to part; equal parts in an equal order give equal results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from shootdown.explore.search import Dfs, DfsChooser, PctChooser, Plan, PlanChooser, RandomChooser
from shootdown.explore.shrink import Found, record
from shootdown.explore.world import Failure, World
from sw_stack.sched import Chooser
from sw_stack.workloads import explored

__all__ = ["Part", "PartDone", "Subject", "Worker"]


@dataclass(frozen=True)
class Subject:
    """What is searched. `length`: choices of a run, about: where pct may place its changes."""

    play: str
    planted: str | None
    strategy: str
    bound: int
    seed: int
    prune: bool = True
    length: int = 64


@dataclass(frozen=True)
class Part:
    """dfs: these plans, all with `used` preemptions, and what follows from them without further ones. pct, random: runs `first`
    to `first + limit - 1`. Ends after `limit` schedules or at the first failure."""

    limit: int
    used: int = 0
    plans: tuple[Plan, ...] = ()
    first: int = 0


@dataclass
class PartDone:
    """`left`: plans that still wait, by preemptions. `orders`: histories met."""

    schedules: int = 0
    points: int = 0
    pruned: int = 0
    left: list[list[Plan]] = field(default_factory=list)
    orders: set[int] = field(default_factory=set)
    failure: Failure | None = None
    found: Found | None = None


class Worker:
    """One process's share of a search."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._world = World(explored.load(subject.play), subject.planted)
        self._dfs = Dfs(subject.bound, subject.prune)

    def close(self) -> None:
        """Done."""
        self._world.close()

    def run(self, part: Part) -> PartDone:
        """Play the part."""
        done = PartDone()
        if self._subject.strategy == "dfs":
            self._depth_first(part, done)
        else:
            for number in range(part.first, part.first + part.limit):
                if self._play(self._drawn(number), done):
                    done.found = self._recorded(partial(self._drawn, number))
                    break
        return done

    def _depth_first(self, part: Part, done: PartDone) -> None:
        search = self._dfs
        search.waiting = [[] for _ in range(self._subject.bound + 1)]
        search.waiting[part.used] = list(part.plans)
        before = search.pruned
        waiting = search.waiting[part.used]
        while waiting and done.schedules < part.limit:
            plan = waiting.pop()
            chooser = DfsChooser(search, self._world.sched, plan, part.used)
            if self._play(chooser, done):
                done.found = self._recorded(partial(PlanChooser, plan))
                break
            chooser.finish()
        done.pruned = search.pruned - before
        done.left = search.waiting

    def _drawn(self, number: int) -> Chooser:
        subject = self._subject
        seed = f"{subject.seed}.{number}"
        if subject.strategy == "random":
            return RandomChooser(seed)
        return PctChooser(self._world.sched, seed, subject.bound, subject.length)

    def _play(self, chooser: Chooser, done: PartDone) -> bool:
        """One schedule; True if it failed."""
        world = self._world
        failure = world.round(chooser)
        done.schedules += 1
        done.points += world.points
        done.orders.add(world.mark)
        if failure is not None:
            done.failure = failure
        return failure is not None

    def _recorded(self, chooser: Callable[[], Chooser]) -> Found | None:
        """The same again, on a new machine, with its steps kept. None if it does not fail there: the play is not what it says."""
        self._begin_anew()
        found = record(self._world, chooser())
        self._begin_anew()
        return found

    def _begin_anew(self) -> None:
        self._world.close()
        self._world = World(explored.load(self._subject.play), self._subject.planted)
