"""The port: what software asks of a device and what a device tells software.

Promises: requests and events are values, never changed once made; both carry exact device cycles. `serial` orders requests of one
cycle and names the answer. A device answers every accepted request exactly once, in the order (at, serial).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwif.gen.port import LineKind, ViolationReason
from hwif.memory import HostMemory
from hwif.shadow import Shadow

__all__ = [
    "AssertionFailure",
    "Device",
    "DeviceError",
    "Event",
    "Irq",
    "LineKind",
    "MmioDone",
    "MmioRead",
    "MmioSwap",
    "MmioWrite",
    "NodesDevice",
    "OracleStop",
    "Request",
    "Snoop",
    "Violation",
    "ViolationReason",
]


class DeviceError(Exception):
    """The device refused a call; the message says why."""


class AssertionFailure(DeviceError):  # noqa: N818 - the name of the thing that failed
    """An assertion of the RTL failed, or it called $stop or $finish."""

    def __init__(self, text: str, cycle: int) -> None:
        super().__init__(f"cycle {cycle}: {text}")
        self.text = text
        self.cycle = cycle

    def __reduce__(self) -> tuple[type[AssertionFailure], tuple[str, int]]:
        return AssertionFailure, (self.text, self.cycle)


@dataclass(slots=True, unsafe_hash=True)
class MmioRead:
    """Read `count` (1..8) consecutive 64-bit words from byte address `addr` upwards."""

    at: int
    serial: int
    addr: int
    count: int
    node: int = 0


@dataclass(slots=True, unsafe_hash=True)
class MmioWrite:
    """Write `words` (1..8) to consecutive 64-bit words from `addr`; the highest address goes first, `addr` last."""

    at: int
    serial: int
    addr: int
    words: tuple[int, ...]
    node: int = 0


@dataclass(slots=True, unsafe_hash=True)
class MmioSwap:
    """xchg with 0 of `count` words of a write-one-to-clear map: read, then write back what was read."""

    at: int
    serial: int
    addr: int
    count: int
    node: int = 0


Request = MmioRead | MmioWrite | MmioSwap


@dataclass(slots=True, unsafe_hash=True)
class MmioDone:
    """The request `serial` finished. `data` holds the words read (empty for a write); `error` a bus error (SLVERR)."""

    cycle: int
    serial: int
    data: tuple[int, ...]
    error: bool = False


@dataclass(slots=True, unsafe_hash=True)
class Irq:
    """Interrupt line `line` changed to `level`; node n's lines are NODE_IRQS * n upwards."""

    cycle: int
    line: int
    level: int


@dataclass(slots=True, unsafe_hash=True)
class Snoop:
    """The device changed a line that a processor of `node` may hold."""

    cycle: int
    kind: LineKind
    index: int
    node: int = 0


@dataclass(slots=True, unsafe_hash=True)
class OracleStop:
    """The oracle recorded a violation in this cycle; `Device.violations()` has it."""

    cycle: int


Event = MmioDone | Irq | Snoop | OracleStop


@dataclass(frozen=True, slots=True)
class Violation:
    """One illegal beat. `va` and `pa` in bytes; `mm` the address space the context or region belongs to.

    GRU: `ctx` context, `cbr` control block. HCA: `ctx` index of the key, `cbr` queue pair, `asid` need of the access (hca Need).
    """

    cycle: int
    reason: ViolationReason
    write: bool
    mapped: bool
    ctx: int
    cbr: int
    asid: int
    mm: int
    va: int
    pa: int
    node: int = 0


class Device(Protocol):
    """A device behind the port. All calls are synchronous; the cocotb host offers an awaitable `advance` instead."""

    memory: HostMemory
    shadow: Shadow
    """Memory and oracle of node 0; a device of several nodes has `memories` and `shadows` as well (NodesDevice)."""

    @property
    def cycle(self) -> int:
        """Present cycle."""
        ...

    def reset(self) -> None:
        """Back to power-on state, cycle 0."""
        ...

    def submit(self, request: Request) -> None:
        """Queue a request; `request.at` must not lie in the past."""
        ...

    def advance(self, until: int) -> Sequence[Event]:
        """Run to the end of the first cycle that produced an event, or to cycle `until`; that cycle's events in order."""
        ...

    def drain_trace(self) -> NDArray[np.uint64]:
        """Trace records since the last call, shape (n, 8): cycle, event, six arguments."""
        ...

    def violations(self) -> Sequence[Violation]:
        """All violations so far."""
        ...

    def statistics(self) -> Mapping[str, int]:
        """Counters by name (see tb/hil/hil.h)."""
        ...

    def close(self) -> None:
        """Release the device; no call after it."""
        ...


class NodesDevice(Device, Protocol):
    """A device of several nodes, each with a memory and an oracle of its own, on one clock."""

    memories: Sequence[HostMemory]
    shadows: Sequence[Shadow]
