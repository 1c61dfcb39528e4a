"""Plays that make the assertions of the HCA's data path fail (queue pairs, packets, translation), beside legal twins.
See assertion_cases.py."""

from __future__ import annotations

from support.assertion_cases import Case

__all__ = ["CASES"]

# ---- hca_qp_props ----------------------------------------------------------------------------------------------------------
PACKET = "pkt_valid_i pkt_ready_o"
ISSUE = "event_q=SEND_ISSUE out.build ctx.state=QP_STATE_RTS ctx.prod=1"
HEARD = "event_q=RECV_PACKET ctx.state=QP_STATE_RTR out.verdict out.kind=VERDICT_TAKE"
NAK = "event_q=RECV_ANSWER out.answer=ANSWER_NAK ctx.epsn=2 ctx_next.epsn=2 ctx_next.lpsn=1"
QP = (
    Case(
        "hca_qp_props", "verdict_in_time", (f"{PACKET}; -; verdict_valid_o",), (f"{PACKET}; 2* -", f"{PACKET}; verdict_valid_o; -")
    ),
    Case("hca_qp_props", "one_verdict", ("send_verdict_valid; recv_verdict_valid",), ("send_verdict_valid recv_verdict_valid",)),
    Case(
        "hca_qp_send_props",
        "sends_when_it_may",
        (ISSUE,),
        (f"{ISSUE} ctx.parked", f"{ISSUE} ctx.waits=WAIT_RNR", f"{ISSUE} ctx.alone_out", f"{ISSUE} ctx.state=QP_STATE_SQD"),
    ),
    Case("hca_qp_send_props", "sends_what_is_posted", (ISSUE,), (f"{ISSUE} ctx.cur.idx=1",)),
    Case(
        "hca_qp_send_props",
        "window_kept",
        ("event_q=SEND_ISSUE ctx_next.cur.idx=MAX_UNACKED",),
        ("event_q=SEND_ISSUE ctx_next.cur.idx=MAX_UNACKED+1", "event_q=SEND_ISSUE ctx_next.done=1"),
    ),
    Case(
        "hca_qp_send_props",
        "acked_in_order",
        ("event_q=SEND_PACKET ctx.una.psn=0xffffff", "event_q=SEND_COMMAND ctx.una.psn=5"),
        ("event_q=SEND_PACKET ctx.una.psn=5 ctx_next.una.psn=4",),
    ),
    Case("hca_qp_send_props", "answers_landed", ("event_q=SEND_LAND ctx.flight=1",), ("event_q=SEND_LAND",)),
    Case("hca_qp_send_props", "faults_park", ("event_q=SEND_FAIL out.flt ctx_next.parked",), ("event_q=SEND_FAIL out.flt",)),
    Case(
        "hca_qp_recv_props",
        "takes_when_it_may",
        (HEARD, f"{HEARD} out.kind=VERDICT_DROP ctx.state=QP_STATE_ERR"),
        (f"{HEARD} ctx.state=QP_STATE_INIT", f"{HEARD} out.kind=VERDICT_HOLD ctx.state=QP_STATE_ERR"),
    ),
    Case(
        "hca_qp_recv_props",
        "takes_no_fault",
        (HEARD, f"{HEARD} out.kind=VERDICT_HOLD pkt_q.result=XLT_RESULT_FAULT_NOT_PRESENT"),
        (f"{HEARD} pkt_q.result=XLT_RESULT_FAULT_NOT_PRESENT", f"{HEARD} pkt_q.result=XLT_RESULT_BAD_KEY"),
    ),
    Case(
        "hca_qp_recv_props",
        "expects_in_order",
        ("event_q=RECV_PACKET ctx.epsn=0xffffff", "event_q=RECV_COMMAND ctx.epsn=5"),
        ("event_q=RECV_PACKET ctx.epsn=5 ctx_next.epsn=4",),
    ),
    Case(
        "hca_qp_recv_props",
        "counts_landed",
        ("event_q=RECV_LAND ctx.flight=1 ctx_next.epsn=4 ctx_next.lpsn=4",),
        ("event_q=RECV_LAND ctx.flight=1 ctx_next.epsn=4 ctx_next.lpsn=5",),
    ),
    Case("hca_qp_recv_props", "requests_landed", ("event_q=RECV_LAND ctx.flight=1",), ("event_q=RECV_LAND",)),
    Case(
        "hca_qp_recv_props",
        "nak_says_where",
        (f"{NAK} ctx.lpsn=2", f"{NAK} ctx.lpsn=1 ctx.state=QP_STATE_ERR"),
        (f"{NAK} ctx.lpsn=1",),
    ),
    Case(
        "hca_qp_fifo_props",
        "once_in_a_list",
        ("push_i tail_q=3 valid_o", "push_i head_q=1 tail_q=4 valid_o"),
        ("push_i tail_q=4 valid_o", "push_i head_q=6 tail_q=2 valid_o"),
    ),
    Case("hca_qp_fifo_props", "list_not_empty", ("pop_i valid_o tail_q=1",), ("pop_i",)),
    Case("hca_qp_queue_props", "queue_has_room", ("push_i count=3", "count=4"), ("push_i count=4",)),
)

