"""One UVM test of the TLB as a hunting ground for mutants: cycles that no driver meets.

Promises: an objection is the scoreboard's, against the untimed oracle; without a mutant there is none. Needs the simulator of
tb/uvm/build.py; runs in a process of its own and leaves nothing behind.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tb.plan.catalogue import tests
from tb.uvm.build import build
from tb.uvm.launch import Launcher, Outcome, Task

__all__ = ["objection", "uvm_tests"]

TIMEOUT = 300.0


def uvm_tests() -> tuple[str, ...]:
    """The tests there are."""
    return tuple(tests())


def objection(test: str, seed: int, mutant: int) -> tuple[str, int] | None:
    """Play one test: what was objected to and the cycle, None if nothing."""
    with tempfile.TemporaryDirectory(prefix="shootdown-uvm-") as folder:
        outcome: Outcome = Launcher(build(), Path(folder), TIMEOUT).run(Task(tests()[test], seed, mutant))
    return None if outcome.status == "pass" else (f"{outcome.status}: {outcome.text}", outcome.result.cycles)
