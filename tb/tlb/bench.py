"""The TLB alone, one call a clock cycle.

Promises and needs: as tb/block/stepped.py.
Costs: about 20 s to build; some 5 us a cycle.
"""

from __future__ import annotations

from pathlib import Path

from tb.block.stepped import Block, Library
from tb.toolchain import ROOT

__all__ = ["LABELS", "Tlb"]

HERE = Path(__file__).resolve().parent
PROPS = ROOT / "rtl/props/gru_tlb_props.sv"
LIBRARY = Library(
    "tlb",
    "tlb_tb",
    [
        ROOT / "rtl/lint/waivers.vlt",
        ROOT / "rtl/pkg/gru_pkg.sv",
        ROOT / "rtl/pkg/gru_int_pkg.sv",
        *sorted((ROOT / "rtl/common").glob("*.sv")),
        *sorted((ROOT / "rtl/gru").glob("gru_tlb*.sv")),
        PROPS,
        HERE / "tlb_tb.sv",
    ],
    [PROPS],
    HERE / "tlb_lib.cpp",
)
LABELS = LIBRARY.labels
"""Labels of the assertions, by file and line."""


class Tlb(Block):
    """One TLB under test."""

    def __init__(self, mutant: int = 0, seed: int = 1) -> None:
        super().__init__(LIBRARY, mutant, seed)
