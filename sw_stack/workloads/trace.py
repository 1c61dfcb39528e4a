"""Recorded programs: read, write, and the records they are made of. docs/trace-format.md describes the file.

`read_trace(path)` gives a complete, checked `Trace` or raises `TraceError`, whose text is one line; `TraceWriter` writes one.
"""

from __future__ import annotations

from pathlib import Path

from sw_stack.workloads.trace_file import FORMAT_VERSION, MAGIC, TraceWriter, read
from sw_stack.workloads.trace_records import (
    EVENT_TYPES,
    MADV_DONTNEED,
    MAP_IMAGE,
    PAGE_SHIFT,
    PAGE_SIZE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
    USER_TOP,
    Brk,
    Exit,
    Fork,
    Kind,
    Madvise,
    Mmap,
    Mprotect,
    Mremap,
    Munmap,
    Record,
    Run,
    Trace,
    TraceBlock,
    TraceError,
    TraceInfo,
)

__all__ = [
    "EVENT_TYPES",
    "FORMAT_VERSION",
    "MADV_DONTNEED",
    "MAGIC",
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
    "TraceWriter",
    "read_trace",
]


def read_trace(path: Path | str) -> Trace:
    """Read and check a whole trace; raises TraceError."""
    return read(Path(path))
