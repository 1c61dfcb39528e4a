"""Page faults: first touch, swap-in, copy-on-write, reuse in place, and waiting for a migration.

Needs mmap_lock held for reading and no other lock. One call makes one step; the caller looks again and calls again if need be, so
every path may give up when the entry changed under it. First touch, swap-in and reuse call no notifier: there was nothing, or
less, to invalidate. The copy of copy-on-write does, round the change of the entry (V6 do_wp_page).
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm.frames import Frame
from sw_stack.mm.pagetable import ACCESSED, DIRTY, MIGRATION, PRESENT, READ, SWAP, VALUE_SHIFT, WRITE, make
from sw_stack.mm.swap import Slot
from sw_stack.mm.traced import traced
from sw_stack.mm.types import ADDRESS_END, PAGE_SHIFT, PROT_READ, PROT_WRITE, MmError
from sw_stack.mm.vma import Vma

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["FaultKind", "handle_fault"]


class FaultKind(IntEnum):
    """The `kind` of the vm_fault trace event."""

    ANON = 0
    SWAP_IN = 1
    COW_COPY = 2
    REUSE = 3
    ERROR = 4


async def handle_fault(mm: Mm, vaddr: int, write: bool) -> None:
    """Make one step towards a translation of `vaddr` that allows the access. MmError EFAULT if none may, ENOMEM if no frame."""
    with traced(mm.machine, TraceEvent.VM_FAULT_BEGIN, mm.id, vaddr, int(write), mm=mm.id):
        await _handle_fault(mm, vaddr, write)


async def _handle_fault(mm: Mm, vaddr: int, write: bool) -> None:
    await mm.machine.sched.charge(timing.SW_MINOR_FAULT)
    vma = mm.vmas.find(vaddr) if mm.alive and 0 <= vaddr < ADDRESS_END else None
    if vma is None or not vma.prot & (PROT_WRITE if write else PROT_READ):
        _trace(mm, vaddr, write, FaultKind.ERROR)
        mm.machine.count("fault_error")
        why = "exited" if not mm.alive else "no mapping" if vma is None else f"protection {vma.prot}"
        raise MmError(errno.EFAULT, f"{mm.name}: {'write' if write else 'read'} of {vaddr:#x}: {why}")
    vpn = (vaddr & -(1 << vma.shift)) >> PAGE_SHIFT
    pte = mm.page_table.get(vpn, vma.shift)
    if not pte:
        await _first_touch(mm, vma, vpn, vaddr, write)
    elif pte & SWAP:
        await _swap_in(mm, vpn, pte, vaddr, write)
    elif pte & MIGRATION:
        await _wait_for_migration(mm, pte)
    elif write and not pte & WRITE:
        await _write_protected(mm, vma, vpn, pte, vaddr)
    # Else somebody else has just made the entry: the access finds it.


async def _first_touch(mm: Mm, vma: Vma, vpn: int, vaddr: int, write: bool) -> None:
    machine = mm.machine
    frame = await machine.alloc_page(vma.order)
    machine.clear(frame)
    async with mm.pte_lock:
        fresh = not mm.page_table.get(vpn, vma.shift)
        if fresh:
            flags = PRESENT | READ | ACCESSED | (WRITE | DIRTY if vma.prot & PROT_WRITE else 0)
            await _establish(mm, frame, vpn, make(frame.pfn, flags), vma.shift)
    machine.unpin(frame)
    if fresh:
        _trace(mm, vaddr, write, FaultKind.ANON)
        machine.count("fault_anon")


async def _swap_in(mm: Mm, vpn: int, pte: int, vaddr: int, write: bool) -> None:
    machine = mm.machine
    slot = machine.swap[pte >> VALUE_SHIFT]
    frame = slot.frame
    if frame is not None:
        frame.pins += 1  # swap cache: the frame stays, whatever happens before its lock is ours
        await frame.lock.acquire()
    else:
        frame = await machine.alloc_page()
        if mm.page_table.get(vpn) != pte or not machine.swap.holds(slot) or slot.frame is not None:
            machine.unpin(frame)  # another task was faster while this one waited for memory
            return
        slot.frame, frame.slot = frame, slot
        await frame.lock.acquire()
        await _read_in(mm, frame, slot)
    try:
        async with mm.pte_lock:
            mapped = mm.page_table.get(vpn) == pte and frame.slot is slot
            if mapped:
                flags = PRESENT | READ | ACCESSED
                machine.swap.drop_entry(slot)
                if write and frame.mapcount == 0 and slot.entries == 0:
                    flags |= WRITE | DIRTY
                    machine.swap.detach(frame)
                await _establish(mm, frame, vpn, make(frame.pfn, flags), PAGE_SHIFT)
    finally:
        frame.lock.release()
        machine.reclaimer.add(frame)  # also when the entry is gone: other entries may still name the slot
        machine.unpin(frame)
    if mapped:
        _trace(mm, vaddr, write, FaultKind.SWAP_IN)
        machine.count("fault_swapin")


async def _read_in(mm: Mm, frame: Frame, slot: Slot) -> None:
    """Fill a frame nobody can see yet. Its page lock is held, so whoever finds it in the swap cache waits."""
    fetch = mm.machine.swap.fetch
    if fetch is None:
        await mm.machine.sched.sleep(timing.SW_SWAP_READ)
    else:
        await fetch(slot)
    if slot.data is None:
        raise AssertionError(f"swap slot {slot.number} has neither bytes nor a frame")
    mm.machine.memory.write(frame.pfn << PAGE_SHIFT, slot.data)
    mm.machine.count("swapped_in")


async def _wait_for_migration(mm: Mm, pte: int) -> None:
    """The page lock is held for as long as the migration entry stands."""
    frame = mm.machine.frames[pte >> VALUE_SHIFT]
    frame.pins += 1
    async with frame.lock:
        pass
    mm.machine.unpin(frame)


async def _write_protected(mm: Mm, vma: Vma, vpn: int, pte: int, vaddr: int) -> None:
    machine = mm.machine
    frame = machine.frames[pte >> VALUE_SHIFT]
    frame.pins += 1
    try:
        if not await _reuse(mm, vma, vpn, frame, vaddr):
            await _copy(mm, vma, vpn, frame, vaddr)
    finally:
        machine.unpin(frame)


def _protected(mm: Mm, vma: Vma, vpn: int, frame: Frame) -> bool:
    """The entry still maps `frame` without the right to write."""
    pte = mm.page_table.get(vpn, vma.shift)
    return bool(pte & PRESENT) and pte >> VALUE_SHIFT == frame.pfn and not pte & WRITE and frame.maps(mm, vpn)


async def _reuse(mm: Mm, vma: Vma, vpn: int, frame: Frame, vaddr: int) -> bool:
    """Make the entry writable if nobody shares the page. True if the fault is over. An upgrade: no notifier call."""
    machine = mm.machine
    async with frame.lock, mm.pte_lock:
        if not _protected(mm, vma, vpn, frame):
            return True
        # Migration entries of other address spaces are sharers as well; the page lock keeps new ones out.
        if frame.mapcount > 1 or frame.moving or (frame.slot is not None and frame.slot.entries):
            return False
        machine.swap.detach(frame)
        pte = mm.page_table.get(vpn, vma.shift) | WRITE | READ | DIRTY | ACCESSED
        mm.page_table.set(vpn, pte, vma.shift)
        mm.shadow.established(vpn, pte, vma.shift)
        await machine.sched.charge(timing.SW_PTE_OP)
    _trace(mm, vaddr, True, FaultKind.REUSE)
    machine.count("fault_reuse")
    return True


async def _copy(mm: Mm, vma: Vma, vpn: int, old: Frame, vaddr: int) -> None:
    machine = mm.machine
    new = await machine.alloc_page(vma.order)
    try:
        await machine.sched.charge(timing.SW_COW_COPY << vma.order)
        if not _protected(mm, vma, vpn, old):
            return
        # Write-protected everywhere and pinned: the bytes cannot change until the entry is examined again under its lock.
        machine.copy(old, new)
        start = vpn << PAGE_SHIFT
        async with mm.notifiers.range(start, start + (1 << vma.shift), atomic=False), mm.pte_lock:
            if not _protected(mm, vma, vpn, old):
                return
            mm.page_table.set(vpn, 0, vma.shift)
            await machine.sched.charge(timing.SW_CPU_TLB_FLUSH)
            old.unmap(mm, vpn)
            await _establish(mm, new, vpn, make(new.pfn, PRESENT | READ | WRITE | DIRTY | ACCESSED), vma.shift)
        _trace(mm, vaddr, True, FaultKind.COW_COPY)
        machine.count("fault_cow")
    finally:
        machine.unpin(new)


async def _establish(mm: Mm, frame: Frame, vpn: int, pte: int, shift: int) -> None:
    """Map `frame`, under the pte lock. The first mapping puts it on the LRU."""
    mm.page_table.set(vpn, pte, shift)
    frame.map(mm, vpn)
    mm.shadow.established(vpn, pte, shift)
    mm.machine.reclaimer.add(frame)
    await mm.machine.sched.charge(timing.SW_PTE_OP)


def _trace(mm: Mm, vaddr: int, write: bool, kind: FaultKind) -> None:
    mm.machine.trace.emit(mm.machine.sched.now, TraceEvent.VM_FAULT, mm.id, vaddr, int(write), kind)
