"""Play tests on mutants until one notices.

Promises: a test counts only if it passes on the copy of the RTL with no mutant chosen. A mutant's hunt ends with the first test
that does not pass: it objects or crashes ("killed"), or does not end in time ("hung"); one that passes all is "survived". What was
played is kept under build/mutants-rtl and not played again while the RTL, the draw and the test are the same. Tests that noticed
most so far for their time are asked first; those of the mutant's own block before those of its chip.
Needs: the RTL's builds (made when first needed). `stop` ends what runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path

from shootdown.regress.commands import started
from shootdown.regress.judge import judge
from shootdown.regress.outcome import Status
from shootdown.regress.prebuild import needed
from shootdown.regress.process import play, ready, stop
from shootdown.regress.run import Run
from shootdown.rtl_mutants.draw import Mutant
from shootdown.rtl_mutants.suite import fingerprint, simulates
from shootdown.rtl_mutants.tree import write_tree
from tb.plan.test import Kind, Test
from tb.toolchain import MUTANT_VARIABLE, ROOT, RTL_VARIABLE, BuildError

__all__ = ["Hunter", "Report", "Shot"]

HOME = ROOT / "build" / "mutants-rtl"
# Directed tests that break the RTL by hand ask whether checks notice; they say nothing more about the design.
NOT_ABOUT_CHECKS = "not mutants and not notice and not broken"
CHIPS = ("gru", "hca")
GUESS = {Kind.BLOCK: 10.0, Kind.PYTEST: 20.0, Kind.UVM: 30.0, Kind.COSIM: 40.0}
"""Seconds of a test that was not played yet, with its share of a build."""
LEAST_SECONDS = 20.0
BUILD_LIMIT = 1800.0  # seconds that a build, or a run that builds, may take
PATIENCE = 4.0  # times what the test takes without a mutant


@dataclass(frozen=True)
class Shot:
    """One test with one seed on one mutant. `text`: what it said, if it did not pass."""

    test: str
    seed: int
    fingerprint: str
    status: str
    text: str
    seconds: float


@dataclass(frozen=True)
class Report:
    """`by`: the shot that noticed, None if none did."""

    mutant: Mutant
    by: Shot | None
    asked: int
    seconds: float

    @property
    def fate(self) -> str:
        """killed, hung or survived."""
        if self.by is None:
            return "survived"
        return "hung" if self.by.status == Status.TIMEOUT.value else "killed"


class Hunter:
    """The hunts of one draw. While it is open every build of this process and its children is of the copy."""

    def __init__(self, mutants: Sequence[Mutant], tests: Sequence[Test], jobs: int, say: Callable[[str], None]) -> None:
        self._mutants, self._jobs, self._say = mutants, jobs, say
        self._tests = {test.name: test for test in tests}
        self.unfit: dict[str, str] = {}
        """Tests that do not pass without a mutant, and what they say."""
        self._kills: dict[str, int] = {}
        self._lock = threading.Lock()
        with tempfile.TemporaryDirectory(dir=_made(HOME)) as scratch:
            fresh = Path(scratch) / "rtl"
            write_tree(mutants, fresh)
            self.folder = HOME / _digest(fresh)
            if not (self.folder / "rtl").exists():
                _made(self.folder)
                fresh.rename(self.folder / "rtl")
        self._control: dict[str, Shot] = {}
        self._controlling: dict[str, threading.Lock] = {}
        self._before: str | None = None

    def __enter__(self) -> Hunter:
        self._before = os.environ.get(RTL_VARIABLE)
        os.environ[RTL_VARIABLE] = str(self.folder / "rtl")
        ready()
        return self

    def __exit__(self, *_: object) -> None:
        stop()
        if self._before is None:
            del os.environ[RTL_VARIABLE]
        else:
            os.environ[RTL_VARIABLE] = self._before

    def reports(self) -> Iterator[Report]:
        """Of every mutant, as they come."""
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                waiting = list(self._mutants)
                running: set[Future[Report]] = set()
                while waiting or running:
                    # Submitted one by one: what is known by then decides which tests come first.
                    while waiting and len(running) < self._jobs:
                        running.add(pool.submit(self._hunt, waiting.pop(0)))
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for one in done:
                        yield one.result()
            except BaseException:
                stop()
                raise

    # ---- one mutant --------------------------------------------------------------------------------------------------------

    def _hunt(self, mutant: Mutant) -> Report:
        begun = time.monotonic()
        kept = self._kept(mutant)
        shots: list[Shot] = []
        by = next((shot for shot in kept.values() if shot.status != Status.PASS.value), None)
        if by is None:
            for test, seed in self._order(mutant):
                shot = kept.get((test.name, seed))
                if shot is None:
                    control = self.control(test, seed)
                    if control.status != Status.PASS.value:
                        continue
                    shot = self._shoot(test, seed, mutant.number, max(LEAST_SECONDS, PATIENCE * control.seconds))
                    kept[test.name, seed] = shot
                    self._keep(mutant, list(kept.values()))
                shots.append(shot)
                if shot.status != Status.PASS.value:
                    by = shot
                    break
        if by is not None:
            with self._lock:
                self._kills[by.test] = self._kills.get(by.test, 0) + 1
        return Report(mutant, by, len(shots), time.monotonic() - begun)

    def _order(self, mutant: Mutant) -> Iterator[tuple[Test, int]]:
        able = [test for test in self._tests.values() if simulates(test, mutant)]

        def rank(test: Test) -> tuple[bool, float]:
            """A block's tests before a chip's; then what noticed most for its time."""
            control = self._control.get(f"{test.name}.1")
            with self._lock:
                kills = self._kills.get(test.name, 0)
            return test.block in CHIPS, (control.seconds if control else GUESS[test.kind]) / (1 + kills)

        able.sort(key=rank)
        for extra in range(max((test.seeds for test in able), default=0)):
            yield from ((test, 1 + extra) for test in able if extra < test.seeds)

    def control(self, test: Test, seed: int) -> Shot:
        """The test without a mutant; played once."""
        name = f"{test.name}.{seed}"
        path = self.folder / "control" / f"{name}.json"
        with self._lock:
            mine = self._controlling.setdefault(name, threading.Lock())
        with mine:
            if name not in self._control:
                shot = Shot(**json.loads(path.read_text())) if path.exists() else None
                if shot is None or shot.fingerprint != fingerprint(test):
                    self._say(f"{name} without a mutant")
                    shot = self._shoot_alone(test, seed)
                    _made(path.parent)
                    path.write_text(json.dumps(asdict(shot)))
                if shot.status != Status.PASS.value:
                    self.unfit[name] = f"{shot.status}: {shot.text}"
                self._control[name] = shot
            return self._control[name]

    def _shoot_alone(self, test: Test, seed: int) -> Shot:
        """Built before, so that its time is its own."""
        build = needed(Run(test, seed))
        with tempfile.TemporaryDirectory(prefix="shootdown-rtl-mutant-") as name, (Path(name) / "log").open("wb") as log:
            play([sys.executable, *build.command], build.environment(Path(name)), ROOT, log, BUILD_LIMIT)
        shot = self._shoot(test, seed, 0, BUILD_LIMIT)
        # Which chips a file of directed tests builds is known when it has run.
        return self._shoot(test, seed, 0, BUILD_LIMIT) if test.kind is Kind.PYTEST and seed == 1 else shot

    def _shoot(self, test: Test, seed: int, number: int, limit: float) -> Shot:
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

    # ---- what is kept ------------------------------------------------------------------------------------------------------

    def _kept(self, mutant: Mutant) -> dict[tuple[str, int], Shot]:
        path = self.folder / "mutants" / f"{mutant.number}.json"
        if not path.exists():
            return {}
        shots = [Shot(**one) for one in json.loads(path.read_text())]
        known = {test.name: fingerprint(test) for test in self._tests.values()}
        return {(shot.test, shot.seed): shot for shot in shots if known.get(shot.test) == shot.fingerprint}

    def _keep(self, mutant: Mutant, shots: Sequence[Shot]) -> None:
        path = self.folder / "mutants" / f"{mutant.number}.json"
        _made(path.parent)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps([asdict(shot) for shot in shots]))
        partial.replace(path)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _digest(tree: Path) -> str:
    made_of = hashlib.sha256()
    for path in sorted(tree.rglob("*")):
        if path.is_file():
            made_of.update(f"{path.relative_to(tree)}\0".encode() + path.read_bytes())
    return made_of.hexdigest()[:16]
