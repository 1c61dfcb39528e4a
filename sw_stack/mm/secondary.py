"""Accesses through translations that live in software: a guest's shadow page table, an attachment of another partition, a GPU's.

The device models and the RTL have every beat compared with the oracle; software that keeps translations of its own has it here. An
access is legal iff the frame has a record of the owner and the page with the right asked for, now: between the check and the move
of the bytes no cycle passes. `owner` is the number of the address space, or of what was pinned (sw_stack.mm.pinning).

Raises DeadTranslationError, which names rule, client, page and frame. Costs nothing by itself: charge what the access takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwif.shadow import READ, WRITE
from sw_stack.mm.types import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine

__all__ = ["DeadTranslationError", "check_access", "read_through", "write_through"]


class DeadTranslationError(Exception):
    """A client used a translation after it was revoked, or beyond its rights (SD-1). The message names the parties."""


def check_access(machine: Machine, owner: int, vaddr: int, pfn: int, write: bool, client: object) -> None:
    """Raise unless `owner` may reach page `vaddr` in frame `pfn` now."""
    machine.sched.touch_memory()
    rights = machine.shadow_feed.shadow.rights(pfn, owner, vaddr >> PAGE_SHIFT)
    if not rights & (WRITE if write else READ):
        task = machine.sched.current
        who = f"{task.name} (CPU {task.cpu})" if task is not None else "nobody"
        what = "may only be read" if rights else "is revoked"
        raise DeadTranslationError(
            f"SD-1: {client!r}: {'write' if write else 'read'} of {vaddr:#x} of mm {owner} in frame {pfn} by {who} at cycle "
            f"{machine.sched.now}: the translation {what}"
        )


def read_through(machine: Machine, owner: int, vaddr: int, pfn: int, n: int, client: object) -> bytes:
    """`n` bytes at `vaddr`, within its page, through a translation to `pfn`."""
    _within(vaddr, n)
    check_access(machine, owner, vaddr, pfn, False, client)
    return machine.memory.read(pfn << PAGE_SHIFT | vaddr & PAGE_MASK, n)


def write_through(machine: Machine, owner: int, vaddr: int, pfn: int, data: bytes, client: object) -> None:
    """Store within the page of `vaddr` through a translation to `pfn`."""
    _within(vaddr, len(data))
    check_access(machine, owner, vaddr, pfn, True, client)
    machine.memory.write(pfn << PAGE_SHIFT | vaddr & PAGE_MASK, data)


def _within(vaddr: int, n: int) -> None:
    if n < 0 or (vaddr & PAGE_MASK) + n > PAGE_SIZE:
        raise ValueError(f"{n} bytes at {vaddr:#x} leave the page")
