// A packet of a work request, from its place in what the send side sends. Combinational.

module hca_qp_build
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_qp_pkg::*;
(
  input  build_t  build_i,
  output tx_pkt_t pkt_o
);

  logic [31:0] len0, len1, total, sent, rest, mtu, payload, left0, skip1;
  logic is_read, is_atomic, last;

  always_comb begin
    is_read = build_i.wqe.opcode == WR_OPCODE_RDMA_READ;
    is_atomic = build_i.wqe.opcode inside {WR_OPCODE_ATOMIC_CMP_AND_SWP, WR_OPCODE_ATOMIC_FETCH_AND_ADD};
    len0 = (build_i.wqe.num_sge >= 4'd1) ? build_i.wqe.length0 : '0;
    len1 = (build_i.wqe.num_sge >= 4'd2) ? build_i.wqe.length1 : '0;
    total = is_atomic ? 32'd8 : len0 + len1;
    mtu = 32'd1 << build_i.mtu_shift;
    sent = 32'(build_i.at.off) << build_i.mtu_shift;
    rest = total - sent;
    last = is_read || is_atomic || rest <= mtu;
    payload = (is_read || is_atomic) ? '0 : (rest < mtu) ? rest : mtu;
    left0 = (sent < len0) ? len0 - sent : '0;  // of element 0, from this packet on
    skip1 = (sent < len0) ? '0 : sent - len0;  // of element 1, before this packet

    pkt_o = '0;
    pkt_o.qpn = build_i.qpn;
    pkt_o.side = FAULT_DIR_REQUESTER;
    pkt_o.pd = build_i.pd;
    pkt_o.need = NEED_LOCAL_READ;
    pkt_o.wqe_index = build_i.at.idx;

    unique case (build_i.wqe.opcode)
      WR_OPCODE_SEND:                 pkt_o.head.opcode = PKT_OP_SEND;
      WR_OPCODE_RDMA_READ:            pkt_o.head.opcode = PKT_OP_READ_REQ;
      WR_OPCODE_ATOMIC_CMP_AND_SWP:   pkt_o.head.opcode = PKT_OP_CMP_SWAP;
      WR_OPCODE_ATOMIC_FETCH_AND_ADD: pkt_o.head.opcode = PKT_OP_FETCH_ADD;
      default:                        pkt_o.head.opcode = PKT_OP_WRITE;
    endcase
    pkt_o.head.first = build_i.at.off == '0;
    pkt_o.head.last = last;
    pkt_o.head.ack_req = build_i.ack_req;
    pkt_o.head.length = payload[12:0];
    pkt_o.head.dest_qpn = build_i.dest_qpn;
    pkt_o.head.src_qpn = 24'(build_i.qpn);
    pkt_o.head.psn = build_i.at.psn;
    pkt_o.head.msn = 24'(build_i.at.idx);
    pkt_o.head.rest = rest;
    pkt_o.head.offset = 32'(build_i.at.off);
    pkt_o.head.ssn = build_i.at.ssn;
    if (build_i.wqe.opcode != WR_OPCODE_SEND) begin
      pkt_o.head.va = build_i.wqe.remote_addr + 64'(sent);
      pkt_o.head.rkey = build_i.wqe.rkey;
    end
    if (is_atomic) begin
      pkt_o.head.operand = build_i.wqe.addr1;
      pkt_o.head.swap = build_i.wqe.swap;
    end

    if (left0 != '0) begin
      pkt_o.key0 = build_i.wqe.lkey0;
      pkt_o.va0 = build_i.wqe.addr0 + 64'(sent);
      pkt_o.rest0 = left0;
      pkt_o.len0 = (payload < left0) ? payload[12:0] : left0[12:0];
      pkt_o.key1 = build_i.wqe.lkey1;
      pkt_o.va1 = build_i.wqe.addr1;
      pkt_o.rest1 = len1;
    end else begin
      pkt_o.key0 = build_i.wqe.lkey1;
      pkt_o.va0 = build_i.wqe.addr1 + 64'(skip1);
      pkt_o.rest0 = len1 - skip1;
      pkt_o.len0 = payload[12:0];
    end
    pkt_o.len1 = payload[12:0] - pkt_o.len0;
  end

endmodule
