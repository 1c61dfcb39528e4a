"""The driver's face: the calls of the verbs layer, and the start of one adapter.

Promises: refusals are MmError with the errno of the verbs; HcaError means that the device or the driver is broken. Costs: see the
parts. `start` once, then `probe` before anything else.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any

from hwif.gen import hca as h
from hwif.gen import timing
from hwif.shadow import Shadow
from hwif.trace import Trace
from sw_stack.drivers.hca import prefetch, queues, regions, work
from sw_stack.drivers.hca.errors import HcaError
from sw_stack.drivers.hca.events import Events
from sw_stack.drivers.hca.faults import FaultQueue
from sw_stack.drivers.hca.policy import DriverPolicy
from sw_stack.drivers.hca.queues import Cq, Qp, QpStatus
from sw_stack.drivers.hca.regions import Mr, Pd
from sw_stack.drivers.hca.state import AsyncEvent, DriverCore
from sw_stack.drivers.hca.wr import RecvWr, SendWr, Sge, WorkCompletion
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import MmError
from sw_stack.sched import Scheduler

__all__ = ["HcaDriver"]

MAGIC = 0x48434131


class HcaDriver(DriverCore):
    """The driver of node `node`'s adapter, whose memory is `machine`'s and whose oracle is `shadow`."""

    def __init__(
        self,
        sched: Scheduler,
        trace: Trace,
        machine: Machine,
        shadow: Shadow,
        *,
        node: int = 0,
        policy: DriverPolicy | None = None,
    ) -> None:
        super().__init__(sched, trace, machine, shadow, node, policy if policy is not None else DriverPolicy())
        self._faults = FaultQueue(self)
        self._events = Events(self)
        self._pds: list[Pd] = []
        self._next_pd = 1

    # ---- start -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Spawn the interrupt handlers."""
        self._faults.start()
        self._events.start()

    async def probe(self) -> None:
        """Find the adapter, give it its tables and queues, and enable it. HcaError if it is not one."""
        regs, policy = self.regs, self.policy
        found = await regs.read(h.IdReg.offset)
        if h.IdReg.magic.of(found) != MAGIC or h.IdReg.node.of(found) != self.node:
            raise HcaError(f"node {self.node}: no adapter answers, but {found:#x}")
        count, delay = policy.fault_coalesce
        cq_count, cq_delay = policy.completion_coalesce
        settings = [
            (h.MptBaseReg.offset, self.keys.base),
            (h.MptSizeReg.offset, self.keys.entries),
            (h.CmdqBaseReg.offset, self.commands.base),
            (h.CmdqSizeReg.offset, self.commands.entries),
            (h.FqBaseReg.offset, self._faults.base),
            (h.FqSizeReg.offset, self._faults.entries),
            (h.FqCoalesceReg.offset, h.FqCoalesceReg.count.place(count) | h.FqCoalesceReg.delay.place(delay)),
            (h.CqCoalesceReg.offset, h.CqCoalesceReg.count.place(cq_count) | h.CqCoalesceReg.delay.place(cq_delay)),
        ]
        if policy.rnr_delay is not None or policy.ack_timeout is not None:
            settings.append((h.RetryReg.offset, await self._retry()))
        for offset, word in settings:
            await regs.write(offset, word)
        await self._faults.sync_mask()
        await regs.write(h.CtrlReg.offset, h.CtrlReg.enable.place(1))

    async def _retry(self) -> int:
        """RETRY with what the policy sets."""
        reg, policy = h.RetryReg, self.policy
        word = await self.regs.read(reg.offset)
        rnr = reg.rnr_delay.of(word) if policy.rnr_delay is None else policy.rnr_delay
        ack = reg.ack_timeout.of(word) if policy.ack_timeout is None else policy.ack_timeout
        return reg.rnr_delay.place(rnr) | reg.ack_timeout.place(ack)

    async def remove(self) -> None:
        """Disable the adapter and give its tables and queues back. MmError EBUSY while anything lives on it."""
        left = len(self.qps) + len(self.cqs) + len(self.keys.regions())
        if left:
            raise MmError(errno.EBUSY, f"node {self.node}: {left} queue pairs, completion queues and regions are left")
        await self.regs.write(h.CtrlReg.offset, 0)
        for part in (self.keys, self.commands, self._faults):
            for frames in part.frames():
                self.machine.free_kernel_frames(frames)

    def statistics(self) -> dict[str, int]:
        """Counters by name."""
        return self.stats.snapshot()

    # ---- protection domains and regions ----------------------------------------------------------------------------

    async def alloc_pd(self, mm: Mm) -> Pd:
        """A protection domain of a process."""
        await self.sched.charge(timing.SW_SYSCALL)
        if not mm.alive:
            raise MmError(errno.ESRCH, f"{mm.name} has exited")
        pd = Pd(self._next_pd, mm)  # numbers are not given out again: 24 bits last
        self._next_pd += 1
        self._pds.append(pd)
        return pd

    async def dealloc_pd(self, pd: Pd) -> None:
        """MmError EBUSY while regions or queue pairs are in it."""
        await self.sched.charge(timing.SW_SYSCALL)
        if pd.dead or pd.users:
            raise MmError(errno.EINVAL if pd.dead else errno.EBUSY, f"protection domain {pd.number} has {pd.users} users")
        pd.dead = True
        self._pds.remove(pd)

    async def reg_mr(self, pd: Pd, start: int, length: int, access: int, *, implicit: bool = False) -> Mr:
        """Register memory of the domain's process. `access`: hca.Access flags; ON_DEMAND takes no pins. `implicit`: all of it."""
        return await regions.reg_mr(self, pd, start, length, access, implicit)

    async def dereg_mr(self, mr: Mr) -> None:
        """Deregister: on return the device has forgotten the key."""
        await regions.dereg_mr(self, mr)

    async def advise_mr(self, pd: Pd, advice: int, flags: int, sges: Sequence[Sge]) -> None:
        """Prefetch (hca.Advice; flags 0 or prefetch.FLAG_FLUSH)."""
        await prefetch.advise_mr(self, pd, advice, flags, sges)

    # ---- queues ----------------------------------------------------------------------------------------------------

    async def create_cq(self, entries: int) -> Cq:
        """A completion queue of at least `entries`."""
        return await queues.create_cq(self, entries)

    async def destroy_cq(self, cq: Cq) -> None:
        """Give it up."""
        await queues.destroy_cq(self, cq)

    async def create_qp(
        self,
        pd: Pd,
        send_cq: Cq,
        recv_cq: Cq,
        sq_entries: int,
        rq_entries: int,
        policy: h.FaultPolicy = h.FaultPolicy.RESTART,
    ) -> Qp:
        """A reliable connection in RESET; `policy`: what its receive side does with a packet that faults."""
        return await queues.create_qp(self, pd, send_cq, recv_cq, sq_entries, rq_entries, policy)

    async def modify_qp(self, qp: Qp, state: h.QpState, **attrs: Any) -> None:
        """Move to `state`; `attrs` are fields of queues.QpAttrs, and `policy`."""
        await queues.modify_qp(self, qp, state, **attrs)

    async def query_qp(self, qp: Qp) -> QpStatus:
        """What the device says of it."""
        return await queues.query_qp(self, qp)

    async def destroy_qp(self, qp: Qp) -> None:
        """On return nothing of it is in flight."""
        await queues.destroy_qp(self, qp)

    async def post_send(self, qp: Qp, *wrs: SendWr) -> None:
        """Send work requests, one doorbell."""
        await work.post_send(self, qp, *wrs)

    async def post_recv(self, qp: Qp, *wrs: RecvWr) -> None:
        """Receives, one doorbell."""
        await work.post_recv(self, qp, *wrs)

    async def poll_cq(self, cq: Cq, count: int = 1) -> list[WorkCompletion]:
        """Up to `count` completions; does not wait."""
        return await work.poll_cq(self, cq, count)

    async def req_notify(self, cq: Cq) -> None:
        """Ask for one event."""
        await work.req_notify(self, cq)

    async def wait_cq_event(self, cq: Cq, *, patient: bool = False) -> None:
        """Wait for that event. `patient`: it may never come."""
        await work.wait_cq_event(self, cq, patient=patient)

    def async_events(self) -> list[AsyncEvent]:
        """Asynchronous events not taken yet."""
        return self._events.take()

    async def wait_async_event(self, *, patient: bool = False) -> AsyncEvent:
        """The oldest, waited for."""
        return await self._events.wait(patient=patient)

    # ---- the end of a process --------------------------------------------------------------------------------------

    async def close(self, mm: Mm) -> None:
        """Give up everything in the domains of a process, alive or gone. Completion queues are their makers'."""
        for qp in [qp for qp in self.qps.values() if qp.pd.mm is mm]:
            await self.destroy_qp(qp)
        for mr in [mr for mr in self.keys.regions() if mr.mm is mm]:
            await self.dereg_mr(mr)
        for pd in [pd for pd in self._pds if pd.mm is mm]:
            await self.dealloc_pd(pd)
        if not mm.alive:
            self.forget(mm)
