"""The rig: the one place that joins the software stack and a device.

`run` puts a host's device under a session (shootdown/session.py) and drives the two to the end. native and model: in this process.
cocotb: the same session inside the simulator's process. A violation stops the run at the end of the cycle that had it; an interrupt
(Ctrl-C) stops it between two events; both leave a complete RunResult.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from hwif.gen import timing
from hwif.memory import HostMemory
from hwif.port import Device, DeviceError, Event
from hwif.shadow import Shadow
from hwif.trace import TraceSink
from shootdown.errors import InputError, unknown
from shootdown.result import CosimConfig, ProgressUpdate, RunResult
from shootdown.session import HostDevice, Report, Session
from shootdown.software import Job, kinds
from shootdown.timeline.savefiles import write_savefiles
from tb.hil.abi import HarnessOptions, HcaOptions
from tb.hil.build import BuildError, BuildOptions
from tb.hil.cocotb_host import CocotbDevice, run_under_cocotb
from tb.hil.native import NativeDevice, NativeHca

__all__ = ["RTL_MUTANTS", "SteppedDevice", "WithPins", "open_device", "open_stepwise", "play", "play_awaiting", "run"]

SYSTEMS = 2  # HCAs in a run, with a link between them
WAVE_LEAD = 2_000  # cycles of waveform before a violation
WAVE_TAIL = 50
WAVE_LENGTH = 100_000  # cycles of waveform of a clean run

RTL_MUTANTS: Mapping[str, int] = kinds.rtl_mutants("gru")
"""Broken variants of the GRU's RTL by name (spec/gru.toml)."""


class SteppedDevice(HostDevice, Protocol):
    """A device in this process."""

    def advance(self, until: int) -> Sequence[Event]: ...
    def close(self) -> None: ...


@runtime_checkable
class WithPins(Protocol):
    """A device whose waveform can be written: RTL in this process, built for it."""

    def trace_on(self, path: Path) -> None: ...
    def trace_off(self) -> None: ...


def harness_options(config: CosimConfig) -> HarnessOptions:
    """The harness's settings for a run."""
    mutant = kinds.rtl_mutants(config.device).get(config.mutant, 0) if config.mutant is not None else 0
    bandwidth = timing.MEM_BYTES_PER_CYCLE if config.bandwidth is None else config.bandwidth
    kind = HcaOptions if config.device == "hca" else HarnessOptions
    return kind(skip=config.skip, asserts=config.asserts, oracle=config.oracle, mutant=mutant, bytes_per_cycle=bandwidth)


@contextmanager
def open_device(config: CosimConfig, session: Session, waves: bool = False) -> Iterator[Device]:
    """The device of an in-process backend, bound to a session's memories and oracles."""
    if config.backend == "model":
        with _open_model(config, session) as model:
            yield model
    else:
        with _open_native(config, session, waves) as native:
            yield native


def _open_model(config: CosimConfig, session: Session) -> AbstractContextManager[Device]:
    bandwidth = timing.MEM_BYTES_PER_CYCLE if config.bandwidth is None else config.bandwidth
    if config.device == "hca":
        from pymodels.hca import HcaModel, HcaModelOptions  # noqa: PLC0415

        return HcaModel(session.nodes, HcaModelOptions(oracle=config.oracle, bytes_per_cycle=bandwidth))
    from pymodels.gru import GruModel, ModelOptions  # noqa: PLC0415 - compiles its kernels when it is first loaded

    return GruModel(session.memory, session.shadow, ModelOptions(oracle=config.oracle, bytes_per_cycle=bandwidth))


def _open_native(config: CosimConfig, session: Session, waves: bool) -> NativeDevice | NativeHca:
    options, build = harness_options(config), BuildOptions(waves=waves)
    if isinstance(options, HcaOptions):
        return NativeHca(session.nodes, options, build)
    return NativeDevice(session.memory, session.shadow, options, build)


def open_stepwise(device: str, backend: str, nodes: Sequence[tuple[HostMemory, Shadow]], waves: bool = False) -> SteppedDevice:
    """A device in this process, for a steered run (sw_stack/sched/steered.py). `backend`: "model" or "native". Close it."""
    if backend == "model":
        if device == "hca":
            from pymodels.hca import HcaModel, HcaModelOptions  # noqa: PLC0415

            return HcaModel(nodes, HcaModelOptions())
        from pymodels.gru import GruModel, ModelOptions  # noqa: PLC0415

        return GruModel(*nodes[0], ModelOptions())
    build = BuildOptions(waves=waves)
    return NativeHca(nodes, HcaOptions(), build) if device == "hca" else NativeDevice(*nodes[0], HarnessOptions(), build)


def play(session: Session, device: Device, waves: Waves | None = None) -> None:
    """Drive to the end. What ends a run early is recorded in the session, not raised."""
    loop = session.loop(device)
    with session.ending():
        try:
            until = next(loop)
            while True:
                if waves is not None:
                    until = waves.bound(until)
                events = device.advance(until)
                session.observe(events)
                until = loop.send(events)
        except StopIteration:
            pass
    if waves is not None:
        waves.finish()


@dataclass
class Waves:
    """A waveform of cycles first..last, written while a run passes them."""

    device: NativeDevice | NativeHca
    path: Path
    first: int
    last: int
    on: bool = False
    done: bool = False

    def bound(self, until: int) -> int:
        """Switch at the edges of the window, and do not run past one."""
        if self.done:
            return until
        if not self.on and self.device.cycle >= self.first:
            self.device.trace_on(self.path)
            self.on = True
        if self.on and self.device.cycle >= self.last:
            self.finish()
            return until
        edge = self.last if self.on else self.first
        return min(until, max(edge, self.device.cycle + 1))

    def finish(self) -> None:
        """Close the file."""
        if self.on and not self.done:
            self.device.trace_off()
        self.done = True


