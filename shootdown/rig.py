"""The rig: the one place that joins the software stack and a device.

`run_cosim` assembles a session (memory, VM, driver, workload), puts a host's device under it and drives the two to the end. Native:
in this process. cocotb: the same session inside the simulator's process. A violation stops the run at the end of the cycle
that had it; an interrupt (Ctrl-C) stops it between two events; both leave a complete RunResult.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from hwif.gen import timing
from hwif.gen.gru import RtlMutant
from hwif.loop import StalledError, drive
from hwif.memory import HostMemory
from hwif.port import Event, OracleStop, Request, Violation
from hwif.shadow import Shadow
from hwif.trace import Trace
from shootdown.errors import InputError
from shootdown.explain import EventRing, explain
from shootdown.measure import Measure
from shootdown.result import CosimConfig, OracleCounts, ProgressUpdate, RunResult, ViolationReport
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.drivers.gru.policy import Mutant as DriverMutant
from sw_stack.mm.machine import Machine
from sw_stack.notifier import NotifierError
from sw_stack.sched import BusError, Chooser, LockdepError, RecordedChooser, ReplayChooser, Scheduler, SeededChooser
from sw_stack.workloads.replay import DataFailure, Replay, ReplayOptions
from sw_stack.workloads.trace import Trace as Program
from sw_stack.workloads.trace import read_trace
from tb.hil.abi import AssertionFailure, DeviceError, HarnessOptions
from tb.hil.build import BuildError, BuildOptions
from tb.hil.cocotb_host import CocotbDevice, run_under_cocotb
from tb.hil.native import NativeDevice

__all__ = ["RTL_MUTANTS", "run_cosim"]

SETTLE_EVERY = 512  # advances between two drains of the device's trace
MIN_FRAMES = 64
SPARE_FRAMES = 1024  # beyond the program's own pages: children, migration
POOL_PER_FRAME = 16  # further mappings of a frame, on average: forks that share everything
POOL_SPARE = 4096
OPERATIONS = 4_500  # device operations of a whole run: enough to meet every kind of race, seconds to play
MIN_OP_EVERY = 12
WAVE_LEAD = 2_000  # cycles of waveform before a violation
WAVE_TAIL = 50
WAVE_LENGTH = 100_000  # cycles of waveform of a clean run

Report = Callable[[ProgressUpdate], None]

RTL_MUTANTS: Mapping[str, int] = {mutant.name.lower(): mutant.value for mutant in RtlMutant if mutant is not RtlMutant.NONE}
"""Broken variants of the RTL by name (spec/gru.toml)."""


class HostDevice(Protocol):
    """What a session needs of a device on any host."""

    @property
    def cycle(self) -> int: ...
    def submit(self, request: Request) -> None: ...
    def drain_trace(self) -> NDArray[np.uint64]: ...
    def violations(self) -> Sequence[Violation]: ...
    def statistics(self) -> Mapping[str, int]: ...


class Session:
    """Software for one run, ready to be driven. `memory` and `shadow` are to be bound to the device."""

    def __init__(self, config: CosimConfig, program: Program, progress: Report) -> None:
        self.config = config
        self.program = program
        self._progress = progress
        frames = config.memory if config.memory is not None else 2 * program.pages + SPARE_FRAMES
        if frames < MIN_FRAMES:
            raise InputError(f"--memory {frames}: too few frames to run anything", f"give at least {MIN_FRAMES}")
        self.memory = HostMemory(frames)
        self.shadow = Shadow(frames, POOL_PER_FRAME * frames + POOL_SPARE)
        self.trace = Trace()
        self.chooser = self._choose()
        self.sched = Scheduler(self.chooser)
        self.trace.current_cpu = self.sched.current_cpu
        self.machine = Machine(self.sched, self.memory, self.shadow, self.trace)
        driver_mutant = config.mutant if config.mutant not in RTL_MUTANTS else None
        self.driver = GruDriver(
            self.sched,
            self.trace,
            self.shadow,
            policy=DriverPolicy(dropin=config.dropin, mutant=driver_mutant),  # type: ignore[arg-type]
        )
        every = max(MIN_OP_EVERY, program.runs // OPERATIONS)
        self.replay = Replay(
            self.sched, self.machine, self.driver, program, ReplayOptions(seed=config.seed, limit=config.limit, op_every=every)
        )
        self.replay.on_failure = self._stop
        self.ring = EventRing()
        self.measure = Measure()
        self.trace.subscribe(self.ring)
        self.trace.subscribe(self.measure)
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
            "trace": config.trace.name,
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
        self.replay.start()
        return drive(self.sched, device.submit, lambda: device.cycle, timing.LIVENESS_BOUND, self._between)

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
        except StalledError as stall:
            self.stalled = str(stall)
        except KeyboardInterrupt:
            self.interrupted = True
        except LockdepError as error:
            self._broken(self.sched.now, "LOCKDEP", str(error))
        except BusError as error:
            self._broken(self.sched.now, "BUS", str(error))
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
        progress = self.replay.progress
        self._progress(ProgressUpdate("run", progress.runs, self.program.runs, device.cycle))

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
        progress = self.replay.progress
        records = self.ring.records() if violations or progress.failures else []
        rate = self.measure.hit_rate()
        digest = self.trace.digest()
        self.sched.close()  # what unwinds may still write to the trace, which nobody reads any more
        return RunResult(
            config=self.config,
            program=self.program.info.program,
            digest=digest,
            cycles=device.cycle,
            skipped_cycles=counters["skipped_cycles"],
            wall_s=time.monotonic() - self._started,
            vm_events=self.machine.statistics(),
            notifier=self.replay.mm.notifiers.statistics(),
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
            workload=self._workload_counts(),
            fault_latency=np.array(self.measure.fault_latency, dtype=np.int64),
            shootdown_latency=np.array(self.measure.shootdown_latency, dtype=np.int64),
            hit_rate=rate,
            violations=(*self.broken, *(_report(violation, records) for violation in violations[:8])),
            data_failures=tuple(_data_report(failure) for failure in progress.failures[:8]),
            stalled=self.stalled,
            interrupted=self.interrupted,
            schedule=self.config.record_schedule or self.config.schedule,
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        failed = self.machine.statistics()["alloc_failed"]
        if not failed:
            return ()
        return (f"{failed} allocations failed for want of frames: the program needs more --memory than {self.memory.frames}",)

    def _workload_counts(self) -> dict[str, int]:
        progress = self.replay.progress
        return {
            "program_runs": progress.runs,
            "operations": progress.operations,
            "operations_verified": progress.verified_operations,
            "operations_racy": progress.racy_operations,
            "operations_faulted": progress.faulted_operations,
            "data_bytes_compared": progress.data_bytes,
            "program_faults": progress.program_faults,
        }


def _report(violation: Violation, records: list[list[int]]) -> ViolationReport:
    kind = "write" if violation.write else "read"
    what = f"{kind} of va {violation.va:#x} at pa {violation.pa:#x} by control block {violation.cbr}"
    return ViolationReport(violation.cycle, violation.reason.name, what, tuple(explain(records, violation)))


def _data_report(failure: DataFailure) -> ViolationReport:
    return ViolationReport(failure.cycle, "DATA", str(failure))


def harness_options(config: CosimConfig) -> HarnessOptions:
    """The harness's settings for a run."""
    mutant = RTL_MUTANTS.get(config.mutant, 0) if config.mutant is not None else 0
    return HarnessOptions(skip=config.skip, asserts=config.asserts, mutant=mutant)


