"""Control blocks and their extensions: the instruction lines, what software reads of them, and the status a user spins on.

Promises: as rtl/gru/gru_cb.sv and gru_cbe_view.sv; a write to a control block or CBE with an instruction in progress has no effect.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.bits import add, drop, has
from pymodels.gru.jit import inner, put, take
from pymodels.gru.layout import (
    CB_AVALUE,
    CB_BADDR0,
    CB_BADDR1,
    CB_COLOR,
    CB_EXOPC,
    CB_IAA0,
    CB_IAA1,
    CB_ICMD,
    CB_IMA,
    CB_ISTATUS,
    CB_ISUB,
    CB_NELEM,
    CB_OPC,
    CB_STRIDE,
    CB_TRI0,
    CB_TRI1,
    CB_XTYPE,
    CBE_BADDR0,
    CBE_BADDR1,
    CBE_ECAUSE,
    CBE_EXOPC,
    CBE_EXS,
    CBE_IAA0,
    CBE_IAA1,
    CBE_IMA,
    CBE_NELEM,
    CBE_OP1,
    CBE_OPC,
    CBE_STATE,
    CBE_TRI0,
    CBE_TRI0_NOW,
    CBE_TRI1,
    CBE_TRI1_NOW,
    CBE_VALUE,
    CBE_XTYPE,
    CS_BUSY,
    CS_BUSY_FMM,
    CS_BUSY_UPM,
    CS_CHECK,
    CS_IDLE,
    CS_INACTIVE,
    CS_INT_FMM,
    CS_INT_UPM,
    CS_INTERRUPTED,
    CS_ISSUE,
    CS_QUEUED,
    CS_WAIT,
    IMA_INTERRUPT,
    IS_ACTIVE,
    IS_EXCEPTION,
    M_IDEF1,
    M_IDEF2,
    M_IDEF3,
    M_IDEF4,
    M_IDEF5,
    M_IDEF6,
    OP_BCOPY,
    OP_MESQ,
    S_EXOPC,
    S_IAA0,
    S_IAA1,
    S_IDEF2,
    S_IDEF4,
    S_IDEF5,
    S_IMA,
    S_OPC,
    S_XTYPE,
    XS_CBINT,
    XS_EXCEPTION,
    XS_INT,
    XS_INVAL,
    XS_PENDING,
    XS_QUEUED,
)

# Bits of double-word 0 the device answers for.
STATUS_BITS = (CB_ICMD[2] << CB_ICMD[1]) | (CB_ISTATUS[2] << CB_ISTATUS[1]) | (CB_ISUB[2] << CB_ISUB[1]) | (-1 << CB_COLOR[1])


@inner
def read_cb(st: Any, cbr: int, dw: int) -> int:
    """A double-word of a control block."""
    if dw == CB_AVALUE[0]:
        return st.avalue[cbr]
    word = st.row[cbr, dw]
    if dw == 0:
        word &= ~STATUS_BITS
        word |= put(has(st.active, cbr) | has(st.restored, cbr), CB_ICMD)
        word |= put(st.istatus[cbr], CB_ISTATUS) | put(st.sub[cbr], CB_ISUB) | put(has(st.color, cbr), CB_COLOR)
    return word


@inner
def read_cbe(st: Any, cbr: int, dw: int) -> int:
    """A double-word of a control block extension."""
    ins = st.ins[cbr]
    if dw == 0:
        word = put(ins[S_IMA], CBE_IMA) | put(ins[S_XTYPE], CBE_XTYPE) | put(ins[S_IAA0], CBE_IAA0) | put(ins[S_IAA1], CBE_IAA1)
        return word | put(ins[S_OPC], CBE_OPC) | put(ins[S_EXOPC], CBE_EXOPC) | put(ins[S_IDEF2], CBE_TRI0)
    if dw == 1:
        return put(ins[S_IDEF4], CBE_TRI1) | put(ins[M_IDEF4], CBE_TRI1_NOW)
    if dw == CBE_BADDR0[0]:
        return ins[M_IDEF1]
    if dw == CBE_OP1[0]:
        return ins[S_IDEF5]
    if dw == CBE_VALUE[0]:
        return ins[M_IDEF6]
    if dw == CBE_BADDR1[0]:
        return ins[M_IDEF3]
    if dw == CBE_NELEM[0]:
        return ins[M_IDEF5]
    word = put(ins[M_IDEF2], CBE_TRI0_NOW) | put(st.ecause[cbr], CBE_ECAUSE)
    return word | put(_state(st, cbr), CBE_STATE) | put(_execution(st, cbr), CBE_EXS)


@inner
def _state(st: Any, cbr: int) -> int:
    """cbrstate, derived from what the engine does."""
    if has(st.alloc, cbr) == 0:
        return CS_INACTIVE
    if has(st.restored, cbr) != 0:
        return CS_INTERRUPTED
    if has(st.active, cbr) == 0:
        return CS_IDLE
    stopping = has(st.stopping, cbr) != 0
    if has(st.run, cbr) != 0:
        if has(st.ready, cbr) != 0:
            return CS_QUEUED
        if has(st.look, cbr) != 0:
            return CS_CHECK
        return CS_ISSUE if has(st.busy, cbr) != 0 else CS_WAIT
    if has(st.fmm, cbr) != 0:
        return CS_BUSY_FMM if stopping else CS_INT_FMM
    if has(st.upm, cbr) != 0:
        return CS_BUSY_UPM if stopping else CS_INT_UPM
    return CS_BUSY if has(st.busy, cbr) != 0 else CS_INTERRUPTED


@inner
def _execution(st: Any, cbr: int) -> int:
    """cbrexecstatus."""
    bits = 0
    if has(st.active, cbr) != 0:
        bits |= XS_PENDING
        if has(st.run, cbr) == 0:
            bits |= XS_INT
        if st.ins[cbr, S_IMA] & IMA_INTERRUPT != 0:
            bits |= XS_CBINT
    if has(st.ready, cbr) != 0:
        bits |= XS_QUEUED
    if has(st.inval, cbr) != 0:
        bits |= XS_INVAL
    if st.istatus[cbr] == IS_EXCEPTION:
        bits |= XS_EXCEPTION
    return bits


@inner
def write_cb(st: Any, cbr: int, dw: int, data: int, running: int) -> None:
    """A double-word of a control block without an instruction in progress; `running`: its context is started."""
    if dw == CB_AVALUE[0]:
        st.avalue[cbr] = data
        return
    st.row[cbr, dw] = data
    if dw != 0:
        return
    if running == 0:  # a restored status
        st.istatus[cbr] = take(data, CB_ISTATUS)
        st.sub[cbr] = take(data, CB_ISUB)
        drop(st.color, cbr)
        if take(data, CB_COLOR) != 0:
            add(st.color, cbr)
    if take(data, CB_ICMD) != 0:  # at once, or at START: no user need know that its context is being interrupted
        st.go_start = 1
        st.start_cbr = cbr
        st.held = 1 - running
        drop(st.inval, cbr)
        if running == 0:
            add(st.restored, cbr)
        else:
            drop(st.restored, cbr)
            add(st.active, cbr)
            st.istatus[cbr] = IS_ACTIVE


@inner
def write_cbe(st: Any, cbr: int, dw: int, data: int, running: int) -> None:
    """A double-word of the extension of a control block without an instruction in progress."""
    ins = st.ins[cbr]
    if dw == 0:
        ins[S_IMA] = take(data, CBE_IMA)
        ins[S_XTYPE] = take(data, CBE_XTYPE)
        ins[S_IAA0] = take(data, CBE_IAA0)
        ins[S_IAA1] = take(data, CBE_IAA1)
        ins[S_OPC] = take(data, CBE_OPC)
        ins[S_EXOPC] = take(data, CBE_EXOPC)
        ins[S_IDEF2] = take(data, CBE_TRI0)
    elif dw == 1:
        ins[S_IDEF4] = take(data, CBE_TRI1)
        ins[M_IDEF4] = take(data, CBE_TRI1_NOW)
    elif dw == CBE_BADDR0[0]:
        ins[M_IDEF1] = data
    elif dw == CBE_OP1[0]:
        ins[S_IDEF5] = data
    elif dw == CBE_VALUE[0]:
        ins[M_IDEF6] = data
    elif dw == CBE_BADDR1[0]:
        ins[M_IDEF3] = data
    elif dw == CBE_NELEM[0]:
        ins[M_IDEF5] = data
    else:
        ins[M_IDEF2] = take(data, CBE_TRI0_NOW)
        st.ecause[cbr] = take(data, CBE_ECAUSE)
        if running == 0:
            drop(st.restored, cbr)
            if take(data, CBE_STATE) not in (CS_INACTIVE, CS_IDLE):
                add(st.restored, cbr)


@inner
def begin(st: Any, cbr: int) -> None:
    """A started control block: its line becomes the instruction."""
    row = st.row[cbr]
    ins = st.ins[cbr]
    opc = take(row[0], CB_OPC)
    ins[S_IMA] = take(row[0], CB_IMA)
    ins[S_XTYPE] = take(row[0], CB_XTYPE)
    ins[S_IAA0] = take(row[0], CB_IAA0)
    ins[S_IAA1] = take(row[0], CB_IAA1)
    ins[S_OPC] = opc
    ins[S_EXOPC] = take(row[0], CB_EXOPC)
    ins[S_IDEF2] = take(row[0], CB_TRI0)
    ins[S_IDEF4] = take(row[CB_TRI1[0]], CB_TRI1)
    ins[S_IDEF5] = row[CB_STRIDE[0]]
    ins[M_IDEF1] = row[CB_BADDR0[0]]
    ins[M_IDEF3] = row[CB_BADDR1[0]]
    ins[M_IDEF5] = row[CB_NELEM[0]]
    ins[M_IDEF2] = ins[S_IDEF2]
    # BCOPY: both buffer positions start at tri0, all elements are still to be read. MESQ: nothing reserved yet.
    ins[M_IDEF6] = ins[M_IDEF5] if opc == OP_BCOPY else ins[M_IDEF3]
    if opc == OP_BCOPY:
        ins[M_IDEF4] = ins[S_IDEF2]
    else:
        ins[M_IDEF4] = 0 if opc == OP_MESQ else ins[S_IDEF4]
    st.ecause[cbr] = 0
    st.sub[cbr] = 0
