"""The TLB with flat ports (tb/tlb/tlb_tb.sv) as a simulator for UVM tests."""

from __future__ import annotations

from tb.toolchain import ROOT
from tb.uvm.build import Simulator

__all__ = ["SIMULATOR"]

SIMULATOR = Simulator(
    "tlb",
    "tlb_tb",
    sources=(
        ROOT / "rtl/pkg/gru_pkg.sv",
        ROOT / "rtl/pkg/gru_int_pkg.sv",
        *sorted((ROOT / "rtl/common").glob("*.sv")),
        *sorted((ROOT / "rtl/gru").glob("gru_tlb*.sv")),
        ROOT / "tb/tlb/tlb_tb.sv",
    ),
    props=(ROOT / "rtl/props/gru_tlb_props.sv",),
    public=ROOT / "tb/uvm/tlb/ports.vlt",
)
