"""UVM tests that must not pass, and one with passive agents: what the base test and the runner are for. For the simulator."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import ClassVar

import pyuvm
from pyuvm import ConfigDB, uvm_active_passive_enum, uvm_sequence

from tb.plan.run import RunResult
from tb.plan.test import Kind, Test
from tb.uvm.tlb.profile import Profile
from tb.uvm.tlb.tests.base import TIMEOUT_US, TlbBaseTest

__all__ = ["CASES"]

ALONE = "support.uvm_cases"
CASES = {
    name: Test(name.lower(), "", Kind.UVM, f"{ALONE}:{name}", "gru_tlb", "tlb")
    for name in ("Idle", "CountedError", "LoggedError", "LogsElsewhere", "Raises", "Hangs", "NoObjection", "Watches")
}


class Nothing(uvm_sequence):
    """A few cycles without stimulus."""

    test: TlbBaseTest

    def __init__(self, test: TlbBaseTest) -> None:
        super().__init__("nothing")
        self.test = test

    async def body(self) -> None:
        await self.test.bfm.wait(20)


class Quiet(TlbBaseTest):
    """Passive agents: whatever happens on the pins, they do not cause it."""

    stimulus: ClassVar[type[Nothing]] = Nothing
    profile: ClassVar[Profile] = Profile()

    def build_phase(self) -> None:
        ConfigDB().set(None, "*", "is_active", uvm_active_passive_enum.UVM_PASSIVE)
        super().build_phase()

    def sequence(self) -> uvm_sequence:
        return self.stimulus(self)


class Poke(Nothing):
    """A lookup straight onto the pins."""

    async def body(self) -> None:
        bfm = self.test.bfm
        await bfm.drive()
        bfm.put(lkp_valid=1, lkp_cbr=5, lkp_asid=8, lkp_va=0x5000, lkp_sizes=1)
        await bfm.drive()
        bfm.put(lkp_valid=0)
        await bfm.wait(6)


class PokeAndCount(Poke):
    async def body(self) -> None:
        await super().body()
        self.test.env.scoreboard.object_at(self.test.bfm.cycle, "none", "an error of the test's own")


class PokeAndLog(Poke):
    async def body(self) -> None:
        await super().body()
        self.test.logger.error("only logged")


class PokeAndLogElsewhere(Poke):
    async def body(self) -> None:
        await super().body()
        logging.getLogger("cocotb.elsewhere").error("logged by no component")


class PokeAndRaise(Poke):
    async def body(self) -> None:
        await super().body()
        raise ValueError("a defect of the environment")


class Forever(Nothing):
    async def body(self) -> None:
        while True:
            await self.test.bfm.wait(1000)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class Idle(Quiet):
    """The scoreboard sees nothing."""


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class Watches(Quiet):
    """Passive agents monitor."""

    stimulus = Poke


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class CountedError(Quiet):
    stimulus = PokeAndCount


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class LoggedError(Quiet):
    stimulus = PokeAndLog


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class LogsElsewhere(Quiet):
    stimulus = PokeAndLogElsewhere


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class NoObjection(Quiet):
    """Its run phase ends at once; what is left says that all is well."""

    async def run_phase(self) -> None:
        await self.bfm.wait(20)

    def report_phase(self) -> None:
        RunResult(cycles=20, items=1).write(Path(self.config.result))


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class Raises(Quiet):
    stimulus = PokeAndRaise


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class Hangs(Quiet):
    stimulus = Forever
