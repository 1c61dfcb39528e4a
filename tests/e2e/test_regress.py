"""The regression as a whole, on runs that need no simulator: every way to end, workers that die, full disks, interruptions."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psutil
import pytest
from support.regress_jobs import TESTS

from shootdown import cli
from shootdown.commands import regress as command
from shootdown.regress import code_coverage, engine, farm, plan, store
from shootdown.regress.outcome import Outcome, Status
from tb.plan.cover import GROUPS

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of support.regress_jobs; and whoever works on the sources meanwhile is no part of them."""
    monkeypatch.setattr(plan, "tests", lambda: TESTS)
    monkeypatch.setattr(store, "sources", lambda: "these")
    monkeypatch.setattr(command, "_page", lambda _out: None)  # it reads all sources; test_regress_page.py looks at it


def regress(out: Path, *arguments: str) -> int:
    return cli.run(["regress", "--no-coverage", "--jobs", "1", "--out", str(out), *arguments])


def named(*names: str) -> list[str]:
    return [word for name in names for word in ("--test", name)]


def outcome(out: Path, name: str) -> Outcome:
    return Outcome.read(out / "runs" / name / "outcome.json")


def summary(out: Path) -> dict[str, Any]:
    found = json.loads((out / "summary.json").read_text())
    assert isinstance(found, dict)
    return found


# ---- ends -------------------------------------------------------------------------------------------------------------------


def test_every_way_to_end_has_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [name for name in TESTS if name not in ("waits_for_a_file", "kills_its_worker", "objects_to_mutant", "counts")]
    assert regress(tmp_path, *named(*names), "--timeout", "4", "--jobs", "2") == 1
    expected = {
        "passes.1": (Status.PASS, ""),
        "passes.2": (Status.PASS, ""),
        "objects.1": (Status.FAIL, "cycle 7: SD-1: handle 1 hits"),
        "sees_nothing.1": (Status.EMPTY, "no check saw anything"),
        "logs.1": (Status.FAIL, "logged: somewhere.else"),
        "asserts.1": (Status.FAIL, "assertion top.u_block.u_props.sd_1_label: a text"),
        "raises.1": (Status.CRASH, "ValueError: a defect of the test"),
        "dies.1": (Status.CRASH, "SIGSEGV"),
        "hangs.1": (Status.TIMEOUT, "no end within"),
        "fills_the_disk.1": (Status.LOST, "File too large"),
    }
    found = {name: outcome(tmp_path, name) for name in expected}
    assert {name: (one.status, expected[name][1] in one.text) for name, one in found.items()} == {
        name: (status, True) for name, (status, _) in expected.items()
    }
    assert found["fills_the_disk.1"].attempts == 1 + farm.RETRIES, "no room may be a matter of the moment"
    for name in expected:
        if not name.startswith("fills"):
            lines = (tmp_path / "runs" / name / "run.log").read_text().splitlines()
            seed = name.split(".")[1]
            assert f"seed {seed}: begins" in lines[0] and f"seed {seed}: " in lines[-1] and "again: make regress" in lines[-1]
    # What hung is gone, and what it had started.
    assert not psutil.pid_exists(int((tmp_path / "runs" / "hangs.1" / "child").read_text()))

    said = summary(tmp_path)
    assert (said["tests"], said["passed"], said["failed"], said["planned"]) == (10, 2, 8, 10)
    assert said["statuses"] == {"pass": 2, "fail": 3, "empty": 1, "crash": 2, "timeout": 1, "lost": 1}
    suite = ElementTree.parse(tmp_path / "results.xml").getroot()
    assert [suite.get(key) for key in ("tests", "failures", "errors")] == ["10", "3", "5"]
    shown = capsys.readouterr().out
    assert "passed 2 of 10 (20 %)" in shown and "again: make regress TEST=objects SEED=1" in shown
    assert json.loads((tmp_path / "functional.json").read_text())["tlb edge"]["no context"] == 6, "added up over runs"


def test_all_passed_is_status_0_and_json_is_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert regress(tmp_path, "--json", "--rule", "SD-1", "--test", "pass*", "--seeds", "3") == 0
    said = json.loads(capsys.readouterr().out)
    assert said == summary(tmp_path)
    assert (said["tests"], said["seeds"], said["missed"]) == (3, {"passes": [1, 2, 3]}, {})
    assert set(said["coverage"]) == {"functional", "line", "toggle", "assertion"} and 0 < said["coverage"]["functional"] < 1


def test_a_goal_that_is_missed_fails_the_whole_set_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plan, "tests", lambda: {"passes": TESTS["passes"]})
    assert regress(tmp_path) == 1
    assert summary(tmp_path)["failed"] == 0 and set(summary(tmp_path)["missed"]) == {"functional"}
    shown = capsys.readouterr().out
    assert "goal missed: functional" in shown and "holes: " in shown
    assert regress(tmp_path, "--set", "smoke") == 0, "a part of the runs has no goals"
    assert summary(tmp_path)["goals"] == {}


