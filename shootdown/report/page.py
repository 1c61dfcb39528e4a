"""index.html: what happened, for a person, in one file.

Promises: nothing outside the file is referred to; every text from a run is escaped; the page reads without style and without
pictures (each has a text, and the numbers stand in tables).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from itertools import pairwise

from shootdown.errors import InputError
from shootdown.report.charts import hit_rate_chart, latency_chart, timeline_chart
from shootdown.report.style import STYLE
from shootdown.report.summary import BUCKETS_NS, buckets, latency
from shootdown.result import Column, RunResult, Samples, Verdict, ViolationReport
from shootdown.timeline.picture import interesting, window
from shootdown.words import plural

__all__ = ["render"]

SHOWN_REPORTS = 20
TIMELINE_CYCLES = 3_000

VERDICTS = {
    Verdict.CLEAN: ("clean", "Clean", "No access through a dead translation; every byte as a coherent memory would have given it."),
    Verdict.VIOLATION: ("bad", "Violation", "The device touched memory it had no right to touch."),
    Verdict.DATA: ("bad", "Wrong data", "Bytes differ from what a coherent memory would have given."),
    Verdict.STALLED: ("bad", "Stalled", "Somebody waits for something that never comes."),
    Verdict.INTERRUPTED: ("partial", "Interrupted", "A partial run: clean as far as it went."),
}


def render(result: RunResult) -> str:
    """The page."""
    title = f"{VERDICTS[result.verdict][1]}: {result.config.subject} on {result.config.device}"
    parts = [
        _head(result),
        _failures(result),
        _timeline(result),
        _counters(result),
        "<h2>Latency</h2>",
        '<div class="pair">',
        _latency(result, "fault", "Faults: miss to restart", result.fault_latency),
        _latency(result, "shootdown", "Shootdowns: issued to status", result.shootdown_latency),
        "</div>",
        _hit_rate(result),
        "<h2>Virtual memory and notifiers</h2>",
        '<div class="pair">',
        _count_table("VM events", result.vm_events),
        _count_table("Notifier calls", result.notifier),
        "</div>",
        "<h2>Counters</h2>",
        '<div class="pair">',
        _count_table("Driver", result.driver),
        _count_table("Device and memory", result.statistics),
        _count_table("Workload", result.workload),
        "</div>",
        _run(result),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _head(result: RunResult) -> str:
    kind, word, meaning = VERDICTS[result.verdict]
    config = result.config
    return (
        "<header><h1>shootdown</h1>"
        f'<p class="muted">{escape(result.program)} ({escape(config.subject)}) against {escape(config.device)}, '
        f"{escape(config.backend)} host, seed {config.seed}</p></header>\n"
        f'<section class="verdict {kind}" aria-label="Verdict"><strong>{word}</strong><span>{meaning}</span></section>'
    )


def _failures(result: RunResult) -> str:
    parts = [_report("Violation", report) for report in result.violations[:SHOWN_REPORTS]]
    parts += [_report("Wrong data", report) for report in result.data_failures[:SHOWN_REPORTS]]
    hidden = len(result.violations) + len(result.data_failures) - len(parts)
    if hidden > 0:
        parts.append(f'<p class="muted">{hidden} more; summary.json has them all.</p>')
    if result.stalled is not None:
        parts.append(f'<h2>Who waits for whom</h2><div class="card"><pre>{escape(result.stalled)}</pre></div>')
    return "\n".join(parts)


def _report(kind: str, report: ViolationReport) -> str:
    head = f"<h2>{kind}: {escape(report.rule)} at cycle {report.cycle:,}</h2><p>{escape(report.what)}</p>"
    if not report.chain:
        return head
    rows = []
    for row in report.chain:
        cells = ["<td></td>"] * len(Column)
        cells[row.column] = f"<td>{escape(row.text)}</td>"
        rows.append(f'<tr><td class="n">{row.cycle:,}</td>{"".join(cells)}</tr>')
    columns = "".join(f'<th scope="col">{name}</th>' for name in ("CPU 0", "CPU 1", "Device"))
    return (
        f'{head}<div class="card"><table class="chain"><caption class="muted">The events that explain it, oldest first</caption>'
        f'<thead><tr><th scope="col" class="n">cycle</th>{columns}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _timeline(result: RunResult) -> str:
    """The cycles that matter most, drawn: before the first failure, else the first shootdown. Nothing for a file that is gone."""
    if result.timeline is None:
        return ""
    reports = (*result.violations, *result.data_failures)
    try:
        mark = min((report.cycle for report in reports), default=None)
        mark = interesting(result.timeline) if mark is None else mark
        view = None if mark is None else window(result.timeline, mark, TIMELINE_CYCLES)
    except InputError as error:
        return f'<h2>Timeline</h2><p class="muted">{escape(str(error))}</p>'
    if mark is None or view is None or not view.rows:
        return ""
    title = "The first shootdown of a memory call"
    if reports or result.stalled is not None:
        title = "Before the failure" if reports else "Before it stopped"
    return (
        f'<h2>{title}</h2><div class="card">{timeline_chart("timeline", view, mark)}'
        f'<p class="muted">Cycles {view.first:,} to {view.last:,}. '
        f"The whole run: {escape(result.timeline.name)}, for ui.perfetto.dev.</p></div>"
    )


def _counters(result: RunResult) -> str:
    rate = result.tlb_hits / result.translations if result.translations else 0.0
    skipped = result.skipped_cycles / result.cycles if result.cycles else 0.0
    oracle = result.oracle
    tiles = [
        ("Translations", f"{result.translations:,}", f"{rate:.1%} hits"),
        ("Faults", f"{result.faults:,}", f"{result.tlb_misses:,} misses"),
        ("Drop-ins", f"{result.dropins:,}", f"{result.dropins_dropped:,} dropped by a shootdown"),
        ("Shootdowns", f"{result.shootdowns:,}", f"{result.shootdown_pages:,} pages"),
        ("Over-invalidated", f"{result.over_invalidated:,}", "entries no range covered"),
        (
            "Oracle",
            plural(oracle.violations, "violation"),
            f"{oracle.checked_beats:,} beats, {_bytes(oracle.checked_bytes)} checked",
        ),
        ("Memory calls", f"{result.vm_calls:,}", f"{sum(result.notifier.values()):,} notifier calls"),
        ("Cycles", f"{result.cycles:,}", f"{skipped:.0%} idle, skipped" if skipped else "none skipped"),
    ]
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd><small>{note}</small></div>" for name, value, note in tiles)
    return f'<h2>In short</h2><dl class="tiles">{items}</dl>'


def _latency(result: RunResult, name: str, title: str, samples: Samples) -> str:
    if not len(samples):
        return f'<section class="card"><h3>{title}</h3><p class="muted">None in this run.</p></section>'
    summary = latency(samples)
    micro = {key: f"{summary[key] / result.clock_mhz:,.2f}" for key in ("min", "p50", "mean", "p99", "max")}
    numbers = _table(
        ["", *micro],
        [["cycles", *(f"{summary[key]:,}" for key in micro)], ["µs", *micro.values()]],
    )
    ends = [_time(end) for end in BUCKETS_NS]
    names = [f"under {ends[0]}", *(f"{low} to {high}" for low, high in pairwise(ends)), f"{ends[-1]} and more"]
    counts = buckets(samples, result.clock_mhz)
    rows = [[n, f"{c:,}", f"{c / len(samples):.1%}"] for n, c in zip(names, counts) if c]
    chart = latency_chart(name, title, samples, result.clock_mhz)
    return f'<section class="card"><h3>{title}</h3>{chart}{numbers}{_table(["latency", "count", "share"], rows)}</section>'


def _hit_rate(result: RunResult) -> str:
    rate = result.hit_rate
    if rate is None or not len(rate.lookups):
        return ""
    return f'<h2>TLB hit rate over time</h2><div class="card wide">{hit_rate_chart("hitrate", rate)}</div>'


def _count_table(title: str, counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    used = [[name, f"{count:,}"] for name, count in counts.items() if count]
    unused = [name for name, count in counts.items() if not count]
    rest = f'<p class="muted">Zero: {escape(", ".join(unused))}</p>' if unused else ""
    body = _table(["event", "count"], used) if used else ""
    return f'<section class="card"><h3>{title}</h3>{body}{rest}</section>'


def _run(result: RunResult) -> str:
    config = result.config
    rows = [
        ["seed", str(config.seed)],
        ["digest", result.digest or "-"],
        ["frames", "as many as needed" if config.memory is None else f"{config.memory:,}"],
        ["VM events", "all" if config.limit is None else f"at most {config.limit:,}"],
        ["drop-in", f"from {'the interrupt' if config.dropin == 'interrupt' else 'user context'} first"],
        ["time", f"{result.wall_s:.1f} s for {result.cycles / result.clock_mhz / 1000:,.1f} ms of device time"],
        *([name.removesuffix("_per_s").replace("_", " ") + " per second", f"{value:,.0f}"] for name, value in result.speed.items()),
    ]
    rows += [["broken on purpose", config.mutant]] if config.mutant is not None else []
    rows += [["schedule", str(result.schedule)]] if result.schedule is not None else []
    rows += [["waveform", str(result.waves)]] if result.waves is not None else []
    rows += [["timeline", str(result.timeline)]] if result.timeline is not None else []
    rows += [["note", note] for note in result.notes]
    return f'<h2>The run</h2><div class="card">{_table(["", ""], rows, numbers=False)}</div>'


def _table(head: list[str], rows: Iterable[list[str]], *, numbers: bool = True) -> str:
    """A table; every column but the first holds numbers."""

    def cells(row: list[str], tag: str) -> str:
        kinds = ["", *([' class="n"'] * (len(row) - 1))] if numbers else [""] * len(row)
        return "".join(f"<{tag}{kind}>{escape(text)}</{tag}>" for kind, text in zip(kinds, row))

    top = f"<thead><tr>{cells(head, 'th')}</tr></thead>" if any(head) else ""
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table>{top}<tbody>{body}</tbody></table>"


def _time(nanoseconds: int) -> str:
    for size, unit in ((1_000_000, "ms"), (1_000, "µs")):
        if nanoseconds >= size:
            return f"{nanoseconds // size} {unit}"
    return f"{nanoseconds / 1000:g} µs"


def _bytes(count: int) -> str:
    for size, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
