"""`shootdown scenarios`: what it prints, what it leaves, its exit statuses. The rig is stood in for where no device is needed."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.results import clean_result

from shootdown import cli
from shootdown.commands import scenarios as command
from shootdown.result import ChainRow, Column, CosimConfig, ProgressUpdate, RunResult, ViolationReport
from shootdown.scenario_index import describe, names
from sw_stack.sched import RecordedChooser, SeededChooser

Progress = Callable[[ProgressUpdate], None]
Run = Callable[[CosimConfig], RunResult]
KEYS = {"seed", "backend", "mutant", "clean", "total", "scenarios"}
ROW_KEYS = {
    "device",
    *("name", "title", "verdict", "cycles", "skipped_cycles", "translations", "faults", "shootdowns", "dropins_dropped"),
    *("races", "digest", "wall_s", "failures", "stalled", "report"),
}


def result(config: CosimConfig) -> RunResult:
    """A clean run of a scenario."""
    plain = clean_result(config.out)
    return replace(plain, config=config, program=config.scenario or "", workload={"rounds": 9, "met_before": 3, "met_fault_cow": 4})


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], list[CosimConfig]]:
    """Puts a function in the place of the rig; the configurations it is asked for."""

    def stand_in(make: Run) -> list[CosimConfig]:
        asked: list[CosimConfig] = []

        def run(config: CosimConfig, progress: Progress, *, waves: bool = True) -> RunResult:
            asked.append(config)
            progress(ProgressUpdate("build"))
            progress(ProgressUpdate("run", 1, 2, 100))
            assert waves == (config.out != Path())
            return make(config)

        module = types.ModuleType("shootdown.rig")
        module.run = run  # type: ignore[attr-defined]
        module.check_mutant = lambda _config: None  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "shootdown.rig", module)
        return asked

    return stand_in


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of bad input."""
    out, err = capsys.readouterr()
    assert len(err.strip().splitlines()) == 1 and err.startswith("shootdown: ") and out == ""
    return err


# ---- list ------------------------------------------------------------------------------------------------------------------