def test_a_stale_exclusion_fails_the_whole_set_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what was counted is there for lcov, line by line."""
    monkeypatch.setattr(plan, "tests", lambda: {"counts": TESTS["counts"]})
    monkeypatch.setattr(plan, "groups", dict)
    monkeypatch.setattr(command.summary, "GOALS", {"line": 0.5})
    exclusions = tmp_path / "exclusions.toml"
    monkeypatch.setattr(code_coverage, "SHIPPED", exclusions)
    asked = ["regress", "--set", "full", "--out", str(tmp_path), "--jobs", "1"]
    exclusions.write_text('exclude = [{ file = "rtl/gone.sv", signal = "*", reason = "a file that is gone" }]')
    assert cli.run(asked) == 1
    found = summary(tmp_path)
    assert (found["failed"], found["missed"], found["coverage"]["line"]) == (0, {}, 0.5)
    assert found["problems"] == [
        "counted and nowhere declared: tlb edge: no context",
        "stale exclusion: rtl/gone.sv, signal '*': it matches nothing",
    ]
    assert "problem: stale exclusion: rtl/gone.sv" in capsys.readouterr().out
    records = (tmp_path / "coverage.info").read_text().splitlines()
    assert [line for line in records if line[:2] in ("SF", "DA")] == [f"SF:{ROOT}/rtl/common/plru_tree.sv", "DA:22,3", "DA:23,0"]

    monkeypatch.setattr(plan, "groups", lambda: {"tlb edge": GROUPS["tlb edge"]})
    asked += ["--resume"]
    assert cli.run([*asked, "--test", "counts"]) == 0, "a part cannot tell"
    assert cli.run(asked) == 1
    exclusions.write_text("exclude = []")
    assert cli.run(asked) == 0 and summary(tmp_path)["problems"] == []


def test_a_run_without_an_outcome_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "play", lambda *_arguments: iter(()))
    monkeypatch.setattr(command, "Farm", lambda _place: contextlib.nullcontext())
    assert regress(tmp_path, *named("passes")) == 1
    assert summary(tmp_path)["problems"] == ["2 runs left no outcome"] and summary(tmp_path)["failed"] == 0


def test_the_printed_command_plays_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    options = ["--mutant", "range_short", "--scale", "0.3", "--seed", "11"]
    assert regress(first, *named("objects_to_mutant"), *options) == 1
    command = re.search(r"again: (make regress .*)", capsys.readouterr().out)
    assert command is not None
    dry = subprocess.run([*command[1].split(), "-n", f"OUT={again}"], cwd=ROOT, capture_output=True, text=True, check=True)
    words = next(line for line in dry.stdout.splitlines() if "shootdown regress" in line).split("shootdown regress ")[1]
    assert cli.run(["regress", "--no-coverage", *words.replace("'", "").split()]) == 1
    one, other = outcome(first, "objects_to_mutant.11"), outcome(again, "objects_to_mutant.11")
    assert one.result.digest and one.result == other.result


# ---- the farm's troubles ----------------------------------------------------------------------------------------------------


def test_a_worker_that_dies_costs_an_attempt(tmp_path: Path) -> None:
    assert regress(tmp_path, *named("kills_its_worker", "passes"), "--jobs", "2") == 0
    assert outcome(tmp_path, "kills_its_worker.1").attempts == 2


def test_a_disk_that_is_full_for_a_moment_costs_an_attempt(tmp_path: Path) -> None:
    """What the engine itself cannot write is no end of the regression either."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "passes.1").touch()  # a file where a folder must be
    assert regress(tmp_path, *named("passes"), "--resume") == 1
    lost = summary(tmp_path)
    assert lost["statuses"] == {"pass": 1, "lost": 1} and "exists" in lost["failures"][0]["first"]


def test_a_build_that_fails_loses_its_runs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(TESTS["passes"], name="broken", target="support.no_such_module:passes")
    monkeypatch.setattr(plan, "tests", lambda: {"broken": broken, "passes": TESTS["passes"]})
    assert regress(tmp_path, "--set", "full") == 1
    assert [outcome(tmp_path, f"broken.{seed}").status for seed in (1, 2)] == [Status.LOST] * 2
    assert "support.no_such_module could not be built: No module named" in outcome(tmp_path, "broken.1").text
    assert outcome(tmp_path, "passes.2").passed


# ---- interrupted and resumed ------------------------------------------------------------------------------------------------


