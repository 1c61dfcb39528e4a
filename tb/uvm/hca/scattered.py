"""Host memory whose frames lie anywhere in the physical address space, and what must know of that: so that every bit of an address
moves although little memory is there.

Promises: `alloc` of a ScatteredNode gives consecutive frames that begin somewhere, by the memory's seed; `alloc_bytes` some line of
one. Everybody names frames and addresses as the device does; where their bytes and their records are kept is this module's affair.
Needs: frames that were allocated. An address of others is outside memory.
"""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from hwif.gen.gru import PAGE_SHIFT
from hwif.memory import FRAME_BYTES, HostMemory
from hwif.shadow import Shadow
from pymodels.hca.oracle import Oracle
from tb.hil.hca_bare import Bare, BareNode

__all__ = ["ScatteredBare", "ScatteredMemory", "ScatteredNode", "ScatteredOracle", "ScatteredShadow"]

FRAME_BITS = 52 - PAGE_SHIFT
LINE = 64


class ScatteredMemory(HostMemory):
    """`frames` frames; none is anywhere before `scatter` has placed it."""

    def __init__(self, frames: int, seed: str) -> None:
        super().__init__(frames)
        self.rng = random.Random(seed)
        self._kept: dict[int, int] = {}

    def scatter(self, first: int, frames: int, aligned: int) -> int:
        """Place kept frames first..first+frames-1 in a row; where they begin."""
        while True:
            begin = self.rng.randrange((1 << FRAME_BITS) - frames) // aligned * aligned
            if not any(begin + at in self._kept for at in range(frames)):
                break
        self._kept.update((begin + at, first + at) for at in range(frames))
        return begin

    def kept(self, frame: int) -> int:
        """Where a frame's bytes are."""
        if frame not in self._kept:
            raise IndexError(f"frame {frame:#x} is nowhere in memory")
        return self._kept[frame]

    def kept_at(self, address: int) -> int:
        """The same for an address."""
        return self.kept(address >> PAGE_SHIFT) << PAGE_SHIFT | address % FRAME_BYTES

    def holds(self, address: int, count: int = 1) -> bool:
        """All bytes lie in frames that have been placed."""
        return all(frame in self._kept for frame in range(address >> PAGE_SHIFT, (address + count - 1 >> PAGE_SHIFT) + 1))

    def frame(self, number: int) -> NDArray[np.uint8]:
        """The 4096 bytes of a frame, as a view."""
        return super().frame(self.kept(number))

    def read(self, address: int, count: int) -> bytes:
        """`count` bytes from a physical address on."""
        here = min(count, FRAME_BYTES - address % FRAME_BYTES)
        found = super().read(self.kept_at(address), here)
        return found if here == count else found + self.read(address + here, count - here)

    def write(self, address: int, data: bytes) -> None:
        """Store bytes from a physical address on."""
        here = FRAME_BYTES - address % FRAME_BYTES
        super().write(self.kept_at(address), data[:here])
        if here < len(data):
            self.write(address + here, data[here:])


class ScatteredShadow(Shadow):
    """The oracle's records of such a memory, in the order in which its frames are kept."""

    def __init__(self, memory: ScatteredMemory) -> None:
        super().__init__(memory.frames)
        self._kept = memory.kept

    def grant(self, frame: int, mm: int, vpn: int, rights: int) -> None:
        """Allow `rights` on `frame` through page `vpn` of `mm`."""
        super().grant(self._kept(frame), mm, vpn, rights)

    def revoke(self, frame: int, mm: int, vpn: int) -> bool:
        """Take the record away."""
        return super().revoke(self._kept(frame), mm, vpn)

    def revoke_run(self, mm: int, vpn: int, frames: list[int]) -> list[int]:
        """Revoke a row of pages; those that had no record."""
        return [vpn + at for at, frame in enumerate(frames) if frame >= 0 and not self.revoke(frame, mm, vpn + at)]

    def rights(self, frame: int, mm: int, vpn: int) -> int:
        """Rights of a record, 0 if none."""
        return super().rights(self._kept(frame), mm, vpn)

    def grant_kernel(self, frame: int) -> None:
        """Mark a frame as the kernel's."""
        super().grant_kernel(self._kept(frame))

    def revoke_kernel(self, frame: int) -> None:
        """Take the kernel mark away."""
        super().revoke_kernel(self._kept(frame))


class ScatteredOracle(Oracle):
    """Judges accesses of such a memory; its violations name places where bytes are kept."""

    def __init__(self, memory: ScatteredMemory, shadow: Shadow) -> None:
        super().__init__(0, memory, shadow)
        self._place = memory.kept_at

    def check_own(self, cycle: int, pa: int, length: int, *, write: bool) -> None:
        """An access to the device's own tables and queues."""
        super().check_own(cycle, self._place(pa), length, write=write)

    def check(self, cycle: int, qpn: int, key: int, need: int, va: int, pa: int, length: int, *, write: bool) -> None:
        """An access through a translation."""
        super().check(cycle, qpn, key, need, va, self._place(pa), length, write=write)


class ScatteredNode(BareNode):
    """A node that takes its frames from anywhere."""

    memory: ScatteredMemory

    def alloc_user(self, frames: int, *, aligned: int = 1) -> int:
        """First of consecutive frames nobody may touch until they are mapped."""
        return self.memory.scatter(super().alloc_user(frames), frames, aligned)

    def alloc_bytes(self, count: int) -> int:
        """Physical address of kernel memory: some line's."""
        offset = LINE * self.memory.rng.randrange(FRAME_BYTES // LINE)
        return (self.alloc(-(-(offset + count) // FRAME_BYTES)) << PAGE_SHIFT) + offset


class ScatteredBare(Bare):
    """A device with such memory."""

    node_type = ScatteredNode
