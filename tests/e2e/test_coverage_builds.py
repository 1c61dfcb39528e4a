"""Instrumented builds: models of every kind leave their counts, of the design alone, and what never happened is a hole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hwif.gen.gru import RtlMutant
from shootdown.regress.code_coverage import CodeCoverage
from shootdown.regress.points import Kind
from tb.block.program import Program
from tb.coverage import instrument
from tb.toolchain import ROOT

TLB = """
import sys
from tb.tlb.bench import Tlb
mutant, models = int(sys.argv[1]), int(sys.argv[2])
for _ in range(models):
    tlb = Tlb(mutant)
    for cbr in range(8):
        tlb.step(lkp_valid=1, lkp_cbr=cbr, lkp_va=cbr << 12, lkp_sizes=1)
    for _ in range(4):
        tlb.step()
    tlb.close()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(instrument.VARIABLE, str(tmp_path))
    return tmp_path


def tlb(mutant: int = 0, models: int = 1) -> None:
    subprocess.run([sys.executable, "-c", TLB, str(mutant), str(models)], cwd=ROOT, check=True)


def points(folder: Path) -> dict[str, int]:
    """Counts by the point's text without its line."""
    found = CodeCoverage.merge([folder], exclusions=[])
    return {f"{Path(point.file).name} {point.name}": count for point, count in found.counts.items() if point.kind is not Kind.LINE}


def test_a_library_leaves_one_file_with_what_happened(folder: Path) -> None:
    tlb(models=2)
    assert len(list(folder.glob("*.dat"))) == 1
    counts = points(folder)
    assert counts["gru_tlb.sv lkp_i.va[12]"] > 0
    assert counts["gru_tlb.sv lkp_i.va[20]"] == 0, "no address so high was looked up, whatever registers held before the reset"
    assert counts["gru_tlb_props.sv sd_4_latency"] == 2 * 8, "two models, each lookup once"
    assert counts["gru_tlb_props.sv hit_is_the_entry"] == 0, "there was no hit to check"
    found = CodeCoverage.merge([folder], exclusions=[])
    assert all(file.startswith("rtl/") for file in found.files)
    assert {point.kind for point in found.counts if point.file.startswith("rtl/props")} == {Kind.ASSERTION}
    assert 0 < found.toggle < 0.9
    assert 0 < found.line < 1


def test_a_broken_variant_covers_nothing(folder: Path) -> None:
    tlb(int(RtlMutant.ASID_IGNORED))
    assert list(folder.glob("*.dat")) == []


def test_without_the_variable_nothing_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(instrument.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert not instrument.wanted()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", TLB, "0", "1"], cwd=tmp_path, env=environment, check=True)
    assert list(tmp_path.rglob("*.dat")) == []


PROBE = Program("coverage_probe", [ROOT / "rtl/common/plru_tree.sv", ROOT / "tests/support/coverage_probe_tb.sv"])


def test_a_program_leaves_its_counts(folder: Path) -> None:
    assert PROBE.run().passed
    assert len(list(folder.glob("*.dat"))) == 1
    counts = points(folder)
    assert counts["plru_tree.sv touch_i[0]"] > 0
    assert counts["plru_tree.sv touch_i[1]"] == 0, "the bench touches ways 0 and 1 only"


def test_an_assertion_that_ends_a_run_does_not_end_its_counts(folder: Path) -> None:
    outcome = PROBE.run(fail=1)
    assert not outcome.passed
    assert "half-way" in outcome.complaint
    assert len(list(folder.glob("*.dat"))) == 1
    assert points(folder)["plru_tree.sv touch_i[0]"] > 0


def test_the_hosts_of_whole_chips_count_nothing(folder: Path) -> None:
    plain = os.environ | {"PYTHONPATH": str(ROOT)}
    del plain[instrument.VARIABLE]
    built = "from tb.hil.build import build_native; print(build_native())"
    chips = [subprocess.check_output([sys.executable, "-c", built], cwd=ROOT, env=env) for env in (plain, None)]
    assert chips[0] == chips[1], "one build for both: an instrumented one takes minutes"
    assert list(folder.glob("*.dat")) == []
