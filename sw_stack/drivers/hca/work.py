"""Posting work requests and polling completions: the part of the driver a process runs without entering the kernel.

Completions come from two sides. The device writes one for every request that asked for it, and for the first of a queue pair that
fails. What stands behind a failed request is completed here, with WR_FLUSH_ERR, once the device's own entries have been polled
(docs/hca.md §4).

Promises: an entry and its doorbell are one: two tasks that post to one queue cannot make its index go back. Costs SW_HCA_POST a
request and one doorbell; SW_HCA_POLL a look, and a doorbell each time half of the queue has been polled.
"""

from __future__ import annotations

import errno
from collections import deque

from hwif.gen import hca as h
from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.drivers.hca.lines import read_line, write_line
from sw_stack.drivers.hca.queues import MASK, Cq, Qp, announce, begin_flush, owned_by_software
from sw_stack.drivers.hca.state import DriverCore
from sw_stack.drivers.hca.wr import WC_OF_WR, RecvWr, SendWr, WorkCompletion
from sw_stack.mm.types import MmError

__all__ = ["poll_cq", "post_recv", "post_send", "req_notify", "wait_cq_event"]

S = h.QpState


# ---- posting -----------------------------------------------------------------------------------------------------------


async def post_send(drv: DriverCore, qp: Qp, *wrs: SendWr) -> None:
    """Queue these behind one doorbell, all or none. MmError EINVAL in a state that does not send, ENOMEM when the queue is full."""
    lines = [wr.line() for wr in wrs]
    await drv.sched.charge(timing.SW_HCA_POST * len(wrs))
    async with qp.sq.lock:
        if qp.dead or qp.state not in (S.RTS, S.SQD, S.ERR):
            raise MmError(errno.EINVAL, f"queue pair {qp.number} does not send in {qp.state.name}")
        if len(qp.sends) + len(wrs) > qp.sq.entries:
            raise MmError(errno.ENOMEM, f"send queue of queue pair {qp.number} is full: {len(qp.sends)} of {qp.sq.entries}")
        for wr, line in zip(wrs, lines, strict=True):
            write_line(drv.machine.memory, qp.sq.address(qp.sq.prod), line)
            qp.sends.append((qp.sq.prod, wr))
            addr = wr.sges[0].addr if wr.sges else 0
            drv.emit(TraceEvent.HCA_POST_SEND, qp.number, qp.sq.prod, wr.opcode, addr, wr.length, wr.remote_addr)
            qp.sq.prod = (qp.sq.prod + 1) & MASK
        if qp.state is S.ERR:
            if qp.flushing:
                announce(drv, qp.send_cq)
            return
        reg = h.SqDoorbellReg
        await drv.regs.write(reg.offset, reg.qpn.place(qp.number) | reg.index.place(qp.sq.prod))


async def post_recv(drv: DriverCore, qp: Qp, *wrs: RecvWr) -> None:
    """Queue receives behind one doorbell. Legal from INIT on. MmError as `post_send`."""
    lines = [wr.line() for wr in wrs]
    await drv.sched.charge(timing.SW_HCA_POST * len(wrs))
    async with qp.rq.lock:
        if qp.dead or qp.state is S.RESET:
            raise MmError(errno.EINVAL, f"queue pair {qp.number} does not receive in {qp.state.name}")
        if len(qp.recvs) + len(wrs) > qp.rq.entries:
            raise MmError(errno.ENOMEM, f"receive queue of queue pair {qp.number} is full: {len(qp.recvs)} of {qp.rq.entries}")
        for wr, line in zip(wrs, lines, strict=True):
            write_line(drv.machine.memory, qp.rq.address(qp.rq.prod), line)
            qp.recvs.append((qp.rq.prod, wr))
            addr = wr.sges[0].addr if wr.sges else 0
            drv.emit(TraceEvent.HCA_POST_RECV, qp.number, qp.rq.prod, addr, sum(sge.length for sge in wr.sges))
            qp.rq.prod = (qp.rq.prod + 1) & MASK
        if qp.state is S.ERR:
            if qp.flushing:
                announce(drv, qp.recv_cq)
            return
        if qp.state is S.INIT:
            return  # the queue is loaded, and rung, on the way to RTR
        reg = h.RqDoorbellReg
        await drv.regs.write(reg.offset, reg.qpn.place(qp.number) | reg.index.place(qp.rq.prod))


# ---- completions -------------------------------------------------------------------------------------------------------


