"""Bytes of a large address space, kept where they were touched.

Promises: bytes nobody wrote are random by seed and address, so that a misplaced read shows; the same seed gives the same.
Costs: a page of 4 KiB is made when it is first touched.
"""

from __future__ import annotations

import random

__all__ = ["SparseMemory", "strobe_runs"]

PAGE = 4096


class SparseMemory:
    """Little-endian."""

    def __init__(self, seed: str = "memory") -> None:
        self._seed = seed
        self._pages: dict[int, bytearray] = {}

    def _page(self, number: int) -> bytearray:
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = bytearray(random.Random(f"{self._seed}:{number}").randbytes(PAGE))
        return page

    def read(self, addr: int, count: int) -> bytes:
        """Bytes from `addr` on."""
        number, offset = divmod(addr, PAGE)
        if offset + count <= PAGE:
            return bytes(self._page(number)[offset : offset + count])
        first = PAGE - offset
        return self.read(addr, first) + self.read(addr + first, count - first)

    def write(self, addr: int, data: bytes) -> None:
        """Put bytes at `addr`."""
        number, offset = divmod(addr, PAGE)
        first = min(len(data), PAGE - offset)
        self._page(number)[offset : offset + first] = data[:first]
        if first < len(data):
            self.write(addr + first, data[first:])

    def write_strobed(self, addr: int, data: bytes, strobe: int) -> None:
        """Only bytes whose strobe is set."""
        for first, last in strobe_runs(strobe):
            self.write(addr + first, data[first:last])

    def copy(self) -> SparseMemory:
        """The same bytes, on their own from now on."""
        other = SparseMemory(self._seed)
        other._pages = {number: bytearray(page) for number, page in self._pages.items()}
        return other


def strobe_runs(strobe: int) -> list[tuple[int, int]]:
    """Runs of set strobes: first byte, one past the last."""
    found, at = [], 0
    while strobe:
        skip = (strobe & -strobe).bit_length() - 1
        strobe >>= skip
        length = (~strobe & (strobe + 1)).bit_length() - 1
        found.append((at + skip, at + skip + length))
        at, strobe = at + skip + length, strobe >> length
    return found
