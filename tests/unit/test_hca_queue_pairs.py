"""Queue pairs when something goes wrong: limits, errors, aborted faults, lost answers, settings changed under way: RTL and model.

Every error must reach both ends as docs/hca.md section 4 says (completion, NAK, state, asynchronous event), touch no memory, and
leave the device able to serve the same two queue pairs again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.hca_hosts import HcaCase, open_device

from hwif.gen import hca as h
from hwif.memory import FRAME_BYTES
from tb.hil.abi import Fate, HcaOptions, LinkFault
from tb.hil.hca_bare import Bare, BareError, Entry, settings

A, B = 0x10_0000, 0x20_0000
PAGES = 4
SIZE = PAGES * FRAME_BYTES
TIMEOUT = 4000
SHORT = {"retry_cnt": 2, "rnr_retry": 2}
TIMES = settings(ack_timeout=TIMEOUT, rnr_delay=500)
NEAR_WRAP = 0xFF_FFFA


class Ends:
    """Two queue pairs, a filled region at A, an empty one at B."""

    def __init__(self, bare: Bare, **context: int) -> None:
        self.bare = bare
        self.a, self.b = bare.nodes
        self.near, self.far = self.a.region(1, A, PAGES), self.b.region(2, B, PAGES)
        self.data = bytes((7 * at + at // 251) & 0xFF for at in range(SIZE))
        self.a.poke(self.near, A, self.data)
        self.qa, self.qb = bare.pair(self.a, self.b, **{**SHORT, **context})

    def write(self, length: int = 64, *, place: int = 0, **more: Any) -> int:
        return self.qa.write(self.near, A + place, self.far, B + place, length, **more)

    def wait(self, count: int = 1) -> list[h.WcStatus]:
        return [h.WcStatus(done["status"]) for done in self.bare.wait(self.qa, count)]

    def arrived(self, place: int, length: int) -> bool:
        return self.b.peek(self.far, B + place, length) == self.data[place : place + length]

    def untouched(self) -> bool:
        return self.b.peek(self.far, B, SIZE) == bytes(SIZE)

    def states(self) -> tuple[h.QpState, h.QpState]:
        return h.QpState(self.qa.query()["state"]), h.QpState(self.qb.query()["state"])

    def again(self) -> None:
        """Through RESET to RTS, and a WRITE that succeeds."""
        for qp in (self.qa, self.qb):
            assert qp.modify(state=h.QpState.RESET) is h.CmdStatus.OK
        self.bare.connect(self.qa, self.qb, psn_a=5, psn_b=9)
        for node in self.bare.nodes:
            for cqn in node.cqs:
                node.poll(cqn)
        self.write(100, place=FRAME_BYTES)
        assert self.wait() == [h.WcStatus.SUCCESS]
        assert self.arrived(FRAME_BYTES, 100)


@pytest.fixture(params=["native", "model"])
def bare(request: pytest.FixtureRequest) -> Iterator[Bare]:
    device: Any = open_device(HcaCase(""), request.param)
    yield Bare(device, TIMES)
    assert not device.violations()
    device.close()


def post_one_of_each(ends: Ends) -> None:
    """WRITE, SEND, READ, fetch-and-add, compare-and-swap of several packets each where they can have them."""
    ends.write(1000)
    ends.qb.recv(ends.far, B + FRAME_BYTES, 1000)
    ends.qa.send(ends.near, A + FRAME_BYTES, 900)
    ends.qa.read(ends.near, A + 3 * FRAME_BYTES, ends.far, B, 1000)
    ends.qa.fetch_add(ends.near, A + 2 * FRAME_BYTES, ends.far, B + 2 * FRAME_BYTES, 5)
    ends.qa.compare_swap(ends.near, A + 2 * FRAME_BYTES + 8, ends.far, B + 2 * FRAME_BYTES, 5, 77)


def check_one_of_each(ends: Ends) -> None:
    words = [int.from_bytes(ends.a.peek(ends.near, A + 2 * FRAME_BYTES + at, 8), "little") for at in (0, 8)]
    assert words == [0, 5]
    assert int.from_bytes(ends.b.peek(ends.far, B + 2 * FRAME_BYTES, 8), "little") == 77
    assert ends.arrived(0, 1000)
    assert ends.arrived(FRAME_BYTES, 900)
    assert ends.a.peek(ends.near, A + 3 * FRAME_BYTES, 1000) == ends.data[:1000]


def test_psn_wraps(bare: Bare) -> None:
    """All operations across the wrap of the packet sequence number."""
    ends = Ends(bare, mtu_shift=8)
    bare.connect(ends.qa, ends.qb, psn_a=NEAR_WRAP, psn_b=NEAR_WRAP)
    post_one_of_each(ends)
    assert ends.wait(5) == [h.WcStatus.SUCCESS] * 5
    check_one_of_each(ends)
    report = ends.qa.query()
    assert report["next_psn"] == report["una_psn"] == (NEAR_WRAP + 4 + 4 + 4 + 2) & 0xFF_FFFF
    assert ends.qb.query()["epsn"] == report["next_psn"]


@pytest.mark.parametrize("opcode", [op for op in h.PktOp if op not in (h.PktOp.NAK, h.PktOp.ATOMIC_RESP)])
@pytest.mark.parametrize("skip", [0, 1])
def test_any_packet_lost(bare: Bare, opcode: h.PktOp, skip: int) -> None:
    """Each kind of packet lost once: everything is carried out once nevertheless."""
    ends = Ends(bare, mtu_shift=8)
    answers = opcode in (h.PktOp.READ_RESP, h.PktOp.ACK)
    skip = skip if opcode in (h.PktOp.SEND, h.PktOp.WRITE, h.PktOp.READ_RESP) else 0  # of the others there is one
    bare.link_fault(LinkFault(Fate.LOSE, int(answers), opcode, skip))
    post_one_of_each(ends)
    assert ends.wait(5) == [h.WcStatus.SUCCESS] * 5
    check_one_of_each(ends)


def test_repeated_atomic_is_answered_not_repeated(bare: Bare) -> None:
    """A lost answer: the atomic comes again and is a duplicate."""
    ends = Ends(bare)
    bare.link_fault(LinkFault(Fate.LOSE, 1, h.PktOp.ATOMIC_RESP))
    ends.qa.fetch_add(ends.near, A, ends.far, B, 5)
    assert ends.wait() == [h.WcStatus.SUCCESS]
    assert ends.b.peek(ends.far, B, 8) == (5).to_bytes(8, "little")
    assert ends.a.peek(ends.near, A, 8) == bytes(8)
    assert ends.b.counters()["DUPLICATE"] == 1


def failed(ends: Ends, status: h.WcStatus, far: h.QpState, count: int = 1) -> Entry:
    """The last of `count` completions failed so; the queue pair at A is in ERR and says so."""
    done = bare_wait(ends, count)
    assert h.WcStatus(done["status"]) is status
    assert ends.states() == (h.QpState.ERR, far)
    assert (h.AsyncType.QP_FATAL, ends.qa.qpn) in ends.a.async_events()
    assert ends.a.counters()["QP_ERRORS"] == 1
    return done


def bare_wait(ends: Ends, count: int) -> Entry:
    done = ends.bare.wait(ends.qa, count)
    assert all(entry["status"] == h.WcStatus.SUCCESS for entry in done[:-1])
    return done[-1]


def test_receiver_never_ready(bare: Bare) -> None:
    """rnr_retry RNR NAKs more than the first, then RNR_RETRY_EXC_ERR; the receiver is not in error."""
    ends = Ends(bare)
    ends.qa.send(ends.near, A, 100)
    failed(ends, h.WcStatus.RNR_RETRY_EXC_ERR, h.QpState.RTS)
    assert ends.b.counters()["RNR_NAK_SENT"] == SHORT["rnr_retry"] + 1
    assert ends.untouched()
    ends.again()


def test_nobody_there(bare: Bare) -> None:
    """retry_cnt time-outs more than the first, then RETRY_EXC_ERR."""
    ends = Ends(bare)
    ends.qb.modify(state=h.QpState.RESET)
    began = bare.device.cycle
    ends.write()
    failed(ends, h.WcStatus.RETRY_EXC_ERR, h.QpState.RESET)
    times = SHORT["retry_cnt"] + 1
    assert ends.a.counters()["TIMEOUTS"] == times
    assert times * TIMEOUT <= bare.device.cycle - began <= 2 * times * TIMEOUT + 2000
    assert ends.untouched()
    ends.again()


ACCESS = h.WcStatus.REM_ACCESS_ERR, h.AsyncType.QP_ACCESS_ERR
REMOTE_ERRORS = {
    "bad key": (h.WrOpcode.RDMA_WRITE, {"rkey": 0x9900, "remote_addr": B}, *ACCESS),
    "past the end": (h.WrOpcode.RDMA_WRITE, {"remote_addr": B + SIZE - 63}, *ACCESS),
    "read past the end": (
        h.WrOpcode.RDMA_READ,
        {"remote_addr": B + SIZE - 63},
        h.WcStatus.REM_ACCESS_ERR,
        h.AsyncType.QP_ACCESS_ERR,
    ),
    "odd atomic": (h.WrOpcode.ATOMIC_FETCH_AND_ADD, {"remote_addr": B + 4}, h.WcStatus.REM_INV_REQ_ERR, h.AsyncType.QP_REQ_ERR),
}


@pytest.mark.parametrize("case", REMOTE_ERRORS)
def test_refused_by_the_other_end(bare: Bare, case: str) -> None:
    """The NAK's reason becomes the completion's status, at both ends ERR; what was before completes."""
    opcode, fields, status, kind = REMOTE_ERRORS[case]
    ends = Ends(bare)
    ends.write(64, place=2 * FRAME_BYTES)
    length = 8 if opcode >= h.WrOpcode.ATOMIC_CMP_AND_SWP else 64
    element: dict[str, Any] = {"num_sge": 1, "addr0": A, "length0": length, "lkey0": ends.near}
    ends.qa.post_send(opcode=opcode, **{"rkey": ends.far, **element, **fields})
    failed(ends, status, h.QpState.ERR, 2)
    assert ends.b.async_events() == [(kind, ends.qb.qpn)]
    assert ends.arrived(2 * FRAME_BYTES, 64)
    assert ends.b.peek(ends.far, B, 64) == bytes(64)
    ends.again()


@pytest.mark.parametrize("right", ["allow_write", "allow_read", "allow_atomic"])
def test_operation_not_allowed(bare: Bare, right: str) -> None:
    """A queue pair that does not serve the operation: INV_REQ."""
    ends = Ends(bare)
    serve: dict[str, Any] = {right: 0}
    ends.qb.modify(**serve)
    arguments = (ends.near, A, ends.far, B)
    {"allow_write": lambda: ends.qa.write(*arguments, 8), "allow_read": lambda: ends.qa.read(*arguments, 8),
     "allow_atomic": lambda: ends.qa.fetch_add(*arguments, 1)}[right]()  # fmt: skip
    failed(ends, h.WcStatus.REM_INV_REQ_ERR, h.QpState.ERR)
    assert ends.untouched()
    serve[right] = 1
    ends.qb.modify(**serve)
    ends.again()


def test_receive_too_short(bare: Bare) -> None:
    """The receive completes with LOC_LEN_ERR, the send with REM_INV_REQ_ERR; the receive before is whole."""
    ends = Ends(bare)
    ends.qb.recv(ends.far, B, 100)
    ends.qb.recv(ends.far, B + 100, 10)
    ends.qa.send(ends.near, A, 100)
    ends.qa.send(ends.near, A + 100, 11)
    failed(ends, h.WcStatus.REM_INV_REQ_ERR, h.QpState.ERR, 2)
    received = bare.wait(ends.qb, 2, recv=True)
    assert [(done["status"], done["wqe_index"]) for done in received] == [(h.WcStatus.SUCCESS, 0), (h.WcStatus.LOC_LEN_ERR, 1)]
    assert ends.arrived(0, 100)
    assert ends.b.peek(ends.far, B + 100, 11) == bytes(11)
    ends.again()


LOCAL_ERRORS = {
    "bad key": ({"lkey0": 0x9900}, h.WcStatus.LOC_PROT_ERR),
    "past the end": ({"addr0": A + SIZE - 63}, h.WcStatus.LOC_PROT_ERR),
    "three elements": ({"num_sge": 3}, h.WcStatus.LOC_QP_OP_ERR),
    "no such operation": ({"opcode": 99}, h.WcStatus.LOC_QP_OP_ERR),
    "too long": ({"length0": h.MAX_MESSAGE + 1}, h.WcStatus.LOC_LEN_ERR),
    "short atomic": ({"opcode": h.WrOpcode.ATOMIC_FETCH_AND_ADD, "length0": 7}, h.WcStatus.LOC_LEN_ERR),
}


@pytest.mark.parametrize("case", LOCAL_ERRORS)
def test_bad_work_request(bare: Bare, case: str) -> None:
    """It fails after those before it have completed, and nothing of it, nor of those after it, is sent."""
    fields, status = LOCAL_ERRORS[case]
    ends = Ends(bare)
    for index in range(3):
        ends.write(64, place=2 * FRAME_BYTES + 64 * index, ring=False)
    good = {"opcode": h.WrOpcode.RDMA_WRITE, "num_sge": 1, "addr0": A, "length0": 64, "lkey0": ends.near}
    ends.qa.post_send(**{**good, **fields}, rkey=ends.far, remote_addr=B, ring=False)
    ends.write(64)
    done = failed(ends, status, h.QpState.RTS, 4)
    assert done["wqe_index"] == 3
    assert ends.arrived(2 * FRAME_BYTES, 192)
    assert ends.b.peek(ends.far, B, 64) == bytes(64)
    ends.again()


def unmapped(ends: Ends, *, near: bool) -> None:
    node, key, va = (ends.a, ends.near, A) if near else (ends.b, ends.far, B)
    node.unmap(key, va)
    node.invalidate(key, va, FRAME_BYTES)
    node.fence()
    node.revoke(key, va)


def abort_at_far_end(ends: Ends, operation: str) -> None:
    unmapped(ends, near=False)
    if operation == "write":
        ends.write()
    else:
        ends.qa.read(ends.near, A, ends.far, B, 64)
    (fault,) = ends.b.wait_faults()
    assert fault["direction"] == h.FaultDir.RESPONDER
    assert ends.b.resume(fault, error=True) is h.CmdStatus.OK


@pytest.mark.parametrize("policy", list(h.FaultPolicy))
@pytest.mark.parametrize("operation", ["write", "read"])
def test_fault_aborted_at_the_far_end(bare: Bare, policy: h.FaultPolicy, operation: str) -> None:
    """REM_OP_ERR and ERR at both ends, whatever the policy."""
    ends = Ends(bare, policy=policy, rnr_retry=7, retry_cnt=7)
    abort_at_far_end(ends, operation)
    failed(ends, h.WcStatus.REM_OP_ERR, h.QpState.ERR)
    assert ends.b.async_events() == [(h.AsyncType.QP_ACCESS_ERR, ends.qb.qpn)]
    ends.again()


@pytest.mark.parametrize("operation", ["write", "read"])
def test_fault_aborted_at_the_near_end(bare: Bare, operation: str) -> None:
    """LOC_PROT_ERR, after the work request before has completed; the far end goes on."""
    ends = Ends(bare)
    unmapped(ends, near=True)
    ends.write(64, place=FRAME_BYTES, ring=False)
    if operation == "write":
        ends.write()
    else:
        ends.qa.read(ends.near, A, ends.far, B, 64)
    (fault,) = ends.a.wait_faults()
    assert (fault["direction"], fault["write"]) == (h.FaultDir.REQUESTER, operation == "read")
    assert ends.a.resume(fault, error=True) is h.CmdStatus.OK
    failed(ends, h.WcStatus.LOC_PROT_ERR, h.QpState.RTS, 2)
    ends.again()


def test_aborting_is_checked() -> None:
    """ABORT_TOUCHES: the answer with error is a plain resume, so nothing fails."""
    device: Any = open_device(HcaCase("", options=HcaOptions(mutant=h.HcaMutant.ABORT_TOUCHES)), "native")
    try:
        bare = Bare(device, TIMES)
        bare.patience = 20 * TIMEOUT
        ends = Ends(bare, rnr_retry=7, retry_cnt=7)
        with pytest.raises(BareError, match="completions of queue pair"):
            abort_at_far_end(ends, "write")
            failed(ends, h.WcStatus.REM_OP_ERR, h.QpState.ERR)
    finally:
        device.close()


@pytest.mark.parametrize("after", [0, 100, 300, 500, 700, 1000])
def test_reset_under_way(bare: Bare, after: int) -> None:
    """Both ends to RESET at any moment of a transfer of all kinds, and anew with the same PSNs: nothing of the old life shows."""
    ends = Ends(bare, mtu_shift=8)
    bare.connect(ends.qa, ends.qb, psn_a=5, psn_b=9)
    post_one_of_each(ends)
    bare.sleep(after)
    ends.again()
    report = ends.qa.query()
    assert (report["sq_next"], report["sq_done"], report["next_psn"]) == (1, 1, 6)
    assert ends.qb.query()["msn"] == 1


@pytest.mark.parametrize(
    "fields", [{"mtu_shift": 7}, {"mtu_shift": 13}, {"policy": 3}, {"state": 7}, {"sq_base": 32}, {"rq_base": 1 << 52}]
)
def test_bad_context(bare: Bare, fields: dict[str, Any]) -> None:
    """BAD_CONTEXT, and the queue pair is as it was."""
    ends = Ends(bare)
    before, context = ends.qa.query(), dict(ends.qa.context)
    assert ends.qa.modify(load_sq=True, load_rq=True, **fields) is h.CmdStatus.BAD_CONTEXT
    assert ends.qa.query() == before
    ends.qa.context = context
    ends.write()
    assert ends.wait() == [h.WcStatus.SUCCESS]


def test_drained(bare: Bare) -> None:
    """SQD: what is posted waits; RTS: it goes on."""
    ends = Ends(bare)
    ends.qa.modify(state=h.QpState.SQD)
    ends.write()
    bare.sleep(3000)
    assert ends.untouched()
    ends.qa.modify(state=h.QpState.RTS)
    assert ends.wait() == [h.WcStatus.SUCCESS]
    assert ends.arrived(0, 64)


def test_report_of_a_parked_side(bare: Bare) -> None:
    """QUERY_QP while a local fault waits, and after."""
    ends = Ends(bare)
    frame = ends.a.frame_at(ends.near, A)
    unmapped(ends, near=True)
    ends.write()
    (fault,) = ends.a.wait_faults()
    report = ends.qa.query()
    assert (report["sq_parked"], report["sq_prod"], report["sq_next"], report["sq_done"]) == (1, 1, 0, 0)
    ends.a.map(ends.near, A, frame)
    ends.a.resume(fault)
    assert ends.wait() == [h.WcStatus.SUCCESS]
    assert not ends.qa.query()["sq_parked"]
