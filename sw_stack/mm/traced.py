"""An operation of the VM in the trace: the event that says it was entered, and vm_done when it was left, also by an exception.

Operations of one task nest, so vm_done needs no name: it ends the one entered last. Costs two events.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hwif.gen.events import TraceEvent

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine

__all__ = ["traced"]


@contextmanager
def traced(machine: Machine, event: TraceEvent, *args: int, mm: int = 0) -> Iterator[None]:
    """`mm`: the address space named at the end; 0 for what belongs to none."""
    machine.trace.emit(machine.sched.now, event, *args)
    try:
        yield
    finally:
        machine.trace.emit(machine.sched.now, TraceEvent.VM_DONE, mm)
