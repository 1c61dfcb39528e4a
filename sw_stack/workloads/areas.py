"""Which pages of an address space are mapped, and with what rights: intervals of page numbers, kept apart and sorted.

Promises: areas never overlap and neighbours of equal rights are one area. Costs: a lookup is one bisection; a change moves the
list's tail, so an address space of a few thousand areas is cheap and one of a terabyte costs no more than one of a page.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

__all__ = ["AreaMap"]


class AreaMap:
    """Half-open intervals [start, end) of page numbers, each with rights."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._rights: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Start, end and rights of each area, upwards."""
        return iter(zip(self._starts, self._ends, self._rights, strict=True))

    def __len__(self) -> int:
        return len(self._starts)

    def lookup(self, page: int) -> int | None:
        """Rights of a page; None when it is not mapped."""
        index = bisect_right(self._starts, page) - 1
        return self._rights[index] if index >= 0 and page < self._ends[index] else None

    def map(self, start: int, end: int, rights: int) -> None:
        """Map [start, end), replacing what was there."""
        if start >= end:
            return
        self.unmap(start, end)
        index = bisect_left(self._starts, start)
        if index < len(self._starts) and self._starts[index] == end and self._rights[index] == rights:
            end = self._ends[index]
            self._delete(index, index + 1)
        if index > 0 and self._ends[index - 1] == start and self._rights[index - 1] == rights:
            self._ends[index - 1] = end
            return
        self._starts.insert(index, start)
        self._ends.insert(index, end)
        self._rights.insert(index, rights)

    def unmap(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """Remove [start, end); what was there, cut to it."""
        first = bisect_right(self._ends, start)
        last = bisect_left(self._starts, end)
        removed = [
            (max(start, self._starts[index]), min(end, self._ends[index]), self._rights[index]) for index in range(first, last)
        ]
        if not removed:
            return []
        keep = []
        if self._starts[first] < start:
            keep.append((self._starts[first], start, self._rights[first]))
        if self._ends[last - 1] > end:
            keep.append((end, self._ends[last - 1], self._rights[last - 1]))
        self._starts[first:last] = [area[0] for area in keep]
        self._ends[first:last] = [area[1] for area in keep]
        self._rights[first:last] = [area[2] for area in keep]
        return removed

    def protect(self, start: int, end: int, rights: int) -> None:
        """New rights for what is mapped in [start, end)."""
        for low, high, _ in self.unmap(start, end):
            self.map(low, high, rights)

    def gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of [start, end) that are not mapped."""
        found = []
        cursor = start
        index = bisect_right(self._ends, start)
        while cursor < end:
            low = self._starts[index] if index < len(self._starts) else end
            if low > cursor:
                found.append((cursor, min(low, end)))
            cursor = self._ends[index] if index < len(self._starts) else end
            index += 1
        return found

    def _delete(self, first: int, last: int) -> None:
        del self._starts[first:last], self._ends[first:last], self._rights[first:last]