def _drive_native(session: Session, device: NativeDevice, waves: Waves | None = None) -> None:
    """Drive to the end. What ends a run early is recorded in the session, not raised."""
    loop = session.loop(device)
    with session.ending():
        try:
            until = next(loop)
            while True:
                if waves is not None:
                    until = waves.bound(device, until)
                events = device.advance(until)
                session.observe(events)
                until = loop.send(events)
        except StopIteration:
            pass
    if waves is not None:
        waves.finish(device)


@dataclass
class Waves:
    """A waveform of cycles first..last, written while a run passes them."""

    path: Path
    first: int
    last: int
    on: bool = False
    done: bool = False

    def bound(self, device: NativeDevice, until: int) -> int:
        """Switch at the edges of the window, and do not run past one."""
        if self.done:
            return until
        if not self.on and device.cycle >= self.first:
            device.trace_on(self.path)
            self.on = True
        if self.on and device.cycle >= self.last:
            self.finish(device)
            return until
        edge = self.last if self.on else self.first
        return min(until, max(edge, device.cycle + 1))

    def finish(self, device: NativeDevice) -> None:
        """Close the file."""
        if self.on and not self.done:
            device.trace_off()
        self.done = True


def _run_native(config: CosimConfig, program: Program, progress: Report, waves: Waves | None = None) -> RunResult:
    session = Session(config, program, progress)
    progress(ProgressUpdate("build"))
    device = NativeDevice(session.memory, session.shadow, harness_options(config), BuildOptions(waves=waves is not None))
    with device:
        _drive_native(session, device, waves)
        result = session.result()
    return replace(result, waves=waves.path) if waves is not None and waves.on else result


