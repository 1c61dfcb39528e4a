// A work request that is to be sent from a given place on: whether it can be, and how far one packet gets. Combinational.

module hca_qp_send_wqe
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_qp_pkg::*;
(
  input  place_t      at_i,
  input  logic [3:0]  mtu_shift_i,
  input  logic [31:0] mtu_i,
  input  hca_wqe_t    wqe_i,
  input  logic        wqe_bad_i,     // memory did not give it
  output wc_status_e  status_o,      // SUCCESS: it can
  output logic [30:0] bytes_o,       // of the whole message, if it can
  output logic        is_send_o,
  output logic        is_alone_o,    // READ or atomic: nothing may follow
  output alone_e      alone_op_o,
  output logic        last_o,        // the packet is the message's last
  output off_t        psns_o         // it takes
);

  logic [32:0] total;
  logic [31:0] sent, rest;
  logic is_read, is_atomic, is_known;

  always_comb begin
    is_read = wqe_i.opcode == WR_OPCODE_RDMA_READ;
    is_atomic = wqe_i.opcode inside {WR_OPCODE_ATOMIC_CMP_AND_SWP, WR_OPCODE_ATOMIC_FETCH_AND_ADD};
    is_send_o = wqe_i.opcode == WR_OPCODE_SEND;
    is_alone_o = is_read || is_atomic;
    is_known = is_alone_o || is_send_o || wqe_i.opcode == WR_OPCODE_RDMA_WRITE;
    alone_op_o = is_read ? ALONE_READ : wqe_i.opcode == WR_OPCODE_ATOMIC_CMP_AND_SWP ? ALONE_SWAP : ALONE_ADD;
    total = '0;
    if (wqe_i.num_sge >= 4'd1) total = 33'(wqe_i.length0);
    if (wqe_i.num_sge >= 4'd2) total = 33'(wqe_i.length0) + 33'(wqe_i.length1);
    bytes_o = is_atomic ? 31'd8 : total[30:0];
    sent = 32'(at_i.off) << mtu_shift_i;
    rest = total[31:0] - sent;
    last_o = is_alone_o || rest <= mtu_i;
    psns_o = is_read ? packets(rest, mtu_shift_i) : off_t'(1);

    status_o = WC_STATUS_SUCCESS;
    if (wqe_bad_i || !is_known || wqe_i.num_sge > 4'(MAX_SGE) || (is_atomic && wqe_i.num_sge > 4'd1)) begin
      status_o = WC_STATUS_LOC_QP_OP_ERR;
    end else if (is_atomic ? total < 33'd8 : total > 33'(MAX_MESSAGE)) begin
      status_o = WC_STATUS_LOC_LEN_ERR;
    end else if (at_i.off != '0 && (is_atomic || 33'(sent) >= total)) begin
      status_o = WC_STATUS_BAD_RESP_ERR;  // an answer sent it past the end
    end
  end

  // It looks at the parts it needs.
  logic unused;
  assign unused = ^{wqe_i, at_i};

endmodule
