"""Page faults: from the interrupt, through a pool of work items, to the resume.

The interrupt handler takes records while work items are left (mlx5 keeps 64); with none, it leaves the records in the queue and
masks the line until one is given back. The line is a level, so unmasking it is looking again.

A work item enters the pages of the packet, which it must, and those of the rest of the operation, which it may. Lookup and entry
are apart, since a lookup may sleep and a table may be changed only under a spinlock; the interval notifier's numbers tell whether
what was looked up still holds:

    read_begin                    sleeps while the region is being invalidated
    mmap_lock: look up, fault in  may sleep, may reclaim, may meet the notifiers of this very region
    take frames for tables        may reclaim
    umem_lock: read_retry?        an invalidation came between: nothing was entered, begin again
               enter
    RESUME                        the device looks again

Promises: every record is answered by one RESUME, but that of a queue pair that is gone, whose fault went with it. A page is entered
only if no invalidation of the region began since it was looked up. After `fault_retries` spoilt lookups the device is sent to fault
again: it makes no progress, but holds nobody. Needs: nothing. Costs SW_HCA_FAULT_WORK, and SW_GUP or a fault a page.
"""

from __future__ import annotations

import errno
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwif.fields import Line
from hwif.gen import hca as h
from hwif.gen import timing
from hwif.gen.events import TraceEvent
from hwif.memory import FRAME_BYTES
from sw_stack.drivers.hca.commands import Order
from sw_stack.drivers.hca.enter import enter_pages
from sw_stack.drivers.hca.errors import HcaError
from sw_stack.drivers.hca.lines import read_line
from sw_stack.drivers.hca.state import DriverCore
from sw_stack.mm.types import MmError
from sw_stack.sched import SpinLock, WaitQueue
from sw_stack.sched.scheduler import PRIORITY_IRQ

if TYPE_CHECKING:
    from sw_stack.drivers.hca.regions import Mr

__all__ = ["FaultQueue", "FaultRecord"]

MASK = (1 << h.INDEX_WIDTH) - 1
TOKEN_STEP = 1 << h.QPN_WIDTH
FIRST_WORKER_CPU = 2


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One entry of the fault queue."""

    qpn: int
    direction: h.FaultDir
    write: bool
    key: int
    va: int
    length: int
    packet_length: int
    token: int

    @classmethod
    def of(cls, line: Line) -> FaultRecord:
        """What the device wrote."""
        f = h.Fault
        return cls(
            f.qpn.get(line),
            h.FaultDir(f.direction.get(line)),
            bool(f.write.get(line)),
            f.key.get(line),
            f.va.get(line),
            f.length.get(line),
            f.packet_length.get(line),
            f.token.get(line),
        )


class FaultQueue:
    """The fault queue, its interrupt handler, and the workers."""

    def __init__(self, drv: DriverCore) -> None:
        self._drv = drv
        entries = drv.policy.faults
        self._frames = drv.machine.alloc_kernel_frames(-(-entries * h.ENTRY_BYTES // FRAME_BYTES))
        self.base = self._frames[0] * FRAME_BYTES
        self.entries = entries
        self._cons = 0
        self._free = drv.policy.work_items
        self._starved = False
        self._irq_lock = SpinLock(drv.sched, f"hca_irq_lock[{drv.node}]")
        self._work: deque[FaultRecord] = deque()
        self._wait = WaitQueue(drv.sched, f"hca fault work {drv.node}")
        self._workers = 0
        self._idle = 0

    def frames(self) -> tuple[range, ...]:
        """Where it lies."""
        return (self._frames,)

    # ---- interrupt -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Spawn the interrupt handler."""
        drv = self._drv
        drv.sched.spawn(self._interrupts(), f"hca_intr{drv.node}", drv.cpu(0), daemon=True, priority=PRIORITY_IRQ)

    async def _interrupts(self) -> None:
        sched, line = self._drv.sched, self._drv.line(h.IrqLine.FAULT)
        task = sched.task()
        while True:
            await sched.wait_irq(line)
            task.atomic += 1
            try:
                await self._intr()
            finally:
                task.atomic -= 1

    async def _intr(self) -> None:
        """Take what is there, as far as work items go. Context: interrupt."""
        drv, stats = self._drv, self._drv.stats
        stats.intr += 1
        prod = await drv.regs.read(h.FqProdReg.offset)
        waiting = (prod - self._cons) & MASK
        drv.emit(TraceEvent.HCA_INTR, waiting)
        if waiting > self.entries:
            raise HcaError(f"node {drv.node}: fault index {prod} is {waiting} ahead in a queue of {self.entries}")
        taken = min(waiting, self._free)
        for _ in range(taken):
            line = read_line(drv.machine.memory, self.base + h.ENTRY_BYTES * (self._cons % self.entries))
            self._cons = (self._cons + 1) & MASK
            self._work.append(FaultRecord.of(line))
            self._free -= 1
        if taken:
            stats.fault_records += taken
            await drv.regs.write(h.FqConsReg.offset, self._cons)
            self._wake_workers()
        elif not waiting:
            stats.intr_spurious += 1
        if taken < waiting and not self._free:
            stats.fault_pool_empty += 1
            self._starved = True
            await self.sync_mask()
        drv.emit(TraceEvent.HCA_INTR_DONE, taken)

    async def sync_mask(self) -> None:
        """Write IRQ_ENABLE as it should be now: whoever comes last writes the latest."""
        async with self._irq_lock:
            enable = h.IrqEnableReg
            word = enable.completion.place(1) | enable.asynchronous.place(1) | enable.fault.place(int(not self._starved))
            await self._drv.regs.write(enable.offset, word)

    # ---- workers ---------------------------------------------------------------------------------------------------

    def _wake_workers(self) -> None:
        drv = self._drv
        while self._idle < len(self._work) and self._workers < drv.policy.work_items:
            cpu = drv.cpu(FIRST_WORKER_CPU + self._workers)
            drv.sched.spawn(self._worker(), f"hca_pf{drv.node}.{self._workers}", cpu, daemon=True)
            self._workers += 1
            self._idle += 1
        self._wait.wake_all()

    async def _worker(self) -> None:
        while True:
            await self._wait.wait_event(lambda: bool(self._work), patient=True)
            record = self._work.popleft()
            self._idle -= 1
            await page_fault(self._drv, record)
            self._idle += 1
            self._free += 1
            if self._starved and self._drv.policy.mutant != "lost_wakeup":
                self._starved = False
                await self.sync_mask()


