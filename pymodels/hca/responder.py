"""Receive sides: verdicts on requests, and what is answered.

Promises: docs/hca.md section 4, "Receive side", and its fault policies. A NAK, or a receive's error completion, leaves when what
  was taken before is in memory, so that its message and offset are those of its PSN; one acknowledgement covers all that landed
  before it left. Queue pairs that owe something take turns, an answer each.
"""

from __future__ import annotations

from collections import deque
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
    WcOpcode,
    WcStatus,
    XltResult,
)
from hwif.gen.timing import HCA_ANSWER, HCA_RESUME
from pymodels.hca.completion import Completion
from pymodels.hca.faults import CAUSE, FaultReport
from pymodels.hca.packets import ATOMICS, PSN_MASK, Packet, psn_ahead
from pymodels.hca.receive import DROP, HOLD, TAKE, Inbound
from pymodels.hca.receive_side import RECEIVES, ReadJob, ReceiveSide
from pymodels.hca.translation import OK, WRITES, Segment
from pymodels.hca.transmit import Outbound
from pymodels.hca.work import ATOMIC_BYTES, cut, packets_of

if TYPE_CHECKING:
    from pymodels.hca.node import Node
    from pymodels.hca.queue_pair import QueuePair

__all__ = ["Responder"]

MSN_MASK = (1 << 24) - 1


