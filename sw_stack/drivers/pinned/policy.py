"""What a run may choose about the pinned adapter.

Promises: an impossible policy raises ValueError with one line, before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sw_stack.drivers.choices import check_choice

__all__ = ["MUTANT_TEXT", "Mutant", "PinnedPolicy"]

Mutant = Literal["uncounted", "unpin_early", "dereg_no_drain"]
"""An adapter broken on purpose, for tests of the checks; MUTANT_TEXT says what is broken."""

MUTANT_TEXT: Mapping[str, str] = {
    "uncounted": "pinned pages are not held against the limit",
    "unpin_early": "deregistration gives the pages back before the operations in flight have ended",
    "dereg_no_drain": "deregistration returns with operations in flight; the last of them gives the pages back",
}


@dataclass(frozen=True, slots=True)
class PinnedPolicy:
    """Fixed when the adapter is made."""

    mutant: Mutant | None = None

    def __post_init__(self) -> None:
        check_choice("pinned adapter", "mutant", self.mutant, Mutant, optional=True)
