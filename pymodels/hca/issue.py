"""A packet of a work request, from its place in what the send side sends.

Promises: as rtl/hca/hca_qp_build.sv; the caller moves the place and decides about the acknowledgement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwif.gen.hca import FaultDir, Need, PktOp, WrOpcode
from pymodels.hca.packets import Packet
from pymodels.hca.transmit import Outbound
from pymodels.hca.work import WorkRequest, cut

if TYPE_CHECKING:
    from pymodels.hca.queue_pair import QueuePair
    from pymodels.hca.send_side import SendSide

__all__ = ["alone", "piece"]

VA_MASK = (1 << 64) - 1
_PACKET = {
    int(WrOpcode.RDMA_WRITE): PktOp.WRITE,
    int(WrOpcode.SEND): PktOp.SEND,
    int(WrOpcode.RDMA_READ): PktOp.READ_REQ,
    int(WrOpcode.ATOMIC_CMP_AND_SWP): PktOp.CMP_SWAP,
    int(WrOpcode.ATOMIC_FETCH_AND_ADD): PktOp.FETCH_ADD,
}


def piece(qp: QueuePair, side: SendSide, request: WorkRequest) -> Outbound:
    """The next packet of a SEND or WRITE."""
    idx, off, psn, _ = side.cur
    start = off * qp.mtu
    rest = request.length - start
    length = min(qp.mtu, rest)
    packet = Packet(_PACKET[request.opcode], qp.dest, qp.number, psn, idx)
    packet.first, packet.last = off == 0, rest <= qp.mtu
    packet.length, packet.rest, packet.offset = length, rest, off
    if request.opcode == WrOpcode.RDMA_WRITE:
        packet.va, packet.rkey = (request.remote + start) & VA_MASK, request.rkey
    segments = cut(request.elements, start, length, rest, Need.LOCAL_READ, qp.number, qp.pd) if length else []
    return Outbound(packet, qp, FaultDir.REQUESTER, segments, side, idx)


def alone(qp: QueuePair, side: SendSide, request: WorkRequest) -> Outbound:
    """A READ, from where it stands, or an atomic."""
    idx, off, psn, _ = side.cur
    start = off * qp.mtu
    packet = Packet(_PACKET[request.opcode], qp.dest, qp.number, psn, idx)
    packet.va, packet.rkey = (request.remote + start) & VA_MASK, request.rkey
    packet.first, packet.rest, packet.offset = off == 0, request.length - start, off
    if request.atomic:
        packet.operand, packet.swap = request.operand, request.swap
    side.alone, side.alone_out, side.alone_at = request, True, side.cur
    return Outbound(packet, qp, FaultDir.REQUESTER, [], side, idx)