async def poll_cq(drv: DriverCore, cq: Cq, count: int = 1) -> list[WorkCompletion]:
    """Up to `count` completions, oldest first."""
    found: list[WorkCompletion] = []
    while len(found) < count:
        await drv.sched.charge(timing.SW_HCA_POLL)
        # From here to the move of the index nothing waits: two who poll do not get the same entry.
        if not owned_by_software(drv, cq, cq.cons):
            break
        index = cq.cons
        cq.cons += 1
        if index & MASK in cq.skip:
            cq.skip.discard(index & MASK)
            continue
        completion = _complete(drv, cq, index)
        if completion is not None:
            found.append(completion)
    if len(found) < count:
        _flush(drv, cq, count, found)
    if (cq.cons - cq.told) * 2 >= cq.entries:
        await _doorbell(drv, cq, arm=False)
    return found


def _complete(drv: DriverCore, cq: Cq, index: int) -> WorkCompletion | None:
    line, f = read_line(drv.machine.memory, cq.ring.address(index)), h.Cqe
    qp = drv.qps.get(f.qpn.get(line))
    if qp is None:
        return None
    recv, wqe, status = bool(f.recv.get(line)), f.wqe_index.get(line), h.WcStatus(f.status.get(line))
    wr_id = _retire(qp.recvs, wqe) if recv else _retire(qp.sends, wqe)
    if wr_id is None:
        return None  # flushed before the device's own word came
    if status is not h.WcStatus.SUCCESS:
        begin_flush(drv, qp)
    drv.emit(TraceEvent.HCA_POLL, qp.number, wqe, status, int(recv))
    opcode = h.WcOpcode(f.opcode.get(line))
    return WorkCompletion(wr_id, status, opcode, qp.number, f.byte_len.get(line), f.syndrome.get(line))


def _retire(queue: deque[tuple[int, SendWr]] | deque[tuple[int, RecvWr]], index: int) -> int | None:
    """Take the request with this index off its queue, and those before it, which asked for no completion. Its wr_id."""
    if all(number != index for number, _wr in queue):
        return None
    while True:
        number, wr = queue.popleft()
        if number == index:
            return wr.wr_id


def _flush(drv: DriverCore, cq: Cq, count: int, found: list[WorkCompletion]) -> None:
    """Completions of what queue pairs in error have left."""
    for qp in cq.qps:
        if not qp.flushing:
            continue
        while qp.send_cq is cq and qp.sends and len(found) < count:
            index, send = qp.sends.popleft()
            found.append(_flushed(drv, qp, index, send.wr_id, WC_OF_WR.get(send.opcode, h.WcOpcode.SEND)))
        while qp.recv_cq is cq and qp.recvs and len(found) < count:
            index, recv = qp.recvs.popleft()
            found.append(_flushed(drv, qp, index, recv.wr_id, h.WcOpcode.RECV))


def _flushed(drv: DriverCore, qp: Qp, index: int, wr_id: int, opcode: h.WcOpcode) -> WorkCompletion:
    drv.stats.flushed += 1
    drv.emit(TraceEvent.HCA_POLL, qp.number, index, h.WcStatus.WR_FLUSH_ERR, int(opcode is h.WcOpcode.RECV))
    return WorkCompletion(wr_id, h.WcStatus.WR_FLUSH_ERR, opcode, qp.number)


async def req_notify(drv: DriverCore, cq: Cq) -> None:
    """An event at the next completion; at once if one is there already that was not polled."""
    cq.armed = True
    await _doorbell(drv, cq, arm=True)
    if any(qp.flushing and ((qp.send_cq is cq and qp.sends) or (qp.recv_cq is cq and qp.recvs)) for qp in cq.qps):
        announce(drv, cq)


async def _doorbell(drv: DriverCore, cq: Cq, *, arm: bool) -> None:
    async with cq.ring.lock:
        cq.told = cq.cons
        reg = h.CqDoorbellReg
        word = reg.cqn.place(cq.number) | reg.index.place(cq.told & MASK) | reg.arm.place(int(arm))
        await drv.regs.write(reg.offset, word)


async def wait_cq_event(drv: DriverCore, cq: Cq, *, patient: bool = False) -> None:
    """Sleep until an event that was asked for has come, and take it. MmError EINVAL if the queue is destroyed meanwhile."""
    await drv.sched.charge(timing.SW_SYSCALL)
    await cq.wait.wait_event(lambda: cq.events > cq.events_taken or cq.dead, patient=patient)
    if cq.events <= cq.events_taken:
        raise MmError(errno.EINVAL, f"completion queue {cq.number} is destroyed")
    cq.events_taken += 1
