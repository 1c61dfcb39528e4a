"""What arrives over the link, and what becomes of it in memory and in the completion queues: the RTL of two nodes, and the model.

Every byte of the target's region is compared, so a byte too many shows as well; the oracle checks every beat.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from support.hca_hosts import HcaCase, open_device

from hwif.fields import new_line
from hwif.gen import hca as h
from hwif.memory import FRAME_BYTES
from tb.hil.abi import Fate, LinkFault
from tb.hil.hca_bare import Bare, BareQp, settings

LOCAL, REMOTE = 0x10_0000, 0x7F00_0020_0000
PAGES = 4
SIZE = PAGES * FRAME_BYTES
BATCH = 16
ANSWER = 150  # cycles, and some, from a completion's bytes in memory to memory's answer
ALL_LENGTHS = range(201)
FIRST, OTHER = 1, 2


class Ends:
    """A region at each end, filled at random, and what the far one must hold."""

    def __init__(self, bare: Bare, seed: int = 1, **context: int) -> None:
        self.bare = bare
        self.rng = random.Random(seed)
        self.near, self.far = bare.node(0), bare.node(1)
        self.near_key = self.near.region(FIRST, LOCAL, PAGES)
        self.far_key = self.far.region(FIRST, REMOTE, PAGES)
        self.source = self.rng.randbytes(SIZE)
        self.near.poke(self.near_key, LOCAL, self.source)
        self.wanted = bytearray(self.rng.randbytes(SIZE))
        self.far.poke(self.far_key, REMOTE, bytes(self.wanted))
        self.a, self.b = bare.pair(self.near, self.far, **context)

    def expect(self, place: int, data: bytes) -> None:
        self.wanted[place : place + len(data)] = data

    def write(self, source: int, target: int, length: int, **more: int) -> None:
        self.a.write(self.near_key, LOCAL + source, self.far_key, REMOTE + target, length, **more)
        self.expect(target, self.source[source : source + length])

    def check(self) -> None:
        found = self.far.peek(self.far_key, REMOTE, SIZE)
        wrong = [place for place in range(SIZE) if found[place] != self.wanted[place]]
        assert not wrong, f"bytes {wrong[:8]} of the target, {len(wrong)} in all"


@pytest.fixture(params=["native", "model"])
def bare(request: pytest.FixtureRequest) -> Iterator[Bare]:
    device: Any = open_device(HcaCase(""), request.param)
    yield Bare(device, settings(ack_timeout=4000, rnr_delay=500))
    assert not device.violations()
    device.close()


def statuses(entries: list[dict[str, int]]) -> list[h.WcStatus]:
    return [h.WcStatus(entry["status"]) for entry in entries]


def succeed(bare: Bare, qp: BareQp, count: int, *, recv: bool = False) -> list[dict[str, int]]:
    found = bare.wait(qp, count, recv=recv)
    assert statuses(found) == [h.WcStatus.SUCCESS] * count
    return found


@pytest.mark.parametrize("verb", ["write", "read", "send"])
def test_every_length_at_every_offset(bare: Bare, verb: str) -> None:
    """Lengths 0 to 200, targets at every offset within a line, sources at others; across page edges among them."""
    ends = Ends(bare)
    messages = [(length, (length * 5 + turn * 16) % 64) for length in ALL_LENGTHS for turn in range(4)]
    assert {offset for _length, offset in messages} == set(range(64))
    for start in range(0, len(messages), BATCH):
        batch = messages[start : start + BATCH]
        for length, offset in batch:
            source = ends.rng.randrange(SIZE - 256)
            target = ends.rng.randrange(SIZE // 64 - 8) * 64 + offset
            if ends.rng.random() < 0.3:  # at a page's edge
                target = ends.rng.randrange(1, PAGES) * FRAME_BYTES - 64 * ends.rng.randrange(3) + offset
                target = min(target, SIZE - 256)
            if verb == "read":
                ends.b.read(ends.far_key, REMOTE + target, ends.near_key, LOCAL + source, length, ring=False)
                ends.expect(target, ends.source[source : source + length])
            elif verb == "send":
                ends.b.recv(ends.far_key, REMOTE + target, length, ring=False)
                ends.a.send(ends.near_key, LOCAL + source, length, ring=False)
                ends.expect(target, ends.source[source : source + length])
            else:
                ends.write(source, target, length, ring=False)
        if verb == "send":
            ends.b.ring_recv()
        sender = ends.b if verb == "read" else ends.a
        sender.ring_send()
        found = bare.wait(ends.b, len(batch)) if verb != "write" else bare.wait(ends.a, len(batch))
        assert statuses(found) == [h.WcStatus.SUCCESS] * len(batch)
        if verb != "write":
            assert [entry["byte_len"] for entry in found] == [length for length, _offset in batch]
        if verb == "send":
            succeed(bare, ends.a, len(batch))
    ends.check()


@pytest.mark.parametrize("mtu_shift", [8, 10, 12])
def test_two_elements_across_pages_and_packets(bare: Bare, mtu_shift: int) -> None:
    """SEND and READ of several packets into two elements: up to four pieces a packet."""
    ends = Ends(bare, seed=mtu_shift, mtu_shift=mtu_shift)
    half = SIZE // 2
    for turn in range(24):
        sizes = [ends.rng.randrange(1, 5000) for _ in range(2)]
        places = [number * half + ends.rng.randrange(half - sizes[number]) for number in range(2)]
        length = sum(sizes) - (ends.rng.randrange(sizes[1]) if turn % 3 == 0 else 0)
        source = ends.rng.randrange(SIZE - length)
        elements: dict[str, Any] = {
            f"{name}{number}": value
            for number in range(2)
            for name, value in (("addr", REMOTE + places[number]), ("length", sizes[number]), ("lkey", ends.far_key))
        }
        data = ends.source[source : source + length]
        ends.expect(places[0], data[: sizes[0]])
        ends.expect(places[1], data[sizes[0] :])
        if turn % 2:
            ends.b.post_recv(num_sge=2, **elements)
            ends.a.send(ends.near_key, LOCAL + source, length)
            assert succeed(bare, ends.b, 1)[0]["byte_len"] == length
            succeed(bare, ends.a, 1)
        else:
            elements["length1"] = length - sizes[0]
            ends.b.post_send(opcode=h.WrOpcode.RDMA_READ, rkey=ends.near_key, remote_addr=LOCAL + source, num_sge=2, **elements)
            succeed(bare, ends.b, 1)
    ends.check()


def test_later_write_stays(bare: Bare) -> None:
    """Writes to the same bytes take effect in the order they were posted."""
    ends = Ends(bare)
    for round_ in range(4):
        for turn in range(BATCH):
            ends.write(64 * (round_ * BATCH + turn), 100, 64 + turn, ring=False)
        ends.a.ring_send()
        succeed(bare, ends.a, BATCH)
        ends.check()


@pytest.mark.parametrize("fate", [Fate.LOSE, Fate.CORRUPT, Fate.TRUNCATE])
@pytest.mark.parametrize(
    "opcode", [h.PktOp.WRITE, h.PktOp.SEND, h.PktOp.READ_RESP, h.PktOp.ATOMIC_RESP, h.PktOp.FETCH_ADD, h.PktOp.ACK]
)
def test_damaged_packets_change_nothing(bare: Bare, fate: Fate, opcode: h.PktOp) -> None:
    """A packet that does not arrive whole is sent again; what of it came is in nobody's memory; an atomic is carried out once."""
    ends = Ends(bare, mtu_shift=10)
    outward = opcode in (h.PktOp.WRITE, h.PktOp.SEND, h.PktOp.FETCH_ADD)
    bare.link_fault(
        LinkFault(fate, direction=0 if outward else 1, opcode=opcode, skip=1 if opcode in (h.PktOp.WRITE, h.PktOp.SEND) else 0)
    )
    word = 8192
    ends.expect(word, (5).to_bytes(8, "little"))
    ends.far.poke(ends.far_key, REMOTE + word, (5).to_bytes(8, "little"))
    if opcode in (h.PktOp.SEND,):
        ends.b.recv(ends.far_key, REMOTE + 77, 5000)
        ends.a.send(ends.near_key, LOCAL + 3, 5000)
        ends.expect(77, ends.source[3:5003])
        succeed(bare, ends.b, 1)
    elif opcode in (h.PktOp.WRITE, h.PktOp.ACK):
        ends.write(3, 77, 5000)
    elif opcode is h.PktOp.READ_RESP:
        ends.a.read(ends.near_key, LOCAL, ends.far_key, REMOTE + 11, 5000)
    else:
        ends.a.fetch_add(ends.near_key, LOCAL + 1, ends.far_key, REMOTE + word, 37)
        ends.expect(word, (42).to_bytes(8, "little"))
    succeed(bare, ends.a, 1)
    ends.check()
    if opcode is h.PktOp.READ_RESP:
        assert ends.near.peek(ends.near_key, LOCAL, 5000) == bytes(ends.wanted[11:5011])
    if opcode in (h.PktOp.ATOMIC_RESP, h.PktOp.FETCH_ADD):
        assert ends.near.peek(ends.near_key, LOCAL + 1, 8) == (5).to_bytes(8, "little")
    taker = ends.far if outward else ends.near
    assert taker.counters()["BAD_CRC"] == (0 if fate is Fate.LOSE else 1)


