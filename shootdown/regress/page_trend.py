"""The trend of the page: pass rate, coverage and wall time of the last regressions, as SVG drawn here, with the numbers below."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from shootdown.regress.history import Entry
from shootdown.regress.page_parts import percent, span_of_time, table
from tb.plan.goals import GOALS

__all__ = ["trend"]

SHOWN = 30
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 360, 170, 44, 10, 10, 22
Values = Sequence[float | None]


def trend(entries: Sequence[Entry], goals: Mapping[str, float]) -> str:
    """Three pictures and a table, of those that played the same set as the last one."""
    shown = [entry for entry in entries if entry.chosen == entries[-1].chosen][-SHOWN:]
    if len(shown) < 2:
        return '<p class="muted">It begins with the second regression of this set into this folder.</p>'
    kinds = [kind for kind in GOALS if any(_of(kind)(entry) is not None for entry in shown)]
    figures = [
        _figure("trend-passed", "runs that passed", {"passed": [entry.rate for entry in shown]}, percent, shown),
        _figure("trend-time", "wall time", {"wall time": [entry.wall_s for entry in shown]}, span_of_time, shown, from_zero=True),
    ]
    if kinds:
        series = {kind: [_of(kind)(entry) for entry in shown] for kind in kinds}
        figures.insert(1, _figure("trend-coverage", "coverage", series, percent, shown, goals=goals))
    rows = (
        (
            entry.when.replace("T", " ").removesuffix("Z"),
            entry.commit or "–",
            f"{entry.passed:,} of {entry.tests:,}",
            *(_shown(_of(kind)(entry)) for kind in kinds),
            span_of_time(entry.wall_s),
            str(entry.workers),
            f"{entry.cycles / entry.wall_s:,.0f}" if entry.wall_s else "–",
        )
        for entry in reversed(shown)
    )
    head = ("ended (UTC)", "commit", "passed", *kinds, "wall time", "workers", "cycles per second")
    numbers = table(head, rows, numbers=range(3, len(head)))
    below = f"<details><summary>the numbers</summary>{numbers}</details>"
    return f'<div class="card"><div class="trend">{"".join(figures)}</div>{below}</div>'


def _of(kind: str) -> Callable[[Entry], float | None]:
    def value(entry: Entry) -> float | None:
        found: float | None = getattr(entry, kind)
        return found

    return value


def _shown(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _figure(
    name: str,
    title: str,
    series: Mapping[str, Values],
    words: Callable[[float], str],
    entries: Sequence[Entry],
    *,
    goals: Mapping[str, float] | None = None,
    from_zero: bool = False,
) -> str:
    known = [value for values in series.values() for value in values if value is not None]
    low, high = (0.0, max(known) or 1.0) if from_zero else _range(known)

    def x(place: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * place / (len(entries) - 1)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    parts = []
    for value in (low, (low + high) / 2, high):
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{escape(_tick(value, words))}</text>')
    for place, anchor in ((0, "start"), (len(entries) - 1, "end")):
        parts.append(f'<text x="{x(place):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{escape(entries[place].when[5:10])}</text>')
    for number, (kind, values) in enumerate(series.items(), 1):
        points = [(x(place), y(value)) for place, value in enumerate(values) if value is not None]
        line = " ".join(f"{across:.1f},{down:.1f}" for across, down in points)
        dots = "".join(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="2.5"/>' for across, down in points)
        goal = (goals or {}).get(kind)
        mark = ""
        if goal is not None and low < goal < high:
            mark = f'<line class="goal" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(goal):.1f}" y2="{y(goal):.1f}"/>'
        parts.append(f'<g class="c{number}"><polyline points="{line}"/>{dots}{mark}</g>')
    last = {kind: next(value for value in reversed(values) if value is not None) for kind, values in series.items()}
    spoken = f"{title} of the last {len(entries)} regressions; now " + ", ".join(
        f"{kind} {words(value)}" for kind, value in last.items()
    )
    key = "".join(
        f'<b class="c{number}">{escape(kind)} {escape(words(value))}</b>' for number, (kind, value) in enumerate(last.items(), 1)
    )
    return (
        f'<figure><figcaption id="{name}">{escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(spoken)}">{"".join(parts)}</svg>'
        f'<div class="key">{key}</div></figure>'
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Of fractions: up to all, and down to a tenth below the least."""
    least = min(values)
    low = max(0.0, (int(least * 10) - (1 if least * 10 == int(least * 10) else 0)) / 10)
    return min(low, 0.9), 1.0


def _tick(value: float, words: Callable[[float], str]) -> str:
    return f"{value:.0%}".replace("%", " %") if words is percent else f"{value:.0f} s" if value < 180 else f"{value / 60:.0f} min"
