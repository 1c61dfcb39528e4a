"""Bytes: what leaves by the link is what memory had given, what is written to memory is what had come by the link, each at the
address that work requests and packets name.

Promises: a packet's header is what its work request asks for (address, key, lengths, PSN, place in its message). Each byte of a
payload sent was read from its place for this queue pair; each byte written through a translation came for this queue pair, for this
place, in one of the last packets; an atomic writes what its operands make of what it read.
Needs: work requests in the mirror; both directions of the link.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from hwif.gen import hca as h
from tb.uvm.agents.axi.config import MemoryAccess, Resp
from tb.uvm.agents.link.packet import Wire
from tb.uvm.hca.boards.base import Board
from tb.uvm.hca.mirror import QueuePair, Work
from tb.uvm.hca.observed import Owner, owner_of, used_bytes
from tb.uvm.inlet import Inlet

__all__ = ["DataBoard"]

KEPT = 300  # packets of a queue pair that may still be written
SETTLED = 300  # cycles after the device was switched off in which what was under way may still show
LINES = 16  # reads of a line that are remembered
PSN = (1 << h.PSN_WIDTH) - 1
WORD = (1 << 64) - 1


@dataclass(frozen=True)
class _Piece:
    """Bytes that may be written: of a packet that came."""

    key: int
    va: int
    data: bytes


class DataBoard(Board):
    """Between the link and memory."""

    def build_phase(self) -> None:
        super().build_phase()
        self.accesses = Inlet("accesses", self, self._access)
        self.packets = Inlet("packets", self, self._packet)
        self.heard: list[Wire] | deque[Wire] = deque(maxlen=1)
        """Where packets that leave go too: a list of whoever plays the other end."""
        self.refused = 0
        """Reads of payload that memory refused: as many packets may leave with a wrong CRC."""
        self.forget()

    def forget(self) -> None:
        """A new device. Flits of a packet may still leave."""
        self._read: dict[tuple[int, int, int], deque[tuple[int, bytes]]] = {}
        self._came: dict[int, deque[_Piece]] = {}
        self._atomics: dict[int, deque[Wire]] = {}
        self._olds: dict[int, int] = {}
        self._asked: dict[int, deque[Wire]] = {}
        self._since = self.cycle

    # ---- memory ---------------------------------------------------------------------------------------------------------------

    def _access(self, access: MemoryAccess) -> None:
        owner = owner_of(access.user)
        if not owner.mapped:
            return
        if access.resp not in (Resp.OKAY, Resp.EXOKAY):
            self.refused += not access.write
            return
        if access.write:
            self._written(access, owner)
            return
        place = (owner.qpn, owner.key, owner.va & -64)
        self._read.setdefault(place, deque(maxlen=LINES)).append((owner.va % 64, used_bytes(access, owner)))
        if access.lock:
            self._olds[owner.qpn] = int.from_bytes(used_bytes(access, owner), "little")

    def _written(self, access: MemoryAccess, owner: Owner) -> None:
        data = used_bytes(access, owner)
        if owner.need == h.Need.REMOTE_ATOMIC:
            if access.resp == Resp.EXOKAY:
                self._atomic(access, owner, int.from_bytes(data, "little"))
            return
        for piece in reversed(self._came.get(owner.qpn, ())):
            at = owner.va - piece.va
            if piece.key == owner.key and at >= 0 and piece.data[at : at + owner.bytes] == data:
                return
        if access.issued - self._since > SETTLED:
            where = f"queue pair {owner.qpn}, key index {owner.key}, {owner.va:#x}"
            self.judge.object("data", f"{where}: {owner.bytes} bytes written that no packet brought: {data[:16].hex()}")

    def _atomic(self, access: MemoryAccess, owner: Owner, new: int) -> None:
        old = self._olds.get(owner.qpn)
        allowed = [
            _carried_out(wire, old) for wire in self._atomics.get(owner.qpn, ()) if wire.head["va"] == owner.va and old is not None
        ]
        if new not in allowed and access.issued - self._since > SETTLED:
            self.judge.object("data", f"queue pair {owner.qpn}: an atomic at {owner.va:#x} makes {new:#x} of {old}")

    # ---- the link ---------------------------------------------------------------------------------------------------------------

    def _packet(self, wire: Wire) -> None:
        self.judge.note("packet", wire.outbound, wire.opcode, wire.head["psn"], wire.head["length"], wire.good)
        if wire.outbound:
            self.heard.append(wire)
            if wire.good:
                self._sent(wire)
            elif self.refused == 0 and wire.cycle - self._since > SETTLED:
                self.judge.object("data", f"a packet left with a wrong CRC and memory refused nothing: {wire.head}")
        elif wire.good:
            self._arrived(wire)

    def _arrived(self, wire: Wire) -> None:
        head, qpn = wire.head, wire.head["dest_qpn"]
        qp = self.mirror.qps.get(qpn)
        came = self._came.setdefault(qpn, deque(maxlen=KEPT))
        match head["opcode"]:
            case h.PktOp.WRITE:
                came.append(_Piece(head["rkey"] >> 8 & h.NUM_KEY - 1, head["va"], wire.payload))
            case h.PktOp.CMP_SWAP | h.PktOp.FETCH_ADD:
                self._atomics.setdefault(qpn, deque(maxlen=LINES)).append(wire)
            case h.PktOp.READ_REQ:
                self._asked.setdefault(qpn, deque(maxlen=LINES)).append(wire)
            case h.PktOp.SEND if qp is not None:
                self._scatter(came, qp.received.get(head["ssn"]), head["offset"] * qp.mtu, wire.payload)
            case h.PktOp.READ_RESP if qp is not None:
                self._scatter(came, qp.sent.get(head["msn"] & 0xFFFF), head["offset"] * qp.mtu, wire.payload)
            case h.PktOp.ATOMIC_RESP if qp is not None:
                self._scatter(came, qp.sent.get(head["msn"] & 0xFFFF), 0, head["operand"].to_bytes(8, "little"))

    @staticmethod
    def _scatter(came: deque[_Piece], work: Work | None, offset: int, payload: bytes) -> None:
        if work is None:
            return
        for key, va, at, size in work.pieces(offset, len(payload)):
            came.append(_Piece(key >> 8 & h.NUM_KEY - 1, va, payload[at : at + size]))

    def _sent(self, wire: Wire) -> None:
        head = wire.head
        qp = self.mirror.qps.get(head["src_qpn"])
        if qp is None:
            return
        if head["dest_qpn"] != qp.context["dest_qpn"]:
            self.judge.object("packet", f"queue pair {qp.qpn} sends to {head['dest_qpn']}")
        match head["opcode"]:
            case h.PktOp.SEND | h.PktOp.WRITE | h.PktOp.READ_REQ | h.PktOp.CMP_SWAP | h.PktOp.FETCH_ADD:
                self._request(qp, wire)
            case h.PktOp.READ_RESP:
                self._answer(qp, wire)
            case h.PktOp.ATOMIC_RESP:
                if head["operand"] != self._olds.get(qp.qpn, head["operand"]) and not self._repeated(qp, wire):
                    self.judge.object("data", f"queue pair {qp.qpn}: an atomic returns {head['operand']:#x}")

    def _repeated(self, qp: QueuePair, wire: Wire) -> bool:
        """The answer to an atomic that came before: whatever it was then."""
        return len([one for one in self._atomics.get(qp.qpn, ()) if one.head["psn"] == wire.head["psn"]]) > 1

    def _request(self, qp: QueuePair, wire: Wire) -> None:
        head = wire.head
        work = qp.sent.get(head["msn"] & 0xFFFF)
        if work is None:
            self.judge.object("packet", f"queue pair {qp.qpn} sends {head}, which no work request asks for")
            return
        done = head["offset"] * qp.mtu
        wanted: dict[str, int] = {"psn": work.psn + head["offset"] & PSN, "rest": work.length - done, "first": int(done == 0)}
        read = head["opcode"] == h.PktOp.READ_REQ
        if head["opcode"] in (h.PktOp.SEND, h.PktOp.WRITE):
            wanted["length"] = min(qp.mtu, work.length - done)
            wanted["last"] = int(work.length - done <= qp.mtu)
        if head["opcode"] != h.PktOp.SEND:
            wanted |= {"va": work.wqe["remote_addr"] + done & WORD, "rkey": work.wqe["rkey"]}
        if head["opcode"] in (h.PktOp.CMP_SWAP, h.PktOp.FETCH_ADD):
            wanted = {"psn": work.psn, "va": work.wqe["remote_addr"], "rkey": work.wqe["rkey"], "operand": work.wqe["addr1"]}
        if read:
            wanted.pop("first")
        wrong = {name: (head[name], value) for name, value in wanted.items() if head[name] != value}
        if wrong:
            self.judge.object("packet", f"queue pair {qp.qpn}, work request {work.index}: {wrong} (sent, wanted) in {head}")
        if wire.payload:
            self._given(qp, work.pieces(done, len(wire.payload)), wire.payload)

    def _answer(self, qp: QueuePair, wire: Wire) -> None:
        head = wire.head
        for asked in reversed(self._asked.get(qp.qpn, ())):
            ahead = head["psn"] - asked.head["psn"] & PSN
            if ahead * qp.mtu < max(1, asked.head["rest"]) and asked.head["msn"] & 0xFFFF == head["msn"] & 0xFFFF:
                va = asked.head["va"] + ahead * qp.mtu & WORD
                self._given(qp, [(asked.head["rkey"], va, 0, len(wire.payload))], wire.payload)
                return
        self.judge.object("packet", f"queue pair {qp.qpn} answers {head}, for which nobody asked")

    def _given(self, qp: QueuePair, pieces: list[tuple[int, int, int, int]], payload: bytes) -> None:
        """Memory has given these bytes."""
        for key, va, at, size in pieces:
            done = 0
            while done < size:
                here = va + done
                count = min(64 - here % 64, size - done)
                wanted = payload[at + done : at + done + count]
                place = (qp.qpn, key >> 8 & h.NUM_KEY - 1, here & -64)
                if not any(_has(lane, data, here % 64, wanted) for lane, data in self._read.get(place, ())):
                    self.judge.object(
                        "data", f"queue pair {qp.qpn} sends {wanted[:16].hex()} of {here:#x}, which memory did not give"
                    )
                    return
                done += count


def _has(lane: int, data: bytes, at: int, wanted: bytes) -> bool:
    return at >= lane and data[at - lane : at - lane + len(wanted)] == wanted


def _carried_out(wire: Wire, old: int | None) -> int:
    head = wire.head
    if old is None:
        return -1
    if head["opcode"] == h.PktOp.FETCH_ADD:
        return old + head["operand"] & WORD
    return head["swap"] if old == head["operand"] else old
