"""Which event of the VM calls which notifier, with what range, and when the oracle's records change."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mm_rig import PAGE, Log, Rig, register

from hwif.gen.events import TraceEvent
from hwif.shadow import READ, WRITE, ShadowError
from sw_stack.mm import Mm, MmError, Translation, forking
from sw_stack.mm.check import audit
from sw_stack.mm.pagetable import Entry
from sw_stack.mm.shadow_feed import MmShadow
from sw_stack.notifier import NotifierError
from sw_stack.sched import LockdepError

RW = 3
AREA = 0x10_0000_0000


class Scene:
    """An address space with `pages` written pages at AREA and a client that logs."""

    def __init__(self, rig: Rig, mm: Mm, log: Log) -> None:
        self.rig, self.mm, self.log = rig, mm, log


def stage(body: Callable[[Scene], Awaitable[None]], *, pages: int = 4, frames: int = 64, prot: int = RW) -> Scene:
    rig = Rig(frames)
    scene = Scene(rig, rig.machine.new_mm("a"), Log(rig.sched))

    async def play() -> None:
        await scene.mm.mmap(AREA, pages * PAGE, prot, fixed=True)
        for page in range(pages):
            if prot & 2:
                await scene.mm.store(at(page), bytes([page + 1]) * 16)
        await register(scene.mm, scene.log)
        scene.log.take()
        await body(scene)

    rig.run(play())
    audit(rig.machine, quiet=True)
    return scene


def at(page: int) -> int:
    return AREA + page * PAGE


def span(first: int, last: int, kind: str, atomic: bool = False) -> tuple[Any, ...]:
    return (kind, at(first), at(last), atomic)


def record(mm: Mm, page: int) -> tuple[int, int] | None:
    return mm.shadow.records().get(at(page) // PAGE)


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


def test_reclaim_ages_then_invalidates_and_swap_in_is_silent() -> None:
    async def body(s: Scene) -> None:
        freed = await s.rig.machine.reclaim(4)
        assert freed == 4
        calls = s.log.take()
        pages = [call[1] for call in calls if call[0] == "page"]
        assert sorted(pages) == [at(page) for page in range(4)]
        for page in range(4):
            mine = [call[0] for call in calls if call[1] == at(page)]
            assert mine[-1] == "page" and set(mine[:-1]) == {"age"} and len(mine) >= 3
        assert s.mm.shadow.records() == {}
        assert await s.mm.load(at(2), 16) == b"\x03" * 16
        assert s.log.take() == [] and s.rig.machine.statistics()["fault_swapin"] == 1
        assert (record(s.mm, 2) or (0, 0))[1] == READ  # clean: the swap copy is still good
        written = s.rig.machine.statistics()["swapped_out"]
        assert await s.rig.machine.reclaim(1) == 1
        assert s.rig.machine.statistics()["swapped_out"] == written
        await s.mm.store(at(2), b"dirty")  # one step: exclusive, so swapped in writable
        assert (record(s.mm, 2) or (0, 0))[1] == READ | WRITE and s.rig.machine.swap.used == 3

    stage(body)


def test_a_page_the_device_uses_stays() -> None:
    async def body(s: Scene) -> None:
        s.log.young = True
        assert await s.rig.machine.reclaim(4) == 0
        assert {call[0] for call in s.log.take()} == {"age"}
        s.log.young = False
        assert await s.rig.machine.reclaim(1) == 1

    stage(body)


def test_a_page_the_program_uses_gets_a_second_chance() -> None:
    async def body(s: Scene) -> None:
        await s.rig.machine.reclaim(1)
        survivors = [page for page in range(4) if record(s.mm, page)]
        await s.mm.touch(at(survivors[0]), False)
        await s.rig.machine.reclaim(2)
        assert record(s.mm, survivors[0]) and not record(s.mm, survivors[1]) and not record(s.mm, survivors[2])

    stage(body)


def test_shared_pages_are_unmapped_from_everybody() -> None:
    async def body(s: Scene) -> None:
        child = await s.mm.fork("child")
        log = Log(s.rig.sched)
        await register(child, log)
        s.log.take()
        assert await s.rig.machine.reclaim(4) == 4
        for calls in (s.log.take(), log.take()):
            assert sorted(call[1] for call in calls if call[0] == "page") == [at(page) for page in range(4)]
        assert {slot.entries for slot in s.rig.machine.swap.in_use()} == {2}
        await child.store(at(0), b"child")
        assert await s.mm.load(at(0), 5) == b"\x01" * 5 and await child.load(at(0), 6) == b"child\x01"
        await child.exit()

    stage(body)


def test_migration_invalidates_once_and_moves_the_bytes() -> None:
    async def body(s: Scene) -> None:
        child = await s.mm.fork("child")
        s.log.take()
        before = record(s.mm, 1)
        assert await s.rig.machine.migrate_page(s.mm, at(1) + 77)
        assert s.log.take() == [("page", at(1))]
        after = record(s.mm, 1)
        assert before and after and after[0] != before[0] and after == record(child, 1)
        assert await s.mm.load(at(1), 16) == b"\x02" * 16 == await child.load(at(1), 16)
        s.rig.trace.flush()
        assert s.rig.seen(TraceEvent.VM_MIGRATE)[0][1:3] == (before[0], after[0])
        await child.exit()
        assert not await s.rig.machine.migrate_page(s.mm, 0x5000)

    stage(body)


def test_migration_keeps_the_right_to_write_and_the_swap_copy() -> None:
    async def body(s: Scene) -> None:
        assert await s.rig.machine.migrate_page(s.mm, at(0))
        assert (record(s.mm, 0) or (0, 0))[1] == READ | WRITE
        await s.rig.machine.reclaim(4)
        await s.mm.touch(at(1), False)
        assert await s.rig.machine.migrate_page(s.mm, at(1))
        audit(s.rig.machine)
        assert (record(s.mm, 1) or (0, 0))[1] == READ
        assert await s.rig.machine.reclaim(1) == 1 and s.rig.machine.statistics()["swapped_out"] == 4

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


def test_an_oracle_that_fails_at_the_end_does_not_keep_the_end_from_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(s: Scene) -> None:
        def fails(self: MmShadow, start: int, end: int) -> None:
            raise ShadowError("pool is full")

        monkeypatch.setattr(MmShadow, "range_ending", fails)
        with pytest.raises(ShadowError):
            await s.mm.madvise_dontneed(at(0), PAGE)
        assert s.log.take() == [span(0, 1, "begin"), span(0, 1, "end")]

    stage(body)


@pytest.mark.parametrize("which", ["follow_page", "get_user_pages"])
def test_lookups_need_the_mmap_lock(which: str) -> None:
    async def body(s: Scene) -> None:
        found = getattr(s.mm, which)(at(0), True)
        if which == "get_user_pages":
            await found

    with pytest.raises(LockdepError, match=rf"{which} without mmap_lock\[a\]"):
        stage(body)


def test_get_user_pages_may_not_be_called_atomic() -> None:
    async def body(s: Scene) -> None:
        async with s.mm.mmap_lock.reading():
            s.rig.sched.task().atomic += 1
            await s.mm.get_user_pages(at(0), True)

    with pytest.raises(LockdepError, match="sleeping while atomic: get_user_pages"):
        stage(body)


def test_the_two_lookups() -> None:
    async def body(s: Scene) -> None:
        child = await s.mm.fork("child")
        async with s.mm.mmap_lock.reading():
            pfn, _rights = record(s.mm, 0) or (0, 0)
            assert s.mm.follow_page(at(0) + 5, False) == Translation(pfn, 12, writable=False, dirty=True)
            assert s.mm.follow_page(at(0), True) is None  # shared: a write must fault first
            found = await s.mm.get_user_pages(at(0), True)
            assert found.pfn != pfn and found == Translation(found.pfn, 12, writable=True, dirty=True)
            assert s.mm.follow_page(at(0), True) == found
            assert s.mm.follow_page(at(9), False) is None
            with pytest.raises(MmError) as caught:
                await s.mm.get_user_pages(at(9), False)
            assert caught.value.errno == errno.EFAULT
        await s.rig.machine.reclaim(4)
        async with child.mmap_lock.reading():
            assert child.follow_page(at(1), False) is None
            assert not (await child.get_user_pages(at(1), False)).writable
        await child.exit()

    stage(body)


def test_a_lookup_counts_as_use() -> None:
    async def body(s: Scene) -> None:
        await s.rig.machine.reclaim(1)
        survivors = [page for page in range(4) if record(s.mm, page)]
        async with s.mm.mmap_lock.reading():
            assert s.mm.follow_page(at(survivors[0]), False)
        await s.rig.machine.reclaim(2)
        assert record(s.mm, survivors[0])

    stage(body)


def test_establishing_another_frame_without_a_call_is_caught() -> None:
    async def body(s: Scene) -> None:
        with pytest.raises(NotifierError, match=r"MN-3: page .* changes from frame"):
            s.mm.shadow.established(at(0) // PAGE, (63 << 8) | 7)

    stage(body)


def test_freeing_a_frame_a_client_may_use_is_caught() -> None:
    async def body(s: Scene) -> None:
        pfn, _rights = record(s.mm, 0) or (0, 0)
        with pytest.raises(NotifierError, match=f"MN-3: frame {pfn} is freed while 1 translations"):
            s.rig.machine.shadow_feed.check_free(pfn, 1)

    stage(body)


def test_every_operation_that_is_entered_is_left_also_by_an_error() -> None:
    """vm_done closes what was entered last, as brackets do: the timeline nests by it."""
    words = "MMAP MUNMAP MPROTECT MREMAP BRK MADVISE FORK EXIT FAULT_BEGIN PAGEOUT MIGRATE_BEGIN"
    entering = {TraceEvent[f"VM_{word}"] for word in words.split()}

    async def body(s: Scene) -> None:
        mm = s.mm
        await mm.mprotect(at(0), PAGE, 1)
        for refused in (
            mm.store(at(0), b"x"),
            mm.mprotect(0x5000, PAGE, 1),
            mm.madvise_dontneed(0x5000, PAGE),
            mm.mremap(at(1), PAGE, 2 * PAGE, may_move=False),
        ):
            with pytest.raises(MmError):
                await refused
        await mm.mremap(at(2), PAGE, 3 * PAGE)
        await mm.madvise_dontneed(at(1), PAGE)
        mm.set_heap(0x30_0000_0000)
        await mm.brk(0x30_0000_0000 + PAGE)
        await mm.mmap(at(1), PAGE, RW, fixed=True)
        child = await mm.fork("child")
        await mm.store(at(1), b"y")
        assert await s.rig.machine.migrate_page(mm, at(1))
        assert await s.rig.machine.reclaim(2)
        await mm.munmap(at(1), PAGE)
        await child.exit()

    scene = stage(body)
    depth = 0
    met = set()
    for event, *_args in scene.rig.seen(*entering, TraceEvent.VM_DONE):
        depth += -1 if event == TraceEvent.VM_DONE else 1
        met.add(event)
        assert depth >= 0
    assert depth == 0
    assert met == entering | {TraceEvent.VM_DONE}
