"""What a session needs of the software above a device: machines, driver and workload, and how its device counts.

Promises: nothing here knows a device. A `Software` is made once for a run, before the device exists; `nodes` are what the device
is bound to.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hwif.memory import HostMemory
from hwif.port import Event, Request, Violation
from hwif.shadow import Shadow
from hwif.trace import Trace
from shootdown.measure import MeasureBase
from shootdown.result import CosimConfig
from sw_stack.sched import Scheduler, Task
from sw_stack.workloads.findings import DataFailure

__all__ = ["Job", "Software", "Tally", "Workload"]


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
class Tally:
    """A device's counters in the words of the report, over all nodes: translations asked for and answered from its cache, faults,
    answers to misses (`dropins`) and those that an invalidation overtook, invalidations (`shootdowns`); what the oracle saw."""

    lookups: int
    hits: int
    misses: int
    faults: int
    dropins: int
    dropins_dropped: int
    shootdowns: int
    checked_beats: int
    checked_bytes: int
    violations: int


class Software(Protocol):
    """The stack above one device."""

    nodes: Sequence[tuple[HostMemory, Shadow]]
    workload: Workload
    driver_errors: tuple[type[Exception], ...]
    """What the driver raises when the device or its own rules are broken."""

    def start(self) -> None:
        """Spawn daemons, driver and workload."""
        ...

    def examine(
        self, report: str, submit: Callable[[Request], None], cycle: Callable[[], int]
    ) -> Generator[int, Sequence[Event], str]:
        """The hang doctor: the scheduler's report, completed with the driver's and the device's state."""
        ...

    def measure(self) -> MeasureBase:
        """What reads latencies and over-invalidation out of its trace."""
        ...

    def tally(self, counters: Mapping[str, int]) -> Tally:
        """The device's counters (Device.statistics) in the report's words."""
        ...

    def vm_statistics(self) -> dict[str, int]:
        """Memory calls and faults, over all machines."""
        ...

    def driver_statistics(self) -> dict[str, int]:
        """The driver's counters by name."""
        ...

    def describe(self, violation: Violation) -> str:
        """One line about an illegal beat."""
        ...

    def notes(self) -> tuple[str, ...]:
        """What the reader of the report should know, e.g. that memory ran out."""
        ...


@dataclass(frozen=True)
class Job:
    """What is to be played, before anything exists. `title` names it in reports; `build` makes the software for a run."""

    title: str
    build: Callable[[Scheduler, Trace, CosimConfig], Software]
