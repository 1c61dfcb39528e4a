"""An operation of the VM in the trace: the event that says it was entered, and vm_done when it was left, also by an exception.

Operations of one task nest, so vm_done needs no name: it ends the one entered last. Costs two events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwif.gen.events import TraceEvent

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine

__all__ = ["traced"]


class traced:  # noqa: N801 - read as a verb: `with traced(machine, event, ...)`
    """`with traced(machine, event, *args, mm=number):` `mm`: the address space named at the end; 0 for what belongs to none."""

    __slots__ = ("_machine", "_mm")

    def __init__(self, machine: Machine, event: TraceEvent, *args: int, mm: int = 0) -> None:
        self._machine = machine
        self._mm = mm
        machine.trace.emit(machine.sched.now, event, *args)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_exc: object) -> None:
        machine = self._machine
        machine.trace.emit(machine.sched.now, TraceEvent.VM_DONE, self._mm)
