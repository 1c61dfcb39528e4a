"""What random traffic is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from hwif.gen import gru as g
from tb.uvm.gru.program import ALL_OPCODES
from tb.uvm.gru.software import Answers

__all__ = ["Mix"]


@dataclass(frozen=True)
class Mix:
    """`cores`: core of each context, None for user polling; contexts share `spaces` address spaces in turn. `instructions`: of each
    control block. Intervals are mean cycles between two of a kind, 0 for never. `mistakes`: odds of an instruction that must be
    refused. `refuse_bus`: registers' items get delays, skews and late acceptance up to so many cycles. `interrupting`: odds that
    an instruction asks for a completion interrupt."""

    cores: tuple[int | None, ...] = (0, 1, 0, None)
    spaces: int = 3
    cbs: int = 4
    sizes: tuple[int, ...] = (0,)
    opcodes: tuple[g.CbOpc, ...] = ALL_OPCODES
    instructions: int = 10
    longest: int = 512
    mistakes: float = 0.04
    answers: Answers = field(default_factory=Answers)
    migrate: int = 500
    protect: int = 2500
    spurious: int = 900
    interrupt: int = 1500
    interrupting: float = 0.3
    slow_bus: int = 0
    latency: tuple[int, int] = (4, 30)
    stall: float = 0.1
    lost_reservations: float = 0.1
    shared: bool = True
