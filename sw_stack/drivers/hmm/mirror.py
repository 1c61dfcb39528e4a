"""A device that mirrors a process's page table in software: what lib/test_hmm.c is to hmm-tests.c.

The device has a page table of its own, filled by faults and emptied by an interval notifier; it reads and writes whole pages,
takes snapshots of the processor's page table, and takes pages to itself for atomic operations.

Promises
  Every access is to the page the process has at that address, with the rights it has there, and is held against the oracle
  (sw_stack.mm.secondary) when it begins and when its bytes move.
  A translation is entered only if no invalidation of it has begun since it was looked up (read_begin, read_retry).
Needs: mmap_lock free for a fault; no lock held by the caller.
Costs: SW_SYSCALL an operation; a page the latency of memory and its beats; a fault what get_user_pages costs.

One spinlock a mirror, `pt_lock`, is what the kernel's dmirror->mutex is, but spins: invalidate_page comes under a pte lock. Held:

    access of one page          look the entry up, let the access's time pass, move the bytes
    fault                       read_retry, then enter
    invalidate                  take the entries out

So an invalidation that has returned has waited for the access in flight (SD-2), and none that follows finds the entry (SD-1). An
operation of several pages gives the lock back between two: an invalidation may come there, and the rest faults again. The lock is
inside pte_lock, hence nobody asks for anything of the VM's while holding it.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hwif.gen import timing
from sw_stack.drivers.hmm.values import LARGE, Access, Done, Prot, Refused
from sw_stack.mm import PROT_READ, PROT_WRITE, Mm, MmError
from sw_stack.mm.pagetable import EXCLUSIVE, READ, VALUE_SHIFT, WRITE
from sw_stack.mm.secondary import check_access, read_through, write_through
from sw_stack.mm.types import PAGE_SHIFT, PAGE_SIZE
from sw_stack.notifier import IntervalSubscription, IntervalSubscriptions
from sw_stack.notifier.interval import EVERYTHING
from sw_stack.sched import SpinLock

__all__ = ["MUTANT_TEXT", "Mirror", "Mutant"]

FAULT_PAGES = 64
"""Pages looked up at a time (the size of test_hmm.c's array)."""
FAULT_ATTEMPTS = 64
"""Lookups spoilt by invalidations before a fault gives up (hmm_range_fault's callers: a second)."""
BEATS = PAGE_SIZE // timing.MEM_BYTES_PER_CYCLE

Mutant = Literal[
    "no_retry",
    "no_invalidate",
    "no_lock",
    "map_writable",
    "shared_atomic",
    "exclusive_unseen",
    "exclusive_in_range",
    "gone_is_done",
]

MUTANT_TEXT: Mapping[Mutant, str] = {
    "no_retry": "a translation is entered although an invalidation has passed since it was looked up",
    "no_invalidate": "the callback takes nothing out",
    "no_lock": "accesses do not hold the lock: an invalidation does not wait for the one in flight",
    "map_writable": "pages are entered writable whatever the processor's entry says",
    "shared_atomic": "atomic operations do not take the page from the processor",
    "exclusive_unseen": "a page is entered as the device's own without a look at whether it still is",
    "exclusive_in_range": "a page is entered as the device's own while an invalidation is under way",
    "gone_is_done": "a fault on an address space that has exited enters nothing and says that it did",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A translation of the device."""

    pfn: int
    writable: bool
    exclusive: bool = False


class _Interval(IntervalSubscription):
    """Watches a range for a mirror."""

    def __init__(self, mirror: Mirror, start: int, end: int, *, table: bool) -> None:
        super().__init__(start, end)
        self._mirror = mirror
        self._table = table

    async def invalidate(self, start: int, end: int, atomic: bool) -> None:
        # A snapshot has nothing to take out. The number has changed already; the lock waits for who is comparing it.
        async with self._mirror.pt_lock:
            if self._table and self._mirror.mutant != "no_invalidate":
                self._mirror.forget(start >> PAGE_SHIFT, end + PAGE_SIZE - 1 >> PAGE_SHIFT)


class Mirror:
    """One open device file: a mirror of `mm`. `unit` names the device. Made by `open`."""

    def __init__(self, mm: Mm, intervals: IntervalSubscriptions, unit: int, mutant: Mutant | None) -> None:
        self.mm = mm
        self.machine = mm.machine
        self.sched = mm.machine.sched
        self.unit = unit
        self.mutant = mutant
        self.pt_lock = SpinLock(self.sched, f"dmirror[{mm.name}, {unit}]")
        self.table: dict[int, Entry] = {}
        self.retries = 0
        """Lookups spoilt by an invalidation."""
        self._intervals = intervals
        self._interval = _Interval(self, 0, EVERYTHING, table=True)

    def __repr__(self) -> str:
        return f"<Mirror {self.unit} of {self.mm.name}>"

    @classmethod
    async def open(cls, mm: Mm, intervals: IntervalSubscriptions, *, unit: int = 0, mutant: Mutant | None = None) -> Mirror:
        """Watch the address space (dmirror_fops_open). `intervals`: its subscriptions, one object an address space."""
        mirror = cls(mm, intervals, unit, mutant)
        async with mm.mmap_lock.writing():
            intervals.insert(mirror._interval)
        return mirror

    async def close(self) -> None:
        """Stop (dmirror_fops_release)."""
        await self._intervals.remove(self._interval)
        self.table.clear()

    def faults(self, pages: int, shift: int = PAGE_SHIFT, access: Access = "read") -> int:
        """Faults of a command that meets none of its pages, when nobody disturbs: one, for any length."""
        return 1

    # ---- commands --------------------------------------------------------------------------------------------------

    async def read(self, address: int, mirror: bytearray) -> Done:
        """Fill `mirror`, whole pages, from memory (HMM_DMIRROR_READ). Refused EFAULT; `mirror` is then as it was."""
        data = bytearray(len(mirror))
        done = await self._pages(address, data, write=False)
        mirror[:] = data
        return done

    async def write(self, address: int, mirror: bytearray) -> Done:
        """Write `mirror` to memory (HMM_DMIRROR_WRITE). Refused EFAULT, EPERM."""
        return await self._pages(address, mirror, write=True)

    async def snapshot(self, address: int, pages: int) -> list[Prot]:
        """What the processor's page table says of each page, without faults (HMM_DMIRROR_SNAPSHOT)."""
        await self.sched.charge(timing.SW_SYSCALL)
        found: list[Prot] = []
        for start in range(0, pages, FAULT_PAGES):
            found += await self._range_snapshot(address + start * PAGE_SIZE, min(FAULT_PAGES, pages - start))
        return found

    async def exclusive(self, address: int, mirror: bytearray) -> Done:
        """Take pages from the processor and read them into `mirror` (HMM_DMIRROR_EXCLUSIVE). Refused EFAULT, EPERM, EBUSY."""
        await self.sched.charge(timing.SW_SYSCALL)
        for page in range(address, address + len(mirror), PAGE_SIZE):
            await self._take(page)
        return Done((await self.read(address, mirror)).cpages, 0)

    def exclusive_pages(self, address: int, pages: int) -> int:
        """How many of the pages the device has to itself now (HMM_DMIRROR_CHECK_EXCLUSIVE objects to any)."""
        first = address >> PAGE_SHIFT
        return sum(entry.exclusive for vpn, entry in self.table.items() if first <= vpn < first + pages)

    async def increment(self, address: int) -> int:
        """Count the double-word up; what it held. Takes the page from the processor. Refused as `exclusive`."""
        await self.sched.charge(timing.SW_SYSCALL)
        while True:
            old = await self._increment(address)
            if old is not None:
                return old
            if self.mutant == "shared_atomic":
                await self._fault(address, 1, write=True)
            else:
                await self._take(address)

    # ---- the device's page table -----------------------------------------------------------------------------------

    def forget(self, first: int, last: int) -> None:
        """Take the entries of pages first..last-1 out. Hold `pt_lock`."""
        for vpn in [vpn for vpn in self.table if first <= vpn < last]:
            del self.table[vpn]

    async def _pages(self, address: int, data: bytearray, *, write: bool) -> Done:
        await self.sched.charge(timing.SW_SYSCALL)
        pages, page, faults = len(data) // PAGE_SIZE, 0, 0
        while page < pages:
            part = memoryview(data)[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
            if await self._page(address + page * PAGE_SIZE, part, write=write):
                page += 1
            else:
                await self._fault(address + page * PAGE_SIZE, pages - page, write=write)
                faults += 1
        return Done(page, faults)

    async def _page(self, address: int, part: memoryview, *, write: bool) -> bool:
        """Move one page. False if the table does not allow it."""
        if self.mutant == "no_lock":
            return await self._move(address, part, write)
        async with self.pt_lock:
            return await self._move(address, part, write)

    async def _move(self, address: int, part: memoryview, write: bool) -> bool:
        entry = self.table.get(address >> PAGE_SHIFT)
        if entry is None or (write and not entry.writable):
            return False
        check_access(self.machine, self.mm.id, address, entry.pfn, write, self)
        await self.sched.charge(BEATS + (timing.MEM_WRITE_LATENCY if write else timing.MEM_READ_LATENCY))
        self.sched.touch(self.mm.pte_lock)  # what the program stores meanwhile, as its accesses say
        if write:
            write_through(self.machine, self.mm.id, address, entry.pfn, bytes(part), self)
        else:
            part[:] = read_through(self.machine, self.mm.id, address, entry.pfn, PAGE_SIZE, self)
        return True

    async def _increment(self, address: int) -> int | None:
        """Read, add, write. None if the device has not got the page for it."""
        async with self.pt_lock:
            entry = self.table.get(address >> PAGE_SHIFT)
            if entry is None or not (entry.exclusive or (self.mutant == "shared_atomic" and entry.writable)):
                return None
            old = int.from_bytes(read_through(self.machine, self.mm.id, address, entry.pfn, 8, self), "little")
            # Between the two nobody else stores there: the processor would have to take the page back, and that waits for the lock.
            await self.sched.charge(timing.MEM_READ_LATENCY + timing.MEM_WRITE_LATENCY)
            new = (old + 1).to_bytes(8, "little")
            write_through(self.machine, self.mm.id, address, entry.pfn, new, self)
            return old

    # ---- faults ----------------------------------------------------------------------------------------------------

    async def _fault(self, address: int, pages: int, *, write: bool) -> None:
        """Enter the translations of `pages` pages (dmirror_fault)."""
        end = address + pages * PAGE_SIZE
        if self.mutant == "gone_is_done" and self._gone():
            await self.sched.charge(timing.SW_PAGE_WALK)
            return
        for start in range(address, end, FAULT_PAGES * PAGE_SIZE):
            await self._range_fault(start, min(end, start + FAULT_PAGES * PAGE_SIZE), write)

    def _gone(self) -> bool:
        self.sched.touch(self.mm.mmap_lock)
        return not self.mm.alive

    async def _range_fault(self, start: int, end: int, write: bool) -> None:
        for _ in range(FAULT_ATTEMPTS):
            seq = await self._intervals.read_begin(self._interval)
            async with self.mm.mmap_lock.reading():
                found = [await self._lookup(page, write) for page in range(start, end, PAGE_SIZE)]
            async with self.pt_lock:
                if not self._intervals.read_retry(self._interval, seq) or self.mutant == "no_retry":
                    for number, entry in enumerate(found):
                        self.table[(start >> PAGE_SHIFT) + number] = entry
                    return
            self.retries += 1
        raise Refused(errno.EBUSY, f"{self}: {start:#x} is invalidated without end")

    async def _lookup(self, page: int, write: bool) -> Entry:
        """The page's translation, faulted in. Needs mmap_lock."""
        try:
            found = await self.mm.get_user_pages(page, write)
        except MmError as error:
            # hmm_vma_fault: EPERM where the area may be read and not written.
            vma = self.mm.vmas.find(page) if self.mm.alive else None
            protected = write and vma is not None and vma.prot & PROT_READ and not vma.prot & PROT_WRITE
            raise Refused(errno.EPERM if protected else error.errno, str(error)) from None
        # Writable only if dirty already: nobody asks the device later whether it has stored (MN-6).
        return Entry(found.pfn, (found.writable and found.dirty) or self.mutant == "map_writable")

    async def _take(self, page: int) -> None:
        """Make the page the device's and enter it.

        make_device_exclusive announces a range itself, so a number taken before it is always spoilt. The number is taken after it,
        at an instant at which no range runs and the processor's entry still is the exclusive one: then the page is the device's at
        that instant, and whatever takes it back later changes the number.
        """
        vpn = page >> PAGE_SHIFT
        for _ in range(FAULT_ATTEMPTS):
            async with self.mm.mmap_lock.reading():
                try:
                    found = await self.mm.make_device_exclusive(page)
                except MmError as error:
                    raise Refused(error.errno, str(error)) from None
                pte = self.mm.page_table.get(vpn)
                ours = bool(pte & EXCLUSIVE) and pte >> VALUE_SHIFT == found.pfn
                quiet = not self._intervals.invalidating
                seq = self._interval.seq
            if (ours or self.mutant == "exclusive_unseen") and (quiet or self.mutant == "exclusive_in_range"):
                async with self.pt_lock:
                    # pt_lock hands over in order of arrival, so nothing can have come in between; another lock would let it.
                    if not self._intervals.read_retry(self._interval, seq):
                        self.table[vpn] = Entry(found.pfn, writable=True, exclusive=True)
                        return
            self.retries += 1
            await self._intervals.read_begin(self._interval)
        raise Refused(errno.EBUSY, f"{self}: {page:#x} is taken back without end")

    async def _range_snapshot(self, address: int, pages: int) -> list[Prot]:
        """Valid at one instant, watched by a subscription of its own (dmirror_range_snapshot)."""
        interval = _Interval(self, address, address + pages * PAGE_SIZE, table=False)
        self._intervals.insert(interval)
        try:
            while True:
                seq = await self._intervals.read_begin(interval)
                async with self.mm.mmap_lock.reading():
                    await self.sched.charge(timing.SW_PAGE_WALK * pages)
                    found = [self._prot(address + page * PAGE_SIZE) for page in range(pages)]
                async with self.pt_lock:
                    if not self._intervals.read_retry(interval, seq):
                        return found
                self.retries += 1
        finally:
            await self._intervals.remove(interval)

    def _prot(self, page: int) -> Prot:
        """One page of a snapshot (hmm_range_fault without faults; dmirror_mkentry)."""
        vma = self.mm.vmas.find(page)
        if vma is None or not vma.prot & PROT_READ:
            return Prot.ERROR
        entry = self.mm.page_table.lookup(page >> PAGE_SHIFT)
        if entry is None or not entry.pte & READ:
            return Prot.NONE
        code = (Prot.WRITE if entry.pte & WRITE else Prot.READ) | LARGE.get(entry.shift, Prot.NONE)
        if vma.file is not None and vma.file.sparse is self.machine.frames[entry.pte >> VALUE_SHIFT]:
            code |= Prot.ZERO
        return code
