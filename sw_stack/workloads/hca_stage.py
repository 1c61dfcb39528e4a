"""The HCA's stage: two systems, A (node 0) and B (node 1), processes on them, and queue pairs between the processes.

A scenario opens processes, registers their memory, connects them, and lets a transfer meet a memory operation (stage_base.py has
the rest). `left, right = await stage.connect(a, b, policy=...)` gives a `Port` on each side; a port posts work requests and waits
for their completions.

Promises and needs: as stage_base.py. When the play is over every process has given up its queue pairs and regions, and both
drivers hold no frame but their own tables and queues.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwif.gen.hca import Access, Advice, FaultPolicy, QpState, WcStatus, WrOpcode
from hwif.trace import NODE_CPUS
from sw_stack.drivers.hca import Cq, DriverPolicy, HcaDriver, HcaError, Mr, Pd, Qp, RecvWr, SendWr, Sge, WorkCompletion
from sw_stack.drivers.hca.prefetch import FLAG_FLUSH
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.sched import Scheduler
from sw_stack.workloads.stage_base import BASE, PAGE, RW, StageBase, pattern

__all__ = ["ALL", "BASE", "ODP", "PAGE", "RW", "HcaNeeds", "HcaStage", "Port", "Process", "pattern"]

ALL = Access.LOCAL_WRITE | Access.REMOTE_WRITE | Access.REMOTE_READ | Access.REMOTE_ATOMIC
ODP = ALL | Access.ON_DEMAND
CQ_ENTRIES = 64
QUEUE_ENTRIES = 32
FIRST_PSN = 0x100


@dataclass(frozen=True)
class HcaNeeds:
    """What a scenario needs: `frames` of memory on A and on B, and how the two drivers are set up."""

    frames: tuple[int, int] = (768, 768)
    policies: tuple[DriverPolicy, DriverPolicy] = field(default_factory=lambda: (DriverPolicy(), DriverPolicy()))


@dataclass(eq=False)
class Process:
    """A process on a system, with a protection domain of its own."""

    stage: HcaStage
    node: int
    mm: Mm
    driver: HcaDriver
    pd: Pd

    @property
    def cpu(self) -> int:
        """The processor its tasks run on."""
        return NODE_CPUS * self.node

    async def region(self, start: int = BASE, length: int = PAGE, access: int = ODP) -> Mr:
        """Register memory: on demand unless `access` says otherwise."""
        return await self.driver.reg_mr(self.pd, start, length, access)

    async def prefetch(self, mr: Mr, start: int = BASE, length: int = PAGE) -> None:
        """Bring pages in, writable, and enter them in the device's table: ibv_advise_mr, waited for."""
        await self.driver.advise_mr(self.pd, Advice.PREFETCH_WRITE, FLAG_FLUSH, [Sge(start, length, mr.lkey)])

    async def whole(self, access: int = ODP) -> Mr:
        """Register the whole address space."""
        return await self.driver.reg_mr(self.pd, 0, 0, access, implicit=True)


class Port:
    """One end of a connection: a queue pair with a completion queue of its own. `operations` counts completed requests."""

    def __init__(self, process: Process, qp: Qp, cq: Cq) -> None:
        self.process = process
        self.qp = qp
        self.cq = cq
        self.operations = 0

    @property
    def driver(self) -> HcaDriver:
        return self.process.driver

    # ---- posting -----------------------------------------------------------------------------------------------------

    async def post(
        self,
        opcode: WrOpcode,
        local: Mr,
        address: int,
        count: int,
        remote: Mr | None = None,
        remote_address: int = 0,
        *,
        operands: tuple[int, int] = (0, 0),
        wr_id: int = 0,
        signaled: bool = True,
    ) -> None:
        """A work request of one element."""
        request = SendWr(
            opcode,
            (Sge(address, count, local.lkey),),
            wr_id,
            remote_address,
            0 if remote is None else remote.rkey,
            signaled,
            compare_add=operands[0],
            swap=operands[1],
        )
        await self.driver.post_send(self.qp, request)

    async def post_recv(self, local: Mr, address: int, count: int, wr_id: int = 0) -> None:
        """A receive of one element."""
        await self.driver.post_recv(self.qp, RecvWr((Sge(address, count, local.lkey),), wr_id))

    async def completion(self) -> WorkCompletion:
        """The next completion, of either queue. Arm, look, sleep: one that comes between look and sleep has fired the event."""
        while True:
            await self.driver.req_notify(self.cq)
            found = await self.driver.poll_cq(self.cq)
            if found:
                self.operations += 1
                return found[0]
            await self.driver.wait_cq_event(self.cq)

    async def completions(self, count: int) -> list[WorkCompletion]:
        """The next `count`."""
        return [await self.completion() for _ in range(count)]

    # ---- whole operations --------------------------------------------------------------------------------------------

    async def write(self, local: Mr, address: int, count: int, remote: Mr, remote_address: int) -> WcStatus:
        """RDMA WRITE, waited for."""
        await self.post(WrOpcode.RDMA_WRITE, local, address, count, remote, remote_address)
        return (await self.completion()).status

    async def read(self, local: Mr, address: int, count: int, remote: Mr, remote_address: int) -> WcStatus:
        """RDMA READ, waited for."""
        await self.post(WrOpcode.RDMA_READ, local, address, count, remote, remote_address)
        return (await self.completion()).status

    async def send(self, local: Mr, address: int, count: int) -> WcStatus:
        """SEND, waited for; the other end has posted a receive, or will."""
        await self.post(WrOpcode.SEND, local, address, count)
        return (await self.completion()).status

    async def fetch_add(self, local: Mr, address: int, remote: Mr, remote_address: int, addend: int) -> WcStatus:
        """FETCH_AND_ADD of a double-word, waited for; the old value is at `address`."""
        opcode = WrOpcode.ATOMIC_FETCH_AND_ADD
        await self.post(opcode, local, address, 8, remote, remote_address, operands=(addend, 0))
        return (await self.completion()).status

    async def compare_swap(self, local: Mr, address: int, remote: Mr, remote_address: int, compare: int, swap: int) -> WcStatus:
        """CMP_AND_SWP of a double-word, waited for; the old value is at `address`."""
        opcode = WrOpcode.ATOMIC_CMP_AND_SWP
        await self.post(opcode, local, address, 8, remote, remote_address, operands=(compare, swap))
        return (await self.completion()).status


