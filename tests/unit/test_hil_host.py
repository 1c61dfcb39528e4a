"""The hosts themselves: the oracle under real traffic, failing assertions, several devices, missing tools, dying simulators."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from support.hosts import Case, play

from hwif.gen.gru import RtlMutant
from hwif.memory import HostMemory
from hwif.port import ViolationReason
from hwif.shadow import Shadow
from tb import toolchain
from tb.hil.abi import AssertionFailure, DeviceError, HarnessOptions
from tb.hil.baremetal import run
from tb.hil.build import BuildError, BuildOptions
from tb.hil.cocotb_host import CocotbError, Simulator, run_under_cocotb
from tb.hil.native import NativeDevice
from tests.equiv.programs import mixed
from tools.preflight import WAVE_HEADERS, has_header

PROGRAMS = "tests.contract.port_programs:"
COPY = "tests.equiv.programs:revoked_under_copy"
SLOW_MEMORY = {"read_latency": 2000, "write_latency": 100}


def device(**options: int) -> NativeDevice:
    return NativeDevice(HostMemory(1024), Shadow(1024), HarnessOptions(**options))


# ---- the oracle under traffic ---------------------------------------------------------------------------------------------


def test_a_copy_goes_on_after_its_target_moved() -> None:
    played = play(Case(COPY, {"acknowledge": True}), "native")
    assert not played.violations
    assert played.statistics["kills"] >= 1 and played.statistics["memory_write_beats"] == 4 * 64


def test_a_frame_revoked_under_a_running_copy_is_a_violation() -> None:
    played = play(Case(COPY, {"acknowledge": False}), "native")
    assert [violation.reason for violation in played.violations] == [ViolationReason.REVOKED]
    assert played.violations[0].write and played.violations[0].pa >> 12 == 5


def test_the_acknowledgement_waits_for_the_load_in_flight() -> None:
    played = play(Case(PROGRAMS + "revoked_under_read", options=HarnessOptions(**SLOW_MEMORY)), "native")
    assert not played.violations and list(played.notes) == [0]


@pytest.mark.parametrize("mutant", [RtlMutant.ACK_BEFORE_DRAIN, RtlMutant.ACK_EARLY])
def test_a_chip_that_acknowledges_early_is_caught_by_the_oracle_alone(mutant: RtlMutant) -> None:
    options = HarnessOptions(mutant=mutant, asserts=0, **SLOW_MEMORY)
    played = play(Case(PROGRAMS + "revoked_under_read", options=options), "native")
    assert [violation.reason for violation in played.violations] == [ViolationReason.REVOKED]
    assert not played.violations[0].write


def test_the_oracle_can_be_switched_off_to_measure_it() -> None:
    played = play(Case(COPY, {"acknowledge": False}, options=HarnessOptions(oracle=0)), "native")
    assert not played.violations and played.statistics["checked_beats"] == 0


# ---- failing assertions ---------------------------------------------------------------------------------------------------


def test_a_failing_assertion_is_an_error_with_its_cycle_on_both_hosts() -> None:
    case = Case(PROGRAMS + "revoked_under_read", options=HarnessOptions(mutant=RtlMutant.ACK_BEFORE_DRAIN, **SLOW_MEMORY))
    caught = []
    for host in ("native", "cocotb"):
        with pytest.raises(AssertionFailure, match=r"cycle [0-9]+: .*Assertion failed") as failure:
            play(case, host)
        caught.append((failure.value.cycle, failure.value.text))
    assert caught[0][0] == caught[1][0] > 100
    assert "sd_2" in caught[0][1].lower() or "drain" in caught[0][1].lower()


def test_after_a_failure_only_a_reset_helps() -> None:
    from tests.contract.port_programs import quiet_time, revoked_under_read  # noqa: PLC0415

    with device(mutant=RtlMutant.ACK_BEFORE_DRAIN, **SLOW_MEMORY) as broken:
        with pytest.raises(AssertionFailure):
            run(broken, revoked_under_read())
        with pytest.raises(AssertionFailure):
            broken.advance(broken.cycle + 1)
        assert broken.statistics()["evaluated_cycles"] > 0
        broken.configure("mutant", 0)
        broken.reset()
        run(broken, quiet_time())


# ---- devices --------------------------------------------------------------------------------------------------------------


def test_reset_is_power_on() -> None:
    traces = []
    with device() as chip:
        for _ in range(2):
            chip.memory.bytes[:] = 0
            chip.shadow.words[:] = 0
            chip.shadow.ctx_mm[:] = 0
            run(chip, mixed(5, rounds=3))
            traces.append(chip.drain_trace().tolist())
            chip.reset()
            assert chip.cycle == 0 and not len(chip.drain_trace()) and not any(chip.statistics().values())
            chip.shadow._free = list(range(chip.shadow.frames + chip.shadow.pool - 1, chip.shadow.frames - 1, -1))
    assert traces[0] == traces[1]


@pytest.mark.parametrize("first", [0, 1])
def test_devices_live_side_by_side(first: int) -> None:
    chips = [device(), device(read_latency=50)]
    steps = [mixed(6, rounds=2) for _ in chips]
    alone = []
    for options in ({}, {"read_latency": 50}):
        with device(**options) as chip:
            run(chip, mixed(6, rounds=2))
            alone.append(chip.drain_trace().tolist())
    for chip, program in zip(chips, steps):
        run(chip, program)
    assert [chip.drain_trace().tolist() for chip in chips] == alone
    chips[first].close()
    chips[1 - first].advance(chips[1 - first].cycle + 1000)
    chips[1 - first].close()


def test_settings_are_checked() -> None:
    with pytest.raises(DeviceError, match=r"bytes_per_cycle must lie in 1\.\.64, not 65"):
        device(bytes_per_cycle=65)
    with device() as chip, pytest.raises(DeviceError, match="no setting 'speed'"):
        chip.configure("speed", 1)


def test_a_waveform_needs_a_build_with_waves(tmp_path: Path) -> None:
    with device() as chip, pytest.raises(DeviceError, match="built without waveforms"):
        chip.trace_on(tmp_path / "x.fst")


@pytest.mark.slow
@pytest.mark.skipif(not all(map(has_header, WAVE_HEADERS)), reason="FST needs the headers of lz4 and zlib; see make setup's note")
def test_a_waveform_shows_the_cycles_it_was_on(tmp_path: Path) -> None:
    pywellen = pytest.importorskip("pywellen")
    path = tmp_path / "x.fst"
    with NativeDevice(HostMemory(64), Shadow(64), HarnessOptions(skip=0), BuildOptions(waves=True)) as chip:
        chip.advance(100)
        chip.trace_on(path)
        chip.advance(200)
        chip.trace_off()
        chip.advance(300)
    wave = pywellen.Waveform(str(path))
    (clock,) = (var for var in wave.all_vars() if var.full_name.endswith(".now_q"))
    shown = [int(value) for _time, value in clock.tv]
    assert 101 in shown and 201 in shown and 250 not in shown


# ---- missing tools --------------------------------------------------------------------------------------------------------


def test_a_missing_compiler_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(BuildError, match=r"^g\+\+ is missing: install the package 'g\+\+' \(Debian: apt-get install g\+\+\)$"):
        toolchain.check_tools(waves=False)


def test_missing_headers_only_matter_for_waves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_has_header", lambda _name: False)
    toolchain.check_tools(waves=False)
    with pytest.raises(BuildError, match="liblz4-dev and zlib1g-dev"):
        toolchain.check_tools(waves=True)


def test_what_the_compiler_says_first_is_in_the_error(tmp_path: Path) -> None:
    source = tmp_path / "bad.cpp"
    source.write_text("int main() { return x; }\n")
    with pytest.raises(BuildError, match=r"(?s)g\+\+ failed: .*error.*whole output is in"):
        toolchain.run_tool(["g++", "-c", str(source), "-o", str(tmp_path / "bad.o")], tmp_path / "log")


# ---- the simulator's process ----------------------------------------------------------------------------------------------


async def _answer(_simulator: Simulator, arguments: Any) -> Any:
    return {"twice": arguments * 2}


async def _raise(_simulator: Simulator, arguments: Any) -> Any:
    raise LookupError(arguments)


async def _die(_simulator: Simulator, _arguments: Any) -> Any:
    print("last words", flush=True)
    os._exit(3)


async def _hang(_simulator: Simulator, _arguments: Any) -> Any:
    time.sleep(60)


async def _wander(simulator: Simulator, _arguments: Any) -> Any:
    from cocotb.triggers import Timer  # noqa: PLC0415

    chip = simulator.device(HostMemory(64), Shadow(64))
    await chip.advance(10)
    await Timer(100, "ns")
    await chip.advance(20)


def _under(name: str, arguments: Any = None, timeout: float = 60) -> Any:
    return run_under_cocotb(f"tests.unit.test_hil_host:{name}", arguments, timeout=timeout)


def test_a_session_returns_its_result() -> None:
    assert _under("_answer", 21) == {"twice": 42}


def test_what_a_session_raises_is_raised_here() -> None:
    with pytest.raises(LookupError, match="left") as caught:
        _under("_raise", "left")
    assert any("_raise" in note for note in caught.value.__notes__)


def test_a_dying_simulator_is_a_readable_error() -> None:
    with pytest.raises(CocotbError, match=r"(?s)ended with status 3 and left no result.*last words"):
        _under("_die")


def test_a_hanging_simulator_is_ended() -> None:
    started = time.monotonic()
    with pytest.raises(CocotbError, match="did not finish within 3 s"):
        _under("_hang", timeout=3)
    assert time.monotonic() - started < 20


def test_time_may_not_pass_outside_advance() -> None:
    with pytest.raises(DeviceError, match="the clock ran outside advance"):
        _under("_wander")
