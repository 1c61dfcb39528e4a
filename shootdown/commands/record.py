"""`shootdown record`: turn a program's run into a trace.

Promises: one line for what the user can mend; the trace is whole however the recording ended, and the last lines say how it did.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from shootdown.console import Display
from shootdown.errors import InputError
from shootdown.result import ProgressUpdate
from sw_stack.workloads.record import RecordProgress, record

__all__ = ["run"]

ENOUGH_BYTES = 64 << 20


def check_target(out: Path) -> None:
    """The trace can be written there. Raises InputError."""
    folder = out.parent
    if out.is_dir():
        raise InputError(f"{out}: is a folder", "give --out a file name, such as program.sdt")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot make the folder: {os.strerror(error.errno or 0)}", "choose another --out") from None
    free = shutil.disk_usage(folder).free
    if free < ENOUGH_BYTES:
        raise InputError(f"{folder}: only {free >> 20} MiB free, a trace may need {ENOUGH_BYTES >> 20} MiB", "free some space")


def run(command: list[str], out: Path, max_runs: int, window: int) -> int:
    """The whole command; its exit status."""
    if not command:
        raise InputError("no program given", "write it after --, as in: shootdown record --out ls.sdt -- ls -l")
    for name, value in (("--max-runs", max_runs), ("--window", window)):
        if value < 1:
            raise InputError(f"{name} {value}: must be at least 1")
    check_target(out)
    with Display() as display:

        def show(counts: RecordProgress) -> None:
            rate = counts.accesses / max(counts.seconds, 1e-9)
            note = f"{counts.accesses:,} accesses, {counts.events:,} memory calls, {rate:,.0f} accesses/s"
            display(ProgressUpdate("record", counts.runs, max_runs, note=note))

        recording = record(command, out, max_runs=max_runs, window=window, progress=show)
    info = recording.info
    print(
        f"{out}: {recording.runs:,} runs of {info.accesses:,} accesses, {recording.events:,} memory calls, "
        f"{recording.size:,} bytes in {recording.seconds:.1f} s"
    )
    ends = {
        "exit": f"the program exited with status {info.exit_status}",
        "signal": "the program was killed by a signal",
        "max-runs": f"stopped at --max-runs {max_runs}; the program was ended",
        "interrupted": "interrupted; the program was ended",
    }
    print(f"{ends[info.ended]}{f' ({info.note})' if info.note else ''}")
    print(f"play it: shootdown cosim --trace {out}")
    return 0
