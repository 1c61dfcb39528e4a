"""Line, branch, toggle and assertion coverage of rtl/, merged from the counts of many runs.

A *point* is a source line with code, an arm of a branch, a bit of a signal, or an assertion. A line is covered when everything on
it ran: of `if (a) b <= c;` also the assignment. A bit is covered when it rose and fell. An assertion is covered when what it
demands was demanded at least once (tb/coverage/assertions.py). Points add up over runs, builds, testbenches, instances and
parameters: one hit anywhere is a hit. The unconditional part of an always_comb is hit by every run: Verilator folds it into
whoever uses its results and leaves its counter behind, where nothing counts any more. What only a reset runs is no point: counting
starts when the first reset, which no model is spared, is over.

Promises: only files below rtl/ count; lines and signals of rtl/props are not design and do not count. A count file cut short by a
killed process counts as far as it goes. What exclusions.toml excludes counts neither as covered nor as a hole; `stale` says which
of its lines exclude nothing that is a hole.
Needs: files *.dat as Verilator writes them.
Costs: 0.1 s for the first file of a build, 0.05 s for each further one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shootdown.regress.exclusions import SHIPPED, Exclusion, apply, read_exclusions
from shootdown.regress.points import Kind, Point, block_of
from tb.toolchain import ROOT
from tb.whole_file import write_whole

__all__ = ["CodeCoverage"]

RECORD = re.compile(rb"^C '(.*)' \d+$", re.MULTILINE)
COUNTS = re.compile(rb"' (\d+)$", re.MULTILINE)
RESET = re.compile(r"\bif \(!rst_ni?\)")
COMBINATIONAL = re.compile(r"\balways_comb\b")
SEEN = re.compile(r"^(\w+?)_seen(?:_\d+)?$")


@dataclass(frozen=True)
class CodeCoverage:
    """`counts`: how often each point was hit. `excluded`: reasons, of points that need not be. `stale`: what is wrong with the
    exclusions, to be heeded when everything was run."""

    counts: Mapping[Point, int]
    excluded: Mapping[Point, str] = field(default_factory=dict)
    stale: tuple[str, ...] = ()

    @classmethod
    def merge(cls, folders: Iterable[Path], exclusions: Sequence[Exclusion] | None = None) -> CodeCoverage:
        """Of every *.dat below the folders. `exclusions`: the shipped ones when None. Raises BadExclusionError."""
        counts = _Merger().files(sorted(path for folder in folders for path in folder.rglob("*.dat"))).points()
        excluded, stale = apply(read_exclusions(SHIPPED) if exclusions is None else exclusions, counts)
        return cls(counts, excluded, tuple(stale))

    @classmethod
    def read(cls, path: Path) -> CodeCoverage:
        """What `write` wrote."""
        found = json.loads(path.read_text())
        counts: dict[Point, int] = {}
        excluded: dict[Point, str] = {}
        for kind, files in found["points"].items():
            for file, points in files.items():
                for line, name, count, *reason in points:
                    point = Point(Kind(kind), file, line, name)
                    counts[point] = count
                    if reason:
                        excluded[point] = reason[0]
        return cls(counts, excluded, tuple(found["stale"]))

    def write(self, path: Path) -> None:
        """As JSON, whole or not at all. For reports `files`, {file: {kind: {hit, total, holes}}}, and `excluded`, {kind: points};
        `points` is all there is, {kind: {file: [[line, name, count, reason if excluded] ...]}}."""
        files: dict[str, dict[str, dict[str, Any]]] = {}
        points: dict[str, dict[str, list[list[object]]]] = {kind.value: {} for kind in Kind}
        for point, count in sorted(self.counts.items()):
            reason = [self.excluded[point]] if point in self.excluded else []
            points[point.kind].setdefault(point.file, []).append([point.line, point.name, count, *reason])
            if not reason:
                row = files.setdefault(point.file, {}).setdefault(point.kind.value, {"hit": 0, "total": 0, "holes": []})
                row["total"] += 1
                row["hit"] += count > 0
                if not count:
                    row["holes"].append(f"{point.line}{f': {point.name}' if point.name else ''}")
        left_out = {kind.value: sum(point.kind is kind for point in self.excluded) for kind in Kind}
        found = {"files": files, "excluded": left_out, "stale": self.stale, "points": points}
        write_whole(path, json.dumps(found, separators=(",", ":")))

    def points(self, kind: Kind, block: str | None = None) -> list[Point]:
        """Those that count, in order of file and line."""
        return sorted(
            point
            for point in self.counts
            if point.kind is kind and point not in self.excluded and (block is None or block_of(point.file) == block)
        )

    def holes(self, kind: Kind, block: str | None = None) -> list[Point]:
        """Points that count and were never hit."""
        return [point for point in self.points(kind, block) if not self.counts[point]]

    def fraction(self, kind: Kind, block: str | None = None) -> float:
        """Covered points of all that count; 1 when there are none."""
        points = self.points(kind, block)
        return sum(self.counts[point] > 0 for point in points) / len(points) if points else 1.0

    @property
    def line(self) -> float:
        """Fraction of all lines."""
        return self.fraction(Kind.LINE)

    @property
    def branch(self) -> float:
        """Fraction of all branch arms."""
        return self.fraction(Kind.BRANCH)

    @property
    def toggle(self) -> float:
        """Fraction of all bits."""
        return self.fraction(Kind.TOGGLE)

    @property
    def assertion(self) -> float:
        """Fraction of all assertions."""
        return self.fraction(Kind.ASSERTION)

    @property
    def blocks(self) -> list[str]:
        """By name."""
        return sorted({block_of(point.file) for point in self.counts})

    @property
    def files(self) -> list[str]:
        """By path."""
        return sorted({point.file for point in self.counts})

    def table(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Covered points and all that count, by block and kind."""
        found: dict[str, dict[str, tuple[int, int]]] = {block: {kind.value: (0, 0) for kind in Kind} for block in self.blocks}
        for point, count in self.counts.items():
            if point not in self.excluded:
                row = found[block_of(point.file)]
                covered, total = row[point.kind]
                row[point.kind] = (covered + (count > 0), total + 1)
        return found


