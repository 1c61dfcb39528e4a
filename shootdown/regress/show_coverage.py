"""Code coverage on the terminal: `python -m shootdown.regress.show_coverage FOLDER ... [--holes BLOCK]`.

Prints a table by block of what the count files below the folders cover, or with --holes what one block is missing. Exit status 1
when an exclusion is stale and --strict is given.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from shootdown.regress.code_coverage import CodeCoverage
from shootdown.regress.points import Kind, Point

__all__ = ["main", "table", "told"]

BIT = re.compile(r"(.*)\[(\d+)\]")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print; the exit status."""
    parser = argparse.ArgumentParser(prog="show_coverage", description="What count files of instrumented runs cover.")
    parser.add_argument("folder", type=Path, nargs="+", help="folders with *.dat below them")
    parser.add_argument("--holes", metavar="BLOCK", help="list what this block is missing; 'all' for every block")
    parser.add_argument("--strict", action="store_true", help="fail when an exclusion is stale")
    asked = parser.parse_args(arguments)
    found = CodeCoverage.merge(asked.folder)
    if asked.holes:
        block = None if asked.holes == "all" else asked.holes
        print("\n".join(line for kind in Kind for line in told(kind, found.holes(kind, block))))
    else:
        print("\n".join(table(found)))
    for complaint in found.stale:
        print(f"stale exclusion: {complaint}", file=sys.stderr)
    return int(asked.strict and bool(found.stale))


def table(found: CodeCoverage) -> Iterator[str]:
    """A row a block, and one for all."""
    yield f"{'':16}" + "".join(f"{kind.value:>22}" for kind in Kind)
    rows = found.table()
    for name, row in [*rows.items(), ("all", _sum(rows.values()))]:
        cells = (f"{hit}/{total} {100 * hit / total:6.2f} %" if total else "-" for hit, total in (row[kind] for kind in Kind))
        yield f"{name:16}" + "".join(f"{cell:>22}" for cell in cells)


def told(kind: Kind, holes: Iterable[Point]) -> Iterator[str]:
    """Holes in words; bits of one signal on one line, ranges with the high bit first."""
    bits: dict[tuple[str, int, str], list[int]] = defaultdict(list)
    for point in holes:
        match = BIT.fullmatch(point.name)
        if kind is not Kind.TOGGLE or match is None:
            yield f"{kind.value} {point}"
        else:
            bits[point.file, point.line, match[1]].append(int(match[2]))
    for (file, line, signal), missing in sorted(bits.items()):
        yield f"{kind.value} {file}:{line} {signal}[{','.join(_ranges(sorted(missing)))}]"


def _ranges(bits: list[int]) -> Iterator[str]:
    start = bits[0]
    for bit, following in zip(bits, [*bits[1:], -1]):
        if following != bit + 1:
            yield str(bit) if bit == start else f"{bit}:{start}"
            start = following


def _sum(rows: Iterable[dict[str, tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    total = {kind.value: (0, 0) for kind in Kind}
    for row in rows:
        total = {kind: (hit + row[kind][0], count + row[kind][1]) for kind, (hit, count) in total.items()}
    return total


if __name__ == "__main__":
    sys.exit(main())
