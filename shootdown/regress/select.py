"""Which runs a regression plays: tests by set, name, block and rule, each with its seeds.

Promises: the same request gives the same runs, in order of the list of tests, unless new seeds are asked for. Raises InputError for
what does not exist, with the nearest names, and for a request that leaves no run.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from hwif.gen.rules import RULES
from shootdown.errors import InputError, unknown
from shootdown.regress import plan
from shootdown.regress.run import Run, device, mutants
from tb.plan.test import Kind, Test, Tier

__all__ = ["DEVICES", "PART", "Request", "runs"]

DEVICES = ("gru", "hca")
TIERS = (Tier.SMOKE, Tier.DEFAULT, Tier.FULL)
SMOKE_SCALE = 0.25
SEED_BITS = 31
PART = "part"
"""What stands for a set where only some of it was chosen."""


@dataclass(frozen=True)
class Request:
    """The command line. `tests`: names or patterns. `seeds`: 1 to so many of each test; `seed`: this one; `reseed`: so many new
    ones. None or empty: what the test says."""

    tier: Tier = Tier.DEFAULT
    tests: Sequence[str] = ()
    blocks: Sequence[str] = ()
    rules: Sequence[str] = ()
    seeds: int | None = None
    seed: int | None = None
    reseed: int | None = None
    scale: float = 1.0
    mutant: str = ""
    waves: bool = False
    coverage: bool = True
    timeout: float | None = None

    @property
    def chosen(self) -> str:
        """The set when it is the whole of it: nothing left out, nothing broken, nothing shorter. Else PART."""
        narrowed = self.tests or self.blocks or self.rules or self.mutant or self.seed is not None or self.scale < 1
        return PART if narrowed else self.tier.value

    @property
    def complete(self) -> bool:
        """It is a whole set that goals are for."""
        return self.chosen in (Tier.DEFAULT.value, Tier.FULL.value)


def runs(request: Request) -> list[Run]:
    """The runs, in order of the list of tests."""
    _check(request)
    known = plan.tests()
    chosen = _chosen(request, known)
    drawn = random.SystemRandom()
    found = []
    for test in chosen:
        for seed in _seeds(request, test, drawn):
            found.append(_run(request, test, seed))
    return found


def _check(request: Request) -> None:
    numbers = {"--seeds": request.seeds, "--reseed": request.reseed, "--scale": request.scale, "--timeout": request.timeout}
    for option, value in numbers.items():
        if value is not None and value <= 0:
            raise InputError(f"{option} {value:g}: must be positive")
    if request.seed is not None and not 0 <= request.seed < 1 << 63:
        raise InputError(f"--seed {request.seed}: must be from 0 to 2**63 - 1")
    given = [name for name in ("seeds", "seed", "reseed") if getattr(request, name) is not None]
    if len(given) > 1:
        raise InputError(f"--{given[0]} and --{given[1]} do not go together", "give one of them")
    for rule in request.rules:
        if rule not in RULES:
            raise unknown("--rule", rule, "rule", RULES)


def _chosen(request: Request, known: Mapping[str, Test]) -> list[Test]:
    """Tests that all the filters leave. A test named in full is played whatever set it belongs to."""
    for pattern in request.tests:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise unknown("--test", pattern, "test", known)
    blocks = sorted({test.block for test in known.values()})
    for pattern in request.blocks:
        if not any(_in_block(block, pattern) for block in blocks):
            raise unknown("--block", pattern, "block", blocks)
    allowed = _set(request.tier, known)
    found = [
        test
        for test in known.values()
        if (test.name in allowed or test.name in request.tests)
        and (not request.tests or any(fnmatchcase(test.name, pattern) for pattern in request.tests))
        and (not request.blocks or any(_in_block(test.block, pattern) for pattern in request.blocks))
        and (not request.rules or any(rule in test.rules for rule in request.rules))
    ]
    if request.mutant:
        found = _breakable(found, request.mutant)
    if not found:
        raise InputError("no test is left by what was asked for", "see --list")
    return found


def _in_block(block: str, pattern: str) -> bool:
    """By name or pattern; a device means its blocks too."""
    return fnmatchcase(block, pattern) or (pattern in DEVICES and block.startswith(f"{pattern}_"))


def _set(tier: Tier, known: Mapping[str, Test]) -> set[str]:
    """Names of a set. Smoke: one short run of everything, so where nobody chose a test of a block and kind, its first."""
    if tier is not Tier.SMOKE:
        return {test.name for test in known.values() if TIERS.index(test.tier) <= TIERS.index(tier)}
    first: dict[tuple[str, Kind], str] = {}
    for test in sorted(known.values(), key=lambda one: TIERS.index(one.tier)):
        first.setdefault((test.block, test.kind), test.name)
    return set(first.values()) | {test.name for test in known.values() if test.tier is Tier.SMOKE}


def _breakable(tests: Sequence[Test], mutant: str) -> list[Test]:
    """Those of a device that has this broken variant, and that can show it."""
    has = {kind for kind in DEVICES if mutant in mutants(kind)}
    if not has:
        raise unknown("--mutant", mutant, "broken variant", dict.fromkeys(name for kind in DEVICES for name in mutants(kind)))
    return [test for test in tests if device(test) in has and test.kind is not Kind.PYTEST]


def _seeds(request: Request, test: Test, drawn: random.Random) -> Sequence[int]:
    if test.kind is Kind.PYTEST:
        return [1 if request.seed is None else request.seed]  # it has no use for one
    if request.seed is not None:
        return [request.seed]
    if request.reseed is not None:
        return [drawn.getrandbits(SEED_BITS) for _ in range(request.reseed)]
    smoke = request.tier is Tier.SMOKE and not request.tests
    return range(1, (request.seeds or (1 if smoke else test.seeds)) + 1)


def _run(request: Request, test: Test, seed: int) -> Run:
    smoke = request.tier is Tier.SMOKE and test.tier is not Tier.SMOKE
    scale = request.scale * (SMOKE_SCALE if smoke and test.kind is not Kind.PYTEST else 1.0)
    return Run(
        test,
        seed,
        mutant=request.mutant,
        scale=scale,
        waves=request.waves,
        coverage=request.coverage,
        seconds=request.timeout or 0.0,
    )
