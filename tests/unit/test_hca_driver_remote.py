"""Adapters that cannot fault: the handle that an invalidation marks, and the A/B protocol, with one B and with several."""

from __future__ import annotations

import errno

import pytest
from support.hca_rig import BASE, LOCAL, ODP, PAGE, REMOTE, RW, End, Rig, connect, open_end, pair, rdma

from hwif.gen.hca import WcStatus, WrOpcode
from sw_stack.drivers.hca.handle import Handle
from sw_stack.drivers.hca.remote import Exporter, Importer
from sw_stack.mm import MmError

LATENCY = 2000
PAGES = 6


async def memory(end: End, pages: int) -> None:
    await end.mm.mmap(BASE, pages * PAGE, RW, fixed=True)
    for page in range(pages):
        await end.mm.store(BASE + page * PAGE, bytes([page + 1]) * PAGE)


# ---- the marked handle -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_marked_handle_is_re_established_before_the_next_operation(seed: int) -> None:
    """Reclaim and migration go on, no operation faults, contents are the process's."""
    rig = Rig(frames=512, seed=seed)
    print(f"seed {seed}")
    over = False

    async def upset(end: End) -> None:
        while not over:
            await rig.a.machine.migrate_page(end.mm, BASE + PAGE)
            await rig.a.machine.reclaim(1)
            await rig.sched.sleep(20_000)

    async def body() -> Handle:
        nonlocal over
        left, right = await pair(rig)
        await memory(left, 3)
        await memory(right, 3)
        far = await right.region(BASE, 3, REMOTE)
        handle = await Handle.open(left.driver, left.pd, BASE, 3 * PAGE, LOCAL)
        task = rig.sched.spawn(upset(left), "upset", 3)
        for _ in range(20):
            async with handle.use() as mr:
                done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, 3 * PAGE, mr, BASE, far))
            assert done.status is WcStatus.SUCCESS
        over = True
        await rig.sched.join(task)
        for page in range(3):
            assert await right.mm.load(BASE + page * PAGE, PAGE) == bytes([page + 1]) * PAGE
        await handle.close()
        return handle

    (handle,) = rig.run(body())
    assert not rig.device.violations()
    assert rig.a.driver.stats.fault_records == rig.b.driver.stats.fault_records == 0
    assert handle.established > 1
    assert rig.a.machine.statistic("migrated") + rig.a.machine.statistic("reclaimed") > 0


def test_an_invalidation_waits_for_the_operation_under_way() -> None:
    rig = Rig()

    async def body() -> None:
        left, _right = await pair(rig)
        await memory(left, 2)
        handle = await Handle.open(left.driver, left.pd, BASE, 2 * PAGE, LOCAL)
        async with handle.use() as mr:
            assert mr.table.pages == 2
            task = rig.sched.spawn(left.mm.madvise_dontneed(BASE, PAGE), "madvise", 3)
            await rig.sched.sleep(5000)
            assert handle.marked
            assert mr.table.pages == 2
        await rig.sched.join(task)
        assert handle.mr.table.pages == 0
        await left.mm.munmap(BASE, PAGE)
        with pytest.raises(MmError) as caught:
            async with handle.use():
                raise AssertionError("a page is gone")
        assert caught.value.errno == errno.EFAULT

    rig.run(body())


# ---- A and B -----------------------------------------------------------------------------------------------------------


async def write(end: End, importer: Importer, source: int, address: int, length: int, **options: int) -> None:
    async with importer.access(address, length) as far:
        done = await end.do(rdma(WrOpcode.RDMA_WRITE, source, length, END_REGION[end], address, far))
        assert done.status is WcStatus.SUCCESS


END_REGION: dict[End, object] = {}


async def importers(rig: Rig, home: End, exporter: Exporter, count: int) -> list[tuple[End, Importer]]:
    """`count` processes on system B, each with a connection of its own to A."""
    users = []
    for number in range(count):
        user = await open_end(rig.b, f"B{number}")
        far = End(home.driver, home.mm, home.pd, home.cq, await home.driver.create_qp(home.pd, home.cq, home.cq, 16, 16))
        await connect(user, far)
        await memory(user, 1)
        END_REGION[user] = await user.region(BASE, 1, LOCAL)
        users.append((user, Importer(user.driver, exporter, latency=LATENCY)))
    return users


async def exported(rig: Rig) -> tuple[End, Exporter]:
    home = await open_end(rig.a, "A")
    await memory(home, PAGES)
    return home, await Exporter.open(home.driver, home.pd, BASE, PAGES * PAGE, REMOTE | ODP)


