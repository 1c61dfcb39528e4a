"""Tests for the regression to play that need no simulator: one for each way in which a run can end. And a regression of them:
`python -m support.regress_jobs ARGUMENTS` is `shootdown regress` with these tests and no others.
"""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from shootdown.regress import plan, store
from tb.plan.run import RunConfig, RunResult
from tb.plan.test import Kind, Test, Tier

__all__ = ["TESTS"]

HERE = "support.regress_jobs"


def passes(config: RunConfig) -> RunResult:
    """A digest that depends on test, seed and scale."""
    seen = hashlib.sha256(f"{config.test} {config.seed} {config.scale} {config.mutant}".encode()).hexdigest()[:16]
    return RunResult(cycles=1000, items=10, coverage={"tlb edge": {"no context": config.seed}}, digest=seen)


def counts(config: RunConfig) -> RunResult:
    """Counts of code coverage, as an instrumented model writes them: a line that ran, and one that did not."""
    about = "\1f\2/anywhere/rtl/common/plru_tree.sv\1l\2{line}\1n\0023\1t\2line\1page\2v_line/m\1o\2block\1S\2{line}\1h\2tb"
    record = f"C '{about}' {{times}}\n"
    (Path(os.environ["SHOOTDOWN_COVERAGE"]) / "1.dat").write_text(record.format(line=22, times=3) + record.format(line=23, times=0))
    return passes(config)


def objects(config: RunConfig) -> RunResult:
    seen = passes(config)
    seen.errors, seen.objections = 1, [f"cycle {config.seed * 7}: SD-1: handle {config.seed} hits"]
    return seen


def objects_to_mutant(config: RunConfig) -> RunResult:
    return objects(config) if config.mutant else passes(config)


def sees_nothing(config: RunConfig) -> RunResult:
    return RunResult(cycles=1000)


def logs(config: RunConfig) -> RunResult:
    print("     12.00ns ERROR    somewhere.else   nobody counts this", flush=True)
    return passes(config)


def asserts(config: RunConfig) -> RunResult:
    print("[17] %Error: block_props.sv:9: Assertion failed in top.u_block.u_props.sd_1_label: a text", flush=True)
    return passes(config)


def raises(config: RunConfig) -> RunResult:
    raise ValueError("a defect of the test")


def dies(config: RunConfig) -> RunResult:
    os.kill(os.getpid(), signal.SIGSEGV)
    return passes(config)


def hangs(config: RunConfig) -> RunResult:
    """With a child in a session of its own, as builds have."""
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
    Path(config.result).with_name("child").write_text(str(child.pid))
    signal.pause()
    return passes(config)


def fills_the_disk(config: RunConfig) -> RunResult:
    """What a file may grow to is what there is room for."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    Path(config.result).with_name("counts").write_bytes(bytes(5000))
    return passes(config)


def kills_its_worker(config: RunConfig) -> RunResult:
    """The first time."""
    folder = Path(config.result).parent
    if (folder / "attempts").stat().st_size == 1:
        worker = os.getppid()
        os.kill(worker, signal.SIGKILL)
        signal.pause()
    return passes(config)


def kills_its_batch_job(config: RunConfig) -> RunResult:
    """The first time: all that the batch system started for it. For a worker with a session of its own only."""
    if (Path(config.result).parent / "attempts").stat().st_size == 1:
        os.killpg(os.getsid(os.getppid()), signal.SIGKILL)
        signal.pause()
    return passes(config)


def waits_for_a_file(config: RunConfig) -> RunResult:
    """Until a file named `go` lies in the folder of the regression."""
    go = Path(config.result).parents[2] / "go"
    (Path(config.result).parent / "here").touch()
    while not go.exists():
        time.sleep(0.01)
    return passes(config)


def _test(name: str, seconds: float = 60, **more: object) -> Test:
    return Test(name, f"a run that {name.replace('_', ' ')}", Kind.BLOCK, f"{HERE}:{name}", "gru_tlb", seconds=seconds, **more)  # type: ignore[arg-type]


TESTS = {
    test.name: test
    for test in (
        _test("passes", rules=("SD-1",), groups=("tlb edge",), seeds=2, tier=Tier.SMOKE),
        _test("objects", rules=("SD-1",)),
        _test("objects_to_mutant", tier=Tier.FULL),
        _test("sees_nothing"),
        _test("logs"),
        _test("asserts"),
        _test("raises"),
        _test("dies"),
        _test("hangs", seconds=100),
        _test("fills_the_disk"),
        _test("kills_its_worker"),
        _test("waits_for_a_file"),
        _test("counts", tier=Tier.FULL),
    )
}

if __name__ == "__main__":
    from support import regress_jobs  # as workers know it

    from shootdown import cli

    plan.tests = lambda: regress_jobs.TESTS
    store.sources = lambda: "these"  # whoever works on them meanwhile is no part of the test
    sys.exit(cli.run(["regress", *sys.argv[1:]]))
