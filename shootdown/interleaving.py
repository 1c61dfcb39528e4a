"""The events that led to a failure as a table for a terminal: cycle | CPU 0 | CPU 1 | device.

Promises: no line is wider than asked for, nothing is left out (long texts go on in the next line of their cell); a column no wider
than its texts need leaves its room to the others. The same rows and width give the same lines, on a terminal or in a pipe.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

from shootdown.result import ChainRow, Column

__all__ = ["MIN_WIDTH", "render", "terminal_width"]

HEADS = {Column.CPU0: "CPU 0", Column.CPU1: "CPU 1", Column.DEVICE: "device"}
SEPARATOR = " | "
MIN_WIDTH = 64
DEFAULT_WIDTH = 100
MAX_WIDTH = 160  # wider, the eye loses the line


def terminal_width() -> int:
    """The width to render for: the terminal's, or, without one, DEFAULT_WIDTH."""
    return max(MIN_WIDTH, min(MAX_WIDTH, shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns))


def render(rows: Sequence[ChainRow], width: int) -> list[str]:
    """The table, at most max(width, MIN_WIDTH) wide. No rows: no lines."""
    if not rows:
        return []
    cycles = [f"{row.cycle:,}" for row in rows]
    first = max(len("cycle"), *map(len, cycles))
    cells = _widths(rows, max(width, MIN_WIDTH) - first - len(SEPARATOR) * len(Column))
    lines = [_line("cycle".rjust(first), {column: HEADS[column] for column in Column}, cells)]
    lines.append("-+-".join("-" * size for size in (first, *cells.values())))
    for cycle, row in zip(cycles, rows, strict=True):
        wrapped = textwrap.wrap(row.text, cells[row.column], subsequent_indent="  ") or [""]
        for number, part in enumerate(wrapped):
            lines.append(_line((cycle if number == 0 else "").rjust(first), {row.column: part}, cells))
    return lines


def _line(cycle: str, texts: dict[Column, str], cells: dict[Column, int]) -> str:
    return SEPARATOR.join([cycle, *(texts.get(column, "").ljust(size) for column, size in cells.items())]).rstrip()


def _widths(rows: Sequence[ChainRow], room: int) -> dict[Column, int]:
    """How wide each column is: what its texts need, if there is room for all, else equal parts, what one spares to the others."""
    need = {column: max([len(HEADS[column]), *(len(row.text) for row in rows if row.column == column)]) for column in Column}
    widths: dict[Column, int] = {}
    for left, column in zip(range(len(Column), 0, -1), sorted(Column, key=lambda one: need[one]), strict=True):
        widths[column] = min(need[column], room // left)
        room -= widths[column]
    return {column: widths[column] for column in Column}
