"""A copy of rtl/ that holds many mutants and behaves as one of them, or as none: SHOOTDOWN_RTL_MUTANT says which when a model
starts.

Every changed place becomes a choice between what it was and what the mutant makes of it, so assertions, benches and hosts run
unchanged, at about the speed they have.

Promises: with 0, or without the variable, the copy behaves as rtl/ does. Lines keep their numbers. Equal mutants give equal files.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from shootdown.rtl_mutants.draw import Mutant
from shootdown.rtl_mutants.parsed import RTL
from tb.toolchain import MUTANT_VARIABLE

__all__ = ["write_tree"]

SELECTED = "rtl_mutant_pkg::sel"
# The packages that every build of a chip reads first bring the number with them; nothing needs both.
CARRIERS = ("pkg/gru_pkg.sv", "hca/gen/hca_pkg.sv")
PACKAGE = (
    "/*verilator lint_off DECLFILENAME*/ package rtl_mutant_pkg; "
    f'int sel = $c("(std::getenv(\\"{MUTANT_VARIABLE}\\") ? std::atoi(std::getenv(\\"{MUTANT_VARIABLE}\\")) : 0)"); '
    "endpackage /*verilator lint_on DECLFILENAME*/ "
)
# A mutant is not clean RTL, and the choice widens what stands beside it.
LINT = "WIDTH", "CMPCONST", "UNSIGNED", "ENUMVALUE", "LATCH", "UNUSED", "CASEINCOMPLETE", "UNOPTFLAT", "DECLFILENAME"
HEAD = "".join(f"/*verilator lint_off {rule}*/ " for rule in LINT)


def write_tree(mutants: Sequence[Mutant], folder: Path) -> None:
    """Write the copy; `folder` appears when it is whole."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(RTL, partial)
    by_file: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        by_file.setdefault(mutant.edit.file, []).append(mutant)
    for file in {*by_file, *CARRIERS}:
        text = (RTL / file).read_bytes().decode("latin-1")
        body = rendered(text, by_file.get(file, []))
        (partial / file).write_bytes((HEAD + (PACKAGE if file in CARRIERS else "") + body).encode("latin-1"))
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def rendered(text: str, mutants: Sequence[Mutant]) -> str:
    """A file with its mutants in it."""
    # Outer ones first; of two with the same place, any.
    order = sorted(mutants, key=lambda mutant: (mutant.edit.start, -mutant.edit.end, mutant.edit.statement, mutant.number))
    return _between(text, 0, len(text), order)


def _between(text: str, start: int, end: int, mutants: Sequence[Mutant]) -> str:
    """The text from start to end, in which all of these lie."""
    parts, at, left = [], start, list(mutants)
    while left:
        outer = left.pop(0)
        edit = outer.edit
        inside = [one for one in left if one.edit.start < edit.end]
        left = left[len(inside) :]
        old = _between(text, edit.start, edit.end, inside)
        parts += [text[at : edit.start], _choice(outer, old)]
        at = edit.end
    return "".join([*parts, text[at:end]])


def _choice(mutant: Mutant, old: str) -> str:
    if mutant.edit.statement:
        return f"begin if ({SELECTED} != {mutant.number}) {_blocked(old)} end"
    # New text may span lines of the old one; the choice must not, or lines would move.
    new = " ".join(re.sub(r"//[^\n]*", "", mutant.edit.new).split())
    return f"(({SELECTED} == {mutant.number}) ? ({new}) : ({old}))"


def _blocked(statement: str) -> str:
    """A statement whose `else`, if it has one, is its own."""
    return statement if statement.startswith("begin") else f"begin {statement} end"
