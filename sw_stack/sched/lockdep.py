"""What Linux's lockdep would object to, checked as software runs.

Checks: a lock taken in an order that closes a cycle with orders seen before; the same lock taken twice; a sleeping lock or
sleep in atomic context; a lock released by somebody else; a task that ends with locks held. Orders are between lock classes
(names without their instance), so one good run finds an inversion that never deadlocked. Try-locks add no order: they cannot wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sw_stack.sched.callchain import call_chain
from sw_stack.sched.task import Task

if TYPE_CHECKING:
    from sw_stack.sched.locks import Lock

__all__ = ["Lockdep", "LockdepError"]


class LockdepError(Exception):
    """A locking rule was broken. The message says which, by whom, and where the other order was seen."""


class Lockdep:
    """The orders seen so far in one run."""

    def __init__(self) -> None:
        self._after: dict[str, dict[str, str]] = {}

    def may_sleep(self, task: Task, what: str) -> None:
        """`task` is about to sleep in `what`."""
        if task.atomic:
            held = ", ".join(lock.name for lock in task.held) or "interrupt context"
            rule = f"MN-2: in {task.inside[-1][0]} of {task.inside[-1][1]!r}: " if task.inside else ""
            raise LockdepError(
                f"{task.name} (CPU {task.cpu}): {rule}sleeping while atomic: {what}, under {held}; called by {call_chain()}"
            )

    def acquiring(self, task: Task, lock: Lock) -> None:
        """`task` is about to wait for `lock` if need be."""
        for held in task.held:
            if held is lock:
                raise LockdepError(f"{task.name} (CPU {task.cpu}): takes {lock.name} twice")
            if held.lock_class == lock.lock_class:
                if not lock.nests:
                    raise LockdepError(f"{task.name}: takes {lock.name} under {held.name} of the same class, which has no order")
                continue
            self._order(task, held, lock)

    def _order(self, task: Task, held: Lock, lock: Lock) -> None:
        before = self._after.setdefault(held.lock_class, {})
        if lock.lock_class in before:
            return
        path = self._path(lock.lock_class, held.lock_class)
        if path is not None:
            raise LockdepError(
                f"{task.name} (CPU {task.cpu}): lock order inversion: takes {lock.lock_class} under {held.lock_class}, but "
                + "; ".join(path)
            )
        before[lock.lock_class] = f"{task.name} took {lock.lock_class} under {held.lock_class}"

    def _path(self, start: str, goal: str) -> list[str] | None:
        stack: list[tuple[str, list[str]]] = [(start, [])]
        seen = {start}
        while stack:
            node, path = stack.pop()
            for following, witness in self._after.get(node, {}).items():
                if following == goal:
                    return [*path, witness]
                if following not in seen:
                    seen.add(following)
                    stack.append((following, [*path, witness]))
        return None

    def releasing(self, task: Task, lock: Lock) -> None:
        """`task` releases `lock`."""
        if lock not in task.held:
            raise LockdepError(f"{task.name} (CPU {task.cpu}): releases {lock.name}, which it does not hold")

    def exits(self, task: Task) -> None:
        """`task` has finished."""
        if task.atomic and not task.held:
            raise LockdepError(f"{task.name} (CPU {task.cpu}): ends in atomic context")
        if task.held:
            raise LockdepError(f"{task.name} (CPU {task.cpu}): ends holding {', '.join(lock.name for lock in task.held)}")
