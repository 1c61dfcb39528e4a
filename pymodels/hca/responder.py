"""Receive sides: verdicts on requests, and what is answered.

Promises: docs/hca.md section 4, "Receive side", and its fault policies. A NAK leaves when what was taken before is in memory, so
  that its message and offset are those of its PSN; one acknowledgement covers all that landed before it left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwif.gen.hca import (
    MAX_MESSAGE,
    NUM_QP,
    AsyncType,
    Counter,
    FaultDir,
    FaultPolicy,
    NakSyndrome,
    Need,
    PktOp,
    QpState,
    WcOpcode,
    WcStatus,
    XltResult,
)
from pymodels.hca.completion import Completion
from pymodels.hca.faults import CAUSE, FaultReport
from pymodels.hca.packets import ATOMICS, PSN_MASK, Packet, psn_ahead
from pymodels.hca.queue_pair import ATOMIC_BYTES, QueuePair, ReadJob, cut
from pymodels.hca.receive import DROP, HOLD, TAKE, Inbound
from pymodels.hca.translation import WRITES, Segment
from pymodels.hca.transmit import Outbound

if TYPE_CHECKING:
    from pymodels.hca.node import Node

__all__ = ["Responder"]

MSN_MASK = (1 << 24) - 1
Position = tuple[int, int, int]
"""PSN, message, packets of it before."""
_RECEIVES = frozenset((int(QpState.RTR), int(QpState.RTS), int(QpState.SQD)))
_MINOR = frozenset((int(NakSyndrome.RNR), int(NakSyndrome.PSN), int(NakSyndrome.SUSPEND), int(NakSyndrome.RESTART)))


class Responder:
    """The receive sides of an adapter."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def rung(self, qpn: int, producer: int) -> None:
        """RQ_DOORBELL was written."""
        if qpn < NUM_QP:
            self._node.queue_pair(qpn).rq_prod = producer

    def _owe(self, qp: QueuePair) -> None:
        self._node.transmit.want(qp, FaultDir.RESPONDER)

    # ---- verdicts ------------------------------------------------------------------------------------------------------

    def judge(self, slot: Inbound) -> int:
        """What becomes of a request."""
        qp, packet = slot.qp, slot.packet
        if qp.state not in _RECEIVES:
            self._node.count[Counter.BAD_PACKET] += 1
            return DROP
        ahead = psn_ahead(packet.psn, qp.epsn)
        if ahead > 0:
            self._node.count[Counter.OUT_OF_SEQUENCE] += 1
            if not qp.nak_stands:
                self._nak(qp, NakSyndrome.PSN)
            return DROP
        if ahead < 0:
            return self._duplicate(qp, packet)
        qp.nak_stands = False
        if not self._possible(qp, packet):
            return self._stop(qp, NakSyndrome.INV_REQ, AsyncType.QP_REQ_ERR)
        if packet.opcode == PktOp.SEND:
            refused = self._receive_request(slot)
            if refused is not None:
                return refused
        bad = slot.failed
        if bad is not None:
            return self._untranslated(slot, bad)
        return self._take(qp, packet)

    @staticmethod
    def _possible(qp: QueuePair, packet: Packet) -> bool:
        """The operation is allowed and well formed."""
        opcode = packet.opcode
        if packet.length > qp.mtu:
            return False
        if opcode == PktOp.WRITE:
            return qp.allow_write and packet.rest >= packet.length
        if opcode == PktOp.READ_REQ:
            return qp.allow_read and not packet.length and packet.rest <= MAX_MESSAGE
        if opcode in ATOMICS:
            return qp.allow_atomic and packet.rest == ATOMIC_BYTES and not packet.va % ATOMIC_BYTES and not packet.length
        return True

    def _receive_request(self, slot: Inbound) -> int | None:
        """What is wrong with a SEND's receive work request; None: nothing."""
        qp = slot.qp
        if slot.no_wqe:
            self._nak(qp, NakSyndrome.RNR)
            return DROP
        if slot.bad_sge:
            self._receive_failed(slot, WcStatus.LOC_PROT_ERR, 0)
            return self._stop(qp, NakSyndrome.REM_OP, AsyncType.QP_ACCESS_ERR)
        if slot.too_long:
            self._receive_failed(slot, WcStatus.LOC_LEN_ERR, 0)
            return self._stop(qp, NakSyndrome.INV_REQ, AsyncType.QP_REQ_ERR)
        return None

    def _untranslated(self, slot: Inbound, bad: Segment) -> int:
        qp, packet = slot.qp, slot.packet
        if bad.result not in CAUSE:
            if packet.opcode == PktOp.SEND:
                self._receive_failed(slot, WcStatus.LOC_PROT_ERR, bad.result)
                return self._stop(qp, NakSyndrome.REM_OP, AsyncType.QP_ACCESS_ERR)
            syndrome = NakSyndrome.REM_OP if bad.result == XltResult.BAD_TABLE else NakSyndrome.REM_ACCESS
            return self._stop(qp, syndrome, AsyncType.QP_ACCESS_ERR)
        size = ATOMIC_BYTES if packet.opcode in ATOMICS else packet.length
        sends = packet.opcode == PktOp.SEND
        self._fault(qp, bad, size, rdma=not sends, index=packet.ssn if sends else 0)
        if qp.policy == FaultPolicy.STALL:
            return HOLD
        if qp.policy == FaultPolicy.DISCARD:
            self._nak(qp, NakSyndrome.RNR)
        else:
            qp.suspended.append(None)
            self._nak(qp, NakSyndrome.SUSPEND)
        return DROP

    def _fault(self, qp: QueuePair, bad: Segment, size: int, *, rdma: bool, index: int) -> None:
        qp.rx_faulted = True
        self._node.faults.report(
            FaultReport(
                qp.number,
                FaultDir.RESPONDER,
                WRITES[bad.need],
                rdma=rdma,
                cause=CAUSE[bad.result],
                key=bad.key,
                va=bad.va,
                length=bad.rest,
                packet_length=size - bad.offset,
                wqe_index=index,
            )
        )

    def _take(self, qp: QueuePair, packet: Packet) -> int:
        if qp.nak_owed is not None and qp.nak_owed[1] is None:
            qp.nak_owed = None  # it asked for this packet
        if packet.opcode == PktOp.READ_REQ:
            packets = max(1, -(-packet.rest // qp.mtu))
            qp.epsn = (qp.epsn + packets) & PSN_MASK
            qp.landed_psn = (qp.epsn - 1) & PSN_MASK
            qp.msn, qp.moffset = (qp.msn + 1) & MSN_MASK, 0
            self._read(qp, packet)
            return DROP
        qp.epsn = (qp.epsn + 1) & PSN_MASK
        qp.landing += 1
        return TAKE

    def _read(self, qp: QueuePair, packet: Packet) -> None:
        qp.reads.clear()  # a queue pair has one READ under way: what is asked again replaces what was asked
        qp.reads.append(ReadJob(packet.psn, packet.msn, packet.offset, packet.va, packet.rest, packet.rkey))
        self._owe(qp)

    def _duplicate(self, qp: QueuePair, packet: Packet) -> int:
        self._node.count[Counter.DUPLICATE] += 1
        if packet.opcode == PktOp.READ_REQ:
            if self._possible(qp, packet):
                self._read(qp, packet)
        elif packet.opcode in ATOMICS:
            if qp.last_atomic is not None and qp.last_atomic[0] == packet.psn:
                qp.atomic_owed.append((packet.psn, packet.msn, qp.last_atomic[1]))
                self._owe(qp)
        else:
            qp.ack_owed = True
            self._owe(qp)
        return DROP

    # ---- errors --------------------------------------------------------------------------------------------------------

    def _nak(self, qp: QueuePair, syndrome: NakSyndrome, position: Position | None = None) -> None:
        if syndrome in _MINOR and syndrome != NakSyndrome.RESTART and position is None:
            qp.nak_stands = True
        qp.nak_owed = (int(syndrome), position)
        self._owe(qp)

    def _stop(self, qp: QueuePair, syndrome: NakSyndrome, event: AsyncType) -> int:
        self._node.stop_qp(qp, event)
        self._nak(qp, syndrome)
        return DROP

    def _receive_failed(self, slot: Inbound, status: WcStatus, syndrome: int) -> None:
        qp = slot.qp
        self._node.completion.add(
            qp.recv_cqn, Completion(qp.number, status, WcOpcode.RECV, slot.packet.ssn, 0, syndrome, recv=True)
        )

    def failed(self, out: Outbound, bad: Segment) -> None:
        """The source of a READ's answer is not there."""
        qp, packet = out.qp, out.packet
        if qp.state not in _RECEIVES:
            return
        qp.reads.clear()
        if bad.result not in CAUSE:
            syndrome = NakSyndrome.REM_OP if bad.result == XltResult.BAD_TABLE else NakSyndrome.REM_ACCESS
            self._stop(qp, syndrome, AsyncType.QP_ACCESS_ERR)
            return
        self._fault(qp, bad, packet.length, rdma=True, index=0)
        position = (packet.psn, packet.msn, packet.offset)
        if qp.policy == FaultPolicy.DISCARD:
            self._nak(qp, NakSyndrome.RNR, position)
        else:
            qp.suspended.append(position)
            self._nak(qp, NakSyndrome.SUSPEND, position)

    def resumed(self, qpn: int, *, error: bool) -> None:
        """RESUME of the receive side's fault."""
        qp = self._node.queue_pair(qpn)
        if qp.state not in _RECEIVES or not qp.rx_faulted:
            return
        qp.rx_faulted = False
        suspended, qp.suspended = qp.suspended, []
        if error:
            self._stop(qp, NakSyndrome.REM_OP, AsyncType.QP_ACCESS_ERR)
            return
        if suspended:
            qp.nak_stands = False
            self._nak(qp, NakSyndrome.RESTART, suspended[-1])
        self._node.receive.again(qp)

    # ---- landing -------------------------------------------------------------------------------------------------------

    def landed(self, slot: Inbound, old: int, *, ok: bool) -> None:
        """A taken packet's payload is in memory, or its atomic done."""
        qp, packet = slot.qp, slot.packet
        if slot.life[FaultDir.RESPONDER] != qp.life[FaultDir.RESPONDER]:
            return
        qp.landing -= 1
        if not ok:
            if qp.state in _RECEIVES:
                if packet.opcode == PktOp.SEND:
                    self._receive_failed(slot, WcStatus.LOC_PROT_ERR, XltResult.BAD_TABLE)
                self._stop(qp, NakSyndrome.REM_OP, AsyncType.QP_ACCESS_ERR)
            return
        if qp.state not in _RECEIVES and qp.nak_owed is None:
            return
        # Also when a later packet has stopped the queue pair: the NAK that says so counts what landed before it.
        qp.landed_psn = packet.psn
        if packet.opcode in ATOMICS:
            qp.last_atomic = (packet.psn, old)
            qp.atomic_owed.append((packet.psn, packet.msn, old))
        elif packet.last and packet.opcode == PktOp.SEND:
            size = packet.offset * qp.mtu + packet.length
            self._node.completion.add(
                qp.recv_cqn, Completion(qp.number, WcStatus.SUCCESS, WcOpcode.RECV, packet.ssn, size, 0, recv=True)
            )
        if packet.last:
            qp.msn, qp.moffset = (qp.msn + 1) & MSN_MASK, 0
        else:
            qp.moffset = packet.offset + 1
        if packet.ack_req and packet.opcode not in ATOMICS:
            qp.ack_owed = True
        if qp.ack_owed or qp.atomic_owed or qp.nak_owed is not None or qp.reads:
            self._owe(qp)

    # ---- answers -------------------------------------------------------------------------------------------------------

    def next_packet(self, qp: QueuePair) -> Outbound | None:
        """The next answer the receive side owes, if it can be given."""
        if qp.nak_owed is not None:
            if qp.landing:
                return None
            (syndrome, position), qp.nak_owed = qp.nak_owed, None
            qp.ack_owed = False  # a NAK says as much
            psn, msn, offset = position or (qp.epsn, qp.msn, qp.moffset)
            self._node.count[Counter.RNR_NAK_SENT if syndrome == NakSyndrome.RNR else Counter.NAK_SENT] += 1
            return self._small(qp, PktOp.NAK, psn, msn, offset=offset, syndrome=syndrome)
        if qp.state not in _RECEIVES:
            return None
        if qp.ack_owed:
            qp.ack_owed = False
            return self._small(qp, PktOp.ACK, qp.landed_psn, qp.msn, offset=qp.moffset)
        if qp.atomic_owed:
            psn, msn, old = qp.atomic_owed.popleft()
            return self._small(qp, PktOp.ATOMIC_RESP, psn, msn, operand=old)
        if qp.reads and not qp.landing:
            return self._answer(qp, qp.reads[0])
        return None

    @staticmethod
    def _small(
        qp: QueuePair, opcode: PktOp, psn: int, msn: int, *, offset: int = 0, syndrome: int = 0, operand: int = 0
    ) -> Outbound:
        packet = Packet(opcode, qp.dest, qp.number, psn, msn, offset=offset, syndrome=syndrome, operand=operand)
        return Outbound(packet, qp, FaultDir.RESPONDER, [])

    def _answer(self, qp: QueuePair, job: ReadJob) -> Outbound:
        """The next packet of a READ's answer."""
        length = min(job.rest, qp.mtu)
        packet = Packet(
            PktOp.READ_RESP,
            qp.dest,
            qp.number,
            job.psn,
            job.msn,
            first=job.offset == 0,
            last=job.rest <= qp.mtu,
            length=length,
            rest=job.rest,
            offset=job.offset,
        )
        segments = cut([(job.va, job.rest, job.key)], 0, length, job.rest, Need.REMOTE_READ, qp.number, qp.pd) if length else []
        job.psn, job.offset = (job.psn + 1) & PSN_MASK, job.offset + 1
        job.va, job.rest = job.va + length, job.rest - length
        if not job.rest:
            qp.reads.popleft()
        return Outbound(packet, qp, FaultDir.RESPONDER, segments)
