"""One cycle of the chip, and the loop over the cycles in which something can happen.

Promises: each cycle reads the state the cycle before it left: wires first, then commits, in the order the RTL's registers resolve
  ties. A cycle costs what moves in it; between two cycles in which nothing can change by itself the clock jumps, as the harness's
  does.
Costs: some tens of nanoseconds a cycle, about a hundred more for each access that moves through it.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.bits import add, drop, drop_lowest, emit, has
from pymodels.gru.blocks import begin
from pymodels.gru.bus import bus_commit, bus_cycle, handshakes, push_atomic
from pymodels.gru.contexts import context_commit, context_wires, released, whole_contexts
from pymodels.gru.engine import answer, engine, nothing_to_do, retired, wake_pollers
from pymodels.gru.handles import fault_commit, fault_wires, lower_lines, set_done, set_fault, shoot_commit, shoot_wires
from pymodels.gru.jit import ctz, entry, inner
from pymodels.gru.layout import (
    A_ASID,
    A_CTX,
    A_INT,
    A_MESQ,
    A_SIZES,
    A_VA,
    A_WPERM,
    BY_CTX,
    BY_RANGE,
    C_CBINT,
    C_FAULT,
    CC_IDLE,
    DEV_CB_DONE,
    DEV_CCH,
    DEV_FILL,
    DEV_FILL_DROPPED,
    DEV_KILL,
    DEV_MISS,
    DEV_RESTART,
    DEV_SHOOT_ACCEPT,
    DEV_SHOOT_DONE,
    DONE,
    F_CTX,
    F_INT,
    F_MASID,
    F_MOD,
    F_MVA,
    F_SIZE,
    F_WAY,
    FIRST_SLOTS,
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
    NEVER,
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
    TF_IDLE,
    U_CCH,
    U_TFH,
    U_TGH,
    WAYS,
)
from pymodels.gru.memory import memory_tick, next_due
from pymodels.gru.monitor import lookup_seen, see_outputs, tell_outputs, tell_stop
from pymodels.gru.processor import next_request, processor_tick, push_request
from pymodels.gru.retire import retire, store_read
from pymodels.gru.state import LOOKUP_ROOM, TRACE_CYCLE, TRACE_ROOM
from pymodels.gru.sweep import commit, decide
from pymodels.gru.tlb import drain, hit_stage, next_lookup
from pymodels.gru.window import window_commit, window_wires

FULL = 1 << 40  # returned besides the events: Python must take records before the next cycle


@inner
def _retirement(st: Any, now: int) -> None:
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
def _park(st: Any) -> None:
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
        _to_user(st, cbr)


@inner
def _to_user(st: Any, cbr: int) -> None:
    st.istatus[cbr] = IS_CALL_OS
    st.color[cbr >> 6] ^= 1 << (cbr & 63)
    add(st.cb_snoop, cbr)


@inner
def _tell_tlb(st: Any, now: int, done: int) -> None:
    """Trace of the TLB, in the monitor's order."""
    if st.w_decide != 0:
        row = st.tfh[st.fl_cbr]
        if st.w_drop != 0:
            emit(st, now, DEV_FILL_DROPPED, st.fl_cbr, st.fl_va, st.fl_asid, 0, 0, 0)
        else:
            emit(st, now, DEV_FILL, st.fl_cbr, st.fl_va, st.fl_asid, st.fl_pfn, row[F_SIZE], st.fl_dirty)
    if st.w_accept != 0:
        out = st.out[0]
        n = out[SH_LAST] - out[SH_FIRST] if out[SH_SCOPE] == BY_RANGE else PURGE_N
        whole = 1 if out[SH_SCOPE] == BY_CTX else 0
        emit(st, now, DEV_SHOOT_ACCEPT, out[SH_TGH], out[SH_FIRST] << PAGE_SHIFT, out[SH_ASID], n, whole, 0)
        st.shootdown_pages += n + 1
    while done != 0:
        emit(st, now, DEV_SHOOT_DONE, ctz(done), 0, 0, 0, 0, 0)
        done &= done - 1
    for way in range(WAYS):
        if (st.w_kill >> way) & 1 != 0:
            tag = st.tag[st.m1_set * WAYS + way]
            emit(st, now, DEV_KILL, tag[T_LO] << PAGE_SHIFT, tag[T_ASID], tag[T_SIZE], 0, 0, 0)


@inner
def _tell_chip(st: Any, now: int) -> None:
    """Trace of control blocks and contexts, in the monitor's order."""
    if st.rsp_valid != 0 and st.rsp_hit == 0:
        acc = st.acc[st.rsp_cbr]
        cause = TC_MOD if st.rsp_mod != 0 else TC_MISS
        emit(st, now, DEV_MISS, st.rsp_cbr, acc[A_VA], acc[A_ASID], cause, 0, 0)
    if st.w_resume != 0:
        emit(st, now, DEV_RESTART, st.w_tfh, 0, 0, 0, 0, 0)
    if st.ret_valid != 0 and st.o_out == DONE:
        emit(st, now, DEV_CB_DONE, st.ret_cbr, IS_EXCEPTION if st.o_exc != 0 else IS_IDLE, st.o_ecause, 0, 0, 0)
    if st.w_cch != 0:
        emit(st, now, DEV_CCH, st.w_cch_ctx, st.w_cch_state, 0, 0, 0, 0)


