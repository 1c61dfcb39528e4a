"""Guards of the VM that one interleaving needs, each met on purpose: without the guard, its test fails."""

from __future__ import annotations

import pytest
from mm_context import AREA, RW, Scene, at, stage
from mm_rig import PAGE, Log, Rig, register

from hwif.shadow import READ, WRITE
from sw_stack.mm import Mm, MmError
from sw_stack.mm.check import audit
from sw_stack.mm.filemap import truncate, writeback
from sw_stack.mm.frames import PageFlag
from sw_stack.mm.oom import oom_reap
from sw_stack.mm.pagetable import PRESENT, WAS_WRITE
from sw_stack.mm.pagetable import WRITE as PTE_WRITE
from sw_stack.mm.pfnmap import alloc_reserved, free_reserved, remap_pfn_range
from sw_stack.notifier import MmuNotifier


@pytest.mark.parametrize("delay", range(0, 4000, 100))
def test_a_page_mlocked_while_reclaim_has_it_in_hand_stays(delay: int) -> None:
    rig = Rig(frames=16)
    mm = rig.machine.new_mm("a")

    async def prepare() -> None:
        await mm.mmap(AREA, PAGE, RW, fixed=True)
        await mm.store(AREA, b"x")
        await register(mm, Log(rig.sched, cycles=300))  # takes its time to say that the page is not young

    async def lock() -> None:
        await rig.sched.sleep(1 + delay)
        await mm.mlock(AREA, PAGE)

    rig.run(prepare())
    rig.run(rig.machine.reclaim(1), lock())
    assert mm.page_table.get(AREA // PAGE) & PRESENT


@pytest.mark.parametrize("delay", range(0, 8000, 80))
def test_a_leaf_is_not_freed_while_reclaim_has_emptied_an_entry(delay: int) -> None:
    """Two pages of one leaf. The first entry is empty while its page is flushed; the second is unmapped meanwhile, and the leaf
    must stay."""
    rig = Rig(frames=16)
    mm = rig.machine.new_mm("a")

    async def prepare() -> None:
        for page in (0, 2):
            await mm.mmap(at(page), PAGE, RW, fixed=True)
            await mm.store(at(page), b"x")

    async def out() -> None:
        await rig.sched.sleep(1 + delay)
        await rig.machine.reclaim(2)

    async def unmap() -> None:
        await rig.sched.sleep(2000)
        await mm.munmap(at(2), PAGE)
        await mm.munmap(at(0), PAGE)

    rig.run(prepare())
    rig.run(out(), unmap())
    audit(rig.machine, quiet=True)
    assert rig.machine.frames.free == rig.machine.frames.count and rig.machine.swap.used == 0


# ---- KSM -----------------------------------------------------------------------------------------------------------------


def test_a_merged_page_with_one_user_left_is_that_users_again() -> None:
    """From swap, by a store: it is written in place, so nobody may be merged with it as it was."""

    async def body(s: Scene) -> None:
        await s.mm.madvise_mergeable(AREA, PAGE)
        await s.machine.ksm_scan()
        frame = s.frame(0)
        assert frame.flags & PageFlag.KSM
        frame.pins += 1  # it stays in the swap cache
        await s.machine.reclaim(1)
        assert not frame.mapped and frame.slot is not None
        frame.pins -= 1
        await s.mm.store(AREA, b"mine")
        assert s.frame(0) is frame and s.mm.page_table.get(AREA // PAGE) & PTE_WRITE and not frame.flags & PageFlag.KSM

    stage(body, pages=1)


class Delays(MmuNotifier):
    """Holds the begin of a range of one page up, the `skip`-th time and later."""

    def __init__(self, scene: Scene, page: int, skip: int) -> None:
        self.scene, self.page, self.skip = scene, page, skip
        self.seen = 0

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        if start == at(self.page):
            self.seen += 1
            if self.seen > self.skip:
                await self.scene.rig.sched.sleep(400_000)


def test_the_page_merged_with_is_looked_at_again() -> None:
    """It was merged when it was found. By the time the other page's range has begun it has been to swap and back, for a store."""

    async def body(s: Scene) -> None:
        for page in (0, 1):
            await s.mm.store(at(page), b"equal" * 8)
        await s.mm.madvise_mergeable(AREA, 2 * PAGE)
        slow = Delays(s, 1, skip=1)  # its write protection passes, its replacement waits
        async with s.mm.mmap_lock.writing():
            s.mm.notifiers.register(slow)

        async def meanwhile() -> None:
            while slow.seen < 2:
                await s.rig.sched.sleep(500)
            await s.machine.reclaim(1)
            await s.mm.store(AREA, b"equal" * 8)  # the same bytes: only the mark tells

        task = s.rig.sched.spawn(meanwhile(), "meanwhile", 1)
        assert await s.machine.ksm_scan() == 0
        await s.rig.sched.join(task)
        assert s.frame(0) is not s.frame(1) and s.mm.page_table.get(AREA // PAGE) & PTE_WRITE

    stage(body, pages=2)


# ---- files ---------------------------------------------------------------------------------------------------------------


class SlowToCut(MmuNotifier):
    """Takes its time over a range that may not sleep, and none over others: truncate's begins last longer than mremap's."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        if atomic:
            await self.rig.sched.charge(1500)


@pytest.mark.parametrize("delay", range(0, 6000, 60))
def test_private_copies_do_not_move_past_a_truncate(delay: int) -> None:
    """They are not in the page cache: what the first look at the areas misses, nobody finds."""
    rig = Rig(frames=64)
    mm, file = rig.machine.new_mm("a"), rig.machine.new_file("file", 8)

    async def prepare() -> None:
        await mm.mmap(AREA, 8 * PAGE, RW, fixed=True, file=file)
        for page in range(8):
            await mm.store(at(page), b"copy")
        await register(mm, SlowToCut(rig))

    async def cut() -> None:
        await rig.sched.sleep(3000)
        await truncate(file, 0)

    async def move() -> None:
        await rig.sched.sleep(1 + delay)
        await mm.mremap(AREA, 8 * PAGE, 8 * PAGE, new=at(100))

    rig.run(prepare())
    rig.run(cut(), move())
    assert mm.page_table.entries(AREA // PAGE, at(200) // PAGE) == []


def test_shared_memory_goes_with_the_last_area_that_shows_it() -> None:
    async def body(s: Scene) -> None:
        free = s.machine.frames.free
        await s.mm.mmap(AREA, 2 * PAGE, RW, fixed=True, shared=True)
        await s.mm.store(at(0), b"shared")
        child = await s.mm.fork("child")
        await s.mm.munmap(AREA, 2 * PAGE)
        assert await child.load(at(0), 6) == b"shared"
        await child.exit()
        assert s.machine.frames.free == free

    stage(body, memory=False)


# ---- a device's own ------------------------------------------------------------------------------------------------------


def rights(s: Scene, page: int) -> int:
    record = s.mm.shadow.records().get(at(page) // PAGE)
    return 0 if record is None else record[1]


async def take(s: Scene, page: int) -> None:
    async with s.mm.mmap_lock.reading():
        await s.mm.make_device_exclusive(at(page))


def test_mprotect_takes_the_right_to_write_from_the_device_too() -> None:
    async def body(s: Scene) -> None:
        await take(s, 0)
        assert rights(s, 0) == READ | WRITE
        await s.mm.mprotect(AREA, PAGE, 1)
        assert rights(s, 0) == READ and not s.mm.page_table.get(AREA // PAGE) & WAS_WRITE
        await s.mm.mprotect(AREA, PAGE, RW)
        await s.mm.load(AREA, 1)
        assert not s.mm.page_table.get(AREA // PAGE) & PTE_WRITE  # given back by a store, which knows who shares

    stage(body, pages=1)


def test_writeback_takes_it_as_well() -> None:
    """Else the device stores on to a page that counts as clean, and reclaim drops it."""

    async def body(s: Scene) -> None:
        file = s.machine.new_file("file", 1)
        await s.mm.mmap(AREA, PAGE, RW, fixed=True, file=file, shared=True)
        await s.mm.store(AREA, b"x")
        await take(s, 0)
        assert await writeback(file) == 1
        assert rights(s, 0) == READ
        await s.mm.load(AREA, 1)
        assert not s.frame(0).flags & PageFlag.DIRTY and not s.mm.page_table.get(AREA // PAGE) & PTE_WRITE
        await s.mm.store(AREA, b"y")
        assert s.frame(0).flags & PageFlag.DIRTY

    stage(body, memory=False)


def test_a_page_others_map_is_no_devices_own() -> None:
    async def body(s: Scene) -> None:
        other, file = s.machine.new_mm("other"), s.machine.new_file("file", 1)
        for mm in (s.mm, other):
            await mm.mmap(AREA, PAGE, RW, fixed=True, file=file, shared=True)
            await mm.store(AREA, b"x")
        with pytest.raises(MmError, match="EBUSY: a: the page at 0x1000000000 is shared"):
            await take(s, 0)
        await other.exit()

    stage(body, memory=False)


# ---- what nobody may take ------------------------------------------------------------------------------------------------


def test_the_reaper_leaves_what_is_locked_shared_or_a_drivers() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mlock(at(0), PAGE)
        await s.mm.mmap(at(8), PAGE, RW, fixed=True, shared=True)
        await s.mm.store(at(8), b"x")
        frames = await alloc_reserved(s.machine, 1)
        await remap_pfn_range(s.mm, at(9), frames, RW)
        s.mm.oom_victim = True
        await oom_reap(s.mm)
        present = [page for page in (0, 1, 2, 3, 8, 9) if s.mm.page_table.get(at(page) // PAGE) & PRESENT]
        assert present == [0, 8, 9]
        s.mm.oom_victim = False
        with pytest.raises(MmError, match=r"EINVAL: .* is mlocked, or a driver's"):
            await s.mm.madvise_dontneed(at(9), PAGE)
        await s.mm.munmap(at(9), PAGE)
        free_reserved(s.machine, frames)

    stage(body)
