"""The regression's runs of the TLB alone: random traffic by profile, in the default size and in the corners of its parameters.

Promises: `traffic` is a target of tb/block/job.py; the profile is the test's name. An objection is the first disagreement with the
model, then every assertion that failed. `scale` multiplies the cycles.
Needs: what tb/tlb/bench.py needs.
Costs: some 80 us a cycle.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tb.plan.run import RunConfig, RunResult
from tb.tlb.bench import CORNERS, DEFAULT, Size
from tb.tlb.checked import MismatchError
from tb.tlb.traffic import STYLES, Style, Traffic
from tb.tlb.watched import WatchedTlb

__all__ = ["PROFILES", "Profile", "traffic"]


@dataclass(frozen=True)
class Profile:
    """`resets`: how often the TLB is reset in the middle of traffic."""

    style: Style
    cycles: int = 8000
    resets: int = 0
    size: Size = DEFAULT


_SMALL = Style(crowded=True, pages=24, storm=0.004)
PROFILES = {
    "gru_tlb_plain": Profile(STYLES["plain"]),
    "gru_tlb_storms": Profile(STYLES["storms"]),
    "gru_tlb_flood": Profile(STYLES["flood"]),
    "gru_tlb_quick": Profile(STYLES["quick"]),
    "gru_tlb_crowded": Profile(STYLES["crowded"]),
    "gru_tlb_aimed": Profile(STYLES["aimed"]),
    "gru_tlb_reset": Profile(Style(storm=0.01, flight=100), cycles=6000, resets=24),
    **{f"gru_tlb_{name.replace(' ', '_')}": Profile(_SMALL, 4000, 2, size) for name, size in CORNERS.items()},
}
"""By the test's name."""


def traffic(config: RunConfig) -> RunResult:
    """Random traffic."""
    profile = PROFILES[config.test]
    draw = random.Random(f"{config.test}.{config.seed}:traffic")
    exact = not profile.style.crowded
    tlb = WatchedTlb(mutant=config.mutant, exact=exact, seed=draw.randrange(1, 1 << 31), size=profile.size)
    it = Traffic(tlb, draw.randrange(1 << 31), profile.style)
    objections = []
    try:
        part = int(profile.cycles * config.scale) // (profile.resets + 1)
        for _ in range(profile.resets):
            it.run(draw.randrange(part // 2, part + part // 2))
            tlb.reset()
            it.forget()
        it.run(part)
        it.finish()
    except (MismatchError, AssertionError) as error:
        objections.append(str(error) or f"{type(error).__name__} in cycle {tlb.now}")
    objections += [f"assertion {label}" for label in sorted(tlb.dut.failed)]
    tlb.dut.close()
    return RunResult(tlb.now, tlb.items, len(objections), objections, tlb.tally.counts, tlb.digest)
