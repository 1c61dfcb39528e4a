"""What happens when: the heap of events all blocks of the model share.

Promises: callbacks run in the order of (cycle, order of scheduling); one whose life has ended does not run. `now` is the cycle of
  the callback that runs, else the last one that was complete.
Costs: a heap operation an event; cycles without one cost nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

__all__ = ["NEVER", "Life", "Timeline"]

NEVER = (1 << 64) - 1


class Life:
    """Who scheduled: an adapter from its enabling to its disabling, or a link for ever."""

    __slots__ = ("alive",)

    def __init__(self) -> None:
        self.alive = True


class Timeline:
    """The heap, and the present cycle."""

    __slots__ = ("_heap", "_serial", "evaluated", "now")

    def __init__(self) -> None:
        self.now = 0
        self.evaluated = 0
        self._heap: list[tuple[int, int, Life, Callable[..., Any], tuple[Any, ...]]] = []
        self._serial = 0

    def at(self, life: Life, cycle: int, call: Callable[..., Any], *args: Any) -> None:
        """Run `call(*args)` in `cycle`, or at once after this callback when that is not in the future."""
        self._serial += 1
        heapq.heappush(self._heap, (cycle if cycle > self.now else self.now, self._serial, life, call, args))

    @property
    def next(self) -> int:
        """Cycle of the next event."""
        return self._heap[0][0] if self._heap else NEVER

    def run(self, until: int, stop: list[Any]) -> None:
        """Run whole cycles up to `until`, or to the end of the first one that left something in `stop`."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= until:
            cycle = heap[0][0]
            if cycle > self.now:
                self.evaluated += 1
            self.now = cycle
            while heap and heap[0][0] == cycle:
                _, _, life, call, args = pop(heap)
                if life.alive:
                    call(*args)
            if stop:
                return
        self.now = max(self.now, until)