@inner
def _cycle(st: Any, mem: Any, words: Any, ctx_mm: Any, now: int) -> None:
    """One cycle."""
    # Wires: what every block does in this cycle, from the state the last one left.
    if st.ret_valid != 0:
        retire(st)
    st.w_use1 = st.ret_cbr if st.ret_valid != 0 and st.o_use_done != 0 else -1
    window_wires(st)
    fault_wires(st)
    free = context_wires(st)
    shoot_wires(st)
    room = (st.slots & FIRST_SLOTS) != FIRST_SLOTS
    done = st.drained
    st.w_tfh = st.tfh_cur
    st.w_resume_runs = has(st.run, st.w_tfh)
    copied = st.start != 0 and st.ret_valid == 0
    st.w_start = 1 if copied and st.held == 0 else 0
    st.w_start_cbr = st.start_cbr
    able0 = st.ready[0] & st.run[0]
    able1 = st.ready[1] & st.run[1]
    see_outputs(st)

    # The bus, then whole contexts, then single control blocks.
    handshakes(st, mem, words, ctx_mm, now)
    bus_cycle(st)
    decide(st)
    _tell_tlb(st, now, done)
    _tell_chip(st, now)
    lookup_room = st.rsp_valid
    wake_pollers(st, now)
    if st.w_go != 0 or st.w_dealloc != 0:
        whole_contexts(st)
    engine(st, able0, able1)
    lookup_seen(st, now)
    if copied:
        begin(st, st.start_cbr)
    started_before = 1 if st.start != 0 and st.ret_valid != 0 else 0
    if st.tfm_dirty != 0:
        lower_lines(st)
        st.tfm_dirty = 0
    command = window_commit(st)
    unit = command >> 8 if command >= 0 else 0
    index = command & 255
    st.start = 1 if st.go_start != 0 or started_before != 0 else 0
    drop_lowest(st.cb_snoop)
    fault_commit(st, index if unit == U_TFH else -1)
    if st.rsp_valid != 0:
        answer(st)
        if st.rsp_hit == 0:
            _park(st)
    if st.ret_valid != 0:
        _retirement(st, now)
    _answered_faults(st)

    # The TLB last: it makes the next cycle's answer.
    looked = st.w_lookup
    hit_stage(st)
    resolved = st.rsp_valid
    if looked >= 0:
        acc = st.acc[looked]
        next_lookup(st, resolved, looked, acc[A_CTX], acc[A_ASID], acc[A_VA], acc[A_WPERM], acc[A_SIZES])
    else:
        next_lookup(st, resolved, -1, 0, 0, 0, 0, 0)
    st.looking += (1 if looked >= 0 else 0) - lookup_room
    drain(st)
    commit(st)
    shoot_commit(st, index if unit == U_TGH else -1, done, room)
    context_commit(st, index if unit == U_CCH else -1, free)
    bus_commit(st)


@inner
def _answered_faults(st: Any) -> None:
    """What fault handles do to their control blocks."""
    cbr = st.w_tfh
    if st.w_upm != 0:
        _to_user(st, cbr)
    if st.w_resume_upm != 0:
        st.istatus[cbr] = IS_ACTIVE
        add(st.cb_snoop, cbr)
    if st.w_inval != 0:
        add(st.inval, cbr)


@inner
def _quiet(st: Any) -> bool:
    """Nothing in the chip changes in the next cycle unless an input does (a response, a request, the timer)."""
    if not nothing_to_do(st):
        return False
    if st.pin + st.ax_valid + st.answer + st.cpu_got + st.start + st.tfm_dirty != 0:
        return False
    if st.rd != st.wr or st.m1_valid + st.ar + st.aw + st.w + st.ret_valid + st.rvalid + st.bvalid != 0 or st.am_rd != st.am_wr:
        return False
    if st.s1_valid + st.rsp_valid + st.m1v + st.f_busy + st.f_done + st.drained != 0 or st.slots != 0:
        return False
    if st.tfh_fsm != TF_IDLE or st.out_valid != 0 or st.tgh_pend | st.tgh_snoop | st.cch_pend | st.cch_snoop != 0:
        return False
    if st.tfh_pend[0] | st.tfh_pend[1] | st.tfh_snoop[0] | st.tfh_snoop[1] | st.cb_snoop[0] | st.cb_snoop[1] != 0:
        return False
    if st.cch_fsm != CC_IDLE or (st.cch_wait != 0 and released(st) != 0):
        return False
    waiting = st.draining
    while waiting != 0:
        tgh = ctz(waiting)
        waiting &= waiting - 1
        if st.pending[tgh, 0] | st.pending[tgh, 1] == 0:
            return False
    return st.irq == st.irq_seen


@entry
def run(state: Any, mem: Any, words: Any, ctx_mm: Any, requests: Any, fresh: Any, count: int, until: int) -> int:
    """Push `count` fresh requests, then run to the end of the first cycle with events or to `until`. Returns the number of events,
    plus FULL if records have to be taken before the next cycle."""
    st = state[0]
    for index in range(count):
        push_request(st, requests, fresh[index])
    while True:
        following = max(st.done + 1, st.wake)
        if following > until:
            st.done = max(st.done, until)
            return 0
        if st.traces > TRACE_ROOM - TRACE_CYCLE or st.lookups > LOOKUP_ROOM - 2:
            return FULL
        st.events = 0
        st.wready = 1 if following >= st.write_ready and st.armed != 0 else 0
        objections = st.violations
        _cycle(st, mem, words, ctx_mm, following)
        processor_tick(st, requests, following)
        tell_outputs(st, following)
        memory_tick(st, mem, words, ctx_mm, following)
        st.armed = 1
        st.done = following
        st.evaluated += 1
        st.wake = following + 1
        if st.violations != objections:
            tell_stop(st, following)
        if _quiet(st):
            st.wake = max(following + 1, min(st.deadline, next_due(st, NEVER), next_request(st, requests)))
        if st.events != 0:
            return st.events
