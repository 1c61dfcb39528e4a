"""`shootdown mutants`: broken variants of RTL and driver, each of which a check must catch.

Promises: exit status 0 if every mutant was caught beside a clean control, 1 if one survived or a control was not clean, 130 when
interrupted (what is known by then is printed).
JSON keys: caught, total, survivors, seed, backend, assertions, controls {hunt: clean}, and mutants, a list of {name, device, layer,
what, caught, by, hunt, cycle, hunts}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from shootdown.commands.cosim import BACKENDS, DEFAULT_TRACE, DEVICES
from shootdown.console import Display
from shootdown.errors import InputError, unknown
from shootdown.result import ProgressUpdate

if TYPE_CHECKING:
    from shootdown.mutants import Control, MutantReport

__all__ = ["run"]

INTERRUPTED = 130


def run(
    only: Sequence[str],
    *,
    seed: int,
    jobs: int,
    assertions: bool,
    as_json: bool,
    explain: bool,
    device: str | None = None,
    backend: str = "native",
) -> int:
    """The whole command; its exit status. `only`: names, empty for all; `device`: of one device alone. The model is shown the
    driver's alone: it has no RTL to break."""
    from shootdown.mutants import catalogue, hunt_all  # noqa: PLC0415 - loads the simulator

    if device is not None and device not in DEVICES:
        raise InputError(f"--device {device}: there is no such choice", f"choose {' or '.join(DEVICES)}")
    if backend not in BACKENDS:
        raise InputError(f"--backend {backend}: there is no such choice", f"choose {' or '.join(BACKENDS)}")
    known = [mutant for kind in DEVICES if device in (None, kind) for mutant in catalogue(kind, backend)]
    every = {mutant.name for kind in DEVICES if device in (None, kind) for mutant in catalogue(kind)}
    names = [mutant.name for mutant in known]
    for name in only:
        if name in every.difference(names):
            raise InputError(f"--only {name}: breaks the RTL, and the {backend} has none", "use --backend native or cocotb")
        if name not in names:
            raise unknown("mutant", name, "mutant", names)
    if jobs < 1:
        raise InputError(f"--jobs {jobs}: must be at least 1")
    chosen = [mutant for mutant in known if not only or mutant.name in only]  # two devices may have one of that name

    reports: list[MutantReport] = []
    interrupted = False
    with Display() as display:
        display(ProgressUpdate("mutants", 0, len(chosen)))
        try:
            for report in hunt_all(chosen, DEFAULT_TRACE, seed, asserts=assertions, jobs=jobs, backend=backend):
                reports.append(report)
                display(ProgressUpdate("mutants", len(reports), len(chosen), note=report.mutant.name))
        except KeyboardInterrupt:
            interrupted = True

    reports.sort(key=lambda report: chosen.index(report.mutant))
    controls = {str(entry.hunt): entry for report in reports for entry in report.controls}
    caught = sum(report.caught is not None for report in reports)
    dirty = [entry for entry in controls.values() if not entry.clean]
    if as_json:
        order = {"seed": seed, "backend": backend, "assertions": assertions}
        print(json.dumps(_as_json(list(controls.values()), reports, order), indent=2))
    else:
        _show(reports, explain)
        for entry in dirty:
            print(f"control not clean: {entry.hunt}: {entry.what}")
        survivors = [report.mutant.name for report in reports if report.caught is None]
        if survivors:
            print(f"survivors (a defect of the checks): {', '.join(survivors)}")
        left = f"; interrupted with {len(chosen) - len(reports)} to go" if interrupted else ""
        clean = len(controls) - len(dirty)
        print(f"seed {seed}: {caught} of {len(reports)} mutants caught, {clean} of {len(controls)} controls clean{left}")
    if interrupted:
        return INTERRUPTED
    return 0 if caught == len(reports) and not dirty else 1


def _row(report: MutantReport) -> dict[str, Any]:
    found = report.caught
    return {
        "name": report.mutant.name,
        "device": report.mutant.device,
        "layer": report.mutant.layer,
        "what": report.mutant.what,
        "caught": found is not None,
        "by": found.by if found else None,
        "hunt": str(found.hunt) if found else None,
        "cycle": found.cycle if found else None,
        "hunts": report.hunts,
    }


def _as_json(controls: Sequence[Control], reports: Sequence[MutantReport], order: Mapping[str, Any]) -> dict[str, Any]:
    rows = [_row(report) for report in reports]
    clean = {str(entry.hunt): entry.clean for entry in controls}
    names = [row["name"] for row in rows if not row["caught"]]
    return {
        "caught": len(rows) - len(names),
        "total": len(rows),
        "survivors": names,
        **order,
        "controls": clean,
        "mutants": rows,
    }


def _show(reports: Sequence[MutantReport], explain: bool) -> None:
    from shootdown.interleaving import render  # noqa: PLC0415

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for title in ("mutant", "device", "layer", "what is broken", "caught by", "in", "cycle"):
        table.add_column(title, justify="right" if title == "cycle" else "left")
    for report in reports:
        found = report.caught
        end = (found.by, str(found.hunt), f"{found.cycle:,}") if found else ("SURVIVED", f"{report.hunts} hunts", "")
        table.add_row(report.mutant.name, report.mutant.device, report.mutant.layer, report.mutant.what, *end)
    console.print(table)
    if not explain:
        return
    for report in reports:
        if report.caught is not None:
            print(f"\n{report.mutant.name}: {report.caught.by} at cycle {report.caught.cycle:,}: {report.caught.what}")
            for line in render(report.caught.chain, console.width):
                print(f"  {line}")
