"""A scheduler whose order is somebody's choice, step by step: what a search over interleavings drives.

A task runs on by itself from one point (a `charge`, before a device access too) to the next. At a point the chooser may stop it
and let somebody else go on ("point": 0 goes on, k lets the k-th in the queue run); when it waits or ends, the chooser says who is
next ("switch"). Whoever can run stands in one queue, in the order in which it became able to. The device is one of them while it
may have something to do: its step lasts to its next event. So time is an order, not a measure: a point lasts one cycle, whatever it
is charged; a timer is over when its turn comes; a device access is answered before its task goes on.

Promises: equal choices give the same order, on every device with the same order of events. `mark` is equal at two moments of two
  runs if every task has used what is shared (sw_stack/sched/shared.py) in the same order in both.
  A spinning task makes way for others after SPIN points, or it would spin for ever.
Needs: a device that answers at once (`submit`, `advance`), or none. Raises StalledError when nobody can go on, or when the run does
  not end within `limit` points.
Costs: some microseconds a run beside what the tasks do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from zlib import crc32  # str hashes differ from process to process

from hwif.loop import StalledError
from hwif.port import Event, LineKind, MmioDone, OracleStop, Request
from sw_stack.sched.callchain import call_chain
from sw_stack.sched.choices import Chooser
from sw_stack.sched.lockdep import Lockdep
from sw_stack.sched.scheduler import BusError, Scheduler
from sw_stack.sched.shared import Shared
from sw_stack.sched.task import DONE, Pause, Suspend, Task

__all__ = ["DEVICE", "Segment", "SteeredScheduler", "StepwiseDevice", "Stopped", "Stretch", "names_of"]

SPIN: Final = 200
REACH: Final = 50_000
"""Cycles in which a device that has something to do lets it be known."""
LIMIT: Final = 20_000
DEVICE: Final = "device"
PLACE_DEPTH: Final = 3
WAITED: Final = 1
"""In a task's history: it waited. Whoever only passed a timer stands elsewhere than one who has not begun."""


class Stopped(Exception):  # noqa: N818 - not an error of the run, but its end
    """The device's oracle has objected."""


