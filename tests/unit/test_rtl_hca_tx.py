"""The RTL from packets to the cable (hca_tx, hca_axi, hca_link): each packet leaves whole and in order, or is dropped as it must.

The bench behind `run` checks every byte; the assertions of rtl/props/hca_tx_props.sv are on.
"""

from __future__ import annotations

import pytest

from tb.hca_tx.bench import Outcome, run

RANDOM, CALM, EQUAL = 0, 1, 2
SMALL_PACKET_CYCLES = 4.0
LINK_SHARE = 0.97
FLITS = 65  # of a packet of 4096 bytes, with its header


def passed(**settings: int) -> Outcome:
    """A run that must find nothing."""
    outcome = run(**settings)
    assert outcome.passed, f"{settings}: {outcome.complaint}"
    return outcome


@pytest.mark.parametrize("pairs", [1, 3, 9])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_all_kinds_of_packets_and_trouble(pairs: int, seed: int) -> None:
    """Every alignment and split, bad addresses, refusing memory, translations that die, flushes, packets lost, damaged and cut."""
    numbers = passed(mode=RANDOM, packets=1000, qps=pairs, seed=seed, latency=5 + 11 * seed).numbers
    assert numbers["left"] > 400, "of a queue pair alone, all that wait go with one that fails"
    assert numbers["gone"] > 50
    assert numbers["failures"] > 30
    assert numbers["flushes"] > 5


def test_a_slow_cable() -> None:
    """Three cycles a flit: the time the payload alone would need, and nothing is lost on the way."""
    numbers = passed(mode=CALM, packets=300, rate=3).numbers
    assert numbers["left"] == numbers["packets"]
    assert numbers["cycles"] >= 3 * numbers["bytes"] // 64


@pytest.mark.parametrize("latency", [20, 120])
@pytest.mark.parametrize("pairs", [1, 16])
def test_small_packets(pairs: int, latency: int) -> None:
    """Packets of 64 bytes, with memory near and far: there are slots for all that are on their way."""
    numbers = passed(mode=EQUAL, packets=1000, qps=pairs, length=64, latency=latency).numbers
    assert numbers["cycles"] <= SMALL_PACKET_CYCLES * numbers["packets"]


@pytest.mark.parametrize("skew", [0, 1, 17, 63, 1000])
def test_large_packets_fill_the_link(skew: int) -> None:
    """4096 bytes, aligned or not, memory 120 cycles away: the link's rate."""
    numbers = passed(mode=EQUAL, packets=300, qps=1, length=4096, skew=skew, latency=120).numbers
    assert numbers["cycles"] * LINK_SHARE <= FLITS * numbers["packets"]
