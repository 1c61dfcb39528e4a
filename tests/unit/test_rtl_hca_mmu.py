"""The HCA's memory side in RTL: registers, every command and its errors, invalidations and fences.

On the block bench (tb/hca_mmu): queue pairs are stood in for. Faults and the mutants: test_rtl_hca_fault.py.
"""

from __future__ import annotations

import random

import pytest
from support import hca_mmu_rig
from support.hca_mmu_rig import CONTEXT, FENCE, REPORT, Make, fence_value, good_qpc, in_flight

from hwif.gen import hca as h
from tb.hca_mmu.bench import OUTSIDE
from tb.hil.hca_lines import entry_of, line_of, raw_of, word_of

OK = h.CmdStatus.OK
make = hca_mmu_rig.make


# ---- registers ---------------------------------------------------------------------------------------------------------------


def test_identity_and_addresses(make: Make) -> None:
    mmu = make(start=False)
    assert mmu.read(h.IdReg.offset) == word_of(h.IdReg, magic=0x48434131, node=1)
    assert mmu.write(0x0D8, 1) == 2, "no register there: SLVERR"
    assert mmu.write(h.RetryReg.offset, word_of(h.RetryReg, rnr_delay=7, ack_timeout=9)) == 0
    assert mmu.read(h.RetryReg.offset) == word_of(h.RetryReg, rnr_delay=7, ack_timeout=9)


def test_doorbells_are_pulses_and_bad_numbers_are_ignored(make: Make) -> None:
    mmu = make()
    mmu.write(h.SqDoorbellReg.offset, word_of(h.SqDoorbellReg, qpn=4095, index=65535))
    mmu.write(h.RqDoorbellReg.offset, word_of(h.RqDoorbellReg, qpn=3, index=2))
    mmu.write(h.SqDoorbellReg.offset, word_of(h.SqDoorbellReg, qpn=4096, index=1))
    mmu.write(h.CqDoorbellReg.offset, word_of(h.CqDoorbellReg, cqn=255, index=5, arm=1))
    mmu.settle()
    assert mmu.seen("sq") == [(4095, 65535)]
    assert mmu.seen("rq") == [(3, 2)]
    assert mmu.seen("cqdb") == [(255, 5, 1)]


def test_disabled_device_hears_nothing(make: Make) -> None:
    mmu = make(start=False)
    mmu.write(h.SqDoorbellReg.offset, word_of(h.SqDoorbellReg, qpn=1, index=1))
    mmu.write(h.CmdqProdReg.offset, 3)
    mmu.write(h.FqConsReg.offset, 3)
    mmu.settle()
    assert mmu.seen("sq") == []
    assert mmu.read(h.CmdqProdReg.offset) == 0
    assert mmu.read(h.FqConsReg.offset) == 0


def test_status_bit_set_while_cleared_stays(make: Make) -> None:
    """An event in the very cycle software clears its bit is not lost, whatever the cycle."""
    for delay in range(6):
        mmu = make(seed=delay)
        for _ in range(9):
            mmu.step(async_valid=1, async_kind=1, async_subject=delay)
        mmu.write(h.StatusReg.offset, word_of(h.StatusReg, async_overflow=1))
        mmu.step(write=1, addr=h.StatusReg.offset, data=word_of(h.StatusReg, async_overflow=1))
        for _ in range(delay):
            mmu.step()
        mmu.step(async_valid=1, async_kind=1)  # lost: eight are kept
        mmu.settle()
        assert mmu.read(h.StatusReg.offset) == word_of(h.StatusReg, async_overflow=1)


def test_asynchronous_events_in_order(make: Make) -> None:
    mmu = make()
    for subject in range(10):
        mmu.step(async_valid=1 + subject % 2, async_kind=h.AsyncType.CQ_ERR, async_subject=subject)
    mmu.settle()
    assert mmu.step().irq >> 2 == 1
    got = []
    while mmu.read(h.AsyncEventReg.offset):
        got.append(h.AsyncEventReg.subject.of(mmu.read(h.AsyncEventReg.offset)))
        mmu.write(h.AsyncPopReg.offset, 0)
    assert got == list(range(8))
    assert mmu.read(h.StatusReg.offset) == word_of(h.StatusReg, async_overflow=1)
    mmu.settle()
    assert mmu.step().irq >> 2 == 0


