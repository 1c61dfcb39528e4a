"""The pinned adapter's counters."""

from __future__ import annotations

from dataclasses import dataclass

from sw_stack.drivers.counters import Counters

__all__ = ["PinnedStats"]


@dataclass(slots=True)
class PinnedStats(Counters):
    """One counter an event; pages and bytes where the name says so."""

    mr_reg: int = 0
    mr_reg_failed: int = 0
    mr_dereg: int = 0
    mr_closed: int = 0
    """Of those deregistered: by `close`, for a process that did not do it itself."""
    pages_pinned: int = 0
    pages_unpinned: int = 0
    memlock_refused: int = 0
    dereg_waits: int = 0
    """Deregistrations that met operations in flight."""
    reads: int = 0
    writes: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    completion_errors: int = 0
