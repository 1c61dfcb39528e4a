"""Completion queues and queue pairs: made, moved from state to state, and given up.

Promises: a refusal is an MmError with the verbs' errno. A queue's frames are freed when the device has left it (docs/hca.md §3). A
queue pair is destroyed only when no fault of it is being worked on; faults that come later find nobody. Costs a command a change.
"""

from __future__ import annotations

import errno
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from hwif.fields import new_line
from hwif.gen import hca as h
from hwif.gen import timing
from hwif.memory import FRAME_BYTES
from sw_stack.drivers.hca.commands import Order
from sw_stack.drivers.hca.lines import read_line
from sw_stack.drivers.hca.regions import Pd
from sw_stack.drivers.hca.state import Counted, DriverCore
from sw_stack.drivers.hca.wr import RecvWr, SendWr
from sw_stack.mm.types import MmError
from sw_stack.sched import Mutex, SpinLock, WaitQueue

__all__ = ["Cq", "Qp", "QpAttrs", "QpStatus", "create_cq", "create_qp", "destroy_cq", "destroy_qp", "modify_qp", "query_qp"]

MASK = (1 << h.INDEX_WIDTH) - 1
MAX_LOG = h.INDEX_WIDTH - 1
S = h.QpState
LEGAL: dict[S, tuple[S, ...]] = {
    S.RESET: (S.INIT,),
    S.INIT: (S.INIT, S.RTR),
    S.RTR: (S.RTS,),
    S.RTS: (S.RTS, S.SQD),
    S.SQD: (S.SQD, S.RTS),
    S.SQE: (S.RTS,),
    S.ERR: (),
}
"""Moves besides those to RESET and ERR, which are always legal."""


@dataclass(frozen=True, slots=True)
class QpAttrs:
    """What `modify_qp` may set. `access`: the REMOTE_* rights of hca.Access. Retry counts: 7 is never to give up."""

    dest_qpn: int = 0
    rq_psn: int = 0
    sq_psn: int = 0
    mtu_shift: int = h.MTU_SHIFT_MAX
    rnr_retry: int = 7
    retry_cnt: int = 7
    access: int = 0


@dataclass(frozen=True, slots=True)
class QpStatus:
    """What QUERY_QP says (spec/hca.toml, qp_report)."""

    state: S
    sq_parked: int
    rq_parked: int
    sq_waiting: int
    sq_prod: int
    sq_next: int
    sq_done: int
    rq_prod: int
    next_psn: int
    una_psn: int
    epsn: int
    msn: int


class Ring:
    """A queue in host memory, and what of it is not completed."""

    def __init__(self, frames: range, log: int, lock: SpinLock) -> None:
        self.frames = frames
        self.base = frames[0] * FRAME_BYTES
        self.log = log
        self.lock = lock
        self.prod = 0

    @property
    def entries(self) -> int:
        return 1 << self.log

    def address(self, index: int) -> int:
        """Of the entry with a running index."""
        return self.base + h.ENTRY_BYTES * (index % self.entries)


class Cq:
    """A completion queue. `cons` counts the entries polled, `told` what the device knows of that."""

    def __init__(self, drv: DriverCore, number: int, ring: Ring) -> None:
        self.number = number
        self.ring = ring
        self.cons = 0
        self.told = 0
        self.skip: set[int] = set()
        """Entries of queue pairs that are gone."""
        self.qps: list[Qp] = []
        self.armed = False
        self.events = 0
        self.events_taken = 0
        self.wait = WaitQueue(drv.sched, f"event of completion queue {drv.node}.{number}")
        self.dead = False

    @property
    def entries(self) -> int:
        return self.ring.entries