def test_completion_events_and_their_line(make: Make) -> None:
    mmu = make()
    mmu.write(h.CqCoalesceReg.offset, word_of(h.CqCoalesceReg, count=3, delay=500))
    for cqn in (0, 130):
        mmu.step(fired_valid=1, fired=cqn)
    out = mmu.settle()
    assert out.irq & 2 == 0
    mmu.idle(out.deadline - out.now + 3)
    assert mmu.step().irq & 2 == 2, "the delay is over"
    assert mmu.read(h.CqEventReg.offset + 16) == 1 << 2
    mmu.write(h.CqEventReg.offset + 16, 1 << 2)
    mmu.settle()
    assert mmu.step().irq & 2 == 0, "clearing starts the delay anew"
    assert mmu.read(h.CqEventReg.offset) == 1
    for cqn in (131, 255):
        mmu.step(fired_valid=1, fired=cqn)
    mmu.settle()
    assert mmu.step().irq & 2 == 2, "three have fired"


# ---- commands ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({"opcode": h.CmdOp.NOP}, OK),
        ({"opcode": 8}, h.CmdStatus.BAD_OPCODE),
        ({"opcode": 255}, h.CmdStatus.BAD_OPCODE),
        ({"opcode": h.CmdOp.MODIFY_QP, "qpn": 4096, "addr": 1}, h.CmdStatus.BAD_NUMBER),
        ({"opcode": h.CmdOp.MODIFY_QP, "addr": CONTEXT + 32}, h.CmdStatus.BAD_CONTEXT),
        ({"opcode": h.CmdOp.MODIFY_QP, "addr": OUTSIDE}, h.CmdStatus.BAD_ADDRESS),
        ({"opcode": h.CmdOp.MODIFY_QP, "addr": 1 << 60}, h.CmdStatus.BAD_ADDRESS),
        ({"opcode": h.CmdOp.MODIFY_CQ, "qpn": 256}, h.CmdStatus.BAD_NUMBER),
        ({"opcode": h.CmdOp.MODIFY_CQ, "addr": CONTEXT + 1}, h.CmdStatus.BAD_CONTEXT),
        ({"opcode": h.CmdOp.INVALIDATE_RANGE, "key": 1 << 20}, h.CmdStatus.BAD_NUMBER),
        ({"opcode": h.CmdOp.INVALIDATE_KEY, "key": 1 << 31}, h.CmdStatus.BAD_NUMBER),
        ({"opcode": h.CmdOp.INVALIDATE_RANGE, "key": 4095 << 8}, OK),
        ({"opcode": h.CmdOp.INVALIDATE_RANGE, "key": 0, "addr": (1 << 64) - 1, "length": (1 << 64) - 1}, OK),
        ({"opcode": h.CmdOp.FENCE, "addr": FENCE + 4}, h.CmdStatus.BAD_CONTEXT),
        ({"opcode": h.CmdOp.FENCE, "addr": OUTSIDE}, h.CmdStatus.BAD_ADDRESS),
        ({"opcode": h.CmdOp.FENCE, "addr": 1 << 52}, h.CmdStatus.BAD_ADDRESS),
        ({"opcode": h.CmdOp.RESUME, "qpn": 4096}, h.CmdStatus.BAD_NUMBER),
        ({"opcode": h.CmdOp.RESUME, "qpn": 4095, "token": 0x1FFF}, h.CmdStatus.BAD_TOKEN),
        ({"opcode": h.CmdOp.QUERY_QP, "qpn": 4096}, h.CmdStatus.BAD_NUMBER),
        ({"opcode": h.CmdOp.QUERY_QP, "addr": REPORT + 8}, h.CmdStatus.BAD_CONTEXT),
        ({"opcode": h.CmdOp.QUERY_QP, "addr": OUTSIDE}, h.CmdStatus.BAD_ADDRESS),
    ],
)
def test_command_status(make: Make, fields: dict[str, int], want: h.CmdStatus) -> None:
    """Each ends with its status, and the queue goes on."""
    mmu = make()
    assert mmu.do(**fields) == want
    assert mmu.do(h.CmdOp.NOP) == OK
    assert mmu.counter(h.Counter.COMMANDS) == 2
    assert mmu.counter(h.Counter.BAD_COMMANDS) == (want != OK)
    assert mmu.seen("command") == [(0,), (1,)]


