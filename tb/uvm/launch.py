"""Run one test with one seed in a simulator process of its own.

Promises: the outcome says what happened to the process and what the test saw; nothing raises because a test fails, hangs, crashes
or saw nothing. The log of the run stays in its folder. `stop` ends whatever is running.
Needs: a simulator from tb.uvm.build.
Costs: half a second to start, then about 8,000 cycles a second.
"""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tb.cocotb_environment import cocotb_environment
from tb.plan.run import CONFIG_VARIABLE, RunConfig, RunResult
from tb.plan.test import Test
from tb.uvm.build import simulator

__all__ = ["Launcher", "Outcome", "Task"]

LOG_LINES = 12


@dataclass(frozen=True)
class Task:
    """What to run."""

    entry: Test
    seed: int
    mutant: int = 0
    scale: float = 1.0

    @property
    def name(self) -> str:
        """For folders and reports."""
        return f"{self.entry.name}.{self.seed}"


@dataclass(frozen=True)
class Outcome:
    """`status`: pass, fail (objections), empty (the scoreboard saw nothing), timeout, crash. `text` is the first thing to read."""

    task: Task
    status: str
    seconds: float
    result: RunResult
    text: str
    log: Path


class Launcher:
    """Runs tasks, from several threads if need be."""

    def __init__(self, simulator: Path, folder: Path, timeout: float, *, waves: bool = False) -> None:
        self._simulator = simulator
        self._folder = folder
        self._timeout = timeout
        self._waves = waves
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, task: Task) -> Outcome:
        """To its end or to the time limit."""
        folder = self._folder / task.name
        folder.mkdir(parents=True, exist_ok=True)
        result, xml, log = folder / "result.json", folder / "cocotb.xml", folder / "run.log"
        for old in (result, xml):
            old.unlink(missing_ok=True)
        config = RunConfig(task.entry.name, task.seed, str(result), task.mutant, task.scale)
        command = [str(self._simulator), "+verilator+rand+reset+2", f"+verilator+seed+{task.seed % (1 << 31) or 1}"]
        command += ["--trace", "--trace-file", str(folder / "waves.fst")] if self._waves else []
        started = time.monotonic()
        with log.open("wb") as output:
            with self._lock:
                if self._stopped:
                    raise KeyboardInterrupt
                process = subprocess.Popen(
                    command,
                    env=_environment(task.entry, config, xml),
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is for the runner, which ends what it started
                )
                self._running.add(process)
            try:
                status: int | None = process.wait(self._timeout)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                process.kill()
                process.wait()
                with self._lock:
                    self._running.discard(process)
        return _outcome(task, status, time.monotonic() - started, result, xml, log)

    def stop(self) -> None:
        """End what is running and start nothing more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()


def _outcome(task: Task, status: int | None, seconds: float, result: Path, xml: Path, log: Path) -> Outcome:
    seen = RunResult.read(result) if result.exists() else RunResult()
    if status is None:
        return Outcome(task, "timeout", seconds, seen, f"no end within {seconds:.0f} s", log)
    if not result.exists():
        return Outcome(task, "crash", seconds, seen, _last_words(log, status), log)
    if seen.errors:
        return Outcome(task, "fail", seconds, seen, seen.objections[0], log)
    if not seen.items:
        return Outcome(task, "empty", seconds, seen, "the scoreboard saw nothing", log)
    failure = _failure(xml)
    if failure or status != 0:
        return Outcome(task, "crash", seconds, seen, failure or f"exit status {status}", log)
    return Outcome(task, "pass", seconds, seen, "", log)


def _failure(xml: Path) -> str:
    """What cocotb says went wrong; it writes its file last."""
    if not xml.exists():
        return "the simulator left no result file"
    root = ElementTree.parse(xml).getroot()
    if root.find(".//testcase") is None:
        return "the simulator ran no test"
    found = next((one for one in root.iter() if one.tag in ("failure", "error")), None)
    return "" if found is None else found.get("error_msg") or found.get("message") or "the test failed"


def _last_words(log: Path, status: int) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    raised = [line for line in lines if "Error" in line]
    return raised[-1] if raised else f"exit status {status}: {lines[-1] if lines else 'no output'}"


def _environment(entry: Test, config: RunConfig, xml: Path) -> dict[str, str]:
    module, _, cls = entry.target.partition(":")
    chosen = {"COCOTB_TEST_FILTER": rf"\b{cls}$", CONFIG_VARIABLE: config.dump()}
    return cocotb_environment(simulator(entry.simulator).top, module, xml, chosen, seed=config.seed)