# ---- hca_rx_props, hca_tx_props ----------------------------------------------------------------------------------------------
START, FINISH = "live_i[3][1] start_valid_o start_o.slot=3 start_o.seg=1", "done_valid_o done_o.slot=3 done_o.seg=1"
SHOWN = "pkt_valid_o pkt_ready_i pkt_o.slot=3"
JUDGED = "verdict_valid_i verdict_i.slot=3"


def stable(label: str, offer: str, field: str, ready: str) -> Case:
    """A channel of hca_rx."""
    one, two = f"{offer} {field}=1", f"{offer} {field}=2"
    return Case("hca_rx_props", label, (f"-; 2* {one}; {one} {ready}; -",), (f"-; {one}; {two}", f"-; {one}; -"))


RX = (
    stable("read_stable", "rd_valid_o", "rd_o.pa", "rd_ready_i"),
    stable("write_stable", "wr_valid_o", "wr_o.pa", "wr_ready_i"),
    stable("lookup_stable", "req_valid_o", "req_o.va", "req_ready_i"),
    stable("packet_stable", "pkt_valid_o", "pkt_o.va", "pkt_ready_i"),
    stable("landing_stable", "land_valid_o", "land_o.qpn", "land_ready_i"),
    Case("hca_rx_props", "started_alive", (f"-; {START}",), (f"-; {START} live_i[3][1]=0",)),
    Case("hca_rx_props", "started_once", (f"-; {START}; {FINISH}; {START}",), (f"-; {START}; {START}",)),
    Case("hca_rx_props", "done_once", (f"-; {START}; {FINISH}",), (f"-; {FINISH}", f"-; {START}; {FINISH} done_o.seg=2")),
    Case(
        "hca_rx_props",
        "shown_in_flight",
        (
            f"-; {START}; {SHOWN} segs[3]=2",
            f"-; {SHOWN} segs[3]=2 {START}",
            f"-; {SHOWN} segs[3]=2 pkt_o.result=XLT_RESULT_BAD_KEY",
        ),
        (f"-; {SHOWN} segs[3]=2", f"-; {START}; {SHOWN} segs[3]=3"),
    ),
    Case(
        "hca_rx_props",
        "given_back",
        (f"-; {START}; alloc free_slot=4", f"-; {START}; {FINISH}; alloc free_slot=3"),
        (f"-; {START}; alloc free_slot=3",),
    ),
    Case(
        "hca_rx_props",
        "judged_once",
        (f"-; {SHOWN}; {JUDGED}",),
        (f"-; {JUDGED}", f"-; {SHOWN}; 2* {JUDGED}", f"-; {SHOWN}; {JUDGED} verdict_i.slot=4"),
    ),
    Case(
        "hca_rx_props",
        "takes_what_is_fine",
        (
            f"-; {SHOWN}; {JUDGED} verdict_i.verdict=VERDICT_TAKE",
            f"-; {SHOWN} pkt_o.no_wqe; {JUDGED} verdict_i.verdict=VERDICT_DROP",
        ),
        tuple(
            f"-; {SHOWN} {wrong}; {JUDGED} verdict_i.verdict=VERDICT_TAKE"
            for wrong in ("pkt_o.no_wqe", "pkt_o.too_long", "pkt_o.bad_sge", "pkt_o.result=XLT_RESULT_NO_RIGHT")
        ),
    ),
    Case("hca_rx_props", "judged_in_time", (f"-; {SHOWN}; 62* -; {JUDGED}",), (f"-; {SHOWN}; 64* -",)),
    Case(
        "hca_rx_props",
        "rests",
        ("-; quiescent_o",),
        tuple(
            f"-; quiescent_o {offer}"
            for offer in ("rd_valid_o", "wr_valid_o", "req_valid_o", START, "drop_valid_o", SHOWN, "land_valid_o")
        ),
    ),
    Case(
        "hca_rx_props",
        "goes_on_resting",
        ("-; 2* quiescent_o", "-; quiescent_o rsp_valid_i; -", f"-; {SHOWN}; quiescent_o; {JUDGED}"),
        ("-; quiescent_o; -",),
    ),
)
FLIT = "flit_valid_o flit_ready_i"
TX = (
    Case("hca_tx_props", "tx_starts_live", (START,), (f"{START} live_i[3][1]=0",)),
    Case("hca_tx_props", "tx_starts_once", (f"{START}; {FINISH}; {START}",), (f"{START}; {START}",)),
    Case("hca_tx_props", "tx_done_once", (f"{START}; {FINISH}",), (FINISH, f"{START}; 2* {FINISH}")),
    Case(
        "hca_tx_props",
        "tx_asks_landed",
        (f"{START}; req_valid_o req_o.id.slot=3 req_o.id.seg=2",),
        (f"{START}; req_valid_o req_o.id.slot=3 req_o.id.seg=1",),
    ),
    Case(
        "hca_tx_props",
        "tx_flits_in_packets",
        (f"{FLIT} flit_o.sop; {FLIT} flit_o.eop; {FLIT} flit_o.sop flit_o.eop",),
        (FLIT, f"2* {FLIT} flit_o.sop", f"{FLIT} flit_o.sop flit_o.eop; {FLIT}"),
    ),
    Case(
        "hca_tx_props",
        "tx_goes_on_resting",
        ("2* quiescent_o", "quiescent_o rsp_valid_i; -", "quiescent_o; live_i[0][0]"),
        ("quiescent_o; -",),
    ),
)

