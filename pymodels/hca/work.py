"""Work requests, and the pieces their messages are cut into.

Promises: values made once; nothing here keeps state.
"""

from __future__ import annotations

from collections.abc import Sequence

from hwif.fields import Line
from hwif.gen.gru import PAGE_SHIFT
from hwif.gen.hca import INDEX_WIDTH, MAX_MESSAGE, MAX_SGE, WcOpcode, WcStatus, Wqe, WrOpcode
from pymodels.hca.translation import Segment

__all__ = ["ATOMIC_BYTES", "INDEX_MASK", "Element", "WorkRequest", "cut", "elements_of", "packets_of"]

INDEX_MASK = (1 << INDEX_WIDTH) - 1
ATOMIC_BYTES = 8
PAGE = 1 << PAGE_SHIFT
Element = tuple[int, int, int]
"""Address, bytes, key."""
_COMPLETES_AS = {
    int(WrOpcode.RDMA_WRITE): WcOpcode.RDMA_WRITE,
    int(WrOpcode.SEND): WcOpcode.SEND,
    int(WrOpcode.RDMA_READ): WcOpcode.RDMA_READ,
    int(WrOpcode.ATOMIC_CMP_AND_SWP): WcOpcode.COMP_SWAP,
    int(WrOpcode.ATOMIC_FETCH_AND_ADD): WcOpcode.FETCH_ADD,
}
_ATOMICS = frozenset((int(WrOpcode.ATOMIC_CMP_AND_SWP), int(WrOpcode.ATOMIC_FETCH_AND_ADD)))


def packets_of(length: int, mtu: int) -> int:
    """Packets, and so PSNs, of so many bytes."""
    return -(-length // mtu) or 1


def cut(elements: Sequence[Element], start: int, length: int, rest: int, need: int, qpn: int, pd: int) -> list[Segment]:
    """Segments of `length` bytes from byte `start` of the elements; `rest`: bytes of the message from there on."""
    segments: list[Segment] = []
    offset = 0
    for addr, size, key in elements:
        if start >= size:
            start -= size
            continue
        here = min(size - start, length - offset)
        va, left = addr + start, min(size - start, rest - offset)
        while here > 0:
            piece = min(here, PAGE - (va & (PAGE - 1)))
            segments.append(Segment(key, va, piece, need, qpn, pd, offset, left))
            va += piece
            here -= piece
            left -= piece
            offset += piece
        start = 0
        if offset == length:
            break
    return segments


def elements_of(line: Line) -> list[Element]:
    """The elements a work request names, as many as there can be."""
    count = Wqe.num_sge.get(line)
    elements = [(Wqe.addr0.get(line), Wqe.length0.get(line), Wqe.lkey0.get(line))] if count else []
    if count > 1:
        elements.append((Wqe.addr1.get(line), Wqe.length1.get(line), Wqe.lkey1.get(line)))
    return elements


class WorkRequest:
    """A send work request as it was read."""

    __slots__ = (
        *("index", "opcode", "completes_as", "signaled", "elements", "length", "rkey", "remote", "operand", "swap", "bad"),
        *("alone", "atomic", "ssn"),
    )

    def __init__(self, index: int, line: Line | None) -> None:
        self.index = index
        self.bad: WcStatus | None = None
        """Why it cannot be carried out."""
        self.ssn = 0
        """SENDs before it, once it is issued."""
        if line is None:  # memory did not give it
            self.bad = WcStatus.LOC_QP_OP_ERR
            line = [0] * 8
        self.opcode = Wqe.opcode.get(line)
        self.atomic = self.opcode in _ATOMICS
        self.alone = self.atomic or self.opcode == WrOpcode.RDMA_READ
        self.completes_as = _COMPLETES_AS.get(self.opcode, WcOpcode.RDMA_WRITE)
        self.signaled = bool(Wqe.signaled.get(line))
        self.rkey, self.remote = Wqe.rkey.get(line), Wqe.remote_addr.get(line)
        self.operand, self.swap = Wqe.addr1.get(line), Wqe.swap.get(line)
        self.elements = elements_of(line)
        self.length = sum(size for _, size, _ in self.elements)
        if self.bad is None:
            self.bad = self._fault(Wqe.num_sge.get(line))
        if self.atomic:
            self.length = ATOMIC_BYTES

    @property
    def after(self) -> int:
        """SENDs before the work request that follows."""
        return (self.ssn + (self.opcode == WrOpcode.SEND)) & INDEX_MASK

    def _fault(self, elements: int) -> WcStatus | None:
        if self.opcode not in _COMPLETES_AS or elements > (1 if self.atomic else MAX_SGE):
            return WcStatus.LOC_QP_OP_ERR
        if self.length < ATOMIC_BYTES if self.atomic else self.length > MAX_MESSAGE:
            return WcStatus.LOC_LEN_ERR
        return None
