"""The other end of the link, played by the link agent: a program sends packets into the device and waits for what comes out.

Promises: what the device sends is kept in `heard` until it is taken. Requests and answers carry what a real other end would say,
unless a test says otherwise.
Needs: a plan without loop; to be made by the thread of the program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hwif.gen import hca as h
from tb.hil.hca_bare import Bare, BareNode, BareQp, Entry
from tb.uvm.agents.link.item import LinkItem
from tb.uvm.agents.link.packet import Wire, packet

__all__ = ["PEER_QPN", "Peer"]

PSN = (1 << h.PSN_WIDTH) - 1
PEER_QPN = 77


class Peer:
    """One queue pair of the other end."""

    def __init__(self, bare: Bare, give: Callable[[LinkItem], Any], heard: list[Wire], qp: BareQp, *, psn: int = 0) -> None:
        self.bare = bare
        self.node: BareNode = bare.nodes[0]
        self.qp = qp
        self.heard = heard
        self.psn = psn  # of the next request sent
        self.msn = 0
        self.ssn = 0
        self._give = give

    # ---- out of the device -----------------------------------------------------------------------------------------------------

    def take(self, *opcodes: int, wait: bool = True) -> Wire | None:
        """The next packet of these opcodes for this end; others before it are forgotten."""

        def place() -> int | None:
            mine = (
                at
                for at, wire in enumerate(self.heard)
                if wire.head["src_qpn"] == self.qp.qpn and (not opcodes or wire.opcode in opcodes)
            )
            return next(mine, None)

        if wait:
            self.bare.run(lambda: place() is not None, f"a packet {[h.PktOp(opcode).name for opcode in opcodes]}")
        found = place()
        if found is None:
            return None
        wire = self.heard[found]
        del self.heard[: found + 1]
        return wire

    def expect(self, *opcodes: int, **fields: int) -> Wire:
        """The same, with these header fields."""
        wire = self.take(*opcodes)
        assert wire is not None
        wrong = {name: wire.head[name] for name, value in fields.items() if wire.head[name] != value}
        assert not wrong, f"{h.PktOp(wire.opcode).name} with {wrong}, not {fields}"
        return wire

    def silence(self, cycles: int = 600) -> None:
        """Nothing comes."""
        self.bare.sleep(cycles)
        wire = self.take(wait=False)
        assert wire is None, f"the device sent {wire.head if wire else ''} of its own accord"

    # ---- into the device -------------------------------------------------------------------------------------------------------

    def put(
        self, opcode: int, payload: bytes = b"", *, crc: int = 0, count: int | None = None, gap: int = 0, **fields: int
    ) -> Entry:
        """A packet as it is given."""
        head, data = packet(opcode, payload, **{"dest_qpn": self.qp.qpn, "src_qpn": PEER_QPN, **fields})
        item = LinkItem(head, data, crc=crc, count=count)
        item.gap = gap
        self._give(item)
        return head

    def request(self, opcode: int, payload: bytes = b"", *, packets: int = 1, advance: bool = True, **fields: Any) -> Entry:
        """A request in order, which wants an answer."""
        values = {"psn": self.psn, "msn": self.msn, "ack_req": 1, "rest": len(payload), **fields}
        if opcode == h.PktOp.SEND:
            values.setdefault("ssn", self.ssn)
        bent = {name: values.pop(name) for name in ("crc", "count", "gap") if name in values}
        head = self.put(opcode, payload, **bent, **values)
        if advance:
            self.psn = self.psn + packets & PSN
            self.msn = self.msn + 1 & PSN
            self.ssn += opcode == h.PktOp.SEND
        return head

    def write(self, key: int, va: int, payload: bytes, **more: Any) -> Entry:
        """An RDMA WRITE of one packet."""
        return self.request(h.PktOp.WRITE, payload, rkey=key, va=va, **more)

    def message(self, opcode: int, payload: bytes, mtu: int, **fields: int) -> None:
        """In as many packets as it takes; `va` moves along."""
        total = len(payload)
        for at in range(0, max(1, total), mtu):
            part = payload[at : at + mtu]
            last = at + mtu >= total
            moved = {"va": fields["va"] + at} if "va" in fields else {}
            values = {**fields, **moved, "first": int(at == 0), "last": int(last), "rest": total - at, "offset": at // mtu}
            more = {"ssn": self.ssn} if opcode == h.PktOp.SEND else {}
            self.put(opcode, part, psn=self.psn, msn=self.msn, ack_req=int(last), **values, **more)
            self.psn = self.psn + 1 & PSN
        self.msn += 1
        self.ssn += opcode == h.PktOp.SEND

    def ack(self, wire: Wire, *, msn: int, offset: int = 0, syndrome: int | None = None, psn: int | None = None) -> None:
        """Acknowledge a request of the device, or refuse it."""
        opcode = h.PktOp.ACK if syndrome is None else h.PktOp.NAK
        self.put(opcode, psn=wire.head["psn"] if psn is None else psn, msn=msn, offset=offset, syndrome=syndrome or 0)

    def answer_read(self, asked: Wire, payload: bytes, mtu: int, *, only: int | None = None, **fields: int) -> None:
        """READ_RESP packets, all or the first few."""
        count = max(1, -(-len(payload) // mtu))
        for at in range(count if only is None else only):
            part = payload[at * mtu : (at + 1) * mtu]
            where = {"psn": asked.head["psn"] + at & PSN, "offset": asked.head["offset"] + at, "msn": asked.head["msn"]}
            edge = {"first": int(at == 0), "last": int(at == count - 1), "rest": len(payload) - at * mtu}
            self.put(h.PktOp.READ_RESP, part, **{**where, **edge, **fields})
