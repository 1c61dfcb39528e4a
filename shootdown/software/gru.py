"""The software above a GRU: one machine, its driver, and a recorded program or a scenario.

Promises: an impossible amount of memory or a scenario that does not exist is an InputError before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from hwif.memory import HostMemory
from hwif.port import Event, Request, Violation
from hwif.shadow import Shadow
from hwif.trace import Trace
from shootdown.doctor import examine
from shootdown.errors import InputError, unknown
from shootdown.measure import Measure
from shootdown.result import CosimConfig
from shootdown.software.base import Job, Software, Tally, Workload
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.drivers.gru.policy import Mutant as DriverMutant
from sw_stack.drivers.gru.state import GruError
from sw_stack.mm.machine import Machine
from sw_stack.sched import Scheduler
from sw_stack.workloads.replay import Replay, ReplayOptions
from sw_stack.workloads.replay_gru import GruSide
from sw_stack.workloads.trace import Trace as Program

__all__ = ["DRIVER_MUTANTS", "GruSoftware", "gru_job", "program_job", "scenario_job"]

MIN_FRAMES = 64
SPARE_FRAMES = 1024  # beyond the program's own pages: children, migration
POOL_PER_FRAME = 16  # further mappings of a frame, on average: forks that share everything
POOL_SPARE = 4096
OPERATIONS = 4_500  # device operations of a whole run: enough to meet every kind of race, seconds to play
MIN_OP_EVERY = 12
WORKERS = 6  # device operations in flight

DRIVER_MUTANTS: tuple[str, ...] = get_args(DriverMutant)
"""Broken variants of the driver by name (sw_stack/drivers/gru/policy.py)."""

Build = Callable[[Scheduler, Machine, GruDriver], Workload]


class GruSoftware:
    """A machine of `frames` frames, the driver under `policy`, and what `build` makes of them. A shootdown.software.Software."""

    driver_errors: tuple[type[Exception], ...] = (GruError,)

    def __init__(self, sched: Scheduler, trace: Trace, frames: int, policy: DriverPolicy, build: Build) -> None:
        memory, shadow = HostMemory(frames), Shadow(frames, POOL_PER_FRAME * frames + POOL_SPARE)
        self.nodes: Sequence[tuple[HostMemory, Shadow]] = ((memory, shadow),)
        self.machine = Machine(sched, memory, shadow, trace)
        self.driver = GruDriver(sched, trace, shadow, policy=policy)
        self.workload = build(sched, self.machine, self.driver)

    def start(self) -> None:
        """Spawn daemons, driver and workload."""
        self.machine.start_kswapd(0)
        self.driver.start()
        self.workload.start()

    def examine(
        self, report: str, submit: Callable[[Request], None], cycle: Callable[[], int]
    ) -> Generator[int, Sequence[Event], str]:
        """The scheduler's report, completed with the driver's waits and every handle that is not idle."""
        return examine(report, self.driver, self.machine, submit, cycle)

    def measure(self) -> Measure:
        """What its trace is read by."""
        return Measure()

    def tally(self, counters: Mapping[str, int]) -> Tally:
        """The GRU's counters."""
        return Tally(
            lookups=counters["tlb_lookups"],
            hits=counters["tlb_hits"],
            misses=counters["tlb_misses"],
            faults=counters["faults"],
            dropins=counters["dropins"],
            dropins_dropped=counters["dropins_dropped"],
            shootdowns=counters["shootdowns"],
            checked_beats=counters["checked_beats"],
            checked_bytes=counters["checked_bytes"],
            violations=counters["violations"],
        )

    def vm_statistics(self) -> dict[str, int]:
        """Memory calls and faults."""
        return self.machine.statistics()

    def driver_statistics(self) -> dict[str, int]:
        """The driver's counters."""
        return self.driver.statistics()

    def describe(self, violation: Violation) -> str:
        """One line about an illegal beat."""
        kind = "write" if violation.write else "read"
        return f"{kind} of va {violation.va:#x} at pa {violation.pa:#x} by control block {violation.cbr}"

    def notes(self) -> tuple[str, ...]:
        """That memory ran out, if it did."""
        failed = self.machine.statistics()["alloc_failed"]
        if not failed:
            return ()
        frames = self.machine.memory.frames
        return (f"{failed} allocations failed for want of frames: the program needs more --memory than {frames}",)


def gru_job(title: str, frames: int, policy: DriverPolicy, build: Build) -> Job:
    """What `build` makes, in `frames` of memory, under `policy` and the run's driver mutant."""

    def software(sched: Scheduler, trace: Trace, config: CosimConfig) -> Software:
        mutant = config.mutant if config.mutant in DRIVER_MUTANTS else None
        return GruSoftware(sched, trace, frames, replace(policy, mutant=mutant), build)  # type: ignore[arg-type]

    return Job(title, software)


def program_job(config: CosimConfig, program: Program) -> Job:
    """A recorded program. Raises InputError for memory in which nothing can run."""
    frames = config.memory if config.memory is not None else 2 * program.pages + SPARE_FRAMES
    if frames < MIN_FRAMES:
        raise InputError(f"--memory {frames}: too few frames to run anything", f"give at least {MIN_FRAMES}")
    every = max(MIN_OP_EVERY, program.runs // OPERATIONS)

    def build(sched: Scheduler, machine: Machine, driver: GruDriver) -> Workload:
        options = ReplayOptions(seed=config.seed, limit=config.limit, op_every=every)
        return Replay(sched, machine, lambda ground: GruSide(ground, driver, WORKERS), program, options)

    return gru_job(program.info.program, frames, DriverPolicy(dropin=config.dropin), build)  # type: ignore[arg-type]


def scenario_job(config: CosimConfig) -> Job:
    """A scenario of sw_stack/workloads/scenarios. Raises InputError for one that does not exist, with the nearest names."""
    from sw_stack.workloads.scenarios import load, names  # noqa: PLC0415

    name = config.scenario
    assert name is not None
    if name not in names():
        raise unknown("scenario", name, "scenario", names())
    scenario = load(name)

    def build(sched: Scheduler, machine: Machine, driver: GruDriver) -> Workload:
        return scenario.build(sched, machine, driver, config.seed)

    return gru_job(name, scenario.frames, scenario.policy, build)
