"""Locks with Linux's meaning: spinlock (atomic section), mutex, reader-writer semaphore, wait queue.

A lock's class is its name up to the first '['; instances of a class that are taken together must say `nests=True`, which is a
promise that the caller orders them. All hand over in arrival order, so nobody starves. Every lock is an async context manager.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from sw_stack.sched.lockdep import LockdepError
from sw_stack.sched.scheduler import Scheduler
from sw_stack.sched.shared import Shared
from sw_stack.sched.task import DONE, Task

__all__ = ["Lock", "Mutex", "RwSem", "SpinLock", "WaitQueue"]


class Lock(Shared):
    """What all locks share."""

    def __init__(self, sched: Scheduler, name: str, *, nests: bool = False) -> None:
        self.sched = sched
        self.name = name
        self.lock_class = name.split("[", 1)[0]
        self.nests = nests

    def _taken(self, task: Task) -> None:
        task.held.append(self)

    def _dropped(self, task: Task) -> None:
        held = task.held
        if held and held[-1] is self:
            held.pop()
        else:
            self.sched.lockdep.releasing(task, self)
            held.remove(self)

    def describe(self) -> str:
        """One line for the wait-for report."""
        return self.name


class _Exclusive(Lock):
    """One owner, waiters in order. Ownership is handed over before the waiter runs, so no third task can slip in."""

    sleeps = False

    def __init__(self, sched: Scheduler, name: str, *, nests: bool = False) -> None:
        super().__init__(sched, name, nests=nests)
        self.owner: Task | None = None
        self._waiters: deque[Task] = deque()

    def acquire(self) -> Awaitable[None]:
        """Wait for the lock and take it: await the result at once. A free lock is taken by the call itself."""
        self.sched.touch(self)
        task = self.sched.task()
        if task.held:
            self.sched.lockdep.acquiring(task, self)
        if self.sleeps and task.atomic:
            self.sched.lockdep.may_sleep(task, f"lock of {self.name}")
        if self.owner is not None:
            return self._wait(task)
        self.owner = task
        task.held.append(self)
        if not self.sleeps:
            task.atomic += 1
        return DONE

    async def _wait(self, task: Task) -> None:
        await self.sched.spinning(self._waiters.append, self.name)
        self._taken(task)
        if not self.sleeps:
            task.atomic += 1

    def try_acquire(self) -> bool:
        """Take the lock if it is free."""
        self.sched.touch(self)
        if self.owner is not None:
            return False
        task = self.sched.task()
        self.owner = task
        self._taken(task)
        if not self.sleeps:
            task.atomic += 1
        return True

    def release(self) -> None:
        """Give the lock to the first waiter."""
        self.sched.touch(self)
        task = self.sched.task()
        self._dropped(task)
        if not self.sleeps:
            task.atomic -= 1
        if self._waiters:
            self.owner = self._waiters.popleft()
            self.sched.resume(self.owner)
        else:
            self.owner = None

    @property
    def locked(self) -> bool:
        return self.owner is not None

    def describe(self) -> str:
        waiters = ", ".join(task.name for task in self._waiters) or "nobody"
        return f"{self.name}: held by {self.owner.name if self.owner else 'nobody'}, wanted by {waiters}"

    def __aenter__(self) -> Awaitable[None]:
        return self.acquire()

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Awaitable[None]:
        self.release()
        return DONE


class SpinLock(_Exclusive):
    """Holder is atomic: it may not sleep until it releases."""

    sleeps = False


class Mutex(_Exclusive):
    """Holder may sleep; taking it may sleep."""

    sleeps = True


class RwSem(Lock):
    """Many readers or one writer (mmap_lock). A waiting writer holds later readers off, as in Linux."""

    def __init__(self, sched: Scheduler, name: str, *, nests: bool = False) -> None:
        super().__init__(sched, name, nests=nests)
        self.readers: list[Task] = []
        self.writer: Task | None = None
        self._waiters: deque[tuple[Task, bool]] = deque()
        self._reading = _Reading(self)
        self._writing = _Writing(self)

    def down_read(self) -> Awaitable[None]:
        """Share the lock: await the result at once. May sleep."""
        self.sched.touch(self)
        task = self.sched.task()
        if task.held:
            self.sched.lockdep.acquiring(task, self)
        if task.atomic:
            self.sched.lockdep.may_sleep(task, f"down_read of {self.name}")
        if self.writer is not None or self._waiters:
            return self._wait(task, False)
        self.readers.append(task)
        task.held.append(self)
        return DONE

    async def _wait(self, task: Task, write: bool) -> None:
        what = "writing" if write else "reading"
        await self.sched.spinning(lambda me: self._waiters.append((me, write)), f"{self.name} for {what}")
        self._taken(task)

    def down_read_trylock(self) -> bool:
        """Share the lock if nobody writes or waits to. Legal in atomic context."""
        self.sched.touch(self)
        if self.writer is not None or self._waiters:
            return False
        task = self.sched.task()
        self.readers.append(task)
        self._taken(task)
        return True

    def up_read(self) -> None:
        """Give a shared hold back."""
        self.sched.touch(self)
        task = self.sched.task()
        if self.writer is task:
            raise LockdepError(f"{task.name}: releases {self.name} for reading, which it holds for writing")
        self._dropped(task)
        self.readers.remove(task)
        if self._waiters:
            self._hand_over()

    def down_write(self) -> Awaitable[None]:
        """Own the lock: await the result at once. May sleep."""
        self.sched.touch(self)
        task = self.sched.task()
        if task.held:
            self.sched.lockdep.acquiring(task, self)
        if task.atomic:
            self.sched.lockdep.may_sleep(task, f"down_write of {self.name}")
        if self.writer is not None or self.readers or self._waiters:
            return self._wait(task, True)
        self.writer = task
        task.held.append(self)
        return DONE

    def up_write(self) -> None:
        """Give an exclusive hold back."""
        self.sched.touch(self)
        task = self.sched.task()
        if task in self.readers:
            raise LockdepError(f"{task.name}: releases {self.name} for writing, which it holds for reading")
        self._dropped(task)
        self.writer = None
        if self._waiters:
            self._hand_over()

    def held_for_write(self, task: Task) -> bool:
        return self.writer is task

    def _hand_over(self) -> None:
        while self._waiters and self.writer is None:
            task, wants_write = self._waiters[0]
            if wants_write:
                if self.readers:
                    return
                self.writer = task
            else:
                self.readers.append(task)
            self._waiters.popleft()
            self.sched.resume(task)

    def describe(self) -> str:
        if self.writer is not None:
            owner = f"{self.writer.name} for writing"
        else:
            owner = ", ".join(task.name for task in self.readers) or "nobody"
        waiters = ", ".join(task.name for task, _write in self._waiters) or "nobody"
        return f"{self.name}: held by {owner}, wanted by {waiters}"

    def reading(self) -> AbstractAsyncContextManager[None]:
        """`async with sem.reading():`"""
        return self._reading

    def writing(self) -> AbstractAsyncContextManager[None]:
        """`async with sem.writing():`"""
        return self._writing


class _Reading(AbstractAsyncContextManager[None]):
    __slots__ = ("_sem",)

    def __init__(self, sem: RwSem) -> None:
        self._sem = sem

    def __aenter__(self) -> Awaitable[None]:  # type: ignore[override]
        return self._sem.down_read()

    def __aexit__(self, *_exc: object) -> Awaitable[None]:  # type: ignore[override]
        self._sem.up_read()
        return DONE


class _Writing(AbstractAsyncContextManager[None]):
    __slots__ = ("_sem",)

    def __init__(self, sem: RwSem) -> None:
        self._sem = sem

    def __aenter__(self) -> Awaitable[None]:  # type: ignore[override]
        return self._sem.down_write()

    def __aexit__(self, *_exc: object) -> Awaitable[None]:  # type: ignore[override]
        self._sem.up_write()
        return DONE


class WaitQueue(Shared):
    """wait_event / wake_up_all. The condition is evaluated again after every wake-up, and before the first wait."""

    def __init__(self, sched: Scheduler, name: str) -> None:
        self._sched = sched
        self.name = name
        self._waiters: list[Task] = []

    async def wait_event(self, condition: Callable[[], bool], *, patient: bool = False, spin: bool = False) -> None:
        """Sleep until `condition()` holds. Forbidden in atomic context, even when it would not sleep. `spin`: wait on the processor
        instead, legal under a spinlock and in an interrupt."""
        sched = self._sched
        sched.touch(self)
        if spin:
            while not condition():
                await sched.spinning(self._waiters.append, self.name)
                sched.touch(self)
            return
        sched.lockdep.may_sleep(sched.task(), self.name)
        while not condition():
            await sched.sleeping(self._waiters.append, self.name, patient=patient)
            sched.touch(self)

    def waiting(self) -> list[str]:
        """Names of the tasks that wait, for the wait-for report."""
        return [task.name for task in self._waiters]

    def wake_all(self) -> None:
        """Everybody looks again."""
        self._sched.touch(self)
        if not self._waiters:
            return
        waiters, self._waiters = self._waiters, []
        for task in waiters:
            self._sched.resume(task)
