"""What the oracle remembers: outcomes, objections, and the lives of lookups, drop-ins and shootdowns.

Times count events; they order what happened and mean nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from pymodels.oracle.translation import Shootdown, Translation

__all__ = ["Access", "Allowed", "Entry", "Hit", "Lookup", "Miss", "NoHit", "Objection", "Outcome", "Shoot"]


@dataclass(frozen=True)
class Hit:
    """Answered with a translation. `size` is the page size code."""

    pa: int
    gaa: int = 0
    size: int = 0


class NoHit(Enum):
    """Answered without one."""

    MISS = "miss"
    CLEAN = "miss, write to a clean entry"


Outcome = Hit | NoHit


@dataclass(frozen=True)
class Allowed:
    """The legal answers to a lookup."""

    outcomes: frozenset[Outcome]

    def __contains__(self, outcome: Outcome) -> bool:
        return outcome in self.outcomes


@dataclass(frozen=True)
class Objection:
    """What a rule forbids and the device did."""

    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


@dataclass(frozen=True)
class Lookup:
    asid: int
    va: int
    ctx: int
    write: bool
    sizes: int
    accepted: int


@dataclass(eq=False)
class Shoot:
    what: Shootdown
    handle: int
    accepted: int


@dataclass(eq=False)
class Entry:
    translation: Translation
    entered: bool = False
    dropped: bool = False
    revoked: set[Shoot] = field(default_factory=set)  # accepted while it could be alive, not acknowledged
    replaced_at: int | None = None
    killer: Shoot | None = None  # acknowledged
    used: bool = False  # an answer only it explains
    seen: int = 0  # it was alive then or later
    doubtful: bool = False  # a shootdown may have taken it away

    def could_answer(self, lookup: Lookup) -> bool:
        """Could it have been alive within the window that began with the lookup?"""
        if self.killer is not None or self.dropped:
            return False
        return self.replaced_at is None or self.replaced_at >= lookup.accepted

    def matches(self, lookup: Lookup) -> bool:
        """Would it answer if it were alive?"""
        return bool(lookup.sizes >> self.translation.size & 1) and self.translation.translates(lookup.asid, lookup.va)

    def explains(self, lookup: Lookup, outcome: Outcome) -> bool:
        """Is that what it would answer, or would with the right to write?"""
        return not self.translation.dirty and lookup.write if outcome is NoHit.CLEAN else outcome == self.hit(lookup.va)

    def hit(self, va: int) -> Hit:
        """The answer."""
        return Hit(self.translation.physical(va), self.translation.gaa, self.translation.size)


@dataclass(frozen=True)
class Access:
    lookup: Lookup
    entries: tuple[Entry, ...]  # one of these was used
    answered: int


@dataclass(frozen=True)
class Miss:
    accepted: int
    answered: int
