"""remap_file_pages: an area of a shared file shows the file's pages in another order.

The range is announced once, sleeping allowed (V6 sys_remap_file_pages); between begin and end every entry is taken out and
replaced by one that names the file's page, which the next access faults in.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm.mapping import check_alive, check_range
from sw_stack.mm.pagetable import FILE, make
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_SHIFT, MmError
from sw_stack.mm.unmapping import zap_range
from sw_stack.mm.vma import VmaFlag

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["remap_file_pages"]


async def remap_file_pages(mm: Mm, addr: int, length: int, page: int) -> None:
    """Show the file's pages from `page` on at [addr, addr + length). MmError EINVAL unless that is within one shared file area."""
    end = check_range(addr, length)
    await mm.machine.sched.charge(timing.SW_SYSCALL)
    async with mm.mmap_lock.writing():
        check_alive(mm)
        vma = mm.vmas.find(addr)
        if vma is None or vma.end < end or vma.file is None or vma.file.xip or not vma.flags & VmaFlag.SHARED or page < 0:
            raise MmError(errno.EINVAL, f"{mm.name}: [{addr:#x}, {end:#x}) is not within one shared mapping of a file")
        file = vma.file
        with traced(mm.machine, TraceEvent.VM_REMAP_FILE, mm.id, addr, end, page, mm=mm.id):
            mm.machine.count("remap_file_pages")
            if not vma.flags & VmaFlag.NONLINEAR:
                # The whole area: what it shows can no longer be told from its place. A truncate under way holds i_mmap_lock.
                async with file.i_mmap_lock:
                    mm.vmas.carve(vma.start, vma.end)
                    mm.vmas.insert(vma._replace(flags=vma.flags | VmaFlag.NONLINEAR))
            async with mm.notifiers.range(addr, end, atomic=False):
                await zap_range(mm, [vma.clip(addr, end)])
                first, count = addr >> PAGE_SHIFT, end - addr >> PAGE_SHIFT
                async with mm.pte_lock:
                    for offset in range(count):
                        mm.page_table.set(first + offset, make(page + offset, FILE))
                    await mm.machine.sched.charge(timing.SW_PTE_OP * count)
