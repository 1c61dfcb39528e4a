"""Which orders are tried, and how many: the three strategies.

dfs     every order with no preemption, then every one with one, with two ... up to the bound (iterative context bounding: Musuvathi
        and Qadeer, PLDI 2007). A task is stopped only where that changes the order of two uses of something shared (see `races`),
        and who goes on when the runner waits is tried once for each history of everything shared (SteeredScheduler.mark).
pct     random priorities, and `bound` places at which the one who runs falls behind all others (Burckhardt et al., ASPLOS 2010).
random  at each point somebody else with odds of one in eight.

Promises: equal arguments try equal orders. A plan is what a run deviates by from everybody going on as far as he can: pairs of
  the number of a choice and what is chosen.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sw_stack.sched.steered import DEVICE, Segment, SteeredScheduler, names_of
from sw_stack.sched.task import Task

__all__ = ["STRATEGIES", "Dfs", "DfsChooser", "PctChooser", "Plan", "PlanChooser", "RandomChooser"]

STRATEGIES = ("dfs", "pct", "random")
Plan = tuple[tuple[int, int], ...]
SWITCH_ODDS = 8


class DfsChooser:
    """Follows a plan, then notes what else could be chosen."""

    def __init__(self, search: Dfs, sched: SteeredScheduler, plan: Plan, used: int) -> None:
        self._search = search
        self._sched = sched
        self._plan = plan
        self._after = plan[-1][0] if plan else -1
        self._chosen = dict(plan)
        self._used = used
        self._preempted = 0
        self._at = -1
        self._points: list[Point] = []
        self._begun: Point | None = None  # the point at which whoever runs was let in
        sched.segments = [] if search.prune else None

    def choose(self, kind: str, n: int) -> int:
        self._at = at = self._at + 1
        search = self._search
        chosen = self._chosen.get(at, 0) if at <= self._after else 0
        if kind == "switch":
            self._begun = None
            if at > self._after and self._fresh(self._used):
                self._branch(self._used, at, n)
            return chosen
        used = self._preempted + 1
        if search.prune:
            segments = self._sched.segments
            assert segments is not None
            point = Point(at, len(segments), used, tuple(self._sched.queue), self._begun)
            self._points.append(point)
            if chosen:
                self._begun = point
        elif at > self._after and used <= search.bound:
            self._branch(used, at, n)
        if chosen:
            self._preempted += 1
        return chosen

    def _fresh(self, used: int) -> bool:
        """The same state was not met with as many preemptions left."""
        search = self._search
        if not search.prune:
            return True
        mark = self._sched.mark
        if search.seen.get(mark, 1 << 30) <= used:
            search.pruned += 1
            return False
        search.seen[mark] = used
        return True

    def _branch(self, used: int, at: int, n: int) -> None:
        waiting = self._search.waiting[used]
        for pick in range(n - 1, 0, -1):
            waiting.append((*self._plan, (at, pick)))

    def finish(self) -> None:
        """The run is over: which of its points are worth stopping at? Those whose segment somebody else's later segment races with,
        and, since preemptions are bounded, the one at which the segment's actor was let in (Coons, Musuvathi and McKinley, OOPSLA
        2013)."""
        segments, self._sched.recorded = self._sched.recorded, None
        if not segments or not self._points:
            return
        rivals = races(segments)
        for point in self._points:
            wanted = rivals.get(point.segment)
            if wanted is None:
                self._search.pruned += len(point.could_run)
                continue
            self._add(point, wanted)
            if point.begun is not None:
                self._add(point.begun, wanted)

    def _add(self, point: Point, wanted: Sequence[Rival]) -> None:
        search = self._search
        if point.used > search.bound:
            return
        names = names_of(point.could_run)
        chosen = _instead(wanted, names)
        search.pruned += len(names) - len(chosen)
        before = tuple(choice for choice in self._plan if choice[0] < point.at)
        for pick, name in enumerate(names, 1):
            if name in chosen:
                plan = (*before, (point.at, pick))
                if plan not in search.known:
                    search.known.add(plan)
                    search.waiting[point.used].append(plan)

    def close(self) -> None:
        """Nothing to close."""


class Point(NamedTuple):
    """A point of a run at which the runner could be stopped: the number of the choice, of the segment that follows, and of
    preemptions if it is stopped; who could run instead; the point at which the runner was let in, if it was."""

    at: int
    segment: int
    used: int
    could_run: tuple[Task | None, ...]
    begun: Point | None


Rival = tuple[str, set[str]]
"""An actor whose later segment races with an earlier one, and who did something on the way to that."""


def races(segments: Sequence[Segment]) -> dict[int, list[Rival]]:
    """For each segment that another actor's later segment races with: its rivals.

    Two segments race if they use the same thing, nobody used it between them, and nothing else orders them: the later one would
    have come to it without the earlier. Stopping a task before a segment differs from stopping it after it only if it races
    (dynamic partial-order reduction: Flanagan and Godefroid, POPL 2005).
    """
    numbers: dict[str, int] = {}
    for segment in segments:
        numbers.setdefault(segment[0], len(numbers))
    names = list(numbers)
    none = [-1] * len(names)
    clocks: dict[str, list[int]] = {}  # of each actor: the last segment of every actor that is before what it does next
    ends: list[list[int]] = []  # of each segment
    last: dict[int, int] = {}  # of each thing: the segment that used it last
    found: dict[int, list[Rival]] = {}
    for index, (actor, used, woken) in enumerate(segments):
        clock = clocks.get(actor, none)
        if woken >= 0:
            clock = list(map(max, clock, ends[woken]))
        joined = clock
        for thing in used:
            other = last.get(thing)
            last[thing] = index
            if other is None or (rival := segments[other][0]) == actor:
                continue  # what the actor itself did before is in its clock
            if clock[numbers[rival]] < other:
                on_the_way = {names[number] for number, known in enumerate(clock) if known > other}
                found.setdefault(other, []).append((actor, on_the_way))
            joined = list(map(max, joined, ends[other]))
        mine = joined.copy()
        mine[numbers[actor]] = index
        clocks[actor] = mine
        ends.append(mine)
    return found


def _instead(wanted: Sequence[Rival], names: Sequence[str]) -> set[str]:
    """Who is to run in place of the segment: who races with it; if that one cannot yet, who did something on the way to it; else
    anybody."""
    chosen: set[str] = set()
    for rival, on_the_way in wanted:
        if rival in names:
            chosen.add(rival)
        else:
            chosen |= on_the_way.intersection(names) or set(names)
    return chosen


class PlanChooser:
    """Follows a plan."""

    def __init__(self, plan: Plan) -> None:
        self._chosen = dict(plan)
        self._at = -1

    def choose(self, kind: str, n: int) -> int:
        self._at += 1
        return self._chosen.get(self._at, 0)

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class Dfs:
    """The state of a search: plans that wait, by the preemptions they use."""

    bound: int
    prune: bool = True
    waiting: list[list[Plan]] = field(default_factory=list)
    seen: dict[int, int] = field(default_factory=dict)
    known: set[Plan] = field(default_factory=set)
    pruned: int = 0

    def __post_init__(self) -> None:
        if not self.waiting:
            self.waiting = [[] for _ in range(self.bound + 1)]

    def plans(self) -> Iterator[tuple[int, Plan]]:
        """What to play next, with its preemptions, until nothing is left. Of those known the ones with the fewest come first."""
        yield 0, ()
        while True:
            used = next((used for used, waiting in enumerate(self.waiting) if waiting), None)
            if used is None:
                return
            yield used, self.waiting[used].pop()


class RandomChooser:
    """A random walk."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def choose(self, kind: str, n: int) -> int:
        draw = self._random.getrandbits(16)
        if kind == "point":
            return 0 if draw % SWITCH_ODDS else 1 + (draw // SWITCH_ODDS) % (n - 1)
        return draw % n

    def close(self) -> None:
        """Nothing to close."""


class PctChooser:
    """Of those who can run the one with the highest priority does. Priorities are drawn; at `depth` of `length` points the runner
    falls behind."""

    def __init__(self, sched: SteeredScheduler, seed: str, depth: int, length: int) -> None:
        self._sched = sched
        self._random = random.Random(seed)
        self._priority: dict[str, float] = {}
        self._falls = {self._random.randrange(max(1, length)): -1.0 - number for number in range(depth)}
        self._at = -1

    def choose(self, kind: str, n: int) -> int:
        self._at += 1
        names = self._sched.actor_names()
        if kind == "switch":
            return max(range(n), key=lambda place: self._of(names[place]))
        current = self._sched.current
        runner = current.name if current is not None else DEVICE
        fall = self._falls.get(self._at)
        if fall is not None:
            self._priority[runner] = fall
        best = max(range(n - 1), key=lambda place: self._of(names[place]))
        return best + 1 if self._of(names[best]) > self._of(runner) else 0

    def _of(self, name: str) -> float:
        priority = self._priority.get(name)
        if priority is None:
            priority = self._priority[name] = self._random.random()
        return priority

    def close(self) -> None:
        """Nothing to close."""
