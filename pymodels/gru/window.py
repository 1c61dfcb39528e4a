"""The chiplet window: which unit an address names, and one 64-bit access of the processor a time.

Promises: an address outside the map, a unit the context does not own, or a place past a handle's line ends in a bus error and has
  no effect. An access waits while an access of the engine ends on the same ports, and keeps those away for its cycle.
Needs: `window_wires` before the cycle is committed (it reads for the processor), `window_commit` after whole contexts have moved.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.bits import has
from pymodels.gru.blocks import read_cb, read_cbe, write_cb, write_cbe
from pymodels.gru.contexts import read_cch, write_cch
from pymodels.gru.handles import read_tfh, read_tfm, read_tgh, write_tfh, write_tfm, write_tgh
from pymodels.gru.jit import inner
from pymodels.gru.layout import (
    BLOCK_MASK,
    BLOCK_SHIFT,
    CB_BLOCK,
    CBE_BLOCK,
    CCH_BLOCK,
    DSR_BLOCK,
    DSR_UNIT_SHIFT,
    HANDLE_MASK,
    HANDLE_SHIFT,
    NO_UNIT,
    NUM_CTX,
    NUM_IRQ,
    NUM_TGH,
    PAST_LINE,
    SEGMENT_BLOCK_MASK,
    SEGMENT_SHIFT,
    SEGMENTS_END,
    TFH_BLOCK,
    TFM_BLOCK,
    TGH_BLOCK,
    U_CB,
    U_CBE,
    U_CCH,
    U_DSR,
    U_TFH,
    U_TFM,
    U_TGH,
    X_INACTIVE,
)


@inner
def decode(st: Any, addr: int) -> None:
    """w_unit, w_idx, w_dw (w_byte in the data segment) of an address."""
    st.w_unit = NO_UNIT
    st.w_dw = (addr >> 3) & 7
    in_line = addr & PAST_LINE == 0
    if addr < SEGMENTS_END:
        ctx = addr >> SEGMENT_SHIFT
        block = (addr >> BLOCK_SHIFT) & SEGMENT_BLOCK_MASK
        within = addr & BLOCK_MASK
        if block == CB_BLOCK:
            handle = within >> HANDLE_SHIFT
            if in_line and handle >> 1 < st.cb_n[ctx] and st.cch_state[ctx] != X_INACTIVE:
                st.w_unit = U_CB
                st.w_idx = 2 * st.cb_units[ctx, handle >> 1] + (handle & 1)
        elif block == DSR_BLOCK:
            unit = within >> DSR_UNIT_SHIFT
            if unit < st.dsr_n[ctx]:
                st.w_unit = U_DSR
                st.w_byte = (st.dsr_units[ctx, unit] << DSR_UNIT_SHIFT) + (addr & ((1 << DSR_UNIT_SHIFT) - 8))
        return
    block = addr >> BLOCK_SHIFT
    st.w_idx = (addr >> HANDLE_SHIFT) & HANDLE_MASK
    if not in_line:
        return
    if block == TFM_BLOCK and st.w_idx < NUM_IRQ:
        st.w_unit = U_TFM
    elif block == TGH_BLOCK and st.w_idx < NUM_TGH:
        st.w_unit = U_TGH
    elif block == CBE_BLOCK:
        st.w_unit = U_CBE
    elif block == TFH_BLOCK:
        st.w_unit = U_TFH
    elif block == CCH_BLOCK and st.w_idx < NUM_CTX:
        st.w_unit = U_CCH


@inner
def _word(st: Any, byte: int) -> int:
    """A double-word of the data segment."""
    word = 0
    for lane in range(7, -1, -1):
        word = (word << 8) | st.dsr[byte + lane]
    return word


@inner
def window_wires(st: Any) -> None:
    """The processor's access of this cycle, if any: what it reads, whether it ends, and whether it keeps retirements away."""
    st.w_block = st.start
    st.w_next_answer = 0
    st.w_reg = 0
    got = st.cpu_got
    st.cpu_got = 0
    if st.ax_valid == 0:
        return
    decode(st, st.ax_addr)
    unit = st.w_unit
    write = st.ax_write != 0
    ready = True
    st.w_next_data = 0
    if unit != NO_UNIT:
        st.w_reg = 1
        st.w_write = st.ax_write
        st.w_data = st.ax_data
        if unit in (U_CB, U_CBE):
            st.w_running = has(st.run, st.w_idx)
            st.w_active = has(st.active, st.w_idx)
            if write:
                st.w_block = 1
            ready = st.start == 0 and not (write and st.ret_valid != 0)
        elif unit == U_DSR:
            if write:
                st.w_block = 1
                ready = st.ret_valid == 0 or st.o_dsr_we == 0
            else:
                ready = got != 0
                if got == 0 and not (st.p2_valid != 0 and st.p2_index != 0):
                    st.cpu_got = 1
                    st.cpu_word = _word(st, st.w_byte)
        if ready and not write:
            _read(st, unit)
    if ready:
        st.w_next_answer = 1
        st.w_next_error = 1 if unit == NO_UNIT else 0
    st.w_ready = 1 if ready else 0


@inner
def _read(st: Any, unit: int) -> None:
    idx = st.w_idx
    dw = st.w_dw
    if unit == U_CB:
        st.w_next_data = read_cb(st, idx, dw)
    elif unit == U_CBE:
        st.w_next_data = read_cbe(st, idx, dw)
    elif unit == U_DSR:
        st.w_next_data = st.cpu_word
    elif unit == U_TFM:
        st.w_next_data = read_tfm(st, idx, dw)
    elif unit == U_TGH:
        st.w_next_data = read_tgh(st, idx, dw)
    elif unit == U_TFH:
        st.w_next_data = read_tfh(st, idx, dw)
    else:
        st.w_next_data = read_cch(st, idx, dw)


@inner
def window_commit(st: Any) -> int:
    """The processor's write of this cycle. Returns unit and index of a command it started, as unit * 256 + index, or -1."""
    st.go_start = 0
    if st.w_reg == 0 or st.w_write == 0 or st.w_ready == 0:
        return -1
    unit = st.w_unit
    idx = st.w_idx
    dw = st.w_dw
    data = st.w_data
    started = False
    if unit in (U_CB, U_CBE):
        if st.w_active == 0:
            running = st.w_running
            if st.w_go != 0 and ((st.w_mask0 if idx < 64 else st.w_mask1) >> (idx & 63)) & 1 != 0:
                running = 1
            if unit == U_CB:
                write_cb(st, idx, dw, data, running)
            else:
                write_cbe(st, idx, dw, data, running)
    elif unit == U_DSR:
        for lane in range(8):
            st.dsr[st.w_byte + lane] = (data >> (8 * lane)) & 0xFF
    elif unit == U_TFM:
        st.tfm_dirty = 1
        write_tfm(st, idx, dw, data)
    elif unit == U_TGH:
        started = write_tgh(st, idx, dw, data)
    elif unit == U_TFH:
        started = write_tfh(st, idx, dw, data)
    else:
        started = write_cch(st, idx, dw, data)
    return unit * 256 + idx if started else -1
