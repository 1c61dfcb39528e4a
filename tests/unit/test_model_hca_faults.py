"""Faults (docs/hca.md, sections 4 and 5): policies, tokens, the queue, its interrupt. FQ-1 to FQ-7."""

from __future__ import annotations

import pytest
from support.hca_chip import A_VA, B_VA, PAGE, Pair, events

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from tb.hil.hca_bare import settings

POLICIES = list(h.FaultPolicy)
SIZE = 3 * PAGE


def serve(pair: Pair, operation: str) -> tuple[bytes, bytes]:
    """Post an operation over SIZE bytes; what A's and B's bytes must be afterwards."""
    a, b = pair.bytes_a, pair.bytes_b
    if operation == "read":
        pair.qa.read(pair.ka, A_VA + 100, pair.kb, B_VA + 50, SIZE)
        return a[:100] + b[50 : 50 + SIZE] + a[100 + SIZE :], b
    if operation == "send":
        pair.qb.recv(pair.kb, B_VA + 50, SIZE)
        pair.qa.send(pair.ka, A_VA + 100, SIZE)
    else:
        pair.qa.write(pair.ka, A_VA + 100, pair.kb, B_VA + 50, SIZE)
    return a, b[:50] + a[100 : 100 + SIZE] + b[50 + SIZE :]


@pytest.mark.parametrize("operation", ["write", "send", "read"])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_remote_fault_is_answered_and_all_bytes_arrive(policy: h.FaultPolicy, operation: str) -> None:
    pair = Pair(qp={"policy": policy, "mtu_shift": 10})
    for va in (B_VA + PAGE, B_VA + 2 * PAGE):
        pair.take(pair.b, pair.kb, va)
    frames = [pair.b.alloc_user(1) for _ in range(2)]
    for page, frame in enumerate(frames, 1):
        pair.b.memory.frame(frame)[:] = list(pair.bytes_b[page * PAGE : (page + 1) * PAGE])
    wanted = serve(pair, operation)
    for page, frame in enumerate(frames, 1):
        (fault,) = pair.b.wait_faults()
        assert fault["va"] == B_VA + page * PAGE
        assert fault["length"] == SIZE + 50 - page * PAGE
        assert (fault["direction"], fault["write"], fault["rdma"]) == (
            h.FaultDir.RESPONDER,
            operation != "read",
            operation != "send",
        )
        assert (fault["cause"], fault["qpn"], fault["key"]) == (h.FaultCause.NOT_PRESENT, pair.qb.qpn, pair.kb)
        pair.quiet(5000)
        assert pair.b.load(h.FqProdReg)["index"] == page  # merged, however often it is tried again
        pair.b.map(pair.kb, B_VA + page * PAGE, frame)
        assert pair.b.resume(fault) is h.CmdStatus.OK
    pair.ok()
    assert (pair.a.peek(pair.ka, A_VA, len(wanted[0])), pair.b.peek(pair.kb, B_VA, len(wanted[1]))) == wanted
    naks = {args[2] for _, _, args in events(pair.bare, TraceEvent.HDEV_NAK, node=1)}
    if policy == h.FaultPolicy.DISCARD:
        assert naks - {h.NakSyndrome.PSN} == {h.NakSyndrome.RNR}
    elif policy == h.FaultPolicy.RESTART or operation == "read":
        assert naks - {h.NakSyndrome.PSN} == {h.NakSyndrome.SUSPEND, h.NakSyndrome.RESTART}
    else:
        assert not naks  # the packet waited where it was


@pytest.mark.parametrize("operation", ["write", "send", "read"])
def test_a_local_fault_parks_the_send_side(operation: str) -> None:
    pair = Pair(qp={"mtu_shift": 10})
    pair.take(pair.a, pair.ka, A_VA + PAGE)
    frame = pair.a.alloc_user(1)
    pair.a.memory.frame(frame)[:] = list(pair.bytes_a[PAGE : 2 * PAGE])
    wanted = serve(pair, operation)
    (fault,) = pair.a.wait_faults()
    assert (fault["direction"], fault["write"], fault["rdma"]) == (h.FaultDir.REQUESTER, operation == "read", 0)
    assert (fault["va"], fault["wqe_index"], fault["length"]) == (A_VA + PAGE, 0, SIZE + 100 - PAGE)
    pair.quiet(60_000)  # longer than ACK_TIMEOUT
    assert pair.qa.query()["sq_parked"] == 1
    pair.a.map(pair.ka, A_VA + PAGE, frame)
    assert pair.a.resume(fault) is h.CmdStatus.OK
    pair.ok()
    assert (pair.a.peek(pair.ka, A_VA, len(wanted[0])), pair.b.peek(pair.kb, B_VA, len(wanted[1]))) == wanted


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("operation", ["write", "read"])
def test_remote_abort(operation: str, policy: h.FaultPolicy) -> None:
    pair = Pair(qp={"policy": policy})
    pair.take(pair.b, pair.kb, B_VA)
    getattr(pair.qa, operation)(pair.ka, A_VA, pair.kb, B_VA, 100)
    (fault,) = pair.b.wait_faults()
    assert pair.b.resume(fault, error=True) is h.CmdStatus.OK
    assert pair.done()["status"] == h.WcStatus.REM_OP_ERR
    assert pair.qb.query()["state"] == h.QpState.ERR
    assert pair.b.async_events() == [(h.AsyncType.QP_ACCESS_ERR, pair.qb.qpn)]
    assert pair.a.peek(pair.ka, A_VA, PAGE) == pair.bytes_a[:PAGE]


