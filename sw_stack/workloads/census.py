"""What a run's trace contains, counted as it passes: the proof that a scenario met what it is about. A TraceSink.

Promises: after the last block, `events` holds the number of events of each kind, by either side; `dropins_overtaken` the drop-ins
ignored by the device that the driver had issued before the shootdown was accepted; `shootdowns_drained` the shootdowns
whose acknowledgement waited for accesses in flight; `upgrades` the writes that met a clean entry; `large_fills` the
drop-ins of pages larger than 4 KiB; `peak_misses` the most misses parked at one time. Costs a few array operations a block and a
Python step for each miss, drop-in, restart and shootdown.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hwif.gen.events import TraceEvent
from hwif.gen.gru import TfhCause
from hwif.trace import EVENT_MASK

__all__ = ["Census"]

# An acknowledgement that waits for nothing comes within a handful of cycles; one that waits for memory takes most of its latency.
PROMPT_ACK = 16

FOLLOWED = np.array(
    [
        TraceEvent.DRV_DROPIN,
        TraceEvent.DEV_MISS,
        TraceEvent.DEV_FILL,
        TraceEvent.DEV_FILL_DROPPED,
        TraceEvent.DEV_RESTART,
        TraceEvent.DEV_CB_DONE,
        TraceEvent.DEV_SHOOT_ACCEPT,
        TraceEvent.DEV_SHOOT_DONE,
    ],
    dtype=np.uint64,
)


class Census:
    """Subscribe it to the trace; read it when the run is over."""

    COUNTS: Final = ("dropins_overtaken", "shootdowns_drained", "upgrades", "large_fills", "peak_misses")

    def __init__(self) -> None:
        self.events: Counter[int] = Counter()
        self.shootdowns_drained = 0
        self.upgrades = 0
        self.large_fills = 0
        self.peak_misses = 0
        self._dropins: dict[int, list[int]] = {}  # control block -> cycles
        self._accepts: list[int] = []
        self._ignored: list[tuple[int, int]] = []  # cycle, control block
        self._parked: set[int] = set()
        self._accepted: dict[int, int] = {}

    @property
    def dropins_overtaken(self) -> int:
        """Counted when asked: the two sides' records come in blocks of their own."""
        return sum(self._last(self._dropins.get(cbr, []), cycle) < self._last(self._accepts, cycle) for cycle, cbr in self._ignored)

    @staticmethod
    def _last(cycles: list[int], before: int) -> int:
        index = bisect_right(cycles, before)
        return cycles[index - 1] if index else 0

    def __call__(self, records: NDArray[np.uint64]) -> None:
        kinds = records[:, 1] & np.uint64(EVENT_MASK)
        values, counts = np.unique(kinds, return_counts=True)
        self.events.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        for record in records[np.isin(kinds, FOLLOWED)].tolist():
            self._follow(record)

    def _follow(self, record: list[int]) -> None:
        cycle, kind, index = record[0], record[1] & EVENT_MASK, record[2]
        if kind == TraceEvent.DEV_MISS:
            self.upgrades += record[5] == TfhCause.TLB_MOD
            self._parked.add(index)
            self.peak_misses = max(self.peak_misses, len(self._parked))
        elif kind == TraceEvent.DEV_FILL:
            self.large_fills += record[6] > 0
        elif kind == TraceEvent.DEV_SHOOT_ACCEPT:
            self._accepted[index] = cycle
            self._accepts.append(cycle)
        elif kind == TraceEvent.DRV_DROPIN:
            self._dropins.setdefault(index, []).append(cycle)
        elif kind == TraceEvent.DEV_FILL_DROPPED:
            self._ignored.append((cycle, index))
        elif kind == TraceEvent.DEV_SHOOT_DONE:
            self.shootdowns_drained += cycle - self._accepted.pop(index, cycle) > PROMPT_ACK
        else:
            self._parked.discard(index)
