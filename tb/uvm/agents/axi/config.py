"""What an agent of a memory bus is told, and what crosses the bus.

A test may change a MemoryConfig while it runs: the responder looks at it anew for every request and every cycle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from tb.uvm.agents.axi.memory import SparseMemory
from tb.uvm.agents.clocking import Clocking
from tb.uvm.agents.pins import Pins

__all__ = ["ErrorRule", "MemoryAccess", "MemoryConfig", "Resp", "memory_pins"]

READ_CHANNELS = "arid araddr arsize arlock arvalid arready rid rdata rresp rlast rvalid rready"
WRITE_CHANNELS = "awid awaddr awsize awlock awvalid awready wdata wstrb wlast wvalid wready bid bresp bvalid bready"
OPTIONAL = "arlen arburst aruser awlen awburst awuser"


class Resp(IntEnum):
    """AXI4's responses."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


def memory_pins(dut: Any, prefix: str) -> Pins:
    """The pins of one bus."""
    return Pins(dut, prefix, f"{READ_CHANNELS} {WRITE_CHANNELS}".split(), OPTIONAL.split())


@dataclass
class ErrorRule:
    """Accesses that end with `resp`: those that touch bytes `first`..`last`, and of which `where` says so, a fraction `rate` of
    them, at most `times` (None: any)."""

    resp: Resp = Resp.SLVERR
    first: int = 0
    last: int = (1 << 64) - 1
    reads: bool = True
    writes: bool = True
    rate: float = 1.0
    times: int | None = None
    where: Callable[[int], bool] | None = None  # address -> is meant


@dataclass
class MemoryConfig:
    """One bus. `latency`: cycles from request to response, drawn between the two. `reorder`: a response may overtake those of
    other IDs. `stalls`: channel (ar, aw, w: ready is low; r, b: valid waits) -> the fraction of cycles it is shut; "" is for all
    that are not named. `lost_reservations`: the fraction of exclusive reads whose reservation does not hold. `outstanding`:
    requests taken before ready goes low. `held`: channel (r, b) and ID of those that are not answered meanwhile. Errors: the first
    rule that applies; an access that ends with an error has touched nothing, and a read returns wrong bytes."""

    pins: Pins
    clocking: Clocking
    memory: SparseMemory
    seed: str
    latency: tuple[int, int] = (4, 12)
    reorder: bool = True
    stalls: dict[str, float] = field(default_factory=dict)
    lost_reservations: float = 0.0
    outstanding: int = 256
    held: set[tuple[str, int]] = field(default_factory=set)
    errors: list[ErrorRule] = field(default_factory=list)

    def stall(self, channel: str) -> float:
        """How often the channel is shut."""
        return self.stalls.get(channel, self.stalls.get("", 0.0))


@dataclass(frozen=True)
class MemoryAccess:
    """A read or a write. `issued`: cycle in which its address was taken (of a write: its data too); `cycle`: of its response, 0
    while it is under way. `data` and `strobe`: of the whole beat."""

    issued: int
    write: bool
    ident: int
    addr: int
    size: int  # bytes
    lock: bool
    user: int
    data: bytes = b""
    strobe: int = 0
    resp: int = 0
    cycle: int = 0