# ---- one fault ---------------------------------------------------------------------------------------------------------


async def page_fault(drv: DriverCore, record: FaultRecord) -> None:
    """Answer a fault."""
    await drv.sched.charge(timing.SW_HCA_FAULT_WORK)
    drv.emit(
        TraceEvent.HCA_FAULT,
        record.qpn,
        record.direction,
        record.key,
        record.va,
        record.packet_length or record.length,
        record.token,
    )
    qp = drv.qps.get(record.qpn)
    if qp is None:
        drv.stats.fault_no_qp += 1
        if drv.policy.mutant == "missing_qp_resumed":
            await _resume(drv, record, 0, 0)
        return
    with qp.using():
        if drv.policy.mutant == "resume_before_table":
            await _resume(drv, record, 0, 0)
            await _resolve(drv, record)
            return
        pages, error = await _resolve(drv, record)
        await _resume(drv, record, pages, error)
        qp.idle_faults = 0 if pages or error else qp.idle_faults + 1
        if drv.policy.fault_loop is not None and qp.idle_faults > drv.policy.fault_loop:
            raise HcaError(
                f"node {drv.node}: queue pair {qp.number} faults at {record.va:#x} again and again: {qp.idle_faults} times in a "
                "row nothing was entered, for the driver finds an entry there, and the device may not use it"
            )


async def _resolve(drv: DriverCore, record: FaultRecord) -> tuple[int, int]:
    """Enter the pages of a fault: how many, and the errno if it cannot be done (0: it could, or the device is to try again)."""
    drv.sched.touch(drv.keys)
    mr = drv.keys.find(record.key)
    if mr is None or not mr.live:
        drv.stats.fault_bad_key += 1
        return 0, errno.ENOENT
    with mr.using():
        try:
            needed, wanted = _span(mr, record)
            pages = await enter_pages(drv, mr, record.va, needed, wanted, record.write)
            drv.stats.fault_pages += pages
            return pages, 0
        except MmError as error:
            if error.errno == errno.EAGAIN:
                drv.stats.fault_again += 1
                return 0, 0
            drv.stats.fault_error += 1
            return 0, error.errno


def _span(mr: Mr, record: FaultRecord) -> tuple[int, int]:
    """End of the packet and end of the operation, as far as they lie in the region: the device refuses the rest itself, and a
    packet may go on in another region. MmError EFAULT for an address outside it, EPERM for a write it does not allow."""
    if not mr.start <= record.va < mr.end:
        raise MmError(errno.EFAULT, f"fault at {record.va:#x} outside {mr}")
    if record.write and not mr.writable:
        raise MmError(errno.EPERM, f"write fault at {record.va:#x} in {mr}, which may not be written")
    length = record.length or record.packet_length
    needed = record.va + max(min(record.packet_length or length, length), 1)
    return min(needed, mr.end), min(record.va + length, mr.end)


async def _resume(drv: DriverCore, record: FaultRecord, pages: int, error: int) -> None:
    token = record.token
    if drv.policy.mutant == "token_before":
        token = (token - TOKEN_STEP) & 0xFFFF_FFFF
    order = Order(h.CmdOp.RESUME, qpn=record.qpn, token=token, direction=record.direction, error=bool(error))
    status = await drv.commands.command(order)
    if status is not h.CmdStatus.OK:
        drv.stats.resume_refused += 1  # the queue pair was reset meanwhile, and its fault with it
    drv.emit(TraceEvent.HCA_FAULT_DONE, record.qpn, record.direction, record.key, pages, error)
