"""The RTL behind bus models that are not ours (cocotbext-axi): the same program ends clean, stalled at random or not.

This checks the two buses of the GRU against an independent reading of AXI4-Lite and AXI4, and that what the speed of the native
host is measured against does the same work.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest
from support.programs import write_program

from bench.conventional.session import run_conventional
from hwif.gen.gru import LINE_BYTES
from shootdown.result import VM_CALLS, CosimConfig, RunResult, Verdict
from shootdown.rig import run
from tb.conventional.memory import runs

LIMIT = 150
STALLED_LIMIT = 40  # a stalling bus wakes Python in every cycle


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> CosimConfig:
    folder: Path = tmp_path_factory.mktemp("conventional")
    return CosimConfig(trace=write_program(folder / "synthetic.sdt"), seed=1, out=folder, limit=LIMIT)


@pytest.fixture(scope="module")
def unhindered(config: CosimConfig) -> RunResult:
    return run_conventional(config)


def clean(result: RunResult) -> bool:
    return result.verdict is Verdict.CLEAN and result.workload["operations_verified"] > 0


def test_it_plays_what_native_plays(config: CosimConfig, unhindered: RunResult) -> None:
    native = run(config, lambda _update: None)
    assert clean(unhindered)
    assert clean(native)
    assert sum(unhindered.vm_events.values()) == pytest.approx(sum(native.vm_events.values()), abs=8)  # device faults may differ
    assert {call: unhindered.vm_events[call] for call in VM_CALLS} == {call: native.vm_events[call] for call in VM_CALLS}


def test_every_cycle_is_simulated_and_both_buses_worked(unhindered: RunResult) -> None:
    counts = unhindered.statistics
    assert counts["evaluated_cycles"] == unhindered.cycles
    buses = ("mmio_reads", "mmio_writes", "memory_read_beats", "memory_write_beats", "exclusive_passed")
    for name in (*buses, "irq_changes", "snoops"):
        assert counts[name] > 0, name
    assert counts["mmio_errors"] == counts["memory_decode_errors"] == counts["exclusive_failed"] == 0


def test_stalls_on_every_channel_change_the_timing_and_nothing_else(config: CosimConfig) -> None:
    short = dataclasses.replace(config, limit=STALLED_LIMIT)
    plain, stalled, again = run_conventional(short), run_conventional(short, pauses=7), run_conventional(short, pauses=7)
    assert clean(plain)
    assert clean(stalled)
    assert stalled.digest != plain.digest
    assert again.digest == stalled.digest
    assert {call: stalled.vm_events[call] for call in VM_CALLS} == {call: plain.vm_events[call] for call in VM_CALLS}


@pytest.mark.parametrize("strobe", [0, 1, 1 << 63, (1 << LINE_BYTES) - 1, 0b1011, 0xFF00FF00, 1 << 63 | 0x7E])
def test_runs_of_strobes_are_the_set_strobes(strobe: int) -> None:
    found = list(runs(strobe))
    assert sum(((1 << last) - (1 << first)) for first, last in found) == strobe
    assert all(first < last for first, last in found)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(found))
