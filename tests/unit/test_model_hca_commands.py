"""Registers, commands, completion queues, resets (docs/hca.md, sections 1, 3, 6)."""

from __future__ import annotations

import pytest
from support.hca_chip import A_VA, B_VA, PAGE, Made, Pair, bare, events

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from hwif.memory import HostMemory
from hwif.port import LineKind, MmioRead, MmioWrite, Snoop
from hwif.shadow import Shadow
from tb.hil.hca_bare import Bare, BareNode, line_of, settings

Op = h.CmdOp
Status = h.CmdStatus
OUTSIDE = 1 << 45

# ---- registers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [1, 2])
def test_each_node_says_which_it_is(nodes: int) -> None:
    made = bare(nodes)
    for number in range(nodes):
        assert made.node(number).load(h.IdReg) == {"magic": 0x48434131, "node": number}


def test_reset_values_and_bus_errors() -> None:
    made = bare(1)
    node = made.node(0)
    node.store(h.CtrlReg, enable=0)
    fresh = Bare(Made.make([(HostMemory(256), Shadow(256))]), enable=False).node(0)
    assert fresh.load(h.RetryReg) == {"rnr_delay": 2000, "ack_timeout": 50000}
    assert fresh.load(h.CtrlReg)["enable"] == 0
    for offset in (0x078, 0x0D8, 0x0F8):
        for kind, what in ((MmioRead, 1), (MmioWrite, (1,))):
            serial = made.next_serial()
            made.device.submit(kind(made.device.cycle, serial, offset, what))
            assert made.answer(serial, allow_error=True).error
    node.store(h.CounterReg, value=5)  # may only be read: nothing happens
    assert node.load(h.CounterReg)["value"] == 0


# ---- commands --------------------------------------------------------------------------------------------------------------

BAD = [
    ({"opcode": 8}, Status.BAD_OPCODE),
    ({"opcode": 255, "qpn": h.NUM_QP}, Status.BAD_OPCODE),
    ({"opcode": Op.MODIFY_QP, "qpn": h.NUM_QP, "addr": 1}, Status.BAD_NUMBER),
    ({"opcode": Op.QUERY_QP, "qpn": h.NUM_QP}, Status.BAD_NUMBER),
    ({"opcode": Op.MODIFY_CQ, "qpn": h.NUM_CQ}, Status.BAD_NUMBER),
    ({"opcode": Op.RESUME, "qpn": h.NUM_QP}, Status.BAD_NUMBER),
    ({"opcode": Op.INVALIDATE_RANGE, "key": 1 << 20}, Status.BAD_NUMBER),
    ({"opcode": Op.INVALIDATE_KEY, "key": 1 << 31}, Status.BAD_NUMBER),
    ({"opcode": Op.MODIFY_QP, "addr": 32}, Status.BAD_CONTEXT),
    ({"opcode": Op.QUERY_QP, "addr": 8}, Status.BAD_CONTEXT),
    ({"opcode": Op.FENCE, "addr": 4}, Status.BAD_CONTEXT),
    ({"opcode": Op.MODIFY_QP, "addr": OUTSIDE}, Status.BAD_ADDRESS),
    ({"opcode": Op.MODIFY_CQ, "addr": OUTSIDE}, Status.BAD_ADDRESS),
    ({"opcode": Op.QUERY_QP, "addr": OUTSIDE}, Status.BAD_ADDRESS),
    ({"opcode": Op.FENCE, "addr": 1 << 60}, Status.BAD_ADDRESS),
    ({"opcode": Op.RESUME, "token": 1}, Status.BAD_TOKEN),
]


@pytest.mark.parametrize(("fields", "status"), BAD)
def test_bad_commands_get_their_status_and_the_queue_goes_on(fields: dict[str, int], status: h.CmdStatus) -> None:
    made = bare(1)
    made.stop_on_violation = False
    node = made.node(0)
    assert node.command(**fields) is status
    assert node.command(Op.NOP) is Status.OK
    counters = node.counters()
    assert (counters["COMMANDS"], counters["BAD_COMMANDS"]) == (2, 1)


@pytest.mark.parametrize(
    "fields",
    [{"state": 7}, {"policy": 3}, {"mtu_shift": 7}, {"mtu_shift": 13}, {"sq_base": 32}, {"rq_base": 1}, {"sq_base": 1 << 52}],
)
def test_contexts_no_queue_pair_can_have(fields: dict[str, int]) -> None:
    pair = Pair()
    assert pair.qa.modify(load_sq=True, load_rq=True, **fields) is Status.BAD_CONTEXT
    assert pair.qa.query()["state"] == h.QpState.RTS  # as before


def test_a_context_that_loads_nothing_may_have_any_base() -> None:
    pair = Pair()
    assert pair.qa.modify(sq_base=32, rq_base=1) is Status.OK


