"""The software above a pair of HCAs: two machines, their drivers, and a recorded program on system A that system B works on.

Promises: an impossible amount of memory is an InputError before anything runs. `--memory` is system A's; B's holds its buffer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from hwif.gen.gru import PAGE_SHIFT
from hwif.gen.hca import Need
from hwif.memory import HostMemory
from hwif.port import Event, Request, Violation
from hwif.shadow import Shadow
from hwif.trace import NODE_CPUS, Trace
from shootdown.errors import InputError, unknown
from shootdown.hca_doctor import examine
from shootdown.measure_hca import HcaMeasure
from shootdown.result import CosimConfig
from shootdown.software.base import Job, Software, Tally, Workload
from sw_stack.drivers.hca import DriverPolicy, HcaDriver, HcaError
from sw_stack.drivers.hca.policy import Mutant as DriverMutant
from sw_stack.mm.machine import Machine
from sw_stack.sched import Scheduler
from sw_stack.workloads.remote_ops import MAX_BYTES
from sw_stack.workloads.replay import Replay, ReplayOptions
from sw_stack.workloads.replay_hca import RemoteSide
from sw_stack.workloads.trace import Trace as Program

__all__ = ["DRIVER_MUTANTS", "HcaSoftware", "hca_job", "program_job", "scenario_job"]

SYSTEMS = "AB"
MIN_FRAMES = 256  # tables and queues alone take a hundred
SPARE_FRAMES = 1536  # beyond the program's own pages: children, migration, tables and queues
REMOTE_FRAMES = 512
POOL_PER_FRAME = 16
POOL_SPARE = 4096
OPERATIONS = 3_000  # of a whole run
MIN_OP_EVERY = 12
WORKERS = 6  # operations in flight, two under each fault policy

DRIVER_MUTANTS: tuple[str, ...] = get_args(DriverMutant)
"""Broken variants of the driver by name (sw_stack/drivers/hca/policy.py)."""

Build = Callable[[Scheduler, Sequence[Machine], Sequence[HcaDriver]], Workload]


class HcaSoftware:
    """Two systems of `frames` each, their drivers under `policies`, and what `build` makes of them. A Software."""

    driver_errors: tuple[type[Exception], ...] = (HcaError,)

    def __init__(
        self, sched: Scheduler, trace: Trace, frames: Sequence[int], policies: Sequence[DriverPolicy], build: Build
    ) -> None:
        self.nodes: Sequence[tuple[HostMemory, Shadow]] = tuple(
            (HostMemory(count), Shadow(count, POOL_PER_FRAME * count + POOL_SPARE)) for count in frames
        )
        self.machines = [Machine(sched, memory, shadow, trace, node=node) for node, (memory, shadow) in enumerate(self.nodes)]
        self.drivers = [
            HcaDriver(sched, trace, machine, shadow, node=node, policy=policy)
            for node, (machine, (_memory, shadow), policy) in enumerate(zip(self.machines, self.nodes, policies, strict=True))
        ]
        self.workload = build(sched, self.machines, self.drivers)

    def start(self) -> None:
        """Spawn daemons, drivers and workload."""
        for node, (machine, driver) in enumerate(zip(self.machines, self.drivers, strict=True)):
            machine.start_kswapd(NODE_CPUS * node)
            driver.start()
        self.workload.start()

    def examine(
        self, report: str, submit: Callable[[Request], None], cycle: Callable[[], int]
    ) -> Generator[int, Sequence[Event], str]:
        """The scheduler's report, completed with what each driver and each adapter waits for."""
        return examine(report, self.drivers, self.machines, submit, cycle)

    def measure(self) -> HcaMeasure:
        """What its trace is read by."""
        return HcaMeasure()

    def tally(self, counters: Mapping[str, int]) -> Tally:
        """Both adapters' counters together."""

        def both(name: str) -> int:
            return sum(counters[f"{prefix}{name}"] for prefix in ("", "b_"))

        lookups, walks = both("lookups"), both("walks")
        return Tally(
            lookups=lookups,
            hits=max(0, lookups - walks),
            misses=walks,
            faults=both("faults"),
            dropins=both("fills"),
            dropins_dropped=both("fills_dropped"),
            shootdowns=both("invalidations"),
            checked_beats=both("checked_beats"),
            checked_bytes=both("checked_bytes"),
            violations=both("violations"),
        )

    def vm_statistics(self) -> dict[str, int]:
        """Memory calls and faults of both systems."""
        total: Counter[str] = Counter()
        for machine in self.machines:
            total.update(machine.statistics())
        return dict(total)

    def driver_statistics(self) -> dict[str, int]:
        """Both drivers' counters."""
        total: Counter[str] = Counter()
        for driver in self.drivers:
            total.update(driver.statistics())
        return dict(total)

    def describe(self, violation: Violation) -> str:
        """One line about an illegal beat."""
        kind = "write" if violation.write else "read"
        need = Need(violation.asid).name.lower() if violation.mapped and violation.asid in set(Need) else "the device's own"
        return (
            f"{kind} of va {violation.va:#x} at pa {violation.pa:#x} of system {SYSTEMS[violation.node]} by queue pair "
            f"{violation.cbr} through key index {violation.ctx} ({need})"
        )

    def notes(self) -> tuple[str, ...]:
        """That memory ran out, if it did."""
        return tuple(
            f"{failed} allocations failed for want of frames on system {name}: it needs more than {machine.memory.frames}"
            for name, machine in zip(SYSTEMS, self.machines, strict=True)
            if (failed := machine.statistics()["alloc_failed"])
        )


