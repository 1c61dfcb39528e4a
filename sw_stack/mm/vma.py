"""The mappings of an address space: a sorted list of areas that never overlap.

Promises: neighbours with the same attributes are one area; addresses are whole pages of the area's page size. Knows no pages.
"""

from __future__ import annotations

import errno
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from sw_stack.mm.types import ADDRESS_END, MmError

__all__ = ["MMAP_BASE", "Vma", "VmaMap"]

MMAP_BASE: Final = 0x2AAA_0000_0000


@dataclass(frozen=True)
class Vma:
    """Bytes start..end-1, mapped private and anonymous with pages of 2**shift bytes."""

    start: int
    end: int
    prot: int
    shift: int

    @property
    def order(self) -> int:
        return self.shift - 12

    def clip(self, start: int, end: int) -> Vma:
        """The part inside start..end-1."""
        if start <= self.start and self.end <= end:
            return self
        return replace(self, start=max(self.start, start), end=min(self.end, end))


class VmaMap:
    """The areas, in order."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._vmas: list[Vma] = []

    def __iter__(self) -> Iterator[Vma]:
        return iter(tuple(self._vmas))

    def __len__(self) -> int:
        return len(self._vmas)

    def copy(self) -> VmaMap:
        """The same areas in a map of their own."""
        other = VmaMap()
        other._starts, other._vmas = self._starts[:], self._vmas[:]
        return other

    def find(self, addr: int) -> Vma | None:
        """The area that contains `addr`."""
        index = bisect_right(self._starts, addr) - 1
        if index >= 0 and addr < self._vmas[index].end:
            return self._vmas[index]
        return None

    def overlapping(self, start: int, end: int) -> list[Vma]:
        """The parts of areas inside start..end-1, in order."""
        index = max(bisect_right(self._starts, start) - 1, 0)
        parts = []
        while index < len(self._vmas) and self._vmas[index].start < end:
            if self._vmas[index].end > start:
                parts.append(self._vmas[index].clip(start, end))
            index += 1
        return parts

    def covered(self, start: int, end: int) -> bool:
        """True if start..end-1 has no hole."""
        for part in self.overlapping(start, end):
            if part.start != start:
                return False
            start = part.end
        return start >= end

    def carve(self, start: int, end: int) -> list[Vma]:
        """Remove start..end-1, splitting at the ends; the parts removed. Raises as `whole_pages`, changing nothing."""
        parts = self.whole_pages(start, end)
        if not parts:
            return []
        first = bisect_right(self._starts, parts[0].start) - 1
        last = bisect_right(self._starts, parts[-1].start) - 1
        keep = []
        if self._vmas[first].start < start:
            keep.append(replace(self._vmas[first], end=start))
        if self._vmas[last].end > end:
            keep.append(replace(self._vmas[last], start=end))
        self._vmas[first : last + 1] = keep
        self._starts[first : last + 1] = [vma.start for vma in keep]
        return parts

    def whole_pages(self, start: int, end: int) -> list[Vma]:
        """`overlapping`, if both ends fall between pages. MmError EINVAL when a cut would fall inside a large page."""
        parts = self.overlapping(start, end)
        for part in parts:
            if (part.start | part.end) & ((1 << part.shift) - 1):
                raise MmError(errno.EINVAL, f"[{start:#x}, {end:#x}) cuts a page of {1 << part.shift} bytes at {part.start:#x}")
        return parts

    def insert(self, vma: Vma) -> None:
        """Add an area where there is none, merging with equal neighbours."""
        if self.overlapping(vma.start, vma.end):
            raise ValueError(f"[{vma.start:#x}, {vma.end:#x}) is mapped already")
        index = bisect_right(self._starts, vma.start)
        low = high = index
        if index and self._joins(self._vmas[index - 1], vma):
            low -= 1
            vma = replace(vma, start=self._vmas[low].start)
        if index < len(self._vmas) and self._joins(vma, self._vmas[index]):
            high += 1
            vma = replace(vma, end=self._vmas[index].end)
        self._vmas[low:high] = [vma]
        self._starts[low:high] = [vma.start]

    @staticmethod
    def _joins(left: Vma, right: Vma) -> bool:
        return left.end == right.start and (left.prot, left.shift) == (right.prot, right.shift)

    def free_area(self, length: int, align: int, hint: int | None) -> int:
        """Where `length` bytes fit: at `hint` if that is free, else the first place from MMAP_BASE upwards. MmError ENOMEM."""
        if hint is not None:
            place = -(-hint // align) * align
            if place + length <= ADDRESS_END and not self.overlapping(place, place + length):
                return place
        place = -(-MMAP_BASE // align) * align
        for vma in self._vmas[max(bisect_right(self._starts, place) - 1, 0) :]:
            if vma.start >= place + length:
                break
            if vma.end > place:
                place = -(-vma.end // align) * align
        if place + length > ADDRESS_END:
            raise MmError(errno.ENOMEM, f"no {length} free bytes of address space")
        return place
