"""The rule that software has broken, by the error that says so.

Promises: `broken(error)` names the rule and what was done, for every error of BREAKS; TypeError for any other.
"""

from __future__ import annotations

from typing import Final

from sw_stack.mm.frames import FrameError
from sw_stack.mm.secondary import DeadTranslationError
from sw_stack.mm.types import MmError
from sw_stack.notifier import NotifierError
from sw_stack.sched import BusError, LockdepError

__all__ = ["BREAKS", "broken"]

BREAKS: Final = (LockdepError, BusError, FrameError, MmError, NotifierError, DeadTranslationError)


def broken(error: Exception) -> tuple[str, str]:
    """Rule and what was done."""
    match error:
        case NotifierError() | DeadTranslationError():  # "RULE: what"
            rule, _, what = str(error).partition(": ")
            return rule, what
        case LockdepError():
            return "LOCKDEP", str(error)
        case BusError():
            return "BUS", str(error)
        case FrameError() | MmError():
            return "VM", str(error)
    raise TypeError(f"{error!r} is no broken rule")
