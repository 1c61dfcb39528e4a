"""A memory bus answered by cocotbext-axi's slave: a second opinion on AXI4.

`uvm_factory().set_type_override_by_type(MemoryResponder, ThirdPartyMemoryResponder)` puts it on the pins.

Promises: the same memory behind it; stalls as configured. Latency, order and errors are the bus model's: at once, in order, none.
Needs: ports named PREFIX_arvalid and so on, without _i and _o; lines of 64 bytes.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator

from cocotbext.axi import AxiBus

from tb.conventional.memory import AxiHostMemory
from tb.uvm.agents.axi.config import MemoryConfig
from tb.uvm.agents.axi.driver import MemoryResponder
from tb.uvm.agents.axi.memory import SparseMemory

__all__ = ["ThirdPartyMemoryResponder", "third_party_slave"]

logging.getLogger("cocotb").setLevel(logging.WARNING)


class _Everywhere:
    """What the bus model wants of memory, without an end."""

    bytes = range(1 << 62)

    def __init__(self, memory: SparseMemory) -> None:
        self.read, self.write = memory.read, memory.write


class ThirdPartyMemoryResponder(MemoryResponder):
    """Same memory, another slave."""

    def park(self) -> None:
        """The bus model does."""

    async def run_phase(self) -> None:
        third_party_slave(self.config)


def third_party_slave(config: MemoryConfig) -> None:
    """cocotbext-axi's slave answers a bus, from now on."""
    pins, clocking = config.pins, config.clocking
    bus = AxiBus.from_prefix(pins.dut, pins.prefix)
    slave = AxiHostMemory(bus, clocking.clock, clocking.reset_pin, _Everywhere(config.memory))  # type: ignore[arg-type]
    channels = {
        "ar": slave.read_if.ar_channel,
        "r": slave.read_if.r_channel,
        "aw": slave.write_if.aw_channel,
        "w": slave.write_if.w_channel,
        "b": slave.write_if.b_channel,
    }
    for half in (slave.read_if, slave.write_if):
        half.log.setLevel(logging.WARNING)
    for name, channel in channels.items():
        if config.stall(name):
            channel.set_pause_generator(_stalls(config.stall(name), f"{config.seed}:{name}"))


def _stalls(odds: float, seed: str) -> Iterator[bool]:
    rng = random.Random(seed)
    while True:
        yield rng.random() < odds
