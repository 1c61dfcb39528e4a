"""The RTL of the receive engine alone: every packet is judged, shown, carried out and landed as it must.

The bench behind `run` checks every byte; the assertions of rtl/props/hca_rx_props.sv are on.
"""

from __future__ import annotations

import pytest

from hwif.gen.hca import HcaMutant
from tb.hca_rx.bench import Outcome, run

RANDOM, CALM, EQUAL = 0, 1, 2
SMALL_WRITE_CYCLES = 4.0
LINK_SHARE = 0.97
FLITS = 65  # of a packet of 4096 bytes, with its header


def passed(**settings: int) -> Outcome:
    """A run that must find nothing."""
    outcome = run(**settings)
    assert outcome.passed, f"{settings}: {outcome.complaint}"
    return outcome


@pytest.mark.parametrize("pairs", [1, 3, 12, 100])
@pytest.mark.parametrize("seed", [1, 2])
def test_all_kinds_of_packets_and_trouble(pairs: int, seed: int) -> None:
    """Every opcode, alignment, number of elements; bad CRCs and lengths, faults, refusing memory, translations that die."""
    numbers = passed(mode=RANDOM, packets=2000, qps=pairs, seed=seed).numbers
    assert numbers["taken"] > 1000
    assert numbers["dropped"] > 100


def test_undisturbed() -> None:
    """Nothing is dropped."""
    numbers = passed(mode=CALM, packets=1000, qps=8).numbers
    assert numbers["taken"] == numbers["packets"]


@pytest.mark.parametrize("pairs", [1, 16])
def test_small_writes(pairs: int) -> None:
    """64-byte RDMA WRITEs with the verdict two cycles after the showing."""
    numbers = passed(mode=EQUAL, packets=1000, qps=pairs, length=64, think=2).numbers
    assert numbers["cycles"] <= SMALL_WRITE_CYCLES * numbers["packets"]


@pytest.mark.parametrize("skew", [0, 1, 17, 63, 1000])
def test_large_writes_keep_up_with_the_link(skew: int) -> None:
    """4096 bytes, aligned or not: the link's rate."""
    numbers = passed(mode=EQUAL, packets=300, qps=1, length=4096, skew=skew).numbers
    assert numbers["cycles"] * LINK_SHARE <= FLITS * numbers["packets"]


@pytest.mark.parametrize("mode", [RANDOM, CALM])
@pytest.mark.parametrize("mutant", [HcaMutant.EARLY_CQE, HcaMutant.LATE_WRITE])
def test_bench_notices(mutant: HcaMutant, mode: int) -> None:
    """Broken variants do not pass."""
    outcome = run(mode=mode, packets=500, mutant=mutant)
    assert not outcome.passed
    assert outcome.complaint
