"""The outbound engine: asks queue pairs for packets in turn, looks their bytes up, reads them and puts them on the wire.

Promises: packets of one queue pair and side leave in order; others pass one that misses. Of a packet whose address fails nothing is
  sent; it and all younger ones of its side are dropped and the side is told. A held use that an invalidation took away is looked up
  again.
Needs: whoever may have a packet calls `wake`.
Costs: three events a packet.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from hwif.gen.events import TraceEvent
from hwif.gen.hca import TX_LARGE, TX_LARGE_BYTES, TX_SLOTS, Counter, FaultDir, PktOp, XltResult
from hwif.gen.timing import HCA_ISSUE, HCA_PAYLOAD, HCA_SEND, HCA_SLOT
from pymodels.hca.oracle import beats_of
from pymodels.hca.packets import Packet, flits_of
from pymodels.hca.translation import OK, Segment

if TYPE_CHECKING:
    from pymodels.hca.link import Link
    from pymodels.hca.node import Node
    from pymodels.hca.queue_pair import QueuePair
    from pymodels.hca.receive_side import ReceiveSide
    from pymodels.hca.send_side import SendSide

__all__ = ["Outbound", "Transmit"]

BACKLOG = 64
"""Cycles of link time that may be under way beyond what the memory's latency needs."""


class Outbound:
    """A packet to send, and where its payload comes from."""

    __slots__ = ("dead", "life", "packet", "qp", "ready", "segments", "side", "wqe_index")

    def __init__(
        self,
        packet: Packet,
        qp: QueuePair,
        side: FaultDir,
        segments: list[Segment],
        life: SendSide | ReceiveSide,
        wqe_index: int = 0,
    ) -> None:
        self.packet = packet
        self.qp = qp
        self.side = side
        self.segments = segments
        self.wqe_index = wqe_index
        self.life = life
        self.ready = self.dead = False


