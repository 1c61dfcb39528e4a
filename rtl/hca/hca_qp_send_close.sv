// The next completion of a send side: the first signaled one of the work requests acknowledged, or, when there is none left, the one
// that failed. Combinational.

module hca_qp_send_close
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_qp_pkg::*;
(
  input  qpn_t      qpn_i,
  input  send_ctx_t ctx_i,
  input  cqn_t      cqn_i,
  output logic      any_signaled_o,
  output logic      fail_now_o,
  output index_t    closed_o,        // with either: the work request completed
  output cq_req_t   cq_o
);

  index_t due, first;
  logic [MAX_UNACKED-1:0] signaled;

  always_comb begin
    due = ctx_i.una.idx - ctx_i.done;
    signaled = MAX_UNACKED'({ctx_i.signaled, ctx_i.signaled} >> ctx_i.done[RingW-1:0]) & ~({MAX_UNACKED{1'b1}} << due[RingW:0]);
    any_signaled_o = |signaled;
    first = '0;
    for (int unsigned i = MAX_UNACKED; i > 0; i--) if (signaled[i-1]) first = index_t'(i - 1);
    fail_now_o = due == '0 && ctx_i.fails && ctx_i.fail_idx == ctx_i.una.idx;
    closed_o = fail_now_o ? ctx_i.fail_idx : ctx_i.done + first;
  end

  always_comb begin
    cq_o = '0;
    cq_o.cqn = cqn_i;
    cq_o.cqe.qpn = 24'(qpn_i);
    cq_o.cqe.wqe_index = closed_o;
    cq_o.cqe.status = fail_now_o ? ctx_i.fail_status : WC_STATUS_SUCCESS;
    cq_o.cqe.syndrome = fail_now_o ? ctx_i.fail_syndrome : '0;
    cq_o.cqe.opcode = ctx_i.send[closed_o[RingW-1:0]] ? WC_OPCODE_SEND : WC_OPCODE_RDMA_WRITE;
    if (ctx_i.alone && closed_o == ctx_i.alone_at.idx) begin
      unique case (ctx_i.alone_op)
        ALONE_SWAP: cq_o.cqe.opcode = WC_OPCODE_COMP_SWAP;
        ALONE_ADD:  cq_o.cqe.opcode = WC_OPCODE_FETCH_ADD;
        default:    cq_o.cqe.opcode = WC_OPCODE_RDMA_READ;
      endcase
      if (!fail_now_o) cq_o.cqe.byte_len = 32'(ctx_i.alone_len);
    end
  end

  // It looks at the parts it needs.
  logic unused;
  assign unused = ^ctx_i;

endmodule
