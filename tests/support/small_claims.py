"""Claims with fewer and smaller points: what the tests of the claims measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shootdown.claims.base import Claim, Verdict
from shootdown.claims.library import load

__all__ = ["measured", "small", "verdict"]


def small(name: str, *points: Any) -> Claim[Any, Any]:
    """The claim, with these points instead of its own."""
    return replace(load(name), points=lambda: list(points))


def measured(name: str, *points: Any, seed: int = 1) -> list[Any]:
    """Rows of these points."""
    return small(name, *points).all_rows(seed)


def verdict(name: str, rows: Sequence[Any]) -> Verdict:
    """What follows from the rows. Pictures and tables of them can be made as well."""
    claim = load(name)
    assert all(series.points for panel in claim.panels(rows) for series in panel.series)
    assert all(len(row) == len(table.heads) for table in claim.tables(rows) for row in table.rows)
    return claim.verdict(rows)
