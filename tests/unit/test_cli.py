"""The command line: exit statuses, one line for bad input, help with examples. The rig and valgrind are stood in for."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shootdown import cli
from shootdown.commands import cosim as cosim_command
from shootdown.commands.bench import REACH, flatten
from shootdown.errors import InputError
from shootdown.result import CosimConfig, ProgressUpdate, RunResult
from sw_stack.sched import RecordedChooser, SeededChooser
from sw_stack.workloads.record import DEFAULT_MAX_RUNS, DEFAULT_WINDOW
from sw_stack.workloads.trace import TraceInfo, TraceWriter
from tests.support.results import clean_result, violated

Run = Callable[[CosimConfig, Callable[[ProgressUpdate], None]], RunResult]
Play = Callable[[Run], None]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "small.sdt"
    with TraceWriter(path, TraceInfo("prog")) as writer:
        writer.run(1, True, 0, 1)
    return path


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Puts a function in the place of the rig's run."""

    def play(run: Run) -> None:
        module = types.ModuleType("shootdown.rig")
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "shootdown.rig", module)

    return play


def clean(config: CosimConfig, progress: Callable[[ProgressUpdate], None]) -> RunResult:
    progress(ProgressUpdate("build"))
    for done in (0, 50, 100):
        progress(ProgressUpdate("run", done, 100, cycle=done * 1000))
    return replace(clean_result(config.out), config=config)


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that exits with 2."""
    assert cli.run(arguments) == 2
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("shootdown: "), captured.err
    assert "Traceback" not in captured.err and captured.out == ""
    return lines[0]


def cosim(trace: Path, out: Path, *more: str) -> list[str]:
    return ["cosim", "--trace", str(trace), "--out", str(out), *more]


@pytest.mark.parametrize("words", [["cosim"], ["record"], ["timeline"], ["bench", "rtl"]])
def test_help_ends_with_an_example(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*words, "--help"]) == 0
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert f"Example: shootdown {' '.join(words)}" in text


def test_the_command_is_quick_without_work() -> None:
    """--help loads neither the simulator nor the plotting library."""
    code = "import sys, shootdown.cli as c; c.run(['cosim', '--help']); print([m for m in HEAVY if m in sys.modules])"
    code = code.replace("HEAVY", "('matplotlib', 'tb', 'cocotb', 'bench')")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_clean_run(trace: Path, tmp_path: Path, rig: Play, capsys: pytest.CaptureFixture[str]) -> None:
    rig(clean)
    out = tmp_path / "a" / "b"
    assert cli.run(cosim(trace, out, "--seed", "9")) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].startswith("seed 9") and lines[-1].startswith("seed 9 digest ")
    assert lines[1].startswith("clean: ")
    assert json.loads((out / "summary.json").read_text())["seed"] == 9
    assert (out / "index.html").exists()
    assert "running: 50 %" in captured.err


def test_options_reach_the_run(trace: Path, tmp_path: Path, rig: Play) -> None:
    seen: list[CosimConfig] = []

    def look(config: CosimConfig, progress: Callable[[ProgressUpdate], None]) -> RunResult:
        seen.append(config)
        return clean(config, progress)

    rig(look)
    more = ["--backend", "cocotb", "--memory", "300", "--limit", "5", "--no-skip", "--dropin", "user", "--mutant", "no_flush"]
    assert cli.run(cosim(trace, tmp_path / "o", *more, "--record-schedule", str(tmp_path / "s"))) == 0
    assert seen == [
        CosimConfig(
            trace=trace,
            seed=1,
            out=tmp_path / "o",
            backend="cocotb",
            memory=300,
            limit=5,
            skip=False,
            record_schedule=tmp_path / "s",
            dropin="user",
            mutant="no_flush",
            timeline=True,
        )
    ]
    assert cli.run(cosim(trace, tmp_path / "o", "--no-timeline")) == 0
    assert not seen[1].timeline


def test_a_violation_exits_with_1(trace: Path, tmp_path: Path, rig: Play, capsys: pytest.CaptureFixture[str]) -> None:
    rig(lambda config, progress: violated(clean(config, progress)))
    assert cli.run(cosim(trace, tmp_path / "o", "--memory", "80")) == 1
    text = capsys.readouterr().out
    assert "SD-2 at cycle 8,123,456" in text
    assert f"again: shootdown cosim --trace {trace} --seed 1 --memory 80 --waves" in text
    table = text[text.index("how it came to this") :].splitlines()[1:]
    assert [part.strip() for part in table[0].split("|")] == ["cycle", "CPU 0", "CPU 1", "device"]
    assert max(map(len, table[:8])) <= 100, "as wide as a pipe is taken to be"


def test_the_files_of_a_run_are_named(trace: Path, tmp_path: Path, rig: Play, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"timeline": Path("gone/timeline.pftrace"), "waves": Path("gone/waves.fst")}
    rig(lambda config, progress: replace(violated(clean(config, progress)), **files))
    assert cli.run(cosim(trace, tmp_path / "o")) == 1
    text = capsys.readouterr().out
    assert "timeline: gone/timeline.pftrace (open in ui.perfetto.dev)" in text
    assert "waveform: gone/waves.fst (gtkwave gone/waves.gtkw)" in text
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert (summary["timeline"], summary["waves"]) == ("gone/timeline.pftrace", "gone/waves.fst")


def test_a_stall_exits_with_1(trace: Path, tmp_path: Path, rig: Play, capsys: pytest.CaptureFixture[str]) -> None:
    rig(lambda config, progress: replace(clean(config, progress), stalled="task a\n  waits for CB 3"))
    assert cli.run(cosim(trace, tmp_path / "o")) == 1
    assert "waits for CB 3" in capsys.readouterr().out


@pytest.mark.parametrize("early", [True, False])
def test_an_interrupted_run_leaves_a_report(trace: Path, tmp_path: Path, rig: Play, early: bool) -> None:
    def stop(config: CosimConfig, progress: Callable[[ProgressUpdate], None]) -> RunResult:
        if early:
            raise KeyboardInterrupt
        return replace(clean(config, progress), interrupted=True)

    rig(stop)
    assert cli.run(cosim(trace, tmp_path / "o")) == 130
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert summary["interrupted"] is True and summary["verdict"] == "interrupted"
    assert (tmp_path / "o" / "index.html").exists()


def test_an_input_error_of_the_run(trace: Path, tmp_path: Path, rig: Play, capsys: pytest.CaptureFixture[str]) -> None:
    def complain(config: CosimConfig, progress: Callable[[ProgressUpdate], None]) -> RunResult:
        raise InputError("g++ is missing", "apt-get install g++")

    rig(complain)
    assert cli.run(cosim(trace, tmp_path / "o")) == 2
    assert "g++ is missing; apt-get install g++" in capsys.readouterr().err


def test_a_defect_is_not_hidden(trace: Path, tmp_path: Path, rig: Play) -> None:
    def fall(config: CosimConfig, progress: Callable[[ProgressUpdate], None]) -> RunResult:
        raise AssertionError("a defect")

    rig(fall)
    with pytest.raises(AssertionError):
        cli.run(cosim(trace, tmp_path / "o"))


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (["--device", "hca9"], "--device hca9"),
        (["--backend", "vcs"], "native or cocotb"),
        (["--dropin", "never"], "interrupt or user"),
        (["--seed", "x"], "--seed"),
        (["--seed", "-1"], "at least 0"),
        (["--memory", "0"], "at least 1"),
        (["--limit", "0"], "at least 1"),
        (["--no-such-option"], "No such option"),
        (["--schedule", "a", "--record-schedule", "b"], "exclude each other"),
        (["--schedule", "/no/such/file"], "no such schedule"),
    ],
)
def test_bad_options(trace: Path, tmp_path: Path, more: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert part in refused(cosim(trace, tmp_path / "o", *more), capsys)


def test_bad_traces(trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot read" in refused(cosim(tmp_path / "absent.sdt", tmp_path / "o"), capsys)
    data = trace.read_bytes()
    trace.write_bytes(data[:-5])
    assert "truncated" in refused(cosim(trace, tmp_path / "o"), capsys)
    trace.write_text("hello\n")
    assert "not a shootdown trace" in refused(cosim(trace, tmp_path / "o"), capsys)
    assert not (tmp_path / "o").exists()


def test_an_output_folder_that_cannot_be(trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot write the report" in refused(cosim(trace, tmp_path / "file" / "o"), capsys)
    assert "cannot write the report" in refused(cosim(trace, Path("/proc/self/o")), capsys)


def test_a_full_disk(trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    full = shutil._ntuple_diskusage(1 << 40, 1 << 40, 3 << 20)  # type: ignore[attr-defined]
    monkeypatch.setattr(cosim_command.shutil, "disk_usage", lambda path: full)
    assert "only 3 MiB free" in refused(cosim(trace, tmp_path / "o"), capsys)
    assert "only 3 MiB free" in refused(["record", "--out", str(tmp_path / "x.sdt"), "--", "true"], capsys)


def recorded_schedule(path: Path, **header: object) -> Path:
    chooser = RecordedChooser(SeededChooser(5), path, header)
    chooser.close()
    return path


def test_a_schedule_fixes_the_run(trace: Path, tmp_path: Path, rig: Play, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[CosimConfig] = []

    def look(config: CosimConfig, progress: Callable[[ProgressUpdate], None]) -> RunResult:
        seen.append(config)
        return clean(config, progress)

    rig(look)
    path = recorded_schedule(tmp_path / "s", seed=5, memory=90, limit=None, trace=trace.name, dropin="user", mutant=None)
    assert cli.run(cosim(trace, tmp_path / "o", "--schedule", str(path))) == 0
    assert (seen[0].seed, seen[0].memory, seen[0].dropin) == (5, 90, "user")
    capsys.readouterr()
    assert "leave out --memory" in refused(cosim(trace, tmp_path / "o", "--schedule", str(path), "--memory", "9"), capsys)
    scene = recorded_schedule(tmp_path / "u", seed=5, trace=None, scenario="bad_address")
    assert "shootdown scenarios run bad_address --schedule" in refused(
        cosim(trace, tmp_path / "o", "--schedule", str(scene)), capsys
    )
    other = recorded_schedule(tmp_path / "t", seed=5, trace="other.sdt")
    assert "recorded with the trace other.sdt" in refused(cosim(trace, tmp_path / "o", "--schedule", str(other)), capsys)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["record", "--", "true"], "--out"),
        (["record", "--out", "x.sdt"], "Missing argument"),
        (["record", "--out", "x.sdt", "--max-runs", "0", "--", "true"], "--max-runs 0"),
        (["record", "--out", ".", "--", "true"], "is a folder"),
        (["record", "--out", "/proc/self/o/x.sdt", "--", "true"], "cannot make the folder"),
        (["bench", "speed9"], "No such command"),
    ],
)
def test_bad_commands(arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert part in refused(arguments, capsys)


def test_the_recorder_s_defaults_are_the_command_s() -> None:
    """Written twice so that --help need not load the recorder."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(cli.record).parameters.items()}
    assert (defaults["max_runs"], defaults["window"]) == (DEFAULT_MAX_RUNS, DEFAULT_WINDOW)


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 2
    assert "cosim" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_record_and_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "true.sdt"
    assert cli.run(["record", "--out", str(out), "--", "true", "--out", "-x"]) == 0
    text = capsys.readouterr().out
    assert "exited with status 0" in text and f"play it: shootdown cosim --trace {out}" in text
    assert "no such program" in refused(["record", "--out", str(out), "--", "no-such-program"], capsys)


def test_bench_prints_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = {"hits_per_cycle": 1.0, "shootdown_idle_cycles": {"1": 5, "1024": 5, "global": 99}}
    module = types.ModuleType("bench.rtl")
    module.measure = lambda: numbers  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bench.rtl", module)
    assert cli.run(["bench", "rtl", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == numbers
    assert cli.run(["bench", "rtl"]) == 0
    shown = capsys.readouterr().out
    assert "NO" in shown and "yes" in shown
    assert flatten(numbers).keys() <= REACH.keys()
