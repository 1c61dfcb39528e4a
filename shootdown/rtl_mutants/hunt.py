"""Play tests on mutants until one notices.

Promises: a mutant's hunt ends with the first test that does not pass: it objects or crashes ("killed"), or does not end in time
("hung"); one that passes all is "survived". What was played is kept under build/mutants-rtl and not played again while the RTL, the
draw and the test are the same. A mutant meets the tests of its own block first, then those of its chip, then what is not in
the default regression; among these what noticed most so far for its time comes first. A mutant that resists for a while lets the
others go first, and so do those of which it is known that nothing can tell them from the design (`hopeless`, keys).
Needs: the RTL's builds (made when first needed). `stop` ends what runs.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path

from shootdown.regress.outcome import Status
from shootdown.regress.process import ready, stop
from shootdown.rtl_mutants.draw import Mutant
from shootdown.rtl_mutants.shots import Range, Shot
from shootdown.rtl_mutants.suite import fingerprint, simulates
from shootdown.rtl_mutants.tree import write_tree
from tb.plan.test import Kind, Test, Tier
from tb.toolchain import ROOT, RTL_VARIABLE

__all__ = ["Hunter", "Report"]

HOME = ROOT / "build" / "mutants-rtl"
CHIPS = ("gru", "hca")
STAGES = 3
GUESS = {Kind.BLOCK: 10.0, Kind.PYTEST: 20.0, Kind.UVM: 30.0, Kind.COSIM: 40.0}
"""Seconds of a test that nobody has played yet, with its share of a build."""
DURATIONS = ROOT / "build" / "regress" / "durations.json"
"""What they took in the last regression."""
TURN = 20.0
"""Seconds after which a mutant that nothing noticed lets the others go first."""
LAST = 1_000_000
"""Turns nobody has."""


@dataclass(frozen=True, order=True)
class _Turn:
    """Whose it is, least first."""

    turns: int
    stage: int
    number: int


@dataclass(frozen=True)
class Report:
    """`by`: the shot that noticed, None if none did. `seconds`: of all that was played on it."""

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

    def __init__(
        self,
        mutants: Sequence[Mutant],
        tests: Sequence[Test],
        jobs: int,
        say: Callable[[str], None],
        hopeless: Collection[str] = (),
    ) -> None:
        self._mutants, self._jobs, self._say, self._hopeless = mutants, jobs, say, hopeless
        self._tests = {test.name: test for test in tests}
        self._kills: dict[str, int] = {}
        self._known: dict[str, float] = json.loads(DURATIONS.read_text()) if DURATIONS.exists() else {}
        self._lock = threading.Lock()
        with tempfile.TemporaryDirectory(dir=_made(HOME)) as scratch:
            fresh = Path(scratch) / "rtl"
            write_tree(mutants, fresh)
            self.folder = HOME / _digest(fresh)
            if not (self.folder / "rtl").exists():
                _made(self.folder)
                fresh.rename(self.folder / "rtl")
        self._range = Range(self.folder / "control", say)
        self._before: str | None = None

    @property
    def unfit(self) -> dict[str, str]:
        """Tests that do not pass without a mutant, and what they say."""
        return self._range.unfit

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
                mutants = {mutant.number: mutant for mutant in self._mutants}
                waiting = [_Turn(LAST if mutant.key in self._hopeless else 0, 0, mutant.number) for mutant in self._mutants]
                heapq.heapify(waiting)
                running: dict[Future[Report | int], _Turn] = {}
                while waiting or running:
                    # Submitted one by one: what is known by then decides which tests come first.
                    while waiting and len(running) < self._jobs:
                        turn = heapq.heappop(waiting)
                        running[pool.submit(self._hunt, mutants[turn.number], turn.stage)] = turn
                    for one in wait(running, return_when=FIRST_COMPLETED).done:
                        turn, came = running.pop(one), one.result()
                        if isinstance(came, Report):
                            yield came
                        else:
                            heapq.heappush(waiting, _Turn(turn.turns + 1, came, turn.number))
            except BaseException:
                stop()
                raise

    # ---- one mutant --------------------------------------------------------------------------------------------------------

    def _hunt(self, mutant: Mutant, stage: int) -> Report | int:
        """The stage to go on with, when the turn ended before a verdict."""
        kept = self._kept(mutant)
        by = next((shot for shot in kept.values() if not shot.passed), None)
        turn = 0.0
        if by is None:
            asked: dict[tuple[str, int], Shot] = {}
            for of_stage, test, seed in self._order(mutant):
                if of_stage > stage or turn > TURN:
                    if turn:
                        self._say(f"passes {len(kept)} tests so far: {mutant.place}: {mutant.what}")
                    return max(stage, of_stage)
                shot = kept.get((test.name, seed))
                if shot is None:
                    shot = self._range.shot(test, seed, mutant.number)
                    if shot is None:
                        continue
                    turn += shot.seconds
                    kept[test.name, seed] = shot
                    self._keep(mutant, list(kept.values()))
                asked[test.name, seed] = shot
                if not shot.passed:
                    by = shot
                    break
            kept = asked
        if by is not None:
            with self._lock:
                self._kills[by.test] = self._kills.get(by.test, 0) + 1
        return Report(mutant, by, len(kept), sum(shot.seconds for shot in kept.values()))

    def _order(self, mutant: Mutant) -> Iterator[tuple[int, Test, int]]:
        """Stage, test and seed."""
        able = [test for test in self._tests.values() if simulates(test, mutant)]
        for stage in range(STAGES):
            of_stage = [test for test in able if _stage(test) == stage]
            of_stage.sort(key=lambda test: (test.block != mutant.block, self._price(test)))
            for seed in range(1, 1 + max((test.seeds for test in of_stage), default=0)):
                yield from ((stage, test, seed) for test in of_stage if seed <= test.seeds)

    def _price(self, test: Test) -> float:
        """Seconds for a kill."""
        with self._lock:
            kills = self._kills.get(test.name, 0)
        seconds = self._range.takes(test) or self._known.get(f"{test.name}.1") or GUESS[test.kind]
        return seconds / (1 + kills)

    # ---- what is kept ------------------------------------------------------------------------------------------------------

    def _file(self, mutant: Mutant) -> Path:
        return self.folder / "mutants" / f"{mutant.number}.json"

    def _all_kept(self, mutant: Mutant) -> list[Shot]:
        path = self._file(mutant)
        return [Shot(**one) for one in json.loads(path.read_text())] if path.exists() else []

    def _kept(self, mutant: Mutant) -> dict[tuple[str, int], Shot]:
        """Of the tests that are asked now, as they are now."""
        shots = self._all_kept(mutant)
        known = {name: fingerprint(self._tests[name]) for name in {shot.test for shot in shots} & set(self._tests)}
        same = [shot for shot in shots if known.get(shot.test) == shot.fingerprint and shot.status != Status.LOST.value]
        return {(shot.test, shot.seed): shot for shot in same}

    def _keep(self, mutant: Mutant, shots: Sequence[Shot]) -> None:
        """Beside what other tests than those asked now have said."""
        others = [shot for shot in self._all_kept(mutant) if shot.test not in self._tests]
        path = self._file(mutant)
        _made(path.parent)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps([asdict(shot) for shot in (*others, *shots)]))
        partial.replace(path)


def _stage(test: Test) -> int:
    if test.tier is Tier.FULL:
        return STAGES - 1
    return 1 if test.block in CHIPS else 0


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _digest(tree: Path) -> str:
    made_of = hashlib.sha256()
    for path in sorted(tree.rglob("*")):
        if path.is_file():
            made_of.update(f"{path.relative_to(tree)}\0".encode() + path.read_bytes())
    return made_of.hexdigest()[:16]
