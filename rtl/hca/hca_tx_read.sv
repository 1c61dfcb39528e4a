// Reads the pieces that have started, a line a cycle, in order.
//
//   pieces ─▶ ring ─▶ AR of one line a cycle          R ─▶ data queue ─▶ out
//               └──────────────────────────────────▶ counts the lines of each piece: its use is over with the last
//
// Promises: lines leave in the order of the pieces. A piece's use is given back when its last line has arrived; a line memory answered
//   with an error is marked, and its piece is reported.
// Needs: room for every line of a committed piece (hca_tx_start sees to it). RID_PAYLOAD answers in order.
// Costs: two cycles from commit to the bus, two from R to line_o; no bubble between pieces.

module hca_tx_read
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_tx_pkg::*;
#(
  parameter int unsigned Depth = 512  // lines under way or waiting
) (
  input  logic      clk_i,
  input  logic      rst_ni,
  input  logic      enable_i,
  // hca_tx_start
  input  logic      piece_valid_i,
  input  tx_piece_t piece_i,
  input  logic      piece_undo_i,
  input  logic      commit_i,       // the pieces up to this cycle's are to be read
  // memory
  output logic      rd_valid_o,
  input  logic      rd_ready_i,
  output rd_req_t   rd_o,
  input  logic      rd_rsp_valid_i,
  input  rd_rsp_t   rd_rsp_i,
  output logic      done_valid_o,
  output use_t      done_o,
  output logic      bad_valid_o,    // with done_valid_o's piece
  output txslot_t   bad_slot_o,
  output seg_t      bad_seg_o,
  // hca_tx_pack
  output logic      line_valid_o,
  input  logic      line_ready_i,
  output line_t     line_o,
  output logic      line_bad_o,
  output tx_piece_t line_piece_o,   // the piece it belongs to
  input  logic      line_last_i,    // with the handshake: the last of its piece
  output logic      quiescent_o
);

  if (Depth < 2 * MaxLines || (Depth & (Depth - 1)) != 0) begin : g_check
    $error("hca_tx_read: Depth must be a power of two and hold two packets");
  end

  localparam int unsigned PtrW = $clog2(Depth);
  localparam logic [2:0] SizeLine = 3'd6;

  // ------------------------------------------------------------------------------------------------ ring of pieces
  // Every slot has its pieces in it at most once, so it cannot overflow.
  tx_piece_t ring_mem [1 << RingW];
  logic [RingW:0] wr_q, end_q, issue_q, arrive_q, pack_q;
  logic [RingW:0] wr_d;
  tx_piece_t next, arriving;
  assign wr_d         = wr_q + (RingW + 1)'(piece_valid_i);
  assign next         = ring_mem[issue_q[RingW-1:0]];
  assign arriving     = ring_mem[arrive_q[RingW-1:0]];
  assign line_piece_o = ring_mem[pack_q[RingW-1:0]];
  always_ff @(posedge clk_i) begin
    if (piece_valid_i) ring_mem[wr_q[RingW-1:0]] <= piece_i;
  end

  // ------------------------------------------------------------------------------------------------ reads
  logic        cur_last, load, rd_go;
  logic [12:0] left_q;  // bytes of the piece from this line on
  logic [6:0]  room;    // bytes from the first used one to the line's end
  pa_t         pa_q;
  need_e       need_q;
  qpn_t        qpn_q;
  keyidx_t     key_q;
  va_t         va_q;
  assign rd_go    = rd_valid_o && rd_ready_i;
  assign room     = 7'(LineBytes) - 7'(pa_q[5:0]);
  assign cur_last = left_q <= 13'(room);
  assign load     = issue_q != end_q && (!rd_valid_o || (rd_go && cur_last));
  assign rd_o     = '{id: RID_PAYLOAD, pa: {pa_q[PaW-1:6], 6'd0}, size: SizeLine, lock: 1'b0,
                      user: '{mapped: 1'b1, need: need_q, qpn: qpn_q, key: key_q, va: va_q, bytes: cur_last ? left_q[6:0] : room}};

  always_ff @(posedge clk_i) begin
    if (load) begin
      pa_q   <= next.pa;
      left_q <= next.len;
      need_q <= next.need;
      qpn_q  <= next.qpn;
      key_q  <= next.key;
      va_q   <= next.va;
    end else if (rd_go) begin
      pa_q   <= {pa_q[PaW-1:6] + 1'b1, 6'd0};
      left_q <= left_q - 13'(room);
      va_q   <= {va_q[VaW-1:6] + 1'b1, 6'd0};
    end
  end

  // ------------------------------------------------------------------------------------------------ answers
  logic   arrived, rsp_bad, bad_q;
  lines_t count_q;
  logic   piece_in;
  assign arrived  = rd_rsp_valid_i && rd_rsp_i.id == RID_PAYLOAD;
  assign rsp_bad  = rd_rsp_i.resp[1];
  assign piece_in = arrived && count_q + 1'b1 == lines_of(arriving.va[5:0], arriving.len);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {wr_q, end_q, issue_q, arrive_q, pack_q} <= '0;
      rd_valid_o   <= 1'b0;
      count_q      <= '0;
      bad_q        <= 1'b0;
      done_valid_o <= 1'b0;
      bad_valid_o  <= 1'b0;
    end else if (!enable_i) begin
      {wr_q, end_q, issue_q, arrive_q, pack_q} <= '0;
      rd_valid_o   <= 1'b0;
      count_q      <= '0;
      bad_q        <= 1'b0;
      done_valid_o <= 1'b0;
      bad_valid_o  <= 1'b0;
    end else begin
      wr_q <= piece_undo_i ? end_q : wr_d;
      if (commit_i) end_q <= wr_d;
      if (load) issue_q <= issue_q + 1'b1;
      if (piece_in) arrive_q <= arrive_q + 1'b1;
      if (line_valid_o && line_ready_i && line_last_i) pack_q <= pack_q + 1'b1;
      rd_valid_o <= load || (rd_valid_o && !(rd_go && cur_last));
      if (arrived) begin
        count_q <= piece_in ? '0 : count_q + 1'b1;
        bad_q   <= !piece_in && (bad_q || rsp_bad);
      end
      done_valid_o <= piece_in;
      bad_valid_o  <= piece_in && (bad_q || rsp_bad);
    end
  end
  always_ff @(posedge clk_i) begin
    if (piece_in) begin
      done_o     <= '{user: USER_TX, slot: UseSlotW'(arriving.slot), seg: arriving.seg};
      bad_slot_o <= arriving.slot;
      bad_seg_o  <= arriving.seg;
    end
  end

  // ------------------------------------------------------------------------------------------------ data queue
  logic [PtrW:0] put_q, get_q, get_d;
  logic          head_valid_q;
  assign line_valid_o = head_valid_q;
  assign get_d        = line_valid_o && line_ready_i ? get_q + 1'b1 : get_q;

  ram_1r1w #(
    .Width($bits(line_t) + 1),
    .Depth(Depth)
  ) u_data (
    .clk_i,
    .we_i   (arrived),
    .waddr_i(put_q[PtrW-1:0]),
    .wdata_i({rsp_bad, rd_rsp_i.data}),
    .re_i   (1'b1),
    .raddr_i(get_d[PtrW-1:0]),
    .rdata_o({line_bad_o, line_o})
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {put_q, get_q} <= '0;
      head_valid_q   <= 1'b0;
    end else if (!enable_i) begin
      {put_q, get_q} <= '0;
      head_valid_q   <= 1'b0;
    end else begin
      if (arrived) put_q <= put_q + 1'b1;
      get_q        <= get_d;
      head_valid_q <= get_d != put_q;  // a line of this cycle is read in the next
    end
  end

  assign quiescent_o = !piece_valid_i && !piece_undo_i && !load && !rd_go && !arrived && !done_valid_o
                    && !(line_valid_o && line_ready_i) && head_valid_q == (get_q != put_q);

  logic unused;
  assign unused = ^{next, arriving};

endmodule
