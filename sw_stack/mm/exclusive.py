"""A page a device has to itself for a while: make_device_exclusive, and the fault that takes it back (device-exclusive entries,
5.14).

The processor's entries become EXCLUSIVE: they still name the frame, which stays mapped and where it is, but every access of the
processor faults. So a device can do an atomic operation the bus does not offer. The fault gives the entry its rights back; both
changes are ranges of one page, sleeping allowed, so that the device's own translation goes each time.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm.frames import Frame
from sw_stack.mm.pagetable import ACCESSED, DIRTY, EXCLUSIVE, PRESENT, READ, VALUE_SHIFT, WAS_WRITE, WRITE, make
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_SHIFT, PAGE_SIZE, PROT_READ, PROT_WRITE, MmError

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["make_device_exclusive", "take_back"]


async def make_device_exclusive(mm: Mm, vaddr: int) -> Frame:
    """Take the page at `vaddr` from the processor; its frame. Needs mmap_lock for reading. The page is faulted in for writing
    first. The device may use the frame until its next invalidation. MmError EPERM for an area without the right to write, EFAULT,
    EBUSY for a page that others share."""
    machine, vpn = mm.machine, vaddr >> PAGE_SHIFT
    vma = mm.vmas.find(vaddr)
    if vma is not None and not vma.prot & PROT_WRITE:
        raise MmError(errno.EPERM, f"{mm.name}: {vaddr:#x} may not be written")
    if vma is not None and vma.shift != PAGE_SHIFT:
        raise MmError(errno.EINVAL, f"{mm.name}: the large page at {vaddr:#x} cannot be made exclusive")
    while True:
        found = await mm.get_user_pages(vaddr, write=True)
        frame = machine.frames[found.pfn]
        frame.pins += 1
        try:
            if await _make_exclusive(mm, vpn, frame):
                return frame
        finally:
            machine.unpin(frame)


async def _make_exclusive(mm: Mm, vpn: int, frame: Frame) -> bool:
    machine, start = mm.machine, vpn << PAGE_SHIFT
    with traced(machine, TraceEvent.VM_EXCLUSIVE, mm.id, start, frame.pfn, mm=mm.id):
        async with frame.lock, mm.notifiers.range(start, start + PAGE_SIZE, atomic=False), mm.pte_lock:
            pte = mm.page_table.get(vpn)
            if not pte & WRITE or pte >> VALUE_SHIFT != frame.pfn:
                return False
            if frame.mapcount > 1:
                raise MmError(errno.EBUSY, f"{mm.name}: the page at {start:#x} is shared")
            mm.page_table.set(vpn, make(frame.pfn, EXCLUSIVE | WAS_WRITE | (pte & (ACCESSED | DIRTY))))
            await machine.sched.charge(timing.SW_PTE_OP + timing.SW_CPU_TLB_FLUSH)
            machine.count("exclusive")
            return True


async def take_back(mm: Mm, vpn: int, pte: int) -> None:
    """Give the processor's entry its rights back. Needs mmap_lock for reading."""
    machine, start = mm.machine, vpn << PAGE_SHIFT
    frame = machine.frames[pte >> VALUE_SHIFT]
    frame.pins += 1
    try:
        async with frame.lock, mm.notifiers.range(start, start + PAGE_SIZE, atomic=False), mm.pte_lock:
            now = mm.page_table.get(vpn)
            if not now & EXCLUSIVE or now >> VALUE_SHIFT != frame.pfn:
                return
            vma = mm.vmas.find(start)
            prot = vma.prot if vma is not None else 0
            flags = PRESENT | (READ if prot & PROT_READ else 0) | now & (ACCESSED | DIRTY)
            if now & WAS_WRITE and prot & PROT_WRITE:
                flags |= WRITE
            entry = make(frame.pfn, flags)
            mm.page_table.set(vpn, entry)
            mm.shadow.established(vpn, entry)
            await machine.sched.charge(timing.SW_PTE_OP)
    finally:
        machine.unpin(frame)
