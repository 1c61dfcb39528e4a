"""What every driver's counters share.

Promises: `snapshot` is a copy; counting costs one attribute increment.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["Counters"]


@dataclass(slots=True)
class Counters:
    """Base of a driver's counters: a dataclass of integers, one counter an event unless its name says otherwise."""

    def snapshot(self) -> dict[str, int]:
        """All counters by name."""
        return asdict(self)
