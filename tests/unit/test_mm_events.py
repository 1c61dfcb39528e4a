"""Which event of the VM calls which notifier, with what range, and when the oracle's records change."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from mm_events_rig import AREA, RW, Scene, at, record, span, stage
from mm_rig import PAGE, Log, register

from hwif.gen.events import TraceEvent
from hwif.shadow import READ, WRITE
from sw_stack.mm import Mm, MmError, forking
from sw_stack.mm.check import audit
from sw_stack.mm.pagetable import Entry


def test_munmap_is_one_sleeping_range_and_frees_inside_it() -> None:
    async def body(s: Scene) -> None:
        free = s.rig.machine.frames.free
        await s.mm.munmap(at(1), 2 * PAGE)
        assert s.log.take() == [span(1, 3, "begin"), span(1, 3, "end")]
        assert s.rig.machine.frames.free == free + 2
        assert record(s.mm, 0) and not record(s.mm, 1) and not record(s.mm, 2) and record(s.mm, 3)
        with pytest.raises(MmError) as caught:
            await s.mm.load(at(1), 1)
        assert caught.value.errno == errno.EFAULT
        await s.mm.munmap(at(1), 2 * PAGE)  # nothing there: no call
        assert s.log.take() == []

    stage(body)


def test_pages_are_freed_after_begin_returned_and_before_end() -> None:
    class Watch(Log):
        async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
            await self._note("begin", mm.machine.frames.free, record(mm, 0) is not None)

        async def invalidate_range_end(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
            await self._note("end", mm.machine.frames.free, record(mm, 0) is not None)

    async def body(s: Scene) -> None:
        watch = Watch(s.rig.sched)
        await register(s.mm, watch)
        free = s.rig.machine.frames.free
        await s.mm.munmap(AREA, 4 * PAGE)
        assert watch.calls == [("begin", free, True), ("end", free + 4, False)]

    stage(body)


def test_mapping_over_a_mapping_unmaps_it() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mmap(at(1), PAGE, RW, fixed=True)
        assert s.log.take() == [span(1, 2, "begin"), span(1, 2, "end")]
        assert await s.mm.load(at(1), 4) == bytes(4)

    stage(body)


def test_brk_growth_is_silent_and_shrinking_is_a_range() -> None:
    async def body(s: Scene) -> None:
        base = await s.mm.brk(0)
        assert await s.mm.brk(base + 3 * PAGE + 5) == base + 3 * PAGE + 5
        await s.mm.store(base, b"heap" * 4000)
        assert s.log.take() == []
        assert await s.mm.brk(base + PAGE) == base + PAGE
        assert s.log.take() == [("begin", base + PAGE, base + 4 * PAGE, False), ("end", base + PAGE, base + 4 * PAGE, False)]
        assert await s.mm.load(base, 4) == b"heap"
        assert await s.mm.brk(base - 1) == base + PAGE  # refused as the system call refuses: by the old value

    stage(body)


def test_the_loader_chooses_where_the_heap_begins() -> None:
    async def body(s: Scene) -> None:
        s.mm.set_heap(0x55_5555_5000)
        assert await s.mm.brk(0) == 0x55_5555_5000
        assert await s.mm.brk(0x55_5555_6000) == 0x55_5555_6000
        await s.mm.store(0x55_5555_5000, b"heap")
        s.mm.set_heap(0x55_5555_5123, 0x55_5555_5ABC)  # a heap may begin and end anywhere within pages
        assert await s.mm.brk(0x55_5555_5200) == 0x55_5555_5200
        assert await s.mm.load(0x55_5555_5000, 4) == b"heap"
        with pytest.raises(MmError, match="no heap from 0x2000 to 0x1000"):
            s.mm.set_heap(0x2000, 0x1000)

    stage(body)


def test_madvise_dontneed_drops_contents_and_keeps_the_mapping() -> None:
    async def body(s: Scene) -> None:
        await s.mm.madvise_dontneed(at(1), 2 * PAGE)
        assert s.log.take() == [span(1, 3, "begin"), span(1, 3, "end")]
        assert await s.mm.load(at(1), 16) == bytes(16)
        assert await s.mm.load(at(3), 4) == b"\x04" * 4
        with pytest.raises(MmError) as caught:
            await s.mm.madvise_dontneed(at(3), 2 * PAGE)
        assert caught.value.errno == errno.ENOMEM
        assert await s.mm.load(at(3), 4) == bytes(4)  # what was mapped is dropped all the same

    stage(body)


def test_mprotect_narrows_at_the_end_and_widens_by_a_fault_without_a_call() -> None:
    async def body(s: Scene) -> None:
        assert (record(s.mm, 1) or (0, 0))[1] == READ | WRITE
        await s.mm.mprotect(at(1), 2 * PAGE, 1)
        assert s.log.take() == [span(1, 3, "begin"), span(1, 3, "end")]
        assert (record(s.mm, 1) or (0, 0))[1] == READ
        with pytest.raises(MmError):
            await s.mm.store(at(1), b"x")
        await s.mm.mprotect(at(1), 2 * PAGE, RW)
        assert s.log.take() == [span(1, 3, "begin"), span(1, 3, "end")]
        assert (record(s.mm, 1) or (0, 0))[1] == READ  # the right to write comes with the next write
        await s.mm.store(at(1), b"x")
        assert s.log.take() == [] and (record(s.mm, 1) or (0, 0))[1] == READ | WRITE
        assert s.rig.machine.statistics()["fault_reuse"] == 1
        await s.mm.mprotect(at(1), 2 * PAGE, RW)  # nothing changes: no call
        assert s.log.take() == []

    stage(body)


def test_mprotect_none_takes_all_rights_and_keeps_the_page() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mprotect(AREA, 4 * PAGE, 0)
        assert s.mm.shadow.records() == {}
        async with s.mm.mmap_lock.reading():
            assert s.mm.follow_page(at(0), False) is None
        with pytest.raises(MmError):
            await s.mm.load(at(0), 1)
        await s.mm.mprotect(AREA, 4 * PAGE, 1)
        assert await s.mm.load(at(2), 4) == b"\x03" * 4

    stage(body)


def test_mprotect_is_announced_area_by_area() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mprotect(at(1), PAGE, 1)
        s.log.take()
        await s.mm.mprotect(AREA, 4 * PAGE, 0)
        assert s.log.take() == [
            span(0, 1, "begin"), span(0, 1, "end"), span(1, 2, "begin"), span(1, 2, "end"), span(2, 4, "begin"), span(2, 4, "end"),
        ]  # fmt: skip
        assert len(s.mm.vmas) == 1  # merged again
        with pytest.raises(MmError) as caught:
            await s.mm.mprotect(at(3), 2 * PAGE, 1)
        assert caught.value.errno == errno.ENOMEM and s.log.take() == []

    stage(body)


def test_mremap_moves_the_entries_and_keeps_the_frames() -> None:
    async def body(s: Scene) -> None:
        before = [record(s.mm, page) for page in range(4)]
        new = AREA + 0x1000_0000
        assert await s.mm.mremap(AREA, 4 * PAGE, 6 * PAGE, new=new) == new
        old_range = [span(0, 4, "begin"), span(0, 4, "end")]
        assert s.log.take() == old_range * 2  # the move, then the unmapping of the old area
        assert [s.mm.shadow.records()[new // PAGE + page] for page in range(4)] == before
        assert record(s.mm, 0) is None
        assert await s.mm.load(new + 3 * PAGE, 4) == b"\x04" * 4
        assert await s.mm.load(new + 5 * PAGE, 4) == bytes(4)

    stage(body)


def test_mremap_grows_and_shrinks_in_place_if_it_can() -> None:
    async def body(s: Scene) -> None:
        assert await s.mm.mremap(AREA, 4 * PAGE, 6 * PAGE) == AREA
        assert s.log.take() == []
        await s.mm.store(at(5), b"tail")
        assert await s.mm.mremap(AREA, 6 * PAGE, 2 * PAGE) == AREA
        assert s.log.take() == [span(2, 6, "begin"), span(2, 6, "end")]
        assert await s.mm.mremap(AREA, 2 * PAGE, 2 * PAGE) == AREA
        await s.mm.mmap(at(2), PAGE, 1, fixed=True)
        with pytest.raises(MmError) as caught:
            await s.mm.mremap(AREA, 2 * PAGE, 4 * PAGE, may_move=False)
        assert caught.value.errno == errno.ENOMEM
        moved = await s.mm.mremap(AREA, 2 * PAGE, 4 * PAGE)
        assert moved != AREA and await s.mm.load(moved, 2) == b"\x01\x01"

    stage(body)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"old": AREA + 1, "old_len": PAGE, "new_len": PAGE}, errno.EINVAL),
        ({"old": AREA, "old_len": PAGE, "new_len": 0}, errno.EINVAL),
        ({"old": AREA, "old_len": 9 * PAGE, "new_len": 10 * PAGE}, errno.EFAULT),
        ({"old": AREA, "old_len": 2 * PAGE, "new_len": 2 * PAGE, "new": AREA + PAGE}, errno.EINVAL),
        ({"old": AREA, "old_len": PAGE, "new_len": PAGE, "new": 0x1000, "may_move": False}, errno.EINVAL),
        ({"old": 0x5000, "old_len": PAGE, "new_len": PAGE, "new": AREA}, errno.EFAULT),
    ],
)
def test_mremap_refusals_change_nothing(args: dict[str, Any], code: int) -> None:
    async def body(s: Scene) -> None:
        with pytest.raises(MmError) as caught:
            await s.mm.mremap(**args)
        assert caught.value.errno == code and s.log.take() == []
        assert await s.mm.load(at(0), 2) == b"\x01\x01"

    stage(body)


def test_fork_invalidates_the_parent_area_by_area_and_shares_the_frames() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mprotect(at(1), PAGE, 1)
        s.log.take()
        child = await s.mm.fork("child")
        assert s.log.take() == [
            span(0, 1, "begin"), span(0, 1, "end"), span(1, 2, "begin"), span(1, 2, "end"), span(2, 4, "begin"), span(2, 4, "end"),
        ]  # fmt: skip
        for page in range(4):
            pfn, rights = record(s.mm, page) or (0, 0)
            assert rights == READ and record(child, page) == (pfn, READ)
            assert s.rig.machine.frames[pfn].mapcount == 2
        audit(s.rig.machine)
        await child.exit()

    stage(body)


def test_copy_on_write_is_a_range_of_one_page_and_reuse_is_silent() -> None:
    async def body(s: Scene) -> None:
        child = await s.mm.fork("child")
        s.log.take()
        shared = record(s.mm, 1)
        await s.mm.store(at(1), b"new")
        assert s.log.take() == [span(1, 2, "begin"), span(1, 2, "end")]
        copied = record(s.mm, 1)
        assert shared and copied and copied[0] != shared[0] and copied[1] == READ | WRITE
        assert await child.load(at(1), 3) == b"\x02" * 3 and await s.mm.load(at(1), 5) == b"new\x02\x02"
        await child.store(at(1), b"own")  # nobody shares the page any more
        assert record(child, 1) == (shared[0], READ | WRITE)
        statistics = s.rig.machine.statistics()
        assert (statistics["fault_cow"], statistics["fault_reuse"]) == (1, 1)
        assert s.log.take() == []
        await child.exit()
        assert s.log.take() == []

    stage(body)


def test_first_touch_is_silent() -> None:
    async def body(s: Scene) -> None:
        place = await s.mm.mmap(None, 4 * PAGE, RW)
        await s.mm.touch(place, write=False)
        await s.mm.touch(place + PAGE, write=True)
        assert s.log.take() == []
        assert s.mm.shadow.records()[place // PAGE][1] == READ | WRITE

    stage(body)


def test_exit_releases_then_unmaps_in_silence() -> None:
    async def body(s: Scene) -> None:
        mm = s.rig.machine.new_mm("b")
        log = Log(s.rig.sched)
        await register(mm, log)
        place = await mm.mmap(None, 3 * PAGE, RW)
        await mm.store(place, bytes(3 * PAGE))
        await mm.exit()
        assert log.take() == [("release",)]
        assert not mm.alive and mm.id not in s.rig.machine.mms
        for call in (mm.munmap(place, PAGE), mm.fork("x"), mm.exit(), mm.brk(0), mm.madvise_dontneed(place, PAGE)):
            with pytest.raises(MmError) as caught:
                await call
            assert caught.value.errno == errno.ESRCH
        with pytest.raises(MmError) as caught:
            await mm.load(place, 1)
        assert caught.value.errno == errno.EFAULT
        async with mm.mmap_lock.reading():
            assert mm.follow_page(place, False) is None
            with pytest.raises(MmError):
                await mm.get_user_pages(place, False)

    scene = stage(body)
    assert len(scene.rig.seen(TraceEvent.VM_EXIT)) == 1


def test_large_pages_nest_an_atomic_range() -> None:
    async def body(s: Scene) -> None:
        place = await s.mm.mmap(None, 2 << 14, RW, huge=14)
        await s.mm.store(place + 5 * PAGE, b"large")
        async with s.mm.mmap_lock.reading():
            found = s.mm.follow_page(place + 6 * PAGE, True)
        assert found and found.shift == 14 and found.pfn == found.base_pfn + 2 and found.base_pfn % 4 == 0
        child = await s.mm.fork("child")
        assert s.log.take()[-1] == ("end", place, place + (2 << 14), False)
        await s.mm.store(place + 4 * PAGE, b"mine")
        assert s.log.take() == [
            ("begin", place + (1 << 14), place + (2 << 14), False), ("end", place + (1 << 14), place + (2 << 14), False),
        ]  # fmt: skip
        assert await child.load(place + 4 * PAGE, 4) == bytes(4) and await child.load(place + 5 * PAGE, 5) == b"large"
        audit(s.rig.machine)
        for call in (
            s.mm.munmap(place, PAGE), s.mm.mprotect(place + PAGE, PAGE, 1), s.mm.madvise_dontneed(place, PAGE),
            s.mm.mremap(place, 2 << 14, 4 << 14), s.rig.machine.migrate_page(s.mm, place), s.mm.mmap(place, PAGE, 1, fixed=True),
        ):  # fmt: skip
            with pytest.raises(MmError) as caught:
                await call
            assert caught.value.errno == errno.EINVAL
        s.log.take()
        await s.mm.munmap(place, 2 << 14)
        whole = (place, place + (2 << 14))
        assert s.log.take() == [
            ("begin", *whole, False), ("begin", *whole, True), ("end", *whole, True), ("end", *whole, False),
        ]  # fmt: skip
        await child.exit()

    stage(body)


def test_the_first_and_the_last_page_of_the_address_space_are_pages() -> None:
    async def body(s: Scene) -> None:
        last = (1 << 64) - PAGE
        for place in (0, last):
            await s.mm.mmap(place, PAGE, RW, fixed=True)
            await s.mm.store(place + PAGE - 4, b"edge")
            assert await s.mm.load(place + PAGE - 4, 4) == b"edge"
        with pytest.raises(MmError):
            await s.mm.load((1 << 64) - 2, 4)
        await s.mm.munmap(last, PAGE)
        assert s.log.take() == [("begin", last, 1 << 64, False), ("end", last, 1 << 64, False)]

    stage(body)


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_fork_that_fails_half_way_ends_its_range_and_leaves_no_child(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    async def body(s: Scene) -> None:
        await s.mm.mprotect(at(2), 2 * PAGE, 1)
        s.log.take()
        share, calls = forking._share, [0]

        def fails(parent: Mm, child: Mm, entry: Entry, cow: bool) -> None:
            calls[0] += 1
            if calls[0] == step:
                raise MmError(errno.ENOMEM, "no memory for a page table")
            share(parent, child, entry, cow)

        monkeypatch.setattr(forking, "_share", fails)
        with pytest.raises(MmError, match="no memory for a page table"):
            await s.mm.fork("child")
        assert [call[0] for call in s.log.take()] == ["begin", "end"] * (1 if step <= 2 else 2)
        assert list(s.rig.machine.mms) == [s.mm.id]
        await s.mm.store(at(0), b"alone again")

    stage(body)
