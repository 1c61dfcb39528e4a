"""Tasks and what they wait for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sw_stack.sched.locks import Lock

__all__ = ["DONE", "Pause", "Suspend", "Task"]


class _Done(Awaitable[None]):
    """Awaited, it is over: what an effect that had to wait for nothing returns. Cheaper than a coroutine."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        return _OVER


_OVER: Generator[None, None, None] = iter(())  # type: ignore[assignment]
"""Exhausted as it is made, so one serves everybody."""

DONE = _Done()


@dataclass(eq=False)
class Task:
    """A thread of software on its own processor.

    `cpu` names the column it is shown in. `daemon` tasks (interrupt threads) do not keep a run alive. `atomic` counts the
    reasons it may not sleep: spinlocks held, interrupt context.
    """

    name: str
    cpu: int
    coroutine: Coroutine[Any, Any, Any]
    daemon: bool = False
    priority: int = 1  # among tasks ready at the same cycle: the lowest first
    atomic: int = 0
    held: list[Lock] = field(default_factory=list)
    inside: list[tuple[str, object]] = field(default_factory=list)  # notifier callbacks it is running: operation, client
    waiting_for: str = ""
    waiting_since: int = 0
    patient: bool = False  # the present wait has no bound: an idle interrupt thread
    finished: bool = False
    result: Any = None
    resume_value: Any = None
    resume_error: BaseException | None = None
    on_finish: list[Callable[[], None]] = field(default_factory=list)
    stamp: int = 0  # its history, for a search over orders (sw_stack/sched/shared.py)

    def describe(self) -> str:
        """One line for the wait-for report."""
        locks = ", ".join(lock.name for lock in self.held) or "no locks"
        return (
            f"CPU {self.cpu} {self.name}: waits for {self.waiting_for or 'nothing'} since cycle {self.waiting_since}; holds {locks}"
        )


class Suspend(Awaitable[Any]):
    """Awaiting this suspends the task; `arm(task)` arranges that somebody resumes it. The await returns what it is given."""

    __slots__ = ("arm", "patient", "reason")

    def __init__(self, arm: Callable[[Task], None], reason: str, patient: bool = False) -> None:
        self.arm = arm
        self.reason = reason
        self.patient = patient

    def __await__(self) -> Generator[Suspend, Any, Any]:
        return (yield self)


class Pause(Suspend):
    """Awaiting this suspends the task for `cycles`: the most frequent wait, so the scheduler arms it itself."""

    __slots__ = ("cycles",)

    def __init__(self, cycles: int, reason: str) -> None:
        self.cycles = cycles
        self.reason = reason
        self.patient = False
