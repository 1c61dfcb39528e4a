"""The inbound engine: packets in their slots, their addresses looked up ahead, their payload into memory.

Promises: packets of one queue pair are judged and land in the order of arrival; those of others pass (FQ-3). What is judged has its
  uses in flight. With no slot free the link keeps the packet. Addresses a packet does not have, and packets nobody waits for, are
  not looked up.
Costs: three events a packet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hwif.fields import Line
from hwif.gen.events import TraceEvent
from hwif.gen.hca import ENTRY_BYTES, MAX_SGE, NUM_QP, RX_SLOTS, Counter, FaultDir, Need, PktOp, QpState, Wqe
from hwif.gen.timing import HCA_LAND, HCA_RECEIVE, HCA_REQUEST, HCA_WRITE
from pymodels.hca.lines import parse
from pymodels.hca.packets import ANSWERS, ATOMICS, REQUESTS, Packet
from pymodels.hca.translation import OK, Segment
from pymodels.hca.work import INDEX_MASK, Element, cut, elements_of

if TYPE_CHECKING:
    from pymodels.hca.link import Link
    from pymodels.hca.node import Node
    from pymodels.hca.queue_pair import QueuePair

__all__ = ["DROP", "HOLD", "TAKE", "Inbound", "Receive"]

DROP, TAKE, HOLD = range(3)
"""Verdicts (rtl/hca/hca_int_pkg.sv verdict_e)."""
ATOMIC_BYTES = 8
WORD_MASK = (1 << 64) - 1
_RECEIVES = frozenset((int(QpState.RTR), int(QpState.RTS), int(QpState.SQD)))


class Inbound:
    """A packet in its slot."""

    __slots__ = ("bad", "bad_sge", "held", "no_wqe", "outcome", "packet", "qp", "ready", "segments", "sides", "too_long")

    def __init__(self, packet: Packet, qp: QueuePair) -> None:
        self.packet = packet
        self.qp = qp
        self.segments: list[Segment] = []
        self.ready = self.held = False
        self.no_wqe = self.too_long = self.bad_sge = False
        self.sides = (qp.send, qp.recv)
        """By FaultDir: the lives it came in."""
        self.outcome: tuple[bool, int] | None = None
        """Carried out, and how: no error of memory, an atomic's old value."""

    @property
    def failed(self) -> Segment | None:
        """The first segment that is not translated."""
        return next((segment for segment in self.segments if segment.result != OK), None)