def test_commands_are_answered_in_order_with_a_probe_each() -> None:
    made = bare(1)
    node = made.node(0)
    made.log.clear()
    numbers = [node.post_command(Op.NOP, ring=False) for _ in range(40)]
    node.ring_commands()
    node.wait_command(numbers[-1])
    made.settle(100)
    probes = [event.index for event in made.log if isinstance(event, Snoop) and event.kind == LineKind.COMMAND]
    assert probes == [number % 64 for number in numbers]
    assert node.load(h.CmdqConsReg)["index"] == 40


def test_a_fence_holds_the_answers_behind_it_and_not_their_work() -> None:
    pair = Pair(write_latency=4000)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 2000)
    pair.bare.run(lambda: bool(events(pair.bare, TraceEvent.HDEV_FILL, node=1)))
    pair.bare.sleep(60)
    pair.b.post_command(Op.INVALIDATE_RANGE, ring=False, key=pair.kb, addr=B_VA, length=PAGE)
    fence = pair.b.post_command(Op.FENCE, ring=False, addr=pair.b.fence_address, length=3)
    last = pair.b.post_command(Op.INVALIDATE_RANGE, key=pair.kb, addr=B_VA + PAGE, length=PAGE)
    pair.bare.run(
        lambda: len(events(pair.bare, TraceEvent.HDEV_INVALIDATE, node=1)) == 2 or pair.b.command_status(fence) is not None
    )
    assert pair.b.command_status(fence) is None
    assert pair.b.command_status(last) is None
    pair.b.wait_command(last)
    assert pair.b.command_status(fence) is Status.OK


@pytest.mark.parametrize("broken", [{"entries": 0}, {"entries": 48}])
def test_an_impossible_size_stops_the_queue_until_it_is_written_again(broken: dict[str, int]) -> None:
    made = bare(1)
    node = made.node(0)
    node.store(h.CmdqSizeReg, **broken)
    node.store(h.CmdqProdReg, index=1)
    made.sleep(500)
    assert node.load(h.StatusReg)["command_stopped"] == 1
    assert node.async_events() == [(h.AsyncType.COMMAND_QUEUE, 0)]
    node.store(h.StatusReg, command_stopped=1)
    node.store(h.CmdqSizeReg, entries=64)
    assert node.load(h.StatusReg)["command_stopped"] == 0
    assert node.command(Op.NOP) is Status.OK


def test_a_fetch_outside_memory_stops_the_queue() -> None:
    made = bare(1)
    made.stop_on_violation = False
    node = made.node(0)
    base = node.load(h.CmdqBaseReg)["addr"]
    node.store(h.CmdqBaseReg, addr=OUTSIDE)
    node.store(h.CmdqProdReg, index=1)
    made.sleep(1000)
    assert node.load(h.StatusReg)["command_stopped"] == 1
    assert node.irq[h.IrqLine.ASYNC]
    assert node.async_events() == [(h.AsyncType.COMMAND_QUEUE, 0)]
    made.settle()
    assert not node.irq[h.IrqLine.ASYNC]
    node.store(h.CmdqBaseReg, addr=base)
    node.store(h.CmdqSizeReg, entries=64)
    assert node.command(Op.NOP) is Status.OK


def test_query_tells_both_sides() -> None:
    pair = Pair(qp={"mtu_shift": 8})
    pair.bare.connect(pair.qa, pair.qb, psn_a=100, psn_b=200)
    pair.qb.recv(pair.kb, B_VA, 1000)
    pair.qa.send(pair.ka, A_VA, 1000)
    pair.ok()
    sender, receiver = pair.qa.query(), pair.qb.query()
    assert {name: sender[name] for name in ("sq_prod", "sq_next", "sq_done", "next_psn", "una_psn", "epsn")} == {
        **dict.fromkeys(("sq_prod", "sq_next", "sq_done"), 1),
        **dict.fromkeys(("next_psn", "una_psn"), 104),
        "epsn": 200,
    }
    assert {name: receiver[name] for name in ("rq_prod", "epsn", "msn", "sq_prod")} == {
        "rq_prod": 1,
        "epsn": 104,
        "msn": 1,
        "sq_prod": 0,
    }


def test_reset_is_over_when_nothing_is_in_flight() -> None:
    pair = Pair(write_latency=5000)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 2000)
    pair.bare.run(lambda: bool(events(pair.bare, TraceEvent.HDEV_FILL, node=1)))
    pair.bare.sleep(60)
    assert pair.qb.modify(state=h.QpState.RESET) is Status.OK
    assert pair.b.peek(pair.kb, B_VA, 2000) == pair.bytes_a[:2000]  # it was too late to hold it, and early enough to wait
    pair.b.memory.frame(pair.b.frame_at(pair.kb, B_VA))[:] = 1
    pair.bare.sleep(10_000)
    assert pair.b.peek(pair.kb, B_VA, PAGE) == b"\x01" * PAGE


