"""Plays that make the assertions of the GRU and of AXI fail, beside legal twins. See assertion_cases.py."""

from __future__ import annotations

from support.assertion_cases import Case

__all__ = ["CASES"]

# ---- axi_props ------------------------------------------------------------------------------------------------------------
AR, AW, W = "arvalid_i", "awvalid_i", "wvalid_i wstrb_i=1"
AXI = (
    Case("axi_props", "axi_ar_stable", (f"2* {AR} ar_i=5; {AR} ar_i=5 arready_i",), (f"{AR} ar_i=5; {AR} ar_i=6", f"{AR}; -")),
    Case("axi_props", "axi_aw_stable", (f"2* {AW} aw_i=5; {AW} aw_i=5 awready_i",), (f"{AW} aw_i=5; {AW} aw_i=6", f"{AW}; -")),
    Case("axi_props", "axi_w_stable", (f"2* {W} w_i=5; {W} w_i=5 wready_i; {W} w_i=6",), (f"{W} w_i=5; {W} w_i=6", f"{W}; -")),
    Case("axi_props", "axi_w_not_empty", ("wvalid_i wstrb_i=128",), ("wvalid_i",)),
    Case(
        "axi_props",
        "axi_size",
        (f"{AR} arsize_i=3 araddr_i=8", f"{AW} awsize_i=6 awaddr_i=64", "araddr_i=3 arsize_i=6"),
        (f"{AR} arsize_i=3 araddr_i=4", f"{AW} awsize_i=6 awaddr_i=63"),
    ),
    Case(
        "axi_props",
        "axi_r_expected",
        (f"{AR} arready_i arid_i=3; rvalid_i rid_i=3; rvalid_i rready_i rid_i=3",),
        (
            "rvalid_i",
            f"{AR} arready_i arid_i=3; rvalid_i rready_i rid_i=4",
            f"{AR} arready_i arid_i=3; 2* rvalid_i rready_i rid_i=3",
        ),
    ),
    Case(
        "axi_props",
        "axi_b_expected",
        (f"2* {AW} awready_i awid_i=3; 2* bvalid_i bready_i bid_i=3",),
        (
            "bvalid_i",
            f"{AW} awready_i awid_i=3; bvalid_i bready_i bid_i=4",
            f"2* {AW} awready_i awid_i=3; 3* bvalid_i bready_i bid_i=3",
        ),
    ),
)

# ---- gru_axi_props ---------------------------------------------------------------------------------------------------------
B, R = "s_axil_bvalid_o s_axil_bresp_o=2", "s_axil_rvalid_o s_axil_rdata_o=9"
READ, WRITE = "m_axi_arvalid_o m_axi_arready_i m_axi_arid_o=5", "m_axi_awvalid_o m_axi_awready_i m_axi_awid_o=5"
CAME = "m_axi_rvalid_i m_axi_rready_o m_axi_rid_i=5"
PORTS = (
    Case("gru_axi_props", "axil_b_stable", (f"2* {B}; {B} s_axil_bready_i; -",), (f"{B}; s_axil_bvalid_o", f"{B}; -")),
    Case(
        "gru_axi_props",
        "axil_r_stable",
        (f"2* {R}; {R} s_axil_rready_i; -",),
        (f"{R}; s_axil_rvalid_o s_axil_rdata_o=8", f"{R}; -"),
    ),
    Case(
        "gru_axi_props",
        "one_access_ar",
        (f"{READ}; {CAME}; {READ}", f"{READ}; {WRITE} m_axi_awid_o=6"),
        (f"{READ}; {READ}", f"{WRITE}; {READ}"),
    ),
    Case(
        "gru_axi_props",
        "one_access_aw",
        (f"{READ}; {CAME}; {WRITE}", f"{WRITE}; {READ} m_axi_arid_o=6"),
        (f"{READ}; {WRITE}", f"{WRITE}; {WRITE}"),
    ),
)

