"""What a run's trace says in numbers: latencies, over-invalidation, hit rate over time. A TraceSink.

Blocks of software and device records arrive separately, each in its own order; `settle(cycle)` merges everything up to a cycle both
have passed and works it off. Costs a few array operations a block and a Python step only for the events that matter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

import numpy as np
from numpy.typing import NDArray

from hwif.gen.events import TraceEvent
from hwif.gen.gru import INVAL_ALL_N, PAGE_SHIFT, PAGE_SHIFTS
from hwif.trace import EVENT_MASK
from shootdown.result import HitRate

__all__ = ["Measure", "MeasureBase"]

RELEVANT = np.array(
    [
        TraceEvent.DEV_MISS,
        TraceEvent.DEV_RESTART,
        TraceEvent.DEV_FILL,
        TraceEvent.DEV_KILL,
        TraceEvent.DEV_SHOOT_ACCEPT,
        TraceEvent.DRV_SHOOTDOWN,
        TraceEvent.DRV_SHOOTDOWN_DONE,
        TraceEvent.MN_RANGE_BEGIN,
        TraceEvent.MN_INVALIDATE_PAGE,
    ],
    dtype=np.uint64,
)
# A killed entry is reported when the sweep passes it: a sweep after the shootdown was accepted, at most two when it had to wait.
SWEEP_WINDOW = 1024
REPLACE_WINDOW = 512  # cycles from a drop-in to the death of the older entries it replaces
INTENT_WINDOW = 200_000  # cycles between a notifier call and the last shootdown it causes
MAX_BINS = 200


def _page(vaddr: int, code: int) -> tuple[int, int]:
    """First byte of the page round an address, and one past its last."""
    size = 1 << PAGE_SHIFTS.get(code, PAGE_SHIFT)
    return vaddr & -size, (vaddr & -size) + size


class MeasureBase(ABC):
    """Collects samples while the run goes on; read the attributes at the end. What a record means, a device's class says."""

    def __init__(self, relevant: NDArray[np.uint64]) -> None:
        self.fault_latency: list[int] = []
        self.shootdown_latency: list[int] = []
        self.over_invalidated = 0
        self.shootdown_pages = 0
        self._relevant = relevant
        self._blocks: list[NDArray[np.uint64]] = []
        self._bins: list[tuple[int, int, int]] = []  # cycle, lookups, hits so far

    @abstractmethod
    def _record(self, row: list[int]) -> None:
        """One record of the events that matter, in order of time."""

    def __call__(self, records: NDArray[np.uint64]) -> None:
        events = records[:, 1] & np.uint64(EVENT_MASK)
        chosen = records[np.isin(events, self._relevant)]
        if len(chosen):
            self._blocks.append(chosen)

    def sample(self, cycle: int, lookups: int, hits: int) -> None:
        """The TLB's counters at a cycle."""
        if not self._bins or cycle > self._bins[-1][0]:
            self._bins.append((cycle, lookups, hits))

    def settle(self, cycle: int) -> None:
        """Work off everything before `cycle`; both streams have passed it."""
        if not self._blocks:
            return
        merged = np.concatenate(self._blocks)
        merged = merged[np.argsort(merged[:, 0], kind="stable")]
        split = int(np.searchsorted(merged[:, 0], np.uint64(cycle)))
        self._blocks = [merged[split:]] if split < len(merged) else []
        for row in merged[:split].tolist():
            self._record(row)

    def hit_rate(self) -> HitRate | None:
        """Lookups and hits by time, in at most MAX_BINS equal bins."""
        if len(self._bins) < 2:
            return None
        cycles, lookups, hits = (np.array(column, dtype=np.int64) for column in zip(*self._bins, strict=True))
        end = int(cycles[-1])
        bins = max(1, min(MAX_BINS, len(cycles) - 1))
        width = -(-end // bins)
        edges = np.minimum(np.arange(bins + 1) * width, end)
        # The counters are sampled at cycles of the run's own; between two samples they are taken as rising evenly.
        at_lookups = np.interp(edges, cycles, lookups).round().astype(np.int64)
        at_hits = np.interp(edges, cycles, hits).round().astype(np.int64)
        return HitRate(width, np.diff(at_lookups), np.diff(at_hits))


class Measure(MeasureBase):
    """The GRU's: a fault lasts from the miss to the restart, a shootdown from the driver's command to its status."""

    def __init__(self) -> None:
        super().__init__(RELEVANT)
        self._missed: dict[int, int] = {}
        self._issued: dict[int, int] = {}
        self._intents: deque[tuple[int, int, int]] = deque()  # cycle, start, end of notifier calls
        self._accepted: deque[tuple[int, int, int, int, bool]] = deque()  # cycle, asid, start, end, global
        self._filled: deque[tuple[int, int, int, int]] = deque()  # cycle, asid, start, end

    def _record(self, row: list[int]) -> None:
        cycle, event = row[0], row[1] & EVENT_MASK
        if event == TraceEvent.DEV_MISS:
            self._missed[row[2]] = cycle
        elif event == TraceEvent.DEV_RESTART:
            start = self._missed.pop(row[2], None)
            if start is not None:
                self.fault_latency.append(cycle - start)
        elif event == TraceEvent.DRV_SHOOTDOWN:
            self._issued[row[2]] = cycle
            self.shootdown_pages += row[5] + 1
        elif event == TraceEvent.DRV_SHOOTDOWN_DONE:
            start = self._issued.pop(row[2], None)
            if start is not None:
                self.shootdown_latency.append(cycle - start)
        elif event == TraceEvent.MN_RANGE_BEGIN:
            self._intents.append((cycle, row[3], row[4] or 1 << 64))  # the top of the address space is a 0 in the trace
        elif event == TraceEvent.MN_INVALIDATE_PAGE:
            self._intents.append((cycle, row[3], row[3] + (1 << PAGE_SHIFT)))
        elif event == TraceEvent.DEV_FILL:
            start, end = _page(row[3], row[6])
            self._filled.append((cycle, row[4], start, end))
        elif event == TraceEvent.DEV_SHOOT_ACCEPT:
            self._accept(cycle, row)
        else:
            self._kill(cycle, row)

    def _accept(self, cycle: int, row: list[int]) -> None:
        """The range a shootdown was meant for: what it says, or, where the encoding says "all", what the notifier said."""
        start, asid, pages, everything = row[3], row[4], row[5] + 1, bool(row[6])
        end = start + (pages << PAGE_SHIFT)
        while self._intents and self._intents[0][0] < cycle - INTENT_WINDOW:
            self._intents.popleft()
        if row[5] == INVAL_ALL_N:
            meant = [last for _cycle, first, last in self._intents if first == start]
            if meant:
                end = max(meant)
        self._accepted.append((cycle, asid, start, end, everything))

    def _kill(self, cycle: int, row: list[int]) -> None:
        while self._accepted and self._accepted[0][0] < cycle - SWEEP_WINDOW:
            self._accepted.popleft()
        while self._filled and self._filled[0][0] < cycle - REPLACE_WINDOW:
            self._filled.popleft()
        first, last = _page(row[2], row[4])
        for _cycle, asid, start, end, everything in self._accepted:
            if everything or (asid == row[3] and first < end and last > start):
                return
        if any(asid == row[3] and first < end and last > start for _cycle, asid, start, end in self._filled):
            return  # replaced by a drop-in, which is no invalidation
        self.over_invalidated += 1
