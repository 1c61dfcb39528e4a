"""The regression's runs of the handles alone: random traffic by profile.

Promises: `traffic` is a target of tb/block/job.py; the profile is the test's name. An objection is the first output that differs
from the references, then every assertion that failed. `scale` multiplies the cycles.
Needs: what tb/gru_handles/bench.py needs.
Costs: some 150 us a cycle.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tb.gru_handles.traffic import Style, Traffic
from tb.gru_handles.watched import WatchedHandles
from tb.plan.run import RunConfig, RunResult
from tb.tlb.checked import MismatchError

__all__ = ["PROFILES", "Profile", "traffic"]


@dataclass(frozen=True)
class Profile:
    """`resets`: how often the handles are reset in the middle of traffic."""

    style: Style
    cycles: int = 8000
    resets: int = 0


PROFILES = {
    "gru_handles_random": Profile(Style()),
    "gru_handles_commands": Profile(
        Style(
            contexts=2,
            miss=0.5,
            restart=0.06,
            fault_map=0.0,
            commands=0.85,
            shoots=0.02,
            maps=0.03,
            rest=0.0,
            exc_ready=0.1,
            fill_done=0.1,
        )
    ),
    "gru_handles_maps": Profile(Style(contexts=4, cores=3, miss=0.5, done=0.4, commands=0.3, shoots=0.0, maps=0.6, exc_ready=0.9)),
    "gru_handles_shoots": Profile(Style(commands=0.05, shoots=0.9, maps=0.0, rest=0.3, shoot_ready=0.3, drain=0.004)),
    "gru_handles_calm": Profile(
        Style(cores=2, miss=0.01, restart=0.05, maps=0.02, commands=0.6, shoots=0.25, rest=0.8, shoot_ready=0.9, drain=0.3)
    ),
    "gru_handles_reset": Profile(Style(fill_ready=0.3), cycles=6000, resets=40),
}
"""By the test's name."""


def traffic(config: RunConfig) -> RunResult:
    """Random traffic."""
    profile = PROFILES[config.test]
    draw = random.Random(f"{config.test}.{config.seed}:traffic")
    handles = WatchedHandles(config.mutant, draw.randrange(1, 1 << 31))
    it = Traffic(handles, draw.randrange(1 << 31), profile.style)
    objections = []
    try:
        part = int(profile.cycles * config.scale) // (profile.resets + 1)
        for _ in range(profile.resets):
            it.run(draw.randrange(part // 2, part + part // 2))
            handles.reset()
            it.forget()
        it.run(part)
        it.finish()
    except (MismatchError, AssertionError) as error:
        objections.append(str(error))
    objections += [f"assertion {label}" for label in sorted(handles.dut.failed)]
    handles.dut.close()
    return RunResult(handles.now, handles.items, len(objections), objections, handles.tally.counts, handles.digest)
