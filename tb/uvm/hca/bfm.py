"""What the HCA's top shows beside its buses: the cable's settings, and cycle by cycle what there is to see.

Promises: who wants to know of something asks by `watch`: seen_o is read once a cycle, at its falling edge, when everything in the
cycle has settled, and callbacks of its bits run in the order of `Seen`, those of one bit in the order in which they came; `after`
callbacks run last, in each cycle in which anything was seen. A reset shows nothing.
Needs: the ports of tb/uvm/hca/hca_uvm_tb.sv, and a Clocking that drives its clock.
Costs: a cycle in which nothing happens is one read of a pin.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from tb.uvm.agents.clocking import Clocking

__all__ = ["HcaBfm", "Seen"]


class Seen(IntEnum):
    """Bits of seen_o."""

    LINK_OUT = 0
    LINK_IN = 1
    CABLE = 2
    SNOOP_CQ = 3
    SNOOP_COMMAND = 4
    SNOOP_FENCE = 5
    WALK = 6
    FILL = 7
    INVALIDATE = 8
    KILL = 9
    FENCE = 10
    FAULT = 11
    RECORD = 12
    RESUME = 13
    QP = 14
    SENT = 15
    TAKEN = 16
    LAND = 17
    CQE = 18


class HcaBfm:
    """`get` reads an output, without its _o; `put` drives an input, without its _i."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.clocking = Clocking(dut.clk_i, dut.rst_ni)
        self._handles: dict[str, Any] = {handle._name: handle for handle in dut}
        self._watchers: dict[int, list[Callable[[], None]]] = {}
        self._after: list[Callable[[], None]] = []
        self._settle = FallingEdge(dut.clk_i)

    @property
    def cycle(self) -> int:
        """The present one."""
        return self.clocking.cycle

    def put(self, **pins: int) -> None:
        """Drive inputs."""
        for name, value in pins.items():
            self._handles[f"{name}_i"].value = value

    def get(self, name: str) -> int:
        """Read an output."""
        return int(self._handles[f"{name}_o"].value)

    def watch(self, bit: Seen, callback: Callable[[], None]) -> None:
        """Call in every cycle in which this is seen."""
        self._watchers.setdefault(bit, []).append(callback)

    def after(self, callback: Callable[[], None]) -> None:
        """Call at the end of every cycle in which something was seen."""
        self._after.append(callback)

    async def start(self) -> None:
        """Begin with a reset."""
        self._pulse = cocotb.start_soon(self._beat())
        await self.clocking.start()

    async def _beat(self) -> None:
        seen_o, watchers, after, clocking, settle = (
            self._handles["seen_o"],
            self._watchers,
            self._after,
            self.clocking,
            self._settle,
        )
        while True:
            await settle
            seen = int(seen_o.value)
            if not seen or clocking.in_reset:
                continue
            while seen:
                bit = seen & -seen
                seen ^= bit
                for callback in watchers.get(bit.bit_length() - 1, ()):
                    callback()
            for callback in after:
                callback()
