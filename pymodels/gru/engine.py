"""The barrel engine: which control block goes next, its way to the TLB, and what the TLB's answer does.

Promises: as rtl/gru/gru_exec.sv: every ready control block of a batch runs before one runs twice; one access a control block; a
  resumed one enters the pipe at once when it can; lookups leave only when the bus queue has a place for every answer on its way.
Needs: answers of the TLB (rsp_*) of this cycle, the retirement of this cycle (ret_*, o_*), before the TLB decides its next answer.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.bits import add, drop, lowest
from pymodels.gru.bus import queue_access
from pymodels.gru.jit import inner, plain
from pymodels.gru.layout import (
    A_ECAUSE,
    A_IAA,
    A_KIND,
    A_MAPPED,
    A_VA,
    AGAIN,
    BUS_QUEUE,
    CONT,
    DSR_UNIT_SHIFT,
    EC_IAA,
    FROM_TFH,
    LOCAL,
    M_IDEF4,
    NEVER,
    OP_IVLOAD,
    OP_IVSET,
    OP_IVSTORE,
    PA_MASK,
    POLL,
    POLL_BACKOFF,
    S_OPC,
    U_DSR,
)
from pymodels.gru.step import UNIT_MASK, step


@inner
def wake_pollers(st: Any, now: int) -> None:
    """All that wait for the poll timer are ready when it expires."""
    if st.poll_any != 0 and now >= st.deadline:
        st.ready[0] |= st.poll[0]
        st.ready[1] |= st.poll[1]
        st.poll[0] = 0
        st.poll[1] = 0
        st.poll_any = 0
        st.deadline = NEVER


@inner
def engine(st: Any, able0: int, able1: int) -> None:
    """Move the pipe: w_lookup is the control block whose lookup the TLB takes in this cycle (-1: none). `able`: who may be
    picked."""
    st.w_lookup = -1
    if st.ret_valid != 0 and st.ret_src == FROM_TFH:  # ended in this cycle while a restart of its context made it ready
        if st.ret_cbr < 64:
            able0 &= ~(1 << st.ret_cbr)
        else:
            able1 &= ~(1 << (st.ret_cbr - 64))

    if st.p3_valid != 0 and st.w_count + st.looking < BUS_QUEUE:
        acc = st.acc[st.p3_cbr]
        if acc[A_MAPPED] != 0 and acc[A_KIND] != LOCAL:
            if st.s1_valid == 0 or st.s1_rest == 0:
                st.w_lookup = st.p3_cbr
                st.p3_valid = 0
        elif st.rsp_valid == 0:
            _bypass(st)
            st.p3_valid = 0
    if st.p2_valid != 0 and st.p3_valid == 0:
        step(st, st.p2_cbr, st.owner[st.p2_cbr >> 1], st.p2_word, st.p2_index_ok)
        st.p3_valid = 1
        st.p3_cbr = st.p2_cbr
        st.p2_valid = 0
    if st.p1_valid != 0 and st.p2_valid == 0:
        indexed = st.ins[st.p1_cbr, S_OPC] in (OP_IVLOAD, OP_IVSTORE, OP_IVSET)
        if not (indexed and st.w_reg != 0 and st.w_unit == U_DSR and st.w_write == 0):
            _fetch(st, indexed)
    _pick(st, able0, able1)


@inner
def _bypass(st: Any) -> None:
    """An access without translation, or a local end, goes straight to the queue."""
    cbr = st.p3_cbr
    acc = st.acc[cbr]
    queue_access(st, cbr, acc[A_KIND], plain(0), acc[A_ECAUSE], acc[A_VA] & PA_MASK)
    drop(st.look, cbr)


@inner
def _fetch(st: Any, indexed: bool) -> None:
    """From the first stage to the second: the index of an indexed vector is read on the way."""
    cbr = st.p1_cbr
    st.p2_valid = 1
    st.p2_cbr = cbr
    st.p2_index = 1 if indexed else 0
    st.p2_word = 0
    st.p2_index_ok = 0
    st.p1_valid = 0
    if indexed:
        ctx = st.owner[cbr >> 1]
        offset = st.ins[cbr, M_IDEF4]
        unit = offset >> DSR_UNIT_SHIFT
        st.p2_index_ok = 1 if unit < st.dsr_n[ctx] else 0
        at = (st.dsr_units[ctx, unit & UNIT_MASK] << DSR_UNIT_SHIFT) + (offset & ((1 << DSR_UNIT_SHIFT) - 8))
        word = 0
        for lane in range(7, -1, -1):
            word = (word << 8) | st.dsr[at + lane]
        st.p2_word = word


@inner
def _pick(st: Any, able0: int, able1: int) -> None:
    """Who enters the pipe, and who becomes ready."""
    free = st.p1_valid == 0
    resumed = st.w_tfh
    inject = st.w_resume != 0 and free and st.w_resume_runs != 0
    if inject:
        st.p1_valid = 1
        st.p1_cbr = resumed
    elif free and (able0 != 0 or able1 != 0):
        low = able0 & st.batch[0]
        high = able1 & st.batch[1]
        if low == 0 and high == 0:
            low = able0
            high = able1
        cbr = lowest(low, high)
        st.batch[0] = low
        st.batch[1] = high
        drop(st.batch, cbr)
        drop(st.ready, cbr)
        add(st.busy, cbr)
        add(st.look, cbr)
        st.p1_valid = 1
        st.p1_cbr = cbr
    if st.w_start != 0:
        add(st.ready, st.w_start_cbr)
    if st.w_resume != 0:
        if inject:
            drop(st.ready, resumed)
            add(st.busy, resumed)
            add(st.look, resumed)
        else:
            add(st.ready, resumed)


@inner
def answer(st: Any) -> None:
    """The TLB's answer of this cycle: a hit goes to the bus, a miss is parked by the caller."""
    cbr = st.rsp_cbr
    if st.rsp_hit != 0:
        acc = st.acc[cbr]
        if acc[A_IAA] != st.rsp_gaa:
            queue_access(st, cbr, plain(LOCAL), plain(1), plain(EC_IAA), st.rsp_pa)
        else:
            queue_access(st, cbr, acc[A_KIND], plain(1), plain(0), st.rsp_pa)
    else:
        drop(st.busy, cbr)
    drop(st.look, cbr)


@inner
def retired(st: Any, now: int) -> None:
    """What the retirement of this cycle does to its control block's turn."""
    cbr = st.ret_cbr
    if st.o_out != CONT:
        drop(st.busy, cbr)
    if st.o_out == AGAIN:
        add(st.ready, cbr)
    if st.ret_src == FROM_TFH:
        drop(st.ready, cbr)
    if st.o_out == POLL:
        add(st.poll, cbr)
        if st.poll_any == 0:
            st.deadline = now + POLL_BACKOFF
        st.poll_any = 1


@inner
def nothing_to_do(st: Any) -> bool:
    """No control block moves without an input or the timer."""
    if (st.ready[0] & st.run[0]) | (st.ready[1] & st.run[1]) != 0:
        return False
    return st.p1_valid + st.p2_valid + st.p3_valid + st.looking == 0
