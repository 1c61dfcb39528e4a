"""Plays that make the assertions of the HCA's queues and ports fail, beside legal twins. See assertion_cases.py."""

from __future__ import annotations

from support.assertion_cases import Case

from hwif.gen.hca import Fault

__all__ = ["CASES"]

# ---- hca_cmd_props ---------------------------------------------------------------------------------------------------------
GIVEN = "inv_valid_o inv_ready_i inv_tag_o=3"
RANGE = "cmd.opcode=CMD_OP_INVALIDATE_RANGE covers"
FENCE = "wr_valid_o wr_o.id=WID_FENCE"
CMD = (
    Case("hca_cmd_props", "sd_2_tag_free", (f"{GIVEN} inv_busy_i[4]",), (f"{GIVEN} inv_busy_i[3]",)),
    Case(
        "hca_cmd_props",
        "sd_1_executed_is_accepted",
        (f"push {RANGE} {GIVEN}", f"push {RANGE} status=CMD_STATUS_BAD_NUMBER", "push cmd.opcode=CMD_OP_FENCE covers"),
        (f"push {RANGE}", f"push {RANGE} inv_valid_o", "push cmd.opcode=CMD_OP_INVALIDATE_KEY covers"),
    ),
    Case(
        "hca_cmd_props",
        "sd_2_fence_waits",
        (f"{GIVEN} exec_q=5; {FENCE} retire_index=5 inv_busy_i[3]", f"{GIVEN} exec_q=5; {FENCE} retire_index=6"),
        (f"{GIVEN} exec_q=5; {FENCE} retire_index=6 inv_busy_i[3]", f"{GIVEN} exec_q=0xffff; {FENCE} retire_index=0 inv_busy_i[3]"),
    ),
    Case(
        "hca_cmd_props", "sd_8_offered", (f"start {RANGE} tag_ok; inv_valid_o", f"start {RANGE}; -"), (f"start {RANGE} tag_ok; -",)
    ),
    Case(
        "hca_cmd_props",
        "inv_stable",
        (f"2* inv_valid_o inv_key_o=1; {GIVEN} inv_tag_o=0 inv_key_o=1; -",),
        ("inv_valid_o inv_key_o=1; inv_valid_o inv_key_o=2", "inv_valid_o; -"),
    ),
    Case(
        "hca_cmd_props",
        "cons_with_answer",
        ("wr_rsp_valid_i wr_rsp_i.id=WID_CMD; 2* cmdq_cons_o=1",),
        ("cmdq_cons_o=1", "wr_rsp_valid_i wr_rsp_i.id=WID_CMD; cmdq_cons_o=2", "wr_rsp_valid_i wr_rsp_i.id=WID_CQE; cmdq_cons_o=1"),
    ),
)

# ---- hca_cq_props ----------------------------------------------------------------------------------------------------------
ARM, FIRES = "doorbell_i.cq_valid doorbell_i.cq_arm doorbell_i.cqn=4", "cq_fired_valid_o cq_fired_o=4"
ENTRY = "valid_q[2] c1_q.cqn=2"
CQ = (
    Case(
        "hca_cq_props",
        "entry_stable",
        ("2* wr_valid_o wr_o.pa=1; wr_valid_o wr_ready_i wr_o.pa=1; -",),
        ("wr_valid_o wr_o.pa=1; wr_valid_o wr_o.pa=2", "wr_valid_o; -"),
    ),
    Case(
        "hca_cq_props",
        "told_after_answer",
        ("answer flight_wr_q=1; snoop_valid_o", "answer failed flight_wr_q=1; -"),
        ("snoop_valid_o", "answer flight_wr_q=1; -", "answer failed flight_wr_q=1; snoop_valid_o"),
    ),
    Case(
        "hca_cq_props",
        "answers_asked",
        ("answer flight_rd_q=7 flight_wr_q=8; snoop_valid_o",),
        ("answer flight_rd_q=8 flight_wr_q=8; snoop_valid_o",),
    ),
    Case(
        "hca_cq_props",
        "fires_if_armed",
        (f"{ARM}; {FIRES}", f"{ARM}; {ARM} fired_q[4]; 2* {FIRES}"),
        (FIRES, f"{ARM}; 2* {FIRES}", f"{ARM}; {FIRES} cq_fired_o=5", f"2* {ARM}; 2* {FIRES}"),
    ),
    Case(
        "hca_cq_props",
        "full_is_not_written",
        (f"c1_write {ENTRY}", f"c1_lost {ENTRY}"),
        (f"c1_write c1_lost {ENTRY}", "c1_write c1_q.cqn=2"),
    ),
    Case(
        "hca_cq_props",
        "ever_in_order",
        (f"c1_valid_q {ENTRY} c1_prod_q=0x8000", "c1_valid_q c1_prod_q=0x8001"),
        (f"c1_valid_q {ENTRY} c1_prod_q=0x8001", f"c1_valid_q {ENTRY} c1_cons_q=1"),
    ),
    Case("hca_cq_props", "anew_when_empty", ("load flight_rd_q=5 flight_wr_q=5",), ("load flight_wr_q=1", "load c1_valid_q")),
)

