// Payload from the slots to memory.
//
//   taken ─▶ N next piece ─▶ S one line a cycle ─▶ W1 flit read ─▶ shift ─▶ wr_o          answers, in order ─▶ piece done
//
// A line of memory takes its bytes from at most two neighbouring flits. Flits are read in order, each once: the one read before is kept
// beside the memory's output, so a piece costs one cycle a line and no more, whatever its alignment.
//
// Promises: writes leave in the order packets were taken, one ID, so that of two writes to one byte the later one stays; a piece is done when
//   its last write is answered.
// Needs: seg_i, seg_pa_i, seg_last_i, qpn_i and need_i of (seg_slot_o, seg_index_o) in the same cycle; payload in place when the slot is taken.
// Costs: taken to first write four cycles.

module hca_rx_write
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  // Payload memory.
  input  logic                 pay_we_i,
  input  logic [RxSlotW+6-1:0] pay_addr_i,
  input  line_t                pay_data_i,
  // Taken packets.
  input  logic        take_valid_i,
  input  rxslot_t     take_slot_i,
  output rxslot_t     seg_slot_o,
  output seg_t        seg_index_o,
  input  rx_seg_t     seg_i,
  input  pa_t         seg_pa_i,
  input  logic        seg_last_i,
  input  qpn_t        qpn_i,
  input  need_e       need_i,
  // Memory.
  output logic        wr_valid_o,
  input  logic        wr_ready_i,
  output wr_req_t     wr_o,
  input  logic        wr_rsp_valid_i,
  input  wr_rsp_t     wr_rsp_i,
  // Ends.
  output logic        sent_valid_o,    // the last write of a piece has left
  output rxslot_t     sent_slot_o,
  output seg_t        sent_seg_o,
  output logic        done_valid_o,
  output rxslot_t     done_slot_o,
  output seg_t        done_seg_o,
  output logic        done_last_o,     // the last piece of its packet
  output logic        done_failed_o,   // with done_last_o: memory answered one of the packet's writes with an error
  output logic        work_o
);

  localparam int unsigned LineW = 7;  // a piece covers at most 64 lines
  localparam int unsigned PieceW = RxSlotW + SegW;

  typedef struct packed {
    rxslot_t     slot;
    seg_t        seg;
    logic        last;
    qpn_t        qpn;
    keyidx_t     key;
    need_e       need;
    pa_t         pa;      // of the next byte
    va_t         va;
    logic [12:0] left;    // bytes to go
    logic [11:0] place;   // of the next byte in the payload
  } piece_t;

  // ------------------------------------------------------------------------------------------------ taken packets
  rxslot_t          take_mem [RX_SLOTS];
  logic [RxSlotW:0] take_rd_q, take_wr_q;
  logic             waiting, n_valid_q, n_load, n_pop;
  seg_t             seg_q;
  piece_t           n_q;
  assign waiting     = take_rd_q != take_wr_q;
  assign seg_slot_o  = take_mem[take_rd_q[RxSlotW-1:0]];
  assign seg_index_o = seg_q;
  assign n_load      = waiting && (!n_valid_q || n_pop);

  always_ff @(posedge clk_i) begin
    if (take_valid_i) take_mem[take_wr_q[RxSlotW-1:0]] <= take_slot_i;
    if (n_load) begin
      n_q <= '{slot: seg_slot_o, seg: seg_q, last: seg_last_i, qpn: qpn_i, key: seg_i.key[8+:KEY_IDX_WIDTH], need: need_i, pa: seg_pa_i,
               va: seg_i.va, left: seg_i.len, place: seg_i.offset[11:0]};
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      take_rd_q <= '0;
      take_wr_q <= '0;
      seg_q     <= '0;
      n_valid_q <= 1'b0;
    end else if (!enable_i) begin
      take_rd_q <= '0;
      take_wr_q <= '0;
      seg_q     <= '0;
      n_valid_q <= 1'b0;
    end else begin
      if (take_valid_i) take_wr_q <= take_wr_q + 1'b1;
      if (n_load) begin
        seg_q <= seg_last_i ? '0 : seg_q + 1'b1;
        if (seg_last_i) take_rd_q <= take_rd_q + 1'b1;
      end
      if (n_load || n_pop) n_valid_q <= n_load;
    end
  end

  // ------------------------------------------------------------------------------------------------ S: lines
  piece_t      s_q;
  logic        s_valid_q, s_go, s_end, fresh_q, re, from_cur;
  logic [6:0]  room, bytes;
  logic [5:0]  flit, cur_q, shift;
  logic [11:0] last_byte;
  logic [6:0]  first_flit;
  logic        w1_valid_q, w1_go, wr_free;

  assign room       = 7'd64 - 7'(s_q.pa[5:0]);
  assign s_end      = s_q.left <= 13'(room);
  assign bytes      = s_end ? s_q.left[6:0] : room;
  assign last_byte  = s_q.place + 12'(bytes) - 12'd1;
  assign flit       = last_byte[11:6];
  // Byte 0 of the line would be payload byte place - pa[5:0]: in the last flit this line needs, or in the one before.
  assign first_flit = 7'((13'(s_q.place) - 13'(s_q.pa[5:0])) >> 6);
  assign shift      = s_q.place[5:0] - s_q.pa[5:0];
  assign from_cur   = first_flit == 7'(flit);
  assign s_go       = s_valid_q && (!w1_valid_q || w1_go);
  assign re         = s_go && (fresh_q || flit != cur_q);
  assign n_pop      = n_valid_q && (!s_valid_q || (s_go && s_end));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) s_valid_q <= 1'b0;
    else if (!enable_i) s_valid_q <= 1'b0;
    else if (n_pop) s_valid_q <= 1'b1;
    else if (s_go && s_end) s_valid_q <= 1'b0;
  end
  always_ff @(posedge clk_i) begin
    if (s_go) begin
      cur_q   <= flit;
      fresh_q <= 1'b0;
    end
    if (n_pop) begin
      s_q <= n_q;
      if (n_q.seg == '0) fresh_q <= 1'b1;  // another packet: what was read is not its own
    end else if (s_go) begin
      s_q.pa    <= s_q.pa + pa_t'(bytes);
      s_q.va    <= s_q.va + VaW'(bytes);
      s_q.left  <= s_q.left - 13'(bytes);
      s_q.place <= s_q.place + 12'(bytes);
    end
  end

  // ------------------------------------------------------------------------------------------------ W1: shift
  typedef struct packed {
    rxslot_t    slot;
    seg_t       seg;
    logic       last_line;
    pa_t        pa;
    hca_user_t  user;
    logic [5:0] shift;
    logic       from_cur;
  } w1_t;
  w1_t   w1_q;
  line_t cur, before_q, low;
  logic [63:0] strb;
  logic [1023:0] window;

  ram_1r1w #(.Width(512), .Depth(RX_SLOTS * 64)) u_payload (
    .clk_i, .we_i(pay_we_i), .waddr_i(pay_addr_i), .wdata_i(pay_data_i), .re_i(re), .raddr_i({s_q.slot, flit}), .rdata_o(cur)
  );

  assign wr_free = !wr_valid_o || wr_ready_i;
  assign w1_go   = w1_valid_q && wr_free;
  assign low     = w1_q.from_cur ? cur : before_q;
  assign window  = {cur, low} >> {w1_q.shift, 3'd0};
  assign strb    = ((64'd1 << w1_q.user.bytes) - 64'd1) << w1_q.pa[5:0];  // 64 bytes: all ones

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      w1_valid_q <= 1'b0;
      wr_valid_o <= 1'b0;
    end else if (!enable_i) begin
      w1_valid_q <= 1'b0;
      wr_valid_o <= 1'b0;
    end else begin
      if (s_go || w1_go) w1_valid_q <= s_go;
      if (wr_free) wr_valid_o <= w1_valid_q;
    end
  end
  logic w_last_q;  // wr_o is the last write of its piece
  always_ff @(posedge clk_i) begin
    if (re) before_q <= cur;
    if (s_go) begin
      w1_q <= '{slot: s_q.slot, seg: s_q.seg, last_line: s_end, pa: s_q.pa,
                user: '{mapped: 1'b1, need: s_q.need, qpn: s_q.qpn, key: s_q.key, va: s_q.va, bytes: bytes},
                shift: shift, from_cur: from_cur};
    end
    if (w1_go) begin
      wr_o        <= '{id: WID_RX, pa: w1_q.pa, lock: 1'b0, user: w1_q.user, data: window[511:0], strb: strb};
      w_last_q    <= w1_q.last_line;
      sent_slot_o <= w1_q.slot;
      sent_seg_o  <= w1_q.seg;
    end
  end
  assign sent_valid_o = wr_valid_o && wr_ready_i && w_last_q;

  // ------------------------------------------------------------------------------------------------ answers
  // Pieces on their way, oldest first; each slot has at most one of each number, so there is always room.
  typedef struct packed {
    rxslot_t          slot;
    seg_t             seg;
    logic             last;
    logic [LineW-1:0] lines;
  } sent_t;
  sent_t             sent_mem [1 << PieceW];
  logic [PieceW:0]   sent_rd_q, sent_wr_q;
  logic [LineW-1:0]  answered_q;
  logic              answer, failed_q;
  sent_t             oldest;
  assign oldest        = sent_mem[sent_rd_q[PieceW-1:0]];
  assign answer        = wr_rsp_valid_i && wr_rsp_i.id == WID_RX && enable_i;
  assign done_valid_o  = answer && answered_q + 1'b1 == oldest.lines;
  assign done_slot_o   = oldest.slot;
  assign done_seg_o    = oldest.seg;
  assign done_last_o   = oldest.last;
  assign done_failed_o = failed_q || wr_rsp_i.resp[1];

  always_ff @(posedge clk_i) begin
    if (n_pop) begin
      sent_mem[sent_wr_q[PieceW-1:0]] <= '{slot: n_q.slot, seg: n_q.seg, last: n_q.last,
                                           lines: LineW'((14'(n_q.pa[5:0]) + 14'(n_q.left) + 14'd63) >> 6)};
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sent_rd_q  <= '0;
      sent_wr_q  <= '0;
      answered_q <= '0;
      failed_q   <= 1'b0;
    end else if (!enable_i) begin
      sent_rd_q  <= '0;
      sent_wr_q  <= '0;
      answered_q <= '0;
      failed_q   <= 1'b0;
    end else begin
      if (n_pop) sent_wr_q <= sent_wr_q + 1'b1;
      if (done_valid_o) sent_rd_q <= sent_rd_q + 1'b1;
      if (answer) begin
        answered_q <= done_valid_o ? '0 : answered_q + 1'b1;
        failed_q   <= done_failed_o && !(done_valid_o && done_last_o);
      end
    end
  end

  logic unused;
  assign unused = ^{seg_i, s_q, last_byte, window};
  assign work_o = waiting || n_valid_q || s_valid_q || w1_valid_q || wr_valid_o;

endmodule
