"""The driver skeleton that came with V6 (V6-4, GRU and KVM type): a secondary MMU in as few lines as a correct one has.

    begin      count up under the lock, then drop what the range covers
    end        count down
    populate   give up while the count is not zero; look the page up; take the lock; enter it only if no range began meanwhile

The page is looked up under mmap_lock for reading and entered under its page lock: the page lock keeps invalidate_page out between
the look-up and the entry, the count keeps ranges out. No reference is held.

Promises: when a callback returned, nothing it covered is in the table. An access is at one instant, so none is under way.
Needs: `populate` in a task that may sleep. Costs SW_GUP a populate and SW_PTE_OP an entry dropped.

`tracking` says what the client remembers of ranges: "counter" as above, "ranges" their bounds, so that only pages inside an
active range are refused ("must the driver remember arbitrarily many ranges?", Morton's review); that needs every end to name its
begin's bounds. `lock_of_mm` is the mistake in the skeleton's own code: it initialises mm->lock and leaves its own as it was.
`deaf_to_atomic` is one of those who used it: the lock is a mutex, whatever `atomic` says.
"""

from __future__ import annotations

import errno
from typing import Literal

from hwif.gen import timing
from sw_stack.mm.mm import Mm
from sw_stack.mm.secondary import read_through, write_through
from sw_stack.mm.types import PAGE_SHIFT, MmError, Translation
from sw_stack.notifier import MmuNotifier, NotifierError
from sw_stack.sched import Mutex, SpinLock

__all__ = ["Skeleton"]


class Skeleton(MmuNotifier):
    """One secondary MMU on one address space: `attach` it, then `read` and `write` through it."""

    def __init__(
        self,
        mm: Mm,
        *,
        tracking: Literal["counter", "ranges"] = "counter",
        lock_of_mm: bool = False,
        deaf_to_atomic: bool = False,
    ) -> None:
        self._mm = mm
        self._sched = mm.machine.sched
        kind = Mutex if deaf_to_atomic else SpinLock
        self._lock: Mutex | SpinLock | None = None if lock_of_mm else kind(self._sched, "skeleton_lock")
        self._tracking = tracking
        self._table: dict[int, Translation] = {}
        self.invalidates = 0
        """Ranges between begin and end."""
        self.ranges: list[tuple[int, int]] = []
        """Their bounds, if they are remembered."""
        self.retries = 0
        self.released = False

    async def attach(self) -> None:
        """Register with the address space."""
        async with self._mm.mmap_lock.writing():
            self._mm.notifiers.register(self)

    async def detach(self) -> None:
        """Let go of the address space, and drop everything. After exit too."""
        async with self._mm.mmap_lock.writing():
            await self._mm.notifiers.unregister(self)
        self.released = True
        self._table.clear()

    def entries(self) -> dict[int, Translation]:
        """What is in the table, by page."""
        return dict(self._table)

    # ---- the device --------------------------------------------------------------------------------------------------

    async def read(self, vaddr: int, n: int) -> bytes:
        """`n` bytes within a page. MmError EFAULT, or EAGAIN while a range keeps the page from being entered."""
        found = await self._translate(vaddr, False)
        return read_through(self._mm.machine, self._mm.id, vaddr, found.pfn, n, self)

    async def write(self, vaddr: int, data: bytes) -> None:
        """Store within a page. Errors as `read`."""
        found = await self._translate(vaddr, True)
        write_through(self._mm.machine, self._mm.id, vaddr, found.pfn, data, self)

    async def _translate(self, vaddr: int, write: bool) -> Translation:
        self._look()
        found = self._table.get(vaddr >> PAGE_SHIFT)
        if found is not None and (not write or (found.writable and found.dirty)):
            return found
        return await self.populate(vaddr, write)

    async def populate(self, vaddr: int, write: bool) -> Translation:
        """Enter the page of `vaddr`. The result is good until the task gives the processor away. MmError EAGAIN: a range is
        active, or began meanwhile; EFAULT after release."""
        mm, vpn = self._mm, vaddr >> PAGE_SHIFT
        self._look()
        if self.released:
            raise MmError(errno.EFAULT, f"{mm.name}: the device has let go of the address space")
        if self._refused(vaddr):
            raise MmError(errno.EAGAIN, f"{mm.name}: {vaddr:#x} is being invalidated")
        async with mm.mmap_lock.reading():
            found = await mm.get_user_pages(vaddr, write)
            frame = mm.machine.frames[found.pfn]
            frame.pins += 1
            try:
                async with frame.lock:
                    await self._take()
                    try:
                        again = mm.follow_page(vaddr, write)
                        if again is None or again.pfn != found.pfn or self._refused(vaddr):
                            self.retries += 1
                            raise MmError(errno.EAGAIN, f"{mm.name}: {vaddr:#x} changed while it was looked up")
                        self._table[vpn] = again
                        return again
                    finally:
                        self._drop()
            finally:
                mm.machine.unpin(frame)

    def _refused(self, vaddr: int) -> bool:
        if self._tracking == "counter":
            return self.invalidates > 0
        return any(start <= vaddr < end for start, end in self.ranges)

    def _look(self) -> None:
        """Table and count are about to be used without the lock."""
        if self._lock is not None:
            self._sched.touch(self._lock)

    async def _take(self) -> None:
        if self._lock is None:
            raise NotifierError(f"MN-1: {self!r} takes a lock that was never initialised")
        await self._lock.acquire()

    def _drop(self) -> None:
        assert self._lock is not None
        self._lock.release()

    # ---- the client --------------------------------------------------------------------------------------------------

    async def _zap(self, start: int, end: int) -> None:
        self._look()
        first, last = start >> PAGE_SHIFT, end >> PAGE_SHIFT
        covered = [vpn for vpn in self._table if first <= vpn < last]
        for vpn in covered:
            del self._table[vpn]
        await self._sched.charge(timing.SW_PTE_OP * len(covered))

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        await self._take()
        self.invalidates += 1
        if self._tracking == "ranges":
            self.ranges.append((start, end))
        self._drop()
        await self._zap(start, end)

    async def invalidate_range_end(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        await self._take()
        self.invalidates -= 1
        if self._tracking == "ranges" and (start, end) in self.ranges:
            self.ranges.remove((start, end))
        self._drop()

    async def invalidate_page(self, mm: Mm, address: int) -> None:
        await self._zap(address, address + (1 << PAGE_SHIFT))

    async def release(self, mm: Mm) -> None:
        self._look()
        self.released = True
        await self._zap(0, 1 << 64)
