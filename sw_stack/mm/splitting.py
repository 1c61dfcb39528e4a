"""Splitting a large page: its one entry becomes entries of small pages over the same frames.

No notifier is called. Every translation a client holds stays true, bytes, frames and rights are what they were; only the grain at
which the VM may take them away becomes finer. A client that entered the large page as a whole must therefore give all of it up when
any small page of it is invalidated (SD-5).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.mm.mapping import check_alive
from sw_stack.mm.pagetable import FLAGS, VALUE_SHIFT, make
from sw_stack.mm.types import PAGE_SHIFT, MmError
from sw_stack.mm.vma import Vma

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["split_large_page"]


async def split_large_page(mm: Mm, vaddr: int) -> None:
    await mm.machine.sched.charge(timing.SW_SYSCALL)
    async with mm.mmap_lock.writing():
        check_alive(mm)
        vma = mm.vmas.find(vaddr)
        if vma is None or vma.shift == PAGE_SHIFT:
            raise MmError(errno.EINVAL, f"{mm.name}: no large page at {vaddr:#x}")
        start = vaddr & -(1 << vma.shift)
        vpn = start >> PAGE_SHIFT
        pte = mm.page_table.get(vpn, vma.shift)
        if pte and (mm.machine.frames[pte >> VALUE_SHIFT].mapcount > 1 or mm.machine.frames[pte >> VALUE_SHIFT].pins):
            raise MmError(errno.EBUSY, f"{mm.name}: the large page at {vaddr:#x} is shared or in use")
        mm.vmas.carve(start, start + (1 << vma.shift))
        mm.vmas.insert(Vma(start, start + (1 << vma.shift), vma.prot, flags=vma.flags))
        if pte:
            await _split_entry(mm, vpn, pte, vma.shift)
        mm.machine.count("split")


async def _split_entry(mm: Mm, vpn: int, pte: int, shift: int) -> None:
    """Large pages are never swapped or migrated, so the entry is present."""
    machine = mm.machine
    block = machine.frames[pte >> VALUE_SHIFT]
    async with mm.pte_lock:
        pte = mm.page_table.get(vpn, shift)  # the processor may have marked it used or dirty since
        mm.page_table.set(vpn, 0, shift)
        block.unmap(mm, vpn)
        for index, frame in enumerate(machine.frames.split(block)):
            mm.page_table.set(vpn + index, make(frame.pfn, pte & FLAGS))
            frame.map(mm, vpn + index)
            machine.reclaimer.add(frame)
            machine.unpin(frame)
        await machine.sched.charge(timing.SW_PTE_OP << block.order)
    await machine.sched.charge(timing.SW_CPU_TLB_FLUSH)
