"""The virtual machine: memory slots, vcpus, and the client of the process's notifiers (virt/kvm/kvm_main.c, mmu.c).

Promises: when a callback has returned, no spte and no guest TLB holds what it covered, and no guest access that used it is in
flight; a page that a guest used is said to be used; after release nothing is left. Every callback only spins, so all are legal in
atomic context, and a range that may not sleep is never refused (`invalidate_range_try` of the base class says yes).

mmu_lock is held from taking sptes out to the end of their flush. So two invalidations of one page:

    reclaim: age_page                     munmap: begin
    mmu_lock, spte out, flush asked for
    (a vcpu's access is in flight)        mmu_lock: waits here
    vcpu has left, mmu_lock free
                                          no spte: nothing to flush, and nothing in flight

The second must not return while the first waits. Order of locks: slots_lock, mmap_lock, page lock, pte_lock, mmu_lock; the last
waits only for vcpus in the guest, and they for nobody.

Needs: `create` and `destroy` without locks; slots changed by a task that is inside no range of its own. Costs, of a callback:
SW_PTE_OP an spte and, if there was one and a vcpu is in the guest, SW_CPU_TLB_FLUSH and the rest of the accesses in flight.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from hwif.gen import timing
from sw_stack.drivers.kvm.errors import KvmError
from sw_stack.drivers.kvm.overtaken import InvalidateCount, InvalidateSeq, Overtaken
from sw_stack.drivers.kvm.policy import KvmPolicy
from sw_stack.drivers.kvm.slots import MemorySlots, Slot
from sw_stack.drivers.kvm.sptes import SpteTable
from sw_stack.drivers.kvm.stats import KvmStats
from sw_stack.drivers.kvm.vcpu import Vcpu, flush_remote_tlbs
from sw_stack.mm import Mm
from sw_stack.mm.types import PAGE_MASK, PAGE_SIZE, MmError
from sw_stack.notifier import MmuNotifier
from sw_stack.sched import Mutex, SpinLock, WaitQueue

__all__ = ["Kvm"]


class Kvm(MmuNotifier):
    """One virtual machine in the address space `mm`. Made by `Kvm.create`."""

    def __init__(self, mm: Mm, policy: KvmPolicy) -> None:
        self.mm = mm
        self.sched = mm.machine.sched
        self.policy = policy
        self.stats = KvmStats()
        self.slots = MemorySlots()
        self.sptes = SpteTable(mm.machine, policy, self.stats)
        self.gone = False
        """The address space is released, or the machine destroyed: no spte is made any more."""
        shrinks = policy.mutant == "union_shrinks"
        self.overtaken: Overtaken = (
            InvalidateCount(self.sched, mm.name) if policy.style == "2008" else InvalidateSeq(self.sched, mm.name, shrinks=shrinks)
        )
        self.mmu_lock = SpinLock(self.sched, f"mmu_lock[{mm.name}]")
        self.vcpus: dict[int, Vcpu] = {}
        self.mn_active_invalidate_count = 0
        """Invalidations between their begin and their end, whether or not they concern a slot."""
        self._slots_lock = Mutex(self.sched, f"slots_lock[{mm.name}]")
        self._quiet = WaitQueue(self.sched, f"mn_active_invalidate_count of {mm.name}")
        self._next_vcpu = 0
        self._registered = False

    def __repr__(self) -> str:
        return f"<Kvm of {self.mm.name}>"

    # ---- life --------------------------------------------------------------------------------------------------------

    @classmethod
    async def create(cls, mm: Mm, policy: KvmPolicy | None = None) -> Kvm:
        """A virtual machine without memory (KVM_CREATE_VM). MmError ESRCH if the process has exited."""
        kvm = cls(mm, policy if policy is not None else KvmPolicy())
        async with mm.mmap_lock.writing():
            if not mm.alive:
                raise MmError(errno.ESRCH, f"{mm.name} has exited")
            mm.notifiers.register(kvm)
            kvm._registered = True
        return kvm

    async def destroy(self) -> None:
        """Give everything up. Guests that go on fault with EFAULT. Twice is harmless."""
        await self._drop_all()
        async with self.mm.mmap_lock.writing():
            if self._registered:
                self._registered = False
                await self.mm.notifiers.unregister(self)

    def create_vcpu(self, tlb_entries: int | None = None) -> Vcpu:
        """A virtual processor; for one task at a time."""
        size = self.policy.tlb_entries if tlb_entries is None else tlb_entries
        vcpu = self.vcpus[self._next_vcpu] = Vcpu(self, self._next_vcpu, size)
        self._next_vcpu += 1
        return vcpu

    async def guest_read(self, gpa: int, n: int) -> bytes:
        """`n` bytes as a vcpu without a TLB reads them: straight through the sptes. GuestFaultError."""
        vcpu = self.create_vcpu(tlb_entries=0)
        try:
            return await vcpu.read(gpa, n)
        finally:
            del self.vcpus[vcpu.number]

    async def guest_write(self, gpa: int, data: bytes) -> None:
        """Store as a vcpu without a TLB does. GuestFaultError."""
        vcpu = self.create_vcpu(tlb_entries=0)
        try:
            await vcpu.write(gpa, data)
        finally:
            del self.vcpus[vcpu.number]

    # ---- memory slots ------------------------------------------------------------------------------------------------

    async def add_slot(self, number: int, gpa: int, length: int, hva: int, *, readonly: bool = False) -> Slot:
        """Show bytes [hva, hva + length) of the process to the guest at `gpa` (KVM_SET_USER_MEMORY_REGION). Sleeps until no
        invalidation is under way. MmError EINVAL, EEXIST."""
        async with self._slots_lock:
            await self.sched.charge(timing.SW_SYSCALL)
            slot = self.slots.new(number, gpa, length, hva, readonly)
            await self._no_invalidation()
            self.slots.install(slot)
            self.stats.slots_added += 1
            return slot

    async def remove_slot(self, number: int) -> None:
        """Take a slot and its sptes away. Sleeps until no invalidation is under way. MmError EINVAL if there is none.

        Retired, zapped, removed, in this order: while it has sptes, invalidations must find it."""
        async with self._slots_lock:
            await self.sched.charge(timing.SW_SYSCALL)
            slot = self.slots.named(number)
            self.slots.retire(slot)
            if self.policy.mutant == "slot_gone_early":
                self.slots.remove(slot)
            if self.policy.mutant != "keep_sptes":
                async with self.mmu_lock:
                    await self.zap(self.sptes.inside(slot.gfns(slot.hva, slot.hva + slot.pages * PAGE_SIZE)))
            await self._no_invalidation()
            if self.policy.mutant != "slot_gone_early":
                self.slots.remove(slot)
            self.stats.slots_removed += 1

    async def _no_invalidation(self) -> None:
        """Begin and end of a range must see the same slots, else one is counted and the other is not."""
        if self.mn_active_invalidate_count and self.policy.mutant != "slots_no_wait":
            self.stats.slot_waits += 1
            await self._quiet.wait_event(lambda: self.mn_active_invalidate_count == 0)

    # ---- the client --------------------------------------------------------------------------------------------------

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        self.mn_active_invalidate_count += 1
        self.stats.range_begin += 1
        spans = self._concerned(start, end)
        if spans is not None:
            async with self.mmu_lock:
                self.overtaken.begin(start, end)  # before the zap: none may be made behind it
                if self.policy.mutant != "zap_late":
                    await self.zap(self.sptes.inside(*spans))

    async def invalidate_range_end(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        self.stats.range_end += 1
        spans = self._concerned(start, end)
        if spans is not None:
            async with self.mmu_lock:
                if self.policy.mutant == "zap_late":
                    await self.zap(self.sptes.inside(*spans))
                self.overtaken.end(start, end)
        self._ended()

    async def invalidate_page(self, mm: Mm, address: int) -> None:
        """A begin and an end at once: the pte is gone already, so who looks the page up after this instant does not find it."""
        self.mn_active_invalidate_count += 1
        self.stats.invalidate_page += 1
        try:
            spans = self._concerned(address & ~PAGE_MASK, (address & ~PAGE_MASK) + PAGE_SIZE)
            if spans is not None:
                async with self.mmu_lock:
                    self.overtaken.page()
                    await self.zap(self.sptes.inside(*spans))
        finally:
            self._ended()

    async def age_page(self, mm: Mm, address: int) -> bool:
        """Flushed if it was used: a guest TLB that goes on hitting would leave no trace (kvm_mmu_notifier_clear_flush_young)."""
        if self.policy.mutant == "age_always_young":
            return True
        async with self.mmu_lock:
            gfns = self._showing(address)
            if not self.policy.accessed_bit:
                young = await self.zap(gfns) > 0
            else:
                young = self._clear_accessed(gfns)
                if young and self.policy.mutant != "age_no_flush":
                    await flush_remote_tlbs(self)
        self.stats.aged += young
        return young

    def test_young(self, address: int) -> bool:
        """True if `age_page` would say so; clears nothing (kvm_mmu_notifier_test_young)."""
        sptes = [self.sptes.get(gfn) for gfn in self._showing(address)]
        return any(spte is not None and (spte.accessed or not self.policy.accessed_bit) for spte in sptes)

    async def release(self, mm: Mm) -> None:
        self.stats.released += 1
        await self._drop_all()

    # ---- inside ------------------------------------------------------------------------------------------------------

    async def zap(self, gfns: Sequence[int]) -> int:
        """Take these sptes out, flush, and only then let go of what they held; how many. Hold mmu_lock."""
        gone = [self.sptes.take_out(gfn) for gfn in gfns]
        if gone:
            await self.sched.charge(timing.SW_PTE_OP * len(gone))
            if self.policy.mutant == "flush_unlocked":
                self.mmu_lock.release()
                await flush_remote_tlbs(self)
                await self.mmu_lock.acquire()
            else:
                await flush_remote_tlbs(self)
            for spte in gone:
                self.sptes.let_go(spte)
        return len(gone)

    async def _drop_all(self) -> None:
        async with self.mmu_lock:
            self.gone = True
            self.overtaken.page()
            await self.zap(self.sptes.everything())

    def _concerned(self, start: int, end: int) -> list[range] | None:
        """Guest frames that show the range; None if it concerns nobody here."""
        spans = self.slots.showing(start, end)
        if spans or self.overtaken.every_range:
            return spans
        self.stats.nothing_mapped += 1
        return None

    def _showing(self, address: int) -> list[int]:
        """Guest frames of the page that have an spte."""
        page = address & ~PAGE_MASK
        return self.sptes.inside(*self.slots.showing(page, page + PAGE_SIZE))

    def _clear_accessed(self, gfns: Sequence[int]) -> bool:
        young = False
        for gfn in gfns:
            spte = self.sptes.get(gfn)
            if spte is not None and spte.accessed:
                young, spte.accessed = True, False
        return young

    def _ended(self) -> None:
        if self.mn_active_invalidate_count == 0:
            raise KvmError(f"MN-1: {self!r}: an invalidation ends that never began")
        self.mn_active_invalidate_count -= 1
        if not self.mn_active_invalidate_count:
            self._quiet.wake_all()