class Qp(Counted):
    """A queue pair. `users`: faults at work on it."""

    def __init__(
        self, drv: DriverCore, number: int, pd: Pd, send_cq: Cq, recv_cq: Cq, sq: Ring, rq: Ring, policy: h.FaultPolicy
    ) -> None:
        super().__init__(drv.sched, f"queue pair {drv.node}.{number}")
        self.number = number
        self.pd = pd
        self.send_cq = send_cq
        self.recv_cq = recv_cq
        self.sq = sq
        self.rq = rq
        self.policy = policy
        self.attrs = QpAttrs()
        self.state = S.RESET
        self.mutex = Mutex(drv.sched, f"hca_qp_mutex[{drv.node}.{number}]")
        self.sends: deque[tuple[int, SendWr]] = deque()
        self.recvs: deque[tuple[int, RecvWr]] = deque()
        self.flushing = False
        """Software completes what is left (WR_FLUSH_ERR)."""
        self.dead = False
        self.idle_faults = 0
        """Faults in a row that were answered and for which nothing was entered."""

    @property
    def qp_num(self) -> int:
        return self.number


# ---- rings -------------------------------------------------------------------------------------------------------------


async def _take_ring(drv: DriverCore, entries: int, what: str, name: str) -> Ring:
    log = max(entries - 1, 0).bit_length()
    if entries < 1 or log > MAX_LOG:
        raise MmError(errno.EINVAL, f"{what} of {entries} entries: 1..{1 << MAX_LOG} are possible")
    count = -(-h.ENTRY_BYTES * (1 << log) // FRAME_BYTES)
    if count == 1:
        pfn = await drv.machine.alloc_kernel_page()
        frames = range(pfn, pfn + 1)
    else:
        frames = drv.machine.alloc_kernel_frames(count)
    return Ring(frames, log, SpinLock(drv.sched, name))


def _context(cq: Cq) -> tuple[int, ...]:
    line = new_line()
    h.Cqc.valid.put(line, 1)
    h.Cqc.log.put(line, cq.ring.log)
    h.Cqc.base.put(line, cq.ring.base)
    return tuple(line)


# ---- completion queues -------------------------------------------------------------------------------------------------


async def create_cq(drv: DriverCore, entries: int) -> Cq:
    """At least `entries` entries. MmError EINVAL, ENOMEM."""
    await drv.sched.charge(timing.SW_SYSCALL)
    number = drv.cqns.take()
    try:
        ring = await _take_ring(drv, entries, "a completion queue", f"hca_cq_lock[{drv.node}.{number}]")
    except MmError:
        drv.cqns.give(number)
        raise
    cq = drv.cqs[number] = Cq(drv, number, ring)
    await drv.commands.must(Order(h.CmdOp.MODIFY_CQ, qpn=number, context=_context(cq)))
    drv.stats.cq_create += 1
    return cq


async def destroy_cq(drv: DriverCore, cq: Cq) -> None:
    """MmError EBUSY while a queue pair completes there."""
    await drv.sched.charge(timing.SW_SYSCALL)
    if cq.dead or cq.qps:
        raise MmError(errno.EINVAL if cq.dead else errno.EBUSY, f"completion queue {cq.number}: {len(cq.qps)} queue pairs use it")
    cq.dead = True
    await drv.commands.must(Order(h.CmdOp.MODIFY_CQ, qpn=cq.number, context=(0,) * 8))
    del drv.cqs[cq.number]
    drv.cqns.give(cq.number)
    drv.machine.free_kernel_frames(cq.ring.frames)
    drv.stats.cq_destroy += 1
    cq.wait.wake_all()


# ---- queue pairs -------------------------------------------------------------------------------------------------------


async def create_qp(
    drv: DriverCore, pd: Pd, send_cq: Cq, recv_cq: Cq, sq_entries: int, rq_entries: int, policy: h.FaultPolicy
) -> Qp:
    """A reliable connection in RESET. MmError EINVAL, ENOMEM."""
    await drv.sched.charge(timing.SW_SYSCALL)
    if pd.dead or send_cq.dead or recv_cq.dead:
        raise MmError(errno.EINVAL, "protection domain or completion queue is gone")
    number = drv.qpns.take()
    try:
        sq = await _take_ring(drv, sq_entries, "a send queue", f"hca_sq_lock[{drv.node}.{number}]")
        try:
            rq = await _take_ring(drv, rq_entries, "a receive queue", f"hca_rq_lock[{drv.node}.{number}]")
        except MmError:
            drv.machine.free_kernel_frames(sq.frames)
            raise
    except MmError:
        drv.qpns.give(number)
        raise
    qp = drv.qps[number] = Qp(drv, number, pd, send_cq, recv_cq, sq, rq, policy)
    pd.users += 1
    for cq in {id(c): c for c in (send_cq, recv_cq)}.values():
        cq.qps.append(qp)
    drv.shadow.set_queue_pair(number, pd.number)
    drv.stats.qp_create += 1
    return qp


async def modify_qp(drv: DriverCore, qp: Qp, state: h.QpState, **attrs: Any) -> None:
    """Move to `state`, setting fields of QpAttrs, and `policy`. MmError EINVAL for a move or a value that is not possible."""
    await drv.sched.charge(timing.SW_SYSCALL)
    async with qp.mutex:
        if qp.dead:
            raise MmError(errno.EINVAL, f"queue pair {qp.number} is destroyed")
        await _move(drv, qp, S(state), attrs)


async def _move(drv: DriverCore, qp: Qp, state: h.QpState, attrs: dict[str, Any]) -> None:
    old = qp.state
    if state not in (S.RESET, S.ERR, *LEGAL[old]):
        raise MmError(errno.EINVAL, f"queue pair {qp.number}: no way from {old.name} to {state.name}")
    policy = h.FaultPolicy(attrs.pop("policy", qp.policy))
    try:
        new = replace(qp.attrs, **attrs)
        load_rq, load_sq = (old, state) == (S.INIT, S.RTR), (old, state) == (S.RTR, S.RTS)
        context = _qp_context(qp, state, new, policy)
    except (TypeError, ValueError) as error:
        raise MmError(errno.EINVAL, f"queue pair {qp.number}: {error}") from error
    reset = state is S.RESET
    order = Order(h.CmdOp.MODIFY_QP, qpn=qp.number, load_sq=load_sq or reset, load_rq=load_rq or reset, context=context)
    status = await drv.commands.command(order)
    if status is not h.CmdStatus.OK:
        raise MmError(errno.EINVAL, f"queue pair {qp.number}: the device refused {state.name}: {status.name}")
    qp.attrs, qp.policy, qp.state = new, policy, state
    if load_rq and qp.rq.prod:  # receives posted in INIT: the queue began anew at index 0
        await ring_receives(drv, qp)
    if state is S.ERR:
        begin_flush(drv, qp)
    elif reset:
        qp.flushing = False
        qp.sends.clear()
        qp.recvs.clear()
        qp.sq.prod = qp.rq.prod = 0
        clean_cqs(drv, qp)


def _qp_context(qp: Qp, state: h.QpState, attrs: QpAttrs, policy: h.FaultPolicy) -> tuple[int, ...]:
    line, c = new_line(), h.Qpc
    for field, value in (
        (c.state, state),
        (c.policy, policy),
        (c.mtu_shift, attrs.mtu_shift),
        (c.rnr_retry, attrs.rnr_retry),
        (c.retry_cnt, attrs.retry_cnt),
        (c.allow_read, int(bool(attrs.access & h.Access.REMOTE_READ))),
        (c.allow_write, int(bool(attrs.access & h.Access.REMOTE_WRITE))),
        (c.allow_atomic, int(bool(attrs.access & h.Access.REMOTE_ATOMIC))),
        (c.pd, qp.pd.number),
        (c.dest_qpn, attrs.dest_qpn),
        (c.send_cqn, qp.send_cq.number),
        (c.recv_cqn, qp.recv_cq.number),
        (c.sq_log, qp.sq.log),
        (c.rq_log, qp.rq.log),
        (c.sq_base, qp.sq.base),
        (c.rq_base, qp.rq.base),
        (c.sq_psn, attrs.sq_psn),
        (c.rq_psn, attrs.rq_psn),
    ):
        field.put(line, value)
    return tuple(line)


async def ring_receives(drv: DriverCore, qp: Qp) -> None:
    """The device's doorbell of the receive queue."""
    async with qp.rq.lock:
        reg = h.RqDoorbellReg
        await drv.regs.write(reg.offset, reg.qpn.place(qp.number) | reg.index.place(qp.rq.prod))


async def destroy_qp(drv: DriverCore, qp: Qp) -> None:
    """On return the device touches nothing in its name. What was posted and not completed is forgotten."""
    await drv.sched.charge(timing.SW_SYSCALL)
    if qp.dead:
        raise MmError(errno.EINVAL, f"queue pair {qp.number} is destroyed already")
    qp.dead = True
    del drv.qps[qp.number]  # faults that come now find nobody
    await qp.unused()
    async with qp.mutex:
        await _move(drv, qp, S.RESET, {})
    drv.shadow.set_queue_pair(qp.number, 0)
    for cq in {id(c): c for c in (qp.send_cq, qp.recv_cq)}.values():
        cq.qps.remove(qp)
    for ring in (qp.sq, qp.rq):
        drv.machine.free_kernel_frames(ring.frames)
    qp.pd.users -= 1
    drv.qpns.give(qp.number)
    drv.stats.qp_destroy += 1


async def query_qp(drv: DriverCore, qp: Qp) -> QpStatus:
    """Ask the device."""
    await drv.sched.charge(timing.SW_SYSCALL)
    if qp.dead:
        raise MmError(errno.EINVAL, f"queue pair {qp.number} is destroyed")
    (ticket,) = await drv.commands.ring(Order(h.CmdOp.QUERY_QP, qpn=qp.number))
    status, line = await drv.commands.report(ticket)
    if status is not h.CmdStatus.OK:
        raise MmError(errno.EINVAL, f"queue pair {qp.number}: the device refused the question: {status.name}")
    names = QpStatus.__dataclass_fields__
    values = {name: getattr(h.QpReport, name).get(line) for name in names if name != "state"}
    return QpStatus(state=S(h.QpReport.state.get(line)), **values)


# ---- errors ------------------------------------------------------------------------------------------------------------


def begin_flush(drv: DriverCore, qp: Qp) -> None:
    """The queue pair is in ERR: what is left is completed by whoever polls; whoever waits for an event gets one."""
    qp.state = S.ERR
    qp.flushing = True
    for cq, left in ((qp.send_cq, qp.sends), (qp.recv_cq, qp.recvs)):
        if left:
            announce(drv, cq)


def announce(drv: DriverCore, cq: Cq) -> None:
    """An event of the completion queue, if it was asked for."""
    if cq.armed:
        cq.armed = False
        cq.events += 1
        drv.stats.cq_events += 1
        cq.wait.wake_all()


def clean_cqs(drv: DriverCore, qp: Qp) -> None:
    """Entries of the queue pair that nobody has polled: they would be taken for another's with its number."""
    for cq in (qp.send_cq, qp.recv_cq):
        index = cq.cons
        while owned_by_software(drv, cq, index):
            line = read_line(drv.machine.memory, cq.ring.address(index))
            if h.Cqe.qpn.get(line) == qp.number:
                cq.skip.add(index & MASK)
            index += 1


def owned_by_software(drv: DriverCore, cq: Cq, index: int) -> bool:
    """The device has written entry `index` in this round."""
    line = read_line(drv.machine.memory, cq.ring.address(index))
    return h.Cqe.owner.get(line) == 1 - ((index >> cq.ring.log) & 1)