def test_b_drops_its_entry_and_confirms_before_a_frees_the_page_and_an_access_brings_it_back() -> None:
    rig = Rig()

    async def body() -> None:
        home, exporter = await exported(rig)
        ((user, importer),) = await importers(rig, home, exporter, 1)
        await write(user, importer, BASE, BASE + PAGE, 64)
        assert importer.holds(BASE + PAGE)
        assert exporter.holders(BASE + PAGE) == 1
        began = rig.sched.now
        assert await rig.a.machine.migrate_page(home.mm, BASE + PAGE)
        assert rig.sched.now - began >= 2 * LATENCY
        assert not importer.holds(BASE + PAGE)
        assert exporter.mr.table.pages == 0
        await write(user, importer, BASE, BASE + PAGE + 64, 64)
        assert await home.mm.load(BASE + PAGE, 128) == bytes([1]) * 128
        assert (importer.established, exporter.revoked) == (2, 1)
        # A page nobody uses costs no message.
        assert await rig.a.machine.migrate_page(home.mm, BASE + 2 * PAGE)
        assert exporter.revoked == 1
        with pytest.raises(MmError) as caught:
            async with importer.access(BASE + PAGES * PAGE, 1):
                raise AssertionError("outside")
        assert caught.value.errno == errno.EFAULT
        with pytest.raises(MmError) as caught:
            await exporter.close()
        assert caught.value.errno == errno.EBUSY
        await importer.detach()
        assert exporter.holders(BASE + PAGE) == 0
        await exporter.close()

    rig.run(body())
    assert not rig.device.violations()
    assert rig.a.driver.stats.fault_records == 0


def test_an_operation_under_way_holds_the_confirmation() -> None:
    rig = Rig()

    async def body() -> None:
        home, exporter = await exported(rig)
        ((_user, importer),) = await importers(rig, home, exporter, 1)
        async with importer.access(BASE, 2 * PAGE):
            task = rig.sched.spawn(home.mm.munmap(BASE, PAGE), "munmap", 3)
            await rig.sched.sleep(20 * LATENCY)
            assert not importer.holds(BASE)
            assert importer.holds(BASE + PAGE)
            assert exporter.mr.table.pages == 2
            assert not task.finished
        await rig.sched.join(task)
        with pytest.raises(MmError) as caught:
            async with importer.access(BASE, 1):
                raise AssertionError("unmapped")
        assert caught.value.errno == errno.EFAULT

    rig.run(body())


@pytest.mark.parametrize("seed", range(4))
def test_many_systems_under_memory_pressure_never_meet_a_missing_page(seed: int) -> None:
    """Holders are asked all at once; nobody else is. An operation over two pages waits for the second without keeping the first."""
    count = 4
    rig = Rig(frames=512, seed=seed)
    print(f"seed {seed}")
    over = False

    async def upset(home: End) -> None:
        page = 0
        while not over:
            page = (page + 1) % PAGES
            await rig.a.machine.migrate_page(home.mm, BASE + page * PAGE)
            await rig.a.machine.reclaim(1)
            await rig.sched.sleep(60_000)

    async def use(number: int, user: End, importer: Importer) -> None:
        for turn in range(6):
            page = (number + turn) % (PAGES - 1)
            async with importer.access(BASE + page * PAGE, 2 * PAGE) as far:
                local = END_REGION[user]
                for address in (BASE + page * PAGE + 64 * number, BASE + (page + 1) * PAGE + 64 * number):
                    done = await user.do(rdma(WrOpcode.RDMA_WRITE, BASE, 64, local, address, far))  # type: ignore[arg-type]
                    assert done.status is WcStatus.SUCCESS

    async def body() -> Exporter:
        nonlocal over
        home, exporter = await exported(rig)
        users = await importers(rig, home, exporter, count)
        task = rig.sched.spawn(upset(home), "upset", 3)
        works = [rig.sched.spawn(use(n, *user), f"user {n}", 17 + n) for n, user in enumerate(users)]
        for work in works:
            await rig.sched.join(work)
        over = True
        await rig.sched.join(task)
        for page in range(PAGES):
            for number in range(count):
                pages = {(number + turn) % (PAGES - 1) + more for turn in range(6) for more in (0, 1)}
                expected = 1 if page in pages else page + 1
                assert await home.mm.load(BASE + page * PAGE + 64 * number, 64) == bytes([expected]) * 64
        await home.mm.exit()
        assert all(not importer.holds(BASE + page * PAGE) for _user, importer in users for page in range(PAGES))
        return exporter

    (exporter,) = rig.run(body())
    assert not rig.device.violations()
    assert rig.a.driver.stats.fault_records == 0
    assert exporter.revoked > 0
