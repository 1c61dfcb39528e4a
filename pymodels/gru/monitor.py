"""What a cycle tells the outside: interrupt lines, probes of processors' lines, the oracle's stop, and the count of lookups."""

from __future__ import annotations

from typing import Any

from hwif.port import LineKind
from pymodels.gru.bits import emit, lowest
from pymodels.gru.jit import ctz, inner
from pymodels.gru.layout import DEV_IRQ, E_COUNT, E_CYCLE, E_INDEX, E_KIND, E_SERIAL, E_VALUE, EV_IRQ, EV_ORACLE, EV_SNOOP

CB, TFH, TGH, CCH = (int(kind) for kind in LineKind)


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
        _event(st, now, EV_IRQ, line, level)
        emit(st, now, DEV_IRQ, line, level, 0, 0, 0, 0)
        st.irq_changes += 1
    st.irq_seen = st.w_irq
    if st.w_probe_cb >= 0:
        _event(st, now, EV_SNOOP, st.w_probe_cb, CB)
        st.snoops += 1
    if st.w_probe_tfh >= 0:
        _event(st, now, EV_SNOOP, st.w_probe_tfh, TFH)
        st.snoops += 1
    if st.w_probe_tgh >= 0:
        _event(st, now, EV_SNOOP, st.w_probe_tgh, TGH)
        st.snoops += 1
    if st.w_probe_cch >= 0:
        _event(st, now, EV_SNOOP, st.w_probe_cch, CCH)
        st.snoops += 1


@inner
def tell_stop(st: Any, now: int) -> None:
    """The oracle objected in this cycle."""
    _event(st, now, EV_ORACLE, 0, 0)


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