# ---- gru_cb_props, gru_mem_props -------------------------------------------------------------------------------------------
ENGINE = (
    Case(
        "gru_cb_props",
        "one_writer",
        ("ret_valid_i; cb_wr cbe_wr; w_start",),
        ("ret_valid_i cb_wr", "cbe_wr w_start", "ret_valid_i w_start"),
    ),
    Case(
        "gru_mem_props", "queue_has_room", ("req_valid_i count_o=MemDepth-1", "count_o=MemDepth"), ("req_valid_i count_o=MemDepth",)
    ),
    Case("gru_mem_props", "queue_not_empty", ("pop count_o=1",), ("pop",)),
    Case("gru_mem_props", "atomics_have_room", ("amo_push_i am_count=3",), ("amo_push_i am_count=4",)),
    Case(
        "gru_mem_props", "blocked_means_no_retirement", ("ret_valid_o block_i; block_i; -; ret_valid_o",), ("block_i; ret_valid_o",)
    ),
)

# ---- gru_chip_props --------------------------------------------------------------------------------------------------------
LOOK, HIT = "lkp_valid lkp_ready lkp.cbr=3 lkp.asid=8 lkp.va=0x5000", "rsp_valid rsp.hit rsp.cbr=3"
SHOOT = "shoot_valid shoot_ready shoot.tgh=2 shoot.asid=8 shoot.first=5 shoot.last=5 shoot.mask=~0"
WAIT, END = "tgh_wait[2]", "m_axi_rvalid_i m_axi_rready_o m_axi_rid_i=3"
GONE = "state_valid state_ctx=1 state_new=CCH_STATE_INTERRUPTED cb_map[1]=2"
CHIP = (
    Case(
        "gru_chip_props",
        "sd_2_status_after_access",
        (
            f"{LOOK}; {HIT}; {SHOOT}; 2* {WAIT}; {WAIT} {END}; -",
            f"{LOOK}; {HIT}; {SHOOT} shoot.first=6 shoot.last=6; 2* {WAIT}; -",
            f"{LOOK}; {HIT}; {END}; {SHOOT}; {WAIT}; -",
        ),
        (
            f"{LOOK}; {HIT}; {SHOOT}; 2* {WAIT}; -",
            f"{LOOK}; {SHOOT}; {WAIT} {HIT}; {WAIT}; -",
            f"{LOOK}; {HIT}; {SHOOT} shoot.scope=SCOPE_ASID shoot.first=9; 2* {WAIT}; -",
            f"{LOOK}; {HIT} rsp.pagesize=5; {SHOOT} shoot.first=500 shoot.last=500; 2* {WAIT}; -",
        ),
    ),
    Case(
        "gru_chip_props",
        "sd_2_status_waits",
        (f"{LOOK}; {HIT}; {END}; {SHOOT}; 2* -", f"{LOOK}; {HIT}; {SHOOT} shoot.asid=9; 2* -"),
        (f"{LOOK}; {HIT}; {SHOOT}; 2* -",),
    ),
    Case(
        "gru_chip_props",
        "one_access_lookup",
        (f"{LOOK}; {LOOK} lkp.cbr=4", f"{LOOK}; {HIT}; {END}; {LOOK}", f"{LOOK}; rsp_valid rsp.cbr=3; {LOOK}"),
        (f"{LOOK}; {LOOK}", f"{LOOK}; {HIT}; {LOOK}"),
    ),
    Case("gru_chip_props", "one_access_parked", (f"fmm[4] upm[5] {LOOK}",), (f"fmm[3] {LOOK}", f"upm[3] {LOOK}")),
    Case("gru_chip_props", "ctx_lock_fault_map", (f"{GONE} fmm[4]", f"{GONE} upm[3]"), (f"{GONE} fmm[3]",)),
    Case(
        "gru_chip_props",
        "ctx_sync_no_access",
        (f"{LOOK}; {GONE} sync[2]", f"{LOOK} lkp.cbr=4; {GONE} sync[1]"),
        (f"{LOOK}; {GONE} sync[1]", f"{LOOK}; {HIT}; {GONE} sync[1]"),
    ),
    Case(
        "gru_chip_props",
        "ctx_dealloc_no_access",
        (f"{LOOK}; dealloc ctx_mask[4]",),
        (f"{LOOK}; dealloc ctx_mask[3]", f"{LOOK}; {HIT}; dealloc ctx_mask[3]"),
    ),
    Case(
        "gru_chip_props",
        "quiescent_is_true",
        ("2* quiescent_o; -; ready[3]", "2* quiescent_o irq_o=4"),
        ("quiescent_o; ready[3]", "quiescent_o; irq_o=1", "quiescent_o; deadline_o=7"),
    ),
)

