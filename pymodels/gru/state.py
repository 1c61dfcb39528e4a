"""The state of the chip, its memory interface and its monitor as one flat record, so that a kernel takes one pointer.

Promises: `new_state()` is the chip after reset; every field is a 64-bit integer or an array of them (bytes where bytes are copied).
Names follow the RTL's registers; a set of control blocks is two words, bit i of word i // 64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymodels.gru import layout as k

__all__ = ["EVENT_ROOM", "LOOKUP_ROOM", "STATE", "TRACE_ROOM", "new_state"]

EVENT_ROOM = 64  # events of one cycle: at most one answer, a line of every core, four probes, one stop
TRACE_ROOM = 8192  # records before Python must take them
TRACE_CYCLE = 64  # records of one cycle, at most
LOOKUP_ROOM = 16384


def _names(text: str) -> list[str]:
    return text.split()


_SCALARS = _names("""
    done wake evaluated armed
    read_latency write_latency beat_cycles max_outstanding oracle log_lookups max_violations memory_bytes frames
    tlb_lookups tlb_hits tlb_misses hit_latency_min hit_latency_max hit_latency_sum shootdown_pages irq_changes snoops
    mmio_reads mmio_writes mmio_errors memory_read_beats memory_read_bytes memory_write_beats memory_write_bytes
    memory_decode_errors exclusive_reads exclusive_passed exclusive_failed checked_beats checked_bytes violations
    traces events lookups kept

    queued bus_state bus_pos bus_error pin ax_valid ax_write ax_addr ax_data answer answer_error answer_data cpu_got cpu_word
    w_reg w_write w_unit w_idx w_dw w_byte w_data w_ready w_block w_running w_active w_next_error w_next_data w_next_answer

    start start_cbr held w_start w_start_cbr go_start
    cch_active cch_exc cch_pend cch_wait cch_sync cch_snoop cch_fsm cch_cur cch_step cb_used dsr_used
    w_verdict w_go w_dealloc w_mask0 w_mask1 w_cch w_cch_ctx w_cch_state

    p1_valid p1_cbr p2_valid p2_cbr p2_index p2_index_ok p2_word p3_valid p3_cbr looking poll_any deadline w_lookup w_count

    rd wr m1_valid m1_cbr m1_write ar aw w ar_cbr aw_cbr aw_amo am_rd am_wr ret_valid ret_src ret_cbr ret_used ret_resp ret_ecause
    bus_first prefer_b n_valid n_src n_cbr n_used n_resp n_ecause w_exc_ready w_use0 w_use1
    o_out o_step o_exc o_ecause o_sub o_avalue_we o_avalue o_dsr_we o_push o_data o_use_done
    arready awready wready rvalid rid rresp bvalid bid bresp last_read last_response write_ready
    aw_taken w_taken reads_rd reads_wr resp_rd resp_wr

    s1_valid s1_cbr s1_ctx s1_asid s1_va s1_write s1_rest
    rsp_valid rsp_cbr rsp_hit rsp_mod rsp_pa rsp_gaa rsp_way
    h_hit h_miss h_cbr
    draining drained
    slots visit visit_next visit_asid visit_vpn sweep sizes other_sizes m1v m1_fill m1_sweep m1_last m1_set last_fill
    f_busy f_first f_decide f_killed f_lapped f_known f_match f_from f_until f_done f_dropped log_count
    fl_cbr fl_ctx fl_asid fl_va fl_pfn fl_size fl_gaa fl_dirty fl_lo fl_span
    w_fill w_go_fill w_decide w_drop w_match w_match_now w_lapped w_until w_from w_kill w_way w_plru w_commit

    tgh_delresp tgh_opc tgh_pend tgh_wait tgh_batch tgh_snoop out_valid w_accept
    tfh_fsm tfh_cur asked w_tfh w_resume w_resume_runs w_upm w_tfh_exc w_inval w_finish w_resume_upm
    irq irq_seen tfm_dirty w_irq w_probe_cb w_probe_tfh w_probe_tgh w_probe_cch
