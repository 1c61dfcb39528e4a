"""The base of the chip's tests.

Promises: those of tb/uvm/base_test.py. It ends early when a board has seen enough, and objects when the sequence takes longer
than `cycles`.
"""

from __future__ import annotations

import random
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar

import cocotb
from cocotb.task import Task
from cocotb.triggers import First
from pyuvm import ConfigDB

from tb.plan.cover import Counts
from tb.uvm.agents.axil.sequence import RefusedError, ResetError
from tb.uvm.base_test import TIMEOUT_US, BaseTest
from tb.uvm.gru.config import ChipConfig
from tb.uvm.gru.env import ChipEnv
from tb.uvm.gru.mix import Mix
from tb.uvm.gru.sequences.traffic import Traffic
from tb.uvm.gru.software import Answers, LostError, Software
from tb.uvm.gru.spaces import Page, Space
from tb.uvm.judging import Judging

__all__ = ["TIMEOUT_US", "ChipTest", "SoftwareTest", "TrafficTest"]


class ChipTest(BaseTest):
    """Subclasses say what is played."""

    cycles: ClassVar[int] = 200_000

    def build_phase(self) -> None:
        super().build_phase()
        dut: Any = cocotb.top
        self.chip = ChipConfig(dut, self.seed)
        dut.mutant_i.value = self.config.mutant
        ConfigDB().set(self, "env", "config", self.chip)
        self.env = ChipEnv.create("env", self)

    def judges(self) -> Sequence[Judging]:
        """Every board."""
        env = self.env
        return [env.tlb_board, env.translations, env.handles, env.data]

    def counts(self) -> Counts:
        """What the coverage counted."""
        counts: Counts = self.env.coverage.tally.counts
        return counts

    def now(self) -> int:
        """Cycles since the simulation began."""
        return self.chip.clocking.cycle

    async def stimulus(self) -> None:
        """After the first reset."""
        raise NotImplementedError

    async def play(self) -> None:
        """Reset, and the stimulus to its end."""
        env, clocking = self.env, self.chip.clocking
        self.whole = False
        await clocking.start()
        stimulus = cocotb.start_soon(self._guarded(self.stimulus()))
        boards = [board.enough.wait() for board in (env.tlb_board, env.translations, env.handles, env.data)]
        limit = cocotb.start_soon(clocking.wait(self.cycles))
        await First(stimulus, limit, *boards)
        if not self.whole:  # what is open is open because it was cut short
            for board in (env.tlb_board, env.data):
                board.enough.set()
        if limit.done() and not stimulus.done():
            env.handles.object_at(clocking.cycle, "liveness", f"no end after {self.cycles} cycles")

    async def _guarded(self, steps: Coroutine[Any, Any, None]) -> None:
        """What a broken chip does to software is an objection, not a crash."""
        clocking = self.chip.clocking
        try:
            await steps
            await clocking.wait(200)  # to see what nobody asked for
            self.whole = True
        except (LostError, ResetError):
            pass
        except RefusedError as error:
            self.env.handles.object_at(clocking.cycle, "bus", str(error))


class SoftwareTest(ChipTest):
    """Directed: a driver with one space and a fault server, and what subclasses do with them."""

    answers: ClassVar[Answers] = Answers(clean=0.0)
    software_type: ClassVar[type[Software]] = Software
    cycles = 40_000

    async def stimulus(self) -> None:
        """Set up, then the scene."""
        self.software = self.software_type("software", self.env.virtual, self.answers)
        self.rng = random.Random(f"{self.seed}:scene")
        self.chip.memory.stalls = {}
        await self.software.start()
        await self.scene()

    def start_task(self, steps: Coroutine[Any, Any, Any]) -> Task[Any]:
        """Beside the scene."""
        return cocotb.start_soon(self.software.guarded(steps))

    def mapped(self, space: Space, vpn: int, *, size: int = 0, spots: tuple[int, ...] = ()) -> Page:
        """A page of a space; `spots`: those of its 4 KiB that are used, the first if none is named."""
        page = Page(vpn, size, self.software.new_frame(size))
        space.map(page, spots or (vpn,))
        return page

    async def scene(self) -> None:
        """What happens."""
        raise NotImplementedError


class TrafficTest(ChipTest):
    """Random traffic of a mix."""

    mix: ClassVar[Mix] = Mix()

    def traffic(self, name: str = "traffic") -> Traffic:
        """Ready to be started."""
        return Traffic(name, self.env.virtual, self.mix, self.config.scale)

    async def stimulus(self) -> None:
        """Traffic to its end."""
        await self.traffic().start(self.env.virtual)
