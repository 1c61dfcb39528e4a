"""Fault handles, shootdown handles and fault maps: what software reads and writes, and the commands they run.

Promises: as rtl/gru/gru_tfh.sv, gru_tgh.sv and gru_tfm.sv: one command of a fault handle at a time, in batches; any number of
  shootdown handles, in batches; maps are write-one-to-clear and a line stays up until its core's map is empty.
Needs: `fault_wires` and `shoot_wires` before anything of the cycle is committed.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.bits import add, drop, drop_lowest, has, lowest
from pymodels.gru.jit import ctz, inner, put, take
from pymodels.gru.layout import (
    BY_ASID,
    BY_CTX,
    BY_RANGE,
    C_DONE,
    C_FAULT,
    C_SELECT,
    C_TLBINT,
    F_ASID,
    F_CTX,
    F_DIRTY,
    F_GAA,
    F_INT,
    F_MASID,
    F_MOD,
    F_MVA,
    F_OPC,
    F_PFN,
    F_SIZE,
    F_VA,
    F_WAY,
    FIRST_SLOTS,
    NUM_IRQ,
    PAGE_SHIFT,
    PURGE_N,
    SH_ASID,
    SH_CTXS,
    SH_FIRST,
    SH_LAST,
    SH_MASK,
    SH_SCOPE,
    SH_TGH,
    SIZE_SHIFT,
    ST_ACTIVE,
    ST_EXCEPTION,
    ST_IDLE,
    TC_MISS,
    TC_MOD,
    TC_NONE,
    TF_FILL,
    TF_IDLE,
    TF_RUN,
    TFH_CAUSE,
    TFH_CMD,
    TFH_CTX,
    TFH_DELRESP,
    TFH_DIRTY,
    TFH_FASID,
    TFH_FVA,
    TFH_GAA,
    TFH_INT,
    TFH_MASID,
    TFH_MVA,
    TFH_OPC,
    TFH_PFN,
    TFH_SIZE,
    TFH_STATE,
    TFH_STATUS,
    TFH_WAY,
    TFM_DONES,
    TFM_FAULTS,
    TG_IDLE,
    TG_INVAL,
    TG_NOP,
    TG_WAIT,
    TGH_ASID,
    TGH_CMD,
    TGH_CTXS,
    TGH_DELRESP,
    TGH_GLOBAL,
    TGH_MASK,
    TGH_N,
    TGH_OPC,
    TGH_SIZE,
    TGH_STATE,
    TGH_STATUS,
    TGH_VADDR,
    TH_FMM,
    TH_IDLE,
    TH_INACTIVE,
    TH_UPM,
    TH_WRITE,
    TO_EXCEPTION,
    TO_RESTART,
    TO_UPM,
    TO_WRITE,
    TO_WRITE_RESTART,
    VPN_MASK,
)
from pymodels.gru.tlb import size_of

# ---- fault handles -------------------------------------------------------------------------------------------------------


@inner
def read_tfh(st: Any, cbr: int, dw: int) -> int:
    """A double-word of a fault handle."""
    row = st.tfh[cbr]
    if dw == TFH_MVA[0]:
        return row[F_MVA]
    if dw == TFH_MASID[0]:
        return put(row[F_MASID], TFH_MASID) | put(row[F_ASID], TFH_FASID) | put(row[F_DIRTY], TFH_DIRTY) | put(row[F_GAA], TFH_GAA)
    if dw == TFH_PFN[0]:
        return put(row[F_PFN], TFH_PFN) | put(row[F_SIZE], TFH_SIZE)
    if dw == TFH_FVA[0]:
        return row[F_VA]
    if dw != 0:
        return 0
    active = has(st.tfh_active, cbr)
    fmm = has(st.fmm, cbr) != 0
    missing = fmm or has(st.upm, cbr) != 0
    if st.tfh_fsm == TF_FILL and st.tfh_cur == cbr:
        state = TH_WRITE
    elif missing:
        state = TH_FMM if fmm else TH_UPM
    else:
        state = TH_IDLE if has(st.alloc, cbr) != 0 else TH_INACTIVE
    cause = TC_NONE
    if missing:
        cause = TC_MOD if row[F_MOD] != 0 else TC_MISS
    status = ST_IDLE
    if active != 0:
        status = ST_ACTIVE
    elif missing:
        status = ST_EXCEPTION
    word = put(active, TFH_CMD) | put(has(st.tfh_delresp, cbr), TFH_DELRESP) | put(row[F_OPC], TFH_OPC) | put(status, TFH_STATUS)
    word |= put(state, TFH_STATE) | put(cause, TFH_CAUSE) | put(row[F_INT], TFH_INT) | put(row[F_WAY], TFH_WAY)
    return word | put(row[F_CTX], TFH_CTX)


@inner
def write_tfh(st: Any, cbr: int, dw: int, data: int) -> bool:
    """A double-word of a fault handle; True if it starts a command."""
    if dw == 0:
        drop(st.tfh_delresp, cbr)
        if take(data, TFH_DELRESP) != 0:
            add(st.tfh_delresp, cbr)
    if has(st.tfh_active, cbr) != 0:
        return False
    row = st.tfh[cbr]
    if dw == 0:
        row[F_OPC] = take(data, TFH_OPC)
        return take(data, TFH_CMD) != 0
    if dw == TFH_FASID[0]:
        row[F_ASID] = take(data, TFH_FASID)
        row[F_DIRTY] = take(data, TFH_DIRTY)
        row[F_GAA] = take(data, TFH_GAA)
    elif dw == TFH_PFN[0]:
        row[F_PFN] = take(data, TFH_PFN)
        row[F_SIZE] = take(data, TFH_SIZE)
    elif dw == TFH_FVA[0]:
        row[F_VA] = data
    return False


@inner
def fault_wires(st: Any) -> None:
    """What the command being run does in this cycle."""
    st.w_fill = -1
    st.w_resume = 0
    st.w_resume_upm = 0
    st.w_upm = 0
    st.w_tfh_exc = 0
    st.w_inval = 0
    st.w_finish = 0
    if st.tfh_fsm == TF_IDLE:
        return
    cbr = st.tfh_cur
    opc = st.tfh[cbr, F_OPC]
    missing = has(st.fmm, cbr) != 0 or has(st.upm, cbr) != 0
    if st.tfh_fsm == TF_FILL:
        if st.f_done != 0:
            st.w_finish = 1
            st.w_inval = st.f_dropped
            if missing and opc == TO_WRITE_RESTART:
                st.w_resume = 1
    else:
        running = missing or st.asked != 0
        if running and opc in (TO_WRITE, TO_WRITE_RESTART):
            st.w_fill = cbr  # offered; the TLB takes it when it holds no other
        elif running and opc == TO_EXCEPTION:
            st.w_tfh_exc = 1
        else:
            st.w_finish = 1
            if running and opc == TO_UPM and has(st.fmm, cbr) != 0:
                st.w_upm = 1
        if missing and opc == TO_RESTART:
            st.w_resume = 1
    if st.w_resume != 0 and has(st.upm, cbr) != 0:
        st.w_resume_upm = 1


@inner
def fault_commit(st: Any, started: int) -> None:
    """End of the cycle; `started` is the handle software has just given a command (-1: none). Misses of the cycle come after
    this."""
    offered = st.w_fill
    taken = offered >= 0 and st.f_busy == 0
    st.asked = 1 if offered >= 0 and not taken else 0
    if not taken:
        st.w_fill = -1
    cbr = st.tfh_cur
    ended = st.w_tfh_exc != 0 and st.w_exc_ready != 0
    if ended:
        st.w_finish = 1
    drop_lowest(st.tfh_snoop)
    if st.w_finish != 0:
        add(st.tfh_snoop, cbr)
    direct = False
    if started >= 0:
        direct = st.tfh_fsm == TF_IDLE and st.tfh_pend[0] == 0 and st.tfh_pend[1] == 0
        add(st.tfh_active, started)
    if st.tfh_fsm == TF_IDLE:
        if direct:
            st.tfh_fsm = TF_RUN
            st.tfh_cur = started
        elif st.tfh_pend[0] != 0 or st.tfh_pend[1] != 0:
            low = st.tfh_pend[0] & st.tfh_batch[0]
            high = st.tfh_pend[1] & st.tfh_batch[1]
            if low == 0 and high == 0:
                low = st.tfh_pend[0]
                high = st.tfh_pend[1]
            st.tfh_batch[0] = low
            st.tfh_batch[1] = high
            picked = lowest(low, high)
            drop(st.tfh_batch, picked)
            drop(st.tfh_pend, picked)
            st.tfh_fsm = TF_RUN
            st.tfh_cur = picked
    elif taken:
        st.tfh_fsm = TF_FILL
    if started >= 0 and not direct:
        add(st.tfh_pend, started)
    if st.w_finish != 0:
        st.tfh_fsm = TF_IDLE
        drop(st.tfh_active, cbr)
    if st.w_resume != 0 or ended:
        drop(st.fmm, cbr)
        drop(st.upm, cbr)
    if st.w_upm != 0:
        drop(st.fmm, cbr)
        add(st.upm, cbr)


# ---- shootdown handles ---------------------------------------------------------------------------------------------------


@inner
def read_tgh(st: Any, tgh: int, dw: int) -> int:
    """A double-word of a shootdown handle."""
    if dw != 0:
        return st.tgh[tgh, dw] if dw <= TGH_CTXS[0] else 0
    pending = (st.tgh_pend >> tgh) & 1
    waiting = (st.tgh_wait >> tgh) & 1
    active = pending | waiting
    state = TG_IDLE
    if waiting != 0:
        state = TG_WAIT
    elif pending != 0:
        state = TG_INVAL
    word = put(active, TGH_CMD) | put(st.tgh_delresp >> tgh, TGH_DELRESP) | put(st.tgh_opc >> tgh, TGH_OPC)
    return word | put(ST_ACTIVE if active != 0 else ST_IDLE, TGH_STATUS) | put(state, TGH_STATE)


@inner
def write_tgh(st: Any, tgh: int, dw: int, data: int) -> bool:
    """A double-word of a shootdown handle; True if it starts a command."""
    active = ((st.tgh_pend | st.tgh_wait) >> tgh) & 1
    if dw == 0:
        st.tgh_delresp = (st.tgh_delresp & ~(1 << tgh)) | (take(data, TGH_DELRESP) << tgh)
    if active != 0:
        return False
    if dw == 0:
        st.tgh_opc = (st.tgh_opc & ~(1 << tgh)) | (take(data, TGH_OPC) << tgh)
        return take(data, TGH_CMD) != 0
    st.tgh[tgh, dw] = data
    return False


@inner
def shoot_wires(st: Any) -> None:
    """Is the offered shootdown accepted in this cycle?"""
    st.w_accept = 1 if st.out_valid != 0 and (st.slots & FIRST_SLOTS) != FIRST_SLOTS else 0


@inner
def shoot_commit(st: Any, started: int, done: int, free: bool) -> None:
    """End of the cycle: `done` handles drained, `started` has a command (-1: none), `free`: the TLB had a slot."""
    accepted = 1 << st.out[0, SH_TGH] if st.w_accept != 0 else 0
    some = st.tgh_pend & st.tgh_batch
    if some == 0:
        some = st.tgh_pend
    if st.out_valid != 0:
        some &= ~(1 << st.out[0, SH_TGH])
    nop = 0
    load = False
    picked = 0
    if some != 0:
        picked = ctz(some)
        if (st.tgh_opc >> picked) & 1 == TG_NOP:
            nop = 1 << picked
        else:
            load = st.out_valid == 0 or free
        if nop != 0 or load:
            st.tgh_batch = some & (some - 1)
    if load:
        st.out_valid = 1
        _offer(st, picked)
    elif accepted != 0:
        st.out_valid = 0
    st.tgh_pend &= ~(accepted | nop)
    if started >= 0:
        st.tgh_pend |= 1 << started
    st.tgh_wait = (st.tgh_wait | accepted) & ~done
    st.tgh_snoop = (st.tgh_snoop & (st.tgh_snoop - 1)) | done | nop


@inner
def _offer(st: Any, tgh: int) -> None:
    """The words of a handle as the shootdown the TLB understands."""
    words = st.tgh[tgh]
    out = st.out[0]
    sized = words[TGH_ASID[0]]
    n = take(words[TGH_N[0]], TGH_N)
    mask = take(words[TGH_MASK[0]], TGH_MASK) | (VPN_MASK & ~TGH_MASK[2])
    first = (words[TGH_VADDR[0]] >> PAGE_SHIFT) & mask & VPN_MASK
    out[SH_TGH] = tgh
    out[SH_ASID] = take(sized, TGH_ASID)
    out[SH_MASK] = mask
    out[SH_FIRST] = first
    out[SH_LAST] = min(first + ((n + 1) << SIZE_SHIFT[size_of(take(sized, TGH_SIZE))]) - 1, VPN_MASK)
    out[SH_CTXS] = take(words[TGH_CTXS[0]], TGH_CTXS)
    if take(sized, TGH_GLOBAL) != 0:
        out[SH_SCOPE] = BY_CTX
    else:
        out[SH_SCOPE] = BY_ASID if n == PURGE_N else BY_RANGE


# ---- fault maps ----------------------------------------------------------------------------------------------------------


@inner
def read_tfm(st: Any, core: int, dw: int) -> int:
    """A double-word of a fault map."""
    if TFM_FAULTS <= dw < TFM_FAULTS + 2:
        return st.faults[core, dw - TFM_FAULTS]
    if TFM_DONES <= dw < TFM_DONES + 2:
        return st.dones[core, dw - TFM_DONES]
    return 0


@inner
def write_tfm(st: Any, core: int, dw: int, data: int) -> None:
    """Write one to clear."""
    if TFM_FAULTS <= dw < TFM_FAULTS + 2:
        st.faults[core, dw - TFM_FAULTS] &= ~data
    elif TFM_DONES <= dw < TFM_DONES + 2:
        st.dones[core, dw - TFM_DONES] &= ~data


@inner
def lower_lines(st: Any) -> None:
    """A map was written last cycle: lines of empty maps fall."""
    for core in range(NUM_IRQ):
        if st.faults[core, 0] | st.faults[core, 1] | st.dones[core, 0] | st.dones[core, 1] == 0:
            st.irq &= ~(1 << core)


@inner
def set_fault(st: Any, cbr: int, ctx: int) -> None:
    """A miss of a control block of this context."""
    cfg = st.cfg[ctx]
    if cfg[C_FAULT] != 0:
        add(st.faults[cfg[C_SELECT]], cbr)
        if cfg[C_TLBINT] != 0:
            st.irq |= 1 << cfg[C_SELECT]


@inner
def set_done(st: Any, cbr: int, ctx: int) -> None:
    """An instruction with a completion interrupt is over; the caller has seen that the context allows it."""
    cfg = st.cfg[ctx]
    if cfg[C_DONE] != 0:
        add(st.dones[cfg[C_SELECT]], cbr)
        st.irq |= 1 << cfg[C_SELECT]