def _run_cocotb(config: CosimConfig, progress: Report) -> RunResult:
    """The same session inside the simulator's process; its progress is not seen from here."""
    progress(ProgressUpdate("build"))
    progress(ProgressUpdate("run", note="inside the simulator under cocotb"))
    result = run_under_cocotb("shootdown.rig:cocotb_session", config)
    if not isinstance(result, RunResult):
        raise TypeError(f"the simulator's process returned {type(result).__name__}, not a result")
    return result


async def cocotb_session(simulator: Any, config: CosimConfig) -> RunResult:
    """Entry point inside the simulator's process."""
    session = Session(config, read_trace(config.trace), lambda _update: None)
    device: CocotbDevice = simulator.device(session.memory, session.shadow, harness_options(config))
    loop = session.loop(device)
    with session.ending():
        try:
            until = next(loop)
            while True:
                events = await device.advance(until)
                session.observe(events)
                until = loop.send(events)
        except StopIteration:
            pass
    return session.result()


def _with_waves(config: CosimConfig, program: Program, progress: Report, result: RunResult) -> RunResult:
    """The waveform round what went wrong: the same run again, which meets the same cycle, with the pins written to a file."""
    if result.interrupted:
        return result  # whoever pressed Ctrl-C does not want to wait for another run
    bad = [report.cycle for report in (*result.violations, *result.data_failures)]
    path = config.out / "waves.fst"
    if bad:
        window = Waves(path, max(0, min(bad) - WAVE_LEAD), min(bad) + WAVE_TAIL)
    elif result.stalled is not None:
        window = Waves(path, max(0, result.cycles - WAVE_LEAD), result.cycles)
    elif config.waves:
        window = Waves(path, 0, WAVE_LENGTH)
    else:
        return result
    progress(ProgressUpdate("waves", note=f"cycles {window.first} to {window.last}"))
    again = replace(config, backend="native", record_schedule=None, schedule=config.schedule)
    try:
        traced = _run_native(again, program, lambda _update: None, window)
    except (BuildError, DeviceError) as error:
        return replace(result, notes=(*result.notes, f"no waveform: {error}"))
    if traced.cycles != result.cycles:
        return replace(result, notes=(*result.notes, "the waveform's run took another path: this is a defect of shootdown"))
    return replace(result, waves=traced.waves)


def check_mutant(name: str | None) -> None:
    """Raises InputError for a mutant that does not exist, with the nearest names."""
    known = [*RTL_MUTANTS, *get_args(DriverMutant)]
    if name is not None and name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.4) or known
        raise InputError(f"--mutant {name}: there is no such mutant", f"try {', '.join(near)}")


def run_cosim(config: CosimConfig, progress: Report) -> RunResult:
    """Play `config.trace` against the device. Raises InputError and the readers' one-line errors for bad input."""
    check_mutant(config.mutant)
    program = read_trace(config.trace)
    result = _run_cocotb(config, progress) if config.backend == "cocotb" else _run_native(config, program, progress)
    return _with_waves(config, program, progress, result)