# ---- gru_tfh_props, gru_tfm_props -------------------------------------------------------------------------------------------
PARK, OFFER = "park_valid_i park_rsp_i.cbr=5", "fill_valid_o fill_o.cbr=5 fill_o.pfn=1"
FAULT = "fault_valid_i fault_cbr_i=9 fault_cfg_i.fault_bit_enable fault_cfg_i.int_select=3"
HANDLES = (
    Case(
        "gru_tfh_props",
        "tfh_fill_needs_miss",
        (f"{PARK}; {OFFER} fill_ready_i", f"{PARK}; {OFFER}; {OFFER} go_i mask_i[5]; {OFFER} fill_ready_i"),
        (OFFER, f"{PARK}; go_i mask_i[5]; {OFFER}", f"{PARK}; resume_o cmd_cbr_o=5; {OFFER}"),
    ),
    Case(
        "gru_tfh_props",
        "tfh_fill_stable",
        (f"{PARK}; 2* {OFFER}; {OFFER} fill_ready_i; -",),
        (f"{PARK}; {OFFER}; {OFFER} fill_o.pfn=2", f"{PARK}; {OFFER}; -"),
    ),
    Case(
        "gru_tfh_props",
        "tfh_one_miss",
        (f"{PARK}; {PARK} park_rsp_i.cbr=6", f"{PARK}; dealloc_i mask_i[5]; {PARK}"),
        (f"{PARK}; {PARK}",),
    ),
    Case(
        "gru_tfh_props",
        "tfh_resume_needs_miss",
        (f"{PARK}; resume_o cmd_cbr_o=5", f"{PARK}; exc_valid_o cmd_cbr_o=5; exc_valid_o exc_ready_i cmd_cbr_o=5"),
        ("resume_o cmd_cbr_o=5", "exc_valid_o cmd_cbr_o=5", f"{PARK}; 2* resume_o cmd_cbr_o=5"),
    ),
    Case(
        "gru_tfm_props",
        "fq_1_fault_recorded",
        (f"{FAULT}; fault_q[3][9]", "fault_valid_i fault_cbr_i=9 fault_cfg_i.int_select=3; -"),
        (f"{FAULT}; -", f"{FAULT}; fault_q[3][8]", f"{FAULT}; fault_q[2][9]"),
    ),
    Case(
        "gru_tfm_props",
        "fq_6_line_rises",
        (f"{FAULT} fault_cfg_i.tlb_int_enable; fault_q[3][9] irq_o[3]",),
        (f"{FAULT} fault_cfg_i.tlb_int_enable; fault_q[3][9]", f"{FAULT} fault_cfg_i.tlb_int_enable; fault_q[3][9] irq_o[2]"),
    ),
    Case(
        "gru_tfm_props",
        "fq_6_level_until_empty",
        ("fault_q[3][9] irq_o[3]; irq_o[3]; -", "2* fault_q[3][9] irq_o[3]"),
        ("fault_q[3][9] irq_o[3]; fault_q[3][9]", "done_q[3][9] irq_o[3]; -"),
    ),
)

