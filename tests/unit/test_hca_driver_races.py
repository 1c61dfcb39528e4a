"""Races of the driver with the address space: churn over many seeds, and the pain points of facts that are races."""

from __future__ import annotations

import pytest
from support.hca_rig import BASE, LOCAL, ODP, PAGE, REMOTE, RW, End, Rig, open_end, pair, rdma
from support.hca_scenes import Churn

from hwif.gen.events import TraceEvent
from hwif.gen.hca import Advice, WcStatus, WrOpcode
from sw_stack.drivers.hca import DriverPolicy, Mr, Sge
from sw_stack.drivers.hca.prefetch import FLAG_FLUSH


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_traffic_over_memory_that_is_taken_away_meanwhile(seed: int, implicit: bool) -> None:
    rig = Rig(frames=512, seed=seed)
    print(f"seed {seed}")
    churn = Churn(rig, seed, implicit=implicit)
    churn.play()
    assert not rig.device.violations()
    assert churn.done == churn.operations
    stats = rig.b.driver.stats
    assert stats.invalidated_pages > 0
    assert stats.invalidate_page > 0
    assert stats.invalidate_range > 0
    assert stats.tables_alloc == stats.tables_free
    assert rig.b.driver.space  # the driver survived its processes
    assert not rig.b.shadow.regions.any()


async def memory(end: End, pages: int) -> None:
    await end.mm.mmap(BASE, pages * PAGE, RW, fixed=True)
    for page in range(pages):
        await end.mm.store(BASE + page * PAGE, bytes([page + 1]) * PAGE)


async def entered(end: End, pages: int, *, implicit: bool = False) -> Mr:
    """A region with all its pages in the device's table."""
    if implicit:
        mr = await end.driver.reg_mr(end.pd, 0, 0, REMOTE | ODP, implicit=True)
    else:
        mr = await end.region(BASE, pages, REMOTE | ODP)
    await end.driver.advise_mr(end.pd, Advice.PREFETCH_WRITE, FLAG_FLUSH, [Sge(BASE, pages * PAGE, mr.lkey)])
    assert mr.table.pages == pages
    return mr


@pytest.mark.parametrize("end", [1 << 64, (1 << 64) - 1])
def test_pain_13_a_range_to_the_end_of_everything_takes_everything(end: int) -> None:
    """[0, 2**64) as a length overflows whoever rounds it up; then nothing is flushed."""
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        await memory(left, 1)
        await memory(right, 4)
        mine = await left.region(BASE, 1, LOCAL | ODP)
        whole, part = await entered(right, 4, implicit=True), await entered(right, 4)
        for mr in (whole, part):
            assert (await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, 8, mine, BASE, mr))).status is WcStatus.SUCCESS
        async with right.mm.mmap_lock.reading(), right.mm.notifiers.range(0, end):
            assert whole.table.pages == part.table.pages == 0
        assert whole.table.tables == 1
        before = rig.b.driver.stats.fault_records
        for mr in (whole, part):
            assert (await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, 8, mine, BASE, mr))).status is WcStatus.SUCCESS
        assert rig.b.driver.stats.fault_records == before + 2

    rig.run(body())
    assert not rig.device.violations()


@pytest.mark.parametrize("seed", range(6))
def test_pain_15_deregistration_beside_madvise(seed: int) -> None:
    """An invalidation may ring for a key that is withdrawn: the device takes it, and no command queue dies of it."""
    rig = Rig(nodes=1, seed=seed)
    print(f"seed {seed}")

    async def body() -> None:
        end = await open_end(rig.a, "program")
        await memory(end, 4)
        for _ in range(5):
            mr = await entered(end, 4)
            one = rig.sched.spawn(end.mm.madvise_dontneed(BASE, 4 * PAGE), "madvise", 3)
            two = rig.sched.spawn(end.driver.dereg_mr(mr), "dereg", 4)
            await rig.sched.join(one)
            await rig.sched.join(two)
        await end.close()

    rig.run(body())
    assert rig.a.driver.stats.tables_alloc == rig.a.driver.stats.tables_free


