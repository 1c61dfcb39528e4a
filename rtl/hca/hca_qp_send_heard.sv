// What a packet from the other end tells the send side: how far an ACK or NAK leads, whether an answer is the one expected. Combinational.

module hca_qp_send_heard
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_qp_pkg::*;
(
  input  send_ctx_t   ctx_i,
  input  logic [3:0]  mtu_shift_i,
  input  logic [31:0] mtu_i,
  input  hca_packet_t head_i,
  output logic        ack_known_o,      // about something that was sent
  output place_t      ack_at_o,         // all before is acknowledged
  output logic        answer_wanted_o,  // an answer of this kind is waited for
  output logic        answer_fits_o,    // and this has the right message, place and length
  output place_t      answer_next_o     // what is expected after it
);

  psn_t psn, gain;
  index_t count;
  logic past_alone, is_read, right_place;
  logic [MAX_UNACKED-1:0] sends, mask;
  logic [31:0] rest, length;

  always_comb begin
    psn = head_i.psn + psn_t'(head_i.opcode == PKT_OP_ACK);
    gain = psn - ctx_i.una.psn;
    past_alone = ctx_i.alone && psn_before(ctx_i.alone_at.psn, psn);
    count = (past_alone ? ctx_i.alone_at.idx : head_i.msn[15:0]) - ctx_i.una.idx;
    ack_known_o = gain <= psn_t'(ctx_i.top_psn - ctx_i.una.psn) && count <= index_t'(ctx_i.top_idx - ctx_i.una.idx) &&
                  count <= index_t'(MAX_UNACKED);
    mask = ~({MAX_UNACKED{1'b1}} << count[RingW:0]);
    sends = MAX_UNACKED'({ctx_i.send, ctx_i.send} >> ctx_i.una.idx[RingW-1:0]) & mask;
    ack_at_o.idx = head_i.msn[15:0];
    ack_at_o.off = head_i.offset[OffW-1:0];
    ack_at_o.psn = psn;
    ack_at_o.ssn = ctx_i.una.ssn + index_t'($countones(sends));
    // A READ or atomic is complete with its answer, not with an acknowledgement.
    if (past_alone) ack_at_o = ctx_i.alone_at;
    if (gain == '0) ack_at_o = ctx_i.una;
  end

  always_comb begin
    is_read = ctx_i.alone_op == ALONE_READ;
    answer_wanted_o = state_hears(ctx_i.state) && ctx_i.alone_out && (head_i.opcode == PKT_OP_READ_RESP) == is_read;
    rest = 32'(ctx_i.alone_len) - (32'(ctx_i.alone_at.off) << mtu_shift_i);
    length = !is_read ? '0 : (rest < mtu_i) ? rest : mtu_i;
    right_place = head_i.offset == 32'(ctx_i.alone_at.off) && head_i.last == (rest <= mtu_i);
    answer_fits_o = 32'(head_i.length) == length && head_i.msn[15:0] == ctx_i.alone_at.idx && (!is_read || right_place);
    answer_next_o = ctx_i.alone_at;
    answer_next_o.psn = ctx_i.alone_at.psn + 1'b1;
    answer_next_o.off = ctx_i.alone_at.off + 1'b1;
  end

  // It looks at the parts it needs.
  logic unused;
  assign unused = ^{ctx_i, head_i};

endmodule
