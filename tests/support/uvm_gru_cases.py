"""UVM tests of the chip's environment itself: what must not pass. For the simulator."""

from __future__ import annotations

import pyuvm

from hwif.gen import gru as g
from tb.plan.test import Kind, Test
from tb.uvm.agents.axil.sequence import RegisterSequence
from tb.uvm.gru.software import User
from tb.uvm.gru.spaces import Space
from tb.uvm.gru.tests.base import TIMEOUT_US, ChipTest, SoftwareTest
from tb.uvm.gru.tests.gru_wide import GruWide

__all__ = ["CASES"]

ALONE = "support.uvm_gru_cases"
NAMES = (
    "Idle",
    "NoObjection",
    "LoggedError",
    "JudgeLogs",
    "ReportedError",
    "Raises",
    "WrongData",
    "WrongPage",
    "NeverEnds",
    "OneIsIdle",
    "BoardSleeps",
)
CASES = {name: Test(name.lower(), "", Kind.UVM, f"{ALONE}:{name}", "gru", "gru") for name in NAMES}


class Looks(ChipTest):
    """A read that a board judges, so that only what a subclass adds is wrong."""

    cycles = 3_000

    async def stimulus(self) -> None:
        bus = RegisterSequence("bus")
        await bus.start(self.env.virtual.registers)
        await bus.read(g.TFM_BASE)
        await self.wrong()

    async def wrong(self) -> None:
        """What must not pass."""


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class Idle(ChipTest):
    """The boards see nothing."""

    async def stimulus(self) -> None:
        await self.chip.clocking.wait(20)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class NoObjection(Looks):
    """Nobody objects to the end of the run phase."""

    async def run_phase(self) -> None:
        await self.play()


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class LoggedError(Looks):
    async def wrong(self) -> None:
        self.env.probes.logger.error("only logged")


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class JudgeLogs(Looks):
    """Not an objection, which it would have counted."""

    async def wrong(self) -> None:
        self.env.handles.logger.error("logged by a judge")


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class ReportedError(Looks):
    async def wrong(self) -> None:
        self.env.memory.monitor.uvm_report.error("CASE", "only reported")


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class Raises(Looks):
    async def wrong(self) -> None:
        raise ValueError("a defect of the environment")


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class NeverEnds(Looks):
    async def wrong(self) -> None:
        await self.chip.clocking.wait(1_000_000)


class Loads(SoftwareTest):
    """One load of one page, with something wrong about it."""

    cycles = 3_000

    async def scene(self) -> None:
        space = self.chip.spaces.new()
        self.mapped(space, 0x40)
        self.start_task(self.software.serve_core(0))
        user = await self.software.open(space, 2, 1)
        self.spoil(space)
        line = [0] * 8
        fields = {"icmd": 1, "opc": g.CbOpc.VLOAD, "xtype": g.CbXtype.DW, "baddr0": 0x40000, "nelem": 4, "stride_op1": 1}
        for name, value in fields.items():
            getattr(g.Cb, name).put(line, value)
        g.Cb.istatus.put(line, g.CbIstatus.ACTIVE)
        await self.software.run(user, 0, line)
        await self.software.read_words(self.software.segment_addr(user, 0), 4)

    def spoil(self, space: Space) -> None:
        """What is wrong."""
        raise NotImplementedError


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class WrongData(Loads):
    """Memory has lost a byte."""

    def spoil(self, space: Space) -> None:
        space.content.write(0x40008, b"\0" if space.content.read(0x40008, 1) != b"\0" else b"\1")


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class WrongPage(Loads):
    """An access through a translation that the board has never been told of."""

    def spoil(self, space: Space) -> None:
        self.env.translations._fill = lambda access, line: None


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class OneIsIdle(GruWide):
    """Nobody computes in the context that was opened first."""

    rounds = 1

    async def _compute(self, user: User, index: int, place: tuple[int, int], bare: bool) -> None:
        if user.ctx != next(iter(self.software.uses)):
            await super()._compute(user, index, place, bare)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class BoardSleeps(GruWide):
    """One of the boards is told nothing."""

    rounds = 1

    def connect_phase(self) -> None:
        super().connect_phase()
        self.env.translations.judged = lambda event: None