class Responder:
    """The receive sides of an adapter."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._list: deque[QueuePair] = deque()
        """Queue pairs that owe something."""

    def rung(self, qpn: int, producer: int) -> None:
        """RQ_DOORBELL was written."""
        if qpn < NUM_QP:
            self._node.queue_pair(qpn).recv.prod = producer

    def settle(self, qp: QueuePair) -> None:
        """After a change: does the side owe something?"""
        side = qp.recv
        if not side.listed and side.owes(qp.state):
            side.listed = True
            self._node.at(self._node.now + HCA_ANSWER, self._turn, qp, side)

    def _turn(self, qp: QueuePair, side: ReceiveSide) -> None:
        """It stands in the line of those that owe something."""
        if qp.recv is side:
            self._list.append(qp)
            self._node.transmit.wake()

    # ---- verdicts ------------------------------------------------------------------------------------------------------

    def judge(self, slot: Inbound) -> int:
        """What becomes of a request."""
        qp, packet, side = slot.qp, slot.packet, slot.qp.recv
        count = self._node.count
        verdict = DROP
        ahead = psn_ahead(packet.psn, side.epsn)
        if qp.state not in RECEIVES or packet.src_qpn != qp.dest:
            count[Counter.BAD_PACKET] += 1
        elif ahead > 0:
            count[Counter.OUT_OF_SEQUENCE] += 1
            if not side.quiet:
                side.nak, side.quiet = NakSyndrome.PSN, True
        elif ahead < 0:
            count[Counter.DUPLICATE] += 1
            verdict = self._duplicate(qp, side, packet)
        elif not self._possible(qp, side, packet):
            self._stop(qp, NakSyndrome.INV_REQ, AsyncType.QP_REQ_ERR)
        else:
            verdict = self._expected(slot, side)
        self.settle(qp)
        return verdict

    @staticmethod
    def _possible(qp: QueuePair, side: ReceiveSide, packet: Packet) -> bool:
        """The operation is allowed and well formed."""
        opcode, length = packet.opcode, packet.length
        if opcode == PktOp.READ_REQ:
            return qp.allow_read and not length and packet.rest <= MAX_MESSAGE and not side.eoff
        if opcode in ATOMICS:
            fits = not length and packet.rest == ATOMIC_BYTES and not packet.va % ATOMIC_BYTES
            return qp.allow_atomic and fits and not side.eoff
        if opcode == PktOp.WRITE and not qp.allow_write:
            return False
        if packet.rest > MAX_MESSAGE or packet.first != (side.eoff == 0) or packet.offset != side.eoff:
            return False
        return length <= qp.mtu and length == packet.rest if packet.last else length == qp.mtu and length < packet.rest

    def _duplicate(self, qp: QueuePair, side: ReceiveSide, packet: Packet) -> int:
        if packet.opcode == PktOp.READ_REQ:
            if self._possible(qp, side, packet):
                side.flight += 1
                return TAKE
        elif packet.opcode in ATOMICS:
            if side.last_atomic is not None and side.last_atomic[0] == packet.psn:
                side.atomic = True
        else:
            side.ack = True
        return DROP

    def _expected(self, slot: Inbound, side: ReceiveSide) -> int:
        qp, packet, bad = slot.qp, slot.packet, slot.failed
        sends = packet.opcode == PktOp.SEND
        result = OK if bad is None else bad.result
        if sends and slot.no_wqe:
            side.nak, side.quiet = NakSyndrome.RNR, True
            return DROP
        if slot.too_long:
            self._receive_fails(slot, side, WcStatus.LOC_LEN_ERR, 0)
            return self._stop(qp, NakSyndrome.INV_REQ, AsyncType.QP_REQ_ERR)
        if bad is not None and result in CAUSE:
            return self._faulted(slot, side, bad)
        if bad is not None or slot.bad_sge:
            if sends:
                self._receive_fails(slot, side, WcStatus.LOC_PROT_ERR, result)
            local = sends or result == XltResult.BAD_TABLE
            return self._stop(qp, NakSyndrome.REM_OP if local else NakSyndrome.REM_ACCESS, AsyncType.QP_ACCESS_ERR)
        reads = packet.opcode == PktOp.READ_REQ
        side.flight += 1
        side.epsn = (side.epsn + (packets_of(packet.rest, qp.mtu) if reads else 1)) & PSN_MASK
        side.eoff = 0 if reads or packet.opcode in ATOMICS or packet.last else side.eoff + 1
        if side.nak:  # whatever the sender was or would be told, it has come
            side.ack = True
        side.nak, side.quiet, side.suspended = NakSyndrome.NONE, False, False
        return TAKE

    def _faulted(self, slot: Inbound, side: ReceiveSide, bad: Segment) -> int:
        qp, packet = slot.qp, slot.packet
        size = ATOMIC_BYTES if packet.opcode in ATOMICS else packet.length
        sends = packet.opcode == PktOp.SEND
        self._report(qp, bad, size, rdma=not sends, index=packet.ssn if sends else 0)
        if qp.policy == FaultPolicy.STALL:
            return HOLD
        side.quiet = True
        if qp.policy == FaultPolicy.DISCARD:
            side.nak = NakSyndrome.RNR
        else:
            side.nak, side.suspended = NakSyndrome.SUSPEND, True
        return DROP

    def _report(self, qp: QueuePair, bad: Segment, size: int, *, rdma: bool, index: int) -> None:
        qp.recv.parked = True
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

    # ---- errors --------------------------------------------------------------------------------------------------------

    def _stop(self, qp: QueuePair, syndrome: NakSyndrome, event: AsyncType) -> int:
        qp.recv.refuse(syndrome)
        self._node.stop_qp(qp, event)
        return DROP

    @staticmethod
    def _receive_fails(slot: Inbound, side: ReceiveSide, status: WcStatus, syndrome: int) -> None:
        side.fails = Completion(slot.qp.number, status, WcOpcode.RECV, slot.packet.ssn, 0, syndrome, recv=True)

    def failed(self, out: Outbound, bad: Segment) -> None:
        """The source of a READ's answer is not there."""
        qp, side = out.qp, out.qp.recv
        if out.life is not side or qp.state not in RECEIVES:
            return
        side.reads = None
        if bad.result in CAUSE:
            self._report(qp, bad, out.packet.length, rdma=True, index=0)
            side.quiet = True
            side.suspended = qp.policy != FaultPolicy.DISCARD
            side.nak = NakSyndrome.SUSPEND if side.suspended else NakSyndrome.RNR
        else:
            syndrome = NakSyndrome.REM_OP if bad.result == XltResult.BAD_TABLE else NakSyndrome.REM_ACCESS
            self._stop(qp, syndrome, AsyncType.QP_ACCESS_ERR)
        self.settle(qp)

    def resumed(self, qpn: int, *, error: bool) -> None:
        """RESUME of the receive side's fault."""
        qp = self._node.queue_pair(qpn)
        side = qp.recv
        if not side.parked:
            return
        side.parked = False
        if qp.state in RECEIVES:
            if error:
                self._stop(qp, NakSyndrome.REM_OP, AsyncType.QP_ACCESS_ERR)
            elif side.suspended:
                side.nak, side.quiet = NakSyndrome.RESTART, False
        side.suspended = False
        self._node.at(self._node.now + HCA_RESUME, self._node.receive.again, qp)
        self.settle(qp)

    # ---- landing -------------------------------------------------------------------------------------------------------

    def landed(self, slot: Inbound, old: int, *, ok: bool) -> None:
        """A taken packet's payload is in memory, its atomic done, or its READ about to be answered."""
        qp, packet, side = slot.qp, slot.packet, slot.qp.recv
        if slot.sides[FaultDir.RESPONDER] is not side:
            return
        side.flight -= 1
        if ok:
            self._count_in(qp, side, packet)
            if qp.state in RECEIVES:
                self._answer_later(side, packet, old)
        else:
            if packet.opcode == PktOp.SEND:
                self._receive_fails(slot, side, WcStatus.LOC_PROT_ERR, XltResult.BAD_TABLE)
            if qp.state in RECEIVES:
                self._stop(qp, NakSyndrome.REM_OP, AsyncType.QP_ACCESS_ERR)
        self.settle(qp)

    def _count_in(self, qp: QueuePair, side: ReceiveSide, packet: Packet) -> None:
        if psn_ahead(packet.psn, side.lpsn) < 0:
            return  # a READ carried out again
        whole = packet.opcode == PktOp.READ_REQ or packet.opcode in ATOMICS
        psns = packets_of(packet.rest, qp.mtu) if packet.opcode == PktOp.READ_REQ else 1
        side.lpsn = (side.lpsn + psns) & PSN_MASK
        if not whole and not packet.last:
            side.loff += 1
            return
        side.msn, side.loff = (side.msn + 1) & MSN_MASK, 0
        if packet.opcode == PktOp.SEND:
            size = packet.offset * qp.mtu + packet.length
            entry = Completion(qp.number, WcStatus.SUCCESS, WcOpcode.RECV, packet.ssn, size, 0, recv=True)
            self._node.completion.add(qp.recv_cqn, entry)

    @staticmethod
    def _answer_later(side: ReceiveSide, packet: Packet, old: int) -> None:
        if packet.opcode == PktOp.READ_REQ:
            side.reads = ReadJob(packet.psn, packet.msn, packet.offset, packet.va, packet.rest, packet.rkey)
        elif packet.opcode in ATOMICS:
            side.last_atomic = (packet.psn, packet.msn, old)
            side.atomic = True
        elif packet.ack_req:
            side.ack = True

    # ---- answers -------------------------------------------------------------------------------------------------------

    def next_packet(self) -> Outbound | None:
        """The next answer of whose turn it is."""
        while self._list:
            qp = self._list.popleft()
            side = qp.recv
            side.listed = False
            out = self._next_of(qp, side)
            if side.owes(qp.state):  # it goes to the line's end
                side.listed = True
                self._list.append(qp)
            if out is not None:
                return out
        return None

    def _next_of(self, qp: QueuePair, side: ReceiveSide) -> Outbound | None:
        receives = qp.state in RECEIVES
        if side.fails is not None and not side.flight:
            self._node.completion.add(qp.recv_cqn, side.fails)
            side.fails = None
        elif side.nak and not side.flight:
            syndrome, side.nak = side.nak, NakSyndrome.NONE
            side.ack = False  # a NAK says as much
            self._node.count[Counter.RNR_NAK_SENT if syndrome == NakSyndrome.RNR else Counter.NAK_SENT] += 1
            packet = Packet(PktOp.NAK, qp.dest, qp.number, side.lpsn, side.msn)
            packet.offset, packet.syndrome = side.loff, int(syndrome)
            return Outbound(packet, qp, FaultDir.RESPONDER, [], side)
        elif receives and side.atomic and side.last_atomic is not None:
            side.atomic = False
            psn, msn, packet_operand = side.last_atomic
            packet = Packet(PktOp.ATOMIC_RESP, qp.dest, qp.number, psn, msn)
            packet.operand = packet_operand
            return Outbound(packet, qp, FaultDir.RESPONDER, [], side)
        elif receives and side.reads is not None:
            return self._read_answer(qp, side, side.reads)
        elif receives and side.ack:
            side.ack = False
            packet = Packet(PktOp.ACK, qp.dest, qp.number, (side.lpsn - 1) & PSN_MASK, side.msn)
            packet.offset = side.loff
            return Outbound(packet, qp, FaultDir.RESPONDER, [], side)
        return None

    @staticmethod
    def _read_answer(qp: QueuePair, side: ReceiveSide, job: ReadJob) -> Outbound:
        """The next packet of a READ's answer."""
        length = min(job.rest, qp.mtu)
        packet = Packet(PktOp.READ_RESP, qp.dest, qp.number, job.psn, job.msn)
        packet.first, packet.last = job.offset == 0, job.rest <= qp.mtu
        packet.length, packet.rest, packet.offset = length, job.rest, job.offset
        segments = cut([(job.va, job.rest, job.key)], 0, length, job.rest, Need.REMOTE_READ, qp.number, qp.pd) if length else []
        job.psn, job.offset = (job.psn + 1) & PSN_MASK, job.offset + 1
        job.va, job.rest = job.va + length, job.rest - length
        if not job.rest:
            side.reads = None
        return Outbound(packet, qp, FaultDir.RESPONDER, segments, side)
