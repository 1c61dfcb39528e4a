"""The software half of a run: memory, VM, driver, a workload, and everything that listens to the trace.

A session knows nothing of where its device lives. The rig binds `memory` and `shadow` to a device, drives `loop` and reports what
ends it. A job says what is to be played: a recorded program (`program_job`) or a scenario (`scenario_job`).

Promises: the same job, configuration and device give the same digest. Whatever ended the run, `result` is complete.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from hwif.gen import timing
from hwif.loop import StalledError, drive
from hwif.memory import HostMemory
from hwif.port import AssertionFailure, Event, OracleStop, Request, Violation
from hwif.shadow import Shadow
from hwif.trace import Trace
from shootdown.doctor import examine
from shootdown.errors import InputError, unknown
from shootdown.explain import EventRing, explain, explain_data, recent
from shootdown.measure import Measure
from shootdown.result import CosimConfig, OracleCounts, ProgressUpdate, RunResult, ViolationReport
from shootdown.timeline import Timeline
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.drivers.gru.policy import Mutant as DriverMutant
from sw_stack.drivers.gru.state import GruError
from sw_stack.mm.frames import FrameError
from sw_stack.mm.machine import Machine
from sw_stack.mm.types import MmError
from sw_stack.notifier import NotifierError
from sw_stack.sched import BusError, Chooser, LockdepError, RecordedChooser, ReplayChooser, Scheduler, SeededChooser, Task
from sw_stack.workloads.findings import DataFailure
from sw_stack.workloads.replay import Replay, ReplayOptions
from sw_stack.workloads.trace import Trace as Program

__all__ = ["DRIVER_MUTANTS", "HostDevice", "Job", "Report", "Session", "Workload", "program_job", "scenario_job"]

SETTLE_EVERY = 512  # advances between two drains of the device's trace
MIN_FRAMES = 64
SPARE_FRAMES = 1024  # beyond the program's own pages: children, migration
POOL_PER_FRAME = 16  # further mappings of a frame, on average: forks that share everything
POOL_SPARE = 4096
OPERATIONS = 4_500  # device operations of a whole run: enough to meet every kind of race, seconds to play
MIN_OP_EVERY = 12

Report = Callable[[ProgressUpdate], None]

DRIVER_MUTANTS: tuple[str, ...] = get_args(DriverMutant)
"""Broken variants of the driver by name (sw_stack/drivers/gru/policy.py)."""


class HostDevice(Protocol):
    """What a session needs of a device on any host."""

    @property
    def cycle(self) -> int: ...
    def submit(self, request: Request) -> None: ...
    def drain_trace(self) -> NDArray[np.uint64]: ...
    def violations(self) -> Sequence[Violation]: ...
    def statistics(self) -> Mapping[str, int]: ...


class Workload(Protocol):
    """What is played. `on_failure` is called at each entry of `failures`; the run is over when the scheduler has finished."""

    on_failure: Callable[[], None] | None

    @property
    def failures(self) -> Sequence[DataFailure]: ...
    def start(self) -> Task: ...
    def counters(self) -> dict[str, int]: ...
    def position(self) -> tuple[int, int | None]: ...
    def notifier_statistics(self) -> dict[str, int]: ...


@dataclass(frozen=True)
class Job:
    """What is to be played, before anything exists. `title` names it in reports; `frames` of memory it runs in."""

    title: str
    frames: int
    policy: DriverPolicy
    build: Callable[[Scheduler, Machine, GruDriver], Workload]


def program_job(config: CosimConfig, program: Program) -> Job:
    """A recorded program. Raises InputError for memory in which nothing can run."""
    frames = config.memory if config.memory is not None else 2 * program.pages + SPARE_FRAMES
    if frames < MIN_FRAMES:
        raise InputError(f"--memory {frames}: too few frames to run anything", f"give at least {MIN_FRAMES}")
    every = max(MIN_OP_EVERY, program.runs // OPERATIONS)

    def build(sched: Scheduler, machine: Machine, driver: GruDriver) -> Workload:
        return Replay(sched, machine, driver, program, ReplayOptions(seed=config.seed, limit=config.limit, op_every=every))

    policy = DriverPolicy(dropin=config.dropin)  # type: ignore[arg-type]
    return Job(program.info.program, frames, policy, build)


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

    return Job(name, scenario.frames, scenario.policy, build)


class Session:
    """Software for one run, ready to be driven. `memory` and `shadow` are to be bound to the device."""

    def __init__(self, config: CosimConfig, job: Job, progress: Report) -> None:
        self.config = config
        self.job = job
        self._progress = progress
        self.memory = HostMemory(job.frames)
        self.shadow = Shadow(job.frames, POOL_PER_FRAME * job.frames + POOL_SPARE)
        self.trace = Trace()
        self.chooser = self._choose()
        self.sched = Scheduler(self.chooser)
        self.trace.current_cpu = self.sched.current_cpu
        self.machine = Machine(self.sched, self.memory, self.shadow, self.trace)
        mutant = config.mutant if config.mutant in DRIVER_MUTANTS else None
        policy = replace(job.policy, mutant=mutant)  # type: ignore[arg-type]
        self.driver = GruDriver(self.sched, self.trace, self.shadow, policy=policy)
        self.workload = job.build(self.sched, self.machine, self.driver)
        self.workload.on_failure = self._stop
        self.ring = EventRing()
        self.measure = Measure()
        self.trace.subscribe(self.ring)
        self.trace.subscribe(self.measure)
        self.timeline = Timeline(self.trace.tasks) if config.timeline else None
        if self.timeline is not None:
            self.trace.subscribe(self.timeline)
        self.stalled: str | None = None
        self.broken: list[ViolationReport] = []
        self.interrupted = False
        self._stopping = False
        self._advances = 0
        self._device: HostDevice | None = None
        self._started = time.monotonic()

    def _choose(self) -> Chooser:
        config = self.config
        if config.schedule is not None:
            return ReplayChooser(config.schedule)
        seeded = SeededChooser(config.seed, config.preempt_odds)
        if config.record_schedule is None:
            return seeded
        header = {
            "trace": None if config.trace is None else config.trace.name,
            "scenario": config.scenario,
            "device": config.device,
            "seed": config.seed,
            "memory": config.memory,
            "limit": config.limit,
            "dropin": config.dropin,
            "mutant": config.mutant,
        }
        return RecordedChooser(seeded, config.record_schedule, header)

    # ---- driving ---------------------------------------------------------------------------------------------------

    def loop(self, device: HostDevice) -> Generator[int, Sequence[Event], None]:
        """The generator a host drives: yields the cycle to advance to, is sent the events."""
        self._device = device
        self._started = time.monotonic()  # building the RTL is not the run
        self.machine.start_kswapd(0)
        self.driver.start()
        self.workload.start()
        return self._driven(device)

    def _driven(self, device: HostDevice) -> Generator[int, Sequence[Event], None]:
        try:
            yield from drive(self.sched, device.submit, lambda: device.cycle, timing.LIVENESS_BOUND, self._between)
        except StalledError as stall:
            self.stalled = str(stall)  # for the case that the device does not let itself be examined
            self.stalled = yield from examine(str(stall), self.driver, self.machine, device.submit, lambda: device.cycle)

    def observe(self, events: Sequence[Event]) -> None:
        """Look at the events of an advance before software gets them."""
        for event in events:
            if isinstance(event, OracleStop):
                self._stopping = True

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Turns what ends a run early into its result: a stall, an interrupt, a broken rule of software or RTL."""
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True
        except LockdepError as error:
            self._broken(self.sched.now, "LOCKDEP", str(error))
        except BusError as error:
            self._broken(self.sched.now, "BUS", str(error))
        except GruError as error:
            self._broken(self.sched.now, "DRIVER", str(error))
        except (FrameError, MmError) as error:
            self._broken(self.sched.now, "VM", str(error))
        except NotifierError as error:
            rule, _, what = str(error).partition(": ")
            self._broken(self.sched.now, rule, what)
        except AssertionFailure as error:  # its own cycle: software may have slept through many before it
            self._broken(error.cycle, "SVA", error.text)

    def _broken(self, cycle: int, rule: str, what: str) -> None:
        self.broken.append(ViolationReport(cycle, rule, what))

    def _between(self) -> bool:
        """Before each advance: drain now and then; True ends the run."""
        self._advances += 1
        if self._advances % SETTLE_EVERY == 0:
            self.settle()
        return self._stopping

    def _stop(self) -> None:
        self._stopping = True

    def settle(self) -> None:
        """Take the device's trace and counters as they are now, and say where the run is."""
        device = self._device
        assert device is not None
        self.trace.flush()
        self.trace.feed_device(device.drain_trace())
        counters = device.statistics()
        self.measure.sample(device.cycle, counters["tlb_lookups"], counters["tlb_hits"])
        self.measure.settle(device.cycle)
        done, total = self.workload.position()
        self._progress(ProgressUpdate("run", done, total, device.cycle))

    # ---- results ---------------------------------------------------------------------------------------------------

    def result(self) -> RunResult:
        """Everything so far."""
        device = self._device
        assert device is not None
        self.settle()
        self.measure.settle(device.cycle + 1)
        self.chooser.close()
        counters = dict(device.statistics())
        violations = device.violations()
        failures = self.workload.failures
        records = self.ring.records() if violations or failures or self.broken else []
        broken = (replace(report, chain=tuple(recent(records, report))) for report in self.broken)
        reports = (*broken, *(_report(violation, records) for violation in violations[:8]))
        wrong = tuple(_data_report(failure, records) for failure in failures[:8])
        rate = self.measure.hit_rate()
        digest = self.trace.digest()
        timeline, note = self._write_timeline((*reports, *wrong))
        self.sched.close()  # what unwinds may still write to the trace, which nobody reads any more
        return RunResult(
            config=self.config,
            program=self.job.title,
            digest=digest,
            cycles=device.cycle,
            skipped_cycles=counters["skipped_cycles"],
            wall_s=time.monotonic() - self._started,
            vm_events=self.machine.statistics(),
            notifier=self.workload.notifier_statistics(),
            driver=self.driver.statistics(),
            statistics=counters,
            translations=counters["tlb_hits"] + counters["tlb_misses"],
            tlb_hits=counters["tlb_hits"],
            tlb_misses=counters["tlb_misses"],
            faults=counters["faults"],
            dropins=counters["dropins"],
            dropins_dropped=counters["dropins_dropped"],
            shootdowns=counters["shootdowns"],
            shootdown_pages=self.measure.shootdown_pages,
            over_invalidated=self.measure.over_invalidated,
            oracle=OracleCounts(counters["checked_beats"], counters["checked_bytes"], counters["violations"]),
            workload=self.workload.counters(),
            fault_latency=np.array(self.measure.fault_latency, dtype=np.int64),
            shootdown_latency=np.array(self.measure.shootdown_latency, dtype=np.int64),
            hit_rate=rate,
            violations=reports,
            data_failures=wrong,
            stalled=self.stalled,
            interrupted=self.interrupted,
            schedule=self.config.record_schedule or self.config.schedule,
            timeline=timeline,
            notes=(*self._notes(), *([note] if note else [])),
        )

    def _write_timeline(self, reports: Sequence[ViolationReport]) -> tuple[Path | None, str]:
        """The file, if one is wanted, and what is to be said about it."""
        if self.timeline is None:
            return None, ""
        self._progress(ProgressUpdate("timeline"))
        marks = [(report.cycle, f"{report.rule}: {report.what}") for report in reports]
        if self.stalled is not None:
            marks.append((self.sched.now, "no progress"))
        try:
            info = self.timeline.write(self.config.out / "timeline.pftrace", marks=marks)
        except OSError as error:
            return None, f"no timeline: {os.strerror(error.errno or 0)}"
        return info.path, info.note

    def _notes(self) -> tuple[str, ...]:
        failed = self.machine.statistics()["alloc_failed"]
        if not failed:
            return ()
        return (f"{failed} allocations failed for want of frames: the program needs more --memory than {self.memory.frames}",)


def _report(violation: Violation, records: list[list[int]]) -> ViolationReport:
    kind = "write" if violation.write else "read"
    what = f"{kind} of va {violation.va:#x} at pa {violation.pa:#x} by control block {violation.cbr}"
    return ViolationReport(violation.cycle, violation.reason.name, what, tuple(explain(records, violation)))


def _data_report(failure: DataFailure, records: list[list[int]]) -> ViolationReport:
    if failure.rule == "NOT_MET":  # nothing happened: there is nothing to explain
        return ViolationReport(failure.cycle, failure.rule, str(failure))
    chain = explain_data(records, failure.cycle, failure.address, f"{failure.what}: {failure.detail}")
    return ViolationReport(failure.cycle, failure.rule, str(failure), tuple(chain))
