// The send sides of all queue pairs: a pipeline of two stages over their contexts.
//
//   choose ──▶ context RAM ──▶ hca_qp_send_step ──▶ context RAM, queues to the neighbours ──▶ hca_qp_build ──▶ hca_tx
//     ▲                              │
//     ├── list of queue pairs with something to send ◀┤   (each at most once: a bit in the context)
//     ├── list of queue pairs with completions due   ◀┤
//     ├── ACK and RNR timers                         ◀┤
//     └── work requests read ahead ◀── hca_qp_fetch  ◀┘
//
// Promises: a packet's verdict two cycles after it was taken, and it is taken as soon as the fault queue's buffer has room. One packet of
//   a send queue every second cycle.

module hca_qp_send
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
  // commands: only what is under way is finished while hold_i; both sides take a command in the same cycle
  input  logic           hold_i,
  input  logic           command_i,
  input  qp_cmd_t        cmd_i,
  output qp_conf_t       conf_o,        // after the command, one cycle after command_i
  output send_ctx_t      report_o,
  // from the receive side: it went to ERR
  input  logic           cross_valid_i,
  output logic           cross_ready_o,
  input  cross_t         cross_i,
  // to the receive side
  output logic           cross_valid_o,
  input  logic           cross_ready_i,
  output qpn_t           cross_o,
  input  logic           doorbell_valid_i,
  output logic           doorbell_ready_o,
  input  qpn_t           doorbell_qpn_i,
  input  index_t         doorbell_index_i,
  output logic           rd_valid_o,
  input  logic           rd_ready_i,
  output rd_req_t        rd_o,
  input  logic           rd_rsp_valid_i,
  input  rd_rsp_t        rd_rsp_i,
  input  logic           pkt_valid_i,
  output logic           pkt_ready_o,
  input  rx_pkt_t        pkt_i,
  output logic           verdict_valid_o,
  output rx_verdict_t    verdict_o,
  input  logic           land_valid_i,
  output logic           land_ready_o,
  input  rx_land_t       land_i,
  input  logic           fail_valid_i,
  output logic           fail_ready_o,
  input  tx_fail_t       fail_i,
  input  logic           resume_valid_i,
  output logic           resume_ready_o,
  input  resume_t        resume_i,
  output logic           tx_valid_o,
  input  logic           tx_ready_i,
  output tx_pkt_t        tx_o,
  output logic           flt_valid_o,
  input  logic           flt_ready_i,
  output flt_req_t       flt_o,
  output logic           cq_valid_o,
  input  logic           cq_ready_i,
  output cq_req_t        cq_o,
  output logic           async_valid_o,
  output async_t         async_o,
  output logic           flush_valid_o,
  output qpn_t           flush_qpn_o,
  output logic           changed_o,     // of state, seen by the monitor
  output qpn_t           changed_qpn_o,
  output qp_state_e      changed_state_o,
  input  qpn_t           busy_qpn_i,
  output logic           busy_o,
  output logic [31:0]    count_o,
  output logic           empty_o,       // no event in the pipeline
  output logic           quiescent_o,
  output logic [63:0]    deadline_o
);

  // ---- stage 0: choose --------------------------------------------------------------------------------------------------

  send_event_e event_d, event_q;
  qpn_t qpn_d, qpn_q;
  logic list_valid, list_empty, close_valid, close_empty, ack_fire, rnr_fire, ack_settled, rnr_settled;
  qpn_t list_qpn, close_qpn, ack_qpn, rnr_qpn, last_qpn;
  logic [63:0] ack_deadline, rnr_deadline;
  logic fetch_room, head_valid, head_bad, fetch_idle;
  ahead_t head;
  logic tx_room, flt_room, cq_room, cross_room, tx_empty, flt_empty, cq_empty, cross_empty;

  always_comb begin
    event_d = SEND_NONE;
    qpn_d = list_qpn;
    if (command_i) begin
      event_d = SEND_COMMAND;
      qpn_d = cmd_i.qpn;
    end else if (cross_valid_i) begin
      event_d = SEND_CROSS;
      qpn_d = cross_i.qpn;
    end else if (fail_valid_i && flt_room) begin
      event_d = SEND_FAIL;
      qpn_d = fail_i.qpn;
    end else if (hold_i) begin
      event_d = SEND_NONE;
    end else if (doorbell_valid_i) begin
      event_d = SEND_DOORBELL;
      qpn_d = doorbell_qpn_i;
    end else if (resume_valid_i) begin
      event_d = SEND_RESUME;
      qpn_d = resume_i.qpn;
    end else if (pkt_valid_i && flt_room) begin
      event_d = SEND_PACKET;
      qpn_d = pkt_i.head.dest_qpn[QPN_WIDTH-1:0];
    end else if (land_valid_i) begin
      event_d = SEND_LAND;
      qpn_d = land_i.qpn;
    end else if (ack_fire) begin
      event_d = SEND_ACK_TIMER;
      qpn_d = ack_qpn;
    end else if (rnr_fire) begin
      event_d = SEND_RNR_TIMER;
      qpn_d = rnr_qpn;
    end else if (close_valid && cq_room && cross_room) begin
      event_d = SEND_CLOSE;
      qpn_d = close_qpn;
    end else if (head_valid && tx_room && event_q != SEND_ISSUE) begin
      event_d = SEND_ISSUE;
      qpn_d = head.qpn;
    end else if (list_valid && fetch_room) begin
      event_d = SEND_FETCH;
      qpn_d = list_qpn;
    end
    if (!enable_i) event_d = SEND_NONE;
  end

  assign cross_ready_o = event_d == SEND_CROSS;
  assign fail_ready_o = event_d == SEND_FAIL;
  assign doorbell_ready_o = event_d == SEND_DOORBELL;
  assign resume_ready_o = event_d == SEND_RESUME;
  assign pkt_ready_o = event_d == SEND_PACKET;
  assign land_ready_o = event_d == SEND_LAND;

  // ---- stage 1: step ------------------------------------------------------------------------------------------------------

  send_ctx_t ctx, ctx_next;
  qp_conf_t conf, conf_next;
  send_out_t out;
  flt_req_t flt;
  cq_req_t cqe;
  fetch_t fetch;
  hca_wqe_t wqe;
  qp_cmd_t cmd_q;
  index_t doorbell_q;
  logic error_q, head_bad_q, yield_q;
  async_type_e kind_q;
  tx_fail_t fail_q;
  rx_pkt_t pkt_q;
  rx_land_t land_q;
  ahead_t head_q;
  logic [$clog2(Turn)-1:0] turn_q;
  logic others;

  assign others = last_qpn != head.qpn || (list_valid && list_qpn != head.qpn);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      event_q <= SEND_NONE;
      turn_q <= '0;
    end else begin
      event_q <= event_d;
      if (!enable_i || out.free) turn_q <= '0;
      else if (out.build && turn_q != '1) turn_q <= turn_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    qpn_q <= qpn_d;
    cmd_q <= cmd_i;
    doorbell_q <= doorbell_index_i;
    error_q <= resume_i.error;
    kind_q <= cross_i.kind;
    head_q <= head;
    head_bad_q <= head_bad;
    yield_q <= turn_q == '1 && others;
    if (event_d == SEND_FAIL) fail_q <= fail_i;
    if (event_d == SEND_PACKET) pkt_q <= pkt_i;
    if (event_d == SEND_LAND) land_q <= land_i;
  end

  logic write_ctx, write_conf;
  assign write_ctx = event_q != SEND_NONE;
  assign write_conf = event_q == SEND_COMMAND && cmd_q.op == CMD_OP_MODIFY_QP;

  hca_qp_ram #(.Width($bits(send_ctx_t)), .Depth(NUM_QP)) u_ctx (
    .clk_i, .rst_ni, .clear_i(!enable_i), .we_i(write_ctx), .waddr_i(qpn_q), .wdata_i(ctx_next),
    .re_i(event_d != SEND_NONE), .raddr_i(qpn_d), .rdata_o(ctx)
  );

  hca_qp_ram #(.Width($bits(qp_conf_t)), .Depth(NUM_QP)) u_conf (
    .clk_i, .rst_ni, .clear_i(!enable_i), .we_i(write_conf), .waddr_i(qpn_q), .wdata_i(conf_next),
    .re_i(event_d != SEND_NONE), .raddr_i(qpn_d), .rdata_o(conf)
  );

  assign conf_next = conf_of(cmd_q, conf);
  assign conf_o = conf_next;
  assign report_o = ctx;

  hca_qp_send_step u_step (
    .mutant_i, .event_i(event_q), .qpn_i(qpn_q), .ctx_i(ctx), .conf_i(conf), .timeouts_i(ack_timeout_i != '0),
    .cmd_i(cmd_q), .doorbell_i(doorbell_q), .error_i(error_q), .cross_i(kind_q), .fail_i(fail_q), .pkt_i(pkt_q), .land_i(land_q),
    .ahead_i(head_q), .wqe_i(wqe), .wqe_bad_i(head_bad_q), .yield_i(yield_q),
    .ctx_o(ctx_next), .out_o(out), .flt_o(flt), .cq_o(cqe), .fetch_o(fetch)
  );

  // ---- what it orders -------------------------------------------------------------------------------------------------------

  hca_qp_fetch u_fetch (
    .clk_i, .rst_ni, .enable_i, .fetch_valid_i(out.fetch), .fetch_i(fetch), .room_o(fetch_room),
    .rd_valid_o, .rd_ready_i, .rd_o, .rd_rsp_valid_i, .rd_rsp_i,
    .head_valid_o(head_valid), .head_o(head), .head_bad_o(head_bad), .look_i(event_d == SEND_ISSUE), .wqe_o(wqe), .free_i(out.free),
    .last_qpn_o(last_qpn), .busy_qpn_i, .busy_o, .idle_o(fetch_idle)
  );

  hca_qp_fifo #(.Width(QPN_WIDTH), .Depth(NUM_QP)) u_list (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(out.list), .data_i(qpn_q),
    .valid_o(list_valid), .data_o(list_qpn), .pop_i(event_d == SEND_FETCH), .empty_o(list_empty)
  );

  hca_qp_fifo #(.Width(QPN_WIDTH), .Depth(NUM_QP)) u_close (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(out.close), .data_i(qpn_q),
    .valid_o(close_valid), .data_o(close_qpn), .pop_i(event_d == SEND_CLOSE), .empty_o(close_empty)
  );

  hca_qp_timer u_ack_timer (
    .clk_i, .rst_ni, .clear_i(!enable_i), .now_i, .delay_i(ack_timeout_i), .start_i(out.ack_start), .start_qpn_i(qpn_q),
    .fire_o(ack_fire), .fire_qpn_o(ack_qpn), .take_i(event_d == SEND_ACK_TIMER), .settled_o(ack_settled), .deadline_o(ack_deadline)
  );

  hca_qp_timer u_rnr_timer (
    .clk_i, .rst_ni, .clear_i(!enable_i), .now_i, .delay_i(rnr_delay_i), .start_i(out.rnr_start), .start_qpn_i(qpn_q),
    .fire_o(rnr_fire), .fire_qpn_o(rnr_qpn), .take_i(event_d == SEND_RNR_TIMER), .settled_o(rnr_settled), .deadline_o(rnr_deadline)
  );

  hca_qp_queue #(.Width($bits(flt_req_t))) u_flt (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(out.flt), .data_i(flt), .tag_i('0), .room_o(flt_room),
    .kill_i('0), .kill_tag_i('0), .valid_o(flt_valid_o), .data_o(flt_o), .ready_i(flt_ready_i), .empty_o(flt_empty)
  );

  hca_qp_queue #(.Width($bits(cq_req_t))) u_cq (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(out.cqe), .data_i(cqe), .tag_i('0), .room_o(cq_room),
    .kill_i('0), .kill_tag_i('0), .valid_o(cq_valid_o), .data_o(cq_o), .ready_i(cq_ready_i), .empty_o(cq_empty)
  );

  hca_qp_queue #(.Width(QPN_WIDTH)) u_cross (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(out.crosses), .data_i(qpn_q), .tag_i('0), .room_o(cross_room),
    .kill_i('0), .kill_tag_i('0), .valid_o(cross_valid_o), .data_o(cross_o), .ready_i(cross_ready_i), .empty_o(cross_empty)
  );

  // ---- stage 2: packets -------------------------------------------------------------------------------------------------------

  build_t build_q;
  logic build_valid_q;
  tx_pkt_t built;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) build_valid_q <= 1'b0;
    else build_valid_q <= enable_i && out.build;
  end

  always_ff @(posedge clk_i) begin
    if (out.build) begin
      build_q <= '{qpn: qpn_q, wqe: wqe, at: ctx.cur, mtu_shift: conf.mtu_shift, pd: conf.pd, dest_qpn: conf.dest_qpn,
                   ack_req: out.ack_req};
    end
  end

  hca_qp_build u_build (.build_i(build_q), .pkt_o(built));

  hca_qp_queue #(.Width($bits(tx_pkt_t)), .TagW(QPN_WIDTH)) u_tx (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(build_valid_q && !(out.withdraw && build_q.qpn == qpn_q)), .data_i(built),
    .tag_i(build_q.qpn), .room_o(tx_room),
    .kill_i({out.withdraw, flush_valid_o}), .kill_tag_i({qpn_q, flush_qpn_o}), .valid_o(tx_valid_o), .data_o(tx_o),
    .ready_i(tx_ready_i), .empty_o(tx_empty)
  );

  // ---- notices --------------------------------------------------------------------------------------------------------------

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      verdict_valid_o <= 1'b0;
      async_valid_o <= 1'b0;
      flush_valid_o <= 1'b0;
      changed_o <= 1'b0;
      count_o <= '0;
    end else begin
      verdict_valid_o <= out.verdict;
      async_valid_o <= out.tell;
      flush_valid_o <= out.flush;
      changed_o <= out.changed;
      count_o <= '0;
      count_o[COUNT_BAD_PACKET] <= out.bad_packet;
      count_o[COUNT_RETRANSMIT] <= out.retransmit;
      count_o[COUNT_TIMEOUTS] <= out.timeout;
      count_o[COUNT_QP_ERRORS] <= out.error;
    end
  end

  always_ff @(posedge clk_i) begin
    verdict_o <= '{slot: pkt_q.slot, verdict: out.kind};
    async_o <= '{kind: out.told, subject: 24'(qpn_q)};
    flush_qpn_o <= qpn_q;
    changed_qpn_o <= qpn_q;
    changed_state_o <= ctx_next.state;
  end

  assign empty_o = event_q == SEND_NONE && !build_valid_q;
  assign deadline_o = (ack_deadline < rnr_deadline) ? ack_deadline : rnr_deadline;

  // Quiet unless something stands at an input (the top sees to that) or in the pipeline, or waits in a list with room to go on.
  assign quiescent_o = empty_o && list_empty && close_empty && ack_settled && rnr_settled && !head_valid && fetch_idle && !rd_valid_o &&
                       tx_empty && flt_empty && cq_empty && cross_empty && !verdict_valid_o && !async_valid_o && !flush_valid_o;

  // The direction chose this side.
  logic unused;
  assign unused = ^{resume_i};

endmodule
