"""What an agent of the link is told. A test may change it while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["LinkConfig"]


@dataclass
class LinkConfig:
    """`bfm`: tb.uvm.hca.bfm.HcaBfm. `stall`: the fraction of cycles in which the agent takes nothing; `stopped`: it takes nothing
    at all."""

    bfm: Any
    seed: str
    stall: float = 0.0
    stopped: bool = False
