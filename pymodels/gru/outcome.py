"""What the end of an access and a miss do to their control block."""

from __future__ import annotations

from typing import Any

from pymodels.gru.bits import add, drop
from pymodels.gru.bus import push_atomic
from pymodels.gru.engine import retired
from pymodels.gru.handles import set_done, set_fault
from pymodels.gru.jit import inner
from pymodels.gru.layout import (
    A_ASID,
    A_CTX,
    A_INT,
    A_MESQ,
    A_VA,
    C_CBINT,
    C_FAULT,
    DONE,
    F_CTX,
    F_INT,
    F_MASID,
    F_MOD,
    F_MVA,
    F_WAY,
    FROM_WRITE,
    IS_ACTIVE,
    IS_CALL_OS,
    IS_EXCEPTION,
    IS_IDLE,
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
)
from pymodels.gru.retire import store_read


@inner
def commit_retirement(st: Any, now: int) -> None:
    """Commit the retirement of this cycle: control block, data segment, engine, atomics."""
    cbr = st.ret_cbr
    acc = st.acc[cbr]
    if st.o_avalue_we != 0:
        st.avalue[cbr] = st.o_avalue
    if st.o_step != 0:
        ins = st.ins[cbr]
        ins[M_IDEF1] = acc[N_IDEF1]
        if st.ret_src == FROM_WRITE and acc[A_MESQ] != 0:  # lines go to queue + 64 * old head
            ins[M_IDEF1] = acc[A_VA] + ((st.avalue[cbr] & 0xFFFFFFFF) << 6)
        ins[M_IDEF2] = acc[N_IDEF2]
        ins[M_IDEF3] = acc[N_IDEF3]
        ins[M_IDEF4] = acc[N_IDEF4]
        ins[M_IDEF5] = acc[N_IDEF5]
        ins[M_IDEF6] = acc[N_IDEF6]
    if st.o_dsr_we != 0:
        store_read(st, cbr)
    if st.o_push != 0:
        push_atomic(st)
    if st.o_out == DONE:
        st.ecause[cbr] = st.o_ecause
        st.sub[cbr] = st.o_sub
        st.istatus[cbr] = IS_EXCEPTION if st.o_exc != 0 else IS_IDLE
        drop(st.active, cbr)
        add(st.cb_snoop, cbr)
        ctx = st.owner[cbr >> 1]
        if acc[A_INT] != 0 and st.cfg[ctx, C_CBINT] != 0:
            set_done(st, cbr, ctx)
    retired(st, now)


@inner
def park(st: Any) -> None:
    """A lookup missed: its control block waits in its fault handle."""
    cbr = st.rsp_cbr
    acc = st.acc[cbr]
    ctx = acc[A_CTX]
    row = st.tfh[cbr]
    row[F_WAY] = st.rsp_way
    row[F_CTX] = ctx
    row[F_MASID] = acc[A_ASID]
    row[F_MVA] = acc[A_VA]
    row[F_INT] = acc[A_INT]
    row[F_MOD] = st.rsp_mod
    add(st.tfh_snoop, cbr)
    set_fault(st, cbr, ctx)
    drop(st.fmm, cbr)
    drop(st.upm, cbr)
    if st.cfg[ctx, C_FAULT] != 0:
        add(st.fmm, cbr)
    else:
        add(st.upm, cbr)
        to_user(st, cbr)


@inner
def to_user(st: Any, cbr: int) -> None:
    st.istatus[cbr] = IS_CALL_OS
    st.color[cbr >> 6] ^= 1 << (cbr & 63)
    add(st.cb_snoop, cbr)


@inner
def answered_faults(st: Any) -> None:
    """What a fault handle's command does to its control block."""
    cbr = st.w_tfh
    if st.w_upm != 0:
        to_user(st, cbr)
    if st.w_resume_upm != 0:
        st.istatus[cbr] = IS_ACTIVE
        add(st.cb_snoop, cbr)
    if st.w_inval != 0:
        add(st.inval, cbr)
