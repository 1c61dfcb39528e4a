"""Disjoint intervals, each with something that stands for it.

Promises: look-ups take O(log n), and one step an interval found. Adding one that overlaps another raises ValueError.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["IntervalMap"]

T = TypeVar("T")


class IntervalMap(Generic[T]):
    """[start, end) -> T, in order of addresses."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._items: list[T] = []

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._items))

    def add(self, start: int, end: int, item: T) -> None:
        """Add an interval where there is none."""
        index = bisect_left(self._starts, start)
        free_below = index == 0 or self._ends[index - 1] <= start
        free_above = index == len(self._starts) or end <= self._starts[index]
        if start >= end or not free_below or not free_above:
            raise ValueError(f"[{start:#x}, {end:#x}) is empty or overlaps another interval")
        self._starts.insert(index, start)
        self._ends.insert(index, end)
        self._items.insert(index, item)

    def remove(self, start: int) -> T:
        """Take out the interval that begins at `start`. KeyError if none does."""
        index = bisect_left(self._starts, start)
        if index == len(self._starts) or self._starts[index] != start:
            raise KeyError(start)
        del self._starts[index], self._ends[index]
        return self._items.pop(index)

    def covering(self, start: int, end: int) -> T | None:
        """What stands for the interval that contains all of [start, end)."""
        index = bisect_right(self._starts, start) - 1
        return self._items[index] if index >= 0 and end <= self._ends[index] else None

    def overlapping(self, start: int, end: int) -> list[T]:
        """What stands for intervals with a byte of [start, end), in order."""
        first = bisect_right(self._ends, start)
        return self._items[first : bisect_left(self._starts, end)]