def test_atomics_and_their_answers(bare: Bare) -> None:
    """Old values at every offset of their target; a swap only on the value compared; a misaligned atomic is refused."""
    ends = Ends(bare)
    value = int.from_bytes(ends.wanted[64:72], "little")
    for turn in range(12):
        target = LOCAL + 4093 + turn  # across a page's edge, too
        if turn % 3 == 0:
            ends.a.fetch_add(ends.near_key, target, ends.far_key, REMOTE + 64, turn + (1 << 63))
            following = (value + turn + (1 << 63)) % (1 << 64)
        else:
            compare = value if turn % 3 == 1 else value ^ 1
            ends.a.compare_swap(ends.near_key, target, ends.far_key, REMOTE + 64, compare, turn * 99)
            following = turn * 99 if turn % 3 == 1 else value
        succeed(bare, ends.a, 1)
        assert ends.near.peek(ends.near_key, target, 8) == value.to_bytes(8, "little")
        value = following
    ends.expect(64, value.to_bytes(8, "little"))
    ends.a.fetch_add(ends.near_key, LOCAL, ends.far_key, REMOTE + 65, 1)
    assert statuses(bare.wait(ends.a)) == [h.WcStatus.REM_INV_REQ_ERR]
    ends.check()


BAD_WRITES: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "variant": ({}, {"key": 1}),
    "no region": ({}, {"key": 0x300 << 8}),
    "past the end": ({}, {"target": SIZE - 99}),
    "right": ({"remote_write": False}, {}),
    "domain": ({"pd": 9}, {}),
}


