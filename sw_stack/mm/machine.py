"""The machine under the address spaces: frames, swap, reclaim, and who lives on it.

Promises: a frame is freed only when nothing maps it, nothing pins it and the oracle has no record of it; an allocation reclaims
before it fails, and fails with MmError ENOMEM that says where the memory is. Large blocks are found by reclaim only by luck:
reserve them early, as an administrator reserves hugetlb pages.
"""

from __future__ import annotations

import errno
from collections import Counter
from typing import Final

from hwif.gen import timing
from hwif.memory import FRAME_BYTES, HostMemory
from hwif.shadow import MAX_MM, Shadow
from hwif.trace import Trace
from sw_stack.mm import hotplug, ksm, migrate
from sw_stack.mm.files import File
from sw_stack.mm.frames import Frame, FrameAllocator, PageFlag
from sw_stack.mm.historical import Historical
from sw_stack.mm.mm import Mm
from sw_stack.mm.oom import oom_kill
from sw_stack.mm.reclaim import Reclaimer
from sw_stack.mm.shadow_feed import ShadowFeed
from sw_stack.mm.swap import Slot, SwapArea
from sw_stack.mm.types import PAGE_SHIFT, MmError
from sw_stack.notifier import RmapNotifiers
from sw_stack.sched import Scheduler, Task, WaitQueue

__all__ = ["Machine"]

COUNTERS: Final = (
    "mmap", "munmap", "mprotect", "mremap", "brk", "madvise", "fork", "exit", "split",
    "fault_anon", "fault_swapin", "fault_cow", "fault_reuse", "fault_error",
    "reclaimed", "swapped_out", "swapped_in", "migrated", "direct_reclaim", "kswapd_wakeups", "alloc_failed",
    "fault_file", "fault_exclusive", "file_read", "file_dropped", "written_back", "truncate", "remap_file_pages",
    "mlock", "munlock", "memlock_refused", "pinned", "unpinned", "exclusive", "ksm_merged", "ksm_unmerged",
    "migrate_pinned", "offlined", "oom_kill", "oom_area_reaped", "oom_area_skipped", "oom_reap_failed",
)  # fmt: skip

RECLAIM_BATCH: Final = 16
# Times an allocation waits for other tasks' reclaim, or loses what it reclaimed to them, before it gives up.
ALLOC_RETRIES: Final = 64


# Address spaces of node n are numbered from n times this: a trace of two nodes is unambiguous while each makes fewer.
NODE_NUMBERS: Final = (MAX_MM + 1) // 2


