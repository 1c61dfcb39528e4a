"""A machine on which a play is played round after round, and what ends a round badly.

Promises: a round is a function of the choices. A round that fails leaves the world broken: make another. Whatever the software or
  the device's oracle objects to is a Failure, not an exception; bad schedules (ScheduleError) and interrupts are passed on.
Costs: a world some milliseconds, a round some hundred microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hwif.gen.events import TraceEvent
from hwif.loop import StalledError
from hwif.port import AssertionFailure
from hwif.trace import Trace
from shootdown.rig import SteppedDevice, WithPins, open_stepwise
from sw_stack.sched import Chooser, ScheduleError
from sw_stack.sched.callchain import where
from sw_stack.sched.steered import SteeredScheduler, Stopped, Stretch
from sw_stack.workloads.explored import Play
from sw_stack.workloads.explored.play import Actor, PlayError

__all__ = ["Failure", "SilentTrace", "World"]

RULE = re.compile(r"(MN-\d|SD-\d|FQ-\d): ")


@dataclass(frozen=True)
class Failure:
    """Who objected. `kind`: ORACLE and its reason, SVA, STALL, PLAY for a check of the play, a rule's id, or an exception's name;
    `text`: what it says, its first line the gist; `cycle`: of the run."""

    kind: str
    text: str
    cycle: int

    @property
    def endless(self) -> bool:
        """The run goes on for ever, rather than has come to a standstill."""
        return self.kind == "STALL" and self.text.startswith("no end")


class SilentTrace(Trace):
    """Nobody listens."""

    def emit(self, cycle: int, event: TraceEvent, *args: int) -> None:
        """Nothing."""


class World:
    """One machine, prepared. `planted`: the defect that is switched on; `trace`: who listens, or nobody; `waves`: the device's pins
    may be written to a file."""

    def __init__(
        self,
        scene: type[Play],
        planted: str | None = None,
        backend: str = "model",
        trace: Trace | None = None,
        *,
        waves: bool = False,
    ) -> None:
        self.trace = trace if trace is not None else SilentTrace()
        self.sched = SteeredScheduler()
        self.trace.current_cpu = self.sched.current_cpu
        self.play = scene(self.sched, self.trace, planted)
        kind = self.play.DEVICE
        self.device: SteppedDevice | None = open_stepwise(kind, backend, self.play.nodes, waves) if kind is not None else None
        self.sched.device = self.device
        self.sched.spawn(self.play.prepare(), "prepare", 0)
        self.sched.run()
        self.sched.settle()
        self.broken = False
        self.actors: tuple[Actor, ...] = ()
        """Of the last round."""
        self.points = self.mark = 0
        """Of the last round, without its settling: points passed, and its history."""

    def round(self, chooser: Chooser, on_stretch: Callable[[Stretch], None] | None = None) -> Failure | None:
        """Play once; None if everything held."""
        sched = self.sched
        sched.on_stretch = on_stretch
        sched.begin(chooser)
        try:
            self.actors = tuple(self.play.actors())
            for actor in self.actors:
                sched.spawn(actor.body, actor.name, actor.cpu)
            sched.run()
            self.points, self.mark = sched.points, sched.mark
            sched.on_stretch = None
            sched.rest()
            sched.spawn(self.play.settle(), "settle", 0)
            sched.run()
            sched.settle()
            self.drain()
        except (ScheduleError, KeyboardInterrupt):
            self.broken = True
            raise
        except Exception as error:
            self.broken = True
            if sched.steered:
                self.points, self.mark = sched.points, sched.mark
                sched.rest()
            return self._failure(error)
        return None

    def drain(self) -> None:
        """Hand the device's records to the trace."""
        if self.device is not None:
            self.trace.feed_device(self.device.drain_trace())

    def trace_on(self, path: Path) -> None:
        """Write the RTL's pins to a file from here on."""
        if isinstance(self.device, WithPins):
            self.device.trace_on(path)

    def trace_off(self) -> bool:
        """Close that file. False if there is no RTL."""
        if not isinstance(self.device, WithPins):
            return False
        self.device.trace_off()
        return True

    def _failure(self, error: Exception) -> Failure:
        now = self.sched.now
        if isinstance(error, Stopped):
            assert self.device is not None
            found = self.device.violations()[0]
            kind = "write" if found.write else "read"
            return Failure(f"ORACLE {found.reason.name}", f"{kind} of va {found.va:#x} at pa {found.pa:#x}", found.cycle)
        text = str(error)
        if isinstance(error, StalledError):
            what = text.split("\n", 1)[0] if text.startswith("no ") else "nobody can go on"
            return Failure("STALL", f"{what}: {'; '.join(self.sched.stuck()) or 'nobody waits'}\n{text}", now)
        if isinstance(error, AssertionFailure):
            return Failure("SVA", text, error.cycle)
        if isinstance(error, PlayError):
            return Failure("PLAY", text, now)
        rule = RULE.match(text)
        name = rule[1] if rule else type(error).__name__
        text = text[rule.end() :] if rule else text
        return Failure(name, f"{text} at {where(error)}" if text else where(error), now)

    def close(self) -> None:
        """Abandon what is under way."""
        self.sched.close()
        if self.device is not None:
            self.device.close()

    def __enter__(self) -> World:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()