@pytest.mark.parametrize("seed", range(3))
def test_pain_16_faults_that_reclaim_pages_of_their_own_region(seed: int) -> None:
    """Memory is short: bringing a page in takes another of the same region out. The lookup holds nothing the notifier takes."""
    pages = 96
    rig = Rig(DriverPolicy(keys=64), frames=80, seed=seed)
    print(f"seed {seed}")

    async def body() -> None:
        left, right = await pair(rig)
        await right.mm.mmap(BASE, pages * PAGE, RW, fixed=True)
        await left.mm.mmap(BASE, 4 * PAGE, RW, fixed=True)
        mine, theirs = (
            await left.region(BASE, 4, LOCAL | ODP),
            await right.driver.reg_mr(right.pd, 0, 0, REMOTE | ODP, implicit=True),
        )
        for page in range(0, pages, 2):
            await left.mm.store(BASE, bytes([page + 1]) * 16)
            done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, 2 * PAGE, mine, BASE + page * PAGE, theirs))
            assert done.status is WcStatus.SUCCESS
        for page in range(0, pages, 2):
            assert await right.mm.load(BASE + page * PAGE, 16) == bytes([page + 1]) * 16
        await left.close()
        await right.close()

    rig.run(body())
    assert not rig.device.violations()
    assert rig.b.machine.statistic("reclaimed") > 10
    assert rig.b.driver.stats.invalidate_page > 10
    assert rig.b.driver.stats.aged_pages > 0


@pytest.mark.parametrize("seed", range(6))
def test_pain_17_two_invalidations_that_empty_one_table_free_it_once(seed: int) -> None:
    rig = Rig(nodes=1, seed=seed)
    print(f"seed {seed}")

    async def body() -> None:
        end = await open_end(rig.a, "program")
        await memory(end, 8)
        for _ in range(4):
            mr = await entered(end, 8, implicit=True)
            halves = [end.mm.madvise_dontneed(BASE, 4 * PAGE), end.mm.madvise_dontneed(BASE + 4 * PAGE, 4 * PAGE)]
            tasks = [rig.sched.spawn(half, f"half {n}", n) for n, half in enumerate(halves)]
            for task in tasks:
                await rig.sched.join(task)
            assert mr.table.tables == 1
            await end.driver.dereg_mr(mr)
        await end.close()

    rig.run(body())
    assert rig.a.driver.stats.tables_alloc == rig.a.driver.stats.tables_free


@pytest.mark.parametrize("seed", range(6))
def test_pain_18_an_implicit_region_goes_while_a_table_of_it_is_freed_and_a_fault_makes_another(seed: int) -> None:
    """Deregistration waits for both, and for nobody for ever."""
    rig = Rig(seed=seed)
    print(f"seed {seed}")

    async def body() -> None:
        left, right = await pair(rig)
        await memory(left, 2)
        await memory(right, 8)
        mine, theirs = await left.region(BASE, 2, LOCAL | ODP), await entered(right, 8, implicit=True)
        wrs = [rdma(WrOpcode.RDMA_WRITE, BASE, PAGE, mine, BASE + page * PAGE, theirs) for page in range(8)]
        drop = rig.sched.spawn(right.mm.madvise_dontneed(BASE, 8 * PAGE), "madvise", 20)
        await left.driver.post_send(left.qp, *wrs)
        gone = rig.sched.spawn(right.driver.dereg_mr(theirs), "dereg", 21)
        for task in (drop, gone):
            await rig.sched.join(task)
        statuses = [(await left.completion()).status for _ in wrs]
        assert set(statuses) <= {WcStatus.SUCCESS, WcStatus.REM_ACCESS_ERR, WcStatus.REM_OP_ERR, WcStatus.WR_FLUSH_ERR}
        await left.close()
        await right.close()

    rig.run(body())
    assert not rig.device.violations()
    for system in rig.systems:
        assert system.driver.stats.tables_alloc == system.driver.stats.tables_free


def test_an_invalidation_waits_for_another_that_took_the_pages_and_is_not_through() -> None:
    """The second finds the table empty. The device may still be in the middle of the pages the first took out."""
    rig = Rig(nodes=1)

    async def body() -> None:
        end = await open_end(rig.a, "program")
        await memory(end, 2)
        mr = await entered(end, 2)
        async with end.mm.mmap_lock.reading():
            first = rig.sched.spawn(end.mm.notifiers.range_begin(BASE, BASE + PAGE, False), "first", 3)
            while mr.table.pages == 2:
                await rig.sched.sleep(5)
            second = await end.mm.notifiers.range_begin(BASE, BASE + PAGE, False)
            assert rig.a.driver.stats.invalidate_nothing == 0
            await end.mm.notifiers.range_end(second)
            await end.mm.notifiers.range_end(await rig.sched.join(first))
            third = await end.mm.notifiers.range_begin(BASE, BASE + PAGE, False)
            assert rig.a.driver.stats.invalidate_nothing == 1
            await end.mm.notifiers.range_end(third)

    rig.run(body())
    assert len(rig.seen(TraceEvent.HCA_FENCE_DONE)) == 2