@pytest.mark.parametrize("operation", ["write", "read"])
def test_local_abort(operation: str) -> None:
    pair = Pair()
    pair.take(pair.a, pair.ka, A_VA)
    getattr(pair.qa, operation)(pair.ka, A_VA, pair.kb, B_VA, 100)
    (fault,) = pair.a.wait_faults()
    assert pair.a.resume(fault, error=True) is h.CmdStatus.OK
    assert pair.done()["status"] == h.WcStatus.LOC_PROT_ERR
    assert pair.b.peek(pair.kb, B_VA, PAGE) == pair.bytes_b[:PAGE]


def test_only_the_outstanding_token_counts() -> None:
    pair = Pair()
    frame = pair.take(pair.b, pair.kb, B_VA)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 10)
    (fault,) = pair.b.wait_faults()
    assert fault["token"] == 1 << h.QPN_WIDTH | pair.qb.qpn
    for wrong in ({"token": fault["token"] + (1 << h.QPN_WIDTH)}, {"direction": 0}, {"qpn": pair.qb.qpn + 2}, {"token": 0}):
        assert pair.b.resume(fault | wrong) is h.CmdStatus.BAD_TOKEN
    pair.quiet()
    assert pair.b.resume(fault) is h.CmdStatus.OK  # and it faults again: the page is still away
    assert pair.b.resume(fault) is h.CmdStatus.BAD_TOKEN
    (again,) = pair.b.wait_faults()
    assert again["token"] == 2 << h.QPN_WIDTH | pair.qb.qpn
    assert again["seqno"] == fault["seqno"] + 1
    pair.b.map(pair.kb, B_VA, frame)
    assert pair.b.resume(again) is h.CmdStatus.OK
    pair.ok()
    counters = pair.b.counters()
    assert (counters["BAD_TOKENS"], counters["RESUMES"], counters["FAULTS"]) == (5, 2, 2)


def test_a_write_to_a_read_only_page_faults_and_is_upgraded() -> None:
    pair = Pair()
    frame = pair.b.unmap(pair.kb, B_VA)
    pair.b.map(pair.kb, B_VA, frame, write=False)
    pair.b.invalidate(pair.kb, B_VA, PAGE)
    pair.qa.read(pair.ka, A_VA, pair.kb, B_VA, 64)  # now it is cached, for reading
    pair.ok()
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 64)
    (fault,) = pair.b.wait_faults()
    assert (fault["cause"], fault["write"]) == (h.FaultCause.READ_ONLY, 1)
    pair.b.map(pair.kb, B_VA, frame)  # no invalidation: more rights need none (SD-7)
    pair.b.resume(fault)
    pair.ok()
    assert pair.b.load(h.FqProdReg)["index"] == 1


@pytest.mark.parametrize("entries", [1, 4])
def test_no_fault_is_lost_when_the_queue_is_full(entries: int) -> None:
    pair = Pair(chosen=settings(fault_entries=entries))
    frame = pair.take(pair.b, pair.kb, B_VA)
    pairs = [pair.more(number) for number in range(1, 10)]
    for qa, _ in pairs:
        qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.sleep(6000)
    assert pair.b.load(h.FqProdReg)["index"] == entries  # all entries are used, none is written over
    assert pair.b.load(h.StatusReg)["fault_overflow"] == 1
    assert pair.b.counters()["FAULT_HELD"] == 9 - entries
    pair.b.map(pair.kb, B_VA, frame)
    tokens = []
    for _ in range(9):
        (fault,) = pair.b.wait_faults()
        tokens.append(fault["token"])
        assert fault["seqno"] == len(tokens) - 1
        assert pair.b.resume(fault) is h.CmdStatus.OK
    assert sorted(tokens) == [1 << h.QPN_WIDTH | qb.qpn for _, qb in pairs]
    for qa, _ in pairs:
        pair.ok(qa)
    pair.b.store(h.StatusReg, fault_overflow=1)
    assert pair.b.load(h.StatusReg)["fault_overflow"] == 0


