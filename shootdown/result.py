"""What a run is asked to do, what it says meanwhile, and what it leaves behind. The rig fills these, the reports read them.

Promises: values, no behaviour beyond a verdict. A RunResult is complete enough for every key of summary.json (docs/summary.md) and
every picture of index.html; an interrupted or stalled run gives one too, with the counts so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwif.gen.timing import CLOCK_MHZ

__all__ = [
    "ChainRow",
    "Column",
    "CosimConfig",
    "HitRate",
    "OracleCounts",
    "ProgressUpdate",
    "RunResult",
    "Verdict",
    "ViolationReport",
]

Samples = NDArray[np.int64]

VM_CALLS = ("mmap", "munmap", "mprotect", "mremap", "brk", "madvise", "fork", "exit")


@dataclass(frozen=True)
class CosimConfig:
    """One run of a recorded program (`trace`) or of a scenario (`scenario`): exactly one of the two is set.

    Paths are absolute or relative to the working directory; `out` exists and is writable. `memory`: frames the program may use,
    None for as many as it needs. `limit`: VM events after which the program stops. `skip`: idle time is skipped, not simulated.
    `dropin`: where the driver answers a miss first, "interrupt" or "user". `mutant`: a broken variant of the driver or the RTL
    that the oracle must catch. `asserts`, `oracle`: what may object. `bandwidth`: bytes a cycle of the memory port, None for
    the default of spec/timing.toml. `timeline`: write the timeline. At most one of
    `record_schedule` and `schedule` is set.
    """

    trace: Path | None
    seed: int
    out: Path
    scenario: str | None = None
    device: str = "gru"
    backend: str = "native"
    memory: int | None = None
    limit: int | None = None
    waves: bool = False
    skip: bool = True
    record_schedule: Path | None = None
    schedule: Path | None = None
    dropin: str = "interrupt"
    mutant: str | None = None
    asserts: bool = True
    preempt_odds: int = 16
    oracle: bool = True
    bandwidth: int | None = None
    timeline: bool = False

    @property
    def subject(self) -> str:
        """What is played, by name."""
        if self.scenario is not None:
            return self.scenario
        return self.trace.name if self.trace is not None else "nothing"


@dataclass(frozen=True)
class ProgressUpdate:
    """Where a run is. `phase`: "build", "run", "waves". `done` of `total` steps (runs of the program in "run"); None: unknown."""

    phase: str
    done: int = 0
    total: int | None = None
    cycle: int = 0
    note: str = ""


@dataclass(frozen=True)
class OracleCounts:
    """Beats and bytes that passed the oracle, and its objections."""

    checked_beats: int = 0
    checked_bytes: int = 0
    violations: int = 0


@dataclass(frozen=True)
class HitRate:
    """Lookups and hits of the TLB by time: bin `i` covers cycles `i * bin_cycles` to `(i + 1) * bin_cycles - 1`."""

    bin_cycles: int
    lookups: Samples
    hits: Samples


class Column(IntEnum):
    """Whose event a row of a violation's table is."""

    CPU0 = 0
    CPU1 = 1
    DEVICE = 2


@dataclass(frozen=True)
class ChainRow:
    """One event of the chain that explains a violation."""

    cycle: int
    column: Column
    text: str


@dataclass(frozen=True)
class ViolationReport:
    """One objection of the oracle or one difference of data. `what`: one line. `rule`: the oracle's reason
    (hwif.port.ViolationReason by name), "SVA" for an assertion of the RTL, MN-1 … of the notifiers, "LOCKDEP", "BUS", "DRIVER",
    "VM", "DATA", or "NOT_MET" for a scenario that missed its race. `chain`: the events that explain it, oldest first."""

    cycle: int
    rule: str
    what: str
    chain: tuple[ChainRow, ...] = ()


class Verdict(Enum):
    """How a run ended; the value is the command's exit status."""

    CLEAN = 0
    VIOLATION = 1
    DATA = -1
    STALLED = -2
    INTERRUPTED = 130

    @property
    def exit_status(self) -> int:
        """0 clean, 1 violation, failed data or a stall, 130 interrupted (as shells say it)."""
        return 1 if self.value < 0 else self.value


def _no_samples() -> Samples:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class RunResult:
    """Everything a run leaves behind. Counts are totals of the run; latencies are samples in device cycles.

    `fault_latency`: translation parked (miss) to control block restarted. `shootdown_latency`: shootdown issued by the driver to
    its status seen by the driver. `tlb_hits + tlb_misses == translations`. `over_invalidated`: entries that died without the
    invalidated range covering a byte of them. `statistics` and `driver` are the device's and the driver's own counters, under
    their real names.
    """

    config: CosimConfig
    program: str
    digest: str = ""
    cycles: int = 0
    skipped_cycles: int = 0
    wall_s: float = 0.0
    vm_events: Mapping[str, int] = field(default_factory=dict)
    notifier: Mapping[str, int] = field(default_factory=dict)
    driver: Mapping[str, int] = field(default_factory=dict)
    statistics: Mapping[str, int] = field(default_factory=dict)
    translations: int = 0
    tlb_hits: int = 0
    tlb_misses: int = 0
    faults: int = 0
    dropins: int = 0
    dropins_dropped: int = 0
    shootdowns: int = 0
    shootdown_pages: int = 0
    over_invalidated: int = 0
    oracle: OracleCounts = field(default_factory=OracleCounts)
    workload: Mapping[str, int] = field(default_factory=dict)
    fault_latency: Samples = field(default_factory=_no_samples)
    shootdown_latency: Samples = field(default_factory=_no_samples)
    hit_rate: HitRate | None = None
    violations: tuple[ViolationReport, ...] = ()
    data_failures: tuple[ViolationReport, ...] = ()
    stalled: str | None = None
    interrupted: bool = False
    schedule: Path | None = None
    waves: Path | None = None
    timeline: Path | None = None
    notes: tuple[str, ...] = ()
    clock_mhz: int = CLOCK_MHZ

    @property
    def verdict(self) -> Verdict:
        """The worst thing that happened. A violation outweighs an interruption: it is true whatever came after."""
        if self.violations or self.oracle.violations:
            return Verdict.VIOLATION
        if self.data_failures:
            return Verdict.DATA
        if self.stalled is not None:
            return Verdict.STALLED
        return Verdict.INTERRUPTED if self.interrupted else Verdict.CLEAN

    @property
    def vm_calls(self) -> int:
        """Memory calls among the VM events: not the faults, reclaim and migration that come of them."""
        return sum(self.vm_events.get(name, 0) for name in VM_CALLS)

    @property
    def speed(self) -> dict[str, float]:
        """Rates against wall-clock time."""
        wall = max(self.wall_s, 1e-9)
        per_second = {"cycles_per_s": self.cycles, "translations_per_s": self.translations, "vm_ops_per_s": self.vm_calls}
        return {name: round(count / wall, 1) for name, count in per_second.items()}
