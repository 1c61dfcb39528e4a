// The second stage of the receive side: one event, the context before it, the context after it, and what it orders. Combinational.
//
// docs/hca.md section 4 and 5 say what each event means; hca_qp_pkg what the fields are.

module hca_qp_recv_step
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_qp_pkg::*;
(
  input  logic [7:0]  mutant_i,
  input  recv_event_e event_i,
  input  qpn_t        qpn_i,
  input  recv_ctx_t   ctx_i,
  input  qp_conf_t    conf_i,
  // what comes with the event
  input  qp_cmd_t     cmd_i,
  input  index_t      doorbell_i,
  input  logic        error_i,      // of a resume
  input  tx_fail_t    fail_i,
  input  rx_pkt_t     pkt_i,
  input  rx_land_t    land_i,
  output recv_ctx_t   ctx_o,
  output recv_out_t   out_o,
  output flt_req_t    flt_o,
  output cq_req_t     cq_o
);

  // ---- the packet ------------------------------------------------------------------------------------------------------

  logic is_send, is_read, is_atomic, is_known, is_wrong, is_expected, is_early;
  logic [31:0] mtu;
  logic [31:0] length;

  always_comb begin
    is_send = pkt_i.head.opcode == PKT_OP_SEND;
    is_read = pkt_i.head.opcode == PKT_OP_READ_REQ;
    is_atomic = pkt_i.head.opcode inside {PKT_OP_CMP_SWAP, PKT_OP_FETCH_ADD};
    is_known = is_send || is_read || is_atomic || pkt_i.head.opcode == PKT_OP_WRITE;
    is_expected = pkt_i.head.psn == ctx_i.epsn;
    is_early = psn_before(ctx_i.epsn, pkt_i.head.psn);
    mtu = 32'd1 << conf_i.mtu_shift;
    length = 32'(pkt_i.head.length);

    // Not allowed or malformed.
    if (is_read) begin
      is_wrong = !conf_i.allow_read || length != '0 || pkt_i.head.rest > MAX_MESSAGE;
    end else if (is_atomic) begin
      is_wrong = !conf_i.allow_atomic || length != '0 || pkt_i.head.rest != 32'd8 || pkt_i.head.va[2:0] != '0;
    end else begin
      is_wrong = (!is_send && !conf_i.allow_write) || pkt_i.head.rest > MAX_MESSAGE || pkt_i.head.first != (ctx_i.eoff == '0) ||
                 pkt_i.head.offset != 32'(ctx_i.eoff) ||
                 (pkt_i.head.last ? length > mtu || length != pkt_i.head.rest : length != mtu || length >= pkt_i.head.rest);
    end
    // Nothing may begin inside a message.
    if ((is_read || is_atomic) && ctx_i.eoff != '0) is_wrong = 1'b1;
  end

  // ---- what has landed -------------------------------------------------------------------------------------------------

  logic land_read, land_atomic, land_again;
  psn_t land_psns;

  always_comb begin
    land_read = land_i.head.opcode == PKT_OP_READ_REQ;
    land_atomic = land_i.head.opcode inside {PKT_OP_CMP_SWAP, PKT_OP_FETCH_ADD};
    land_again = psn_before(land_i.head.psn, ctx_i.lpsn);
    land_psns = land_read ? psn_t'(packets(land_i.head.rest, conf_i.mtu_shift)) : psn_t'(1);
  end

  always_comb begin
    cq_o = '0;
    cq_o.cqn = conf_i.recv_cqn;
    cq_o.cqe.qpn = 24'(qpn_i);
    cq_o.cqe.recv = 1'b1;
    cq_o.cqe.opcode = WC_OPCODE_RECV;
    if (event_i == RECV_LAND) begin
      cq_o.cqe.status = WC_STATUS_SUCCESS;
      cq_o.cqe.byte_len = (land_i.head.offset << conf_i.mtu_shift) + 32'(land_i.head.length);
      cq_o.cqe.wqe_index = land_i.head.ssn;
    end else begin
      cq_o.cqe.status = ctx_i.fail_status;
      cq_o.cqe.syndrome = ctx_i.fail_syndrome;
      cq_o.cqe.wqe_index = ctx_i.fail_idx;
    end
  end

  // ---- faults ------------------------------------------------------------------------------------------------------------

  always_comb begin
    flt_o = '0;
    flt_o.qpn = qpn_i;
    flt_o.direction = FAULT_DIR_RESPONDER;
    if (event_i == RECV_FAIL) begin
      flt_o.rdma = 1'b1;
      flt_o.cause = fault_cause(fail_i.result);
      flt_o.key = fail_i.key;
      flt_o.va = fail_i.va;
      flt_o.length = fail_i.length;
      flt_o.packet_length = fail_i.packet_length;
    end else begin
      flt_o.write = 1'b1;
      flt_o.rdma = !is_send;
      flt_o.cause = fault_cause(pkt_i.result);
      flt_o.key = pkt_i.key;
      flt_o.va = pkt_i.va;
      flt_o.length = pkt_i.seg_rest;
      flt_o.packet_length = (is_atomic ? 13'd8 : pkt_i.head.length) - pkt_i.seg_offset;
      if (is_send) flt_o.wqe_index = pkt_i.head.ssn;
    end
  end

  // ---- the step ----------------------------------------------------------------------------------------------------------

  recv_ctx_t c;
  recv_out_t o;

  always_comb begin
    c = ctx_i;
    o = '0;
    o.told = ASYNC_TYPE_QP_ACCESS_ERR;

    unique case (event_i)
      RECV_COMMAND: if (cmd_i.op == CMD_OP_MODIFY_QP) begin
        c.state = qp_state_e'(cmd_i.qpc.state);
        if (cmd_i.load_rq || c.state == QP_STATE_RESET) begin
          c = '0;
          c.state = qp_state_e'(cmd_i.qpc.state);
          c.epsn = cmd_i.load_rq ? cmd_i.qpc.rq_psn : '0;
          c.lpsn = c.epsn;
          c.listed = ctx_i.listed;  // the list still names it
          c.flight = ctx_i.flight;
          c.stale = ctx_i.flight;
        end
      end

      RECV_CROSS: if (c.state != QP_STATE_RESET) c.state = QP_STATE_ERR;

      RECV_DOORBELL: c.prod = doorbell_i;

      RECV_RESUME: if (c.parked && mutant_i != HMUT_RESUME_FORGOTTEN) begin
        c.parked = 1'b0;
        if (state_receives(c.state)) begin
          if (error_i && mutant_i != HMUT_ABORT_TOUCHES) begin
            c = recv_fails(c, NAK_SYNDROME_REM_OP);
            o.crosses = 1'b1;
          end else if (c.suspended) begin
            c.nak = NAK_SYNDROME_RESTART;
            c.quiet = 1'b0;
          end
        end
        c.suspended = 1'b0;
      end

      // The source of a READ.
      RECV_FAIL: if (state_receives(c.state)) begin
        c.reads = 1'b0;
        o.withdraw = 1'b1;
        if (is_fault(fail_i.result)) begin
          o.flt = 1'b1;
          c.parked = 1'b1;
          c.quiet = 1'b1;
          c.suspended = conf_i.policy != FAULT_POLICY_DISCARD;
          c.nak = c.suspended ? NAK_SYNDROME_SUSPEND : NAK_SYNDROME_RNR;
        end else begin
          c = recv_fails(c, fail_i.result == XLT_RESULT_BAD_TABLE ? NAK_SYNDROME_REM_OP : NAK_SYNDROME_REM_ACCESS);
          o.crosses = 1'b1;
        end
      end

      RECV_PACKET: begin
        o.verdict = 1'b1;
        o.kind = VERDICT_DROP;
        if (!state_receives(c.state) || pkt_i.head.src_qpn != conf_i.dest_qpn || pkt_i.head.dest_qpn != 24'(qpn_i) || !is_known) begin
          o.bad_packet = 1'b1;
        end else if (is_early) begin
          o.out_of_sequence = 1'b1;
          if (!c.quiet && mutant_i != HMUT_NAK_LOST) begin
            c.nak = NAK_SYNDROME_PSN;
            c.quiet = 1'b1;
          end
        end else if (!is_expected) begin
          o.duplicate = 1'b1;
          if (is_read) begin
            if (!is_wrong) begin
              o.kind = VERDICT_TAKE;
              c.flight = c.flight + 1'b1;
            end
          end else if (is_atomic) begin
            if (mutant_i == HMUT_DUP_EXECUTED && pkt_i.result == XLT_RESULT_OK) begin
              o.kind = VERDICT_TAKE;
              c.flight = c.flight + 1'b1;
            end else if (c.atomic_known && pkt_i.head.psn == c.atomic_psn) begin
              c.atomic = 1'b1;
            end
          end else begin
            c.ack = 1'b1;
          end
        end else if (is_wrong || (is_send && pkt_i.too_long && !pkt_i.no_wqe)) begin
          if (!is_wrong) begin
            c.fails = 1'b1;
            c.fail_status = WC_STATUS_LOC_LEN_ERR;
            c.fail_syndrome = '0;
            c.fail_idx = pkt_i.head.ssn;
          end
          c = recv_fails(c, NAK_SYNDROME_INV_REQ);
          o.crosses = 1'b1;
          o.told = ASYNC_TYPE_QP_REQ_ERR;
        end else if (is_send && pkt_i.no_wqe) begin
          c.nak = NAK_SYNDROME_RNR;
          c.quiet = 1'b1;
        end else if (is_fault(pkt_i.result) && !(is_send && pkt_i.bad_sge)) begin
          o.flt = 1'b1;
          c.parked = 1'b1;
          unique case (conf_i.policy)
            FAULT_POLICY_DISCARD: begin
              c.nak = NAK_SYNDROME_RNR;
              c.quiet = 1'b1;
            end
            FAULT_POLICY_RESTART: begin
              c.nak = NAK_SYNDROME_SUSPEND;
              c.quiet = 1'b1;
              c.suspended = 1'b1;
            end
            default: o.kind = VERDICT_HOLD;
          endcase
        end else if (pkt_i.result != XLT_RESULT_OK || (is_send && pkt_i.bad_sge)) begin
          if (is_send) begin
            c.fails = 1'b1;
            c.fail_status = WC_STATUS_LOC_PROT_ERR;
            c.fail_syndrome = 8'(pkt_i.result);
            c.fail_idx = pkt_i.head.ssn;
          end
          c = recv_fails(c, (is_send || pkt_i.result == XLT_RESULT_BAD_TABLE) ? NAK_SYNDROME_REM_OP : NAK_SYNDROME_REM_ACCESS);
          o.crosses = 1'b1;
        end else begin
          o.kind = VERDICT_TAKE;
          c.flight = c.flight + 1'b1;
          c.epsn = c.epsn + (is_read ? psn_t'(packets(pkt_i.head.rest, conf_i.mtu_shift)) : psn_t'(1));
          c.eoff = (is_read || is_atomic || pkt_i.head.last) ? '0 : c.eoff + 1'b1;
          if (is_atomic) begin
            c.atomic_known = 1'b0;
            c.atomic_psn = pkt_i.head.psn;
          end
          // Whatever the sender was or would be told, it has come.
          if (c.nak != NAK_SYNDROME_NONE) c.ack = 1'b1;
          c.nak = NAK_SYNDROME_NONE;
          c.quiet = 1'b0;
          c.suspended = 1'b0;
        end
      end

      RECV_LAND: begin
        c.flight = c.flight - 1'b1;
        if (c.stale != '0) begin
          c.stale = c.stale - 1'b1;
        end else if (land_i.failed) begin
          if (land_i.head.opcode == PKT_OP_SEND) begin
            c.fails = 1'b1;
            c.fail_status = WC_STATUS_LOC_PROT_ERR;
            c.fail_syndrome = 8'(XLT_RESULT_BAD_TABLE);
            c.fail_idx = land_i.head.ssn;
          end
          o.crosses = state_receives(c.state);
          if (o.crosses) c = recv_fails(c, NAK_SYNDROME_REM_OP);
        end else begin
          if (!land_again) begin
            c.lpsn = c.lpsn + land_psns;
            if (land_read || land_atomic || land_i.head.last) begin
              c.msn = c.msn + 1'b1;
              c.loff = '0;
              o.cqe = land_i.head.opcode == PKT_OP_SEND;
            end else begin
              c.loff = c.loff + 1'b1;
            end
          end
          if (state_receives(c.state)) begin
            if (land_read) begin
              c.reads = 1'b1;
              c.read_va = land_i.head.va;
              c.read_key = land_i.head.rkey;
              c.read_rest = land_i.head.rest;
              c.read_off = land_i.head.offset[OffW-1:0];
              c.read_psn = land_i.head.psn;
              c.read_msn = land_i.head.msn[15:0];
            end else if (land_atomic) begin
              c.atomic = 1'b1;
              c.atomic_known = 1'b1;
              c.atomic_psn = land_i.head.psn;
              c.atomic_msn = land_i.head.msn[15:0];
              c.atomic_value = land_i.old_value;
            end else if (land_i.head.ack_req) begin
              c.ack = 1'b1;
            end
          end
        end
      end

      // One thing that is owed. Lists and queues have room for it.
      RECV_ANSWER: begin
        c.listed = 1'b0;
        if (c.fails && recv_settled(c)) begin
          o.answer = ANSWER_FAIL;
          o.cqe = 1'b1;
          c.fails = 1'b0;
        end else if (c.nak != NAK_SYNDROME_NONE && recv_settled(c)) begin
          o.answer = ANSWER_NAK;
          o.rnr_nak = c.nak == NAK_SYNDROME_RNR;
          o.nak = !o.rnr_nak;
          c.nak = NAK_SYNDROME_NONE;
          c.ack = 1'b0;
        end else if (state_receives(c.state) && c.atomic) begin
          o.answer = ANSWER_ATOMIC;
          c.atomic = 1'b0;
        end else if (state_receives(c.state) && c.reads) begin
          o.answer = ANSWER_READ;
          c.reads = c.read_rest > mtu;
          c.read_va = c.read_va + 64'(mtu);
          c.read_rest = c.read_rest - mtu;
          c.read_off = c.read_off + 1'b1;
          c.read_psn = c.read_psn + 1'b1;
        end else if (state_receives(c.state) && c.ack) begin
          o.answer = ANSWER_ACK;
          c.ack = 1'b0;
        end
      end

      default: ;
    endcase

    if (recv_owes(c) && !c.listed) begin
      o.list = 1'b1;
      c.listed = 1'b1;
    end

    ctx_o = c;
    out_o = o;
  end

  // Each looks at the parts it needs.
  logic unused;
  assign unused = ^{conf_i, cmd_i, fail_i, pkt_i, land_i};

endmodule
