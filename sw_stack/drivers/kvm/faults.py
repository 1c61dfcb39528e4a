"""A guest's page fault: gfn to slot to address of the process to frame, and the spte made of it (tdp_page_fault, mmu_set_spte).

The lookup sleeps, with mmap_lock for reading; the spte is made later, under mmu_lock, and only if nothing overtook the lookup in
between (overtaken.py). mmap_lock is not held then, and would not help: reclaim, migration and truncate take none.

An spte is writable only if the slot is and the pte is writable and dirty *already* (MN-6): no dirtiness is left to hand over when
it goes. A write fault makes the pte so, and replaces the spte; the VM calls nobody for an upgrade, so it is the hypervisor's own
business that no TLB goes on with the old one (Popple's cover letter of July 2023: a device that faults forever).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.drivers.kvm.errors import GuestFaultError
from sw_stack.drivers.kvm.slots import Slot
from sw_stack.drivers.kvm.sptes import PageReference, Spte
from sw_stack.mm.types import PAGE_SHIFT, MmError, Translation

if TYPE_CHECKING:
    from sw_stack.drivers.kvm.kvm import Kvm

__all__ = ["page_fault"]


async def page_fault(kvm: Kvm, gpa: int, write: bool) -> None:
    """Make an spte for the access, or find that it was made meanwhile. GuestFaultError. May sleep; hold nothing."""
    kvm.stats.faults += 1
    gfn = gpa >> PAGE_SHIFT
    await kvm.sched.charge(timing.SW_SYSCALL)  # out of the guest and in again
    try:
        while not await _try(kvm, _slot(kvm, gpa, write), gfn, write):
            kvm.stats.retries += 1
    except MmError as error:
        kvm.stats.errors += 1
        if isinstance(error, GuestFaultError):
            raise
        raise GuestFaultError(error.errno, f"guest of {kvm.mm.name}: {gpa:#x}: {error.text}") from error


def _slot(kvm: Kvm, gpa: int, write: bool) -> Slot:
    what = f"guest of {kvm.mm.name}: {'write' if write else 'read'} of {gpa:#x}"
    slot = kvm.slots.find(gpa >> PAGE_SHIFT)
    if kvm.gone:
        raise GuestFaultError(errno.EFAULT, f"{what}: the address space has gone")
    if slot is None or not kvm.slots.serves(slot):
        raise GuestFaultError(errno.EFAULT, f"{what}: no memory slot")
    if write and slot.readonly:
        raise GuestFaultError(errno.EFAULT, f"{what}: memory slot {slot.number} is read-only")
    return slot


async def _try(kvm: Kvm, slot: Slot, gfn: int, write: bool) -> bool:
    """One lookup. False if an invalidation overtook it."""
    mm, hva = kvm.mm, slot.hva_of(gfn)
    if kvm.overtaken.blocked(hva):
        kvm.stats.blocked += 1
        await kvm.overtaken.wait(hva)
    seen = kvm.overtaken.snapshot()
    async with mm.mmap_lock.reading():
        found = await mm.get_user_pages(hva, write)
        reference = kvm.sptes.reference(found.pfn)
    kept = False
    try:
        await kvm.sched.charge(timing.SW_PAGE_WALK)  # to the place of the spte
        async with kvm.mmu_lock:
            gone = kvm.gone or not kvm.slots.serves(slot)
            if gone and kvm.policy.mutant != "late_spte":
                return False
            if kvm.overtaken.stale(seen, hva) and kvm.policy.mutant not in ("ignore_seq", "late_spte"):
                return False
            kept = await _enter(kvm, slot, gfn, found, reference)
            return True
    finally:
        if reference is not None and not kept:
            reference.give_back()


async def _enter(kvm: Kvm, slot: Slot, gfn: int, found: Translation, reference: PageReference | None) -> bool:
    """Make the spte, with mmu_lock held. False if there is one that is as good."""
    writable = not slot.readonly and ((found.writable and found.dirty) or kvm.policy.mutant == "map_writable")
    old = kvm.sptes.get(gfn)
    if old is not None:
        if old.pfn == found.pfn and (old.writable or not writable or kvm.policy.mutant == "no_upgrade"):
            return False
        kvm.stats.upgrades += 1
        await kvm.zap([gfn])
    kvm.sptes.make(gfn, Spte(found.pfn, writable, reference))
    await kvm.sched.charge(timing.SW_PTE_OP)
    return True
