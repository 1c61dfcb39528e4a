"""Linux's hmm-tests (tools/testing/selftests/mm/hmm-tests.c), each under its original name, on two devices: a mirror in software,
as the original's dmirror is one, and the GRU. Snapshots and exclusive pages are in test_hmm_table.py, races the original leaves to
chance in test_hmm_races.py.

Where the original asserts one fault, a device states how many it takes: the mirror one a command, the GRU so many drop-ins a page
(hmm_gru.py). Where it asserts -EFAULT or -EPERM, the GRU ends in the exception for a missing translation, whichever of the two it
is. Buffers are of 16 pages, not 1024. The VM has no transparent huge pages: a large page is asked for by mmap and split by
split_large_page before a part of it is unmapped or moved. It has no shared page of zeros for anonymous memory either: what nobody
has written is a page of its own.

Left out, because device-private or device-coherent memory is their subject and neither device has any: migrate,
migrate_file_private, migrate_fault, migrate_release, migrate_shared, migrate_mixed, migrate_multiple, hmm_gup_test,
hmm_cow_in_device, migrate_anon_huge_empty, _zero, _free, _fault, _err, _zero_err, benchmark_thp_migration. Of snapshot the pages on
devices and of double_map the migration to a device: a page of another device's is one it has to itself, and the pages move to other
frames. Of migrate_partial_unmap_fault and migrate_remap_fault the parts without device memory are here, as partial_unmap_fault and
remap_fault; MREMAP_DONTUNMAP the VM has not got.
"""

from __future__ import annotations

import errno

import pytest
from mirrored.hmm_bench import LARGE_FRAMES, NPAGES, PAGE, RW, Bench, pattern
from mirrored.hmm_commands import HUGE, HUGE_PAGES, HUGE_SIZE, SIZE, Device, empty, negated, read_all, reads, write_all
from mirrored.hmm_hosts import hmm

from sw_stack.drivers.gru.state import GruError
from sw_stack.drivers.hmm import Mirror
from sw_stack.drivers.hmm.values import Access, Prot, Refused
from sw_stack.mm import PROT_NONE, PROT_READ, Mm
from sw_stack.mm.filemap import writeback

NTIMES = 10
TEARDOWNS = 24


@hmm()
async def test_open_close(b: Bench) -> None:
    """open_close; and a device left open when its process has gone finds nothing"""
    mm = b.process()
    for _ in range(2):
        await b.close(await b.open(mm))
    device = await b.open(mm)
    at = await b.buffer(mm, 1, data=pattern(1))
    await read_all(device, at, pattern(1))
    await mm.exit()
    with pytest.raises((Refused, GruError)):
        await device.read(at, empty(1))


# ---- anonymous memory --------------------------------------------------------------------------------------------------


@hmm()
async def test_anon_read(b: Bench) -> None:
    """anon_read: the first two pages are zeros, one of which the program has not even read"""
    mm = b.process()
    device = await b.open(mm)
    data = bytes(2 * PAGE) + pattern(NPAGES)[2 * PAGE :]
    at = await b.buffer(mm)
    await mm.store(at + 2 * PAGE, data[2 * PAGE :])
    await mm.mprotect(at, SIZE, PROT_READ)
    assert await mm.load(at + PAGE, 4) == bytes(4)
    await read_all(device, at, data)


@hmm()
async def test_anon_read_prot(b: Bench) -> None:
    """anon_read_prot"""
    mm = b.process()
    device = await b.open(mm)
    at = await b.buffer(mm, data=pattern(NPAGES))
    mirror = bytearray(negated())
    await mm.mprotect(at, SIZE, PROT_NONE)
    await b.refused(device.read(at, mirror), errno.EFAULT)
    await mm.mprotect(at, SIZE, PROT_READ)
    assert await mm.load(at, SIZE) == pattern(NPAGES)
    assert mirror == negated()


@hmm()
async def test_anon_write(b: Bench) -> None:
    """anon_write"""
    mm = b.process()
    device = await b.open(mm)
    at = await b.buffer(mm)
    await write_all(device, at, pattern(NPAGES))
    assert await mm.load(at, SIZE) == pattern(NPAGES)


@hmm()
async def test_anon_write_prot(b: Bench) -> None:
    """anon_write_prot"""
    mm = b.process()
    device = await b.open(mm)
    at = await b.buffer(mm, prot=PROT_READ)
    await read_all(device, at, bytes(PAGE))
    await b.refused(device.write(at, bytearray(pattern(NPAGES))), errno.EPERM)
    assert await mm.load(at, SIZE) == bytes(SIZE)
    await mm.mprotect(at, SIZE, RW)
    await write_all(device, at, pattern(NPAGES))
    assert await mm.load(at, SIZE) == pattern(NPAGES)


