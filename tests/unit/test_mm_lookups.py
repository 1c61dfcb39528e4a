"""The two lookups of a client, and the oracle's own checks: a record that changes without a call, a bracket that is left open."""

from __future__ import annotations

import errno

import pytest
from mm_events_rig import RW, Scene, at, record, span, stage
from mm_rig import PAGE

from hwif.gen.events import TraceEvent
from hwif.shadow import ShadowError
from sw_stack.mm import MmError, Translation
from sw_stack.mm.shadow_feed import MmShadow
from sw_stack.notifier import NotifierError
from sw_stack.sched import LockdepError


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
