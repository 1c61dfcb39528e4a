"""Work requests, as pyverbs.wr has them.

Promises: values; nothing is checked before they are posted, as a library cannot know what a device takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from sw_stack.verbs import enums as e

__all__ = ["SGE", "RecvWR", "SendWR"]


class SGE:
    """A scatter/gather element: `length` bytes at `addr` in the region `key` names."""

    def __init__(self, addr: int = 0, length: int = 0, key: int = 0) -> None:
        self.addr = addr
        self.length = length
        self.lkey = key

    def __repr__(self) -> str:
        return f"SGE({self.addr:#x}, {self.length}, key={self.lkey:#x})"


class RecvWR:
    """A receive: where the next SEND goes."""

    def __init__(self, wr_id: int = 0, num_sge: int = 0, sg: Sequence[SGE] | None = None) -> None:
        self.wr_id = wr_id
        self.sg = list(sg or ())
        self.num_sge = num_sge


class SendWR:
    """A send work request. RDMA and atomics need `set_wr_rdma` or `set_wr_atomic` as well."""

    def __init__(
        self,
        wr_id: int = 0,
        opcode: int = e.IBV_WR_SEND,
        num_sge: int = 0,
        sg: Sequence[SGE] | None = None,
        send_flags: int = e.IBV_SEND_SIGNALED,
    ) -> None:
        self.wr_id = wr_id
        self.opcode = opcode
        self.num_sge = num_sge
        self.sg = list(sg or ())
        self.send_flags = send_flags
        self.rkey = 0
        self.remote_addr = 0
        self.compare_add = 0
        self.swap = 0

    def set_wr_rdma(self, rkey: int, addr: int) -> None:
        """The other end's memory, for RDMA READ and WRITE."""
        self.rkey, self.remote_addr = rkey, addr

    def set_wr_atomic(self, rkey: int, addr: int, compare_add: int, swap: int = 0) -> None:
        """The other end's eight bytes, what to compare with or to add, and what to put there."""
        self.rkey, self.remote_addr, self.compare_add, self.swap = rkey, addr, compare_add, swap
