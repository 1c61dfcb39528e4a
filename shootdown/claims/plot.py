"""The picture of a claim: its panels two by two, in a PNG file.

Promises: the same panels give the same bytes; a label has one colour and one mark on every picture. Needs matplotlib, used without
its global state. Costs about a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from shootdown.claims.base import Panel

__all__ = ["draw"]

# Distinguishable without colour too: each has its own mark. Red is what pins, blue what is told, green what asks first.
LOOKS: Final[dict[str, tuple[str, str, str]]] = {
    "nobody": ("#6b7280", "o", ":"),
    "pinned": ("#b3261e", "s", "-"),
    "mlocked": ("#8a5a00", "^", "-"),
    "notifier": ("#2f6db5", "o", "-"),
    "notifier, references": ("#5aa0e0", "D", "--"),
    "remote, notifier": ("#1f7a43", "v", "-"),
    "remote, pinned": ("#e07a5f", "P", "--"),
    "on demand": ("#2f6db5", "o", "-"),
    "on demand, prefetched": ("#5aa0e0", "D", "--"),
    "on demand, a window that hardly moves": ("#5aa0e0", "D", "--"),
    "on demand, a window that moves": ("#2f6db5", "o", "-"),
    "on demand, anywhere": ("#7a4fb5", "v", "-"),
    "stall": ("#b3261e", "s", "-"),
    "discard": ("#8a5a00", "^", "-"),
    "restart": ("#2f6db5", "o", "--"),
    "pinned, no question": ("#b3261e", "s", "-"),
    "optimistic: on demand, restart": ("#2f6db5", "o", "-"),
    "checked: ask once, until told": ("#1f7a43", "v", "-"),
    "pessimistic: ask before each": ("#6b7280", "^", "-"),
    "registered for each": ("#b3261e", "s", "-"),
    "cache that hears nothing": ("#8a5a00", "^", ":"),
    "cache that is told": ("#1f7a43", "v", "-"),
    "no registration: all on demand": ("#2f6db5", "o", "-"),
}
SPARE: Final = (
    ("#2f6db5", "o", "-"),
    ("#b3261e", "s", "-"),
    ("#1f7a43", "v", "-"),
    ("#8a5a00", "^", "-"),
    ("#7a4fb5", "D", "--"),
    ("#6b7280", "P", ":"),
)
INK, MUTED, LINE = "#1b1f23", "#5b6470", "#d9dde2"
WIDTH, HEIGHT, DPI = 5.4, 3.5, 110
COLUMNS: Final = 2
MAX_TICKS: Final = 8
FEW_DECADES: Final = 300.0
"""A logarithmic axis with a smaller range than this has 2 and 5 named as well."""

SETTINGS: Final[dict[Any, Any]] = {
    "font.size": 9.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.0,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": LINE,
}


def draw(panels: Sequence[Panel], path: Path) -> None:
    """Write the picture."""
    with mpl.rc_context(SETTINGS):
        columns, rows = min(COLUMNS, len(panels)), -(-len(panels) // COLUMNS)
        figure = Figure(figsize=(WIDTH * columns, HEIGHT * rows), layout="constrained")
        FigureCanvasAgg(figure)
        grid = list(figure.subplots(rows, columns, squeeze=False).flat)
        looks = _looks(panels)
        for axes, panel in zip(grid, panels):
            _panel(axes, panel, looks)
        lines = {line.get_label(): line for axes in grid for line in axes.get_lines() if line.get_label() in looks}
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        figure.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=min(len(lines), 3 * columns))
        figure.savefig(path, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})


def _looks(panels: Sequence[Panel]) -> dict[str, tuple[str, str, str]]:
    """Colour, mark and stroke of every label of the picture."""
    labels = list(dict.fromkeys(series.label for panel in panels for series in panel.series))
    taken = {LOOKS[label] for label in labels if label in LOOKS}
    spare = iter([look for look in SPARE if look[0] not in {colour for colour, _, _ in taken}] * 3)
    return {label: LOOKS[label] if label in LOOKS else next(spare) for label in labels}


def _panel(axes: Axes, panel: Panel, looks: dict[str, tuple[str, str, str]]) -> None:
    axes.set_title(panel.title)
    axes.set_xlabel(panel.x)
    axes.set_ylabel(panel.y)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    for series in panel.series:
        colour, mark, stroke = looks[series.label]
        xs = [x for x, _ in series.points]
        ys = [float("nan") if y is None else y for _, y in series.points]
        axes.plot(xs, ys, color=colour, marker=mark, linestyle=stroke, markersize=4, linewidth=1.5, label=series.label)
    if panel.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        places = sorted({x for series in panel.series for x, _ in series.points})
        axes.xaxis.set_major_locator(FixedLocator(places[:: -(-len(places) // MAX_TICKS)]))
    if panel.log_y:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < FEW_DECADES else (1.0,)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(bottom=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(_short))
    for place, text in panel.marks:
        axes.axvline(place, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.annotate(text, (place, 0.5), xycoords=("data", "axes fraction"), xytext=(3, 0), textcoords="offset points",
                      color=MUTED, fontsize=8)  # fmt: skip


def _short(value: float, _position: int | None = None) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size and not 10 * value % size:
            return f"{value / size:g}{unit}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:g}"
