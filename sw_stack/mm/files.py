"""Files: pages in the page cache, their store, and the areas that show them.

A page of a file lives in `pages` from its first use until reclaim or a truncate takes it out; it stays there without being
mapped. The store keeps what was written back, zeros where nothing was. Shared anonymous memory is a file without a name: its
store stands for swap. An execute-in-place file (`xip`) has no page cache: its blocks are memory, mapped as they lie
(filemap_xip.c).

Locks, outermost first: mmap_lock, page lock, i_mmap_lock, pte_lock. i_mmap_lock keeps "which areas show the file" still: who moves
entries of the file to another place holds it, so that a truncate cannot miss them.

Promises: a page in `pages` has its `file` and `index` set; between taking a page's lock and giving it back it stays where it is.
Needs: nothing of the address spaces. Costs: SW_SWAP_READ for a page that comes from the store.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.mm.frames import Frame, PageFlag
from sw_stack.mm.types import PAGE_SHIFT, MmError
from sw_stack.mm.vma import Vma, VmaFlag
from sw_stack.sched import SpinLock

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine
    from sw_stack.mm.mm import Mm

__all__ = ["File"]


class File:
    """`size` pages named `name`. Made by Machine.new_file."""

    def __init__(self, machine: Machine, number: int, name: str, size: int, *, xip: bool = False) -> None:
        if size < 0:
            raise MmError(errno.EINVAL, f"{name}: a file of {size} pages")
        self.machine = machine
        self.id = number
        self.name = name
        self.size = size
        """Pages. Accesses past them are errors (SIGBUS)."""
        self.xip = xip
        self.unlinked = False
        """It has no name: its pages go with the last area that shows it."""
        self.pages: dict[int, Frame] = {}
        """The page cache, or the blocks of an execute-in-place file."""
        self.store: dict[int, bytes] = {}
        """What has been written back, by page."""
        self.sparse: Frame | None = None
        """The page of zeros an execute-in-place file shows where it has no block."""
        self.mms: dict[int, Mm] = {}
        """Address spaces that may have areas of it."""
        self.i_mmap_lock = SpinLock(machine.sched, f"i_mmap_lock[{name}]")

    def __repr__(self) -> str:
        return f"<File {self.name}>"

    def areas(self, first: int, last: int) -> Iterator[tuple[Mm, Vma]]:
        """Every part of an area that shows pages first..last-1; areas that remap_file_pages has reordered whole. Hold
        i_mmap_lock."""
        for mm in list(self.mms.values()):
            for vma in mm.vmas:
                if vma.file is not self:
                    continue
                if vma.flags & VmaFlag.NONLINEAR:
                    yield mm, vma
                    continue
                shown = vma.end - vma.start >> PAGE_SHIFT
                low, high = max(first - vma.pgoff, 0), min(last - vma.pgoff, shown)
                if low < high:
                    yield mm, vma.part(vma.start + (low << PAGE_SHIFT), vma.start + (high << PAGE_SHIFT))

    async def locked_page(self, index: int) -> Frame:
        """The page in the cache, read in if need be, with a pin and its lock held. May sleep. MmError ENOMEM."""
        machine = self.machine
        while True:
            frame = self.pages.get(index)
            if frame is not None:
                frame.pins += 1
                await frame.lock.acquire()
                if frame.file is self and frame.index == index:
                    return frame
                frame.lock.release()  # truncated or moved while this waited
                machine.unpin(frame)
                continue
            frame = await machine.alloc_page()
            if index in self.pages:
                machine.unpin(frame)  # another task was faster while this one waited for memory
                continue
            self.pages[index] = frame
            frame.file, frame.index = self, index
            await frame.lock.acquire()
            await self._read_in(frame)
            machine.reclaimer.add(frame)
            return frame

    async def _read_in(self, frame: Frame) -> None:
        """Fill a page nobody has seen. Its lock is held, so whoever finds it in the cache waits."""
        data = self.store.get(frame.index)
        if data is None:
            self.machine.clear(frame)
            return
        await self.machine.sched.sleep(timing.SW_SWAP_READ)
        self.machine.memory.write(frame.pfn << PAGE_SHIFT, data)
        self.machine.count("file_read")

    def drop_sparse(self) -> None:
        """Give the page of zeros back; it is freed with its last mapping."""
        if self.sparse is not None:
            self.sparse.reserved = False
            self.machine.unpin(self.sparse)
            self.sparse = None

    def forget_page(self, frame: Frame) -> None:
        """The page leaves the cache; it is freed with its last mapping and pin. Hold its lock."""
        del self.pages[frame.index]
        frame.file = None
        frame.flags &= ~PageFlag.DIRTY
