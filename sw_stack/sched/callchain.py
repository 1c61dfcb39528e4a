"""Who called whom, for the message of a broken rule. Costs nothing until one is broken."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

__all__ = ["call_chain", "where"]

_STACK: Final = str(Path(__file__).resolve().parents[1])
_SILENT: Final = ("sched",)  # the scheduler's own functions say nothing about who is to blame


def call_chain(depth: int = 10) -> str:
    """The functions of the software stack that are running in this task, innermost first, with their lines:
    "invalidate_page (kvm.py:80) < try_to_unmap (rmap.py:42) < ..."."""
    found: list[str] = []
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "_run" and len(found) < depth:
        path = Path(frame.f_code.co_filename)
        inside = path.as_posix().startswith(_STACK)
        silent = inside and path.parent.name in _SILENT
        if not silent and not (inside and frame.f_code.co_name.startswith("_")):
            found.append(f"{frame.f_code.co_name} ({path.name}:{frame.f_lineno})")
        frame = frame.f_back  # type: ignore[assignment]
    return " < ".join(found)


def where(error: BaseException) -> str:
    """The function in which an exception was raised, with its line: "zap (unmapping.py:40)"."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return "nowhere"
    code = last.tb_frame.f_code
    return f"{code.co_name} ({Path(code.co_filename).name}:{last.tb_lineno})"
