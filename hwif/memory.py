"""Host memory of one node: one byte array shared by numpy, the VM and the device, by pointer.

Promises: the array never moves; frame n is bytes n*4096 .. n*4096+4095. Costs one lazily committed mapping.
"""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

from hwif.gen.gru import PAGE_SHIFT

__all__ = ["FRAME_BYTES", "HostMemory"]

FRAME_BYTES = 1 << PAGE_SHIFT


class HostMemory:
    """`frames` frames of 4 KiB, zeroed."""

    def __init__(self, frames: int) -> None:
        if frames <= 0:
            raise ValueError(f"host memory needs at least one frame, not {frames}")
        self.frames = frames
        self._map = mmap.mmap(-1, frames * FRAME_BYTES)
        self._end = frames * FRAME_BYTES
        self.bytes: NDArray[np.uint8] = np.frombuffer(self._map, dtype=np.uint8)

    def frame(self, number: int) -> NDArray[np.uint8]:
        """The 4096 bytes of a frame, as a view."""
        if not 0 <= number < self.frames:
            raise IndexError(f"frame {number} outside 0..{self.frames - 1}")
        return self.bytes[number * FRAME_BYTES : (number + 1) * FRAME_BYTES]

    def holds(self, address: int, count: int = 1) -> bool:
        """All `count` bytes from `address` on are there."""
        return address >= 0 and address + count <= self._end

    def copy_frame(self, source: int, target: int) -> None:
        """Copy one frame's bytes."""
        self.frame(target)[:] = self.frame(source)

    def read(self, address: int, count: int) -> bytes:
        """`count` bytes at a physical byte address."""
        return self._map[address : address + count]

    def write(self, address: int, data: bytes) -> None:
        """Store bytes at a physical byte address."""
        end = address + len(data)
        if address < 0 or end > self._end:
            raise IndexError(f"physical address {address:#x} outside memory")
        self._map[address:end] = data

    @property
    def pointer(self) -> int:
        """Address of the first byte, for the simulator."""
        return int(self.bytes.ctypes.data)