@pytest.mark.parametrize(
    ("load", "changed", "want"),
    [
        ({}, {}, OK),
        ({}, {"sq_base": 1, "rq_base": 1}, OK),
        ({"load_sq": 1}, {"sq_base": 32}, h.CmdStatus.BAD_CONTEXT),
        ({"load_rq": 1}, {"rq_base": 1 << 52}, h.CmdStatus.BAD_CONTEXT),
        ({}, {"mtu_shift": 7}, h.CmdStatus.BAD_CONTEXT),
        ({}, {"mtu_shift": 13}, h.CmdStatus.BAD_CONTEXT),
        ({}, {"policy": 3}, h.CmdStatus.BAD_CONTEXT),
        ({}, {"state": 7}, h.CmdStatus.BAD_CONTEXT),
    ],
)
def test_queue_pair_contexts(make: Make, load: dict[str, int], changed: dict[str, int], want: h.CmdStatus) -> None:
    mmu = make()
    mmu.poke(CONTEXT, good_qpc(**changed))
    assert mmu.do(h.CmdOp.MODIFY_QP, qpn=9, addr=CONTEXT, **load) == want
    assert mmu.seen("qp") == ([(h.CmdOp.MODIFY_QP, 9)] if want == OK else [])


def test_what_a_queue_pair_answers_is_the_commands_status(make: Make) -> None:
    """No report is written then, and the next command is a new one."""
    mmu = make()
    mmu.poke(CONTEXT, good_qpc())
    mmu.qp_status = h.CmdStatus.BAD_NUMBER
    assert mmu.do(h.CmdOp.MODIFY_QP, qpn=9, addr=CONTEXT) == h.CmdStatus.BAD_NUMBER
    assert mmu.do(h.CmdOp.QUERY_QP, qpn=9, addr=REPORT) == h.CmdStatus.BAD_NUMBER
    assert not any(mmu.peek(REPORT, h.ENTRY_BYTES))
    mmu.qp_status = OK
    assert mmu.do(h.CmdOp.QUERY_QP, qpn=9, addr=REPORT) == OK
    assert any(mmu.peek(REPORT, h.ENTRY_BYTES))


def test_completion_queue_contexts(make: Make) -> None:
    mmu = make()
    mmu.poke(CONTEXT, raw_of(line_of(h.Cqc, valid=1, base=8)))
    assert mmu.do(h.CmdOp.MODIFY_CQ, qpn=255, addr=CONTEXT) == h.CmdStatus.BAD_CONTEXT
    mmu.poke(CONTEXT, raw_of(line_of(h.Cqc, valid=0, base=8)))
    assert mmu.do(h.CmdOp.MODIFY_CQ, qpn=255, addr=CONTEXT) == OK
    assert mmu.seen("cq") == [(255,)]


def test_report_is_written_before_the_status(make: Make) -> None:
    mmu = make(busy=50)
    for qpn in (5, 4095):
        assert mmu.do(h.CmdOp.QUERY_QP, qpn=qpn, addr=REPORT) == OK
        assert entry_of(h.QpReport, mmu.peek(REPORT, 64))["sq_prod"] == qpn


@pytest.mark.parametrize("size", [1, 2, 16, 128])
def test_queue_wraps_and_every_entry_is_used(make: Make, size: int) -> None:
    mmu = make(commands=size, busy=30)
    draw = random.Random(size)
    for _ in range(3):
        indices = [mmu.command(draw.choice([h.CmdOp.NOP, 77, h.CmdOp.INVALIDATE_KEY])) for _ in range(size)]
        opcodes = [entry_of(h.Command, mmu.peek(0x1_0000 + i % size * 64, 64))["opcode"] for i in indices]
        mmu.ring()
        mmu.wait()
        assert [mmu.status(index) for index in indices] == [h.CmdStatus.BAD_OPCODE if op == 77 else OK for op in opcodes]
    assert [index for (index,) in mmu.seen("command")] == [i % size for i in range(3 * size)]


@pytest.mark.parametrize(("size", "base"), [(0, 0x1_0000), (3, 0x1_0000), (16, 0x1_0020), (16, OUTSIDE)])
def test_impossible_queue_stops_and_starts_anew(make: Make, size: int, base: int) -> None:
    mmu = make()
    assert mmu.do(h.CmdOp.NOP) == OK
    mmu.write(h.CmdqBaseReg.offset, base)
    mmu.write(h.CmdqSizeReg.offset, size)
    mmu.write(h.CmdqProdReg.offset, 1)
    mmu.settle()
    assert mmu.read(h.StatusReg.offset) == word_of(h.StatusReg, command_stopped=1)
    assert mmu.read(h.AsyncEventReg.offset) == word_of(h.AsyncEventReg, valid=1, kind=h.AsyncType.COMMAND_QUEUE)
    assert mmu.read(h.CmdqConsReg.offset) == 0
    mmu.write(h.AsyncPopReg.offset, 1)
    mmu.write(h.CmdqBaseReg.offset, 0x1_0000)
    mmu.write(h.CmdqSizeReg.offset, 16)
    mmu.producer = 0
    assert mmu.do(h.CmdOp.NOP) == OK
    assert mmu.read(h.AsyncEventReg.offset) == 0, "it stopped once"


