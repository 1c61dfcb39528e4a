"""What a monitor sees of the HCA's translation, alone, one call a clock cycle.

Promises and needs: as tb/block/stepped.py.
Costs: about 10 s to build; some 10 us a cycle.
"""

from __future__ import annotations

from pathlib import Path

from tb.block.stepped import Block, Library
from tb.toolchain import ROOT

__all__ = ["Seen"]

HERE = Path(__file__).resolve().parent
LIBRARY = Library(
    "hca_seen",
    "seen_tb",
    [
        ROOT / "rtl/lint/waivers.vlt",
        ROOT / "rtl/hca/gen/hca_pkg.sv",
        ROOT / "rtl/hca/hca_int_pkg.sv",
        ROOT / "rtl/hca/hca_xlt_pkg.sv",
        ROOT / "rtl/hca/hca_xlt_monitor.sv",
        HERE / "seen_tb.sv",
    ],
    [],
    HERE / "seen_lib.cpp",
)


class Seen(Block):
    """One block under test."""

    def __init__(self) -> None:
        super().__init__(LIBRARY, 0, 1)
