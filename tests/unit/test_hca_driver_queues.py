"""Command queue, completion queues and queue pairs: states, refusals, errors, flushes, events."""

from __future__ import annotations

import errno

import pytest
from support.hca_rig import BASE, LOCAL, ODP, PAGE, QP_ACCESS, REMOTE, RW, End, Rig, connect, open_end, pair, rdma, recv, send

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from hwif.gen.hca import AsyncType, CmdOp, CmdStatus, QpState, WcOpcode, WcStatus, WrOpcode
from sw_stack.drivers.hca import DriverPolicy, HcaError, Mr, RecvWr, SendWr, Sge
from sw_stack.drivers.hca.commands import Order
from sw_stack.mm import MmError


async def regions(left: End, right: End, pages: int = 4) -> tuple[Mr, Mr]:
    for end in (left, right):
        await end.mm.mmap(BASE, pages * PAGE, RW, fixed=True)
    return await left.region(BASE, pages, LOCAL | ODP), await right.region(BASE, pages, REMOTE | ODP)


# ---- commands ----------------------------------------------------------------------------------------------------------


def test_many_commands_in_flight_through_a_small_queue() -> None:
    rig = Rig(DriverPolicy(commands=4), nodes=1, seed=3)
    answers: list[CmdStatus] = []

    async def one(number: int) -> None:
        for _ in range(5):
            answers.append(await rig.a.driver.commands.command(Order(CmdOp.NOP)))
            await rig.a.driver.commands.fenced([Order(CmdOp.NOP), Order(CmdOp.NOP)])

    rig.run(*(one(number) for number in range(8)))
    assert answers == [CmdStatus.OK] * 40
    assert rig.a.driver.stats.commands == 8 * 5 * 4
    assert rig.a.driver.stats.command_slot_waits > 0
    values = [event[2] for event in rig.seen(TraceEvent.HCA_FENCE_DONE)]
    assert sorted(values) == list(range(1, 41))


def test_a_bad_command_says_so_and_the_queue_goes_on() -> None:
    rig = Rig(nodes=1)

    async def body() -> None:
        commands = rig.a.driver.commands
        assert await commands.command(Order(CmdOp.RESUME, qpn=5, token=0x1005)) is CmdStatus.BAD_TOKEN
        assert await commands.command(Order(CmdOp.MODIFY_QP, qpn=h.NUM_QP)) is CmdStatus.BAD_NUMBER
        assert await commands.command(Order(CmdOp.MODIFY_CQ, qpn=h.NUM_CQ)) is CmdStatus.BAD_NUMBER
        with pytest.raises(HcaError, match=r"MODIFY_CQ.*BAD_NUMBER"):
            await commands.must(Order(CmdOp.MODIFY_CQ, qpn=h.NUM_CQ))
        assert await commands.command(Order(CmdOp.NOP)) is CmdStatus.OK

    rig.run(body())


def test_a_command_nobody_waits_for_must_succeed() -> None:
    rig = Rig(DriverPolicy(commands=2), nodes=1)

    async def body() -> None:
        commands = rig.a.driver.commands
        await commands.fenced([Order(CmdOp.RESUME, qpn=5, token=0x1005)])
        with pytest.raises(HcaError, match=r"RESUME.*BAD_TOKEN"):
            await commands.command(Order(CmdOp.NOP))

    rig.run(body())