class StepwiseDevice(Protocol):
    """A device in this process."""

    @property
    def cycle(self) -> int: ...
    def submit(self, request: Request) -> None: ...
    def advance(self, until: int) -> Sequence[Event]: ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one actor did without anybody between: a task so many points, up to a place; the device up to an event."""

    actor: str
    points: int
    place: str
    waits: bool
    """It could not go on, rather than was stopped."""


Segment = tuple[str, set[int], int]
"""What an actor did from one point to the next: who it is, what shared things it used (0: the device), and in which earlier segment
it was woken, -1 if it was not. One a point of every run, so a bare tuple."""


def names_of(queue: Iterable[Task | None]) -> list[str]:
    """Of those who stand in a queue."""
    return [DEVICE if task is None else task.name for task in queue]


class _NoChoice:
    """Everybody goes on as far as he can, first come, first served."""

    def choose(self, _kind: str, _n: int) -> int:
        return 0

    def close(self) -> None:
        """Nothing to close."""


class SteeredScheduler(Scheduler):
    """`device` None: software alone."""

    def __init__(self, device: StepwiseDevice | None = None) -> None:
        super().__init__(_NoChoice())
        self.device = device
        self.limit = LIMIT
        self.points = 0
        """Of the present run."""
        self.mark = 0
        """Equal for orders that cannot be told apart."""
        self.queue: deque[Task | None] = deque()
        """Who can run; None is the device."""
        self.segments: list[Segment] | None = None
        """What was done between two points, in order, if that is wanted: while a run is steered, and `recorded` afterwards."""
        self.recorded: list[Segment] | None = None
        self.on_stretch: Callable[[Stretch], None] | None = None
        self._steered = False
        self._since = 0
        self._actor: str | None = None
        self._place = ""
        self._used: set[int] = set()
        self._woken: dict[str, int] = {}
        self._picked: int | None = None
        self._round = 0
        self._device_stamp = 0

    # ---- a run ---------------------------------------------------------------------------------------------------------

    def begin(self, chooser: Chooser) -> None:
        """What is spawned from here on is steered by `chooser`."""
        self._chooser = chooser
        self._steered = True
        self.lockdep = Lockdep()
        self.points = self._since = 0
        self._round += 1
        self._woken.clear()
        self.mark = self._device_stamp = crc32(DEVICE.encode())
        for task in self._tasks:
            self._introduce(task)

    @property
    def steered(self) -> bool:
        """A run is under way, and has not come to rest."""
        return self._steered

    def rest(self) -> None:
        """From here on everybody goes on as far as he can, and nothing is noted of it."""
        if not self._steered:
            return
        self._chooser = _NoChoice()
        self._steered = False
        self.recorded, self.segments = self.segments, None

    def run(self) -> None:
        """Until every essential task has finished."""
        start = self.points
        while self._essential:
            self._step_of(self._next())
            if self.points - start > self.limit:
                raise StalledError(f"no end after {self.limit} points\n{self.wait_for_report()}")

    def settle(self) -> None:
        """Until nobody can do anything."""
        self.rest()
        start = self.points
        while self.queue:
            self._step_of(self._next())
            if self.points - start > self.limit:
                raise StalledError(f"no rest after {self.limit} points\n{self.wait_for_report()}")

    def _next(self) -> Task | None:
        queue = self.queue
        if self._picked is not None:
            pick, self._picked = self._picked, None
        elif not queue:
            raise StalledError(self.wait_for_report())
        else:
            pick = self._chooser.choose("switch", len(queue)) if self._steered and len(queue) > 1 else 0
        actor = queue[pick]
        del queue[pick]
        return actor

    def _step_of(self, actor: Task | None) -> None:
        self._since = self.points
        if actor is None:
            self._actor = DEVICE
            if self.segments is not None:
                self.segments.append((DEVICE, {0}, -1))
            self._device_step()
        else:
            self._actor = actor.name
            if self.segments is not None:
                self._segment(actor.name)
            self._run(actor)
            stopped = self._picked is not None
            if self._steered and not stopped and not actor.finished:
                self._mark(actor, WAITED)
            if self.on_stretch is not None:
                place = "ends" if actor.finished else self._place if stopped else actor.waiting_for
                self.on_stretch(Stretch(actor.name, self.points - self._since, place, not stopped))
        self._actor = None

    def stretch_points(self) -> int:
        """Points of the present stretch, the one that is being decided on included."""
        return self.points - self._since

    def standing(self) -> tuple[str | None, int]:
        """Who was running when a run broke, and its points since it went on."""
        return self._actor, self.points - self._since

    def stuck(self) -> list[str]:
        """Who has work left, and what he waits for."""
        return [f"{task.name} waits for {task.waiting_for}" for task in self._tasks if not task.daemon and task.waiting_for]

    def actor_names(self) -> list[str]:
        """Who can run, in the order of the choices."""
        return names_of(self.queue)

    # ---- points --------------------------------------------------------------------------------------------------------

    def charge(self, cycles: int) -> Awaitable[None]:
        """A point."""
        self.now += 1
        self.points += 1
        if self._steered and self.queue:
            pick = self._chooser.choose("point", len(self.queue) + 1)
            if not pick and self.points - self._since > SPIN:
                pick = 1
            if pick:
                if self.on_stretch is not None:
                    self._place = call_chain(PLACE_DEPTH)
                self._picked = pick - 1
                return Pause(0, "processor time")
        if self.points - self._since > self.limit:
            return Pause(0, "processor time")  # whoever runs the tasks sees that this one has no end
        if self.segments is not None and self.current is not None:
            self._segment(self.current.name)
        return DONE

    def _segment(self, actor: str) -> None:
        """Here one begins."""
        assert self.segments is not None
        self._used = used = set[int]()
        self.segments.append((actor, used, self._woken.pop(actor, -1)))

    def step(self) -> bool:
        raise NotImplementedError("a steered scheduler is run by run()")

    def _push(self, task: Task, cycle: int) -> None:
        self.queue.append(task)

    def resume(self, task: Task, value: Any = None, delay: int = 0) -> None:
        """Whoever wakes a task has been seen by it."""
        if self._steered:
            self._mark(task, self._device_stamp if self.current is None else self.current.stamp)
            if self.segments is not None:
                self._woken[task.name] = len(self.segments) - 1
        task.resume_value = value
        self.queue.append(task)

    def touch(self, shared: Shared) -> None:
        """The running task uses it."""
        task = self.current
        if task is None or not self._steered:
            return
        if shared.round != self._round:
            shared.round = self._round
            shared.stamp = 0
        before = task.stamp
        after = task.stamp = shared.stamp = hash((before, shared.stamp))
        self.mark ^= before ^ after
        if self.segments is not None:
            self._used.add(id(shared))

    def touch_memory(self) -> None:
        """Whatever the device does may depend on it, as on a request."""
        task = self.current
        if task is None or not self._steered:
            return
        self._mark(task, self._device_stamp)
        self._device_stamp = task.stamp
        self._used.add(0)  # the device

    def spawn(self, *args: Any, **kwargs: Any) -> Task:
        task = super().spawn(*args, **kwargs)
        self._introduce(task)
        return task

    def _introduce(self, task: Task) -> None:
        parent = self.current.stamp if self.current is not None else 0
        task.stamp = hash((crc32(task.name.encode()), parent))
        self.mark ^= task.stamp

    def _mark(self, task: Task, other: int) -> None:
        stamp = hash((task.stamp, other))
        self.mark ^= task.stamp ^ stamp
        task.stamp = stamp

    # ---- the device ----------------------------------------------------------------------------------------------------

    async def wait_irq(self, line: int) -> None:
        """Without the latency of an interrupt: when it comes is a choice."""
        if not self._irq_level[line]:
            waiters = self._irq_waiters.setdefault(line, [])
            await self.sleeping(waiters.append, f"interrupt {line}", patient=True)
        await self.charge(0)

    async def wait_line(self, kind: LineKind, index: int, seen: int, *, node: int = 0, patient: bool = False) -> None:
        """Without the latency of a coherence miss."""
        if self.line_seq(kind, index, node) == seen:
            waiters = self._line_waiters.setdefault((kind, index, node), [])
            await Suspend(waiters.append, f"{kind.name} {index} to change", patient)
        await self.charge(0)

    async def _request(self, request: Request, reason: str) -> tuple[int, ...]:
        device = self.device
        if device is None:
            raise ValueError(f"{request}: there is no device to answer it")
        self.touch_memory()
        device.submit(request)
        done = None
        while done is None:
            before = device.cycle
            done = self._deliver_all(device.advance(before + REACH), request.serial)
            if done is None and device.cycle >= before + REACH:
                raise StalledError(f"{reason}: the device does not answer\n{self.wait_for_report()}")
        if None not in self.queue:
            self.queue.append(None)
        if done.error:
            raise BusError(f"{reason}: the device answered SLVERR at cycle {done.cycle}")
        return done.data

    def _device_step(self) -> None:
        device = self.device
        assert device is not None
        self.points += 1
        self._device_stamp, old = hash((self._device_stamp, 1)), self._device_stamp
        self.mark ^= old ^ self._device_stamp
        events = device.advance(max(device.cycle, self.now) + REACH)
        if events:
            self.queue.append(None)
        self._deliver_all(events, None)
        if self.on_stretch is not None:
            told = ", ".join(_name(event) for event in events if not isinstance(event, OracleStop))
            self.on_stretch(Stretch(DEVICE, 1, told or "nothing to do", True))

    def _deliver_all(self, events: Sequence[Event], serial: int | None) -> MmioDone | None:
        assert self.device is not None
        self.now = max(self.now, self.device.cycle)
        done, running = None, self.current
        self.current = None  # what wakes a task here is the device
        try:
            for event in events:
                if isinstance(event, OracleStop):
                    raise Stopped
                if isinstance(event, MmioDone):
                    assert event.serial == serial
                    done = event
                else:
                    self.deliver(event)
        finally:
            self.current = running
        return done


def _name(event: Event) -> str:
    kind = getattr(event, "kind", None)
    if isinstance(kind, LineKind):
        return f"{kind.name} {event.index}"  # type: ignore[union-attr]
    line = getattr(event, "line", None)
    return f"interrupt {line} {'up' if getattr(event, 'level', 0) else 'down'}" if line is not None else type(event).__name__
