"""From single accesses to the records of a trace: runs, an address space that makes sense, and an end.

Promises: every run lies in an area that the records before it (or the image) have mapped with the right the run needs; accesses
without one are counted in `dropped`. Runs never reach across a memory call. A LackeySink.
Costs: one dictionary operation per group of neighbouring accesses to a page, about 0.3 us.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sw_stack.workloads.areas import AreaMap
from sw_stack.workloads.trace_file import TraceWriter
from sw_stack.workloads.trace_records import (
    MAP_IMAGE,
    PAGE_SHIFT,
    PAGE_SIZE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
    Brk,
    Exit,
    Fork,
    Madvise,
    Mmap,
    Mprotect,
    Mremap,
    Munmap,
    Record,
    TraceInfo,
)

__all__ = ["Collapser", "RunLimitError"]

_READABLE = PROT_READ | PROT_WRITE | PROT_EXEC  # on x86 any of them lets a page be read
_ALL = PROT_READ | PROT_WRITE
_FROM_IMAGE = 8  # beside the rights: still as the image has it, so that a first write makes the image writable
_PENDING = 1 << 16  # runs held back at most
_IMAGE_JOIN = 16  # image areas this many pages apart, of equal rights, are one segment


class RunLimitError(Exception):
    """The trace has the runs it was to have."""


def _span(address: int, length: int) -> tuple[int, int]:
    return address >> PAGE_SHIFT, (address + length + PAGE_SIZE - 1) >> PAGE_SHIFT


class Collapser:
    """Writes a program's records to the writer `open_writer` makes; a fresh one for each program image."""

    def __init__(self, open_writer: Callable[[], TraceWriter], window: int, max_runs: int) -> None:
        self._open_writer = open_writer
        self._window = window
        self._max_runs = max_runs
        self._begin()
        self.images = 0
        """Program images begun: more than one after an execve."""

    def _begin(self) -> None:
        self.writer = self._open_writer()
        self.accesses_seen = 0
        self.dropped = 0
        self.exited = False
        self._areas = AreaMap()  # what is mapped now
        self._known = AreaMap()  # what was ever mapped, by a call or in the image
        self._image = AreaMap()
        self._break: int | None = None
        # The open runs, least recently used first, and the runs in order of their first access.
        self._open: dict[int, int] = {}
        self._runs: list[list[int]] = []

    @property
    def runs(self) -> int:
        """Runs so far."""
        return self.writer.runs + len(self._runs)

    # ---- what the log says -----------------------------------------------------------------------------------------

    def started(self) -> None:
        """A program image begins: an execve before it has left nothing of the old address space."""
        self.images += 1
        if self.images > 1:
            self.writer.discard()
            self._begin()

    def strange(self, count: int) -> None:
        self.accesses_seen += count
        self.dropped += count

    def accesses(self, pages: NDArray[np.int64], offsets: NDArray[np.int64], writes: NDArray[np.bool_]) -> None:
        self.accesses_seen += len(pages)
        edge = np.flatnonzero((pages[1:] != pages[:-1]) | (writes[1:] != writes[:-1])) + 1
        heads = np.concatenate(([0], edge))
        sizes = np.diff(heads, append=len(pages))
        groups = zip(pages[heads].tolist(), writes[heads].tolist(), offsets[heads].tolist(), sizes.tolist(), strict=True)
        open_, runs = self._open, self._runs
        last = -1
        for page, write, offset, size in groups:
            index = open_.get(page)
            if index is not None and (runs[index][1] or not write):
                runs[index][3] += size
                if page != last:
                    del open_[page]
                    open_[page] = index
            elif self._allowed(page, write):
                # A page that was open for reads opens again for writes.
                if open_.pop(page, None) is None and len(open_) >= self._window:
                    del open_[next(iter(open_))]
                open_[page] = len(runs)
                runs.append([page, write, offset, size])
                if self.runs >= self._max_runs:
                    raise RunLimitError
                if len(runs) >= _PENDING:
                    self._close_runs()
            else:
                self.dropped += size
            last = page

    def break_at(self, address: int) -> None:
        old, self._break = self._break, address
        if old is None or old == address:
            return
        self._close_runs()
        low, high = (old + PAGE_SIZE - 1) >> PAGE_SHIFT, (address + PAGE_SIZE - 1) >> PAGE_SHIFT
        if low < high:
            self._map(low, high, _ALL)
        else:
            self._areas.unmap(high, low)
        self.writer.event(Brk(old, address))

    def call(self, event: Record) -> None:
        if self.exited:
            return
        self._close_runs()
        match event:
            case Mmap():
                self._map(*_span(event.addr, event.length), event.prot)
            case Munmap():
                self._areas.unmap(*_span(event.addr, event.length))
            case Mprotect():
                span = _span(event.addr, event.length)
                self._adopt(*span)
                self._areas.protect(*span, event.prot)
            case Mremap():
                if not self._move(event):
                    return
            case Madvise():
                self._adopt(*_span(event.addr, event.length))
            case Exit():
                self.exited = True
            case Fork():
                pass
        self.writer.event(event)

    # ---- the end ---------------------------------------------------------------------------------------------------

    def finish(self, info: TraceInfo) -> None:
        """Close the trace."""
        self._close_runs()
        self.writer.close(info, self.image())

    def image(self) -> list[Mmap]:
        """The initial address space: what was used without a call that made it, neighbours joined to segments."""
        joined: list[list[int]] = []
        for start, end, rights in self._image:
            if joined:
                _, before, same = joined[-1]
                untouched = self._known.gaps(before, start) == [(before, start)]
                if same == rights and start - before <= _IMAGE_JOIN and untouched:
                    joined[-1][1] = end
                    continue
            joined.append([start, end, rights])
        return [Mmap(start << PAGE_SHIFT, (end - start) << PAGE_SHIFT, rights, MAP_IMAGE) for start, end, rights in joined]

    # ---- the address space -----------------------------------------------------------------------------------------

    def _allowed(self, page: int, write: bool) -> bool:
        rights = self._areas.lookup(page)
        if rights is None:
            self._adopt(page, page + 1)
            rights = self._areas.lookup(page) or 0
        if write and rights & _FROM_IMAGE and self._image.lookup(page) == PROT_READ:
            self._image.map(page, page + 1, _ALL)
        return bool(rights & (PROT_WRITE if write else _READABLE))

    def _adopt(self, start: int, end: int) -> None:
        """Pages in use that nothing we saw has mapped: of the image when they are new, made in an unseen way when not."""
        for low, high in self._areas.gaps(start, end):
            new = AreaMap()
            for first, last in self._known.gaps(low, high):
                self._image.map(first, last, PROT_READ)
                new.map(first, last, _ALL | _FROM_IMAGE)
            for first, last in new.gaps(low, high):
                self._close_runs()
                self.writer.event(Mmap(first << PAGE_SHIFT, (last - first) << PAGE_SHIFT, _ALL, MAP_IMAGE))
                self._map(first, last, _ALL)
            for first, last, rights in new:
                self._map(first, last, rights)

    def _map(self, start: int, end: int, rights: int) -> None:
        self._areas.map(start, end, rights)
        self._known.map(start, end, 0)

    def _move(self, event: Mremap) -> bool:
        """False when the call was turned into another record."""
        new = _span(event.new, event.new_len)
        if event.old_len == 0:  # a second view of a shared mapping
            self._map(*new, _ALL)
            self.writer.event(Mmap(event.new, event.new_len, _ALL, MAP_IMAGE))
            return False
        old = _span(event.old, event.old_len)
        self._adopt(*old)
        rights = self._areas.lookup(old[0]) or 0
        self._areas.unmap(*old)
        if rights & _FROM_IMAGE:  # writes to come will be elsewhere
            self._image.map(*old, _ALL)
        self._map(*new, rights & ~_FROM_IMAGE)
        return True

    def _close_runs(self) -> None:
        for page, write, offset, size in self._runs:
            self.writer.run(page, bool(write), offset, min(size, 0xFFFF_FFFF))
        self._runs.clear()
        self._open.clear()
