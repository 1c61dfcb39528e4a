"""The pictures of the report, as SVG text to be put into the page.

Promises: the same result gives the same text; colours are the page's CSS variables, so light and dark both work; ids are unique
to a chart. Needs matplotlib, used without its global state.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from shootdown.report.summary import latency
from shootdown.result import HitRate, Samples
from shootdown.timeline.picture import Palette, draw
from shootdown.timeline.read import View

__all__ = ["hit_rate_chart", "latency_chart", "timeline_chart"]

# Colours that stand for the page's variables. Matplotlib wants real ones; these occur nowhere else in its output.
INK: Final = "#010203"
MUTED: Final = "#020304"
LINE: Final = "#030405"
SERIES: Final = "#040506"
MARK: Final = "#050607"
VARIABLES: Final = {INK: "--ink", MUTED: "--muted", LINE: "--line", SERIES: "--series", MARK: "--mark"}

WIDTH, HEIGHT = 6.4, 3.0  # inches; the page scales them
TIMELINE_WIDTH = 8.8  # of the page's full width: its letters come out as large as a table's
BINS_PER_DECADE = 12

SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
}


def latency_chart(name: str, title: str, samples: Samples, clock_mhz: int) -> str:
    """A histogram over a logarithmic axis of cycles, the median and the 99th percentile marked."""
    summary = latency(samples)
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": name}):
        figure, (axes,) = _figure(1)
        low = max(1, int(samples.min()))
        high = max(2 * low, int(samples.max()))  # samples that are all alike still get an axis
        steps = max(6, int(np.ceil(np.log10(high / low) * BINS_PER_DECADE)))
        edges = np.geomspace(low, high, steps + 1)
        edges[-1] = np.nextafter(high, np.inf)
        axes.hist(np.maximum(samples, 1), bins=edges.tolist(), color=SERIES, rwidth=0.92)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 100 else (1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(_short))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("device cycles")
        axes.set_ylabel("samples")
        axes.yaxis.set_major_formatter(FuncFormatter(_short))
        axes.set_ylim(0, axes.get_ylim()[1] * 1.25)
        middle = np.sqrt(low * high)
        for row, label in enumerate(("p50", "p99")):
            value = max(1, int(summary[label]))  # the axis is logarithmic
            axes.axvline(value, color=MARK, linewidth=1.2)
            # One label a row, on the side that has room: they never meet, however close the two lie.
            side, shift = ("right", -4) if value > middle else ("left", 4)
            axes.annotate(
                f"{label} {summary[label]:,}",
                (value, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(shift, -1 - 12 * row),
                textcoords="offset points",
                ha=side,
                va="top",
                color=INK,
            )
        micro = summary["p50"] / clock_mhz
        spoken = f"{title}: {summary['count']:,} samples, median {summary['p50']:,} cycles ({micro:.2f} microseconds), "
        return _svg(figure, name, spoken + f"99th percentile {summary['p99']:,} cycles, largest {summary['max']:,}")


def hit_rate_chart(name: str, rate: HitRate) -> str:
    """TLB hit rate over device time, above the lookups it is made of."""
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": name}):
        figure, (upper, lower) = _figure(2)
        middles = (np.arange(len(rate.lookups)) + 0.5) * rate.bin_cycles
        used = rate.lookups > 0
        share = np.where(used, rate.hits / np.maximum(rate.lookups, 1), np.nan)
        upper.plot(middles, share, color=SERIES, linewidth=1.4, marker="o" if used.sum() < 40 else "", markersize=2.5)
        upper.set_ylim(0, 1.05)
        upper.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        upper.set_ylabel("hit rate")
        lower.stairs(rate.lookups, np.arange(len(rate.lookups) + 1) * rate.bin_cycles, fill=True, color=MUTED)
        lower.set_ylabel("lookups")
        lower.set_xlabel("device cycles")
        lower.yaxis.set_major_locator(MaxNLocator(3))
        for axis in (lower.xaxis, lower.yaxis):
            axis.set_major_formatter(FuncFormatter(_short))
        lower.set_xlim(0, len(rate.lookups) * rate.bin_cycles)
        total, hits = int(rate.lookups.sum()), int(rate.hits.sum())
        spoken = f"TLB hit rate over time: {hits:,} of {total:,} lookups hit"
        if used.any():
            spoken += f"; by interval between {np.nanmin(share):.0%} and {np.nanmax(share):.0%}"
        return _svg(figure, name, spoken)


def timeline_chart(name: str, view: View, mark: int) -> str:
    """A window of the timeline, a cycle marked."""
    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": name, "text.color": INK, "axes.edgecolor": LINE, "font.size": 6.6}
    ):
        figure = draw(view, Palette("none", INK, MUTED, LINE), mark, TIMELINE_WIDTH)
        FigureCanvasSVG(figure)
        rows = ", ".join(row.name for row in view.rows)
        return _svg(figure, name, f"Timeline of cycles {view.first:,} to {view.last:,} round cycle {mark:,}: {rows}")


def _short(value: float, _position: int | None = None) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _figure(rows: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH, HEIGHT))
    # Fixed margins: the labels are short, and laying out by trial costs more than drawing.
    figure.subplots_adjust(left=0.125, right=0.985, top=0.97, bottom=0.17, hspace=0.12)
    FigureCanvasSVG(figure)
    heights = [2.2, 1.0] if rows == 2 else [1.0]
    grid = figure.subplots(rows, 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})
    axes: list[Axes] = list(grid[:, 0])
    for one in axes:
        one.set_axisbelow(True)
        one.grid(axis="y")
    return figure, axes


def _svg(figure: Figure, name: str, spoken: str) -> str:
    """The figure as an element for the page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 system-ui, sans-serif", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    head = f'<svg role="img" aria-label="{escape(spoken)}"'
    box = re.search(r'viewBox="[^"]*"', text)
    body = text[text.index(">") + 1 :]
    assert box is not None
    return f'{head} {box[0]} xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{body}'.strip()
