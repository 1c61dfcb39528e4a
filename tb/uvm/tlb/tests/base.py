"""The base of every UVM test: build the environment, run the virtual sequence, and fail whenever anything was wrong.

Promises: the seed is printed first and last. The test fails on any counted error, the scoreboard's or one a component logged
(pyuvm would let that pass), and when the scoreboard saw nothing. The result is written whatever the verdict. It ends early when
the scoreboard has seen enough.
Needs: the run's RunConfig in the environment variable.
Costs: one test, one seed, one process: the TLB's memories would survive into the next test.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import cocotb
from cocotb.triggers import First
from pyuvm import ConfigDB, uvm_component, uvm_sequence, uvm_test

from tb.plan.run import CONFIG_VARIABLE, RunConfig, RunResult
from tb.uvm.tlb.bfm import TlbBfm
from tb.uvm.tlb.env import TlbEnv
from tb.uvm.tlb.profile import Profile
from tb.uvm.tlb.sequences.traffic import Traffic

__all__ = ["TIMEOUT_US", "TlbBaseTest"]

LOGGED = 20  # errors kept
TIMEOUT_US = 2000  # of simulated time: a million cycles


class _Errors(logging.Handler):
    """Keeps what components log as errors; the scoreboard counts its own."""

    def __init__(self, cycle: Callable[[], int], except_for: str) -> None:
        super().__init__(logging.ERROR)
        self.kept: list[str] = []
        self._cycle = cycle
        self._except_for = except_for

    def emit(self, record: logging.LogRecord) -> None:
        """One error."""
        if record.name != self._except_for:
            self.kept.append(f"cycle {self._cycle()}: error: {record.getMessage()}")


class TlbBaseTest(uvm_test):
    """Subclasses choose a profile, or a sequence of their own."""

    profile: ClassVar[Profile] = Profile()

    def build_phase(self) -> None:
        super().build_phase()
        self.config = RunConfig.load(os.environ[CONFIG_VARIABLE])
        self.bfm = TlbBfm(cocotb.top)
        ConfigDB().set(None, "*", "BFM", self.bfm)
        ConfigDB().set(None, "*", "SEED", f"{self.config.test}.{self.config.seed}")
        ConfigDB().set(None, "*", "PROFILE", self.profile)
        self.env = TlbEnv.create("env", self)
        self.say("begins")

    def end_of_elaboration_phase(self) -> None:
        """Errors are counted wherever they are logged."""
        self.errors = _Errors(lambda: self.bfm.cycle, self.env.scoreboard.logger.name)
        below: list[uvm_component] = [self]
        while below:
            component = below.pop()
            component.add_logging_handler(self.errors)
            below += component.get_children()

    def say(self, what: str) -> None:
        """One line with the seed in it."""
        print(f"{self.config.test} {what}: seed {self.config.seed}, mutant {self.config.mutant}", flush=True)

    def sequence(self) -> uvm_sequence:
        """The virtual sequence of the test."""
        return Traffic("traffic", self.env.virtual, round(self.profile.cycles * self.config.scale))

    async def run_phase(self) -> None:
        self.raise_objection()
        await self.bfm.start(self.config.mutant)
        played = cocotb.start_soon(self.sequence().start(self.env.virtual))
        await First(played, self.env.scoreboard.enough.wait())
        self.drop_objection()

    def report_phase(self) -> None:
        """After the scoreboard's check phase."""
        board = self.env.scoreboard
        logged = self.errors.kept
        kept = [*board.kept, *logged[:LOGGED]]
        result = RunResult(
            self.bfm.cycle, board.items, board.errors + len(logged), kept, self.env.coverage.tally.counts, board.digest
        )
        result.write(Path(self.config.result))
        self.say(f"ends after {result.cycles} cycles, {result.items} items, {result.errors} errors")
        assert result.errors == 0, f"{result.errors} errors, the first: {result.objections[0]}"
        assert result.items > 0, "the scoreboard saw nothing"
