"""A process of a run is ended for certain: at its limit, when told to stop, with all it started; and when its worker dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shootdown.regress import process

# Writes its number and that of a child in a session of its own, deaf to SIGTERM, then waits.
FAMILY = """
import signal, subprocess, sys, os
deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
child = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
open("pids.partial", "w").write(f"{os.getpid()} {child.pid}")
os.rename("pids.partial", "pids")
signal.pause()
"""


@pytest.fixture(autouse=True)
def ready() -> Iterator[None]:
    process.ready()
    yield
    process.ready()


def play(folder: Path, text: str, limit: float) -> int | None:
    with (folder / "log").open("wb") as log:
        return process.play([sys.executable, "-c", text], os.environ, folder, log, limit)


def family(folder: Path) -> list[int]:
    until = time.monotonic() + 60
    while not (folder / "pids").exists() or not (folder / "pids").read_text():
        assert time.monotonic() < until
        time.sleep(0.01)
    return [int(word) for word in (folder / "pids").read_text().split()]


def gone(pids: list[int]) -> bool:
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=30)
    return not alive


def test_an_exit_status_comes_back(tmp_path: Path) -> None:
    assert play(tmp_path, "raise SystemExit(7)", 60) == 7
    assert play(tmp_path, "import os; os.kill(os.getpid(), 11)", 60) == -signal.SIGSEGV
    assert play(tmp_path, "print('here')", 60) == 0 and (tmp_path / "log").read_text() == "here\n"


def test_at_the_limit_everything_it_started_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.1)
    for limit in (1, 5, 25):  # long enough for it to have started its child
        assert play(tmp_path, FAMILY, limit) is None
        if (tmp_path / "pids").exists():
            break
    assert gone(family(tmp_path))


def test_stopping_ends_what_runs_and_begins_nothing(tmp_path: Path) -> None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            play(tmp_path, "open('pids', 'w').write(str(__import__('os').getpid())); __import__('signal').pause()", 60)
        except process.StoppedError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    pids = family(tmp_path)
    process.stop()
    thread.join(60)
    assert len(raised) == 1 and gone(pids)
    with pytest.raises(process.StoppedError):
        play(tmp_path, "", 60)


def test_a_worker_that_is_killed_takes_its_run_with_it(tmp_path: Path) -> None:
    text = "open('pids', 'w').write(str(__import__('os').getpid())); __import__('signal').pause()"
    worker = f"""
import os, sys
from pathlib import Path
from shootdown.regress import process
process.play([sys.executable, "-c", {text!r}], os.environ, Path({str(tmp_path)!r}), sys.stdout.buffer, 60)
"""
    started = subprocess.Popen([sys.executable, "-c", worker], cwd=Path(__file__).resolve().parents[2])
    pids = family(tmp_path)
    started.kill()
    started.wait()
    assert gone(pids)
