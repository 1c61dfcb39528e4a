// Queue pairs: what is sent, what is accepted, what is acknowledged, and when to try again (docs/hca.md sections 4 and 5).
//
//            ┌───────────────┐  went to ERR  ┌───────────────┐
//   commands │ hca_qp_send   │◀─────────────▶│ hca_qp_recv   │   packets are dealt by opcode: ACK, NAK and answers
//   ────────▶│ contexts, work│               │ contexts,     │   to the send side, requests to the receive side.
//            │ requests,timers               │ answers       │   Each side works on one event a cycle.
//            └───────────────┘               └───────────────┘
//
// Promises: commands see no event of their queue pair half done, and leave none: MODIFY_QP is answered when its settings are in force,
//   and for a state that receives nothing, when nothing of the queue pair is in flight any more, here or (busy_i) in hca_rx and hca_tx.
//   A verdict comes two cycles after its packet was taken. A queue pair's packets, lands and failures of an older life change nothing.
// Needs: hca_fault takes faults within a bounded time; hca_tx forgets at tx_flush_valid_o also a failure it is just reporting.
//   busy_i answers busy_qpn_o combinationally, or within a cycle.

module hca_qp
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_qp_pkg::*;
(
  input  logic           clk_i,
  input  logic           rst_ni,
  input  logic           enable_i,
  input  logic [7:0]     mutant_i,
  input  logic [63:0]    now_i,
  input  logic [31:0]    rnr_delay_i,
  input  logic [31:0]    ack_timeout_i,
  input  doorbell_t      doorbell_i,
  // commands
  input  logic           qp_cmd_valid_i,
  output logic           qp_cmd_ready_o,
  input  qp_cmd_t        qp_cmd_i,
  output logic           qp_done_valid_o,
  output cmd_status_e    qp_done_status_o,
  output hca_qp_report_t qp_report_o,
  output logic           cfg_valid_o,
  output qpn_t           cfg_qpn_o,
  output qp_cfg_t        cfg_o,
  output logic           cfg_load_sq_o,
  output logic           cfg_load_rq_o,
  output qpn_t           busy_qpn_o,
  input  logic           busy_i,        // hca_rx or hca_tx has something of that queue pair in hand
  // memory: send work requests
  output logic           rd_valid_o,
  input  logic           rd_ready_i,
  output rd_req_t        rd_o,
  input  logic           rd_rsp_valid_i,
  input  rd_rsp_t        rd_rsp_i,
  // hca_rx
  input  logic           pkt_valid_i,
  output logic           pkt_ready_o,
  input  rx_pkt_t        pkt_i,
  output logic           verdict_valid_o,
  output rx_verdict_t    verdict_o,
  input  logic           land_valid_i,
  output logic           land_ready_o,
  input  rx_land_t       land_i,
  output logic           flush_valid_o,
  output qpn_t           flush_qpn_o,
  // hca_tx
  output logic           tx_valid_o,
  input  logic           tx_ready_i,
  output tx_pkt_t        tx_o,
  input  logic           fail_valid_i,
  output logic           fail_ready_o,
  input  tx_fail_t       fail_i,
  output logic           tx_flush_valid_o,
  output qpn_t           tx_flush_qpn_o,
  // hca_fault
  output logic           flt_valid_o,
  input  logic           flt_ready_i,
  output flt_req_t       flt_o,
  input  logic           resume_valid_i,
  output logic           resume_ready_o,
  input  resume_t        resume_i,
  // hca_cq, hca_regs
  output logic           cq_valid_o,
  input  logic           cq_ready_i,
  output cq_req_t        cq_o,
  output logic           async_valid_o,
  output async_t         async_o,
  output logic [31:0]    count_o,
  output logic           quiescent_o,
  output logic [63:0]    deadline_o,
  // monitor
  output logic           obs_qp_valid_o,
  output qpn_t           obs_qp_qpn_o,
  output qp_state_e      obs_qp_state_o
);

  // ---- commands ---------------------------------------------------------------------------------------------------------

  typedef enum logic [2:0] { CMD_IDLE, CMD_CHECK, CMD_HOLD, CMD_STEP, CMD_POLL, CMD_LOOK, CMD_DONE } cmd_state_e;

  cmd_state_e cmd_state_d, cmd_state_q;
  qp_cmd_t cmd_q, order;
  cmd_status_e status_q;
  logic hold, command, polls, settled;
  logic send_empty, recv_empty, fetch_busy, seen_busy_q;
  send_ctx_t send_ctx;
  recv_ctx_t recv_ctx;
  qp_conf_t conf;
  logic s_cross_valid, s_cross_ready, r_cross_valid, r_cross_ready;
  qpn_t s_cross;
  cross_t r_cross;
  logic send_cq_valid, send_cq_ready, recv_cq_valid, recv_cq_ready;

  assign hold = cmd_state_q == CMD_HOLD;
  assign polls = cmd_q.op == CMD_OP_MODIFY_QP && !state_receives(qp_state_e'(cmd_q.qpc.state));
  assign busy_qpn_o = cmd_q.qpn;
  assign settled = !seen_busy_q && send_ctx.flight == '0 && !send_ctx.closing && recv_ctx.flight == '0 && !recv_ctx.fails &&
                   !send_cq_valid && !recv_cq_valid;

  always_comb begin
    cmd_state_d = cmd_state_q;
    command = 1'b0;
    order = cmd_q;
    unique case (cmd_state_q)
      CMD_IDLE:  if (qp_cmd_valid_i) cmd_state_d = CMD_CHECK;
      CMD_CHECK: cmd_state_d = (cmd_q.op == CMD_OP_MODIFY_QP && qpc_bad(cmd_q)) ? CMD_DONE : CMD_HOLD;
      CMD_HOLD: begin
        // Everything that was under way is through, so nothing of an older life comes after.
        command = send_empty && recv_empty && !s_cross_valid && !r_cross_valid && !fail_valid_i;
        if (command) cmd_state_d = CMD_STEP;
      end
      CMD_STEP: cmd_state_d = polls ? CMD_POLL : CMD_DONE;
      CMD_POLL: begin
        command = 1'b1;
        order.op = CMD_OP_QUERY_QP;
        cmd_state_d = CMD_LOOK;
      end
      CMD_LOOK: cmd_state_d = settled ? CMD_DONE : CMD_POLL;
      default:  cmd_state_d = CMD_IDLE;
    endcase
    if (!enable_i) begin
      cmd_state_d = CMD_IDLE;
      command = 1'b0;
    end
  end

  assign qp_cmd_ready_o = cmd_state_q == CMD_IDLE && enable_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cmd_state_q <= CMD_IDLE;
      qp_done_valid_o <= 1'b0;
      cfg_valid_o <= 1'b0;
    end else begin
      cmd_state_q <= cmd_state_d;
      qp_done_valid_o <= enable_i && cmd_state_q == CMD_DONE;
      cfg_valid_o <= enable_i && cmd_state_q == CMD_STEP && cmd_q.op == CMD_OP_MODIFY_QP;
    end
  end

  hca_qp_report_t report;

  always_comb begin
    report = '0;
    report.state = send_ctx.state;
    report.sq_parked = send_ctx.parked;
    report.rq_parked = recv_ctx.parked;
    report.sq_waiting = send_ctx.waits != WAIT_NONE;
    report.sq_prod = send_ctx.prod;
    report.sq_next = send_ctx.cur.idx;
    report.sq_done = send_ctx.done;
    report.rq_prod = recv_ctx.prod;
    report.next_psn = send_ctx.cur.psn;
    report.una_psn = send_ctx.una.psn;
    report.epsn = recv_ctx.epsn;
    report.msn = recv_ctx.msn;
  end

  always_ff @(posedge clk_i) begin
    if (cmd_state_q == CMD_IDLE) cmd_q <= qp_cmd_i;
    seen_busy_q <= busy_i || fetch_busy;
    if (cmd_state_q == CMD_CHECK) status_q <= (cmd_state_d == CMD_DONE) ? CMD_STATUS_BAD_CONTEXT : CMD_STATUS_OK;
    qp_done_status_o <= status_q;
    if (cmd_state_q == CMD_STEP) begin
      qp_report_o <= report;
      cfg_qpn_o <= cmd_q.qpn;
      cfg_load_sq_o <= cmd_q.load_sq;
      cfg_load_rq_o <= cmd_q.load_rq;
      cfg_o <= '{pd: conf.pd, sq_log: conf.sq_log, rq_log: conf.rq_log, mtu_shift: conf.mtu_shift, sq_base: conf.sq_base,
                 rq_base: conf.rq_base};
    end
  end

  // ---- doorbells: pulses, far apart (a register write each), and first in both pipelines ----------------------------------------

  logic sq_valid, sq_ready, rq_valid, rq_ready;
  logic [QPN_WIDTH+INDEX_WIDTH-1:0] sq_bell, rq_bell;
  logic [1:0] bell_room, bell_empty;

  hca_qp_queue #(.Width(QPN_WIDTH + INDEX_WIDTH), .Depth(8)) u_sq_bell (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(enable_i && doorbell_i.sq_valid), .data_i({doorbell_i.qpn, doorbell_i.index}),
    .tag_i('0), .room_o(bell_room[0]), .kill_i('0), .kill_tag_i('0),
    .valid_o(sq_valid), .data_o(sq_bell), .ready_i(sq_ready), .empty_o(bell_empty[0])
  );

  hca_qp_queue #(.Width(QPN_WIDTH + INDEX_WIDTH), .Depth(8)) u_rq_bell (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(enable_i && doorbell_i.rq_valid), .data_i({doorbell_i.qpn, doorbell_i.index}),
    .tag_i('0), .room_o(bell_room[1]), .kill_i('0), .kill_tag_i('0),
    .valid_o(rq_valid), .data_o(rq_bell), .ready_i(rq_ready), .empty_o(bell_empty[1])
  );

  // ---- the two sides ---------------------------------------------------------------------------------------------------------

  logic pkt_to_send, land_to_send;
  logic send_pkt_ready, recv_pkt_ready, send_land_ready, recv_land_ready, send_fail_ready, recv_fail_ready;
  logic send_resume_ready, recv_resume_ready, send_verdict_valid, recv_verdict_valid;
  rx_verdict_t send_verdict, recv_verdict;
  logic [1:0] tx_valid, tx_ready, flt_valid, flt_ready;
  tx_pkt_t send_tx, recv_tx;
  flt_req_t send_flt, recv_flt;
  cq_req_t send_cq, recv_cq;
  logic [31:0] send_count, recv_count;
  logic send_quiet, recv_quiet, flush_valid;
  qpn_t flush_qpn;

  assign pkt_to_send = pkt_i.head.opcode inside {PKT_OP_ACK, PKT_OP_NAK, PKT_OP_READ_RESP, PKT_OP_ATOMIC_RESP};
  assign land_to_send = land_i.head.opcode inside {PKT_OP_READ_RESP, PKT_OP_ATOMIC_RESP};
  assign pkt_ready_o = pkt_to_send ? send_pkt_ready : recv_pkt_ready;
  assign land_ready_o = land_to_send ? send_land_ready : recv_land_ready;
  assign fail_ready_o = (fail_i.side == FAULT_DIR_REQUESTER) ? send_fail_ready : recv_fail_ready;
  assign resume_ready_o = (resume_i.direction == FAULT_DIR_REQUESTER) ? send_resume_ready : recv_resume_ready;
  // One packet is taken in a cycle, and both sides take as long: never two verdicts in one.
  assign verdict_valid_o = send_verdict_valid || recv_verdict_valid;
  assign verdict_o = send_verdict_valid ? send_verdict : recv_verdict;
  assign count_o = send_count | recv_count;
  assign flush_valid_o = flush_valid;
  assign flush_qpn_o = flush_qpn;
  assign tx_flush_valid_o = flush_valid;
  assign tx_flush_qpn_o = flush_qpn;

  hca_qp_send u_send (
    .clk_i, .rst_ni, .enable_i, .mutant_i, .now_i, .rnr_delay_i, .ack_timeout_i,
    .hold_i(hold), .command_i(command), .cmd_i(order), .conf_o(conf), .report_o(send_ctx),
    .cross_valid_i(r_cross_valid), .cross_ready_o(r_cross_ready), .cross_i(r_cross),
    .cross_valid_o(s_cross_valid), .cross_ready_i(s_cross_ready), .cross_o(s_cross),
    .doorbell_valid_i(sq_valid), .doorbell_ready_o(sq_ready), .doorbell_qpn_i(sq_bell[INDEX_WIDTH+:QPN_WIDTH]),
    .doorbell_index_i(sq_bell[INDEX_WIDTH-1:0]),
    .rd_valid_o, .rd_ready_i, .rd_o, .rd_rsp_valid_i, .rd_rsp_i,
    .pkt_valid_i(pkt_valid_i && pkt_to_send), .pkt_ready_o(send_pkt_ready), .pkt_i,
    .verdict_valid_o(send_verdict_valid), .verdict_o(send_verdict),
    .land_valid_i(land_valid_i && land_to_send), .land_ready_o(send_land_ready), .land_i,
    .fail_valid_i(fail_valid_i && fail_i.side == FAULT_DIR_REQUESTER), .fail_ready_o(send_fail_ready), .fail_i,
    .resume_valid_i(resume_valid_i && resume_i.direction == FAULT_DIR_REQUESTER), .resume_ready_o(send_resume_ready), .resume_i,
    .tx_valid_o(tx_valid[0]), .tx_ready_i(tx_ready[0]), .tx_o(send_tx),
    .flt_valid_o(flt_valid[0]), .flt_ready_i(flt_ready[0]), .flt_o(send_flt),
    .cq_valid_o(send_cq_valid), .cq_ready_i(send_cq_ready), .cq_o(send_cq),
    .async_valid_o, .async_o, .flush_valid_o(flush_valid), .flush_qpn_o(flush_qpn),
    .changed_o(obs_qp_valid_o), .changed_qpn_o(obs_qp_qpn_o), .changed_state_o(obs_qp_state_o),
    .busy_qpn_i(cmd_q.qpn), .busy_o(fetch_busy), .count_o(send_count), .empty_o(send_empty), .quiescent_o(send_quiet), .deadline_o
  );

  hca_qp_recv u_recv (
    .clk_i, .rst_ni, .enable_i, .mutant_i,
    .hold_i(hold), .command_i(command), .cmd_i(order), .report_o(recv_ctx),
    .cross_valid_i(s_cross_valid), .cross_ready_o(s_cross_ready), .cross_i(s_cross),
    .cross_valid_o(r_cross_valid), .cross_ready_i(r_cross_ready), .cross_o(r_cross),
    .doorbell_valid_i(rq_valid), .doorbell_ready_o(rq_ready), .doorbell_qpn_i(rq_bell[INDEX_WIDTH+:QPN_WIDTH]),
    .doorbell_index_i(rq_bell[INDEX_WIDTH-1:0]),
    .pkt_valid_i(pkt_valid_i && !pkt_to_send), .pkt_ready_o(recv_pkt_ready), .pkt_i,
    .verdict_valid_o(recv_verdict_valid), .verdict_o(recv_verdict),
    .land_valid_i(land_valid_i && !land_to_send), .land_ready_o(recv_land_ready), .land_i,
    .fail_valid_i(fail_valid_i && fail_i.side == FAULT_DIR_RESPONDER), .fail_ready_o(recv_fail_ready), .fail_i,
    .resume_valid_i(resume_valid_i && resume_i.direction == FAULT_DIR_RESPONDER), .resume_ready_o(recv_resume_ready), .resume_i,
    .flush_valid_i(flush_valid), .flush_qpn_i(flush_qpn),
    .tx_valid_o(tx_valid[1]), .tx_ready_i(tx_ready[1]), .tx_o(recv_tx),
    .flt_valid_o(flt_valid[1]), .flt_ready_i(flt_ready[1]), .flt_o(recv_flt),
    .cq_valid_o(recv_cq_valid), .cq_ready_i(recv_cq_ready), .cq_o(recv_cq),
    .count_o(recv_count), .empty_o(recv_empty), .quiescent_o(recv_quiet)
  );

  hca_qp_arb #(.Width($bits(tx_pkt_t))) u_tx_arb (
    .clk_i, .rst_ni, .valid_i(tx_valid), .ready_o(tx_ready), .data0_i(send_tx), .data1_i(recv_tx),
    .valid_o(tx_valid_o), .ready_i(tx_ready_i), .data_o(tx_o)
  );

  hca_qp_arb #(.Width($bits(flt_req_t))) u_flt_arb (
    .clk_i, .rst_ni, .valid_i(flt_valid), .ready_o(flt_ready), .data0_i(send_flt), .data1_i(recv_flt),
    .valid_o(flt_valid_o), .ready_i(flt_ready_i), .data_o(flt_o)
  );

  hca_qp_arb #(.Width($bits(cq_req_t))) u_cq_arb (
    .clk_i, .rst_ni, .valid_i({recv_cq_valid, send_cq_valid}), .ready_o({recv_cq_ready, send_cq_ready}), .data0_i(send_cq),
    .data1_i(recv_cq), .valid_o(cq_valid_o), .ready_i(cq_ready_i), .data_o(cq_o)
  );

  assign quiescent_o = send_quiet && recv_quiet && cmd_state_q == CMD_IDLE && !qp_done_valid_o && !cfg_valid_o && (&bell_empty) &&
                       !(enable_i && (pkt_valid_i || land_valid_i || fail_valid_i || resume_valid_i || qp_cmd_valid_i));

  // Each looks at the parts it needs.
  logic unused;
  assign unused = ^{doorbell_i, send_ctx, recv_ctx, conf, bell_room};

endmodule
