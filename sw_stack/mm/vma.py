"""The mappings of an address space: a sorted list of areas that never overlap.

Promises: neighbours with the same attributes are one area, of a file if its pages follow each other too; addresses are whole
pages of the area's page size. Knows no pages.
"""

from __future__ import annotations

import errno
from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from sw_stack.mm.types import ADDRESS_END, PAGE_SHIFT, MmError

if TYPE_CHECKING:
    from sw_stack.mm.files import File

__all__ = ["MMAP_BASE", "Vma", "VmaFlag", "VmaMap"]

MMAP_BASE: Final = 0x2AAA_0000_0000


class VmaFlag:
    """What else holds for an area: bits of `Vma.flags`. Plain numbers, as PageFlag."""

    SHARED: Final = 1  # of a file: stores go to the file. Without: copy-on-write
    LOCKED: Final = 2  # mlock: reclaim leaves its pages in memory
    NONLINEAR: Final = 4  # remap_file_pages has been here: entries say which page of the file they are for
    PFNMAP: Final = 16  # a driver's frames: no faults, not the VM's to take
    MERGEABLE: Final = 8  # madvise(MERGEABLE): KSM may merge its pages


class Vma(NamedTuple):
    """Bytes start..end-1 in pages of 2**shift bytes: anonymous and private, or `file` from its page `pgoff` on."""

    start: int
    end: int
    prot: int
    shift: int = PAGE_SHIFT
    flags: int = 0
    file: File | None = None
    pgoff: int = 0

    @property
    def order(self) -> int:
        return self.shift - PAGE_SHIFT

    @property
    def cow(self) -> bool:
        """Stores copy a shared page (is_cow_mapping)."""
        return not self.flags & VmaFlag.SHARED

    def file_page(self, vpn: int) -> int:
        """The page of the file that page `vpn` shows, entries of remap_file_pages aside."""
        return self.pgoff + vpn - (self.start >> PAGE_SHIFT)

    def part(self, start: int, end: int) -> Vma:
        """Bytes start..end-1 of it."""
        pgoff = self.pgoff + (start - self.start >> PAGE_SHIFT) if self.file is not None else 0
        return Vma(start, end, self.prot, self.shift, self.flags, self.file, pgoff)

    def clip(self, start: int, end: int) -> Vma:
        """The part inside start..end-1."""
        if start <= self.start and self.end <= end:
            return self
        return self.part(max(self.start, start), min(self.end, end))

    def at(self, start: int, end: int) -> Vma:
        """The same kind of area elsewhere; of a file, from the same page on."""
        return Vma(start, end, self.prot, self.shift, self.flags, self.file, self.pgoff)

    def joins(self, right: Vma) -> bool:
        """True if `right` continues this area."""
        return (
            self.end == right.start
            and self[2:6] == right[2:6]
            and (self.file is None or self.pgoff + (self.end - self.start >> PAGE_SHIFT) == right.pgoff)
        )


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
        vmas, first = self._vmas, bisect_right(self._starts, start) - 1
        parts = []
        for index in range(max(first, 0), len(vmas)):
            vma = vmas[index]
            if vma.start >= end:
                break
            if vma.end > start:
                parts.append(vma.clip(start, end))
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
        index = bisect_right(self._starts, start) - 1
        if index >= 0:
            vma = self._vmas[index]
            if vma.start == start and vma.end == end:  # most often one area goes as a whole
                del self._vmas[index], self._starts[index]
                return [vma]
        parts = self.whole_pages(start, end)
        if not parts:
            return []
        first = bisect_right(self._starts, parts[0].start) - 1
        last = bisect_right(self._starts, parts[-1].start) - 1
        keep = []
        if self._vmas[first].start < start:
            keep.append(self._vmas[first].clip(0, start))
        if self._vmas[last].end > end:
            keep.append(self._vmas[last].clip(end, ADDRESS_END))
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
        index = bisect_right(self._starts, vma.start)
        if (index and self._vmas[index - 1].end > vma.start) or (index < len(self._vmas) and self._vmas[index].start < vma.end):
            raise ValueError(f"[{vma.start:#x}, {vma.end:#x}) is mapped already")
        low = high = index
        if index and self._vmas[index - 1].joins(vma):
            low -= 1
            vma = self._vmas[low].at(self._vmas[low].start, vma.end)
        if index < len(self._vmas) and vma.joins(self._vmas[index]):
            high += 1
            vma = vma.at(vma.start, self._vmas[index].end)
        self._vmas[low:high] = [vma]
        self._starts[low:high] = [vma.start]

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
