"""From a failure to the events that explain it: the shortest chain that touches the page, its control block or its shootdowns.

A ring keeps the last records of both streams; nothing is formatted until something went wrong. The chain is a table with one
column a processor and one for the device, as kernel commit messages draw races.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwif.gen.events import CATALOGUE, TraceEvent
from hwif.gen.gru import INVAL_ALL_N, PAGE_SHIFT, PAGE_SHIFTS
from hwif.gen.hca import NUM_KEY
from hwif.port import Violation
from hwif.trace import CPU_MASK, CPU_SHIFT, DEVICE_EVENTS, EVENT_MASK, NODE_CPUS, node_of
from shootdown.result import ChainRow, Column, ViolationReport
from shootdown.timeline.sentences import sentence

__all__ = ["EventRing", "explain", "explain_data", "recent"]

ASSERTION = re.compile(r"Assertion failed in [\w.\[\]]*?(\w+): (.*)$", re.MULTILINE)  # as the simulator says it
PROCESSOR = re.compile(r"\(CPU (\d+)\)")  # as the checks of software name a task
OF_A_QUEUE_PAIR = frozenset({TraceEvent.HDEV_RESUME, TraceEvent.HDEV_NAK, TraceEvent.HCA_FAULT_DONE})
FENCES = frozenset({TraceEvent.HDEV_FENCE, TraceEvent.HCA_FENCE_DONE})
KEY_VARIANT_BITS = 8
OF_THE_DEVICE = frozenset({"SVA", "BUS"})  # rules the device broke; the others are software's

ROWS = 24
RECENT_ROWS = 16

# Events that only mark an end, or that another one tells better.
QUIET = frozenset(
    {
        TraceEvent.VM_FAULT_BEGIN,
        TraceEvent.VM_DONE,
        TraceEvent.VM_MIGRATE,
        TraceEvent.DRV_INTR_DONE,
        TraceEvent.DRV_CALL_OS_DONE,
        TraceEvent.DRV_LOAD_BEGIN,
        TraceEvent.HCA_INTR_DONE,
        TraceEvent.HCA_COMMAND_DONE,
        TraceEvent.HCA_FENCE,
        TraceEvent.HCA_PREFETCH_DONE,
    }
)
# Events that change every page of an address space.
WHOLE_SPACE = frozenset({TraceEvent.VM_FORK, TraceEvent.VM_EXIT, TraceEvent.MN_RELEASE, TraceEvent.MN_RELEASE_DONE})


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


@dataclass(frozen=True)
class Subject:
    """What a failure is about: a page of an address space of a node, and who touched it. None: any."""

    node: int
    va: int
    mm: int | None = None
    block: int | None = None
    """GRU: control block. HCA: queue pair."""
    key: int | None = None
    """HCA: index of the key."""


def explain(records: list[list[int]], violation: Violation, rows: int = ROWS, device: str = "gru") -> list[ChainRow]:
    """The last `rows` events before the violation that bear on it, oldest first; the violation itself closes the chain."""
    kind = "write" if violation.write else "read"
    frame = violation.pa >> PAGE_SHIFT
    if device == "hca":
        who, key = f"QP {violation.cbr}", violation.ctx
        mm = violation.mm if violation.mm else None
    else:
        who, key, mm = f"CB {violation.cbr}", None, violation.mm
    last = f"{who}: {kind} of {violation.va:#x}, frame {frame}: {violation.reason.name}"
    subject = Subject(violation.node, violation.va, mm, violation.cbr, key)
    related = _related(records, violation.cycle, subject)
    return [*related[-rows:], ChainRow(violation.cycle, Column.DEVICE, last)]


def explain_data(records: list[list[int]], cycle: int, address: int, what: str, rows: int = ROWS, node: int = 0) -> list[ChainRow]:
    """The same for bytes at `address` that were found wrong at `cycle`: by software, so the objection stands on a processor."""
    related = _related(records, cycle, Subject(node, address))
    return [*related[-rows:], ChainRow(cycle, Column.CPU1, what)]


def recent(records: list[list[int]], report: ViolationReport, rows: int = RECENT_ROWS) -> list[ChainRow]:
    """What happened last before a broken rule that names no page; the rule itself stands in the column of who broke it."""
    assertion, processor = ASSERTION.search(report.what), PROCESSOR.search(report.what)
    what = report.what if assertion is None else f"assertion {assertion[1]}: {assertion[2]}"
    if report.rule in OF_THE_DEVICE:
        column = Column.DEVICE
    else:
        column = Column(min(int(processor[1]), Column.CPU1)) if processor is not None else Column.CPU0
    before = [record for record in records if record[0] <= report.cycle and _event(record) not in QUIET]
    return [*(_row(record) for record in before[-rows:]), ChainRow(report.cycle, column, what)]


def _related(records: list[list[int]], cycle: int, subject: Subject) -> list[ChainRow]:
    """Events up to `cycle` that touch the page, shootdowns of it, or the present instruction or fault of whoever touched it."""
    related: list[tuple[ChainRow, bool]] = []  # the row, and whether it is there for the block's sake alone
    handles: set[int] = set()
    va = subject.va
    for record in records:
        if record[0] > cycle:
            break
        if node_of(record[1]) != subject.node:
            continue
        event, names = _event(record), _names(record)
        if event in QUIET or (subject.mm is not None and names.get("mm", subject.mm) != subject.mm):
            continue
        if subject.key is not None and not _of_key(names, subject.key):
            continue
        hit, block = event in WHOLE_SPACE or _covers(names, va), False
        if event in (TraceEvent.DRV_SHOOTDOWN, TraceEvent.DEV_SHOOT_ACCEPT):
            if hit:
                handles.add(names["tgh"])
            else:
                handles.discard(names["tgh"])
        elif event in (TraceEvent.DRV_SHOOTDOWN_DONE, TraceEvent.DEV_SHOOT_DONE):
            hit = names["tgh"] in handles
        elif event == TraceEvent.USR_ISSUE:
            hit = any(names[one] >> PAGE_SHIFT == va >> PAGE_SHIFT for one in ("baddr0", "baddr1"))
            block = names["cbr"] == subject.block
            if block:  # what the block did before is over
                related = [entry for entry in related if not entry[1]]
        elif event in (TraceEvent.DEV_RESTART, TraceEvent.DEV_FILL_DROPPED):
            block = names["cbr"] == subject.block
        elif event in OF_A_QUEUE_PAIR:
            block = names["qpn"] == subject.block
        elif event in FENCES:
            block = subject.key is not None
        if hit or block:
            related.append((_row(record), not hit))
    return [row for row, _block in related]


def _of_key(names: dict[str, int], index: int) -> bool:
    """The record is of this key, or of none."""
    if "key" in names:
        return (names["key"] >> KEY_VARIANT_BITS & NUM_KEY - 1) == index
    return names.get("key_index", index) == index


def _event(record: list[int]) -> TraceEvent:
    return TraceEvent(record[1] & EVENT_MASK)


def _row(record: list[int]) -> ChainRow:
    who = record[1] >> CPU_SHIFT & CPU_MASK
    column = Column.DEVICE if record[1] & EVENT_MASK in DEVICE_EVENTS else Column(min((who - 1) % NODE_CPUS, Column.CPU1))
    return ChainRow(record[0], column, sentence(_event(record), record[2:]))


def _names(record: list[int]) -> dict[str, int]:
    return dict(zip(CATALOGUE[_event(record)][1], record[2:], strict=False))


def _covers(names: dict[str, int], va: int) -> bool:
    if "length" in names and "key" in names:  # an HCA's range; its whole key when it says so
        first = next(names[one] for one in ("addr", "start", "va") if one in names)
        return (
            names.get("whole", 0) == 1
            or first >> PAGE_SHIFT <= va >> PAGE_SHIFT <= (first + max(names["length"], 1) - 1) >> PAGE_SHIFT
        )
    if "va" in names:
        shift = names.get("shift", PAGE_SHIFT)
        return names["va"] >> shift == va >> shift
    if "start" in names and "end" in names:
        return names["start"] <= va < (names["end"] or 1 << 64)  # a range that ends at the top of the address space ends at 0
    if "len" in names:  # mremap: where it was, where it goes
        return any(names[one] <= va < names[one] + names["len"] for one in ("old", "new"))
    if "old" in names and "new" in names and "mm" in names:  # brk
        return min(names["old"], names["new"]) <= va < max(names["old"], names["new"])
    if "n" in names:  # a shootdown: 4 KiB pages; the widest n purges the address space
        return names["n"] == INVAL_ALL_N or names.get("global", 0) == 1 or 0 <= va - names["vaddr"] < (names["n"] + 1) << PAGE_SHIFT
    if "vaddr" in names:
        shift = PAGE_SHIFTS.get(names.get("pagesize", 0), PAGE_SHIFT)
        return names["vaddr"] >> shift == va >> shift
    return False
