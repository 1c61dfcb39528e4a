"""Page migration: the bytes move to another frame, every entry follows.

invalidate_page is called for every entry when it becomes a migration entry; replacing that by the new entry calls nobody, there is
nothing left to invalidate. Faults meet the migration entry and wait for the page lock. An mlocked page moves like any other; a
page to which somebody holds a reference stays (that is the difference between locking memory and pinning it).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm.frames import Frame
from sw_stack.mm.pagetable import ACCESSED, DIRTY, EXCLUSIVE, MIGRATION, PRESENT, READ, VALUE_SHIFT, WAS_WRITE, WRITE, make
from sw_stack.mm.rmap import try_to_unmap
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_SHIFT, PROT_READ, PROT_WRITE, MmError

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine
    from sw_stack.mm.mm import Mm

__all__ = ["migrate_frame", "migrate_page"]


async def migrate_page(machine: Machine, mm: Mm, vaddr: int) -> bool:
    """Move the page at `vaddr` to another frame. False if it is not present or somebody holds on to it: try again later."""
    try:
        new = await machine.alloc_page()
    except MmError:
        return False  # no frame to move to: as much a reason to try later as a busy page
    try:
        async with mm.mmap_lock.reading():
            vma = mm.vmas.find(vaddr)
            if vma is not None and vma.shift != PAGE_SHIFT:
                raise MmError(errno.EINVAL, f"{mm.name}: the large page at {vaddr:#x} cannot be migrated")
            pte = mm.page_table.get(vaddr >> PAGE_SHIFT)
            if not pte & (PRESENT | EXCLUSIVE):
                return False
            old = machine.frames[pte >> VALUE_SHIFT]
            old.pins += 1
        # The move needs no mmap lock, as compaction takes none: the mapping may change, fork or move away meanwhile.
        try:
            async with old.lock:
                with traced(machine, TraceEvent.VM_MIGRATE_BEGIN, mm.id, vaddr, old.pfn, mm=mm.id):
                    return await _move(machine, old, new)
        finally:
            machine.unpin(old)
    finally:
        machine.unpin(new)


async def migrate_frame(machine: Machine, old: Frame, new: Frame) -> bool:
    """Move what is in `old` to `new`; both pinned by the caller. False if it stays: somebody holds on to it."""
    async with old.lock:
        with traced(machine, TraceEvent.VM_MIGRATE_BEGIN, 0, 0, old.pfn):
            return await _move(machine, old, new)


async def _move(machine: Machine, old: Frame, new: Frame) -> bool:
    if old.reserved or not (old.mapped or old.file is not None or old.slot is not None):
        return False

    def migration_entry(mm: Mm, vpn: int, pte: int) -> int:
        old.add_moving(mm, vpn)
        write = pte & WRITE or (pte & EXCLUSIVE and pte & WAS_WRITE)
        return make(old.pfn, MIGRATION | (WAS_WRITE if write else 0) | (pte & (ACCESSED | DIRTY)))

    moved = await try_to_unmap(machine, old, aging=False, replace=migration_entry)
    # Only now is it known who holds on to it: a driver may have let go when it was told (invalidate_page, the rmap notifier).
    if moved and old.pins > 1:
        machine.count("migrate_pinned")
        moved = False
    if not moved:
        await _restore(machine, old, old)
        return False
    if not new.lock.try_acquire():
        raise AssertionError(f"frame {new.pfn} is known to somebody before anything has moved there")
    try:
        return await _copy_and_restore(machine, old, new)
    finally:
        new.lock.release()


async def _copy_and_restore(machine: Machine, old: Frame, new: Frame) -> bool:
    """Both page locks are held: from the hand-over on the page cache leads to `new`, and who finds it there must wait until every
    entry maps it (a truncate would take it out of the cache first and see it mapped afterwards)."""
    await machine.sched.charge(timing.SW_COW_COPY)
    moved = old.pins == 1  # the copy takes time, and the page cache can be looked up meanwhile
    if moved:
        machine.copy(old, new)
        _hand_over(old, new)
        machine.trace.emit(machine.sched.now, TraceEvent.VM_MIGRATE, old.pfn, new.pfn)
        machine.count("migrated")
    await _restore(machine, old, new if moved else old)
    return moved


def _hand_over(old: Frame, new: Frame) -> None:
    """What names the page by its frame names the new one."""
    slot = old.slot
    if slot is not None:
        old.slot, new.slot, slot.frame = None, slot, new
    file = old.file
    if file is not None:
        new.file, new.index, file.pages[old.index] = file, old.index, new
        old.file = None
    new.flags, old.flags = old.flags, 0


async def _restore(machine: Machine, old: Frame, target: Frame) -> None:
    """Replace the migration entries of `old` by entries that map `target`."""
    while old.moving:
        (number, vpn), mm = next(iter(old.moving.items()))
        async with mm.pte_lock:
            if (number, vpn) not in old.moving:
                continue  # unmapped or moved on while this waited for the lock
            del old.moving[number, vpn]
            entry = mm.page_table.get(vpn)
            # The area may have changed since the entry was made, and may be gone if unmapping has not come to the entry yet.
            vma = mm.vmas.find(vpn << PAGE_SHIFT)
            prot = vma.prot if vma is not None else 0
            flags = PRESENT | (entry & (ACCESSED | DIRTY)) | (READ if prot & PROT_READ else 0)
            if entry & WAS_WRITE and prot & PROT_WRITE:
                flags |= WRITE
            pte = make(target.pfn, flags)
            mm.page_table.set(vpn, pte)
            target.map(mm, vpn)
            mm.shadow.established(vpn, pte)
            machine.reclaimer.add(target)
            await machine.sched.charge(timing.SW_PTE_OP)
    if target.file is not None or target.slot is not None:
        machine.reclaimer.add(target)
