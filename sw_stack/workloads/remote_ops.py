"""What system B does to the memory of a program on system A over the link, and the proof that it did it right.

Each operation is drawn from the pages the program touched last and runs on one queue pair: RDMA READ and WRITE, an atomic, a SEND
into a receive that A posts on its own pages. Addresses and lengths are any, so pieces cross pages and lines.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

from hwif.gen.gru import PAGE_SHIFT
from sw_stack.workloads.device_ops import PageSource

__all__ = ["MAX_BYTES", "RemoteKind", "RemoteOp", "draw_remote"]

PAGE = 1 << PAGE_SHIFT
MAX_BYTES = 2 * PAGE
ATOMIC_BYTES = 8
SIZES = (8, 64, 200, 1024, PAGE, PAGE + 700)
WEIGHTS = (2, 3, 2, 3, 3, 1)


class RemoteKind(Enum):
    """Who moves what: named from B's side, whose requests these are."""

    READ = "read"
    WRITE = "write"
    SEND = "send"
    ADD = "add"


@dataclass(frozen=True)
class RemoteOp:
    """`count` bytes at `address` of the program. `data`: what a WRITE or SEND carries; `addend` of an ADD."""

    kind: RemoteKind
    address: int
    count: int
    data: bytes = b""
    addend: int = 0

    @property
    def pages(self) -> frozenset[int]:
        """Pages of the program it touches."""
        return frozenset(range(self.address >> PAGE_SHIFT, (self.address + self.count - 1 >> PAGE_SHIFT) + 1))

    @property
    def reads(self) -> frozenset[int]:
        return self.pages if self.kind is RemoteKind.READ else frozenset()

    @property
    def writes(self) -> frozenset[int]:
        return frozenset() if self.kind is RemoteKind.READ else self.pages


def draw_remote(rng: random.Random, pages: PageSource) -> RemoteOp | None:
    """An operation over recently touched pages, None when there are none to work on."""
    kind = rng.choices(tuple(RemoteKind), (5, 4, 3, 2))[0]
    vpn = pages.readable(rng) if kind is RemoteKind.READ else pages.writable(rng)
    if vpn is None:
        return None
    if kind is RemoteKind.ADD:
        address = (vpn << PAGE_SHIFT) + ATOMIC_BYTES * rng.randrange(0, PAGE // ATOMIC_BYTES)
        return RemoteOp(kind, address, ATOMIC_BYTES, addend=rng.getrandbits(63))
    count = rng.choices(SIZES, WEIGHTS)[0]
    start = rng.randrange(0, PAGE)
    if start + count > PAGE and rng.random() < 0.7:  # mostly inside its page: the neighbour may not be mapped
        start = max(0, PAGE - count)
    count = min(count, MAX_BYTES)
    data = b"" if kind is RemoteKind.READ else rng.randbytes(count)
    return RemoteOp(kind, (vpn << PAGE_SHIFT) + start, count, data)
