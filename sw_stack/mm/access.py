"""A program's loads and stores, and the lookup drivers share.

Between the check of the entry and the move of the bytes no cycle passes, so an access is to the page the table named then.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.mm.pagetable import ACCESSED, DIRTY, READ, VALUE_SHIFT, WRITE
from sw_stack.mm.types import ADDRESS_END, PAGE_MASK, PAGE_SHIFT, MmError, Translation, page_parts

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["FreedTableError", "load", "physical", "store", "translate", "translate_in_steps"]


class FreedTableError(Exception):
    """A walk read a page table after it was freed. One line."""


def translate(mm: Mm, vaddr: int, write: bool) -> Translation | None:
    """The present translation with the right asked for, marked used; None if there is none."""
    vpn = vaddr >> PAGE_SHIFT
    mm.machine.sched.touch(mm.pte_lock)  # a walk takes no lock, but what it finds was written under this one
    if not mm.touch_fast(vpn, write):
        return None
    entry = mm.page_table.lookup(vpn)
    if entry is None:
        raise AssertionError(f"page {vpn:#x} was touched and is not there")
    return Translation(
        pfn=(entry.pte >> VALUE_SHIFT) + vpn - entry.vpn,
        shift=entry.shift,
        writable=bool(entry.pte & WRITE),
        dirty=bool(entry.pte & DIRTY),
    )


async def translate_in_steps(mm: Mm, vaddr: int, write: bool) -> Translation | None:
    """As `translate`, but time passes between the upper levels and the last: a real walk, which needs a lock that keeps tables from
    being freed. FreedTableError if the table it came to was freed before it read the entry."""
    sched, vpn = mm.machine.sched, vaddr >> PAGE_SHIFT
    sched.touch(mm.pte_lock)
    leaf = mm.page_table.leaf(vpn)
    await sched.charge(timing.SW_PAGE_WALK)
    sched.touch(mm.pte_lock)
    if leaf is not None and mm.page_table.leaf(vpn) is not leaf:
        task = sched.task()
        raise FreedTableError(
            f"{task.name} (CPU {task.cpu}) reads the entry of {vaddr:#x} of {mm.name} from a page table that was freed "
            "while it walked"
        )
    return translate(mm, vaddr, write)


def physical(mm: Mm, vaddr: int) -> int | None:
    """Byte address in host memory behind a readable page, for observers; marks nothing."""
    entry = mm.page_table.lookup(vaddr >> PAGE_SHIFT)
    if entry is None or not entry.pte & READ:
        return None
    pfn = (entry.pte >> VALUE_SHIFT) + (vaddr >> PAGE_SHIFT) - entry.vpn
    return (pfn << PAGE_SHIFT) | (vaddr & PAGE_MASK)


async def load(mm: Mm, vaddr: int, n: int) -> bytes:
    _check(vaddr, n)
    parts = []
    for place, count in page_parts(vaddr, n):
        address = await _access(mm, place, READ, ACCESSED)
        parts.append(mm.machine.memory.read(address, count))
    return b"".join(parts)


async def store(mm: Mm, vaddr: int, data: bytes) -> None:
    _check(vaddr, len(data))
    for place, count in page_parts(vaddr, len(data)):
        address = await _access(mm, place, WRITE, ACCESSED | DIRTY)
        mm.machine.memory.write(address, data[place - vaddr :][:count])


def _check(vaddr: int, n: int) -> None:
    if vaddr < 0 or n < 0 or vaddr + n > ADDRESS_END:
        raise MmError(errno.EFAULT, f"{n} bytes at {vaddr:#x} leave the address space")


async def _access(mm: Mm, vaddr: int, need: int, mark: int) -> int:
    """The physical address of an access that happens now."""
    sched = mm.machine.sched
    await sched.charge(timing.SW_CPU_ACCESS)
    sched.touch(mm.pte_lock)
    while not mm.page_table.touch(vaddr >> PAGE_SHIFT, need, mark):
        await mm.handle_fault(vaddr, write=need == WRITE)
        sched.touch(mm.pte_lock)
    sched.touch_memory()
    address = physical(mm, vaddr)
    if address is None:
        raise AssertionError(f"page of {vaddr:#x} was touched and is not there")
    return address
