// The transmit side: packets of hca_qp become flits on the link.
//
//   packet ─▶ hca_tx_slots: slots, look-ups ahead ─▶ hca_tx_start: all pieces or none ─▶ hca_tx_read: a line a cycle ─▶ hca_tx_pack: flits, CRC
//
// Promises: packets of one queue pair and side leave in order, others pass one that misses. Of a packet that fails nothing is sent, unless
//   memory itself fails: then it goes out with a wrong CRC. A start is an access in flight until its last line has arrived, and ends
//   whatever the link does.
// Needs: see the parts.
// Costs: one flit a cycle for large packets; a packet of one line every other cycle, with room for TX_SLOTS in the time from look-up to link.

module hca_tx
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_tx_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  input  logic        tx_valid_i,
  output logic        tx_ready_o,
  input  tx_pkt_t     tx_i,
  output logic        fail_valid_o,   // a flush takes it back
  input  logic        fail_ready_i,
  output tx_fail_t    fail_o,
  input  logic        tx_flush_valid_i,
  input  qpn_t        tx_flush_qpn_i,
  input  qpn_t        busy_qpn_i,
  output logic        busy_o,         // combinational: a packet of that queue pair is in hand
  output logic        req_valid_o,
  input  logic        req_ready_i,
  output xlt_req_t    req_o,
  input  logic        rsp_valid_i,
  input  xlt_rsp_t    rsp_i,
  input  logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] live_i,
  output logic        start_valid_o,  // combinational from live_i
  output use_t        start_o,
  output logic        done_valid_o,
  output use_t        done_o,
  output logic        drop_valid_o,
  output logic [UseSlotW-1:0]  drop_slot_o,
  output logic        rd_valid_o,
  input  logic        rd_ready_i,
  output rd_req_t     rd_o,
  input  logic        rd_rsp_valid_i,
  input  rd_rsp_t     rd_rsp_i,
  output logic        flit_valid_o,
  input  logic        flit_ready_i,
  output flit_t       flit_o,
  output logic [31:0] count_o,
  output logic [12:0] tx_bytes_o,
  output logic        sent_valid_o,   // a header leaves
  output hca_packet_t sent_o,
  output logic        quiescent_o
);

  localparam int unsigned Depth = 512;

  logic      start_valid, work_valid, work_wait, commit, undo_valid, undo_ready, piece_valid, piece_undo;
  txslot_t   start_slot, work_slot, head_slot, bad_slot;
  segs_t     work_pieces, work_ok, undo, redo;
  tx_req_t   work_req;
  pa_t [MAX_SEGMENTS-1:0] work_pa;
  use_t      undo_use, read_use;
  tx_piece_t piece, line_piece;
  logic      read_done, bad_valid, line_valid, line_ready, line_bad, line_last, finish, sent;
  seg_t      bad_seg;
  line_t     line;
  hca_packet_t head;
  logic [12:0] sent_bytes;
  logic [3:0]  quiet;

  hca_tx_slots u_slots (
    .clk_i, .rst_ni, .enable_i, .tx_valid_i, .tx_ready_o, .tx_i, .tx_flush_valid_i, .tx_flush_qpn_i,
    .fail_valid_o, .fail_ready_i, .fail_o, .req_valid_o, .req_ready_i, .req_o, .rsp_valid_i, .rsp_i, .live_i,
    .drop_valid_o, .drop_slot_o,
    .start_valid_o(start_valid), .start_slot_o(start_slot),
    .work_valid_i(work_valid), .work_slot_i(work_slot), .work_wait_o(work_wait), .work_pieces_o(work_pieces), .work_ok_o(work_ok),
    .work_req_o(work_req), .work_pa_o(work_pa), .commit_i(commit), .undo_i(undo), .redo_i(redo),
    .bad_valid_i(bad_valid), .bad_slot_i(bad_slot), .bad_seg_i(bad_seg),
    .head_slot_i(head_slot), .head_o(head), .finish_i(finish),
    .busy_qpn_i, .busy_o, .quiescent_o(quiet[0])
  );

  hca_tx_start #(
    .Depth(Depth)
  ) u_start (
    .clk_i, .rst_ni, .enable_i,
    .start_valid_i(start_valid), .start_slot_i(start_slot), .work_valid_o(work_valid), .work_slot_o(work_slot),
    .work_wait_i(work_wait), .work_pieces_i(work_pieces), .work_ok_i(work_ok), .work_req_i(work_req), .work_pa_i(work_pa),
    .commit_o(commit), .undo_o(undo), .redo_o(redo), .start_valid_o, .start_o,
    .done_valid_o(undo_valid), .done_ready_i(undo_ready), .done_o(undo_use),
    .piece_valid_o(piece_valid), .piece_o(piece), .piece_undo_o(piece_undo), .pop_i(line_valid && line_ready),
    .quiescent_o(quiet[1])
  );

  hca_tx_read #(
    .Depth(Depth)
  ) u_read (
    .clk_i, .rst_ni, .enable_i,
    .piece_valid_i(piece_valid), .piece_i(piece), .piece_undo_i(piece_undo), .commit_i(commit),
    .rd_valid_o, .rd_ready_i, .rd_o, .rd_rsp_valid_i, .rd_rsp_i, .done_valid_o(read_done), .done_o(read_use),
    .bad_valid_o(bad_valid), .bad_slot_o(bad_slot), .bad_seg_o(bad_seg),
    .line_valid_o(line_valid), .line_ready_i(line_ready), .line_o(line), .line_bad_o(line_bad), .line_piece_o(line_piece),
    .line_last_i(line_last),
    .quiescent_o(quiet[2])
  );

  hca_tx_pack u_pack (
    .clk_i, .rst_ni, .enable_i,
    .commit_i(commit), .commit_slot_i(work_slot), .head_slot_o(head_slot), .head_i(head), .finish_o(finish),
    .line_valid_i(line_valid), .line_ready_o(line_ready), .line_i(line), .line_bad_i(line_bad), .line_piece_i(line_piece),
    .line_last_o(line_last),
    .flit_valid_o, .flit_ready_i, .flit_o, .sent_o(sent), .sent_bytes_o(sent_bytes),
    .quiescent_o(quiet[3])
  );

  // Accesses that are over go first: they cannot wait.
  assign done_valid_o = read_done || undo_valid;
  assign done_o       = read_done ? read_use : undo_use;
  assign undo_ready   = !read_done;

  always_comb begin
    count_o = '0;
    count_o[COUNT_TX_PACKETS] = sent;
  end
  assign tx_bytes_o   = sent ? sent_bytes : '0;
  assign sent_valid_o = flit_valid_o && flit_ready_i && flit_o.sop;
  assign sent_o       = flit_o.data;
  assign quiescent_o  = &quiet;

endmodule
