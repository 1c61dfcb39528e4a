"""Instructions of a control block, with the constructors of the user library's header.

Promises: an operand that does not fit its field raises ValueError. `nelem` and `stride` count elements of `xtype`; `tri0` and
`tri1` are byte offsets in the context's data segment; `ima` is a set of CbIma bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwif.fields import Line, new_line
from hwif.gen.gru import Cb, CbIstatus, CbOpc, CbXtype, ExopEr, ExopIr

__all__ = [
    "Instruction",
    "gru_bcopy",
    "gru_gamer",
    "gru_gamerr",
    "gru_gamir",
    "gru_gamirr",
    "gru_ivload",
    "gru_ivset",
    "gru_ivstore",
    "gru_mesq",
    "gru_nop",
    "gru_vload",
    "gru_vset",
    "gru_vstore",
]

_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: the operand fields of a control block."""

    opc: int
    exopc: int = 0
    xtype: int = 0
    ima: int = 0
    iaa0: int = 0
    iaa1: int = 0
    tri0: int = 0
    tri1_bufsize: int = 0
    baddr0: int = 0
    nelem: int = 0
    stride_op1: int = 0
    baddr1_op2: int = 0

    def words(self) -> Line:
        """The eight double-words that start it."""
        line = new_line()
        for field, value in (
            (Cb.icmd, 1),
            (Cb.istatus, CbIstatus.ACTIVE),
            (Cb.opc, self.opc),
            (Cb.exopc, self.exopc),
            (Cb.xtype, self.xtype),
            (Cb.ima, self.ima),
            (Cb.iaa0, self.iaa0),
            (Cb.iaa1, self.iaa1),
            (Cb.tri0, self.tri0),
            (Cb.tri1_bufsize, self.tri1_bufsize),
            (Cb.baddr0, self.baddr0),
            (Cb.nelem, self.nelem),
            (Cb.stride_op1, self.stride_op1 & _MASK),  # a stride may be negative
            (Cb.baddr1_op2, self.baddr1_op2 & _MASK),
        ):
            field.put(line, value)
        return line


def gru_nop(ima: int = 0) -> Instruction:
    """Nothing, and report it done."""
    return Instruction(CbOpc.NOP, ima=ima)


def gru_vload(mem_addr: int, tri0: int, xtype: CbXtype, nelem: int, stride: int = 1, ima: int = 0) -> Instruction:
    """Memory to data segment."""
    return Instruction(CbOpc.VLOAD, xtype=xtype, ima=ima, tri0=tri0, baddr0=mem_addr, nelem=nelem, stride_op1=stride)


def gru_vstore(mem_addr: int, tri0: int, xtype: CbXtype, nelem: int, stride: int = 1, ima: int = 0) -> Instruction:
    """Data segment to memory."""
    return Instruction(CbOpc.VSTORE, xtype=xtype, ima=ima, tri0=tri0, baddr0=mem_addr, nelem=nelem, stride_op1=stride)


def gru_ivload(mem_addr: int, tri0: int, tri1: int, xtype: CbXtype, nelem: int, ima: int = 0) -> Instruction:
    """Gather: element i comes from `mem_addr` plus the i-th 64-bit index at `tri1`, in elements."""
    return Instruction(CbOpc.IVLOAD, xtype=xtype, ima=ima, tri0=tri0, tri1_bufsize=tri1, baddr0=mem_addr, nelem=nelem)


def gru_ivstore(mem_addr: int, tri0: int, tri1: int, xtype: CbXtype, nelem: int, ima: int = 0) -> Instruction:
    """Scatter: as gru_ivload, from the data segment to memory."""
    return Instruction(CbOpc.IVSTORE, xtype=xtype, ima=ima, tri0=tri0, tri1_bufsize=tri1, baddr0=mem_addr, nelem=nelem)


def gru_vset(mem_addr: int, value: int, xtype: CbXtype, nelem: int, stride: int = 1, ima: int = 0) -> Instruction:
    """One value to many elements."""
    return Instruction(CbOpc.VSET, xtype=xtype, ima=ima, baddr0=mem_addr, nelem=nelem, stride_op1=stride, baddr1_op2=value)


def gru_ivset(mem_addr: int, tri1: int, value: int, xtype: CbXtype, nelem: int, ima: int = 0) -> Instruction:
    """One value to the elements the indices at `tri1` name."""
    return Instruction(CbOpc.IVSET, xtype=xtype, ima=ima, tri1_bufsize=tri1, baddr0=mem_addr, nelem=nelem, baddr1_op2=value)


def gru_bcopy(src: int, dest: int, tri0: int, xtype: CbXtype, nelem: int, bufsize: int, ima: int = 0) -> Instruction:
    """Memory to memory, through a buffer of `bufsize` lines at `tri0` of the data segment."""
    return Instruction(CbOpc.BCOPY, xtype=xtype, ima=ima, tri0=tri0, tri1_bufsize=bufsize, baddr0=src, nelem=nelem, baddr1_op2=dest)


def gru_gamir(exopc: ExopIr, src: int, xtype: CbXtype, ima: int = 0) -> Instruction:
    """Atomic with an implied operand; the old value comes back as `avalue`."""
    return Instruction(CbOpc.GAMIR, exopc, xtype, ima, baddr0=src)


def gru_gamirr(exopc: ExopIr, src: int, xtype: CbXtype, ima: int = 0) -> Instruction:
    """As gru_gamir, for addresses with a remote atomic unit."""
    return Instruction(CbOpc.GAMIRR, exopc, xtype, ima, baddr0=src)


def gru_gamer(exopc: ExopEr, src: int, xtype: CbXtype, operand1: int, operand2: int, ima: int = 0) -> Instruction:
    """Atomic with explicit operands; the old value comes back as `avalue`."""
    return Instruction(CbOpc.GAMER, exopc, xtype, ima, baddr0=src, stride_op1=operand1, baddr1_op2=operand2)


def gru_gamerr(exopc: ExopEr, src: int, xtype: CbXtype, operand1: int, operand2: int, ima: int = 0) -> Instruction:
    """As gru_gamer, for addresses with a remote atomic unit."""
    return Instruction(CbOpc.GAMERR, exopc, xtype, ima, baddr0=src, stride_op1=operand1, baddr1_op2=operand2)


def gru_mesq(queue: int, tri0: int, nelem: int, ima: int = 0) -> Instruction:
    """Append `nelem` lines at `tri0` to a message queue."""
    return Instruction(CbOpc.MESQ, xtype=CbXtype.CL, ima=ima, tri0=tri0, baddr0=queue, nelem=nelem)
