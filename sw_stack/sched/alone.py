"""A host without a device: what runs the software stack by itself.

Promises: the same order, the same cycles and the same trace as under a host with a device that does nothing; but time passes inside
the scheduler, so a task that meets nobody costs no trip through the queue. Raises StalledError, with the wait-for report, when
nobody can go on or a wait lasts longer than `liveness_bound`, and ValueError when software asks for a device.
"""

from __future__ import annotations

from typing import Final

from hwif.gen import timing
from hwif.loop import StalledError
from sw_stack.sched.scheduler import Scheduler

__all__ = ["run_alone"]

STRETCH: Final = 1 << 20
"""Cycles a task may run on by itself before the host looks at everybody's waits."""


def run_alone(sched: Scheduler, liveness_bound: int = timing.LIVENESS_BOUND) -> None:
    """Run until every essential task is finished."""
    check_at = sched.now + liveness_bound // 4
    while True:
        sched.free_until = sched.now + STRETCH
        sched.run_ready()
        requests = sched.take_requests()
        if requests:
            raise ValueError(f"{requests[0]}: there is no device to answer it")
        if sched.finished:
            return
        if sched.now >= check_at:
            report = sched.overdue(liveness_bound)
            if report is not None:
                raise StalledError(report)
            check_at = sched.now + liveness_bound // 4
        deadline = sched.next_deadline()
        if deadline is None:
            raise StalledError(sched.wait_for_report())
        sched.advance_to(max(deadline, sched.now))
