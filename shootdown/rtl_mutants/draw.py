"""The mutants of a seed.

Promises: equal RTL, seed and count give equal mutants. Places of the design are drawn, all alike, each once; then what happens to
each. A mutant's `key` stays as long as its line does, wherever in its file the line moves, and so does whether it is drawn.
Needs: the pyslang wheel. Costs: two seconds.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shootdown.errors import unknown
from shootdown.rtl_mutants.parsed import CHIPS, RTL, scopes
from shootdown.rtl_mutants.sites import Edit, edits

__all__ = ["Mutant", "candidates", "draw", "files_of", "keys"]

GENERATED = ("pkg/gru_pkg.sv", "hca/gen/")
FAMILIES = ("gru_tlb", "hca_xlt", "hca_qp", "hca_rx", "hca_tx", "hca_cmd", "hca_fault")


@dataclass(frozen=True)
class Mutant:
    """One change of the RTL; `number` selects it, `line` is where it begins."""

    number: int
    edit: Edit
    line: int
    was: str
    key: str

    @property
    def module(self) -> str:
        """The stem of its file."""
        return Path(self.edit.file).stem

    @property
    def block(self) -> str:
        """For reports."""
        return block_of(self.edit.file)

    @property
    def place(self) -> str:
        """File and line."""
        return f"rtl/{self.edit.file}:{self.line}"

    @property
    def what(self) -> str:
        """What was changed, for a person."""
        if self.edit.statement:
            return f"{self.edit.operator}: {_short(self.was)}"
        return f"{self.edit.operator}: {_short(self.was)}  ->  {_short(self.edit.new)}"


def block_of(file: str) -> str:
    """The modules of a family are one block."""
    if file.startswith("common/"):
        return "common"
    module = Path(file).stem
    return next((name for name in FAMILIES if module.startswith(name)), module)


def files_of(blocks: Iterable[str]) -> list[str]:
    """Files, relative to rtl/, of blocks by name; a chip's name means all of its blocks. Raises InputError."""
    every = [str(path.relative_to(RTL)) for chip in CHIPS for path in chip.files(RTL)]
    known = sorted({block_of(file) for file in every if not file.startswith(GENERATED)})
    chosen = []
    for block in blocks:
        if block not in known and block not in ("gru", "hca"):
            raise unknown("--block", block, "block", ["gru", "hca", *known])
        chosen += [file for file in every if block_of(file) == block or file.startswith(f"{block}/")]
    return chosen


def candidates(files: Iterable[str] = ()) -> list[Edit]:
    """Every edit of rtl/, or of some of its files, in order."""
    only = set(files)
    found: dict[Edit, None] = {}
    for chip in CHIPS:
        for scope in scopes(chip.files(RTL)):
            name = str(scope.path.relative_to(RTL))
            if not name.startswith(GENERATED) and (not only or name in only):
                found.update(dict.fromkeys(edits(scope, RTL)))
    return sorted(found, key=lambda edit: (edit.file, edit.start, edit.end, edit.operator, edit.new))


def draw(seed: int, count: int, files: Iterable[str] = ()) -> list[Mutant]:
    """So many, or all places there are. Each place draws for itself, so an edit of the RTL changes the mutants of its own lines and
    leaves the others drawn."""
    at = _places(candidates(files))
    there: dict[str, list[Edit]] = {}
    for edit, place in at.items():
        there.setdefault(place, []).append(edit)
    chances = {place: random.Random(f"rtl-mutants.{seed}:{place}") for place in there}
    order = sorted((chance.random(), place) for place, chance in chances.items())
    found = []
    for number, (_, place) in enumerate(order[:count], 1):
        edit = chances[place].choice(there[place])
        text = _text(edit.file)
        line = text.count("\n", 0, edit.start) + 1
        found.append(Mutant(number, edit, line, text[edit.start : edit.end], _key(place, edit)))
    return found


def keys(every: Iterable[Edit]) -> dict[Edit, str]:
    """Of all edits of some files, in order: file, line, what of it is changed, and the change."""
    return {edit: _key(place, edit) for edit, place in _places(every).items()}


def _key(place: str, edit: Edit) -> str:
    return f"{place} | {edit.operator} {_named(edit.new)}".strip()


def _places(every: Iterable[Edit]) -> dict[Edit, str]:
    """Where each is, in words; what its file has again is told apart by number."""
    found: dict[Edit, str] = {}
    known: dict[str, dict[tuple[int, int], int]] = {}
    texts: dict[str, str] = {}
    for edit in every:
        text = texts.setdefault(edit.file, _text(edit.file))
        begin = text.rfind("\n", 0, edit.start) + 1
        line = _flat(text[begin : text.find("\n", edit.start)])
        place = f"{edit.file} | {line} | {_named(text[edit.start : edit.end])}"
        among = known.setdefault(place, {})
        which = among.setdefault((edit.start, edit.end), len(among) + 1)
        found[edit] = place if which == 1 else f"{place} | {which}"
    return found


def _named(text: str) -> str:
    """Short, and its own."""
    flat, short = _flat(text), _short(text)
    return flat if flat == short else f"{short}{hashlib.sha256(flat.encode()).hexdigest()[:6]}"


def _text(file: str) -> str:
    return (RTL / file).read_bytes().decode("latin-1")


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"//.*", "", text)).strip()


def _short(text: str, most: int = 60) -> str:
    flat = _flat(text)
    return flat if len(flat) <= most else f"{flat[: most - 3]}..."
