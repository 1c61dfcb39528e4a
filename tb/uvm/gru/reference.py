"""What instructions do, said plainly: to a context's data segment and to its address space, all elements in order, nothing else
going on.

Promises: `execute` changes the two byte stores it is given as the instruction must have by its end, and returns how it must end.
Written from the instruction set (spec/gru.toml, rtl/gru headers), not from the steps of the RTL: whole vectors, no lines, no
pipeline.
Needs: byte stores with `read(address, count)` and `write(address, bytes)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hwif.fields import Line
from hwif.gen import gru as g

__all__ = ["Bytes", "Ending", "Instruction", "execute", "static_cause"]

SIZES: dict[int, int] = {g.CbXtype.B: 1, g.CbXtype.S: 2, g.CbXtype.W: 4, g.CbXtype.DW: 8, g.CbXtype.CL: 64}
VECTORS = (g.CbOpc.VLOAD, g.CbOpc.IVLOAD, g.CbOpc.VSTORE, g.CbOpc.IVSTORE, g.CbOpc.VSET, g.CbOpc.IVSET, g.CbOpc.BCOPY)
INDEXED = (g.CbOpc.IVLOAD, g.CbOpc.IVSTORE, g.CbOpc.IVSET)
ONE_OPERAND = (g.CbOpc.GAMIR, g.CbOpc.GAMIRR)
EXOPS: dict[int, set[int]] = {
    g.CbOpc.GAMIR: {g.ExopIr.FETCH, g.ExopIr.CLR, g.ExopIr.INC, g.ExopIr.DEC, g.ExopIr.QCHK1, g.ExopIr.QCHK2},
    g.CbOpc.GAMIRR: {g.ExopIr.FETCH, g.ExopIr.CLR, g.ExopIr.INC, g.ExopIr.DEC, g.ExopIr.DECZ},
    g.CbOpc.GAMER: {g.ExopEr.SWAP, g.ExopEr.OR, g.ExopEr.AND, g.ExopEr.XOR, g.ExopEr.ADD, g.ExopEr.CSWAP, g.ExopEr.CADD},
    g.CbOpc.GAMERR: {g.ExopEr.SWAP, g.ExopEr.OR, g.ExopEr.AND, g.ExopEr.XOR, g.ExopEr.ADD, g.ExopEr.CSWAP},
}
POLLS = (g.ExopEr.EPOLL, g.ExopEr.NPOLL)
QCHKS = (g.ExopIr.QCHK1, g.ExopIr.QCHK2)


class Bytes(Protocol):
    """A byte store."""

    def read(self, addr: int, count: int) -> bytes: ...
    def write(self, addr: int, data: bytes) -> None: ...


@dataclass(frozen=True)
class Ending:
    """`ecause`: bits, 0 without an exception of that kind; `limit`: QLIMIT_REACHED; `avalue`: None when it is not an atomic."""

    ecause: int = 0
    limit: bool = False
    avalue: int | None = None

    @property
    def istatus(self) -> g.CbIstatus:
        """How the control block ends."""
        return g.CbIstatus.EXCEPTION if self.ecause or self.limit else g.CbIstatus.IDLE


class Instruction:
    """A control block's line, taken apart."""

    def __init__(self, line: Line) -> None:
        get = g.Cb
        self.line = line
        self.opc, self.xtype, self.exop = get.opc.get(line), get.xtype.get(line), get.exopc.get(line)
        self.ima = get.ima.get(line)
        self.iaa0, self.iaa1 = get.iaa0.get(line), get.iaa1.get(line)
        self.tri0, self.tri1 = get.tri0.get(line), get.tri1_bufsize.get(line)
        self.first, self.second = get.baddr0.get(line), get.baddr1_op2.get(line)
        self.count, self.op1 = get.nelem.get(line), get.stride_op1.get(line)
        self.size = SIZES.get(self.xtype, 0)

    @property
    def unmapped(self) -> bool:
        """It goes by physical addresses."""
        return bool(self.ima & g.CbIma.UNMAPPED)

    @property
    def atomic(self) -> bool:
        """It is one of the atomics."""
        return self.opc in EXOPS

    def elements(self, dsr: Bytes) -> list[int]:
        """Address of each element of a vector, first of BCOPY's source."""
        if self.opc in INDEXED:
            indices = dsr.read(self.tri1, 8 * self.count)
            words = [int.from_bytes(indices[8 * i : 8 * i + 8], "little") for i in range(self.count)]
            return [self.first + index * self.size for index in words]
        stride = 1 if self.opc == g.CbOpc.BCOPY else self.op1
        return [self.first + i * stride * self.size for i in range(self.count)]

    def reads(self, dsr: Bytes) -> list[tuple[int, int]]:
        """Address and length of what it reads of the address space."""
        if self.opc in (g.CbOpc.VLOAD, g.CbOpc.IVLOAD, g.CbOpc.BCOPY):
            return [(at, self.size) for at in self.elements(dsr)]
        return []

    def writes(self, dsr: Bytes) -> list[tuple[int, int]]:
        """Address and length of what it writes, MESQ's lines aside."""
        if self.opc == g.CbOpc.BCOPY:
            return [(self.second, self.count * self.size)]
        if self.opc in (g.CbOpc.VSTORE, g.CbOpc.IVSTORE, g.CbOpc.VSET, g.CbOpc.IVSET):
            return [(at, self.size) for at in self.elements(dsr)]
        return [(self.first & -8, 8)] if self.atomic or self.opc == g.CbOpc.MESQ else []

    def stores(self) -> tuple[int, int]:
        """Place and length of what it takes out of the data segment."""
        if self.opc in (g.CbOpc.VSTORE, g.CbOpc.IVSTORE):
            return self.tri0, self.count * self.size
        return (self.tri0, self.count * g.LINE_BYTES) if self.opc == g.CbOpc.MESQ else (0, 0)

    def loads(self) -> tuple[int, int]:
        """Place and length of what it changes of the data segment."""
        if self.opc in (g.CbOpc.VLOAD, g.CbOpc.IVLOAD):
            return self.tri0, self.count * self.size
        return (self.tri0, self.tri1 * g.LINE_BYTES) if self.opc == g.CbOpc.BCOPY else (0, 0)


