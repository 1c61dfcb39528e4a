"""Page faults: answered once each, under every policy; errors; the pool of work items; and the pain points that concern them."""

from __future__ import annotations

import errno

import pytest
from support.hca_rig import BASE, LOCAL, ODP, PAGE, REMOTE, RW, End, Rig, fan_out, open_end, pair, rdma, recv, send

from hwif.gen.events import TraceEvent
from hwif.gen.hca import RX_SLOTS, Advice, AsyncType, CmdOp, FaultDir, FaultPolicy, QpState, WcStatus, WrOpcode
from sw_stack.drivers.hca import DriverPolicy, Mr, Sge
from sw_stack.drivers.hca.faults import FaultRecord, page_fault
from sw_stack.drivers.hca.prefetch import FLAG_FLUSH
from sw_stack.mm import PROT_READ
from sw_stack.mm.pagetable import ACCESSED, VALUE_SHIFT
from sw_stack.mm.rmap import page_referenced

POLICIES = list(FaultPolicy)


async def memory(end: End, pages: int, *, base: int = BASE) -> None:
    await end.mm.mmap(base, pages * PAGE, RW, fixed=True)
    for page in range(pages):
        await end.mm.store(base + page * PAGE, bytes([page + 1]) * PAGE)


async def regions(left: End, right: End, pages: int) -> tuple[Mr, Mr]:
    await memory(left, pages)
    await memory(right, pages)
    return await left.region(BASE, pages, LOCAL | ODP), await right.region(BASE, pages, REMOTE | ODP)


def resumes(rig: Rig) -> int:
    return sum(event[3] == CmdOp.RESUME for event in rig.seen(TraceEvent.HCA_COMMAND))


@pytest.mark.parametrize("policy", POLICIES)
def test_every_record_is_answered_by_one_resume(policy: FaultPolicy) -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig, policy=policy)
        mine, theirs = await regions(left, right, 8)
        for opcode, page in ((WrOpcode.RDMA_WRITE, 0), (WrOpcode.RDMA_READ, 2), (WrOpcode.ATOMIC_FETCH_AND_ADD, 4)):
            length = 8 if opcode is WrOpcode.ATOMIC_FETCH_AND_ADD else PAGE + 100
            wr = rdma(opcode, BASE + page * PAGE, length, mine, BASE + page * PAGE, theirs, compare_add=1)
            assert (await left.do(wr)).status is WcStatus.SUCCESS
        await right.driver.post_recv(right.qp, recv(BASE + 6 * PAGE, 2 * PAGE, theirs))
        assert (await left.do(send(BASE + 6 * PAGE, 2 * PAGE, mine))).status is WcStatus.SUCCESS
        assert (await right.completion()).byte_len == 2 * PAGE
        assert await right.mm.load(BASE + 6 * PAGE, 2 * PAGE) == bytes([7]) * PAGE + bytes([8]) * PAGE

    rig.run(body())
    assert not rig.device.violations()
    records = rig.a.driver.stats.fault_records + rig.b.driver.stats.fault_records
    assert records == resumes(rig) == len(rig.seen(TraceEvent.HCA_FAULT_DONE)) >= 8
    # What a fault maps is what its operation needs, so one fault an operation and side is enough, but for READ targets and SENDs.
    assert rig.b.driver.stats.fault_records == 4
    assert rig.a.driver.stats.resume_refused == rig.b.driver.stats.resume_refused == 0


@pytest.mark.parametrize("policy", POLICIES)
def test_no_mapping_and_no_right_end_in_the_architected_error(policy: FaultPolicy) -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig, policy=policy)
        mine, theirs = await regions(left, right, 4)
        await right.mm.mprotect(BASE, PAGE, PROT_READ)
        done = await left.do(rdma(WrOpcode.RDMA_READ, BASE, PAGE, mine, BASE, theirs))
        assert done.status is WcStatus.SUCCESS
        done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, PAGE, mine, BASE, theirs))
        assert done.status is WcStatus.REM_OP_ERR
        event = await right.driver.wait_async_event()
        assert (event.kind, event.subject) == (AsyncType.QP_ACCESS_ERR, right.qp.number)
        assert right.qp.state is QpState.ERR
        assert await right.mm.load(BASE, 8) == bytes([1]) * 8

    rig.run(body())
    assert not rig.device.violations()
    assert rig.b.driver.stats.fault_error == 1


def test_a_send_from_nowhere_is_a_local_protection_error() -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        mine, theirs = await regions(left, right, 4)
        await left.mm.munmap(BASE + PAGE, PAGE)
        done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, 2 * PAGE, mine, BASE, theirs))
        assert done.status is WcStatus.LOC_PROT_ERR

    rig.run(body())
    assert not rig.device.violations()
    assert rig.a.driver.stats.fault_error == 1


