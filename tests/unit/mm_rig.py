"""A machine without a device: what the tests of the VM and the scheduler share."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from hwif.gen.events import TraceEvent
from hwif.memory import HostMemory
from hwif.shadow import Shadow
from hwif.trace import EVENT_MASK, Trace
from sw_stack.mm import Machine, Mm
from sw_stack.mm.historical import Historical
from sw_stack.notifier import MmuNotifier
from sw_stack.sched import Scheduler, SeededChooser
from sw_stack.sched.choices import Chooser

PAGE = 4096
AHEAD = 1 << 20


class NoChoice:
    """Always the first task, never a delay."""

    def choose(self, kind: str, n: int) -> int:
        return 0

    def close(self) -> None:
        pass


def drive(sched: Scheduler, limit: int = 1_000_000_000, *, ahead: int = 0) -> None:
    """Run to the end as a host does, with no device. `ahead`: cycles a task may run on by itself (sched/alone.py)."""
    try:
        while True:
            sched.free_until = sched.now + ahead
            while sched.step():
                pass
            if sched.finished:
                return
            deadline = sched.next_deadline()
            assert deadline is not None, sched.wait_for_report()
            assert deadline < limit, sched.wait_for_report()
            sched.advance_to(max(deadline, sched.now))
    except BaseException:
        sched.close()
        raise


class Rig:
    """Memory, oracle, trace, scheduler and VM of one node."""

    def __init__(
        self,
        frames: int = 64,
        *,
        seed: int | None = None,
        chooser: Chooser | None = None,
        swap: int | None = None,
        historical: Historical | None = None,
        oom_killer: bool = False,
    ) -> None:
        if chooser is None:
            chooser = NoChoice() if seed is None else SeededChooser(seed)
        self.sched = Scheduler(chooser)
        self.memory = HostMemory(frames)
        self.shadow = Shadow(frames, 4 * frames + 64)
        self.trace = Trace()
        self.events: list[tuple[int, ...]] = []
        self.trace.subscribe(lambda block: self.events.extend((int(row[1]) & EVENT_MASK, *map(int, row[2:])) for row in block))
        self.machine = Machine(
            self.sched, self.memory, self.shadow, self.trace, swap_slots=swap, historical=historical, oom_killer=oom_killer
        )

    def run(self, *bodies: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run these together; their results."""
        tasks = [self.sched.spawn(body, f"task {n}", n) for n, body in enumerate(bodies)]
        drive(self.sched, ahead=AHEAD)
        self.trace.flush()
        return [task.result for task in tasks]

    def seen(self, *kinds: TraceEvent) -> list[tuple[int, ...]]:
        """Events of these kinds so far: (kind, arguments...)."""
        self.trace.flush()
        return [event for event in self.events if event[0] in kinds]


class Log(MmuNotifier):
    """A client that writes down what it is called with, and takes its time."""

    def __init__(self, sched: Scheduler, *, young: bool = False, cycles: int = 0) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.young = young
        self._sched = sched
        self._cycles = cycles

    async def _note(self, *call: Any) -> None:
        self.calls.append(call)
        if self._cycles:
            await self._sched.charge(self._cycles)

    async def release(self, mm: Mm) -> None:
        await self._note("release")

    async def age_page(self, mm: Mm, address: int) -> bool:
        await self._note("age", address)
        return self.young

    async def invalidate_page(self, mm: Mm, address: int) -> None:
        await self._note("page", address)

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        await self._note("begin", start, end, atomic)

    async def invalidate_range_end(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        await self._note("end", start, end, atomic)

    def take(self) -> list[tuple[Any, ...]]:
        """The calls since the last time."""
        calls, self.calls = self.calls, []
        return calls


async def register(mm: Mm, client: MmuNotifier) -> None:
    async with mm.mmap_lock.writing():
        mm.notifiers.register(client)


async def unregister(mm: Mm, client: MmuNotifier) -> None:
    async with mm.mmap_lock.writing():
        await mm.notifiers.unregister(client)