def static_cause(one: Instruction, dsr_bytes: int) -> int:
    """Exceptions that the line alone decides, as ecause bits; indices and unmapped addresses aside."""
    invalid, limit = 1 << g.CbEcause.INVALID_INSTRUCTION, 1 << g.CbEcause.DATA_SEGMENT_LIMIT_EXCEPTION
    if one.opc == g.CbOpc.NOP:
        return 0
    if one.opc in VECTORS:
        if not one.size:
            return invalid
    elif one.opc == g.CbOpc.MESQ:
        if one.xtype != g.CbXtype.CL:
            return invalid
    elif one.atomic:
        known = one.exop in EXOPS[one.opc] or (one.opc == g.CbOpc.GAMERR and one.exop in POLLS)
        if not known or one.xtype not in (g.CbXtype.DW, g.CbXtype.W):
            return invalid
        if one.opc == g.CbOpc.GAMIR and one.exop in QCHKS and one.xtype != g.CbXtype.DW:
            return invalid
        return invalid if one.first % one.size else 0
    else:
        return invalid
    if one.count == 0:
        return 0
    uses = one.opc in (g.CbOpc.VLOAD, g.CbOpc.IVLOAD, g.CbOpc.VSTORE, g.CbOpc.IVSTORE, g.CbOpc.BCOPY)
    if one.first % one.size or (uses and one.tri0 % one.size) or (one.opc in INDEXED and one.tri1 % 8):
        return invalid
    if one.opc == g.CbOpc.BCOPY and (not one.tri1 or one.second % one.size):
        return invalid
    length = one.tri1 * g.LINE_BYTES if one.opc == g.CbOpc.BCOPY else one.count * one.size
    return limit if uses and one.tri0 + length > dsr_bytes else 0


def execute(one: Instruction, dsr: Bytes, memory: Bytes, dsr_bytes: int) -> Ending:
    """Do it."""
    cause = static_cause(one, dsr_bytes)
    if cause or one.opc == g.CbOpc.NOP:
        return Ending(cause)
    if one.atomic:
        return _atomic(one, memory)
    if one.opc == g.CbOpc.MESQ:
        return _message(one, dsr, memory)
    size = one.size
    at = one.elements(dsr)
    if one.opc == g.CbOpc.BCOPY:
        memory.write(one.second, b"".join(memory.read(address, size) for address in at))
    elif one.opc in (g.CbOpc.VLOAD, g.CbOpc.IVLOAD):
        dsr.write(one.tri0, b"".join(memory.read(address, size) for address in at))
    elif one.opc in (g.CbOpc.VSTORE, g.CbOpc.IVSTORE):
        for place, address in enumerate(at):
            memory.write(address, dsr.read(one.tri0 + place * size, size))
    else:
        value = one.second.to_bytes(8, "little")
        element = value[:size] if size <= 8 else value * 8
        for address in at:
            memory.write(address, element)
    return Ending()


def _atomic(one: Instruction, memory: Bytes) -> Ending:
    size, mask = one.size, (1 << 8 * one.size) - 1
    old = int.from_bytes(memory.read(one.first, size), "little")
    new: int | None
    if one.opc in ONE_OPERAND:
        if one.exop in QCHKS:
            head, end = (old & 0xFFFF_FFFF) + (2 if one.exop == g.ExopIr.QCHK2 else 1), old >> 32
            if head > end:
                return Ending(limit=True, avalue=old)
            new = end << 32 | head
        else:
            new = {
                g.ExopIr.CLR: 0,
                g.ExopIr.INC: old + 1,
                g.ExopIr.DEC: old - 1,
                g.ExopIr.DECZ: old - 1 if old else None,
            }.get(one.exop)  # type: ignore[call-overload]
    elif one.opc == g.CbOpc.GAMERR and one.exop in POLLS:
        return Ending(avalue=one.op1 & mask if one.exop == g.ExopEr.EPOLL else old)
    else:
        same = old == one.second & mask
        new = {
            g.ExopEr.SWAP: one.op1,
            g.ExopEr.OR: old | one.op1,
            g.ExopEr.AND: old & one.op1,
            g.ExopEr.XOR: old ^ one.op1,
            g.ExopEr.ADD: old + one.op1,
            g.ExopEr.CSWAP: one.op1 if same else None,
            g.ExopEr.CADD: old + one.op1 if same else None,
        }.get(one.exop)  # type: ignore[call-overload]
    if new is not None:
        memory.write(one.first, (new & mask).to_bytes(size, "little"))
    return Ending(avalue=old)


def _message(one: Instruction, dsr: Bytes, memory: Bytes) -> Ending:
    if one.count == 0:
        return Ending()
    old = int.from_bytes(memory.read(one.first, 8), "little")
    head, end = old & 0xFFFF_FFFF, old >> 32
    if one.count >> 32 or head + one.count > end:
        return Ending(limit=True, avalue=old)
    memory.write(one.first, (end << 32 | head + one.count).to_bytes(8, "little"))
    length = one.count * g.LINE_BYTES
    memory.write(one.first + g.LINE_BYTES * head, dsr.read(one.tri0, length))
    return Ending(avalue=old)
