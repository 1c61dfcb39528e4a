"""Reset in the middle of everything: after it the chip is as new.

Traffic runs; at a random cycle reset is asserted, whatever is under way; everything that software did is forgotten; other traffic
runs. The references begin again with the reset, so anything that survives it in the chip is an objection. Handles are read right
after it.
"""

from __future__ import annotations

import random

import pyuvm

from hwif.gen import gru as g
from tb.uvm.agents.axil.sequence import RegisterSequence
from tb.uvm.gru.mix import Mix
from tb.uvm.gru.software import Answers
from tb.uvm.gru.tests.base import TIMEOUT_US, TrafficTest

__all__ = ["GruReset"]

TIMES = 4


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruReset(TrafficTest):
    """See above."""

    mix = Mix(instructions=60, spaces=2, migrate=100, spurious=80, interrupt=150, answers=Answers(think=60), latency=(10, 100))

    async def stimulus(self) -> None:
        """Several times; the last traffic ends by itself."""
        clocking = self.chip.clocking
        await clocking.reset()
        for time in range(TIMES):
            traffic = self.traffic(f"traffic{time}")
            traffic.start_task(traffic.begin())
            await clocking.wait(traffic.rng.choice([traffic.rng.randrange(60, 700), traffic.rng.randrange(700, 1800)]))
            while time == 0 and not self.env.coverage.shooting:
                await clocking.edge  # one of them in the middle of a shootdown
            await clocking.reset(traffic.rng.randrange(1, 6))
            traffic.end()
            await self.as_new()
        last = self.traffic("last")
        last.mix = Mix(instructions=2)
        await last.start(self.env.virtual)

    async def as_new(self) -> None:
        """Nobody's pages, nobody's handles; every handle at rest, every line down."""
        spaces = self.chip.spaces
        spaces.all.clear()
        spaces.of.clear()
        await self.chip.clocking.wait(2)
        bus = RegisterSequence("look")
        await bus.start(self.env.virtual.registers)
        handles = ((g.TGH_BASE, g.NUM_TGH), (g.TFH_BASE, g.NUM_CBR), (g.CCH_BASE, g.NUM_CTX))
        for base, count in handles:
            for index in self.rng_of(base).sample(range(count), 6):
                word = await bus.read(base + index * g.HANDLE_STRIDE)
                if g.Tgh.status.of(word) != g.HandleStatus.IDLE or word & 1:
                    self.env.handles.object_at(self.now(), "reset", f"handle {index} at {base:#x} reads {word:#x} after a reset")
        for core in range(g.NUM_TFM):
            for dw in (0, 1, 4, 5):
                await bus.read(g.TFM_BASE + core * g.HANDLE_STRIDE + 8 * dw)  # compared with an empty map

    def rng_of(self, what: int) -> random.Random:
        """A stream of its own."""
        return random.Random(f"{self.seed}:{what}:{self.now()}")
