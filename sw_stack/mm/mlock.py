"""mlock and munlock: pages that stay in memory, but not in their frames.

An mlocked page is faulted in and reclaim leaves it alone; migration moves it like any other. Nobody is notified: locking changes no
translation. Locked and pinned pages of an address space are counted together against RLIMIT_MEMLOCK, as in 2.6.24.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm import fault
from sw_stack.mm.mapping import check_alive, check_range
from sw_stack.mm.pagetable import PRESENT
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_SHIFT, PROT_READ, PROT_WRITE, MemlockError, MmError
from sw_stack.mm.vma import VmaFlag

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["charge_memlock", "mlock", "munlock"]


def charge_memlock(mm: Mm, pages: int) -> None:
    """Count pages against the limit, before the first is locked or pinned: two at once must not both fit. MmError ENOMEM."""
    limit = mm.rlimit_memlock
    if limit is not None and mm.locked_vm + pages > limit:
        mm.machine.count("memlock_refused")
        raise MemlockError(errno.ENOMEM, f"{mm.name}: {mm.locked_vm} + {pages} pages are more than RLIMIT_MEMLOCK, {limit}")
    mm.locked_vm += pages


async def mlock(mm: Mm, addr: int, length: int) -> None:
    """Lock a range without holes, and bring it in. MmError ENOMEM for a hole, the limit, or want of memory; EAGAIN for pages that
    cannot be had. What was locked before the error stays locked, as in Linux."""
    end = check_range(addr, length)
    await mm.machine.sched.charge(timing.SW_SYSCALL)
    with traced(mm.machine, TraceEvent.VM_MLOCK, mm.id, addr, end, 1, mm=mm.id):
        mm.machine.count("mlock")
        async with mm.mmap_lock.writing():
            check_alive(mm)
            if not mm.vmas.covered(addr, end):
                raise MmError(errno.ENOMEM, f"[{addr:#x}, {end:#x}) is not wholly mapped")
            parts = [part for part in mm.vmas.whole_pages(addr, end) if not part.flags & VmaFlag.LOCKED]
            charge_memlock(mm, sum(part.end - part.start for part in parts) >> PAGE_SHIFT)
            for part in parts:
                mm.vmas.carve(part.start, part.end)
                mm.vmas.insert(part._replace(flags=part.flags | VmaFlag.LOCKED))
        async with mm.mmap_lock.reading():
            check_alive(mm)
            for part in mm.vmas.overlapping(addr, end):
                await _make_present(mm, part.start, part.end, part.shift, part.prot)


async def _make_present(mm: Mm, start: int, end: int, shift: int, prot: int) -> None:
    write = bool(prot & PROT_WRITE)
    if not prot & PROT_READ:
        return
    for vaddr in range(start, end, 1 << shift):
        while not await _present(mm, vaddr, shift):
            await fault.handle_fault(mm, vaddr, write)


async def _present(mm: Mm, vaddr: int, shift: int) -> bool:
    """Under the pte lock: reclaim that looked at the area before it was locked, and goes on to empty the entry, holds it."""
    async with mm.pte_lock:
        return bool(mm.page_table.get(vaddr >> PAGE_SHIFT, shift) & PRESENT)


async def munlock(mm: Mm, addr: int, length: int) -> None:
    """Unlock a range without holes."""
    end = check_range(addr, length)
    await mm.machine.sched.charge(timing.SW_SYSCALL)
    async with mm.mmap_lock.writing():
        check_alive(mm)
        with traced(mm.machine, TraceEvent.VM_MLOCK, mm.id, addr, end, 0, mm=mm.id):
            mm.machine.count("munlock")
            if not mm.vmas.covered(addr, end):
                raise MmError(errno.ENOMEM, f"[{addr:#x}, {end:#x}) is not wholly mapped")
            for part in mm.vmas.whole_pages(addr, end):
                if part.flags & VmaFlag.LOCKED:
                    mm.vmas.carve(part.start, part.end)
                    mm.vmas.insert(part._replace(flags=part.flags & ~VmaFlag.LOCKED))
                    mm.locked_vm -= part.end - part.start >> PAGE_SHIFT
