// Starts packets: all pieces of one become accesses in flight, or none.
//
//   pick the oldest that may ─▶ start a piece a cycle, each into the ring ─▶ commit: the ring's end moves, the packet is on its way
//                                  └─ a translation was taken away: give the started ones back, look them up again
//
// Promises: a packet whose last translation falls while its first are started holds none of them, so no fence waits for a packet that waits
//   for a fault. A packet starts only when there is room for all its lines, so what has started ends whatever the link does.
// Costs: a cycle and one for each piece.

module hca_tx_start
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_tx_pkg::*;
#(
  parameter int unsigned Depth = 512  // lines the data queue holds
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       enable_i,
  input  logic       start_valid_i,
  input  txslot_t    start_slot_i,
  output logic       work_valid_o,
  output txslot_t    work_slot_o,
  input  logic       work_wait_i,
  input  segs_t      work_pieces_i,
  input  segs_t      work_ok_i,
  input  tx_req_t    work_req_i,
  input  pa_t [MAX_SEGMENTS-1:0] work_pa_i,
  output logic       commit_o,       // combinational, with piece_valid_o of the last piece
  output segs_t      undo_o,
  output segs_t      redo_o,         // with the handshake of done_o
  // translation
  output logic       start_valid_o,  // combinational: a live use
  output use_t       start_o,
  output logic       done_valid_o,   // a start is taken back
  input  logic       done_ready_i,
  output use_t       done_o,
  // ring of pieces
  output logic       piece_valid_o,
  output tx_piece_t  piece_o,
  output logic       piece_undo_o,   // forget those not committed
  // room in the data queue
  input  logic       pop_i,
  output logic       quiescent_o
);

  localparam int unsigned RoomW = $clog2(Depth + 1);

  typedef enum logic [1:0] { IDLE, RUN, UNDO } state_e;
  state_e state_q;
  segs_t  started_q, left;
  lines_t lines_q, lines;
  logic [RoomW-1:0] room_q;
  seg_t   seg, back;
  piece_t piece;
  logic   enough, lost, go, last;

  assign work_valid_o = state_q != IDLE;
  assign left  = work_pieces_i & ~started_q;
  assign seg   = lowest_seg(left);
  assign back  = lowest_seg(started_q);
  assign lost  = !work_wait_i || (left & ~work_ok_i) != '0;
  assign go    = state_q == RUN && !lost;
  assign last  = (left & (left - 1'b1)) == '0;
  assign piece = piece_of(work_req_i.elem[seg[SegW-1]], seg[0]);
  assign lines = lines_q + (left == '0 ? lines_t'(0) : lines_of(piece.va[5:0], piece.len));
  assign enough = room_q >= RoomW'(MaxLines);

  assign start_valid_o = go && left != '0;
  assign start_o       = '{user: USER_TX, slot: UseSlotW'(work_slot_o), seg: seg};
  assign piece_valid_o = start_valid_o;
  assign piece_o = '{slot: work_slot_o, seg: seg, last: last, pa: work_pa_i[seg], va: piece.va, len: piece.len, need: work_req_i.need,
                     qpn: work_req_i.qpn, key: work_req_i.elem[seg[SegW-1]].key[8+:KEY_IDX_WIDTH]};
  assign commit_o      = go && last;

  assign piece_undo_o  = state_q == RUN && lost;
  assign undo_o        = piece_undo_o ? started_q : '0;
  assign done_valid_o  = state_q == UNDO && started_q != '0;
  assign redo_o        = done_valid_o && done_ready_i ? started_q & (~started_q + 1'b1) : '0;
  assign done_o        = '{user: USER_TX, slot: UseSlotW'(work_slot_o), seg: back};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= IDLE;
      started_q <= '0;
      room_q    <= RoomW'(Depth);
    end else if (!enable_i) begin
      state_q   <= IDLE;
      started_q <= '0;
      room_q    <= RoomW'(Depth);
    end else begin
      unique case (state_q)
        IDLE: if (start_valid_i && enough) state_q <= RUN;
        RUN: begin
          if (start_valid_o) started_q[seg] <= 1'b1;
          if (commit_o) begin
            state_q   <= IDLE;
            started_q <= '0;
          end else if (lost) begin
            state_q <= UNDO;
          end
        end
        default: begin
          if (started_q == '0) state_q <= IDLE;
          else if (done_ready_i) started_q[back] <= 1'b0;
        end
      endcase
      room_q <= room_q + RoomW'(pop_i) - (commit_o ? RoomW'(lines) : '0);
    end
  end
  always_ff @(posedge clk_i) begin
    if (state_q == IDLE) begin
      work_slot_o <= start_slot_i;
      lines_q     <= '0;
    end else if (start_valid_o) begin
      lines_q <= lines;
    end
  end

  assign quiescent_o = state_q == IDLE && !(start_valid_i && enough);

  logic unused;
  assign unused = ^{work_req_i, piece.skip};

endmodule
