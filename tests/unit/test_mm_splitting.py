"""A large page becomes small ones: nothing a client holds turns false, and parts of it can then go their own way."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable

import pytest
from mm_rig import PAGE, Log, Rig, register

from hwif.shadow import READ, WRITE
from sw_stack.mm import Mm, MmError
from sw_stack.mm.check import audit

AREA = 0x10_0000_0000
SHIFT = 16
PAGES = 1 << SHIFT - 12
HUGE = 1 << SHIFT
BYTES = b"".join(bytes([index + 1]) * PAGE for index in range(PAGES))


def play(body: Callable[[Rig, Mm, Log], Awaitable[None]], *, touched: bool = True) -> Rig:
    """`body` with one large page at AREA, in memory if `touched`, and a client that logs."""
    rig = Rig(128)
    mm, log = rig.machine.new_mm("a"), Log(rig.sched)

    async def whole() -> None:
        await mm.mmap(AREA, HUGE, 3, fixed=True, huge=SHIFT)
        if touched:
            await mm.store(AREA, BYTES)
        await register(mm, log)
        await body(rig, mm, log)
        audit(rig.machine, quiet=True)
        if mm.alive:
            await mm.exit()
        assert rig.machine.frames.free == rig.machine.frames.count

    rig.run(whole())
    return rig


def test_nobody_is_told_and_nothing_changes() -> None:
    async def body(rig: Rig, mm: Mm, log: Log) -> None:
        before = mm.shadow.records()
        frames = [record[0] for record in before.values()]
        await mm.split_large_page(AREA + 5 * PAGE)
        assert log.take() == []
        assert mm.shadow.records() == before and len(before) == PAGES
        assert all(rig.shadow.rights(pfn, mm.id, vpn) == READ | WRITE for vpn, (pfn, _rights) in before.items())
        assert frames == list(range(frames[0], frames[0] + PAGES))
        found = {entry.shift for entry in mm.page_table.entries(AREA >> 12, (AREA + HUGE) >> 12)}
        assert found == {12}
        assert await mm.load(AREA, HUGE) == BYTES
        assert [rig.machine.frames[pfn].order for pfn in frames] == [0] * PAGES
        assert rig.machine.statistics()["split"] == 1

    play(body)


def test_one_small_page_can_be_unmapped_and_only_it_is_announced() -> None:
    async def body(rig: Rig, mm: Mm, log: Log) -> None:
        free = rig.machine.frames.free
        with pytest.raises(MmError, match="EINVAL"):
            await mm.munmap(AREA + 3 * PAGE, PAGE)
        await mm.split_large_page(AREA)
        await mm.munmap(AREA + 3 * PAGE, PAGE)
        assert log.take() == [("begin", AREA + 3 * PAGE, AREA + 4 * PAGE, False), ("end", AREA + 3 * PAGE, AREA + 4 * PAGE, False)]
        assert rig.machine.frames.free == free + 1
        with pytest.raises(MmError, match="EFAULT"):
            await mm.load(AREA + 3 * PAGE, 1)
        assert await mm.load(AREA + 4 * PAGE, HUGE - 4 * PAGE) == BYTES[4 * PAGE :]

    play(body)


def test_the_parts_are_swapped_moved_and_protected_like_any_page() -> None:
    async def body(rig: Rig, mm: Mm, log: Log) -> None:
        await mm.split_large_page(AREA)
        assert await rig.machine.migrate_page(mm, AREA + 2 * PAGE)
        await mm.mprotect(AREA + PAGE, PAGE, 1)
        assert await rig.machine.reclaim(PAGES) > 0
        assert await mm.load(AREA, HUGE) == BYTES
        with pytest.raises(MmError, match="EFAULT"):
            await mm.store(AREA + PAGE, b"x")
        assert rig.machine.statistics()["swapped_in"] > 0

    play(body)


def test_what_was_written_before_is_dirty_afterwards() -> None:
    async def body(rig: Rig, mm: Mm, log: Log) -> None:
        await mm.split_large_page(AREA)
        found = mm.page_table.lookup((AREA >> 12) + 7)
        assert found is not None
        async with mm.mmap_lock.reading():
            translation = mm.follow_page(AREA + 7 * PAGE, True)
        assert translation is not None and translation.dirty and translation.writable and translation.shift == 12

    play(body)


def test_a_page_nobody_has_touched_is_split_too() -> None:
    async def body(rig: Rig, mm: Mm, log: Log) -> None:
        await mm.split_large_page(AREA)
        used = rig.machine.frames.free
        await mm.store(AREA + 9 * PAGE, b"x")
        assert rig.machine.frames.free == used - 1

    play(body, touched=False)


def test_a_shared_page_is_not_split() -> None:
    async def body(rig: Rig, mm: Mm, log: Log) -> None:
        child = await mm.fork("child")
        with pytest.raises(MmError) as refused:
            await mm.split_large_page(AREA)
        assert refused.value.errno == errno.EBUSY
        await child.exit()
        await mm.split_large_page(AREA)
        assert await mm.load(AREA, HUGE) == BYTES

    play(body)


@pytest.mark.parametrize("address", [AREA - PAGE, AREA + HUGE])
def test_there_must_be_a_large_page(address: int) -> None:
    async def body(rig: Rig, mm: Mm, log: Log) -> None:
        await mm.mmap(AREA - PAGE, PAGE, 3, fixed=True)
        with pytest.raises(MmError) as refused:
            await mm.split_large_page(address)
        assert refused.value.errno == errno.EINVAL

    play(body)


def test_only_one_of_neighbouring_large_pages_is_split() -> None:
    async def body(rig: Rig, mm: Mm, log: Log) -> None:
        await mm.mmap(AREA + HUGE, 2 * HUGE, 3, fixed=True, huge=SHIFT)
        await mm.store(AREA + HUGE, BYTES * 2)
        await mm.split_large_page(AREA + HUGE)
        shifts = [entry.shift for entry in mm.page_table.entries(AREA >> 12, (AREA + 3 * HUGE) >> 12)]
        assert shifts == [SHIFT, *[12] * PAGES, SHIFT]
        assert await mm.load(AREA, 3 * HUGE) == BYTES * 3

    play(body)
