"""The regression's runs of the HCA's memory side: random traffic by profile.

Promises: `traffic` is a target of tb/block/job.py; the profile of random traffic is the test's name. An objection is what the
references said first, then every assertion that failed. `scale` multiplies the cycles.
Needs: what tb/hca_mmu/bench.py needs.
Costs: some 60 us a cycle.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tb.hca_mmu.bench import Mmu, StuckError
from tb.hca_mmu.traffic import Profile, Traffic, WrongError
from tb.plan.run import RunConfig, RunResult

__all__ = ["PROFILES", "traffic"]

TINY = ((1, 1), (2, 1), (1, 2), (4, 2))
PROFILES = {
    "hca_mmu_plain": Profile(),
    "hca_mmu_faults": Profile(fault=0.3, queue_pairs=3, lazy=5, wrong=0.3, resume=3.0),
    "hca_mmu_tiny_queues": Profile(sizes=TINY, fault=0.2, off=2),
    "hca_mmu_clears": Profile(clear=0.3, fault=0.3, queue_pairs=4),
    "hca_mmu_refused": Profile(refuse=0.5, wrong=0.5, fault=0.1, sizes=((16, 4),)),
    "hca_mmu_races": Profile(latency=2, lazy=2, ask=0.5, change=4.0, flight=30, resume=0.5),
    "hca_mmu_slow": Profile(latency=150, busy=40, stall=0.4, cycles=14000),
    "hca_mmu_coalescing": Profile(coalesce=0.13, fault=0.1, event=0.1, lazy=300, cycles=14000),
    "hca_mmu_reset": Profile(off=5, fault=0.2, sizes=((16, 4), (16, 64), (64, 8)), ask=0.4),
}
"""By the test's name."""


def _finish(mmu: Mmu, body: Callable[[], None], found: RunResult) -> RunResult:
    objections = []
    try:
        body()
    except (WrongError, StuckError) as error:
        objections.append(f"{type(error).__name__}: {error}")
    objections += [f"assertion {label}" for label in sorted(mmu.failed)]
    mmu.close()
    return replace(found, cycles=mmu.cycle, errors=len(objections), objections=objections)


def traffic(config: RunConfig) -> RunResult:
    """Random traffic."""
    profile = PROFILES[config.test]
    seed = f"{config.test}.{config.seed}"
    draw = random.Random(f"{seed}:memory").randrange(1 << 31)
    mmu = Mmu(mutant=config.mutant, seed=draw, latency=profile.latency, busy=profile.busy)
    it = Traffic(mmu, f"{seed}:traffic", replace(profile, cycles=int(profile.cycles * config.scale)))
    found = _finish(mmu, it.run, RunResult())
    return replace(found, items=it.items, coverage=it.tally.counts, digest=it.digest)
