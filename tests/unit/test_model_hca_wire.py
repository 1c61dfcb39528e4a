"""Queue pairs and the wire (docs/hca.md, sections 4 and 7): every operation, loss, duplicates, limits and refusals."""

from __future__ import annotations

import pytest
from support.hca_chip import A_VA, B_VA, PAGE, Pair, events

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from tb.hil.hca_bare import settings

LENGTHS = (0, 1, 63, 64, 65, 255, 256, 257, 4095, 4096, 4097, 9000)
LOST = 1


def fate(pair: Pair, direction: int, opcode: h.PktOp, action: int = LOST, ahead: int = 0) -> None:
    """What happens to a packet of this opcode from node `direction`."""
    pair.bare.device.configure("link_fault", ahead << 32 | opcode << 16 | direction << 8 | action)


@pytest.mark.parametrize("mtu_shift", [8, 12])
@pytest.mark.parametrize("nodes", [1, 2])
def test_write_and_read_move_exactly_their_bytes(nodes: int, mtu_shift: int) -> None:
    pair = Pair(nodes, qp={"mtu_shift": mtu_shift})
    a, b = bytearray(pair.bytes_a), bytearray(pair.bytes_b)
    for step, length in enumerate(LENGTHS):
        here, there = 3 + 67 * step, 5 + 131 * step
        pair.qa.write(pair.ka, A_VA + here, pair.kb, B_VA + there, length)
        b[there : there + length] = a[here : here + length]
        assert pair.ok()["opcode"] == h.WcOpcode.RDMA_WRITE
        pair.qa.read(pair.ka, A_VA + 2 * here, pair.kb, B_VA + there, length)
        a[2 * here : 2 * here + length] = b[there : there + length]
        entry = pair.ok()
        assert (entry["opcode"], entry["byte_len"]) == (h.WcOpcode.RDMA_READ, length)
        assert pair.a.peek(pair.ka, A_VA, len(a)) == bytes(a)
        assert pair.b.peek(pair.kb, B_VA, len(b)) == bytes(b)


@pytest.mark.parametrize("length", LENGTHS)
def test_send_fills_the_receive_in_order(length: int) -> None:
    pair = Pair(qp={"mtu_shift": 9})
    first = length // 3
    pair.qb.post_recv(
        num_sge=2, addr0=B_VA + 9, length0=first, lkey0=pair.kb, addr1=B_VA + 6 * PAGE + 1, length1=length, lkey1=pair.kb
    )
    pair.qa.send(pair.ka, A_VA + 77, length)
    got = pair.ok(pair.qb, recv=True)
    assert (got["recv"], got["opcode"], got["byte_len"], got["wqe_index"]) == (1, h.WcOpcode.RECV, length, 0)
    assert pair.ok()["opcode"] == h.WcOpcode.SEND
    sent = pair.bytes_a[77 : 77 + length]
    assert pair.b.peek(pair.kb, B_VA + 9, first) == sent[:first]
    assert pair.b.peek(pair.kb, B_VA + 6 * PAGE + 1, length - first) == sent[first:]


def test_gather_of_two_elements() -> None:
    pair = Pair()
    two = {
        "num_sge": 2,
        "addr0": A_VA + 5,
        "length0": 1000,
        "lkey0": pair.ka,
        "addr1": A_VA + 2 * PAGE - 10,
        "length1": 3000,
        "lkey1": pair.ka,
    }
    pair.qa.post_send(opcode=h.WrOpcode.RDMA_WRITE, rkey=pair.kb, remote_addr=B_VA + 1, **two)
    pair.ok()
    wanted = pair.bytes_a[5:1005] + pair.bytes_a[2 * PAGE - 10 : 2 * PAGE + 2990]
    assert pair.b.peek(pair.kb, B_VA + 1, 4000) == wanted


