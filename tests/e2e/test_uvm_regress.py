"""The UVM tests of the TLB, run: the product passes, every broken TLB is caught by the scoreboard, and a bad environment never
passes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.uvm_cases import CASES

from hwif.gen.gru import LAST_TLB_MUTANT, RtlMutant
from shootdown import cli
from shootdown.regress import commands
from shootdown.regress.outcome import Outcome, Status
from shootdown.regress.run import Run
from shootdown.regress.worker import play
from tb.plan.test import Tier
from tb.toolchain import BuildError, check_tools
from tb.uvm.tlb import testlist
from tb.uvm.tlb.points import ALL

TESTS = {test.name: test for test in testlist.TESTS}


# ---- the product ------------------------------------------------------------------------------------------------------------


def test_every_test_passes_with_one_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the assertions of the RTL; their simulator is the regression's own."""
    assert cli.run(["regress", "--test", "tlb_*", "--seed", "1", "--scale", "0.4", "--no-coverage", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    played = sum(test.tier is not Tier.FULL for test in TESTS.values())
    assert f"passed {played} of {played} (100 %)" in shown
    suite = ElementTree.parse(tmp_path / "results.xml").getroot()
    assert [suite.get(key) for key in ("tests", "failures", "errors")] == [str(played), "0", "0"]
    counts = json.loads((tmp_path / "functional.json").read_text())
    bins = {f"{group.name}: {name}": counts[group.name][name] for group in ALL for name in group.bins}
    assert sum(map(bool, bins.values())) >= 0.9 * len(bins), [name for name, times in bins.items() if not times]
    for log in sorted((tmp_path / "runs").glob("*/run.log")):
        lines = [line for line in log.read_text().splitlines() if "seed 1" in line]
        assert "begins" in lines[0] and ": pass (again: make regress TEST=" in lines[-1], "the seed is said first and last"


def test_a_seed_is_a_run(tmp_path: Path) -> None:
    """The same seed sees the same; another one sees something else."""
    one, again = (play(Run(TESTS["tlb_races"], 5, scale=0.2, asserts=False), tmp_path / name) for name in ("one", "again"))
    other = play(Run(TESTS["tlb_races"], 6, scale=0.2, asserts=False), tmp_path / "other")
    assert one.status is again.status is other.status is Status.PASS
    assert one.result == again.result != other.result and one.result.digest


def test_assertions_do_not_change_what_a_seed_is(tmp_path: Path) -> None:
    """What a failure prints may be played in another build."""
    bare, checked = (
        play(Run(TESTS["tlb_races"], 5, scale=0.2, asserts=asserts), tmp_path / str(asserts)) for asserts in (False, True)
    )
    assert bare.result == checked.result


@pytest.mark.slow
def test_many_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["regress", "--test", "tlb_*", "--seeds", "6", "--no-coverage", "--out", str(tmp_path)]) == 0, (
        capsys.readouterr()
    )
    counts = json.loads((tmp_path / "functional.json").read_text())
    assert [name for group in ALL for name in group.bins if not counts[group.name][name]] == []


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
def test_the_scoreboard_catches(mutant: RtlMutant, tmp_path: Path) -> None:
    test, rule, *seed = CAUGHT[mutant]
    outcome = play(Run(TESTS[test], *(seed or [1]), mutant.name.lower(), asserts=False), tmp_path)
    assert outcome.status is Status.FAIL, f"{outcome.status}: {outcome.text}"
    assert rule in {text.split(": ")[1] for text in outcome.result.objections}


def test_an_assertion_stops_a_run_and_is_the_first_thing_to_read(tmp_path: Path) -> None:
    """Its text stands only in the log: the simulator is gone before the test can say anything."""
    outcome = play(Run(TESTS["tlb_races"], 1, "ack_before_drain"), tmp_path)
    assert outcome.status is Status.FAIL and outcome.text.startswith("assertion ") and "sd_2_ack_after_last_use" in outcome.text
    assert outcome.command == "make regress TEST=tlb_races SEED=1 MUTANT=ack_before_drain"


# ---- the environment itself -------------------------------------------------------------------------------------------------


def case(name: str, folder: Path, seconds: float = 120) -> Outcome:
    return play(Run(CASES[name], 1, seconds=seconds, asserts=False), folder)


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("Idle", Status.EMPTY, "no check saw anything"),
        ("CountedError", Status.FAIL, "an error of the test's own"),
        ("LoggedError", Status.FAIL, "only logged"),
        ("LogsElsewhere", Status.FAIL, "logged by no component"),
        ("NoObjection", Status.EMPTY, "raised no objection"),
        ("Raises", Status.CRASH, "ValueError: a defect of the environment"),
    ],
)
def test_what_must_not_pass(name: str, status: Status, said: str, tmp_path: Path) -> None:
    outcome = case(name, tmp_path)
    assert (outcome.status, said in outcome.text) == (status, True), outcome.text


def test_a_run_that_hangs_is_ended(tmp_path: Path) -> None:
    outcome = case("Hangs", tmp_path, seconds=3)
    assert outcome.status is Status.TIMEOUT and "no end within" in outcome.text


def test_passive_agents_watch(tmp_path: Path) -> None:
    """Nobody drives but the test itself; the monitors see it and the scoreboard judges it."""
    outcome = case("Watches", tmp_path)
    assert (outcome.status, outcome.result.items) == (Status.PASS, 2), outcome.text


def test_a_run_whose_simulator_is_not_built_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise BuildError("verilator failed: %Error: no such module")

    monkeypatch.setattr(commands, "build", broken)
    outcome = case("Idle", tmp_path)
    assert outcome.status is Status.LOST and "no such module" in outcome.text


def test_a_failure_leaves_a_waveform(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where one can be written."""
    try:
        check_tools(waves=True)
    except BuildError as error:
        pytest.skip(str(error))
    options = ["--test", "tlb_races", "--seed", "1", "--scale", "0.2", "--mutant", "ack_before_drain", "--no-coverage"]
    assert cli.run(["regress", *options, "--out", str(tmp_path)]) == 1
    waves = tmp_path / "runs" / "tlb_races.1" / "waves.fst"
    assert waves.stat().st_size > 1000 and f"waves: {waves}" in capsys.readouterr().out
