"""A process that is ended for certain: at its limit, when it is told to stop, and with everything it started.

Promises: `play` returns when the process has ended, its exit status or None if the limit ended it; nothing it started is left,
process groups of its own included. If this process dies, the child is told to end (SIGTERM). `stop` ends all that run.
Needs: Linux (pidfd); setpriv, of util-linux, for the promise about dying.
Costs: no waking up while it waits: a poll every few milliseconds on two processors shows.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

__all__ = ["StoppedError", "play", "ready", "stop"]

GRACE = 3.0  # seconds from SIGTERM to SIGKILL: a build ends its compilers meanwhile

_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()
_stopped = threading.Event()


class StoppedError(Exception):
    """The regression is being stopped: nothing more is started here."""


def play(command: Sequence[str], environment: Mapping[str, str], where: Path, output: IO[bytes], limit: float) -> int | None:
    """To its end or to its limit, in seconds."""
    setpriv = shutil.which("setpriv")
    guarded = [setpriv, "--pdeathsig", "TERM", "--", *command] if setpriv else list(command)
    with _lock:
        if _stopped.is_set():
            raise StoppedError
        process = subprocess.Popen(
            guarded,
            env=dict(environment),
            cwd=where,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the runner, which ends what it started
        )
        _running.add(process)
    try:
        status = process.wait() if _ends(process, limit) else None
    finally:
        _end(process)
        with _lock:
            _running.discard(process)
    if _stopped.is_set():
        raise StoppedError
    return status


def ready() -> None:
    """Take processes again after `stop`."""
    _stopped.clear()


def stop() -> None:
    """End what is running and start nothing more."""
    with _lock:
        _stopped.set()
        for process in _running:
            _signal(_family(process), signal.SIGTERM)


def _ends(process: subprocess.Popen[bytes], limit: float) -> bool:
    """Does it end within `limit` seconds? Waits for that, without polling."""
    descriptor = os.pidfd_open(process.pid)
    try:
        return bool(select.select([descriptor], [], [], limit)[0])
    finally:
        os.close(descriptor)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process, its group, and groups that its children made."""
    family = _family(process)
    if process.poll() is None:
        _signal(family, signal.SIGTERM)
        psutil.wait_procs(family, timeout=GRACE)
    _signal(family, signal.SIGKILL)
    with suppress(OSError):  # all gone
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)] if process.returncode is None else []
    except psutil.NoSuchProcess:
        return []


def _signal(family: Sequence[psutil.Process], number: int) -> None:
    for member in family:
        with suppress(psutil.NoSuchProcess):  # psutil knows a number that is somebody else's by now
            member.send_signal(number)
