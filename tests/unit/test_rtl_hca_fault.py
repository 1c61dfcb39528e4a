"""The HCA's faults in RTL: tokens, the queue at its last entry, resumes, the interrupt line; and mutants of the memory side.

On the block bench (tb/hca_mmu): faults come when the test says so.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support import hca_mmu_rig
from support.hca_mmu_rig import CONTEXT, FENCE, Make, fence_value, good_qpc, in_flight

from hwif.gen import hca as h
from tb.hca_mmu.bench import FQ, OUTSIDE, Mmu
from tb.hil.hca_lines import word_of

OK = h.CmdStatus.OK
REQUESTER, RESPONDER = h.FaultDir.REQUESTER, h.FaultDir.RESPONDER
make = hca_mmu_rig.make


# ---- faults --------------------------------------------------------------------------------------------------------------------


def resume(mmu: Mmu, record: dict[str, int], **changed: int) -> int | None:
    """Answer a fault."""
    fields = {"qpn": record["qpn"], "direction": record["direction"], "token": record["token"], **changed}
    return mmu.do(h.CmdOp.RESUME, **fields)


def test_record_token_and_time_to_the_line(make: Make) -> None:
    mmu = make()
    mmu.fault(77, RESPONDER, 0x3000)
    mmu.settle()
    (record,) = mmu.drain()
    assert record == {
        "direction": RESPONDER, "write": 1, "rdma": 1, "cause": h.FaultCause.NOT_PRESENT, "qpn": 77, "token": 1 << 12 | 77,
        "key": 0x1234_5678, "va": 0x3000, "length": 9000, "packet_length": 4096, "wqe_index": 77, "seqno": 0,
    }  # fmt: skip
    assert mmu.when("irq", 1) - mmu.when("record") <= 12
    mmu.settle()
    assert mmu.step().irq == 0


def test_tokens(make: Make) -> None:
    """FQ-4: forged, of the other direction, of another queue pair, repeated: refused, and nothing happens."""
    mmu = make()
    mmu.fault(5, REQUESTER)
    mmu.settle()
    (record,) = mmu.drain()
    for changed in ({"token": 2 << 12 | 5}, {"token": 5}, {"direction": RESPONDER}, {"qpn": 6}):
        assert resume(mmu, record, **changed) == h.CmdStatus.BAD_TOKEN
    assert mmu.seen("resume") == []
    assert resume(mmu, record, error=1) == OK
    assert resume(mmu, record) == h.CmdStatus.BAD_TOKEN
    assert mmu.seen("resume") == [(5, REQUESTER, 1)]
    mmu.fault(5, REQUESTER)
    mmu.settle()
    (again,) = mmu.drain()
    assert again["token"] == 2 << 12 | 5
    assert resume(mmu, record) == h.CmdStatus.BAD_TOKEN, "stale"
    assert resume(mmu, again) == OK
    assert (mmu.counter(h.Counter.RESUMES), mmu.counter(h.Counter.BAD_TOKENS)) == (2, 6)


def test_faults_of_one_direction_merge(make: Make) -> None:
    mmu = make()
    for direction in (REQUESTER, RESPONDER, RESPONDER, REQUESTER, RESPONDER):
        mmu.fault(1, direction)
    mmu.settle()
    assert [record["direction"] for record in mmu.drain()] == [REQUESTER, RESPONDER]
    assert mmu.counter(h.Counter.FAULTS_MERGED) == 3


@pytest.mark.parametrize("records", [1, 2, 64])
def test_queue_is_filled_to_the_last_entry_and_loses_nothing(make: Make, records: int) -> None:
    """FQ-1, FQ-7: three rounds and a half more than it holds, from both directions of many queue pairs."""
    mmu = make(records=records, busy=20)
    count = 3 * records + records // 2 + 5
    for number in range(count):
        mmu.fault(number // 2, h.FaultDir(number % 2), number << 12)
    mmu.settle()
    assert mmu.read(h.FqProdReg.offset) == records, "all entries are used"
    assert mmu.read(h.StatusReg.offset) == word_of(h.StatusReg, fault_overflow=1)
    got: list[dict[str, int]] = []
    while len(got) < count:
        assert mmu.step().irq == 1
        got += mmu.drain()
        mmu.settle()
    assert [(r["qpn"], r["direction"], r["va"] >> 12, r["seqno"]) for r in got] == [(n // 2, n % 2, n, n) for n in range(count)]
    assert mmu.step().irq == 0
    assert mmu.counter(h.Counter.FAULTS) == count
    assert mmu.counter(h.Counter.FAULT_HELD) == count - records
    assert {resume(mmu, record) for record in got[-20:]} == {OK}


@pytest.mark.parametrize("size", [0, 3])
def test_faults_wait_for_a_queue(make: Make, size: int) -> None:
    mmu = make(start=False)
    mmu.start(fq_size=size)
    mmu.fault(1, RESPONDER)
    assert mmu.settle().quiescent
    assert mmu.read(h.FqProdReg.offset) == 0
    mmu.write(h.FqSizeReg.offset, 64)
    mmu.settle()
    assert [record["qpn"] for record in mmu.drain()] == [1]


def test_record_refused_by_memory_is_written_later(make: Make) -> None:
    mmu = make()
    mmu.write(h.FqBaseReg.offset, OUTSIDE)
    mmu.fault(1, RESPONDER)
    mmu.fault(2, RESPONDER)
    mmu.settle()
    assert mmu.read(h.FqProdReg.offset) == 0
    assert mmu.read(h.StatusReg.offset) == word_of(h.StatusReg, fault_overflow=1)
    mmu.write(h.FqBaseReg.offset, FQ)
    mmu.settle()
    assert [record["qpn"] for record in mmu.drain()] == [1, 2]


@pytest.mark.parametrize("written", [False, True])
def test_side_that_starts_anew_has_no_fault_outstanding(make: Make, written: bool) -> None:
    mmu = make(records=1)
    if not written:
        mmu.fault(9, RESPONDER)  # fills the queue
    mmu.fault(5, RESPONDER, 0x5000)
    mmu.settle()
    mmu.poke(CONTEXT, good_qpc())
    assert mmu.do(h.CmdOp.MODIFY_QP, qpn=5, addr=CONTEXT, load_sq=1) == OK
    mmu.fault(5, RESPONDER)
    assert mmu.settle().quiescent
    assert mmu.counter(h.Counter.FAULTS_MERGED) == 1, "the send side's start leaves the receive side's fault"
    assert mmu.do(h.CmdOp.MODIFY_QP, qpn=5, addr=CONTEXT, load_rq=1) == OK
    (old,) = mmu.drain()
    mmu.settle()
    assert mmu.drain() == [], "a record not yet written is not written"
    if written:
        assert resume(mmu, old) == h.CmdStatus.BAD_TOKEN
    mmu.fault(5, RESPONDER, 0x6000)
    mmu.settle()
    (new,) = mmu.drain()
    assert (new["va"], new["token"]) == (0x6000, 2 << 12 | 5)
    assert resume(mmu, new) == OK


def test_disable_forgets_faults_and_starts_anew(make: Make) -> None:
    mmu = make(records=1)
    for qpn in range(4):
        mmu.fault(qpn, REQUESTER)
    mmu.settle()
    mmu.enable(on=False)
    assert mmu.step().irq == 0
    mmu.enable(on=True)
    assert mmu.read(h.FqProdReg.offset) == 0
    assert mmu.do(h.CmdOp.RESUME, qpn=0, token=1 << 12) == h.CmdStatus.BAD_TOKEN
    mmu.fault(3, REQUESTER)
    mmu.settle()
    assert [(record["token"], record["seqno"]) for record in mmu.drain()] == [(1 << 12 | 3, 0)]


def test_fault_line_coalesces(make: Make) -> None:
    mmu = make()
    mmu.write(h.FqCoalesceReg.offset, word_of(h.FqCoalesceReg, count=3, delay=400))
    mmu.fault(0, REQUESTER)
    out = mmu.settle()
    assert out.irq == 0
    recorded = mmu.when("record")
    assert abs(out.deadline - recorded - 400) <= 2
    mmu.idle(out.deadline - out.now)
    assert mmu.idle(3).irq == 1
    mmu.drain()
    assert mmu.settle().irq == 0
    assert mmu.step().deadline == (1 << 64) - 1
    for qpn in (1, 2, 3):
        assert mmu.settle().irq == 0
        mmu.fault(qpn, REQUESTER)
    mmu.settle()
    assert mmu.step().irq == 1, "three wait"
    mmu.write(h.IrqEnableReg.offset, 0)
    assert mmu.settle().irq == 0
    mmu.write(h.IrqEnableReg.offset, 1)
    assert mmu.settle().irq == 1, "a level: what waits when it is enabled is not lost"


def race_empty(mmu: Mmu) -> bool:
    """Software empties the queue as records come, at every distance in cycles: is the line always up while a record waits?"""
    qpn = 100
    for delay in range(60):
        mmu.fault(qpn, REQUESTER)
        mmu.settle()
        mmu.consumer = (mmu.consumer + 1) & 0xFFFF
        mmu.fault(qpn + 1, REQUESTER)
        mmu.idle(delay + 1)
        mmu.write(h.FqConsReg.offset, mmu.consumer)
        if mmu.settle().irq & 1 == 0:
            return False
        mmu.drain()
        mmu.settle()
        qpn += 2
    return True


def test_record_as_software_empties_the_queue_is_not_lost(make: Make) -> None:
    assert race_empty(make())


# ---- mutants -------------------------------------------------------------------------------------------------------------------


def wait_fence(mmu: Mmu) -> None:
    """A fence over a write in flight."""
    key = in_flight(mmu)
    mmu.command(h.CmdOp.INVALIDATE_KEY, key=key)
    mmu.command(h.CmdOp.FENCE, addr=FENCE, length=1)
    mmu.ring()
    mmu.settle()
    assert fence_value(mmu) == 0, "the fence came before the write"


def overfill(mmu: Mmu) -> None:
    """More faults than entries."""
    mmu.write(h.FqSizeReg.offset, 2)
    mmu.records = 2
    for qpn in range(5):
        mmu.fault(qpn, RESPONDER)
    got: list[int] = []
    for _ in range(4):
        mmu.settle()
        got += [record["qpn"] for record in mmu.drain()]
        mmu.idle(100)
    assert got == list(range(5)), "records were lost"


def read_at_once(mmu: Mmu) -> None:
    """Read the record as soon as the index says that it is there."""
    mmu.fault(5, RESPONDER, 0x7000)
    mmu.until(lambda _: mmu.read(h.FqProdReg.offset) == 1, "FQ_PROD")
    assert mmu.seen("record") == [(1,)], "the index moved before the record was answered"


def forge(mmu: Mmu) -> None:
    """A stale token."""
    mmu.fault(5, RESPONDER)
    mmu.settle()
    assert resume(mmu, mmu.drain()[0], token=0) == h.CmdStatus.BAD_TOKEN, "a forged token counts"


def answer(mmu: Mmu) -> None:
    """A resume reaches its queue pair."""
    mmu.fault(5, RESPONDER)
    mmu.settle()
    assert resume(mmu, mmu.drain()[0]) == OK
    assert mmu.seen("resume") == [(5, RESPONDER, 0)], "the queue pair was not woken"


def repeat(mmu: Mmu) -> None:
    """The same fault twice."""
    mmu.fault(5, RESPONDER)
    mmu.fault(5, RESPONDER)
    mmu.settle()
    assert len(mmu.drain()) == 1, "the same fault twice in the queue"


def empty(mmu: Mmu) -> None:
    """The race of FQ-6."""
    assert race_empty(mmu), "an interrupt was lost"


@pytest.mark.parametrize(
    ("mutant", "program", "rule"),
    [
        (h.HcaMutant.ACK_BEFORE_DRAIN, wait_fence, "sd_2_fence_waits"),
        (h.HcaMutant.LATE_WRITE, wait_fence, None),
        (h.HcaMutant.FENCE_FIRST, wait_fence, "sd_1_executed_is_accepted"),
        (h.HcaMutant.RECORD_LOST, overfill, "fq_1_record_goes_out"),
        (h.HcaMutant.INDEX_FIRST, read_at_once, "fq_2_index_after_record"),
        (h.HcaMutant.STALE_TOKEN, forge, "fq_4_token"),
        (h.HcaMutant.IRQ_EDGE, empty, "fq_6_line_up"),
        (h.HcaMutant.RESUME_FORGOTTEN, answer, "fq_5_resume_heard"),
        (h.HcaMutant.FAULT_TWICE, repeat, "fq_3_one_outstanding"),
    ],
)
def test_mutants_are_seen(make: Make, mutant: h.HcaMutant, program: Callable[[Mmu], None], rule: str | None) -> None:
    """By the driver's eye and, where there is one, by the rule's assertion; the product passes both."""
    program(make())
    broken = make(mutant=mutant)
    with pytest.raises(AssertionError):
        program(broken)
    assert rule is None or rule in broken.failed
