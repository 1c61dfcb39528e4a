"""How fast a run is, and what its parts cost: the native host beside a conventional testbench, a bare loop, cocotb and the model.

`measure()` plays one run (the shipped program, one seed) in every way that a ratio needs, round by round, so that what slows the
machine down slows all of them; a ratio is the median over the rounds of the ratio within a round (of the medians, where one side
has fewer rounds). The conventional testbench would take minutes for the whole program: it plays a part of it, and so does the
native run beside it.

Promises: every run ends clean; where two ways are the same run, their digests agree; the bare loop has seen the same counters. A
difference is a MeasureError, never a number. Seconds are those of the run itself: builds, loading and the start of a simulator are
not in them (for the timeline: those of the whole call, writing the file included).
Needs: a machine with nothing else to do.
Costs: seven minutes for everything on two cores.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.conventional.session import run_conventional
from bench.errors import MeasureError
from bench.streaming import streaming_job
from shootdown import rig
from shootdown.commands.cosim import DEFAULT_SEED, DEFAULT_TRACE
from shootdown.result import CosimConfig, ProgressUpdate, RunResult, Verdict
from shootdown.rig import harness_options, open_device, play
from shootdown.session import Session
from shootdown.software.gru import program_job
from sw_stack.workloads.trace import read_trace
from tb.conventional.build import build_conventional
from tb.hil.bare import RecordingDevice, run_bare
from tb.hil.build import build_bare, build_cocotb, build_native

__all__ = ["RATIOS", "MeasureError", "Ratio", "measure"]

PART = 2_500  # VM events of the part that the conventional testbench plays
WARM_UP = 50
STREAM_ROUNDS = 4
ROUNDS = 3
# What takes long is measured in the first rounds only.
FEWER: Mapping[str, int] = {"conventional": 2, "cocotb": 2, "model": 2}

Progress = Callable[[ProgressUpdate], None]


@dataclass(frozen=True)
class Sample:
    """One run: seconds of the run and of the whole call, and what it did."""

    seconds: float
    call: float
    cycles: int = 0
    vm_events: int = 0
    translations: int = 0
    digest: str = ""


@dataclass(frozen=True)
class Ratio:
    """`of(a, b)` for the runs named; `overhead`: minus one."""

    runs: tuple[str, str]
    of: Callable[[Sample, Sample], float]


def _times(a: Sample, b: Sample) -> float:
    return a.seconds / b.seconds


def _vm_rate(a: Sample, b: Sample) -> float:
    return (a.vm_events / a.seconds) / (b.vm_events / b.seconds)


def _translation_rate(a: Sample, b: Sample) -> float:
    return (a.translations / a.seconds) / (b.translations / b.seconds)


def _overhead(a: Sample, b: Sample) -> float:
    return a.seconds / b.seconds - 1


def _call_overhead(a: Sample, b: Sample) -> float:
    return a.call / b.call - 1


RATIOS: Mapping[str, Ratio] = {
    "native_over_conventional": Ratio(("native_part", "conventional"), _vm_rate),
    "native_over_bare_no_skip": Ratio(("bare", "native_no_skip"), _times),
    "native_over_bare": Ratio(("bare", "native"), _times),
    "native_over_cocotb": Ratio(("cocotb", "native"), _times),
    "model_over_native": Ratio(("stream_model", "stream_native"), _translation_rate),
    "model_over_native_trace": Ratio(("model", "native"), _translation_rate),
    "oracle_overhead": Ratio(("native", "native_no_oracle"), _overhead),
    "timeline_overhead": Ratio(("native_timeline", "native"), _call_overhead),
}
SAME_RUN = ("native", "native_no_skip", "native_no_oracle", "native_timeline", "cocotb")  # one digest


def _quiet(_update: ProgressUpdate) -> None:
    pass


def _clean(result: RunResult, call: float) -> Sample:
    if result.verdict is not Verdict.CLEAN:
        raise MeasureError(f"a run of {result.config.backend} ended {result.verdict.name.lower()}, not clean")
    vm_events = sum(result.vm_events.values())
    return Sample(result.wall_s, call, result.cycles, vm_events, result.translations, result.digest)


@dataclass
class Runs:
    """The ways to play the run. `part`: VM events of the part that the conventional testbench plays."""

    config: CosimConfig
    folder: Path
    part: int = PART
    stream_rounds: int = STREAM_ROUNDS
    _requests: Path | None = None
    _recorded: RunResult | None = None
    _frames: int = 0
    ways: Mapping[str, Callable[[], Sample]] = field(init=False)

    def __post_init__(self) -> None:
        self.ways = {
            "native": self._cosim,
            "native_part": lambda: self._cosim(limit=self.part),
            "native_no_skip": lambda: self._cosim(skip=False),
            "native_no_oracle": lambda: self._cosim(oracle=False),
            "native_timeline": self._timeline,
            "cocotb": lambda: self._cosim(backend="cocotb"),
            "model": lambda: self._cosim(backend="model"),
            "bare": self._bare,
            "conventional": self._conventional,
            "stream_native": lambda: self._stream("native"),
            "stream_model": lambda: self._stream("model"),
        }

    def build(self, names: Iterable[str]) -> None:
        """Everything that is built or loaded once, and the first run of each way in this process, which is always the slowest."""
        builders = {"cocotb": build_cocotb, "bare": build_bare, "conventional": build_conventional}
        for name in ("native", *names):
            builders.get(name, build_native)()
        short = Runs(replace(self.config, limit=WARM_UP), self.folder, part=WARM_UP, stream_rounds=1)
        for name in names:
            if name not in builders:
                short.ways[name]()
        if "bare" in names:
            self._record()

    def _timed(self, run: Callable[[], RunResult]) -> Sample:
        gc.collect()
        started = time.perf_counter()
        result = run()
        return _clean(result, time.perf_counter() - started)

    def _cosim(self, **changes: Any) -> Sample:
        return self._timed(lambda: rig.run(replace(self.config, **changes), _quiet))

    def _timeline(self) -> Sample:
        def run() -> RunResult:
            result = rig.run(replace(self.config, timeline=True), _quiet)
            if result.timeline is None:
                raise MeasureError("the run that was to write a timeline wrote none")
            return result

        return self._timed(run)

    def _conventional(self) -> Sample:
        return self._timed(lambda: run_conventional(replace(self.config, limit=self.part)))

    def _stream(self, backend: str) -> Sample:
        def run() -> RunResult:
            config = replace(self.config, trace=None, limit=None, backend=backend)
            session = Session(config, streaming_job(self.stream_rounds), _quiet)
            with open_device(config, session) as device:
                play(session, device)
                return session.result()

        return self._timed(run)

    def _record(self) -> None:
        """One native run whose requests are kept."""
        assert self.config.trace is not None
        session = Session(self.config, program_job(self.config, read_trace(self.config.trace)), _quiet)
        with RecordingDevice(session.memory, session.shadow, harness_options(self.config)) as device:
            play(session, device)
            self._recorded = session.result()
            self._requests = self.folder / "requests.bin"
            device.write_requests(self._requests)
        self._frames = session.memory.frames
        _clean(self._recorded, 0.0)

    def _bare(self) -> Sample:
        assert self._requests is not None
        assert self._recorded is not None
        recorded = self._recorded
        run = run_bare(self._requests, self._frames, recorded.statistics, recorded.cycles)
        return Sample(run.seconds, run.seconds, run.cycles, sum(recorded.vm_events.values()), recorded.translations)


def measure(
    only: Iterable[str] | None = None,
    progress: Progress = _quiet,
    limit: int | None = None,
    part: int = PART,
    rounds: int = ROUNDS,
) -> dict[str, Any]:
    """The ratios asked for (all by default), and the seconds and rates behind them. `limit`: VM events of the run."""
    keys = list(RATIOS if only is None else only)
    names = [name for name in _order() if any(name in RATIOS[key].runs for key in keys)]
    planned = {name: min(rounds, FEWER.get(name, rounds)) for name in names}
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="shootdown-speed-") as folder:
        runs = Runs(CosimConfig(trace=DEFAULT_TRACE, seed=DEFAULT_SEED, out=Path(folder), limit=limit), Path(folder), part)
        progress(ProgressUpdate("build"))
        runs.build(names)
        total, done = sum(planned.values()), 0
        for number in range(rounds):
            for name in names:
                if number < planned[name]:
                    progress(ProgressUpdate("measuring", done, total, note=name.replace("_", " ")))
                    samples[name].append(runs.ways[name]())
                    done += 1
    _same(samples)
    return {key: round(_ratio(RATIOS[key], samples), 3) for key in keys} | _behind(
        samples, {"limit": limit, "part": part, "rounds": rounds}
    )


def _order() -> list[str]:
    """Every way once, partners of a ratio close to each other."""
    return list(dict.fromkeys(name for ratio in RATIOS.values() for name in ratio.runs))


def _ratio(ratio: Ratio, samples: Mapping[str, list[Sample]]) -> float:
    first, second = (samples[name] for name in ratio.runs)
    if len(first) != len(second):
        return ratio.of(_middle(first), _middle(second))
    return statistics.median(ratio.of(a, b) for a, b in zip(first, second, strict=True))


def _middle(found: list[Sample]) -> Sample:
    return sorted(found, key=lambda sample: sample.seconds)[(len(found) - 1) // 2]


def _same(samples: Mapping[str, list[Sample]]) -> None:
    """Raises MeasureError unless runs that should be the same were."""
    digests = {sample.digest for name in SAME_RUN for sample in samples.get(name, ())}
    if len(digests) > 1:
        raise MeasureError(f"the same run gave different digests: {', '.join(sorted(digests))}")


def _behind(samples: Mapping[str, list[Sample]], plan: Mapping[str, int | None]) -> dict[str, Any]:
    """What the ratios were made of: medians over the rounds."""
    seconds, rates = {}, {}
    for name, found in samples.items():
        middle = _middle(found)
        seconds[name] = round(middle.seconds, 3)
        rates[name] = {
            "vm_events_per_s": round(middle.vm_events / middle.seconds, 1),
            "translations_per_s": round(middle.translations / middle.seconds, 1),
            "cycles_per_s": round(middle.cycles / middle.seconds, 1),
        }
    spread = {name: round(max(s.seconds for s in found) / min(s.seconds for s in found) - 1, 3) for name, found in samples.items()}
    return {
        "run": {"trace": DEFAULT_TRACE.name, "seed": DEFAULT_SEED, **plan},
        "seconds": seconds,
        "rates": rates,
        "spread": spread,
    }
