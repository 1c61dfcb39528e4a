"""`shootdown mutants --rtl` end to end: a few mutants of one block, played, kept, told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tb.toolchain import ROOT

pytestmark = pytest.mark.slow  # builds a bench of its own
COMMAND = [sys.executable, "-m", "shootdown.cli", "mutants", "--rtl", "--block", "hca_coalesce", "--block", "hca_events"]
COMMAND += ["--test", "hca_mmu_coalescing", "--seed", "5"]


def played(count: int) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [*COMMAND, "--count", str(count), "--json"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def test_a_few_mutants_are_killed_and_not_played_twice(tmp_path: Path) -> None:
    status, told, said = played(5)
    assert told["total"] == 5
    assert told["killed"] == 5 - len(told["survivors"]) >= 1
    assert told["unfit"] == {}
    assert status == (1 if any(one["reason"] is None for one in told["survivors"]) else 0)
    assert sum(block["total"] for block in told["blocks"].values()) == 5
    for mutant in told["mutants"]:
        file, _, line = mutant["place"].partition(":")
        was = mutant["what"].partition(": ")[2].split()[0]
        assert was.rstrip(";.") in " ".join((ROOT / file).read_text().splitlines()[int(line) - 1 : int(line) + 3])
        assert (mutant["fate"] == "survived") == (mutant["by"] is None)
        assert mutant["said"] or mutant["fate"] == "survived"
    assert "without a mutant" in said or (ROOT / "build/mutants-rtl").exists()

    again, same, silent = played(5)
    assert (again, same["mutants"]) == (status, told["mutants"])
    assert "without a mutant" not in silent
    assert same["seconds"] < 30


def test_interrupted_it_tells_what_is_known_and_goes_on_later() -> None:
    """A draw of its own: the tests above may have filled the results of theirs."""
    process = subprocess.Popen(
        [*COMMAND, "--count", "7", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert process.stdout is not None
    for line in process.stderr:
        if "1/7" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    if process.returncode != 130:
        pytest.skip("it had ended before the signal came")
    told = json.loads(out)
    assert 1 <= told["total"] < 7
    begun = time.monotonic()
    _, whole, _ = played(7)
    assert whole["total"] == 7
    first = {one["number"]: one["fate"] for one in told["mutants"]}
    assert {number: fate for one in whole["mutants"] if (number := one["number"]) in first and (fate := one["fate"])} == first
    assert time.monotonic() - begun < 600
