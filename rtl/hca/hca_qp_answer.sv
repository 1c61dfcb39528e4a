// A packet that answers: ACK, NAK, what a READ or an atomic asked for, from the receive side's context. Combinational.

module hca_qp_answer
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_qp_pkg::*;
(
  input  answer_e   answer_i,
  input  qpn_t      qpn_i,
  input  recv_ctx_t ctx_i,
  input  qp_conf_t  conf_i,
  output tx_pkt_t   pkt_o
);

  logic [31:0] mtu;

  always_comb begin
    mtu = 32'd1 << conf_i.mtu_shift;
    pkt_o = '0;
    pkt_o.qpn = qpn_i;
    pkt_o.side = FAULT_DIR_RESPONDER;
    pkt_o.pd = conf_i.pd;
    pkt_o.need = NEED_REMOTE_READ;
    pkt_o.head.dest_qpn = conf_i.dest_qpn;
    pkt_o.head.src_qpn = 24'(qpn_i);
    pkt_o.head.first = 1'b1;
    pkt_o.head.last = 1'b1;
    unique case (answer_i)
      ANSWER_READ: begin
        pkt_o.head.opcode = PKT_OP_READ_RESP;
        pkt_o.head.first = ctx_i.read_off == '0;
        pkt_o.head.last = ctx_i.read_rest <= mtu;
        pkt_o.head.length = (ctx_i.read_rest < mtu) ? ctx_i.read_rest[12:0] : mtu[12:0];
        pkt_o.head.psn = ctx_i.read_psn;
        pkt_o.head.msn = 24'(ctx_i.read_msn);
        pkt_o.head.offset = 32'(ctx_i.read_off);
        pkt_o.head.rest = ctx_i.read_rest;
        pkt_o.key0 = ctx_i.read_key;
        pkt_o.va0 = ctx_i.read_va;
        pkt_o.len0 = pkt_o.head.length;
        pkt_o.rest0 = ctx_i.read_rest;
      end
      ANSWER_ATOMIC: begin
        pkt_o.head.opcode = PKT_OP_ATOMIC_RESP;
        pkt_o.head.psn = ctx_i.atomic_psn;
        pkt_o.head.msn = 24'(ctx_i.atomic_msn);
        pkt_o.head.operand = ctx_i.atomic_value;
      end
      ANSWER_NAK: begin
        pkt_o.head.opcode = PKT_OP_NAK;
        pkt_o.head.syndrome = ctx_i.nak;
        pkt_o.head.psn = ctx_i.lpsn;
        pkt_o.head.msn = ctx_i.msn;
        pkt_o.head.offset = 32'(ctx_i.loff);
      end
      default: begin
        pkt_o.head.opcode = PKT_OP_ACK;
        pkt_o.head.psn = ctx_i.lpsn - 1'b1;
        pkt_o.head.msn = ctx_i.msn;
        pkt_o.head.offset = 32'(ctx_i.loff);
      end
    endcase
  end

  // It looks at the parts it needs.
  logic unused;
  assign unused = ^{ctx_i, conf_i};

endmodule
