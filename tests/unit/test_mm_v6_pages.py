"""The pages of the V6 table (V6-2, V6-3): aging, reclaim, migration, writeback and exit, and what came after V6.

A callback is compared whole: its arguments, the locks its caller holds, and whether it may sleep.
"""

from __future__ import annotations

from mm_context import (
    AREA,
    MMAP_R,
    PAGE_LOCK,
    PTE,
    RW,
    Call,
    ContextLog,
    RmapLog,
    Scene,
    age,
    at,
    begin,
    end,
    page,
    stage,
)
from mm_files import file_area
from mm_rig import PAGE, register

from sw_stack.mm import Mm
from sw_stack.mm.filemap import writeback
from sw_stack.mm.frames import PageFlag

# ---- aging, reclaim, migration, writeback ------------------------------------------------------------------------------


def test_reclaim_ages_then_unmaps_then_tells_the_rmap_notifier() -> None:
    async def body(s: Scene) -> None:
        s.machine.rmap_notifiers.register(RmapLog(s.log))
        frame = s.frame(0)
        async with frame.lock:
            s.machine.rmap_notifiers.export(frame)
        pfn = frame.pfn
        assert await s.machine.reclaim(1) == 1
        # twice looked at on the active list, once each before and during try_to_unmap on the inactive one
        assert s.log.take() == [
            age(0),
            age(0),
            age(0),
            age(0),
            page(0),
            Call("rmap", (pfn,), (PAGE_LOCK,), True),
        ]

    stage(body, pages=1)


def test_without_an_export_the_rmap_notifier_is_not_called() -> None:
    async def body(s: Scene) -> None:
        s.machine.rmap_notifiers.register(RmapLog(s.log))
        assert await s.machine.reclaim(1) == 1
        assert [call.what for call in s.log.take()][-1] == "page"

    stage(body, pages=1)


def test_a_young_page_is_not_unmapped() -> None:
    async def body(s: Scene) -> None:
        s.log.young = True
        assert await s.machine.reclaim(1) == 0
        assert {call.what for call in s.log.take()} == {"age"}

    stage(body, pages=1)


def test_an_mlocked_page_is_not_even_aged() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mlock(at(0), PAGE)
        assert s.log.take() == []  # locking changes no translation
        assert await s.machine.reclaim(1) == 0
        assert s.log.take() == [] and s.machine.reclaimer.scan.mlocked > 0
        assert await s.machine.migrate_page(s.mm, at(0))  # locked is not pinned
        assert s.log.take() == [page(0)]

    stage(body, pages=1)


def test_reclaim_of_a_nonlinear_file_page() -> None:
    async def body(s: Scene) -> None:
        file = await file_area(s, 2)
        await s.mm.remap_file_pages(at(0), PAGE, 1)
        await s.mm.load(at(0), 1)
        s.log.take()
        await writeback(file)
        s.log.take()
        assert await s.machine.reclaim(2) == 2
        calls = s.log.take()
        assert [call for call in calls if call.what == "page"] == [page(0), page(1)] or [
            call for call in calls if call.what == "page"
        ] == [page(1), page(0)]
        assert all(call.what in ("age", "page") and call.locks == (PAGE_LOCK, PTE) for call in calls)
        assert await s.mm.load(at(0), 1) == b"\2"  # the entry still says which page it shows

    stage(body, memory=False)


def test_migration_invalidates_once() -> None:
    async def body(s: Scene) -> None:
        assert await s.machine.migrate_page(s.mm, at(1))
        assert s.log.take() == [page(1)]
        assert await s.mm.load(at(1), 4) == b"\2\2\2\2"
        assert s.log.take() == []

    stage(body)


def test_migration_tells_the_rmap_notifier() -> None:
    async def body(s: Scene) -> None:
        s.machine.rmap_notifiers.register(RmapLog(s.log))
        frame = s.frame(0)
        async with frame.lock:
            s.machine.rmap_notifiers.export(frame)
        pfn = frame.pfn
        assert await s.machine.migrate_page(s.mm, at(0))
        assert s.log.take() == [page(0), Call("rmap", (pfn,), (PAGE_LOCK,), True)]

    stage(body)


def test_hot_unplug_is_migration() -> None:
    async def body(s: Scene) -> None:
        places = {s.frame(number).pfn: number for number in range(4)}
        first = min(places)
        await s.machine.offline(first, 2)
        calls = s.log.take()
        assert sorted(calls, key=repr) == sorted((page(places[pfn]) for pfn in (first, first + 1) if pfn in places), key=repr)
        assert all(not first <= s.frame(number).pfn < first + 2 for number in range(4))
        s.machine.online(first, 2)

    stage(body)


