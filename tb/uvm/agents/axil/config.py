"""What an agent of a register bus is told, and what crosses the bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tb.uvm.agents.clocking import Clocking
from tb.uvm.agents.pins import Pins

__all__ = ["OKAY", "WHOLE", "RegisterAccess", "RegisterConfig", "register_pins"]

OKAY = 0
WHOLE = 0xFF
"""The strobe of a whole word."""
WRITE_CHANNELS = "awaddr awvalid awready wdata wstrb wvalid wready bresp bvalid bready"
READ_CHANNELS = "araddr arvalid arready rdata rresp rvalid rready"


def register_pins(dut: Any, prefix: str) -> Pins:
    """The pins of one bus."""
    return Pins(dut, prefix, f"{WRITE_CHANNELS} {READ_CHANNELS}".split())


@dataclass
class RegisterConfig:
    """One bus."""

    pins: Pins
    clocking: Clocking


@dataclass(frozen=True)
class RegisterAccess:
    """An access. `issued`: cycle of its address, or of its data if that came later; `cycle`: of its response, 0 while it is under
    way."""

    cycle: int
    issued: int
    write: bool
    addr: int
    data: int
    strobe: int
    resp: int

    @property
    def okay(self) -> bool:
        """It was not refused."""
        return self.resp == OKAY

    @property
    def whole(self) -> bool:
        """Of a write: every byte."""
        return self.strobe == WHOLE