# ---- gru_tlb_props ---------------------------------------------------------------------------------------------------------
PUT = "wr_en wr_idx=2 wr_way=1 fill.asid=8 fill.va=0x5000 fill.pfn=7 fill.dirty"
USE = "s1_hit s1_idx[0]=2 s1_way[0]=1 s1_req.cbr=3 s1_req.asid=8 s1_req.va=0x5000"
KILL = "shoot_valid_i shoot_ready_o shoot_i.tgh=2 shoot_i.asid=8 shoot_i.first=5 shoot_i.last=5 shoot_i.mask=~0"
DONE, USED = "shoot_done_o[2]", "use_done_valid_i=1 use_done_cbr_i[0]=3"
MISS, DECIDE = "s1_miss s1_req.cbr=3", "decide fill.cbr=3 fill.asid=8 fill.va=0x5000"
ANSWER = "rsp_valid_o rsp_o.hit rsp_o.cbr=3 rsp_o.pa=0x7000"
DEAD = frozenset({"sd_8_dead_at_once"})
LONGEST = 2 * (64 // 4) + 8  # two sweeps of the small TLB in props_alone.py, and what the assertion adds
TLB = (
    Case(
        "gru_tlb_props",
        "sd_8_dead_at_once",
        (f"{PUT}; {KILL} shoot_i.first=6 shoot_i.last=6; {USE}; -", f"{KILL}; {PUT}; {USE}; -"),
        (f"{PUT}; {KILL}; {USE}; -", f"{PUT}; {KILL} shoot_i.first=4 shoot_i.last=9; {USE}; -"),
    ),
    Case(
        "gru_tlb_props",
        "sd_1_no_hit_after_ack",
        (f"{PUT}; {KILL}; -; {DONE}; {PUT}; {USE}; -",),
        (f"{PUT}; {KILL}; -; {DONE}; {USE}; -",),
        DEAD,
    ),
    Case(
        "gru_tlb_props",
        "sd_5_every_page_size",
        (f"{PUT} fill.pagesize=5; {KILL} shoot_i.first=512 shoot_i.last=900; {USE}; -",),
        (f"{PUT} fill.pagesize=5; {KILL} shoot_i.first=511 shoot_i.last=900; {USE}; -", f"{PUT} fill.pagesize=5; {KILL}; {USE}; -"),
        DEAD,
    ),
    Case(
        "gru_tlb_props",
        "sd_6_scope_is_explicit",
        (
            f"{PUT} fill.va=0x1000; {KILL} shoot_i.first=0 shoot_i.last=0; {USE} s1_req.va=0x1000; -",
            f"{PUT}; {KILL} shoot_i.scope=SCOPE_CTX shoot_i.ctxbitmap=2; {USE}; -",
        ),
        (
            f"{PUT} fill.va=0; {KILL} shoot_i.first=0 shoot_i.last=0; {USE} s1_req.va=0; -",
            f"{PUT} fill.asid=0; {KILL} shoot_i.asid=0; {USE} s1_req.asid=0; -",
            f"{PUT}; {KILL} shoot_i.scope=SCOPE_ASID shoot_i.first=9; {USE}; -",
            f"{PUT}; {KILL} shoot_i.scope=SCOPE_CTX shoot_i.ctxbitmap=1; {USE}; -",
            f"{PUT}; {KILL} shoot_i.last=~0; {USE}; -",
        ),
        DEAD,
    ),
    Case(
        "gru_tlb_props",
        "sd_3_covered_is_dropped",
        (f"{MISS}; {KILL}; {DECIDE} drop; {DONE}", f"{KILL}; {MISS}; {DECIDE} {DONE}; -"),
        (f"{MISS}; {KILL}; {DECIDE}; {DONE}", f"{MISS}; {KILL} {DECIDE}; -"),
    ),
    Case(
        "gru_tlb_props",
        "sd_3_only_covered",
        (f"{MISS}; {KILL} shoot_i.first=6 shoot_i.last=9; {DECIDE}; {DONE}",),
        (f"{MISS}; {DECIDE} drop; -", f"{MISS}; {KILL} shoot_i.first=6 shoot_i.last=9; {DECIDE} drop; {DONE}"),
    ),
    Case(
        "gru_tlb_props",
        "sd_3_reported",
        (f"{MISS}; {DECIDE}; fill_done_o",),
        ("fill_done_o", f"{MISS}; {DECIDE}; fill_done_o fill_dropped_o"),
    ),
    Case(
        "gru_tlb_props",
        "sd_4_port_stays_open",
        ("lkp_valid_i lkp_i.sizes=7; lkp_ready_o=0; rsp_valid_o",),
        ("lkp_ready_o=0", "lkp_valid_i lkp_i.sizes=3; lkp_ready_o=0", "lkp_valid_i lkp_i.sizes=7; 2* lkp_ready_o=0"),
    ),
    Case(
        "gru_tlb_props",
        "sd_4_latency",
        ("lkp_valid_i lkp_i.sizes=3; -; rsp_valid_o", "lkp_valid_i lkp_i.sizes=7; 3* -"),
        ("lkp_valid_i lkp_i.sizes=3; 2* -",),
    ),
    Case(
        "gru_tlb_props",
        "sd_7_one_match",
        ("s1_ways[0]=1 s1_ways[1]=2 s1_dead[1]", "s1_ways[1]=8"),
        ("s1_ways[0]=3", "s1_ways[0]=1 s1_ways[1]=2"),
    ),
    Case("gru_tlb_props", "sd_8_no_starvation", (f"{LONGEST}* shoot_valid_i; -",), (f"{LONGEST + 2}* shoot_valid_i",)),
    Case(
        "gru_tlb_props",
        "hit_is_the_entry",
        (f"{PUT}; {USE}",),
        (f"{PUT}; {USE} s1_req.va=0x6000", f"{PUT}; {USE} s1_req.asid=9", f"{PUT}; {USE} s1_req.va=0x4fff"),
    ),
    Case(
        "gru_tlb_props",
        "write_needs_dirty",
        (f"{PUT}; {USE} s1_req.write", f"{PUT} fill.dirty=0; {USE}"),
        (f"{PUT} fill.dirty=0; {USE} s1_req.write",),
    ),
    Case(
        "gru_tlb_props",
        "answer_is_the_entry",
        (f"{PUT}; {USE}; {ANSWER}", f"{PUT} fill.pagesize=1; {USE}; {ANSWER} rsp_o.pagesize=1 rsp_o.pa=0x5000"),
        (
            f"{PUT}; {USE}; {ANSWER} rsp_o.pa=0x8000",
            f"{PUT}; {USE}; {ANSWER} rsp_o.mod",
            f"{PUT}; {USE}; {ANSWER} rsp_o.cbr=4",
            f"{PUT}; {USE}; {ANSWER} rsp_o.pagesize=1",
        ),
    ),
    Case(
        "gru_tlb_props",
        "env_one_access_a_cbr",
        (f"{PUT}; {USE}; lkp_valid_i lkp_i.cbr=4", f"{PUT}; {USE}; lkp_valid_i lkp_i.cbr=3 {USED}"),
        (f"{PUT}; {USE}; lkp_valid_i lkp_i.cbr=3",),
    ),
    Case("gru_tlb_props", "env_use_was_in_flight", (f"{PUT}; {USE}; {USED}",), (USED, f"{PUT}; {USE}; 2* {USED}")),
    Case(
        "gru_tlb_props",
        "sd_2_ack_after_last_use",
        (f"{PUT}; {USE}; {KILL}; {USED}; -; {DONE}", f"{PUT}; {USE}; {KILL} {USED}; -; {DONE}"),
        (f"{PUT}; {USE}; {KILL}; -; {DONE}", f"{PUT}; {KILL} {USE}; -; {DONE}"),
    ),
    Case(
        "gru_tlb_props",
        "sd_2_waits_for_covered_only",
        (f"{KILL}; -; {DONE}; 3* -", f"{PUT}; {USE}; {KILL}; 9* -"),
        (f"{KILL}; 4* -", f"{PUT}; {USE}; {KILL} shoot_i.asid=9; 4* -"),
    ),
    Case("gru_tlb_props", "sd_2_ack_once", (f"{KILL}; -; {DONE}",), (DONE, f"{KILL}; -; 2* {DONE}")),
    Case(
        "gru_tlb_props",
        "env_handle_is_free",
        (f"{KILL}; {KILL} shoot_i.tgh=3; {DONE}", f"{KILL}; -; {KILL} {DONE}"),
        (f"{KILL}; {KILL}",),
    ),
)

CASES = (*AXI, *PORTS, *ENGINE, *CHIP, *HANDLES, *TLB)
