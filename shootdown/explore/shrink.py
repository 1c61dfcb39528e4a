"""From a schedule that fails to the shortest that fails alike.

Steps are taken out, moved and lengthened, one change at a time, and what is left is played; a change that still fails in the same
way and is shorter stays. Shorter: fewer steps, then fewer of them stopped, then fewer points. The search ends when no single change
helps; then it is begun again from where a few changes at random lead.

Promises: the result fails as the original did (same kind of failure) and was replayed, step by step, on a fresh machine.
Costs: some hundred rounds, ENOUGH at most.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shootdown.explore.world import Failure, World
from sw_stack.sched import Chooser
from sw_stack.sched.steps import LenientChooser, Recorder, Step, StrictChooser
from sw_stack.workloads.explored import Play

__all__ = ["Found", "Shrinker", "record"]

Steps = tuple[Step, ...]
RESTARTS = 80
ENOUGH = 2_000
"""Rounds after which the best so far must do: a run without an end is long, and its steps many."""


@dataclass(frozen=True)
class Found:
    """A schedule and the failure it ends in."""

    steps: Steps
    failure: Failure

    @property
    def size(self) -> tuple[int, int, int]:
        """What is to become small."""
        return len(self.steps), sum(step.stopped for step in self.steps), sum(step.points for step in self.steps)


def record(world: World, chooser: Chooser) -> Found | None:
    """Play a round and keep its steps; None if nothing fails."""
    recorder = Recorder(world.sched)
    failure = world.round(chooser, recorder)
    if failure is None:
        return None
    if failure.kind != "STALL":  # there nobody was running
        recorder.broken("fails")
    return Found(tuple(recorder.steps), failure)


class Shrinker:
    """Shortens schedules of one play. `rounds` counts what it cost."""

    def __init__(self, scene: type[Play], planted: str | None, backend: str = "model") -> None:
        self._of = scene, planted, backend
        self._world = World(*self._of)
        self.rounds = 0

    def __call__(self, found: Found) -> Found:
        """The shortest that can be reached by single changes, also from where a few changes at random lead."""
        best = self._descend(found)
        rng = random.Random(repr(best.steps))
        for _ in range(RESTARTS):
            if self.rounds > ENOUGH:
                break
            steps = list(best.steps)
            for _ in range(rng.randint(1, 3)):
                _shake(steps, rng)
            again = self._play(tuple(_joined(steps)))
            if again is not None and again.failure.kind == best.failure.kind and again.steps != best.steps:
                best = min(best, self._descend(again), key=lambda one: one.size)
        return self._without_tail(best)

    def _without_tail(self, found: Found) -> Found:
        """A run without an end goes on by itself: the steps after which it does are enough."""
        if not found.failure.endless:
            return found
        for count in range(1, len(found.steps)):
            again = self._play(found.steps[:count])
            if again is not None and again.failure.kind == found.failure.kind and again.failure.endless:
                return Found(found.steps[:count], again.failure)
        return found

    def _descend(self, found: Found) -> Found:
        """The shortest that can be reached by single changes."""
        best, tried = found, {found.steps}
        better = True
        while better:
            better = False
            for steps in _changes(best.steps):
                if steps in tried:
                    continue
                if self.rounds > ENOUGH:
                    return best
                tried.add(steps)
                again = self._play(steps)
                if again is not None and again.failure.kind == best.failure.kind and again.size < best.size:
                    best, better = again, True
                    break
        return best

    def _play(self, steps: Steps) -> Found | None:
        self.rounds += 1
        if self._world.broken:
            self._world.close()
            self._world = World(*self._of)
        return record(self._world, LenientChooser(self._world.sched, steps))

    def replay(self, found: Found) -> Found | None:
        """Play it on a fresh machine, step by step. Raises ScheduleError if it does not fit."""
        self._world.close()
        self._world = World(*self._of)
        recorder = Recorder(self._world.sched)
        strict = StrictChooser(self._world.sched, found.steps, "the schedule")

        def both(stretch: object) -> None:
            strict(stretch)  # type: ignore[arg-type]
            recorder(stretch)  # type: ignore[arg-type]

        failure = self._world.round(strict, both)
        return None if failure is None else Found(found.steps, failure)

    def close(self) -> None:
        """Done."""
        self._world.close()


def _shake(steps: list[Step], rng: random.Random) -> None:
    """One change at random."""
    at = rng.randrange(len(steps))
    step = steps[at]
    match rng.randrange(3):
        case 0:
            steps[at] = replace(step, points=rng.randint(1, max(2, step.points + 2)), stopped=True)
        case 1:
            steps.insert(rng.randrange(len(steps) + 1), steps.pop(at))
        case _:
            other = rng.choice(steps)
            steps.insert(at, replace(other, points=rng.randint(1, max(2, other.points)), stopped=True))


def _changes(steps: Sequence[Step]) -> Iterator[Steps]:
    """What might do as well: the boldest changes first."""
    count = len(steps)
    for width in (4, 2, 1):
        for first in range(count - width + 1):
            yield _joined([*steps[:first], *steps[first + width :]])
    for at, step in enumerate(steps):
        if step.stopped:
            yield _joined([*steps[:at], replace(step, stopped=False, points=0), *steps[at + 1 :]])
    for at in range(count - 1):
        yield _joined([*steps[:at], steps[at + 1], steps[at], *steps[at + 2 :]])
    for at, step in enumerate(steps):
        if not step.stopped:
            continue
        for points in dict.fromkeys((1, step.points // 2, step.points - 1)):
            if points not in (0, step.points):
                yield (*steps[:at], replace(step, points=points), *steps[at + 1 :])
        # Further, past a lock perhaps: then a step that led round it is not needed.
        for points in range(step.points + 1, step.points + 4):
            longer = [*steps[:at], replace(step, points=points), *steps[at + 1 :]]
            for other in range(at + 1, count):
                yield _joined([*longer[:other], *longer[other + 1 :]])


def _joined(steps: list[Step]) -> Steps:
    """Neighbours of one actor are one step."""
    joined: list[Step] = []
    for step in steps:
        if joined and joined[-1].actor == step.actor:
            before = joined.pop()
            joined.append(replace(step, points=before.points + step.points if before.stopped else step.points))
        else:
            joined.append(step)
    return tuple(joined)
