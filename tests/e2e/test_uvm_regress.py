"""The UVM regression, run: the product passes, every broken TLB is caught by the scoreboard, and a bad environment never passes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.uvm_cases import CASES

from hwif.gen.gru import LAST_TLB_MUTANT, RtlMutant
from tb.plan.catalogue import tests
from tb.uvm import regress
from tb.uvm.build import build
from tb.uvm.launch import Launcher, Outcome, Task

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def simulator() -> Path:
    return build()


# ---- the product ------------------------------------------------------------------------------------------------------------


def test_every_test_passes_with_one_seed(simulator: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert regress.main(["--scale", "0.4", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert f"passed {len(tests())} of {len(tests())} (100 %)" in shown
    suite = ElementTree.parse(tmp_path / "results.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (str(len(tests())), "0", "0")
    coverage = json.loads((tmp_path / "coverage.json").read_text())
    assert coverage["total"] > 90 and coverage["hit"] >= 0.9 * coverage["total"], coverage["holes"]
    for log in sorted((tmp_path / "runs").glob("*/run.log")):
        lines = [line for line in log.read_text().splitlines() if "seed 1" in line]
        assert "begins" in lines[0] and "ends after" in lines[-1], "the seed is said first and last"


def test_a_seed_is_a_run(simulator: Path, tmp_path: Path) -> None:
    """The same seed sees the same; another one sees something else."""
    task = Task(tests()["tlb_races"], 5, scale=0.2)
    one, again = (Launcher(simulator, tmp_path / name, 120).run(task) for name in ("one", "again"))
    other = Launcher(simulator, tmp_path / "other", 120).run(Task(tests()["tlb_races"], 6, scale=0.2))
    assert one.status == again.status == other.status == "pass"
    assert one.result == again.result != other.result


@pytest.mark.slow
def test_many_seeds(simulator: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert regress.main(["--seeds", "6", "--out", str(tmp_path)]) == 0, capsys.readouterr().out
    coverage = json.loads((tmp_path / "coverage.json").read_text())
    assert coverage["holes"] == []


# ---- broken variants of the TLB ---------------------------------------------------------------------------------------------

# What the scoreboard says first about each, and the test that shows it soonest (with seed 1, or the third entry). There are no
# assertions in this build.
CAUGHT = {
    RtlMutant.ACK_BEFORE_DRAIN: ("tlb_storm", "SD-2"),
    RtlMutant.FILL_NOT_DROPPED: ("tlb_races", "SD-3"),
    RtlMutant.RANGE_SHORT: ("tlb_random", "SD-5"),
    RtlMutant.LARGE_SURVIVES: ("tlb_races", "SD-5"),
    RtlMutant.ASID_IGNORED: ("tlb_races", "SD-6"),
    RtlMutant.RACE_LOOKUP: ("tlb_races", "SD-2"),
    RtlMutant.DUP_UPGRADE: ("tlb_slow_fills", "SD-7"),
    RtlMutant.DUP_SIZES: ("tlb_sizes", "SD-7"),
    RtlMutant.RACE_FILL: ("tlb_races", "SD-3"),
    RtlMutant.SLOT_LATE: ("tlb_races", "SD-2"),
    RtlMutant.FILL_HIDES: ("tlb_slow_fills", "SD-5"),
    RtlMutant.NO_BYPASS: ("tlb_races", "SD-5"),
    RtlMutant.LOG_LAP: ("tlb_slow_fills", "SD-3"),
    RtlMutant.CTX_DRAIN: ("tlb_slow_fills", "SD-2"),
    RtlMutant.DRAIN_ALL: ("tlb_random", "SD-2"),
    RtlMutant.SWEEP_STALLS: ("tlb_sizes", "SD-4"),
    RtlMutant.MOD_LOST: ("tlb_crowded", "write"),
    RtlMutant.SLOT_SHORT: ("tlb_crowded", "SD-6"),
    RtlMutant.ASID_ZERO: ("tlb_random", "SD-5"),
    RtlMutant.DROP_ANY: ("tlb_races", "SD-3"),
    RtlMutant.SLOT_LEAK: ("tlb_crowded", "SD-8"),
    RtlMutant.PAGE_OFFSET: ("tlb_crowded", "hit"),
    RtlMutant.WRONG_REPORT: ("tlb_races", "SD-3"),
    RtlMutant.ACK_TWICE: ("tlb_slow_fills", "SD-2"),
    RtlMutant.LOST_ANSWER: ("tlb_crowded", "liveness"),
    RtlMutant.EDGE_OVERLAP: ("tlb_races", "SD-5"),
    RtlMutant.SIZE_LEVEL: ("tlb_races", "SD-5"),
    RtlMutant.TRAFFIC_SAVES: ("tlb_slow_fills", "SD-1"),
    RtlMutant.ZERO_IS_ALL: ("tlb_races", "SD-6"),
    RtlMutant.RANGE_LONG: ("tlb_scope", "SD-6", 2),
    RtlMutant.STICKY_MATCH: ("tlb_races", "SD-6"),
}
# The others are played by `make test-all`.
QUICK = {
    RtlMutant.ACK_BEFORE_DRAIN,
    RtlMutant.FILL_NOT_DROPPED,
    RtlMutant.RANGE_SHORT,
    RtlMutant.LARGE_SURVIVES,
    RtlMutant.ASID_IGNORED,
    RtlMutant.DUP_UPGRADE,
    RtlMutant.NO_BYPASS,
    RtlMutant.MOD_LOST,
    RtlMutant.DRAIN_ALL,
    RtlMutant.ZERO_IS_ALL,
}


def test_every_variant_is_accounted_for() -> None:
    assert set(CAUGHT) == {mutant for mutant in RtlMutant if 0 < mutant <= LAST_TLB_MUTANT}


@pytest.mark.parametrize(
    "mutant", [pytest.param(mutant, id=mutant.name, marks=() if mutant in QUICK else pytest.mark.slow) for mutant in CAUGHT]
)
def test_the_scoreboard_catches(mutant: RtlMutant, simulator: Path, tmp_path: Path) -> None:
    test, rule, *seed = CAUGHT[mutant]
    outcome = Launcher(simulator, tmp_path, 300).run(Task(tests()[test], *(seed or [1]), int(mutant)))
    assert outcome.status == "fail", f"{outcome.status}: {outcome.text}"
    assert rule in {text.split(": ")[1] for text in outcome.result.objections}


def test_a_broken_variant_fails_the_regression_with_one_command_to_play_it_again(
    simulator: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--test", "tlb_races", "--seed", "1", "--mutant", "ack_before_drain", "--out", str(tmp_path)]
    assert regress.main(options) == 1
    shown = capsys.readouterr().out
    assert "again: make regress TEST=tlb_races SEED=1 MUTANT=ack_before_drain" in shown
    suite = ElementTree.parse(tmp_path / "results.xml").getroot()
    failure = suite.find("testcase/failure")
    assert failure is not None and "SD-2" in (failure.get("message") or "")


# ---- the environment itself -------------------------------------------------------------------------------------------------


def case(name: str, simulator: Path, folder: Path, timeout: float = 120) -> Outcome:
    return Launcher(simulator, folder, timeout).run(Task(CASES[name], 1))


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("Idle", "empty", "saw nothing"),
        ("CountedError", "fail", "an error of the test's own"),
        ("LoggedError", "fail", "only logged"),
        ("Raises", "crash", "ValueError: a defect of the environment"),
    ],
)
def test_what_must_not_pass(name: str, status: str, said: str, simulator: Path, tmp_path: Path) -> None:
    outcome = case(name, simulator, tmp_path)
    assert (outcome.status, said in outcome.text) == (status, True), outcome.text


def test_a_run_that_hangs_is_ended(simulator: Path, tmp_path: Path) -> None:
    outcome = case("Hangs", simulator, tmp_path, timeout=3)
    assert outcome.status == "timeout" and "no end within" in outcome.text


def test_passive_agents_watch(simulator: Path, tmp_path: Path) -> None:
    """Nobody drives but the test itself; the monitors see it and the scoreboard judges it."""
    outcome = case("Watches", simulator, tmp_path)
    assert (outcome.status, outcome.result.items) == ("pass", 2), outcome.text


def test_a_simulator_that_dies_is_a_crash(tmp_path: Path) -> None:
    outcome = Launcher(Path("/bin/false"), tmp_path, 60).run(Task(tests()["tlb_random"], 1))
    assert outcome.status == "crash" and "exit status 1" in outcome.text


def test_interrupted_it_leaves_the_table_so_far_and_no_process(simulator: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tb.uvm.regress",
        "--jobs",
        "1",
        "--seeds",
        "3",
        "--test",
        "tlb_random",
        "--out",
        str(tmp_path),
    ]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_hear_interrupts,  # noqa: PLW1509 - nothing here has threads
    )
    assert process.stderr is not None
    while "[1/3]" not in (line := process.stderr.readline()):
        assert line, "it ended before the first run did"
    process.send_signal(signal.SIGINT)
    shown, said = process.communicate(timeout=120)
    assert process.returncode == 130
    ended = re.search(r"interrupted, ([12]) of 3 runs ended", said)
    assert ended and "Traceback" not in said, said
    assert f"passed {ended[1]} of {ended[1]} (100 %)" in shown
    assert (tmp_path / "results.xml").exists() and (tmp_path / "coverage.json").exists()
    assert not [entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and _works_in(entry, tmp_path)]


def _hear_interrupts() -> None:
    """A shell starts what runs in its background deaf to SIGINT, and children inherit that: so may these tests."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return Path(os.readlink(process / "cwd")).is_relative_to(folder)
    except OSError:  # gone, or not ours
        return False
