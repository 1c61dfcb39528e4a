"""System B at work on the memory of a program replayed on system A, over the link.

The program is registered whole (an implicit on-demand region), so that no page of it is pinned and every page may go. Each worker
is a task of a process on B with a queue pair of its own, a slice of a buffer on B (on demand too), and a fault policy: the workers
take RESTART, DISCARD and STALL in turn. A queue pair that an operation has driven into ERR, because its page was unmapped under
it, is connected anew, as a verbs program would.

Promises and needs: as device_side.py. An operation ends in SUCCESS, or in an error when the VM changed the mapping under it; any
other error is a finding.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwif.gen import timing
from hwif.gen.gru import PAGE_SHIFT
from hwif.gen.hca import Access, FaultPolicy, QpState, WcStatus, WrOpcode
from sw_stack.drivers.hca import Cq, HcaDriver, Mr, Pd, Qp, RecvWr, SendWr, Sge, WorkCompletion
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import PROT_READ, PROT_WRITE
from sw_stack.workloads.device_side import DeviceSide, Ground
from sw_stack.workloads.golden import Operation
from sw_stack.workloads.remote_ops import MAX_BYTES, RemoteKind, RemoteOp, draw_remote

__all__ = ["RemoteSide"]

PAGE = 1 << PAGE_SHIFT
REMOTE_CPU = 16
CQ_ENTRIES = 16
QUEUE_ENTRIES = 8
POLICIES = (FaultPolicy.RESTART, FaultPolicy.DISCARD, FaultPolicy.STALL)
FAR = Access.LOCAL_WRITE | Access.REMOTE_READ | Access.REMOTE_WRITE | Access.REMOTE_ATOMIC
OPCODES = {
    RemoteKind.READ: WrOpcode.RDMA_READ,
    RemoteKind.WRITE: WrOpcode.RDMA_WRITE,
    RemoteKind.SEND: WrOpcode.SEND,
    RemoteKind.ADD: WrOpcode.ATOMIC_FETCH_AND_ADD,
}


@dataclass
class Connection:
    """A worker's queue pair, `near` on B and `far` on A, with a completion queue on each side."""

    near: Qp
    far: Qp
    near_cq: Cq
    far_cq: Cq
    psn: int = 0


