"""Send sides: work requests into packets, acknowledgements into completions, retries.

Promises: docs/hca.md section 4, "Send side": work requests are issued and completed in order, READs and atomics alone; what is not
  acknowledged goes again from where the other end, or the timer, says.
Costs: an event a batch of work requests fetched, one a timer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwif.gen.hca import (
    ENTRY_BYTES,
    MAX_UNACKED,
    NUM_QP,
    AsyncType,
    Counter,
    FaultDir,
    NakSyndrome,
    Need,
    PktOp,
    QpState,
    WcStatus,
    WrOpcode,
    XltResult,
)
from pymodels.hca.completion import Completion
from pymodels.hca.faults import CAUSE, FaultReport
from pymodels.hca.lines import parse
from pymodels.hca.packets import PSN_MASK, Packet, psn_ahead
from pymodels.hca.queue_pair import ATOMIC_BYTES, INDEX_MASK, QueuePair, Wait, WorkRequest, cut
from pymodels.hca.receive import DROP, TAKE, Inbound
from pymodels.hca.translation import WRITES, Segment
from pymodels.hca.transmit import Outbound

if TYPE_CHECKING:
    from pymodels.hca.node import Node

__all__ = ["Requester"]

BATCH = 16
"""Work requests fetched at a time."""
ACK_EVERY = 16
FOR_EVER = 7
"""rnr_retry and retry_cnt without a limit."""
_PACKET = {
    int(WrOpcode.RDMA_WRITE): PktOp.WRITE,
    int(WrOpcode.SEND): PktOp.SEND,
    int(WrOpcode.RDMA_READ): PktOp.READ_REQ,
    int(WrOpcode.ATOMIC_CMP_AND_SWP): PktOp.CMP_SWAP,
    int(WrOpcode.ATOMIC_FETCH_AND_ADD): PktOp.FETCH_ADD,
}
_FATAL = {
    int(NakSyndrome.INV_REQ): WcStatus.REM_INV_REQ_ERR,
    int(NakSyndrome.REM_ACCESS): WcStatus.REM_ACCESS_ERR,
    int(NakSyndrome.REM_OP): WcStatus.REM_OP_ERR,
}
_SENDS = frozenset((int(QpState.RTS), int(QpState.SQD)))


class Requester:
    """The send sides of an adapter."""

    def __init__(self, node: Node) -> None:
        self._node = node

    # ---- work requests -------------------------------------------------------------------------------------------------

    def rung(self, qpn: int, producer: int) -> None:
        """SQ_DOORBELL was written."""
        if qpn < NUM_QP:
            qp = self._node.queue_pair(qpn)
            qp.sq_prod = producer
            self.go_on(qp)

    def go_on(self, qp: QueuePair) -> None:
        """The send side may have something to send."""
        self._node.transmit.want(qp, FaultDir.REQUESTER)

    def _fetch(self, qp: QueuePair) -> None:
        """Fetch the next work requests, if they are not on their way."""
        if qp.fetching:
            return
        count = min(BATCH, (qp.sq_prod - qp.sq_fetched) & INDEX_MASK)
        if not count:
            return
        qp.fetching = True
        qp.busy += 1
        first, life = qp.sq_fetched, qp.life[FaultDir.REQUESTER]
        indices = [(first + number) & INDEX_MASK for number in range(count)]

        def came(lines: list[bytes | None]) -> None:
            qp.leave()
            if life != qp.life[FaultDir.REQUESTER]:
                return
            qp.fetching = False
            for index, data in zip(indices, lines, strict=True):
                qp.requests[index] = WorkRequest(index, None if data is None else parse(data), qp.mtu)
            qp.sq_fetched = (first + count) & INDEX_MASK
            self.go_on(qp)

        self._node.memory.fetch_lines([qp.sq_base + (index & qp.sq_mask) * ENTRY_BYTES for index in indices], ENTRY_BYTES, came)

    def next_packet(self, qp: QueuePair) -> Outbound | None:
        """The send side's next packet, if it may send one."""
        if qp.state != QpState.RTS or qp.parked or qp.wait or qp.reading is not None or qp.sq_next == qp.sq_prod:
            return None
        request = qp.requests.get(qp.sq_next)
        if (qp.sq_fetched - qp.sq_next) & INDEX_MASK <= BATCH // 2:
            self._fetch(qp)
        if request is None:
            return None
        if request.error is not None:
            if qp.sq_next == qp.sq_done:
                self._fail(qp, request, *request.error)
            return None
        if (qp.sq_next - qp.sq_done) & INDEX_MASK >= MAX_UNACKED:
            return None
        if request.psn is None:
            request.psn, request.ssn = qp.next_psn, qp.ssn
            qp.ssn = (qp.ssn + (request.opcode == WrOpcode.SEND)) & INDEX_MASK
        return self._alone(qp, request, request.psn) if request.alone else self._piece(qp, request, request.psn)

    def _piece(self, qp: QueuePair, request: WorkRequest, first: int) -> Outbound:
        """The next packet of a SEND or WRITE."""
        number = qp.sq_offset
        start = number * qp.mtu
        length = min(qp.mtu, request.length - start)
        psn = (first + number) & PSN_MASK
        last = number + 1 == request.packets
        following = (request.index + 1) & INDEX_MASK
        packet = Packet(
            _PACKET[request.opcode],
            qp.dest,
            qp.number,
            psn,
            request.index,
            first=number == 0,
            last=last,
            ack_req=psn % ACK_EVERY == ACK_EVERY - 1 or (last and (following == qp.sq_prod or qp.force_ack)),
            length=length,
            rest=request.length - start,
            offset=number,
        )
        if request.opcode == WrOpcode.SEND:
            packet.ssn = request.ssn
        else:
            packet.va, packet.rkey = (request.remote + start) & (1 << 64) - 1, request.rkey
        segments = cut(request.elements, start, length, packet.rest, Need.LOCAL_READ, qp.number, qp.pd) if length else []
        if last:
            qp.sq_next, qp.sq_offset = following, 0
        else:
            qp.sq_offset += 1
        self._issued(qp, psn + 1)
        return Outbound(packet, qp, FaultDir.REQUESTER, segments, request.index)

    def _alone(self, qp: QueuePair, request: WorkRequest, first: int) -> Outbound:
        """A READ, from where it stands, or an atomic."""
        start = qp.sq_offset * qp.mtu
        atomic = request.opcode != WrOpcode.RDMA_READ
        packet = Packet(
            _PACKET[request.opcode],
            qp.dest,
            qp.number,
            (first + qp.sq_offset) & PSN_MASK,
            request.index,
            ack_req=True,
            va=(request.remote + start) & (1 << 64) - 1,
            rkey=request.rkey,
            rest=request.length - start,
            offset=qp.sq_offset,
            operand=request.operand if atomic else 0,
            swap=request.swap if atomic else 0,
        )
        qp.reading = request
        qp.sq_next, qp.sq_offset = (request.index + 1) & INDEX_MASK, 0
        self._issued(qp, first + request.packets)
        return Outbound(packet, qp, FaultDir.REQUESTER, [], request.index)

    def _issued(self, qp: QueuePair, following: int) -> None:
        if psn_ahead(following, qp.next_psn) > 0:
            qp.next_psn = following & PSN_MASK
        if not qp.deadline:
            self._start_timer(qp)

    # ---- completions ---------------------------------------------------------------------------------------------------

    def _complete(self, qp: QueuePair, request: WorkRequest) -> None:
        """The oldest unfinished work request succeeded."""
        del qp.requests[request.index]
        qp.sq_done, qp.done_offset = (request.index + 1) & INDEX_MASK, 0
        if request.signaled:
            size = request.length if request.alone else 0
            self._node.completion.add(
                qp.send_cqn, Completion(qp.number, WcStatus.SUCCESS, request.completes_as, request.index, size, 0, recv=False)
            )

    def _complete_to(self, qp: QueuePair, index: int) -> None:
        """All before `index` are done; a READ or atomic only by its answer."""
        while qp.sq_done != index:
            request = qp.requests.get(qp.sq_done)
            if request is None or request.psn is None or request is qp.reading:
                return
            self._complete(qp, request)

    def _fail(self, qp: QueuePair, request: WorkRequest, status: WcStatus, syndrome: int) -> None:
        """The oldest unfinished work request failed: the queue pair stops."""
        qp.requests.pop(request.index, None)
        qp.sq_done, qp.done_offset = (request.index + 1) & INDEX_MASK, 0
        self._node.completion.add(
            qp.send_cqn, Completion(qp.number, status, request.completes_as, request.index, 0, syndrome, recv=False)
        )
        self._node.stop_qp(qp, AsyncType.QP_FATAL)

    def _fail_oldest(self, qp: QueuePair, status: WcStatus, syndrome: int) -> None:
        request = qp.requests.get(qp.sq_done)
        if request is not None:
            self._fail(qp, request, status, syndrome)

    def _refuse(self, qp: QueuePair, index: int, result: int) -> None:
        """A work request's own address is bad: it fails when its turn comes."""
        request = qp.requests.get(index)
        if request is None:
            return
        status = WcStatus.LOC_QP_OP_ERR if result == XltResult.BAD_TABLE else WcStatus.LOC_PROT_ERR
        request.error = (status, result)
        qp.force_ack = True
        self.go_on(qp)

    # ---- faults --------------------------------------------------------------------------------------------------------

    def failed(self, out: Outbound, bad: Segment) -> None:
        """A packet could not be sent; it and those after it are not on the wire."""
        qp, packet = out.qp, out.packet
        if qp.state != QpState.RTS:
            return
        self._stand_at(qp, out.wqe_index, packet.offset)
        qp.next_psn = packet.psn
        cause = CAUSE.get(bad.result)
        if cause is None:
            self._refuse(qp, out.wqe_index, bad.result)
            return
        self._park(qp, bad, packet, out.wqe_index)

    def _park(self, qp: QueuePair, bad: Segment, packet: Packet, index: int) -> None:
        qp.parked = True
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
                packet_length=max(packet.length, ATOMIC_BYTES if packet.opcode == PktOp.ATOMIC_RESP else 0) - bad.offset,
                wqe_index=index,
            )
        )

    def resumed(self, qpn: int, *, error: bool) -> None:
        """RESUME of the send side's fault."""
        qp = self._node.queue_pair(qpn)
        if qp.state != QpState.RTS or not qp.parked:
            return
        qp.parked = False
        if error:
            request = qp.requests.get(qp.sq_next)
            if request is not None:
                request.error = (WcStatus.LOC_PROT_ERR, 0)
        self._start_timer(qp)
        self.go_on(qp)

    # ---- what the other end says ---------------------------------------------------------------------------------------

    def judge(self, slot: Inbound) -> int:
        """An acknowledgement or answer came."""
        qp, packet = slot.qp, slot.packet
        if qp.state not in _SENDS:
            self._node.count[Counter.BAD_PACKET] += 1
            return DROP
        if packet.opcode == PktOp.ACK:
            self._acknowledged(qp, packet, packet.psn + 1)
            self.go_on(qp)
        elif packet.opcode == PktOp.NAK:
            self._refused(qp, packet)
        else:
            return self._answer(slot)
        return DROP

    def _acknowledged(self, qp: QueuePair, packet: Packet, following: int) -> bool:
        """The other end has all before `following`. False when that is no news and no repetition of the last."""
        if psn_ahead(following, qp.una_psn) < 0 or psn_ahead(following, qp.next_psn) > 0:
            return False
        oldest = qp.requests.get(qp.sq_done)
        if oldest is not None and oldest.alone and oldest.psn is not None:  # only its answer says how far it is
            following = min(following - qp.una_psn & PSN_MASK, oldest.psn + oldest.taken - qp.una_psn & PSN_MASK) + qp.una_psn
        index = packet.msn & INDEX_MASK
        moved = psn_ahead(following, qp.una_psn) > 0
        if moved:
            self._progress(qp, following)
        self._complete_to(qp, index)
        if qp.sq_done == index:
            qp.done_offset = packet.offset
        if moved and qp.wait == Wait.RESTART:  # its RESTART was lost, and a later try came through
            qp.wait = Wait.NOTHING
            self._go_back(qp, index, packet.offset)
        return True

    def _progress(self, qp: QueuePair, following: int) -> None:
        qp.una_psn = following & PSN_MASK
        qp.rnr_used = qp.retries_used = 0
        qp.force_ack = False
        self._start_timer(qp)

    def _refused(self, qp: QueuePair, packet: Packet) -> None:
        syndrome = packet.syndrome
        if not self._acknowledged(qp, packet, packet.psn):
            return
        index = packet.msn & INDEX_MASK
        if syndrome in _FATAL:
            self._fail_oldest(qp, _FATAL[syndrome], syndrome)
        elif packet.psn == qp.next_psn:
            return  # nothing is left that it could be about
        elif syndrome == NakSyndrome.PSN:
            self._try_again(qp, index, packet.offset, syndrome)
        elif syndrome == NakSyndrome.RNR:
            if qp.wait == Wait.RNR_DELAY:
                return
            if qp.rnr_retry != FOR_EVER and qp.rnr_used >= qp.rnr_retry:
                self._fail_oldest(qp, WcStatus.RNR_RETRY_EXC_ERR, syndrome)
                return
            qp.rnr_used += 1
            self._wait(qp, Wait.RNR_DELAY, index, packet.offset)
            self._node.at(self._node.now + self._node.registers.rnr_delay, self._rnr_over, qp, qp.life[FaultDir.REQUESTER])
        elif syndrome == NakSyndrome.SUSPEND:
            qp.retries_used = 0  # the other end is alive
            self._wait(qp, Wait.RESTART, index, packet.offset)
        elif syndrome == NakSyndrome.RESTART:
            qp.wait = Wait.NOTHING
            self._go_back(qp, index, packet.offset)

    def _wait(self, qp: QueuePair, what: Wait, index: int, offset: int) -> None:
        qp.wait = what
        qp.back_to = (index, offset)
        qp.deadline = 0
        self._node.transmit.flush(qp, FaultDir.REQUESTER)
        if what == Wait.RESTART:
            self._start_timer(qp)

    def _rnr_over(self, qp: QueuePair, life: int) -> None:
        if life == qp.life[FaultDir.REQUESTER] and qp.wait == Wait.RNR_DELAY and qp.state in _SENDS:
            qp.wait = Wait.NOTHING
            self._go_back(qp, *qp.back_to)

    def _try_again(self, qp: QueuePair, index: int, offset: int, syndrome: int) -> None:
        """Go back, unless that was done too often without progress."""
        if qp.retry_cnt != FOR_EVER and qp.retries_used >= qp.retry_cnt:
            self._fail_oldest(qp, WcStatus.RETRY_EXC_ERR, syndrome)
            return
        qp.retries_used += 1
        qp.wait = Wait.NOTHING
        self._go_back(qp, index, offset)

    def _go_back(self, qp: QueuePair, index: int, offset: int) -> None:
        """Send again from packet `offset` of message `index`; a READ from what is missing."""
        if qp.parked or (qp.reading is not None and qp.reading.taken == qp.reading.packets):
            return  # it goes on when the fault is answered, or is over when the last payload is in memory
        self._node.count[Counter.RETRANSMIT] += 1
        self._node.transmit.flush(qp, FaultDir.REQUESTER)
        if qp.reading is not None:
            index = qp.reading.index
        if (index - qp.sq_done) & INDEX_MASK <= (qp.sq_next - qp.sq_done) & INDEX_MASK:
            self._stand_at(qp, index, offset)
        self._start_timer(qp)
        self.go_on(qp)

    @staticmethod
    def _stand_at(qp: QueuePair, index: int, offset: int) -> None:
        """Packet `offset` of message `index` is next; of a READ what has not come, whatever the other end thinks."""
        qp.reading = None
        request = qp.requests.get(index)
        if request is not None and request.alone:
            offset = request.taken
        qp.sq_next, qp.sq_offset = index, offset

    # ---- answers of READs and atomics ----------------------------------------------------------------------------------

    def _answer(self, slot: Inbound) -> int:
        qp, packet = slot.qp, slot.packet
        request = qp.reading
        if slot.no_wqe or request is None or request.psn is None or packet.msn & INDEX_MASK != request.index:
            return DROP
        if (packet.opcode == PktOp.READ_RESP) != (request.opcode == WrOpcode.RDMA_READ):
            return DROP
        ahead = psn_ahead(packet.psn, request.psn + request.taken)
        if ahead:
            if ahead > 0 and not qp.asked_again:  # one was lost
                qp.asked_again = True
                self._try_again(qp, request.index, request.taken, NakSyndrome.PSN)
            return DROP
        qp.asked_again = False
        bad = slot.failed
        if slot.bad_sge or slot.too_long:
            self._stand_at(qp, request.index, request.taken)
            self._complete_to(qp, request.index)
            self._fail(qp, request, WcStatus.LOC_QP_OP_ERR if slot.bad_sge else WcStatus.LOC_LEN_ERR, 0)
            return DROP
        if bad is not None:
            self._stand_at(qp, request.index, request.taken)
            if bad.result in CAUSE:
                self._park(qp, bad, packet, request.index)
            else:
                self._complete_to(qp, request.index)
                self._refuse(qp, request.index, bad.result)
            return DROP
        request.taken += 1
        qp.wait = Wait.NOTHING  # whatever the other end said before, it answers
        self._progress(qp, packet.psn + 1)
        return TAKE

    def landed(self, slot: Inbound, *, ok: bool) -> None:
        """The payload of an answer is in memory."""
        qp, packet = slot.qp, slot.packet
        index = packet.msn & INDEX_MASK
        request = qp.requests.get(index)
        if slot.life[FaultDir.REQUESTER] != qp.life[FaultDir.REQUESTER] or qp.state not in _SENDS or request is None:
            return
        if not ok:
            self._stand_at(qp, index, packet.offset)
            self._complete_to(qp, index)
            self._refuse(qp, index, XltResult.BAD_TABLE)
            return
        if packet.offset + 1 == request.packets:
            qp.reading = None
            self._complete_to(qp, (index + 1) & INDEX_MASK)
            self._start_timer(qp)
            self.go_on(qp)

    # ---- the timer -----------------------------------------------------------------------------------------------------

    def _start_timer(self, qp: QueuePair) -> None:
        """The wait for an acknowledgement begins anew, if one is due."""
        timeout = self._node.registers.ack_timeout
        if not timeout or qp.una_psn == qp.next_psn:
            qp.deadline = 0
            return
        qp.deadline = self._node.now + timeout
        if not qp.timer_set:
            qp.timer_set = True
            self._node.at(qp.deadline, self._late, qp, qp.life[FaultDir.REQUESTER])

    def _late(self, qp: QueuePair, life: int) -> None:
        if life != qp.life[FaultDir.REQUESTER]:
            return
        qp.timer_set = False
        if not qp.deadline or qp.state not in _SENDS:
            return
        if self._node.now < qp.deadline:
            qp.timer_set = True
            self._node.at(qp.deadline, self._late, qp, life)
        elif qp.parked:
            self._start_timer(qp)  # it waits for its own fault, not for the other end
        else:
            self._node.count[Counter.TIMEOUTS] += 1
            qp.force_ack = True
            qp.asked_again = False
            self._try_again(qp, qp.sq_done, qp.done_offset, NakSyndrome.NONE)
