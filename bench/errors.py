"""What goes wrong with a measurement."""

from __future__ import annotations

__all__ = ["MeasureError"]


class MeasureError(Exception):
    """A run that was to be measured did not do what it should have done: a defect, not bad input."""
