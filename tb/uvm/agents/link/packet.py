"""Packets as they cross the link: a header flit and its payload, a CRC beside the last flit.

Promises: `flits` and `Assembler` are each other's inverse. Field names are those of hca.Packet; `packet` fills in what a header
must say of itself (length).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from hwif.gen import hca as h
from tb.hil.hca_lines import Entry, entry_of, line_of, raw_of

__all__ = ["FLIT", "Assembler", "Flit", "Wire", "flits", "packet"]

FLIT = h.ENTRY_BYTES
LONGEST = 1 + (1 << h.MTU_SHIFT_MAX) // FLIT + 1  # flits after which nobody waits for the end


@dataclass(frozen=True)
class Flit:
    """One beat of the link."""

    data: bytes
    sop: bool
    eop: bool
    crc: int


@dataclass(frozen=True)
class Wire:
    """A packet that crossed the link. `outbound`: out of the device. `good`: its CRC is right and it has its header's flits."""

    cycle: int
    outbound: bool
    head: Entry
    payload: bytes
    good: bool
    flits: int = 1

    @property
    def opcode(self) -> int:
        """PktOp."""
        return self.head["opcode"]


def packet(opcode: int, payload: bytes = b"", **fields: int) -> tuple[Entry, bytes]:
    """Header and payload."""
    head = {"opcode": int(opcode), "first": 1, "last": 1, "length": len(payload), **fields}
    return entry_of(h.Packet, raw_of(line_of(h.Packet, **head))), payload


def flits(head: Entry, payload: bytes, *, crc: int = 0, count: int | None = None) -> list[Flit]:
    """Of a packet. `crc` turns bits of the right one; `count`: so many flits instead of the right number (at least one)."""
    padded = payload + bytes(-len(payload) % FLIT)
    lines = [raw_of(line_of(h.Packet, **head)), *(padded[at : at + FLIT] for at in range(0, len(padded), FLIT))]
    if count is not None:
        lines = (lines + [bytes(FLIT)] * count)[:count]
    right = zlib.crc32(b"".join(lines))
    last = len(lines) - 1
    return [Flit(line, at == 0, at == last, right ^ crc if at == last else 0) for at, line in enumerate(lines)]


class Assembler:
    """Flits of one direction become packets."""

    def __init__(self, *, outbound: bool) -> None:
        self._outbound = outbound
        self._lines: list[bytes] = []

    def feed(self, cycle: int, flit: Flit) -> Wire | None:
        """The packet that ends with this flit."""
        if flit.sop:
            self._lines = []
        if len(self._lines) < LONGEST:
            self._lines.append(flit.data)
        if not flit.eop:
            return None
        lines, self._lines = self._lines, []
        head = entry_of(h.Packet, lines[0])
        whole = b"".join(lines)
        good = zlib.crc32(whole) == flit.crc and len(lines) == 1 + -(-head["length"] // FLIT)
        return Wire(cycle, self._outbound, head, whole[FLIT : FLIT + head["length"]], good, len(lines))
