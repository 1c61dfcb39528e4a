"""A timeline file read back: rows, slices, instants and arrows by device cycle.

Promises: reads what encode.py writes; keeps only what touches the window asked for. Raises InputError for a file that cannot be
read or is no such trace. Costs about ten microseconds an event up to the end of the window; what comes later is not looked at, so a
slice that is open there ends, as far as the view knows, just behind it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hwif.gen.timing import CLOCK_MHZ
from shootdown.errors import InputError
from shootdown.timeline import wire
from shootdown.timeline.wire import WireError, fields

__all__ = ["NEVER", "Arrow", "Row", "Span", "View", "read_timeline"]


@dataclass(eq=False, slots=True)
class Row:
    """A track. `group` is the process it belongs to."""

    name: str
    group: str
    rank: tuple[int, int]
    spans: list[Span] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Span:
    """A slice, or an instant if `instant` is set. `depth`: slices of its row around it."""

    row: Row
    name: str
    category: str
    start: int
    end: int
    depth: int
    instant: bool
    details: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Arrow:
    """From one event to another."""

    source: Span
    target: Span


@dataclass
class View:
    """What the file says of cycles `first` to `last`: rows in the viewer's order, those that have something there. `described`: the
    names of all rows. `whole`: the file has nothing after `last`."""

    first: int
    last: int
    rows: list[Row]
    arrows: list[Arrow]
    described: frozenset[str]
    whole: bool

    def spans(self) -> Iterator[Span]:
        for row in self.rows:
            yield from row.spans


NEVER = 1 << 62


def read_timeline(path: Path, first: int = 0, last: int = NEVER, clock_mhz: int = CLOCK_MHZ) -> View:
    """The part of a file from cycle `first` to cycle `last`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {os.strerror(error.errno or 0)}", "give a timeline.pftrace of a run") from None
    try:
        view = _Reader(data, first, last, clock_mhz).read()
    except (WireError, UnicodeDecodeError, KeyError) as error:
        what = f"field {error} is missing" if isinstance(error, KeyError) else error
        raise InputError(f"{path}: no timeline: {what}", "give a timeline.pftrace of a run") from None
    if view is None:
        raise InputError(f"{path}: no timeline: it describes no tracks", "give a timeline.pftrace of a run")
    return view


