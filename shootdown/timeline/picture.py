"""A window of a timeline file as a picture: rows, slices with their names, instants, arrows.

Promises: the same view gives the same picture; a name is written only where it fits, never over another; an arrow joins the end of
what led to the beginning of what it led to, from row to row: within a row the order says it. Needs matplotlib, used without its
global state. Costs about a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from shootdown.timeline.read import NEVER, Arrow, Row, Span, View, read_timeline

__all__ = ["LIGHT", "Palette", "draw", "interesting", "window", "write_png"]

COLOURS: Final = {
    "vm": "#3b7dd8",
    "notifier": "#d9822b",
    "driver": "#2f9e63",
    "user": "#7d8590",
    "device": "#8b5cc7",
    "oracle": "#d13438",
}
LEGEND: Final = {"vm": "VM", "notifier": "notifier", "driver": "driver", "user": "user", "device": "device", "oracle": "oracle"}
WIDTH: Final = 13.0  # inches
LEFT, RIGHT, TOP, BOTTOM = 1.75, 0.32, 0.42, 0.42
LANE: Final = 0.165  # height of one level of a row
GAP: Final = 0.07  # between rows
FONT: Final = 6.6  # points
LETTER: Final = 0.56  # width of a letter as a part of the font's size, generously
POINTS: Final = 72.0
SLACK: Final = 4  # cycles
FIRST_LOOK: Final = 1 << 17  # cycles
ORACLE: Final = "oracle"  # the name of its row, and its layer
MARGIN: Final = 16  # a sixteenth of the window is left free after what it is about


@dataclass(frozen=True)
class Palette:
    """Colours beside those of the layers."""

    paper: str
    ink: str
    muted: str
    line: str


LIGHT: Final = Palette("#ffffff", "#1b1f23", "#5b6470", "#d9dde2")


def interesting(path: Path) -> int | None:
    """The cycle of a file to look at first: what the oracle objected to, else the first shootdown a memory call asked for. Raises
    InputError."""
    end = FIRST_LOOK
    if ORACLE in read_timeline(path, 0, 0).described:
        end = NEVER  # it objects where a run ends
    while True:
        view = read_timeline(path, 0, end)
        objections = [span.start for span in view.spans() if span.category == ORACLE]
        found = min(objections, default=None) if objections else _first_shootdown(view)
        if found is not None or view.whole:
            return found
        end *= 8  # reading costs as much as there is: what comes early is found at once


SHOOTDOWNS = ("shootdown", "INVALIDATE")  # what the drivers of GRU and HCA issue for one


def _first_shootdown(view: View) -> int | None:
    calls = [arrow.target for arrow in view.arrows if arrow.source.category == "vm" and arrow.target.category == "notifier"]
    shot = {arrow.source for arrow in view.arrows if arrow.target.name.startswith(SHOOTDOWNS)}
    return min((call.start for call in calls if call in shot), default=None)


def window(path: Path, around: int, cycles: int) -> View:
    """`cycles` of a file round a cycle. Raises InputError."""
    return read_timeline(path, max(0, around - cycles // 2), around + cycles // 2)


def write_png(view: View, path: Path, mark: int | None = None) -> None:
    """The picture as a PNG file. Raises OSError."""
    with mpl.rc_context(_settings(LIGHT)):
        figure = draw(view, LIGHT, mark)
        FigureCanvasAgg(figure)
        figure.savefig(path, dpi=160, facecolor=LIGHT.paper, format="png", metadata={"Software": None})


def _settings(palette: Palette) -> dict[Any, Any]:
    return {"font.size": FONT, "text.color": palette.ink, "axes.edgecolor": palette.line}


def draw(view: View, palette: Palette, mark: int | None = None, width: float = WIDTH) -> Figure:
    """The picture as a figure `width` inches wide. `mark`: a cycle to point at."""
    lanes = {row: 1 + max(span.depth for span in row.spans) for row in view.rows}
    height = sum(lanes.values()) * LANE + (len(lanes) + 1) * GAP
    figure = Figure(figsize=(width, height + TOP + BOTTOM))
    box = (LEFT / width, BOTTOM / (height + TOP + BOTTOM), (width - LEFT - RIGHT) / width, height / (height + TOP + BOTTOM))
    axes = figure.add_axes(box)
    last = max(view.last, view.first + 1)
    if mark is not None:  # a run ends where it failed; the failure is not to stick to the edge
        last = max(last, mark + (mark - view.first) // MARGIN)
    axes.set_xlim(view.first, last)
    axes.set_ylim(height, 0)  # inches, downwards
    places = _rows(axes, view.rows, lanes, palette)
    per_cycle = (width - LEFT - RIGHT) * POINTS / (last - view.first)
    for row in view.rows:
        _spans(axes, row, places[row], (view.first, last), per_cycle, palette)
    for arrow in view.arrows:
        _arrow(axes, arrow, places, palette)
    if mark is not None and view.first <= mark <= view.last:
        axes.axvline(mark, color=COLOURS["oracle"], linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
        axes.annotate(
            f"cycle {mark:,}",
            (mark, 1.0),
            (3, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=COLOURS["oracle"],
        )
    _axis(axes, palette)
    _legend(axes, view, palette)
    return figure


def _rows(axes: Axes, rows: Sequence[Row], lanes: dict[Row, int], palette: Palette) -> dict[Row, float]:
    """Names on the left, bands behind; where each row begins."""
    places: dict[Row, float] = {}
    at, group = GAP, None
    for row in rows:
        places[row] = at
        high = lanes[row] * LANE
        if row.group != group:
            axes.axhline(at - GAP / 2, color=palette.muted, linewidth=0.6, zorder=0)
            _label(axes, row.group, at + LANE / 2, -LEFT * POINTS + 6, palette.ink, "left", "bold")
            group = row.group
        axes.axhspan(at - GAP / 4, at + high + GAP / 4, color=palette.line, alpha=0.28, linewidth=0, zorder=0)
        _label(axes, row.name, at + LANE / 2, -5, palette.ink, "right", "normal")
        at += high + GAP
    return places


def _label(axes: Axes, text: str, y: float, dx: float, colour: str, side: Any, weight: str) -> None:
    axes.annotate(
        text,
        (0, y),
        (dx, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha=side,
        va="center",
        color=colour,
        fontweight=weight,
        fontsize=FONT + 0.6,
        annotation_clip=False,
    )


def _spans(axes: Axes, row: Row, top: float, window: tuple[int, int], per_cycle: float, palette: Palette) -> None:
    """Slices as boxes, instants as marks, with their names where there is room."""
    left, right = window
    boxes: dict[str, list[list[tuple[float, float]]]] = {}
    points: dict[str, list[tuple[float, float]]] = {}
    taken: dict[int, float] = {}  # level -> cycle up to which names lie beside what they name
    for span, free_from, free_to in _neighbours(row, left, right):
        y = top + span.depth * LANE
        start, end = max(span.start, left), min(span.end, right)
        if span.instant:
            points.setdefault(span.category, []).append((span.start, y + LANE / 2))
        else:
            low, high = y + 0.012, y + LANE - 0.012
            boxes.setdefault(span.category, []).append([(start, low), (end, low), (end, high), (start, high)])
        long = len(span.name) * FONT * LETTER
        inside = 0.0 if span.instant else (end - start) * per_cycle - 4
        after = (free_to - span.end) * per_cycle - 5
        before = (start - max(free_from, taken.get(span.depth, 0.0))) * per_cycle - 5
        x, dx, side, room = float(start), 2.2, "left", inside
        if long > inside and (long < after or span.instant):
            x, dx, room = float(end), 3.4, after
        if long > room and long < before and (not span.instant or span.category == ORACLE):
            x, dx, side, room = float(start), -3.2, "right", before
        text = _fitted(span.name, room)
        if not text:
            continue
        if x == end and side == "left":
            taken[span.depth] = end + (len(text) * FONT * LETTER + dx) / per_cycle
        axes.annotate(
            text, (x, y + LANE / 2), (dx, -0.3), textcoords="offset points", va="center", ha=side, color=palette.ink, zorder=4
        )
    for category, corners in boxes.items():
        colour = COLOURS.get(category, palette.muted)
        axes.add_collection(
            PolyCollection(corners, facecolors=mpl.colors.to_rgba(colour, 0.3), edgecolors=colour, linewidths=0.7, zorder=2)
        )
    for category, marks in points.items():
        xs, ys = zip(*marks, strict=True)
        axes.scatter(xs, ys, s=9, marker="D", color=COLOURS.get(category, palette.muted), linewidths=0, zorder=3)


def _neighbours(row: Row, first: int, last: int) -> list[tuple[Span, int, int]]:
    """Each span with where the one before it on its level ends, and where the next begins."""
    nexts: list[int] = []
    begins: dict[int, int] = {}
    for span in reversed(row.spans):
        nexts.append(begins.get(span.depth, last))
        begins[span.depth] = span.start
    found = []
    ends: dict[int, int] = {}
    for span, following in zip(row.spans, reversed(nexts), strict=True):
        found.append((span, ends.get(span.depth, first), following))
        ends[span.depth] = span.end
    return found


def _fitted(name: str, room: float) -> str:
    """The name, shortened to the room it has; nothing if that says nothing."""
    letters = int(room / (FONT * LETTER))
    if len(name) <= letters:
        return name
    return name[: letters - 1] + "…" if letters >= 5 else ""


def _arrow(axes: Axes, arrow: Arrow, places: dict[Row, float], palette: Palette) -> None:
    source, target = arrow.source, arrow.target
    if source.row is target.row:
        return
    # A line that a handler clears falls a cycle after the handler has it.
    x = min(source.end, target.start) if source.end <= target.start + SLACK else source.start
    start = (x, places[source.row] + (source.depth + 0.5) * LANE)
    end = (target.start, places[target.row] + (target.depth + 0.5) * LANE)
    bend = 0.12 if end[1] > start[1] else -0.12
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>,head_length=2.6,head_width=1.5",
            mutation_scale=1,
            connectionstyle=f"arc3,rad={bend}",
            color=COLOURS.get(source.category, palette.muted),
            alpha=0.8,
            linewidth=0.65,
            shrinkA=1.2,
            shrinkB=1.6,
            zorder=5,
        )
    )


def _axis(axes: Axes, palette: Palette) -> None:
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{int(value):,}"))
    axes.tick_params(axis="x", colors=palette.muted, labelsize=FONT + 0.6, length=3)
    axes.grid(axis="x", color=palette.line, linewidth=0.5, zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel("device cycles", color=palette.muted, fontsize=FONT + 0.6)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _legend(axes: Axes, view: View, palette: Palette) -> None:
    """What the colours say, of those that occur."""
    used = {span.category for span in view.spans()}
    x = 0.0
    for category, word in LEGEND.items():
        if category not in used:
            continue
        for text, colour, dx in (("■", COLOURS[category], 0.0), (word, palette.muted, 8.0)):
            axes.annotate(
                text, (0, 1), (x + dx, 7), xycoords="axes fraction", textcoords="offset points", color=colour, fontsize=FONT + 0.6
            )
        x += 20 + len(word) * (FONT + 0.6) * LETTER