def test_pain_12_a_permission_upgrade_does_not_leave_the_device_faulting_for_ever() -> None:
    """Cached read-only by a read of a shared page; the process writes, the page is copied, then reused in place: the device's
    write takes one fault."""
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        mine, theirs = await regions(left, right, 2)
        child = await right.mm.fork("child")
        read = rdma(WrOpcode.RDMA_READ, BASE, PAGE, mine, BASE, theirs)
        assert (await left.do(read)).status is WcStatus.SUCCESS
        leaf = theirs.table.lookup(theirs.table.page(BASE))
        assert leaf is not None
        assert not leaf.write
        await child.exit()
        before = rig.b.driver.stats.fault_records
        done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE + PAGE, PAGE, mine, BASE, theirs))
        assert done.status is WcStatus.SUCCESS
        assert rig.b.driver.stats.fault_records == before + 1
        assert await right.mm.load(BASE, PAGE) == bytes([2]) * PAGE
        done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, PAGE, mine, BASE, theirs))
        assert done.status is WcStatus.SUCCESS
        assert rig.b.driver.stats.fault_records == before + 1

    rig.run(body())
    assert not rig.device.violations()


@pytest.mark.parametrize("offset", [-1, 4 * PAGE])
def test_pain_19_what_lies_outside_a_region_is_not_faulted_in(offset: int) -> None:
    """The device refuses it before it faults; a record that says otherwise changes nothing either."""
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        await memory(right, 8, base=BASE - 2 * PAGE)
        await memory(left, 4)
        mine, theirs = await left.region(BASE, 4, LOCAL | ODP), await right.region(BASE, 4, REMOTE | ODP)
        forged = FaultRecord(right.qp.number, FaultDir.RESPONDER, True, theirs.key, BASE + offset, 2, 2, 0x1000 | right.qp.number)
        await page_fault(right.driver, forged)
        assert theirs.table.pages == 0
        assert rig.b.driver.stats.fault_error == 1
        assert rig.b.driver.stats.resume_refused == 1
        done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, 2, mine, BASE + offset, theirs))
        assert done.status is WcStatus.REM_ACCESS_ERR
        assert theirs.table.pages == 0

    rig.run(body())
    assert rig.b.driver.stats.fault_records == 0


def test_pain_19_an_operation_that_leaves_its_region_is_faulted_in_up_to_the_end() -> None:
    """What lies inside may fault before the device comes to what does not: the answer is the device's, REM_ACCESS_ERR."""
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        await memory(right, 8)
        await memory(left, 4)
        mine, theirs = await left.region(BASE, 4, LOCAL | ODP), await right.region(BASE, 4, REMOTE | ODP)
        done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, 2, mine, BASE + 4 * PAGE - 1, theirs))
        assert done.status is WcStatus.REM_ACCESS_ERR
        assert await right.mm.load(BASE + 4 * PAGE, 1) == bytes([5])
        assert theirs.table.pages <= 1

    rig.run(body())
    assert not rig.device.violations()


def test_a_write_fault_in_a_region_that_may_not_be_written_is_an_error() -> None:
    rig = Rig(nodes=1)

    async def body() -> None:
        end = await open_end(rig.a, "program")
        await memory(end, 1)
        mr = await end.region(BASE, 1, ODP)
        await page_fault(end.driver, FaultRecord(end.qp.number, FaultDir.RESPONDER, True, mr.key, BASE, 8, 8, 0x1002))
        await page_fault(end.driver, FaultRecord(end.qp.number, FaultDir.RESPONDER, True, mr.key ^ 1, BASE, 8, 8, 0x1002))
        assert mr.table.pages == 0

    rig.run(body())
    assert [event[6] for event in rig.seen(TraceEvent.HCA_FAULT_DONE)] == [errno.EPERM, errno.ENOENT]


def test_a_fault_of_a_queue_pair_that_is_gone_is_not_resumed() -> None:
    rig = Rig(nodes=1)

    async def body() -> None:
        end = await open_end(rig.a, "program")
        await memory(end, 1)
        mr = await end.region(BASE, 1, LOCAL | ODP)
        await page_fault(end.driver, FaultRecord(77, FaultDir.RESPONDER, True, mr.key, BASE, 8, 8, 0x104D))

    rig.run(body())
    assert resumes(rig) == 0
    assert rig.a.driver.stats.fault_no_qp == 1


