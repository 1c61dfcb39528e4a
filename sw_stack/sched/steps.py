"""A schedule as steps: who goes on, how far, and where he stops. What a search finds, shortens and hands on.

A step is a stretch of a steered run (sw_stack/sched/steered.py). Two choosers follow steps: Strict replays a schedule and says
which step does not fit; Lenient does what it can, for a search that tries steps which may not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sw_stack.sched.choices import ScheduleError
from sw_stack.sched.steered import SteeredScheduler, Stretch

__all__ = ["LenientChooser", "Recorder", "Step", "StrictChooser"]


@dataclass(frozen=True, slots=True)
class Step:
    """`actor` goes on for `points` points. `stopped`: then it is stopped; else it waits there, or the run ends. `place`: where."""

    actor: str
    points: int
    stopped: bool
    place: str = ""


class Recorder:
    """Keeps the stretches of a run as steps."""

    def __init__(self, sched: SteeredScheduler) -> None:
        self.steps: list[Step] = []
        self._sched = sched

    def __call__(self, stretch: Stretch) -> None:
        """A stretch is over."""
        self.steps.append(Step(stretch.actor, stretch.points, not stretch.waits, stretch.place))

    def broken(self, place: str) -> None:
        """The run ended inside a stretch."""
        actor, points = self._sched.standing()
        if actor is not None:
            self.steps.append(Step(actor, points, False, place))


class LenientChooser:
    """Follows steps as far as they can be followed: a step whose actor cannot run is left out, and after the last everybody goes on
    as far as he can."""

    def __init__(self, sched: SteeredScheduler, steps: Sequence[Step]) -> None:
        self._sched = sched
        self._steps = steps
        self._next = 0
        self._until: int | None = None
        self._started = False

    def choose(self, kind: str, n: int) -> int:
        if kind == "point":
            if self._until is None or self._sched.stretch_points() < self._until:
                return 0
            pick = self._follow()
            return 0 if pick is None else pick + 1
        pick = self._follow()
        return 0 if pick is None else pick

    def _follow(self) -> int | None:
        """The place in the queue of the next actor that can run."""
        names = self._sched.actor_names()
        while self._next < len(self._steps):
            step = self._steps[self._next]
            self._next += 1
            if step.actor in names:
                self._until = step.points if step.stopped else None
                return names.index(step.actor)
        self._until = None
        return None

    def close(self) -> None:
        """Nothing to close."""


class StrictChooser:
    """Replays steps. ScheduleError, naming the step, when the run does something else. After the last step, which ends in the
    failure, everybody goes on as far as he can."""

    def __init__(self, sched: SteeredScheduler, steps: Sequence[Step], name: str) -> None:
        self._sched = sched
        self._steps = steps
        self._name = name
        self._at = 0

    def choose(self, kind: str, n: int) -> int:
        if self._at >= len(self._steps):
            return 0
        if kind == "switch":
            return self._index(self._at)
        step = self._steps[self._at]
        done = self._sched.stretch_points()
        if done > step.points and (step.stopped or self._at + 1 < len(self._steps)):
            self._refuse(self._at, f"it goes on for {done} points, the schedule says {step.points}")
        if step.stopped and done == step.points:
            return self._index(self._at + 1) + 1
        return 0

    def _index(self, at: int) -> int:
        names = self._sched.actor_names()
        if at >= len(self._steps):
            return 0
        if self._steps[at].actor not in names:
            self._refuse(at, f"it cannot run there; {', '.join(names) or 'nobody'} can")
        return names.index(self._steps[at].actor)

    def __call__(self, stretch: Stretch) -> None:
        """A stretch is over: is it the schedule's?"""
        if self._at >= len(self._steps):
            return
        step = self._steps[self._at]
        if stretch.actor != step.actor:
            self._refuse(self._at, f"here it is {stretch.actor} that runs")
        if stretch.points != step.points or stretch.waits == step.stopped:
            does = "waits" if stretch.waits else "stops"
            self._refuse(self._at, f"it {does} after {stretch.points} points{f' ({stretch.place})' if stretch.place else ''}")
        self._at += 1

    @property
    def followed(self) -> int:
        """Steps that the run has made."""
        return self._at

    def _refuse(self, at: int, why: str) -> None:
        step = self._steps[at]
        how = "stops" if step.stopped else "waits"
        raise ScheduleError(
            f"{self._name}: step {at + 1} ({step.actor}, {how} after {step.points} points) does not fit: {why}; it is of another "
            "scenario, seed or version, or was edited"
        )

    def close(self) -> None:
        """Nothing to close."""
