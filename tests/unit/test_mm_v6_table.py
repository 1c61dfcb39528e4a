"""The ranges of the V6 table (V6-2, V6-3): which event calls which notifier, in what order, with what range, and in what context.

A callback is compared whole: its arguments, the locks its caller holds, and whether it may sleep.
"""

from __future__ import annotations

import pytest
from mm_context import AREA, I_MMAP, MMAP_R, MMAP_W, RW, ContextLog, Scene, at, atomic_begin, atomic_end, begin, end, stage
from mm_files import file_area
from mm_rig import PAGE, register

from sw_stack.mm import MmError
from sw_stack.mm.filemap import punch, truncate
from sw_stack.mm.frames import PageFlag
from sw_stack.mm.pagetable import WRITE
from sw_stack.mm.pfnmap import alloc_reserved, apply_to_page_range, free_reserved, remap_pfn_range

HUGE = 21
HUGE_PAGES = 512


# ---- munmap, mmap over, brk --------------------------------------------------------------------------------------------


def test_munmap() -> None:
    async def body(s: Scene) -> None:
        await s.mm.munmap(at(1), 2 * PAGE)
        assert s.log.take() == [begin(1, 3), end(1, 3)]

    stage(body)


def test_mmap_over() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mmap(at(1), PAGE, RW, fixed=True)
        assert s.log.take() == [begin(1, 2), end(1, 2)]

    stage(body)


def test_brk_shrink() -> None:
    async def body(s: Scene) -> None:
        s.mm.set_heap(at(8))
        await s.mm.brk(at(10))
        await s.mm.store(at(9), b"heap")
        assert s.log.take() == []
        await s.mm.brk(at(9))
        assert s.log.take() == [begin(9, 10), end(9, 10)]

    stage(body)


@pytest.mark.parametrize("shift", [21, 30])
def test_hugetlb_unmap_nests_an_atomic_range(shift: int) -> None:
    pages = 1 << shift - 12

    async def body(s: Scene) -> None:
        start = (1 << 40) // PAGE - AREA // PAGE
        await s.mm.mmap(1 << 40, 1 << shift, RW, fixed=True, huge=shift)
        await s.mm.store(1 << 40, b"large")
        s.log.take()
        await s.mm.munmap(1 << 40, 1 << shift)
        assert s.log.take() == [
            begin(start, start + pages),
            atomic_begin(start, start + pages, (MMAP_W,)),
            atomic_end(start, start + pages, (MMAP_W,)),
            end(start, start + pages),
        ]

    stage(body, frames=2 * pages)


# ---- zap_page_range ----------------------------------------------------------------------------------------------------


def test_madvise_dontneed_may_sleep() -> None:
    async def body(s: Scene) -> None:
        await s.mm.madvise_dontneed(at(1), 2 * PAGE)
        assert s.log.take() == [begin(1, 3, (MMAP_R,)), end(1, 3, (MMAP_R,))]

    stage(body)


