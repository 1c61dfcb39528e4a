"""Work requests and completions: the values that cross between a user of queue pairs and the driver.

Promises: a line made from a work request says exactly what the request says; nothing is checked here but what has no place in it.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass

from hwif.fields import Line, new_line
from hwif.gen.hca import MAX_SGE, WcOpcode, WcStatus, Wqe, WrOpcode
from sw_stack.mm.types import MmError

__all__ = ["WC_OF_WR", "RecvWr", "SendWr", "Sge", "WorkCompletion"]

ATOMICS = (WrOpcode.ATOMIC_CMP_AND_SWP, WrOpcode.ATOMIC_FETCH_AND_ADD)
WC_OF_WR = {
    WrOpcode.SEND: WcOpcode.SEND,
    WrOpcode.RDMA_WRITE: WcOpcode.RDMA_WRITE,
    WrOpcode.RDMA_READ: WcOpcode.RDMA_READ,
    WrOpcode.ATOMIC_CMP_AND_SWP: WcOpcode.COMP_SWAP,
    WrOpcode.ATOMIC_FETCH_AND_ADD: WcOpcode.FETCH_ADD,
}


@dataclass(frozen=True, slots=True)
class Sge:
    """`length` bytes at `addr` in the region `lkey` names."""

    addr: int
    length: int
    lkey: int


@dataclass(frozen=True, slots=True)
class SendWr:
    """A send work request. `compare_add` and `swap` belong to atomics."""

    opcode: WrOpcode
    sges: tuple[Sge, ...] = ()
    wr_id: int = 0
    remote_addr: int = 0
    rkey: int = 0
    signaled: bool = True
    fence: bool = False
    compare_add: int = 0
    swap: int = 0

    def line(self) -> Line:
        """The work queue entry. MmError EINVAL for too many elements."""
        line = _elements(self.sges)
        Wqe.opcode.put(line, self.opcode)
        Wqe.signaled.put(line, int(self.signaled))
        Wqe.fence.put(line, int(self.fence))
        Wqe.rkey.put(line, self.rkey)
        Wqe.remote_addr.put(line, self.remote_addr)
        if self.opcode in ATOMICS:
            if len(self.sges) > 1:
                raise MmError(errno.EINVAL, f"an atomic has one element, not {len(self.sges)}")
            Wqe.addr1.put(line, self.compare_add)
            Wqe.swap.put(line, self.swap)
        return line

    @property
    def length(self) -> int:
        """Bytes of all elements."""
        return sum(sge.length for sge in self.sges)


@dataclass(frozen=True, slots=True)
class RecvWr:
    """A receive."""

    sges: tuple[Sge, ...] = ()
    wr_id: int = 0

    def line(self) -> Line:
        """The work queue entry. MmError EINVAL for too many elements."""
        return _elements(self.sges)


@dataclass(frozen=True, slots=True)
class WorkCompletion:
    """What became of a work request. `vendor_err`: nak_syndrome or xlt_result behind an error."""

    wr_id: int
    status: WcStatus
    opcode: WcOpcode
    qp_num: int
    byte_len: int = 0
    vendor_err: int = 0

    @property
    def recv(self) -> bool:
        """Of the receive queue."""
        return self.opcode is WcOpcode.RECV


def _elements(sges: Sequence[Sge]) -> Line:
    if len(sges) > MAX_SGE:
        raise MmError(errno.EINVAL, f"{len(sges)} scatter/gather elements: a work request has at most {MAX_SGE}")
    line = new_line()
    Wqe.num_sge.put(line, len(sges))
    for sge, (addr, length, lkey) in zip(
        sges, ((Wqe.addr0, Wqe.length0, Wqe.lkey0), (Wqe.addr1, Wqe.length1, Wqe.lkey1)), strict=False
    ):
        addr.put(line, sge.addr)
        length.put(line, sge.length)
        lkey.put(line, sge.lkey)
    return line