def hca_job(title: str, frames: Sequence[int], policies: Sequence[DriverPolicy], build: Build) -> Job:
    """What `build` makes, in `frames` of memory a system, under `policies` and the run's driver mutant."""

    def software(sched: Scheduler, trace: Trace, config: CosimConfig) -> Software:
        mutant = config.mutant if config.mutant in DRIVER_MUTANTS else None
        broken = [replace(policy, mutant=mutant) for policy in policies]  # type: ignore[arg-type]
        return HcaSoftware(sched, trace, frames, broken, build)

    return Job(title, software)


def program_job(config: CosimConfig, program: Program) -> Job:
    """A recorded program on A, at whose memory B works. Raises InputError for memory in which nothing can run."""
    frames = config.memory if config.memory is not None else 2 * program.pages + SPARE_FRAMES
    if frames < MIN_FRAMES:
        raise InputError(f"--memory {frames}: too few frames to run anything", f"give at least {MIN_FRAMES}")
    every = max(MIN_OP_EVERY, program.runs // OPERATIONS)
    remote = REMOTE_FRAMES + 2 * WORKERS * (MAX_BYTES >> PAGE_SHIFT)

    def build(sched: Scheduler, machines: Sequence[Machine], drivers: Sequence[HcaDriver]) -> Workload:
        options = ReplayOptions(seed=config.seed, limit=config.limit, op_every=every)
        a, b = drivers
        return Replay(sched, machines[0], lambda ground: RemoteSide(ground, a, b, WORKERS), program, options)

    return hca_job(program.info.program, (frames, remote), (DriverPolicy(), DriverPolicy()), build)


def scenario_job(config: CosimConfig) -> Job:
    """A scenario of sw_stack/workloads/hca_scenarios. Raises InputError for one that does not exist, with the nearest names."""
    from sw_stack.workloads.hca_scenarios import load, names  # noqa: PLC0415

    name = config.scenario
    assert name is not None
    if name not in names():
        raise unknown("scenario", name, "scenario", names())
    scenario = load(name)

    def build(sched: Scheduler, machines: Sequence[Machine], drivers: Sequence[HcaDriver]) -> Workload:
        return scenario.build(sched, machines, drivers, config.seed)

    return hca_job(name, scenario.needs.frames, scenario.needs.policies, build)
