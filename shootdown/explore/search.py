"""Which orders are tried, and how many: the three strategies.

dfs     every order with no preemption, then every one with one, with two ... up to the bound (iterative context bounding: Musuvathi
        and Qadeer, PLDI 2007). A point that is reached with the same history of everything shared (SteeredScheduler.mark) and no
        more preemptions left than before is not branched from again: what follows was tried already.
pct     random priorities, and `bound` places at which the one who runs falls behind all others (Burckhardt et al., ASPLOS 2010).
random  at each point somebody else with odds of one in eight.

Promises: equal arguments try equal orders. A plan is what a run deviates by from everybody going on as far as he can: pairs of
  the number of a choice and what is chosen.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from sw_stack.sched.steered import DEVICE, SteeredScheduler

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
        self._at = -1

    def choose(self, kind: str, n: int) -> int:
        self._at = at = self._at + 1
        if at <= self._after:
            return self._chosen.get(at, 0)
        used = self._used
        search = self._search
        if kind == "point":
            used += 1
            if used > search.bound:
                return 0
        sched = self._sched
        current = sched.current
        if search.prune:
            key = (sched.mark, current.name if current is not None else "")
            if search.seen.get(key, 1 << 30) <= used:
                search.pruned += n - 1
                return 0
            search.seen[key] = used
        waiting = search.waiting[used]
        for pick in range(n - 1, 0, -1):
            waiting.append((*self._plan, (at, pick)))
        return 0

    def close(self) -> None:
        """Nothing to close."""


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
    seen: dict[tuple[int, str], int] = field(default_factory=dict)
    pruned: int = 0

    def __post_init__(self) -> None:
        if not self.waiting:
            self.waiting = [[] for _ in range(self.bound + 1)]

    def plans(self) -> Iterator[tuple[int, Plan]]:
        """What to play next, with its preemptions, until nothing is left."""
        yield 0, ()
        for used, waiting in enumerate(self.waiting):
            while waiting:
                yield used, waiting.pop()


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