class HcaStage(StageBase):
    """One run of one scenario."""

    broken_by = (*StageBase.broken_by, HcaError)

    def __init__(
        self,
        play: Callable[[HcaStage], Coroutine[Any, Any, None]],
        sched: Scheduler,
        machines: Sequence[Machine],
        drivers: Sequence[HcaDriver],
        seed: int,
    ) -> None:
        super().__init__(sched, machines, seed)
        self.drivers = drivers
        self._play = play
        self._processes: list[Process] = []
        self._ports: list[Port] = []
        self._kept: dict[Machine, int] = {}
        self._psn = FIRST_PSN

    # ---- who plays ---------------------------------------------------------------------------------------------------

    async def process(self, node: int, pages: int = 0, *, name: str = "", base: int = BASE, tag: int = 1, huge: int = 0) -> Process:
        """A process on system `node`, its pages as `program` makes them."""
        name = name or ("a" if node == 0 else "b") + str(len(self._processes))
        mm = await self.program(pages, name=name, base=base, tag=tag, huge=huge, node=node)
        driver = self.drivers[node]
        process = Process(self, node, mm, driver, await driver.alloc_pd(mm))
        self._processes.append(process)
        return process

    async def connect(
        self, left: Process, right: Process, policy: FaultPolicy = FaultPolicy.RESTART, **attrs: Any
    ) -> tuple[Port, Port]:
        """A reliable connection, up on both sides. `attrs`: further fields of drivers.hca.QpAttrs."""
        ports = (await self._port(left, policy), await self._port(right, policy))
        await self.up(*ports, **attrs)
        return ports

    async def _port(self, process: Process, policy: FaultPolicy) -> Port:
        driver = process.driver
        cq = await driver.create_cq(CQ_ENTRIES)
        qp = await driver.create_qp(process.pd, cq, cq, QUEUE_ENTRIES, QUEUE_ENTRIES, policy)
        port = Port(process, qp, cq)
        self._ports.append(port)
        return port

    async def up(self, left: Port, right: Port, **attrs: Any) -> None:
        """Connect two ports, anew if they were connected: RESET to RTS."""
        self._psn = (self._psn + 0x1000) & 0xFFFFFF
        for port in (left, right):
            await port.driver.modify_qp(port.qp, QpState.RESET)
        for port, other in ((left, right), (right, left)):
            await port.driver.modify_qp(port.qp, QpState.INIT, access=ALL & ~Access.LOCAL_WRITE)
            await port.driver.modify_qp(port.qp, QpState.RTR, dest_qpn=other.qp.qp_num, rq_psn=self._psn)
        for port in (left, right):
            await port.driver.modify_qp(port.qp, QpState.RTS, sq_psn=self._psn, **attrs)

    async def close(self, process: Process) -> None:
        """A process gives up its queue pairs and regions (it may live on, or exit later)."""
        if process in self._processes:
            self._processes.remove(process)
            await process.driver.close(process.mm)

    # ---- the whole ---------------------------------------------------------------------------------------------------

    async def _run_play(self) -> None:
        for driver, machine in zip(self.drivers, self.machines, strict=True):
            await driver.probe()
            self._kept[machine] = machine.frames.count - machine.frames.free
        await self._play(self)

    async def _close_users(self) -> None:
        for process in list(self._processes):
            await self.close(process)
        for port in self._ports:
            if not port.cq.dead:
                await port.driver.destroy_cq(port.cq)

    def _kept_frames(self, machine: Machine) -> int:
        return self._kept[machine]

    def _driver_counts(self) -> Mapping[str, int]:
        counts: dict[str, int] = {}
        for driver in self.drivers:
            for name, value in driver.statistics().items():
                counts[name] = counts.get(name, 0) + value
        return counts

    def _operations(self) -> int:
        return sum(port.operations for port in self._ports)
