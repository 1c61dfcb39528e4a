// The packets in hand: their addresses are looked up ahead, who may start, who has failed, who is dropped.
//
//   FREE ─▶ WAIT ──commit──▶ FLY ──finish──▶ FREE        FLY ──its memory failed──▶ FAIL ──told──▶ FREE
//            └──bad answer, told, or dropped──▶ DEAD ──answers in, uses given back──▶ FREE
//
// Promises: of one queue pair and side a packet starts, or fails, only after all older ones; others pass it. start_valid_o names the
//   oldest packet whose pieces are all translated and still live; one whose translation was taken away is looked up again. With the
//   fail handshake the packet and all younger ones of its side that have not started are dropped, with tx_flush_i those of both sides; one
//   accepted in that very cycle too. A flush takes a failure that waits back.
// Needs: rsp_i answers every look-up. commit_i and finish_i are for the packet start_slot_o named.
// Costs: an order matrix of TX_SLOTS squared bits; one look-up a cycle, two cycles from a packet's acceptance to its first.

module hca_tx_slots
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_tx_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  // packets in
  input  logic        tx_valid_i,
  output logic        tx_ready_o,
  input  tx_pkt_t     tx_i,
  input  logic        tx_flush_valid_i,
  input  qpn_t        tx_flush_qpn_i,
  output logic        fail_valid_o,
  input  logic        fail_ready_i,
  output tx_fail_t    fail_o,
  // look-ups
  output logic        req_valid_o,
  input  logic        req_ready_i,
  output xlt_req_t    req_o,
  input  logic        rsp_valid_i,
  input  xlt_rsp_t    rsp_i,
  input  logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] live_i,
  output logic        drop_valid_o,
  output logic [UseSlotW-1:0]  drop_slot_o,
  // hca_tx_start: combinational views of slot work_slot_i
  output logic        start_valid_o,
  output txslot_t     start_slot_o,
  input  logic        work_valid_i,   // it is at work on work_slot_i
  input  txslot_t     work_slot_i,
  output logic        work_wait_o,    // not dropped
  output segs_t       work_pieces_o,
  output segs_t       work_ok_o,      // translated and live
  output tx_req_t     work_req_o,
  output pa_t [MAX_SEGMENTS-1:0] work_pa_o,
  input  logic        commit_i,
  input  segs_t       undo_i,         // pieces of work_slot_i whose start is taken back: not translated any more
  input  segs_t       redo_i,         // of them, those no longer in flight: look them up again
  // memory answered a piece with an error
  input  logic        bad_valid_i,
  input  txslot_t     bad_slot_i,
  input  seg_t        bad_seg_i,
  // hca_tx_pack
  input  txslot_t     head_slot_i,
  output hca_packet_t head_o,         // combinational
  input  logic        finish_i,       // head_slot_i's packet is packed
  // What hca_qp asks before it answers for a queue pair.
  input  qpn_t        busy_qpn_i,
  output logic        busy_o,         // combinational: a packet of it is in hand
  output logic        quiescent_o
);

  typedef enum logic [2:0] { FREE, WAIT, FLY, FAIL, DEAD } state_e;
  typedef struct packed {
    qpn_t       qpn;
    fault_dir_e side;
  } owner_t;

  state_e [TX_SLOTS-1:0] state_q;
  owner_t [TX_SLOTS-1:0] owner_q;
  segs_t  [TX_SLOTS-1:0] pieces_q, look_q, asked_q, ok_q, bad_q;
  xlt_result_e [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] result_q;
  txslots_t [TX_SLOTS-1:0] older_q;   // slots in use that were accepted before this one
  txslots_t [TX_SLOTS-1:0] behind_q;  // of them, those of the same queue pair and side

  hca_packet_t head_mem [TX_SLOTS];
  tx_req_t     req_mem [TX_SLOTS];
  pa_t [MAX_SEGMENTS-1:0] pa_mem [TX_SLOTS];

  // ------------------------------------------------------------------------------------------------ what each slot may do
  txslots_t free, waiting, failing, first, busy;
  txslots_t can_look, can_start, can_fail, can_drop, lost;
  always_comb begin
    for (int unsigned s = 0; s < TX_SLOTS; s++) begin
      free[s]    = state_q[s] == FREE;
      waiting[s] = state_q[s] == WAIT;
      failing[s] = state_q[s] == FAIL;
    end
    busy = ~free;
    for (int unsigned s = 0; s < TX_SLOTS; s++) begin
      first[s]     = (behind_q[s] & (waiting | failing)) == '0;
      lost[s]      = waiting[s] && (ok_q[s] & ~live_i[s]) != '0;
      can_look[s]  = waiting[s] && look_q[s] != '0;
      can_start[s] = waiting[s] && first[s] && bad_q[s] == '0 && (ok_q[s] & live_i[s]) == pieces_q[s];
      can_fail[s]  = first[s] && (failing[s] || (waiting[s] && bad_q[s] != '0 && (look_q[s] | asked_q[s]) == '0))
                  && !(work_valid_i && work_slot_i == txslot_t'(s));
      can_drop[s]  = state_q[s] == DEAD && asked_q[s] == '0 && !(work_valid_i && work_slot_i == txslot_t'(s));
    end
  end

  // The oldest of those who can.
  function automatic txslot_t oldest(txslots_t who, txslots_t [TX_SLOTS-1:0] older);
    automatic txslots_t top;
    for (int unsigned s = 0; s < TX_SLOTS; s++) top[s] = who[s] && (who & older[s]) == '0;
    return lowest_slot(top);
  endfunction

  // ------------------------------------------------------------------------------------------------ in
  logic        accept, keep, fail_go;
  txslot_t     slot;
  tx_req_t     req;
  owner_t      owner, fail_owner_q;
  txslots_t    same, gone, dropped;
  txslots_t    mute_q;  // FLY, and its side has been told already: should memory fail, nobody hears of it
  // A slot is little for a packet of a line, and much of the link's time for a large one. What waits here waits before whatever
  // comes next, so of large ones only as many are taken as keep the link busy.
  txslots_t    large_q;
  logic        crowded;
  assign crowded    = 32'($countones(large_q & busy)) >= TX_LARGE;
  assign tx_ready_o = enable_i && free != '0 && !crowded;
  assign accept     = tx_valid_i && tx_ready_o;
  assign slot       = lowest_slot(free);
  assign req        = request_of(tx_i);
  assign owner      = '{qpn: tx_i.qpn, side: tx_i.side};
  assign keep       = accept && !(tx_flush_valid_i && tx_flush_qpn_i == tx_i.qpn) && !(fail_go && fail_owner_q == owner);

  always_comb begin
    for (int unsigned s = 0; s < TX_SLOTS; s++) begin
      same[s]    = owner_q[s] == owner;
      gone[s]    = (tx_flush_valid_i && owner_q[s].qpn == tx_flush_qpn_i) || (fail_go && owner_q[s] == fail_owner_q);
      dropped[s] = gone[s] && waiting[s] && !(commit_i && work_slot_i == txslot_t'(s));
    end
  end

  always_ff @(posedge clk_i) begin
    if (keep) begin
      head_mem[slot] <= tx_i.head;
      req_mem[slot]  <= req;
      owner_q[slot]  <= owner;
      pieces_q[slot] <= pieces_of(req);
      older_q[slot]  <= busy;
      behind_q[slot] <= busy & same;
      large_q[slot]  <= 32'(tx_i.head.length) > TX_LARGE_BYTES;
      for (int unsigned s = 0; s < TX_SLOTS; s++) begin
        if (slot != txslot_t'(s)) begin
          older_q[s][slot]  <= 1'b0;
          behind_q[s][slot] <= 1'b0;
        end
      end
    end
  end

  // ------------------------------------------------------------------------------------------------ look-ups
  logic     look_go, req_free;
  txslot_t  look_slot;
  seg_t     look_seg;
  tx_req_t  look_req;
  elem_t    look_elem;
  piece_t   look_piece;
  assign req_free   = !req_valid_o || req_ready_i;
  assign look_go    = can_look != '0 && req_free;
  assign look_slot  = oldest(can_look, older_q);
  assign look_seg   = lowest_seg(look_q[look_slot]);
  assign look_req   = req_mem[look_slot];
  assign look_elem  = look_req.elem[look_seg[SegW-1]];
  assign look_piece = piece_of(look_elem, look_seg[0]);

  always_ff @(posedge clk_i) begin
    if (look_go) begin
      req_o <= '{id: '{user: USER_TX, slot: UseSlotW'(look_slot), seg: look_seg}, qpn: look_req.qpn, pd: look_req.pd, key: look_elem.key,
                 va: look_piece.va, len: look_piece.len, need: look_req.need};
    end
  end

  logic    answer;
  txslot_t rsp_slot;
  assign answer   = rsp_valid_i && rsp_i.id.user == USER_TX;
  assign rsp_slot = rsp_i.id.slot[TxSlotW-1:0];
  always_ff @(posedge clk_i) begin
    if (answer) begin
      result_q[rsp_slot][rsp_i.id.seg] <= rsp_i.result;
      pa_mem[rsp_slot][rsp_i.id.seg]   <= rsp_i.pa;
    end
    if (bad_valid_i) result_q[bad_slot_i][bad_seg_i] <= XLT_RESULT_BAD_TABLE;
  end

  // ------------------------------------------------------------------------------------------------ failures
  logic        fail_valid_q, fail_pick;
  txslot_t     fail_slot, fail_slot_q;
  seg_t        fail_seg;
  tx_req_t     fail_req;
  hca_packet_t fail_head;
  elem_t       fail_elem;
  piece_t      fail_piece;
  assign fail_valid_o = fail_valid_q && !(tx_flush_valid_i && fail_owner_q.qpn == tx_flush_qpn_i);
  assign fail_go      = fail_valid_o && fail_ready_i;
  assign fail_pick    = can_fail != '0 && !fail_valid_q;
  assign fail_slot    = oldest(can_fail, older_q);
  assign fail_seg     = lowest_seg(bad_q[fail_slot]);
  assign fail_req     = req_mem[fail_slot];
  assign fail_head    = head_mem[fail_slot];
  assign fail_elem    = fail_req.elem[fail_seg[SegW-1]];
  assign fail_piece   = piece_of(fail_elem, fail_seg[0]);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) fail_valid_q <= 1'b0;
    else if (!enable_i) fail_valid_q <= 1'b0;
    else if (fail_valid_q) fail_valid_q <= fail_valid_o && !fail_ready_i;
    else fail_valid_q <= fail_pick && !(tx_flush_valid_i && owner_q[fail_slot].qpn == tx_flush_qpn_i);
  end
  always_ff @(posedge clk_i) begin
    if (fail_pick) begin
      fail_slot_q  <= fail_slot;
      fail_owner_q <= owner_q[fail_slot];
      fail_o <= '{qpn: fail_req.qpn, side: fail_req.side, head: fail_head, wqe_index: fail_req.wqe_index,
                  result: result_q[fail_slot][fail_seg], key: fail_elem.key, va: fail_piece.va,
                  length: fail_elem.rest - 32'(fail_piece.skip),
                  packet_length: fail_head.length - fail_piece.skip - (fail_seg[SegW-1] ? fail_req.elem[0].len : 13'd0)};
    end
  end

  // ------------------------------------------------------------------------------------------------ state
  logic    drop_go;
  txslot_t drop_slot;
  assign drop_go   = can_drop != '0;
  assign drop_slot = lowest_slot(can_drop);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q      <= {TX_SLOTS{FREE}};
      {look_q, asked_q, ok_q, bad_q, mute_q} <= '0;
      req_valid_o  <= 1'b0;
      drop_valid_o <= 1'b0;
    end else if (!enable_i) begin
      state_q      <= {TX_SLOTS{FREE}};
      {look_q, asked_q, ok_q, bad_q, mute_q} <= '0;
      req_valid_o  <= 1'b0;
      drop_valid_o <= 1'b0;
    end else begin
      for (int unsigned s = 0; s < TX_SLOTS; s++) begin
        if (lost[s]) begin
          ok_q[s]   <= ok_q[s] & live_i[s];
          look_q[s] <= look_q[s] | (ok_q[s] & ~live_i[s]);
        end
        if (dropped[s]) state_q[s] <= DEAD;
        if (gone[s]) mute_q[s] <= 1'b1;
        if (tx_flush_valid_i && failing[s] && owner_q[s].qpn == tx_flush_qpn_i) state_q[s] <= FREE;
      end
      if (undo_i != '0) begin
        ok_q[work_slot_i] <= ok_q[work_slot_i] & live_i[work_slot_i] & ~undo_i;
      end
      for (int unsigned p = 0; p < MAX_SEGMENTS; p++) if (redo_i[p]) look_q[work_slot_i][p] <= 1'b1;
      if (fail_go && failing[fail_slot_q]) state_q[fail_slot_q] <= FREE;
      if (answer) begin
        asked_q[rsp_slot][rsp_i.id.seg] <= 1'b0;
        ok_q[rsp_slot][rsp_i.id.seg]    <= rsp_i.result == XLT_RESULT_OK;
        bad_q[rsp_slot][rsp_i.id.seg]   <= rsp_i.result != XLT_RESULT_OK;
      end
      if (req_free) req_valid_o <= look_go;
      if (look_go) begin
        look_q[look_slot][look_seg]  <= 1'b0;
        asked_q[look_slot][look_seg] <= 1'b1;
      end
      if (commit_i) state_q[work_slot_i] <= FLY;
      if (bad_valid_i) bad_q[bad_slot_i][bad_seg_i] <= 1'b1;
      if (finish_i) state_q[head_slot_i] <= bad_q[head_slot_i] != '0 && !(mute_q[head_slot_i] || gone[head_slot_i]) ? FAIL : FREE;
      drop_valid_o <= drop_go;
      if (drop_go) state_q[drop_slot] <= FREE;
      if (keep) begin
        state_q[slot] <= WAIT;
        look_q[slot]  <= pieces_of(req);
        asked_q[slot] <= '0;
        ok_q[slot]    <= '0;
        bad_q[slot]   <= '0;
        mute_q[slot]  <= 1'b0;
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (drop_go) drop_slot_o <= UseSlotW'(drop_slot);
  end

  // ------------------------------------------------------------------------------------------------ views
  assign start_valid_o = can_start != '0;
  assign start_slot_o  = oldest(can_start, older_q);
  assign work_wait_o   = waiting[work_slot_i];
  assign work_pieces_o = pieces_q[work_slot_i];
  assign work_ok_o     = ok_q[work_slot_i] & live_i[work_slot_i];
  assign work_req_o    = req_mem[work_slot_i];
  assign work_pa_o     = pa_mem[work_slot_i];
  assign head_o        = head_mem[head_slot_i];

  always_comb begin
    busy_o = 1'b0;
    for (int unsigned s = 0; s < TX_SLOTS; s++) busy_o |= busy[s] && owner_q[s].qpn == busy_qpn_i;
  end

  assign quiescent_o = !accept && can_look == '0 && lost == '0 && (can_fail == '0 || fail_valid_q) && can_drop == '0
                    && !(fail_valid_q && (fail_ready_i || !fail_valid_o)) && !(req_valid_o && req_ready_i) && !answer && !drop_valid_o
                    && !tx_flush_valid_i;

  logic unused;
  assign unused = ^{look_req, look_piece, fail_req, fail_piece};

endmodule
