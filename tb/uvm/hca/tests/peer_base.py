"""The base of tests in which the link agent is the other end of the device's link."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cocotb.task import resume
from pyuvm import uvm_sequence

from hwif.gen import hca as h
from tb.hil.hca_bare import Bare, BareQp, settings
from tb.uvm.agents.link.item import LinkItem
from tb.uvm.agents.link.packet import Wire
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.tests.base import HcaBaseTest
from tb.uvm.hca.tests.peer import PEER_QPN, Peer
from tb.uvm.hca.tests.scene import PAGE, A, B

__all__ = ["MTU", "QUIET", "HcaPeerBase"]

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
