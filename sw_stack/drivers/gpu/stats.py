"""The counters of the GPU's driver.

Promises: `snapshot` is a copy; counting costs one attribute increment.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["GpuStats"]


@dataclass(slots=True)
class GpuStats:
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

    def snapshot(self) -> dict[str, int]:
        """All counters by name."""
        return asdict(self)
