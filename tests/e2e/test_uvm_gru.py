"""The UVM environment of the GRU chip, run: the product passes, broken chips are caught by the boards without assertions, and a bad
environment never passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.uvm_gru_cases import CASES

from hwif.gen.gru import LAST_TLB_MUTANT, RtlMutant
from shootdown.regress.outcome import Outcome
from shootdown.regress.run import Run
from shootdown.regress.worker import play
from tb.plan import catalogue
from tb.uvm.build import build
from tb.uvm.gru.testlist import TESTS

SHORT = 0.2  # of the random tests' length
DIRECTED = {test.name for test in TESTS if test.name.startswith("gru_sd")}
QUICK = {"gru_random", "gru_reset", "gru_third_party", "gru_passive", "gru_sd2", "gru_sd3"}


@pytest.fixture(scope="module", autouse=True)
def simulator() -> Path:
    return build("gru")


def run(name: str, folder: Path, *, seed: int = 1, mutant: str = "", scale: float = SHORT) -> Outcome:
    """Without assertions: what is caught the boards catch."""
    return play(Run(catalogue.tests()[name], seed, mutant, scale, asserts=False), folder)


# ---- the product ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [pytest.param(test.name, marks=() if test.name in QUICK else pytest.mark.slow) for test in TESTS])
def test_it_passes(name: str, tmp_path: Path) -> None:
    outcome = run(name, tmp_path)
    assert outcome.passed, outcome.text
    assert outcome.result.items > 20
    said = [line for line in (tmp_path / "run.log").read_text().splitlines() if line.startswith(f"{name} ")]
    assert "begins: seed 1" in said[0] and "ends after" in said[-1], "the seed is said first and last"
    named = set(catalogue.tests()[name].groups)
    assert named <= set(catalogue.groups()) and set(outcome.result.coverage) >= named


def test_a_seed_is_a_run(tmp_path: Path) -> None:
    """The same seed sees the same; another one sees something else."""
    one, again = (run("gru_contexts", tmp_path / place, seed=5).result for place in ("one", "again"))
    other = run("gru_contexts", tmp_path / "other", seed=6).result
    assert one == again
    assert one.digest != other.digest


# ---- broken chips ------------------------------------------------------------------------------------------------

# The test that shows it, and what a board says first.
CAUGHT = {
    RtlMutant.ACK_EARLY: ("gru_storm", "SD-2"),
    RtlMutant.LATE_FILL: ("gru_commands", "drop-in"),
    RtlMutant.UNLOAD_BUSY: ("gru_contexts", "sync"),
    RtlMutant.NO_FMM_LOCK: ("gru_contexts", "lock"),
    RtlMutant.USE_DONE_EARLY: ("gru_storm", "SD-2"),
    RtlMutant.AXI_UNSTABLE: ("gru_pressure", "data"),
    RtlMutant.QUIET_LIE: ("gru_contexts", "error"),
    RtlMutant.IRQ_PULSE: ("gru_random", "irq"),
    RtlMutant.TWO_ACCESSES: ("gru_random", "protocol"),
    RtlMutant.FAULT_LOST: ("gru_random", "irq"),
    # Some of the TLB's, inside the chip.
    RtlMutant.SLOT_LATE: ("gru_storm", "SD-2"),
    RtlMutant.FILL_NOT_DROPPED: ("gru_sd3", "SD-3"),
    RtlMutant.LARGE_SURVIVES: ("gru_sd5", "SD-5"),
    RtlMutant.ZERO_IS_ALL: ("gru_sd6", "SD-6"),
    RtlMutant.DUP_UPGRADE: ("gru_sizes", "SD-7"),
    RtlMutant.MOD_LOST: ("gru_sd7", "write"),
    RtlMutant.SWEEP_STALLS: ("gru_sizes", "SD-4"),
    RtlMutant.SLOT_LEAK: ("gru_storm", "SD-8"),
}
SOON = {RtlMutant.ACK_EARLY, RtlMutant.LATE_FILL, RtlMutant.IRQ_PULSE, RtlMutant.FAULT_LOST, RtlMutant.FILL_NOT_DROPPED}


def test_every_variant_of_the_chip_is_accounted_for() -> None:
    assert set(CAUGHT) >= {mutant for mutant in RtlMutant if mutant > LAST_TLB_MUTANT}


@pytest.mark.parametrize(
    "mutant", [pytest.param(mutant, id=mutant.name, marks=() if mutant in SOON else pytest.mark.slow) for mutant in CAUGHT]
)
def test_the_boards_catch(mutant: RtlMutant, tmp_path: Path) -> None:
    name, rule = CAUGHT[mutant]
    outcome = run(name, tmp_path, mutant=mutant.name.lower(), scale=1.0)
    assert outcome.status == "fail", f"{outcome.status}: {outcome.text}"
    assert rule in {text.split(": ")[1] for text in outcome.result.objections}


# ---- the environment itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("Idle", "empty", "no check saw anything"),
        ("NoObjection", "empty", "no objection"),
        ("LoggedError", "fail", "only logged"),
        ("JudgeLogs", "fail", "logged by a judge"),
        ("ReportedError", "fail", "only reported"),
        ("Raises", "crash", "a defect of the environment"),
        ("WrongData", "fail", "data segment"),
        ("WrongPage", "fail", "no such translation"),
        ("NeverEnds", "fail", "no end after"),
        ("OneIsIdle", "fail", "no instruction of context"),
        ("BoardSleeps", "fail", "translations has seen nothing"),
    ],
)
def test_what_must_not_pass(name: str, status: str, said: str, tmp_path: Path) -> None:
    outcome = play(Run(CASES[name], 1, asserts=False), tmp_path)
    assert outcome.status == status, f"{outcome.status}: {outcome.text}"
    assert said in outcome.text
