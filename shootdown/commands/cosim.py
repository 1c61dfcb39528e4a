"""`shootdown cosim`: play a recorded program against a device, and report.

Promises: everything that can be wrong with the input is said before the run starts. Whatever the verdict, the report is written;
an interrupted run leaves one that says so. The seed stands in the first and the last line.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from shootdown.console import Display
from shootdown.errors import InputError
from shootdown.interleaving import render, terminal_width
from shootdown.report import write_report
from shootdown.result import CosimConfig, RunResult, Verdict

__all__ = ["BACKENDS", "DEFAULT_SEED", "DEFAULT_TRACE", "DEVICES", "Request", "check_out", "run", "terminated_is_interrupted"]

DEFAULT_TRACE = Path(__file__).resolve().parents[2] / "examples" / "traces" / "blockcache.sdt"
DEFAULT_SEED = 1
DEVICES = ("gru", "hca")
BACKENDS = ("native", "cocotb", "model")
DROPINS = ("interrupt", "user")

REPORT_BYTES = 16 << 20  # what a report may need, generously
WAVE_BYTES = 256 << 20


@dataclass(frozen=True)
class Request:
    """The command line, before defaults: None means not given."""

    out: Path
    trace: Path | None = None
    device: str = "gru"
    backend: str = "native"
    seed: int | None = None
    memory: int | None = None
    limit: int | None = None
    waves: bool = False
    skip: bool = True
    timeline: bool = True
    record_schedule: Path | None = None
    schedule: Path | None = None
    dropin: str | None = None
    mutant: str | None = None


def run(request: Request) -> int:
    """The whole command; its exit status."""
    if request.schedule is not None:
        from shootdown.explore.schedule import is_schedule  # noqa: PLC0415

        if is_schedule(request.schedule):
            from shootdown.commands import replay_schedule  # noqa: PLC0415

            return replay_schedule.run(request, request.schedule)
    config = settle(request)
    check_trace(config)
    check_out(config.out, WAVE_BYTES if config.waves else REPORT_BYTES)
    print(f"seed {config.seed}: {config.subject} against {config.device} ({config.backend})", flush=True)
    result = play(config)
    page = write_report(result)
    for line in summary_lines(result, page):
        print(line)
    return result.verdict.exit_status


def play(config: CosimConfig) -> RunResult:
    """The run itself. An interruption outside the rig's own loop (say, while the RTL builds) still gives a result."""
    try:
        with terminated_is_interrupted(), Display() as display:
            from shootdown.rig import run  # noqa: PLC0415 - loads the simulator

            return run(config, display)
    except KeyboardInterrupt:
        return nothing_done(config)


def settle(request: Request) -> CosimConfig:
    """Defaults, and what a schedule file fixes. Raises InputError for options that do not fit."""
    _one_of("--device", request.device, DEVICES)
    _one_of("--backend", request.backend, BACKENDS)
    if request.dropin is not None:
        _one_of("--dropin", request.dropin, DROPINS)
        if request.device != "gru":
            raise InputError(f"--dropin {request.dropin}: a choice of the GRU's driver", "leave it out, or give --device gru")
    if request.schedule is not None and request.record_schedule is not None:
        raise InputError("--schedule and --record-schedule exclude each other", "a replayed run is its own schedule")
    for name, value, least in (("--memory", request.memory, 1), ("--limit", request.limit, 1), ("--seed", request.seed, 0)):
        if value is not None and value < least:
            raise InputError(f"{name} {value}: must be at least {least}")
    if request.schedule is not None:
        request = _from_schedule(request, request.schedule)
    return CosimConfig(
        trace=request.trace or DEFAULT_TRACE,
        seed=DEFAULT_SEED if request.seed is None else request.seed,
        out=request.out,
        device=request.device,
        backend=request.backend,
        memory=request.memory,
        limit=request.limit,
        waves=request.waves,
        skip=request.skip,
        timeline=request.timeline,
        record_schedule=request.record_schedule,
        schedule=request.schedule,
        dropin=request.dropin or DROPINS[0],
        mutant=request.mutant,
    )


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{option} {value}: there is no such choice", f"choose {' or '.join(allowed)}")


