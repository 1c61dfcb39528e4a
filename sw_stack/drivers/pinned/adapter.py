"""An RDMA adapter that cannot change a mapping: it takes the frames of a region once, and never hears of the VM again.

    reg_mr     pin every page, count them against RLIMIT_MEMLOCK, copy their frame numbers into the adapter's table
    dereg_mr   withdraw the key; wait for the operations in flight; let the pages go

Between the two the process may unmap, drop, fork or exit: the adapter goes on with the frames it has, which stay allocated and
legal for it alone (sw_stack.mm.pinning gives them a number of their own at the oracle). So it is always safe, and not always right:
after a change of the mapping process and adapter no longer look at the same bytes. That is what registration caches stumble over
(sw_stack.drivers.regcache). Source: `ib_umem_get` and the adapters of 2008.

Promises: on return of `dereg_mr` no operation uses the region, its pages are let go and no longer counted; a refused registration
changes nothing. Needs: `close` when the process is gone, as the release of its file descriptor does, for exit itself frees nothing
that is pinned. Costs: SW_SYSCALL a call, SW_GUP and SW_PIN_PAGE a page pinned, SW_PTE_OP a page entered, SW_PIN_PAGE a page let go;
an operation SW_HCA_POST, LINK_LATENCY, and for each page it touches the latency and the transfer of the memory.

Concurrency: a key is looked up and counted as in flight with no await between, so deregistration either is seen by an operation or
waits for it. Nothing is locked: what two tasks do to one region meets in `live` and `in_flight` only.
"""

from __future__ import annotations

import errno
from typing import Final

from hwif.gen import timing
from sw_stack.drivers.pinned.policy import PinnedPolicy
from sw_stack.drivers.pinned.regions import Access, PinnedMr
from sw_stack.drivers.pinned.stats import PinnedStats
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.mm.pinning import pin_user_pages, unpin_user_pages
from sw_stack.mm.secondary import check_access, read_through, write_through
from sw_stack.mm.types import MemlockError, MmError, page_parts

__all__ = ["PinnedAdapter"]

ALL_ACCESS: Final = int(Access.READ | Access.WRITE)


