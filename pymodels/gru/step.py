"""One step of an instruction: from its state to the access it makes next, and the state after that access.

Promises: accesses are cut as the RTL cuts them (one memory line, one data segment line, one run of elements); what is wrong with an
  instruction is found in the same order and ends it with the same cause.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.jit import inner
from pymodels.gru.layout import (
    A_ASID,
    A_BYTES,
    A_CTX,
    A_DONE,
    A_DSR,
    A_ECAUSE,
    A_ER,
    A_EXOPC,
    A_IAA,
    A_INT,
    A_KIND,
    A_MAPPED,
    A_MESQ,
    A_OP1,
    A_SET,
    A_SIZES,
    A_VA,
    A_WORD,
    A_WPERM,
    AMO,
    C_UNMAP,
    DSR_BYTES,
    DSR_UNIT_SHIFT,
    DSR_UNITS,
    EC_DSR,
    EC_IAA,
    EC_INVALID,
    EC_UNMAPPED,
    ER_ADD,
    ER_AND,
    ER_CADD,
    ER_CSWAP,
    ER_EPOLL,
    ER_NPOLL,
    ER_OR,
    ER_SWAP,
    ER_XOR,
    IMA_INTERRUPT,
    IMA_UNMAPPED,
    IR_CLR,
    IR_DEC,
    IR_DECZ,
    IR_FETCH,
    IR_INC,
    IR_QCHK1,
    IR_QCHK2,
    LINE,
    LOCAL,
    M_IDEF1,
    M_IDEF2,
    M_IDEF3,
    M_IDEF4,
    M_IDEF5,
    M_IDEF6,
    N_IDEF1,
    N_IDEF2,
    N_IDEF3,
    N_IDEF4,
    N_IDEF5,
    N_IDEF6,
    OP_BCOPY,
    OP_GAMER,
    OP_GAMERR,
    OP_GAMIR,
    OP_GAMIRR,
    OP_IVLOAD,
    OP_IVSET,
    OP_IVSTORE,
    OP_MESQ,
    OP_NOP,
    OP_VLOAD,
    OP_VSET,
    OP_VSTORE,
    READ,
    S_EXOPC,
    S_IAA0,
    S_IAA1,
    S_IDEF2,
    S_IDEF4,
    S_IDEF5,
    S_IMA,
    S_OPC,
    S_XTYPE,
    WRITE,
    X_B,
    X_CL,
    X_DW,
    X_S,
    X_W,
)

TRI = (1 << 22) - 1  # offsets in the data segment
BUFFER_LIMIT = DSR_BYTES // LINE  # lines a BCOPY may buffer
UNIT_MASK = DSR_UNITS - 1


@inner
def exop_valid(opc: int, exopc: int, dword: bool) -> bool:
    """Does this atomic exist?"""
    if opc in (OP_GAMIR, OP_GAMIRR):
        if exopc in (IR_FETCH, IR_CLR, IR_INC, IR_DEC):
            return True
        if exopc in (IR_QCHK1, IR_QCHK2):
            return dword and opc == OP_GAMIR
        return exopc == IR_DECZ and opc == OP_GAMIRR
    if exopc in (ER_SWAP, ER_OR, ER_AND, ER_XOR, ER_ADD, ER_CSWAP):
        return True
    if exopc == ER_CADD:
        return opc == OP_GAMER
    return exopc in (ER_EPOLL, ER_NPOLL) and opc == OP_GAMERR


@inner
def log_size(xtype: int) -> int:
    """Log2 of an element's bytes; -1 for a type that does not exist."""
    if xtype == X_B:
        return 0
    if xtype == X_S:
        return 1
    if xtype == X_W:
        return 2
    if xtype == X_DW:
        return 3
    if xtype == X_CL:
        return 6
    return -1