# ---- hca_fault_props -------------------------------------------------------------------------------------------------------
TAKEN = "flt_valid_i flt_ready_o flt_i.qpn=7"
TOLD = "obs_fault_valid_o obs_fault_o.qpn=7 obs_fault_token_o=0x11"
RECORD = (
    f"wr_valid_o wr_ready_i wr_o.data[{Fault.qpn.lsb}+:{Fault.qpn.width}]=7 wr_o.data[{Fault.token.lsb}+:{Fault.token.width}]=0x11"
)
ANSWERED, MOVED = "wr_rsp_valid_i wr_rsp_i.id=WID_FAULT", "fq_prod_o=1"
RESUME = "obs_resume_valid_o obs_resume_o.qpn=7 obs_resume_token_o=0x11"
WRITTEN = f"{TAKEN}; {TOLD}; {RECORD}; {ANSWERED}; 5* {MOVED}"
FAULT = (
    Case(
        "hca_fault_props",
        "fq_1_fault_taken",
        (f"{TAKEN}; {TOLD}", f"{TAKEN}; {TOLD}; {TAKEN}; -"),
        (f"{TAKEN}; -", f"{TAKEN}; {TOLD}; {TAKEN} flt_i.direction=1; -"),
    ),
    Case(
        "hca_fault_props",
        "fq_3_one_outstanding",
        (f"{TAKEN}; {TOLD}; {TOLD} obs_fault_o.qpn=8", f"{TOLD}; {TOLD} obs_fault_o.direction=1"),
        (f"{TOLD}; {TOLD}", f"{WRITTEN}; {MOVED} {TOLD}"),
    ),
    Case(
        "hca_fault_props",
        "fq_1_record_once",
        (f"{TOLD}; {RECORD}",),
        (RECORD, f"{TOLD} obs_fault_token_o=0x12; {RECORD}", f"{WRITTEN}; {MOVED} {RECORD}"),
    ),
    Case("hca_fault_props", "fq_1_record_goes_out", (f"{TOLD}; 60* -", f"{TOLD}; 90* fq_size_i=0"), (f"{TOLD}; 64* -",)),
    Case(
        "hca_fault_props",
        "fq_2_index_after_record",
        (f"{TOLD}; {RECORD}; {ANSWERED}; {MOVED}", f"{TOLD}; {RECORD}; {ANSWERED} wr_rsp_i.resp=2; -"),
        (MOVED, f"{TOLD}; {RECORD}; {ANSWERED}; -", f"{TOLD}; {RECORD}; {MOVED}"),
    ),
    Case("hca_fault_props", "fq_2_index_by_one", (WRITTEN,), (f"{TOLD}; {RECORD}; {ANSWERED}; fq_prod_o=2",)),
    Case(
        "hca_fault_props",
        "fq_7_not_past_full",
        (f"{TOLD}; wr_valid_o fq_cons_i=0xfffd",),
        (f"{TOLD}; wr_valid_o fq_cons_i=0xfffc", f"{TOLD}; wr_valid_o fq_size_i=0"),
    ),
    Case(
        "hca_fault_props",
        "fq_4_token",
        (f"{WRITTEN}; {MOVED} {RESUME} obs_resume_ok_o",),
        (
            f"{RESUME} obs_resume_ok_o",
            f"{WRITTEN}; {MOVED} {RESUME} obs_resume_ok_o obs_resume_token_o=0x12",
            f"{TOLD}; {RESUME} obs_resume_ok_o",
        ),
    ),
    Case(
        "hca_fault_props",
        "fq_4_accepted",
        (f"{WRITTEN}; {MOVED} {RESUME} obs_resume_token_o=0x12", f"{TOLD}; {RESUME}"),
        (f"{WRITTEN}; {MOVED} {RESUME}",),
    ),
    Case(
        "hca_fault_props",
        "fq_5_resume_heard",
        (f"{WRITTEN}; {MOVED} {RESUME} obs_resume_ok_o; {MOVED} resume_valid_o resume_o.qpn=7",),
        (
            f"{WRITTEN}; {MOVED} {RESUME} obs_resume_ok_o; {MOVED}",
            f"{WRITTEN}; {MOVED} {RESUME} obs_resume_ok_o; {MOVED} resume_valid_o resume_o.qpn=7 resume_o.error",
        ),
    ),
)

