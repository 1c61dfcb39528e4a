"""Waiting for what another task brings about, asleep or spinning.

Promises: the condition is looked at again after every wake-up, and before the first wait. Spinning is legal under a spinlock;
sleeping raises LockdepError there (MN-2 inside a notifier), also when there would be nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Callable

from sw_stack.sched import Scheduler, Task

__all__ = ["Waiters"]


class Waiters:
    """Tasks that wait for one thing."""

    def __init__(self, sched: Scheduler, name: str) -> None:
        self._sched = sched
        self._name = name
        self._waiting: list[Task] = []

    async def wait(self, condition: Callable[[], bool], *, spin: bool = False) -> None:
        """Until `condition()` holds."""
        if not spin:
            self._sched.lockdep.may_sleep(self._sched.task(), self._name)
        suspend = self._sched.spinning if spin else self._sched.sleeping
        while not condition():
            await suspend(self._waiting.append, self._name)

    def wake_all(self) -> None:
        """Everybody looks again."""
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            self._sched.resume(task)
