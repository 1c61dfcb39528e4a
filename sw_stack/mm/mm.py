"""An address space: the system calls on it, a program's accesses, and the two lookups a driver makes.

Promises: the V6 table (which event calls which notifier, with what range, and where) and Linux 2.6.24's locking: mmap_lock for
writing round changes of the mapping, for reading round faults; the pte lock round every change of a page table entry. Refusals
are MmError with the system call's errno. A touch that needs no fault costs a few Python operations and no trip to the scheduler.

The work is done in the sibling modules (mapping, moving, forking, fault, access); this class is the face.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from hwif.gen import timing
from sw_stack.mm import access, exclusive, fault, forking, ksm, mapping, mlock, moving, nonlinear, splitting
from sw_stack.mm.pagetable import ACCESSED, DIRTY, READ, WRITE, PageTable
from sw_stack.mm.shadow_feed import MmShadow
from sw_stack.mm.types import PAGE_SHIFT, MmError, Translation
from sw_stack.mm.vma import VmaMap
from sw_stack.notifier import MmuNotifierChain
from sw_stack.sched import LockdepError, RwSem, SpinLock

if TYPE_CHECKING:
    from sw_stack.mm.files import File
    from sw_stack.mm.machine import Machine

__all__ = ["Mm"]

HEAP_BASE: Final = 0x0000_1000_0000


class Mm:
    """One address space. Made by Machine.new_mm or fork; gone after exit()."""

    def __init__(self, machine: Machine, number: int, name: str) -> None:
        self.machine = machine
        self.id = number
        self.name = name
        self.alive = True
        # Fork holds the parent's and the child's; nobody else can hold the child's yet, so the pair has an order.
        self.mmap_lock = RwSem(machine.sched, f"mmap_lock[{name}]", nests=True)
        self.pte_lock = SpinLock(machine.sched, f"pte_lock[{name}]", nests=True)
        self.page_table = PageTable()
        self.vmas = VmaMap()
        self.shadow = MmShadow(machine.shadow_feed, number, self.page_table)
        self.notifiers = MmuNotifierChain(
            machine.sched, machine.trace, self, number, self.mmap_lock, self.shadow, mistakes=machine.historical
        )
        self._holders = 0
        self._leaving = False
        self.rlimit_memlock: int | None = None
        """RLIMIT_MEMLOCK, pages; None: CAP_IPC_LOCK."""
        self.locked_vm = 0
        """Pages locked and pinned, held against the limit."""
        self.oom_victim = False
        self.oom_exempt = False
        """Never chosen by the OOM killer (OOM_DISABLE)."""
        self.heap_start = self.heap_end = HEAP_BASE

    def __repr__(self) -> str:
        return f"<Mm {self.id} {self.name}>"

    # ---- system calls ----------------------------------------------------------------------------------------------

    async def mmap(
        self,
        addr: int | None,
        length: int,
        prot: int,
        *,
        fixed: bool = False,
        huge: int = 0,
        file: File | None = None,
        pgoff: int = 0,
        shared: bool = False,
    ) -> int:
        """Map memory; where. `addr` is a hint unless `fixed`, which replaces what is there. `huge` is the page shift of a mapping
        of large pages (0: 4 KiB). `file`: its pages from `pgoff` on. `shared`: stores are seen by all who map it, children
        included; private otherwise."""
        shift = huge or PAGE_SHIFT
        return await mapping.mmap(self, addr, length, prot, fixed=fixed, shift=shift, file=file, pgoff=pgoff, shared=shared)

    async def munmap(self, addr: int, length: int) -> None:
        """Unmap; holes in the range are no error."""
        await mapping.munmap(self, addr, length)

    async def mprotect(self, addr: int, length: int, prot: int) -> None:
        """Change the protection of a range without holes."""
        await mapping.mprotect(self, addr, length, prot)

    async def madvise_dontneed(self, addr: int, length: int) -> None:
        """Drop the contents of a range; it reads as zeros afterwards."""
        await mapping.madvise_dontneed(self, addr, length)

    async def brk(self, new: int) -> int:
        """Move the end of the heap; the end as it then is. 0 asks."""
        return await mapping.brk(self, new)

    def set_heap(self, start: int, end: int | None = None) -> None:
        """Where the heap begins and ends, as a loader or a checkpoint decides (prctl PR_SET_MM). Maps nothing."""
        mapping.set_heap(self, start, start if end is None else end)

    async def mremap(self, old: int, old_len: int, new_len: int, *, may_move: bool = True, new: int | None = None) -> int:
        """Shrink, grow or move a mapping; where it then is. `new` forces the place (MREMAP_FIXED)."""
        return await moving.mremap(self, old, old_len, new_len, may_move=may_move, new=new)

    async def fork(self, name: str) -> Mm:
        """A copy of the address space, sharing its pages copy-on-write."""
        return await forking.fork(self, name)

    async def split_large_page(self, vaddr: int) -> None:
        """Make small pages of the large page at `vaddr`: from then on parts of it can be unmapped, protected, swapped and moved.
        MmError EBUSY if it is shared."""
        await splitting.split_large_page(self, vaddr)

    async def remap_file_pages(self, addr: int, length: int, page: int) -> None:
        """Show the pages of the file from `page` on in a range of a shared mapping of it."""
        await nonlinear.remap_file_pages(self, addr, length, page)

    async def mlock(self, addr: int, length: int) -> None:
        """Keep a range in memory. MmError ENOMEM over RLIMIT_MEMLOCK."""
        await mlock.mlock(self, addr, length)

    async def munlock(self, addr: int, length: int) -> None:
        """Let reclaim have it again."""
        await mlock.munlock(self, addr, length)

    async def madvise_mergeable(self, addr: int, length: int, *, mergeable: bool = True) -> None:
        """Offer a range to KSM, or take it back."""
        await ksm.madvise_mergeable(self, addr, length, mergeable=mergeable)

    async def exit(self) -> None:
        """Tear the address space down, or leave that to who holds it (`get`). Nothing may use it afterwards."""
        self.machine.sched.touch(self.mmap_lock)
        if self._holders:
            self._leaving = True
            return
        await mapping.exit_mm(self)

    def get(self) -> bool:
        """Hold it: it is not torn down before `put`. False if it is being torn down (mmget_not_zero)."""
        self.machine.sched.touch(self.mmap_lock)
        if not self.alive or self._leaving:
            return False
        self._holders += 1
        return True

    async def put(self) -> None:
        """Hold it no longer (mmput). If the process has exited meanwhile, the last holder tears it down, here and now: with every
        notifier's release, so under no lock that one of them takes."""
        self.machine.sched.touch(self.mmap_lock)
        self._holders -= 1
        if self._leaving and not self._holders:
            await mapping.exit_mm(self)

    # ---- a program's accesses --------------------------------------------------------------------------------------

    async def load(self, vaddr: int, n: int) -> bytes:
        """Read memory as the program does, faulting as needed."""
        return await access.load(self, vaddr, n)

    async def store(self, vaddr: int, data: bytes) -> None:
        """Write memory as the program does, faulting as needed."""
        await access.store(self, vaddr, data)

    async def touch(self, vaddr: int, write: bool) -> None:
        """What an access does to the page, without the data. When it returns the entry has just been found good."""
        vpn = vaddr >> PAGE_SHIFT
        await self.machine.sched.charge(timing.SW_CPU_ACCESS)
        while not self.touch_fast(vpn, write):
            await self.handle_fault(vaddr, write)

    def touch_fast(self, vpn: int, write: bool) -> bool:
        """True if the access needs no fault; the entry is then marked as the processor would. Charges nothing."""
        return self.page_table.touch(vpn, WRITE if write else READ, (ACCESSED | DIRTY) if write else ACCESSED)

    async def handle_fault(self, vaddr: int, write: bool) -> None:
        """A processor's page fault. Raises MmError EFAULT where the program would get a signal."""
        async with self.mmap_lock.reading():
            await fault.handle_fault(self, vaddr, write)

    # ---- a driver's lookups ----------------------------------------------------------------------------------------

    def follow_page(self, vaddr: int, write: bool) -> Translation | None:
        """The translation if it is present with the right asked for, else None. Never sleeps, never faults; costs the caller
        SW_PAGE_WALK. Marks the entry used (and dirty for a write): the device's accesses are not seen otherwise (MN-6)."""
        self._need_mmap_lock("follow_page")
        if not self.alive:
            return None
        return access.translate(self, vaddr, write)

    async def follow_page_in_steps(self, vaddr: int, write: bool) -> Translation | None:
        """As `follow_page`, by a walk that takes its time: what holds off the freeing of tables is the caller's to hold. Charges
        SW_PAGE_WALK. Raises FreedTableError."""
        self._need_mmap_lock("follow_page")
        return await access.translate_in_steps(self, vaddr, write) if self.alive else None

    async def get_user_pages(self, vaddr: int, write: bool) -> Translation:
        """The translation, faulted in as needed. May sleep; needs mmap_lock held. Takes no reference: the result is good until
        the next invalidation, which the caller must be able to see. Raises MmError EFAULT."""
        self._need_mmap_lock("get_user_pages")
        self.machine.sched.lockdep.may_sleep(self.machine.sched.task(), "get_user_pages")
        while True:
            if not self.alive:
                raise MmError(errno.EFAULT, f"{self.name} has exited")
            await self.machine.sched.charge(timing.SW_GUP)
            translation = access.translate(self, vaddr, write)
            if translation is not None:
                return translation
            await fault.handle_fault(self, vaddr, write)

    async def make_device_exclusive(self, vaddr: int) -> Translation:
        """Take the page from the processor until it is touched again; its translation. May sleep; needs mmap_lock for reading."""
        self._need_mmap_lock("make_device_exclusive")
        frame = await exclusive.make_device_exclusive(self, vaddr)
        return Translation(frame.pfn, PAGE_SHIFT, writable=True, dirty=True)

    def _need_mmap_lock(self, what: str) -> None:
        task = self.machine.sched.current
        if task is not None and self.mmap_lock not in task.held:
            raise LockdepError(f"{task.name} (CPU {task.cpu}): {what} without {self.mmap_lock.name}")
