// hca_qp with one plain port a field, for directed tests. Stood in for here: memory, where each work request is a signaled RDMA WRITE
// of one packet, and hca_tx and hca_fault, which take everything at once. A packet is a message of its own.

module qp_events_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  mutant_i,
  input  logic        bell_i,         // of a send queue
  input  qpn_t        bell_qpn_i,
  input  index_t      bell_index_i,
  input  logic        cmd_i,
  input  logic [7:0]  cmd_op_i,
  input  qpn_t        cmd_qpn_i,
  input  logic        cmd_load_i,     // both sides
  input  logic [3:0]  cmd_state_i,
  input  logic [1:0]  cmd_policy_i,
  input  logic [3:0]  cmd_mtu_shift_i,
  input  logic [23:0] cmd_psn_i,      // of both sides
  input  logic [23:0] cmd_dest_i,
  input  logic        pkt_i,
  input  logic [7:0]  pkt_opcode_i,
  input  qpn_t        pkt_qpn_i,
  input  logic [23:0] pkt_src_i,
  input  logic [23:0] pkt_psn_i,
  input  logic [23:0] pkt_msn_i,
  input  logic [12:0] pkt_length_i,
  input  logic [31:0] pkt_rest_i,
  input  logic [3:0]  pkt_result_i,
  input  logic        resume_i,       // of a receive side
  input  qpn_t        resume_qpn_i,
  input  logic        cq_ready_i,

  output logic        cmd_ready_o,
  output logic        done_o,
  output logic [7:0]  done_status_o,
  output logic [3:0]  state_o,        // of the report that came last
  output logic [23:0] epsn_o,
  output logic        pkt_ready_o,
  output logic        verdict_o,
  output logic        resume_ready_o,
  output logic        tx_o,
  output qpn_t        tx_qpn_o,
  output logic [7:0]  tx_opcode_o,
  output logic [7:0]  tx_syndrome_o,
  output logic [23:0] tx_psn_o,
  output logic        cqe_o,
  output logic [23:0] cqe_qpn_o,
  output logic [15:0] cqe_index_o,
  output logic        flush_o,
  output qpn_t        flush_qpn_o,
  output logic        quiescent_o
);

  logic [63:0]    now_q;
  logic           rd_valid, rsp_valid_q;
  rd_req_t        rd;
  axid_t          rsp_id_q;
  hca_wqe_t       wqe;
  qp_cmd_t        cmd;
  doorbell_t      bell;
  rx_pkt_t        pkt;
  tx_pkt_t        tx;
  cq_req_t        cq;
  hca_qp_report_t report;
  cmd_status_e    done_status;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      now_q       <= '0;
      rsp_valid_q <= 1'b0;
      rsp_id_q    <= '0;
    end else begin
      now_q       <= now_q + 1'b1;
      rsp_valid_q <= rd_valid;
      rsp_id_q    <= rd.id;
    end
  end

  always_comb begin
    wqe          = '0;
    wqe.opcode   = WR_OPCODE_RDMA_WRITE;
    wqe.num_sge  = 1;
    wqe.length0  = 32'd64;
    wqe.signaled = 1'b1;
    bell         = '0;
    bell.sq_valid = bell_i;
    bell.qpn      = bell_qpn_i;
    bell.index    = bell_index_i;
    cmd          = '0;
    cmd.op       = cmd_op_e'(cmd_op_i);
    cmd.qpn      = cmd_qpn_i;
    cmd.load_sq  = cmd_load_i;
    cmd.load_rq  = cmd_load_i;
    cmd.qpc.state = cmd_state_i;
    cmd.qpc.policy = cmd_policy_i;
    cmd.qpc.mtu_shift = cmd_mtu_shift_i;
    cmd.qpc.allow_write = 1'b1;
    cmd.qpc.dest_qpn = cmd_dest_i;
    cmd.qpc.sq_log = 4'd6;
    cmd.qpc.rq_log = 4'd6;
    cmd.qpc.sq_psn = cmd_psn_i;
    cmd.qpc.rq_psn = cmd_psn_i;
    pkt          = '0;
    pkt.result   = xlt_result_e'(pkt_result_i);
    pkt.head.opcode = pkt_opcode_i;
    pkt.head.first = 1'b1;
    pkt.head.last = 1'b1;
    pkt.head.dest_qpn = 24'(pkt_qpn_i);
    pkt.head.src_qpn = pkt_src_i;
    pkt.head.psn = pkt_psn_i;
    pkt.head.msn = pkt_msn_i;
    pkt.head.length = pkt_length_i;
    pkt.head.rest = pkt_rest_i;
  end

  hca_qp u_qp (
    .clk_i,
    .rst_ni,
    .enable_i        (1'b1),
    .mutant_i,
    .now_i           (now_q),
    .rnr_delay_i     (32'd300),
    .ack_timeout_i   ('0),
    .doorbell_i      (bell),
    .qp_cmd_valid_i  (cmd_i),
    .qp_cmd_ready_o  (cmd_ready_o),
    .qp_cmd_i        (cmd),
    .qp_done_valid_o (done_o),
    .qp_done_status_o(done_status),
    .qp_report_o     (report),
    .cfg_valid_o     (),
    .cfg_qpn_o       (),
    .cfg_o           (),
    .cfg_load_sq_o   (),
    .cfg_load_rq_o   (),
    .busy_qpn_o      (),
    .busy_i          (1'b0),
    .rd_valid_o      (rd_valid),
    .rd_ready_i      (1'b1),
    .rd_o            (rd),
    .rd_rsp_valid_i  (rsp_valid_q),
    .rd_rsp_i        ('{id: rsp_id_q, resp: 2'd0, data: wqe}),
    .pkt_valid_i     (pkt_i),
    .pkt_ready_o,
    .pkt_i           (pkt),
    .verdict_valid_o (verdict_o),
    .verdict_o       (),
    .land_valid_i    (1'b0),
    .land_ready_o    (),
    .land_i          ('0),
    .flush_valid_o   (flush_o),
    .flush_qpn_o     (flush_qpn_o),
    .tx_valid_o      (tx_o),
    .tx_ready_i      (1'b1),
    .tx_o            (tx),
    .fail_valid_i    (1'b0),
    .fail_ready_o    (),
    .fail_i          ('0),
    .tx_flush_valid_o(),
    .tx_flush_qpn_o  (),
    .flt_valid_o     (),
    .flt_ready_i     (1'b1),
    .flt_o           (),
    .resume_valid_i  (resume_i),
    .resume_ready_o,
    .resume_i        ('{qpn: resume_qpn_i, direction: FAULT_DIR_RESPONDER, error: 1'b0}),
    .cq_valid_o      (cqe_o),
    .cq_ready_i,
    .cq_o            (cq),
    .async_valid_o   (),
    .async_o         (),
    .count_o         (),
    .quiescent_o,
    .deadline_o      (),
    .obs_qp_valid_o  (),
    .obs_qp_qpn_o    (),
    .obs_qp_state_o  ()
  );

  assign done_status_o = done_status;
  assign state_o       = report.state;
  assign epsn_o        = report.epsn;
  assign tx_qpn_o      = tx.qpn;
  assign tx_opcode_o   = tx.head.opcode;
  assign tx_syndrome_o = tx.head.syndrome;
  assign tx_psn_o      = tx.head.psn;
  assign cqe_qpn_o     = cq.cqe.qpn;
  assign cqe_index_o   = cq.cqe.wqe_index;

endmodule