@inner
def step(st: Any, cbr: int, ctx: int, index: int, index_ok: int) -> None:
    """Fill the control block's row of `acc`."""
    ins = st.ins[cbr]
    acc = st.acc[cbr]
    opc = ins[S_OPC]
    load = opc in (OP_VLOAD, OP_IVLOAD)
    store = opc in (OP_VSTORE, OP_IVSTORE)
    fill = opc in (OP_VSET, OP_IVSET)
    indexed = opc in (OP_IVLOAD, OP_IVSTORE, OP_IVSET)
    bcopy = opc == OP_BCOPY
    mesq = opc == OP_MESQ
    er = opc in (OP_GAMER, OP_GAMERR)
    amo = er or opc in (OP_GAMIR, OP_GAMIRR)
    lg = log_size(ins[S_XTYPE])
    x_ok = lg >= 0
    lg = max(lg, 0)
    dword = ins[S_XTYPE] == X_DW

    valid = opc == OP_NOP
    if load or store or fill or bcopy:
        valid = x_ok
    elif mesq:
        valid = ins[S_XTYPE] == X_CL
    elif amo:
        valid = exop_valid(opc, ins[S_EXOPC], dword) and (dword or ins[S_XTYPE] == X_W)

    # BCOPY fills its buffer, then empties it: emptying when a part has left, the buffer is full, or the source is done.
    end = (ins[S_IDEF2] + ((ins[S_IDEF4] & 0xFFFF) << 6)) & TRI
    draining = ins[M_IDEF4] != ins[S_IDEF2] or ins[M_IDEF2] == end or ins[M_IDEF6] == 0
    reserving = mesq and ins[M_IDEF4] & 1 == 0
    emptying = bcopy and draining
    writing = store or fill or emptying or (mesq and not reserving)
    uses_dsr = load or store or bcopy or (mesq and not reserving)
    unit = bcopy or mesq or (not indexed and ins[S_IDEF5] == 1)

    va = ins[M_IDEF1]
    if indexed:
        va += index << lg
    elif emptying:
        va = ins[M_IDEF3]
    pos = ins[M_IDEF4] if emptying else ins[M_IDEF2]

    remain = ins[M_IDEF6] if bcopy and not draining else ins[M_IDEF5]
    length = 1 << lg
    if unit:
        length = 64 - (va & 63)
        if uses_dsr:
            length = min(length, 64 - (pos & 63))
        if bcopy:
            room = ((ins[M_IDEF2] - ins[M_IDEF4]) if draining else (end - ins[M_IDEF2])) & TRI
            length = min(length, room)
        if 0 <= remain < 128:
            length = min(length, remain << lg)
    count = length >> lg

    low = (1 << lg) - 1
    misaligned = va & low != 0 or (uses_dsr and pos & low != 0) or (indexed and ins[M_IDEF4] & 7 != 0)
    if bcopy and ins[S_IDEF4] == 0:
        misaligned = True
    dsr_unit = pos >> DSR_UNIT_SHIFT
    dsr_ok = dsr_unit < st.dsr_n[ctx]
    unmapped = ins[S_IMA] & IMA_UNMAPPED != 0
    iaa = ins[S_IAA1] if emptying else ins[S_IAA0]

    ends = True
    ecause = 0
    if not valid:
        ecause = EC_INVALID
    elif opc == OP_NOP:
        ecause = 0
    elif unmapped and st.cfg[ctx, C_UNMAP] == 0:
        ecause = EC_UNMAPPED
    elif not amo and ins[M_IDEF5] == 0:
        ecause = 0
    elif indexed and index_ok == 0:
        ecause = EC_DSR
    elif misaligned:
        ecause = EC_INVALID
    elif (uses_dsr and not dsr_ok) or (bcopy and ins[S_IDEF4] > BUFFER_LIMIT):
        ecause = EC_DSR
    elif unmapped and (va >> 62) & 3 != iaa:
        ecause = EC_IAA
    else:
        ends = False

    _following(ins, acc, reserving, bcopy, draining, amo, uses_dsr, indexed, unit, length, count, lg)

    if ends:
        acc[A_KIND] = LOCAL
    elif amo or reserving:
        acc[A_KIND] = AMO
    else:
        acc[A_KIND] = WRITE if writing else READ
    last = remain == count and (not bcopy or draining)
    acc[A_DONE] = ends or amo or (not reserving and last)
    acc[A_SET] = fill
    reads_only = amo and (ins[S_EXOPC] in (ER_EPOLL, ER_NPOLL) if er else ins[S_EXOPC] == IR_FETCH)
    acc[A_WPERM] = writing or reserving or (amo and not reads_only)
    acc[A_INT] = ins[S_IMA] & IMA_INTERRUPT != 0
    acc[A_MESQ] = reserving
    acc[A_ER] = er
    acc[A_WORD] = amo and not dword
    acc[A_EXOPC] = ins[S_EXOPC]
    acc[A_OP1] = pattern(ins[M_IDEF6], lg) if fill else ins[S_IDEF5]
    acc[A_ECAUSE] = ecause
    acc[A_IAA] = iaa
    acc[A_MAPPED] = not unmapped
    acc[A_CTX] = ctx
    region = (va >> 61) & 7
    acc[A_ASID] = st.region_asid[ctx, region]
    acc[A_SIZES] = st.region_sizes[ctx, region]
    acc[A_VA] = va
    acc[A_BYTES] = length
    acc[A_DSR] = (st.dsr_units[ctx, dsr_unit & UNIT_MASK] << DSR_UNIT_SHIFT) + (pos & ((1 << DSR_UNIT_SHIFT) - 1))


@inner
def _following(
    ins: Any,
    acc: Any,
    reserving: bool,
    bcopy: bool,
    draining: bool,
    amo: bool,
    uses_dsr: bool,
    indexed: bool,
    unit: bool,
    length: int,
    count: int,
    lg: int,
) -> None:
    """The moving part of the instruction once the access is over."""
    idef1 = ins[M_IDEF1]
    idef2 = ins[M_IDEF2]
    idef3 = ins[M_IDEF3]
    idef4 = ins[M_IDEF4]
    idef5 = ins[M_IDEF5]
    idef6 = ins[M_IDEF6]
    if reserving:
        idef4 = 1
    elif bcopy:
        if draining:
            idef3 += length
            idef5 -= count
            idef4 = (idef4 + length) & TRI
            if idef4 == idef2:
                idef4 = ins[S_IDEF2]
                idef2 = ins[S_IDEF2]
        else:
            idef1 += length
            idef6 -= count
            idef2 = (idef2 + length) & TRI
    elif not amo:
        idef5 -= count
        if uses_dsr:
            idef2 = (idef2 + length) & TRI
        if indexed:
            idef4 = (idef4 + 8) & TRI
        elif unit:
            idef1 += length
        else:
            idef1 += ins[S_IDEF5] << lg
    acc[N_IDEF1] = idef1
    acc[N_IDEF2] = idef2
    acc[N_IDEF3] = idef3
    acc[N_IDEF4] = idef4
    acc[N_IDEF5] = idef5
    acc[N_IDEF6] = idef6


@inner
def pattern(value: int, lg: int) -> int:
    """The value of VSET, repeated to eight bytes."""
    if lg == 0:
        return (value & 0xFF) * 0x0101010101010101
    if lg == 1:
        return (value & 0xFFFF) * 0x0001000100010001
    if lg == 2:
        return (value & 0xFFFFFFFF) * 0x0000000100000001
    return value