class Machine:
    """One node. `frames` limits what the VM may use of `memory`; `swap_slots` defaults to four times that. `historical`: mistakes
    of V6 to make. `oom_killer`: an allocation that fails kills an address space and tries again, instead of failing."""

    def __init__(
        self,
        sched: Scheduler,
        memory: HostMemory,
        shadow: Shadow,
        trace: Trace,
        *,
        frames: int | None = None,
        swap_slots: int | None = None,
        node: int = 0,
        historical: Historical | None = None,
        oom_killer: bool = False,
    ) -> None:
        count = memory.frames if frames is None else frames
        if not 0 < count <= min(memory.frames, shadow.frames):
            raise ValueError(f"{count} frames do not fit memory of {memory.frames} and an oracle of {shadow.frames}")
        self.sched = sched
        self.memory = memory
        self.trace = trace
        trace.current_task = lambda: sched.current
        self.shadow_feed = ShadowFeed(shadow, count, sched.touch_memory)
        self.frames = FrameAllocator(sched, count)
        self.swap = SwapArea(4 * count if swap_slots is None else swap_slots)
        self.reclaimer = Reclaimer(self)
        self.rmap_notifiers = RmapNotifiers(sched, trace)
        self.historical = historical if historical is not None else Historical()
        self._oom_killer = oom_killer
        self.child_tables: int | None = None
        """How many page tables children may still be given before fork fails with ENOMEM (fault injection); None: no limit."""
        self._files = 0
        self.low_watermark = max(1, count // 64)
        self.high_watermark = 2 * self.low_watermark
        self.mms: dict[int, Mm] = {}
        self._counts: Counter[str] = Counter()
        self.events = 0
        """Sum of the statistics."""
        self._free_ids: list[int] = []
        self._next_id = max(1, NODE_NUMBERS * node)
        self._kswapd: Task | None = None
        self._kswapd_wanted = False
        self._kswapd_wait = WaitQueue(sched, "kswapd_wait")

    # ---- address spaces --------------------------------------------------------------------------------------------

    def new_mm(self, name: str) -> Mm:
        """An empty address space. MmError EAGAIN when all identifiers are taken."""
        number = self.take_number()
        mm = self.mms[number] = Mm(self, number, name)
        return mm

    def new_file(self, name: str, pages: int, *, xip: bool = False) -> File:
        """An empty file of `pages` pages, all of them holes. `xip`: one that is executed in place."""
        self._files += 1
        return File(self, self._files, name, pages, xip=xip)

    def take_number(self) -> int:
        """A number under which the oracle may know translations: of an address space, or of pages a driver pins. MmError EAGAIN."""
        if self._next_id <= MAX_MM:  # fresh numbers first: a stale use of an old one shows
            number = self._next_id
            self._next_id += 1
        elif self._free_ids:
            number = self._free_ids.pop(0)
        else:
            raise MmError(errno.EAGAIN, "all numbers of address spaces are in use")
        return number

    def give_number(self, number: int) -> None:
        """The oracle has no record left under this number."""
        self._free_ids.append(number)

    def forget(self, mm: Mm) -> None:
        """The address space has exited and is empty."""
        del self.mms[mm.id]
        self.give_number(mm.id)

    def statistics(self) -> dict[str, int]:
        """Events so far, by name."""
        return {name: self._counts[name] for name in COUNTERS}

    def statistic(self, name: str) -> int:
        """One of them."""
        return self._counts[name]

    def count(self, name: str, by: int = 1) -> None:
        """Add to a statistic."""
        self._counts[name] += by
        self.events += by

    # ---- frames ----------------------------------------------------------------------------------------------------

    def alloc_kernel_frames(self, n: int) -> range:
        """`n` consecutive zeroed frames that unmapped accesses may touch. Does not reclaim. MmError ENOMEM."""
        block = self.frames.alloc((n - 1).bit_length()) if n > 0 else None
        if block is None:
            raise MmError(errno.ENOMEM, f"no {n} consecutive frames: {self.frames.free} of {self.frames.count} are free")
        self.clear(block)
        for frame in self.frames.split(block):
            if frame.pfn < block.pfn + n:
                frame.kernel = True
                self.shadow_feed.shadow.grant_kernel(frame.pfn)
            else:
                self.unpin(frame)
        return range(block.pfn, block.pfn + n)

    async def alloc_kernel_page(self) -> int:
        """One zeroed frame that unmapped accesses may touch. May reclaim, so no spinlock may be held. MmError ENOMEM."""
        frame = await self.alloc_page()
        self.clear(frame)
        frame.kernel = True
        self.shadow_feed.shadow.grant_kernel(frame.pfn)
        return frame.pfn

    def free_kernel_frames(self, frames: range) -> None:
        """Give kernel frames back."""
        for pfn in frames:
            frame = self.frames[pfn]
            if not frame.kernel:
                raise ValueError(f"frame {pfn} is not the kernel's")
            self.shadow_feed.shadow.revoke_kernel(pfn)
            self.unpin(frame)

    async def alloc_page(self, order: int = 0) -> Frame:
        """A block of 2**order frames with one pin, contents undefined. May reclaim, so no spinlock may be held. MmError ENOMEM."""
        self.sched.lockdep.may_sleep(self.sched.task(), "page allocation")
        frame = self.frames.alloc(order)
        self._wake_kswapd_if_low()
        for _ in range(ALLOC_RETRIES):
            if frame is not None:
                return frame
            self.count("direct_reclaim")
            if not await self.reclaimer.reclaim(max(RECLAIM_BATCH, 1 << order)):
                if not self.reclaimer.busy:
                    break
                await self.sched.sleep(timing.SW_SWAP_WRITE)  # others have the candidates in hand
            frame = self.frames.alloc(order)
        if frame is not None:
            return frame
        while self._oom_killer and await oom_kill(self):
            frame = self.frames.alloc(order)
            if frame is not None:
                return frame
        self.count("alloc_failed")
        raise MmError(
            errno.ENOMEM,
            f"out of memory for {1 << order} frames: {self.frames.free} of {self.frames.count} free, "
            f"{self.reclaimer.active} active, {self.reclaimer.inactive} inactive, swap {self.swap.used} of {self.swap.slots}; "
            f"{self.reclaimer.scan.verdict()}",
        )

    def unpin(self, frame: Frame) -> bool:
        """Drop one pin; free the frame if that was the last thing that held it. True if it was freed."""
        frame.pins -= 1
        return self._free_if_unused(frame)

    def drop_swap_entry(self, slot: Slot) -> None:
        """A swap entry goes away; so does a cached page that nothing else holds."""
        frame = slot.frame
        self.swap.drop_entry(slot)
        if frame is not None:
            self._free_if_unused(frame)

    def _free_if_unused(self, frame: Frame) -> bool:
        if frame.pins or frame.mapped or frame.moving or frame.file is not None:
            return False
        if frame.slot is not None and frame.slot.entries:
            return False
        self.swap.detach(frame)
        self.reclaimer.remove(frame)
        self.shadow_feed.check_free(frame.pfn, 1 << frame.order)
        self.frames.release(frame)
        return True

    def set_page_dirty(self, frame: Frame) -> None:
        """Somebody stored to the page behind the VM's back: its bytes in a file or in swap are old (MN-6)."""
        if frame.file is not None:
            frame.flags |= PageFlag.DIRTY
        elif frame.slot is not None:
            frame.slot.data = None

    def clear(self, frame: Frame) -> None:
        """Zero a block that was just allocated."""
        if frame.clean:
            return
        start = frame.pfn * FRAME_BYTES
        self.memory.bytes[start : start + (FRAME_BYTES << frame.order)] = 0

    def copy(self, source: Frame, target: Frame) -> None:
        """Copy a block's bytes."""
        data = self.memory.read(source.pfn << PAGE_SHIFT, FRAME_BYTES << source.order)
        self.memory.write(target.pfn << PAGE_SHIFT, data)

    # ---- memory pressure -------------------------------------------------------------------------------------------

    async def reclaim(self, n: int) -> int:
        """Free up to `n` frames; how many."""
        return await self.reclaimer.reclaim(n)

    async def migrate_page(self, mm: Mm, vaddr: int) -> bool:
        """Move a page to another frame; False if it cannot be moved now."""
        return await migrate.migrate_page(self, mm, vaddr)

    async def offline(self, first: int, count: int) -> None:
        """Take frames out of service. MmError EBUSY if some cannot be emptied."""
        await hotplug.offline_frames(self, first, count)

    def online(self, first: int, count: int) -> None:
        """Put frames back into service."""
        hotplug.online_frames(self, first, count)

    async def ksm_scan(self) -> int:
        """One pass of KSM; pages given back."""
        return await ksm.ksm_scan(self)

    def start_kswapd(self, cpu: int) -> Task:
        """Start the daemon that keeps free frames above the watermark."""
        if self._kswapd is not None:
            raise RuntimeError("kswapd runs already")
        self._kswapd = self.sched.spawn(self._kswapd_loop(), "kswapd", cpu, daemon=True)
        return self._kswapd

    def _wake_kswapd_if_low(self) -> None:
        if self._kswapd is not None and not self._kswapd_wanted and self.frames.free < self.low_watermark:
            self._kswapd_wanted = True
            self.count("kswapd_wakeups")
            self._kswapd_wait.wake_all()

    async def _kswapd_loop(self) -> None:
        while True:
            await self._kswapd_wait.wait_event(lambda: self._kswapd_wanted, patient=True)
            while self.frames.free < self.high_watermark:
                if not await self.reclaimer.reclaim(self.high_watermark - self.frames.free):
                    break  # nothing can be had now: the next allocation asks again
            self._kswapd_wanted = False
