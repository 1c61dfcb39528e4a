"""The scheduler: deterministic, steppable, without I/O of its own.

Software is `async def` functions that await the effects below. A host owns the outer loop (hwif/loop.py): it calls `step()` until
nothing is ready, takes the requests, advances the device to `next_deadline()` and delivers its events. The scheduler never
sleeps and never calls a device.

Order is total: (cycle, priority, serial). Among tasks ready at the same cycle and priority the chooser picks (a "tie"); at
every `charge` it may delay the task ("preempt"). So a run is a function of its inputs and its choices.

Each task is its own processor: nothing excludes two tasks but the locks they take. That is the machine a driver must survive.
"""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

from hwif.gen import timing
from hwif.gen.gru import NUM_IRQ
from hwif.gen.hca import NODE_IRQS
from hwif.port import Event, Irq, LineKind, MmioDone, MmioRead, MmioSwap, MmioWrite, Request, Snoop
from sw_stack.sched.choices import Chooser
from sw_stack.sched.lockdep import Lockdep
from sw_stack.sched.shared import Shared
from sw_stack.sched.task import DONE, Pause, Suspend, Task

__all__ = ["BusError", "Scheduler", "TaskAbandoned"]

# Delays of a preemption point, cycles. Index 0: none. Spread over the scales races live on: a few cycles (pipeline), tens
# (bus), hundreds (a driver path), thousands (an interrupt).
DELAYS: Final = (0, 1, 3, 7, 20, 60, 200, 700, 2500)

_DELAY_STEPS: Final = len(DELAYS)

PRIORITY_IRQ: Final = 0
PRIORITY_NORMAL: Final = 1


# Awaits in the finally clauses of one task that close() unwinds before it gives up.
ABANDON_LIMIT: Final = 1000


class TaskAbandoned(BaseException):
    """Thrown into a task whose run is over. Not an Exception, so that no handler takes it for an error of its own."""


def _nothing(_task: Task) -> None:
    """Whoever resumes the task knows it already."""


class BusError(Exception):
    """The device answered a request with SLVERR."""


