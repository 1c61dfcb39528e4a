"""What code coverage is counted in: points of rtl/, by kind, and the blocks they belong to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

__all__ = ["Kind", "Point", "block_of"]

WHOLE_CHIP = {"axi", "chip", "int", "pkg", "port", "top", "stable"}
"""Second parts of names of what is no block of its own."""


class Kind(StrEnum):
    """What a point is. All but branches have goals: an arm of a branch without code is no line, and its kind shows it."""

    LINE = "line"
    BRANCH = "branch"
    TOGGLE = "toggle"
    ASSERTION = "assertion"


class Point(NamedTuple):
    """`file` is relative to the repository. `name`: of a branch its column and arm, of a toggle its signal with bit, of an
    assertion its label, of a line "" ."""

    kind: Kind
    file: str
    line: int
    name: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}{f' {self.name}' if self.name else ''}"


def block_of(file: str) -> str:
    """The block that a file of rtl/ is part of: gru_tlb of gru_tlb_slots.sv; a chip's name for what belongs to it as a whole."""
    parts = Path(file).stem.split("_")
    if parts[0] not in ("gru", "hca"):
        return "common"
    return parts[0] if len(parts) < 2 or parts[1] in WHOLE_CHIP else "_".join(parts[:2])
