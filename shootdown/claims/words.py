"""Figures as words, the same everywhere on the page."""

from __future__ import annotations

__all__ = ["number", "percent", "times"]


def number(value: float | None, places: int = 0) -> str:
    """With thousands separated; a dash for what was not measured."""
    return "–" if value is None else f"{value:,.{places}f}"


def percent(share: float, places: int = 0) -> str:
    """A share."""
    return f"{100 * share:.{places}f} %"


def times(value: float) -> str:
    """A ratio."""
    return f"{value:,.0f} times" if value >= 20 else f"{value:.1f} times"
