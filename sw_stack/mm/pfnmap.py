"""Memory a driver maps into a program by frame number: remap_pfn_range and apply_to_page_range.

Both announce the range round what they do to the entries, sleeping allowed (V6 mm/memory.c). The frames are the driver's:
reserved, held by its own reference, on no list, never moved. The area is shared with children and knows no faults: a page without
an entry is an error.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.mm.frames import Frame
from sw_stack.mm.mapping import check_alive, check_range
from sw_stack.mm.pagetable import ACCESSED, DIRTY, PRESENT, READ, VALUE_SHIFT, WRITE, make
from sw_stack.mm.types import PAGE_SHIFT, PROT_WRITE, MmError
from sw_stack.mm.vma import Vma, VmaFlag

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine
    from sw_stack.mm.mm import Mm

__all__ = ["alloc_reserved", "apply_to_page_range", "free_reserved", "remap_pfn_range"]


async def alloc_reserved(machine: Machine, count: int) -> list[Frame]:
    """`count` zeroed frames that stay where they are. MmError ENOMEM."""
    frames: list[Frame] = []
    try:
        for _ in range(count):
            frame = await machine.alloc_page()
            machine.clear(frame)
            frame.reserved = True
            frames.append(frame)
    except MmError:
        free_reserved(machine, frames)
        raise
    return frames


def free_reserved(machine: Machine, frames: Sequence[Frame]) -> None:
    """Give them back; each is freed with its last mapping."""
    for frame in frames:
        frame.reserved = False
        machine.unpin(frame)


async def remap_pfn_range(mm: Mm, addr: int, frames: Sequence[Frame], prot: int) -> None:
    """Map reserved frames at `addr`, where nothing is mapped. MmError EINVAL, or EBUSY where something is."""
    end = check_range(addr, len(frames) << PAGE_SHIFT)
    if not all(frame.reserved for frame in frames):
        raise MmError(errno.EINVAL, "frames that the VM may take away cannot be mapped by their numbers")
    await mm.machine.sched.charge(timing.SW_SYSCALL)
    async with mm.mmap_lock.writing():
        check_alive(mm)
        if mm.vmas.overlapping(addr, end):
            raise MmError(errno.EBUSY, f"{mm.name}: [{addr:#x}, {end:#x}) is mapped")
        mm.vmas.insert(Vma(addr, end, prot, flags=VmaFlag.SHARED | VmaFlag.PFNMAP))
        flags = PRESENT | READ | ACCESSED | (WRITE | DIRTY if prot & PROT_WRITE else 0)
        first = addr >> PAGE_SHIFT
        async with mm.notifiers.range(addr, end, atomic=False), mm.pte_lock:
            for offset, frame in enumerate(frames):
                pte = make(frame.pfn, flags)
                mm.page_table.set(first + offset, pte)
                frame.map(mm, first + offset)
                mm.shadow.established(first + offset, pte)
            await mm.machine.sched.charge(timing.SW_PTE_OP * len(frames))


async def apply_to_page_range(mm: Mm, addr: int, length: int, change: Callable[[int, int], int]) -> None:
    """Let `change(vpn, pte)` say what each entry of a range that a driver has mapped is to be: the same frame with other rights,
    or 0. MmError EINVAL outside such an area, or for another frame."""
    end = check_range(addr, length)
    async with mm.mmap_lock.writing():
        check_alive(mm)
        vma = mm.vmas.find(addr)
        if vma is None or vma.end < end or not vma.flags & VmaFlag.PFNMAP:
            raise MmError(errno.EINVAL, f"{mm.name}: [{addr:#x}, {end:#x}) is not a driver's mapping")
        async with mm.notifiers.range(addr, end, atomic=False), mm.pte_lock:
            entries = mm.page_table.entries(addr >> PAGE_SHIFT, end >> PAGE_SHIFT)
            for vpn, _shift, old in entries:
                new = change(vpn, old)
                if new and new >> VALUE_SHIFT != old >> VALUE_SHIFT:
                    raise MmError(errno.EINVAL, f"{mm.name}: page {vpn:#x} is given another frame")
                mm.page_table.set(vpn, new)
                if new:
                    mm.shadow.established(vpn, new)
                else:
                    frame = mm.machine.frames[old >> VALUE_SHIFT]
                    frame.unmap(mm, vpn)
            await mm.machine.sched.charge(timing.SW_PTE_OP * len(entries) + timing.SW_CPU_TLB_FLUSH)