class Scheduler:
    """Runs tasks against a clock of device cycles."""

    def __init__(self, chooser: Chooser, lockdep: Lockdep | None = None) -> None:
        self.now = 0
        self.lockdep = lockdep if lockdep is not None else Lockdep()
        self.current: Task | None = None
        self.steps = 0
        self.free_until = 0
        """Cycle before which the host promises that no device does anything, so that time may pass without it (alone.py)."""
        self._chooser = chooser
        self._ready: list[tuple[int, int, int, Task]] = []
        self._serial = 0
        self._requests: list[Request] = []
        self._answers: dict[int, tuple[Task, str]] = {}
        self._irq_level = [0] * max(NUM_IRQ, 2 * NODE_IRQS)  # one node, or two
        self._irq_waiters: dict[int, list[Task]] = {}
        self._line_seq: dict[tuple[LineKind, int, int], int] = {}
        self._line_waiters: dict[tuple[LineKind, int, int], list[Task]] = {}
        self._tasks: list[Task] = []
        self._essential = 0
        self._last_run = 0

    # ---- tasks -----------------------------------------------------------------------------------------------------

    def spawn(
        self,
        coroutine: Coroutine[Any, Any, Any],
        name: str,
        cpu: int,
        *,
        daemon: bool = False,
        priority: int = PRIORITY_NORMAL,
    ) -> Task:
        """Make a task ready now."""
        task = Task(name, cpu, coroutine, daemon=daemon, priority=priority)
        self._tasks.append(task)
        if not daemon:
            self._essential += 1
        self._push(task, self.now)
        return task

    def resume(self, task: Task, value: Any = None, delay: int = 0) -> None:
        """Make a suspended task ready in `delay` cycles; its await returns `value`."""
        task.resume_value = value
        self._push(task, self.now + delay)

    def current_cpu(self) -> int:
        """Processor of the running task, 0 between tasks."""
        return self.current.cpu if self.current is not None else 0

    def task(self) -> Task:
        """The task that is running."""
        if self.current is None:
            raise RuntimeError("no task is running")
        return self.current

    async def join(self, task: Task) -> Any:
        """Wait until `task` has finished; its result."""
        if not task.finished:
            await self.sleeping(lambda me: task.on_finish.append(lambda: self.resume(me)), f"{task.name} to finish")
        return task.result

    # ---- effects ---------------------------------------------------------------------------------------------------

    def charge(self, cycles: int) -> Awaitable[None]:
        """Let `cycles` of processor time pass: await the result at once. A preemption point: the chooser may add a delay. Legal in
        atomic context."""
        delay = self._chooser.choose("preempt", _DELAY_STEPS)
        if delay:
            cycles += DELAYS[delay]
        end = self.now + cycles
        # Nobody else runs before `end` and no device does anything: the same order as through the queue, without the way there.
        if end < self.free_until and (not self._ready or end < self._ready[0][0]):
            self.now = self._last_run = end
        elif cycles:
            return Pause(cycles, "processor time")
        return DONE

    def touch(self, shared: Shared) -> None:
        """The running task uses something that others use without a lock (sw_stack/sched/shared.py)."""

    def touch_memory(self) -> None:
        """The running task uses host memory, or changes who may use what of it: the device does both without a lock."""

    async def sleep(self, cycles: int) -> None:
        """Give the processor away for `cycles`. Forbidden in atomic context."""
        self.lockdep.may_sleep(self.task(), f"sleep({cycles})")
        await Pause(cycles, "timer")

    async def sleeping(self, arm: Callable[[Task], None], reason: str, *, patient: bool = False) -> Any:
        """Suspend until resumed by whatever `arm` arranged. Forbidden in atomic context."""
        self.lockdep.may_sleep(self.task(), reason)
        return await Suspend(arm, reason, patient)

    async def spinning(self, arm: Callable[[Task], None], reason: str) -> Any:
        """As `sleeping`, but the processor spins: legal in atomic context."""
        return await Suspend(arm, reason)

    async def mmio_read(self, addr: int, count: int = 1, node: int = 0) -> tuple[int, ...]:
        """`count` 64-bit words of `node`'s device from byte address `addr`. Raises BusError on SLVERR."""
        await self.charge(timing.SW_MMIO_READ)
        return await self._request(MmioRead(self.now, self._take_serial(), addr, count, node), f"read of {addr:#x}")

    async def mmio_write(self, addr: int, words: Sequence[int], node: int = 0) -> None:
        """Store words at `addr`, highest first, and wait until they have landed. Raises BusError on SLVERR."""
        await self.charge(timing.SW_MMIO_WRITE)
        await self._request(MmioWrite(self.now, self._take_serial(), addr, tuple(words), node), f"write to {addr:#x}")

    async def mmio_swap(self, addr: int, count: int) -> tuple[int, ...]:
        """xchg `count` words of a fault map with 0; what they held."""
        await self.charge(timing.SW_MMIO_READ)
        return await self._request(MmioSwap(self.now, self._take_serial(), addr, count), f"xchg of {addr:#x}")

    async def wait_irq(self, line: int) -> None:
        """Return when interrupt line `line` is high, after the interrupt latency. Patient: no liveness bound."""
        if not self._irq_level[line]:
            waiters = self._irq_waiters.setdefault(line, [])
            await self.sleeping(waiters.append, f"interrupt {line}", patient=True)
        await Pause(timing.SW_IRQ_LATENCY, "interrupt entry")

    def line_seq(self, kind: LineKind, index: int, node: int = 0) -> int:
        """How often the device has changed this line. Read it before the line: pairs with `wait_line`."""
        return self._line_seq.get((kind, index, node), 0)

    async def wait_line(self, kind: LineKind, index: int, seen: int, *, node: int = 0, patient: bool = False) -> None:
        """Spin until the device has changed the line since `seen` = `line_seq(...)` was taken. Legal in atomic context.

        The change may fall between the read of the line and this wait; the sequence number closes that window:
            cpu: seq = line_seq; read line (still ACTIVE)        device: status -> IDLE, Snoop
            cpu: wait_line(seq) returns at once, seq differs
        """
        if self.line_seq(kind, index, node) == seen:
            waiters = self._line_waiters.setdefault((kind, index, node), [])
            await Suspend(waiters.append, f"{kind.name} {index} to change", patient)
        await Pause(timing.SW_SNOOP, "coherence miss")

    async def _request(self, request: Request, reason: str) -> tuple[int, ...]:
        self._requests.append(request)
        self._answers[request.serial] = (self.task(), reason)  # nothing answers before the task is suspended
        done: MmioDone = await Suspend(_nothing, reason)
        if done.error:
            raise BusError(f"{reason}: the device answered SLVERR at cycle {done.cycle}")
        return done.data

    # ---- the host's side -------------------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """True when every essential task has finished."""
        return self._essential == 0

    def run_ready(self) -> None:
        """Run every task that is ready at `now`, to its next wait, until none is."""
        ready, now = self._ready, self.now
        while ready and ready[0][0] <= now:
            self.step()

    def step(self) -> bool:
        """Run one task that is ready at `now` to its next wait. False if none is."""
        ready = self._ready
        if not ready or ready[0][0] > self.now:
            return False
        cycle, priority, _serial, task = heapq.heappop(ready)
        if ready and ready[0][0] == cycle and ready[0][1] == priority:
            task = self._break_tie(cycle, priority, task)
        self._run(task)
        return True

    def next_deadline(self) -> int | None:
        """Cycle at which the next task becomes ready, None if none will without an event."""
        return self._ready[0][0] if self._ready else None

    def advance_to(self, cycle: int) -> None:
        """The device clock is now at `cycle`."""
        if cycle < self.now:
            raise ValueError(f"time runs backwards: {cycle} after {self.now}")
        self.now = cycle

    def deliver(self, event: Event) -> None:
        """An event of the present cycle."""
        if isinstance(event, MmioDone):
            task, _reason = self._answers.pop(event.serial)
            self.resume(task, event)
        elif isinstance(event, Irq):
            self._irq_level[event.line] = event.level
            if event.level:
                for task in self._irq_waiters.pop(event.line, ()):
                    self.resume(task)
        elif isinstance(event, Snoop):
            key = (event.kind, event.index, event.node)
            self._line_seq[key] = self._line_seq.get(key, 0) + 1
            for task in self._line_waiters.pop(key, ()):
                self.resume(task)

    def take_requests(self) -> list[Request]:
        """Requests made since the last call, in order."""
        requests, self._requests = self._requests, []
        return requests

    def overdue(self, bound: int) -> str | None:
        """The wait-for report if an impatient wait, or the idleness of everybody, has lasted longer than `bound` cycles, else None.

        Patient waits alone are no life: when work is left and no task at all has run for that long, nobody will wake them.
        """
        late = [t for t in self._tasks if not t.finished and t.waiting_for and not t.patient and self.now - t.waiting_since > bound]
        asleep = self._essential > 0 and self.now - self._last_run > bound
        return self.wait_for_report() if late or asleep else None

    def wait_for_report(self) -> str:
        """Who waits for whom: one line a task, then one a held lock with its waiters."""
        lines = [f"cycle {self.now}: who waits for whom"]
        locks = {}
        for task in self._tasks:
            if not task.finished:
                lines.append("  " + task.describe())
                for lock in task.held:
                    locks[id(lock)] = lock
        lines += ["  " + lock.describe() for lock in locks.values()]
        lines.append(f"  requests in flight: {', '.join(reason for _task, reason in self._answers.values()) or 'none'}")
        return "\n".join(lines)

    def close(self) -> None:
        """Abandon every task where it stands. After a run, whole or broken: left to the garbage collector, tasks would release
        their locks with no processor to do it on. Read digests and reports before: what unwinds may still write to them."""
        with warnings.catch_warnings():
            # What a task was about to start is abandoned with it: that is not a forgotten await.
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            for task in list(self._tasks):
                self.current = task
                for _ in range(ABANDON_LIMIT):  # every await met on the way out is abandoned too
                    try:
                        task.coroutine.throw(TaskAbandoned(task.name))
                    except BaseException:  # the task is over, its complaints with it
                        break
                task.coroutine.close()
        self.current = None
        self._tasks.clear()
        self._ready.clear()

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _take_serial(self) -> int:
        self._serial += 1
        return self._serial

    def _push(self, task: Task, cycle: int) -> None:
        self._serial += 1
        heapq.heappush(self._ready, (cycle, task.priority, self._serial, task))

    def _break_tie(self, cycle: int, priority: int, first: Task) -> Task:
        tied: list[tuple[int, int, int, Task]] = []
        while self._ready and self._ready[0][0] == cycle and self._ready[0][1] == priority:
            tied.append(heapq.heappop(self._ready))
        pick = self._chooser.choose("tie", len(tied) + 1)
        if pick == 0:
            chosen = first
        else:
            chosen = tied.pop(pick - 1)[3]
            self._push(first, cycle)
        for entry in tied:
            heapq.heappush(self._ready, entry)
        return chosen

    def _run(self, task: Task) -> None:
        self.steps += 1
        self._last_run = self.now
        self.current = task
        task.waiting_for = ""
        try:
            error, task.resume_error = task.resume_error, None
            suspend = task.coroutine.send(task.resume_value) if error is None else task.coroutine.throw(error)
        except StopIteration as stop:
            self._finish(task, stop.value)
            return
        finally:
            self.current = None
            task.resume_value = None
        task.waiting_for = suspend.reason
        task.waiting_since = self.now
        task.patient = suspend.patient
        if isinstance(suspend, Pause):
            self._push(task, self.now + suspend.cycles)
        else:
            suspend.arm(task)

    def _finish(self, task: Task, result: Any) -> None:
        task.finished = True
        task.result = result
        self.lockdep.exits(task)
        self._tasks.remove(task)
        if not task.daemon:
            self._essential -= 1
        for callback in task.on_finish:
            callback()
