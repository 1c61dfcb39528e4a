"""Random instructions for one control block, inside what is its own: a run of bytes of its space, a part of its data segment.

Promises: what it draws is legal but for the odds of `mistakes`; the effect of one instruction does not depend on any other
control block.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from hwif.fields import Line, new_line
from hwif.gen import gru as g
from tb.uvm.gru.reference import EXOPS, SIZES

__all__ = ["ALL_OPCODES", "Plot", "draw", "instruction"]

ALL_OPCODES = (
    g.CbOpc.NOP,
    g.CbOpc.BCOPY,
    g.CbOpc.VLOAD,
    g.CbOpc.IVLOAD,
    g.CbOpc.VSTORE,
    g.CbOpc.IVSTORE,
    g.CbOpc.VSET,
    g.CbOpc.IVSET,
    g.CbOpc.MESQ,
    g.CbOpc.GAMIR,
    g.CbOpc.GAMIRR,
    g.CbOpc.GAMER,
    g.CbOpc.GAMERR,
)
XTYPES = tuple(SIZES)
INDICES = 16  # of an indexed vector, at most


@dataclass(frozen=True)
class Plot:
    """`start`, `length`: bytes of the space; `dsr`, `dsr_length`: of the data segment. The queue of MESQ is the second half."""

    start: int
    length: int
    dsr: int
    dsr_length: int

    @property
    def queue(self) -> int:
        """Where its message queue is."""
        return self.start + self.length // 2


def instruction(opc: int, *, xtype: int = g.CbXtype.DW, **fields: int) -> Line:
    """A control block's line, by field names; ready to be written."""
    line = new_line()
    g.Cb.icmd.put(line, 1)
    g.Cb.istatus.put(line, g.CbIstatus.ACTIVE)
    g.Cb.opc.put(line, opc)
    g.Cb.xtype.put(line, xtype)
    for name, value in fields.items():
        getattr(g.Cb, name).put(line, value)
    return line


def draw(rng: random.Random, plot: Plot, opc: g.CbOpc, longest: int) -> tuple[Line, list[int]]:
    """A line, and the indices that must be in the data segment at `tri1_bufsize` first."""
    if opc in EXOPS:
        word = rng.random() < 0.5
        exops = sorted(EXOPS[opc])
        if word and opc == g.CbOpc.GAMIR:
            exops = [exop for exop in exops if exop not in (g.ExopIr.QCHK1, g.ExopIr.QCHK2)]
        at = plot.start + 8 * rng.randrange(plot.length // 16) + (4 * rng.randrange(2) if word else 0)
        operands = {"stride_op1": rng.getrandbits(64), "baddr1_op2": rng.getrandbits(64)}
        operands |= {"exopc": rng.choice(exops), "baddr0": at}
        return instruction(opc, xtype=g.CbXtype.W if word else g.CbXtype.DW, **operands), []
    if opc == g.CbOpc.NOP:
        return instruction(opc), []
    if opc == g.CbOpc.MESQ:
        count = rng.randint(1, 3)
        return instruction(opc, xtype=g.CbXtype.CL, baddr0=plot.queue, nelem=count, tri0=plot.dsr), []
    xtype = rng.choice(XTYPES)
    size = SIZES[xtype]
    most = max(1, min(longest, plot.dsr_length // 2) // size)
    half = plot.length // 2
    if opc == g.CbOpc.BCOPY:
        count = rng.randint(1, max(1, min(longest * 4, half) // size))
        source = plot.start + size * rng.randrange((half - count * size) // size + 1)
        target = plot.queue + size * rng.randrange((half - count * size) // size + 1)
        lines = rng.randint(1, max(1, plot.dsr_length // g.LINE_BYTES))
        fields = {"baddr0": source, "baddr1_op2": target, "nelem": count, "tri0": plot.dsr, "tri1_bufsize": lines}
        return instruction(opc, xtype=xtype, **fields), []
    if opc in (g.CbOpc.IVLOAD, g.CbOpc.IVSTORE, g.CbOpc.IVSET):
        count = rng.randint(1, min(INDICES, most))
        indices = [rng.randrange(half // size) for _ in range(count)]
        table = plot.dsr + plot.dsr_length - 8 * INDICES
        fields = {"baddr0": plot.start, "nelem": count, "tri0": plot.dsr, "tri1_bufsize": table, "baddr1_op2": rng.getrandbits(64)}
        return instruction(opc, xtype=xtype, **fields), indices
    stride = 1 if rng.random() < 0.7 else rng.randint(0, 5)
    count = rng.randint(1, most if stride == 1 else min(most, 12))
    reach = size * (stride * (count - 1) + 1)
    start = plot.start + size * rng.randrange(max(1, (plot.length - reach) // size))
    tri0 = plot.dsr + size * rng.randrange(max(1, (plot.dsr_length // 2 - count * size) // size + 1))
    fields = {"baddr0": start, "nelem": count, "tri0": tri0, "stride_op1": stride, "baddr1_op2": rng.getrandbits(64)}
    return instruction(opc, xtype=xtype, **fields), []