def test_atomics_return_the_old_value_and_change_eight_bytes() -> None:
    pair = Pair()
    old = int.from_bytes(pair.bytes_b[64:72], "little")
    pair.qa.fetch_add(pair.ka, A_VA, pair.kb, B_VA + 64, 2**64 - 1)
    entry = pair.ok()
    assert (entry["opcode"], entry["byte_len"]) == (h.WcOpcode.FETCH_ADD, 8)
    pair.qa.compare_swap(pair.ka, A_VA + 8, pair.kb, B_VA + 64, old, 1)  # does not compare any more
    assert pair.ok()["opcode"] == h.WcOpcode.COMP_SWAP
    pair.qa.compare_swap(pair.ka, A_VA + 16, pair.kb, B_VA + 64, (old - 1) % 2**64, 77)
    pair.ok()
    assert pair.b.peek(pair.kb, B_VA + 56, 24) == pair.bytes_b[56:64] + (77).to_bytes(8, "little") + pair.bytes_b[72:80]
    returned = pair.a.peek(pair.ka, A_VA, 24)
    assert [int.from_bytes(returned[at : at + 8], "little") for at in (0, 8, 16)] == [old, (old - 1) % 2**64, (old - 1) % 2**64]


def test_psn_wraps() -> None:
    pair = Pair(qp={"mtu_shift": 8})
    pair.bare.connect(pair.qa, pair.qb, psn_a=2**24 - 3, psn_b=2**24 - 1)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 10 * 256)
    pair.ok()
    pair.qa.read(pair.ka, A_VA + PAGE, pair.kb, B_VA, 10 * 256)
    pair.ok()
    assert pair.a.peek(pair.ka, A_VA + PAGE, 2560) == pair.bytes_a[:2560]
    assert pair.qa.query()["next_psn"] == 17


CASES = [
    (0, h.PktOp.WRITE, "write"),
    (1, h.PktOp.ACK, "write"),
    (0, h.PktOp.SEND, "send"),
    (0, h.PktOp.READ_REQ, "read"),
    (1, h.PktOp.READ_RESP, "read"),
    (0, h.PktOp.FETCH_ADD, "fetch_add"),
    (1, h.PktOp.ATOMIC_RESP, "fetch_add"),
]


@pytest.mark.parametrize("action", [1, 2, 3], ids=["lost", "corrupted", "truncated"])
@pytest.mark.parametrize(("direction", "opcode", "operation"), CASES)
def test_a_spoilt_packet_is_made_good(direction: int, opcode: h.PktOp, operation: str, action: int) -> None:
    pair = Pair(chosen=settings(ack_timeout=3000), qp={"mtu_shift": 8})
    old = int.from_bytes(pair.bytes_b[:8], "little")
    for ahead in (0, 2):
        fate(pair, direction, opcode, action, ahead)
    for round_ in range(3):
        at = 8 * round_
        if operation == "write":
            pair.qa.write(pair.ka, A_VA, pair.kb, B_VA + at, 1000)
        elif operation == "send":
            pair.qb.recv(pair.kb, B_VA + at, 1000)
            pair.qa.send(pair.ka, A_VA, 1000)
        elif operation == "read":
            pair.qa.read(pair.ka, A_VA + at, pair.kb, B_VA, 1000)
        else:
            pair.qa.fetch_add(pair.ka, A_VA + at, pair.kb, B_VA, 1)
        pair.ok()
    if operation == "read":
        assert pair.a.peek(pair.ka, A_VA + 16, 1000) == pair.bytes_b[:1000]
    elif operation == "fetch_add":  # carried out once each, whatever was repeated
        assert pair.b.peek(pair.kb, B_VA, 8) == ((old + 3) % 2**64).to_bytes(8, "little")
        returned = [int.from_bytes(pair.a.peek(pair.ka, A_VA + at, 8), "little") for at in (0, 8, 16)]
        assert returned == [(old + step) % 2**64 for step in range(3)]
    else:
        assert pair.b.peek(pair.kb, B_VA + 16, 1000) == pair.bytes_a[:1000]
    receiver = (pair.b if direction == 0 else pair.a).counters()
    assert receiver["BAD_CRC"] == (0 if action == LOST else 2)
    assert pair.bare.device.statistics()["link_lost" if action == 1 else "link_corrupted" if action == 2 else "link_truncated"] == 2


def test_retries_end() -> None:
    pair = Pair(chosen=settings(ack_timeout=1000), qp={"retry_cnt": 2})
    for ahead in range(3):
        fate(pair, 0, h.PktOp.WRITE, ahead=ahead)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 10)
    assert pair.done()["status"] == h.WcStatus.RETRY_EXC_ERR
    assert pair.qa.query()["state"] == h.QpState.ERR
    assert pair.a.async_events() == [(h.AsyncType.QP_FATAL, pair.qa.qpn)]
    counters = pair.a.counters()
    assert (counters["TIMEOUTS"], counters["QP_ERRORS"]) == (3, 1)
    assert counters["RETRANSMIT"] >= 2