def test_pain_20_exit_while_faults_are_in_flight() -> None:
    """The worker finds the address space gone, and says so to the device; nobody waits for anybody."""
    rig = Rig(slow_task="hca_pf1")

    async def body() -> None:
        left, right = await pair(rig)
        mine, theirs = await regions(left, right, 4)
        await left.driver.post_send(left.qp, rdma(WrOpcode.RDMA_WRITE, BASE, 4 * PAGE, mine, BASE, theirs))
        while not rig.b.driver.stats.fault_records:
            await rig.sched.sleep(20)
        await right.mm.exit()
        assert (await left.completion()).status is WcStatus.REM_OP_ERR
        await right.driver.close(right.mm)

    rig.run(body())
    assert not rig.device.violations()
    assert rig.b.driver.stats.released == 1
    assert rig.b.driver.stats.fault_error == 1


def test_pain_21_an_invalidation_storm_spoils_lookups_and_starves_nobody() -> None:
    """Retries are bounded: the device is sent to fault again, its queue pair alone waits, and it ends with the storm."""
    rig = Rig(DriverPolicy(fault_retries=2), slow_task="hca_pf")
    stop = False

    async def storm(end: End) -> None:
        while not stop:
            await end.mm.madvise_dontneed(BASE + 3 * PAGE, PAGE)

    async def body() -> None:
        nonlocal stop
        left, right = await pair(rig)
        mine, theirs = await regions(left, right, 4)
        task = rig.sched.spawn(storm(right), "storm", 20)
        await left.driver.post_send(left.qp, rdma(WrOpcode.RDMA_WRITE, BASE, 64, mine, BASE, theirs))
        while rig.b.driver.stats.fault_again < 2:
            await rig.sched.sleep(1000)
        stop = True
        await rig.sched.join(task)
        assert (await left.completion()).status is WcStatus.SUCCESS

    rig.run(body())
    assert not rig.device.violations()
    stats = rig.b.driver.stats
    assert stats.fault_retry >= 2 * stats.fault_again >= 4


@pytest.mark.parametrize(("items", "entries"), [(1, 2), (3, 16)])
def test_pain_22_faults_beyond_the_pool_and_the_queue_wait_and_none_is_lost(items: int, entries: int) -> None:
    count = 12
    rig = Rig(DriverPolicy(work_items=items, faults=entries), slow_task="hca_pf1")

    async def body() -> None:
        left, right = await open_end(rig.a, "A"), await open_end(rig.b, "B")
        mine, theirs = await regions(left, right, count)
        await left.driver.advise_mr(left.pd, Advice.PREFETCH, FLAG_FLUSH, [Sge(BASE, count * PAGE, mine.lkey)])
        ends = await fan_out(left, right, count)
        for n, end in enumerate(ends):
            wr = rdma(WrOpcode.RDMA_WRITE, BASE + n * PAGE, 64, mine, BASE + n * PAGE, theirs, wr_id=n)
            await end.driver.post_send(end.qp, wr)
        done = [await left.completion() for _ in ends]
        assert {wc.status for wc in done} == {WcStatus.SUCCESS}
        assert sorted(wc.wr_id for wc in done) == list(range(count))

    rig.run(body())
    assert not rig.device.violations()
    stats = rig.b.driver.stats
    assert stats.fault_records == count
    assert stats.fault_pool_empty > 0


def test_pain_23_operations_behind_a_faulted_one_are_not_lost() -> None:
    """No packet damming: what was sent behind the faulting packet arrives, in order, without the transport's timeout."""
    rig = Rig(DriverPolicy(ack_timeout=1_000_000))

    async def body() -> None:
        for policy in POLICIES:
            left, right = await pair(rig, policy=policy)
            mine, theirs = await regions(left, right, 8)
            await left.driver.advise_mr(left.pd, Advice.PREFETCH, FLAG_FLUSH, [Sge(BASE, 8 * PAGE, mine.lkey)])
            began = rig.sched.now
            wrs = [rdma(WrOpcode.RDMA_WRITE, BASE + n * PAGE, 64, mine, BASE + n * PAGE, theirs, wr_id=n) for n in range(8)]
            await left.driver.post_send(left.qp, *wrs)
            assert [(await left.completion()).wr_id for _ in wrs] == list(range(8))
            assert rig.sched.now - began < 200_000
            for page in range(8):
                assert await right.mm.load(BASE + page * PAGE, 64) == bytes([page + 1]) * 64
            await left.close()
            await right.close()

    rig.run(body())
    assert not rig.device.violations()


