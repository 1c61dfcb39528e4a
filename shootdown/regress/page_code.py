"""Code coverage for the page: what code.json says, by file, with its holes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from shootdown.regress.page_parts import Below, Cell, fold, meter, table
from tb.plan.goals import GOALS

__all__ = ["KINDS", "Code", "CodeFile", "code_coverage", "read_code"]

KINDS = ("line", "branch", "toggle", "assertion")


@dataclass(frozen=True)
class CodeFile:
    """`points`: (hit, all) by kind, exclusions left out. `holes`: what was never hit, in words, by kind."""

    path: str
    points: Mapping[str, tuple[int, int]]
    holes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Code:
    """Of all files. `excluded`: points left out for a reason, by kind. `stale`: exclusions that exclude no hole."""

    files: tuple[CodeFile, ...]
    excluded: Mapping[str, int]
    stale: tuple[str, ...] = ()

    @property
    def shares(self) -> dict[str, float]:
        """Fractions by kind; a kind without a point is not there."""
        found = {}
        for kind in KINDS:
            pairs = [file.points[kind] for file in self.files if kind in file.points]
            total = sum(count for _, count in pairs)
            if total:
                found[kind] = sum(hit for hit, _ in pairs) / total
        return found


def read_code(found: Mapping[str, Any]) -> Code | None:
    """The content of code.json; None if it holds no file."""
    files = []
    for path, kinds in sorted(found.get("files", {}).items()):
        known = {kind: kinds[kind] for kind in KINDS if kind in kinds}
        points = {kind: (int(one["hit"]), int(one["total"])) for kind, one in known.items()}
        holes = {kind: tuple(map(str, one.get("holes", ()))) for kind, one in known.items()}
        files.append(CodeFile(path, points, holes))
    excluded = {kind: int(count) for kind, count in found.get("excluded", {}).items() if kind in KINDS}
    return Code(tuple(files), excluded, tuple(map(str, found.get("stale", ())))) if files else None


def code_coverage(code: Code | None, goals: Mapping[str, float]) -> str:
    """A row a file, the worst first."""
    if code is None:
        return '<p class="muted">Not measured in this regression; it is unless --no-coverage is given or a MUTANT is played.</p>'
    rows = []
    for file in sorted(code.files, key=lambda file: (_worst(file), file.path)):
        holes = "".join(
            fold(f"{kind}: {len(file.holes[kind]):,} never hit", file.holes[kind]) for kind in KINDS if file.holes.get(kind)
        )
        cells = [meter(*file.points.get(kind, (0, 0)), goals.get(kind, GOALS.get(kind, 1.0))) for kind in KINDS]
        rows.append((Cell(escape(file.path), "k"), *cells, Below(holes)))
    said = ", ".join(f"{count:,} {kind} points" for kind, count in code.excluded.items() if count)
    note = f'<p class="muted">Excluded with a reason, and not counted: {said}.</p>' if said else ""
    files = table(("file", *KINDS), rows, caption="By file, the least covered first")
    note += fold(f"exclusions that exclude no hole: {len(code.stale)}", code.stale)
    return f'<div class="dense">{files}</div>{note}'


def _worst(file: CodeFile) -> float:
    return min((hit / total for hit, total in file.points.values() if total), default=1.0)
