"""Cover groups: what situations the checks must have been in, declared once and counted by whoever sees them.

Promises: a group knows all its bins from the start, so a hole is a bin with 0; counting a bin that does not exist raises KeyError.
Counts are {group: {bin: times}} and add up over runs. Groups register themselves by being made at the top of a module named
in MODULES of tb/plan/catalogue.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from hwif.gen.rules import RULES

__all__ = ["GROUPS", "Counts", "CoverGroup", "Tally", "cross"]

Counts = dict[str, dict[str, int]]
GROUPS: dict[str, CoverGroup] = {}
"""Every group of the modules imported so far, by name."""


@dataclass(frozen=True)
class CoverGroup:
    """`name`: unique, for reports. `device`: gru, hca or sw. `rules`: ids whose keeping it shows."""

    name: str
    about: str
    device: str
    rules: tuple[str, ...]
    bins: tuple[str, ...]

    def __post_init__(self) -> None:
        unknown = [rule for rule in self.rules if rule not in RULES]
        if unknown:
            raise ValueError(f"cover group {self.name}: no rule {unknown[0]}")
        if len(set(self.bins)) != len(self.bins) or not self.bins:
            raise ValueError(f"cover group {self.name}: its bins must be there, each once")
        if GROUPS.setdefault(self.name, self) is not self:
            raise ValueError(f"two cover groups are called {self.name}")


def cross(*axes: Sequence[str], without: Iterable[tuple[str, ...]] = ()) -> tuple[str, ...]:
    """Bins of a cross, "a, b, c"; `without`: combinations that cannot be (say why where you name them)."""
    left_out = set(without)
    return tuple(", ".join(point) for point in product(*axes) if point not in left_out)


class Tally:
    """Counts of some groups in one run."""

    def __init__(self, groups: Iterable[CoverGroup]) -> None:
        self.counts: Counts = {group.name: dict.fromkeys(group.bins, 0) for group in groups}

    def hit(self, group: CoverGroup, name: str, times: int = 1) -> None:
        """A bin once more. Raises KeyError for a bin that the group does not have."""
        bins = self.counts[group.name]
        bins[name] = bins[name] + times

    def holes(self) -> Mapping[str, list[str]]:
        """Bins never hit, by group."""
        return {group: [name for name, times in bins.items() if not times] for group, bins in self.counts.items()}