@pytest.mark.parametrize("kind", BAD_WRITES)
def test_bad_remote_access_touches_nothing(bare: Bare, kind: str) -> None:
    """Refused, told to both ends, and the device goes on with another queue pair."""
    ends = Ends(bare)
    region, change = BAD_WRITES[kind]
    key = ends.far.region(OTHER, REMOTE + 0x10_0000, PAGES, fill=0x5A, **region)
    address = REMOTE + 0x10_0000 + change.get("target", 0)
    ends.a.write(ends.near_key, LOCAL, change["key"] ^ key if kind == "variant" else change.get("key", key), address, 100)
    assert statuses(bare.wait(ends.a)) == [h.WcStatus.REM_ACCESS_ERR]
    assert ends.far.async_events() == [(h.AsyncType.QP_ACCESS_ERR, ends.b.qpn)]
    assert ends.far.peek(key, REMOTE + 0x10_0000, SIZE) == b"\x5a" * SIZE
    ends.a, ends.b = bare.pair(ends.near, ends.far, 1)
    ends.write(0, 50, 500)
    succeed(bare, ends.a, 1)
    ends.check()


BAD_RECEIVES: dict[str, tuple[dict[str, Any], h.WcStatus, h.WcStatus]] = {
    "key": ({"lkey0": 0x7700}, h.WcStatus.REM_OP_ERR, h.WcStatus.LOC_PROT_ERR),
    "elements": ({"num_sge": 3}, h.WcStatus.REM_OP_ERR, h.WcStatus.LOC_PROT_ERR),
    "short": ({"length0": 99}, h.WcStatus.REM_INV_REQ_ERR, h.WcStatus.LOC_LEN_ERR),
}


@pytest.mark.parametrize("kind", BAD_RECEIVES)
def test_bad_receives(bare: Bare, kind: str) -> None:
    """The receive completes with what was wrong with it; the sender hears of it."""
    ends = Ends(bare)
    change, at_sender, at_receiver = BAD_RECEIVES[kind]
    ends.b.post_recv(**{"num_sge": 1, "addr0": REMOTE + 9, "length0": 100, "lkey0": ends.far_key} | change)
    ends.a.send(ends.near_key, LOCAL, 100)
    assert statuses(bare.wait(ends.b)) == [at_receiver]
    assert statuses(bare.wait(ends.a)) == [at_sender]
    ends.check()