@pytest.mark.parametrize("shared", [False, True])
def test_truncate_is_atomic_under_i_mmap_lock(shared: bool) -> None:
    async def body(s: Scene) -> None:
        file = await file_area(s, shared=shared)
        await truncate(file, 2)
        assert s.log.take() == [atomic_begin(2, 4, (I_MMAP,)), atomic_end(2, 4, (I_MMAP,))]
        assert s.mm.page_table.lookup(at(2) // PAGE) is None and s.frame(1)

    stage(body, memory=False)


def test_truncate_gives_the_lock_a_rest_after_a_block() -> None:
    async def body(s: Scene) -> None:
        file = await file_area(s, 130)
        await truncate(file, 0)
        calls = s.log.take()
        assert calls == [
            call for first in (0, 64, 128) for call in (atomic_begin(first, 130, (I_MMAP,)), atomic_end(first, 130, (I_MMAP,)))
        ]
        assert not file.pages and s.machine.frames.free == s.machine.frames.count

    stage(body, memory=False, frames=256)


def test_hole_punch() -> None:
    async def body(s: Scene) -> None:
        file = await file_area(s)
        await punch(file, 1, 2)
        assert s.log.take() == [atomic_begin(1, 2, (I_MMAP,)), atomic_end(1, 2, (I_MMAP,))]
        assert await s.mm.load(at(1), 4) == bytes(4) and await s.mm.load(at(2), 4) == b"\3\3\3\3"

    stage(body, memory=False)


# ---- mprotect, mremap, fork, COW ---------------------------------------------------------------------------------------


def test_mprotect() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mprotect(at(1), 2 * PAGE, 1)
        assert s.log.take() == [begin(1, 3), end(1, 3)]

    stage(body)


def test_mremap_announces_the_old_range_only() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mremap(at(0), 2 * PAGE, 2 * PAGE, new=at(100))
        # round move_page_tables; then the old area is unmapped as munmap does
        assert s.log.take() == [begin(0, 2), end(0, 2), begin(0, 2), end(0, 2)]

    stage(body)


def test_mremap_of_a_file() -> None:
    async def body(s: Scene) -> None:
        await file_area(s)
        await s.mm.mremap(at(0), 2 * PAGE, 2 * PAGE, new=at(100))
        # i_mmap_lock is taken inside the range, as move_ptes does: the range may sleep
        assert s.log.take() == [begin(0, 2), end(0, 2), begin(0, 2), end(0, 2)]

    stage(body, memory=False)


def test_fork_announces_private_areas_on_the_parent() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mmap(at(8), PAGE, RW, fixed=True, shared=True)
        await s.mm.store(at(8), b"shared")
        s.log.take()
        child = await s.mm.fork("child")
        # The child's lock is inside the parent's: dup_mmap holds both.
        assert s.log.take() == [begin(0, 4, (MMAP_W, MMAP_W)), end(0, 4, (MMAP_W, MMAP_W))]
        await child.store(at(8), b"by the child")
        assert await s.mm.load(at(8), 12) == b"by the child"
        assert s.log.take() == []
        await child.exit()

    stage(body)


def test_fork_of_hugetlb_is_announced() -> None:
    async def body(s: Scene) -> None:
        start = (1 << 40) // PAGE - AREA // PAGE
        await s.mm.mmap(1 << 40, 1 << HUGE, RW, fixed=True, huge=HUGE)
        await s.mm.store(1 << 40, b"large")
        s.log.take()
        child = await s.mm.fork("child")
        locks = (MMAP_W, MMAP_W)
        assert s.log.take() == [begin(start, start + HUGE_PAGES, locks), end(start, start + HUGE_PAGES, locks)]
        await child.exit()

    stage(body, memory=False, frames=2048)


def test_copy_on_write_is_a_range_of_one_page_and_reuse_calls_nobody() -> None:
    async def body(s: Scene) -> None:
        child = await s.mm.fork("child")
        s.log.take()
        await s.mm.store(at(1), b"mine")
        locks = (MMAP_R,)
        # The end comes after the pte lock was given back.
        assert s.log.take() == [begin(1, 2, locks), end(1, 2, locks)]
        await child.exit()
        await s.mm.store(at(2), b"alone")
        assert s.log.take() == [] and s.machine.statistic("fault_reuse") == 1

    stage(body)


def test_copy_on_write_of_a_private_file_page() -> None:
    async def body(s: Scene) -> None:
        file = await file_area(s, shared=False, write=False)
        await s.mm.store(at(1), b"mine")
        assert s.log.take() == [begin(1, 2, (MMAP_R,)), end(1, 2, (MMAP_R,))]
        assert not file.pages[1].flags & PageFlag.DIRTY and file.pages[1].mapcount == 0
        await s.mm.store(at(4 - 1), b"x")
        s.log.take()

    stage(body, memory=False)


def test_a_store_to_a_private_file_page_nobody_has_seen_calls_nobody() -> None:
    async def body(s: Scene) -> None:
        file = s.machine.new_file("file", 1)
        await s.mm.mmap(AREA, PAGE, RW, fixed=True, file=file)
        await s.mm.store(AREA, b"mine")
        assert s.log.take() == []
        assert await s.mm.load(AREA, 4) == b"mine" and file.pages[0].mapcount == 0

    stage(body, memory=False)


def test_upgrade_of_a_shared_file_page_calls_nobody() -> None:
    async def body(s: Scene) -> None:
        file = await file_area(s, write=False)
        await s.mm.store(at(1), b"through")
        assert s.log.take() == [] and file.pages[1].flags & PageFlag.DIRTY

    stage(body, memory=False)


# ---- remap_file_pages, XIP ---------------------------------------------------------------------------------------------


def test_remap_file_pages() -> None:
    async def body(s: Scene) -> None:
        await file_area(s)
        await s.mm.remap_file_pages(at(0), 2 * PAGE, 2)
        assert s.log.take() == [begin(0, 2), end(0, 2)]
        assert [(await s.mm.load(at(number), 1))[0] for number in range(4)] == [3, 4, 3, 4]
        assert s.log.take() == []

    stage(body, memory=False)


def test_xip_unmap_is_atomic_and_has_no_page_lock() -> None:
    async def body(s: Scene) -> None:
        other, log = s.machine.new_mm("b"), ContextLog(s.rig.sched)
        file = await file_area(s, 2, write=False, xip=True)
        await other.mmap(at(10), 2 * PAGE, 1, fixed=True, file=file, shared=True)
        await other.load(at(10), 1)
        await register(other, log)
        await s.mm.store(at(0), b"a block")
        assert s.log.take() == [atomic_begin(0, 1, (MMAP_R, I_MMAP)), atomic_end(0, 1, (MMAP_R, I_MMAP))]
        assert log.take() == [atomic_begin(10, 11, (MMAP_R, I_MMAP)), atomic_end(10, 11, (MMAP_R, I_MMAP))]
        assert await other.load(at(10), 7) == b"a block" and await other.load(at(11), 4) == bytes(4)
        await other.exit()

    stage(body, memory=False)


# ---- a driver's mappings -----------------------------------------------------------------------------------------------


def test_remap_pfn_range_and_apply_to_page_range() -> None:
    async def body(s: Scene) -> None:
        frames = await alloc_reserved(s.machine, 2)
        await remap_pfn_range(s.mm, at(8), frames, RW)
        assert s.log.take() == [begin(8, 10), end(8, 10)]
        await s.mm.store(at(9), b"driver")
        assert s.machine.memory.read(frames[1].pfn * PAGE, 6) == b"driver"
        await apply_to_page_range(s.mm, at(8), 2 * PAGE, lambda _vpn, pte: pte & ~WRITE)
        assert s.log.take() == [begin(8, 10), end(8, 10)]
        assert not s.mm.touch_fast(at(9) // PAGE, write=True)
        await apply_to_page_range(s.mm, at(8), PAGE, lambda _vpn, pte: 0)
        assert s.log.take() == [begin(8, 9), end(8, 9)]
        with pytest.raises(MmError, match="SIGBUS"):
            await s.mm.load(at(8), 1)
        for bad in (apply_to_page_range(s.mm, at(0), PAGE, lambda _vpn, pte: pte), remap_pfn_range(s.mm, at(0), frames, RW)):
            with pytest.raises(MmError, match=r"not a driver's mapping|is mapped"):
                await bad
        with pytest.raises(MmError, match="may take away"):
            await remap_pfn_range(s.mm, at(20), [s.frame(0)], RW)
        s.log.take()
        assert await s.machine.reclaim(8) == 4  # the program's own pages, none of the driver's
        await s.mm.munmap(at(8), 2 * PAGE)
        free_reserved(s.machine, frames)

    stage(body)
