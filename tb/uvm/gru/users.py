"""Who uses a chip: a context in use, and how its faults are answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from cocotb.triggers import Lock

from hwif.fields import Line
from hwif.gen import gru as g
from tb.uvm.gru.spaces import Space

__all__ = ["Answers", "User"]


@dataclass
class Answers:
    """How faults are answered: odds of each way but the usual one, WRITE_RESTART. `clean`: odds that a page that may be written
    is first entered clean. `think`: cycles before the answer, at most."""

    restart: float = 0.0
    write_only: float = 0.0
    polling: float = 0.0
    exception: float = 0.0
    noop: float = 0.0
    clean: float = 0.15
    think: int = 0


@dataclass
class User:
    """A context in use. `core` None: user polling mode."""

    ctx: int
    space: Space
    cbrs: list[int]
    units: int
    dsr: int
    core: int | None
    line: Line
    lock: Lock = field(default_factory=Lock)
    running: bool = False

    @property
    def dsr_bytes(self) -> int:
        """Of its data segment."""
        return self.dsr.bit_count() * g.DSR_AU_BYTES
