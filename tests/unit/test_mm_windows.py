"""The narrow windows: one task is stopped inside an operation while another changes what it works on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from mm_rig import PAGE, Log, Rig, register

from hwif.gen import timing
from sw_stack.mm import Mm, MmError
from sw_stack.mm.check import audit
from sw_stack.mm.filemap import truncate
from sw_stack.mm.pagetable import MIGRATION, PRESENT, SWAP, VALUE_SHIFT

AREA = 0x10_0000_0000
VPN = AREA // PAGE

Act = Callable[[Rig, Mm], Coroutine[Any, Any, Any]]


async def settle(rig: Rig, what: Callable[[], bool]) -> None:
    """Look every few cycles until it is so."""
    for _ in range(100_000):
        if what():
            return
        await rig.sched.charge(5)
    raise AssertionError("the window never opened")


def build(frames: int = 32) -> tuple[Rig, Mm]:
    rig = Rig(frames)
    mm = rig.machine.new_mm("a")

    async def start() -> None:
        await mm.mmap(AREA, 2 * PAGE, 3, fixed=True)
        await mm.store(AREA, b"first page")
        await mm.store(AREA + PAGE, b"second")
        await register(mm, Log(rig.sched))

    rig.run(start())
    return rig, mm


# ---- while a page migrates ------------------------------------------------------------------------------------------------------


async def forks(rig: Rig, mm: Mm) -> None:
    child = await mm.fork("child")
    await settle(rig, lambda: not mm.page_table.get(VPN) & MIGRATION)
    await mm.store(AREA, b"FIRST")
    assert await child.load(AREA, 10) == b"first page"
    await child.store(AREA, b"child")
    assert await mm.load(AREA, 10) == b"FIRST page"
    await child.exit()


async def forks_and_moves_the_copy(rig: Rig, mm: Mm) -> None:
    child = await mm.fork("child")
    await child.mremap(AREA, PAGE, PAGE, new=AREA + 64 * PAGE)
    assert await child.load(AREA + 64 * PAGE, 10) == b"first page" == await mm.load(AREA, 10)
    await child.exit()


async def protects(rig: Rig, mm: Mm) -> None:
    await mm.mprotect(AREA, PAGE, 1)
    assert await mm.load(AREA, 10) == b"first page"
    async with mm.mmap_lock.reading():
        assert mm.follow_page(AREA, True) is None
    with pytest.raises(MmError):
        await mm.store(AREA, b"x")


async def hides(rig: Rig, mm: Mm) -> None:
    await mm.mprotect(AREA, PAGE, 0)
    await settle(rig, lambda: not mm.page_table.get(VPN) & MIGRATION)
    async with mm.mmap_lock.reading():
        assert mm.follow_page(AREA, False) is None
    await mm.mprotect(AREA, PAGE, 3)
    assert await mm.load(AREA, 10) == b"first page"


async def moves(rig: Rig, mm: Mm) -> None:
    await mm.mremap(AREA, PAGE, PAGE, new=AREA + 64 * PAGE)
    assert await mm.load(AREA + 64 * PAGE, 10) == b"first page"


async def unmaps(rig: Rig, mm: Mm) -> None:
    await mm.munmap(AREA, PAGE)


async def drops(rig: Rig, mm: Mm) -> None:
    await mm.madvise_dontneed(AREA, PAGE)
    assert await mm.load(AREA, 10) == bytes(10)


async def drops_and_fills(rig: Rig, mm: Mm) -> None:
    await mm.madvise_dontneed(AREA, PAGE)
    await mm.store(AREA, b"new")


async def faults(rig: Rig, mm: Mm) -> None:
    assert await mm.load(AREA, 10) == b"first page"  # waits for the page lock
    await mm.store(AREA, b"FIRST")
    assert await mm.load(AREA, 10) == b"FIRST page"


async def leaves(rig: Rig, mm: Mm) -> None:
    await mm.exit()


async def reclaims(rig: Rig, mm: Mm) -> None:
    await rig.machine.reclaim(4)
    assert await mm.load(AREA, 10) == b"first page"


@pytest.mark.parametrize(
    "act", [forks, forks_and_moves_the_copy, protects, hides, moves, unmaps, drops, drops_and_fills, faults, leaves, reclaims]
)
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("delay", [0, 300, 700])
def test_while_a_page_migrates(act: Act, shared: bool, delay: int) -> None:
    rig, mm = build()

    async def migrate() -> None:
        await rig.machine.migrate_page(mm, AREA)

    async def other() -> None:
        await settle(rig, lambda: bool(mm.page_table.get(VPN) & MIGRATION))
        await rig.sched.charge(delay)
        await act(rig, mm)
        audit(rig.machine)

    sibling: list[Mm] = []

    async def prepare() -> None:
        if shared:
            sibling.append(await mm.fork("sibling"))

    rig.run(prepare())
    rig.run(migrate(), other())
    audit(rig.machine, quiet=True)

    async def end() -> None:
        for each in sibling:
            assert await each.load(AREA, 10) == b"first page"
            await each.exit()
        if mm.alive:
            await mm.exit()

    rig.run(end())
    audit(rig.machine, quiet=True)
    assert rig.machine.frames.free == rig.machine.frames.count


def test_a_page_somebody_holds_on_to_does_not_migrate() -> None:
    rig, mm = build()

    async def body() -> None:
        frame = rig.machine.frames[mm.page_table.get(VPN) >> VALUE_SHIFT]
        frame.pins += 1
        assert not await rig.machine.migrate_page(mm, AREA)
        assert await rig.machine.reclaim(2) == 1  # the other page; this one was unmapped in vain
        assert rig.machine.reclaimer.scan.pinned >= 1 and not mm.page_table.get(VPN) & PRESENT
        rig.machine.unpin(frame)
        await mm.load(AREA, 1)
        assert rig.machine.frames[mm.page_table.get(VPN) >> VALUE_SHIFT] is frame
        assert await rig.machine.migrate_page(mm, AREA)

    rig.run(body())
    audit(rig.machine, quiet=True)


def test_nothing_is_granted_to_an_address_space_after_its_release() -> None:
    """A shared page migrates while one of its address spaces stands between release and the end of its page table."""
    rig, mm = build()

    async def prepare() -> Mm:
        child = await mm.fork("child")
        await register(child, Log(rig.sched))
        return child

    child: Mm = rig.run(prepare())[0]

    async def leave() -> None:
        await settle(rig, lambda: bool(child.page_table.get(VPN) & MIGRATION))
        child.alive = False
        await child.notifiers.release()
        await settle(rig, lambda: not child.page_table.get(VPN) & MIGRATION)
        assert child.shadow.records() == {}
        child.alive = True  # so far by hand; the rest as exit does it
        child.notifiers.release = nothing  # type: ignore[method-assign]
        await child.exit()

    async def nothing() -> None:
        pass

    async def migrate() -> None:
        assert await rig.machine.migrate_page(mm, AREA)

    rig.run(migrate(), leave())
    audit(rig.machine, quiet=True)


# ---- while a page is read from swap ---------------------------------------------------------------------------------------------


def swapped_out(shared: bool) -> tuple[Rig, Mm, Mm | None]:
    rig, mm = build()

    async def prepare() -> Mm | None:
        child = await mm.fork("child") if shared else None
        assert await rig.machine.reclaim(2) == 2
        assert mm.page_table.get(VPN) & SWAP
        return child

    return rig, mm, rig.run(prepare())[0]


@pytest.mark.parametrize("shared", [False, True])
def test_the_contents_are_dropped_while_they_are_read(shared: bool) -> None:
    rig, mm, child = swapped_out(shared)
    slot = rig.machine.swap[mm.page_table.get(VPN) >> VALUE_SHIFT]

    async def reader() -> None:
        assert await mm.load(AREA, 10) == bytes(10)

    async def dropper() -> None:
        await settle(rig, lambda: slot.frame is not None)
        await mm.madvise_dontneed(AREA, PAGE)

    rig.run(reader(), dropper())
    audit(rig.machine, quiet=True)  # a page only the child's entry names must be on a list

    async def end() -> None:
        if child is not None:
            assert await child.load(AREA, 10) == b"first page"
            await child.exit()
        await mm.exit()

    rig.run(end())
    audit(rig.machine, quiet=True)
    assert rig.machine.swap.used == 0


def test_two_address_spaces_read_one_slot_once() -> None:
    rig, mm, child = swapped_out(True)
    assert child is not None

    async def read(which: Mm) -> None:
        assert await which.load(AREA, 10) == b"first page"

    rig.run(read(mm), read(child))
    statistics = rig.machine.statistics()
    assert statistics["swapped_in"] == 1 and statistics["fault_swapin"] == 2
    audit(rig.machine, quiet=True)


def test_two_tasks_that_both_wait_for_memory_read_one_slot_once() -> None:
    """Both look at the slot, both must reclaim before they get a frame; the second finds the first's page."""
    rig, mm, child = swapped_out(True)
    assert child is not None

    async def fill() -> None:
        hog = rig.machine.new_mm("hog")
        place = await hog.mmap(None, 64 * PAGE, 3)
        for page in range(40):
            await hog.store(place + page * PAGE, b"x")
        while rig.machine.frames.free:
            rig.machine.alloc_kernel_frames(1)

    rig.run(fill())
    assert rig.machine.frames.free == 0

    async def read(which: Mm) -> None:
        assert await which.load(AREA, 10) == b"first page"

    before = rig.machine.statistics()["swapped_in"]
    rig.run(read(mm), read(child))
    assert rig.machine.statistics()["swapped_in"] == before + 1
    audit(rig.machine, quiet=True)


