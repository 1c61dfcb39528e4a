"""What an agent of interrupt lines is told, and what it sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tb.uvm.agents.clocking import Clocking

__all__ = ["IrqChanged", "IrqConfig"]


@dataclass
class IrqConfig:
    """`lines`: the handle of the vector, a bit a line."""

    lines: Any
    clocking: Clocking


@dataclass(frozen=True)
class IrqChanged:
    """A line has another level since `cycle`."""

    cycle: int
    line: int
    level: int