""")

_SETS = _names("""
    ready busy look poll batch run alloc stopping active restored color inval fmm upm used amo cb_snoop
    tfh_pend tfh_active tfh_batch tfh_snoop tfh_delresp has_missed flying
""")

_ARRAYS: dict[str, tuple[int, ...]] = {
    # control blocks
    "row": (k.NUM_CBR, 8),
    "ins": (k.NUM_CBR, k.S_WORDS),
    "acc": (k.NUM_CBR, k.A_WORDS),
    "avalue": (k.NUM_CBR,),
    "ecause": (k.NUM_CBR,),
    "sub": (k.NUM_CBR,),
    "istatus": (k.NUM_CBR,),
    # contexts
    "cch_row": (k.NUM_CTX, 8),
    "cch_state": (k.NUM_CTX,),
    "cch_cause": (k.NUM_CTX,),
    "cfg": (k.NUM_CTX, k.C_WORDS),
    "cb_map": (k.NUM_CTX,),
    "dsr_map": (k.NUM_CTX,),
    "ctx_mask": (k.NUM_CTX, 2),
    "cb_units": (k.NUM_CTX, k.CB_UNITS),
    "dsr_units": (k.NUM_CTX, k.DSR_UNITS),
    "cb_n": (k.NUM_CTX,),
    "dsr_n": (k.NUM_CTX,),
    "owner": (k.CB_UNITS,),
    "region_asid": (k.NUM_CTX, 8),
    "region_sizes": (k.NUM_CTX, 8),
    # the TLB
    "s1_probe": (2,),
    "s1_size": (2,),
    "s1_set": (2,),
    "h_page": (k.P_WORDS,),
    "valid": (k.SETS,),
    "plru": (k.SETS,),
    "tag": (k.SETS * k.WAYS, k.T_WORDS),
    "swept": (k.SETS,),
    "slot": (k.SLOTS, k.SH_WORDS),
    "left": (k.SLOTS,),
    "log": (k.LOG_DEPTH, k.SH_WORDS),
    "missed_at": (k.NUM_CBR,),
    "page": (k.NUM_CBR, k.P_WORDS),
    "pending": (k.NUM_TGH, 2),
    # handles
    "tgh": (k.NUM_TGH, 8),
    "out": (1, k.SH_WORDS),
    "tfh": (k.NUM_CBR, k.F_WORDS),
    "faults": (k.NUM_IRQ, 2),
    "dones": (k.NUM_IRQ, 2),
    # the bus
    "queue": (k.BUS_QUEUE, 4),
    "am": (k.ATOMIC_QUEUE, 1),
    "reads": (256, 2),
    "responses": (256, 3),
    "monitor": (k.NUM_CBR, 3),
    "bus": (k.Q_WORDS,),
    # the monitor
    "kinds": (k.DEV_EVENTS,),
    "accepted_at": (k.NUM_CBR,),
    "trace": (TRACE_ROOM, 8),
    "event": (EVENT_ROOM, k.E_WORDS),
    "lookup": (LOOKUP_ROOM, 5),
    "violation": (k.V_KEPT, k.V_WORDS),
}

_BYTES: dict[str, tuple[int, ...]] = {
    "dsr": (k.DSR_BYTES,),
    "rline": (k.NUM_CBR, k.LINE),  # what a read returned
    "wline": (k.NUM_CBR, k.LINE),  # what a write will store
}

STATE = np.dtype(
    [(name, np.int64) for name in _SCALARS]
    + [(name, np.int64, (2,)) for name in _SETS]
    + [(name, np.int64, shape) for name, shape in _ARRAYS.items()]
    + [(name, np.uint8, shape) for name, shape in _BYTES.items()],
    align=True,
)


def new_state() -> NDArray[Any]:
    """The chip after reset, cycle 0; settings are still to be made."""
    state = np.zeros(1, dtype=STATE)
    state["deadline"] = k.NEVER
    state["wake"] = 1
    state["w_lookup"] = -1
    return state