def test_progress_renews_the_retries() -> None:
    pair = Pair(chosen=settings(ack_timeout=5000), qp={"retry_cnt": 1})
    for _ in range(3):
        fate(pair, 0, h.PktOp.WRITE)
        pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 10)
        pair.ok()


def test_rnr_waits_and_ends() -> None:
    pair = Pair(chosen=settings(rnr_delay=700), qp={"rnr_retry": 2})
    pair.qa.send(pair.ka, A_VA, 100)
    pair.bare.sleep(1500)
    pair.qb.recv(pair.kb, B_VA, 100)
    pair.ok()
    pair.ok(pair.qb, recv=True)
    assert pair.b.peek(pair.kb, B_VA, 100) == pair.bytes_a[:100]
    pair.qa.send(pair.ka, A_VA, 100)
    assert pair.done()["status"] == h.WcStatus.RNR_RETRY_EXC_ERR
    assert pair.b.counters()["RNR_NAK_SENT"] >= 4


def test_one_sequence_nak_until_the_expected_packet_comes() -> None:
    pair = Pair(qp={"mtu_shift": 8})
    fate(pair, 0, h.PktOp.WRITE)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 12 * 256)
    pair.ok()
    naks = events(pair.bare, TraceEvent.HDEV_NAK, node=1)
    assert [args[:4] for _, _, args in naks] == [[pair.qb.qpn, 0, h.NakSyndrome.PSN, 1]]
    assert pair.b.counters()["OUT_OF_SEQUENCE"] == 11
    assert pair.a.counters()["TIMEOUTS"] == 0


REFUSALS = [
    ({"allow_write": 0}, "write", h.WcStatus.REM_INV_REQ_ERR, h.AsyncType.QP_REQ_ERR),
    ({"allow_read": 0}, "read", h.WcStatus.REM_INV_REQ_ERR, h.AsyncType.QP_REQ_ERR),
    ({"allow_atomic": 0}, "fetch_add", h.WcStatus.REM_INV_REQ_ERR, h.AsyncType.QP_REQ_ERR),
    ({"pd": 9}, "write", h.WcStatus.REM_ACCESS_ERR, h.AsyncType.QP_ACCESS_ERR),
    ({"pd": 9}, "read", h.WcStatus.REM_ACCESS_ERR, h.AsyncType.QP_ACCESS_ERR),
    ({"pd": 9}, "fetch_add", h.WcStatus.REM_ACCESS_ERR, h.AsyncType.QP_ACCESS_ERR),
]


@pytest.mark.parametrize(("context", "operation", "status", "event"), REFUSALS)
def test_what_the_receive_side_refuses(context: dict[str, int], operation: str, status: h.WcStatus, event: h.AsyncType) -> None:
    pair = Pair()
    pair.qb.modify(**context)
    more = {"add": 1} if operation == "fetch_add" else {"length": 8}
    getattr(pair.qa, operation)(pair.ka, A_VA, pair.kb, B_VA, **more)
    assert pair.done()["status"] == status
    assert pair.qb.query()["state"] == pair.qa.query()["state"] == h.QpState.ERR
    assert pair.b.async_events() == [(event, pair.qb.qpn)]
    assert pair.b.peek(pair.kb, B_VA, PAGE) == pair.bytes_b[:PAGE]
    assert pair.a.peek(pair.ka, A_VA, PAGE) == pair.bytes_a[:PAGE]


def test_misaligned_atomic_is_an_invalid_request() -> None:
    pair = Pair()
    pair.qa.fetch_add(pair.ka, A_VA, pair.kb, B_VA + 4, 1)
    assert pair.done()["status"] == h.WcStatus.REM_INV_REQ_ERR