def test_receive_posted_late(bare: Bare) -> None:
    """A SEND that finds no receive is tried again, and lands in the one posted meanwhile."""
    ends = Ends(bare)
    ends.a.send(ends.near_key, LOCAL, 300)
    bare.sleep(2000)
    assert ends.far.counters()["RNR_NAK_SENT"] > 0
    ends.check()
    ends.b.recv(ends.far_key, REMOTE + 1, 300)
    ends.expect(1, ends.source[:300])
    succeed(bare, ends.b, 1)
    succeed(bare, ends.a, 1)
    ends.check()


def small_cq(bare: Bare, log: int) -> tuple[Ends, int]:
    """Ends whose near queue pair's completions go to a queue of 2**log entries, and its number."""
    ends = Ends(bare)
    cqn = ends.near.cq(200, log)
    ends.a, ends.b = ends.near.qp(10, send_cqn=cqn), ends.far.qp(11, send_cqn=ends.far.cq(201))
    bare.connect(ends.a, ends.b)
    return ends, cqn


def post(ends: Ends, count: int) -> None:
    for _ in range(count):
        ends.write(0, 0, 8)


def test_full_completion_queue(bare: Bare) -> None:
    """What finds no room is lost and told; all entries are usable; room made by software is used, in the next round."""
    ends, cqn = small_cq(bare, log=2)
    node = ends.near
    post(ends, 4)
    bare.sleep(5000)
    assert (node.load(h.StatusReg)["cq_overflow"], node.async_events()) == (0, [])
    post(ends, 2)
    bare.sleep(5000)
    assert node.load(h.StatusReg)["cq_overflow"] == 1
    assert node.async_events() == [(h.AsyncType.CQ_ERR, cqn)] * 2
    assert [entry["wqe_index"] for entry in node.poll(cqn)] == [0, 1, 2, 3]
    bare.settle()
    post(ends, 3)
    assert [entry["wqe_index"] for entry in bare.wait(ends.a, 3)] == [6, 7, 8]
    assert node.counters()["CQES"] == 7


def test_armed_queue_fires_once(bare: Bare) -> None:
    """Not at all unless armed; once per arm; at once when entries past the index are there."""
    ends, cqn = small_cq(bare, log=4)
    node = ends.near
    line = h.IrqLine.COMPLETION
    post(ends, 1)
    bare.sleep(3000)
    assert (node.irq[line], node.cq_events()) == (0, [])
    node.store(h.CqDoorbellReg, cqn=cqn, index=0, arm=1)  # the entry is there, past index 0
    bare.settle()
    assert (node.irq[line], node.cq_events()) == (1, [cqn])
    node.poll(cqn, arm=True)
    bare.sleep(3000)
    assert (node.irq[line], node.cq_events()) == (0, [])
    post(ends, 2)
    bare.sleep(3000)
    assert (node.irq[line], node.cq_events()) == (1, [cqn])
    post(ends, 1)
    bare.sleep(3000)
    assert (node.irq[line], node.cq_events()) == (0, [])


def test_arms_beside_the_answer_to_a_completion(bare: Bare) -> None:
    """A completion is in memory some cycles before the device knows. Whenever it is polled and the queue armed anew: the
    completion has made an event, and no arm makes two (fires_if_armed)."""
    ends, cqn = small_cq(bare, log=4)
    node = ends.near
    for delay in range(ANSWER):
        node.poll(cqn, arm=True)
        post(ends, 1)
        while not node.arrived(cqn):
            bare.sleep(1)
        bare.sleep(delay)
        assert len(node.poll(cqn, arm=True)) == 1
        bare.sleep(1000)
        assert node.cq_events() == [cqn], f"polled {delay} cycles after the entry is in memory"
        post(ends, 1)  # tells of the second arm, unless it was told at once
        bare.sleep(3000)
        assert len(node.poll(cqn)) == 1
        assert set(node.cq_events()) <= {cqn}


def test_queue_given_anew_starts_at_zero(bare: Bare) -> None:
    """Index, round and arm of its old life are gone; a destroyed queue takes nothing."""
    ends, cqn = small_cq(bare, log=1)
    node = ends.near
    post(ends, 2)
    bare.wait(ends.a, 2)
    node.poll(cqn, arm=True)
    node.cq(cqn, log=2)
    post(ends, 3)
    assert [entry["wqe_index"] for entry in bare.wait(ends.a, 3)] == [2, 3, 4]
    assert node.cq_events() == []
    assert node.command(h.CmdOp.MODIFY_CQ, qpn=cqn, addr=node.context(new_line())) is h.CmdStatus.OK
    post(ends, 1)
    bare.sleep(3000)
    assert node.async_events() == [(h.AsyncType.CQ_ERR, cqn)]
