"""Send sides: work requests into packets, acknowledgements into completions, retries.

Promises: docs/hca.md section 4, "Send side". Work requests are read ahead in batches of queue pairs, in the order asked for, and
  issued in that order (rtl/hca/hca_qp_send.sv, hca_qp_fetch.sv); send_side.py says how a side changes, issue.py builds packets.
Costs: an event a batch of work requests, one a time-out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from hwif.gen.hca import (
    ENTRY_BYTES,
    MAX_UNACKED,
    NUM_QP,
    AsyncType,
    Counter,
    FaultDir,
    NakSyndrome,
    PktOp,
    WcOpcode,
    WcStatus,
    XltResult,
)
from hwif.gen.timing import HCA_AHEAD, HCA_CLOSE
from pymodels.hca.completion import Completion
from pymodels.hca.faults import CAUSE, FaultReport
from pymodels.hca.issue import alone, piece
from pymodels.hca.lines import parse
from pymodels.hca.packets import PSN_MASK, psn_ahead
from pymodels.hca.receive import DROP, TAKE, Inbound
from pymodels.hca.send_side import FOR_EVER, HEARS, Place, SendSide, Wait
from pymodels.hca.translation import WRITES, Segment
from pymodels.hca.transmit import Outbound
from pymodels.hca.work import ATOMIC_BYTES, INDEX_MASK, WorkRequest, packets_of

if TYPE_CHECKING:
    from pymodels.hca.node import Node
    from pymodels.hca.queue_pair import QueuePair

__all__ = ["Requester"]

BATCH, SLOTS = 16, 64
"""Work requests read at a time, and held (rtl/hca/hca_qp_pkg.sv FetchBatch, FetchSlots)."""
TURN = 16
"""Packets of one message before others have their turn."""
ACK_EVERY = 16
_FATAL = {
    int(NakSyndrome.INV_REQ): WcStatus.REM_INV_REQ_ERR,
    int(NakSyndrome.REM_ACCESS): WcStatus.REM_ACCESS_ERR,
    int(NakSyndrome.REM_OP): WcStatus.REM_OP_ERR,
}


def _local_status(result: int) -> WcStatus:
    return WcStatus.LOC_QP_OP_ERR if result == XltResult.BAD_TABLE else WcStatus.LOC_PROT_ERR


class _Batch:
    """Work requests of one queue pair, read or being read."""

    __slots__ = ("first", "gen", "left", "qp", "requests", "side")

    def __init__(self, qp: QueuePair, side: SendSide, count: int) -> None:
        self.qp = qp
        self.side = side
        self.gen = side.gen
        self.first = side.ahead
        self.left = count
        self.requests: deque[WorkRequest] = deque()


class Requester:
    """The send sides of an adapter."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._count = node.count
        self._list: deque[QueuePair] = deque()
        """Queue pairs with something to read ahead."""
        self._batches: deque[_Batch] = deque()
        self._held = 0
        self._asking = 0
        """Cycle in which the reads of the last batch have all been asked for."""
        self._turn = 0

    # ---- reading ahead -------------------------------------------------------------------------------------------------

    def rung(self, qpn: int, producer: int) -> None:
        """SQ_DOORBELL was written."""
        if qpn < NUM_QP:
            qp = self._node.queue_pair(qpn)
            qp.send.prod = producer
            self.settle(qp)

    def _fetch(self) -> None:
        """Read the next batch, if a whole one fits."""
        node = self._node
        while self._list and self._held <= SLOTS - BATCH:
            if node.now < self._asking:
                node.at(self._asking, self._fetch)
                return
            qp = self._list.popleft()
            side = qp.send
            side.listed = False
            if not side.may_read(qp.state):
                continue
            count = min(BATCH, (side.limit - side.ahead) & INDEX_MASK, MAX_UNACKED - ((side.ahead - side.done) & INDEX_MASK))
            if side.probe:
                count = 1
            batch = _Batch(qp, side, count)
            side.ahead = (side.ahead + count) & INDEX_MASK
            self._batches.append(batch)
            self._held += count
            self._asking = node.now + count
            qp.busy += 1
            places = [qp.sq_base + (batch.first + number & qp.sq_mask) * ENTRY_BYTES for number in range(count)]
            node.at(node.now + HCA_AHEAD, node.memory.fetch_lines, places, ENTRY_BYTES, self._came(batch))
            self.settle(qp)

    def _came(self, batch: _Batch) -> Callable[[list[bytes | None]], None]:
        def came(lines: list[bytes | None]) -> None:
            for number, data in enumerate(lines):
                index = (batch.first + number) & INDEX_MASK
                batch.requests.append(WorkRequest(index, None if data is None else parse(data)))
            batch.qp.leave()
            self._node.transmit.wake()

        return came

    def _free(self, batch: _Batch) -> None:
        """The oldest work request read ahead is used up or of no use."""
        batch.requests.popleft()
        batch.left -= 1
        self._held -= 1
        self._turn = 0
        if not batch.left:
            self._batches.popleft()
        if self._list:
            self._fetch()

    # ---- packets -------------------------------------------------------------------------------------------------------

    def next_packet(self) -> Outbound | None:
        """The next packet of whose turn it is."""
        while self._batches and self._batches[0].requests:
            batch = self._batches[0]
            qp, side, request = batch.qp, batch.side, batch.requests[0]
            stale = qp.send is not side or side.gen != batch.gen or side.cur.idx != request.index or side.cur.idx == side.limit
            if stale or not side.may_send(qp.state):
                self._free(batch)
                continue
            if request.bad is not None:
                side.issued.setdefault(request.index, request)
                self._free(batch)
                side.fail(request.index, request.bad, 0)
                self.settle(qp)
                continue
            return self._issue(batch, qp, side, request)
        return None

    def _issue(self, batch: _Batch, qp: QueuePair, side: SendSide, request: WorkRequest) -> Outbound:
        idx, off, psn, ssn = side.cur
        request.ssn = ssn
        side.issued[idx] = request
        out = alone(qp, side, request) if request.alone else piece(qp, side, request)
        packet = out.packet
        following = (idx + 1) & INDEX_MASK
        packet.ack_req = side.probe or psn % ACK_EVERY == ACK_EVERY - 1 or (packet.last and following == side.limit)
        packet.ssn = ssn
        psns = packets_of(packet.rest, qp.mtu) if packet.opcode == PktOp.READ_REQ else 1
        next_psn = (psn + psns) & PSN_MASK
        side.cur = Place(following, 0, next_psn, request.after) if packet.last else Place(idx, off + 1, next_psn, ssn)
        if psn_ahead(next_psn, side.top_psn) > 0:
            side.top_psn = next_psn
        if (side.top_idx - side.una.idx) & INDEX_MASK < (side.cur.idx - side.una.idx) & INDEX_MASK:
            side.top_idx = side.cur.idx
        self._turn += 1
        gives_way = self._turn >= TURN and (len(self._batches) > 1 or bool(self._list))
        if side.probe or side.alone_out or (gives_way and not packet.last):
            side.forget_ahead()
        if packet.last or side.probe or gives_way:
            self._free(batch)
        self.settle(qp)
        return out

    # ---- after every change --------------------------------------------------------------------------------------------

    def settle(self, qp: QueuePair) -> None:
        """What the side now asks for: work requests, completions, a timer."""
        side = qp.send
        if side.done != side.una.idx or side.fails is not None:
            self._close(qp, side)
        if not side.listed and side.may_read(qp.state):
            side.listed = True
            self._list.append(qp)
            self._fetch()
        timeout = self._node.registers.ack_timeout
        if timeout and not side.ack_timer and side.outstanding and qp.state in HEARS:
            side.ack_timer = True
            side.progress = False
            self._node.at(self._node.now + timeout, self._late, qp, side)

    def _close(self, qp: QueuePair, side: SendSide) -> None:
        """Completions that are due."""
        add = self._node.completion.add
        while side.done != side.una.idx:
            request = side.issued.pop(side.done)
            side.done = (side.done + 1) & INDEX_MASK
            if request is side.alone:
                side.alone, side.alone_out = None, False
            if request.signaled:
                size = request.length if request.alone else 0
                entry = Completion(qp.number, WcStatus.SUCCESS, request.completes_as, request.index, size, 0, recv=False)
                add(qp.send_cqn, entry)
        if side.fails is not None and side.fails[0] == side.una.idx and qp.state in HEARS:
            (index, status, syndrome), side.fails = side.fails, None
            failed = side.issued.get(index)
            opcode = WcOpcode.RDMA_WRITE if failed is None or (failed.alone and failed.bad) else failed.completes_as
            add(qp.send_cqn, Completion(qp.number, status, opcode, index, 0, syndrome, recv=False))
            self._node.stop_qp(qp, AsyncType.QP_FATAL)

    # ---- faults --------------------------------------------------------------------------------------------------------

    def failed(self, out: Outbound, bad: Segment) -> None:
        """A packet could not be sent; it and those after it are not on the wire."""
        qp, packet, side = out.qp, out.packet, out.qp.send
        known = psn_ahead(packet.psn, side.top_psn) < 0 and psn_ahead(packet.psn, side.una.psn) >= 0
        if out.life is not side or qp.state not in HEARS or side.fails is not None or not known:
            return
        if psn_ahead(packet.psn, side.cur.psn) < 0:
            side.cur = Place(out.wqe_index, packet.offset, packet.psn, packet.ssn)
            side.alone_out = False
        side.forget_ahead()
        if bad.result in CAUSE:
            side.parked = True
            self._report(qp, bad, packet.length - bad.offset, out.wqe_index)
        else:
            side.fail(out.wqe_index, _local_status(bad.result), bad.result)
        self.settle(qp)

    def _report(self, qp: QueuePair, bad: Segment, packet_length: int, index: int) -> None:
        self._node.faults.report(
            FaultReport(
                qp.number,
                FaultDir.REQUESTER,
                WRITES[bad.need],
                rdma=False,
                cause=CAUSE[bad.result],
                key=bad.key,
                va=bad.va,
                length=bad.rest,
                packet_length=packet_length,
                wqe_index=index,
            )
        )

    def resumed(self, qpn: int, *, error: bool) -> None:
        """RESUME of the send side's fault."""
        qp = self._node.queue_pair(qpn)
        side = qp.send
        if side.parked:
            side.parked = False
            if error:
                side.fail(side.cur.idx, WcStatus.LOC_PROT_ERR, XltResult.FAULT_NOT_PRESENT)
            self.settle(qp)

    # ---- what the other end says ---------------------------------------------------------------------------------------

    def judge(self, slot: Inbound) -> int:
        """An acknowledgement or answer came."""
        qp, packet, side = slot.qp, slot.packet, slot.qp.send
        verdict = DROP
        if qp.state not in HEARS or packet.src_qpn != qp.dest:
            self._count[Counter.BAD_PACKET] += 1
            return DROP
        if packet.opcode == PktOp.ACK:
            at = side.told((packet.psn + 1) & PSN_MASK, packet.msn, packet.offset)
            if at is not None:
                side.acknowledged(at)
        elif packet.opcode == PktOp.NAK:
            at = side.told(packet.psn, packet.msn, packet.offset)
            if at is not None and side.outstanding:  # else it is about something long settled
                side.acknowledged(at)
                self._refused(qp, side, packet.syndrome)
        else:
            verdict = self._answer(slot, side)
        self.settle(qp)
        return verdict

    def _refused(self, qp: QueuePair, side: SendSide, syndrome: int) -> None:
        if syndrome in _FATAL:
            side.fail(side.una.idx, _FATAL[syndrome], syndrome)
        elif syndrome == NakSyndrome.RNR:
            self._not_ready(qp, side)
        elif syndrome == NakSyndrome.PSN:
            side.again(qp.retry_cnt)
            side.probe = False
            self._went_back(qp)
        elif syndrome == NakSyndrome.SUSPEND:
            side.back()
            side.waits = Wait.RESTART
            side.retry = 0  # the other end lives
            side.progress = True
        elif syndrome == NakSyndrome.RESTART:
            side.back()
            side.waits = Wait.NOTHING
            side.probe = False
            self._went_back(qp)
        else:
            self._count[Counter.BAD_PACKET] += 1

    def _not_ready(self, qp: QueuePair, side: SendSide) -> None:
        if side.waits == Wait.RNR_DELAY:
            return
        if qp.rnr_retry != FOR_EVER and side.rnr >= qp.rnr_retry:
            side.fail(side.una.idx, WcStatus.RNR_RETRY_EXC_ERR, NakSyndrome.RNR)
            return
        side.back()
        side.rnr += qp.rnr_retry != FOR_EVER
        side.waits = Wait.RNR_DELAY
        if not side.rnr_timer:
            side.rnr_timer = True
            self._node.at(self._node.now + self._node.registers.rnr_delay, self._rnr_over, qp, side)

    def _went_back(self, qp: QueuePair) -> None:
        self._count[Counter.RETRANSMIT] += 1

    # ---- answers of READs and atomics ----------------------------------------------------------------------------------

    def _answer(self, slot: Inbound, side: SendSide) -> int:
        qp, packet, request, at = slot.qp, slot.packet, side.alone, side.alone_at
        if request is None or not side.alone_out or (packet.opcode == PktOp.READ_RESP) == request.atomic:
            return DROP
        ahead = psn_ahead(packet.psn, at.psn)
        if not ahead and at.psn != side.top_psn:
            return self._expected(slot, side, request)
        if ahead > 0 and psn_ahead(packet.psn, side.top_psn) < 0 and not side.gap:  # answers are missing: ask again
            side.acknowledged(at)
            side.again(qp.retry_cnt)
            side.gap = True
            self._went_back(qp)
        return DROP

    def _expected(self, slot: Inbound, side: SendSide, request: WorkRequest) -> int:
        qp, packet, at = slot.qp, slot.packet, side.alone_at
        rest = request.length - at.off * qp.mtu
        length = 0 if request.atomic else min(rest, qp.mtu)
        fits = packet.length == length and packet.msn & INDEX_MASK == at.idx
        if slot.no_wqe or not fits or not (request.atomic or (packet.offset == at.off and packet.last == (rest <= qp.mtu))):
            self._count[Counter.BAD_PACKET] += 1
            return DROP
        side.acknowledged(at)  # whatever was before has been carried out
        bad = slot.failed
        if slot.too_long:
            side.fail(at.idx, WcStatus.LOC_LEN_ERR, 0)
        elif slot.bad_sge:
            side.fail(at.idx, WcStatus.LOC_QP_OP_ERR, 0)
        elif bad is not None and bad.result in CAUSE:
            side.back()
            side.parked = True
            self._report(qp, bad, (ATOMIC_BYTES if request.atomic else packet.length) - bad.offset, at.idx)
        elif bad is not None:
            side.fail(at.idx, _local_status(bad.result), bad.result)
        else:
            side.alone_at = Place(at.idx, at.off + 1, (at.psn + 1) & PSN_MASK, at.ssn)
            side.acknowledged(side.alone_at)
            return TAKE
        return DROP

    def landed(self, slot: Inbound, *, ok: bool) -> None:
        """The payload of an answer is in memory."""
        qp, packet, side = slot.qp, slot.packet, slot.qp.send
        if slot.sides[FaultDir.REQUESTER] is not side or qp.state not in HEARS or side.alone is None or side.fails is not None:
            return
        if not ok:
            side.fail(side.alone_at.idx, WcStatus.LOC_QP_OP_ERR, XltResult.BAD_TABLE)
        elif side.alone.atomic or packet.last:
            self._node.at(self._node.now + HCA_CLOSE, self._answered, qp, side)
            return
        self.settle(qp)

    def _answered(self, qp: QueuePair, side: SendSide) -> None:
        """All of a READ's or atomic's answer is in memory."""
        if qp.send is side and qp.state in HEARS and side.alone is not None and side.fails is None:
            side.una = side.una._replace(idx=(side.alone_at.idx + 1) & INDEX_MASK, off=0)
            self.settle(qp)

    # ---- timers --------------------------------------------------------------------------------------------------------

    def _late(self, qp: QueuePair, side: SendSide) -> None:
        """An acknowledgement may be late."""
        if qp.send is not side:
            return
        side.ack_timer = False
        idle = side.progress or side.parked or side.waits == Wait.RNR_DELAY
        if side.outstanding and qp.state in HEARS and not idle:
            self._count[Counter.TIMEOUTS] += 1
            side.again(qp.retry_cnt)
            side.probe = True
            self._went_back(qp)
        self.settle(qp)

    def _rnr_over(self, qp: QueuePair, side: SendSide) -> None:
        if qp.send is not side:
            return
        side.rnr_timer = False
        if side.waits == Wait.RNR_DELAY:
            side.waits = Wait.NOTHING
            side.probe = True
            self._went_back(qp)
        self.settle(qp)
