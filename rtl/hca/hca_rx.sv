// The receive engine: packets from the link into slots, their addresses looked up ahead, shown to the queue pairs, carried out.
//
//   link ─▶ in ─▶ slots ─▶ prep ─▶ look-ups ─▶ show ─▶ verdict ─┬▶ write ─▶ memory ─▶ land
//            └▶ payload memory ──────────────────────────────────┘└▶ atomic ─┘
//
// Promises: packets of one queue pair are shown, carried out and landed in the order they came; those of different ones pass each other.
//   From its showing until its payload is in memory every translation a packet uses is in flight, so a fence waits for it.
// Needs: see the parts. Verdicts only for packets shown; TAKE only for packets whose result is OK.
// Costs: last flit to showing eight cycles and the look-up; verdict to first write five.

module hca_rx
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  mutant_i,
  input  logic        enable_i,
  // Link.
  input  logic        flit_valid_i,
  output logic        flit_ready_o,
  input  flit_t       flit_i,
  // Queue pairs' contexts and doorbells.
  input  logic        cfg_valid_i,
  input  qpn_t        cfg_qpn_i,
  input  qp_cfg_t     cfg_i,
  input  logic        cfg_load_rq_i,
  input  doorbell_t   doorbell_i,
  // Memory.
  output logic        rd_valid_o,
  input  logic        rd_ready_i,
  output rd_req_t     rd_o,
  input  logic        rd_rsp_valid_i,
  input  rd_rsp_t     rd_rsp_i,
  output logic        wr_valid_o,
  input  logic        wr_ready_i,
  output wr_req_t     wr_o,
  input  logic        wr_rsp_valid_i,
  input  wr_rsp_t     wr_rsp_i,
  // Translation.
  output logic        req_valid_o,
  input  logic        req_ready_i,
  output xlt_req_t    req_o,
  input  logic        rsp_valid_i,
  input  xlt_rsp_t    rsp_i,
  input  logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] live_i,
  output logic        start_valid_o,
  output use_t        start_o,
  output logic        done_valid_o,
  output use_t        done_o,
  output logic        drop_valid_o,
  output logic [UseSlotW-1:0] drop_slot_o,
  // Queue pairs.
  output logic        pkt_valid_o,
  input  logic        pkt_ready_i,
  output rx_pkt_t     pkt_o,
  input  logic        verdict_valid_i,
  input  rx_verdict_t verdict_i,
  output logic        land_valid_o,
  input  logic        land_ready_i,
  output rx_land_t    land_o,
  input  logic        resume_valid_i,
  input  resume_t     resume_i,
  input  logic        flush_valid_i,
  input  qpn_t        flush_qpn_i,
  input  qpn_t        busy_qpn_i,
  output logic        busy_o,  // combinational: a packet of that queue pair is in hand, or its landing not yet told
  // What is seen from outside.
  output logic [31:0] count_o,
  output logic [12:0] rx_bytes_o,
  output logic        quiescent_o,
  output logic [63:0] deadline_o,
  output logic        obs_taken_valid_o,
  output hca_packet_t obs_taken_o,
  output logic        obs_land_valid_o,
  output hca_packet_t obs_land_o
);

  // ------------------------------------------------------------------------------------------------ arrival
  logic        free_valid, alloc, judged, good, pay_we, bad_crc, bad_packet, in_work;
  rxslot_t     free_slot, judged_slot;
  hca_packet_t judged_head;
  logic [RxSlotW+6-1:0] pay_addr;
  line_t       pay_data;
  hca_packet_t head_mem [RX_SLOTS];

  hca_rx_in u_in (
    .clk_i, .rst_ni, .enable_i, .flit_valid_i, .flit_ready_o, .flit_i, .free_valid_i(free_valid), .free_slot_i(free_slot),
    .alloc_o(alloc), .judged_o(judged), .judged_slot_o(judged_slot), .good_o(good), .head_o(judged_head), .pay_we_o(pay_we),
    .pay_addr_o(pay_addr), .pay_data_o(pay_data), .bad_crc_o(bad_crc), .bad_packet_o(bad_packet), .work_o(in_work)
  );
  always_ff @(posedge clk_i) begin
    if (judged) head_mem[judged_slot] <= judged_head;
  end

  // ------------------------------------------------------------------------------------------------ preparation
  logic      prep_valid, prep_ready, prep_fetched, plain_valid, fetch_valid, fetched_valid, seg_valid, seg_last, prep_work, fetch_rd_valid;
  logic      fetch_rd_ready;
  rxslot_t   prep_slot, plain_slot, fetch_slot, fetched_slot, seg_slot;
  seg_t      seg_index;
  rx_seg_t   seg;
  rx_flags_t plain_flags;
  rd_req_t   fetch_rd;

  hca_rx_prep u_prep (
    .clk_i, .rst_ni, .enable_i, .cfg_valid_i, .cfg_qpn_i, .cfg_i, .cfg_load_rq_i, .rq_valid_i(doorbell_i.rq_valid),
    .rq_qpn_i(doorbell_i.qpn), .rq_index_i(doorbell_i.index), .pick_valid_i(prep_valid), .pick_ready_o(prep_ready),
    .pick_slot_i(prep_slot), .pick_fetched_i(prep_fetched), .pick_head_i(head_mem[prep_slot]), .plain_valid_o(plain_valid),
    .plain_slot_o(plain_slot), .plain_flags_o(plain_flags), .fetch_valid_o(fetch_valid), .fetch_slot_o(fetch_slot),
    .seg_valid_o(seg_valid), .seg_slot_o(seg_slot), .seg_index_o(seg_index), .seg_o(seg), .seg_last_o(seg_last),
    .rd_valid_o(fetch_rd_valid), .rd_ready_i(fetch_rd_ready), .rd_o(fetch_rd), .rd_rsp_valid_i, .rd_rsp_i,
    .fetched_valid_o(fetched_valid), .fetched_slot_o(fetched_slot), .req_valid_o, .req_ready_i, .req_o, .work_o(prep_work)
  );

  // ------------------------------------------------------------------------------------------------ slots
  logic    show_valid, show_ready, abort_valid, take_valid, atomic_valid, atomic_ready, sent_valid, written_valid, written_last;
  logic    written_failed, atomic_done, atomic_failed, may_land, land_failed, land_free, slots_work, slots_busy, rx_rsp_valid;
  rxslot_t show_slot, abort_slot, atomic_slot, sent_slot, written_slot, atomic_done_slot, land_slot;
  seg_t    sent_seg, written_seg;
  logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] segs, bad;
  assign rx_rsp_valid = rsp_valid_i && rsp_i.id.user == USER_RX;

  hca_rx_slots u_slots (
    .clk_i, .rst_ni, .mutant_i, .enable_i, .free_valid_o(free_valid), .free_slot_o(free_slot), .alloc_i(alloc), .judged_i(judged),
    .good_i(good), .judged_slot_i(judged_slot), .judged_qpn_i(judged_head.dest_qpn[QPN_WIDTH-1:0]),
    .judged_atomic_i(pkt_op_e'(judged_head.opcode) inside {PKT_OP_CMP_SWAP, PKT_OP_FETCH_ADD}), .prep_valid_o(prep_valid),
    .prep_slot_o(prep_slot), .prep_fetched_o(prep_fetched), .prep_ready_i(prep_ready), .plain_valid_i(plain_valid),
    .plain_slot_i(plain_slot), .plain_no_wqe_i(plain_flags.no_wqe), .fetch_valid_i(fetch_valid), .fetch_slot_i(fetch_slot),
    .fetched_valid_i(fetched_valid), .fetched_slot_i(fetched_slot), .seg_valid_i(seg_valid), .seg_slot_i(seg_slot),
    .seg_index_i(seg_index), .seg_last_i(seg_last), .rsp_valid_i(rx_rsp_valid), .rsp_i, .show_valid_o(show_valid),
    .show_slot_o(show_slot), .show_ready_i(show_ready), .start_valid_i(start_valid_o), .start_i(start_o), .abort_valid_i(abort_valid),
    .abort_slot_i(abort_slot), .segs_o(segs), .bad_o(bad), .verdict_valid_i, .verdict_i, .resume_valid_i, .resume_i, .flush_valid_i,
    .flush_qpn_i, .posted_valid_i(doorbell_i.rq_valid), .posted_qpn_i(doorbell_i.qpn), .take_valid_o(take_valid),
    .atomic_valid_o(atomic_valid), .atomic_slot_o(atomic_slot), .atomic_ready_i(atomic_ready), .sent_valid_i(sent_valid),
    .sent_slot_i(sent_slot), .sent_seg_i(sent_seg), .written_valid_i(written_valid), .written_slot_i(written_slot),
    .written_seg_i(written_seg), .written_last_i(written_last), .written_failed_i(written_failed), .atomic_done_i(atomic_done),
    .atomic_done_slot_i(atomic_done_slot), .atomic_failed_i(atomic_failed), .land_valid_o(may_land), .land_slot_o(land_slot),
    .land_failed_o(land_failed), .land_ready_i(land_free), .done_valid_o, .done_o, .drop_valid_o, .drop_slot_o, .busy_qpn_i,
    .busy_o(slots_busy), .work_o(slots_work)
  );

  // ------------------------------------------------------------------------------------------------ what is known of each slot's pieces
  rx_flags_t   flags_mem [RX_SLOTS];
  rx_seg_t     piece_mem [RX_SLOTS * MAX_SEGMENTS];
  xlt_result_e result_mem [RX_SLOTS * MAX_SEGMENTS];
  pa_t         pa_mem [RX_SLOTS * MAX_SEGMENTS];
  always_ff @(posedge clk_i) begin
    if (seg_valid) piece_mem[{seg_slot, seg_index}] <= seg;
    if (rx_rsp_valid) begin
      result_mem[{rsp_i.id.slot[RxSlotW-1:0], rsp_i.id.seg}] <= rsp_i.result;
      pa_mem[{rsp_i.id.slot[RxSlotW-1:0], rsp_i.id.seg}]     <= rsp_i.pa;
    end
    if (plain_valid) flags_mem[plain_slot] <= plain_flags;
  end

  // ------------------------------------------------------------------------------------------------ show
  rx_pkt_t   next;
  seg_t      first_bad;
  rx_seg_t   next_piece;
  rx_flags_t next_flags;
  logic      show_work;
  always_comb begin
    first_bad = '0;
    for (int unsigned i = MAX_SEGMENTS; i > 0; i--) begin
      if (bad[show_slot][i-1]) first_bad = seg_t'(i - 1);
    end
  end
  assign next_piece = piece_mem[{show_slot, first_bad}];
  assign next_flags = segs[show_slot] == '0 ? flags_mem[show_slot] : '0;
  always_comb begin
    next = '{slot: show_slot, head: head_mem[show_slot], no_wqe: next_flags.no_wqe, too_long: next_flags.too_long,
             bad_sge: next_flags.bad_sge, result: XLT_RESULT_OK, key: next_piece.key, va: next_piece.va, seg_offset: next_piece.offset,
             seg_rest: next_piece.rest};
    if (bad[show_slot] != '0) next.result = result_mem[{show_slot, first_bad}];
    else if (next_flags.bad_table) next.result = XLT_RESULT_BAD_TABLE;
    if (segs[show_slot] == '0) begin
      next.key        = '0;
      next.va         = '0;
      next.seg_offset = '0;
      next.seg_rest   = '0;
    end
  end

  hca_rx_show u_show (
    .clk_i, .rst_ni, .enable_i, .next_valid_i(show_valid), .next_ready_o(show_ready), .next_i(next),
    .next_segs_i(bad[show_slot] == '0 ? segs[show_slot] : '0), .live_i, .start_valid_o, .start_o, .abort_valid_o(abort_valid),
    .abort_slot_o(abort_slot), .pkt_valid_o, .pkt_ready_i, .pkt_o, .work_o(show_work)
  );

  // ------------------------------------------------------------------------------------------------ carry out
  rxslot_t     write_slot;
  seg_t        write_seg;
  hca_packet_t write_head;
  logic [MAX_SEGMENTS-1:0] write_segs;
  logic        write_last, write_valid, write_ready, write_work;
  wr_req_t     write;
  assign write_head = head_mem[write_slot];
  assign write_segs = segs[write_slot];
  assign write_last = (write_segs >> write_seg) == MAX_SEGMENTS'(1);  // pieces are numbered without gaps

  hca_rx_write u_write (
    .clk_i, .rst_ni, .enable_i, .pay_we_i(pay_we), .pay_addr_i(pay_addr), .pay_data_i(pay_data), .take_valid_i(take_valid),
    .take_slot_i(verdict_i.slot), .seg_slot_o(write_slot), .seg_index_o(write_seg), .seg_i(piece_mem[{write_slot, write_seg}]),
    .seg_pa_i(pa_mem[{write_slot, write_seg}]), .seg_last_i(write_last), .qpn_i(write_head.dest_qpn[QPN_WIDTH-1:0]),
    .need_i(rx_need(pkt_op_e'(write_head.opcode))), .wr_valid_o(write_valid), .wr_ready_i(write_ready), .wr_o(write), .wr_rsp_valid_i,
    .wr_rsp_i, .sent_valid_o(sent_valid), .sent_slot_o(sent_slot), .sent_seg_o(sent_seg), .done_valid_o(written_valid),
    .done_slot_o(written_slot), .done_seg_o(written_seg), .done_last_o(written_last), .done_failed_o(written_failed), .work_o(write_work)
  );

  logic        swap_rd_valid, swap_rd_ready, swap_wr_valid, swap_wr_ready, atomic_work;
  rd_req_t     swap_rd;
  wr_req_t     swap_wr;
  logic [63:0] old_value;
  hca_atomic u_atomic (
    .clk_i, .rst_ni, .enable_i, .valid_i(atomic_valid), .ready_o(atomic_ready), .slot_i(atomic_slot), .head_i(head_mem[atomic_slot]),
    .pa_i(pa_mem[{atomic_slot, seg_t'(0)}]), .rd_valid_o(swap_rd_valid), .rd_ready_i(swap_rd_ready), .rd_o(swap_rd), .rd_rsp_valid_i,
    .rd_rsp_i, .wr_valid_o(swap_wr_valid), .wr_ready_i(swap_wr_ready), .wr_o(swap_wr), .wr_rsp_valid_i, .wr_rsp_i,
    .done_valid_o(atomic_done), .done_slot_o(atomic_done_slot), .done_failed_o(atomic_failed), .old_value_o(old_value),
    .work_o(atomic_work)
  );

  // Both kinds of access share a port. Atomics are few: they go first. Whoever is offered stays until it is taken.
  logic rd_fetch_q, wr_write_q;  // the offer that waits is the other's
  assign rd_valid_o     = fetch_rd_valid || swap_rd_valid;
  assign rd_o           = swap_rd_valid && !rd_fetch_q ? swap_rd : fetch_rd;
  assign swap_rd_ready  = swap_rd_valid && !rd_fetch_q && rd_ready_i;
  assign fetch_rd_ready = (!swap_rd_valid || rd_fetch_q) && rd_ready_i;
  assign wr_valid_o     = write_valid || swap_wr_valid;
  assign wr_o           = swap_wr_valid && !wr_write_q ? swap_wr : write;
  assign swap_wr_ready  = swap_wr_valid && !wr_write_q && wr_ready_i;
  assign write_ready    = (!swap_wr_valid || wr_write_q) && wr_ready_i;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rd_fetch_q <= 1'b0;
      wr_write_q <= 1'b0;
    end else begin
      rd_fetch_q <= enable_i && fetch_rd_valid && (!swap_rd_valid || rd_fetch_q) && !rd_ready_i;
      wr_write_q <= enable_i && write_valid && (!swap_wr_valid || wr_write_q) && !wr_ready_i;
    end
  end

  // ------------------------------------------------------------------------------------------------ land
  logic [63:0] old_mem [RX_SLOTS];
  hca_packet_t land_head;
  assign land_free = !land_valid_o || land_ready_i;
  assign land_head = head_mem[land_slot];
  assign busy_o    = slots_busy || (land_valid_o && land_o.qpn == busy_qpn_i);
  always_ff @(posedge clk_i) begin
    if (atomic_done) old_mem[atomic_done_slot] <= old_value;
    if (land_free) begin
      land_o <= '{qpn: land_head.dest_qpn[QPN_WIDTH-1:0], head: land_head, failed: land_failed, old_value: old_mem[land_slot],
                  wqe_index: pkt_op_e'(land_head.opcode) == PKT_OP_SEND ? land_head.ssn : land_head.msn[INDEX_WIDTH-1:0]};
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) land_valid_o <= 1'b0;
    else if (!enable_i) land_valid_o <= 1'b0;
    else if (land_free) land_valid_o <= may_land;
  end

  // ------------------------------------------------------------------------------------------------ seen from outside
  always_comb begin
    count_o                   = '0;
    count_o[COUNT_RX_PACKETS] = good;
    count_o[COUNT_BAD_CRC]    = bad_crc;
    count_o[COUNT_BAD_PACKET] = bad_packet;
  end
  assign rx_bytes_o        = good ? judged_head.length : '0;
  assign obs_taken_valid_o = good;
  assign obs_taken_o       = judged_head;
  assign obs_land_valid_o  = land_valid_o && land_ready_i;
  assign obs_land_o        = land_o.head;
  assign deadline_o        = '1;
  assign quiescent_o       = !(in_work || prep_work || slots_work || show_work || write_work || atomic_work || land_valid_o);

  logic unused;
  assign unused = ^{doorbell_i, next_piece, write_head};

endmodule
