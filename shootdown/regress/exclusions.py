"""Points of the RTL that need not be covered, each with a reason: what exclusions.toml says, and whether it is still true.

An entry names files by a pattern, and of them one of
  `signal`     signals by a pattern, as reports show them, ranges of bits allowed: "*", "req.va[63:56]", "state_q[*].gen[*]";
  `assertion`  labels by a pattern;
  `function`   all code of a function, by its name;
  `text`       source lines that contain this text, and arms of branches on them; with `arm` only arms of that name (if, else,
               elsif ...), and what such an arm has on the same line. Beside `signal`: the declaration has the text.
Text and names rot less than line numbers.

Promises: `apply` excludes points that were not hit. It complains of an entry that matches no point, and of one that matches a
point that was hit: then its reason is wrong. With `some = true` an entry may match what is hit, as long as something is not.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from shootdown.regress.points import Kind, Point
from tb.toolchain import ROOT

__all__ = ["SHIPPED", "BadExclusionError", "Exclusion", "apply", "read_exclusions"]

SHIPPED = Path(__file__).with_name("exclusions.toml")
RANGE = re.compile(r"\[(\d+):(\d+)\]")


class BadExclusionError(Exception):
    """An entry that cannot be understood: which, and what is wrong."""


@dataclass(frozen=True)
class Exclusion:
    """One entry."""

    file: str
    reason: str
    text: str = ""
    signal: str = ""
    assertion: str = ""
    function: str = ""
    arm: str = ""
    some: bool = False

    def __str__(self) -> str:
        said = [
            self.file,
            *(f"{name} '{value}'" for name in ("text", "arm", "signal", "assertion", "function") if (value := getattr(self, name))),
        ]
        return ", ".join(said)


def read_exclusions(path: Path) -> list[Exclusion]:
    """Entries of a file, in order. Raises BadExclusionError."""
    known = {field.name for field in fields(Exclusion)}
    found = []
    for entry in tomllib.loads(path.read_text())["exclude"]:
        if unknown := entry.keys() - known:
            raise BadExclusionError(f"{path.name}: {entry}: there is no key {min(unknown)}")
        if not entry.get("file") or not str(entry.get("reason", "")).strip():
            raise BadExclusionError(f"{path.name}: {entry}: an exclusion has a file and a reason")
        if not any(entry.get(key) for key in ("text", "signal", "assertion", "function")):
            raise BadExclusionError(f"{path.name}: {entry}: an exclusion has a text, a signal, an assertion or a function")
        found.append(Exclusion(**entry))
    return found


def apply(exclusions: Sequence[Exclusion], counts: Mapping[Point, int], root: Path = ROOT) -> tuple[dict[Point, str], list[str]]:
    """What is excluded, with the reason, and what is wrong with exclusions. `root`: where the files of the points are."""
    by_file: dict[str, list[Point]] = {}
    for point in counts:
        by_file.setdefault(point.file, []).append(point)
    excluded: dict[Point, str] = {}
    stale: list[str] = []
    for entry in exclusions:
        pattern = _pattern(entry.file)
        matched = [
            point
            for file, points in by_file.items()
            if pattern.fullmatch(file)
            for point in _matching(entry, points, counts, root / file)
        ]
        holes = [point for point in matched if not counts[point]]
        hit = len(matched) - len(holes)
        if not holes or (hit and not entry.some):
            hits = next((str(point) for point in matched if counts[point]), "")
            stale.append(f"{entry}: {f'{hit} of its points were hit, {hits}' if matched else 'it matches nothing'}")
        excluded.update(dict.fromkeys(holes, entry.reason))
    return excluded, stale


def _matching(entry: Exclusion, points: Sequence[Point], counts: Mapping[Point, int], path: Path) -> Iterator[Point]:
    if entry.assertion:
        labels = _pattern(entry.assertion)
        yield from (point for point in points if point.kind is Kind.ASSERTION and labels.fullmatch(point.name))
        return
    on = {number for number, line in enumerate(_source(path), 1) if entry.text in line} if entry.text else None
    if entry.function:
        on = _function(path, entry.function)
    if entry.signal:
        signals = _pattern(entry.signal)
        found = (point for point in points if point.kind is Kind.TOGGLE and signals.fullmatch(point.name))
        yield from (point for point in found if on is None or point.line in on)
        return
    assert on is not None
    for point in points:
        if point.kind is Kind.BRANCH:
            if point.line in on and entry.arm in ("", point.name.split(" ")[-1]):
                yield point
        elif point.kind is Kind.LINE and point.line in on and not (entry.arm and counts[point]):
            yield point


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Of names: * is anything, [a:b] each of these bits."""
    parts = []
    at = 0
    for match in RANGE.finditer(text):
        low, high = sorted((int(match[1]), int(match[2])))
        parts += [_literal(text[at : match.start()]), rf"\[(?:{'|'.join(map(str, range(low, high + 1)))})\]"]
        at = match.end()
    return re.compile("".join([*parts, _literal(text[at:])]))


def _literal(text: str) -> str:
    return ".*".join(map(re.escape, text.split("*")))


def _function(path: Path, name: str) -> set[int]:
    """Lines of a function, from its head to its end."""
    found, inside = set(), False
    for number, line in enumerate(_source(path), 1):
        inside = inside or bool(re.search(rf"\bfunction\b.*\b{name}\(", line))
        if inside:
            found.add(number)
        inside = inside and "endfunction" not in line
    return found


@cache
def _source(path: Path) -> list[str]:
    return path.read_text().splitlines()
