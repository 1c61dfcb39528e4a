"""The base of the HCA's UVM tests: a plan, and a program that drives it by
tb.hil.hca_bare.

Promises: a program that raises is an objection of the judge's, with its text. When the judge has seen enough the program ends
early.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import cocotb
from cocotb.task import bridge, resume
from pyuvm import ConfigDB, uvm_sequence

from tb.hil.hca_bare import Bare, BareError
from tb.plan.cover import Counts
from tb.uvm.base_test import TIMEOUT_US, BaseTest
from tb.uvm.hca.bfm import HcaBfm
from tb.uvm.hca.env import HcaEnv
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.port import ChipPort, StoppedError, SyncPort
from tb.uvm.hca.scattered import ScatteredBare
from tb.uvm.inlet import Inlet
from tb.uvm.judging import Judging

__all__ = ["TIMEOUT_US", "HcaBaseTest", "Program"]

Program = Callable[[Bare], Any]
DRAIN = 60  # cycles after the program


class _Played(uvm_sequence):
    """The virtual sequence: a program in a thread of its own, whose register accesses are items of the register agent."""

    def __init__(self, test: HcaBaseTest) -> None:
        super().__init__("program")
        self.test = test

    async def body(self) -> None:
        env = self.test.env
        port = ChipPort(env.judge, env.cable, env.memory, env.shadow, env.register_sequence())
        env.irq.monitor.ap.connect(Inlet("port", env, port.changed))
        served = cocotb.start_soon(port.serve())
        try:
            await bridge(self._play)(SyncPort(port, resume(port.advance)))
        except StoppedError:
            pass
        except (AssertionError, BareError) as error:
            env.judge.object("program", str(error) or type(error).__name__)
        served.cancel()

    def _play(self, port: SyncPort) -> None:
        self.test.program(port)


class HcaBaseTest(BaseTest):
    """Subclasses say `plan` and `program`."""

    plan: ClassVar[Plan] = Plan()

    def judges(self) -> Sequence[Judging]:
        """One."""
        return (self.env.judge,)

    def counts(self) -> Counts:
        """Of the judge's tally."""
        counts: Counts = self.env.judge.cover.counts
        return counts

    def now(self) -> int:
        """Present cycle."""
        return self.bfm.cycle

    def build_phase(self) -> None:
        super().build_phase()
        self.rng = random.Random(f"{self.seed}:program")
        self.bfm = HcaBfm(cocotb.top)
        for name, value in (("BFM", self.bfm), ("SEED", self.seed), ("PLAN", self.plan)):
            ConfigDB().set(None, "*", name, value)
        self.env = HcaEnv.create("env", self)

    async def play(self) -> None:
        """Reset, program, drain."""
        self.bfm.put(mutant=self.config.mutant)
        await self.bfm.start()
        await _Played(self).start(None)
        await self.bfm.clocking.wait(DRAIN)

    def scaled(self, count: int) -> int:
        """At least one."""
        return max(1, round(count * self.config.scale))

    def bare(self, port: Any, **more: Any) -> Bare:
        """The device, set up."""
        made = (ScatteredBare if self.plan.scattered else Bare)(port, self.plan.chosen, **more)
        made.patience = self.plan.patience
        return made

    def program(self, port: Any) -> None:
        """What software does."""
        raise NotImplementedError
