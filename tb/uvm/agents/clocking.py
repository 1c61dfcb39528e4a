"""The clock and the reset of one device, shared by the agents around it.

Promises: `await clocking.edge` returns at a rising edge before any register has changed: what is read there is what the registers
take, what is written there they see one cycle later. Reset is asserted and released at falling edges, so in every cycle all
components agree on `in_reset`. `resets` counts the resets begun: a component that has waited compares it to know that what it
waited for is gone. Functions in `on_reset` are called as a reset begins.
Needs: a clock that is an input of the top; reset active low.
Costs: nothing while nobody waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.triggers import ClockCycles, Event, FallingEdge, RisingEdge

__all__ = ["Clocking"]

PERIOD_NS = 2
STEPS_A_CYCLE = PERIOD_NS * 1000  # of the simulator's picosecond
RESET_CYCLES = 4


class Clocking:
    """Drives both pins; everybody else only waits."""

    def __init__(self, clock: Any, reset: Any) -> None:
        self.clock = clock
        self.reset_pin = reset
        self.edge = RisingEdge(clock)
        self.falling = FallingEdge(clock)
        self.in_reset = True
        self.resets = 0
        self.ready = Event()  # the first reset is over
        self.on_reset: list[Callable[[], None]] = []

    @property
    def cycle(self) -> int:
        """Cycles since the simulation began; a reset does not set it back."""
        return int(get_sim_time("step")) // STEPS_A_CYCLE

    async def start(self) -> None:
        """Begin with a reset. Inputs must have their idle values by now."""
        self.reset_pin.value = 0
        Clock(self.clock, PERIOD_NS, unit="ns", impl="gpi").start(start_high=False)
        await self.reset()
        self.ready.set()

    async def reset(self, cycles: int = RESET_CYCLES) -> None:
        """Assert, wait, release."""
        await self.falling
        self.reset_pin.value = 0
        self.in_reset = True
        self.resets += 1
        for listener in self.on_reset:
            listener()
        for _ in range(cycles):
            await self.falling
        self.reset_pin.value = 1
        self.in_reset = False

    async def wait(self, cycles: int) -> None:
        """That many rising edges."""
        if cycles > 0:
            await ClockCycles(self.clock, cycles)
