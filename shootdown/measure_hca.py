"""What the trace of a pair of HCAs says in numbers, as shootdown/measure.py.

A fault lasts from the device's objection to its resume, each side of a queue pair for itself; a shootdown from the fence's ring to
its value seen, which is what a notifier waits for. A translation killed by the sweep was over-invalidated when no invalidation of
its key since covers it; one that a fill of the same page replaced was not invalidated at all.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from hwif.gen.events import TraceEvent
from hwif.gen.gru import PAGE_SHIFT
from hwif.trace import EVENT_MASK, node_of
from shootdown.measure import MeasureBase

__all__ = ["HcaMeasure"]

RELEVANT = np.array(
    [
        TraceEvent.HDEV_FAULT,
        TraceEvent.HDEV_RESUME,
        TraceEvent.HDEV_INVALIDATE,
        TraceEvent.HDEV_FILL,
        TraceEvent.HDEV_KILL,
        TraceEvent.HCA_UNMAP,
        TraceEvent.HCA_FENCE,
        TraceEvent.HCA_FENCE_DONE,
    ],
    dtype=np.uint64,
)
SWEEP_WINDOW = 4096  # cycles from an invalidation to the last entry its sweep may clear
KEY_SHIFT = 8


class HcaMeasure(MeasureBase):
    """Samples of both systems together."""

    def __init__(self) -> None:
        super().__init__(RELEVANT)
        self._faulted: dict[tuple[int, int, int], int] = {}  # node, queue pair, side
        self._fenced: dict[tuple[int, int], int] = {}  # node, value
        self._accepted: deque[tuple[int, int, int, int, int]] = deque()  # cycle, node, key, first page, last page
        self._filled: deque[tuple[int, int, int, int]] = deque()  # cycle, node, key, page

    def _record(self, row: list[int]) -> None:
        cycle, event, node = row[0], row[1] & EVENT_MASK, node_of(row[1])
        if event == TraceEvent.HDEV_FAULT:
            self._faulted.setdefault((node, row[2], row[3]), cycle)
        elif event == TraceEvent.HDEV_RESUME:
            start = self._faulted.pop((node, row[2], row[3]), None) if row[6] else None
            if start is not None:
                self.fault_latency.append(cycle - start)
        elif event == TraceEvent.HCA_UNMAP:
            self.shootdown_pages += row[5]
        elif event == TraceEvent.HCA_FENCE:
            self._fenced[node, row[2]] = cycle
        elif event == TraceEvent.HCA_FENCE_DONE:
            start = self._fenced.pop((node, row[2]), None)
            if start is not None:
                self.shootdown_latency.append(cycle - start)
        elif event == TraceEvent.HDEV_FILL:
            self._filled.append((cycle, node, row[2] >> KEY_SHIFT, row[3] >> PAGE_SHIFT))
        elif event == TraceEvent.HDEV_INVALIDATE:
            whole, first = bool(row[6]), row[4] >> PAGE_SHIFT
            last = (row[4] + max(row[5], 1) - 1) >> PAGE_SHIFT
            self._accepted.append((cycle, node, row[3] >> KEY_SHIFT, 0 if whole else first, 1 << 64 if whole else last))
        else:
            self._kill(cycle, node, row[2], row[3] >> PAGE_SHIFT, (row[3] + (1 << row[4]) - 1) >> PAGE_SHIFT)

    def _kill(self, cycle: int, node: int, key: int, first: int, last: int) -> None:
        for queue in (self._accepted, self._filled):
            while queue and queue[0][0] < cycle - SWEEP_WINDOW:
                queue.popleft()
        for _cycle, where, which, begin, end in self._accepted:
            if (where, which) == (node, key) and begin <= last and first <= end:
                return
        if any((where, which) == (node, key) and first <= page <= last for _cycle, where, which, page in self._filled):
            return
        self.over_invalidated += 1
