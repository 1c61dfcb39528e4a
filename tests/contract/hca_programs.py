"""What the port promises of HCAs, as programs: each returns what it saw for tests/contract/test_hca_port.py to judge."""

from __future__ import annotations

from typing import Any

from hwif.gen import hca as h
from hwif.memory import FRAME_BYTES
from hwif.port import MmioDone, MmioRead, MmioWrite
from hwif.shadow import READ
from tb.hil.abi import Fate, LinkFault
from tb.hil.hca_bare import Bare, BareNode, BareQp

A, B = 0x10_0000, 0x20_0000
PAGES = 4
HOLE = 0x0F8  # no register there


def both(bare: Bare) -> tuple[BareNode, BareNode]:
    """The two ends of the link; with one node it is both."""
    return bare.nodes[0], bare.nodes[-1]


def prepared(bare: Bare, **context: int) -> tuple[BareQp, BareQp, int, int]:
    """Two queue pairs and a region at each end: that of A filled with a pattern, that of B empty."""
    a, b = both(bare)
    source, target = a.region(1, A, PAGES), b.region(2, B, PAGES)
    a.poke(source, A, pattern(PAGES * FRAME_BYTES))
    return *bare.pair(a, b, **context), source, target


def pattern(count: int) -> bytes:
    """Bytes of which no two lines are alike."""
    return b"".join(((at * 2654435761) & (1 << 64) - 1).to_bytes(8, "little") for at in range(1, count // 8 + 2))[:count]


def quiet_time(bare: Bare) -> Any:
    seen = [bare.device.cycle]
    for ahead in (1, 2, 10, 10, 1000, 123_456):
        assert not bare.step(seen[0] + ahead)
        seen.append(bare.device.cycle)
    return [cycle - seen[0] for cycle in seen]


def identities(bare: Bare) -> Any:
    return [node.load(h.IdReg) for node in bare.nodes]


def requests_of_both(bare: Bare) -> Any:
    """Requests to both nodes for the same cycles: each node answers its own in their order, the nodes at the same time."""
    at = bare.device.cycle + 100
    for node in range(len(bare.nodes)):
        base = 100 * node
        bare.device.submit(MmioWrite(at, base + 1, h.FqConsReg.offset, (7 + node,), node))
        bare.device.submit(MmioRead(at, base + 2, h.FqConsReg.offset, 1, node))
        bare.device.submit(MmioRead(at - 50, base + 3, h.IdReg.offset, 1, node))
        bare.device.submit(MmioRead(at, base + 4, HOLE, 1, node))
    answers: list[MmioDone] = []
    while len(answers) < 4 * len(bare.nodes):
        for event in bare.step(bare.device.cycle + 10_000):
            assert event.cycle == bare.device.cycle, "advance returns in the cycle of its events"
            if isinstance(event, MmioDone):
                answers.append(event)
    return answers


def commands(bare: Bare) -> Any:
    """A NOP on each node, and a fence; statuses."""
    return [(node.command(h.CmdOp.NOP), node.fence(5 + node.number)) for node in bare.nodes]


def write(bare: Bare, length: int = 3 * FRAME_BYTES, offset: int = 0x123) -> Any:
    """An RDMA WRITE of odd place and length; the completion and whether the bytes are there."""
    qa, _qb, source, target = prepared(bare)
    qa.write(source, A + offset, target, B + offset + 1, length)
    (done,) = bare.wait(qa)
    bare.sleep(200)  # the entry is seen before its probe: memory answers later
    arrived = both(bare)[1].peek(target, B, PAGES * FRAME_BYTES)
    expected = bytes(offset + 1) + pattern(PAGES * FRAME_BYTES)[offset : offset + length]
    return done, arrived == expected.ljust(PAGES * FRAME_BYTES, b"\0")


def verbs(bare: Bare) -> Any:
    """READ, SEND, compare-and-swap, fetch-and-add; completions and what they left."""
    qa, qb, source, target = prepared(bare)
    a, b = both(bare)
    b.poke(target, B + 8, (40).to_bytes(8, "little"))
    qa.fetch_add(source, A, target, B + 8, 2)
    qa.compare_swap(source, A + 8, target, B + 8, 42, 7)
    qa.read(source, A + 16, target, B + 8, 8)
    qb.recv(target, B + FRAME_BYTES, FRAME_BYTES)
    qa.send(source, A + 64, 100)
    sent, received = bare.wait(qa, 4), bare.wait(qb, recv=True)
    assert b.peek(target, B + FRAME_BYTES, 100) == pattern(164)[64:], "what was sent"
    words = a.peek(source, A, 24)
    return sent, received, [int.from_bytes(words[at : at + 8], "little") for at in (0, 8, 16)]


def fault_and_resume(bare: Bare) -> Any:
    """A WRITE to a page that is not there: the line, the record; then the page, the resume, the completion."""
    qa, _qb, source, target = prepared(bare)
    b = both(bare)[1]
    frame = b.unmap(target, B)
    b.invalidate(target, B, FRAME_BYTES)
    b.revoke(target, B)
    qa.write(source, A, target, B, 64)
    (fault,) = b.wait_faults()
    level = b.irq[h.IrqLine.FAULT]
    b.map(target, B, frame)
    status = b.resume(fault)
    (done,) = bare.wait(qa)
    return fault, level, status, done, b.peek(target, B, 64) == pattern(64)


def violation(bare: Bare, kind: str) -> Any:
    """One page's WRITE that B's oracle must object to, because software told it another story ("none": legal)."""
    qa, _qb, source, target = prepared(bare)
    b = both(bare)[1]
    bare.stop_on_violation = False
    shadow, index = b.shadow, target >> 8
    region = [int(word) for word in shadow.regions[index]]
    frame = b.frame_at(target, B)
    if kind == "REVOKED":
        shadow.revoke(frame, 1, B >> 12)
    elif kind == "READ_ONLY":
        shadow.grant(frame, 1, B >> 12, READ)
    elif kind == "OUTSIDE":
        b.map(target, B, b.memory.frames + 1, grant=False)
    elif kind == "NO_REGION":
        shadow.clear_region(index)
    elif kind == "OUT_OF_REGION":
        shadow.regions[index] = (region[0], B, B + 63, region[3])
    elif kind == "WRONG_DOMAIN":
        shadow.set_queue_pair(1, 2)
    elif kind == "NO_RIGHT":
        shadow.regions[index] = (*region[:3], region[3] & ~8)
    elif kind == "NOT_KERNEL":
        both(bare)[0].shadow.revoke_kernel(both(bare)[0].cqs[0].base >> 12)
    qa.write(source, A, target, B, 64)
    bare.wait(qa)
    return None


def spoilt(bare: Bare, fate: int, opcode: int, skip: int) -> Any:
    """A WRITE of three packets, one of which (or of whose answers) the link spoils; the completion, the bytes, B's counters."""
    qa, _qb, source, target = prepared(bare)
    bare.link_fault(LinkFault(Fate(fate), 0, opcode, skip))
    qa.write(source, A, target, B, 3 * FRAME_BYTES)
    (done,) = bare.wait(qa)
    b = both(bare)[1]
    same = b.peek(target, B, 3 * FRAME_BYTES) == pattern(3 * FRAME_BYTES)
    return done, same, b.counters()


def lossy(bare: Bare, messages: int = 30) -> Any:
    """Messages over a link that loses, corrupts and cuts: all complete, in order, with their bytes."""
    qa, _qb, source, target = prepared(bare, sq_log=6)
    for number in range(messages):
        qa.write(source, A + 64 * number, target, B + 64 * number, 64 + 8 * number)
    done = bare.wait(qa, messages)
    b = both(bare)[1]
    count = 64 * (messages - 1) + 64 + 8 * (messages - 1)
    return [entry["wqe_index"] for entry in done], b.peek(target, B, count) == pattern(count)
