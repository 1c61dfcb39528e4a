"""One test on one mutant, and the same test on none.

Promises: a shot counts only beside a control, the same test, of the same code, that passed with no mutant chosen. What is edited
while it is played, and what could not be built, is played again and has no verdict; a test that does not end in time is given
more of it once, so that a busy machine is no verdict either. Controls that passed are kept in `folder` and not played again while
the test is the same.
Needs: RTL_VARIABLE names the copy that has the mutants.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from shootdown.regress.commands import started
from shootdown.regress.judge import judge
from shootdown.regress.outcome import Status
from shootdown.regress.process import play
from shootdown.regress.run import Run
from shootdown.rtl_mutants.suite import fingerprint
from tb.plan.test import Kind, Test
from tb.toolchain import MUTANT_VARIABLE, ROOT, BuildError

__all__ = ["Range", "Shot"]

# Directed tests that break the RTL by hand ask whether checks notice; they say nothing more about the design.
NOT_ABOUT_CHECKS = "not mutants and not notice and not broken"
LEAST_SECONDS = 5.0
BUILD_LIMIT = 1800.0  # seconds that a build, or a run that builds, may take
PATIENCE = 4.0  # times what the test takes without a mutant
SECOND = 3.0  # times as much when it was not enough
ATTEMPTS = 3


@dataclass(frozen=True)
class Shot:
    """One test with one seed on one mutant. `text`: what it said, if it did not pass."""

    test: str
    seed: int
    fingerprint: str
    status: str
    text: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Nothing was noticed."""
        return self.status == Status.PASS.value


class Range:
    """Where shots are played. `say` is told of each control."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._controls: dict[str, Shot] = {}
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    @property
    def unfit(self) -> dict[str, str]:
        """Tests that, when they were asked last, did not pass without a mutant, and what they said."""
        return {name: f"{shot.status}: {shot.text}" for name, shot in self._controls.items() if not shot.passed}

    def takes(self, test: Test) -> float | None:
        """Seconds of its first seed without a mutant, if that was played."""
        control = self._controls.get(f"{test.name}.1")
        return control.seconds if control else None

    def shot(self, test: Test, seed: int, number: int) -> Shot | None:
        """The mutant of that number; None if the test has no verdict now."""
        for _ in range(ATTEMPTS):
            control = self.control(test, seed)
            if not control.passed:
                return None
            limit = max(LEAST_SECONDS, PATIENCE * control.seconds)
            shot = self._played(test, seed, number, limit)
            if shot.status == Status.TIMEOUT.value:
                shot = self._played(test, seed, number, SECOND * limit)
            if shot.status != Status.LOST.value and control.fingerprint == shot.fingerprint == fingerprint(test):
                return shot
        return None

    def control(self, test: Test, seed: int) -> Shot:
        """The test as it is now without a mutant."""
        name = f"{test.name}.{seed}"
        with self._lock:
            mine = self._locks.setdefault(name, threading.Lock())
        with mine:
            known = self._controls.get(name) or self._kept(name)
            if known is None or known.fingerprint != fingerprint(test) or known.status == Status.LOST.value:
                self._say(f"{name} without a mutant")
                known = self._alone(test, seed)
                if known.passed:
                    self._file(name).parent.mkdir(parents=True, exist_ok=True)
                    self._file(name).write_text(json.dumps(asdict(known)))
            self._controls[name] = known
            return known

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _kept(self, name: str) -> Shot | None:
        shot = Shot(**json.loads(self._file(name).read_text())) if self._file(name).exists() else None
        return shot if shot and shot.passed else None

    def _alone(self, test: Test, seed: int) -> Shot:
        """Again if something was built meanwhile, so that its time is its own."""
        built = _builds()
        shot = self._played(test, seed, 0, BUILD_LIMIT)
        return self._played(test, seed, 0, BUILD_LIMIT) if shot.passed and _builds() != built else shot

    def _played(self, test: Test, seed: int, number: int, limit: float) -> Shot:
        print_of = fingerprint(test)
        with tempfile.TemporaryDirectory(prefix="shootdown-rtl-mutant-") as name:
            folder = Path(name)
            begun = time.monotonic()
            try:
                process = started(Run(test, seed), folder)
                environment = {**process.environment, MUTANT_VARIABLE: str(number)}
                if test.kind is Kind.PYTEST:
                    environment["PYTEST_ADDOPTS"] = f"-x -k '{NOT_ABOUT_CHECKS}'"
                with (folder / "run.log").open("wb") as log:
                    status = play(process.command, environment, process.where, log, limit)
            except BuildError as error:
                return Shot(test.name, seed, print_of, Status.LOST.value, str(error), time.monotonic() - begun)
            seconds = time.monotonic() - begun
            verdict, text, _ = judge(test.kind, folder, status, limit)
        return Shot(test.name, seed, print_of, verdict.value, text, seconds)


def _builds() -> frozenset[Path]:
    return frozenset((ROOT / "build").glob("*/*"))
