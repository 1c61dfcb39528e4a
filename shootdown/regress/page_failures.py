"""The failures of the page: a card for every bucket, with what to read first and the command that meets it again."""

from __future__ import annotations

from html import escape
from pathlib import Path

from shootdown.regress.buckets import Bucket
from shootdown.regress.outcome import Outcome
from shootdown.regress.page_data import Facts
from shootdown.regress.page_grid import LETTERS
from shootdown.regress.page_parts import anchor, code, link
from shootdown.words import plural

__all__ = ["failures"]

SEEDS = 30
TEXT = 2000
FILES = {"run.log": "log", "waves.fst": "waveform", "result.json": "result"}


def failures(facts: Facts) -> str:
    """A card a bucket, the largest first."""
    cards = [_card(bucket, number, facts.folder) for number, bucket in enumerate(facts.buckets, 1)]
    beside = "".join(f"<li>{escape(problem)}</li>" for problem in facts.problems)
    cards += [f'<div class="card"><p>Beside the runs:</p><ul>{beside}</ul></div>'] if beside else []
    return "\n".join(cards) or '<p class="muted">None.</p>'


def _card(bucket: Bucket, number: int, folder: Path) -> str:
    first = bucket.first
    text = first.text.strip()
    shown = text if len(text) <= TEXT else f"{text[:TEXT]} …"
    rows = [
        ("first seen", f"{link('#' + anchor('test', first.test), first.test)}, seed {first.seed}"),
        *([] if text == bucket.signature else [("text", f"<pre>{escape(shown)}</pre>")]),
        ("play again", code(first.command)),
        ("with waveform", code(f"{first.command} WAVES=1")),
        ("files", _files(first, folder)),
        ("runs", "; ".join(_seeds(test, seeds) for test, seeds in bucket.seeds.items())),
    ]
    if len(first.result.objections) > 1:
        more = "\n".join(first.result.objections[:20])
        rows.insert(
            2, ("objections", f"<details><summary>{len(first.result.objections)} kept</summary><pre>{escape(more)}</pre></details>")
        )
    if (folder / "runs" / first.name / "waves.fst").exists():
        rows = [row for row in rows if row[0] != "with waveform"]
    listed = "".join(f"<dt>{name}</dt><dd>{html}</dd>" for name, html in rows)
    return (
        f'<article class="card bucket {bucket.status}" id="failure-{number}" aria-labelledby="failure-{number}-title">'
        f'<h3 id="failure-{number}-title"><span class="count">{len(bucket.outcomes):,}×</span>{escape(bucket.signature)}</h3>'
        f'<p class="muted">{bucket.status}: {LETTERS[bucket.status][1]}, {plural(len(bucket.outcomes), "run")}</p>'
        f"<dl>{listed}</dl></article>"
    )


def _seeds(test: str, seeds: list[int]) -> str:
    shown = ", ".join(map(str, seeds[:SEEDS])) + (f" and {len(seeds) - SEEDS} more" if len(seeds) > SEEDS else "")
    return f"{link('#' + anchor('test', test), test)}: {shown}"


def _files(outcome: Outcome, folder: Path) -> str:
    """Links to what is there; the page lies beside `runs`."""
    run = f"runs/{outcome.name}"
    there = [link(f"{run}/{name}", word) for name, word in FILES.items() if (folder / run / name).exists()]
    return ", ".join(there) or '<span class="muted">none were left</span>'
