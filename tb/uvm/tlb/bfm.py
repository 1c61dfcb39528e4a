"""The pins of the TLB and its clock.

Promises: a cycle lies between two rising edges. `await bfm.drive()` returns after the edge that begins one, `await bfm.sample()`
when everything in it has settled; what is driven in a cycle is seen by samples of the same cycle. `cycle` counts them from reset.
Needs: the ports of tb/tlb/tlb_tb.sv.
Costs: a write only when a value changes.
"""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Event, FallingEdge, RisingEdge

__all__ = ["TlbBfm"]

PERIOD_NS = 2
RESET_CYCLES = 4


class TlbBfm:
    """Drives and samples by name, without the ports' _i and _o."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        for handle in dut:
            name = handle._name
            if name.endswith("_i"):
                self._inputs[name[:-2]] = handle
            elif name.endswith("_o"):
                self._outputs[name[:-2]] = handle
        self._driven: dict[str, int] = {}
        self._rising = RisingEdge(dut.clk_i)
        self._falling = FallingEdge(dut.clk_i)
        self.cycle = 0
        self.ready = Event()  # out of reset: components wait for it

    def drive(self) -> RisingEdge:
        """Awaitable: the next cycle begins."""
        return self._rising

    def sample(self) -> FallingEdge:
        """Awaitable: this cycle has settled."""
        return self._falling

    async def wait(self, cycles: int) -> None:
        """That many cycles."""
        await ClockCycles(self._dut.clk_i, cycles, rising=False)

    def put(self, **pins: int) -> None:
        """Drive inputs."""
        for name, value in pins.items():
            if self._driven.get(name) != value:
                self._driven[name] = value
                self._inputs[name].value = value

    def pin(self, name: str) -> int:
        """An input, whoever drives it."""
        return int(self._inputs[name].value)

    def get(self, name: str) -> int:
        """An output."""
        return int(self._outputs[name].value)

    async def start(self, mutant: int) -> None:
        """Start the clock and reset. Every input is zero, except the variant of the RTL."""
        self.put(**{name: 0 for name in self._inputs if name not in ("clk", "rst_n")})
        self.put(mutant=mutant)
        self._dut.rst_ni.value = 0
        Clock(self._dut.clk_i, PERIOD_NS, unit="ns", impl="gpi").start(start_high=False)
        for _ in range(RESET_CYCLES):
            await self.sample()
        self._dut.rst_ni.value = 1
        cocotb.start_soon(self._count())
        self.ready.set()

    async def _count(self) -> None:
        while True:
            await self.drive()
            self.cycle += 1