# ---- hca_port_props, hca_stable_props, hca_regs_props ------------------------------------------------------------------------
LOCKED = "m_axi_arvalid_o m_axi_arready_i m_axi_arlock_o m_axi_arid_o=ID_ATOMIC"
WRITES = "m_axi_awvalid_o m_axi_awready_i m_axi_awlock_o m_axi_awid_o=ID_ATOMIC"
BEAT = "m_axi_arvalid_o m_axi_arready_i m_axi_aruser_o.mapped m_axi_aruser_o.va=60 m_axi_aruser_o.bytes"
WROTE = "m_axi_awvalid_o m_axi_awready_i m_axi_awuser_o.mapped m_axi_awuser_o.va=60 m_axi_awuser_o.bytes"
DATA, DATA2 = "valid_i data_i=5", "valid_i data_i=6"
RECORDS = "enable_o fault_on records=4 fault_least=4"
FIRED = "enable_o cq_on fired_count=4 cq_least=4"
PORT = (
    Case(
        "hca_port_props",
        "locks_are_atomics",
        (LOCKED, WRITES, "m_axi_arvalid_o m_axi_arid_o=5"),
        ("m_axi_arvalid_o m_axi_arlock_o m_axi_arid_o=5", "m_axi_awvalid_o m_axi_awid_o=ID_ATOMIC"),
    ),
    Case(
        "hca_port_props",
        "one_atomic",
        (f"{LOCKED}; m_axi_rvalid_i m_axi_rready_o m_axi_rid_i=ID_ATOMIC; {LOCKED}",),
        (f"{LOCKED}; {LOCKED}", f"{WRITES}; {LOCKED}"),
    ),
    Case(
        "hca_port_props",
        "within_a_line",
        (f"{BEAT}=4", f"{WROTE}=4", f"{BEAT}=5 m_axi_aruser_o.mapped=0"),
        (f"{BEAT}=5", f"{WROTE}=64"),
    ),
    Case(
        "hca_stable_props",
        "offer_stays",
        (f"2* {DATA}; {DATA} ready_i; -", f"{DATA}; {DATA2} excuse_i ready_i", f"{DATA} excuse_i; -"),
        (f"{DATA}; {DATA2}", f"{DATA}; -"),
    ),
    Case(
        "hca_regs_props", "fq_6_line_up", (f"{RECORDS}; {RECORDS} irq_o[IRQ_FAULT]", f"2* {RECORDS} records=3"), (f"2* {RECORDS}",)
    ),
    Case(
        "hca_regs_props",
        "fq_6_line_down",
        (f"{RECORDS}; irq_o[IRQ_FAULT]; -",),
        ("2* irq_o[IRQ_FAULT]", "enable_o records=4; irq_o[IRQ_FAULT]"),
    ),
    Case(
        "hca_regs_props", "cq_line_up", (f"{FIRED}; {FIRED} irq_o[IRQ_COMPLETION]", f"2* {FIRED} fired_count=3"), (f"2* {FIRED}",)
    ),
    Case(
        "hca_regs_props",
        "cq_line_down",
        (f"{FIRED}; irq_o[IRQ_COMPLETION]; -",),
        ("2* irq_o[IRQ_COMPLETION]", "enable_o fired_count=4; irq_o[IRQ_COMPLETION]"),
    ),
)

CASES = (*CMD, *CQ, *FAULT, *PORT)
