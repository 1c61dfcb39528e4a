"""The GRU chiplet with flat ports (gru_uvm_tb.sv) as a simulator for UVM tests."""

from __future__ import annotations

from tb.toolchain import ROOT
from tb.uvm.build import Simulator

__all__ = ["SIMULATOR"]

RTL = ROOT / "rtl"
SIMULATOR = Simulator(
    "gru",
    "gru_uvm_tb",
    sources=(
        *(RTL / "pkg" / f"{name}.sv" for name in ("gru_pkg", "gru_int_pkg", "gru_eng_pkg")),
        *sorted((RTL / "common").glob("*.sv")),
        *sorted((RTL / "gru").glob("*.sv")),
        ROOT / "tb/uvm/gru/gru_uvm_tb.sv",
    ),
    props=(RTL / "props/axi_props.sv", *sorted((RTL / "props").glob("gru_*.sv"))),
    public=ROOT / "tb/uvm/gru/ports.vlt",
    allow=("SYNCASYNCNET",),  # assertions look at the reset by the clock
)
