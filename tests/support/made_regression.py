"""A regression's folder that no simulator made: every status, holes, code coverage and a history, for tests of what reads it."""

from __future__ import annotations

import json
import random
from pathlib import Path

from shootdown.regress import history
from shootdown.regress.history import Entry
from shootdown.regress.outcome import Outcome, Status
from tb.plan.run import RunResult
from tb.uvm.tlb import points

__all__ = ["FAILURES", "NASTY", "SEEDS", "TESTS", "made"]

TESTS = ("tlb_crowded", "tlb_races", "tlb_random", "tlb_scope", "tlb_sizes", "tlb_slow_fills", "tlb_storm")
SEEDS = 6
NASTY = "<script>alert('seed')</script> & \"quotes\""
FAILURES = {
    ("tlb_races", 2): (
        Status.FAIL,
        "cycle 4211: SD-3: 1 pages at 0x7f0012345000 of asid 0x1a2 entered though a shootdown covers it",
    ),
    ("tlb_races", 5): (Status.FAIL, "cycle 977: SD-3: 1 pages at 0x7f0000aa0000 of asid 0x7 entered though a shootdown covers it"),
    ("tlb_slow_fills", 3): (Status.FAIL, "cycle 88: SD-3: 512 pages at 0x0 of asid 0x0 entered though a shootdown covers it"),
    ("tlb_storm", 1): (Status.TIMEOUT, "no end within 300 s"),
    ("tlb_storm", 4): (Status.CRASH, f"ended by SIGSEGV: {NASTY}"),
    ("tlb_scope", 6): (Status.EMPTY, "no check saw anything"),
    ("tlb_sizes", 1): (Status.LOST, "No space left on device (3 attempts)"),
}
FILES = ("rtl/gru/gru_tlb.sv", "rtl/gru/gru_tfh.sv", "rtl/hca/hca_xlt.sv")


def made(
    folder: Path,
    *,
    failing: bool = True,
    seeds: int = SEEDS,
    covered: bool = False,
    code: bool = True,
    runs: int | None = None,
    past: int = 12,
) -> Path:
    """Write it. `covered`: every bin is hit. `runs`: only the first so many have ended, and no summary was written."""
    draw = random.Random("made regression")
    ended = 0
    for seed in range(1, seeds + 1):
        for test in TESTS:
            if runs is None or ended < runs:
                _run(folder, test, seed, draw, failing)
            ended += 1
    if ended and runs != 0:
        functional = {
            group.name: {name: 0 if not covered and draw.random() < 0.06 else draw.randint(1, 900) for name in group.bins}
            for group in points.ALL
        }
        (folder / "functional.json").write_text(json.dumps(functional))
    if code:
        (folder / "code.json").write_text(json.dumps(_code(covered)))
    _history(folder, past, draw)
    if runs is None:
        bad = len(FAILURES) if failing and seeds else 0
        summary = {"tests": ended, "planned": ended, "passed": ended - bad, "failed": bad, "wall_s": 71.5, "workers": 2}
        (folder / "summary.json").write_text(json.dumps({**summary, "commit": "08e440e", "ended": "2030-01-31T11:59:07Z"}))
    return folder


def _run(folder: Path, test: str, seed: int, draw: random.Random, failing: bool) -> None:
    own = folder / "runs" / f"{test}.{seed}"
    own.mkdir(parents=True)
    status, text = FAILURES.get((test, seed), (Status.PASS, "")) if failing else (Status.PASS, "")
    seconds = 300.2 if status is Status.TIMEOUT else 1 + 4 * draw.random()
    result = RunResult()
    if status in (Status.PASS, Status.FAIL):
        result = RunResult(draw.randint(9_000, 40_000), draw.randint(5_000, 90_000), digest=f"{draw.getrandbits(64):016x}")
    if status is Status.FAIL:
        result.errors, result.objections = 2, [text, "cycle 9999: SD-1: a second objection"]
        (own / "waves.fst").write_bytes(b"")
    (own / "run.log").write_text(f"{test} begins: seed {seed}\n")
    command = f"make regress TEST={test} SEED={seed}"
    Outcome(test, seed, status, seconds, text, result, command, str(own), 3 if status is Status.LOST else 1).write(
        own / "outcome.json"
    )


def _code(covered: bool) -> dict[str, object]:
    files = {}
    for number, path in enumerate(FILES):
        short = 0 if covered else 3 * number
        holes = [f"line {100 + 7 * hole}" for hole in range(short)]
        files[path] = {
            "line": {"hit": 400 - short, "total": 400, "holes": holes},
            "branch": {"hit": 120, "total": 120, "holes": []},
            "toggle": {"hit": 1900 - 9 * short, "total": 1900, "holes": [f"fill_q.pfn[{bit}] 1->0" for bit in range(9 * short)]},
            "assertion": {"hit": 12, "total": 12, "holes": []},
        }
    return {"files": files, "excluded": {"line": 4, "toggle": 31}, "stale": ["rtl/gru/gru_tlb.sv:12 was hit"]}


def _history(folder: Path, past: int, draw: random.Random) -> None:
    for day in range(1, past + 1):
        passed = 42 - (day in (4, 5)) * 3 - (day == past) * len(FAILURES)
        part = day / past
        history.append(
            folder / "history.jsonl",
            Entry(
                f"2030-01-{day:02}T12:00:00Z",
                f"{draw.getrandbits(28):07x}",
                42,
                passed,
                80 - 12 * part + draw.random() * 6,
                2,
                900_000,
                0.82 + 0.13 * part,
                0.96 + 0.03 * part if day > 3 else None,
                0.9 + 0.06 * part if day > 3 else None,
                1.0 if day > 3 else None,
            ),
        )