# ---- hca_xlt_cache_props, hca_xlt_props --------------------------------------------------------------------------------------
PUT = "wr_en f1_idx_q=2 wr_way=1"
INVAL = "accept_i inval_i.key=5 inval_i.first=9 inval_i.last=9"
HIT = "s1_hit_o s1_valid_i s1_idx=2 s1_way=1 s1_key_i=5 s1_vpn_i=9 s1_entry_o.tag.key=5 s1_entry_o.tag.vpn=9"
LARGE = f"{HIT} s1_entry_o.tag.level=1 s1_entry_o.tag.off=9"
DEAD = frozenset({"sd_8_dead_at_once"})
CACHE = (
    Case(
        "hca_xlt_cache_props",
        "sd_8_dead_at_once",
        (f"{PUT}; {INVAL} inval_i.first=10 inval_i.last=10; {HIT}; -", f"{INVAL}; {PUT}; {HIT}; -"),
        (f"{PUT}; {INVAL}; {HIT}; -",),
    ),
    Case(
        "hca_xlt_cache_props",
        "sd_1_no_hit_after_invalidation",
        (f"{PUT}; {INVAL} inval_i.key=6; {INVAL} inval_i.key=7; {HIT}; -",),
        (f"{PUT}; {INVAL}; {INVAL} inval_i.key=6; {HIT}; -",),
        DEAD,
    ),
    Case(
        "hca_xlt_cache_props",
        "sd_5_every_page_size",
        (f"{PUT}; {INVAL} inval_i.first=512 inval_i.last=600; {LARGE}; -",),
        (f"{PUT}; {INVAL} inval_i.first=511 inval_i.last=600; {LARGE}; -",),
        DEAD,
    ),
    Case(
        "hca_xlt_cache_props",
        "sd_6_scope_is_explicit",
        (f"{PUT}; {INVAL} inval_i.whole inval_i.key=6; {HIT}; -",),
        (
            f"{PUT}; {INVAL} inval_i.whole inval_i.first=99 inval_i.last=99; {HIT}; -",
            f"{PUT}; {INVAL} inval_i.first=0; {HIT}; -",
            f"{PUT}; {INVAL} inval_i.last=~0; {HIT}; -",
        ),
        DEAD,
    ),
    Case("hca_xlt_cache_props", "sd_7_one_match", ("-; s1_match=4",), ("-; s1_match=5",)),
    Case(
        "hca_xlt_cache_props",
        "hit_is_the_entry",
        (f"{PUT}; {HIT}",),
        (f"{PUT}; {HIT} s1_key_i=6", f"{PUT}; {HIT} s1_vpn_i=8", f"{PUT}; {HIT} s1_valid_i=0"),
    ),
)

