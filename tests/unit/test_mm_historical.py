"""V6's mistakes, each as a switch: on, a client written to the contract breaks; off, it does not."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable

import pytest
from mm_context import AREA, RW, Scene, at, stage
from mm_rig import PAGE, Rig

from sw_stack.drivers.skeleton import Skeleton
from sw_stack.mm import Mm, MmError, forking
from sw_stack.mm.filemap import truncate
from sw_stack.mm.historical import Historical
from sw_stack.mm.secondary import DeadTranslationError
from sw_stack.notifier import MmuNotifier, NotifierError
from sw_stack.sched import LockdepError
from sw_stack.workloads import explored

LARGE = 1 << 40


def play(body: Callable[[Scene], Awaitable[None]], mistake: str, on: bool, frames: int = 256) -> Scene:
    return stage(body, historical=Historical(**{mistake: on}), frames=frames)


async def shut(client: Skeleton, page: float) -> bool:
    """True if the client may not enter the page."""
    try:
        await client.populate(at(page), write=False)
    except MmError as error:
        assert error.errno == errno.EAGAIN
        return True
    return False


@pytest.mark.parametrize("on", [False, True])
def test_fork_that_fails_leaves_a_begin_without_an_end(on: bool) -> None:
    """The client's count never comes back to zero: it never enters a page again."""

    async def body(s: Scene) -> None:
        client = Skeleton(s.mm)
        await client.attach()

        s.machine.child_tables = 0
        with pytest.raises(MmError, match="no memory for a page table"):
            await s.mm.fork("child")
        assert client.invalidates == int(on) and await shut(client, 0) == on

    play(body, "fork_error_no_end", on)


@pytest.mark.parametrize("on", [False, True])
def test_copy_of_part_of_an_area_ends_another_range(on: bool) -> None:
    """A client that remembers ranges by their bounds never finds the one that ended. fork itself copies whole areas, where begin
    and end agree; here part of an area is copied, as any caller of copy_page_range may ask."""

    async def body(s: Scene) -> None:
        client = Skeleton(s.mm, tracking="ranges")
        await client.attach()
        child = s.machine.new_mm("child")
        async with s.mm.mmap_lock.writing(), child.mmap_lock.writing():
            (vma,) = s.mm.vmas
            child.vmas.insert(vma)
            await forking.copy_page_range(s.mm, child, vma, at(2), at(4))
        assert await shut(client, 2) == on and not await shut(client, 0)
        assert client.ranges == ([(at(2), at(4))] if on else [])
        await child.exit()

    play(body, "fork_end_from_area", on)


@pytest.mark.parametrize("on", [False, True])
def test_fork_of_hugetlb_without_a_call_leaves_a_writable_translation(on: bool) -> None:
    """The parent's device goes on storing to the page that is the child's too."""

    async def body(s: Scene) -> None:
        await s.mm.mmap(LARGE, 1 << 21, RW, fixed=True, huge=21)
        await s.mm.store(LARGE, b"before")
        client = Skeleton(s.mm)
        await client.attach()
        await client.write(LARGE, b"device")
        child = await s.mm.fork("child")
        if on:
            with pytest.raises(DeadTranslationError, match=r"SD-1: <Skeleton>: write of 0x10000000000 .* may only be read"):
                await client.write(LARGE, b"after!")
        else:
            await client.write(LARGE, b"after!")  # refused by the table, faults, copies
            assert await s.mm.load(LARGE, 6) == b"after!"
        assert await child.load(LARGE, 6) == b"device"
        await child.exit()

    play(body, "hugetlb_fork_silent", on, frames=4096)


@pytest.mark.parametrize("on", [False, True])
def test_truncate_ends_short_of_what_it_began(on: bool) -> None:
    async def body(s: Scene) -> None:
        pages = 100
        file = s.machine.new_file("file", pages)
        start = at(1000)
        await s.mm.mmap(start, pages * PAGE, RW, fixed=True, file=file, shared=True)
        client = Skeleton(s.mm, tracking="ranges")
        await client.attach()
        for page in range(pages):
            await client.write(start + page * PAGE, b"x")
        await truncate(file, 0)
        await truncate(file, pages)
        assert await shut(client, 1000) == on
        assert client.ranges == ([(start, start + pages * PAGE)] if on else [])

    play(body, "zap_end_short", on)


class Sleeper(MmuNotifier):
    """Waits for something far away before it lets a range go, as the contract allows with atomic=0."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.slept = 0

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        await self.rig.sched.sleep(100)
        self.slept += 1


@pytest.mark.parametrize("on", [False, True])
def test_dispatch_under_rcu_forbids_what_the_contract_allows(on: bool) -> None:
    async def body(s: Scene) -> None:
        client = Sleeper(s.rig)
        async with s.mm.mmap_lock.writing():
            s.mm.notifiers.register(client)
        if on:
            with pytest.raises(LockdepError, match="MN-2: in invalidate_range_begin of <Sleeper>: sleeping while atomic"):
                await s.mm.madvise_dontneed(AREA, PAGE)
        else:
            await s.mm.madvise_dontneed(AREA, PAGE)
            assert client.slept == 1

    play(body, "dispatch_under_rcu", on)


@pytest.mark.parametrize("on", [False, True])
def test_the_skeleton_initialises_the_wrong_lock(on: bool) -> None:
    async def body(s: Scene) -> None:
        client = Skeleton(s.mm, lock_of_mm=on)
        await client.attach()
        if on:
            with pytest.raises(NotifierError, match="<Skeleton> takes a lock that was never initialised"):
                await client.populate(AREA, write=True)
        else:
            await client.write(AREA, b"device")
            assert await s.mm.load(AREA, 6) == b"device"

    play(body, "fork_error_no_end", False)


def test_every_switch_has_a_test() -> None:
    """A switch nobody breaks under is a switch nobody needs. Those that need an order of their own are found by a search over
    orders (tests/unit/test_explored_gru.py)."""
    text = open(__file__, encoding="utf-8").read()  # noqa: SIM115 - this file
    searched = {planted.switch for _play, planted in explored.planted().values()}
    assert all(f'"{name}"' in text or name in searched for name in Historical.names())