class Receive:
    """The inbound engine of an adapter."""

    def __init__(self, node: Node, link: Link) -> None:
        self._node = node
        self._link = link
        self._slots = RX_SLOTS

    # ---- arrival -------------------------------------------------------------------------------------------------------

    def arrive(self, packet: Packet) -> bool:
        """A packet is whole. False: no slot; the link offers it again."""
        count = self._node.count
        if packet.broken:
            count[Counter.BAD_CRC] += 1
            return True
        if not self._slots:
            return False
        count[Counter.RX_PACKETS] += 1
        count[Counter.RX_BYTES] += packet.length
        if packet.opcode == PktOp.NAK:
            self._node.emit(TraceEvent.HDEV_NAK, packet.dest_qpn, packet.psn, packet.syndrome, 0)
        else:
            self._node.emit(TraceEvent.HDEV_PACKET, packet.opcode, packet.dest_qpn, packet.psn, packet.length, 0)
        if packet.dest_qpn >= NUM_QP or packet.opcode not in REQUESTS | ANSWERS:
            count[Counter.BAD_PACKET] += 1
            return True
        self._slots -= 1
        slot = Inbound(packet, self._node.queue_pair(packet.dest_qpn))
        slot.qp.rx.append(slot)
        self._node.at(self._node.now + HCA_RECEIVE, self._prepare, slot)
        return True

    def _release(self) -> None:
        self._slots += 1
        if self._slots == 1:
            self._link.retry()

    # ---- addresses -----------------------------------------------------------------------------------------------------

    def _prepare(self, slot: Inbound) -> None:
        """Find out where the payload goes, and look that up."""
        packet, qp, node = slot.packet, slot.qp, self._node
        opcode = packet.opcode
        slot.segments = []
        slot.no_wqe = slot.too_long = slot.bad_sge = False
        if qp.state not in _RECEIVES:
            self._answered(slot)
        elif opcode == PktOp.WRITE and packet.length:
            self._segments(slot, [(packet.va, packet.length, packet.rkey)], 0, Need.REMOTE_WRITE)
        elif opcode in ATOMICS:
            slot.segments = [Segment(packet.rkey, packet.va, ATOMIC_BYTES, Need.REMOTE_ATOMIC, qp.number, qp.pd, 0, ATOMIC_BYTES)]
            if packet.va % ATOMIC_BYTES or not qp.allow_atomic:
                slot.segments = []  # refused anyway
            self._look_up(slot)
        elif opcode == PktOp.SEND:
            slot.no_wqe = (qp.recv.prod - packet.ssn - 1) & INDEX_MASK >= 1 << (INDEX_MASK.bit_length() - 1)
            if slot.no_wqe:
                self._answered(slot)
            else:
                place = qp.rq_base + (packet.ssn & qp.rq_mask) * ENTRY_BYTES
                node.memory.fetch(place, ENTRY_BYTES, self._with_request(slot, packet.offset * qp.mtu, packet.length))
        elif opcode == PktOp.READ_RESP and packet.length:
            place = qp.sq_base + (packet.msn & qp.sq_mask) * ENTRY_BYTES
            node.memory.fetch(place, ENTRY_BYTES, self._with_request(slot, packet.offset * qp.mtu, packet.length))
        elif opcode == PktOp.ATOMIC_RESP:
            place = qp.sq_base + (packet.msn & qp.sq_mask) * ENTRY_BYTES
            node.memory.fetch(place, ENTRY_BYTES, self._with_request(slot, 0, ATOMIC_BYTES))
        else:
            self._answered(slot)

    def _with_request(self, slot: Inbound, start: int, length: int) -> Callable[[bytes | None], None]:
        """Goes on when the work request's entry has come."""

        slot.qp.busy += 1

        def came(data: bytes | None) -> None:
            slot.qp.leave()
            self._node.at(self._node.now + HCA_REQUEST, found, data)

        def found(data: bytes | None) -> None:
            line: Line = [0] * 8 if data is None else parse(data)
            if data is None or Wqe.num_sge.get(line) > MAX_SGE:
                slot.bad_sge = True
                self._answered(slot)
                return
            elements = elements_of(line)
            if slot.packet.opcode == PktOp.ATOMIC_RESP:
                elements = elements[:1]
            if start + length > sum(size for _, size, _ in elements):
                slot.too_long = True
                self._answered(slot)
                return
            self._segments(slot, elements, start, Need.LOCAL_WRITE, length)

        return came

    def _segments(self, slot: Inbound, elements: list[Element], start: int, need: Need, length: int = -1) -> None:
        packet, qp = slot.packet, slot.qp
        length = packet.length if length < 0 else length
        elements = [(packet.va, max(packet.rest, length), packet.rkey)] if packet.opcode == PktOp.WRITE else elements
        slot.segments = cut(elements, start, length, max(packet.rest, length), need, qp.number, qp.pd)
        self._look_up(slot)

    def _look_up(self, slot: Inbound) -> None:
        if slot.segments:
            self._node.translation.resolve(slot.segments, lambda: self._answered(slot))
        else:
            self._answered(slot)

    def _answered(self, slot: Inbound) -> None:
        slot.ready = True
        self._present(slot.qp)

    # ---- verdict -------------------------------------------------------------------------------------------------------

    def _present(self, qp: QueuePair) -> None:
        """Ask for the verdict on the oldest packet, and on those after it as far as they are ready."""
        xlt = self._node.translation
        while qp.rx and qp.rx[0].ready and not qp.rx[0].held:
            slot = qp.rx[0]
            slot.ready = False
            if slot.failed is None and not all(segment.live for segment in slot.segments):
                self._look_up(slot)  # taken away by an invalidation
                return
            xlt.start([segment for segment in slot.segments if segment.live])
            verdict = self._verdict(slot)
            if verdict == HOLD:
                xlt.done(slot.segments)
                slot.held = True
                return
            qp.rx.popleft()
            if verdict == TAKE:
                self._carry_out(slot)
            else:
                xlt.done(slot.segments)
                self._release()

    def _verdict(self, slot: Inbound) -> int:
        """What becomes of a packet; one for a side that has started anew since it came is forgotten."""
        request = slot.packet.opcode in REQUESTS
        side = FaultDir.RESPONDER if request else FaultDir.REQUESTER
        if slot.sides[side] is not (slot.qp.recv if request else slot.qp.send):
            return DROP
        return self._node.responder.judge(slot) if request else self._node.requester.judge(slot)

    def again(self, qp: QueuePair) -> None:
        """A resume, or the queue pair has changed: look up again what was held, and what waits behind it with an answer of no."""
        for slot in list(qp.rx):
            if slot.held or (slot.ready and slot.failed is not None):
                self._node.translation.done(slot.segments)
                slot.held = slot.ready = False
                self._prepare(slot)

    # ---- payload -------------------------------------------------------------------------------------------------------

    def _carry_out(self, slot: Inbound) -> None:
        packet = slot.packet
        slot.qp.busy += 1
        slot.qp.landing.append(slot)
        if packet.opcode in ATOMICS:
            port, at = self._node.memory, self._node.at
            change = _change(packet)
            done = lambda old: at(self._node.now + HCA_LAND, self._landed, slot, old is not None, old or 0)  # noqa: E731 - as below
            at(self._node.now + HCA_WRITE, port.exclusive, slot.segments[0], change, done)
        elif slot.segments:
            payload = packet.payload
            if packet.opcode == PktOp.ATOMIC_RESP:
                payload = packet.operand.to_bytes(ATOMIC_BYTES, "little")
            node = self._node
            done = lambda ok: node.at(node.now + HCA_LAND, self._landed, slot, ok, 0)  # noqa: E731 - said where it is used
            node.at(node.now + HCA_WRITE, node.memory.scatter, slot.segments, payload, done)
        else:
            self._node.at(self._node.now + 1, self._landed, slot, True, 0)

    def _landed(self, slot: Inbound, ok: bool, old: int) -> None:
        """It is in memory. It counts once all that were taken before it are: a READ's request has nothing to wait for itself."""
        node, landing = self._node, slot.qp.landing
        node.translation.done(slot.segments)
        slot.outcome = (ok, old)
        while landing and landing[0].outcome is not None:
            self._counts(landing.popleft())

    def _counts(self, slot: Inbound) -> None:
        packet, node = slot.packet, self._node
        assert slot.outcome is not None
        ok, old = slot.outcome
        slot.qp.leave()
        node.emit(TraceEvent.HDEV_LAND, slot.qp.number, packet.psn, packet.va, packet.length)
        self._release()
        if packet.opcode in REQUESTS:
            node.responder.landed(slot, old, ok=ok)
        else:
            node.requester.landed(slot, ok=ok)


def _change(packet: Packet) -> Callable[[int], int]:
    """What an atomic does to the old value."""
    if packet.opcode == PktOp.FETCH_ADD:
        return lambda old: (old + packet.operand) & WORD_MASK
    return lambda old: packet.swap if old == packet.operand else old
