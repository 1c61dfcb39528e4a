"""`shootdown scenarios`: the library of races, listed and played.

Promises: a line a scenario as it ends; for one that failed, what objected, the interleaving that led there and the command that
meets it again. Exit status 0 if all were clean, 1 if one was not, 130 if interrupted. With a folder, each scenario leaves its
report, its timeline, its schedule and, if it failed, its waveform in a folder of its own.
JSON keys of `run`: seed, backend, mutant, clean, total, and scenarios, a list of {name, device, title, verdict, cycles,
skipped_cycles, translations, faults, shootdowns, dropins_dropped, races, digest, wall_s, failures [{cycle, rule, what}], stalled,
report}.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shootdown.commands.cosim import BACKENDS, DEFAULT_SEED, DEVICES, check_out, terminated_is_interrupted
from shootdown.console import Display
from shootdown.errors import InputError, unknown
from shootdown.interleaving import render, terminal_width
from shootdown.report import write_report
from shootdown.result import CosimConfig, ProgressUpdate, RunResult, Verdict
from shootdown.scenario_index import describe, device_of, names

__all__ = ["Request", "list_all", "run"]

ALL = "all"
SCHEDULE = "schedule.gz"
REPORT_BYTES = 64 << 20  # a report and the waveform of a failure
MET = "met_"
HEADS = ("scenario", "verdict", "cycles", "translations", "faults", "shootdowns", "races met")
WIDTHS = (26, 9, 10, 12, 7, 10, 0)


@dataclass(frozen=True)
class Request:
    """The command line of `scenarios run`, before defaults: None means not given."""

    names: Sequence[str]
    backend: str = "native"
    seed: int | None = None
    mutant: str | None = None
    out: Path | None = None
    schedule: Path | None = None
    as_json: bool = False
    device: str | None = None


# ---- list --------------------------------------------------------------------------------------------------------------


def list_all(as_json: bool, device: str | None = None) -> int:
    """The table, or everything about each scenario as JSON. `device`: of one alone."""
    _check_device(device)
    found = [describe(name) for name in names(device)]
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    for scenario in found:
        print(f"{scenario['name'].ljust(WIDTHS[0])} {scenario['device']}  {scenario['title']}")
    return 0


# ---- run ---------------------------------------------------------------------------------------------------------------


def run(request: Request) -> int:
    """The whole command; its exit status."""
    _check_device(request.device)
    chosen = _chosen(request.names, request.device)
    request = _settle(request, chosen)
    seed = DEFAULT_SEED if request.seed is None else request.seed
    if request.out is not None:
        check_out(request.out, REPORT_BYTES * len(chosen))
    if request.mutant is not None:
        from shootdown.rig import check_mutant  # noqa: PLC0415 - loads the simulator

        for device in {device_of(name): name for name in chosen}.values():
            check_mutant(_config(device, request, seed))
    if not request.as_json:
        what = chosen[0] if len(chosen) == 1 else f"{len(chosen)} scenarios"
        devices = " and ".join(dict.fromkeys(map(device_of, chosen)))
        print(f"seed {seed}: {what} against {devices} ({request.backend})\n", flush=True)
        print(_line(HEADS), flush=True)
    results = []
    for index, name in enumerate(chosen):
        with Display() as display:
            result = _play(_config(name, request, seed), _progress(display, name, index, len(chosen)))
        report = write_report(result) if request.out is not None else None
        results.append((result, report))
        if not request.as_json:
            for line in _lines(result, report):
                print(line, flush=True)
        if result.verdict is Verdict.INTERRUPTED:
            break
    clean = sum(result.verdict is Verdict.CLEAN for result, _ in results)
    if request.as_json:
        print(json.dumps(_as_json(results, request, seed, clean, len(chosen)), indent=2))
    else:
        print(f"\nseed {seed}: {clean} of {len(chosen)} clean")
    if any(result.verdict is Verdict.INTERRUPTED for result, _ in results):
        return Verdict.INTERRUPTED.exit_status
    return 0 if clean == len(chosen) else 1


def _check_device(device: str | None) -> None:
    if device is not None and device not in DEVICES:
        raise InputError(f"--device {device}: there is no such choice", f"choose {' or '.join(DEVICES)}")


def _chosen(given: Sequence[str], device: str | None) -> list[str]:
    """The scenarios named, once each. Raises InputError for one that does not exist, with the nearest names."""
    known = names(device)
    for name in given:
        if name != ALL and name not in known:
            raise unknown("scenario", name, "scenario", [*known, ALL])
    return known if ALL in given else list(dict.fromkeys(given))


def _settle(request: Request, chosen: Sequence[str]) -> Request:
    """Checks the options; a schedule fixes seed and mutant."""
    if request.backend not in BACKENDS:
        raise InputError(f"--backend {request.backend}: there is no such choice", f"choose {' or '.join(BACKENDS)}")
    if request.seed is not None and request.seed < 0:
        raise InputError(f"--seed {request.seed}: must be at least 0")
    if request.schedule is None:
        return request
    from sw_stack.sched import ReplayChooser  # noqa: PLC0415

    path = request.schedule
    if len(chosen) > 1:
        raise InputError(f"{path}: a schedule is of one scenario, not of {len(chosen)}", "name that one")
    header: dict[str, Any] = ReplayChooser(path).header
    if header.get("scenario") != chosen[0]:
        recorded = header.get("scenario") or f"the trace {header.get('trace')}"
        raise InputError(
            f"{path}: the schedule was recorded with {recorded}, not with {chosen[0]}", "play what it was recorded with"
        )
    for name in ("seed", "mutant"):
        given = getattr(request, name)
        if given is not None and given != header.get(name):
            raise InputError(
                f"{path}: the schedule was recorded with {name} {header.get(name)}, not {given}", f"leave out --{name}"
            )
    return replace(request, seed=header.get("seed"), mutant=header.get("mutant"))


def _progress(display: Display, name: str, index: int, total: int) -> Callable[[ProgressUpdate], None]:
    """How far one scenario is; of several, which one is played."""

    def several(update: ProgressUpdate) -> None:
        if update.phase != "build" or index == 0:
            display(replace(update, done=index, total=total, note=name) if update.phase == "run" else update)

    return display if total == 1 else several


def _config(name: str, request: Request, seed: int) -> CosimConfig:
    folder = request.out / name if request.out is not None else None
    return CosimConfig(
        trace=None,
        scenario=name,
        device=device_of(name),
        seed=seed,
        out=folder or Path(),
        backend=request.backend,
        mutant=request.mutant,
        schedule=request.schedule,
        record_schedule=folder / SCHEDULE if folder is not None and request.schedule is None else None,
        timeline=folder is not None,
    )


def _play(config: CosimConfig, progress: Callable[[ProgressUpdate], None]) -> RunResult:
    assert config.scenario is not None
    wanted = config.out != Path()
    if wanted:
        config.out.mkdir(parents=True, exist_ok=True)
    try:
        with terminated_is_interrupted():
            from shootdown.rig import run as play  # noqa: PLC0415 - loads the simulator

            return play(config, progress, waves=wanted)
    except KeyboardInterrupt:
        return RunResult(config, config.scenario, interrupted=True, notes=("interrupted before the run began",))


def _line(cells: Sequence[str]) -> str:
    left = (0, 1, len(WIDTHS) - 1)
    padded = [cell.ljust(width) if index in left else cell.rjust(width) for index, (cell, width) in enumerate(zip(cells, WIDTHS))]
    return " ".join(padded).rstrip()


def _races(result: RunResult) -> dict[str, int]:
    return {name.removeprefix(MET): count for name, count in result.workload.items() if name.startswith(MET)}


def _lines(result: RunResult, report: Path | None) -> list[str]:
    """What stands on the terminal for one scenario."""
    races = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in _races(result).items())
    counts = (f"{count:,}" for count in (result.cycles, result.translations, result.faults, result.shootdowns))
    lines = [_line((result.program, result.verdict.name.lower(), *counts, races))]
    lines += [f"  {found.rule} at cycle {found.cycle:,}: {found.what}" for found in result.violations[:5]]
    lines += [f"  {found.rule}: {found.what}" for found in result.data_failures[:5]]
    chains = [found.chain for found in (*result.violations, *result.data_failures) if found.chain]
    lines += [f"    {row}" for row in render(chains[0], terminal_width() - 4)] if chains else []
    if result.stalled is not None:
        lines += ["  no progress; who waits for whom:", *(f"  {line}" for line in result.stalled.splitlines())]
    lines += [f"  note: {note}" for note in result.notes]
    if result.verdict not in (Verdict.CLEAN, Verdict.INTERRUPTED):
        if result.waves is not None:
            lines.append(f"  waveform: {result.waves} (gtkwave {result.waves.with_suffix('.gtkw')})")
        if result.timeline is not None:
            lines.append(f"  timeline: {result.timeline} (open in ui.perfetto.dev)")
        if result.schedule is not None:
            lines.append(f"  schedule: {result.schedule}")
        lines.append(f"  again: {_again(result)}")
        lines += [f"  report: {report}"] if report is not None else []
    return lines


def _again(result: RunResult) -> str:
    """The command that meets the same cycle again."""
    config = result.config
    words = [f"shootdown scenarios run {result.program}", f"--seed {config.seed}"]
    words += [f"--backend {config.backend}"] if config.backend != BACKENDS[0] else []
    words += [f"--mutant {config.mutant}"] if config.mutant is not None else []
    return " ".join([*words, "--out build/scenarios"])


def _as_json(
    results: Sequence[tuple[RunResult, Path | None]], request: Request, seed: int, clean: int, total: int
) -> dict[str, Any]:
    rows = [
        {
            "name": result.program,
            "device": result.config.device,
            "title": describe(result.program)["title"],
            "verdict": result.verdict.name.lower(),
            "cycles": result.cycles,
            "skipped_cycles": result.skipped_cycles,
            "translations": result.translations,
            "faults": result.faults,
            "shootdowns": result.shootdowns,
            "dropins_dropped": result.dropins_dropped,
            "races": _races(result),
            "digest": result.digest,
            "wall_s": round(result.wall_s, 3),
            "failures": [
                {"cycle": found.cycle, "rule": found.rule, "what": found.what}
                for found in (*result.violations, *result.data_failures)
            ],
            "stalled": result.stalled,
            "report": None if report is None else str(report),
        }
        for result, report in results
    ]
    return {
        "seed": seed,
        "backend": request.backend,
        "mutant": request.mutant,
        "clean": clean,
        "total": total,
        "scenarios": rows,
    }
