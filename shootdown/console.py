"""What a person sees while a command works: bars on a terminal, plain lines elsewhere. Everything goes to standard error.

Promises: standard output carries results only. Off a terminal, a line at each change of phase and at most one per tenth of the way
(or ten seconds when the way is unknown), so that a log stays readable.
"""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from shootdown.result import ProgressUpdate

__all__ = ["Display", "error_console", "fail"]

PHASES = {
    "build": "building the RTL",
    "run": "running",
    "waves": "writing the waveform",
    "record": "recording",
    "timeline": "writing the timeline",
    "mutants": "hunting mutants",
    "explore": "searching",
    "planted": "searching for planted defects",
}
QUIET_SECONDS = 10.0


def error_console() -> Console:
    """Standard error, as it is now."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def fail(error: BaseException | str) -> None:
    """One line about what is wrong."""
    text = " ".join(str(error).split())
    error_console().print(f"shootdown: {text}", markup=False)


class Display:
    """Shows ProgressUpdates. A context manager."""

    def __init__(self) -> None:
        self._console = error_console()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._phase = ""
        self._mark = 0
        self._said = 0.0
        if self._console.is_terminal:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}"),
                console=self._console,
                transient=True,
            )

    def __enter__(self) -> Display:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, update: ProgressUpdate) -> None:
        name = PHASES.get(update.phase, update.phase)
        note = update.note or (f"cycle {update.cycle:,}" if update.cycle else "")
        if self._bar is not None:
            if update.phase != self._phase or self._task is None:
                if self._task is not None:
                    self._bar.remove_task(self._task)
                self._task = self._bar.add_task(name, total=update.total, note=note)
            self._bar.update(self._task, completed=update.done, total=update.total, note=note)
        else:
            self._plain(update, name, note)
        self._phase = update.phase

    def _plain(self, update: ProgressUpdate, name: str, note: str) -> None:
        now = time.monotonic()
        if update.phase != self._phase:
            self._mark = 0
        elif update.total:
            mark = 10 * update.done // update.total
            if mark <= self._mark:
                return
            self._mark = mark
        elif now - self._said < QUIET_SECONDS:
            return
        self._said = now
        if update.total and update.done:
            name = f"{name}: {100 * update.done // update.total} %"
        elif update.done:
            name = f"{name}: {update.done:,}"
        self._console.print(f"{name}{f' ({note})' if note else ''}", markup=False)
