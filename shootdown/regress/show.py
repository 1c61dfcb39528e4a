"""What stands on the terminal: progress, a table by test, failures by bucket, coverage.

Promises: through rich on a terminal, plain otherwise. Results go to standard output, progress to standard error; a failure names
one command that plays it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from shootdown.console import error_console
from shootdown.regress.outcome import Outcome
from tb.plan.test import Test

__all__ = ["Ticker", "listing", "report"]

HEADS = ("test", "block", "passed", "cycles", "items", "seconds")
LEFT = 2  # columns of words
SHOWN_HOLES = 12


class Ticker:
    """Progress: a bar on a terminal, a line a run elsewhere."""

    def __init__(self, total: int, done: int) -> None:
        self._console = error_console()
        self._total, self._done = total, done
        self._bar: Progress | None = None
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, TextColumn("{task.fields[note]}"), console=self._console, transient=True)
            self._task = self._bar.add_task("regress", total=total, completed=done, note="")

    @contextmanager
    def shown(self) -> Iterator[Ticker]:
        """While it is needed."""
        if self._bar is not None:
            self._bar.start()
        try:
            yield self
        finally:
            if self._bar is not None:
                self._bar.stop()

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(f"regress: {text}", markup=False)

    def ended(self, outcome: Outcome) -> None:
        """One more."""
        self._done += 1
        tries = f", attempt {outcome.attempts}" if outcome.attempts > 1 else ""
        line = f"{outcome.name} {outcome.status}{tries}{f': {outcome.text}' if outcome.text else ''}"
        if self._bar is None:
            self.say(f"[{self._done}/{self._total}] {line}")
            return
        self._bar.update(self._task, completed=self._done, note=outcome.name)
        if not outcome.passed:
            self.say(line)


def _rows(outcomes: Sequence[Outcome], tests: Mapping[str, Test]) -> list[tuple[str, ...]]:
    by_test: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_test.setdefault(outcome.test, []).append(outcome)
    rows: list[tuple[str, ...]] = []
    for name, members in by_test.items():
        block = tests[name].block if name in tests else ""
        cycles, items = (sum(getattr(one.result, count) for one in members) for count in ("cycles", "items"))
        seconds = sum(one.seconds for one in members)
        passed = f"{sum(one.passed for one in members)}/{len(members)}"
        rows.append((name, block, passed, f"{cycles:,}", f"{items:,}", f"{seconds:.1f}"))
    return rows


def report(outcomes: Sequence[Outcome], tests: Mapping[str, Test], summary: Mapping[str, Any]) -> None:
    """Everything about a regression that has ended."""
    console = Console(highlight=False, soft_wrap=True)
    _table(console, _rows(outcomes, tests), {one.test for one in outcomes if not one.passed})
    total, passed = summary["tests"], summary["passed"]
    rate = 100 * passed / total if total else 0.0
    lines = [f"passed {passed} of {total} ({rate:.0f} %), {summary['cycles']:,} cycles, {summary['items']:,} items"]
    lines[0] += f" in {summary['wall_s']:.0f} s with {summary['workers']} {'worker' if summary['workers'] == 1 else 'workers'}"
    for bucket in summary["failures"]:
        lines += ["", f"{len(bucket['runs'])} x {bucket['status']}: {bucket['signature']}", f"    first: {bucket['first']}"]
        lines += [f"    log:   {_short(bucket['log'])}"]
        lines += [f"    waves: {_short(bucket['waves'])}"] if bucket["waves"] else []
        lines += [f"    again: {bucket['again']}"]
    for line in [*lines, "", *_coverage(summary)]:
        console.print(line, markup=False)


def _table(console: Console, rows: Sequence[tuple[str, ...]], failed: set[str]) -> None:
    if console.is_terminal:
        table = Table(box=None, pad_edge=False)
        for index, head in enumerate(HEADS):
            table.add_column(head, justify="left" if index < LEFT else "right")
        for row in rows:
            table.add_row(*row, style="red" if row[0] in failed else None)
        console.print(table)
        return
    widths = [max(len(row[column]) for row in [HEADS, *rows]) for column in range(len(HEADS))]
    for row in [HEADS, tuple("-" * width for width in widths), *rows]:
        cells = (cell.ljust(width) if index < LEFT else cell.rjust(width) for index, (cell, width) in enumerate(zip(row, widths)))
        print("  ".join(cells).rstrip())


def _coverage(summary: Mapping[str, Any]) -> list[str]:
    said = []
    for kind, value in summary["coverage"].items():
        goal = f" (goal {100 * summary['goals'][kind]:g} %)" if kind in summary["goals"] else ""
        said.append(f"{kind} {'not measured' if value is None else f'{100 * value:.1f} %'}{goal}")
    lines = [f"coverage: {', '.join(said)}"]
    holes = [f"{group}: {name}" for group, names in summary["holes"].items() for name in names]
    if holes and summary["goals"]:
        more = f"; and {len(holes) - SHOWN_HOLES} more" if len(holes) > SHOWN_HOLES else ""
        lines.append(f"holes: {'; '.join(holes[:SHOWN_HOLES])}{more}")
    lines += [f"goal missed: {kind}" for kind in summary["missed"]]
    lines += [f"problem: {problem}" for problem in summary["problems"]]
    return lines


def _short(path: str) -> str:
    """As seen from here, if it is below."""
    full = Path(path)
    return str(full.relative_to(Path.cwd())) if full.is_relative_to(Path.cwd()) else path


def listing(tests: Mapping[str, Test]) -> list[str]:
    """Every test in a line."""
    width = max(map(len, tests), default=0)
    blocks = max((len(test.block) for test in tests.values()), default=0)
    return [
        f"{test.name:<{width}}  {test.block:<{blocks}}  {test.kind.value:<6}  {test.tier.value:<7}  {test.about}"
        for test in tests.values()
    ]
