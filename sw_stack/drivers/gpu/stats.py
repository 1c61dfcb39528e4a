"""The counters of the GPU's driver."""

from __future__ import annotations

from dataclasses import dataclass

from sw_stack.drivers.counters import Counters

__all__ = ["GpuStats"]


@dataclass(slots=True)
class GpuStats(Counters):
    """One counter an event; `pages` is a level."""

    submitted: int = 0
    completed: int = 0
    failed: int = 0
    """Ended with an error of the submitter's: while pinning, or in its own work."""
    too_large: int = 0
    """Refused: more pages than the aperture has."""
    waited: int = 0
    """Submissions that waited for room."""
    pages: int = 0
    """Entries of the aperture in use, now."""
    pages_peak: int = 0
    pages_pinned: int = 0
    pages_unpinned: int = 0
    reads: int = 0
    writes: int = 0
