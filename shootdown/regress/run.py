"""One run of a test: what the engine sends to a worker, and the words for it.

Promises: plain data that pickles; `name` is unique in a regression and names the run's folder; `again` is one line that plays the
run to the same digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hwif.gen.gru import RtlMutant
from hwif.gen.hca import HcaMutant
from tb.plan.run import RunConfig
from tb.plan.test import Kind, Test

__all__ = ["BUILDS_ITSELF", "Run", "device", "mutants"]

BUILDS_ITSELF = {Kind.BLOCK, Kind.PYTEST}
"""Kinds whose runs may find at run time that something is still to be built."""
BUILD_SECONDS = 300.0
"""What such a run may take on top of its limit."""


def device(test: Test) -> str:
    """ "gru" or "hca", whose RTL it runs; "" if the block belongs to neither."""
    return next((name for name in ("gru", "hca") if test.block == name or test.block.startswith(f"{name}_")), "")


def mutants(kind: str) -> dict[str, int]:
    """Broken variants of a device's RTL: name -> what mutant_i is then."""
    numbers: type[RtlMutant] | type[HcaMutant] = HcaMutant if kind == "hca" else RtlMutant
    return {mutant.name.lower(): mutant.value for mutant in numbers if mutant.value}


@dataclass(frozen=True)
class Run:
    """`mutant`: name of a broken variant, "" for the product. `scale`: relative to the test's own. `seconds`: wall-clock limit, 0
    for the test's own. `coverage`: code coverage is counted. `asserts`: the RTL's assertions are checked too (UVM; elsewhere they
    always are)."""

    test: Test
    seed: int
    mutant: str = ""
    scale: float = 1.0
    waves: bool = False
    coverage: bool = False
    asserts: bool = True
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """For folders and reports."""
        return f"{self.test.name}.{self.seed}"

    @property
    def limit(self) -> float:
        """Seconds of wall-clock time it may take."""
        if self.seconds:
            return self.seconds
        return self.test.seconds + (BUILD_SECONDS if self.test.kind in BUILDS_ITSELF else 0.0)

    def config(self, folder: Path) -> RunConfig:
        """What its process is told."""
        number = mutants(device(self.test))[self.mutant] if self.mutant else 0
        return RunConfig(self.test.name, self.seed, str(folder / "result.json"), number, self.test.scale * self.scale)

    @property
    def again(self) -> str:
        """The command that plays it again."""
        words = [f"make regress TEST={self.test.name} SEED={self.seed}"]
        words += [f"MUTANT={self.mutant}"] if self.mutant else []
        words += [f"SCALE={self.scale!r}"] if self.scale != 1 else []
        return " ".join(words)