class RemoteSide(DeviceSide[RemoteOp]):
    """`a` drives the program's adapter, `b` the other system's."""

    def __init__(self, ground: Ground, a: HcaDriver, b: HcaDriver, workers: int) -> None:
        super().__init__(ground, workers, "remote user", REMOTE_CPU)
        self._a = a
        self._b = b
        self.reconnected = 0
        """Queue pairs connected anew after an error."""

    # ---- set up ------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Find both adapters, register the program and the buffer, connect a queue pair for each worker."""
        a, b = self._a, self._b
        await a.probe()
        await b.probe()
        self._mm = b.machine.new_mm("remote")
        self._buffer = await self._mm.mmap(None, self._count * self._slice, PROT_READ | PROT_WRITE)
        self._far_pd, self._near_pd = await a.alloc_pd(self.ground.mm), await b.alloc_pd(self._mm)
        self._far_mr = await a.reg_mr(self._far_pd, 0, 0, FAR | Access.ON_DEMAND, implicit=True)
        length = self._count * self._slice
        self._near_mr = await b.reg_mr(self._near_pd, self._buffer, length, Access.LOCAL_WRITE | Access.ON_DEMAND)
        self._connections = [await self._connection(POLICIES[index % len(POLICIES)]) for index in range(self._count)]

    @property
    def _slice(self) -> int:
        return MAX_BYTES

    async def _connection(self, policy: FaultPolicy) -> Connection:
        near_cq, far_cq = await self._b.create_cq(CQ_ENTRIES), await self._a.create_cq(CQ_ENTRIES)
        near = await self._qp(self._b, self._near_pd, near_cq, policy)
        far = await self._qp(self._a, self._far_pd, far_cq, policy)
        connection = Connection(near, far, near_cq, far_cq)
        await self._connect(connection)
        return connection

    @staticmethod
    async def _qp(driver: HcaDriver, pd: Pd, cq: Cq, policy: FaultPolicy) -> Qp:
        return await driver.create_qp(pd, cq, cq, QUEUE_ENTRIES, QUEUE_ENTRIES, policy)

    async def _connect(self, connection: Connection) -> None:
        """RESET to RTS on both sides, with sequence numbers that no packet of an earlier life carries."""
        connection.psn = (connection.psn + 0x1000) & 0xFFFFFF
        psn, rights = connection.psn, FAR & ~Access.LOCAL_WRITE
        ends = ((self._b, connection.near, connection.far), (self._a, connection.far, connection.near))
        for driver, qp, _other in ends:
            await driver.modify_qp(qp, QpState.RESET)
        for driver, qp, other in ends:
            await driver.modify_qp(qp, QpState.INIT, access=rights)
            await driver.modify_qp(qp, QpState.RTR, dest_qpn=other.qp_num, rq_psn=psn)
        for driver, qp, _other in ends:
            await driver.modify_qp(qp, QpState.RTS, sq_psn=psn)

    async def close(self) -> None:
        """Give up queue pairs, regions and the process on B, while the program still lives."""
        cqs = [(driver, cq) for c in self._connections for driver, cq in ((self._b, c.near_cq), (self._a, c.far_cq))]
        await self._b.close(self._mm)
        await self._a.close(self.ground.mm)
        for driver, cq in cqs:
            await driver.destroy_cq(cq)
        await self._mm.exit()

    @property
    def remote_mm(self) -> Mm:
        """The process on B."""
        return self._mm

    # ---- operations --------------------------------------------------------------------------------------------------

    def draw(self) -> RemoteOp | None:
        """An operation over recent pages."""
        return draw_remote(self.ground.rng, self)

    async def perform(self, index: int, operation: RemoteOp) -> None:
        """Play one on worker `index`'s queue pair."""
        golden, connection = self.ground.golden, self._connections[index]
        local = self._buffer + index * self._slice
        if operation.data:
            await self._mm.store(local, operation.data)
        flight = golden.begin(operation.reads, operation.writes)
        # The mapping may have changed since the operation was drawn; then an error is a legal end.
        if not self.still_allowed(operation.reads, operation.writes):
            flight.unmapped = flight.racy = True
        before = golden.read(operation.address, operation.count)
        failed = self._failed_allocations()
        done, received = await self._run(connection, operation, local)
        if self._failed_allocations() != failed:  # no memory for a page the device asked for: an error is a legal end too
            flight.unmapped = flight.racy = True
        self.operations += 1
        try:
            await self._settle(operation, flight, done, received, before, local)
        finally:
            golden.end(flight)
        if done.status is not WcStatus.SUCCESS or (received is not None and received.status is not WcStatus.SUCCESS):
            await self._recover(connection)

    def _failed_allocations(self) -> int:
        return self.ground.machine.statistic("alloc_failed") + self._b.machine.statistic("alloc_failed")

    async def _run(self, connection: Connection, operation: RemoteOp, local: int) -> tuple[WorkCompletion, WorkCompletion | None]:
        """The completion on B and, of a SEND, that of the receive on A."""
        send = operation.kind is RemoteKind.SEND
        if send:
            await self._a.post_recv(connection.far, RecvWr((self._sge(operation.address, operation.count, self._far_mr),)))
        request = SendWr(
            OPCODES[operation.kind],
            (self._sge(local, operation.count, self._near_mr),),
            remote_addr=0 if send else operation.address,
            rkey=0 if send else self._far_mr.rkey,
            compare_add=operation.addend,
        )
        await self._b.post_send(connection.near, request)
        done = await self._completion(self._b, connection.near_cq)
        if not send:
            return done, None
        if done.status is not WcStatus.SUCCESS:
            await self._a.modify_qp(connection.far, QpState.ERR)  # or the receive may never complete
        return done, await self._completion(self._a, connection.far_cq)

    @staticmethod
    def _sge(address: int, count: int, mr: Mr) -> Sge:
        return Sge(address, count, mr.lkey)

    @staticmethod
    async def _completion(driver: HcaDriver, cq: Cq) -> WorkCompletion:
        """Arm, look, sleep: a completion between the look and the sleep has fired the event already."""
        while True:
            await driver.req_notify(cq)
            found = await driver.poll_cq(cq)
            if found:
                return found[0]
            await driver.wait_cq_event(cq)

    async def _settle(
        self,
        operation: RemoteOp,
        flight: Operation,
        done: WorkCompletion,
        received: WorkCompletion | None,
        before: bytes,
        local: int,
    ) -> None:
        findings, golden, name = self.ground.findings, self.ground.golden, operation.kind.value
        statuses = [one.status for one in (done, received) if one is not None]
        if any(status is not WcStatus.SUCCESS for status in statuses):
            self.faulted += 1
            if not flight.unmapped:
                ends = " and ".join(status.name for status in statuses)
                findings.fail(name, operation.address, f"ended in {ends}, with the mapping unchanged")
            self.racy += 1
            await self.adopt(operation.writes)
            return
        if received is not None and received.byte_len != operation.count:
            findings.fail(name, operation.address, f"the receive says {received.byte_len} bytes, not {operation.count}")
        if flight.racy:
            self.racy += 1
            await self.adopt(operation.writes)
            return
        self.verified += 1
        if operation.kind in (RemoteKind.READ, RemoteKind.ADD):
            found = await self._mm.load(local, operation.count)
            what = "atomic's old value" if operation.kind is RemoteKind.ADD else "read result"
            findings.compare(what, operation.address, before, found)
        if operation.kind is RemoteKind.READ:
            return
        data = operation.data
        if operation.kind is RemoteKind.ADD:
            total = int.from_bytes(before, "little") + operation.addend
            data = (total & (1 << 64) - 1).to_bytes(8, "little")
        golden.write(operation.address, data, flight)
        self.check_written(name, operation.address, data)

    async def _recover(self, connection: Connection) -> None:
        """Empty both completion queues of what the error left, and connect anew."""
        self.reconnected += 1
        await self._a.modify_qp(connection.far, QpState.ERR)
        await self._b.modify_qp(connection.near, QpState.ERR)
        for driver, cq in ((self._b, connection.near_cq), (self._a, connection.far_cq)):
            while await driver.poll_cq(cq, CQ_ENTRIES):
                pass
        await self._connect(connection)
        await self.ground.sched.charge(timing.SW_SYSCALL)
