"""What a test of the regression is.

Promises: a `Test` is plain data and says how to run it, what it is for and how long it may take. It never imports what it runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from hwif.gen.rules import RULES

__all__ = ["Kind", "Test", "Tier"]


class Kind(Enum):
    """How a test runs, and what `Test.target` means."""

    UVM = "uvm"  # "module:Class", a pyuvm test in the simulator `Test.simulator`
    BLOCK = "block"  # "module:function", RunConfig -> RunResult, in a Python process: it steps a block, or software
    PYTEST = "pytest"  # a pytest node: directed tests of a block or of a device; its seed is not used
    COSIM = "cosim"  # "device:scenario", software and RTL together


class Tier(Enum):
    """SMOKE: one short run of everything; DEFAULT: what `make regress` plays; FULL: all there is."""

    SMOKE = "smoke"
    DEFAULT = "default"
    FULL = "full"


@dataclass(frozen=True)
class Test:
    """`name`: unique, for the command line. `block`: what it aims at (a folder or file stem of rtl, "gru" or "hca" for a chip).
    `rules`: ids it exercises. `groups`: names of cover groups that it feeds. `seeds`: of the default set. `seconds`: the
    wall-clock limit of a run, about ten times what it takes."""

    __test__ = False  # not pytest's

    name: str
    about: str
    kind: Kind
    target: str
    block: str
    simulator: str = ""
    rules: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    seeds: int = 1
    seconds: float = 120.0
    tier: Tier = Tier.DEFAULT
    scale: float = 1.0
    options: dict[str, str] = field(default_factory=dict, hash=False)  # COSIM: more of the command line

    def __post_init__(self) -> None:
        unknown = [rule for rule in self.rules if rule not in RULES]
        if unknown:
            raise ValueError(f"test {self.name}: no rule {unknown[0]}")