ASK = "req_valid_i=1 req_i[0].id.slot=3 req_i[0].id.seg=1"
SAY = "answer s2_req.id.slot=3 s2_req.id.seg=1 s2_req.va=0x9000 s2_req.len=1 s2_found.region.whole entry.tag.key=5 entry.tag.vpn=9"
NONE = f"{SAY} result=XLT_RESULT_FAULT_NOT_PRESENT"
LIVE = "rx_live_o[3][1]"
BEGIN, OVER = f"{LIVE} start_valid_i=1 start_i[0].slot=3 start_i[0].seg=1", "done_valid_i=1 done_i[0].slot=3 done_i[0].seg=1"
SHOOT = "inv_valid_i inv_ready_o inv_key_i=5 inv_first_i=0x9000 inv_last_i=0x9fff inv_tag_i=2"
WALK, ENDS = "alloc need_walk alloc_slot=4 s2_req.key=0x500 s2_req.va=0x9000", "end_q end_slot_q=4 end_tag.key=5 end_tag.vpn=9"
READS = "rd_valid_o rd_ready_i rd_o.id=RID_WALK+4"
FLYING = f"{ASK}; {SAY}; {BEGIN}; {LIVE} {SHOOT}"
KEY = "key_fill_valid key_fill.key=0x500"
KNOWN = "s2_valid s2_found.known s2_req.key=0x500"
LONGEST = 2 * 1024 // 4 + 16
XLT = (
    Case(
        "hca_xlt_props",
        "sd_1_key_is_sound",
        (f"{KEY}; {KNOWN}", f"{KEY}; {SHOOT}; {KNOWN}", f"-; {KNOWN} s2_again.answered"),
        (f"-; {KNOWN}", f"{KEY}; {SHOOT} inv_whole_i; {KNOWN}", f"{KEY} {SHOOT} inv_whole_i; {KNOWN}"),
    ),
    Case(
        "hca_xlt_props",
        "sd_1_held_is_taken",
        (f"{ASK}; {SAY}; {LIVE} {SHOOT}; -", f"{ASK}; {SAY}; {LIVE} {SHOOT} inv_key_i=6; {LIVE}"),
        (f"{ASK}; {SAY}; {LIVE} {SHOOT}; {LIVE}", f"{ASK}; {SAY} {SHOOT}; {LIVE}"),
    ),
    Case(
        "hca_xlt_props",
        "sd_2_waits_for_last_use",
        (f"{FLYING}; {LIVE} inv_busy_o[2]; {LIVE} {OVER} inv_busy_o[2]; -",),
        (f"{FLYING}; {LIVE}", f"{ASK}; {SAY}; {BEGIN} {SHOOT}; {LIVE}", f"{WALK}; {READS}; {SHOOT}; -"),
    ),
    Case(
        "hca_xlt_props",
        "sd_2_waits_for_covered_only",
        (f"{FLYING} inv_key_i=6; {LIVE}",),
        (
            "-; inv_busy_o[2]",
            f"{FLYING} inv_key_i=6; {LIVE} inv_busy_o[2]",
            f"{FLYING}; {LIVE} {OVER} inv_busy_o[2]; inv_busy_o[2]",
        ),
    ),
    Case(
        "hca_xlt_props",
        "sd_2_covered_reads_no_more",
        (f"{WALK}; {SHOOT} inv_key_i=6; {READS}", f"{WALK}; {SHOOT}; {WALK}; {READS}"),
        (f"{WALK}; {SHOOT}; {READS}",),
    ),
    Case(
        "hca_xlt_props",
        "sd_3_covered_is_dropped",
        (f"{WALK}; {SHOOT}; {ENDS} end_drop; -", f"{SHOOT}; {WALK}; {ENDS}; -"),
        (f"{WALK}; {SHOOT}; {ENDS}; -", f"{WALK}; {SHOOT} {ENDS}; -"),
    ),
    Case(
        "hca_xlt_props",
        "sd_3_only_covered",
        (f"{WALK}; {SHOOT} inv_key_i=6; {ENDS}; -",),
        (f"{WALK}; {ENDS} end_drop; -", f"{WALK}; {SHOOT} inv_key_i=6; {ENDS} end_drop; -"),
    ),
    Case(
        "hca_xlt_props",
        "sd_3_no_old_answer",
        (
            f"{ASK}; {WALK}; {SHOOT} inv_key_i=6; {NONE} from_walk s2_again.slot=4; -",
            f"{ASK}; {SHOOT}; {WALK}; {NONE} from_walk s2_again.slot=4; -",
        ),
        (f"{ASK}; {WALK}; {SHOOT}; {NONE} from_walk s2_again.slot=4; -",),
    ),
    Case(
        "hca_xlt_props",
        "sd_4_port_stays_open",
        ("-; req_valid_i=1 again_valid req_ready_o=0", "-; req_ready_o=0"),
        ("-; req_valid_i=1 req_ready_o=0",),
    ),
    Case(
        "hca_xlt_props",
        "sd_7_fault_is_walked",
        (f"{ASK}; {SAY} from_cache", f"{ASK}; {NONE} from_walk"),
        (f"{ASK}; {NONE} from_cache",),
    ),
    Case("hca_xlt_props", "sd_8_no_starvation", (f"{LONGEST}* inv_valid_i; -",), (f"{LONGEST + 2}* inv_valid_i",)),
    Case(
        "hca_xlt_props",
        "write_needs_write",
        (f"{ASK}; {SAY} s2_req.need=NEED_LOCAL_WRITE entry.leaf.write", f"{ASK}; {SAY} s2_req.need=NEED_REMOTE_READ"),
        tuple(f"{ASK}; {SAY} s2_req.need={need}" for need in ("NEED_LOCAL_WRITE", "NEED_REMOTE_WRITE", "NEED_REMOTE_ATOMIC")),
    ),
    Case("hca_xlt_props", "domain_is_equal", (f"{ASK}; {SAY} s2_req.pd=1 s2_found.region.pd=1",), (f"{ASK}; {SAY} s2_req.pd=1",)),
    Case(
        "hca_xlt_props",
        "access_is_inside",
        (f"{ASK}; {SAY} s2_found.region.whole=0 s2_found.region.start=0x9000 s2_found.region.length=16 s2_req.len=16",),
        (
            f"{ASK}; {SAY} s2_found.region.whole=0 s2_found.region.start=0x9000 s2_found.region.length=16 s2_req.len=17",
            f"{ASK}; {SAY} s2_found.region.whole=0 s2_found.region.start=0x9001 s2_found.region.length=16",
            f"{ASK}; {SAY} s2_req.va=~0",
        ),
    ),
    Case(
        "hca_xlt_props", "answer_was_asked", (f"{ASK}; {SAY}",), (f"-; {SAY}", f"{ASK}; {SAY} s2_req.id.seg=2", f"{ASK}; 2* {SAY}")
    ),
    Case(
        "hca_xlt_props",
        "quiet_means_quiet",
        (f"-; {READS}; rd_rsp_valid_i rd_rsp_i.id=RID_WALK+4; quiescent_o",),
        ("-; quiescent_o rsp_valid_o", f"-; {READS}; quiescent_o"),
    ),
    Case(
        "hca_xlt_props",
        "read_is_stable",
        ("-; 2* rd_valid_o rd_o.pa=1; rd_valid_o rd_ready_i rd_o.pa=1; -",),
        ("-; rd_valid_o rd_o.pa=1; rd_valid_o rd_o.pa=2", "-; rd_valid_o; -"),
    ),
    Case("hca_xlt_props", "env_one_lookup_a_use", (f"{ASK}; {SAY}; {ASK}",), (f"{ASK}; {ASK}", f"{ASK}; {SAY}; {BEGIN}; {ASK}")),
    Case(
        "hca_xlt_props",
        "env_start_is_live",
        (f"{ASK}; {SAY}; {BEGIN}",),
        (f"{ASK}; {SAY}; {BEGIN} {LIVE}=0", f"{ASK}; {SAY}; {BEGIN}; {BEGIN}"),
    ),
    Case(
        "hca_xlt_props",
        "env_done_is_flying",
        (f"{ASK}; {SAY}; {BEGIN}; {OVER}",),
        (f"-; {OVER}", f"{ASK}; {SAY}; {BEGIN}; 2* {OVER}"),
    ),
    Case(
        "hca_xlt_props",
        "env_tag_is_free",
        (f"{FLYING}; {LIVE} inv_busy_o[2] {SHOOT} inv_tag_i=3",),
        (f"{FLYING}; {LIVE} inv_busy_o[2] {SHOOT} inv_key_i=6",),
    ),
)

CASES = (*QP, *RX, *TX, *CACHE, *XLT)
