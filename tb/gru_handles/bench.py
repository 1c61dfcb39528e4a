"""Fault handles, fault maps and shootdown handles of the GRU, one call a clock cycle.

Promises and needs: as tb/block/stepped.py.
Costs: about 20 s to build; some 5 us a cycle.
"""

from __future__ import annotations

from pathlib import Path

from tb.block.stepped import Block, Library
from tb.toolchain import ROOT

__all__ = ["LABELS", "LIBRARY", "Handles"]

HERE = Path(__file__).resolve().parent
PROPS = [ROOT / f"rtl/props/gru_{part}_props.sv" for part in ("tfh", "tfm")]
LIBRARY = Library(
    "gru_handles",
    "gru_handles_tb",
    [
        ROOT / "rtl/lint/waivers.vlt",
        *(ROOT / f"rtl/pkg/gru_{package}pkg.sv" for package in ("", "int_", "eng_")),
        *(ROOT / f"rtl/gru/gru_{part}.sv" for part in ("tfh", "tfm", "tgh")),
        *PROPS,
        HERE / "gru_handles_tb.sv",
    ],
    PROPS,
    HERE / "gru_handles_lib.cpp",
    ("SYNCASYNCNET",),
)
LABELS = LIBRARY.labels
"""Labels of the assertions, by file and line."""


class Handles(Block):
    """The three under test."""

    def __init__(self, mutant: int = 0, seed: int = 1) -> None:
        super().__init__(LIBRARY, mutant, seed)
