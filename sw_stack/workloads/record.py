"""Record a program: run it under valgrind's lackey, read the log through a pipe as it is written, keep only the trace.

Promises: the log is never stored. The trace covers one address space, the one CMD ends up in: a launcher that replaces itself (a
shell wrapper, `env`, a version manager) is followed, children run natively and unrecorded. However recording ends (exit, run
limit, Ctrl-C, a signal), the trace is whole. What the user can mend is a RecordError of one line.
Costs: the program runs some hundred times slower; about 0.5 M accesses a second.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from sw_stack.workloads.collapse import Collapser, RunLimitError
from sw_stack.workloads.lackey import LackeyParser
from sw_stack.workloads.trace_file import TraceWriter
from sw_stack.workloads.trace_records import TraceInfo

__all__ = ["DEFAULT_MAX_RUNS", "DEFAULT_WINDOW", "RecordError", "RecordProgress", "Recording", "record"]

DEFAULT_MAX_RUNS = 1_000_000
DEFAULT_WINDOW = 64  # a processor's first-level data TLB: what is left is what a page walk would see

_PIECE = 1 << 20
_WAIT = 0.1  # seconds between looks at the program when the pipe is silent
_PATIENCE = 2.0  # seconds a program gets to end after SIGTERM
_REPORT_EVERY = 0.2

# Started for every execve under valgrind. The recorded process goes on under valgrind; a child's program runs as it is.
_LAUNCHER = """#!/bin/sh
if [ "$$" = "$SHOOTDOWN_RECORDED" ]; then
    VALGRIND_LAUNCHER=$0 VALGRIND_LIB=${SHOOTDOWN_TOOL%/*} exec "$SHOOTDOWN_TOOL" "$@"
fi
while [ "${1#--}" != "$1" ]; do shift; done
unset LD_PRELOAD VALGRIND_LAUNCHER VALGRIND_LIB SHOOTDOWN_RECORDED SHOOTDOWN_TOOL
exec "$@"
"""
_START = 'SHOOTDOWN_RECORDED=$$; export SHOOTDOWN_RECORDED; exec "$SHOOTDOWN_TOOL" "$@"'


class RecordError(Exception):
    """The program cannot be recorded. One line."""


@dataclass(frozen=True)
class RecordProgress:
    """Counts so far."""

    accesses: int
    runs: int
    events: int
    seconds: float


@dataclass(frozen=True)
class Recording:
    """What was recorded."""

    path: Path
    info: TraceInfo
    runs: int
    events: int
    size: int
    seconds: float


def record(
    command: Sequence[str],
    out: Path,
    *,
    max_runs: int = DEFAULT_MAX_RUNS,
    window: int = DEFAULT_WINDOW,
    progress: Callable[[RecordProgress], None] | None = None,
) -> Recording:
    """Run `command` and write its trace to `out`. Raises RecordError, or TraceError when `out` cannot be written."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise RecordError("valgrind is missing: install the package 'valgrind' (Debian: apt-get install valgrind)")
    program = shutil.which(command[0])
    if program is None:
        raise RecordError(f"{command[0]}: no such program; give CMD as you would type it in a shell")
    info = TraceInfo(Path(command[0]).name, tuple(command), f"{_version(valgrind)} lackey", window)
    collapser = Collapser(lambda: TraceWriter(out, info), window, max_runs)
    try:
        with tempfile.TemporaryDirectory(prefix="shootdown-record-") as folder:
            session = _Session(Path(folder), valgrind, [program, *command[1:]], collapser, progress)
            ended, status = session.run()
        if not collapser.accesses_seen:
            why = session.parser.last_message or f"valgrind ended with status {status}"
            raise RecordError(f"{command[0]}: valgrind recorded nothing: {why}")
        info = TraceInfo(
            info.program,
            info.argv,
            info.tool,
            window,
            accesses=collapser.accesses_seen,
            ended=ended,
            exit_status=status,
            dropped=collapser.dropped,
            note=_note(collapser.images, session.signal),
        )
        collapser.finish(info)
    except BaseException:
        collapser.writer.discard()
        raise
    writer = collapser.writer
    return Recording(out, info, writer.runs, writer.events, out.stat().st_size, session.seconds)


def _note(images: int, number: int) -> str:
    parts = [signal.Signals(number).name] if number in set(signal.Signals) else []
    parts += [f"after {images - 1} execve"] if images > 1 else []
    return ", ".join(parts)


def _version(valgrind: str) -> str:
    asked = subprocess.run([valgrind, "--version"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "valgrind"


def _tool(valgrind: str) -> tuple[Path, Path] | None:
    """The lackey binary and valgrind's library folder, where distributions put them. None: somewhere else."""
    prefix = Path(valgrind).resolve().parent.parent
    given = os.environ.get("VALGRIND_LIB")
    folders = [Path(given)] if given else [prefix / "libexec/valgrind", prefix / "lib/valgrind", *prefix.glob("lib/*/valgrind")]
    for folder in folders:
        for tool in sorted(folder.glob("lackey-amd64-linux")):
            return tool, folder
    return None


class _Session:
    """One run of the program."""

    def __init__(
        self,
        folder: Path,
        valgrind: str,
        command: list[str],
        collapser: Collapser,
        progress: Callable[[RecordProgress], None] | None,
    ) -> None:
        self.parser = LackeyParser(collapser)
        self.seconds = 0.0
        self.signal = 0  # that ended the program
        self._collapser = collapser
        self._progress = progress
        self._start = time.monotonic()
        self._reported = 0.0
        self._interrupted = False
        pipe = folder / "log"
        os.mkfifo(pipe)
        # Our own write end keeps the pipe open between two program images.
        self._reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self._keeper = os.open(pipe, os.O_WRONLY)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._reader, fcntl.F_SETPIPE_SZ, _PIECE)
        options = [
            "--tool=lackey",
            "--trace-mem=yes",
            "--trace-syscalls=yes",
            "--child-silent-after-fork=yes",
            f"--log-file={pipe}",
        ]
        environment = dict(os.environ)
        found = _tool(valgrind)
        if found is not None:
            launcher = folder / "launcher"
            launcher.write_text(_LAUNCHER)
            launcher.chmod(0o700)
            environment |= {"SHOOTDOWN_TOOL": str(found[0]), "VALGRIND_LIB": str(found[1]), "VALGRIND_LAUNCHER": str(launcher)}
            line = ["/bin/sh", "-c", _START, "sh", *options, "--trace-children=yes", *command]
        else:  # without the launcher a replaced program is not followed
            line = [valgrind, *options, *command]
        try:
            self._process = subprocess.Popen(line, env=environment)
        except OSError as error:
            self._close()
            raise RecordError(f"cannot start {valgrind}: {error.strerror}") from None

    def run(self) -> tuple[str, int | None]:
        """How the program ended, and its exit status if it exited by itself."""
        try:
            with self._interrupts_wait():
                self._read()
        except RunLimitError:
            return "max-runs", None
        finally:
            self._close()
            self._stop()
            self.seconds = time.monotonic() - self._start
            self._report(last=True)
        if self._interrupted:
            return "interrupted", None
        status = self._process.returncode
        if status < 0:
            self.signal = -status
            return "signal", None
        return "exit", status

    @contextlib.contextmanager
    def _interrupts_wait(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM take effect between two pieces of the log, never inside a record. A second one does not wait, and
        costs the trace."""

        def note(_number: int, _frame: FrameType | None) -> None:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True

        if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
            yield
            return
        before: dict[int, Any] = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _read(self) -> None:
        while not self._interrupted:
            ready, _, _ = select.select([self._reader], [], [], _WAIT)
            if ready:
                self.parser.feed(os.read(self._reader, _PIECE))
            elif self._process.poll() is not None:
                return
            self._report()

    def _report(self, last: bool = False) -> None:
        now = time.monotonic()
        if self._progress is None or (not last and now - self._reported < _REPORT_EVERY):
            return
        self._reported = now
        self._progress(self.counts(now))

    def counts(self, now: float) -> RecordProgress:
        """Counts at a time."""
        collapser = self._collapser
        return RecordProgress(collapser.accesses_seen, collapser.runs, collapser.writer.events, now - self._start)

    def _close(self) -> None:
        for descriptor in (self._reader, self._keeper):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _stop(self) -> None:
        """End the program if it still runs: first by asking."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                return
            self._process.send_signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE)
        self._process.wait()
