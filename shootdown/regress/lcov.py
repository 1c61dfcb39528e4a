"""Code coverage as lcov's tracefile (coverage.info), for genhtml and for CI that reads it.

A record a file: DA for lines, BRDA for arms of branches, all of block 0. The format has no place for bits and assertions; code.json
has them.

Promises: what is excluded is not in it. Sums (LF, LH, BRF, BRH) agree with the records, and the share of lines with ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from shootdown.regress.code_coverage import CodeCoverage
from shootdown.regress.points import Kind, Point
from tb.toolchain import ROOT
from tb.whole_file import write_whole

__all__ = ["write_lcov"]


def write_lcov(coverage: CodeCoverage, path: Path, root: Path = ROOT) -> None:
    """As one file, whole or not at all. `root`: where the sources are."""
    files: dict[str, dict[Kind, dict[Point, int]]] = defaultdict(lambda: {Kind.LINE: {}, Kind.BRANCH: {}})
    for point, count in sorted(coverage.counts.items()):
        if point.kind in (Kind.LINE, Kind.BRANCH) and point not in coverage.excluded:
            files[point.file][point.kind][point] = count
    lines = ["TN:"]
    for file, kinds in sorted(files.items()):
        lines += [f"SF:{root / file}", *_branches(kinds[Kind.BRANCH]), *_lines(kinds[Kind.LINE]), "end_of_record"]
    write_whole(path, "\n".join(lines) + "\n")


def _branches(counts: Mapping[Point, int]) -> Iterator[str]:
    numbers: dict[int, int] = defaultdict(int)
    for point, count in counts.items():
        yield f"BRDA:{point.line},0,{numbers[point.line]},{count}"
        numbers[point.line] += 1
    yield f"BRF:{len(counts)}"
    yield f"BRH:{sum(map(bool, counts.values()))}"


def _lines(counts: Mapping[Point, int]) -> Iterator[str]:
    yield from (f"DA:{point.line},{count}" for point, count in counts.items())
    yield f"LF:{len(counts)}"
    yield f"LH:{sum(map(bool, counts.values()))}"
