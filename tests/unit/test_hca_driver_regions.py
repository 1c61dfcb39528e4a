"""Regions: registered on demand, implicit and pinned; refused; prefetched; and given up."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.hca_rig import BASE, LOCAL, ODP, PAGE, REMOTE, RW, End, Rig, open_end, pair, rdma

from hwif.gen.events import TraceEvent
from hwif.gen.hca import Access, Advice, WcStatus, WrOpcode
from sw_stack.drivers.hca import DriverPolicy, Mr, Sge
from sw_stack.drivers.hca.prefetch import FLAG_FLUSH
from sw_stack.mm import PROT_READ, Machine, MmError

MEGA = 1 << 21


@contextmanager
def refused(code: int) -> Iterator[None]:
    with pytest.raises(MmError) as caught:
        yield
    assert caught.value.errno == code, caught.value


def kernel_frames(machine: Machine) -> int:
    return sum(frame.kernel for frame in machine.frames.in_use())


async def memory(end: End, pages: int) -> None:
    await end.mm.mmap(BASE, pages * PAGE, RW, fixed=True)
    for page in range(pages):
        await end.mm.store(BASE + page * PAGE, bytes([page + 1]) * PAGE)


def test_an_on_demand_region_faults_for_what_is_used_and_for_nothing_else() -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        await memory(left, 8)
        await memory(right, 8)
        mine, theirs = await left.region(BASE, 8, LOCAL | ODP), await right.region(BASE, 8, REMOTE | ODP)
        assert mine.table.pages == theirs.table.pages == 0
        done = await left.do(rdma(WrOpcode.RDMA_READ, BASE + PAGE, 2 * PAGE, mine, BASE + 4 * PAGE, theirs))
        assert done.status is WcStatus.SUCCESS
        assert await left.mm.load(BASE + PAGE, 2 * PAGE) == bytes([5]) * PAGE + bytes([6]) * PAGE
        assert (mine.table.pages, theirs.table.pages) == (2, 2)

    rig.run(body())
    assert not rig.device.violations()
    assert rig.a.driver.stats.fault_error == rig.b.driver.stats.fault_error == 0


def test_an_implicit_region_reaches_what_is_mapped_after_it() -> None:
    rig = Rig()
    high = (1 << 47) - 4 * PAGE

    async def body() -> None:
        left, right = await pair(rig)
        theirs = await right.driver.reg_mr(right.pd, 0, 0, REMOTE | ODP, implicit=True)
        mine = await left.driver.reg_mr(left.pd, 0, 0, LOCAL | ODP, implicit=True)
        await memory(left, 1)
        await memory(right, 1)
        await right.mm.mmap(high, PAGE, RW, fixed=True)
        for remote in (BASE, high):
            assert (await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, 100, mine, remote, theirs))).status is WcStatus.SUCCESS
            assert await right.mm.load(remote, 100) == bytes([1]) * 100
        assert theirs.table.tables == 1 + 3 + 3
        await right.mm.munmap(high, PAGE)
        assert theirs.table.tables == 1 + 3
        await right.driver.dereg_mr(theirs)
        assert (await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, 1, mine, BASE, theirs))).status is WcStatus.REM_ACCESS_ERR

    rig.run(body())
    assert not rig.device.violations()


def test_a_pinned_region_has_no_holes_and_outlives_the_mapping() -> None:
    """The adapter that cannot change a mapping: what the process unmaps, the device keeps, until deregistration."""
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        await memory(left, 2)
        await memory(right, 4)
        mine, theirs = await left.region(BASE, 2, LOCAL), await right.region(BASE, 4, REMOTE)
        assert theirs.table.pages == 4
        await right.mm.munmap(BASE, 4 * PAGE)
        await right.mm.mmap(BASE, 4 * PAGE, RW, fixed=True)
        await right.mm.store(BASE, b"new")
        done = await left.do(rdma(WrOpcode.RDMA_READ, BASE, PAGE, mine, BASE, theirs))
        assert done.status is WcStatus.SUCCESS
        assert await left.mm.load(BASE, PAGE) == bytes([1]) * PAGE, "the device reads the page it pinned"
        used = rig.b.machine.frames.free
        await right.driver.dereg_mr(theirs)
        assert rig.b.machine.frames.free == used + 4 + 1, "four pages and a table"

    rig.run(body())
    assert not rig.device.violations()
    assert rig.a.driver.stats.fault_records == rig.b.driver.stats.fault_records == 0
    assert rig.b.driver.stats.pages_pinned == rig.b.driver.stats.pages_unpinned == 4


def test_pain_25_pinned_pages_can_neither_be_reclaimed_nor_migrated_and_count_against_the_limit() -> None:
    rig = Rig(DriverPolicy(memlock=6), nodes=1)

    async def body() -> None:
        end = await open_end(rig.a, "program")
        await memory(end, 8)
        mr = await end.region(BASE, 4, LOCAL)
        with refused(errno.ENOMEM):
            await end.region(BASE + 4 * PAGE, 3, LOCAL)
        on_demand = await end.region(BASE, 8, LOCAL | ODP)
        assert not await rig.a.machine.migrate_page(end.mm, BASE)
        assert await rig.a.machine.migrate_page(end.mm, BASE + 5 * PAGE)
        assert await rig.a.machine.reclaim(8) == 4
        assert mr.table.pages == 4
        await end.driver.dereg_mr(mr)
        await end.mm.touch(BASE, write=False)  # reclaim unmapped it, in vain
        assert await rig.a.machine.migrate_page(end.mm, BASE)
        await end.driver.dereg_mr(await end.region(BASE, 6, LOCAL))
        await end.driver.dereg_mr(on_demand)

    rig.run(body())
    assert rig.a.driver.stats.memlock_refused == 1


def test_registrations_that_are_refused_leave_nothing_behind() -> None:
    rig = Rig(DriverPolicy(keys=8), nodes=1)

    async def body() -> None:
        end = await open_end(rig.a, "program")
        await memory(end, 2)
        before = (rig.a.machine.frames.free, kernel_frames(rig.a.machine))
        for start, length, access, code in (
            (BASE, 0, LOCAL, errno.EINVAL),
            (1 << 48, PAGE, LOCAL, errno.EINVAL),
            ((1 << 48) - PAGE, PAGE + 1, LOCAL | ODP, errno.EINVAL),
            (BASE, PAGE, Access.REMOTE_WRITE, errno.EINVAL),
            (BASE, PAGE, Access.REMOTE_ATOMIC | ODP, errno.EINVAL),
            (BASE, PAGE, 1 << 9, errno.EINVAL),
            (BASE, PAGE, LOCAL | Access.MW_BIND, errno.EINVAL),
            (BASE, 3 * PAGE, LOCAL, errno.EFAULT),
        ):
            with refused(code):
                await end.driver.reg_mr(end.pd, start, length, access)
        with refused(errno.EINVAL):
            await end.driver.reg_mr(end.pd, 0, 0, LOCAL, implicit=True)
        assert (rig.a.machine.frames.free, kernel_frames(rig.a.machine)) == before
        regions = [await end.region(BASE, 1, LOCAL | ODP) for _ in range(7)]
        assert len({mr.key for mr in regions}) == 7
        with refused(errno.ENOMEM):
            await end.region(BASE, 1, LOCAL | ODP)
        await end.driver.dereg_mr(regions[3])
        again = await end.region(BASE, 1, LOCAL | ODP)
        assert again.key >> 8 == regions[3].key >> 8
        assert again.key != regions[3].key
        with refused(errno.EINVAL):
            await end.driver.dereg_mr(regions[3])
        with refused(errno.EBUSY):
            await end.driver.dealloc_pd(end.pd)
        await end.close()
        assert rig.a.driver.keys.regions() == []
        with refused(errno.EINVAL):
            await end.driver.reg_mr(end.pd, BASE, PAGE, LOCAL)

    rig.run(body())


def test_a_process_without_the_page_does_not_get_it_pinned() -> None:
    rig = Rig(nodes=1)

    async def body() -> None:
        end = await open_end(rig.a, "program")
        await memory(end, 2)
        await end.mm.mprotect(BASE + PAGE, PAGE, PROT_READ)
        with refused(errno.EFAULT):
            await end.region(BASE, 2, LOCAL)
        counts = rig.a.machine.statistics()
        assert counts["pinned"] == counts["unpinned"] == 1 and rig.a.driver.stats.pages_pinned == 0
        mr = await end.region(BASE, 2, 0)
        assert not mr.table.lookup(mr.table.page(BASE)).write  # type: ignore[union-attr]

    rig.run(body())


def test_large_pages_are_entered_as_such_where_they_fit() -> None:
    rig = Rig(frames=4096)

    async def body() -> None:
        left, right = await pair(rig)
        await memory(left, 4)
        await right.mm.mmap(BASE, 2 * MEGA, RW, fixed=True, huge=21)
        mine = await left.region(BASE, 4, LOCAL | ODP)
        whole = await right.region(BASE, 2 * MEGA // PAGE, REMOTE | ODP)
        part = await right.region(BASE + PAGE, MEGA // PAGE, REMOTE | ODP)
        for mr in (whole, part):
            done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, PAGE, mine, BASE + 7 * PAGE, mr))
            assert done.status is WcStatus.SUCCESS
        assert whole.table.lookup(whole.table.page(BASE + 7 * PAGE)).shift == 21  # type: ignore[union-attr]
        assert part.table.lookup(part.table.page(BASE + 7 * PAGE)).shift == 12  # type: ignore[union-attr]
        assert await right.mm.load(BASE + 7 * PAGE, PAGE) == bytes([1]) * PAGE
        await right.mm.split_large_page(BASE)
        await right.mm.madvise_dontneed(BASE + 9 * PAGE, PAGE)
        assert whole.table.pages == 0, "a piece of a large translation takes all of it along"
        done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, PAGE, mine, BASE + 7 * PAGE, whole))
        assert done.status is WcStatus.SUCCESS

    rig.run(body())
    assert not rig.device.violations()
    assert rig.b.driver.stats.fault_large_pages >= 1


# ---- prefetch ----------------------------------------------------------------------------------------------------------


def test_advice_is_refused_as_the_manual_says() -> None:
    rig = Rig(nodes=1)

    async def body() -> None:
        end = await open_end(rig.a, "program")
        other = await rig.a.driver.alloc_pd(end.mm)
        await memory(end, 4)
        mr, pinned = await end.region(BASE, 4, ODP), await end.region(BASE, 4, LOCAL)
        good = Sge(BASE, PAGE, mr.lkey)
        for pd, advice, flags, sges, code in (
            (end.pd, 3, 0, [good], errno.EINVAL),
            (end.pd, Advice.PREFETCH, 2, [good], errno.EINVAL),
            (end.pd, Advice.PREFETCH, 0, [], errno.EINVAL),
            (end.pd, Advice.PREFETCH, 0, [Sge(BASE, PAGE, mr.lkey ^ 1)], errno.ENOENT),
            (end.pd, Advice.PREFETCH, 0, [Sge(BASE, PAGE, pinned.lkey)], errno.ENOENT),
            (other, Advice.PREFETCH, 0, [good], errno.EPERM),
            (end.pd, Advice.PREFETCH_WRITE, 0, [good], errno.EPERM),
            (end.pd, Advice.PREFETCH, FLAG_FLUSH, [Sge(BASE - 1, PAGE, mr.lkey)], errno.EFAULT),
            (end.pd, Advice.PREFETCH, 0, [good, Sge(BASE, 4 * PAGE + 1, mr.lkey)], errno.EFAULT),
        ):
            with refused(code):
                await rig.a.driver.advise_mr(pd, advice, flags, sges)
        assert mr.table.pages == 0
        await end.mm.munmap(BASE + 2 * PAGE, PAGE)
        with refused(errno.EFAULT):
            await rig.a.driver.advise_mr(end.pd, Advice.PREFETCH, FLAG_FLUSH, [Sge(BASE, 4 * PAGE, mr.lkey)])

    rig.run(body())


def test_prefetched_pages_do_not_fault() -> None:
    rig = Rig(DriverPolicy(fault_pages=4))

    async def body() -> None:
        left, right = await pair(rig)
        await memory(left, 12)
        await memory(right, 12)
        mine, theirs = await left.region(BASE, 12, LOCAL | ODP), await right.region(BASE, 12, REMOTE | ODP)
        await left.driver.advise_mr(left.pd, Advice.PREFETCH_WRITE, FLAG_FLUSH, [Sge(BASE + 5, 12 * PAGE - 5, mine.lkey)])
        await right.driver.advise_mr(right.pd, Advice.PREFETCH, FLAG_FLUSH, [Sge(BASE, 12 * PAGE, theirs.lkey)])
        assert mine.table.pages == theirs.table.pages == 12
        await left.do(rdma(WrOpcode.RDMA_READ, BASE, 12 * PAGE, mine, BASE, theirs))

    rig.run(body())
    assert rig.a.driver.stats.fault_records == rig.b.driver.stats.fault_records == 0
    assert len(rig.seen(TraceEvent.HCA_PREFETCH_DONE)) == 2


def test_prefetch_without_faults_takes_what_is_there() -> None:
    rig = Rig(nodes=1)

    async def body() -> Mr:
        end = await open_end(rig.a, "program")
        await end.mm.mmap(BASE, 8 * PAGE, RW, fixed=True)
        for page in (1, 2, 6):
            await end.mm.touch(BASE + page * PAGE, True)
        mr = await end.region(BASE, 8, LOCAL | ODP)
        await rig.a.driver.advise_mr(end.pd, Advice.PREFETCH_NO_FAULT, FLAG_FLUSH, [Sge(BASE, 8 * PAGE, mr.lkey)])
        return mr

    (mr,) = rig.run(body())
    assert [page for page in range(8) if mr.table.lookup(mr.table.page(BASE) + page)] == [1, 2, 6]
    assert rig.a.machine.statistic("fault_anon") == 3


def test_prefetch_in_the_background_holds_its_region() -> None:
    """Deregistration begun meanwhile waits for it, and finds nothing half done."""
    rig = Rig(nodes=1)

    async def body() -> None:
        end = await open_end(rig.a, "program")
        await end.mm.mmap(BASE, 16 * PAGE, RW, fixed=True)
        mr = await end.region(BASE, 16, LOCAL | ODP)
        await rig.a.driver.advise_mr(end.pd, Advice.PREFETCH, 0, [Sge(BASE, 16 * PAGE, mr.lkey)])
        assert mr.users
        await end.driver.dereg_mr(mr)
        assert not mr.users
        await end.close()

    rig.run(body())
    assert rig.a.driver.stats.tables_alloc == rig.a.driver.stats.tables_free


def test_close_gives_everything_back() -> None:
    rig = Rig(nodes=1)

    async def body() -> None:
        before = (rig.a.machine.frames.free, kernel_frames(rig.a.machine))
        end = await open_end(rig.a, "program")
        await memory(end, 4)
        await end.region(BASE, 4, LOCAL | ODP)
        await end.region(BASE, 4, LOCAL)
        await end.driver.reg_mr(end.pd, 0, 0, LOCAL | ODP, implicit=True)
        with refused(errno.EBUSY):
            await rig.a.driver.remove()
        await end.close()
        await end.mm.exit()
        assert (rig.a.machine.frames.free, kernel_frames(rig.a.machine)) == before
        await rig.a.driver.remove()
        assert kernel_frames(rig.a.machine) == 0

    rig.run(body())
    assert not rig.a.shadow.regions.any()
    assert not rig.a.shadow.qp_pd.any()


@pytest.mark.parametrize(
    "wrong",
    [{"faults": 3}, {"commands": 1}, {"keys": 1}, {"keys": 5000}, {"work_items": 0}, {"memlock": -1}, {"mutant": "nonsense"}],
)
def test_impossible_policies_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="driver policy"):
        DriverPolicy(**wrong)  # type: ignore[arg-type]
