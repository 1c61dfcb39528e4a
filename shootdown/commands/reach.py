"""What a benchmark measured beside what the project wants to reach, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from rich.table import Table

__all__ = ["Reach", "reach_table"]


class Reach(NamedTuple):
    """What a key is, and its bound; "" has none: the number is reported."""

    what: str
    sense: Literal["least", "most", ""] = ""
    bound: float = 0.0

    def met(self, value: float) -> str:
        """For the last column."""
        if not self.sense:
            return ""
        return "yes" if (value >= self.bound if self.sense == "least" else value <= self.bound) else "NO"


def reach_table(numbers: Mapping[str, float], reach: Mapping[str, Reach], form: str = "g") -> Table:
    """The numbers in their order. `form`: how they are written."""
    shown = Table("key", "what", "measured", "to reach", "")
    shown.columns[0].no_wrap = True  # a key cut short cannot be looked up
    shown.columns[0].overflow = "fold"
    for column in (2, 3):
        shown.columns[column].justify = "right"
    for key, value in numbers.items():
        bound = reach.get(key, Reach(""))
        wanted = f"at {bound.sense} {bound.bound:g}" if bound.sense else ""
        shown.add_row(key, bound.what, f"{value:{form}}", wanted, bound.met(value))
    return shown
