"""One UVM test of the TLB as a hunting ground for mutants: cycles that no driver meets.

Promises: an objection is the scoreboard's, against the untimed oracle: the build has no assertions in it. Without a mutant there is
none. Needs the simulator of tb/uvm/build.py; runs in a process of its own and leaves nothing behind.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hwif.gen.gru import RtlMutant
from shootdown.regress import worker
from shootdown.regress.run import Run
from tb.uvm.tlb.testlist import TESTS

__all__ = ["objection", "uvm_tests"]

BY_NAME = {test.name: test for test in TESTS}


def uvm_tests() -> tuple[str, ...]:
    """The tests there are."""
    return tuple(BY_NAME)


def objection(test: str, seed: int, mutant: int) -> tuple[str, int] | None:
    """Play one test: what was objected to and the cycle, None if nothing."""
    name = RtlMutant(mutant).name.lower() if mutant else ""
    with tempfile.TemporaryDirectory(prefix="shootdown-uvm-") as folder:
        outcome = worker.play(Run(BY_NAME[test], seed, name, asserts=False), Path(folder))
    return None if outcome.passed else (f"{outcome.status}: {outcome.text}", outcome.result.cycles)
