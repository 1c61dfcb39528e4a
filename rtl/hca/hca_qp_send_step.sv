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

  // ---- the work request read ahead -------------------------------------------------------------------------------------

  logic [32:0] total;
  logic [31:0] sent, rest, mtu;
  logic is_read, is_atomic, is_known, last;
  logic wqe_fails;
  wc_status_e wqe_status;
  off_t psns;

  always_comb begin
    is_read = wqe_i.opcode == WR_OPCODE_RDMA_READ;
    is_atomic = wqe_i.opcode inside {WR_OPCODE_ATOMIC_CMP_AND_SWP, WR_OPCODE_ATOMIC_FETCH_AND_ADD};
    is_known = is_read || is_atomic || wqe_i.opcode inside {WR_OPCODE_RDMA_WRITE, WR_OPCODE_SEND};
    total = '0;
    if (wqe_i.num_sge >= 4'd1) total = 33'(wqe_i.length0);
    if (wqe_i.num_sge >= 4'd2) total = 33'(wqe_i.length0) + 33'(wqe_i.length1);
    mtu = 32'd1 << conf_i.mtu_shift;
    sent = 32'(ctx_i.cur.off) << conf_i.mtu_shift;
    rest = total[31:0] - sent;
    last = is_read || is_atomic || rest <= mtu;
    psns = is_read ? packets(rest, conf_i.mtu_shift) : off_t'(1);

    wqe_status = WC_STATUS_SUCCESS;
    if (wqe_bad_i || !is_known || wqe_i.num_sge > 4'(MAX_SGE) || (is_atomic && wqe_i.num_sge > 4'd1)) wqe_status = WC_STATUS_LOC_QP_OP_ERR;
    else if (is_atomic && total < 33'd8) wqe_status = WC_STATUS_LOC_LEN_ERR;
    else if (!is_atomic && total > 33'(MAX_MESSAGE)) wqe_status = WC_STATUS_LOC_LEN_ERR;
    else if (ctx_i.cur.off != '0 && (is_atomic || 33'(sent) >= total)) wqe_status = WC_STATUS_BAD_RESP_ERR;  // an answer sent it past the end
    wqe_fails = wqe_status != WC_STATUS_SUCCESS;
  end

  // ---- an acknowledgement: where it says the other end is -----------------------------------------------------------------

  psn_t ack_psn, ack_gain;
  index_t ack_count;
  logic ack_known, ack_past_alone;
  logic [MAX_UNACKED-1:0] ack_sends, ack_mask;
  place_t ack_at;

  always_comb begin
    ack_psn = pkt_i.head.psn + psn_t'(pkt_i.head.opcode == PKT_OP_ACK);
    ack_gain = ack_psn - ctx_i.una.psn;
    ack_past_alone = ctx_i.alone && psn_before(ctx_i.alone_at.psn, ack_psn);
    ack_count = ack_past_alone ? ctx_i.alone_at.idx - ctx_i.una.idx : pkt_i.head.msn[15:0] - ctx_i.una.idx;
    ack_known = ack_gain <= psn_t'(ctx_i.top_psn - ctx_i.una.psn) &&
                ack_count <= index_t'(ctx_i.top_idx - ctx_i.una.idx) && ack_count <= index_t'(MAX_UNACKED);
    ack_mask = ~({MAX_UNACKED{1'b1}} << ack_count[RingW:0]);
    ack_sends = MAX_UNACKED'({ctx_i.send, ctx_i.send} >> ctx_i.una.idx[RingW-1:0]) & ack_mask;
    ack_at.idx = pkt_i.head.msn[15:0];
    ack_at.off = pkt_i.head.offset[OffW-1:0];
    ack_at.psn = ack_psn;
    ack_at.ssn = ctx_i.una.ssn + index_t'($countones(ack_sends));
    // A READ or atomic is complete with its answer, not with an acknowledgement.
    if (ack_past_alone) ack_at = ctx_i.alone_at;
    if (ack_gain == '0) ack_at = ctx_i.una;
  end

  // ---- an answer to a READ or atomic -----------------------------------------------------------------------------------

  logic [31:0] answer_rest, answer_length;
  logic answer_fits, answer_wanted;
  place_t answer_next;

  always_comb begin
    answer_wanted = state_hears(ctx_i.state) && ctx_i.alone_out &&
                    (pkt_i.head.opcode == PKT_OP_READ_RESP) == (ctx_i.alone_op == ALONE_READ);
    answer_rest = 32'(ctx_i.alone_len) - (32'(ctx_i.alone_at.off) << conf_i.mtu_shift);
    answer_length = (ctx_i.alone_op != ALONE_READ) ? '0 : (answer_rest < mtu) ? answer_rest : mtu;
    answer_fits = 32'(pkt_i.head.length) == answer_length && pkt_i.head.msn[15:0] == ctx_i.alone_at.idx &&
                  (ctx_i.alone_op != ALONE_READ || (pkt_i.head.offset == 32'(ctx_i.alone_at.off) && pkt_i.head.last == (answer_rest <= mtu)));
    answer_next = ctx_i.alone_at;
    answer_next.psn = ctx_i.alone_at.psn + 1'b1;
    answer_next.off = ctx_i.alone_at.off + 1'b1;
  end

  // ---- completions -----------------------------------------------------------------------------------------------------

  index_t due, first, closed;
  logic [MAX_UNACKED-1:0] due_signaled;
  logic any_signaled, fail_now;

  always_comb begin
    due = ctx_i.una.idx - ctx_i.done;
    due_signaled = MAX_UNACKED'({ctx_i.signaled, ctx_i.signaled} >> ctx_i.done[RingW-1:0]) & ~({MAX_UNACKED{1'b1}} << due[RingW:0]);
    any_signaled = |due_signaled;
    first = '0;
    for (int unsigned i = MAX_UNACKED; i > 0; i--) if (due_signaled[i-1]) first = index_t'(i - 1);
    first = ctx_i.done + first;
    fail_now = due == '0 && ctx_i.fails && ctx_i.fail_idx == ctx_i.una.idx;
    closed = fail_now ? ctx_i.fail_idx : first;
  end

  always_comb begin
    cq_o = '0;
    cq_o.cqn = conf_i.send_cqn;
    cq_o.cqe.qpn = 24'(qpn_i);
    cq_o.cqe.wqe_index = closed;
    cq_o.cqe.status = fail_now ? ctx_i.fail_status : WC_STATUS_SUCCESS;
    cq_o.cqe.syndrome = fail_now ? ctx_i.fail_syndrome : '0;
    cq_o.cqe.opcode = ctx_i.send[closed[RingW-1:0]] ? WC_OPCODE_SEND : WC_OPCODE_RDMA_WRITE;
    if (ctx_i.alone && closed == ctx_i.alone_at.idx) begin
      unique case (ctx_i.alone_op)
        ALONE_SWAP: cq_o.cqe.opcode = WC_OPCODE_COMP_SWAP;
        ALONE_ADD:  cq_o.cqe.opcode = WC_OPCODE_FETCH_ADD;
        default:    cq_o.cqe.opcode = WC_OPCODE_RDMA_READ;
      endcase
      if (!fail_now) cq_o.cqe.byte_len = 32'(ctx_i.alone_len);
    end
  end

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
      SEND_FAIL: if (state_hears(c.state) && !c.fails && psn_before(fail_i.head.psn, c.top_psn) && !psn_before(fail_i.head.psn, c.una.psn)) begin
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
        end else if (answer_wanted && psn_before(ctx_i.alone_at.psn, pkt_i.head.psn) && psn_before(pkt_i.head.psn, ctx_i.top_psn) && !c.gap) begin
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
          c.done = first + 1'b1;
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
          c.send[c.cur.idx[RingW-1:0]] = wqe_i.opcode == WR_OPCODE_SEND;
          if (wqe_fails) begin
            o.free = 1'b1;
            c = send_fails(c, c.cur.idx, wqe_status, '0);
          end else begin
            o.build = 1'b1;
            o.ack_req = c.probe || c.cur.psn[3:0] == '1 || (last && index_t'(c.cur.idx + 1'b1) == send_limit(c));
            if (is_read || is_atomic) begin
              c.alone = 1'b1;
              c.alone_out = 1'b1;
              c.alone_op = is_read ? ALONE_READ : wqe_i.opcode == WR_OPCODE_ATOMIC_CMP_AND_SWP ? ALONE_SWAP : ALONE_ADD;
              c.alone_at = c.cur;
              c.alone_len = is_read ? total[30:0] : 31'd8;
            end
            c.cur.psn = c.cur.psn + psn_t'(psns);
            if (last) begin
              c.cur.idx = c.cur.idx + 1'b1;
              c.cur.off = '0;
              c.cur.ssn = c.cur.ssn + index_t'(wqe_i.opcode == WR_OPCODE_SEND);
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
