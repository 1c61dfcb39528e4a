"""A run that makes no progress ends with who waits for whom, down to the device's handles."""

from __future__ import annotations

from pathlib import Path

import pytest

from shootdown.result import CosimConfig, RunResult, Verdict
from shootdown.rig import run


def stalled(tmp_path: Path, scenario: str, mutant: str) -> RunResult:
    config = CosimConfig(None, 1, tmp_path, scenario=scenario, mutant=mutant, asserts=False)
    return run(config, lambda _update: None, waves=False)


@pytest.mark.parametrize(
    ("mutant", "scenario", "told"),
    [
        # The driver: range end wakes nobody. Tasks wait on a count that is zero: the wake-up was lost.
        ("lost_wakeup", "dropin_shootdown", ["ms_range_active of mm 1: 0, waited for by user", "waits for ms_wait_queue[1]"]),
        # The fault map forgets a miss: the handle shows it, no interrupt does.
        ("fault_lost", "migration_dma", ["waits for CB 0 to change", "TFH 0: state MISS_FMM, miss at 0x100000000000"]),
        # Slots are never given back: a shootdown waits in its handle, and everybody for the lock its owner holds.
        (
            "slot_leak",
            "migration_dma",
            [
                "program: waits for TGH 0 to change",
                "pte_lock[program]: held by program, wanted by adder 0",
                "TGH 0: status ACTIVE, state PE_INVAL: 1 page from 0x100000000000 of asid 0x8 (tgh_lock[0.0]: held by program",
            ],
        ),
        # A lookup is never answered.
        ("lost_answer", "write_clean_entry", ["control block 1: PE_CHECK at 0x100000000040 (context 0 of mm 1)"]),
    ],
)
def test_a_stall_names_who_waits_for_whom(tmp_path: Path, mutant: str, scenario: str, told: list[str]) -> None:
    result = stalled(tmp_path, scenario, mutant)
    assert result.verdict is Verdict.STALLED
    assert result.stalled is not None
    assert result.stalled.startswith("cycle 2500000: who waits for whom")
    for words in told:
        assert words in result.stalled, result.stalled
    assert "requests in flight: none" in result.stalled


def test_the_same_scenario_without_its_mutant_makes_progress(tmp_path: Path) -> None:
    config = CosimConfig(None, 1, tmp_path, scenario="write_clean_entry")
    result = run(config, lambda _update: None, waves=False)
    assert result.verdict is Verdict.CLEAN
    assert result.stalled is None
