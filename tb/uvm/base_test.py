"""The base of UVM tests: the run's configuration in, the run's result out, and a failure whenever anything was wrong.

Promises: the seed is printed first and last. The test fails on any error a judge counted, on any error a component logged (by its
logger or by uvm_report: pyuvm would let both pass), when the judges together saw nothing, and when nobody objected to the end of
the run phase. The result is written whatever the verdict; only an exception, which ends the process, leaves none.
Needs: the run's RunConfig in the environment variable.
Costs: one test, one seed, one process: the memories of a device would survive into the next test.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from pyuvm import ObjectionHandler, uvm_component, uvm_test

from tb.plan.cover import Counts
from tb.plan.run import CONFIG_VARIABLE, RunConfig, RunResult
from tb.uvm.judging import Judging

__all__ = ["TIMEOUT_US", "BaseTest"]

LOGGED = 20  # errors kept
TIMEOUT_US = 2000  # of simulated time: a million cycles


class _Errors(logging.Handler):
    """Keeps what components log as errors, but for a judge's objections, which it has counted."""

    def __init__(self, cycle: Callable[[], int], judges: Sequence[Judging]) -> None:
        super().__init__(logging.ERROR)
        self.kept: list[str] = []
        self._cycle = cycle
        self._judges = judges

    def emit(self, record: logging.LogRecord) -> None:
        """One error."""
        text = record.getMessage()
        if not any(text in judge.kept for judge in self._judges):
            self.kept.append(f"cycle {self._cycle()}: error: {text}")


class BaseTest(uvm_test):
    """Subclasses build an environment and say who judges, what time it is, and what is played."""

    def judges(self) -> Sequence[Judging]:
        """Components that judge."""
        raise NotImplementedError

    def counts(self) -> Counts:
        """Cover counts of the run."""
        return {}

    def now(self) -> int:
        """Present cycle."""
        raise NotImplementedError

    async def play(self) -> None:
        """What happens between raising and dropping the objection."""
        raise NotImplementedError

    def build_phase(self) -> None:
        super().build_phase()
        self.config = RunConfig.load(os.environ[CONFIG_VARIABLE])
        self.say("begins")

    @property
    def seed(self) -> str:
        """What every stream of random numbers is named after."""
        return f"{self.config.test}.{self.config.seed}"

    def end_of_elaboration_phase(self) -> None:
        """Errors are counted wherever they are logged."""
        self.logged = _Errors(self.now, self.judges())
        below: list[uvm_component] = [self]
        while below:
            component = below.pop()
            component.add_logging_handler(self.logged)
            below += component.get_children()

    def say(self, what: str) -> None:
        """One line with the seed in it."""
        print(f"{self.config.test} {what}: seed {self.config.seed}, mutant {self.config.mutant}", flush=True)

    async def run_phase(self) -> None:
        self.raise_objection()
        await self.play()
        self.drop_objection()

    def report_phase(self) -> None:
        """After every judge's check phase."""
        judges, logged = self.judges(), self.logged.kept
        objected = ObjectionHandler().objection_raised
        digest = hashlib.blake2b("".join(judge.digest for judge in judges).encode(), digest_size=8).hexdigest()
        result = RunResult(
            self.now(),
            sum(judge.items for judge in judges) if objected else 0,
            sum(judge.errors for judge in judges) + len(logged),
            [text for judge in judges for text in judge.kept] + logged[:LOGGED],
            self.counts(),
            digest,
        )
        result.write(Path(self.config.result))
        self.say(f"ends after {result.cycles} cycles, {result.items} items, {result.errors} errors")
        assert result.errors == 0, f"{result.errors} errors, the first: {result.objections[0]}"
        assert objected, "nobody objected to the end of the run phase"
        assert result.items > 0, "the scoreboard saw nothing"