class _Merger:
    """Adds files up. Files of one build differ in their counts only: what their records mean is looked up once."""

    def __init__(self) -> None:
        self._keys: dict[bytes, int] = {}
        self._counts = np.zeros(0, np.uint64)
        self._shapes: dict[bytes, NDArray[np.intp]] = {}

    def files(self, paths: Sequence[Path]) -> _Merger:
        for path in paths:
            self._add(path.read_bytes())
        return self

    def _add(self, data: bytes) -> None:
        data = data[: data.rfind(b"\n") + 1]
        shape = hashlib.blake2b(COUNTS.sub(b"", data)).digest()
        if shape not in self._shapes:
            keys = RECORD.findall(data)
            self._shapes[shape] = np.array([self._keys.setdefault(key, len(self._keys)) for key in keys], np.intp)
            self._counts = np.concatenate([self._counts, np.zeros(len(self._keys) - len(self._counts), np.uint64)])
        np.add.at(self._counts, self._shapes[shape], np.array(COUNTS.findall(data), np.bytes_).astype(np.uint64))

    def points(self) -> dict[Point, int]:
        """A line's count is that of its least run part, a bit's that of the rarer of its two directions."""
        least: dict[Point, dict[str, int]] = {}
        for key, index in self._keys.items():
            fields = dict(part.split("\2", 1) for part in key.decode().split("\1") if part)
            file = _rtl_file(fields["f"])
            if file is not None:
                for point, part in () if _of_reset(file, fields) else _meaning(file, fields):
                    parts = least.setdefault(point, {})
                    parts[part] = parts.get(part, 0) + (int(self._counts[index]) or _always_runs(file, fields))
        return {point: min(parts.values()) for point, parts in least.items()}


def _rtl_file(path: str) -> str | None:
    """Relative to the repository, or None for what does not count. Copies of assertion files stand in build/.../rtl/props."""
    parts = Path(path).parts
    return "/".join(parts[len(parts) - 1 - parts[::-1].index("rtl") :]) if "rtl" in parts else None


def _always_runs(file: str, fields: Mapping[str, str]) -> bool:
    """The record is the unconditional part of an always_comb."""
    return fields["t"] == "line" and fields.get("o") == "block" and int(fields["l"]) in _places(file, COMBINATIONAL)


def _of_reset(file: str, fields: Mapping[str, str]) -> bool:
    """The record is the arm of a reset."""
    return fields["t"] in ("line", "branch") and fields.get("o") in ("if", "elsif") and int(fields["l"]) in _places(file, RESET)


@cache
def _places(file: str, what: re.Pattern[str]) -> set[int]:
    path = ROOT / file
    lines = path.read_text().splitlines() if path.exists() else []
    return {number for number, line in enumerate(lines, 1) if what.search(line)}


def _meaning(file: str, fields: Mapping[str, str]) -> list[tuple[Point, str]]:
    """The points that a record is part of, and which part. Parts of one name add up, over instances and parameters."""
    line, kind, comment = int(fields["l"]), fields["t"], fields.get("o", "")
    if kind == "user":
        seen = SEEN.match(comment)
        return [(Point(Kind.ASSERTION, file, line, seen[1] if seen else comment), comment)]
    if file.startswith("rtl/props/"):
        return []
    if kind == "toggle":
        bit, _, direction = comment.rpartition(":")
        return [(Point(Kind.TOGGLE, file, line, bit), direction)]
    place = f"{line}.{fields.get('n', '')} {comment}"
    found = [(Point(Kind.LINE, file, number), place) for number in _lines(fields.get("S", ""))]
    if kind == "branch":
        found.append((Point(Kind.BRANCH, file, line, f"{fields.get('n', '')} {comment}"), ""))
    return found


def _lines(ranges: str) -> list[int]:
    """Of "3,7-9"."""
    found: list[int] = []
    for part in ranges.split(",") if ranges else ():
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
