"""A registration of the pinned adapter, and the error its operations complete with."""

from __future__ import annotations

import errno
from enum import IntFlag

from sw_stack.mm.mm import Mm
from sw_stack.mm.pinning import Pinned
from sw_stack.mm.types import PAGE_SHIFT, MmError
from sw_stack.sched import WaitQueue

__all__ = ["Access", "CompletionError", "PinnedMr"]


class Access(IntFlag):
    """What the adapter may do to the memory."""

    READ = 1
    WRITE = 2


class CompletionError(MmError):
    """The adapter refuses an operation: EINVAL for a key that is not registered or bytes outside the region, EACCES for a right
    the region does not give. No byte of the operation has moved."""


class PinnedMr:
    """Bytes [start, end) of `mm`; made by PinnedAdapter.reg_mr. `pfns` is the adapter's own table: the frame of each page as it
    was at registration, whatever the process has done to its page table since."""

    def __init__(self, mm: Mm, key: int, start: int, length: int, access: Access, pinned: Pinned) -> None:
        self.mm = mm
        self.key = key
        self.start = start
        self.end = start + length
        self.access = access
        self.pinned = pinned
        self.owner = pinned.owner
        """Number under which the oracle knows the pages."""
        self.first = pinned.first
        """Page of the first frame."""
        self.pfns = tuple(pinned.pfns)
        self.live = True
        self.in_flight = 0
        """Operations that have looked the key up and not ended."""
        self.abandoned = False
        """Deregistration did not wait: the last operation gives the pages back. Only of a broken adapter."""
        self.idle = WaitQueue(mm.machine.sched, f"operations under pinned region {key}")

    def __repr__(self) -> str:
        return f"<PinnedMr {self.key} [{self.start:#x}, {self.end:#x})>"

    @property
    def pages(self) -> int:
        return len(self.pfns)

    def pfn(self, vaddr: int) -> int:
        """The frame the adapter uses for `vaddr`."""
        return self.pfns[(vaddr >> PAGE_SHIFT) - self.first]

    def check(self, addr: int, length: int, need: Access) -> None:
        """CompletionError unless an operation on these bytes may begin."""
        if not self.live:
            raise CompletionError(errno.EINVAL, f"{self!r} is not registered")
        if length < 0 or addr < self.start or addr + length > self.end:
            raise CompletionError(errno.EINVAL, f"{length} bytes at {addr:#x} leave {self!r}")
        if not self.access & need:
            raise CompletionError(errno.EACCES, f"{self!r} gives no right to {need.name}")
