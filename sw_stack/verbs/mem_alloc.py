"""Memory of a process, as pyverbs.mem_alloc has it: mmap, munmap, madvise.

Promises: what the VM refuses is a PyverbsRDMAError with its errno.
"""

from __future__ import annotations

from typing import Final

from sw_stack.mm.mm import Mm
from sw_stack.mm.types import PAGE_SIZE, PROT_READ, PROT_WRITE
from sw_stack.verbs.errors import refused

__all__ = ["HUGE_PAGE_SHIFT", "MAP_ANONYMOUS_", "MAP_HUGETLB_", "MAP_PRIVATE_", "madvise", "mmap", "munmap"]

MAP_PRIVATE_: Final = 0x02
MAP_ANONYMOUS_: Final = 0x20
MAP_HUGETLB_: Final = 0x40000
HUGE_PAGE_SHIFT: Final = 21


def _whole_pages(length: int) -> int:
    return (length + PAGE_SIZE - 1) & -PAGE_SIZE


async def mmap(mm: Mm, length: int, flags: int = MAP_PRIVATE_ | MAP_ANONYMOUS_, prot: int = PROT_READ | PROT_WRITE) -> int:
    """Anonymous private memory; where."""
    huge = HUGE_PAGE_SHIFT if flags & MAP_HUGETLB_ else 0
    with refused("mmap"):
        return await mm.mmap(None, _whole_pages(length), prot, huge=huge)


async def munmap(mm: Mm, addr: int, length: int) -> None:
    """Give it back."""
    with refused("munmap"):
        await mm.munmap(addr, _whole_pages(length))


async def madvise(mm: Mm, addr: int, length: int) -> None:
    """MADV_DONTNEED: the pages go, and come back as zeros. This is how rdma-core's tests force page faults."""
    start = addr & -PAGE_SIZE
    with refused("madvise"):
        await mm.madvise_dontneed(start, _whole_pages(addr + length - start))