def test_a_page_wanted_back_while_it_is_written_out_stays() -> None:
    rig, mm = build()
    frame = rig.machine.frames[mm.page_table.get(VPN) >> VALUE_SHIFT]

    async def reclaim() -> None:
        await rig.machine.reclaim(2)

    async def reader() -> None:
        await settle(rig, lambda: bool(mm.page_table.get(VPN) & SWAP))
        assert await mm.load(AREA, 10) == b"first page"

    rig.run(reclaim(), reader())
    audit(rig.machine, quiet=True)
    assert rig.machine.frames[mm.page_table.get(VPN) >> VALUE_SHIFT] is frame
    assert rig.machine.statistics()["swapped_in"] == 0


# ---- memory runs out ------------------------------------------------------------------------------------------------------------


def test_out_of_memory_says_where_it_is() -> None:
    rig = Rig(16, swap=4)
    mm = rig.machine.new_mm("a")

    async def body() -> None:
        await mm.mmap(AREA, 64 * PAGE, 3, fixed=True)
        with pytest.raises(MmError, match=r"ENOMEM: out of memory for 1 frames: 0 of 16 free, .* swap 4 of 4"):
            for page in range(64):
                await mm.store(AREA + page * PAGE, b"x")
        audit(rig.machine, quiet=True)
        await mm.munmap(AREA, 32 * PAGE)
        await mm.store(AREA + 50 * PAGE, b"room again")

    rig.run(body())


