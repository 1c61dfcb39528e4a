"""A packet on the wire: the header of spec/hca.toml as attributes, and its payload.

Promises: attribute names are those of the structure `packet`; a packet is not changed once it is sent.
"""

from __future__ import annotations

from hwif.gen.hca import ENTRY_BYTES, PSN_WIDTH, PktOp

__all__ = ["ANSWERS", "ATOMICS", "PSN_MASK", "REQUESTS", "Packet", "flits_of", "psn_ahead"]

PSN_MASK = (1 << PSN_WIDTH) - 1
ATOMICS = frozenset((int(PktOp.CMP_SWAP), int(PktOp.FETCH_ADD)))
REQUESTS = frozenset((int(PktOp.SEND), int(PktOp.WRITE), int(PktOp.READ_REQ))) | ATOMICS
ANSWERS = frozenset((int(PktOp.READ_RESP), int(PktOp.ATOMIC_RESP), int(PktOp.ACK), int(PktOp.NAK)))


class Packet:
    """Header and payload."""

    __slots__ = (
        *("opcode", "first", "last", "ack_req", "syndrome", "length", "dest_qpn", "src_qpn", "psn", "msn", "va", "rkey", "rest"),
        *("offset", "ssn", "operand", "swap", "payload", "broken"),
    )

    def __init__(self, opcode: int, dest_qpn: int, src_qpn: int, psn: int, msn: int) -> None:
        self.opcode = opcode
        self.dest_qpn = dest_qpn
        self.src_qpn = src_qpn
        self.psn = psn
        self.msn = msn
        self.first = self.last = True
        self.ack_req = False
        self.syndrome = self.length = self.va = self.rkey = self.rest = self.offset = self.ssn = self.operand = self.swap = 0
        self.payload = b""
        self.broken = False
        """The wire, or the sender's memory, spoilt it: its CRC is wrong."""


def flits_of(length: int) -> int:
    """Flits of a packet with `length` bytes of payload."""
    return 1 + (length + ENTRY_BYTES - 1) // ENTRY_BYTES


def psn_ahead(psn: int, base: int) -> int:
    """psn - base, signed, in 24 bits."""
    ahead = (psn - base) & PSN_MASK
    return ahead - (PSN_MASK + 1) if ahead >> (PSN_WIDTH - 1) else ahead
