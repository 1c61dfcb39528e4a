"""What a workload finds wrong: bytes that differ, operations that should not have failed, races that were not met.

Promises: a finding is recorded, never raised, and `on_failure` is called for each as it comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sw_stack.sched import Scheduler

__all__ = ["DataFailure", "Findings"]


@dataclass(frozen=True)
class DataFailure:
    """Bytes that differ from what a coherent memory would hold, or an exception without a cause. `rule`: "DATA", or "NOT_MET"
    for a race that a scenario announced and did not meet."""

    cycle: int
    what: str
    address: int
    detail: str
    rule: str = "DATA"

    def __str__(self) -> str:
        if self.rule == "NOT_MET":
            return f"{self.what}: {self.detail}"
        return f"cycle {self.cycle}: {self.what} at {self.address:#x}: {self.detail}"


class Findings:
    """Failures so far, and how many bytes were compared to find them."""

    def __init__(self, sched: Scheduler) -> None:
        self._sched = sched
        self.failures: list[DataFailure] = []
        self.data_bytes = 0
        self.on_failure: Callable[[], None] | None = None

    def fail(self, what: str, address: int, detail: str) -> None:
        """Record a failure."""
        self.failures.append(DataFailure(self._sched.now, what, address, detail))
        if self.on_failure is not None:
            self.on_failure()

    def compare(self, what: str, address: int, expected: bytes, found: bytes) -> None:
        """Record the first difference of two equally long contents."""
        self.data_bytes += len(expected)
        if expected == found:
            return
        index = next(i for i, (a, b) in enumerate(zip(expected, found, strict=True)) if a != b)
        self.fail(what, address + index, f"expected {expected[index : index + 8].hex()}, found {found[index : index + 8].hex()}")