class PinnedAdapter:
    """One adapter in the machine; every process may register with it."""

    def __init__(self, machine: Machine, policy: PinnedPolicy | None = None) -> None:
        self.machine = machine
        self.policy = policy if policy is not None else PinnedPolicy()
        self.stats = PinnedStats()
        self._sched = machine.sched
        self._regions: dict[int, PinnedMr] = {}  # by key, until their pages are let go
        self._next_key = 1  # never given out again: a stale key names nothing

    def __repr__(self) -> str:
        return "<PinnedAdapter>"

    def statistics(self) -> dict[str, int]:
        """Counters by name."""
        return self.stats.snapshot()

    def regions(self, mm: Mm | None = None) -> list[PinnedMr]:
        """Regions that hold pages, oldest first; of one process only, if it is given."""
        return [mr for mr in self._regions.values() if mm is None or mr.mm is mm]

    # ---- registration ------------------------------------------------------------------------------------------------

    async def reg_mr(self, mm: Mm, addr: int, length: int, access: int) -> PinnedMr:
        """Register bytes [addr, addr + length). Whole pages are pinned, for stores too if `access` has WRITE. MmError EINVAL for no
        bytes or no right, EFAULT where the process has no such page, ENOMEM for want of frames; MemlockError over
        RLIMIT_MEMLOCK."""
        await self._sched.charge(timing.SW_SYSCALL)
        if length <= 0 or not access or access & ~ALL_ACCESS:
            raise MmError(errno.EINVAL, f"no region of {length} bytes at {addr:#x} with rights {access:#x}")
        rights = Access(access)
        account = self.policy.mutant != "uncounted"
        try:
            pinned = await pin_user_pages(mm, addr, length, write=bool(rights & Access.WRITE), account=account)
        except MmError as error:
            self.stats.mr_reg_failed += 1
            self.stats.memlock_refused += isinstance(error, MemlockError)
            raise
        mr = self._regions[self._next_key] = PinnedMr(mm, self._next_key, addr, length, rights, pinned)
        self._next_key += 1
        self.stats.mr_reg += 1
        self.stats.pages_pinned += mr.pages
        await self._sched.charge(timing.SW_PTE_OP * mr.pages)
        return mr

    async def dereg_mr(self, mr: PinnedMr) -> None:
        """Deregister. On return nothing uses the region and its pages are let go. MmError EINVAL the second time."""
        await self._sched.charge(timing.SW_SYSCALL)
        self._sched.touch(mr.idle)
        if not mr.live:
            raise MmError(errno.EINVAL, f"{mr!r} is deregistered already")
        await self._withdraw(mr)

    async def _withdraw(self, mr: PinnedMr) -> None:
        self._sched.touch(mr.idle)
        mr.live = False  # no operation begins any more, and nobody else deregisters it
        self.stats.mr_dereg += 1
        if self.policy.mutant == "unpin_early":
            self._let_go(mr)
        if mr.in_flight:
            self.stats.dereg_waits += 1
            if self.policy.mutant == "dereg_no_drain":
                mr.abandoned = True
                return
            await mr.idle.wait_event(lambda: mr.in_flight == 0)
        self._let_go(mr)
        await self._sched.charge(timing.SW_PIN_PAGE * mr.pages)

    async def close(self, mm: Mm) -> None:
        """Deregister everything of a process, alive or gone: its file descriptor is released. No call of it may be under way,
        except deregistrations, which are waited for."""
        for mr in self.regions(mm):
            if mr.live:
                self.stats.mr_closed += 1
                await self._withdraw(mr)
            else:
                await mr.idle.wait_event(lambda mr=mr: mr.key not in self._regions)  # type: ignore[misc]

    def _let_go(self, mr: PinnedMr) -> None:
        if self._regions.pop(mr.key, None) is None:
            return
        self.stats.pages_unpinned += mr.pages
        unpin_user_pages(mr.pinned)
        mr.idle.wake_all()

    # ---- DMA -----------------------------------------------------------------------------------------------------------

    async def read(self, mr: PinnedMr, addr: int, n: int) -> bytes:
        """`n` bytes at process address `addr`, as the adapter finds them in its frames. CompletionError, see there. A page is
        read at one instant, several pages at several."""
        await self._begin(mr, addr, n, Access.READ)
        parts = []
        try:
            for place, count in page_parts(addr, n):
                await self._transfer(mr, place, count, False, timing.MEM_READ_LATENCY)
                parts.append(read_through(self.machine, mr.owner, place, mr.pfn(place), count, self))
        finally:
            self._end(mr)
        self.stats.reads += 1
        self.stats.bytes_read += n
        return b"".join(parts)

    async def write(self, mr: PinnedMr, addr: int, data: bytes) -> None:
        """Store at process address `addr`, in the adapter's frames. Otherwise as `read`."""
        await self._begin(mr, addr, len(data), Access.WRITE)
        done = 0
        try:
            for place, count in page_parts(addr, len(data)):
                await self._transfer(mr, place, count, True, timing.MEM_WRITE_LATENCY)
                write_through(self.machine, mr.owner, place, mr.pfn(place), data[done : done + count], self)
                done += count
        finally:
            self._end(mr)
        self.stats.writes += 1
        self.stats.bytes_written += len(data)

    async def _begin(self, mr: PinnedMr, addr: int, length: int, need: Access) -> None:
        await self._sched.charge(timing.SW_HCA_POST + timing.LINK_LATENCY)
        self._sched.touch(mr.idle)
        try:
            mr.check(addr, length, need)
        except MmError:
            self.stats.completion_errors += 1
            raise
        mr.in_flight += 1

    async def _transfer(self, mr: PinnedMr, place: int, count: int, write: bool, latency: int) -> None:
        """One page's part is on its way. The frame must be the region's when it starts; whoever moves the bytes checks it again."""
        check_access(self.machine, mr.owner, place, mr.pfn(place), write, self)
        await self._sched.charge(latency + -(-count // timing.MEM_BYTES_PER_CYCLE))
        self._sched.touch(mr.mm.pte_lock)  # what the program stores meanwhile, as its accesses say

    def _end(self, mr: PinnedMr) -> None:
        self._sched.touch(mr.idle)
        mr.in_flight -= 1
        if mr.in_flight == 0:
            if mr.abandoned:
                self._let_go(mr)
            mr.idle.wake_all()