def test_writeback_write_protects_and_tells_the_rmap_notifier() -> None:
    async def body(s: Scene) -> None:
        file = await file_area(s, 2)
        s.machine.rmap_notifiers.register(RmapLog(s.log))
        frame = s.frame(1)
        async with frame.lock:
            s.machine.rmap_notifiers.export(frame)
        assert await writeback(file) == 2
        assert s.log.take() == [page(0), page(1), Call("rmap", (frame.pfn,), (PAGE_LOCK,), True)]
        assert not s.mm.touch_fast(at(0) // PAGE, write=True) and s.mm.touch_fast(at(0) // PAGE, write=False)
        assert file.store[1][:4] == b"\2\2\2\2"
        assert await writeback(file) == 0 and s.log.take() == []

    stage(body, memory=False)


# ---- exit, and what calls nobody ---------------------------------------------------------------------------------------


def test_exit_releases_and_is_silent_then() -> None:
    async def body(s: Scene) -> None:
        await s.mm.exit()
        assert s.log.take() == [Call("release", (), (), True)]

    stage(body)


def test_first_touch_swap_in_and_mlock_call_nobody() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mmap(at(8), 2 * PAGE, RW, fixed=True)
        await s.mm.store(at(8), b"new")
        await s.mm.mlock(at(9), PAGE)
        await s.mm.munlock(at(9), PAGE)
        assert s.log.take() == []
        while await s.machine.reclaim(1):
            pass
        s.log.take()
        assert await s.mm.load(at(0), 1) == b"\1" and await s.mm.load(at(8), 3) == b"new"
        assert s.log.take() == [] and s.machine.statistic("fault_swapin") == 2

    stage(body)


# ---- what came after V6 ------------------------------------------------------------------------------------------------


def test_ksm_merges_by_two_ranges_and_unmerges_by_copy_on_write() -> None:
    async def body(s: Scene) -> None:
        for number in (0, 1):
            await s.mm.store(at(number), b"equal" * 8)
        await s.mm.madvise_mergeable(at(0), 2 * PAGE)
        s.log.take()
        assert await s.machine.ksm_scan() == 1
        locks = (MMAP_R, PAGE_LOCK)
        # page 0 is write-protected, page 1 as well, then page 1's entry is replaced
        assert s.log.take() == [
            call for number in (0, 1, 1) for call in (begin(number, number + 1, locks), end(number, number + 1, locks))
        ]
        assert s.frame(0) is s.frame(1)
        await s.mm.madvise_mergeable(at(0), 2 * PAGE, mergeable=False)
        assert s.log.take() == [call for number in (0, 1) for call in (begin(number, number + 1), end(number, number + 1))]
        assert s.frame(0) is not s.frame(1) and not s.frame(0).flags & PageFlag.KSM

    stage(body)


def test_exclusive_is_a_range_each_way() -> None:
    async def body(s: Scene) -> None:
        async with s.mm.mmap_lock.reading():
            await s.mm.make_device_exclusive(at(1))
        locks = (MMAP_R, PAGE_LOCK)
        assert s.log.take() == [begin(1, 2, locks), end(1, 2, locks)]
        assert await s.mm.load(at(1), 1) == b"\2"
        assert s.log.take() == [begin(1, 2, locks), end(1, 2, locks)]

    stage(body)


def test_the_oom_reaper_does_not_sleep() -> None:
    async def body(s: Scene) -> None:
        victim, log = s.machine.new_mm("victim"), ContextLog(s.rig.sched)
        await victim.mmap(AREA, 20 * PAGE, RW, fixed=True)
        for number in range(20):
            await victim.store(at(number), b"x")
        await register(victim, log)
        s.mm.oom_exempt = True
        await s.mm.mmap(at(40), 30 * PAGE, RW, fixed=True)
        for number in range(40, 70):
            await s.mm.store(at(number), b"y")
        calls = [call for call in log.take() if call.what in ("begin", "end")]
        assert calls == [
            Call("begin", (at(0), at(20), True), calls[0].locks, False),
            Call("end", (at(0), at(20), True), calls[0].locks, False),
        ]
        assert s.machine.statistic("oom_kill") == 1
        await victim.exit()

    stage(body, frames=48, swap=2, oom_killer=True)


def test_clients_are_called_newest_first() -> None:
    """hlist_add_head_rcu: the order of the list is part of what a client sees."""

    async def body(s: Scene) -> None:
        order: list[str] = []

        class Named(ContextLog):
            async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
                order.append(self.name)

        for name in ("first", "second"):
            client = Named(s.rig.sched)
            client.name = name  # type: ignore[attr-defined]
            await register(s.mm, client)
        await s.mm.munmap(at(0), PAGE)
        assert order == ["second", "first"]

    stage(body)
