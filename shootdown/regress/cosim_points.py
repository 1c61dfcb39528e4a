"""What software and RTL together must have been in, for the rules of the notifiers: cover groups, counted from a run's trace.

Promises: a watcher sees every record and changes nothing of the run. Counts are taken at the end, in the order of time.
Costs: a Python step for each record of notifiers, faults, clients and page moves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwif.gen.events import FaultKind, TraceEvent
from hwif.trace import EVENT_MASK, TASK_SHIFT
from tb.plan.cover import Counts, CoverGroup, Tally, cross

__all__ = ["CALLS", "GROUPS", "LIFE", "PAGES", "RANGES", "Watcher"]

BESIDE = ("alone", "beside a range")
CALLS = CoverGroup(
    "notifier calls",
    "a call of the notifiers, and whether a range of the same address space is open beside it",
    "sw",
    ("MN-1", "MN-2", "MN-3", "MN-4", "MN-6"),
    (
        *cross(["range"], ["atomic", "may sleep"], BESIDE),
        *cross(["page"], BESIDE),
        *cross(["age"], ["young", "old"]),
        "release",
    ),
)
RANGES = CoverGroup(
    "notifier ranges",
    "how open ranges of an address space lie to each other, and what is asked for meanwhile",
    "sw",
    ("MN-1",),
    (
        "two at once",
        "three at once",
        "overlapping",
        "one task's inside each other",
        "the first begun ends last",
        "the first begun ends first",
        "a fault inside an open range",
        "a fault beside an open range",
    ),
)
LIFE = CoverGroup(
    "notifier clients",
    "clients that come, and address spaces that go",
    "sw",
    ("MN-4", "MN-5"),
    ("comes", "comes again", "comes beside a range", "exit", "out of memory", "fault in flight at release", "fork with clients"),
)
PAGES = CoverGroup(
    "notifier pages",
    "what becomes of a page after the call that took it from its clients",
    "sw",
    ("MN-3", "MN-6"),
    ("reclaimed", "swapped out", "migrated", "kept: a device used it", "comes back from swap"),
)
GROUPS = (CALLS, RANGES, LIFE, PAGES)


@dataclass
class _Open:
    task: int
    start: int
    end: int


class Watcher:
    """A TraceSink; read `counts` when the run has ended."""

    def __init__(self) -> None:
        self.tally = Tally(GROUPS)
        self._rows: list[NDArray[np.uint64]] = []
        self._open: defaultdict[int, list[_Open]] = defaultdict(list)
        self._faults: defaultdict[int, int] = defaultdict(int)
        self._clients: set[int] = set()
        self._steps: dict[int, Callable[[int, list[int]], None]] = {
            TraceEvent.MN_RANGE_BEGIN: self._begin,
            TraceEvent.MN_RANGE_END: self._end,
            TraceEvent.MN_RANGE_FAILED: self._end,
            TraceEvent.MN_INVALIDATE_PAGE: lambda _task, row: self.tally.hit(CALLS, f"page, {self._beside(row[0])}"),
            TraceEvent.MN_AGE_PAGE: self._age,
            TraceEvent.MN_RELEASE: self._release,
            TraceEvent.VM_FAULT_BEGIN: self._fault,
            TraceEvent.VM_FAULT: self._faulted,
            TraceEvent.VM_EXIT: lambda _task, _row: self.tally.hit(LIFE, "exit"),
            TraceEvent.VM_OOM: lambda _task, _row: self.tally.hit(LIFE, "out of memory"),
            TraceEvent.VM_FORK: self._fork,
            TraceEvent.DRV_LOAD_BEGIN: lambda _task, row: self._comes(row[1]),
            TraceEvent.HCA_REG_MR: lambda _task, row: self._comes(row[1]),
            TraceEvent.VM_RECLAIM: lambda _task, _row: self.tally.hit(PAGES, "reclaimed"),
            TraceEvent.VM_SWAP_OUT: lambda _task, _row: self.tally.hit(PAGES, "swapped out"),
            TraceEvent.VM_MIGRATE: lambda _task, _row: self.tally.hit(PAGES, "migrated"),
        }
        self._kinds = np.array(sorted(self._steps), dtype=np.uint64)

    def __call__(self, records: NDArray[np.uint64]) -> None:
        """Some records, in the order of one stream."""
        self._rows.append(records[np.isin(records[:, 1] & np.uint64(EVENT_MASK), self._kinds)])

    def counts(self) -> Counts:
        """Work off what came."""
        rows = np.concatenate(self._rows) if self._rows else np.zeros((0, 8), dtype=np.uint64)
        self._rows.clear()
        for row in rows[np.argsort(rows[:, 0], kind="stable")].tolist():
            self._steps[row[1] & EVENT_MASK](row[1] >> TASK_SHIFT, row[2:])
        return self.tally.counts

    def _beside(self, mm: int) -> str:
        return BESIDE[bool(self._open[mm])]

    def _begin(self, task: int, row: list[int]) -> None:
        mm, start, end, atomic = row[0], row[1], row[2] or 1 << 64, row[3]
        held = self._open[mm]
        self.tally.hit(CALLS, f"range, {'atomic' if atomic else 'may sleep'}, {self._beside(mm)}")
        if held:
            self.tally.hit(RANGES, "two at once" if len(held) == 1 else "three at once")
        if any(start < other.end and other.start < end for other in held):
            self.tally.hit(RANGES, "overlapping")
        if any(other.task == task for other in held):
            self.tally.hit(RANGES, "one task's inside each other")
        held.append(_Open(task, start, end))

    def _end(self, task: int, row: list[int]) -> None:
        mm, start, end = row[0], row[1], row[2] or 1 << 64
        held = self._open[mm]
        same = [one for one in held if (one.start, one.end) == (start, end)]
        ending = next((one for one in reversed(same) if one.task == task), same[-1] if same else None)
        if ending is None:  # begun before there was a client
            return
        if len(held) > 1:
            self.tally.hit(RANGES, f"the first begun ends {'first' if ending is held[0] else 'last'}")
        held.remove(ending)

    def _age(self, _task: int, row: list[int]) -> None:
        self.tally.hit(CALLS, f"age, {'young' if row[2] else 'old'}")
        if row[2]:
            self.tally.hit(PAGES, "kept: a device used it")

    def _release(self, _task: int, row: list[int]) -> None:
        self.tally.hit(CALLS, "release")
        if self._faults[row[0]] > 0:
            self.tally.hit(LIFE, "fault in flight at release")
        self._clients.discard(row[0])

    def _fault(self, _task: int, row: list[int]) -> None:
        self._faults[row[0]] += 1
        held = self._open[row[0]]
        if any(one.start <= row[1] < one.end for one in held):
            self.tally.hit(RANGES, "a fault inside an open range")
        elif held:
            self.tally.hit(RANGES, "a fault beside an open range")

    def _faulted(self, _task: int, row: list[int]) -> None:
        self._faults[row[0]] -= 1
        if row[3] == FaultKind.SWAP_IN:
            self.tally.hit(PAGES, "comes back from swap")

    def _fork(self, _task: int, row: list[int]) -> None:
        if row[0] in self._clients:
            self.tally.hit(LIFE, "fork with clients")

    def _comes(self, mm: int) -> None:
        self.tally.hit(LIFE, "comes again" if mm in self._clients else "comes")
        self._clients.add(mm)
