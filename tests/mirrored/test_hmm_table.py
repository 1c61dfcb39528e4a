"""The mirrored hmm-tests about what a device sees of the page table, and about pages it has to itself (see test_hmm.py)."""

from __future__ import annotations

import errno

from mirrored.hmm_bench import LARGE_FRAMES, NPAGES, PAGE, RW, Bench, pattern
from mirrored.hmm_commands import HUGE, HUGE_PAGES, SIZE, empty, negated, read_all
from mirrored.hmm_hosts import hmm

from sw_stack.drivers.hmm import Mirror
from sw_stack.drivers.hmm.values import Prot
from sw_stack.mm import PROT_NONE, PROT_READ, Mm

PUD_FRAMES = (1 << 18) + 256


# ---- what the device sees of the page table ----------------------------------------------------------------------------


@hmm(hosts=("mirror",))
async def test_snapshot(b: Bench) -> None:
    """snapshot: no faults, so the GRU has nothing like it"""
    mm = b.process()
    device, other = await b.mirror(mm, 0), await b.mirror(mm, 1)
    at = await b.buffer(mm, 7, prot=PROT_NONE)
    await mm.munmap(at + PAGE, PAGE)
    await mm.mprotect(at + 2 * PAGE, PAGE, PROT_READ)
    assert await mm.load(at + 2 * PAGE, 4) == bytes(4)
    await mm.mprotect(at + 3 * PAGE, PAGE, RW)
    await mm.store(at + 3 * PAGE, b"read-only")
    await mm.mprotect(at + 3 * PAGE, PAGE, PROT_READ)
    await mm.mprotect(at + 4 * PAGE, 3 * PAGE, RW)
    await mm.store(at + 4 * PAGE, b"read-write")
    await other.exclusive(at + 6 * PAGE, empty(1))
    faults = b.machine.statistic("fault_anon")
    assert await device.snapshot(at, 7) == [
        Prot.ERROR,  # PROT_NONE
        Prot.ERROR,  # a hole
        Prot.READ,
        Prot.READ,
        Prot.WRITE,
        Prot.NONE,  # not there
        Prot.NONE,  # another device's
    ]
    assert b.machine.statistic("fault_anon") == faults
    assert other.exclusive_pages(at, 7) == 1


async def large_page(b: Bench, shift: int) -> None:
    mm = b.process()
    device = await b.open(mm)
    pages = 1 << shift - 12
    at = await b.buffer(mm, pages, huge=shift)
    for page in (0, 1, pages - 1):
        await mm.store(at + page * PAGE, pattern(1, page))
    level = Prot.PMD if shift == HUGE else Prot.PUD

    async def sees(code: Prot) -> None:
        if isinstance(device, Mirror):
            for start in (0, pages - HUGE_PAGES):
                assert set(await device.snapshot(at + start * PAGE, HUGE_PAGES)) == {code | level}
            return
        # The GRU enters a page of this size as a whole: only its first access misses.
        for number, page in enumerate((0, 1, pages - 1)):
            mirror = empty(1)
            assert await device.read(at + page * PAGE, mirror) == (1, int(number == 0))
            assert mirror == pattern(1, page)
        if code == Prot.READ:
            await b.refused(device.write(at + PAGE, empty(1)), errno.EPERM)
            return
        for number, page in enumerate((0, 1, pages - 1)):
            # The entry is there; the right to write is missed once.
            assert await device.write(at + page * PAGE, bytearray(pattern(1, page))) == (1, int(number == 0))

    await sees(Prot.WRITE)
    await mm.mprotect(at, pages * PAGE, PROT_READ)
    await sees(Prot.READ)


@hmm(frames=LARGE_FRAMES)
async def test_compound(b: Bench) -> None:
    """compound, of a page of 2 MiB"""
    await large_page(b, HUGE)


@hmm(hosts=("mirror", "model"), frames=PUD_FRAMES)
async def test_compound_pud(b: Bench) -> None:
    """compound, of a page of 1 GiB"""
    await large_page(b, 30)


@hmm()
async def test_double_map(b: Bench) -> None:
    """double_map: two devices read the same pages; then the pages move, and both fault again"""
    mm = b.process()
    at = await b.buffer(mm, 6, data=pattern(6))
    await mm.mprotect(at, 6 * PAGE, PROT_READ)
    devices = [await b.open(mm), await b.mirror(mm, 1)]
    for _ in range(2):
        for device in devices:
            await read_all(device, at, pattern(6))
        for page in range(6):
            assert await b.machine.migrate_page(mm, at + page * PAGE)


# ---- pages a device has to itself --------------------------------------------------------------------------------------


async def held(b: Bench) -> tuple[Mm, Mirror, int]:
    """A process whose buffer the mirror has to itself. The GRU's driver has no such command."""
    mm = b.process()
    device = await b.mirror(mm)
    at = await b.buffer(mm, data=pattern(NPAGES))
    mirror = empty()
    assert (await device.exclusive(at, mirror)).cpages == NPAGES
    assert mirror == pattern(NPAGES)
    assert device.exclusive_pages(at, NPAGES) == NPAGES
    return mm, device, at


async def count_up(mm: Mm, at: int) -> None:
    """The process reads the first word of every page and adds 1 to it, as ptr[i]++ does; then it reads everything."""
    for offset in range(0, SIZE, PAGE):
        word = await mm.load(at + offset, 4)
        assert word == pattern(NPAGES)[offset : offset + 4]
        await mm.store(at + offset, (int.from_bytes(word, "little") + 1).to_bytes(4, "little"))
    expected = bytearray(pattern(NPAGES))
    for offset in range(0, SIZE, PAGE):
        expected[offset : offset + 4] = (offset // 4 + 1).to_bytes(4, "little")
    assert await mm.load(at, SIZE) == expected


@hmm(hosts=("mirror",))
async def test_exclusive(b: Bench) -> None:
    """exclusive"""
    mm, device, at = await held(b)
    await count_up(mm, at)
    assert device.exclusive_pages(at, NPAGES) == 0
    assert b.machine.statistic("fault_exclusive") == NPAGES


@hmm(hosts=("mirror",))
async def test_exclusive_mprotect(b: Bench) -> None:
    """exclusive_mprotect"""
    mm, device, at = await held(b)
    await mm.mprotect(at, SIZE, PROT_READ)
    await b.refused(device.write(at, bytearray(negated())), errno.EPERM)
    await b.refused(device.increment(at), errno.EPERM)
    assert await mm.load(at, SIZE) == pattern(NPAGES)


@hmm(hosts=("mirror",))
async def test_exclusive_cow(b: Bench) -> None:
    """exclusive_cow"""
    mm, device, at = await held(b)
    child = b.adopt(await mm.fork("child"))
    assert device.exclusive_pages(at, NPAGES) == 0
    await b.sched.join(b.spawn(count_up(child, at), "child"))
    await count_up(mm, at)
