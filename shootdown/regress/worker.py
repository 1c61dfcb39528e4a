"""What a worker of the farm does: one build, or one run of a test, in a process of its own.

Promises: a run leaves its folder as shootdown/regress/__init__.py says, `outcome.json` last, whatever became of it: it failed,
hung, crashed, saw nothing. What raises is the machine's fault: a full disk (DiskError), or a worker being stopped; the engine tries
again. How often a run was begun is counted in its folder, so that a worker that died counts too.
Needs: the folder to be the same file system on every machine.
"""

from __future__ import annotations

import errno
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shootdown.regress import judge, process
from shootdown.regress.commands import WAVES, started
from shootdown.regress.outcome import Outcome, Status
from shootdown.regress.prebuild import Build
from shootdown.regress.run import Run
from tb.plan.run import RunResult
from tb.toolchain import ROOT, BuildError

__all__ = ["DiskError", "attempts", "build", "play"]

DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
ATTEMPTS = "attempts"
BUILD_LIMIT = 1800.0  # seconds


class DiskError(Exception):
    """No room for what a run writes."""


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in DISK:
            raise DiskError(f"{error.strerror}: {error.filename or 'a file of the run'}") from None
        raise


def build(asked: Build, out: Path) -> str:
    """Build what tests need. What went wrong in a line, "" if nothing did."""
    with _disk_errors():
        log = out / "builds" / f"{asked.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = asked.environment(log.parent)
        with log.open("wb") as output:
            status = process.play([sys.executable, *asked.command], environment, ROOT, output, BUILD_LIMIT)
        if status == 0:
            return ""
        said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        full = next((line for line in said if judge.DISK.search(line)), "")
        if full:
            raise DiskError(full)
        if status is None:
            return f"no end within {BUILD_LIMIT:.0f} s"
        named = next((line for line in said if line.startswith("build: ")), said[-1] if said else f"exit status {status}")
        return named.removeprefix("build: ")


def play(run: Run, folder: Path) -> Outcome:
    """Play a run in its folder."""
    with _disk_errors():
        attempts = _begin(folder)
        begun = time.monotonic()
        with (folder / "run.log").open("wb", buffering=0) as log:
            log.write(f"regress: {_title(run)}: begins\n".encode())
            try:
                asked = started(run, folder)
            except BuildError as error:
                status, text, result = Status.LOST, " ".join(str(error).split()), RunResult()
            else:
                ended = process.play(asked.command, asked.environment, asked.where, log, run.limit)
                full = judge.disk_full(folder, ended)
                if full:
                    raise DiskError(full)
                status, text, result = judge.judge(run.test.kind, folder, ended, run.limit)
            seconds = time.monotonic() - begun
            if run.waves and (folder / WAVES).exists():
                log.write(f"regress: waveform: {folder / WAVES}\n".encode())
            log.write(f"\nregress: {_title(run)}: {status}{f', {text}' if text else ''} (again: {run.again})\n".encode())
        outcome = Outcome(run.test.name, run.seed, status, seconds, text, result, run.again, str(folder), attempts)
        outcome.write(folder / "outcome.json")
        return outcome


def _title(run: Run) -> str:
    scale = f", scale {run.scale:g}" if run.scale != 1 else ""
    return f"{run.test.name}, mutant {run.mutant or 'none'}{scale}, seed {run.seed}"


def _begin(folder: Path) -> int:
    """Make the folder, empty but for the count of attempts; which this is."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.name != ATTEMPTS:
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink()
    with (folder / ATTEMPTS).open("ab") as count:
        count.write(b".")
    return (folder / ATTEMPTS).stat().st_size


def attempts(folder: Path) -> int:
    """How often a run was begun."""
    with suppress(OSError):
        return (folder / ATTEMPTS).stat().st_size
    return 0
