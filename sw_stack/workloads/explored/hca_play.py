"""Plays over one HCA whose link leads back to it: a driver, processes, regions, and queue pairs connected to themselves.

A `Wire` is such a queue pair. It is waited for as a program does that polls: by spinning on the completion queue's line, without an
interrupt, so an operation costs few events.

Promises and needs: as play.py. A round restores what `begin` left; queue pairs and regions live through all rounds, unless their
making or going is what a play is about. Costs: a remote operation some hundred microseconds of the model's time, a fault as much.
"""

from __future__ import annotations

from typing import ClassVar

from hwif.gen.hca import Access, Advice, FaultPolicy, QpState, WcStatus, WrOpcode
from hwif.port import LineKind
from hwif.trace import Trace
from sw_stack.drivers.hca import Cq, DriverPolicy, HcaDriver, Mr, Pd, Qp, SendWr, Sge
from sw_stack.drivers.hca.policy import Mutant, Race
from sw_stack.drivers.hca.prefetch import FLAG_FLUSH
from sw_stack.mm.mm import Mm
from sw_stack.sched import Scheduler
from sw_stack.workloads.explored.play import BASE, PAGE, RW, Play

__all__ = ["BASE", "ODP", "PAGE", "HcaPlay", "Wire"]

ALL = Access.LOCAL_WRITE | Access.REMOTE_WRITE | Access.REMOTE_READ | Access.REMOTE_ATOMIC
ODP = ALL | Access.ON_DEMAND
ENTRIES = 8
COMPLETIONS = 2
"""So few that each poll rings the doorbell: else every fourth round would do one thing more than the others."""
FIRST_PSN = 0x100


class HcaPlay(Play):
    """An HCA below, and its driver."""

    DEVICE: ClassVar[str | None] = "hca"
    FRAMES: ClassVar[int] = 64

    def __init__(self, sched: Scheduler, trace: Trace, planted: str | None = None) -> None:
        super().__init__(sched, trace, planted)
        self.driver = HcaDriver(sched, trace, self.machine, self.nodes[0][1], policy=self.policy())
        self.driver.start()
        self._pds: dict[Mm, Pd] = {}

    def policy(self) -> DriverPolicy:
        """How the driver is set up: small tables and queues, and no time-out of the wire, which loses nothing. A planted defect may
        be a mistake of its own."""
        return DriverPolicy(commands=8, faults=8, keys=16, work_items=4, ack_timeout=0, mutant=self.switched(Mutant, Race))

    async def prepare(self) -> None:
        """The adapter first, then what the play needs."""
        await self.driver.probe()
        await self.begin()

    async def begin(self) -> None:
        """What is there before the first round."""

    async def pd(self, mm: Mm) -> Pd:
        """A process's protection domain."""
        if mm not in self._pds:
            self._pds[mm] = await self.driver.alloc_pd(mm)
        return self._pds[mm]

    async def region(self, mm: Mm, pages: int = 1, base: int = BASE) -> Mr:
        """A region on demand; its pages are mapped if they were not."""
        if not mm.vmas.covered(base, base + pages * PAGE):
            await mm.mmap(base, pages * PAGE, RW, fixed=True)
        return await self.driver.reg_mr(await self.pd(mm), base, pages * PAGE, ODP)

    async def everything(self, mm: Mm) -> Mr:
        """A region of the whole address space."""
        return await self.driver.reg_mr(await self.pd(mm), 0, 0, ODP, implicit=True)

    async def close(self, mm: Mm) -> None:
        """What a process that has exited leaves on the adapter."""
        await self.driver.close(mm)
        self._pds.pop(mm, None)

    async def look(self, mr: Mr, pages: int = 1, base: int = BASE) -> None:
        """Enter pages that are there, for reading."""
        await self.driver.advise_mr(mr.pd, Advice.PREFETCH, FLAG_FLUSH, [Sge(base, pages * PAGE, mr.lkey)])

    async def prefetch(self, mr: Mr, pages: int = 1, base: int = BASE) -> None:
        """Bring pages in and enter them, writable, in the device's table."""
        await self.driver.advise_mr(mr.pd, Advice.PREFETCH_WRITE, FLAG_FLUSH, [Sge(base, pages * PAGE, mr.lkey)])

    async def connect(self, mm: Mm, policy: FaultPolicy = FaultPolicy.RESTART) -> Wire:
        """A process's queue pair, connected to itself."""
        cq = await self.driver.create_cq(COMPLETIONS)
        wire = Wire(self, await self.driver.create_qp(await self.pd(mm), cq, cq, ENTRIES, ENTRIES, policy), cq)
        await wire.up()
        return wire


class Wire:
    """What is written to it comes back to the same adapter."""

    def __init__(self, play: HcaPlay, qp: Qp, cq: Cq) -> None:
        self._play = play
        self.qp = qp
        self.cq = cq

    async def up(self) -> None:
        """Connect, anew if it was connected."""
        driver, qp = self._play.driver, self.qp
        await driver.modify_qp(qp, QpState.RESET)
        await driver.modify_qp(qp, QpState.INIT, access=ALL & ~Access.LOCAL_WRITE)
        await driver.modify_qp(qp, QpState.RTR, dest_qpn=qp.qp_num, rq_psn=FIRST_PSN)
        await driver.modify_qp(qp, QpState.RTS, sq_psn=FIRST_PSN)

    async def down(self) -> None:
        """Give it up."""
        await self._play.driver.destroy_qp(self.qp)
        await self._play.driver.destroy_cq(self.cq)

    async def write(self, local: Mr, sources: int | tuple[int, ...], remote: Mr, target: int) -> WcStatus:
        """RDMA WRITE of 8 bytes, or of 8 bytes from each of two places behind each other, waited for."""
        return await self._operate(
            WrOpcode.RDMA_WRITE, local, sources if isinstance(sources, tuple) else (sources,), remote, target
        )

    async def read(self, local: Mr, target: int, remote: Mr, source: int) -> WcStatus:
        """RDMA READ of 8 bytes, waited for."""
        return await self._operate(WrOpcode.RDMA_READ, local, (target,), remote, source)

    async def _operate(self, opcode: WrOpcode, local: Mr, near: tuple[int, ...], remote: Mr, far: int) -> WcStatus:
        driver, sched, cq = self._play.driver, self._play.sched, self.cq
        pieces = tuple(Sge(place, 8, local.lkey) for place in near)
        await driver.post_send(self.qp, SendWr(opcode, pieces, 0, far, remote.rkey))
        while True:
            seen = sched.line_seq(LineKind.CQ, cq.number)
            found = await driver.poll_cq(cq)
            if found:
                return found[0].status
            await sched.wait_line(LineKind.CQ, cq.number, seen)