def _from_schedule(request: Request, path: Path) -> Request:
    """A schedule fixes seed, frames, limit and policy; an option that says otherwise is an error, not a silent other run."""
    from sw_stack.sched import ReplayChooser  # noqa: PLC0415

    header: dict[str, Any] = ReplayChooser(path).header
    if header.get("scenario") is not None:
        name = header["scenario"]
        raise InputError(f"{path}: a schedule of the scenario {name}", f"shootdown scenarios run {name} --schedule {path}")
    fixed: dict[str, Any] = {}
    if header.get("device", request.device) != request.device:
        raise InputError(
            f"{path}: the schedule was recorded with the device {header['device']}", f"give --device {header['device']}"
        )
    for name in ("seed", "memory", "limit", "dropin", "mutant"):
        if name not in header or (name == "dropin" and request.device != "gru"):
            continue
        given = getattr(request, name)
        if given is not None and given != header[name]:
            raise InputError(f"{path}: the schedule was recorded with {name} {header[name]}, not {given}", f"leave out --{name}")
        fixed[name] = header[name]
    trace = header.get("trace")
    if trace not in (None, (request.trace or DEFAULT_TRACE).name):
        raise InputError(f"{path}: the schedule was recorded with the trace {trace}", f"give --trace …/{trace}")
    return replace(request, **fixed)


def check_trace(config: CosimConfig) -> None:
    """Raises TraceError for a trace that cannot be played."""
    from sw_stack.workloads.trace import read_trace  # noqa: PLC0415

    if config.trace is not None:
        read_trace(config.trace)


def check_out(out: Path, needed: int) -> None:
    """The output folder exists and takes a report. Raises InputError."""
    hint = "choose another --out"
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".probe"
        probe.write_bytes(bytes(4096))
        probe.unlink()
    except OSError as error:
        raise InputError(f"{out}: cannot write the report there: {os.strerror(error.errno or 0)}", hint) from None
    free = shutil.disk_usage(out).free
    if free < needed:
        raise InputError(f"{out}: only {free >> 20} MiB free, a report may need {needed >> 20} MiB", f"free some space or {hint}")


def nothing_done(config: CosimConfig) -> RunResult:
    """The result of a run that was interrupted before it began."""
    return RunResult(config, config.subject, interrupted=True, notes=("interrupted before the run began",))


def summary_lines(result: RunResult, page: Path) -> list[str]:
    """What stands at the end of the run."""
    verdict = result.verdict
    lines = [
        f"{verdict.name.lower()}: {result.translations:,} translations, {result.faults:,} faults, "
        f"{result.shootdowns:,} shootdowns, {result.oracle.checked_beats:,} beats checked, {result.oracle.violations} violations "
        f"in {result.cycles:,} cycles ({result.wall_s:.1f} s)"
    ]
    lines += [f"  {report.rule} at cycle {report.cycle:,}: {report.what}" for report in result.violations[:5]]
    lines += [f"  {report.rule}: {report.what}" for report in result.data_failures[:5]]
    worst = [*result.violations, *result.data_failures]
    if worst and worst[0].chain:
        lines += ["  how it came to this:", *(f"  {line}" for line in render(worst[0].chain, terminal_width() - 2))]
    if result.stalled is not None:
        lines += ["  no progress; who waits for whom:", *(f"  {line}" for line in result.stalled.splitlines())]
    lines += [f"  note: {note}" for note in result.notes]
    if result.schedule is not None:
        lines.append(f"schedule: {result.schedule}")
    if result.waves is not None:
        lines.append(f"waveform: {result.waves} (gtkwave {result.waves.with_suffix('.gtkw')})")
    if result.timeline is not None:
        lines.append(f"timeline: {result.timeline} (open in ui.perfetto.dev)")
    if verdict not in (Verdict.CLEAN, Verdict.INTERRUPTED):
        lines.append(f"again: {repeat_command(result)}")
    return [*lines, f"report: {page}", f"seed {result.config.seed} digest {result.digest or '-'}"]


def repeat_command(result: RunResult) -> str:
    """The command that meets the same cycle again."""
    config = result.config
    words = ["shootdown cosim", f"--trace {config.trace}", f"--seed {config.seed}"]
    words += [f"--device {config.device}"] if config.device != DEVICES[0] else []
    words += [f"--memory {config.memory}"] if config.memory is not None else []
    words += [f"--limit {config.limit}"] if config.limit is not None else []
    words += [f"--dropin {config.dropin}"] if config.dropin != DROPINS[0] else []
    words += [f"--mutant {config.mutant}"] if config.mutant is not None else []
    words += [f"--backend {config.backend}"] if config.backend != BACKENDS[0] else []
    words += ["--waves"] if config.backend != "model" else []  # the model has no pins
    return " ".join(words)


@contextlib.contextmanager
def terminated_is_interrupted() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: with a report."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