def test_disabling_forgets_everything_but_registers_and_counters() -> None:
    pair = Pair()
    pair.take(pair.b, pair.kb, B_VA)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.b.wait_faults()
    commands = pair.b.counters()["COMMANDS"]
    pair.b.store(h.CtrlReg, enable=0)
    pair.b.store(h.CmdqProdReg, index=60)  # does nothing
    pair.bare.sleep(3000)
    assert [pair.b.load(register)["index"] for register in (h.FqProdReg, h.CmdqConsReg)] == [0, 0]
    assert pair.b.counters()["COMMANDS"] == commands
    assert pair.b.load(h.MptSizeReg)["entries"] == h.NUM_KEY
    assert not pair.b.irq[h.IrqLine.FAULT]


# ---- completion queues and events --------------------------------------------------------------------------------------------


def small_cq(pair: Pair, log: int) -> None:
    """A's queue pair gets a completion queue of 2**log entries."""
    pair.a.cq(9, log)
    pair.qa.modify(send_cqn=9)


def test_a_full_completion_queue_loses_and_says_so() -> None:
    pair = Pair()
    small_cq(pair, 1)
    for _ in range(3):
        pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.sleep(5000)
    assert pair.a.load(h.StatusReg)["cq_overflow"] == 1
    assert pair.a.async_events() == [(h.AsyncType.CQ_ERR, 9)]
    assert [entry["wqe_index"] for entry in pair.a.poll(9)] == [0, 1]
    for expected in range(3, 9):  # rounds of the owner bit
        pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
        assert pair.ok()["wqe_index"] == expected


def fired(node: BareNode) -> list[int]:
    return node.cq_events()


def test_an_armed_queue_fires_once() -> None:
    pair = Pair()
    cqn = pair.qa.context["send_cqn"]
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.sleep(3000)
    assert not fired(pair.a)  # nobody armed it
    pair.a.store(h.CqDoorbellReg, cqn=cqn, index=0, arm=1)
    pair.bare.settle()
    assert pair.a.irq[h.IrqLine.COMPLETION]  # one is there already
    assert fired(pair.a) == [cqn]
    pair.bare.settle()
    assert not pair.a.irq[h.IrqLine.COMPLETION]
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.sleep(3000)
    assert not fired(pair.a)
    pair.a.store(h.CqDoorbellReg, cqn=cqn, index=2, arm=1)
    pair.bare.settle()
    assert not fired(pair.a)  # none past the index
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.sleep(3000)
    assert fired(pair.a) == [cqn]


def test_the_completion_line_waits_for_count_or_delay() -> None:
    pair = Pair(chosen=settings(cq_count=2, cq_delay=20_000))
    other, _ = pair.more(1)
    for qp in (pair.qa, other):
        pair.a.store(h.CqDoorbellReg, cqn=qp.context["send_cqn"], index=0, arm=1)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.sleep(5000)
    assert not pair.a.irq[h.IrqLine.COMPLETION]
    other.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.sleep(3000)
    assert pair.a.irq[h.IrqLine.COMPLETION]
    assert len(fired(pair.a)) == 2
    pair.a.store(h.CqDoorbellReg, cqn=0, index=1, arm=1)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.sleep(18_000)
    assert not pair.a.irq[h.IrqLine.COMPLETION]
    pair.bare.sleep(5000)
    assert pair.a.irq[h.IrqLine.COMPLETION]


def test_the_probe_follows_the_entry() -> None:
    pair = Pair()
    pair.bare.log.clear()
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    cqn = pair.qa.context["send_cqn"]
    pair.bare.run(lambda: any(isinstance(event, Snoop) and event.kind == LineKind.CQ for event in pair.bare.log))
    probe = next(event for event in pair.bare.log if isinstance(event, Snoop) and event.kind == LineKind.CQ)
    assert (probe.index, probe.node) == (cqn, 0)
    assert len(pair.a.poll(cqn)) == 1


def test_eight_events_are_kept() -> None:
    made = bare(1)
    node = made.node(0)
    made.stop_on_violation = False
    for number in range(9):
        qp = node.qp(number, send_cqn=node.cq(number), pd=1)
        qp.modify(load_sq=True, load_rq=True, state=h.QpState.RTS)
        qp.post_send(opcode=77)
    made.sleep(3000)
    assert node.load(h.StatusReg)["async_overflow"] == 1
    assert node.async_events() == [(h.AsyncType.QP_FATAL, number) for number in range(8)]


def test_a_destroyed_queue_is_not_touched() -> None:
    pair = Pair(write_latency=3000)
    small_cq(pair, 4)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.run(lambda: bool(events(pair.bare, TraceEvent.HDEV_LAND, node=1)))
    pair.bare.sleep(400)  # the entry is on its way
    status = pair.a.command(Op.MODIFY_CQ, qpn=9, addr=pair.a.context(line_of(h.Cqc, valid=0)))
    assert status is Status.OK
    queue = pair.a.cqs[9]
    pair.a.memory.write(queue.base, bytes(64))
    pair.bare.sleep(8000)
    assert pair.a.memory.read(queue.base, 64) == bytes(64)
