"""`shootdown timeline`: what a written timeline holds, and a picture of a window of it.

Promises: everything is read back from the file, nothing remembered from the run. Bad input is said before anything is written.
"""

from __future__ import annotations

import os
from pathlib import Path

from shootdown.errors import InputError
from shootdown.timeline.read import View, read_timeline

__all__ = ["run"]

MIN_CYCLES = 10
MAX_SPANS = 5_000  # in one picture; more would be a smear


def run(file: Path, picture: Path | None, around: int | None, cycles: int) -> int:
    """The whole command; its exit status."""
    if cycles < MIN_CYCLES:
        raise InputError(f"--cycles {cycles}: too few to see anything", f"give at least {MIN_CYCLES}")
    if around is not None and around < 0:
        raise InputError(f"--around {around}: there is no such cycle", "count from 0")
    if picture is None:
        if around is not None:
            raise InputError("--around: nothing to draw", "give --picture FILE.png")
        _describe(file, read_timeline(file))
        return 0
    if picture.suffix != ".png":
        raise InputError(f"{picture}: pictures are PNG files", f"call it {picture.with_suffix('.png').name}")
    view, mark = _window(file, around, cycles)
    from shootdown.timeline.picture import write_png  # noqa: PLC0415 - loads matplotlib

    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        write_png(view, picture, mark)
    except OSError as error:
        raise InputError(f"{picture}: cannot be written: {os.strerror(error.errno or 0)}", "choose another --picture") from None
    print(f"{picture}: cycles {view.first:,} to {view.last:,}, {len(view.rows)} rows, {len(view.arrows)} arrows")
    return 0


def _describe(file: Path, view: View) -> None:
    instants = sum(span.instant for span in view.spans())
    slices = sum(1 for _span in view.spans()) - instants
    counts = f"{len(view.rows)} rows, {slices:,} slices, {instants:,} instants, {len(view.arrows):,} arrows"
    print(f"{file}: {view.last:,} cycles, {counts}")
    for group in dict.fromkeys(row.group for row in view.rows):
        print(f"  {group}: {', '.join(row.name for row in view.rows if row.group == group)}")
    print("open it in ui.perfetto.dev, or draw a window of it with --picture FILE.png --around CYCLE")


def _window(file: Path, around: int | None, cycles: int) -> tuple[View, int]:
    """What is to be drawn, and the cycle in the middle of it."""
    from shootdown.timeline.picture import interesting, window  # noqa: PLC0415

    mark = around if around is not None else interesting(file)
    if mark is None:
        raise InputError(f"{file}: no shootdown in it to look at", "say where to look with --around CYCLE")
    view = window(file, mark, cycles)
    if not view.rows:
        raise InputError(f"{file}: nothing happens around cycle {mark}", "look elsewhere with --around CYCLE")
    count = sum(1 for _span in view.spans())
    if count > MAX_SPANS:
        raise InputError(f"--cycles {cycles}: {count:,} events do not fit one picture", "draw fewer cycles")
    return view, mark
