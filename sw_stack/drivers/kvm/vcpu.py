"""A virtual processor: guest mode, the guest TLB, and accesses that take time.

    enter    in guest mode; then, if a flush was asked for, the TLB is emptied
    TLB      a hit with the right asked for is used as it is, and leaves no trace in the spte
    walk     else the spte, which notes that it was accessed
    access   takes the memory's latency; the bytes move at its end
    leave    out of guest mode; who has asked for a flush meanwhile is told
    fault    out of guest mode, if there is no spte or it is too weak; then all over again

Promises: a flush that was asked for is done before the next look at the TLB, and `flush_remote_tlbs` returns when no access that
began before it is in flight. That needs the order of enter:

    vcpu                                  kvm_flush_remote_tlbs
    request? no                           request
    (some cycles)                         in guest mode? no: nobody to wait for
    in guest mode, stale TLB

is what goes wrong when the mode comes second (vcpu->mode, vcpu->requests and their barriers in Linux).
Needs: one task at a time. Costs SW_PAGE_WALK a walk and the memory's latency an access.

Every access is held against the oracle when it starts and at the instant its bytes move (sw_stack.mm.secondary), under the
process's address of the page as the memory slots say it *then*: DeadTranslationError if an spte or a TLB entry was used too long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hwif.gen import timing
from sw_stack.drivers.kvm.errors import KvmError
from sw_stack.drivers.kvm.faults import page_fault
from sw_stack.mm.secondary import DeadTranslationError, check_access, read_through, write_through
from sw_stack.mm.types import PAGE_MASK, PAGE_SHIFT, page_parts
from sw_stack.sched import WaitQueue

if TYPE_CHECKING:
    from sw_stack.drivers.kvm.kvm import Kvm

__all__ = ["TlbEntry", "Vcpu", "flush_remote_tlbs"]


class TlbEntry(NamedTuple):
    """A copy of an spte."""

    pfn: int
    writable: bool


class Vcpu:
    """Made by Kvm.create_vcpu."""

    def __init__(self, kvm: Kvm, number: int, tlb_entries: int) -> None:
        self._kvm = kvm
        self._sched = kvm.sched
        self.number = number
        self.in_guest = False
        self.flush_requested = False
        self._size = tlb_entries
        self._tlb: dict[int, TlbEntry] = {}
        self._answered = WaitQueue(kvm.sched, f"{self!r} to leave the guest")
        self._busy = False

    def __repr__(self) -> str:
        return f"<vcpu {self.number} of {self._kvm.mm.name}>"

    def tlb(self) -> dict[int, TlbEntry]:
        """What the TLB holds, by guest frame, oldest first."""
        return dict(self._tlb)

    # ---- the guest's side --------------------------------------------------------------------------------------------

    async def read(self, gpa: int, n: int) -> bytes:
        """`n` bytes at guest physical address `gpa`, page by page. GuestFaultError."""
        parts = []
        with _Running(self):
            for at, count in page_parts(gpa, n):
                parts.append(await self._access(at, count, None))
        return b"".join(parts)

    async def write(self, gpa: int, data: bytes) -> None:
        """Store, page by page. GuestFaultError."""
        with _Running(self):
            done = 0
            for at, count in page_parts(gpa, len(data)):
                await self._access(at, count, data[done : done + count])
                done += count

    async def _access(self, gpa: int, n: int, data: bytes | None) -> bytes:
        gfn, write = gpa >> PAGE_SHIFT, data is not None
        while True:
            await self._enter()
            try:
                found = self._look_up(gfn, write)
                if found is None:
                    await self._sched.charge(timing.SW_PAGE_WALK)
                    found = self._walk(gfn, write)
                if found is not None:
                    return await self._move(found, gpa, n, data)
            finally:
                self._leave()
            await page_fault(self._kvm, gpa, write)

    async def _enter(self) -> None:
        if self._kvm.policy.mutant == "late_mode":
            self._answer()
            await self._sched.charge(timing.SW_CPU_ACCESS)
            self.in_guest = True
            return
        self.in_guest = True
        self._answer()

    def _leave(self) -> None:
        self.in_guest = False
        self._answer()

    def _look_up(self, gfn: int, write: bool) -> TlbEntry | None:
        found = self._tlb.get(gfn)
        if found is None or (write and not found.writable):
            return None
        self._kvm.stats.tlb_hits += 1
        return found

    def _walk(self, gfn: int, write: bool) -> TlbEntry | None:
        """Read the spte and fill the TLB from it: one instant, so no flush falls between."""
        spte = self._kvm.sptes.get(gfn)
        if spte is None or (write and not spte.writable):
            return None
        spte.accessed = True
        entry = TlbEntry(spte.pfn, spte.writable)
        if self._size:
            self._tlb.pop(gfn, None)
            if len(self._tlb) == self._size:
                del self._tlb[next(iter(self._tlb))]
            self._tlb[gfn] = entry
            self._kvm.stats.tlb_fills += 1
        return entry

    async def _move(self, entry: TlbEntry, gpa: int, n: int, data: bytes | None) -> bytes:
        mm = self._kvm.mm
        check_access(mm.machine, mm.id, self._hva(gpa), entry.pfn, data is not None, self)
        await self._sched.charge(timing.MEM_READ_LATENCY if data is None else timing.MEM_WRITE_LATENCY)
        hva = self._hva(gpa)
        if data is None:
            return read_through(mm.machine, mm.id, hva, entry.pfn, n, self)
        write_through(mm.machine, mm.id, hva, entry.pfn, data, self)
        return b""

    def _hva(self, gpa: int) -> int:
        slot = self._kvm.slots.find(gpa >> PAGE_SHIFT)
        if slot is None:
            raise DeadTranslationError(f"SD-1: {self!r}: {gpa:#x} is used and belongs to no memory slot")
        return slot.hva_of(gpa >> PAGE_SHIFT) | gpa & PAGE_MASK

    # ---- the hypervisor's side ---------------------------------------------------------------------------------------

    def request_flush(self) -> None:
        """The TLB is to be emptied before it is next looked at."""
        self.flush_requested = True

    async def wait_flushed(self) -> None:
        """Spin until no access that began before the request is in flight: a vcpu outside, or entering later, has seen it."""
        await self._answered.wait_event(lambda: not (self.in_guest and self.flush_requested), spin=True)

    def _answer(self) -> None:
        if self.flush_requested:
            self.flush_requested = False
            if self._kvm.policy.mutant != "no_flush":
                self._tlb.clear()
            self._answered.wake_all()

    def run_by(self, running: bool) -> None:
        """A task starts or stops running it. KvmError if another one does."""
        if running and self._busy:
            raise KvmError(f"{self!r} is run by two tasks")
        self._busy = running


class _Running:
    """One task runs the vcpu."""

    __slots__ = ("_vcpu",)

    def __init__(self, vcpu: Vcpu) -> None:
        self._vcpu = vcpu

    def __enter__(self) -> None:
        self._vcpu.run_by(True)

    def __exit__(self, *_exc: object) -> None:
        self._vcpu.run_by(False)


async def flush_remote_tlbs(kvm: Kvm) -> None:
    """kvm_flush_remote_tlbs: when it returns no TLB holds, and no access in flight uses, an spte that was taken out before. Spins.
    Hold mmu_lock, so that who finds an spte gone already does not return before its flush is over.

    A vcpu outside the guest is not disturbed: it empties its TLB on its way in. Those inside are interrupted, all at once."""
    kvm.stats.flushes += 1
    vcpus = list(kvm.vcpus.values())
    for vcpu in vcpus:
        vcpu.request_flush()
    inside = [vcpu for vcpu in vcpus if vcpu.in_guest]
    if inside and kvm.policy.mutant != "no_wait":
        kvm.stats.kicks += len(inside)
        await kvm.sched.charge(timing.SW_CPU_TLB_FLUSH)
        for vcpu in inside:
            await vcpu.wait_flushed()
