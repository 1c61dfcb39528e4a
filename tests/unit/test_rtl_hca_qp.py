"""The RTL of the queue pairs alone: what is posted is carried out whole, in order and once, whatever is lost, faults, is not ready.

The bench behind `run` compares every packet, landing and completion with what was posted; the assertions of
rtl/props/hca_qp_props.sv are on. Every PSN counter starts 16 before its wrap.
"""

from __future__ import annotations

import pytest

from hwif.gen.hca import FaultPolicy, HcaMutant
from tb.hca_qp.bench import Outcome, run

TROUBLE = {"loss": 10, "txfault": 30, "rxfault": 40, "norecv": 30}
SMALL_WRITE_CYCLES = 4.0


def passed(**settings: int) -> Outcome:
    """A run that must find nothing."""
    outcome = run(**settings)
    assert outcome.passed, f"{settings}: {outcome.complaint}"
    return outcome


@pytest.mark.parametrize("pairs", [1, 4, 32])
def test_undisturbed(pairs: int) -> None:
    """Nothing is sent twice, no timer fires."""
    numbers = passed(pairs=pairs, messages=200).numbers
    assert (numbers["retransmit"], numbers["timeouts"], numbers["nak"], numbers["dup"]) == (0, 0, 0, 0)


@pytest.mark.parametrize("policy", list(FaultPolicy))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_kinds_of_trouble(policy: FaultPolicy, seed: int) -> None:
    """Loss, faults at either end and receivers that are not ready, together."""
    numbers = passed(pairs=20, messages=200, policy=policy, seed=seed, **TROUBLE).numbers
    assert min(numbers[name] for name in ("retransmit", "timeouts", "rnr", "nak", "oos", "dup")) > 0


def test_gap_is_reported() -> None:
    """A lost packet costs a NAK and a round trip, not a time-out."""
    numbers = passed(pairs=4, messages=400, loss=20).numbers
    assert numbers["nak"] > numbers["timeouts"] > 0


def test_restart_goes_on_from_the_faulting_packet() -> None:
    """RESTART: two NAKs a fault, SUSPEND and RESTART; no RNR, no time-out."""
    numbers = passed(pairs=4, messages=200, rxfault=50, policy=FaultPolicy.RESTART).numbers
    assert numbers["nak"] == 2 * numbers["retransmit"] > 0
    assert (numbers["rnr"], numbers["timeouts"]) == (0, 0)


def test_stall_sends_nothing_twice() -> None:
    """STALL: the packet waits at the receiver."""
    numbers = passed(pairs=4, messages=200, rxfault=50, policy=FaultPolicy.STALL).numbers
    assert (numbers["nak"], numbers["rnr"], numbers["timeouts"], numbers["oos"]) == (0, 0, 0, 0)


@pytest.mark.parametrize("pairs", [1, 4, 32])
def test_small_writes(pairs: int) -> None:
    """64-byte RDMA WRITEs, of one queue pair and of many."""
    numbers = passed(pairs=pairs, messages=4000 if pairs < 32 else 500, size=64).numbers
    assert numbers["cycles"] <= SMALL_WRITE_CYCLES * numbers["messages"]


@pytest.mark.parametrize("mutant", [HcaMutant.RNR_SKIPS, HcaMutant.DUP_EXECUTED, HcaMutant.RESUME_FORGOTTEN])
def test_bench_notices(mutant: HcaMutant) -> None:
    """Broken variants do not pass."""
    outcome = run(pairs=4, messages=200, mutant=mutant, policy=FaultPolicy.DISCARD, **TROUBLE)
    assert not outcome.passed


def test_unreported_gap_costs_time_outs() -> None:
    """NAK_LOST: everything arrives still, but only time-outs find the gaps: what test_gap_is_reported looks at."""
    numbers = run(pairs=4, messages=400, loss=20, mutant=HcaMutant.NAK_LOST).numbers
    assert numbers["timeouts"] > numbers["nak"] == 0
