"""A schedule played again, on the model or on the RTL, and told step by step.

Promises: the run follows the schedule or stops with ScheduleError, which names the step that does not fit. What happened in a step
  is what the trace says of it: nothing is told that was not recorded. Records of the device stand in its own column.
Needs: for "native" the RTL's simulator, which is built if it is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwif.gen.events import TraceEvent
from hwif.trace import DEVICE_EVENTS, EVENT_MASK, Trace
from shootdown.errors import InputError, unknown
from shootdown.explain import QUIET
from shootdown.explore.schedule import Schedule
from shootdown.explore.world import Failure, World
from shootdown.timeline.savefiles import write_savefiles
from shootdown.timeline.sentences import sentence
from sw_stack.sched.steered import DEVICE, Stretch
from sw_stack.sched.steps import StrictChooser
from sw_stack.workloads import explored

__all__ = ["Replayed", "Told", "replay"]


@dataclass(frozen=True)
class Told:
    """A row of the table: in which step, who, and what. `actor` "device" for the device's records, whoever's step it is."""

    step: int
    actor: str
    text: str
    failure: bool = False


@dataclass(frozen=True)
class Replayed:
    """`failure` None: everything held. `cpus`: the processor of each actor that is told of."""

    failure: Failure | None
    rows: tuple[Told, ...]
    cpus: dict[str, int]
    backend: str
    digest: str
    waves: Path | None = None

    def same_as(self, schedule: Schedule) -> bool:
        """The failure the schedule is for."""
        return self.failure is not None and self.failure.kind == schedule.kind


class _Teller:
    """Collects what the trace says of each step."""

    def __init__(self, strict: StrictChooser) -> None:
        self.rows: list[Told] = []
        self.world: World | None = None
        self._strict = strict
        self._records: list[list[int]] = []
        self._step = 0

    def heard(self, records: NDArray[np.uint64]) -> None:
        """A sink of the trace."""
        self._records += records.tolist()

    def begin(self) -> None:
        """What was before belongs to no step."""
        self._fetch()
        self._records.clear()

    def _fetch(self) -> None:
        assert self.world is not None
        self.world.trace.flush()
        self.world.drain()

    def stretch(self, stretch: Stretch) -> None:
        """A step is over."""
        self._strict(stretch)
        self._tell(stretch.actor)
        if stretch.actor == DEVICE or stretch.place == "ends":
            return
        how, place = ("waits for", stretch.place) if stretch.waits else ("stopped in", stretch.place.split(" < ")[0])
        self.rows.append(Told(self._step, stretch.actor, f"({how} {place})"))

    def broken(self, actor: str | None, failure: Failure) -> None:
        """The run ended here."""
        if actor is not None:
            self._tell(actor)
        else:
            self._step += 1
        first = failure.text.split("\n", 1)[0]
        self.rows.append(Told(self._step, actor or "", f"{failure.kind}: {first}", failure=True))

    def _tell(self, actor: str) -> None:
        self._step += 1
        self._fetch()
        records, self._records = self._records, []
        for record in sorted(records, key=lambda record: record[0]):
            event = TraceEvent(record[1] & EVENT_MASK)
            if event not in QUIET:
                who = DEVICE if event in DEVICE_EVENTS else actor
                self.rows.append(Told(self._step, who, sentence(event, record[2:])))


def replay(schedule: Schedule, backend: str, name: str | Path = "the schedule", waves: Path | None = None) -> Replayed:
    """Play it. `waves`: where the RTL's waveform goes, with save files that open it at the failure. InputError for a play or a
    defect that is not there, ScheduleError for a step that does not fit."""
    _known(schedule, str(name))
    trace = Trace()
    with World(explored.load(schedule.play), schedule.planted, backend, trace, waves=waves is not None) as world:
        strict = StrictChooser(world.sched, schedule.steps, str(name))
        teller = _Teller(strict)
        teller.world = world
        trace.subscribe(teller.heard)
        teller.begin()
        if waves is not None:
            world.trace_on(waves)
        failure = world.round(strict, teller.stretch)
        if failure is not None:
            actor, _points = world.sched.standing()
            teller.broken(actor, failure)
        cpus = {task.name: task.cpu for task in trace.tasks} | {actor.name: actor.cpu for actor in world.actors}
        if waves is not None:
            waves = waves if world.trace_off() else None
        if waves is not None:
            title = "a replayed schedule" if failure is None else f"{failure.kind}: {failure.text.splitlines()[0]}"
            cycle = world.sched.now if failure is None else failure.cycle
            write_savefiles(waves, cycle, title, [f"{row.step} {row.actor}: {row.text}" for row in teller.rows])
        return Replayed(failure, tuple(teller.rows), cpus, backend, trace.digest(), waves)


def _known(schedule: Schedule, name: str) -> None:
    if schedule.play not in explored.names():
        raise unknown(f"{name}: play", schedule.play, "play", explored.names())
    defects = explored.load(schedule.play).PLANTED
    if schedule.planted is not None and schedule.planted not in defects:
        if not defects:
            raise InputError(f"{name}: planted {schedule.planted}: {schedule.play} has no such defect")
        raise unknown(f"{name}: planted", schedule.planted, "defect", defects)