def test_what_has_begun_ends_in_the_queue_it_came_from(make: Make) -> None:
    """A fence waits while software moves the queue: its status goes where the fence stands; then the new queue begins."""
    mmu, moved = make(), 0x1_4000
    key = in_flight(mmu)
    mmu.command(h.CmdOp.INVALIDATE_KEY, key=key)
    fence = mmu.command(h.CmdOp.FENCE, addr=FENCE, length=1)
    mmu.ring()
    mmu.settle()
    mmu.write(h.CmdqBaseReg.offset, moved)
    mmu.write(h.CmdqSizeReg.offset, 1)
    mmu.step(use=5, done_valid=1)
    mmu.settle()
    assert (mmu.status(fence), fence_value(mmu)) == (OK, 1)
    assert not any(mmu.peek(moved, mmu.commands * h.ENTRY_BYTES))
    mmu.poke(moved, raw_of(line_of(h.Command, opcode=h.CmdOp.NOP)))
    mmu.write(h.CmdqProdReg.offset, 1)
    mmu.settle()
    assert entry_of(h.Command, mmu.peek(moved, h.ENTRY_BYTES))["done"]


# ---- invalidations and fences --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 0x1000, 512 << 12, 1 << 48, None])
def test_invalidation_and_fence_take_the_same_time_whatever_they_cover(make: Make, length: int | None) -> None:
    """SD-8: from the command's line to acceptance two cycles; fence written, memory aside, within 40. Idle device."""
    mmu = make()
    if length is None:
        assert mmu.do(h.CmdOp.INVALIDATE_KEY, key=1 << 8) == OK
    else:
        assert mmu.do(h.CmdOp.INVALIDATE_RANGE, key=1 << 8, length=length) == OK
    assert mmu.when("inv") - mmu.when("line", 1) == 2
    assert mmu.do(h.CmdOp.FENCE, addr=FENCE, length=7) == OK
    assert fence_value(mmu) == 7
    assert mmu.when("write", 0x22) - mmu.when("line", 1) <= 4
    assert mmu.seen("fence") == [()]


def test_fence_waits_for_what_the_invalidation_covers_and_holds_nobody(make: Make) -> None:
    mmu = make()
    key = in_flight(mmu)
    covered = mmu.command(h.CmdOp.INVALIDATE_RANGE, key=key, addr=0x1FFF, length=1)
    waits = mmu.command(h.CmdOp.FENCE, addr=FENCE, length=1)
    behind = mmu.command(h.CmdOp.INVALIDATE_RANGE, key=2 << 8, length=1)
    mmu.ring()
    assert mmu.settle().quiescent, "a fence that waits is quiet"
    assert (mmu.status(covered), mmu.status(waits), mmu.status(behind)) == (OK, None, None)
    assert mmu.seen("inv") == [(0,), (2,)], "what stands behind a fence is carried out"
    assert fence_value(mmu) == 0
    mmu.step(use=5, done_valid=1)
    mmu.wait()
    assert (mmu.status(waits), mmu.status(behind), fence_value(mmu)) == (OK, OK, 1)


@pytest.mark.parametrize(
    "where", [{"addr": 0x2000, "length": 1 << 40}, {"addr": 0, "length": 0x1000}, {"addr": 0x1000, "length": 0}]
)
def test_fence_does_not_wait_for_what_lies_outside(make: Make, where: dict[str, int]) -> None:
    mmu = make()
    key = in_flight(mmu)
    mmu.command(h.CmdOp.INVALIDATE_RANGE, key=key, **where)
    assert mmu.do(h.CmdOp.FENCE, addr=FENCE, length=3) == OK
    assert fence_value(mmu) == 3
    mmu.step(use=5, done_valid=1)


def test_fence_does_not_wait_for_invalidations_behind_it(make: Make) -> None:
    mmu = make()
    key = in_flight(mmu)
    first = mmu.command(h.CmdOp.FENCE, addr=FENCE, length=1)
    mmu.command(h.CmdOp.INVALIDATE_KEY, key=key)
    second = mmu.command(h.CmdOp.FENCE, addr=FENCE, length=2)
    mmu.ring()
    mmu.settle()
    assert (mmu.status(first), mmu.status(second), fence_value(mmu)) == (OK, None, 1)
    mmu.step(use=5, done_valid=1)
    mmu.wait()
    assert fence_value(mmu) == 2