def test_faults_wait_while_the_queue_has_no_size() -> None:
    pair = Pair()
    frame = pair.take(pair.b, pair.kb, B_VA)
    pair.b.store(h.FqSizeReg, entries=0)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.quiet()
    assert pair.b.load(h.FqProdReg)["index"] == 0
    pair.b.store(h.FqSizeReg, entries=64)
    (fault,) = pair.b.wait_faults()
    pair.b.map(pair.kb, B_VA, frame)
    pair.b.resume(fault)
    pair.ok()


def test_a_record_memory_refuses_is_kept() -> None:
    pair = Pair()
    pair.bare.stop_on_violation = False  # it does write outside memory: software told it to
    frame = pair.take(pair.b, pair.kb, B_VA)
    base = pair.b.load(h.FqBaseReg)["addr"]
    pair.b.store(h.FqBaseReg, addr=1 << 40)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.quiet()
    assert (pair.b.load(h.FqProdReg)["index"], pair.b.load(h.StatusReg)["fault_overflow"]) == (0, 1)
    pair.b.store(h.FqBaseReg, addr=base)
    (fault,) = pair.b.wait_faults()
    pair.b.map(pair.kb, B_VA, frame)
    pair.b.resume(fault)
    pair.ok()


def test_record_and_index_come_before_the_interrupt() -> None:
    pair = Pair()
    pair.take(pair.b, pair.kb, B_VA)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.run(lambda: bool(pair.b.irq[h.IrqLine.FAULT]))
    ((recorded, _, _),) = events(pair.bare, TraceEvent.HDEV_RECORD, node=1)
    assert 0 <= pair.bare.device.cycle - recorded <= 12
    (fault,) = pair.b.faults()
    assert fault["token"]
    pair.bare.settle()
    assert not pair.b.irq[h.IrqLine.FAULT]


def test_the_interrupt_waits_for_count_or_delay() -> None:
    pair = Pair(chosen=settings(fault_count=3, fault_delay=9000))
    pair.take(pair.b, pair.kb, B_VA)
    pairs = [pair.more(number) for number in range(1, 5)]
    pairs[0][0].write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.run(lambda: pair.b.load(h.FqProdReg)["index"] == 1)
    written = pair.bare.device.cycle
    pair.bare.run(lambda: bool(pair.b.irq[h.IrqLine.FAULT]))
    assert 8500 <= pair.bare.device.cycle - written <= 9100
    assert len(pair.b.faults()) == 1
    pair.bare.settle()
    for qa, _ in pairs[1:]:
        qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    rung = pair.bare.device.cycle
    pair.bare.run(lambda: bool(pair.b.irq[h.IrqLine.FAULT]))
    assert pair.bare.device.cycle - rung < 8000
    assert pair.b.load(h.FqProdReg)["index"] == 4


def test_the_line_is_a_level_that_enabling_shows() -> None:
    pair = Pair(chosen=settings(irqs=0))
    pair.take(pair.b, pair.kb, B_VA)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.run(lambda: pair.b.load(h.FqProdReg)["index"] == 1)
    pair.quiet(100)
    assert not pair.b.irq[h.IrqLine.FAULT]
    pair.b.store(h.IrqEnableReg, fault=1)
    pair.bare.settle()
    assert pair.b.irq[h.IrqLine.FAULT]


@pytest.mark.parametrize("policy", POLICIES)
def test_others_go_on_while_one_faults(policy: h.FaultPolicy) -> None:
    pair = Pair(qp={"policy": policy})
    pair.take(pair.b, pair.kb, B_VA)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 4 * PAGE)
    other, _ = pair.more(1)
    pair.b.wait_faults()
    for number in range(20):
        other.write(pair.ka, A_VA, pair.kb, B_VA + 4 * PAGE, 4 * PAGE)
        assert pair.ok(other)["wqe_index"] == number


def test_loading_a_side_forgets_its_fault() -> None:
    pair = Pair()
    frame = pair.take(pair.b, pair.kb, B_VA)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    (fault,) = pair.b.wait_faults()
    pair.bare.connect(pair.qa, pair.qb)
    assert pair.b.resume(fault) is h.CmdStatus.BAD_TOKEN
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    (again,) = pair.b.wait_faults()
    assert again["token"] != fault["token"]
    pair.b.map(pair.kb, B_VA, frame)
    assert pair.b.resume(again) is h.CmdStatus.OK
    assert pair.ok()["wqe_index"] == 0
