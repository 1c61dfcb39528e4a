"""One HCA with flat ports (tb/uvm/hca/hca_uvm_tb.sv) as a simulator for UVM tests."""

from __future__ import annotations

from tb.toolchain import ROOT
from tb.uvm.build import Simulator

__all__ = ["SIMULATOR"]

RTL = ROOT / "rtl"
PACKAGES = tuple(RTL / "hca" / name for name in ("gen/hca_pkg.sv", "gen/hca_csr_pkg.sv", "hca_int_pkg.sv"))
OTHER_PACKAGES = tuple(sorted(path for path in (RTL / "hca").glob("*_pkg.sv") if path not in PACKAGES))

SIMULATOR = Simulator(
    "hca",
    "hca_uvm_tb",
    sources=(
        *PACKAGES,
        *OTHER_PACKAGES,
        *sorted((RTL / "common").glob("*.sv")),
        *sorted(path for path in (*(RTL / "hca").glob("*.sv"), RTL / "hca/gen/hca_csr.sv") if not path.stem.endswith("_pkg")),
        ROOT / "tb/uvm/hca/hca_uvm_tb.sv",
    ),
    props=tuple(sorted((*(RTL / "props").glob("hca_*.sv"), RTL / "props/axi_props.sv"))),
    public=ROOT / "tb/uvm/hca/ports.vlt",
    allow=("DECLFILENAME", "SYNCASYNCNET"),  # of the assertions: two modules in a file, resets looked at by the clock
)
