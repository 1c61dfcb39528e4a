"""Who may touch each frame: the oracle's record of live translations, read on every beat of DMA.

Layout (its numbers stand in spec/port.toml), shared with the C++ memory model (tb/hil/oracle.cpp) and the model's kernel by
pointer: `words`, shape (frames + pool, 2), uint64.
  word 0   virtual page number in bits [51:0], address space in bits [63:52]; 0 = no record
  word 1   rights in bits [7:0] (READ, WRITE, KERNEL), index of the frame's next record in bits [63:8]; 0 = none
Record f < frames is frame f's first; more mappings of the same frame (fork, shared pages) chain into the pool.
`ctx_mm`, shape (NUM_CTX,), uint32: the address space each context runs for, 0 = none.
`regions`, shape (NUM_KEY, 4), uint64 (an HCA only): what may be done in the name of each key: address space in bits [31:0] of
word 0 (0 = no region) and protection domain above, first address, end (exclusive), rights (REGION_*). `qp_pd`, shape (NUM_QP,),
uint32: the protection domain of each queue pair, 0 = none. A beat of an HCA needs a live region that covers all of it and grants
its kind of access, a queue pair of the same domain, and the frame's record as above.

Promises: a (frame, mm, vpn) has at most one record. Only software at a standstill writes; the simulator only reads while it
advances, so no lock is needed. Raises ShadowError when the pool is full or an identifier does not fit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwif.gen.gru import NUM_CTX
from hwif.gen.hca import NUM_KEY, NUM_QP
from hwif.gen.port import REGION_MM_BITS, REGION_WORDS
from hwif.gen.port import SHADOW_KERNEL as KERNEL
from hwif.gen.port import SHADOW_READ as READ
from hwif.gen.port import SHADOW_RIGHTS_BITS as RIGHTS_BITS
from hwif.gen.port import SHADOW_VPN_BITS as VPN_BITS
from hwif.gen.port import SHADOW_WRITE as WRITE

__all__ = ["KERNEL", "MAX_MM", "READ", "RIGHTS_BITS", "RIGHTS_MASK", "WRITE", "Shadow", "ShadowError"]

VPN_MASK = (1 << VPN_BITS) - 1
MAX_MM = (1 << (64 - VPN_BITS)) - 1
RIGHTS_MASK = (1 << RIGHTS_BITS) - 1


class ShadowError(Exception):
    """The shadow cannot hold what was asked."""


class Shadow:
    """Records for `frames` frames; `pool` further records for frames with several mappings."""

    def __init__(self, frames: int, pool: int | None = None) -> None:
        self.frames = frames
        self.pool = max(64, frames) if pool is None else pool
        self.words: NDArray[np.uint64] = np.zeros((frames + self.pool, 2), dtype=np.uint64)
        self.ctx_mm: NDArray[np.uint32] = np.zeros(NUM_CTX, dtype=np.uint32)
        self.regions: NDArray[np.uint64] = np.zeros((NUM_KEY, REGION_WORDS), dtype=np.uint64)
        self.qp_pd: NDArray[np.uint32] = np.zeros(NUM_QP, dtype=np.uint32)
        # A flat memoryview indexes five times faster than numpy scalars, and every PTE change comes through here.
        self._flat = memoryview(self.words.data).cast("B").cast("Q")
        self._free: list[int] = []  # records given back
        self._fresh = frames  # the next one never used

    @staticmethod
    def _tag(mm: int, vpn: int) -> int:
        if not 0 < mm <= MAX_MM:
            raise ShadowError(f"address space {mm} outside 1..{MAX_MM}")
        return (mm << VPN_BITS) | (vpn & VPN_MASK)

    def grant(self, frame: int, mm: int, vpn: int, rights: int) -> None:
        """Allow `rights` on `frame` through page `vpn` of `mm`; replaces the rights of an existing record."""
        flat, tag = self._flat, self._tag(mm, vpn)
        index = frame
        while True:
            if flat[2 * index] == tag or flat[2 * index] == 0:
                flat[2 * index] = tag
                flat[2 * index + 1] = (flat[2 * index + 1] & ~RIGHTS_MASK) | rights
                return
            following = flat[2 * index + 1] >> RIGHTS_BITS
            if not following:
                break
            index = following
        if self._free:
            fresh = self._free.pop()
        elif self._fresh < self.frames + self.pool:
            fresh = self._fresh
            self._fresh += 1
        else:
            raise ShadowError(f"frame {frame} has more mappings than the oracle's pool of {self.pool} can hold")
        flat[2 * fresh] = tag
        flat[2 * fresh + 1] = rights
        flat[2 * index + 1] |= fresh << RIGHTS_BITS

    def revoke(self, frame: int, mm: int, vpn: int) -> bool:
        """Take the record away. True if there was one."""
        flat, tag = self._flat, self._tag(mm, vpn)
        index, previous = frame, -1
        while flat[2 * index] != tag:
            following = flat[2 * index + 1] >> RIGHTS_BITS
            if not following:
                return False
            previous, index = index, following
        following = flat[2 * index + 1] >> RIGHTS_BITS
        if previous >= 0:
            flat[2 * previous + 1] = (flat[2 * previous + 1] & RIGHTS_MASK) | (following << RIGHTS_BITS)
            self._release(index)
        elif following:  # the frame's own record takes over its successor
            flat[2 * index] = flat[2 * following]
            flat[2 * index + 1] = flat[2 * following + 1]
            self._release(following)
        else:
            flat[2 * index] = 0
            flat[2 * index + 1] = 0
        return True

    def revoke_run(self, mm: int, vpn: int, frames: list[int]) -> list[int]:
        """Revoke page `vpn + i` of `mm` in frame `frames[i]`, for each that is not negative. The pages that had no record."""
        flat, tag, lost = self._flat, self._tag(mm, vpn), []
        for offset, frame in enumerate(frames):
            if frame < 0:
                continue
            place = 2 * frame
            if flat[place] == tag + offset and flat[place + 1] <= RIGHTS_MASK:  # the only record of its frame, as most are
                flat[place] = flat[place + 1] = 0
            elif not self.revoke(frame, mm, vpn + offset):
                lost.append(vpn + offset)
        return lost

    def rights(self, frame: int, mm: int, vpn: int) -> int:
        """Rights of a record, 0 if none."""
        flat, tag = self._flat, self._tag(mm, vpn)
        index = frame
        while True:
            if flat[2 * index] == tag:
                return flat[2 * index + 1] & RIGHTS_MASK
            index = flat[2 * index + 1] >> RIGHTS_BITS
            if not index:
                return 0

    def grant_kernel(self, frame: int) -> None:
        """Mark a frame as the kernel's: unmapped accesses may touch it. It must have no user record."""
        if self._flat[2 * frame]:
            raise ShadowError(f"frame {frame} is mapped by a user and cannot become the kernel's")
        self._flat[2 * frame + 1] = KERNEL

    def revoke_kernel(self, frame: int) -> None:
        """Take the kernel mark away."""
        self._flat[2 * frame + 1] = 0

    def set_context(self, ctx: int, mm: int) -> None:
        """Context `ctx` now runs for address space `mm` (0: nobody)."""
        self.ctx_mm[ctx] = mm

    def set_region(self, key_index: int, mm: int, pd: int, start: int, end: int, rights: int) -> None:
        """The region a key names is live: `start` to `end` (exclusive) of `mm`, with `rights` (REGION_*)."""
        self.regions[key_index] = (mm | pd << REGION_MM_BITS, start, end, rights)

    def clear_region(self, key_index: int) -> None:
        """The key is dead: its invalidation has been confirmed."""
        self.regions[key_index] = 0

    def set_queue_pair(self, qpn: int, pd: int) -> None:
        """Queue pair `qpn` belongs to protection domain `pd` (0: to nobody)."""
        self.qp_pd[qpn] = pd

    def _release(self, index: int) -> None:
        self._flat[2 * index] = 0
        self._flat[2 * index + 1] = 0
        self._free.append(index)
