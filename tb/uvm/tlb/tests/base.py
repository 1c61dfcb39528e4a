"""The base of the TLB's tests: build the environment and run the virtual sequence.

Promises: those of tb/uvm/base_test.py. It ends early when the scoreboard has seen enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import cocotb
from cocotb.triggers import First
from pyuvm import ConfigDB, uvm_sequence

from tb.plan.cover import Counts
from tb.uvm.base_test import TIMEOUT_US, BaseTest
from tb.uvm.judging import Judging
from tb.uvm.tlb.bfm import TlbBfm
from tb.uvm.tlb.env import TlbEnv
from tb.uvm.tlb.profile import Profile
from tb.uvm.tlb.sequences.traffic import Traffic

__all__ = ["TIMEOUT_US", "TlbBaseTest"]


class TlbBaseTest(BaseTest):
    """Subclasses choose a profile, or a sequence of their own."""

    profile: ClassVar[Profile] = Profile()

    def build_phase(self) -> None:
        super().build_phase()
        self.bfm = TlbBfm(cocotb.top)
        ConfigDB().set(None, "*", "BFM", self.bfm)
        ConfigDB().set(None, "*", "SEED", self.seed)
        ConfigDB().set(None, "*", "PROFILE", self.profile)
        self.env = TlbEnv.create("env", self)

    def judges(self) -> Sequence[Judging]:
        """The scoreboard."""
        return [self.env.scoreboard]

    def counts(self) -> Counts:
        """What the coverage counted."""
        counts: Counts = self.env.coverage.tally.counts
        return counts

    def now(self) -> int:
        """Cycles since reset."""
        return self.bfm.cycle

    def sequence(self) -> uvm_sequence:
        """The virtual sequence of the test."""
        return Traffic("traffic", self.env.virtual, round(self.profile.cycles * self.config.scale))

    async def play(self) -> None:
        """To the sequence's end, or until more would tell nothing new."""
        await self.bfm.start(self.config.mutant)
        played = cocotb.start_soon(self.sequence().start(self.env.virtual))
        await First(played, self.env.scoreboard.enough.wait())
