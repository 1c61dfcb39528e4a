"""What an instruction of the fake GRU does next: one memory access at a time, with all progress in the extension.

So that a context can be saved and restored in the middle: an access is a function of the control block, its extension and the
data segment, and nothing else is remembered. One element an access, no coalescing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hwif.fields import Line
from hwif.gen.gru import Cb, Cbe, CbOpc, CbXtype, ExopEr, ExopIr

MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Access:
    """`nbytes` at `vaddr`. `kind`: "load" to `dsr`, "store" of `data`, or "atomic" with `update`."""

    kind: str
    vaddr: int
    nbytes: int
    dsr: int = 0
    data: bytes = b""
    update: Callable[[int], int] | None = None

    @property
    def write(self) -> bool:
        return self.kind != "load"


def element_bytes(line: Line) -> int:
    xtype = Cb.xtype.get(line)
    return 64 if xtype == CbXtype.CL else 1 << xtype


def begin(cb: Line, cbe: Line) -> bool:
    """Load the extension from a control block that starts. False: no such instruction."""
    for target, source in (
        (Cbe.opccpy, Cb.opc),
        (Cbe.exopccpy, Cb.exopc),
        (Cbe.xtypecpy, Cb.xtype),
        (Cbe.imacpy, Cb.ima),
        (Cbe.idef1upd, Cb.baddr0),
        (Cbe.idef3upd, Cb.baddr1_op2),
        (Cbe.idef5cpy, Cb.stride_op1),
        (Cbe.idef5upd, Cb.nelem),
        (Cbe.idef6cpy, Cb.nelem),
    ):
        target.put(cbe, source.get(cb))
    Cbe.ecause.put(cbe, 0)
    if Cb.opc.get(cb) in (CbOpc.GAMIR, CbOpc.GAMIRR, CbOpc.GAMER, CbOpc.GAMERR):
        Cbe.idef5upd.put(cbe, 1)
        return True
    known = (CbOpc.NOP, CbOpc.VLOAD, CbOpc.VSTORE, CbOpc.IVLOAD, CbOpc.IVSTORE, CbOpc.VSET, CbOpc.IVSET, CbOpc.BCOPY)
    if Cb.opc.get(cb) == CbOpc.NOP:
        Cbe.idef5upd.put(cbe, 0)
    return Cb.opc.get(cb) in known


def next_access(cb: Line, cbe: Line, dsr: Callable[[int, int], bytes]) -> Access | None:
    """The access that is due, None when the instruction is over. `dsr(offset, n)` reads the data segment."""
    left = Cbe.idef5upd.get(cbe)
    if left == 0:
        return None
    opc, size, tri0 = Cb.opc.get(cb), element_bytes(cb), Cb.tri0.get(cb)
    if opc == CbOpc.BCOPY:
        if Cbe.idef6cpy.get(cbe) == left:
            return Access("load", Cbe.idef1upd.get(cbe), size, tri0)
        return Access("store", Cbe.idef3upd.get(cbe), size, data=dsr(tri0, size))
    if opc in (CbOpc.GAMIR, CbOpc.GAMIRR, CbOpc.GAMER, CbOpc.GAMERR):
        return Access("atomic", Cb.baddr0.get(cb), size, update=_update(cb, (1 << 8 * size) - 1))
    index = Cb.nelem.get(cb) - left
    if opc in (CbOpc.IVLOAD, CbOpc.IVSTORE, CbOpc.IVSET):
        offset = int.from_bytes(dsr(Cb.tri1_bufsize.get(cb) + 8 * index, 8), "little")
    else:
        offset = index * Cb.stride_op1.get(cb)
    vaddr = (Cb.baddr0.get(cb) + offset * size) & MASK
    if opc in (CbOpc.VLOAD, CbOpc.IVLOAD):
        return Access("load", vaddr, size, tri0 + index * size)
    if opc in (CbOpc.VSTORE, CbOpc.IVSTORE):
        return Access("store", vaddr, size, data=dsr(tri0 + index * size, size))
    return Access("store", vaddr, size, data=(Cb.baddr1_op2.get(cb) & (1 << 8 * size) - 1).to_bytes(size, "little"))


def _update(cb: Line, mask: int) -> Callable[[int], int]:
    op1, op2 = Cb.stride_op1.get(cb), Cb.baddr1_op2.get(cb)
    implied = {
        ExopIr.FETCH: lambda old: old,
        ExopIr.CLR: lambda old: 0,
        ExopIr.INC: lambda old: old + 1,
        ExopIr.DEC: lambda old: old - 1,
    }
    explicit = {
        ExopEr.SWAP: lambda old: op1,
        ExopEr.OR: lambda old: old | op1,
        ExopEr.AND: lambda old: old & op1,
        ExopEr.XOR: lambda old: old ^ op1,
        ExopEr.ADD: lambda old: old + op1,
        ExopEr.CSWAP: lambda old: op1 if old == op2 else old,
    }
    exop = Cb.exopc.get(cb)
    table: dict[int, Callable[[int], int]] = dict(implied if Cb.opc.get(cb) in (CbOpc.GAMIR, CbOpc.GAMIRR) else explicit)
    return lambda old: table[exop](old) & mask


def finish(cb: Line, cbe: Line) -> None:
    """The access that was due is over."""
    size, left = element_bytes(cb), Cbe.idef5upd.get(cbe)
    if Cb.opc.get(cb) == CbOpc.BCOPY and Cbe.idef6cpy.get(cbe) == left:
        Cbe.idef6cpy.put(cbe, left - 1)
        Cbe.idef1upd.put(cbe, (Cbe.idef1upd.get(cbe) + size) & MASK)
        return
    if Cb.opc.get(cb) == CbOpc.BCOPY:
        Cbe.idef3upd.put(cbe, (Cbe.idef3upd.get(cbe) + size) & MASK)
    Cbe.idef5upd.put(cbe, left - 1)