def _job(config: CosimConfig) -> Job:
    """What is to be played. Raises InputError and the readers' one-line errors."""
    if config.scenario is None and config.trace is None:
        raise InputError("nothing to play", "give a trace or a scenario")
    return kinds.job(config)


def _run_here(config: CosimConfig, job: Job, progress: Report, listen: TraceSink | None) -> RunResult:
    """native or model, in this process."""
    session = Session(config, job, progress)
    if listen is not None:
        session.trace.subscribe(listen)
    if config.backend != "model":
        progress(ProgressUpdate("build"))
    with open_device(config, session) as device:
        play(session, device)
        return session.result()


def _run_cocotb(config: CosimConfig, progress: Report) -> RunResult:
    """The same session inside the simulator's process; its progress is not seen from here."""
    progress(ProgressUpdate("build"))
    progress(ProgressUpdate("run", note="inside the simulator under cocotb"))
    # The simulator's process has a working directory of its own.
    nodes = SYSTEMS if config.device == "hca" else 0
    result = run_under_cocotb("shootdown.rig:cocotb_session", replace(config, out=config.out.absolute()), nodes=nodes)
    if not isinstance(result, RunResult):
        raise TypeError(f"the simulator's process returned {type(result).__name__}, not a result")
    timeline = config.out / result.timeline.name if result.timeline is not None else None
    return replace(result, config=config, timeline=timeline)


class AwaitedDevice(HostDevice, Protocol):
    """A device whose clock somebody else owns."""

    def advance(self, until: int) -> Awaitable[Sequence[Event]]: ...


async def play_awaiting(session: Session, device: AwaitedDevice) -> RunResult:
    """`play` for a device inside a simulator, and the result."""
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


async def cocotb_session(simulator: Any, config: CosimConfig) -> RunResult:
    """Entry point inside the simulator's process."""
    session = Session(config, _job(config), lambda _update: None)
    options = harness_options(config)
    if config.device == "hca":
        return await play_awaiting(session, simulator.hca(session.nodes, options))
    device: CocotbDevice = simulator.device(session.memory, session.shadow, options)
    return await play_awaiting(session, device)


def _with_waves(config: CosimConfig, job: Job, progress: Report, result: RunResult) -> RunResult:
    """The waveform round what went wrong: the same run again, which meets the same cycle, with the pins written to a file."""
    if result.interrupted:
        return result  # whoever pressed Ctrl-C does not want to wait for another run
    bad = min((*result.violations, *result.data_failures), key=lambda report: report.cycle, default=None)
    if bad is not None:
        first, last = max(0, bad.cycle - WAVE_LEAD), bad.cycle + WAVE_TAIL
    elif result.stalled is not None:
        first, last = max(0, result.cycles - WAVE_LEAD), result.cycles
    elif config.waves:
        first, last = 0, WAVE_LENGTH
    else:
        return result
    if config.backend == "model":
        return replace(result, notes=(*result.notes, "the model has no pins: for a waveform run it with --backend native"))
    progress(ProgressUpdate("waves", note=f"cycles {first} to {last}"))
    again = replace(config, backend="native", record_schedule=None, timeline=False)
    session = Session(again, job, lambda _update: None)
    try:
        with _open_native(again, session, waves=True) as device:
            waves = Waves(device, config.out / "waves.fst", first, last)
            play(session, device, waves)
            cycles = device.cycle
            session.result()
    except (BuildError, DeviceError) as error:
        return replace(result, notes=(*result.notes, f"no waveform: {error}"))
    if cycles != result.cycles:
        return replace(result, notes=(*result.notes, "the waveform's run took another path: this is a defect of shootdown"))
    if not waves.on:
        return result
    if bad is not None:
        write_savefiles(waves.path, bad.cycle, f"{bad.rule}: {bad.what}", [row.text for row in bad.chain])
    elif result.stalled is not None:
        write_savefiles(waves.path, result.cycles, "no progress")
    else:
        write_savefiles(waves.path, first, "a clean run")
    return replace(result, waves=waves.path)


def check_mutant(config: CosimConfig) -> None:
    """Raises InputError for a mutant that does not exist, with the nearest names, or that the backend cannot show."""
    name = config.mutant
    rtl = kinds.rtl_mutants(config.device)
    known = [*rtl, *kinds.driver_mutants(config.device)]
    if name is not None and name not in known:
        raise unknown("--mutant", name, "mutant", known)
    if name in rtl and config.backend == "model":
        raise InputError(f"--mutant {name}: breaks the RTL, and the model has none", "use --backend native or cocotb")


def run(config: CosimConfig, progress: Report, *, waves: bool = True, listen: TraceSink | None = None) -> RunResult:
    """Play `config.trace` or `config.scenario`. Raises InputError and the readers' one-line errors for bad input.

    `waves`: a run that goes wrong is played again for its waveform. `listen`: gets the trace too; not under cocotb.
    """
    check_mutant(config)
    job = _job(config)
    result = _run_cocotb(config, progress) if config.backend == "cocotb" else _run_here(config, job, progress, listen)
    return _with_waves(config, job, progress, result) if waves else result
