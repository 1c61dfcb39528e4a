"""Two ends of a link and one thing that goes wrong: what is architected for it, and nothing else, must come of it.

Promises: silence if it does, an AssertionError or BareError that says what came instead.
"""

from __future__ import annotations

from hwif.gen import hca as h
from hwif.memory import FRAME_BYTES
from tb.hil.abi import Fate, LinkFault
from tb.hil.hca_bare import Bare, settings
from tb.hil.hca_lines import Entry

__all__ = ["lost_packet", "refused_fault", "stale_answer", "unanswered_fault"]

A, B = 0x10_0000, 0x20_0000
PAGES = 4
OLD, NEW = 0x5A, 0xA5  # what is in a page, and what a request brings
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


class _Missed:
    """A page at each end, full of OLD and of NEW, and writes that do not find the far one."""

    def __init__(self, bare: Bare, policy: h.FaultPolicy) -> None:
        self.bare = bare
        a, self.far = bare.nodes[0], bare.nodes[-1]
        self._source, self._target = a.region(1, A, 1, fill=NEW), self.far.region(2, B, 1, fill=OLD)
        self._qp, _other = bare.pair(a, self.far, policy=policy)
        self._frame = 0

    def fault(self) -> Entry:
        """Take the far page away, its frame still held, and write to it: the record."""
        node, key = self.far, self._target
        self._frame = node.unmap(key, B)
        node.revoke(key, B)
        assert node.invalidate(key, B, FRAME_BYTES) is h.CmdStatus.OK
        assert node.fence() is h.CmdStatus.OK
        self._qp.write(self._source, A, key, B, FRAME_BYTES)
        (fault,) = node.wait_faults()
        return fault

    def answer(self, fault: Entry, wanted: h.WcStatus) -> None:
        """Bring the page back, and answer: with the error that makes a request end so, if it is one."""
        refused = wanted is not h.WcStatus.SUCCESS
        self.far.map(self._target, B, self._frame)
        assert self.far.resume(fault, error=refused) is h.CmdStatus.OK
        status = h.WcStatus(self.bare.wait(self._qp)[0]["status"])
        assert status is wanted, f"an answered fault ended with {status.name}"
        found = self.far.peek(self._target, B, FRAME_BYTES)
        assert found == bytes([OLD if refused else NEW]) * FRAME_BYTES, "the page has other bytes than the request's end says"


def refused_fault(bare: Bare, _seed: int) -> None:
    """Software refuses a page. The request fails at both ends, and what it would have written is as it was."""
    missed = _Missed(bare, h.FaultPolicy.STALL)
    missed.answer(missed.fault(), h.WcStatus.REM_OP_ERR)


def unanswered_fault(bare: Bare, _seed: int) -> None:
    """Software takes its time, and the sender comes back again and again for the same page: one fault, so one record."""
    missed = _Missed(bare, h.FaultPolicy.DISCARD)
    fault = missed.fault()
    bare.run(lambda: missed.far.counters()["FAULTS_MERGED"] >= ATTEMPTS, "another attempt of the sender")
    more = missed.far.faults()
    assert not more, f"one page, not there, made {1 + len(more)} fault records"
    missed.answer(fault, h.WcStatus.SUCCESS)


def stale_answer(bare: Bare, _seed: int) -> None:
    """A fault is answered with the token of the one before. Nothing may happen until its own comes."""
    missed = _Missed(bare, h.FaultPolicy.STALL)
    old = missed.fault()
    missed.answer(old, h.WcStatus.SUCCESS)
    fault = missed.fault()
    status = missed.far.resume(old)
    assert status is h.CmdStatus.BAD_TOKEN, f"a resume with the token of an earlier fault ended with {status.name}"
    missed.answer(fault, h.WcStatus.SUCCESS)
