"""From a violation to the events that explain it: the shortest chain that touches the page, its control block or its shootdowns.

A ring keeps the last records of both streams; nothing is formatted until something went wrong. The chain is a table with one
column a processor and one for the device, as kernel commit messages draw races.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from hwif.gen.events import CATALOGUE, TraceEvent
from hwif.gen.gru import INVAL_ALL_N, PAGE_SHIFT, PAGE_SHIFTS
from hwif.port import Violation
from hwif.trace import CPU_MASK, CPU_SHIFT, EVENT_MASK
from shootdown.result import ChainRow, Column

__all__ = ["EventRing", "explain"]

HEX_NAMES = {"vaddr", "start", "end", "old", "new", "baddr0", "baddr1", "asid", "pfn", "ecause"}


class EventRing:
    """The last blocks of the trace, at least `records` records. A TraceSink."""

    def __init__(self, records: int = 60_000) -> None:
        self._blocks: deque[NDArray[np.uint64]] = deque()
        self._held = 0
        self._limit = records

    def __call__(self, records: NDArray[np.uint64]) -> None:
        self._blocks.append(records)
        self._held += len(records)
        while self._held - len(self._blocks[0]) >= self._limit:
            self._held -= len(self._blocks.popleft())

    def records(self) -> list[list[int]]:
        """Everything held, in order of time; the device after software within a cycle."""
        if not self._blocks:
            return []
        merged = np.concatenate(list(self._blocks))
        order = np.argsort(merged[:, 0], kind="stable")
        rows: list[list[int]] = merged[order].tolist()
        return rows


def _names(record: list[int]) -> dict[str, int]:
    event = TraceEvent(record[1] & EVENT_MASK)
    return dict(zip(CATALOGUE[event][1], record[2:], strict=False))


def _text(record: list[int]) -> str:
    event = TraceEvent(record[1] & EVENT_MASK)
    shown = " ".join(f"{name}={value:#x}" if name in HEX_NAMES else f"{name}={value}" for name, value in _names(record).items())
    return f"{event.name.lower()} {shown}".rstrip()


def _covers(names: dict[str, int], va: int) -> bool:
    if "start" in names and "end" in names:
        return names["start"] <= va < names["end"]
    if "n" in names:  # a shootdown: 4 KiB pages; the widest n purges the address space
        return names["n"] == INVAL_ALL_N or names.get("global", 0) == 1 or 0 <= va - names["vaddr"] < (names["n"] + 1) << PAGE_SHIFT
    if "vaddr" in names:
        shift = PAGE_SHIFTS.get(names.get("pagesize", 0), PAGE_SHIFT)
        return names["vaddr"] >> shift == va >> shift
    return False


def explain(records: list[list[int]], violation: Violation, rows: int = 24) -> list[ChainRow]:
    """The last `rows` events before the violation that bear on it, oldest first; the violation itself closes the chain."""
    related: list[ChainRow] = []
    handles: set[int] = set()
    for record in records:
        if record[0] > violation.cycle:
            break
        names = _names(record)
        event = TraceEvent(record[1] & EVENT_MASK)
        if "mm" in names and names["mm"] != violation.mm:
            continue
        hit = _covers(names, violation.va)
        if event in (TraceEvent.DRV_SHOOTDOWN, TraceEvent.DEV_SHOOT_ACCEPT):
            if hit:
                handles.add(names["tgh"])
            else:
                handles.discard(names["tgh"])
        elif event in (TraceEvent.DRV_SHOOTDOWN_DONE, TraceEvent.DEV_SHOOT_DONE):
            hit = names["tgh"] in handles
        elif event in (TraceEvent.USR_ISSUE, TraceEvent.DEV_RESTART, TraceEvent.DEV_FILL_DROPPED):
            hit = hit or names["cbr"] == violation.cbr
        if hit:
            who = record[1] >> CPU_SHIFT & CPU_MASK
            column = Column.DEVICE if who == 0 else Column(min(who - 1, Column.CPU1))
            related.append(ChainRow(record[0], column, _text(record)))
    kind = "write" if violation.write else "read"
    frame = violation.pa >> PAGE_SHIFT
    last = f"{kind} of frame {frame} for va {violation.va:#x} by control block {violation.cbr}: {violation.reason.name}"
    return [*related[-rows:], ChainRow(violation.cycle, Column.DEVICE, last)]