def test_send_longer_than_the_receive() -> None:
    pair = Pair(qp={"mtu_shift": 8})
    pair.qb.recv(pair.kb, B_VA, 300)
    pair.qa.send(pair.ka, A_VA, 301)
    assert pair.done()["status"] == h.WcStatus.REM_INV_REQ_ERR
    assert pair.done(pair.qb, recv=True)["status"] == h.WcStatus.LOC_LEN_ERR
    assert pair.b.peek(pair.kb, B_VA + 256, 200) == pair.bytes_b[256:456]


def test_send_into_a_bad_element() -> None:
    pair = Pair()
    pair.qb.recv(pair.kb + 1, B_VA, 300)
    pair.qa.send(pair.ka, A_VA, 200)
    assert pair.done()["status"] == h.WcStatus.REM_OP_ERR
    assert pair.done(pair.qb, recv=True)["status"] == h.WcStatus.LOC_PROT_ERR


LOCAL = [
    ({"num_sge": 3}, h.WcStatus.LOC_QP_OP_ERR),
    ({"opcode": 99}, h.WcStatus.LOC_QP_OP_ERR),
    ({"lkey0": 0x102}, h.WcStatus.LOC_PROT_ERR),
    ({"addr0": A_VA + 12 * PAGE - 7}, h.WcStatus.LOC_PROT_ERR),
    ({"length0": h.MAX_MESSAGE + 1}, h.WcStatus.LOC_LEN_ERR),
    ({"opcode": h.WrOpcode.ATOMIC_FETCH_AND_ADD, "length0": 7}, h.WcStatus.LOC_LEN_ERR),
    ({"opcode": h.WrOpcode.ATOMIC_FETCH_AND_ADD, "num_sge": 0}, h.WcStatus.LOC_LEN_ERR),
    ({"opcode": h.WrOpcode.ATOMIC_FETCH_AND_ADD, "num_sge": 2}, h.WcStatus.LOC_QP_OP_ERR),
    ({"opcode": h.WrOpcode.RDMA_READ, "lkey0": 0x102}, h.WcStatus.LOC_PROT_ERR),
]


@pytest.mark.parametrize(("fields", "status"), LOCAL)
def test_bad_work_requests_fail_after_those_before_them(fields: dict[str, int], status: h.WcStatus) -> None:
    pair = Pair()
    good = {
        "opcode": h.WrOpcode.RDMA_WRITE,
        "num_sge": 1,
        "addr0": A_VA,
        "length0": 8,
        "lkey0": pair.ka,
        "rkey": pair.kb,
        "remote_addr": B_VA,
    }
    pair.qa.post_send(ring=False, **good)
    pair.qa.post_send(ring=False, **(good | fields))
    pair.qa.post_send(**good)
    first, second = pair.bare.wait(pair.qa, 2)
    assert (first["status"], first["wqe_index"]) == (h.WcStatus.SUCCESS, 0)
    assert (second["status"], second["wqe_index"]) == (status, 1)
    pair.quiet()
    assert pair.qa.query()["state"] == h.QpState.ERR


def test_unsignaled_success_makes_no_completion() -> None:
    pair = Pair()
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8, signaled=0)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    assert pair.ok()["wqe_index"] == 1


def test_reads_follow_each_other() -> None:
    pair = Pair(qp={"mtu_shift": 8})
    for number in range(40):
        pair.qa.read(pair.ka, A_VA + number, pair.kb, B_VA, 600, signaled=int(number == 39), ring=False)
    pair.qa.ring_send()
    assert pair.ok()["wqe_index"] == 39
    assert pair.a.peek(pair.ka, A_VA + 39, 600) == pair.bytes_b[:600]


def test_many_requests_keep_their_order() -> None:
    pair = Pair(qp={"sq_log": 8})
    for number in range(200):
        pair.qa.write(pair.ka, A_VA + number, pair.kb, B_VA, 300, ring=number % 7 == 0)
    pair.qa.ring_send()
    assert [entry["wqe_index"] for entry in pair.bare.wait(pair.qa, 200)] == list(range(200))
    assert pair.b.peek(pair.kb, B_VA, 300) == pair.bytes_a[199:499]


def test_nothing_is_received_before_rtr() -> None:
    pair = Pair(chosen=settings(ack_timeout=1000))
    pair.qb.modify(state=h.QpState.INIT)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.quiet(3000)
    assert pair.b.counters()["BAD_PACKET"] >= 2
    pair.qb.modify(state=h.QpState.RTR)
    pair.ok()
