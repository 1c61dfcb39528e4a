"""A recorded program in memory: its records, and the trace that holds them.

Promises: records are values. A `Trace` came from `trace.read_trace`, so every address lies in the 47-bit user space, every call has
page-aligned ends and every access stays within one page; whoever replays it need not check.
Costs: 15 bytes a run in memory; `records()` makes one tuple a record, about 0.2 us each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "EVENT_TYPES",
    "MADV_DONTNEED",
    "MAP_IMAGE",
    "PAGE_SHIFT",
    "PAGE_SIZE",
    "PROT_EXEC",
    "PROT_READ",
    "PROT_WRITE",
    "USER_TOP",
    "Brk",
    "Exit",
    "Fork",
    "Kind",
    "Madvise",
    "Mmap",
    "Mprotect",
    "Mremap",
    "Munmap",
    "Record",
    "Run",
    "Trace",
    "TraceBlock",
    "TraceError",
    "TraceInfo",
]

# Of the recorded machine, x86-64 Linux; not of the device.
PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
USER_TOP = 1 << 47

PROT_READ = 1
PROT_WRITE = 2
PROT_EXEC = 4
MADV_DONTNEED = 4

MAP_IMAGE = 1 << 31
"""In `Mmap.flags`: no call of the program. The area was there before recording began (program image, stack), or was made in a way
the recorder cannot see. Linux uses no such flag."""


class TraceError(Exception):
    """A trace cannot be used. The text is one line."""

    def __init__(self, path: Path | str, what: str, hint: str) -> None:
        super().__init__(f"{path}: {what}; {hint}")
        self.path = Path(path)
        self.what = what
        self.hint = hint


class Kind(IntEnum):
    """What a record is, as stored."""

    READ = 0
    WRITE = 1
    MMAP = 2
    MUNMAP = 3
    MPROTECT = 4
    MREMAP = 5
    BRK = 6
    MADVISE = 7
    FORK = 8
    EXIT = 9


class Run(NamedTuple):
    """`accesses` accesses to page number `page`; the first was at `offset`. A write run's first access was a write, later ones may
    be either; a read run holds reads only."""

    page: int
    write: bool
    offset: int
    accesses: int


class Mmap(NamedTuple):
    """A mapping made at `addr` (the address given back). Flags as Linux has them, and MAP_IMAGE."""

    addr: int
    length: int
    prot: int
    flags: int


class Munmap(NamedTuple):
    addr: int
    length: int


class Mprotect(NamedTuple):
    addr: int
    length: int
    prot: int


class Mremap(NamedTuple):
    """`new` is where the mapping went; equal to `old` when it stayed."""

    old: int
    old_len: int
    new: int
    new_len: int


class Brk(NamedTuple):
    """The program break moved; bytes, not rounded."""

    old: int
    new: int


class Madvise(NamedTuple):
    addr: int
    length: int
    advice: int


class Fork(NamedTuple):
    """The program made a child with a copy of its address space. The child's own accesses are not recorded."""


class Exit(NamedTuple):
    """The program ended. A trace cut short has none."""


Record = Run | Mmap | Munmap | Mprotect | Mremap | Brk | Madvise | Fork | Exit

EVENT_TYPES: dict[Kind, type[Record]] = {
    Kind.MMAP: Mmap,
    Kind.MUNMAP: Munmap,
    Kind.MPROTECT: Mprotect,
    Kind.MREMAP: Mremap,
    Kind.BRK: Brk,
    Kind.MADVISE: Madvise,
    Kind.FORK: Fork,
    Kind.EXIT: Exit,
}


@dataclass(frozen=True)
class TraceInfo:
    """Where a trace comes from. No date, no host, no user: recording twice says the same.

    `ended`: "exit", "max-runs", "interrupted", "signal" or "exec". `exit_status` is the program's, None when it did not exit.
    `window`: pages whose accesses the recorder merged at once (docs/trace-format.md). `dropped`: accesses left out because the
    program had no right to them where they happened, or their address is not of the user space.
    """

    program: str
    argv: tuple[str, ...] = ()
    tool: str = ""
    window: int = 1
    accesses: int = 0
    ended: str = "exit"
    exit_status: int | None = 0
    dropped: int = 0
    note: str = ""


@dataclass(frozen=True)
class TraceBlock:
    """A stretch of records: `kinds` of all of them in order, then the runs' columns and the events, each in order."""

    kinds: NDArray[np.uint8]
    pages: NDArray[np.uint64]
    offsets: NDArray[np.uint16]
    counts: NDArray[np.uint32]
    events: tuple[Record, ...]

    def __len__(self) -> int:
        return len(self.kinds)

    def records(self) -> Iterator[Record]:
        """The records in order."""
        is_run = self.kinds <= Kind.WRITE
        writes = (self.kinds[is_run] == Kind.WRITE).tolist()
        runs = map(Run._make, zip(self.pages.tolist(), writes, self.offsets.tolist(), self.counts.tolist(), strict=True))
        # Runs by far outnumber events: whole stretches between two events are handed on without a step of Python each.
        done = 0
        for event, position in zip(self.events, np.flatnonzero(~is_run).tolist(), strict=True):
            yield from islice(runs, position - done)
            yield event
            done = position + 1
        yield from runs


@dataclass(frozen=True)
class Trace:
    """A whole trace. `image` is the initial address space; `records()` gives it first."""

    path: Path
    info: TraceInfo
    image: tuple[Mmap, ...]
    blocks: tuple[TraceBlock, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """Short name for titles: the file's, without its suffix."""
        return self.path.stem

    @property
    def runs(self) -> int:
        """Page-granular runs."""
        return sum(len(block.pages) for block in self.blocks)

    @property
    def vm_events(self) -> int:
        """Memory calls of the program, the initial image not counted."""
        return sum(len(block.events) for block in self.blocks)

    @property
    def pages(self) -> int:
        """Different pages the program touched: the frames it needs when nothing is reclaimed."""
        if not self.blocks:
            return 0
        return len(np.unique(np.concatenate([block.pages for block in self.blocks])))

    def event_counts(self) -> dict[str, int]:
        """Memory calls by name."""
        counts = {kind.name.lower(): 0 for kind in EVENT_TYPES}
        for block in self.blocks:
            for kind, number in zip(*np.unique(block.kinds, return_counts=True), strict=True):
                if kind > Kind.WRITE:
                    counts[Kind(kind).name.lower()] += int(number)
        return counts

    def records(self) -> Iterator[Record]:
        """The initial image, then everything in program order."""
        yield from self.image
        for block in self.blocks:
            yield from block.records()

    def __len__(self) -> int:
        return len(self.image) + sum(len(block) for block in self.blocks)
