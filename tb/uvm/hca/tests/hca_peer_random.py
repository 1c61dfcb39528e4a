"""The link agent and the device send each other messages, some lost, repeated or spoilt, and nobody is in a hurry."""

from __future__ import annotations

import pyuvm

from hwif.gen import hca as h
from tb.hil.hca_bare import Bare, settings
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.tests.base import TIMEOUT_US
from tb.uvm.hca.tests.peer import Peer
from tb.uvm.hca.tests.peer_base import MTU, HcaPeerBase
from tb.uvm.hca.tests.scene import PAGE, A, B

__all__ = ["HcaPeerRandom"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaPeerRandom(HcaPeerBase):
    """Random messages both ways; the other end loses, repeats and delays; nobody is in a hurry."""

    plan = Plan(
        loop=False,
        link_stall=0.3,
        stalls={"": 0.2},
        chosen=settings(command_entries=16, fault_entries=8, keys=16, ack_timeout=2500, rnr_delay=300),
    )

    def exchange(self, bare: Bare) -> None:
        """Rounds of a message each way."""
        peers = [self.peer(bare, policy=int(policy)) for policy in h.FaultPolicy]
        for _ in range(self.scaled(14)):
            peer = self.rng.choice(peers)
            self._inwards(bare, peer)
            self._outwards(bare, peer)

    def _inwards(self, bare: Bare, peer: Peer) -> None:
        """A message whose packets may be lost or come twice; the NAK or a pause says where to begin again."""
        data, at = self.rng.randbytes(self.rng.choice([0, 1, 64, MTU, 3 * MTU + 5])), B + self.rng.randrange(PAGE)
        start = (peer.psn, peer.msn, peer.ssn)
        spoil = self.rng.choice(["", "", "lose", "repeat", "crc"])
        if spoil == "crc":
            peer.write(self.kb, at, data[:MTU], crc=1, advance=False)
        peer.message(h.PktOp.WRITE, data, MTU, va=at, rkey=self.kb) if spoil != "lose" else None
        if spoil in ("lose", "repeat"):
            peer.psn, peer.msn, peer.ssn = start
            if spoil == "lose":
                peer.put(h.PktOp.WRITE, bytes(8), psn=peer.psn + 1 & 0xFFFFFF, msn=peer.msn, ack_req=1, va=B, rkey=self.kb, rest=8)
                peer.expect(h.PktOp.NAK, syndrome=h.NakSyndrome.PSN)
            peer.message(h.PktOp.WRITE, data, MTU, va=at, rkey=self.kb)
        while True:  # what came twice is acknowledged with what has landed by then
            wire = peer.take(h.PktOp.ACK)
            assert wire is not None
            if wire.head["psn"] == peer.psn - 1 & 0xFFFFFF:
                break
        assert peer.node.peek(self.kb, at, len(data)) == data
        bare.sleep(self.rng.randrange(60))
        peer.heard.clear()

    def _outwards(self, bare: Bare, peer: Peer) -> None:
        length = self.rng.choice([0, 8, MTU, 2 * MTU + 9])
        peer.qp.write(self.ka, A + self.rng.randrange(PAGE), self.kb, B, length)
        packets = max(1, -(-length // MTU))
        if self.rng.random() < 0.3:
            for _ in range(packets):
                peer.take(h.PktOp.WRITE)  # lost: the time-out brings it again
        while True:
            wire = peer.take(h.PktOp.WRITE)
            assert wire is not None
            work = wire.head["msn"] & 0xFFFFFF
            last = bool(wire.head["last"])
            if last or self.rng.random() < 0.5:
                peer.ack(wire, msn=work + 1 if last else work, offset=0 if last else wire.head["offset"] + 1)
            if last:
                break
        self.ended(bare, peer, h.WcStatus.SUCCESS)