def test_pain_24_fault_service_needs_nothing_that_stalled_packets_hold() -> None:
    """More stalled queue pairs than the bounded buffer has places: the link stands still for everybody, the driver goes on."""
    count = RX_SLOTS + 8
    rig = Rig(DriverPolicy(ack_timeout=0))

    async def body() -> None:
        left, right = await open_end(rig.a, "A", entries=2 * count), await open_end(rig.b, "B")
        mine, theirs = await regions(left, right, count)
        await left.driver.advise_mr(left.pd, Advice.PREFETCH, FLAG_FLUSH, [Sge(BASE, count * PAGE, mine.lkey)])
        ends = await fan_out(left, right, count, FaultPolicy.STALL)
        for n, end in enumerate(ends):
            await end.driver.post_send(end.qp, rdma(WrOpcode.RDMA_WRITE, BASE, 4096, mine, BASE + n * PAGE, theirs))
        assert {(await left.completion()).status for _ in ends} == {WcStatus.SUCCESS}

    rig.run(body())
    assert not rig.device.violations()
    assert rig.b.driver.stats.fault_records == count


def test_a_region_goes_only_when_no_fault_works_on_it() -> None:
    """The worker has found the region before the key was withdrawn, and still writes to its table."""
    rig = Rig(slow_task="hca_pf1")

    async def body() -> None:
        left, right = await pair(rig)
        mine, theirs = await regions(left, right, 4)
        await left.driver.post_send(left.qp, rdma(WrOpcode.RDMA_WRITE, BASE, 4 * PAGE, mine, BASE, theirs))
        while not theirs.users:
            await rig.sched.sleep(20)
        await right.driver.dereg_mr(theirs)
        assert not theirs.users
        assert (await left.completion()).status in (WcStatus.REM_ACCESS_ERR, WcStatus.REM_OP_ERR)

    rig.run(body())
    assert not rig.device.violations()
    assert rig.b.driver.stats.tables_alloc == rig.b.driver.stats.tables_free


def test_a_queue_pair_goes_only_when_no_fault_of_it_is_worked_on() -> None:
    rig = Rig(slow_task="hca_pf1")

    async def body() -> None:
        left, right = await pair(rig)
        mine, theirs = await regions(left, right, 4)
        await left.driver.post_send(left.qp, rdma(WrOpcode.RDMA_WRITE, BASE, PAGE, mine, BASE, theirs))
        while not right.qp.users:
            await rig.sched.sleep(20)
        await right.driver.destroy_qp(right.qp)
        assert rig.b.driver.stats.resume_refused == 0
        await right.driver.close(right.mm)

    rig.run(body())
    assert len(rig.seen(TraceEvent.HCA_FAULT_DONE)) == 2
    assert rig.b.driver.stats.resume_refused == 0


def test_reclaim_learns_that_the_device_uses_a_page() -> None:
    """No accessed bit: the page is taken out of the table and called young; unused since, it is old, and may go."""
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        mine, theirs = await regions(left, right, 1)
        leaf = right.mm.page_table.lookup(BASE >> 12)
        assert leaf is not None
        frame = rig.b.machine.frames[leaf.pte >> VALUE_SHIFT]
        await page_referenced(frame)
        assert not await page_referenced(frame)
        for _ in range(2):
            assert (await left.do(rdma(WrOpcode.RDMA_READ, BASE, 8, mine, BASE, theirs))).status is WcStatus.SUCCESS
            right.mm.page_table.set(BASE >> 12, right.mm.page_table.get(BASE >> 12) & ~ACCESSED)  # leave only the device's use
            assert theirs.table.pages == 1
            assert await page_referenced(frame)
            assert theirs.table.pages == 0
            assert not await page_referenced(frame)

    rig.run(body())
    assert not rig.device.violations()
    assert rig.b.driver.stats.aged_pages == 2


def test_a_small_page_that_may_be_written_breaks_the_large_translation_that_may_not() -> None:
    """Read while shared, so entered read-only as a whole; split by the VM, which tells nobody; then one small page is written."""
    rig = Rig(frames=4096)

    async def body() -> None:
        left, right = await pair(rig)
        await memory(left, 2)
        await right.mm.mmap(BASE, 1 << 21, RW, fixed=True, huge=21)
        await right.mm.store(BASE + 3 * PAGE, b"old")
        mine, theirs = await left.region(BASE, 2, LOCAL | ODP), await right.region(BASE, 512, REMOTE | ODP)
        child = await right.mm.fork("child")
        assert (await left.do(rdma(WrOpcode.RDMA_READ, BASE, 8, mine, BASE, theirs))).status is WcStatus.SUCCESS
        await child.exit()
        assert theirs.table.pages == 512
        await right.mm.split_large_page(BASE)
        done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE + PAGE, 8, mine, BASE + 3 * PAGE, theirs))
        assert done.status is WcStatus.SUCCESS
        assert theirs.table.pages == 1
        assert await right.mm.load(BASE + 3 * PAGE, 8) == bytes([2]) * 8

    rig.run(body())
    assert not rig.device.violations()