async def child_writes(b: Bench, mm: Mm, device: Device, at: int, pages: int, shift: int, access: Access) -> Mm:
    """A child sees its parent's bytes; its device writes its own. The parent's device has used the pages."""
    await device.read(at, empty(pages))
    child = b.adopt(await mm.fork("child"))
    assert await child.load(at, pages * PAGE) == pattern(pages)
    device = await b.open(child)
    await write_all(device, at, negated(pages), shift, access)
    assert await child.load(at, pages * PAGE) == negated(pages)
    await b.close(device)
    return child


@hmm(frames=LARGE_FRAMES)
async def test_anon_write_child(b: Bench) -> None:
    """anon_write_child: small pages and a large one"""
    for huge, pages in ((0, NPAGES), (HUGE, HUGE_PAGES)):
        mm = b.process()
        device = await b.open(mm)
        at = await b.buffer(mm, pages, data=pattern(pages), huge=huge)
        child = await child_writes(b, mm, device, at, pages, huge or 12, "copy")
        await child.exit()
        assert await mm.load(at, pages * PAGE) == pattern(pages)
        mirror = empty(pages)
        await device.read(at, mirror)
        assert mirror == pattern(pages)
        await mm.exit()


@hmm()
async def test_anon_write_child_shared(b: Bench) -> None:
    """anon_write_child_shared"""
    mm = b.process()
    device = await b.open(mm)
    at = await b.buffer(mm, data=pattern(NPAGES), shared=True)
    area = mm.vmas.find(at)
    assert area is not None and area.file is not None
    b.keep(area.file)
    child = await child_writes(b, mm, device, at, NPAGES, 12, "write")
    await child.exit()
    assert await mm.load(at, SIZE) == negated()
    mirror = empty()
    await device.read(at, mirror)
    assert mirror == negated()


@hmm(frames=LARGE_FRAMES)
async def test_anon_write_huge(b: Bench) -> None:
    """anon_write_huge: the large page lies in an area of small ones"""
    mm = b.process()
    device = await b.open(mm)
    await b.buffer(mm, 2 * HUGE_PAGES)
    at = await b.buffer(mm, HUGE_PAGES, huge=HUGE)
    await write_all(device, at, pattern(HUGE_PAGES), HUGE)
    assert await mm.load(at, HUGE_SIZE) == pattern(HUGE_PAGES)
    mirror = empty(1)
    await device.read(at + HUGE_SIZE, mirror)
    assert mirror == bytes(PAGE), "the small page after it"


@hmm(frames=LARGE_FRAMES)
async def test_anon_write_hugetlbfs(b: Bench) -> None:
    """anon_write_hugetlbfs"""
    mm = b.process()
    device = await b.open(mm)
    at = await b.buffer(mm, HUGE_PAGES, huge=HUGE)
    await write_all(device, at, pattern(HUGE_PAGES), HUGE)
    assert await mm.load(at, HUGE_SIZE) == pattern(HUGE_PAGES)


@hmm()
async def test_anon_read_multiple(b: Bench) -> None:
    """anon_read_multiple: each time another mapping at the address"""
    mm = b.process()
    device = await b.open(mm)
    for turn in range(NTIMES):
        at = await b.buffer(mm, data=pattern(NPAGES, turn))
        await read_all(device, at, pattern(NPAGES, turn))
        await mm.munmap(at, SIZE)


