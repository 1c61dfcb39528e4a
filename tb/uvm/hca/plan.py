"""What a test says of the surroundings of the device, before it begins.

Promises: values; with the seed they decide everything around the device that a program does not decide itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tb.hil.hca_bare import settings

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """`loop`: the link leads back to the device, else it is the link agent's. `damage`: fraction of packets that the cable spoils.
    `scattered`: memory's `frames` lie anywhere in the physical address space. `stalls`, `latency`: of the memory (MemoryConfig).
    `link_stall`: how often the link agent takes nothing. `register_delay`: longest pause, skew and patience of register accesses.
    `chosen`: what is written to the registers. `left_open`: the test ends with work requests that are not complete."""

    loop: bool = True
    cable_latency: int = 20
    cable_rate: int = 1
    damage: float = 0.0
    frames: int = 1024
    scattered: bool = False
    latency: tuple[int, int] = (8, 20)
    reorder: bool = True
    stalls: Mapping[str, float] = field(default_factory=dict)
    lost_reservations: float = 0.0
    link_stall: float = 0.0
    register_delay: int = 0
    patience: int = 15_000
    chosen: settings = field(default_factory=lambda: settings(command_entries=16, fault_entries=8, keys=16, ack_timeout=6000))
    left_open: bool = False
