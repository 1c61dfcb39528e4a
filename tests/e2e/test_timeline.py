"""The timeline and the save files of real runs on the RTL."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from support.perfetto_trace import Parsed, parse

from hwif.gen.timing import CLOCK_MHZ
from shootdown.commands.cosim import DEFAULT_TRACE
from shootdown.result import CosimConfig, RunResult, Verdict
from shootdown.rig import run
from shootdown.timeline.savefiles import GROUPS, marker_time
from tools.preflight import WAVE_HEADERS, has_header

NS = 1000 // CLOCK_MHZ


def quiet(_update: object) -> None:
    pass


def play(config: CosimConfig, **changes: object) -> tuple[RunResult, Parsed]:
    result = run(dataclasses.replace(config, **{"timeline": True, **changes}), quiet)  # type: ignore[arg-type]
    assert result.timeline == config.out / "timeline.pftrace"
    return result, parse(result.timeline.read_bytes())


def test_a_run_is_told_whole(config: CosimConfig) -> None:
    """What the counters count is on the timeline, and each chain of arrows is as long as what happened."""
    result, parsed = play(config)
    assert result.dropins_dropped > 0
    told_whole(result, parsed)


def test_the_shipped_programs_run_is_told_whole(tmp_path: Path) -> None:
    """The whole of it, against the official schema: parse asserts that, nesting, and both ends of every arrow."""
    result, parsed = play(CosimConfig(trace=DEFAULT_TRACE, seed=1, out=tmp_path, timeline=True))
    told_whole(result, parsed)


def told_whole(result: RunResult, parsed: Parsed) -> None:
    assert result.verdict is Verdict.CLEAN
    assert not any("timeline" in note for note in result.notes)
    drains = [event for event in parsed.events if event.name.startswith("drain")]
    assert len(drains) == result.shootdowns
    assert len(parsed.on("TLB fills")) == result.dropins
    assert len(parsed.on("TLB drop-ins dropped")) == result.dropins_dropped
    for call in ("mmap", "munmap", "mprotect", "mremap", "madvise", "fork", "exit"):
        assert sum(event.name.split()[0] == call for event in parsed.events) == result.vm_events[call], call
    names = parsed.arrow_names()
    assert sum(source == "post" and target.startswith("drain") for source, target in names) == result.shootdowns
    assert sum(source.startswith("drain") and target == "status seen" for source, target in names) == result.shootdowns
    answered = sum(source.startswith("drop-in CB") and target.startswith(("fill", "dropped")) for source, target in names)
    assert answered == result.dropins + result.dropins_dropped
    assert max(event.end for event in parsed.events) // NS <= result.cycles
    callers = {event.track for event in parsed.events if event.name == "call_os"}
    assert callers and all(track.startswith("gru user") for track in callers), "tasks have their names"


def test_latencies_of_the_timeline_are_those_of_the_report(config: CosimConfig) -> None:
    """The same spans measured twice: from the slices of the file, and by the run itself."""
    result, parsed = play(config)
    shot = [(e.end - e.start) // NS for e in parsed.events if e.category == "driver" and e.name.startswith("shootdown")]
    assert sorted(shot) == sorted(result.shootdown_latency.tolist())
    restarted = {(event.track, event.start) for event in parsed.named("restart")}
    parked = [e for e in parsed.events if e.name.startswith("parked") and (e.track, e.end) in restarted]
    assert sorted((e.end - e.start) // NS for e in parked) == sorted(result.fault_latency.tolist())


def test_asking_for_a_timeline_changes_nothing_else(config: CosimConfig) -> None:
    with_one, _ = play(config, limit=300)
    without = run(dataclasses.replace(config, limit=300, timeline=False), quiet)
    assert without.timeline is None
    assert with_one.digest == without.digest


def test_cocotb_writes_the_same_timeline(config: CosimConfig) -> None:
    native, _ = play(config, limit=200)
    assert native.timeline is not None
    first = native.timeline.read_bytes()
    native.timeline.unlink()
    play(config, limit=200, backend="cocotb")
    assert native.timeline.read_bytes() == first


@pytest.mark.parametrize("mutant", ["free_before_ack", "no_flush"])
def test_a_failing_run_has_both_ends_of_every_arrow_and_the_failure_on_it(config: CosimConfig, mutant: str) -> None:
    """Cut short by a violation, with a driver that does not wait: the file is still one (parse asserts it)."""
    result, parsed = play(config, mutant=mutant, limit=None, preempt_odds=4, asserts=False)
    assert result.verdict is Verdict.VIOLATION
    (mark, *_) = parsed.on("oracle")
    assert mark.start // NS == result.violations[0].cycle
    assert mark.name.startswith(result.violations[0].rule)


def test_a_timeline_that_cannot_be_written_is_a_note(config: CosimConfig) -> None:
    (config.out / "timeline.pftrace.part").mkdir()
    result = run(dataclasses.replace(config, limit=100, timeline=True), quiet)
    assert result.verdict is Verdict.CLEAN and result.timeline is None
    assert any(note.startswith("no timeline: ") for note in result.notes)


@pytest.mark.skipif(not all(map(has_header, WAVE_HEADERS)), reason="waveforms need the headers of lz4 and zlib")
def test_save_files_name_signals_of_the_waveform_and_point_at_the_cycle(config: CosimConfig) -> None:
    pywellen = pytest.importorskip("pywellen")
    result, _parsed = play(config, mutant="no_flush", limit=None, preempt_odds=4, asserts=False)
    assert result.waves is not None
    waveform = pywellen.Waveform(str(result.waves))
    bits = {variable.full_name: variable.bitwidth for variable in waveform.all_vars()}
    for name, width in (signal for signals in GROUPS.values() for signal in signals):
        assert bits.get(name) == width, name
    cycle = result.violations[0].cycle
    (now,) = (variable for variable in waveform.all_vars() if variable.full_name == "hil_top.now_q")
    assert [value for time, value in now.tv if time <= marker_time(cycle)][-1] == cycle
    for suffix in (".gtkw", ".sucl"):
        text = result.waves.with_suffix(suffix).read_text()
        assert str(marker_time(cycle)) in text and result.violations[0].rule in text
