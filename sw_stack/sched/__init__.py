"""The deterministic scheduler software runs on: tasks, effects, locks, lockdep, schedules."""

from sw_stack.sched.alone import run_alone
from sw_stack.sched.choices import Chooser, RecordedChooser, ReplayChooser, ScheduleError, SeededChooser
from sw_stack.sched.lockdep import Lockdep, LockdepError
from sw_stack.sched.locks import Mutex, RwSem, SpinLock, WaitQueue
from sw_stack.sched.scheduler import BusError, Scheduler
from sw_stack.sched.task import Task

__all__ = [
    "BusError",
    "Chooser",
    "Lockdep",
    "LockdepError",
    "Mutex",
    "RecordedChooser",
    "ReplayChooser",
    "RwSem",
    "ScheduleError",
    "Scheduler",
    "SeededChooser",
    "SpinLock",
    "Task",
    "WaitQueue",
    "run_alone",
]
