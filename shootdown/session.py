"""The software half of a run: the software above a device, and everything that listens to the trace.

A session knows neither which device it drives nor where that lives: shootdown/software builds what is above it. The rig binds
`nodes` to a device, drives `loop` and reports what ends it. A job says what is to be played.

Promises: the same job, configuration and device give the same digest. Whatever ended the run, `result` is complete.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwif.gen import timing
from hwif.loop import StalledError, drive
from hwif.memory import HostMemory
from hwif.port import AssertionFailure, Event, OracleStop, Request, Violation
from hwif.shadow import Shadow
from hwif.trace import Trace
from shootdown.explain import EventRing, explain, explain_data, recent
from shootdown.measure import MeasureBase
from shootdown.result import CosimConfig, OracleCounts, ProgressUpdate, RunResult, ViolationReport
from shootdown.rules import BREAKS, broken
from shootdown.software import Job
from shootdown.timeline import Timeline
from sw_stack.sched import Chooser, RecordedChooser, ReplayChooser, Scheduler, SeededChooser
from sw_stack.workloads.findings import DataFailure

__all__ = ["HostDevice", "Report", "Session"]

SETTLE_EVERY = 512  # advances between two drains of the device's trace

Report = Callable[[ProgressUpdate], None]


class HostDevice(Protocol):
    """What a session needs of a device on any host."""

    @property
    def cycle(self) -> int: ...
    def submit(self, request: Request) -> None: ...
    def drain_trace(self) -> NDArray[np.uint64]: ...
    def violations(self) -> Sequence[Violation]: ...
    def statistics(self) -> Mapping[str, int]: ...


class Session:
    """Software for one run, ready to be driven. `nodes` (memory and oracle of each) are to be bound to the device."""

    def __init__(self, config: CosimConfig, job: Job, progress: Report) -> None:
        self.config = config
        self.job = job
        self._progress = progress
        self.trace = Trace()
        self.chooser = self._choose()
        self.sched = Scheduler(self.chooser)
        self.trace.current_cpu = self.sched.current_cpu
        self.software = job.build(self.sched, self.trace, config)
        self.workload = self.software.workload
        self.workload.on_failure = self._stop
        self.ring = EventRing()
        self.measure: MeasureBase = self.software.measure()
        self.trace.subscribe(self.ring)
        self.trace.subscribe(self.measure)
        self.timeline = Timeline(self.trace.tasks, device=config.device) if config.timeline else None
        if self.timeline is not None:
            self.trace.subscribe(self.timeline)
        self.stalled: str | None = None
        self.broken: list[ViolationReport] = []
        self.interrupted = False
        self._stopping = False
        self._advances = 0
        self._device: HostDevice | None = None
        self._started = time.monotonic()

    @property
    def nodes(self) -> Sequence[tuple[HostMemory, Shadow]]:
        """Memory and oracle of each node."""
        return self.software.nodes

    @property
    def memory(self) -> HostMemory:
        """Memory of node 0."""
        return self.nodes[0][0]

    @property
    def shadow(self) -> Shadow:
        """Oracle of node 0."""
        return self.nodes[0][1]

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
        self.software.start()
        return self._driven(device)

    def _driven(self, device: HostDevice) -> Generator[int, Sequence[Event], None]:
        try:
            yield from drive(self.sched, device.submit, lambda: device.cycle, timing.LIVENESS_BOUND, self._between)
        except StalledError as stall:
            self.stalled = str(stall)  # for the case that the device does not let itself be examined
            self.stalled = yield from self.software.examine(str(stall), device.submit, lambda: device.cycle)

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
        except self.software.driver_errors as error:
            self._broken(self.sched.now, "DRIVER", str(error))
        except BREAKS as error:
            self._broken(self.sched.now, *broken(error))
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
        tally = self.software.tally(device.statistics())
        self.measure.sample(device.cycle, tally.lookups, tally.hits)
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
        tally = self.software.tally(counters)
        violations = device.violations()
        failures = self.workload.failures
        records = self.ring.records() if violations or failures or self.broken else []
        broken = (replace(report, chain=tuple(recent(records, report))) for report in self.broken)
        reports = (*broken, *(self._report(violation, records) for violation in violations[:8]))
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
            vm_events=self.software.vm_statistics(),
            notifier=self.workload.notifier_statistics(),
            driver=self.software.driver_statistics(),
            statistics=counters,
            translations=tally.hits + tally.misses,
            tlb_hits=tally.hits,
            tlb_misses=tally.misses,
            faults=tally.faults,
            dropins=tally.dropins,
            dropins_dropped=tally.dropins_dropped,
            shootdowns=tally.shootdowns,
            shootdown_pages=self.measure.shootdown_pages,
            over_invalidated=self.measure.over_invalidated,
            oracle=OracleCounts(tally.checked_beats, tally.checked_bytes, tally.violations),
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
            notes=(*self.software.notes(), *([note] if note else [])),
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

    def _report(self, violation: Violation, records: list[list[int]]) -> ViolationReport:
        what = self.software.describe(violation)
        return ViolationReport(
            violation.cycle, violation.reason.name, what, tuple(explain(records, violation, device=self.config.device))
        )


def _data_report(failure: DataFailure, records: list[list[int]]) -> ViolationReport:
    if failure.rule == "NOT_MET":  # nothing happened: there is nothing to explain
        return ViolationReport(failure.cycle, failure.rule, str(failure))
    chain = explain_data(records, failure.cycle, failure.address, f"{failure.what}: {failure.detail}")
    return ViolationReport(failure.cycle, failure.rule, str(failure), tuple(chain))