class _Reader:
    """One pass over a file."""

    def __init__(self, data: bytes, first: int, last: int, clock_mhz: int) -> None:
        self._data = data
        self._first, self._last, self._clock = first, last, clock_mhz
        self._rows: dict[int, Row] = {}
        self._stacks: dict[int, list[Span]] = {}
        self._names: dict[int, dict[int, str]] = {
            kind: {} for kind in (wire.INTERNED_CATEGORIES, wire.INTERNED_EVENT_NAMES, wire.INTERNED_ANNOTATION_NAMES)
        }
        self._groups: dict[int, tuple[str, int]] = {}  # by track number and by -process: name, rank
        self._sources: dict[int, Span] = {}
        self._arrows: list[Arrow] = []
        self._annotations: dict[int, list[tuple[int, int]]] = {}
        self._end = 0

    def read(self) -> View | None:
        for number, at, end in fields(self._data):
            if number == wire.TRACE_PACKET:
                self._packet(at, end)
                if self._end > self._last:
                    break
        if not self._rows:
            return None
        for stack in self._stacks.values():
            for span in stack:  # the file ends before they do
                span.end = max(span.start, self._end)
                self._place(span)
        for row in self._rows.values():
            row.spans.sort(key=lambda span: (span.start, span.depth))
            for span in row.spans:
                span.details = self._details(self._annotations[id(span)])
        arrows = [arrow for arrow in self._arrows if self._touches(arrow.source) and self._touches(arrow.target)]
        rows = sorted((row for row in self._rows.values() if row.spans), key=lambda row: row.rank)
        described = frozenset(row.name for row in self._rows.values())
        return View(self._first, min(self._last, self._end), rows, arrows, described, self._end <= self._last)

    def _packet(self, at: int, end: int) -> None:
        cycle = 0
        event: tuple[int, int] | None = None
        for number, first, second in fields(self._data, at, end):
            if number == wire.PACKET_TIMESTAMP:
                cycle = -(-first * self._clock // 1000)
            elif number == wire.PACKET_TRACK_EVENT:
                event = (first, second)
            elif number == wire.PACKET_INTERNED_DATA:
                self._intern(first, second)
            elif number == wire.PACKET_TRACK_DESCRIPTOR:
                self._describe(first, second)
        if event is not None:
            self._end = max(self._end, cycle)
            if cycle <= self._last:
                self._event(cycle, *event)

    def _intern(self, at: int, end: int) -> None:
        for kind, first, second in fields(self._data, at, end):
            if kind in self._names:
                named = {number: (a, b) for number, a, b in fields(self._data, first, second)}
                self._names[kind][named[wire.NAMED_IID][0]] = self._text(*named[wire.NAMED_NAME])

    def _text(self, at: int, end: int) -> str:
        return self._data[at:end].decode()

    def _describe(self, at: int, end: int) -> None:
        found = {number: (first, second) for number, first, second in fields(self._data, at, end)}
        uuid = found[wire.TRACK_UUID][0]
        rank = found.get(wire.TRACK_SIBLING_RANK, (0, 0))[0]
        if wire.TRACK_PROCESS in found:
            process = {number: (a, b) for number, a, b in fields(self._data, *found[wire.TRACK_PROCESS])}
            name = self._text(*process[wire.PROCESS_NAME])
            self._groups[uuid] = self._groups[-process[wire.PROCESS_PID][0]] = (name, rank)
            return
        if wire.TRACK_THREAD in found:
            thread = {number: (a, b) for number, a, b in fields(self._data, *found[wire.TRACK_THREAD])}
            group, order = self._groups.get(-thread[wire.THREAD_PID][0], ("", 0))
            name = self._text(*thread[wire.THREAD_NAME])
        else:
            group, order = self._groups.get(found.get(wire.TRACK_PARENT_UUID, (0, 0))[0], ("", 0))
            name = self._text(*found[wire.TRACK_NAME])
        self._groups[uuid] = (group, order)
        self._rows[uuid] = Row(name, group, (order, rank))

    def _event(self, cycle: int, at: int, end: int) -> None:
        numbers: dict[int, int] = {}
        annotations, sources, targets = [], [], []
        for number, first, second in fields(self._data, at, end):
            if number == wire.EVENT_DEBUG_ANNOTATIONS:
                annotations.append((first, second))
            elif number == wire.EVENT_FLOW_IDS:
                sources.append(first)
            elif number == wire.EVENT_TERMINATING_FLOW_IDS:
                targets.append(first)
            else:
                numbers[number] = first
        uuid, kind = numbers.get(wire.EVENT_TRACK_UUID, 0), numbers.get(wire.EVENT_TYPE, 0)
        row = self._rows.get(uuid)
        if row is None:
            raise WireError(f"an event on track {uuid}, which is not described before")
        stack = self._stacks.setdefault(uuid, [])
        if kind == wire.TYPE_SLICE_END:
            if not stack:
                raise WireError(f"a slice ends on {row.name} at cycle {cycle}, and none is open")
            span = stack.pop()
            span.end = cycle
            self._place(span)
            return
        name = self._names[wire.INTERNED_EVENT_NAMES].get(numbers.get(wire.EVENT_NAME_IID, 0), "")
        category = self._names[wire.INTERNED_CATEGORIES].get(numbers.get(wire.EVENT_CATEGORY_IIDS, 0), "")
        span = Span(row, name, category, cycle, cycle, len(stack), kind == wire.TYPE_INSTANT)
        self._annotations[id(span)] = annotations
        if span.instant:
            self._place(span)
        else:
            stack.append(span)
        for flow in targets:
            source = self._sources.pop(flow, None)
            if source is not None:
                self._arrows.append(Arrow(source, span))
        for flow in sources:
            self._sources[flow] = span

    def _touches(self, span: Span) -> bool:
        return span.end >= self._first and span.start <= self._last

    def _place(self, span: Span) -> None:
        """A span that is complete."""
        if self._touches(span):
            span.row.spans.append(span)
        else:
            self._annotations.pop(id(span), None)

    def _details(self, places: list[tuple[int, int]]) -> dict[str, int]:
        names = self._names[wire.INTERNED_ANNOTATION_NAMES]
        details = {}
        for at, end in places:
            found = {number: first for number, first, _second in fields(self._data, at, end)}
            value = found.get(wire.ANNOTATION_UINT, found.get(wire.ANNOTATION_POINTER, 0))
            details[names.get(found.get(wire.ANNOTATION_NAME_IID, 0), "")] = value
        return details