def test_list_names_every_scenario_and_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["scenarios", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == names()
    assert all(describe(line.split()[0])["title"] in line for line in lines)


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["scenarios", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == names()
    keys = {"name", "device", "title", "description", "frames"}
    assert all(set(row) == keys | ({"control_blocks"} if row["device"] == "gru" else set()) for row in rows)


# ---- run -------------------------------------------------------------------------------------------------------------------


def test_a_line_a_scenario(rig: Callable[[Run], list[CosimConfig]], capsys: pytest.CaptureFixture[str]) -> None:
    asked = rig(result)
    assert cli.run(["scenarios", "run", "fork_cow", "asid_wrap", "fork_cow", "--seed", "7", "--backend", "model"]) == 0
    assert [(config.scenario, config.seed, config.backend, config.trace) for config in asked] == [
        ("fork_cow", 7, "model", None),
        ("asid_wrap", 7, "model", None),
    ]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "seed 7: 2 scenarios against gru (model)" and lines[-1] == "seed 7: 2 of 2 clean"
    (row,) = [line for line in lines if line.startswith("fork_cow")]
    assert row.split()[1] == "clean" and row.endswith("before 3, fault cow 4") and "12,345,678" in row


def test_all_means_every_one(rig: Callable[[Run], list[CosimConfig]]) -> None:
    asked = rig(result)
    assert cli.run(["scenarios", "run", "all"]) == 0
    assert [config.scenario for config in asked] == names()


def failing(config: CosimConfig) -> RunResult:
    chain = (ChainRow(41, Column.CPU0, "munmap 0x1000"), ChainRow(50, Column.DEVICE, "CB 0: read of 0x1000, frame 3: REVOKED"))
    found = ViolationReport(50, "REVOKED", "read of va 0x1000", chain)
    return replace(result(config), violations=(found,)) if config.scenario == "fork_cow" else result(config)


def test_a_failure_is_explained_and_the_others_go_on(
    rig: Callable[[Run], list[CosimConfig]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = rig(failing)
    out = tmp_path / "races"
    assert cli.run(["scenarios", "run", "fork_cow", "asid_wrap", "--mutant", "no_flush", "--out", str(out)]) == 1
    text = capsys.readouterr().out
    assert "REVOKED at cycle 50: read of va 0x1000" in text and "seed 1: 1 of 2 clean" in text
    assert "munmap 0x1000" in text and "CPU 0" in text and "device" in text
    assert "again: shootdown scenarios run fork_cow --seed 1 --mutant no_flush" in text
    assert len(asked) == 2 and all(config.mutant == "no_flush" for config in asked)
    assert asked[0].record_schedule == out / "fork_cow" / command.SCHEDULE
    for name in ("fork_cow", "asid_wrap"):
        assert (out / name / "index.html").exists() and (out / name / "summary.json").exists()


def test_a_race_that_was_not_met_is_said(rig: Callable[[Run], list[CosimConfig]], capsys: pytest.CaptureFixture[str]) -> None:
    missed = ViolationReport(9, "NOT_MET", "race 'during' not met: 0 times, needs 1: this run proves nothing")
    rig(lambda config: replace(result(config), data_failures=(missed,)))
    assert cli.run(["scenarios", "run", "fork_cow"]) == 1
    assert "  NOT_MET: race 'during' not met" in capsys.readouterr().out


def test_as_json(rig: Callable[[Run], list[CosimConfig]], capsys: pytest.CaptureFixture[str]) -> None:
    rig(failing)
    assert cli.run(["scenarios", "run", "fork_cow", "asid_wrap", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert set(found) == KEYS and (found["clean"], found["total"], found["seed"], found["mutant"]) == (1, 2, 1, None)
    first, second = found["scenarios"]
    assert set(first) == ROW_KEYS
    assert first["verdict"] == "violation" and first["failures"] == [{"cycle": 50, "rule": "REVOKED", "what": "read of va 0x1000"}]
    assert second["verdict"] == "clean" and second["races"] == {"before": 3, "fault_cow": 4}


def test_an_interruption_ends_the_list(rig: Callable[[Run], list[CosimConfig]], capsys: pytest.CaptureFixture[str]) -> None:
    asked = rig(lambda config: replace(result(config), interrupted=True))
    assert cli.run(["scenarios", "run", "all"]) == 130
    assert len(asked) == 1

    def stop(config: CosimConfig) -> RunResult:
        raise KeyboardInterrupt

    rig(stop)
    assert cli.run(["scenarios", "run", "all"]) == 130
    assert "interrupted" in capsys.readouterr().out


# ---- bad input -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["dropin_shotdown"], "try dropin_shootdown"),
        (["fork_cow", "zzzz"], "scenario zzzz: there is no such scenario"),
        (["fork_cow", "--backend", "fpga"], "choose native or cocotb or model"),
        (["fork_cow", "--seed", "-1"], "must be at least 0"),
        (["fork_cow", "--schedule", "nowhere.gz"], "no such schedule file"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["scenarios", "run", *arguments]) == 2
    assert expected in said(capsys)


def test_an_output_that_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    assert cli.run(["scenarios", "run", "fork_cow", "--out", str(tmp_path / "file")]) == 2
    assert "cannot write the report there" in said(capsys)


def test_a_mutant_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["scenarios", "run", "fork_cow", "--mutant", "no_flsh"]) == 2
    assert "try no_flush" in said(capsys)


def test_a_mutant_the_backend_cannot_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["scenarios", "run", "fork_cow", "--mutant", "range_short", "--backend", "model"]) == 2
    assert "use --backend native or cocotb" in said(capsys)


# ---- schedules -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    path = tmp_path / "schedule.gz"
    chooser = RecordedChooser(SeededChooser(5), path, {"scenario": "fork_cow", "seed": 5, "mutant": None})
    chooser.choose("tie", 2)
    chooser.close()
    return path


def test_a_schedule_fixes_the_seed(rig: Callable[[Run], list[CosimConfig]], schedule: Path) -> None:
    asked = rig(result)
    assert cli.run(["scenarios", "run", "fork_cow", "--schedule", str(schedule)]) == 0
    assert (asked[0].seed, asked[0].schedule, asked[0].record_schedule) == (5, schedule, None)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["asid_wrap"], "recorded with fork_cow, not with asid_wrap"),
        (["all"], "a schedule is of one scenario"),
        (["fork_cow", "--seed", "6"], "leave out --seed"),
        (["fork_cow", "--mutant", "no_flush"], "leave out --mutant"),
    ],
)
def test_a_schedule_of_another_run(arguments: list[str], expected: str, schedule: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["scenarios", "run", *arguments, "--schedule", str(schedule)]) == 2
    assert expected in said(capsys)


def test_a_recorded_schedule_is_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the real device: recorded, then replayed."""
    out = tmp_path / "out"
    assert cli.run(["scenarios", "run", "write_clean_entry", "--seed", "3", "--out", str(out), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["scenarios"][0]
    path = out / "write_clean_entry" / command.SCHEDULE
    assert cli.run(["scenarios", "run", "write_clean_entry", "--schedule", str(path), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)["scenarios"][0]
    assert (again["digest"], again["cycles"]) == (first["digest"], first["cycles"])
