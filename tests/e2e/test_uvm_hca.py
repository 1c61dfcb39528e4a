"""The UVM tests of the HCA as a chip, run: the product passes, broken variants and broken environments are caught by the boards
alone (there are no assertions in this build), and every cover bin is met."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.uvm_hca_cases import CASES

from hwif.gen.hca import HcaMutant
from shootdown.regress.outcome import Outcome, Status
from shootdown.regress.run import Run
from shootdown.regress.worker import play
from tb.uvm.hca import testlist
from tb.uvm.hca.points import ALL

TESTS = {test.name: test for test in testlist.TESTS}
QUICK = ("hca_mixed", "hca_backpressure", "hca_third_party", "hca_passive", "hca_registers", "hca_fault_line", "hca_peer_answers")
"""What `make test` plays; the others are played with all their seeds by `make regress`."""


def runs(asked: Iterable[Run], folder: Path) -> list[Outcome]:
    """Two at once."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda run: play(run, folder / f"{run.test.name}.{run.seed}.{run.mutant}"), asked))


# ---- the product ------------------------------------------------------------------------------------------------------------


def test_some_tests_pass_at_a_short_scale(tmp_path: Path) -> None:
    played = runs([Run(TESTS[name], 1, scale=0.4, asserts=False) for name in QUICK], tmp_path)
    assert [(one.test, one.text) for one in played if one.status is not Status.PASS] == []
    assert all(one.result.items > 100 for one in played)


@pytest.mark.slow
def test_every_test_passes_and_every_bin_is_met(tmp_path: Path) -> None:
    """With the default seeds."""
    played = runs([Run(test, seed, asserts=False) for test in TESTS.values() for seed in range(1, test.seeds + 1)], tmp_path)
    assert [(one.test, one.seed, one.text) for one in played if one.status is not Status.PASS] == []
    met = {
        f"{group}: {name}" for one in played for group, bins in one.result.coverage.items() for name, times in bins.items() if times
    }
    assert [f"{group.name}: {name}" for group in ALL for name in group.bins if f"{group.name}: {name}" not in met] == []


def test_a_seed_is_a_run(tmp_path: Path) -> None:
    """The same seed sees the same; another one sees something else."""
    test = TESTS["hca_mixed"]
    one, again = (play(Run(test, 5, scale=0.3, asserts=False), tmp_path / name) for name in ("one", "again"))
    other = play(Run(test, 6, scale=0.3, asserts=False), tmp_path / "other")
    assert one.status is again.status is other.status is Status.PASS, (one.text, again.text, other.text)
    assert one.result == again.result != other.result and one.result.digest


# ---- broken variants of the HCA ---------------------------------------------------------------------------------------------

# The test that shows it, and a rule among the objections ("program": what the test's own program says). What the chip's ports do
# not show in traffic of this length, the benches of the blocks do.
CAUGHT = {
    HcaMutant.ACK_BEFORE_DRAIN: ("hca_shootdown", "SD-2"),
    HcaMutant.WALK_NOT_DROPPED: ("hca_shootdown", "SD-3"),
    HcaMutant.RANGE_SHORT: ("hca_mixed", "SD-2"),
    HcaMutant.LARGE_SURVIVES: ("hca_scope", "SD-2"),
    HcaMutant.KEY_IGNORED: ("hca_scope", "program"),
    HcaMutant.RECORD_LOST: ("hca_fault_queue", "FQ-1"),
    HcaMutant.INDEX_FIRST: ("hca_fault_queue", "FQ-2"),
    HcaMutant.STALE_TOKEN: ("hca_tokens", "FQ-4"),
    HcaMutant.IRQ_EDGE: ("hca_fault_line", "FQ-6"),
    HcaMutant.RNR_SKIPS: ("hca_peer_answers", "program"),
    HcaMutant.PD_IGNORED: ("hca_peer_requests", "SD-2"),
    HcaMutant.LENGTH_OFF: ("hca_peer_requests", "program"),
    HcaMutant.FENCE_FIRST: ("hca_shootdown", "SD-4"),
    HcaMutant.DUP_EXECUTED: ("hca_peer_requests", "program"),
    HcaMutant.NAK_LOST: ("hca_peer_requests", "program"),
    HcaMutant.EARLY_CQE: ("hca_peer_requests", "program"),
    HcaMutant.UPGRADE_KEPT: ("hca_scope", "program"),
    HcaMutant.SHOOT_FULL_ACK: ("hca_shootdown", "SD-2"),
    HcaMutant.KEY_KEPT: ("hca_errors", "program"),
    HcaMutant.RESUME_FORGOTTEN: ("hca_tokens", "program"),
    HcaMutant.FAULT_TWICE: ("hca_tokens", "FQ-3"),
    HcaMutant.ABORT_TOUCHES: ("hca_tokens", "program"),
    HcaMutant.AXI_UNSTABLE: ("hca_backpressure", "error"),
}
QUICK_MUTANTS = {
    HcaMutant.RANGE_SHORT,
    HcaMutant.INDEX_FIRST,
    HcaMutant.STALE_TOKEN,
    HcaMutant.DUP_EXECUTED,
    HcaMutant.ABORT_TOUCHES,
}
"""The others are played by `make test-all`."""


@pytest.mark.parametrize(
    "mutant", [pytest.param(one, id=one.name, marks=() if one in QUICK_MUTANTS else pytest.mark.slow) for one in CAUGHT]
)
def test_the_boards_catch(mutant: HcaMutant, tmp_path: Path) -> None:
    test, rule = CAUGHT[mutant]
    outcome = play(Run(TESTS[test], 1, mutant.name.lower(), asserts=False), tmp_path)
    assert outcome.status is Status.FAIL, f"{outcome.status}: {outcome.text}"
    assert rule in {text.split(": ")[1] for text in outcome.result.objections}, outcome.result.objections


# ---- the environment itself -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("ForgetsWrites", Status.FAIL, "program: "),
        ("TakesTooEarly", Status.FAIL, "SD-2: "),
        ("FakesARecord", Status.FAIL, "FQ-1: "),
        ("FakesACompletion", Status.FAIL, "order: "),
        ("FakesAStatus", Status.FAIL, "order: "),
        ("TellsTheMirrorLies", Status.FAIL, "packet: "),
        ("TellsAnotherCommand", Status.FAIL, "status: "),
        ("MissesPackets", Status.FAIL, "that no packet brought"),
        ("MissesReads", Status.FAIL, "which memory did not give"),
        ("MissesAtomics", Status.FAIL, "an atomic at"),
        ("KeepsAnAccess", Status.FAIL, "and a read of page"),
        ("FailsTooEarly", Status.FAIL, "after a completion that failed"),
        ("OwesACompletion", Status.FAIL, "liveness: "),
        ("ForgetsToHold", Status.FAIL, "more invalidations than there are tags"),
        ("Idle", Status.EMPTY, "no check saw anything"),
    ],
)
def test_what_must_not_pass(name: str, status: Status, said: str, tmp_path: Path) -> None:
    outcome = play(Run(CASES[name], 1, asserts=False), tmp_path)
    assert (outcome.status, said in outcome.text) == (status, True), outcome.text
