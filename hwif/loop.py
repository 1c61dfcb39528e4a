"""The loop that joins a scheduler and a device, as a generator that a foreign loop drives.

`drive(...)` yields the cycle to advance to and is sent the events that came of it. A native host answers at once; a cocotb host
awaits the simulator. Nothing else differs between hosts, so one seed gives one trace on both.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from hwif.port import Event, OracleStop, Request

__all__ = ["SchedulerLike", "StalledError", "drive"]


class StalledError(Exception):
    """No progress within the liveness bound; the message is the wait-for report."""


class SchedulerLike(Protocol):
    """What the loop needs of a scheduler (sw_stack.sched.Scheduler)."""

    @property
    def now(self) -> int: ...
    @property
    def finished(self) -> bool: ...
    def run_ready(self) -> None: ...
    def next_deadline(self) -> int | None: ...
    def advance_to(self, cycle: int) -> None: ...
    def deliver(self, event: Event) -> None: ...
    def take_requests(self) -> Sequence[Request]: ...
    def overdue(self, bound: int) -> str | None: ...


def drive(
    scheduler: SchedulerLike,
    submit: Callable[[Request], None],
    cycle: Callable[[], int],
    liveness_bound: int,
    on_quiet: Callable[[], bool] | None = None,
) -> Generator[int, Sequence[Event], None]:
    """Run until the scheduler's essential tasks are finished.

    Yields the cycle to advance to; send it the events. `on_quiet` is called before each advance; True ends the run early (a
    violation, an interrupt). Raises StalledError when a wait lasts longer than `liveness_bound` cycles.
    """
    check_at = scheduler.now + liveness_bound // 4
    while True:
        scheduler.run_ready()
        for request in scheduler.take_requests():
            submit(request)
        if scheduler.finished or (on_quiet is not None and on_quiet()):
            return
        if scheduler.now >= check_at:
            report = scheduler.overdue(liveness_bound)
            if report is not None:
                raise StalledError(report)
            check_at = scheduler.now + liveness_bound // 4
        until = scheduler.next_deadline()
        if until is None or until > check_at:
            until = check_at
        events = yield until if until > scheduler.now else scheduler.now
        scheduler.advance_to(cycle())
        for event in events:
            if not isinstance(event, OracleStop):
                scheduler.deliver(event)