@pytest.mark.slow
def test_the_indices_of_the_command_queue_wrap() -> None:
    rig = Rig(DriverPolicy(commands=256), nodes=1)

    async def body() -> None:
        commands = rig.a.driver.commands
        for _ in range((1 << h.INDEX_WIDTH) // 256 + 2):
            await commands.fenced([Order(CmdOp.NOP)] * 255)
        assert await commands.command(Order(CmdOp.NOP)) is CmdStatus.OK

    rig.run(body())
    assert rig.a.driver.stats.commands > 1 << h.INDEX_WIDTH


# ---- states ------------------------------------------------------------------------------------------------------------


def test_states_are_reached_as_the_architecture_says_and_not_otherwise() -> None:
    rig = Rig(nodes=1)
    legal = {
        (QpState.RESET, QpState.INIT),
        (QpState.INIT, QpState.INIT),
        (QpState.INIT, QpState.RTR),
        (QpState.RTR, QpState.RTS),
        (QpState.RTS, QpState.RTS),
        (QpState.RTS, QpState.SQD),
        (QpState.SQD, QpState.SQD),
        (QpState.SQD, QpState.RTS),
    }

    async def body() -> None:
        end = await open_end(rig.a, "program")
        path = [QpState.RESET, QpState.INIT, QpState.RTR, QpState.RTS, QpState.SQD]
        for depth, state in enumerate(path):
            for goal in QpState:
                await end.driver.modify_qp(end.qp, QpState.RESET)
                for step in path[1 : depth + 1]:
                    await end.driver.modify_qp(end.qp, step)
                assert end.qp.state is state
                if (state, goal) in legal or goal in (QpState.RESET, QpState.ERR):
                    await end.driver.modify_qp(end.qp, goal)
                    assert (await end.driver.query_qp(end.qp)).state is goal is end.qp.state
                else:
                    with pytest.raises(MmError) as caught:
                        await end.driver.modify_qp(end.qp, goal)
                    assert caught.value.errno == errno.EINVAL
        with pytest.raises(MmError, match="nonsense"):
            await end.driver.modify_qp(end.qp, QpState.RESET, nonsense=3)
        with pytest.raises(MmError, match="sq_psn"):
            await end.driver.modify_qp(end.qp, QpState.RESET, sq_psn=1 << 24)

    rig.run(body())


def test_what_is_posted_where_it_may_not_be_is_refused_whole() -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await open_end(rig.a, "A", entries=4), await open_end(rig.b, "B", entries=4)
        mine, theirs = await regions(left, right)
        with pytest.raises(MmError, match="does not receive in RESET"):
            await right.driver.post_recv(right.qp, recv(BASE, 8, theirs))
        await right.driver.modify_qp(right.qp, QpState.INIT)
        with pytest.raises(MmError, match="does not send in INIT"):
            await right.driver.post_send(right.qp, send(BASE, 8, theirs))
        await right.driver.modify_qp(right.qp, QpState.RESET)
        await connect(left, right)
        three = tuple(Sge(BASE, 8, mine.lkey) for _ in range(3))
        for wrong in (SendWr(WrOpcode.SEND, three), SendWr(WrOpcode.ATOMIC_FETCH_AND_ADD, three[:2])):
            with pytest.raises(MmError) as caught:
                await left.driver.post_send(left.qp, wrong)
            assert caught.value.errno == errno.EINVAL
        with pytest.raises(MmError) as caught:
            await left.driver.post_send(left.qp, *(send(BASE, 8, mine) for _ in range(5)))
        assert caught.value.errno == errno.ENOMEM
        with pytest.raises(MmError) as caught:
            await right.driver.post_recv(right.qp, *(RecvWr() for _ in range(5)))
        assert caught.value.errno == errno.ENOMEM
        assert left.qp.sq.prod == right.qp.rq.prod == 0
        with pytest.raises(MmError) as caught:
            await left.driver.destroy_cq(left.cq)
        assert caught.value.errno == errno.EBUSY
        for entries in (0, 1 << 17):
            with pytest.raises(MmError) as caught:
                await left.driver.create_cq(entries)
            assert caught.value.errno == errno.EINVAL

    rig.run(body())


def test_receives_posted_in_init_are_there_when_the_first_send_comes() -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await open_end(rig.a, "A"), await open_end(rig.b, "B")
        mine, theirs = await regions(left, right)
        await right.driver.modify_qp(right.qp, QpState.INIT)
        await right.driver.post_recv(right.qp, recv(BASE, PAGE, theirs, wr_id=9), recv(BASE + PAGE, PAGE, theirs, wr_id=10))
        await right.driver.modify_qp(right.qp, QpState.RTR, dest_qpn=left.qp.number, rq_psn=7, access=QP_ACCESS)
        await left.driver.modify_qp(left.qp, QpState.INIT)
        await left.driver.modify_qp(left.qp, QpState.RTR, dest_qpn=right.qp.number)
        await left.driver.modify_qp(left.qp, QpState.RTS, sq_psn=7, rnr_retry=0)
        assert (await left.do(send(BASE, 100, mine))).status is WcStatus.SUCCESS
        done = await right.completion()
        assert (done.wr_id, done.byte_len, done.opcode, done.recv) == (9, 100, WcOpcode.RECV, True)

    rig.run(body())


# ---- completions -------------------------------------------------------------------------------------------------------


def test_completion_and_work_queues_go_round_many_times() -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await open_end(rig.a, "A", entries=2), await open_end(rig.b, "B", entries=2)
        await connect(left, right)
        mine, theirs = await regions(left, right)
        for number in range(40):
            await right.driver.post_recv(right.qp, recv(BASE, 64, theirs, wr_id=number))
            assert (await left.do(send(BASE, 64, mine, wr_id=number))).wr_id == number
            assert (await right.completion()).wr_id == number
        assert await left.driver.poll_cq(left.cq, 10) == []

    rig.run(body())
    assert rig.a.driver.async_events() == rig.b.driver.async_events() == []


def test_unsignaled_requests_retire_with_the_next_that_is_signaled() -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await open_end(rig.a, "A", entries=4), await open_end(rig.b, "B", entries=4)
        await connect(left, right)
        mine, theirs = await regions(left, right)
        for number in range(5):
            quiet = [rdma(WrOpcode.RDMA_WRITE, BASE, 8, mine, BASE, theirs, signaled=False) for _ in range(3)]
            last = rdma(WrOpcode.RDMA_WRITE, BASE, 8, mine, BASE, theirs, wr_id=number)
            await left.driver.post_send(left.qp, *quiet, last)
            assert (await left.completion()).wr_id == number
            assert not left.qp.sends

    rig.run(body())


def test_a_failed_request_comes_first_and_the_rest_is_flushed_in_order() -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        mine, theirs = await regions(left, right)
        await left.driver.post_recv(left.qp, recv(BASE, 8, mine, wr_id=50), recv(BASE, 8, mine, wr_id=51))
        good = rdma(WrOpcode.RDMA_WRITE, BASE, 8, mine, BASE, theirs, wr_id=1)
        bad = rdma(WrOpcode.RDMA_WRITE, BASE, 8, mine, BASE + 4 * PAGE, theirs, wr_id=2)
        late = [rdma(WrOpcode.RDMA_WRITE, BASE, 8, mine, BASE, theirs, wr_id=n, signaled=False) for n in (3, 4)]
        await left.driver.post_send(left.qp, good, bad, *late)
        done = [await left.completion() for _ in range(6)]
        assert [(wc.wr_id, wc.status) for wc in done[:2]] == [(1, WcStatus.SUCCESS), (2, WcStatus.REM_ACCESS_ERR)]
        assert done[1].vendor_err == h.NakSyndrome.REM_ACCESS
        assert [(wc.wr_id, wc.opcode) for wc in done[2:]] == [
            (3, WcOpcode.RDMA_WRITE),
            (4, WcOpcode.RDMA_WRITE),
            (50, WcOpcode.RECV),
            (51, WcOpcode.RECV),
        ]
        assert {wc.status for wc in done[2:]} == {WcStatus.WR_FLUSH_ERR}
        assert (await left.driver.wait_async_event()).kind is AsyncType.QP_FATAL
        assert (await right.driver.wait_async_event()).kind is AsyncType.QP_ACCESS_ERR
        # Posting in ERR is legal, and flushed.
        assert (await left.do(send(BASE, 8, mine, wr_id=7))).status is WcStatus.WR_FLUSH_ERR
        # From RESET it is as good as new.
        for end in (left, right):
            await end.driver.modify_qp(end.qp, QpState.RESET)
        await connect(left, right)
        assert (await left.do(good)).status is WcStatus.SUCCESS

    rig.run(body())
    assert rig.a.driver.stats.flushed == 5


def test_software_moves_to_err_and_everything_posted_is_flushed() -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        mine, theirs = await regions(left, right)
        await right.driver.post_recv(right.qp, *(recv(BASE, 8, theirs, wr_id=n) for n in range(3)))
        await right.driver.req_notify(right.cq)
        await right.driver.modify_qp(right.qp, QpState.ERR)
        await right.driver.wait_cq_event(right.cq)
        done = await right.driver.poll_cq(right.cq, 8)
        assert [(wc.wr_id, wc.status) for wc in done] == [(n, WcStatus.WR_FLUSH_ERR) for n in range(3)]
        del left, mine

    rig.run(body())


def test_events_come_once_for_each_time_they_are_asked_for() -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        mine, theirs = await regions(left, right)
        write = rdma(WrOpcode.RDMA_WRITE, BASE, 8, mine, BASE, theirs)
        await left.driver.req_notify(left.cq)
        await left.driver.post_send(left.qp, write, write)
        await left.driver.wait_cq_event(left.cq)
        while len(left.qp.sends):
            await left.driver.poll_cq(left.cq, 2)
        assert left.cq.events == 1
        # One that is there already counts: asked for between the completion and the poll.
        await left.driver.post_send(left.qp, write)
        await rig.sched.sleep(20_000)
        await left.driver.req_notify(left.cq)
        await left.driver.wait_cq_event(left.cq)
        assert len(await left.driver.poll_cq(left.cq, 2)) == 1
        waiter = rig.sched.spawn(right.driver.wait_cq_event(right.cq), "waiter", 3)
        with pytest.raises(MmError):
            await right.driver.destroy_cq(right.cq)
        await right.driver.destroy_qp(right.qp)
        await right.driver.dereg_mr(theirs)
        waiter.on_finish.clear()
        right.cq.events += 1
        right.cq.wait.wake_all()
        await rig.sched.join(waiter)

    rig.run(body())


def test_completions_of_a_queue_pair_that_is_gone_are_not_its_successors() -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        mine, theirs = await regions(left, right)
        await left.driver.post_send(left.qp, rdma(WrOpcode.RDMA_WRITE, BASE, 8, mine, BASE, theirs, wr_id=1))
        await rig.sched.sleep(50_000)
        number = left.qp.number
        await left.driver.destroy_qp(left.qp)
        left.qp = await left.driver.create_qp(left.pd, left.cq, left.cq, 16, 16)
        assert left.qp.number == number
        await right.driver.modify_qp(right.qp, QpState.RESET)
        await connect(left, right)
        # One that fails: the old one's success, with the same index, must not stand for it.
        done = await left.do(rdma(WrOpcode.RDMA_WRITE, BASE, 8, mine, BASE + 4 * PAGE, theirs, wr_id=2))
        assert (done.wr_id, done.status) == (2, WcStatus.REM_ACCESS_ERR)
        assert await left.driver.poll_cq(left.cq, 4) == []

    rig.run(body())


def test_a_full_completion_queue_is_an_event_and_no_crash() -> None:
    rig = Rig()

    async def body() -> None:
        left, right = await pair(rig)
        mine, theirs = await regions(left, right)
        small = await left.driver.create_cq(2)
        qp = await left.driver.create_qp(left.pd, small, left.cq, 16, 16)
        far = await right.driver.create_qp(right.pd, right.cq, right.cq, 16, 16)
        one, two = End(left.driver, left.mm, left.pd, small, qp), End(right.driver, right.mm, right.pd, right.cq, far)
        await connect(one, two)
        await left.driver.post_send(qp, *(rdma(WrOpcode.RDMA_WRITE, BASE, 8, mine, BASE, theirs, wr_id=n) for n in range(4)))
        event = await left.driver.wait_async_event()
        assert (event.kind, event.subject) == (AsyncType.CQ_ERR, small.number)
        assert [wc.wr_id for wc in await left.driver.poll_cq(small, 4)] == [0, 1]

    rig.run(body())


def test_no_adapter_and_a_stopped_command_queue_are_errors_of_the_driver() -> None:
    rig = Rig(nodes=1)

    async def body() -> None:
        with pytest.raises(HcaError, match="no adapter"):
            rig.a.driver.node = 1
            await rig.a.driver.probe()
        rig.a.driver.node = 0
        await rig.a.driver.regs.write(h.CmdqSizeReg.offset, 0)
        await rig.a.driver.commands.ring(Order(CmdOp.NOP))
        await rig.sched.sleep(50_000)

    with pytest.raises(HcaError, match="command queue stopped"):
        rig.run(body())
