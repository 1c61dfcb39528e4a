"""Two ends of a link and one thing that goes wrong: what is architected for it, and nothing else, must come of it.

Promises: silence if it does, an AssertionError or BareError that says what came instead.
"""

from __future__ import annotations

from hwif.gen import hca as h
from hwif.memory import FRAME_BYTES
from tb.hil.abi import Fate, LinkFault
from tb.hil.hca_bare import Bare, BareNode, settings
from tb.hil.hca_lines import Entry

__all__ = ["lost_packet", "refused_fault", "stale_answer", "unanswered_fault"]

A, B = 0x10_0000, 0x20_0000
PAGES = 4
ATTEMPTS = 4  # of one packet while its fault is not answered
NEVER = 10_000_000  # cycles: longer than any test waits


def lost_packet(bare: Bare, _seed: int) -> None:
    """A packet in the middle of a message is lost. The receiver names the gap, so nobody waits for the timeout."""
    a, b = bare.nodes[0], bare.nodes[-1]
    source, target = a.region(1, A, PAGES), b.region(2, B, PAGES)
    for node in (a, b):
        node.store(h.RetryReg, rnr_delay=settings.rnr_delay, ack_timeout=NEVER)
    a.poke(source, A, bytes(range(256)) * (PAGES * FRAME_BYTES // 256))
    qa, _qb = bare.pair(a, b, mtu_shift=10)
    bare.link_fault(LinkFault(Fate.LOSE, skip=5))
    qa.write(source, A, target, B, PAGES * FRAME_BYTES)
    status = bare.wait(qa)[0]["status"]
    assert status == h.WcStatus.SUCCESS, f"a message with a lost packet ended with {h.WcStatus(status).name}"
    assert b.peek(target, B, PAGES * FRAME_BYTES) == a.peek(source, A, PAGES * FRAME_BYTES), "bytes are missing"


def refused_fault(bare: Bare, _seed: int) -> None:
    """Software refuses a page. The request fails at both ends, and what it would have written is as it was."""
    a, b = bare.nodes[0], bare.nodes[-1]
    source, target = a.region(1, A, 1), b.region(2, B, 1, fill=0x5A)
    qa, _qb = bare.pair(a, b, policy=h.FaultPolicy.STALL)
    frame = _take(b, target)
    qa.write(source, A, target, B, FRAME_BYTES)
    fault = b.wait_faults()[0]
    b.map(target, B, frame)  # too late: the answer is no
    assert b.resume(fault, error=True) is h.CmdStatus.OK
    status = bare.wait(qa)[0]["status"]
    assert status == h.WcStatus.REM_OP_ERR, f"a refused page ended with {h.WcStatus(status).name}"
    assert b.peek(target, B, FRAME_BYTES) == bytes([0x5A]) * FRAME_BYTES, "a refused request has written"


def unanswered_fault(bare: Bare, _seed: int) -> None:
    """Software takes its time, and the sender comes back again and again for the same page: one fault, so one record."""
    a, b = bare.nodes[0], bare.nodes[-1]
    source, target = a.region(1, A, 1, fill=0xA5), b.region(2, B, 1)
    qa, _qb = bare.pair(a, b, policy=h.FaultPolicy.DISCARD)
    frame = _take(b, target)
    qa.write(source, A, target, B, FRAME_BYTES)
    faults = b.wait_faults()
    bare.run(lambda: b.counters()["FAULTS_MERGED"] >= ATTEMPTS, "another attempt of the sender")
    faults += b.faults()
    assert len(faults) == 1, f"one page, not there, made {len(faults)} fault records"
    b.map(target, B, frame)
    assert b.resume(faults[0]) is h.CmdStatus.OK
    status = bare.wait(qa)[0]["status"]
    assert status == h.WcStatus.SUCCESS, f"an answered fault ended with {h.WcStatus(status).name}"
    assert b.peek(target, B, FRAME_BYTES) == bytes([0xA5]) * FRAME_BYTES, "bytes are missing"


def stale_answer(bare: Bare, _seed: int) -> None:
    """A fault is answered with the token of the one before. Nothing may happen until its own comes."""
    a, b = bare.nodes[0], bare.nodes[-1]
    source, target = a.region(1, A, 1, fill=0xA5), b.region(2, B, 1)
    qa, _qb = bare.pair(a, b, policy=h.FaultPolicy.STALL)
    old: Entry | None = None
    for _ in range(2):
        frame = _take(b, target)
        qa.write(source, A, target, B, FRAME_BYTES)
        (fault,) = b.wait_faults()
        if old is not None:
            refused = b.resume(old)
            assert refused is h.CmdStatus.BAD_TOKEN, f"a resume with the token of an earlier fault ended with {refused.name}"
        b.map(target, B, frame)
        assert b.resume(fault) is h.CmdStatus.OK
        status = bare.wait(qa)[0]["status"]
        assert status == h.WcStatus.SUCCESS, f"an answered fault ended with {h.WcStatus(status).name}"
        old = fault


def _take(node: BareNode, key: int) -> int:
    """Take the page at B away from a region, its frame still held; the frame."""
    frame = node.unmap(key, B)
    node.revoke(key, B)
    assert node.invalidate(key, B, FRAME_BYTES) is h.CmdStatus.OK
    assert node.fence() is h.CmdStatus.OK
    return frame