def started(out: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "support.regress_jobs", "--no-coverage", "--out", str(out), *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - nothing here has threads
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_keeps_what_has_ended_and_resumes(number: signal.Signals, tmp_path: Path) -> None:
    asked = [*named("passes", "waits_for_a_file"), "--seeds", "2"]
    process = started(tmp_path, *asked)
    waiting = [tmp_path / "runs" / f"waits_for_a_file.{seed}" / "here" for seed in (1, 2)]
    ended = [tmp_path / "runs" / f"passes.{seed}" / "outcome.json" for seed in (1, 2)]
    deadline = time.monotonic() + 100
    while not all(path.exists() for path in (*waiting, *ended)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    before = [path.stat().st_mtime_ns for path in ended]
    process.send_signal(number)
    shown, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said, said
    assert re.search(r"interrupted, [012] of 4 runs ended", said)
    assert summary(tmp_path)["interrupted"] is True and "passed" in shown
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(one.info["cmdline"] or [])]
    if number == signal.SIGTERM:
        return  # as the other goes on

    (tmp_path / "go").touch()
    process = started(tmp_path, *asked, "--resume")
    shown, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    assert "2 of 4 runs have ended already" in said and "passed 4 of 4 (100 %)" in shown
    assert [path.stat().st_mtime_ns for path in ended] == before


def test_only_what_ended_the_same_way_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = tmp_path / "runs" / "passes.1" / "run.log"
    assert regress(tmp_path, *named("passes")) == 0
    first = begun.stat().st_mtime_ns
    assert regress(tmp_path, *named("passes"), "--resume") == 0 and begun.stat().st_mtime_ns == first
    assert regress(tmp_path, *named("passes"), "--resume", "--scale", "2") == 0
    second = begun.stat().st_mtime_ns
    assert second != first, "another length is another run"
    monkeypatch.setattr(store, "sources", lambda: "changed")
    assert regress(tmp_path, *named("passes"), "--resume", "--scale", "2") == 0
    assert begun.stat().st_mtime_ns != second, "so are other sources"
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 4


def test_the_longest_runs_first(tmp_path: Path) -> None:
    from shootdown.regress.run import Run  # noqa: PLC0415

    kept = store.Store(tmp_path)
    runs = [Run(TESTS["passes"], seed) for seed in (1, 2, 3)]
    kept.begin(runs, resume=False)
    kept.remember([engine._lost(run, tmp_path / "x", "no") for run in runs])
    (tmp_path / "durations.json").write_text(json.dumps({"passes.1": 2.5, "passes.2": 9.0}))
    assert [run.seed for run in kept.longest_first(runs)] == [2, 3, 1], "unknown: a tenth of its limit"


# ---- other farms ------------------------------------------------------------------------------------------------------------


def test_a_scheduler_that_is_there(tmp_path: Path) -> None:
    import distributed  # noqa: PLC0415

    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster:  # type: ignore[no-untyped-call,unused-ignore]
        for out in ("one", "two"):
            assert regress(tmp_path / out, *named("passes"), "--farm", cluster.scheduler_address) == 0
    assert summary(tmp_path / "two")["farm"].startswith("tcp://")


SBATCH = """#!/bin/sh
mkdir -p {folder}; cp "$1" {folder}/job.$$; setsid sh {folder}/job.$$ > {folder}/log.$$ 2>&1 &
echo "Submitted batch job $!"
"""
"""Takes a copy, as Slurm's does: the script is gone when the command has answered."""
SCANCEL = '#!/bin/sh\nfor job in "$@"; do kill -- -$job; done 2>/dev/null\n'
SLURM = ["--farm", "slurm", "--farm-option", "queue=short", "--farm-option", "walltime=00:10:00", "--jobs", "2"]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Slurm's two commands, played by shell scripts. Where the scripts of jobs are kept."""
    folder = tmp_path / "slurm"
    for name, text in (("sbatch", SBATCH.format(folder=folder)), ("scancel", SCANCEL)):
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(text)
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    return folder


def test_a_batch_system(tmp_path: Path, slurm: Path) -> None:
    """What is submitted is what Slurm would run."""
    assert regress(tmp_path / "out", *named("passes"), *SLURM) == 0
    jobs = [path.read_text() for path in slurm.glob("job.*")]
    assert len(jobs) == 2 and all("#SBATCH -p short" in job and "#SBATCH -t 00:10:00" in job for job in jobs)


def test_a_batch_job_that_ends_early_is_replaced(tmp_path: Path, slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(farm.SETTINGS, "distributed.deploy.lost-worker-timeout", "0.2s")
    kills = replace(TESTS["passes"], name="kills", target="support.regress_jobs:kills_its_batch_job", seeds=1)
    monkeypatch.setattr(plan, "tests", lambda: {"kills": kills})
    assert regress(tmp_path / "out", *named("kills"), *SLURM[:-1], "1") == 0
    assert outcome(tmp_path / "out", "kills.1").attempts == 2
    assert len(list(slurm.glob("job.*"))) == 2


def test_a_batch_system_that_starts_nothing(tmp_path: Path, slurm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/sh\necho Submitted batch job 17\n")
    assert regress(tmp_path / "out", *named("passes"), *SLURM, "--farm-wait", "0.5") == 2
    assert "--farm slurm: no worker came within 0.5 s; the batch system's queue says why" in capsys.readouterr().err
    assert regress(tmp_path / "out", *named("passes"), *SLURM, "--farm-wait", "0") == 2
    assert "--farm-wait 0: must be positive" in capsys.readouterr().err
