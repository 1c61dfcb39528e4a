"""The stage of a scenario: address spaces, tasks, two things that happen at once, and the checks, whatever the device.

A scenario is a coroutine `play(stage)`. It opens programs and users, lets a device operation and a memory operation meet at every
relative time, and compares what came of it with what a coherent memory gives. Nothing here knows a device or a host; stage.py adds
the GRU's users, hca_stage.py two systems with their adapters.

Promises
  A failed check is recorded in `failures` and reported to `on_failure`; the play goes on. An error of the software under test ends
  the play and is such a failure too.
  When the play is over every user is closed, every address space has exited, no frame is lost, and mm.check.audit has agreed.
  A race that was announced with `expect` and not met is a failure: a scenario cannot pass by missing its subject.
Needs: machines and drivers to itself; the trace's last records delivered before `failures` is read for the last time.
Costs: what the play does; one Census of the trace.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, ClassVar

from hwif.gen.events import TraceEvent
from hwif.gen.gru import PAGE_SHIFT
from sw_stack.mm.access import physical
from sw_stack.mm.check import audit
from sw_stack.mm.frames import FrameError
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import PROT_READ, PROT_WRITE, MmError
from sw_stack.sched import Scheduler, Task
from sw_stack.workloads.census import Census
from sw_stack.workloads.findings import DataFailure

__all__ = ["BASE", "DEVICE_CPU", "PAGE", "PROGRAM_CPU", "RW", "StageBase", "pattern"]

PAGE = 1 << PAGE_SHIFT
RW = PROT_READ | PROT_WRITE
BASE = 0x1000_0000_0000
PROGRAM_CPU = 0
DEVICE_CPU = 1
ORDERS = ("before", "during", "after")


class PlayBrokenError(Exception):
    """A task of the play has failed; the failure is recorded already."""


@lru_cache(maxsize=1024)
def pattern(tag: int, n: int = PAGE) -> bytes:
    """`n` bytes that name their place: both halves of double-word i are `tag` (1..65535) and i + 1, in 16 bits each. So no two tags
    share a double-word, none has a zero one, and one torn between two writers is neither's."""
    return b"".join(2 * (tag << 16 | index + 1).to_bytes(4, "little") for index in range(n // 8))


class StageBase(ABC):
    """One run of one scenario. `start()` sets it going; the run is over when the scheduler has finished."""

    broken_by: ClassVar[tuple[type[Exception], ...]] = (MmError, FrameError)
    """Errors of the software under test that end a play."""

    def __init__(self, sched: Scheduler, machines: Sequence[Machine], seed: int) -> None:
        self.sched = sched
        self.machines = machines
        self.rng = random.Random(seed ^ 0x57A6E)
        self.on_failure: Callable[[], None] | None = None
        """Called once for each failed check, as it fails."""
        self._census = Census()
        machines[0].trace.subscribe(self._census)
        self._seen: Counter[str] = Counter()
        self._expected: list[tuple[str, TraceEvent | None, int]] = []
        self._failures: list[DataFailure] = []
        self._mms: list[Mm] = []
        self._tasks: list[Task] = []
        self._broken = False
        self._done = False
        self._rounds = 0
        self._announced = 0
        self._bytes = 0

    # ---- what a device adds ------------------------------------------------------------------------------------------

    @abstractmethod
    async def _run_play(self) -> None:
        """Play."""

    @abstractmethod
    async def _close_users(self) -> None:
        """Give up everything open on the device, while the address spaces still live."""

    @abstractmethod
    def _driver_counts(self) -> Mapping[str, int]:
        """The driver's counters."""

    @abstractmethod
    def _operations(self) -> int:
        """Device operations so far."""

    # ---- the workload's face -----------------------------------------------------------------------------------------

    def start(self) -> Task:
        """Spawn the play on processor 0."""
        return self.sched.spawn(self._whole(), "scenario", PROGRAM_CPU)

    @property
    def failures(self) -> list[DataFailure]:
        """Failed checks so far; once the play is over, the races it has not met as well."""
        return [*self._failures, *(self._unmet() if self._done and not self._failures else [])]

    def counters(self) -> dict[str, int]:
        """`rounds`, `operations`, `data_bytes_compared`, and `met_*`: how often each race that was announced was met."""
        met = {f"met_{name}": self._count(name, event) for name, event, _ in self._expected}
        return {"rounds": self._rounds, "operations": self._operations(), "data_bytes_compared": self._bytes, **met}

    def position(self) -> tuple[int, int | None]:
        """Rounds played, and rounds announced so far."""
        return self._rounds, self._announced or None

    def notifier_statistics(self) -> dict[str, int]:
        """Callbacks of all address spaces of the play."""
        total: Counter[str] = Counter()
        for mm in self._mms:
            total.update(mm.notifiers.statistics())
        return dict(total)

    # ---- who plays ---------------------------------------------------------------------------------------------------

    async def program(
        self, pages: int = 0, *, name: str = "program", base: int = BASE, tag: int = 1, huge: int = 0, node: int = 0
    ) -> Mm:
        """An address space of a node with `pages` pages mapped at `base`, page n full of pattern(tag + n)."""
        mm = self.adopt(self.machines[node].new_mm(name))
        if pages:
            await mm.mmap(base, pages * PAGE, RW, fixed=True, huge=huge)
            for page in range(pages):
                await mm.store(base + page * PAGE, pattern(tag + page))
        return mm

    def adopt(self, mm: Mm) -> Mm:
        """An address space the play made otherwise: its callbacks count, and it is gone when the play is over."""
        self._mms.append(mm)
        return mm

    def spawn(self, cpu: int, body: Coroutine[Any, Any, Any], name: str) -> Task:
        """A task on a processor. An error of the VM or the driver that leaves it is a failure of the scenario."""
        task = self.sched.spawn(self._guarded(body, name), name, cpu)
        self._tasks.append(task)
        return task

    async def join(self, *tasks: Task) -> list[Any]:
        """Wait for tasks; their results."""
        for task in tasks:
            while not task.finished:
                # Patient: a play may take long, whoever it waits for is bounded by itself.
                await self.sched.sleeping(partial(self._resume_after, task), f"{task.name} to finish", patient=True)
        if self._broken:
            raise PlayBrokenError
        return [task.result for task in tasks]

    def _resume_after(self, task: Task, waiter: Task) -> None:
        task.on_finish.append(partial(self.sched.resume, waiter))

    async def _guarded(self, body: Coroutine[Any, Any, Any], name: str) -> Any:
        try:
            return await body
        except PlayBrokenError:
            return None
        except self.broken_by as error:
            self._broken = True
            self.fail(f"{name} ended", 0, str(error))
            return None

    def frame(self, mm: Mm, address: int) -> int | None:
        """The frame behind an address now; None if there is none."""
        place = physical(mm, address)
        return None if place is None else place >> PAGE_SHIFT

    # ---- relative time -----------------------------------------------------------------------------------------------

    def sweep(self, first: int, last: int, rounds: int) -> Iterator[int]:
        """Offsets from `first` to `last`: these two, and between them one from each of equal parts, drawn from the seed."""
        self.announce(rounds)
        parts = rounds - 2
        for index in range(rounds):
            if index in (0, rounds - 1):
                yield first if index == 0 else last
            else:
                yield first + int((last - first) * (index - 1 + self.rng.random()) / parts)
            self.round()

    def announce(self, rounds: int) -> None:
        """So many rounds are to come, for a play that has no sweep."""
        self._announced += rounds

    def round(self) -> None:
        """One of them is over."""
        self._rounds += 1

    async def meet(
        self,
        offset: int,
        device: Coroutine[Any, Any, Any],
        program: Coroutine[Any, Any, Any],
        *,
        device_cpu: int = DEVICE_CPU,
        program_cpu: int = PROGRAM_CPU,
    ) -> list[Any]:
        """Let both happen, `program` beginning `offset` cycles after `device`, or before it if negative; their results.

        Counts how they met: `before` (the device was done before the program began), `during` or `after`.
        """
        tasks = [
            self.spawn(device_cpu, self._timed(max(0, -offset), device), "device user"),
            self.spawn(program_cpu, self._timed(max(0, offset), program), "program"),
        ]
        (first_begin, first_end, first), (second_begin, second_end, second) = await self.join(*tasks)
        if first_end <= second_begin:
            self.saw("before")
        elif second_end <= first_begin:
            self.saw("after")
        else:
            self.saw("during")
        return [first, second]

    async def _timed(self, delay: int, body: Coroutine[Any, Any, Any]) -> tuple[int, int, Any]:
        await self.sched.sleep(delay)
        begin = self.sched.now
        result = await body
        return begin, self.sched.now, result

    # ---- checks ------------------------------------------------------------------------------------------------------

    def fail(self, what: str, address: int, detail: str) -> None:
        """Record a failure."""
        self._failures.append(DataFailure(self.sched.now, what, address, detail))
        if self.on_failure is not None:
            self.on_failure()

    def check(self, condition: bool, what: str, address: int, detail: str = "does not hold") -> bool:
        """Record a failure unless the condition holds."""
        if not condition:
            self.fail(what, address, detail)
        return condition

    def same(self, what: str, address: int, found: bytes | None, *allowed: bytes) -> bool:
        """The bytes found at `address` are, double-word by double-word, those of one of the contents allowed.

        One content: exactly these bytes. Several: a mixture, as a reader sees that raced with a writer. None: nothing was found.
        """
        if found is None:
            return self.check(False, what, address, "an exception instead of data")
        self._bytes += len(found)
        if found in allowed:
            return True
        for start in range(0, len(found), 8):
            word = found[start : start + 8]
            if all(word != content[start : start + 8] for content in allowed):
                expected = " or ".join(content[start : start + 8].hex() for content in allowed)
                return self.check(False, what, address + start, f"expected {expected}, found {word.hex()}")
        return True

    async def holds(self, mm: Mm, address: int, *allowed: bytes, what: str = "page contents") -> bool:
        """The program itself finds one of these contents at `address`."""
        return self.same(what, address, await mm.load(address, len(allowed[0])), *allowed)

    def saw(self, name: str, times: int = 1) -> None:
        """Count that the play met something."""
        self._seen[name] += times

    def times(self, name: str) -> int:
        """How often `saw` has counted it so far."""
        return self._seen[name]

    def expect(self, name: str, event: TraceEvent | None = None, at_least: int = 1) -> None:
        """At the end of the run the play must have met this so often: `event`s of the trace, or, without one, what `saw`, the
        census, the VM's statistics or the driver's count under this name."""
        self._expected.append((name, event, at_least))

    def expect_orders(self, at_least: int = 1) -> None:
        """Every order of `meet`, each so often."""
        for order in ORDERS:
            self.expect(order, at_least=at_least)

    def _count(self, name: str, event: TraceEvent | None) -> int:
        if event is not None:
            return self._census.events[event]
        if name in Census.COUNTS:
            return int(getattr(self._census, name))
        for counts in (self._seen, *(machine.statistics() for machine in self.machines), self._driver_counts()):
            if name in counts:
                return counts[name]
        return 0

    def _unmet(self) -> list[DataFailure]:
        missed = []
        for name, event, at_least in self._expected:
            count = self._count(name, event)
            if count < at_least:
                race = f"race '{name.replace('_', ' ')}' not met"
                detail = f"{count} times, needs {at_least}: this run proves nothing"
                missed.append(DataFailure(self.sched.now, race, 0, detail, rule="NOT_MET"))
        return missed

    # ---- the whole ---------------------------------------------------------------------------------------------------

    async def _whole(self) -> None:
        await self._guarded(self._to_the_end(), "scenario")

    async def _to_the_end(self) -> None:
        await self._run_play()
        for task in self._tasks:
            await self.join(task)
        await self._close_users()
        for mm in self._mms:
            if mm.alive:
                await mm.exit()
        for machine in self.machines:
            await self._settle(machine)
        self._done = True

    async def _settle(self, machine: Machine) -> None:
        """Nothing is left: no page, no kernel frame beyond `_kept_frames`."""
        while machine.reclaimer.busy:
            await self.sched.sleep(1000)  # the daemon has pages in hand
        audit(machine, quiet=True)
        free, count = machine.frames.free, machine.frames.count - self._kept_frames(machine)
        self.check(free == count, "frames after the last exit", 0, f"{count - free} of {count} not free")

    def _kept_frames(self, _machine: Machine) -> int:
        """Frames the driver keeps as long as the machine runs."""
        return 0