@hmm()
async def test_anon_teardown(b: Bench) -> None:
    """anon_teardown: half the buffer is unmapped at each of many moments of a read"""
    mm = b.process()
    device = await b.open(mm)
    began = b.sched.now
    await read_all(device, await b.buffer(mm, data=pattern(NPAGES)), pattern(NPAGES))
    took = b.sched.now - began
    outcomes = {"read": 0, "refused": 0}

    async def unmap(start: int, delay: int) -> None:
        await b.sched.sleep(delay)
        await mm.munmap(start, SIZE // 2)

    for turn in range(TEARDOWNS):
        at = await b.buffer(mm, data=pattern(NPAGES, turn))
        mirror = empty()
        task = b.spawn(unmap(at + SIZE // 2, took * turn // (TEARDOWNS * 3 // 4)), "unmap_buffer", 2)
        try:
            assert (await device.read(at, mirror)).cpages == NPAGES
        except Refused as refused:
            assert refused.errno in (errno.EFAULT, None)
            outcomes["refused"] += 1
        else:
            assert mirror == pattern(NPAGES, turn)
            outcomes["read"] += 1
        await b.sched.join(task)
        await mm.munmap(at, SIZE)
    assert min(outcomes.values()) > 0, outcomes


# ---- files -------------------------------------------------------------------------------------------------------------


@hmm()
async def test_file_read(b: Bench) -> None:
    """file_read"""
    mm = b.process()
    device = await b.open(mm)
    file = b.file(NPAGES)
    await b.pwrite(file, pattern(NPAGES))
    at = await b.buffer(mm, prot=PROT_READ, file=file, shared=True)
    await read_all(device, at, pattern(NPAGES))


@hmm()
async def test_file_write(b: Bench) -> None:
    """file_write: what the device wrote is in the file, and reaches its store (MN-6)"""
    mm = b.process()
    device = await b.open(mm)
    file = b.file(NPAGES)
    at = await b.buffer(mm, file=file, shared=True)
    for data in (pattern(NPAGES), negated()):
        await write_all(device, at, data)
        assert await mm.load(at, SIZE) == data
        assert await b.pread(file) == data
        assert await writeback(file) == NPAGES
        assert b"".join(file.store[page] for page in range(NPAGES)) == data


@hmm()
async def test_mixedmap(b: Bench) -> None:
    """mixedmap: a private area of a file that is executed in place stands for the driver's own area. Its blocks are mapped as they
    lie; where there is none, a page of zeros is seen"""
    mm = b.process()
    device = await b.open(mm)
    file = b.file(2, xip=True)
    await b.pwrite(file, pattern(1))
    at = await b.buffer(mm, 2, file=file)
    assert await mm.load(at, 2 * PAGE) == pattern(1) + bytes(PAGE)
    if isinstance(device, Mirror):
        assert await device.snapshot(at, 2) == [Prot.READ, Prot.READ | Prot.ZERO]
    await read_all(device, at, pattern(1) + bytes(PAGE))
    assert (await device.write(at, bytearray(negated(2)))).cpages == 2
    assert await mm.load(at, 2 * PAGE) == negated(2)
    assert await b.pread(file) == pattern(1) + bytes(PAGE)


# ---- parts that go, and places that change -----------------------------------------------------------------------------


async def used(b: Bench, *, large: bool) -> tuple[Mm, Device, int, int]:
    """A buffer of so many pages that the device has read: a large page, split since, or small ones."""
    mm = b.process()
    device = await b.open(mm)
    pages = HUGE_PAGES if large else NPAGES
    at = await b.buffer(mm, pages, data=pattern(pages), huge=HUGE if large else 0)
    await read_all(device, at, pattern(pages), HUGE if large else 12)
    if large:
        await mm.split_large_page(at)
    return mm, device, at, pages


async def migrate(b: Bench, mm: Mm, at: int, pages: list[int]) -> None:
    for page in pages:
        assert await b.machine.migrate_page(mm, at + page * PAGE)


@hmm(frames=LARGE_FRAMES)
async def test_partial_unmap_fault(b: Bench) -> None:
    """migrate_partial_unmap_fault: half a buffer goes, at three places; small pages and a large one"""
    for large in (False, True):
        for quarter in (0, 1, 2):
            mm, device, at, pages = await used(b, large=large)
            first, last = pages * quarter // 4, pages * quarter // 4 + pages // 2
            some = sorted({0, first, last - 1, pages - 1, first - 1, last} & set(range(pages)))
            await migrate(b, mm, at, some)
            await reads(device, at, pattern(pages), some[::2])
            await mm.munmap(at + first * PAGE, (last - first) * PAGE)
            kept = [page for page in range(pages) if not first <= page < last]
            for page in kept:
                assert await mm.load(at + page * PAGE, PAGE) == pattern(pages)[page * PAGE : (page + 1) * PAGE]
            await reads(device, at, pattern(pages), [page for page in some if page in kept])
            for page in some:
                if page not in kept:
                    await b.refused(device.read(at + page * PAGE, empty(1)), errno.EFAULT)
            await mm.exit()


@hmm(frames=LARGE_FRAMES)
async def test_remap_fault(b: Bench) -> None:
    """migrate_remap_fault: a buffer moves, to three places, before its pages move to other frames or after"""
    for large in (False, True):
        for before in (False, True):
            for quarter in (0, 1, 2):
                mm, device, old, pages = await used(b, large=large)
                size = pages * PAGE
                some = [0, pages // 2, pages - 1]
                place = old + size + quarter * size // 4
                if not before:
                    await migrate(b, mm, old, some)
                    await reads(device, old, pattern(pages), some[:2])
                at = await mm.mremap(old, size, size, new=place)
                assert at == place
                if before:
                    await reads(device, at, pattern(pages), some[:2])
                    await migrate(b, mm, at, some)
                await reads(device, at, pattern(pages), some)
                assert await mm.load(at, size) == pattern(pages)
                for page in some:
                    if not at <= old + page * PAGE < at + size:
                        await b.refused(device.read(old + page * PAGE, empty(1)), errno.EFAULT)
                await mm.exit()
