"""The GRU's blocks in the regression: random traffic that closes its coverage, what it must notice, corners of parameters."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from hwif.gen.gru import NUM_CBR, RtlMutant, Tfh, TfhOpc
from tb.block.points_gru import HANDLES, TLB
from tb.block.testlist_gru import CORNERS, DIRECTED, RANDOM
from tb.gru_handles import job as handles_job
from tb.gru_handles.inputs import Cycle, Park, Reg, Unit
from tb.gru_handles.watched import WatchedHandles
from tb.plan.run import RunConfig, RunResult
from tb.plan.test import Test
from tb.tlb import bench
from tb.tlb import job as tlb_job
from tb.toolchain import ROOT, verilator_root

PLAYED = [(test, seed) for test in RANDOM for seed in range(1, test.seeds + 1)]


@cache
def played(test: Test, seed: int, mutant: int = 0, scale: float = 1.0) -> RunResult:
    """As the regression plays it."""
    module, _, function = test.target.partition(":")
    result: RunResult = getattr(import_module(module), function)(RunConfig(test.name, seed, "", mutant, scale))
    return result


def of(name: str) -> Test:
    return next(test for test in (*RANDOM, *CORNERS) if test.name == name)


# ---- random traffic -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("test", "seed"), PLAYED, ids=lambda value: getattr(value, "name", str(value)))
def test_sound_blocks_are_found_sound(test: Test, seed: int) -> None:
    result = played(test, seed)
    assert result.objections == []
    assert result.items > 1000


def test_the_default_seeds_hit_everything() -> None:
    counts: dict[str, dict[str, int]] = {group.name: dict.fromkeys(group.bins, 0) for group in (*TLB, *HANDLES)}
    for test, seed in PLAYED:
        for group, bins in played(test, seed).coverage.items():
            for name, times in bins.items():
                counts[group][name] += times
    assert {group: [name for name, times in bins.items() if not times] for group, bins in counts.items()} == {
        group: [] for group in counts
    }


@pytest.mark.parametrize("name", ["gru_tlb_reset", "gru_handles_random"])
def test_a_seed_is_one_run(name: str) -> None:
    first, again = (played.__wrapped__(of(name), 1, 0, 0.2) for _ in range(2))
    other = played(of(name), 2, 0, 0.2)
    assert first == again
    assert first.digest != other.digest


def test_profiles_and_tests_are_the_same() -> None:
    assert {test.name for test in (*RANDOM, *CORNERS)} == set(tlb_job.PROFILES) | set(handles_job.PROFILES)


@pytest.mark.parametrize("test", DIRECTED, ids=lambda test: test.name)
def test_directed_tests_exist(test: Test) -> None:
    path, _, function = test.target.partition("::")
    assert f"def {function or 'test_'}" in (ROOT / path).read_text()


# ---- what it must notice ------------------------------------------------------------------------------------------------------

BROKEN = {
    RtlMutant.ACK_EARLY: ("gru_handles_shoots", "tgh_snoop_o"),
    RtlMutant.LATE_FILL: ("gru_handles_commands", "fill_valid_o"),
    RtlMutant.IRQ_PULSE: ("gru_handles_maps", "tfm_busy_o"),
    RtlMutant.FAULT_LOST: ("gru_handles_maps", ""),
    RtlMutant.ACK_BEFORE_DRAIN: ("gru_tlb_storms", "shoot_done_o"),
    RtlMutant.FILL_NOT_DROPPED: ("gru_tlb_quick", "fill_dropped_o"),
    RtlMutant.SLOT_LATE: ("gru_tlb_plain", ""),
    RtlMutant.SWEEP_STALLS: ("gru_tlb_storms", "lookup port is closed"),
}


@pytest.mark.parametrize("mutant", BROKEN, ids=lambda mutant: mutant.name)
def test_broken_blocks_are_found_broken(mutant: RtlMutant) -> None:
    name, text = BROKEN[mutant]
    found = [objection for seed in (1, 2, 3) for objection in played(of(name), seed, mutant).objections]
    assert any(text in objection for objection in found)


# ---- directed: fault handles ----------------------------------------------------------------------------------------------------


def test_commands_of_all_handles_have_their_turn_in_batches() -> None:
    """None starves: those that wait when a batch begins come before those written later, whatever their numbers."""
    handles = WatchedHandles()
    word = [0] * 8
    Tfh.cmd.put(word, 1)
    Tfh.opc.put(word, TfhOpc.EXCEPTION)
    for cbr in range(NUM_CBR):
        handles.cycle(Cycle(park=Park(cbr, cbr << 12, 8, 0, 0, False, False, False, False, 0)))
    order: list[int] = []

    def step(reg: Reg | None, ready: bool) -> None:
        out = handles.cycle(Cycle(reg, exc_ready=ready))
        if out.exc_valid and ready:
            order.append(out.cmd_cbr)

    for cbr in (64, 100, 90, 80):
        step(Reg(Unit.TFH, cbr, 0, word[0]), ready=False)
    while len(order) < 2:
        step(None, ready=True)
    for cbr in (3, 2, 1):
        step(Reg(Unit.TFH, cbr, 0, word[0]), ready=False)
    while handles.tfh.active:
        step(None, ready=True)
    assert order == [64, 80, 90, 100, 1, 2, 3]
    handles.dut.close()


# ---- parameters ---------------------------------------------------------------------------------------------------------------


def elaborated(top: str, sources: tuple[Path, ...], **parameters: int) -> str:
    """Complaints of the elaboration, "" if there is none."""
    command = [
        str(verilator_root() / "bin/verilator"),
        "--lint-only",
        "-Wall",
        "-Wno-UNUSEDSIGNAL",
        "--assert",
        "--top-module",
        top,
    ]
    command += [*(f"-G{name}={value}" for name, value in parameters.items()), *map(str, sources)]
    environment = {**os.environ, "VERILATOR_ROOT": str(verilator_root())}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode == 0) == (done.stderr == ""), done.stderr
    return done.stderr


CHIP = (
    ROOT / "rtl/lint/waivers.vlt",
    *(ROOT / f"rtl/pkg/{name}.sv" for name in ("gru_pkg", "gru_int_pkg", "gru_eng_pkg")),
    *sorted((ROOT / "rtl/common").glob("*.sv")),
    *sorted((ROOT / "rtl/gru").glob("*.sv")),
    ROOT / "rtl/props/gru_tlb_props.sv",
)


@pytest.mark.parametrize("name", bench.CORNERS)
def test_corners_of_the_parameters_elaborate(name: str) -> None:
    """Alone and in the chip."""
    size = bench.CORNERS[name]
    assert elaborated("tlb_tb", bench.SOURCES, **dict(size.parameters)) == ""
    chip = dict(size.chip_parameters)
    assert elaborated("gru_top", CHIP, **chip) == ""


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"Ways": 8}, "Ways must be 2 or 4"),
        ({"Ways": 1}, "Ways must be 2 or 4"),
        ({"Ways": 3, "Entries": 384}, "Ways must be 2 or 4"),
        ({"Entries": 500}, "Entries / Ways must be a power of two"),
        ({"Entries": 4, "Ways": 4}, "at least 2"),
        ({"Entries": 8192}, "indexway must hold set and way"),
        ({"ShootSlots": 0}, "at least one slot"),
        ({"LogDepth": 48}, "Depth must be a power of two, at least 8"),
        ({"LogDepth": 4}, "Depth must be a power of two, at least 8"),
    ],
    ids=str,
)
def test_what_no_tlb_can_be_is_refused(parameters: dict[str, int], complaint: str) -> None:
    assert complaint in elaborated("tlb_tb", bench.SOURCES, **parameters)


def test_the_smallest_tlb_works() -> None:
    result = played(of("gru_tlb_smallest"), 1)
    assert result.objections == []
    assert result.items > 1000
