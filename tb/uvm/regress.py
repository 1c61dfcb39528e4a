"""The UVM regression: builds once, runs every test with every seed in a process of its own, and says what happened.

Promises: exit status 0 when all passed, 1 when any run failed, hung, crashed or saw nothing, 2 for bad input, 130 after Ctrl-C
(with the table so far). The table goes to standard output, progress to standard error. --out gets results.xml (JUnit),
coverage.json, and a folder a run with its log.
Needs: what the build needs.
Costs: the build once; then about two seconds a run, two at a time.
"""

from __future__ import annotations

import argparse
import difflib
import fcntl
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from hwif.gen.gru import LAST_TLB_MUTANT, RtlMutant
from tb.plan.catalogue import tests
from tb.toolchain import BuildError
from tb.uvm import report
from tb.uvm.build import Options, build
from tb.uvm.launch import Launcher, Outcome, Task

__all__ = ["BadInputError", "main"]

BAD_INPUT, INTERRUPTED = 2, 130
TLB_MUTANTS = {mutant.name.lower(): mutant for mutant in RtlMutant if mutant <= LAST_TLB_MUTANT}


class BadInputError(Exception):
    """What is wrong and what to do, in a line."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, like everything else here."""

    def error(self, message: str) -> NoReturn:
        raise BadInputError(f"{message}; see --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the exit status."""
    before = signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        return _regress(_parse(arguments))
    except (BadInputError, BuildError) as error:
        print(f"regress: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:  # before the first run
        _say("interrupted")
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="regress",
        description="Run the UVM tests of the TLB with its shootdown port against the untimed oracle.",
        epilog="Examples: make regress SEEDS=2 · make regress TEST=tlb_races SEED=7 WAVES=1 · make regress MUTANT=race_fill",
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds 1 to N of every test (1)")
    parser.add_argument("--seed", type=int, metavar="S", help="this seed only")
    parser.add_argument("--test", action="append", metavar="NAME", help="this test only; may be given again")
    parser.add_argument("--mutant", default="none", metavar="NAME", help="break the RTL on purpose, by name")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="runs at once (2)")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="length of the stimulus, relative (1)")
    parser.add_argument("--timeout", type=float, default=300.0, metavar="S", help="seconds a run may take (300)")
    parser.add_argument("--out", type=Path, default=Path("build/regress"), metavar="DIR", help="folder (build/regress)")
    parser.add_argument("--waves", action="store_true", help="write an FST waveform of every run")
    parser.add_argument("--list", action="store_true", help="list the tests and end")
    return parser.parse_args(arguments)


def _regress(asked: argparse.Namespace) -> int:
    if asked.list:
        width = max(map(len, tests()))
        print("\n".join(f"{entry.name:<{width}}  {entry.about}" for entry in tests().values()))
        return 0
    tasks = _tasks(asked)
    out: Path = asked.out.resolve()
    with _folder(out):
        return _play(asked, tasks, out)


@contextmanager
def _folder(out: Path) -> Iterator[None]:
    """Make the folder, and have it for ourselves."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = (out / "lock").open("w")
    except OSError as error:
        raise BadInputError(f"--out {out}: {error.strerror}; give another folder") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInputError(f"another regression is writing to {out}; wait for it, or give another --out") from None
        yield


def _play(asked: argparse.Namespace, tasks: Sequence[Task], out: Path) -> int:
    simulator = build(options=Options(waves=asked.waves))
    shutil.rmtree(out / "runs", ignore_errors=True)
    launcher = Launcher(simulator, out / "runs", asked.timeout, waves=asked.waves)
    outcomes: dict[Task, Outcome] = {}
    interrupted = False
    try:
        for outcome in _run(launcher, tasks, asked.jobs):
            outcomes[outcome.task] = outcome
            _say(
                f"[{len(outcomes)}/{len(tasks)}] {outcome.task.name} {outcome.status}{f': {outcome.text}' if outcome.text else ''}"
            )
    except KeyboardInterrupt:
        interrupted = True
        _say(f"interrupted, {len(outcomes)} of {len(tasks)} runs ended")
    done = [outcomes[task] for task in tasks if task in outcomes]
    _report(done, out)
    if interrupted:
        return INTERRUPTED
    return 0 if all(outcome.status == "pass" for outcome in done) else 1


def _tasks(asked: argparse.Namespace) -> list[Task]:
    for name, value in (("--seeds", asked.seeds), ("--jobs", asked.jobs), ("--scale", asked.scale), ("--timeout", asked.timeout)):
        if value <= 0:
            raise BadInputError(f"{name} {value:g} must be positive")
    if asked.seed is not None and asked.seed < 0:
        raise BadInputError(f"--seed {asked.seed} must not be negative")
    names = asked.test or list(tests())
    for name in names:
        if name not in tests():
            raise BadInputError(f"there is no test {name}; {_nearest(name, tests())}")
    mutant = TLB_MUTANTS.get(asked.mutant.lower())
    if mutant is None:
        raise BadInputError(f"the TLB has no variant {asked.mutant}; {_nearest(asked.mutant.lower(), TLB_MUTANTS)}")
    seeds = range(1, asked.seeds + 1) if asked.seed is None else [asked.seed]
    return [Task(tests()[name], seed, int(mutant), asked.scale) for name in dict.fromkeys(names) for seed in seeds]


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 3, 0.4)
    return f"nearest: {', '.join(near)}" if near else f"there are: {', '.join(known)}"


def _run(launcher: Launcher, tasks: Sequence[Task], jobs: int) -> Iterable[Outcome]:
    """Outcomes as they come. Whatever ends this early ends the runs too."""
    pool = ThreadPoolExecutor(jobs)
    try:
        for future in as_completed([pool.submit(launcher.run, task) for task in tasks]):
            yield future.result()
    finally:
        launcher.stop()
        pool.shutdown(cancel_futures=True)


def _report(outcomes: Sequence[Outcome], out: Path) -> None:
    found = report.coverage(outcomes)
    report.write_junit(outcomes, out / "results.xml")
    report.write_coverage(found, out / "coverage.json")
    print(report.table(outcomes))
    failures = report.buckets(outcomes)
    if failures:
        print(f"\n{failures}\n")
    print(report.coverage_line(found))


def _say(text: str) -> None:
    print(f"regress: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
