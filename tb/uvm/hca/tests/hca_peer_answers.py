"""The link agent answers: ACK, every NAK, nothing at all, READs in pieces, atomics."""

from __future__ import annotations

import pyuvm

from hwif.gen import hca as h
from tb.hil.hca_bare import Bare
from tb.uvm.hca.tests.base import TIMEOUT_US
from tb.uvm.hca.tests.peer import Peer
from tb.uvm.hca.tests.peer_base import MTU, QUIET, HcaPeerBase
from tb.uvm.hca.tests.scene import PAGE, A, B

__all__ = ["HcaPeerAnswers"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaPeerAnswers(HcaPeerBase):
    """The device is the requester."""

    def exchange(self, bare: Bare) -> None:
        """Answers of every kind, to every kind of request."""
        self._acknowledged(bare)
        self._nak(bare)
        self._lost(bare)
        self._reads(bare)
        self._fatal(bare)

    def _post(self, peer: Peer, length: int, **more: int) -> None:
        peer.qp.write(self.ka, A, self.kb, B, length, **more)

    def _acknowledged(self, bare: Bare) -> None:
        peer = self.peer(bare)
        self._post(peer, 3 * MTU)
        wires = [peer.expect(h.PktOp.WRITE, offset=at) for at in range(3)]
        peer.ack(wires[1], msn=0, offset=2)
        bare.sleep(QUIET)
        assert not peer.node.arrived(peer.qp.qpn), "complete before its last packet was acknowledged"
        peer.ack(wires[2], msn=1)
        self.ended(bare, peer, h.WcStatus.SUCCESS)
        for _ in range(3):
            self._post(peer, 8, signaled=0, ring=False)
        self._post(peer, 8)
        wire = [peer.expect(h.PktOp.WRITE) for _ in range(4)][-1]
        peer.ack(wire, msn=5)  # one for all before it
        self.ended(bare, peer, h.WcStatus.SUCCESS)
        peer.ack(wire, msn=5)  # an old one again: nothing
        peer.silence(QUIET)

    def _nak(self, bare: Bare) -> None:
        """Back to the packet that is missing; wait and come again; suspend until the restart."""
        peer = self.peer(bare)
        self._post(peer, 3 * MTU)
        wires = [peer.expect(h.PktOp.WRITE, offset=at) for at in range(3)]
        peer.ack(wires[1], msn=0, offset=1, syndrome=h.NakSyndrome.PSN)
        peer.expect(h.PktOp.WRITE, psn=wires[1].head["psn"])
        peer.ack(wires[2], msn=1)
        self.ended(bare, peer, h.WcStatus.SUCCESS)
        peer.heard.clear()  # what came again after the NAK
        self._post(peer, 3 * MTU)
        wires = [peer.expect(h.PktOp.WRITE, offset=at) for at in range(3)]
        peer.ack(wires[1], msn=1, offset=1, syndrome=h.NakSyndrome.RNR)
        again = peer.expect(h.PktOp.WRITE, psn=wires[1].head["psn"])
        peer.ack(again, msn=1, offset=2)
        peer.ack(peer.expect(h.PktOp.WRITE, psn=wires[2].head["psn"]), msn=2)
        self.ended(bare, peer, h.WcStatus.SUCCESS)
        peer.heard.clear()
        self._post(peer, 8)
        wire = peer.expect(h.PktOp.WRITE)
        peer.ack(wire, msn=2, syndrome=h.NakSyndrome.RNR)
        again = peer.expect(h.PktOp.WRITE, psn=wire.head["psn"])
        assert again.cycle - wire.cycle >= 300, "it did not wait for RNR_DELAY"
        peer.ack(again, msn=2, syndrome=h.NakSyndrome.SUSPEND)
        bare.sleep(QUIET)
        peer.heard.clear()
        peer.ack(again, msn=2, syndrome=h.NakSyndrome.RESTART)
        peer.ack(peer.expect(h.PktOp.WRITE, psn=wire.head["psn"]), msn=3)
        self.ended(bare, peer, h.WcStatus.SUCCESS)

    def _lost(self, bare: Bare) -> None:
        """No answer: it comes again, and gives up."""
        peer = self.peer(bare, retry_cnt=1)
        self._post(peer, 8)
        first = peer.expect(h.PktOp.WRITE)
        peer.expect(h.PktOp.WRITE, psn=first.head["psn"])
        self.ended(bare, peer, h.WcStatus.RETRY_EXC_ERR)
        peer = self.peer(bare, rnr_retry=1)
        self._post(peer, 8)
        for _ in range(2):
            peer.ack(peer.expect(h.PktOp.WRITE), msn=0, syndrome=h.NakSyndrome.RNR)
        self.ended(bare, peer, h.WcStatus.RNR_RETRY_EXC_ERR)

    def _reads(self, bare: Bare) -> None:
        """Answers in order, an answer lost in the middle, an answer nobody asked for; an atomic's."""
        peer = self.peer(bare)
        node, data = peer.node, self.rng.randbytes(3 * MTU)
        peer.qp.read(self.ka, A, self.kb, B, len(data))
        asked = peer.expect(h.PktOp.READ_REQ, rest=len(data))
        peer.answer_read(asked, data, MTU)
        self.ended(bare, peer, h.WcStatus.SUCCESS)
        assert node.peek(self.ka, A, len(data)) == data
        peer.qp.read(self.ka, A + PAGE, self.kb, B, len(data))
        asked = peer.expect(h.PktOp.READ_REQ)
        peer.answer_read(asked, data, MTU, only=1)
        rest = peer.expect(h.PktOp.READ_REQ)
        done = len(data) - rest.head["rest"]
        peer.answer_read(rest, data[done:], MTU)
        self.ended(bare, peer, h.WcStatus.SUCCESS)
        assert node.peek(self.ka, A + PAGE, len(data)) == data
        peer.answer_read(asked, bytes(len(data)), MTU)
        peer.put(h.PktOp.ATOMIC_RESP, psn=asked.head["psn"], msn=0, operand=1)
        bare.sleep(QUIET)
        assert node.peek(self.ka, A + PAGE, len(data)) == data, "an answer that nobody asked for was taken"
        peer.qp.fetch_add(self.ka, A, self.kb, B, 3)
        asked = peer.expect(h.PktOp.FETCH_ADD, operand=3)
        peer.put(h.PktOp.ATOMIC_RESP, psn=asked.head["psn"], msn=asked.head["msn"], operand=0x1234)
        self.ended(bare, peer, h.WcStatus.SUCCESS)
        assert node.peek(self.ka, A, 8) == (0x1234).to_bytes(8, "little")

    def _fatal(self, bare: Bare) -> None:
        ends = {
            h.NakSyndrome.INV_REQ: h.WcStatus.REM_INV_REQ_ERR,
            h.NakSyndrome.REM_ACCESS: h.WcStatus.REM_ACCESS_ERR,
            h.NakSyndrome.REM_OP: h.WcStatus.REM_OP_ERR,
        }
        for syndrome, status in ends.items():
            peer = self.peer(bare)
            self._post(peer, 8)
            peer.ack(peer.expect(h.PktOp.WRITE), msn=0, syndrome=int(syndrome))
            self.ended(bare, peer, status)
            assert bare.nodes[0].async_events(), "a queue pair went to ERR and nobody was told"
            self._post(peer, 8)
            peer.silence(QUIET)