def test_an_allocation_waits_for_pages_others_have_in_hand() -> None:
    """kswapd writes the last candidates out; direct reclaim finds the lists empty and must wait, not fail."""
    rig = Rig(8, swap=64)
    mm = rig.machine.new_mm("a")

    async def writer(first: int) -> None:
        for page in range(first, 40, 4):
            await mm.store(AREA + page * PAGE, bytes([page]))

    async def start() -> None:
        await mm.mmap(AREA, 40 * PAGE, 3, fixed=True)

    rig.run(start())
    rig.machine.start_kswapd(5)
    rig.run(*(writer(n) for n in range(4)))

    async def check() -> None:
        for page in range(40):
            assert await mm.load(AREA + page * PAGE, 1) == bytes([page])
        await rig.sched.sleep(50 * timing.SW_SWAP_READ)

    rig.run(check())
    audit(rig.machine, quiet=True)


def test_kernel_frames() -> None:
    rig = Rig(16)
    frames = rig.machine.alloc_kernel_frames(5)
    assert len(frames) == 5 and rig.machine.frames.free == 11
    assert all(rig.shadow.words[pfn, 1] == 4 for pfn in frames)
    assert not rig.memory.bytes[frames.start * PAGE : frames.stop * PAGE].any()
    audit(rig.machine, quiet=True)
    with pytest.raises(MmError, match="no 16 consecutive frames: 11 of 16 are free"):
        rig.machine.alloc_kernel_frames(16)
    with pytest.raises(MmError):
        rig.machine.alloc_kernel_frames(0)
    rig.machine.free_kernel_frames(frames)
    assert rig.machine.frames.free == 16 and not rig.shadow.words.any()
    assert len(rig.machine.alloc_kernel_frames(16)) == 16


def test_identifiers_are_reused_only_when_fresh_ones_have_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sw_stack.mm.machine.MAX_MM", 3)
    rig = Rig(8)

    async def body() -> list[int]:
        first, second = rig.machine.new_mm("a"), rig.machine.new_mm("b")
        await first.exit()
        third = rig.machine.new_mm("c")
        fourth = rig.machine.new_mm("d")
        with pytest.raises(MmError, match="EAGAIN: all numbers of address spaces"):
            rig.machine.new_mm("e")
        return [first.id, second.id, third.id, fourth.id]

    assert rig.run(body()) == [[1, 2, 3, 1]]


class Leaver(Log):
    """Says also when its release has returned."""

    async def release(self, mm: Mm) -> None:
        await super().release(mm)
        self.calls.append(("released",))


@pytest.mark.parametrize("delay", range(0, 3000, 150))
def test_an_exit_while_a_truncate_has_a_range_open(delay: int) -> None:
    """The truncate began it, the exit is not to blame; a client whose release has returned hears no end (MN-4)."""
    rig = Rig(frames=64)
    mm, log = rig.machine.new_mm("a"), Leaver(rig.sched, cycles=500)
    file = rig.machine.new_file("file", 4)

    async def prepare() -> None:
        await mm.mmap(AREA, 4 * PAGE, 3, fixed=True, file=file, shared=True)
        for page in range(4):
            await mm.store(AREA + page * PAGE, b"x")
        await register(mm, log)

    async def leave() -> None:
        await rig.sched.sleep(1 + delay)
        await mm.exit()

    rig.run(prepare())
    rig.run(truncate(file, 0), leave())
    audit(rig.machine, quiet=True)
    calls = [call[0] for call in log.calls]
    assert calls.count("release") == 1 and calls[-1] == "released"
    assert rig.machine.frames.free == rig.machine.frames.count and not rig.shadow.words.any()
