// The receive sides of all queue pairs: a pipeline of two stages over their contexts.
//
//   choose ──▶ context RAM ──▶ hca_qp_recv_step ──▶ context RAM, queues to the neighbours; hca_qp_answer ──▶ hca_tx
//     ▲                              │
//     └── list of queue pairs that owe an answer (each at most once: a bit in the context; one packet a visit, in turn)
//
// Promises: a packet's verdict two cycles after it was taken, and it is taken as soon as the fault queue's buffer has room.
//   A packet costs two cycles: its verdict and its landing. Acknowledgements say what is so when they leave: they coalesce.

module hca_qp_recv
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_qp_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  input  logic [7:0]  mutant_i,
  // commands: as for the send side
  input  logic        hold_i,
  input  logic        command_i,
  input  qp_cmd_t     cmd_i,
  output recv_ctx_t   report_o,
  // from the send side: it went to ERR
  input  logic        cross_valid_i,
  output logic        cross_ready_o,
  input  qpn_t        cross_i,
  // to the send side
  output logic        cross_valid_o,
  input  logic        cross_ready_i,
  output cross_t      cross_o,
  input  logic        doorbell_valid_i,
  output logic        doorbell_ready_o,
  input  qpn_t        doorbell_qpn_i,
  input  index_t      doorbell_index_i,
  input  logic        pkt_valid_i,
  output logic        pkt_ready_o,
  input  rx_pkt_t     pkt_i,
  output logic        verdict_valid_o,
  output rx_verdict_t verdict_o,
  input  logic        land_valid_i,
  output logic        land_ready_o,
  input  rx_land_t    land_i,
  input  logic        fail_valid_i,
  output logic        fail_ready_o,
  input  tx_fail_t    fail_i,
  input  logic        resume_valid_i,
  output logic        resume_ready_o,
  input  resume_t     resume_i,
  input  logic        flush_valid_i,
  input  qpn_t        flush_qpn_i,
  output logic        tx_valid_o,
  input  logic        tx_ready_i,
  output tx_pkt_t     tx_o,
  output logic        flt_valid_o,
  input  logic        flt_ready_i,
  output flt_req_t    flt_o,
  output logic        cq_valid_o,
  input  logic        cq_ready_i,
  output cq_req_t     cq_o,
  output logic [31:0] count_o,
  output logic        empty_o,       // no event in the pipeline
  output logic        quiescent_o
);

  // ---- stage 0: choose --------------------------------------------------------------------------------------------------

  recv_event_e event_d, event_q;
  qpn_t qpn_d, qpn_q;
  logic list_valid, list_empty;
  qpn_t list_qpn;
  logic tx_room, flt_room, cq_room, cross_room, tx_empty, flt_empty, cq_empty, cross_empty;
  recv_out_t out;

  always_comb begin
    event_d = RECV_NONE;
    qpn_d = list_qpn;
    if (command_i) begin
      event_d = RECV_COMMAND;
      qpn_d = cmd_i.qpn;
    end else if (cross_valid_i) begin
      event_d = RECV_CROSS;
      qpn_d = cross_i;
    end else if (fail_valid_i && flt_room && cross_room) begin
      event_d = RECV_FAIL;
      qpn_d = fail_i.qpn;
    end else if (hold_i) begin
      event_d = RECV_NONE;
    end else if (doorbell_valid_i) begin
      event_d = RECV_DOORBELL;
      qpn_d = doorbell_qpn_i;
    end else if (resume_valid_i && cross_room) begin
      event_d = RECV_RESUME;
      qpn_d = resume_i.qpn;
    end else if (pkt_valid_i && flt_room && cross_room) begin
      event_d = RECV_PACKET;
      qpn_d = pkt_i.head.dest_qpn[QPN_WIDTH-1:0];
    end else if (land_valid_i && cq_room && cross_room) begin
      event_d = RECV_LAND;
      qpn_d = land_i.qpn;
    end else if (list_valid && tx_room && cq_room && cross_empty && !out.crosses) begin
      event_d = RECV_ANSWER;
      qpn_d = list_qpn;
    end
    if (!enable_i) event_d = RECV_NONE;
  end

  assign cross_ready_o = event_d == RECV_CROSS;
  assign fail_ready_o = event_d == RECV_FAIL;
  assign doorbell_ready_o = event_d == RECV_DOORBELL;
  assign resume_ready_o = event_d == RECV_RESUME;
  assign pkt_ready_o = event_d == RECV_PACKET;
  assign land_ready_o = event_d == RECV_LAND;

  // ---- stage 1: step ------------------------------------------------------------------------------------------------------

  recv_ctx_t ctx, ctx_next;
  qp_conf_t conf, conf_next;
  flt_req_t flt;
  cq_req_t cqe;
  tx_pkt_t answer;
  qp_cmd_t cmd_q;
  index_t doorbell_q;
  logic error_q;
  tx_fail_t fail_q;
  rx_pkt_t pkt_q;
  rx_land_t land_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) event_q <= RECV_NONE;
    else event_q <= event_d;
  end

  always_ff @(posedge clk_i) begin
    qpn_q <= qpn_d;
    cmd_q <= cmd_i;
    doorbell_q <= doorbell_index_i;
    error_q <= resume_i.error;
    if (event_d == RECV_FAIL) fail_q <= fail_i;
    if (event_d == RECV_PACKET) pkt_q <= pkt_i;
    if (event_d == RECV_LAND) land_q <= land_i;
  end

  logic write_ctx, write_conf;
  assign write_ctx = event_q != RECV_NONE;
  assign write_conf = event_q == RECV_COMMAND && cmd_q.op == CMD_OP_MODIFY_QP;

  hca_qp_ram #(.Width($bits(recv_ctx_t)), .Depth(NUM_QP)) u_ctx (
    .clk_i, .rst_ni, .clear_i(!enable_i), .we_i(write_ctx), .waddr_i(qpn_q), .wdata_i(ctx_next),
    .re_i(event_d != RECV_NONE), .raddr_i(qpn_d), .rdata_o(ctx)
  );

  hca_qp_ram #(.Width($bits(qp_conf_t)), .Depth(NUM_QP)) u_conf (
    .clk_i, .rst_ni, .clear_i(!enable_i), .we_i(write_conf), .waddr_i(qpn_q), .wdata_i(conf_next),
    .re_i(event_d != RECV_NONE), .raddr_i(qpn_d), .rdata_o(conf)
  );

  assign conf_next = conf_of(cmd_q, conf);
  assign report_o = ctx;

  hca_qp_recv_step u_step (
    .mutant_i, .event_i(event_q), .qpn_i(qpn_q), .ctx_i(ctx), .conf_i(conf),
    .cmd_i(cmd_q), .doorbell_i(doorbell_q), .error_i(error_q), .fail_i(fail_q), .pkt_i(pkt_q), .land_i(land_q),
    .ctx_o(ctx_next), .out_o(out), .flt_o(flt), .cq_o(cqe)
  );

  hca_qp_answer u_answer (.answer_i(out.answer), .qpn_i(qpn_q), .ctx_i(ctx), .conf_i(conf), .pkt_o(answer));

  // ---- what it orders -------------------------------------------------------------------------------------------------------

  hca_qp_fifo #(.Width(QPN_WIDTH), .Depth(NUM_QP)) u_list (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(out.list), .data_i(qpn_q),
    .valid_o(list_valid), .data_o(list_qpn), .pop_i(event_d == RECV_ANSWER), .empty_o(list_empty)
  );

  hca_qp_queue #(.Width($bits(tx_pkt_t)), .TagW(QPN_WIDTH)) u_tx (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(out.answer > ANSWER_FAIL), .data_i(answer), .tag_i(qpn_q), .room_o(tx_room),
    .kill_i({out.withdraw, flush_valid_i}), .kill_tag_i({qpn_q, flush_qpn_i}), .valid_o(tx_valid_o), .data_o(tx_o),
    .ready_i(tx_ready_i), .empty_o(tx_empty)
  );

  hca_qp_queue #(.Width($bits(flt_req_t))) u_flt (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(out.flt), .data_i(flt), .tag_i('0), .room_o(flt_room),
    .kill_i('0), .kill_tag_i('0), .valid_o(flt_valid_o), .data_o(flt_o), .ready_i(flt_ready_i), .empty_o(flt_empty)
  );

  hca_qp_queue #(.Width($bits(cq_req_t))) u_cq (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(out.cqe), .data_i(cqe), .tag_i('0), .room_o(cq_room),
    .kill_i('0), .kill_tag_i('0), .valid_o(cq_valid_o), .data_o(cq_o), .ready_i(cq_ready_i), .empty_o(cq_empty)
  );

  hca_qp_queue #(.Width($bits(cross_t))) u_cross (
    .clk_i, .rst_ni, .clear_i(!enable_i), .push_i(out.crosses), .data_i({qpn_q, out.told}), .tag_i('0), .room_o(cross_room),
    .kill_i('0), .kill_tag_i('0), .valid_o(cross_valid_o), .data_o(cross_o), .ready_i(cross_ready_i), .empty_o(cross_empty)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      verdict_valid_o <= 1'b0;
      count_o <= '0;
    end else begin
      verdict_valid_o <= out.verdict;
      count_o <= '0;
      count_o[COUNT_BAD_PACKET] <= out.bad_packet;
      count_o[COUNT_OUT_OF_SEQUENCE] <= out.out_of_sequence;
      count_o[COUNT_DUPLICATE] <= out.duplicate;
      count_o[COUNT_RNR_NAK_SENT] <= out.rnr_nak;
      count_o[COUNT_NAK_SENT] <= out.nak;
    end
  end

  always_ff @(posedge clk_i) verdict_o <= '{slot: pkt_q.slot, verdict: out.kind};

  assign empty_o = event_q == RECV_NONE;
  assign quiescent_o = empty_o && list_empty && tx_empty && flt_empty && cq_empty && cross_empty && !verdict_valid_o;

  // The direction chose this side.
  logic unused;
  assign unused = ^{resume_i};

endmodule
