"""Page faults: first touch, swap-in, copy-on-write, reuse in place, waiting for a migration, taking a page back from a device.

Needs mmap_lock held for reading and no other lock. One call makes one step; the caller looks again and calls again if need be, so
every path may give up when the entry changed under it. First touch, swap-in and reuse call no notifier: there was nothing, or
less, to invalidate. The copy of copy-on-write does, round the change of the entry (V6 do_wp_page).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import FaultKind, TraceEvent
from sw_stack.mm.exclusive import take_back
from sw_stack.mm.filemap import bus_error, establish, file_fault
from sw_stack.mm.frames import Frame, PageFlag
from sw_stack.mm.pagetable import (
    ACCESSED,
    DIRTY,
    EXCLUSIVE,
    FILE,
    MIGRATION,
    PRESENT,
    READ,
    SWAP,
    VALUE_SHIFT,
    WRITE,
    make,
)
from sw_stack.mm.swap import Slot
from sw_stack.mm.types import ADDRESS_END, PAGE_SHIFT, PROT_READ, PROT_WRITE, MmError
from sw_stack.mm.vma import Vma, VmaFlag
from sw_stack.mm.xip import block_for_store, xip_fault

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["break_sharing", "handle_fault"]


async def handle_fault(mm: Mm, vaddr: int, write: bool) -> None:
    """Make one step towards a translation of `vaddr` that allows the access. MmError EFAULT if none may, ENOMEM if no frame."""
    trace, sched = mm.machine.trace, mm.machine.sched
    trace.emit(sched.now, TraceEvent.VM_FAULT_BEGIN, mm.id, vaddr, write)
    try:
        await _handle_fault(mm, vaddr, write)
    finally:
        trace.emit(sched.now, TraceEvent.VM_DONE, mm.id)


async def _handle_fault(mm: Mm, vaddr: int, write: bool) -> None:
    await mm.machine.sched.charge(timing.SW_MINOR_FAULT)
    vma = mm.vmas.find(vaddr) if mm.alive and not mm.oom_victim and 0 <= vaddr < ADDRESS_END else None
    if vma is None or not vma.prot & (PROT_WRITE if write else PROT_READ):
        _trace(mm, vaddr, write, FaultKind.ERROR)
        mm.machine.count("fault_error")
        raise MmError(errno.EFAULT, f"{mm.name}: {'write' if write else 'read'} of {vaddr:#x}: {_refusal(mm, vma)}")
    vpn = (vaddr & -(1 << vma.shift)) >> PAGE_SHIFT
    pte = mm.page_table.get(vpn, vma.shift)
    if not pte or pte & FILE:
        if vma.flags & VmaFlag.PFNMAP:
            raise MmError(errno.EFAULT, f"{mm.name}: {vaddr:#x}: the driver has mapped nothing there (SIGBUS)")
        if vma.file is None:
            await _first_touch(mm, vma, vpn, vaddr, write)
        else:
            await _file_page(mm, vma, vpn, pte, vaddr, write)
    elif pte & SWAP:
        await _swap_in(mm, vpn, pte, vaddr, write)
    elif pte & MIGRATION:
        await _wait_for_migration(mm, pte)
    elif pte & EXCLUSIVE:
        await take_back(mm, vpn, pte)
        _trace(mm, vaddr, write, FaultKind.EXCLUSIVE)
        mm.machine.count("fault_exclusive")
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
            await establish(mm, frame, vpn, make(frame.pfn, flags), vma.shift)
    machine.unpin(frame)
    if fresh:
        _trace(mm, vaddr, write, FaultKind.ANON)
        machine.count("fault_anon")


def _refusal(mm: Mm, vma: Vma | None) -> str:
    if not mm.alive:
        return "exited"
    if mm.oom_victim:
        return "killed, out of memory"
    return "no mapping" if vma is None else f"protection {vma.prot}"


async def _file_page(mm: Mm, vma: Vma, vpn: int, pte: int, vaddr: int, write: bool) -> None:
    file, index = vma.file, pte >> VALUE_SHIFT if pte & FILE else vma.file_page(vpn)
    assert file is not None
    if index >= file.size:
        _trace(mm, vaddr, write, FaultKind.ERROR)
        mm.machine.count("fault_error")
        raise bus_error(mm, file, index)
    if file.xip:
        done = await xip_fault(mm, vma, vpn, index, write, pte)  # a store to a private area maps the block and faults again
    else:
        done = await file_fault(mm, vma, vpn, index, write, pte)
    if done:
        _trace(mm, vaddr, write, FaultKind.FILE)
        mm.machine.count("fault_file")


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
                    frame.flags &= ~PageFlag.KSM  # a merged page with one user left is that user's
                    machine.swap.detach(frame)
                await establish(mm, frame, vpn, make(frame.pfn, flags))
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
    # Without a reference: it would be one more than the move expects, and make it fail (migration_entry_wait did, until 5.x).
    async with mm.machine.frames[pte >> VALUE_SHIFT].lock:
        pass


async def _write_protected(mm: Mm, vma: Vma, vpn: int, pte: int, vaddr: int) -> None:
    machine = mm.machine
    frame = machine.frames[pte >> VALUE_SHIFT]
    if vma.file is not None and vma.file.xip and not vma.cow and frame is vma.file.sparse:
        # The zeros are nobody's to store to: the block that takes their place drives them out everywhere, here too.
        await block_for_store(vma.file, vma.file_page(vpn))
        return
    frame.pins += 1
    try:
        if not await _reuse(mm, vma, vpn, frame, vaddr):
            await _copy(mm, vma, vpn, frame, vaddr)
    finally:
        machine.unpin(frame)


async def break_sharing(mm: Mm, vma: Vma, vpn: int) -> None:
    """Give the area a copy of its own of a page it shares, whether or not it may store to it (break_ksm). Needs mmap_lock."""
    pte = mm.page_table.get(vpn)
    if not pte & PRESENT:
        return
    frame = mm.machine.frames[pte >> VALUE_SHIFT]
    frame.pins += 1
    try:
        await _copy(mm, vma, vpn, frame, vpn << PAGE_SHIFT)
    finally:
        mm.machine.unpin(frame)


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
        if frame.file is not None or frame.reserved:
            if vma.cow:
                return False
            frame.flags |= PageFlag.DIRTY  # page_mkwrite: the file's own page
        elif frame.flags & PageFlag.KSM or frame.mapcount > 1 or frame.moving or (frame.slot is not None and frame.slot.entries):
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
        told = mm.notifiers.range(start, start + (1 << vma.shift), atomic=False)
        if machine.historical.cow_told_late:
            async with mm.pte_lock:
                with mm.shadow.unheard(vpn):
                    done = await _replace(mm, vma, vpn, old, new)
            async with told:
                pass
        else:
            async with told, mm.pte_lock:
                done = await _replace(mm, vma, vpn, old, new)
        if not done:
            return
        _trace(mm, vaddr, True, FaultKind.COW_COPY)
        machine.count("fault_cow")
    finally:
        machine.unpin(new)


async def _replace(mm: Mm, vma: Vma, vpn: int, old: Frame, new: Frame) -> bool:
    """Under the pte lock: `new` in the place of `old`. False if the entry has changed meanwhile."""
    if not _protected(mm, vma, vpn, old):
        return False
    mm.page_table.set(vpn, 0, vma.shift)
    await mm.machine.sched.charge(timing.SW_CPU_TLB_FLUSH)
    old.unmap(mm, vpn)
    rights = READ | WRITE if vma.prot & PROT_WRITE else READ if vma.prot & PROT_READ else 0
    await establish(mm, new, vpn, make(new.pfn, PRESENT | rights | DIRTY | ACCESSED), vma.shift)
    return True


def _trace(mm: Mm, vaddr: int, write: bool, kind: FaultKind) -> None:
    mm.machine.trace.emit(mm.machine.sched.now, TraceEvent.VM_FAULT, mm.id, vaddr, write, kind)
