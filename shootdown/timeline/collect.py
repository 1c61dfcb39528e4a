"""The timeline of a run: records are kept as they come, and told, drawn and written when the run is over.

Promises: during the run a block costs one list entry. The file is written whole or not at all, however the run ended. What is too
much for the viewer (LIMIT_BYTES of file) or for memory here (LIMIT_RECORDS) is cut at the end of a cycle, and TimelineInfo says so.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hwif.gen.events import TraceEvent
from hwif.gen.timing import CLOCK_MHZ
from hwif.trace import CPU_MASK, CPU_SHIFT, DEVICE_EVENTS, EVENT_MASK, RECORD_WORDS, TASK_SHIFT, TracedTask, node_of
from shootdown.timeline.adapters import Adapters
from shootdown.timeline.device import Device
from shootdown.timeline.encode import encode
from shootdown.timeline.links import Links
from shootdown.timeline.software import Software
from shootdown.timeline.story import DEVICE, Story, Track

__all__ = ["LIMIT_BYTES", "LIMIT_RECORDS", "Timeline", "TimelineInfo"]

LIMIT_BYTES: Final = 256 << 20
"""A file the viewer in a browser still opens: it keeps several times this in the 4 GiB it can address."""
LIMIT_RECORDS: Final = 1_000_000
"""Ten times the shipped trace: about a gigabyte of memory and a quarter of a minute while the file is made."""
ROWS_AT_A_TIME: Final = 1 << 14

ORACLE_ORDER: Final = (-1, 0)  # the oracle's row comes first

Records = NDArray[np.uint64]


@dataclass(frozen=True)
class TimelineInfo:
    """A written file: slices and arrows in it, the cycle from which on it says nothing (None: it is whole), and a line on that."""

    path: Path
    slices: int
    flows: int
    truncated_at: int | None
    note: str


class Timeline:
    """A TraceSink. `tasks` names the tasks of the records (hwif.trace.Trace.tasks); it may still grow during the run."""

    def __init__(self, tasks: Sequence[TracedTask] = (), limit_records: int = LIMIT_RECORDS, device: str = "gru") -> None:
        self._kind = device
        self._tasks = tasks
        self._limit = limit_records
        self._software: list[Records] = []
        self._device: list[Records] = []
        self._held = 0
        self._full_at: int | None = None

    def __call__(self, records: Records) -> None:
        """A block of software's or of the device's records."""
        if not len(records):
            return
        if self._full_at is None and self._held + len(records) > self._limit:
            self._full_at = int(records[0, 0])
        if self._full_at is not None:  # the other stream may still be behind
            records = records[records[:, 0] < self._full_at]
            if not len(records):
                return
        self._held += len(records)
        stream = self._device if int(records[0, 1]) & EVENT_MASK in DEVICE_EVENTS else self._software
        stream.append(records)

    def write(
        self,
        path: Path,
        *,
        clock_mhz: int = CLOCK_MHZ,
        limit_bytes: int = LIMIT_BYTES,
        marks: Sequence[tuple[int, str]] = (),
    ) -> TimelineInfo:
        """Write everything so far. `marks`: cycles to point at, and what happened there. Raises OSError."""
        with _without_collector():
            encoded = encode(self._tell(marks), clock_mhz, limit_bytes)
        part = path.with_name(path.name + ".part")
        part.write_bytes(encoded.content)
        os.replace(part, path)
        cut = encoded.cut if encoded.cut is not None else self._full_at
        return TimelineInfo(path, encoded.slices, encoded.flows, cut, self._note(encoded.cut, limit_bytes))

    def _note(self, cut: int | None, limit_bytes: int) -> str:
        if cut is not None:
            return f"timeline cut at cycle {cut:,}: more than the {limit_bytes:,} bytes the viewer takes"
        if self._full_at is not None:
            return f"timeline cut at cycle {self._full_at:,}: more than {self._limit:,} records"
        return ""

    def _tell(self, marks: Sequence[tuple[int, str]]) -> Story:
        records = self._merged()
        story, links = Story(), Links()
        software = Software(story, links, [task.name for task in self._tasks])
        told: dict[int, Callable[[int, Track, Sequence[int]], object]] = dict(software.handlers)
        seen: dict[int, Callable[[int, int, Sequence[int]], object]]
        if self._kind == "hca":
            adapters = Adapters(story)
            told |= adapters.software
            seen = adapters.device
        else:
            device = Device(story, links)
            seen = {event: _of_any_node(observer) for event, observer in device.handlers.items()}
            told[TraceEvent.USR_ISSUE] = _both(told[TraceEvent.USR_ISSUE], device.issue)
        pointed = _Marks(story, marks)
        for row in _rows(records):
            cycle, word = row[0], row[1]
            if cycle >= pointed.next:
                pointed.place(cycle - 1)
            event = word & EVENT_MASK
            if event in DEVICE_EVENTS:
                observer = seen.get(event)
                if observer is not None:
                    observer(cycle, node_of(word), row[2:])
            else:
                handler = told.get(event)
                if handler is not None:
                    handler(cycle, software.track((word >> CPU_SHIFT & CPU_MASK) - 1, word >> TASK_SHIFT), row[2:])
        last = int(records[-1, 0]) if len(records) else 0
        end = max([last, *(cycle for cycle, _text in marks)]) if self._full_at is None else last
        pointed.place(end)
        story.finish(end)
        return story

    def _merged(self) -> Records:
        """All records in order of time, software before the device within a cycle: it acts on what the device did before."""
        blocks = [*self._software, *self._device]
        if not blocks:
            return np.zeros((0, RECORD_WORDS), dtype=np.uint64)
        merged = np.concatenate(blocks)
        if self._full_at is not None:
            merged = merged[merged[:, 0] < self._full_at]
        return merged[np.argsort(merged[:, 0], kind="stable")]


def _of_any_node(observer: Callable[[int, Sequence[int]], None]) -> Callable[[int, int, Sequence[int]], None]:
    """The GRU's half knows one node."""
    return lambda cycle, _node, args: observer(cycle, args)


def _both(
    handler: Callable[[int, Track, Sequence[int]], object], observer: Callable[[int, Sequence[int]], None]
) -> Callable[[int, Track, Sequence[int]], None]:
    """Software's record that begins something in the device as well."""

    def told(cycle: int, track: Track, args: Sequence[int]) -> None:
        handler(cycle, track, args)
        observer(cycle, args)

    return told


def _rows(records: Records) -> Iterator[list[int]]:
    """Records as numbers of Python's, which are ten times as large: a part at a time."""
    for at in range(0, len(records), ROWS_AT_A_TIME):
        yield from records[at : at + ROWS_AT_A_TIME].tolist()


@contextmanager
def _without_collector() -> Iterator[None]:
    """Objects by the hundred thousand, none of them garbage: looking for it would be a third of the cost."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


class _Marks:
    """Puts the marks between the operations, in order of time."""

    def __init__(self, story: Story, marks: Sequence[tuple[int, str]]) -> None:
        self._story = story
        self._marks = sorted(marks, reverse=True)
        self._track = story.track(DEVICE, "oracle", ORACLE_ORDER) if marks else None
        self.next = self._marks[-1][0] + 1 if self._marks else 1 << 64
        """The cycle before which the next mark belongs: it comes after all else of its own cycle."""

    def place(self, cycle: int) -> None:
        """Marks up to `cycle`."""
        while self._marks and self._track is not None and self._marks[-1][0] <= cycle:
            at, what = self._marks.pop()
            self._story.instant(at, self._track, "mark", "oracle", what)
        self.next = self._marks[-1][0] + 1 if self._marks else 1 << 64
