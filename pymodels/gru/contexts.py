"""Contexts: their commands, and which physical units belong to whom.

Promises: as rtl/gru/gru_cch.sv and gru_cch_maps.sv: one ALLOCATE, START or DEALLOCATE at a time, INTERRUPTs wait side by side; a
  command that fails leaves the context as it was. INTERRUPT waits for lookups on their way and fault-map misses, INTERRUPT_SYNC for
  accesses too.
Needs: `context_wires` before anything of the cycle is committed.
Costs: ALLOCATE takes a cycle for each allocation unit, START one for each region.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.bits import add, drop_all
from pymodels.gru.jit import ctz, inner, put, take
from pymodels.gru.layout import (
    ASID_MASK,
    C_CBINT,
    C_DONE,
    C_FAULT,
    C_SELECT,
    C_TLBINT,
    C_UNMAP,
    CB_UNITS,
    CC_ALLOC,
    CC_CHECK,
    CC_IDLE,
    CC_LOAD,
    CCH_ASID_DW,
    CCH_CAUSE,
    CCH_CBINT,
    CCH_CBR,
    CCH_CMD,
    CCH_DELRESP,
    CCH_DONE,
    CCH_DSR,
    CCH_FAULT,
    CCH_OPC,
    CCH_SELECT,
    CCH_SIZES_DW,
    CCH_STATE,
    CCH_STATUS,
    CCH_TLBINT,
    CCH_UNMAP,
    CO_ALLOCATE,
    CO_DEALLOCATE,
    CO_INTERRUPT,
    CO_START,
    CO_SYNC,
    DSR_UNITS,
    IS_ACTIVE,
    SIZE_MASK,
    ST_ACTIVE,
    ST_EXCEPTION,
    ST_IDLE,
    W_ALLOCATE,
    W_BUSY,
    W_CBRS,
    W_DEALLOCATE,
    W_DSRS,
    W_INTERRUPT,
    W_NO_CBRS,
    W_NONE,
    W_OPCODE,
    W_START,
    W_TFM,
    X_ACTIVE,
    X_INACTIVE,
    X_INTERRUPTED,
    X_MAPPED,
)

REGIONS = 8


@inner
def read_cch(st: Any, ctx: int, dw: int) -> int:
    """A double-word of a context handle."""
    word = st.cch_row[ctx, dw]
    if dw != 0:
        return word
    active = (st.cch_active >> ctx) & 1
    status = ST_IDLE
    if active != 0:
        status = ST_ACTIVE
    elif (st.cch_exc >> ctx) & 1 != 0:
        status = ST_EXCEPTION
    word &= ~(put(-1, CCH_CMD) | put(-1, CCH_STATUS) | put(-1, CCH_STATE) | put(-1, CCH_CAUSE))
    word |= put(active, CCH_CMD) | put(status, CCH_STATUS)
    return word | put(st.cch_state[ctx], CCH_STATE) | put(st.cch_cause[ctx], CCH_CAUSE)


@inner
def write_cch(st: Any, ctx: int, dw: int, data: int) -> bool:
    """A double-word of a context handle; True if it starts a command."""
    if (st.cch_active >> ctx) & 1 == 0:
        st.cch_row[ctx, dw] = data
        return dw == 0 and take(data, CCH_CMD) != 0
    if dw == 0:
        st.cch_row[ctx, 0] = (st.cch_row[ctx, 0] & ~put(-1, CCH_DELRESP)) | put(take(data, CCH_DELRESP), CCH_DELRESP)
    return False


@inner
def _verdict(st: Any, ctx: int) -> int:
    """What is wrong with the command at hand; W_NONE if nothing."""
    row = st.cch_row[ctx]
    opc = take(row[0], CCH_OPC)
    state = st.cch_state[ctx]
    no_map = take(row[0], CCH_TLBINT) != 0 and take(row[0], CCH_FAULT) == 0
    if opc == CO_ALLOCATE:
        cbrs = row[CCH_CBR[0]]
        if state != X_INACTIVE:
            return W_ALLOCATE
        if cbrs == 0:
            return W_NO_CBRS
        if no_map:
            return W_TFM
        if cbrs & st.cb_used != 0:
            return W_CBRS
        return W_DSRS if take(row[0], CCH_DSR) & st.dsr_used != 0 else W_NONE
    if opc == CO_START:
        if state not in (X_MAPPED, X_INTERRUPTED):
            return W_START
        return W_TFM if no_map else W_NONE
    if opc in (CO_INTERRUPT, CO_SYNC):
        return W_INTERRUPT if state != X_ACTIVE else W_NONE
    if opc == CO_DEALLOCATE:
        if state not in (X_MAPPED, X_INTERRUPTED):
            return W_DEALLOCATE
        mask = st.ctx_mask[ctx]
        return W_BUSY if (st.busy[0] & mask[0]) | (st.busy[1] & mask[1]) != 0 else W_NONE
    return W_OPCODE


@inner
def released(st: Any) -> int:
    """Contexts whose INTERRUPT may complete."""
    free = 0
    some = st.cch_wait
    while some != 0:
        ctx = ctz(some)
        some &= some - 1
        mask = st.ctx_mask[ctx]
        sync = (st.cch_sync >> ctx) & 1 != 0
        low = (st.busy[0] if sync else st.look[0]) | st.fmm[0]
        high = (st.busy[1] if sync else st.look[1]) | st.fmm[1]
        if (low & mask[0]) | (high & mask[1]) == 0:
            free |= 1 << ctx
    return free


@inner
def context_wires(st: Any) -> int:
    """What contexts do in this cycle: w_go, w_dealloc with their control blocks, w_cch with the state for the monitor. Returns the
    contexts whose INTERRUPT may complete."""
    st.w_go = 0
    st.w_dealloc = 0
    st.w_cch = 0
    free = released(st) if st.cch_wait != 0 else 0
    ctx = st.cch_cur
    if st.cch_fsm == CC_CHECK:
        st.w_verdict = _verdict(st, ctx)
    if st.cch_fsm in (CC_IDLE, CC_ALLOC) and free != 0:
        st.w_cch = 1
        st.w_cch_ctx = ctz(free)
        st.w_cch_state = X_INTERRUPTED
    elif st.cch_fsm == CC_ALLOC and st.cch_step == CB_UNITS - 1:
        st.w_cch = 1
        st.w_cch_ctx = ctx
        st.w_cch_state = X_MAPPED
    elif st.cch_fsm == CC_LOAD and st.cch_step == REGIONS:
        st.w_go = 1
        st.w_cch = 1
        st.w_cch_ctx = ctx
        st.w_cch_state = X_ACTIVE
    elif st.cch_fsm == CC_CHECK and take(st.cch_row[ctx, 0], CCH_OPC) == CO_DEALLOCATE and st.w_verdict == W_NONE:
        st.w_dealloc = 1
        st.w_cch = 1
        st.w_cch_ctx = ctx
        st.w_cch_state = X_INACTIVE
    if st.w_go != 0 or st.w_dealloc != 0:
        st.w_mask0 = st.ctx_mask[ctx, 0]
        st.w_mask1 = st.ctx_mask[ctx, 1]
    return free


@inner
def whole_contexts(st: Any) -> None:
    """What START and DEALLOCATE do to all control blocks of a context. What happens to one of them in the same cycle comes
    later."""
    low = st.w_mask0
    high = st.w_mask1
    if st.w_go != 0:
        # Every instruction in progress runs, whatever state it was stopped or saved in.
        go0 = (st.active[0] | st.restored[0]) & low
        go1 = (st.active[1] | st.restored[1]) & high
        st.ready[0] |= go0 & ~st.busy[0]
        st.ready[1] |= go1 & ~st.busy[1]
        while go0 != 0:
            st.istatus[ctz(go0)] = IS_ACTIVE
            go0 &= go0 - 1
        while go1 != 0:
            st.istatus[64 + ctz(go1)] = IS_ACTIVE
            go1 &= go1 - 1
        st.active[0] |= st.restored[0] & low
        st.active[1] |= st.restored[1] & high
    else:
        drop_all(st.ready, low, high)
        drop_all(st.active, low, high)
        drop_all(st.color, low, high)
        drop_all(st.inval, low, high)
        while low != 0:
            st.istatus[ctz(low)] = 0
            low &= low - 1
        while high != 0:
            st.istatus[64 + ctz(high)] = 0
            high &= high - 1
        low = st.w_mask0
        high = st.w_mask1
    drop_all(st.restored, low, high)
    drop_all(st.poll, low, high)
    drop_all(st.fmm, low, high)
    drop_all(st.upm, low, high)


@inner
def context_commit(st: Any, started: int, free: int) -> None:
    """End of the cycle; `started` is the context software has just given a command (-1: none)."""
    if started < 0 and st.cch_active == 0 and st.cch_snoop == 0:
        return
    ctx = st.cch_cur
    fsm = st.cch_fsm
    pending = st.cch_pend
    over = 0
    st.cch_snoop &= st.cch_snoop - 1
    interrupted = 0
    if fsm in (CC_IDLE, CC_ALLOC) and free != 0:
        interrupted = free & -free
        over = interrupted
        st.cch_wait &= ~interrupted
        mask = st.ctx_mask[ctz(free)]
        drop_all(st.stopping, mask[0], mask[1])
    if fsm == CC_IDLE:
        if pending != 0:
            st.cch_fsm = CC_CHECK
            st.cch_cur = ctz(pending)
            st.cch_pend &= st.cch_pend - 1
    elif fsm == CC_CHECK:
        over |= _check(st, ctx)
    elif fsm == CC_ALLOC:
        if interrupted == 0:
            over |= _allocate(st, ctx)
    else:
        over |= _load(st, ctx)
    if st.w_cch != 0:
        st.cch_state[st.w_cch_ctx] = st.w_cch_state
    st.cch_active &= ~over
    st.cch_snoop |= over
    if started >= 0:
        st.cch_active |= 1 << started
        st.cch_exc &= ~(1 << started)
        st.cch_pend |= 1 << started
        st.cch_cause[started] = W_NONE


@inner
def _check(st: Any, ctx: int) -> int:
    """Judge the command, and do what takes no time. Returns the context if the command is over."""
    st.cch_step = 0
    st.cch_fsm = CC_IDLE
    if st.w_verdict != W_NONE:
        st.cch_exc |= 1 << ctx
        st.cch_cause[ctx] = st.w_verdict
        return 1 << ctx
    row = st.cch_row[ctx]
    opc = take(row[0], CCH_OPC)
    mask = st.ctx_mask[ctx]
    if opc == CO_ALLOCATE:
        st.cch_fsm = CC_ALLOC
        st.cb_map[ctx] = row[CCH_CBR[0]]
        st.dsr_map[ctx] = take(row[0], CCH_DSR)
        st.cb_used |= st.cb_map[ctx]
        st.dsr_used |= st.dsr_map[ctx]
        for unit in range(CB_UNITS):
            if (st.cb_map[ctx] >> unit) & 1 != 0:
                add(mask, 2 * unit)
                add(mask, 2 * unit + 1)
        st.cb_n[ctx] = 0
        st.dsr_n[ctx] = 0
    elif opc == CO_START:
        st.cch_fsm = CC_LOAD
    elif opc == CO_DEALLOCATE:
        st.cb_used &= ~st.cb_map[ctx]
        st.dsr_used &= ~st.dsr_map[ctx]
        drop_all(st.alloc, mask[0], mask[1])
        st.cb_map[ctx] = 0
        st.dsr_map[ctx] = 0
        mask[0] = 0
        mask[1] = 0
        st.cb_n[ctx] = 0
        st.dsr_n[ctx] = 0
        return 1 << ctx
    else:
        st.cch_wait |= 1 << ctx
        st.cch_sync &= ~(1 << ctx)
        if opc == CO_SYNC:
            st.cch_sync |= 1 << ctx
        drop_all(st.run, mask[0], mask[1])
        st.stopping[0] |= mask[0]
        st.stopping[1] |= mask[1]
    return 0


@inner
def _allocate(st: Any, ctx: int) -> int:
    """One allocation unit of ALLOCATE."""
    unit = st.cch_step
    if (st.cb_map[ctx] >> unit) & 1 != 0:
        st.cb_units[ctx, st.cb_n[ctx]] = unit
        st.cb_n[ctx] += 1
        st.owner[unit] = ctx
    if unit < DSR_UNITS and (st.dsr_map[ctx] >> unit) & 1 != 0:
        st.dsr_units[ctx, st.dsr_n[ctx]] = unit
        st.dsr_n[ctx] += 1
    st.cch_step += 1
    if st.cch_step < CB_UNITS:
        return 0
    st.cch_fsm = CC_IDLE
    st.alloc[0] |= st.ctx_mask[ctx, 0]
    st.alloc[1] |= st.ctx_mask[ctx, 1]
    return 1 << ctx


@inner
def _load(st: Any, ctx: int) -> int:
    """One region of START; after the last, the context runs."""
    row = st.cch_row[ctx]
    region = st.cch_step
    st.cch_step += 1
    if region < REGIONS:
        st.region_asid[ctx, region] = (row[CCH_ASID_DW + region // 2] >> (32 * (region & 1))) & ASID_MASK
        st.region_sizes[ctx, region] = (row[CCH_SIZES_DW + region // 4] >> (16 * (region & 3))) & SIZE_MASK
        return 0
    st.cch_fsm = CC_IDLE
    st.run[0] |= st.ctx_mask[ctx, 0]
    st.run[1] |= st.ctx_mask[ctx, 1]
    cfg = st.cfg[ctx]
    cfg[C_UNMAP] = take(row[0], CCH_UNMAP)
    cfg[C_CBINT] = take(row[0], CCH_CBINT)
    cfg[C_TLBINT] = take(row[0], CCH_TLBINT)
    cfg[C_FAULT] = take(row[0], CCH_FAULT)
    cfg[C_DONE] = take(row[0], CCH_DONE)
    cfg[C_SELECT] = take(row[0], CCH_SELECT)
    return 1 << ctx
