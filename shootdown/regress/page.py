"""index.html of a regression: what a verification lead reads, in one file.

Promises: nothing outside the file is referred to but the logs and waveforms beside it; every text from a run is escaped; it reads
without style, without scripts and without pictures. A regression that was interrupted, has no code coverage or no runs has a page
that says so. The same folder gives the same page.
Needs: the layout of shootdown/regress/__init__.py. Costs: a second and some milliseconds a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path

from shootdown.regress.page_code import code_coverage
from shootdown.regress.page_coverage import by_block, by_group, by_rule, test_plan
from shootdown.regress.page_data import Facts, load
from shootdown.regress.page_failures import failures
from shootdown.regress.page_grid import grid
from shootdown.regress.page_parts import Cell, anchor, code, link, percent, section, span_of_time, table, tile
from shootdown.regress.page_trend import trend
from shootdown.regress.plan import tests
from shootdown.regress.select import PART
from shootdown.regress.style import STYLE
from shootdown.words import plural
from tb.plan.goals import GOALS
from tb.whole_file import write_whole

__all__ = ["render", "write"]

SLOWEST = 15
SECTIONS = {
    "tests": "Tests by seeds",
    "failures": "Failures",
    "rules": "Coverage by rule",
    "blocks": "Coverage by block",
    "groups": "Cover groups",
    "code": "Code coverage",
    "speed": "Slowest runs",
    "trend": "Trend",
    "plan": "Test plan",
    "again": "Run it again",
}


def write(out: Path) -> None:
    """From the folder, into it; whole or not at all."""
    write_whole(out / "index.html", render(load(out)))


def render(facts: Facts) -> str:
    """The page."""
    bodies = {
        "tests": grid(facts.outcomes, tests(), facts.numbers) if facts.outcomes else '<p class="muted">No run has ended.</p>',
        "failures": failures(facts),
        "rules": by_rule(facts),
        "blocks": by_block(facts),
        "groups": by_group(facts),
        "code": code_coverage(facts.code, facts.goals),
        "speed": _slowest(facts),
        "trend": trend(facts.history, facts.goals),
        "plan": test_plan(facts),
        "again": _again(facts),
    }
    word = verdict(facts)[1]
    links = "".join(link(f"#{name}", title) for name, title in SECTIONS.items())
    parts = [
        _head(facts),
        f'<nav aria-label="Sections">{links}</nav>',
        _figures(facts),
        *(section(name, SECTIONS[name], body, _note(name, facts)) for name, body in bodies.items()),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(word)}: regression of shootdown</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def verdict(facts: Facts) -> tuple[str, str, str]:
    """Its kind, a word, and why, in a sentence."""
    failed = len(facts.outcomes) - facts.passed
    missed = _missed(facts)
    if failed:
        largest = facts.buckets[0]
        why = f"{failed:,} of {plural(len(facts.outcomes), 'run')} did not pass"
        alike = f", with {plural(len(facts.buckets), 'signature')}; most often" if len(facts.buckets) > 1 else ""
        why = f"{why}{alike}: {largest.signature.rstrip('.')}"
        also = [f"goals missed: {missed}"] if missed and not facts.interrupted else []
        return "bad", "Failed", f"{'; '.join([why, *also, *_problems(facts)])}."
    if not facts.outcomes:
        return "partial", "Nothing ran", "No run has left an outcome in this folder."
    if facts.interrupted:
        rest = "nothing is known of the rest"
        if facts.planned:
            rest = f"{facts.planned - len(facts.outcomes):,} of {plural(facts.planned, 'run')} are missing"
        return "partial", "Interrupted", f"Every run that ended has passed; {rest}."
    if missed or facts.problems:
        short = [f"coverage is short of its goals: {missed}"] if missed else []
        word = "Goals missed" if missed else "Failed"
        return "bad", word, f"Every run passed, and {'; '.join([*short, *_problems(facts)])}."
    if not facts.goals:
        return "clean", "Passed", "Every run that was asked for passed; coverage goals apply to the whole set alone."
    unasked = [kind for kind in GOALS if kind not in facts.goals]
    if unasked:
        return "clean", "Passed", f"Every run passed and {_words(facts.goals)} coverage is at its goal; without {_words(unasked)}."
    return "clean", "Passed", "Every run passed and every coverage goal is met."


def _missed(facts: Facts) -> str:
    """The goals that were, in words."""
    return ", ".join(
        f"{kind} {'not measured' if reached is None else percent(reached)} of {percent(facts.goals[kind])}"
        for kind, reached in facts.missed.items()
    )


def _problems(facts: Facts) -> list[str]:
    """The first one, and how many more there are."""
    found = facts.problems
    return [f"{found[0]}{f' (and {len(found) - 1} more like it)' if found[1:] else ''}"] if found else []


def _words(kinds: Iterable[str]) -> str:
    return " and ".join(filter(None, [", ".join([*kinds][:-1]), [*kinds][-1]]))


def _head(facts: Facts) -> str:
    kind, word, why = verdict(facts)
    said = facts.summary
    about = [plural(len({outcome.test for outcome in facts.outcomes}), "test"), plural(len(facts.outcomes), "run")]
    about += [f"the {said['set']} set"] if said.get("set", PART) != PART else []
    about += [f"commit {said['commit']}"] if said.get("commit") else []
    about += [f"{str(said['ended']).replace('T', ' ').removesuffix('Z')} UTC"] if said.get("ended") else []
    broken = sorted({name for outcome in facts.outcomes for name in re.findall(r"\bMUTANT=(\S+)", outcome.command)})
    about += [f"RTL broken on purpose: {' '.join(broken)}"] if broken else []
    also = " The regression was interrupted." if kind == "bad" and facts.interrupted else ""
    return (
        f'<header><h1>shootdown: regression</h1><p class="muted">{escape(", ".join(about))}</p></header>\n'
        f'<section class="verdict {kind}" aria-label="Verdict"><strong>{word}</strong><span>{escape(why + also)}</span></section>'
    )


def _figures(facts: Facts) -> str:
    total, good = len(facts.outcomes), facts.passed
    rate = good / total if total else 0.0
    tiles = [
        tile("Runs", f"{total:,}", f"{plural(facts.planned, 'run')} planned" if facts.planned else "that have ended"),
        tile(
            "Pass rate", percent(rate) if total else "–", f"{total - good:,} did not pass", "" if not total else _met(good == total)
        ),
    ]
    measured = facts.coverage
    for kind in GOALS:
        goal = facts.goals.get(kind)
        note = f"goal {percent(goal)}" if goal is not None else "no goal in this regression"
        if kind in measured:
            met = "" if goal is None else _met(measured[kind] >= goal)
            tiles.append(tile(f"{kind.capitalize()} coverage", percent(measured[kind]), note, met))
        else:
            tiles.append(tile(f"{kind.capitalize()} coverage", "not measured", note, "" if goal is None else _met(False)))
    wall = facts.summary.get("wall_s")
    workers = facts.summary.get("workers")
    busy = span_of_time(facts.run_seconds)
    time = span_of_time(float(wall)) if isinstance(wall, int | float) else "–"
    tiles.append(
        tile("Wall time", time, f"{plural(workers, 'worker')}, {busy} of runs" if isinstance(workers, int) else f"{busy} of runs")
    )
    speed = facts.cycles / facts.run_seconds if facts.run_seconds else 0.0
    tiles.append(tile("Simulated cycles", f"{facts.cycles:,}", f"{speed:,.0f} per second of a run"))
    return f'<dl class="tiles" aria-label="Figures">{"".join(tiles)}</dl>'


def _met(good: bool) -> str:
    return "met" if good else "missed"


def _note(name: str, facts: Facts) -> str:
    if name == "tests" and facts.interrupted and facts.planned:
        return f"{len(facts.outcomes):,} of {facts.planned:,} runs; interrupted"
    if name == "failures" and facts.buckets:
        return f"{plural(len(facts.outcomes) - facts.passed, 'run')} with {plural(len(facts.buckets), 'signature')}"
    if name == "groups":
        bins = [times for group in facts.functional.values() for times in group.values()]
        return f"{sum(map(bool, bins)):,} of {plural(len(bins), 'bin')} hit" if bins else ""
    if name == "code" and facts.code is not None:
        return ", ".join(f"{kind} {percent(share)}" for kind, share in facts.code.shares.items())
    return ""


def _slowest(facts: Facts) -> str:
    if not facts.outcomes:
        return '<p class="muted">No run has ended.</p>'
    slow = sorted(facts.outcomes, key=lambda outcome: (-outcome.seconds, outcome.test, outcome.seed))[:SLOWEST]
    rows = (
        (
            Cell(link(f"#{anchor('test', outcome.test)}", outcome.test)),
            str(outcome.seed),
            f"{outcome.seconds:,.1f}",
            f"{outcome.result.cycles:,}" if outcome.result.cycles else "–",
            f"{outcome.result.cycles / outcome.seconds:,.0f}" if outcome.result.cycles and outcome.seconds else "–",
            f"{outcome.result.items:,}",
            str(outcome.attempts),
        )
        for outcome in slow
    )
    return table(("test", "seed", "seconds", "cycles", "cycles per second", "checked", "attempts"), rows, numbers=range(1, 7))


def _again(facts: Facts) -> str:
    rows = [
        ("all of it", Cell(code("make regress"))),
        ("one test with one seed", Cell(code("make regress TEST=tlb_races SEED=7"))),
        ("with a waveform", Cell(code("make regress TEST=tlb_races SEED=7 WAVES=1"))),
        ("more seeds of everything", Cell(code("make regress SEEDS=20"))),
    ]
    if facts.interrupted:
        rows.insert(0, ("go on where it stopped", Cell(code("make regress RESUME=1"))))
    return table(("what", "command"), rows)
