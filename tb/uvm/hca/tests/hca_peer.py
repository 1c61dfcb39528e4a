"""The link agent is the other end: requests in, answers, refusals, duplicates, gaps, spoilt packets, nonsense."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pyuvm
from cocotb.task import resume
from pyuvm import uvm_sequence

from hwif.gen import hca as h
from tb.hil.hca_bare import Bare, BareQp, settings
from tb.uvm.agents.link.item import LinkItem
from tb.uvm.agents.link.packet import Wire
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest
from tb.uvm.hca.tests.peer import PEER_QPN, Peer
from tb.uvm.hca.tests.scene import PAGE, A, B

__all__ = ["HcaPeerAnswers", "HcaPeerBase", "HcaPeerRandom", "HcaPeerRequests"]

MTU_SHIFT = 8
MTU = 1 << MTU_SHIFT
QUIET = 400


class _Feed(uvm_sequence):
    """Packets of a program, in order: after what it has written to registers before."""

    settled: Callable[[], Awaitable[None]]

    async def body(self) -> None:
        """Nothing of its own."""

    async def give(self, item: LinkItem) -> None:
        """To the driver; it is on the link when this returns."""
        await self.settled()
        await self.start_item(item)
        await self.finish_item(item)


class HcaPeerBase(HcaBaseTest):
    """A device whose link is the agent's, two regions, and a queue pair that has this end as its other."""

    plan = Plan(loop=False, chosen=settings(command_entries=16, fault_entries=8, keys=16, ack_timeout=1500, rnr_delay=300))

    def program(self, port: Any) -> None:
        """Set up, then what the subclass plays."""
        self.heard: list[Wire] = []
        self.feed = _Feed("feed")
        self.feed.settled = port.settled
        self.feed.sequencer = self.env.link.sequencer
        self.env.data.heard = self.heard
        self.bare_ = self.bare(port)
        node = self.bare_.nodes[0]
        self.ka, self.kb = node.region(1, A, 4), node.region(2, B, 4)
        self.bytes_a, self.bytes_b = self.rng.randbytes(4 * PAGE), self.rng.randbytes(4 * PAGE)
        node.poke(self.ka, A, self.bytes_a)
        node.poke(self.kb, B, self.bytes_b)
        self.numbers = 0
        self.exchange(self.bare_)

    def exchange(self, bare: Bare) -> None:
        """What is said."""
        raise NotImplementedError

    def peer(self, bare: Bare, **context: int) -> Peer:
        """A new queue pair and its other end."""
        node = bare.nodes[0]
        number, self.numbers = self.numbers, self.numbers + 1
        qp: BareQp = node.qp(number, send_cqn=node.cq(number), **{"mtu_shift": MTU_SHIFT, "dest_qpn": PEER_QPN, **context})
        psn = self.rng.choice([0, (1 << h.PSN_WIDTH) - 2, self.rng.randrange(1 << h.PSN_WIDTH)])
        status = qp.modify(load_sq=True, load_rq=True, state=h.QpState.RTS, sq_psn=psn, rq_psn=psn)
        assert status is h.CmdStatus.OK
        return Peer(bare, resume(self.feed.give), self.heard, qp, psn=psn)

    def ended(self, bare: Bare, peer: Peer, wanted: h.WcStatus, *, recv: bool = False) -> None:
        """Its next completion."""
        status = h.WcStatus(bare.wait(peer.qp, recv=recv)[0]["status"])
        assert status is wanted, f"queue pair {peer.qp.qpn} ended with {status.name}, not {wanted.name}"


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
