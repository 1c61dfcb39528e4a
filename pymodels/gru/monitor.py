"""What a cycle tells the outside: trace records, interrupt lines, probes of lines, the oracle's stop, counts of lookups."""

from __future__ import annotations

from typing import Any

from pymodels.gru.bits import emit, lowest
from pymodels.gru.jit import ctz, inner, plain
from pymodels.gru.layout import (
    A_ASID,
    A_VA,
    BY_CTX,
    BY_RANGE,
    DEV_CB_DONE,
    DEV_CCH,
    DEV_FILL,
    DEV_FILL_DROPPED,
    DEV_IRQ,
    DEV_KILL,
    DEV_MISS,
    DEV_RESTART,
    DEV_SHOOT_ACCEPT,
    DEV_SHOOT_DONE,
    DONE,
    E_COUNT,
    E_CYCLE,
    E_INDEX,
    E_KIND,
    E_SERIAL,
    E_VALUE,
    EV_IRQ,
    EV_ORACLE,
    EV_SNOOP,
    F_SIZE,
    IS_EXCEPTION,
    IS_IDLE,
    L_CB,
    L_CCH,
    L_TFH,
    L_TGH,
    PAGE_SHIFT,
    PURGE_N,
    SH_ASID,
    SH_FIRST,
    SH_LAST,
    SH_SCOPE,
    SH_TGH,
    T_ASID,
    T_LO,
    T_SIZE,
    TC_MISS,
    TC_MOD,
    WAYS,
)


@inner
def _event(st: Any, now: int, kind: int, index: int, value: int) -> None:
    row = st.event[st.events]
    st.events += 1
    row[E_KIND] = kind
    row[E_COUNT] = 0
    row[E_CYCLE] = now
    row[E_SERIAL] = 0
    row[E_INDEX] = index
    row[E_VALUE] = value


@inner
def see_outputs(st: Any) -> None:
    """What the lines and the probes are in this cycle, before anything moves."""
    st.w_irq = st.irq
    st.w_probe_cb = lowest(st.cb_snoop[0], st.cb_snoop[1]) if st.cb_snoop[0] | st.cb_snoop[1] != 0 else -1
    st.w_probe_tfh = lowest(st.tfh_snoop[0], st.tfh_snoop[1]) if st.tfh_snoop[0] | st.tfh_snoop[1] != 0 else -1
    st.w_probe_tgh = ctz(st.tgh_snoop) if st.tgh_snoop != 0 else -1
    st.w_probe_cch = ctz(st.cch_snoop) if st.cch_snoop != 0 else -1


@inner
def tell_outputs(st: Any, now: int) -> None:
    """Lines that changed and lines of processors that are probed, as events."""
    changed = st.w_irq ^ st.irq_seen
    while changed != 0:
        line = ctz(changed)
        changed &= changed - 1
        level = (st.w_irq >> line) & 1
        _event(st, now, plain(EV_IRQ), line, level)
        emit(st, now, plain(DEV_IRQ), line, level, plain(0), plain(0), plain(0), plain(0))
        st.irq_changes += 1
    st.irq_seen = st.w_irq
    if st.w_probe_cb >= 0:
        _event(st, now, plain(EV_SNOOP), st.w_probe_cb, plain(L_CB))
        st.snoops += 1
    if st.w_probe_tfh >= 0:
        _event(st, now, plain(EV_SNOOP), st.w_probe_tfh, plain(L_TFH))
        st.snoops += 1
    if st.w_probe_tgh >= 0:
        _event(st, now, plain(EV_SNOOP), st.w_probe_tgh, plain(L_TGH))
        st.snoops += 1
    if st.w_probe_cch >= 0:
        _event(st, now, plain(EV_SNOOP), st.w_probe_cch, plain(L_CCH))
        st.snoops += 1


@inner
def tell_stop(st: Any, now: int) -> None:
    """The oracle objected in this cycle."""
    _event(st, now, plain(EV_ORACLE), plain(0), plain(0))


@inner
def lookup_seen(st: Any, now: int) -> None:
    """Lookups accepted and answered in this cycle."""
    if st.rsp_valid != 0:
        accepted = st.accepted_at[st.rsp_cbr]
        if st.rsp_hit != 0:
            latency = now - accepted
            st.hit_latency_min = latency if st.tlb_hits == 0 else min(st.hit_latency_min, latency)
            st.hit_latency_max = max(st.hit_latency_max, latency)
            st.hit_latency_sum += latency
            st.tlb_hits += 1
        else:
            st.tlb_misses += 1
        if st.log_lookups != 0:
            row = st.lookup[st.lookups]
            row[0] = accepted
            row[1] = now
            row[2] = st.rsp_cbr
            row[3] = st.rsp_hit
            row[4] = st.rsp_pa if st.rsp_hit != 0 else 0
            st.lookups += 1
    if st.w_lookup >= 0:
        st.tlb_lookups += 1
        st.accepted_at[st.w_lookup] = now


@inner
def tell_tlb(st: Any, now: int, done: int) -> None:
    """Trace of the TLB, in the monitor's order."""
    nil = plain(0)
    if st.w_decide != 0:
        row = st.tfh[st.fl_cbr]
        if st.w_drop != 0:
            emit(st, now, plain(DEV_FILL_DROPPED), st.fl_cbr, st.fl_va, st.fl_asid, nil, nil, nil)
        else:
            emit(st, now, plain(DEV_FILL), st.fl_cbr, st.fl_va, st.fl_asid, st.fl_pfn, row[F_SIZE], st.fl_dirty)
    if st.w_accept != 0:
        out = st.out[0]
        n = out[SH_LAST] - out[SH_FIRST] if out[SH_SCOPE] == BY_RANGE else PURGE_N
        whole = 1 if out[SH_SCOPE] == BY_CTX else 0
        emit(st, now, plain(DEV_SHOOT_ACCEPT), out[SH_TGH], out[SH_FIRST] << PAGE_SHIFT, out[SH_ASID], n, whole, nil)
        st.shootdown_pages += n + 1
    while done != 0:
        emit(st, now, plain(DEV_SHOOT_DONE), ctz(done), nil, nil, nil, nil, nil)
        done &= done - 1
    for way in range(WAYS):
        if (st.w_kill >> way) & 1 != 0:
            tag = st.tag[st.m1_set * WAYS + way]
            emit(st, now, plain(DEV_KILL), tag[T_LO] << PAGE_SHIFT, tag[T_ASID], tag[T_SIZE], nil, nil, nil)


@inner
def tell_chip(st: Any, now: int) -> None:
    """Trace of control blocks and contexts, in the monitor's order."""
    nil = plain(0)
    if st.rsp_valid != 0 and st.rsp_hit == 0:
        acc = st.acc[st.rsp_cbr]
        cause = TC_MOD if st.rsp_mod != 0 else TC_MISS
        emit(st, now, plain(DEV_MISS), st.rsp_cbr, acc[A_VA], acc[A_ASID], cause, nil, nil)
    if st.w_resume != 0:
        emit(st, now, plain(DEV_RESTART), st.w_tfh, nil, nil, nil, nil, nil)
    if st.ret_valid != 0 and st.o_out == DONE:
        emit(st, now, plain(DEV_CB_DONE), st.ret_cbr, IS_EXCEPTION if st.o_exc != 0 else IS_IDLE, st.o_ecause, nil, nil, nil)
    if st.w_cch != 0:
        emit(st, now, plain(DEV_CCH), st.w_cch_ctx, st.w_cch_state, nil, nil, nil, nil)
