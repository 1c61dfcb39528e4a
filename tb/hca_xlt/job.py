"""The regression's runs of the HCA's translation: random traffic by profile, and races at chosen distances.

Promises: each function is a target of tb/block/job.py; the profile of random traffic is the test's name. An objection is the first
mismatch, then every assertion that failed. `scale` multiplies the cycles.
Needs: what tb/hca_xlt/bench.py needs.
Costs: some 100 us a cycle.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from hwif.gen.hca import MPT_ENTRIES, Mtt, Need, XltResult
from tb.hca_xlt.checked import Ask, MismatchError, use_of
from tb.hca_xlt.everywhere import visit_everywhere
from tb.hca_xlt.races import race_of_fill
from tb.hca_xlt.rig import KEY, page_shoot
from tb.hca_xlt.traffic import STYLES, Style, Traffic
from tb.hca_xlt.watched import WatchedRig, WatchedXlt
from tb.hca_xlt.world import PAGE, World
from tb.plan.run import RunConfig, RunResult

__all__ = ["PROFILES", "everywhere", "races", "traffic", "upgrades"]


@dataclass(frozen=True)
class Profile:
    """`resets`: how often the block is disabled in the middle of traffic."""

    style: Style
    cycles: int = 8000
    latency: tuple[int, int] = (10, 40)
    refuse: float = 0.0
    resets: int = 0


PROFILES = {
    "hca_xlt_plain": Profile(STYLES["plain"]),
    "hca_xlt_storms": Profile(STYLES["storms"]),
    "hca_xlt_crowded": Profile(STYLES["crowded"]),
    "hca_xlt_few_uses": Profile(STYLES["few uses"]),
    "hca_xlt_keys": Profile(STYLES["keys"]),
    "hca_xlt_wide": Profile(STYLES["wide"]),
    "hca_xlt_wrong": Profile(replace(STYLES["storms"], wrong=0.4)),
    "hca_xlt_slow_memory": Profile(replace(Style(), storm=0.001, change=0.01), latency=(5, 300), refuse=0.7),
    "hca_xlt_fast_memory": Profile(replace(STYLES["storms"], hold=3, flight=3, change=0.1), latency=(1, 3)),
    "hca_xlt_reset": Profile(replace(STYLES["storms"], hold=100), resets=12),
}
"""By the test's name."""


def _finish(xlt: WatchedXlt | WatchedRig, body: Callable[[], None]) -> RunResult:
    objections = []
    try:
        body()
    except (MismatchError, AssertionError) as error:
        objections.append(f"{type(error).__name__}: {error}" if str(error) else f"{type(error).__name__} in cycle {xlt.now}")
    objections += [f"assertion {label}" for label in sorted(xlt.dut.failed)]
    xlt.dut.close()
    return RunResult(xlt.now, xlt.items, len(objections), objections, xlt.tally.counts, xlt.digest)


def traffic(config: RunConfig) -> RunResult:
    """Random traffic."""
    profile = PROFILES[config.test]
    draw = random.Random(f"{config.test}.{config.seed}:traffic")
    xlt = WatchedXlt(
        mutant=config.mutant,
        seed=draw.randrange(1 << 31),
        latency=profile.latency,
        refuse=profile.refuse,
        mpt_size=draw.choice([4096, 4095]),
    )
    it = Traffic(xlt, draw.randrange(1 << 31), profile.style)

    def body() -> None:
        for _ in range(profile.resets):
            it.run(int(profile.cycles * config.scale) // (profile.resets + 1))
            _restart(it, draw.choice([1, 2, 30]))
        it.run(int(profile.cycles * config.scale) // (profile.resets + 1))
        it.finish()

    return _finish(xlt, body)


def _restart(it: Traffic, cycles: int) -> None:
    """Disable and enable: nothing of before counts any more."""
    for _ in range(cycles):
        it.xlt.cycle(enable=False)
    it.world.forgotten()
    it.idle = it.all_idle()
    it.offer = [None, None]
    it.held.clear()
    it.flying.clear()
    it.owed.clear()
    it.shoot = None


def races(config: RunConfig) -> RunResult:
    """An invalidation at every distance from a walk's end, then at random ones from look-ups of every size."""
    draw = random.Random(f"{config.test}.{config.seed}:races")
    it = WatchedRig(mutant=config.mutant, seed=draw.randrange(1 << 31), latency=(20, 20))

    def body() -> None:
        it.region()
        race_of_fill(it)
        for number in range(int(200 * config.scale)):
            level = draw.choice([0, 1, 2])
            base = (number + 1) << 18
            page, other = base + draw.randrange(1 << 9 * level), base + draw.randrange(1 << 9 * level)
            it.map(page, level=level)
            if draw.random() < 0.3:
                it.lookup(page * PAGE, use=use_of(1, 0))
            at = draw.randrange(130)
            for cycle in range(at + 1):
                if cycle == at:
                    it.map(page, level=level)
                ask = Ask(use_of(0, 0), KEY, page * PAGE) if cycle == 0 else None
                it.cycle(ask, shoot=page_shoot(other, whole=draw.random() < 0.3) if cycle == at else None)
            it.idle(220)
            it.lookup(page * PAGE, use=use_of(0, 1))

    return _finish(it, body)


def upgrades(config: RunConfig) -> RunResult:
    """SD-7: pages absent, then read-only, then writable, none with an invalidation: after some time each look-up sees the table."""
    draw = random.Random(f"{config.test}.{config.seed}:upgrades")
    it = WatchedRig(mutant=config.mutant, seed=draw.randrange(1 << 31), latency=(5, 20))

    def body() -> None:
        it.region()
        for number in range(int(60 * config.scale)):
            level, need = draw.choice([0, 1, 2]), draw.choice([Need.LOCAL_WRITE, Need.REMOTE_WRITE, Need.REMOTE_ATOMIC])
            page = (number + 1 << 18) + draw.randrange(1 << 9 * level)
            steps = []
            if draw.random() < 0.5:
                steps.append((it.lookup(page * PAGE, need), XltResult.FAULT_NOT_PRESENT))
            frame = it.world.frames(1 << 9 * level)
            it.map(page, level=level, write=False, pfn=frame)
            steps.append((it.lookup(page * PAGE), XltResult.OK))
            steps.append((it.lookup(page * PAGE, need), XltResult.FAULT_READ_ONLY))
            at = it.world.place(3, page, level)
            assert at is not None
            it.world.put(at, it.world.words[at] | Mtt.write.place(1))
            steps.append((it.lookup(page * PAGE, need), XltResult.OK))
            steps.append((it.lookup(page * PAGE), XltResult.OK))
            wrong = [f"step {i}: {got.name}, not {want.name}" for i, (got, want) in enumerate(steps) if got != want]
            if wrong:
                raise MismatchError(f"SD-7: page {page:#x} {need.name}: {wrong[0]}")

    return _finish(it, body)


def everywhere(config: RunConfig) -> RunResult:
    """Regions and pages anywhere, in every place of the key cache."""
    draw = random.Random(f"{config.test}.{config.seed}:everywhere")
    world = World(mpt_base=draw.getrandbits(46) << 6)
    it = WatchedRig(mutant=config.mutant, seed=draw.randrange(1 << 31), latency=(2, 6), world=world)
    return _finish(it, lambda: visit_everywhere(it, draw, max(1, int(MPT_ENTRIES * config.scale))))
