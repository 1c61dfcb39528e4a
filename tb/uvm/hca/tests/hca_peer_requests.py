"""The link agent requests: good ones, repeated ones, those out of order, spoilt, refused, under every fault policy."""

from __future__ import annotations

from typing import Any

import pyuvm

from hwif.gen import hca as h
from tb.hil.hca_bare import Bare
from tb.uvm.hca.tests.base import TIMEOUT_US
from tb.uvm.hca.tests.peer import Peer
from tb.uvm.hca.tests.peer_base import MTU, QUIET, HcaPeerBase
from tb.uvm.hca.tests.scene import PAGE, A, B

__all__ = ["HcaPeerRequests"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaPeerRequests(HcaPeerBase):
    """The device is the responder."""

    def exchange(self, bare: Bare) -> None:
        """Good ones, repeated ones, those out of order, spoilt, refused."""
        peer = self.peer(bare)
        self._good(bare, peer)
        self._again(bare, peer)
        self._gaps(bare, peer)
        self._spoilt(bare, peer)
        self._nonsense(bare, peer)
        self._refused(bare)
        self._policies(bare)

    def _good(self, bare: Bare, peer: Peer) -> None:
        node, data = peer.node, self.rng.randbytes(3 * MTU + 7)
        peer.message(h.PktOp.WRITE, data, MTU, va=B + 33, rkey=self.kb)
        peer.expect(h.PktOp.ACK, msn=peer.msn & 0xFFFFFF)
        assert node.peek(self.kb, B + 33, len(data)) == data
        peer.qp.recv(self.kb, B + PAGE, len(data))
        peer.message(h.PktOp.SEND, data, MTU)
        peer.expect(h.PktOp.ACK)
        self.ended(bare, peer, h.WcStatus.SUCCESS, recv=True)
        assert node.peek(self.kb, B + PAGE, len(data)) == data
        peer.request(h.PktOp.READ_REQ, packets=3, rkey=self.ka, va=A + 5, rest=2 * MTU + 1)
        found = b"".join(peer.expect(h.PktOp.READ_RESP).payload for _ in range(3))
        assert found == self.bytes_a[5 : 5 + 2 * MTU + 1]
        old = node.peek(self.kb, B, 8)
        peer.request(h.PktOp.FETCH_ADD, rkey=self.kb, va=B, rest=8, operand=5)
        peer.expect(h.PktOp.ATOMIC_RESP, operand=int.from_bytes(old, "little"))
        peer.request(h.PktOp.CMP_SWAP, rkey=self.kb, va=B, rest=8, operand=int.from_bytes(old, "little") + 5, swap=9)
        peer.expect(h.PktOp.ATOMIC_RESP)
        assert node.peek(self.kb, B, 8) == (9).to_bytes(8, "little")

    def _again(self, bare: Bare, peer: Peer) -> None:
        """Duplicates: acknowledged again, read again, an atomic answered from memory of it and not carried out."""
        back: dict[str, Any] = {"psn": peer.psn - 1 & 0xFFFFFF, "msn": peer.msn - 1 & 0xFFFFFF, "advance": False}
        before = peer.node.peek(self.kb, B, 8)
        peer.request(h.PktOp.CMP_SWAP, rkey=self.kb, va=B, rest=8, operand=9, swap=1, **back)
        peer.expect(h.PktOp.ATOMIC_RESP)
        assert peer.node.peek(self.kb, B, 8) == before, "a repeated atomic was carried out again"
        peer.request(h.PktOp.FETCH_ADD, rkey=self.kb, va=B, rest=8, operand=9, **{**back, "psn": peer.psn - 2 & 0xFFFFFF})
        peer.silence(QUIET)
        data = self.rng.randbytes(40)
        peer.write(self.kb, B + 64, data)
        peer.expect(h.PktOp.ACK)
        again: dict[str, Any] = {"psn": peer.psn - 1 & 0xFFFFFF, "msn": peer.msn - 1 & 0xFFFFFF, "advance": False}
        peer.write(self.kb, B + 64, bytes(40), **again)
        peer.expect(h.PktOp.ACK)
        assert peer.node.peek(self.kb, B + 64, 40) == data, "a repeated write was carried out again"
        peer.request(h.PktOp.READ_REQ, rkey=self.ka, va=A, rest=100)
        peer.expect(h.PktOp.READ_RESP)
        peer.request(h.PktOp.READ_REQ, rkey=self.ka, va=A + 50, rest=50, offset=0, **{**again, "psn": peer.psn - 1 & 0xFFFFFF})
        assert peer.expect(h.PktOp.READ_RESP).payload == self.bytes_a[50:100]

    def _gaps(self, bare: Bare, peer: Peer) -> None:
        """A packet too early: one NAK names the one that is missing."""
        for ahead in (1, 2, 3):
            peer.write(self.kb, B, bytes(8), psn=peer.psn + ahead & 0xFFFFFF, advance=False)
        peer.expect(h.PktOp.NAK, syndrome=h.NakSyndrome.PSN, psn=peer.psn)
        peer.silence(QUIET)
        peer.write(self.kb, B, bytes(8))
        peer.expect(h.PktOp.ACK)

    def _spoilt(self, bare: Bare, peer: Peer) -> None:
        """A wrong CRC, too few flits, too many: as if it had not come."""
        counted = peer.node.counters()["BAD_CRC"]
        bents: list[dict[str, Any]] = [{"crc": 1 << self.rng.randrange(32)}, {"count": 2}, {"count": 1}, {"count": 6}]
        for bent in bents:
            peer.write(self.kb, B, bytes(200), advance=False, **bent)
        peer.silence(QUIET)
        assert peer.node.counters()["BAD_CRC"] == counted + 4
        peer.write(self.kb, B, bytes(200), gap=7)
        peer.expect(h.PktOp.ACK)

    def _nonsense(self, bare: Bare, peer: Peer) -> None:
        """Opcodes and queue pairs that do not exist: dropped."""
        counted = peer.node.counters()["BAD_PACKET"]
        peer.put(0, psn=peer.psn)
        peer.put(14, psn=peer.psn)
        peer.write(self.kb, B, bytes(8), dest_qpn=h.NUM_QP, advance=False)
        peer.write(self.kb, B, bytes(8), dest_qpn=100, advance=False)
        peer.silence(QUIET)
        assert peer.node.counters()["BAD_PACKET"] > counted
        peer.write(self.kb, B, bytes(8))
        peer.expect(h.PktOp.ACK)

    def _refused(self, bare: Bare) -> None:
        """What a NAK answers and puts into ERR."""
        invalid, access = h.NakSyndrome.INV_REQ, h.NakSyndrome.REM_ACCESS
        cases: list[tuple[dict[str, int], int, bytes, dict[str, Any], h.NakSyndrome]] = [
            ({}, h.PktOp.WRITE, bytes(2 * MTU), {"rkey": self.kb, "va": B}, invalid),
            ({"allow_write": 0}, h.PktOp.WRITE, bytes(8), {"rkey": self.kb, "va": B}, invalid),
            ({"allow_read": 0}, h.PktOp.READ_REQ, b"", {"rkey": self.kb, "va": B, "rest": 8}, invalid),
            ({"allow_atomic": 0}, h.PktOp.FETCH_ADD, b"", {"rkey": self.kb, "va": B, "rest": 8}, invalid),
            ({}, h.PktOp.FETCH_ADD, b"", {"rkey": self.kb, "va": B + 4, "rest": 8}, invalid),
            ({}, h.PktOp.WRITE, bytes(8), {"rkey": self.kb + 1, "va": B}, access),
            ({}, h.PktOp.WRITE, bytes(8), {"rkey": self.kb, "va": B + 4 * PAGE - 7}, access),
            ({}, h.PktOp.WRITE, bytes(8), {"rkey": self.kb, "va": B + 4 * PAGE - 7}, access),
            ({"pd": 9}, h.PktOp.WRITE, bytes(8), {"rkey": self.kb, "va": B}, access),
            ({"pd": 9}, h.PktOp.READ_REQ, b"", {"rkey": self.kb, "va": B, "rest": 8}, access),
        ]
        for context, opcode, payload, fields, syndrome in cases:
            peer = self.peer(bare, **context)
            peer.request(opcode, payload, **fields)
            peer.expect(h.PktOp.NAK, syndrome=syndrome)
            assert peer.qp.query()["state"] == h.QpState.ERR
            peer.request(h.PktOp.WRITE, bytes(8), rkey=self.kb, va=B)
            peer.silence(QUIET)
            assert bare.nodes[0].async_events(), "a queue pair went to ERR and nobody was told"
        peer = self.peer(bare)
        peer.request(h.PktOp.SEND, bytes(8))
        peer.expect(h.PktOp.NAK, syndrome=h.NakSyndrome.RNR)
        peer.qp.recv(self.kb, B, 4)
        peer.psn, peer.msn, peer.ssn = peer.psn - 1 & 0xFFFFFF, 0, 0
        peer.request(h.PktOp.SEND, bytes(8))
        peer.expect(h.PktOp.NAK, syndrome=invalid)
        self.ended(bare, peer, h.WcStatus.LOC_LEN_ERR, recv=True)
        peer = self.peer(bare)
        peer.qp.recv(self.kb + 1, B, 40)
        peer.request(h.PktOp.SEND, bytes(8))
        peer.expect(h.PktOp.NAK, syndrome=h.NakSyndrome.REM_OP)
        self.ended(bare, peer, h.WcStatus.LOC_PROT_ERR, recv=True)

    def _policies(self, bare: Bare) -> None:
        """A page is away: what the wire is told."""
        node = bare.nodes[0]
        told = {h.FaultPolicy.DISCARD: h.NakSyndrome.RNR, h.FaultPolicy.RESTART: h.NakSyndrome.SUSPEND}
        for policy in h.FaultPolicy:
            peer = self.peer(bare, policy=int(policy))
            frame = node.unmap(self.kb, B + PAGE)
            assert node.invalidate(self.kb, B + PAGE, PAGE) is h.CmdStatus.OK and node.fence() is h.CmdStatus.OK
            node.revoke(self.kb, B + PAGE)
            psn, data = peer.psn, self.rng.randbytes(64)
            peer.write(self.kb, B + PAGE, data)
            (fault,) = node.wait_faults(1)
            if policy in told:
                peer.expect(h.PktOp.NAK, syndrome=told[policy], psn=psn)
            else:
                peer.silence(QUIET)
            node.map(self.kb, B + PAGE, frame)
            assert node.resume(fault) is h.CmdStatus.OK
            if policy is h.FaultPolicy.RESTART:
                peer.expect(h.PktOp.NAK, syndrome=h.NakSyndrome.RESTART, psn=psn)
            if policy in told:
                peer.write(self.kb, B + PAGE, data, psn=psn, msn=peer.msn - 1, advance=False)
            peer.expect(h.PktOp.ACK, psn=psn)
            assert node.peek(self.kb, B + PAGE, 64) == data
