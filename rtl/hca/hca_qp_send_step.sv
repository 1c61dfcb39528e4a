// The second stage of the send side: one event, the context before it, the context after it, and what it orders. Combinational.
//
// docs/hca.md section 4 and 5 say what each event means; hca_qp_pkg what the fields are.

module hca_qp_send_step
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_qp_pkg::*;
(
  input  logic [7:0]  mutant_i,
  input  send_event_e event_i,
  input  qpn_t        qpn_i,
  input  send_ctx_t   ctx_i,
  input  qp_conf_t    conf_i,
  input  logic        timeouts_i,   // ACK time-outs are on
  // what comes with the event
  input  qp_cmd_t     cmd_i,
  input  index_t      doorbell_i,
  input  logic        error_i,      // of a resume
  input  async_type_e cross_i,
  input  tx_fail_t    fail_i,
  input  rx_pkt_t     pkt_i,
  input  rx_land_t    land_i,
  input  ahead_t      ahead_i,
  input  hca_wqe_t    wqe_i,
  input  logic        wqe_bad_i,    // memory did not give it
  input  logic        yield_i,      // it has had its turn and others wait
  output send_ctx_t   ctx_o,
  output send_out_t   out_o,
  output flt_req_t    flt_o,
  output cq_req_t     cq_o,
  output fetch_t      fetch_o
);

  // ---- what the event's own things say -------------------------------------------------------------------------------------

  logic [31:0] mtu;
  logic [30:0] bytes;
  logic last, is_alone, is_send, ack_known, answer_wanted, answer_fits, any_signaled, fail_now;
  alone_e alone_op;
  wc_status_e wqe_status;
  off_t psns;
  place_t ack_at, answer_next;
  index_t closed;

  assign mtu = 32'd1 << conf_i.mtu_shift;

  hca_qp_send_wqe u_wqe (
    .at_i(ctx_i.cur), .mtu_shift_i(conf_i.mtu_shift), .mtu_i(mtu), .wqe_i, .wqe_bad_i, .status_o(wqe_status), .bytes_o(bytes),
    .is_send_o(is_send), .is_alone_o(is_alone), .alone_op_o(alone_op), .last_o(last), .psns_o(psns)
  );

  hca_qp_send_heard u_heard (
    .ctx_i, .mtu_shift_i(conf_i.mtu_shift), .mtu_i(mtu), .head_i(pkt_i.head), .ack_known_o(ack_known), .ack_at_o(ack_at),
    .answer_wanted_o(answer_wanted), .answer_fits_o(answer_fits), .answer_next_o(answer_next)
  );

  hca_qp_send_close u_close (
    .qpn_i, .ctx_i, .cqn_i(conf_i.send_cqn), .any_signaled_o(any_signaled), .fail_now_o(fail_now), .closed_o(closed), .cq_o
  );

  // ---- faults and reading ahead ----------------------------------------------------------------------------------------

  always_comb begin
    flt_o = '0;
    flt_o.qpn = qpn_i;
    flt_o.direction = FAULT_DIR_REQUESTER;
    if (event_i == SEND_FAIL) begin
      flt_o.cause = fault_cause(fail_i.result);
      flt_o.key = fail_i.key;
      flt_o.va = fail_i.va;
      flt_o.length = fail_i.length;
      flt_o.packet_length = fail_i.packet_length;
      flt_o.wqe_index = fail_i.wqe_index;
    end else begin
      flt_o.write = 1'b1;
      flt_o.cause = fault_cause(pkt_i.result);
      flt_o.key = pkt_i.key;
      flt_o.va = pkt_i.va;
      flt_o.length = pkt_i.seg_rest;
      flt_o.packet_length = (ctx_i.alone_op == ALONE_READ) ? pkt_i.head.length - pkt_i.seg_offset : 13'd8 - pkt_i.seg_offset;
      flt_o.wqe_index = ctx_i.alone_at.idx;
    end
  end

  index_t open, batch;

  always_comb begin
    open = send_limit(ctx_i) - ctx_i.ahead;
    batch = index_t'(MAX_UNACKED) - (ctx_i.ahead - ctx_i.done);
    if (open < batch) batch = open;
    if (batch > index_t'(FetchBatch)) batch = index_t'(FetchBatch);
    if (ctx_i.probe) batch = index_t'(1);
    fetch_o.qpn = qpn_i;
    fetch_o.idx = ctx_i.ahead;
    fetch_o.gen = ctx_i.gen;
    fetch_o.count = batch[$clog2(FetchBatch):0];
    fetch_o.base = conf_i.sq_base;
    fetch_o.log = conf_i.sq_log;
  end

  // ---- the step --------------------------------------------------------------------------------------------------------

  function automatic logic may_fetch(send_ctx_t c);
    return send_may(c) && c.ahead != send_limit(c) && index_t'(c.ahead - c.done) < index_t'(MAX_UNACKED);
  endfunction

  send_ctx_t c;
  send_out_t o;

  always_comb begin
    c = ctx_i;
    o = '0;
    o.told = ASYNC_TYPE_QP_FATAL;

    unique case (event_i)
      SEND_COMMAND: if (cmd_i.op == CMD_OP_MODIFY_QP) begin
        c.state = qp_state_e'(cmd_i.qpc.state);
        o.changed = c.state != ctx_i.state;
        o.flush = cmd_i.load_sq || cmd_i.load_rq || (state_receives(ctx_i.state) && !state_receives(c.state));
        if (cmd_i.load_sq || c.state == QP_STATE_RESET) begin
          c = '0;
          c.state = qp_state_e'(cmd_i.qpc.state);
          c.cur.psn = cmd_i.load_sq ? cmd_i.qpc.sq_psn : '0;
          c.una.psn = c.cur.psn;
          c.top_psn = c.cur.psn;
          c.listed = ctx_i.listed;  // the lists and timers still name it
          c.closing = ctx_i.closing;
          c.ack_timer = ctx_i.ack_timer;
          c.rnr_timer = ctx_i.rnr_timer;
          c.progress = 1'b1;
          c.flight = ctx_i.flight;
          c.stale = ctx_i.flight;
          c.gen = ctx_i.gen + 1'b1;
        end else if (o.flush && state_hears(ctx_i.state)) begin
          c = send_back(c);  // packets that waited are gone
        end
      end

      SEND_CROSS: if (c.state != QP_STATE_ERR && c.state != QP_STATE_RESET) begin
        c.state = QP_STATE_ERR;
        o.changed = 1'b1;
        o.flush = 1'b1;
        o.tell = 1'b1;
        o.told = cross_i;
        o.error = 1'b1;
      end

      SEND_DOORBELL: c.prod = doorbell_i;

      SEND_RESUME: if (c.parked && mutant_i != HMUT_RESUME_FORGOTTEN) begin
        c.parked = 1'b0;
        if (error_i && mutant_i != HMUT_ABORT_TOUCHES)
          c = send_fails(c, c.cur.idx, WC_STATUS_LOC_PROT_ERR, 8'(XLT_RESULT_FAULT_NOT_PRESENT));
      end

      // Unless it went back since, the packet that failed is the next to send.
      SEND_FAIL: if (state_hears(c.state) && !c.fails && psn_before(fail_i.head.psn, c.top_psn) &&
                     !psn_before(fail_i.head.psn, c.una.psn)) begin
        if (psn_before(fail_i.head.psn, c.cur.psn)) begin
          c.cur.idx = fail_i.wqe_index;
          c.cur.off = fail_i.head.offset[OffW-1:0];
          c.cur.psn = fail_i.head.psn;
          c.cur.ssn = fail_i.head.ssn;
          c.alone_out = 1'b0;
        end
        c.ahead = c.cur.idx;
        c.gen = c.gen + 1'b1;
        o.withdraw = 1'b1;
        if (is_fault(fail_i.result)) begin
          c.parked = 1'b1;
          o.flt = 1'b1;
        end else begin
          c = send_fails(c, fail_i.wqe_index, local_status(fail_i.result), 8'(fail_i.result));
        end
      end

      SEND_PACKET: begin
        o.verdict = 1'b1;
        o.kind = VERDICT_DROP;
        if (!state_hears(c.state) || pkt_i.head.src_qpn != conf_i.dest_qpn || pkt_i.head.dest_qpn != 24'(qpn_i)) begin
          o.bad_packet = 1'b1;
        end else if (pkt_i.head.opcode == PKT_OP_ACK) begin
          if (ack_known) c = send_acked(c, ack_at);
        end else if (pkt_i.head.opcode == PKT_OP_NAK) begin
          // With nothing outstanding it is about something long settled.
          if (ack_known && c.una.psn != c.top_psn) begin
            c = send_acked(c, ack_at);
            unique case (nak_syndrome_e'(pkt_i.head.syndrome))
              NAK_SYNDROME_RNR: if (c.waits != WAIT_RNR) begin
                if (conf_i.rnr_retry != '1 && c.rnr >= conf_i.rnr_retry) begin
                  c = send_fails(c, c.una.idx, WC_STATUS_RNR_RETRY_EXC_ERR, 8'(NAK_SYNDROME_RNR));
                end else begin
                  c = send_back(c);
                  if (conf_i.rnr_retry != '1) c.rnr = c.rnr + 1'b1;
                  c.waits = WAIT_RNR;
                  o.rnr_start = !c.rnr_timer;
                  c.rnr_timer = 1'b1;
                end
              end
              NAK_SYNDROME_PSN: begin
                c = send_again(c, conf_i.retry_cnt);
                c.probe = 1'b0;
                o.retransmit = 1'b1;
              end
              NAK_SYNDROME_SUSPEND: begin
                c = send_back(c);
                c.waits = WAIT_RESTART;
                c.retry = '0;  // the other end lives
                c.progress = 1'b1;
              end
              NAK_SYNDROME_RESTART: begin
                c = send_back(c);
                c.waits = WAIT_NONE;
                c.probe = 1'b0;
                o.retransmit = 1'b1;
              end
              NAK_SYNDROME_INV_REQ:    c = send_fails(c, c.una.idx, WC_STATUS_REM_INV_REQ_ERR, pkt_i.head.syndrome);
              NAK_SYNDROME_REM_ACCESS: c = send_fails(c, c.una.idx, WC_STATUS_REM_ACCESS_ERR, pkt_i.head.syndrome);
              NAK_SYNDROME_REM_OP:     c = send_fails(c, c.una.idx, WC_STATUS_REM_OP_ERR, pkt_i.head.syndrome);
              default: o.bad_packet = 1'b1;
            endcase
          end
        end else if (answer_wanted && pkt_i.head.psn == ctx_i.alone_at.psn && ctx_i.alone_at.psn != ctx_i.top_psn) begin
          if (!answer_fits || pkt_i.no_wqe) begin
            o.bad_packet = 1'b1;
          end else begin
            // Whatever was before the READ or atomic has been carried out.
            c = send_acked(c, ctx_i.alone_at);
            if (pkt_i.too_long) begin
              c = send_fails(c, ctx_i.alone_at.idx, WC_STATUS_LOC_LEN_ERR, '0);
            end else if (pkt_i.bad_sge) begin
              c = send_fails(c, ctx_i.alone_at.idx, WC_STATUS_LOC_QP_OP_ERR, '0);
            end else if (is_fault(pkt_i.result)) begin
              c = send_back(c);
              c.parked = 1'b1;
              o.flt = 1'b1;
            end else if (pkt_i.result != XLT_RESULT_OK) begin
              c = send_fails(c, ctx_i.alone_at.idx, local_status(pkt_i.result), 8'(pkt_i.result));
            end else begin
              o.kind = VERDICT_TAKE;
              c.flight = c.flight + 1'b1;
              c.alone_at = answer_next;
              c = send_acked(c, answer_next);
            end
          end
        end else if (answer_wanted && psn_before(ctx_i.alone_at.psn, pkt_i.head.psn) && psn_before(pkt_i.head.psn, ctx_i.top_psn) &&
                     !c.gap) begin
          // Answers are missing: ask again from there, once until one comes.
          c = send_acked(c, ctx_i.alone_at);
          c = send_again(c, conf_i.retry_cnt);
          c.gap = 1'b1;
          o.retransmit = 1'b1;
        end
      end

      SEND_LAND: begin
        c.flight = c.flight - 1'b1;
        if (c.stale != '0) begin
          c.stale = c.stale - 1'b1;
        end else if (state_hears(c.state) && c.alone && !c.fails) begin
          if (land_i.failed) begin
            c = send_fails(c, c.alone_at.idx, WC_STATUS_LOC_QP_OP_ERR, 8'(XLT_RESULT_BAD_TABLE));
          end else if (c.alone_op != ALONE_READ || land_i.head.last) begin
            c.una.idx = c.alone_at.idx + 1'b1;
            c.una.off = '0;
          end
        end
      end

      SEND_ACK_TIMER: begin
        c.ack_timer = 1'b0;
        if (state_hears(c.state) && c.una.psn != c.top_psn && !c.progress && !c.parked && c.waits != WAIT_RNR) begin
          c = send_again(c, conf_i.retry_cnt);
          c.probe = 1'b1;
          o.timeout = 1'b1;
          o.retransmit = 1'b1;
        end
      end

      SEND_RNR_TIMER: begin
        c.rnr_timer = 1'b0;
        if (c.waits == WAIT_RNR) begin
          c.waits = WAIT_NONE;
          c.probe = 1'b1;
          c.skip = mutant_i == HMUT_RNR_SKIPS;
          o.retransmit = 1'b1;
        end
      end

      SEND_CLOSE: begin
        c.closing = 1'b0;
        if (any_signaled) begin
          o.cqe = 1'b1;
          c.done = closed + 1'b1;
        end else begin
          c.done = c.una.idx;
        end
        if (c.alone && c.done == index_t'(c.alone_at.idx + 1'b1)) begin
          c.alone = 1'b0;
          c.alone_out = 1'b0;
        end
        if (fail_now && state_hears(c.state)) begin
          o.cqe = 1'b1;
          c.state = QP_STATE_ERR;
          c.fails = 1'b0;
          o.changed = 1'b1;
          o.flush = 1'b1;
          o.crosses = 1'b1;
          o.tell = 1'b1;
          o.error = 1'b1;
        end
      end

      SEND_ISSUE: begin
        if (!send_may(c) || ahead_i.gen != c.gen || ahead_i.idx != c.cur.idx || c.cur.idx == send_limit(c)) begin
          o.free = 1'b1;
        end else begin
          c.signaled[c.cur.idx[RingW-1:0]] = wqe_i.signaled;
          c.send[c.cur.idx[RingW-1:0]] = is_send;
          if (wqe_status != WC_STATUS_SUCCESS) begin
            o.free = 1'b1;
            c = send_fails(c, c.cur.idx, wqe_status, '0);
          end else begin
            o.build = 1'b1;
            o.ack_req = c.probe || c.cur.psn[3:0] == '1 || (last && index_t'(c.cur.idx + 1'b1) == send_limit(c));
            if (is_alone) begin
              c.alone = 1'b1;
              c.alone_out = 1'b1;
              c.alone_op = alone_op;
              c.alone_at = c.cur;
              c.alone_len = bytes;
            end
            c.cur.psn = c.cur.psn + psn_t'(psns);
            if (last) begin
              c.cur.idx = c.cur.idx + 1'b1;
              c.cur.off = '0;
              c.cur.ssn = c.cur.ssn + index_t'(is_send);
            end else begin
              c.cur.off = c.cur.off + off_t'(1) + off_t'(ctx_i.skip);
            end
            c.skip = 1'b0;
            if (psn_before(c.top_psn, c.cur.psn)) c.top_psn = c.cur.psn;
            if (index_t'(c.top_idx - c.una.idx) < index_t'(c.cur.idx - c.una.idx)) c.top_idx = c.cur.idx;
            o.free = last || c.probe || yield_i;
            if (c.probe || (yield_i && !last) || c.alone_out) begin
              c.ahead = c.cur.idx;
              c.gen = c.gen + 1'b1;
            end
          end
        end
      end

      SEND_FETCH: begin
        c.listed = 1'b0;
        if (may_fetch(c)) begin
          o.fetch = 1'b1;
          c.ahead = c.ahead + batch;
        end
      end

      default: ;
    endcase

    // ---- what the new context asks for ----
    if (may_fetch(c) && !c.listed) begin
      o.list = 1'b1;
      c.listed = 1'b1;
    end
    if (!c.closing && (c.done != c.una.idx || (c.fails && c.fail_idx == c.una.idx && state_hears(c.state)))) begin
      o.close = 1'b1;
      c.closing = 1'b1;
    end
    if (timeouts_i && !c.ack_timer && state_hears(c.state) && c.una.psn != c.top_psn) begin
      o.ack_start = 1'b1;
      c.ack_timer = 1'b1;
      c.progress = 1'b0;
    end

    ctx_o = c;
    out_o = o;
  end

  // Each looks at the parts it needs.
  logic unused;
  assign unused = ^{conf_i, cmd_i, fail_i, pkt_i, land_i, ahead_i, wqe_i};

endmodule
