// Makes flits of packets: the header, then the bytes of the lines packed from byte 0, with a CRC beside the last flit.
//
//   order of commits ─▶ header ┐
//   lines ─▶ N: which bytes ───┴▶ M: rotate to the next free byte, join with what waits ─▶ flit register ─▶ CRC ─▶ link
//
// Promises: flit_o is stable while it waits. Bytes behind the payload's end are zero. A packet with a line memory could not read is sent to
//   its length with a wrong CRC. finish_o (combinational) says that the packet at the head of the order is packed.
// Needs: the lines of a packet come in order, with their pieces.
// Costs: a header and a line each cycle, one cycle more when the last line does not fit in what is left of a flit.

module hca_tx_pack
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_tx_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  // order of packets
  input  logic        commit_i,
  input  txslot_t     commit_slot_i,
  output txslot_t     head_slot_o,
  input  hca_packet_t head_i,
  output logic        finish_o,
  // lines
  input  logic        line_valid_i,
  output logic        line_ready_o,
  input  line_t       line_i,
  input  logic        line_bad_i,
  input  tx_piece_t   line_piece_i,
  output logic        line_last_o,
  // link
  output logic        flit_valid_o,
  input  logic        flit_ready_i,
  output flit_t       flit_o,
  output logic        sent_o,         // a packet's last flit leaves
  output logic [12:0] sent_bytes_o,   // its payload
  output logic        quiescent_o
);

  typedef logic [63:0][7:0] bytes_t;

  // ------------------------------------------------------------------------------------------------ order
  // Slots are committed once each, so it cannot overflow.
  txslot_t order_mem [1 << TxSlotW];
  logic [TxSlotW:0] in_q, out_q;
  logic             head_valid;
  assign head_slot_o = order_mem[out_q[TxSlotW-1:0]];
  assign head_valid  = in_q != out_q;
  always_ff @(posedge clk_i) begin
    if (commit_i) order_mem[in_q[TxSlotW-1:0]] <= commit_slot_i;
  end

  // ------------------------------------------------------------------------------------------------ N: bytes of the line
  // first: its first used byte; bytes: how many; eop: the packet's last line.
  logic        n_valid_q, n_free, n_eop_q, n_bad_q, fresh_q;
  logic [5:0]  n_first_q, first;
  logic [6:0]  n_bytes_q, room;
  logic [12:0] left, left_q;
  bytes_t      n_line_q;
  assign first        = fresh_q ? line_piece_i.va[5:0] : '0;
  assign left         = fresh_q ? line_piece_i.len : left_q;
  assign room         = 7'(LineBytes) - 7'(first);
  assign line_last_o  = left <= 13'(room);
  assign line_ready_o = n_free;

  logic n_take;
  assign n_take = line_valid_i && n_free;
  always_ff @(posedge clk_i) begin
    if (n_take) begin
      n_line_q  <= line_i;
      n_first_q <= first;
      n_bytes_q <= line_last_o ? left[6:0] : room;
      n_eop_q   <= line_last_o && line_piece_i.last;
      n_bad_q   <= line_bad_i;
      left_q    <= left - 13'(room);
    end
  end

  // ------------------------------------------------------------------------------------------------ M: flits
  // fill: bytes of acc that wait for a full flit; spill: the last line left some over, its own flit is next.
  typedef enum logic [1:0] { HEAD, BODY, SPILL } state_e;
  state_e      state_q;
  logic        flit_valid_q, flit_free, m_go, emit, bad, bad_q;
  logic [5:0]  fill_q;
  logic [6:0]  sum;
  bytes_t      acc_q, turned, joined, masked;
  line_t       data_q;
  logic        sop_q, eop_q;
  assign flit_free = !flit_valid_q || flit_ready_i;
  assign sum       = 7'(fill_q) + n_bytes_q;
  assign bad       = (state_q == BODY && n_bad_q) || (state_q != HEAD && bad_q);

  // The line's first used byte goes to byte fill; what passes the end wraps to the front, where the next flit finds it.
  logic [5:0] turn;
  assign turn = fill_q - n_first_q;
  always_comb begin
    turned = n_line_q;
    for (int unsigned b = 0; b < 6; b++) begin
      if (turn[b]) turned = bytes_t'({turned, turned} >> (8 * (64 - (1 << b))));
    end
    for (int unsigned i = 0; i < 64; i++) begin
      joined[i] = 7'(i) < 7'(fill_q) ? acc_q[i] : turned[i];
      masked[i] = (state_q == SPILL ? 7'(i) < 7'(fill_q) : 7'(i) < sum) ? (state_q == SPILL ? acc_q[i] : joined[i]) : 8'd0;
    end
  end

  always_comb begin
    m_go = 1'b0;
    emit = 1'b0;
    unique case (state_q)
      HEAD: begin
        m_go = head_valid && flit_free;
        emit = m_go;
      end
      BODY: begin
        emit = n_valid_q && flit_free && (n_eop_q || sum >= 7'(LineBytes));
        m_go = n_valid_q && (flit_free || !(n_eop_q || sum >= 7'(LineBytes)));
      end
      default: begin
        m_go = flit_free;
        emit = flit_free;
      end
    endcase
  end
  assign n_free = !n_valid_q || (state_q == BODY && m_go);

  logic eop, spill;
  assign spill = state_q == BODY && n_eop_q && sum > 7'(LineBytes);
  assign eop   = state_q == HEAD ? head_i.length == '0 : state_q == SPILL || (n_eop_q && !spill);
  assign finish_o = m_go && emit && eop;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {in_q, out_q} <= '0;
      n_valid_q     <= 1'b0;
      fresh_q       <= 1'b1;
      state_q       <= HEAD;
      fill_q        <= '0;
      bad_q         <= 1'b0;
      flit_valid_q  <= 1'b0;
    end else if (!enable_i) begin
      {in_q, out_q} <= '0;
      n_valid_q     <= 1'b0;
      fresh_q       <= 1'b1;
      state_q       <= HEAD;
      fill_q        <= '0;
      bad_q         <= 1'b0;
      flit_valid_q  <= 1'b0;
    end else begin
      if (commit_i) in_q <= in_q + 1'b1;
      if (finish_o) out_q <= out_q + 1'b1;
      if (n_free) n_valid_q <= line_valid_i;
      if (n_take) fresh_q <= line_last_o;
      if (flit_free) flit_valid_q <= emit;
      if (m_go) begin
        unique case (state_q)
          HEAD: begin
            if (!eop) state_q <= BODY;
            fill_q <= '0;
            bad_q  <= 1'b0;
          end
          BODY: begin
            fill_q <= sum[5:0];
            bad_q  <= bad;
            if (spill) state_q <= SPILL;
            else if (n_eop_q) state_q <= HEAD;
          end
          default: state_q <= HEAD;
        endcase
      end
    end
  end
  logic bad_end_q;
  always_ff @(posedge clk_i) begin
    if (m_go && emit) begin
      data_q    <= state_q == HEAD ? head_i : masked;
      sop_q     <= state_q == HEAD;
      eop_q     <= eop;
      bad_end_q   <= bad;
    end
    if (m_go && state_q == BODY) acc_q <= sum >= 7'(LineBytes) ? turned : joined;
  end

  // ------------------------------------------------------------------------------------------------ CRC
  logic [31:0] crc_state_q, crc_state, crc;
  logic [12:0] bytes_q;
  hca_packet_t flit_head;
  hca_crc u_crc (
    .first_i(sop_q),
    .state_i(crc_state_q),
    .data_i (data_q),
    .state_o(crc_state),
    .crc_o  (crc)
  );
  assign flit_head    = data_q;
  assign flit_valid_o = flit_valid_q;
  assign flit_o       = '{data: data_q, sop: sop_q, eop: eop_q, crc: bad_end_q ? ~crc : crc};
  assign sent_o       = flit_valid_q && flit_ready_i && eop_q;
  assign sent_bytes_o = sop_q ? flit_head.length : bytes_q;
  always_ff @(posedge clk_i) begin
    if (flit_valid_q && flit_ready_i) begin
      crc_state_q <= crc_state;
      if (sop_q) bytes_q <= flit_head.length;
    end
  end

  assign quiescent_o = !commit_i && !n_take && !m_go && !(flit_valid_q && flit_ready_i);

  logic unused;
  assign unused = ^{flit_head, line_piece_i};

endmodule
