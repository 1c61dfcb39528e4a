"""The grid of the page: tests by seeds, a coloured box with a letter for every run, grouped by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from shootdown.regress.buckets import signature
from shootdown.regress.outcome import Outcome, Status
from shootdown.regress.page_parts import anchor, percent, span_of_time
from shootdown.words import plural
from tb.plan.test import Test

__all__ = ["LETTERS", "bucket_anchor", "grid"]

LETTERS = {
    Status.PASS: ("P", "passed"),
    Status.FAIL: ("F", "a check objected"),
    Status.EMPTY: ("E", "no check saw anything"),
    Status.TIMEOUT: ("T", "still running at its limit"),
    Status.CRASH: ("C", "ended without a result"),
    Status.LOST: ("L", "the engine could not run it"),
}
COLUMNS = 24
"""Seeds that get a column each; a test with more has its boxes in lines, in order of the seeds."""
TITLE = 240


def bucket_anchor(outcome: Outcome, numbers: Mapping[tuple[str, Status], int]) -> str:
    """Where the page tells of a failure."""
    return f"failure-{numbers[signature(outcome.text), outcome.status]}"


def grid(outcomes: Sequence[Outcome], tests: Mapping[str, Test], numbers: Mapping[tuple[str, Status], int]) -> str:
    """`numbers`: of the buckets, by signature and status."""
    rows: dict[str, dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        block = tests[outcome.test].block if outcome.test in tests else "of another tree"
        rows.setdefault(block, {}).setdefault(outcome.test, []).append(outcome)
    seeds = sorted({outcome.seed for outcome in outcomes})
    columns: list[int] | None = seeds if len(seeds) <= COLUMNS else None
    head = "".join(f'<th scope="col" class="s">{seed}</th>' for seed in columns or ())
    head = head if columns else '<th scope="col">seeds, ascending</th>'
    width = 3 + (len(columns) if columns else 1) + 1
    body = []
    for block in sorted(rows):
        own = [one for group in rows[block].values() for one in group]
        good = sum(one.passed for one in own)
        body.append(
            f'<tr><th class="block" scope="rowgroup" colspan="{width}">{escape(block)} '
            f'<span class="muted">{good:,} of {plural(len(own), "run")} passed</span></th></tr>'
        )
        body += [_row(name, rows[block][name], tests.get(name), columns, numbers) for name in sorted(rows[block])]
    legend = "".join(
        f'<li><span class="box {status}" aria-hidden="true">{letter}</span> {word}</li>'
        for status, (letter, word) in LETTERS.items()
        if status is Status.PASS or any(outcome.status is status for outcome in outcomes)
    )
    return (
        f'<ul class="legend" aria-label="What the letters mean">{legend}</ul>'
        f'<div class="card scroll"><table class="grid"><caption class="muted">A row a test, a box a run. '
        f"A framed box leads to what went wrong.</caption>"
        f'<thead><tr><th scope="col">test</th>{head}<th scope="col" class="n">passed</th>'
        f'<th scope="col" class="n">mean time</th><th scope="col" class="fill">about</th></tr></thead><tbody>\n'
        + "\n".join(body)
        + "\n</tbody></table></div>"
    )


def _row(
    name: str, own: Sequence[Outcome], test: Test | None, columns: list[int] | None, numbers: Mapping[tuple[str, Status], int]
) -> str:
    by_seed = {outcome.seed: outcome for outcome in own}
    if columns is None:
        boxes = "".join(_box(by_seed[seed], numbers) for seed in sorted(by_seed))
        cells = f'<td class="wrap">{boxes}</td>'
    else:
        cells = "".join(f'<td class="s">{_box(by_seed[seed], numbers) if seed in by_seed else ""}</td>' for seed in columns)
    good = sum(outcome.passed for outcome in own)
    mean = sum(outcome.seconds for outcome in own) / len(own)
    return (
        f'<tr id="{anchor("test", name)}"><th scope="row">{escape(name)}</th>{cells}'
        f'<td class="n {"met" if good == len(own) else "bad"}">{percent(good / len(own))}</td>'
        f'<td class="n">{span_of_time(mean)}</td><td class="fill muted">{escape(test.about) if test is not None else ""}</td></tr>'
    )


def _box(outcome: Outcome, numbers: Mapping[tuple[str, Status], int]) -> str:
    letter, word = LETTERS[outcome.status]
    said = f"{outcome.test}, seed {outcome.seed}: {word}, {span_of_time(outcome.seconds)}"
    if outcome.attempts > 1:
        said += f", begun {outcome.attempts} times"
    if outcome.passed:
        return f'<span class="box pass" role="img" aria-label="{escape(said)}" title="{escape(said)}">{letter}</span>'
    text = " ".join(outcome.text.split())
    full = escape(f"{said}: {text[:TITLE]}")
    target = bucket_anchor(outcome, numbers)
    return f'<a class="box {outcome.status}" href="#{target}" aria-label="{full}" title="{full}">{letter}</a>'
