"""The whole loop on the RTL: a program's memory life, the VM, the notifiers, the driver, the external TLB, the oracle."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hwif.port import AssertionFailure, Event, Request, Violation, ViolationReason
from shootdown import rig
from shootdown.result import Column, CosimConfig, RunResult, Verdict
from shootdown.rig import run
from shootdown.session import Session
from shootdown.software.gru import program_job
from sw_stack.drivers.gru.state import GruError
from sw_stack.mm.frames import FrameError
from sw_stack.notifier import NotifierError
from sw_stack.sched import BusError, LockdepError, ScheduleError
from sw_stack.workloads.trace import read_trace
from tb.hil.cocotb_host import run_under_cocotb
from tools.preflight import WAVE_HEADERS, has_header


def quiet(_update: object) -> None:
    pass


def play(config: CosimConfig, **changes: object) -> RunResult:
    return run(dataclasses.replace(config, **changes), quiet)  # type: ignore[arg-type]


def test_a_clean_run_is_clean_and_did_something(config: CosimConfig) -> None:
    result = play(config)
    assert result.verdict is Verdict.CLEAN
    assert result.oracle.violations == 0
    assert not result.data_failures
    assert result.oracle.checked_beats > 1000
    assert result.shootdowns > 100
    assert result.faults > 200
    assert result.workload["operations_verified"] > 20
    for event in ("mmap", "munmap", "mprotect", "madvise", "fork", "fault_cow", "swapped_out", "swapped_in", "migrated"):
        assert result.vm_events[event] > 0, event
    assert result.notifier["invalidate_range_begin"] == result.notifier["invalidate_range_end"] > 0
    assert len(result.fault_latency) > 200
    assert len(result.shootdown_latency) == result.shootdowns


def test_one_seed_gives_one_digest_another_seed_another(config: CosimConfig) -> None:
    first, again, other = play(config), play(config), play(config, seed=2)
    assert first.digest == again.digest
    assert first.digest != other.digest


def test_native_and_cocotb_agree_cycle_for_cycle(config: CosimConfig) -> None:
    native, cocotb = play(config, limit=500), play(config, limit=500, backend="cocotb")
    assert native.digest == cocotb.digest
    assert native.cycles == cocotb.cycles
    assert dict(native.statistics) == dict(cocotb.statistics)


def test_skipping_idle_time_changes_nothing(config: CosimConfig) -> None:
    skipped, whole = play(config, limit=300, memory=None), play(config, limit=300, memory=None, skip=False)
    assert skipped.digest == whole.digest
    assert skipped.skipped_cycles > skipped.cycles // 2
    assert whole.skipped_cycles == 0


@pytest.mark.parametrize("dropin", ["interrupt", "user"])
def test_both_drop_in_policies_run_clean(config: CosimConfig, dropin: str) -> None:
    result = play(config, dropin=dropin)
    assert result.verdict is Verdict.CLEAN
    assert (result.driver["call_os"] >= result.faults) == (dropin == "user")


def test_a_recorded_schedule_replays_the_run(config: CosimConfig, tmp_path: Path) -> None:
    path = tmp_path / "run.schedule"
    recorded = play(config, record_schedule=path)
    replayed = play(config, schedule=path)
    assert recorded.digest == replayed.digest
    assert replayed.schedule == path


def test_a_schedule_of_another_run_is_refused_with_its_step(config: CosimConfig, tmp_path: Path) -> None:
    path = tmp_path / "run.schedule"
    play(config, record_schedule=path, limit=200)
    with pytest.raises(ScheduleError, match=r"step \d|last step"):
        play(config, schedule=path, memory=None)


# Heavy preemption meets races soon; failing assertions are passed over, so that only the oracle can object.
HUNT: dict[str, object] = {"asserts": False, "limit": None, "memory": 300, "preempt_odds": 2}
SEEDS = range(1, 25)


def caught_by_the_oracle(config: CosimConfig, mutant: str) -> RunResult:
    """The first run that is not clean; what must have stopped it is the oracle."""
    for seed in SEEDS:
        result = play(config, mutant=mutant, seed=seed, **HUNT)
        if result.verdict is not Verdict.CLEAN:
            break
    assert result.verdict is Verdict.VIOLATION, f"the oracle let {mutant} pass"
    assert result.violations[0].rule in {reason.name for reason in ViolationReason}
    assert result.oracle.violations > 0
    return result


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_a_mutant_the_hunt_finds_nothing(config: CosimConfig, seed: int) -> None:
    """The control of the tests below: what they catch is the mutant."""
    assert play(config, seed=seed, **HUNT).verdict is Verdict.CLEAN


@pytest.mark.parametrize("mutant", ["ack_before_drain", "fill_not_dropped", "range_short", "mod_lost"])
def test_the_oracle_catches_broken_rtl(config: CosimConfig, mutant: str) -> None:
    result = caught_by_the_oracle(config, mutant)
    chain = result.violations[0].chain
    assert [row.cycle for row in chain] == sorted(row.cycle for row in chain)
    assert "TLB takes" in "".join(row.text for row in chain), "the chain shows the translation that was used"


def test_a_violation_leaves_a_waveform_or_names_the_missing_package(config: CosimConfig) -> None:
    """On a machine without the headers everything but the waveform works; which of the two this is, preflight says."""
    result = caught_by_the_oracle(config, "no_flush")
    missing = [package for header, package in WAVE_HEADERS.items() if not has_header(header)]
    if missing:
        assert result.waves is None
        assert all(any(package in note for note in result.notes) for package in missing)
    else:
        assert result.waves is not None and result.waves.stat().st_size > 0


@pytest.mark.parametrize("mutant", ["free_before_ack", "ignore_range_active", "no_flush", "flush_short"])
def test_the_oracle_catches_a_broken_driver(config: CosimConfig, mutant: str) -> None:
    result = caught_by_the_oracle(config, mutant)
    columns = {row.column for row in result.violations[0].chain[:-1]}
    assert Column.DEVICE in columns
    assert columns & {Column.CPU0, Column.CPU1}, "the chain shows what software did"


@pytest.mark.parametrize("mutant", ["ack_before_drain", "fill_not_dropped", "dup_upgrade", "mod_lost", "drop_any"])
def test_a_bound_assertion_stops_broken_rtl_in_the_same_run(config: CosimConfig, mutant: str) -> None:
    result = play(config, mutant=mutant, limit=None, preempt_odds=4)
    assert result.verdict is Verdict.VIOLATION
    assert result.violations[0].rule == "SVA"


def test_an_interrupted_cocotb_run_leaves_what_it_had(config: CosimConfig) -> None:
    """The launcher passes Ctrl-C on to the simulator; here the session gets it as the simulator would."""
    result = run_under_cocotb("support.interrupting:session", dataclasses.replace(config, backend="cocotb"))
    assert result.verdict is Verdict.INTERRUPTED
    assert result.cycles > 0
    assert result.translations > 0


class Mute:
    """A device that takes every request and never answers."""

    def __init__(self) -> None:
        self.cycle = 0

    def submit(self, request: Request) -> None:
        pass

    def advance(self, until: int) -> Sequence[Event]:
        self.cycle = until
        return []

    def drain_trace(self) -> NDArray[np.uint64]:
        return np.zeros((0, 8), dtype=np.uint64)

    def violations(self) -> Sequence[Violation]:
        return []

    def statistics(self) -> Mapping[str, int]:
        names = "tlb_lookups tlb_hits tlb_misses skipped_cycles faults dropins dropins_dropped shootdowns "
        return dict.fromkeys((names + "checked_beats checked_bytes violations").split(), 0)


def test_a_device_that_never_answers_ends_with_who_waits_for_whom(config: CosimConfig) -> None:
    session = Session(config, program_job(config, read_trace(config.trace)), quiet)
    rig.play(session, Mute())  # type: ignore[arg-type]
    result = session.result()
    assert result.verdict is Verdict.STALLED
    assert result.stalled is not None
    assert "who waits for whom" in result.stalled
    assert "requests in flight: write to" in result.stalled
    assert "296 of 296 handles cannot be read: the device does not answer its bus" in result.stalled


class Interrupting(Mute):
    """Ctrl-C in the middle of a run."""

    def advance(self, until: int) -> Sequence[Event]:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("error", "rule"),
    [
        (LockdepError("sleeps"), "LOCKDEP"),
        (BusError("SLVERR"), "BUS"),
        (NotifierError("MN-1: end without begin"), "MN-1"),
        (GruError("shootdown handle 3 ended in EXCEPTION"), "DRIVER"),
        (FrameError("frame 7 is freed twice"), "VM"),
        (AssertionFailure("sd_1_no_hit_after_ack", 77), "SVA"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_breaks_a_run_is_its_result(config: CosimConfig, error: Exception, rule: str) -> None:
    class Breaking(Mute):
        def advance(self, until: int) -> Sequence[Event]:
            raise error

    session = Session(config, program_job(config, read_trace(config.trace)), quiet)
    rig.play(session, Breaking())  # type: ignore[arg-type]
    result = session.result()
    assert result.verdict is Verdict.VIOLATION
    assert [report.rule for report in result.violations] == [rule]


def test_an_interrupted_run_has_a_result(config: CosimConfig) -> None:
    session = Session(config, program_job(config, read_trace(config.trace)), quiet)
    rig.play(session, Interrupting())  # type: ignore[arg-type]
    result = session.result()
    assert result.interrupted
    assert result.verdict is Verdict.INTERRUPTED
    assert result.digest
