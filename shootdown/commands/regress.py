"""`shootdown regress`: play the tests of the verification plan on a farm, merge coverage, and hold both against the goals.

Promises: exit status 0 if every run passed and every goal that applies is met, 1 if not, 2 for bad input, 130 when interrupted
(with the table so far). What is in the folder: shootdown/regress/__init__.py. JSON keys: docs/regress.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shootdown.commands.cosim import terminated_is_interrupted
from shootdown.errors import InputError, unknown
from shootdown.regress import engine, junit, plan, show, summary
from shootdown.regress.farm import BATCH, Farm, Place
from shootdown.regress.outcome import Outcome
from shootdown.regress.run import Run
from shootdown.regress.select import Request, runs
from shootdown.regress.store import Store, opened
from tb.plan.test import Tier

__all__ = ["Asked", "place", "run", "tier"]

FAILED, INTERRUPTED = 1, 130


@dataclass(frozen=True)
class Asked:
    """The command line, beside the selection of tests."""

    out: Path
    place: Place
    resume: bool = False
    as_json: bool = False


def tier(name: str) -> Tier:
    """Of --set. Raises InputError."""
    try:
        return Tier(name)
    except ValueError:
        raise unknown("--set", name, "set", [one.value for one in Tier]) from None


def place(farm: str, jobs: int, options: Sequence[str], wait: float = Place.wait) -> Place:
    """Of --farm, --jobs, --farm-option and --farm-wait. Raises InputError."""
    if jobs < 1:
        raise InputError(f"--jobs {jobs}: must be at least 1")
    if wait <= 0:
        raise InputError(f"--farm-wait {wait:g}: must be positive")
    if farm != "local" and farm not in BATCH and "://" not in farm:
        raise unknown("--farm", farm, "farm", ["local", *BATCH, "tcp://host:port"])
    given = {}
    for option in options:
        name, found, value = option.partition("=")
        if not found or not name.isidentifier():
            raise InputError(f"--farm-option {option}: must be key=value")
        given[name] = value
    if given and farm not in BATCH:
        raise InputError(f"--farm-option {options[0]}: --farm {farm} has no options", f"they are for {', '.join(BATCH)}")
    return Place(jobs, farm, given, wait)


def list_tests(as_json: bool) -> int:
    """Every test there is."""
    tests = plan.tests()
    if as_json:
        about = ("name", "about", "block", "rules", "groups", "seeds", "seconds", "target")
        rows = [
            {**{key: getattr(test, key) for key in about}, "kind": test.kind.value, "set": test.tier.value}
            for test in tests.values()
        ]
        print(json.dumps(rows, indent=1))
    else:
        print("\n".join(show.listing(tests)))
    return 0


def run(request: Request, asked: Asked) -> int:
    """The whole command; its exit status."""
    chosen = runs(request)
    with opened(asked.out.resolve()) as store:
        return _Regression(request, asked, chosen, store).run()


class _Regression:
    def __init__(self, request: Request, asked: Asked, chosen: Sequence[Run], store: Store) -> None:
        self.request, self.asked, self.chosen, self.store = request, asked, chosen, store
        self.outcomes: dict[str, Outcome] = {}
        self.interrupted = False

    def run(self) -> int:
        begun = time.monotonic()
        self.outcomes, said = self.store.begin(self.chosen, resume=self.asked.resume)
        ticker = show.Ticker(len(self.chosen), len(self.outcomes))
        if said:
            ticker.say(said)
        if self.request.reseed is not None:
            for one in self.chosen:
                ticker.say(f"{one.test.name}: seed {one.seed}")
        try:
            with terminated_is_interrupted(), ticker.shown():
                self._play(ticker)
        except KeyboardInterrupt:
            self.interrupted = True
            ticker.say(f"interrupted, {len(self.outcomes)} of {len(self.chosen)} runs ended; --resume goes on")
        return self._finish(ticker, time.monotonic() - begun)

    def _play(self, ticker: show.Ticker) -> None:
        left = [one for one in self.chosen if one.name not in self.outcomes]
        if not left:
            return
        with Farm(self.asked.place) as farm:
            for outcome in engine.play(farm, left, self.store, ticker.say):
                self.outcomes[outcome.name] = outcome
                ticker.ended(outcome)
            engine.again_with_waves(farm, self.outcomes, {one.name: one for one in self.chosen}, self.store, ticker.say)

    def _finish(self, ticker: show.Ticker, wall: float) -> int:
        """Write and show what there is; the exit status."""
        tests = plan.tests()
        done = [self.outcomes[one.name] for one in self.chosen if one.name in self.outcomes]
        counts, strange = summary.functional(done, plan.groups())
        out = self.store.out
        problems = [f"counted and nowhere declared: {name}" for name in strange]
        code, problem = _guarded(lambda: summary.code([self.store.folder(one) / "code" for one in self.chosen], out))
        problems += [f"code coverage could not be merged: {problem}"] if problem else []
        measured, stale = code or (dict.fromkeys(summary.KINDS), ())
        if self.request.complete and not self.interrupted:  # a part cannot tell
            problems += [f"stale exclusion: {line}" for line in stale]
        facts = summary.Regression(
            chosen=self.request.chosen,
            planned=len(self.chosen),
            workers=self.asked.place.jobs,
            farm=self.asked.place.kind,
            wall_s=wall,
            complete=self.request.complete,
            coverage=self.request.coverage,
            interrupted=self.interrupted,
            sources=self.store.sources,
        )
        found = summary.summarise(facts, done, counts, measured, problems)
        written = True
        for write in (
            lambda: summary.write(found, counts, out),
            lambda: junit.write(done, tests, out / "results.xml"),
            lambda: self.store.remember(done),
            lambda: _page(out),
        ):
            _, said = _guarded(write)
            if said:
                ticker.say(f"not everything could be written to {out}: {said}")
                written = False
        if self.asked.as_json:
            print(json.dumps(found, indent=1))
        else:
            show.report(done, tests, found)
            print(f"results: {out / 'index.html' if (out / 'index.html').exists() else out / 'summary.json'}")
        if self.interrupted:
            return INTERRUPTED
        return 0 if written and not (found["failed"] or found["missed"] or found["problems"]) else FAILED


def _page(out: Path) -> None:
    from shootdown.regress.page import write  # noqa: PLC0415 - it reads everything there is

    write(out)


def _guarded(step: Any) -> tuple[Any, str]:
    """One part of what is left behind: its failure must not take the rest with it."""
    try:
        return step(), ""
    except Exception as error:
        return None, f"{' '.join(str(error).split())} ({type(error).__name__})"
