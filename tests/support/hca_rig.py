"""Two systems (or one) with a VM, the HCA driver and the model of the HCA: what the driver's tests share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from support.gru_rig import NoChoice, SlowTask

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from hwif.loop import drive
from hwif.memory import HostMemory
from hwif.port import NodesDevice
from hwif.shadow import Shadow
from hwif.trace import EVENT_MASK, Trace
from pymodels.hca import HcaModel
from sw_stack.drivers.hca import Cq, DriverPolicy, HcaDriver, Mr, Pd, Qp, RecvWr, SendWr, Sge, WorkCompletion
from sw_stack.mm import PROT_READ, PROT_WRITE, Machine, Mm
from sw_stack.sched import Scheduler, SeededChooser, Task

Nodes = Sequence[tuple[HostMemory, Shadow]]
DeviceFactory = Callable[[Nodes], NodesDevice]
PAGE = 4096
RW = PROT_READ | PROT_WRITE
BASE = 0x1000_0000_0000
LIVENESS = 3_000_000
LOCAL = h.Access.LOCAL_WRITE
REMOTE = h.Access.LOCAL_WRITE | h.Access.REMOTE_WRITE | h.Access.REMOTE_READ | h.Access.REMOTE_ATOMIC
ODP = h.Access.ON_DEMAND
QP_ACCESS = h.Access.REMOTE_WRITE | h.Access.REMOTE_READ | h.Access.REMOTE_ATOMIC


@dataclass(eq=False)
class System:
    """One node."""

    memory: HostMemory
    shadow: Shadow
    machine: Machine
    driver: HcaDriver


class Rig:
    """`seed` None: no reordering, no delays. `policies`: of system A, and of B (as A's if there is one only)."""

    def __init__(
        self,
        *policies: DriverPolicy,
        nodes: int = 2,
        frames: int = 1024,
        seed: int | None = None,
        slow_task: str | None = None,
        device: DeviceFactory | None = None,
        preempt_odds: int = 4,
        liveness: int = LIVENESS,
    ) -> None:
        slow = SlowTask(slow_task) if slow_task is not None else None
        self.sched = Scheduler(slow or (NoChoice() if seed is None else SeededChooser(seed, preempt_odds)))
        if slow is not None:
            slow.sched = self.sched
        self.trace = Trace()
        self.trace.current_cpu = self.sched.current_cpu
        self.software: list[tuple[int, ...]] = []
        self.device_events: list[tuple[int, ...]] = []
        self.trace.subscribe(self._collect)
        places = [(HostMemory(frames), Shadow(frames, 4 * frames)) for _ in range(nodes)]
        self.device: NodesDevice = (device or HcaModel)(places)
        self.systems = []
        for node, (memory, shadow) in enumerate(places):
            machine = Machine(self.sched, memory, shadow, self.trace, node=node)
            policy = policies[min(node, len(policies) - 1)] if policies else DriverPolicy()
            driver = HcaDriver(self.sched, self.trace, machine, shadow, node=node, policy=policy)
            driver.start()
            self.systems.append(System(memory, shadow, machine, driver))
        self.liveness = liveness
        self.stopped_early = False

    @property
    def a(self) -> System:
        return self.systems[0]

    @property
    def b(self) -> System:
        return self.systems[-1]

    def _collect(self, block: Any) -> None:
        for row in block:
            words = tuple(int(word) for word in row)
            (self.software if words[1] >> 32 & 0xFFFF else self.device_events).append(words)

    def run(self, *bodies: Coroutine[Any, Any, Any], stop_at_violation: bool = True) -> list[Any]:
        """Probe the adapters, then run these together, each on its own processor; their results. Once a rig."""

        tasks: list[Task] = []

        async def probe() -> None:
            for system in self.systems:
                await system.driver.probe()
            tasks.extend(self.sched.spawn(body, f"task {n}", n) for n, body in enumerate(bodies))

        self.sched.spawn(probe(), "probe", 0)

        def quiet() -> bool:
            self.stopped_early = stop_at_violation and bool(self.device.violations())
            return self.stopped_early

        loop = drive(self.sched, self.device.submit, lambda: self.device.cycle, self.liveness, quiet)
        try:
            until = next(loop, None)
            while until is not None:
                try:
                    until = loop.send(self.device.advance(until))
                except StopIteration:
                    break
            self.trace.flush()
            self.trace.feed_device(self.device.drain_trace())
            return [task.result for task in tasks]
        finally:
            self.sched.close()
            for body in bodies:
                body.close()

    def seen(self, *kinds: TraceEvent) -> list[tuple[int, ...]]:
        """Software events of these kinds: (cycle, kind, arguments...)."""
        return [(row[0], row[1] & EVENT_MASK, *row[2:]) for row in self.software if row[1] & EVENT_MASK in kinds]

    def device_seen(self, *kinds: TraceEvent) -> list[tuple[int, ...]]:
        """Device events of these kinds, of both nodes."""
        return [(row[0], row[1] & EVENT_MASK, *row[2:]) for row in self.device_events if row[1] & EVENT_MASK in kinds]


@dataclass(eq=False)
class End:
    """One process with a domain, a completion queue and a queue pair."""

    driver: HcaDriver
    mm: Mm
    pd: Pd
    cq: Cq
    qp: Qp

    async def region(self, start: int, pages: int, access: int, **options: Any) -> Mr:
        return await self.driver.reg_mr(self.pd, start, pages * PAGE, access, **options)

    async def completion(self, spins: int = 100_000) -> WorkCompletion:
        """The next completion, polled for."""
        for _ in range(spins):
            found = await self.driver.poll_cq(self.cq)
            if found:
                return found[0]
            await self.driver.sched.charge(50)
        raise AssertionError("no completion")

    async def do(self, wr: SendWr) -> WorkCompletion:
        """One work request to its completion."""
        await self.driver.post_send(self.qp, wr)
        return await self.completion()

    async def close(self) -> None:
        await self.driver.close(self.mm)
        await self.driver.destroy_cq(self.cq)


async def open_end(system: System, name: str, *, policy: h.FaultPolicy = h.FaultPolicy.RESTART, entries: int = 16) -> End:
    """A process of a system with one queue pair in RESET."""
    mm = system.machine.new_mm(name)
    pd = await system.driver.alloc_pd(mm)
    cq = await system.driver.create_cq(4 * entries)
    return End(system.driver, mm, pd, cq, await system.driver.create_qp(pd, cq, cq, entries, entries, policy))


async def connect(left: End, right: End, **attrs: Any) -> None:
    """Both ends to RTS. PSNs differ, so that one taken for the other shows."""
    attrs = {"access": QP_ACCESS, **attrs}
    for me, other, mine, theirs in ((left, right, 0x100, 0xFFFFF0), (right, left, 0xFFFFF0, 0x100)):
        await me.driver.modify_qp(me.qp, h.QpState.INIT)
        await me.driver.modify_qp(me.qp, h.QpState.RTR, dest_qpn=other.qp.number, rq_psn=theirs, **attrs)
        await me.driver.modify_qp(me.qp, h.QpState.RTS, sq_psn=mine)


async def pair(rig: Rig, *, policy: h.FaultPolicy = h.FaultPolicy.RESTART, **attrs: Any) -> tuple[End, End]:
    """A connected process on each system."""
    left, right = await open_end(rig.a, "A", policy=policy), await open_end(rig.b, "B", policy=policy)
    await connect(left, right, **attrs)
    return left, right


async def fan_out(left: End, right: End, count: int, policy: h.FaultPolicy = h.FaultPolicy.RESTART) -> list[End]:
    """`count` more connections between two processes, by their left ends."""
    ends = []
    for _ in range(count):
        near = await left.driver.create_qp(left.pd, left.cq, left.cq, 4, 4)
        far = await right.driver.create_qp(right.pd, right.cq, right.cq, 4, 4, policy)
        ends.append(End(left.driver, left.mm, left.pd, left.cq, near))
        await connect(ends[-1], End(right.driver, right.mm, right.pd, right.cq, far))
    return ends


def rdma(opcode: h.WrOpcode, local: int, length: int, mr: Mr, remote: int, far: Mr, **options: Any) -> SendWr:
    """A work request with one element."""
    return SendWr(opcode, (Sge(local, length, mr.lkey),), remote_addr=remote, rkey=far.rkey, **options)


def send(local: int, length: int, mr: Mr, **options: Any) -> SendWr:
    return SendWr(h.WrOpcode.SEND, (Sge(local, length, mr.lkey),), **options)


def recv(local: int, length: int, mr: Mr, **options: Any) -> RecvWr:
    return RecvWr((Sge(local, length, mr.lkey),), **options)
