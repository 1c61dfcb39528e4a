"""A node with a VM, the GRU driver and the model of the GRU, or another device: what the driver's tests share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from hwif.gen.events import TraceEvent
from hwif.loop import drive
from hwif.memory import HostMemory
from hwif.port import Device
from hwif.shadow import Shadow
from hwif.trace import EVENT_MASK, Trace
from pymodels.gru import GruModel
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.drivers.gru.user import GruUser
from sw_stack.mm import PROT_READ, PROT_WRITE, Machine, Mm
from sw_stack.sched import Scheduler, SeededChooser

DeviceFactory = Callable[[HostMemory, Shadow], Device]
PAGE = 4096
RW = PROT_READ | PROT_WRITE
BASE = 0x1000_0000_0000
LIVENESS = 3_000_000


class NoChoice:
    """Always the first task, never a delay."""

    def choose(self, kind: str, n: int) -> int:
        return 0

    def close(self) -> None:
        pass


class SlowTask:
    """Delays the tasks whose names begin so, and nobody else, at every preemption point by the longest step."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.sched: Scheduler | None = None

    def choose(self, kind: str, n: int) -> int:
        task = self.sched.current if self.sched is not None else None
        return n - 1 if kind == "preempt" and task is not None and task.name.startswith(self.prefix) else 0

    def close(self) -> None:
        pass


class Rig:
    """`seed` None: no reordering, no delays. Software events and device events collect in `events` and `device_events`."""

    def __init__(
        self,
        policy: DriverPolicy | None = None,
        *,
        frames: int = 1024,
        seed: int | None = None,
        slow_task: str | None = None,
        cores: int = 2,
        device: DeviceFactory | None = None,
    ) -> None:
        slow = SlowTask(slow_task) if slow_task is not None else None
        self.sched = Scheduler(slow or (NoChoice() if seed is None else SeededChooser(seed, preempt_odds=4)))
        if slow is not None:
            slow.sched = self.sched
        self.memory = HostMemory(frames)
        self.shadow = Shadow(frames, 4 * frames)
        self.trace = Trace()
        self.trace.current_cpu = self.sched.current_cpu
        self.software: list[tuple[int, ...]] = []
        self.trace.subscribe(lambda block: self.software.extend(tuple(int(word) for word in row) for row in block))
        self.device: Device = (device or GruModel)(self.memory, self.shadow)
        self.machine = Machine(self.sched, self.memory, self.shadow, self.trace)
        self.driver = GruDriver(self.sched, self.trace, self.shadow, policy=policy, cores=cores)
        self.driver.start()
        self.stopped_early = False
        self.digest = ""

    def run(self, *bodies: Coroutine[Any, Any, Any], stop_at_violation: bool = True) -> list[Any]:
        """Run these together, each on its own processor; their results. Once a rig."""
        tasks = [self.sched.spawn(body, f"task {n}", n) for n, body in enumerate(bodies)]

        def quiet() -> bool:
            self.stopped_early = stop_at_violation and bool(self.device.violations())
            return self.stopped_early

        loop = drive(self.sched, self.device.submit, lambda: self.device.cycle, LIVENESS, quiet)
        try:
            until = next(loop, None)
            while until is not None:
                try:
                    until = loop.send(self.device.advance(until))
                except StopIteration:
                    break
            self.trace.feed_device(self.device.drain_trace())
            self.digest = self.trace.digest()
            return [task.result for task in tasks]
        finally:
            self.sched.close()

    def seen(self, *kinds: TraceEvent) -> list[tuple[int, ...]]:
        """Software events of these kinds: (cycle, kind, arguments...)."""
        return [(row[0], row[1] & EVENT_MASK, *row[2:]) for row in self.software if row[1] & EVENT_MASK in kinds]

    @property
    def stats(self) -> dict[str, int]:
        return self.driver.statistics()


async def open_user(rig: Rig, mm: Mm, *, cbrs: int = 4, dsr_bytes: int = 4096, **options: Any) -> GruUser:
    return GruUser(rig.driver, await rig.driver.open(mm, cbrs=cbrs, dsr_bytes=dsr_bytes, **options))
