"""What the monitors saw on the ports, each with its cycle.

Promises: `order` sorts the events of one cycle as the oracle wants them. An answer and a report leave a register, so they tell of
the cycle before; a shootdown accepted in the cycle of either came later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pymodels.oracle import Outcome, Shootdown, Translation

__all__ = ["Acknowledged", "Answered", "Asked", "Ended", "FillTaken", "Observed", "Reported", "ShootTaken"]


@dataclass(frozen=True)
class Observed:
    """Any of them."""

    order: ClassVar[int] = 0
    cycle: int


@dataclass(frozen=True)
class Answered(Observed):
    """A lookup's answer."""

    order: ClassVar[int] = 0
    cbr: int
    outcome: Outcome


@dataclass(frozen=True)
class Ended(Observed):
    """An access ended."""

    order: ClassVar[int] = 1
    cbr: int


@dataclass(frozen=True)
class Reported(Observed):
    """A drop-in was decided."""

    order: ClassVar[int] = 2
    cbr: int
    dropped: bool


@dataclass(frozen=True)
class Acknowledged(Observed):
    """A handle's status returned."""

    order: ClassVar[int] = 3
    handle: int


@dataclass(frozen=True)
class Asked(Observed):
    """A lookup was accepted."""

    order: ClassVar[int] = 4
    cbr: int
    asid: int
    va: int
    ctx: int
    write: bool
    sizes: int


@dataclass(frozen=True)
class FillTaken(Observed):
    """A drop-in was accepted."""

    order: ClassVar[int] = 5
    cbr: int
    translation: Translation


@dataclass(frozen=True)
class ShootTaken(Observed):
    """A shootdown was accepted; `waited` cycles after it was offered."""

    order: ClassVar[int] = 6
    handle: int
    what: Shootdown
    waited: int
