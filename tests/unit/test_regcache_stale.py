"""Memory that goes, or comes back at the same address, under a registration (rows 27 and 28 of the pain points): what each repair
hears of."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import get_args

import pytest
from mm_rig import PAGE
from regcache_rig import READ, REPAIRS, RW, WRITE, Scene, at, refused, stage

from sw_stack.drivers.regcache.hooks import HookedCall
from sw_stack.drivers.regcache.policy import Repair
from sw_stack.mm.filemap import truncate


async def _munmap(s: Scene, addr: int) -> None:
    await s.remap(addr)


async def _raw_munmap(s: Scene, addr: int) -> None:
    """By another thread, past the library."""
    await s.sched.join(s.sched.spawn(s.mm.munmap(addr, PAGE), "thread", 3))
    await s.mm.mmap(addr, PAGE, RW, fixed=True)


async def _madvise(s: Scene, addr: int) -> None:
    await s.hooks.madvise_dontneed(addr, PAGE)


async def _mmap_over(s: Scene, addr: int) -> None:
    await s.hooks.mmap(addr, PAGE, RW, fixed=True)


async def _mremap_away(s: Scene, addr: int) -> None:
    await s.hooks.mremap(addr, PAGE, PAGE, new=at(100))
    await s.mm.mmap(addr, PAGE, RW, fixed=True)


async def _mremap_onto(s: Scene, addr: int) -> None:
    await s.mm.mmap(at(100), PAGE, RW, fixed=True)
    await s.hooks.mremap(at(100), PAGE, PAGE, new=addr)


async def _brk(s: Scene, addr: int) -> None:
    await s.hooks.brk(addr)
    await s.hooks.brk(addr + PAGE)


async def _fork(s: Scene, addr: int) -> None:
    """Nothing is freed; but the next store goes to a new page."""
    await s.hooks.fork("child")


async def _truncate(s: Scene, addr: int) -> None:
    """By whoever has the file."""
    await truncate(s.files[0], 0)
    await truncate(s.files[0], 1)


EVERY_CALL: tuple[HookedCall, ...] = get_args(HookedCall)
AS_USUAL: tuple[HookedCall, ...] = ("munmap", "madvise")
# How memory goes and comes: the call the library would have to see, None if it cannot.
WAYS: dict[Callable[[Scene, int], Awaitable[None]], HookedCall | None] = {
    _munmap: "munmap",
    _madvise: "madvise",
    _mmap_over: "mmap",
    _mremap_away: "mremap",
    _mremap_onto: "mremap",
    _brk: "brk",
    _fork: "fork",
    _raw_munmap: None,
    _truncate: None,
}


async def place(s: Scene, way: object) -> int:
    """A page that can go that way."""
    if way is _brk:
        heap = await s.mm.brk(0)
        await s.mm.brk(heap + PAGE)
        return heap
    if way is _truncate:
        return await s.shared(1)
    return at(2)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("repair", "hooked"), [("none", ()), ("hook", AS_USUAL), ("hook", EVERY_CALL), ("ummunotify", ())], ids=str
)
def test_pain_27_memory_that_comes_back_at_the_same_address(
    way: Callable[[Scene, int], Awaitable[None]], repair: Repair, hooked: tuple[HookedCall, ...]
) -> None:
    """Stale entry after free and mmap at the same address: without a repair the adapter moves the bytes of pages the process has
    lost, in both directions; a hook repairs what it sees; the kernel sees everything."""
    heard = repair == "ummunotify" or WAYS[way] in hooked

    async def body(s: Scene) -> None:
        addr = await place(s, way)
        await s.mm.store(addr, b"old!")
        assert await s.send(addr) == b"old!"
        await s.receive(addr + 8, b"in")
        assert await s.mm.load(addr + 8, 2) == b"in"
        await way(s, addr)
        await s.mm.store(addr, b"new!")
        assert await s.send(addr) == (b"new!" if heard else b"old!")
        await s.mm.store(addr + 16, b"....")
        await s.receive(addr + 16, b"data")
        assert await s.mm.load(addr + 16, 4) == (b"data" if heard else b"....")

    stats = stage(body, repair=repair, hooked=hooked).stats
    assert stats["stale_hits_prevented"] >= 1 if heard else stats["invalidated"] == 0


@pytest.mark.parametrize("repair", REPAIRS)
def test_pain_28_part_of_a_registration_is_unmapped_while_it_is_in_use(repair: Repair) -> None:
    """Its user is on another page of it, and is not disturbed; what is left can be used on, and what comes instead is new."""

    async def body(s: Scene) -> None:
        entry = await s.get(0, 4, READ | WRITE)
        writer = s.sched.spawn(s.adapter.write(entry.registration, at(0), b"W" * PAGE), "write", 3)
        await s.hooks.munmap(at(2), PAGE)
        await s.sched.join(writer)
        assert await s.mm.load(at(0), 2) == b"WW"
        assert await s.send(at(1)) == b"AAAA"
        if repair == "none":
            assert s.spans() == [(0, 4)]
        else:
            assert s.spans() == [(1, 2)] and not entry.live and entry.registration.live
            with refused(errno.EFAULT):
                await s.get(0, 4)
            assert s.spans() == [], "dropped for a larger one that could not be had"
        await s.cache.put(entry)
        await s.mm.mmap(at(2), PAGE, RW, fixed=True)
        await s.fill(2, 3, b"N")
        whole = await s.get(0, 4)
        assert await s.adapter.read(whole.registration, at(2), 1) == (b"A" if repair == "none" else b"N")
        await s.cache.put(whole)

    stats = stage(body, repair=repair).stats
    assert stats["deferred"] == (repair != "none")
