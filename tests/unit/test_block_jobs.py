"""Runs of block tests: what the job runner promises, one short run of every bench, and broken variants that each must notice.

The whole profiles are the regression's; here they are a tenth as long.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hwif.gen.hca import HcaMutant
from tb.block import job
from tb.block.testlist import TESTS
from tb.plan.run import RunConfig, RunResult
from tb.plan.test import Kind
from tb.toolchain import ROOT, verilator_root

BLOCKS = {test.name: test for test in TESTS if test.kind is Kind.BLOCK}


def play(folder: Path, name: str, *, target: str = "", seed: int = 1, scale: float = 0.1, mutant: int = 0) -> tuple[int, Path]:
    """A run by the runner's command line; its exit status and its result's file."""
    config, result = folder / f"{name}.config", folder / f"{name}.json"
    config.write_text(RunConfig(name, seed, str(result), mutant, scale).dump())
    return job.main([str(config), target or BLOCKS[name].target]), result


# ---- the runner ---------------------------------------------------------------------------------------------------------------


def made(monkeypatch: pytest.MonkeyPatch, result: RunResult | Exception) -> str:
    """A target that gives this result or raises."""

    def function(_config: RunConfig) -> RunResult:
        if isinstance(result, Exception):
            raise result
        return result

    module = ModuleType("made_up")
    module.__dict__["function"] = function
    monkeypatch.setitem(sys.modules, "made_up", module)
    return "made_up:function"


@pytest.mark.parametrize(
    ("result", "status"),
    [(RunResult(9, 5), 0), (RunResult(9, 0), job.FAILED), (RunResult(9, 5, 1, ["cycle 3: SD-1: old"]), job.FAILED)],
    ids=["good", "empty", "objection"],
)
def test_exit_status_says_whether_it_passed(
    result: RunResult, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    got, path = play(tmp_path, "any", target=made(monkeypatch, result), seed=77)
    assert got == status
    assert RunResult.read(path) == result
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[-1]
    assert "seed 77" in lines[0]
    assert all(text in lines for text in result.objections)


def test_exception_is_a_crash_with_its_text_and_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "any.json").write_text("of an earlier run")
    got, path = play(tmp_path, "any", target=made(monkeypatch, RuntimeError("the bench is broken")))
    assert got == job.CRASHED
    assert not path.exists()
    lines = capsys.readouterr().out.splitlines()
    assert "RuntimeError: the bench is broken" in lines
    assert lines[0] == lines[-1] != ""


def test_target_that_is_not_there_is_a_crash(tmp_path: Path) -> None:
    assert play(tmp_path, "any", target="tb.hca_xlt.job:nothing")[0] == job.CRASHED


def test_command_line_of_a_process_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(RunConfig("hca_xlt_plain", 3, str(tmp_path / "result"), scale=0.05).dump())
    command = [sys.executable, "-m", "tb.block.job", str(config), BLOCKS["hca_xlt_plain"].target]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "result").read_text())["items"] > 0


# ---- the benches --------------------------------------------------------------------------------------------------------------

ONE_OF_EACH = ("hca_xlt_plain", "hca_mmu_plain", "hca_tx_trouble", "hca_stores_64")


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_short_run_finds_nothing_and_is_the_same_again(name: str, tmp_path: Path) -> None:
    first = play(tmp_path, name)
    assert first[0] == 0
    found = RunResult.read(first[1])
    assert set(found.coverage) == set(BLOCKS[name].groups)
    play(tmp_path, name)
    assert RunResult.read(first[1]) == found
    play(tmp_path, name, seed=2)
    assert RunResult.read(first[1]).digest != found.digest


CAUGHT = {
    "hca_xlt_storms": [HcaMutant.RANGE_SHORT, HcaMutant.HELD_SURVIVES, HcaMutant.SHOOT_FULL_ACK],
    "hca_xlt_races": [HcaMutant.RACE_WALK],
    "hca_xlt_upgrades": [HcaMutant.UPGRADE_KEPT],
    "hca_xlt_everywhere": [HcaMutant.PD_IGNORED, HcaMutant.KEY_KEPT],
    "hca_caches_64_4_16": [HcaMutant.KEY_IGNORED, HcaMutant.LARGE_SURVIVES],
    "hca_qp_wide": [HcaMutant.DUP_EXECUTED, HcaMutant.RESUME_FORGOTTEN],
    "hca_mmu_races": [HcaMutant.ACK_BEFORE_DRAIN, HcaMutant.FENCE_FIRST, HcaMutant.LATE_WRITE],
    "hca_mmu_faults": [HcaMutant.STALE_TOKEN, HcaMutant.RESUME_FORGOTTEN, HcaMutant.FAULT_TWICE, HcaMutant.INDEX_FIRST],
    "hca_mmu_tiny_queues": [HcaMutant.RECORD_LOST],
}


@pytest.mark.parametrize(("name", "mutant"), [(name, mutant) for name, mutants in CAUGHT.items() for mutant in mutants])
def test_broken_variant_is_an_objection(name: str, mutant: HcaMutant, tmp_path: Path) -> None:
    status, path = play(tmp_path, name, mutant=mutant, scale=0.5)
    assert status == job.FAILED
    found = RunResult.read(path)
    assert found.errors > 0
    assert found.objections


# ---- parameters ---------------------------------------------------------------------------------------------------------------

ILLEGAL = {
    "hca_xlt_cache": [{"Ways": 3}, {"Ways": 1}, {"Entries": 24}, {"Entries": 4}],
    "hca_xlt_mpt": [{"Entries": 1}, {"Entries": 48}, {"Entries": 4096}],
    "hca_xlt_inval": [{"Sets": 12}],
    "hca_axi": [{"NumRd": 1}, {"NumWr": 1}, {"MaxOutstanding": 0}],
    "hca_link": [{"Depth": 2}, {"Depth": 12}],
    "hca_events": [{"Depth": 1}, {"Depth": 6}],
    "hca_counters": [{"Sources": 0}],
    "hca_fault_line": [{"Ids": 1}, {"Ids": 12}],
    "hca_qp_fifo": [{"Depth": 12}],
    "hca_qp_queue": [{"Depth": 2}, {"Depth": 6}],
    "hca_tx_read": [{"Depth": 64}, {"Depth": 384}],
}


def elaborate(top: str, **parameters: int) -> str:
    """What Verilator says of a block with these parameters; "" if it takes them."""
    rtl = ROOT / "rtl"
    packages = [rtl / "hca" / f"{name}_pkg.sv" for name in ("gen/hca", "hca_int", "hca_xlt", "hca_tx", "hca_qp")]
    command = [
        str(verilator_root() / "bin" / "verilator"),
        "--lint-only",
        "-Wno-fatal",
        "-Wno-lint",
        "-Wno-style",
        "-Werror-USERERROR",
    ]
    command += [f"-G{name}={value}" for name, value in parameters.items()]
    command += [
        "-y",
        str(rtl / "common"),
        "-y",
        str(rtl / "hca"),
        "--top-module",
        top,
        *map(str, packages),
        str(rtl / f"hca/{top}.sv"),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"VERILATOR_ROOT": str(verilator_root()), "PATH": "/usr/bin:/bin"}
    )
    return "" if done.returncode == 0 else done.stderr


@pytest.mark.parametrize(("top", "parameters"), [(top, given) for top, each in ILLEGAL.items() for given in each])
def test_illegal_parameter_is_refused_with_a_message(top: str, parameters: dict[str, int]) -> None:
    said = elaborate(top, **parameters)
    assert re.search(rf"%Error.*{top}: |{top}: .*(must|at least)", said), said or "it was taken"


@pytest.mark.parametrize("top", ILLEGAL)
def test_default_parameters_are_taken(top: str) -> None:
    assert elaborate(top) == ""