class Transmit:
    """The outbound engine of an adapter."""

    def __init__(self, node: Node, link: Link) -> None:
        self._node = node
        self._link = link
        self._slots = TX_SLOTS
        self._large = TX_LARGE
        """How many more packets past TX_LARGE_BYTES may be in hand."""
        self._next_issue = 0
        self._pumping = self._answers_first = False
        self._starting: deque[Outbound] = deque()
        self._start_set = False

    # ---- whose turn it is ----------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Somebody may have a packet to send."""
        if not self._pumping and self._slots and self._large:
            self._pumping = True
            self._node.at(max(self._node.now, self._next_issue), self._pump)

    def _pump(self) -> None:
        """Take a packet, send sides and answers in turn."""
        self._pumping = False
        node = self._node
        first, second = (node.responder, node.requester) if self._answers_first else (node.requester, node.responder)
        out = first.next_packet() or second.next_packet()
        if out is None:
            return
        self._answers_first = out.side == FaultDir.REQUESTER
        self._next_issue = node.now + HCA_ISSUE
        self._accept(out)
        self.wake()

    # ---- packets in hand -----------------------------------------------------------------------------------------------

    def _accept(self, out: Outbound) -> None:
        self._slots -= 1
        self._large -= out.packet.length > TX_LARGE_BYTES
        out.qp.tx[out.side].append(out)
        self._look_up(out)

    def _look_up(self, out: Outbound) -> None:
        if out.segments:
            self._node.translation.resolve(out.segments, lambda: self._answered(out))
        else:
            out.ready = True
            self._advance(out.qp, out.side)

    def _answered(self, out: Outbound) -> None:
        if out.dead:
            self._node.translation.done(out.segments)
            return
        out.ready = True
        self._advance(out.qp, out.side)

    def _advance(self, qp: QueuePair, side: FaultDir) -> None:
        """Packets of the side that are ready, in order, may start."""
        waiting = qp.tx[side]
        while waiting and waiting[0].ready:
            out = waiting[0]
            bad = next((segment for segment in out.segments if segment.result != OK), None)
            if bad is not None:
                self._drop(qp, side)
                self._failed(out, bad)
                return
            if not all(segment.live for segment in out.segments):
                out.ready = False
                self._look_up(out)
                return
            waiting.popleft()
            self._starting.append(out)
            self._start()

    def _failed(self, out: Outbound, bad: Segment) -> None:
        unit = self._node.requester if out.side == FaultDir.REQUESTER else self._node.responder
        unit.failed(out, bad)

    def flush(self, qp: QueuePair, side: FaultDir) -> None:
        """Drop the packets of a side that have not started."""
        self._recall(qp, side)
        self._drop(qp, side)

    def _recall(self, qp: QueuePair, side: FaultDir) -> None:
        """Those that could start go back to where the others wait."""
        mine = [out for out in self._starting if out.qp is qp and out.side == side]
        if mine:
            self._starting = deque(out for out in self._starting if out.qp is not qp or out.side != side)
            qp.tx[side].extendleft(reversed(mine))

    def _drop(self, qp: QueuePair, side: FaultDir) -> None:
        waiting = qp.tx[side]
        if not waiting:
            return
        while waiting:
            out = waiting.popleft()
            out.dead = True
            if out.ready:
                self._node.translation.done(out.segments)
            self._free(out)
        self.wake()

    # ---- onto the wire -------------------------------------------------------------------------------------------------

    def room(self) -> None:
        """The wire has room again."""
        self._start()

    def _start(self) -> None:
        """Begin what may begin: the wire must have room, and not too much may wait for it."""
        node, link = self._node, self._link
        while self._starting and not self._start_set and not link.full:
            begin = link.free - node.memory.read_latency - BACKLOG
            if begin > node.now:
                self._start_set = True
                node.at(begin, self._start_again)
                return
            out = self._starting[0]
            if not all(segment.live for segment in out.segments):  # taken away while it waited for the wire
                self._recall(out.qp, out.side)
                out.ready = False
                self._look_up(out)
                continue
            self._starting.popleft()
            self._send(out)

    def _start_again(self) -> None:
        self._start_set = False
        self._start()

    def _send(self, out: Outbound) -> None:
        node, link, packet = self._node, self._link, out.packet
        self._sent(packet)
        flits = flits_of(packet.length) * link.cycles_per_flit
        if not out.segments:
            begin = max(node.now + HCA_SEND, link.free)
            link.free = begin + flits
            self._leave(out)
            link.send(packet, link.free)
            return
        node.translation.start(out.segments)
        out.qp.busy += 1
        first, last = node.memory.reserve(sum(beats_of(segment.pa, segment.length) for segment in out.segments))
        begin = max(first + HCA_PAYLOAD, link.free)
        end = max(begin + flits, last + HCA_PAYLOAD + 2)
        link.free = end
        node.at(last, self._read, out, end)

    def _read(self, out: Outbound, end: int) -> None:
        node, packet = self._node, out.packet
        payload = node.memory.gather(out.segments)
        node.translation.done(out.segments)
        out.qp.leave()
        node.at(node.now + HCA_SLOT, self._leave, out)
        if payload is None:
            packet.broken = True
            out.segments[0].result = int(XltResult.BAD_TABLE)
            self.flush(out.qp, out.side)
            self._failed(out, out.segments[0])
        else:
            packet.payload = payload
        self._link.send(packet, end)

    def _free(self, out: Outbound) -> None:
        self._slots += 1
        self._large += out.packet.length > TX_LARGE_BYTES

    def _leave(self, out: Outbound) -> None:
        """A packet has left its slot."""
        self._free(out)
        self.wake()

    def _sent(self, packet: Packet) -> None:
        node = self._node
        node.count[Counter.TX_PACKETS] += 1
        node.count[Counter.TX_BYTES] += packet.length
        if packet.opcode == PktOp.NAK:
            node.emit(TraceEvent.HDEV_NAK, packet.src_qpn, packet.psn, packet.syndrome, 1)
        else:
            node.packets_sent += 1
            node.emit(TraceEvent.HDEV_PACKET, packet.opcode, packet.src_qpn, packet.psn, packet.length, 1)
