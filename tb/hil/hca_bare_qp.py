"""A queue pair without a driver: its context, its two queues in memory, its doorbells (see hca_bare.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hwif.fields import new_line
from hwif.gen import hca as h
from tb.hil.hca_lines import Entry, entry_of, line_of, raw_of
from tb.hil.hca_tables import BareError

if TYPE_CHECKING:
    from tb.hil.hca_bare import BareNode

__all__ = ["BareQp"]

LINE_BYTES = h.ENTRY_BYTES


class BareQp:
    """A queue pair and its queues. Keyword arguments of the posting calls are fields of hca.Wqe."""

    def __init__(self, node: BareNode, qpn: int, context: dict[str, int]) -> None:
        self.node = node
        self.qpn = qpn
        self.context = context
        self.sq_prod = 0
        self.rq_prod = 0

    def modify(self, *, load_sq: bool = False, load_rq: bool = False, **changed: int) -> h.CmdStatus:
        """MODIFY_QP with these fields of hca.Qpc changed; loading a side empties its queue."""
        self.context |= changed
        self.sq_prod = 0 if load_sq else self.sq_prod
        self.rq_prod = 0 if load_rq else self.rq_prod
        self.node.shadow.set_queue_pair(self.qpn, self.context["pd"])
        address = self.node.context(line_of(h.Qpc, **self.context))
        return self.node.command(h.CmdOp.MODIFY_QP, qpn=self.qpn, addr=address, load_sq=load_sq, load_rq=load_rq)

    def query(self) -> Entry:
        """QUERY_QP."""
        address = self.node.context(new_line())
        status = self.node.command(h.CmdOp.QUERY_QP, qpn=self.qpn, addr=address)
        if status is not h.CmdStatus.OK:
            raise BareError(f"QUERY_QP of {self.qpn}: {status.name}")
        return entry_of(h.QpReport, self.node.memory.read(address, LINE_BYTES))

    def post_send(self, *, ring: bool = True, **wqe: int) -> int:
        """A send work request (signaled unless it says otherwise); its index."""
        index = self.sq_prod & 0xFFFF
        self._put(self.context["sq_base"], self.context["sq_log"], index, {"signaled": 1, **wqe})
        self.sq_prod += 1
        if ring:
            self.ring_send()
        return index

    def post_recv(self, *, ring: bool = True, **wqe: int) -> int:
        """A receive work request; its index."""
        index = self.rq_prod & 0xFFFF
        self._put(self.context["rq_base"], self.context["rq_log"], index, wqe)
        self.rq_prod += 1
        if ring:
            self.ring_recv()
        return index

    def ring_send(self) -> None:
        """The send queue's doorbell; does not wait for the write."""
        self.node.store(h.SqDoorbellReg, wait=False, qpn=self.qpn, index=self.sq_prod & 0xFFFF)

    def ring_recv(self) -> None:
        """The receive queue's doorbell."""
        self.node.store(h.RqDoorbellReg, wait=False, qpn=self.qpn, index=self.rq_prod & 0xFFFF)

    def write(self, lkey: int, local: int, rkey: int, remote: int, length: int, **more: Any) -> int:
        """Post an RDMA WRITE."""
        return self._rdma(h.WrOpcode.RDMA_WRITE, lkey, local, rkey, remote, length, more)

    def read(self, lkey: int, local: int, rkey: int, remote: int, length: int, **more: Any) -> int:
        """Post an RDMA READ."""
        return self._rdma(h.WrOpcode.RDMA_READ, lkey, local, rkey, remote, length, more)

    def fetch_add(self, lkey: int, local: int, rkey: int, remote: int, add: int, **more: Any) -> int:
        """Post a fetch-and-add."""
        return self._rdma(h.WrOpcode.ATOMIC_FETCH_AND_ADD, lkey, local, rkey, remote, 8, {"addr1": add, **more})

    def compare_swap(self, lkey: int, local: int, rkey: int, remote: int, compare: int, swap: int, **more: Any) -> int:
        """Post a compare-and-swap."""
        operands = {"addr1": compare, "swap": swap, **more}
        return self._rdma(h.WrOpcode.ATOMIC_CMP_AND_SWP, lkey, local, rkey, remote, 8, operands)

    def send(self, lkey: int, local: int, length: int, **more: Any) -> int:
        """Post a SEND."""
        return self.post_send(opcode=h.WrOpcode.SEND, num_sge=1, addr0=local, length0=length, lkey0=lkey, **more)

    def recv(self, lkey: int, local: int, length: int, **more: Any) -> int:
        """Post a receive."""
        return self.post_recv(num_sge=1, addr0=local, length0=length, lkey0=lkey, **more)

    def _rdma(self, opcode: h.WrOpcode, lkey: int, local: int, rkey: int, remote: int, length: int, more: dict[str, Any]) -> int:
        element: dict[str, Any] = {"num_sge": 1, "addr0": local, "length0": length, "lkey0": lkey}
        return self.post_send(opcode=opcode, rkey=rkey, remote_addr=remote, **element, **more)

    def _put(self, base: int, log: int, index: int, wqe: dict[str, int]) -> None:
        self.node.memory.write(base + LINE_BYTES * (index % (1 << log)), raw_of(line_of(h.Wqe, **wqe)))
