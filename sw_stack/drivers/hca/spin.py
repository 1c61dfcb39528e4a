"""Waiting without sleeping, for what another task brings about: legal under a spinlock and in an interrupt.

Promises: the condition is looked at again after every wake-up, and before the first wait.
"""

from __future__ import annotations

from collections.abc import Callable

from sw_stack.sched import Scheduler, Task

__all__ = ["SpinQueue"]


class SpinQueue:
    """Tasks that spin on one thing."""

    def __init__(self, sched: Scheduler, name: str) -> None:
        self._sched = sched
        self._name = name
        self._waiters: list[Task] = []

    async def wait(self, condition: Callable[[], bool]) -> None:
        """Spin until `condition()` holds."""
        while not condition():
            await self._sched.spinning(self._waiters.append, self._name)

    def wake_all(self) -> None:
        """Everybody looks again."""
        waiters, self._waiters = self._waiters, []
        for task in waiters:
            self._sched.resume(task)
