"""`shootdown testplan`: write docs/testplan.md from the sources, or check it.

`python -m shootdown.regress.testplan [--check] [--results FOLDER]`. With --results, the folder of a regression, it keeps what that
said in docs/testplan-results.json first. With --check nothing is written; the exit status is 1, with a line for each reason, when
the page is not what the sources say or a rule lacks one of the five (plan.py).

Promises: the page is a function of the sources and of docs/testplan-results.json, so it can be compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shootdown.regress.last_results import LastResults
from shootdown.regress.plan import Plan, collect, gaps
from shootdown.regress.testplan_page import render
from tb.toolchain import ROOT

__all__ = ["PAGE", "RESULTS", "check", "main", "run"]

PAGE = ROOT / "docs" / "testplan.md"
RESULTS = ROOT / "docs" / "testplan-results.json"


def check(plan: Plan, page: Path = PAGE) -> list[str]:
    """What is wrong with the committed page or the plan, a line each."""
    same = page.exists() and page.read_text() == render(plan)
    stale = [] if same else [f"{page.name} is not what the sources say; write it again with: make gen"]
    return stale + gaps(plan)


def run(only_check: bool, folder: Path | None) -> int:
    """The command; its exit status."""
    if folder is not None:
        results = LastResults.of_folder(folder)
        if not results.tests:
            print(f"testplan: {folder} holds no run that has ended; give the folder of a regression", file=sys.stderr)
            return 2
        if not only_check:
            results.write(RESULTS)
    plan = collect(LastResults.read(RESULTS))
    if only_check:
        found = check(plan)
        for line in found:
            print(f"testplan: {line}")
        return 1 if found else 0
    PAGE.write_text(render(plan))
    for line in gaps(plan):
        print(f"testplan: {line}", file=sys.stderr)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """As a module's command line."""
    parser = argparse.ArgumentParser(prog="testplan", description="Write docs/testplan.md from the sources.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if the page is old or a rule lacks something")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="a regression's folder: keep what it said")
    chosen = parser.parse_args(arguments)
    return run(chosen.check, chosen.results)


if __name__ == "__main__":
    sys.exit(main())
