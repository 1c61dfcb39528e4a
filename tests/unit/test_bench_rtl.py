"""`bench.rtl`: its numbers reach what they are to reach, repeat, and move when the RTL gets worse."""

from __future__ import annotations

import dataclasses

import pytest

from bench import rtl
from hwif.gen.gru import CbOpc, RtlMutant
from shootdown.commands.bench import REACH, flatten


def broken(monkeypatch: pytest.MonkeyPatch, mutant: RtlMutant) -> None:
    monkeypatch.setattr(rtl, "FAST", dataclasses.replace(rtl.FAST, mutant=mutant, asserts=0))


def test_every_number_is_there_and_reaches_its_bound() -> None:
    numbers = flatten(rtl.measure())
    assert numbers.keys() == REACH.keys()
    for key, (_what, sense, bound) in REACH.items():
        assert numbers[key] >= bound if sense == "least" else numbers[key] <= bound, f"{key} is {numbers[key]}"


def test_numbers_repeat() -> None:
    assert rtl.steady_hits(CbOpc.VSET) == rtl.steady_hits(CbOpc.VSET)
    assert rtl.drain_cycles(CbOpc.VLOAD) == rtl.drain_cycles(CbOpc.VLOAD)


def test_entries_that_die_late_show(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = rtl.dead_cycles()
    broken(monkeypatch, RtlMutant.SLOT_LATE)
    assert rtl.dead_cycles() > sound


def test_a_sweep_that_stalls_lookups_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, RtlMutant.SWEEP_STALLS)
    assert rtl.hits_during_shootdown() < 0.95


def test_an_acknowledgement_before_the_drain_is_not_taken_for_a_fast_one(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, RtlMutant.ACK_EARLY)
    with pytest.raises(RuntimeError, match="acknowledged before"):
        rtl.drain_cycles(CbOpc.VLOAD)


def test_a_lost_fault_bit_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, RtlMutant.FAULT_LOST)
    with pytest.raises(RuntimeError, match="disagree"):
        rtl.outstanding_misses()
