"""The HCA's translation alone, one call a clock cycle.

Promises and needs: as tb/block/stepped.py.
Costs: about 30 s to build; some 10 us a cycle.
"""

from __future__ import annotations

from pathlib import Path

from tb.block.stepped import Block, Library
from tb.toolchain import ROOT

__all__ = ["LABELS", "Xlt"]

HERE = Path(__file__).resolve().parent
PROPS = sorted((ROOT / "rtl/props").glob("hca_xlt*.sv"))
LIBRARY = Library(
    "hca_xlt",
    "xlt_tb",
    [
        ROOT / "rtl/lint/waivers.vlt",
        ROOT / "rtl/hca/gen/hca_pkg.sv",
        ROOT / "rtl/hca/hca_int_pkg.sv",
        ROOT / "rtl/hca/hca_xlt_pkg.sv",
        *(ROOT / "rtl/common" / name for name in ("plru_tree.sv", "ram_1r1w.sv", "ram_1r1w_fwd.sv", "rr_pick.sv")),
        *(path for path in sorted((ROOT / "rtl/hca").glob("hca_xlt*.sv")) if path.stem != "hca_xlt_pkg"),
        *PROPS,
        HERE / "xlt_tb.sv",
    ],
    PROPS,
    HERE / "xlt_lib.cpp",
)
LABELS = LIBRARY.labels
"""Labels of the assertions, by file and line."""


class Xlt(Block):
    """One block under test."""

    def __init__(self, mutant: int = 0, seed: int = 1) -> None:
        super().__init__(LIBRARY, mutant, seed)
