// The slots of the receive side: where each packet stands, who may go next, which translations are held for it.
//
//   FREE ─▶ FILL ─▶ PREP ─▶ BUSY ─▶ (FETCH ─▶ CUT ─▶ BUSY) ─▶ LOOK ─▶ READY ─▶ SHOWN ─┬▶ TAKEN ─▶ DONE ─▶ FREE
//                    ▲                                                   ▲              ├▶ ATOMIC ─▶ TAKEN
//                    └──────────────── GIVE (held uses go back) ◀────────┼──────────────┘
//                                        └▶ FREE | HELD ─────────────────┘
//
// Order: `older` of a slot is the set of slots that hold earlier packets of the same queue pair. A packet is shown when all of those have
//   their verdict, an atomic begins and a packet lands when all of those that were taken have landed.
//
// Promises: a slot is used again only when none of its uses is left in the translation unit. A resume in any cycle after a packet was shown
//   wakes it.
// Needs: one event of a kind a cycle, about a slot that is where it must be.
// Costs: 32 x 32 bits of order; one done and one drop a cycle.

module hca_rx_slots
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  mutant_i,
  input  logic        enable_i,
  // Arrival.
  output logic        free_valid_o,
  output rxslot_t     free_slot_o,
  input  logic        alloc_i,
  input  logic        judged_i,
  input  logic        good_i,
  input  rxslot_t     judged_slot_i,
  input  qpn_t        judged_qpn_i,
  input  logic        judged_atomic_i,
  // Preparation.
  output logic        prep_valid_o,
  output rxslot_t     prep_slot_o,
  output logic        prep_fetched_o,
  input  logic        prep_ready_i,
  input  logic        plain_valid_i,
  input  rxslot_t     plain_slot_i,
  input  logic        plain_no_wqe_i,
  input  logic        fetch_valid_i,
  input  rxslot_t     fetch_slot_i,
  input  logic        fetched_valid_i,
  input  rxslot_t     fetched_slot_i,
  input  logic        seg_valid_i,
  input  rxslot_t     seg_slot_i,
  input  seg_t        seg_index_i,
  input  logic        seg_last_i,
  input  logic        rsp_valid_i,
  input  xlt_rsp_t    rsp_i,
  // Show.
  output logic        show_valid_o,
  output rxslot_t     show_slot_o,
  input  logic        show_ready_i,
  input  logic        start_valid_i,
  input  use_t        start_i,
  input  logic        abort_valid_i,
  input  rxslot_t     abort_slot_i,
  output logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] segs_o,  // pieces asked for
  output logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] bad_o,   // of those, not OK
  input  logic        verdict_valid_i,
  input  rx_verdict_t verdict_i,
  input  logic        resume_valid_i,
  input  resume_t     resume_i,
  input  logic        flush_valid_i,
  input  qpn_t        flush_qpn_i,
  input  logic        posted_valid_i,   // a receive was posted
  input  qpn_t        posted_qpn_i,
  // Carry out.
  output logic        take_valid_o,
  output logic        atomic_valid_o,
  output rxslot_t     atomic_slot_o,
  input  logic        atomic_ready_i,
  input  logic        sent_valid_i,
  input  rxslot_t     sent_slot_i,
  input  seg_t        sent_seg_i,
  input  logic        written_valid_i,
  input  rxslot_t     written_slot_i,
  input  seg_t        written_seg_i,
  input  logic        written_last_i,
  input  logic        written_failed_i,
  input  logic        atomic_done_i,
  input  rxslot_t     atomic_done_slot_i,
  input  logic        atomic_failed_i,
  output logic        land_valid_o,
  output rxslot_t     land_slot_o,
  output logic        land_failed_o,
  input  logic        land_ready_i,
  // Translation.
  output logic        done_valid_o,
  output use_t        done_o,
  output logic        drop_valid_o,
  output logic [UseSlotW-1:0] drop_slot_o,
  // What hca_qp asks before it answers for a queue pair.
  input  qpn_t        busy_qpn_i,
  output logic        busy_o,  // combinational: a packet of it that has arrived is in a slot
  output logic        work_o
);

  typedef enum logic [3:0] { FREE, FILL, PREP, BUSY, FETCH, CUT, LOOK, READY, SHOWN, GIVE, HELD, ATOMIC, TAKEN, DONE } state_e;
  typedef logic [RX_SLOTS-1:0] slots_t;
  typedef logic [MAX_SEGMENTS-1:0] segs_t;

  state_e [RX_SLOTS-1:0] state_q, state_d;
  state_e [RX_SLOTS-1:0] then_q, then_d;          // where GIVE leads
  slots_t [RX_SLOTS-1:0] older_q;
  segs_t  [RX_SLOTS-1:0] segs_q, bad_q, todo_q;   // asked for; not OK; not answered yet
  segs_t  [RX_SLOTS-1:0] started_q, started_d, over_q, over_d;  // in flight from here on; to be reported as done
  slots_t is_atomic_q, no_wqe_q, woken_q, failed_q, landed_q;
  slots_t stale_q;  // a resume came while its pieces were looked up: a fault among the answers may be the one that is mended
  qpn_t   [RX_SLOTS-1:0] qpn_q;

  // ------------------------------------------------------------------------------------------------ sets
  slots_t free, prep, ready, undecided, taken, arrived, give, freed;
  slots_t may_show, may_atomic, may_land, to_drop, has_over;
  logic   decided, drop_go, done_go, land_go, atomic_go, show_go, prep_go;
  rxslot_t over_slot, to_drop_slot;
  assign decided = verdict_valid_i && verdict_i.verdict != VERDICT_HOLD;
  always_comb begin
    for (int unsigned i = 0; i < RX_SLOTS; i++) begin
      free[i]      = state_q[i] == FREE;
      prep[i]      = state_q[i] == PREP || state_q[i] == CUT;
      ready[i]     = state_q[i] == READY;
      give[i]      = state_q[i] == GIVE;
      taken[i]     = (state_q[i] == ATOMIC || state_q[i] == TAKEN || state_q[i] == DONE) && !landed_q[i];
      undecided[i] = state_q[i] inside {PREP, BUSY, FETCH, CUT, LOOK, READY, SHOWN, HELD} || (give[i] && then_q[i] != FREE);
      if (decided && verdict_i.slot == rxslot_t'(i)) undecided[i] = 1'b0;
      arrived[i]   = state_q[i] != FREE && state_q[i] != FILL;
      has_over[i]  = over_q[i] != '0;
      to_drop[i]   = give[i] && !has_over[i] && (segs_q[i] & ~started_q[i]) != '0;
    end
    for (int unsigned i = 0; i < RX_SLOTS; i++) begin
      may_show[i]   = ready[i] && (older_q[i] & undecided) == '0;
      may_atomic[i] = state_q[i] == ATOMIC && (older_q[i] & taken) == '0;
      may_land[i]   = state_q[i] == DONE && !has_over[i] && (older_q[i] & taken) == '0 && !landed_q[i];
      if (mutant_i == HMUT_EARLY_CQE && state_q[i] == TAKEN && (older_q[i] & taken) == '0 && !landed_q[i]) may_land[i] = 1'b1;
    end
  end

  assign free_valid_o = free != '0;
  always_comb begin
    free_slot_o = '0;
    for (int unsigned i = RX_SLOTS; i > 0; i--) begin
      if (free[i-1]) free_slot_o = rxslot_t'(i - 1);
    end
  end
  rr_pick #(.N(RX_SLOTS)) u_prep (.clk_i, .rst_ni, .req_i(prep), .advance_i(prep_go), .valid_o(prep_valid_o), .index_o(prep_slot_o));
  rr_pick #(.N(RX_SLOTS)) u_show (.clk_i, .rst_ni, .req_i(may_show), .advance_i(show_go), .valid_o(show_valid_o), .index_o(show_slot_o));
  rr_pick #(.N(RX_SLOTS)) u_atomic (
    .clk_i, .rst_ni, .req_i(may_atomic), .advance_i(atomic_go), .valid_o(atomic_valid_o), .index_o(atomic_slot_o)
  );
  rr_pick #(.N(RX_SLOTS)) u_land (.clk_i, .rst_ni, .req_i(may_land), .advance_i(land_go), .valid_o(land_valid_o), .index_o(land_slot_o));
  rr_pick #(.N(RX_SLOTS)) u_over (.clk_i, .rst_ni, .req_i(has_over), .advance_i(done_go), .valid_o(done_go), .index_o(over_slot));
  rr_pick #(.N(RX_SLOTS)) u_drop (.clk_i, .rst_ni, .req_i(to_drop), .advance_i(drop_go), .valid_o(drop_go), .index_o(to_drop_slot));

  assign prep_fetched_o = state_q[prep_slot_o] == CUT;
  assign prep_go        = prep_valid_o && prep_ready_i;
  assign show_go        = show_valid_o && show_ready_i;
  assign atomic_go      = atomic_valid_o && atomic_ready_i;
  assign land_go        = land_valid_o && land_ready_i;
  assign land_failed_o  = failed_q[land_slot_o];
  assign take_valid_o   = verdict_valid_i && verdict_i.verdict == VERDICT_TAKE && segs_q[verdict_i.slot] != '0 &&
                          !is_atomic_q[verdict_i.slot];
  assign segs_o         = segs_q;
  assign bad_o          = bad_q;

  // ------------------------------------------------------------------------------------------------ translation uses
  segs_t over_now;
  seg_t  over_seg;
  assign over_now = over_q[over_slot];
  always_comb begin
    over_seg = '0;
    for (int unsigned i = MAX_SEGMENTS; i > 0; i--) begin
      if (over_now[i-1]) over_seg = seg_t'(i - 1);
    end
  end
  always_comb begin
    started_d = started_q;
    over_d    = over_q;
    if (start_valid_i) started_d[start_i.slot[RxSlotW-1:0]][start_i.seg] = 1'b1;
    if (done_go) over_d[over_slot][over_seg] = 1'b0;
    if (verdict_valid_i && verdict_i.verdict != VERDICT_TAKE) over_d[verdict_i.slot] |= started_d[verdict_i.slot];
    if (abort_valid_i) over_d[abort_slot_i] |= started_q[abort_slot_i];
    if (mutant_i == HMUT_LATE_WRITE) begin
      if (sent_valid_i) over_d[sent_slot_i][sent_seg_i] = 1'b1;
    end else if (written_valid_i) begin
      over_d[written_slot_i][written_seg_i] = 1'b1;
    end
    if (atomic_done_i) over_d[atomic_done_slot_i][0] = 1'b1;
    if (prep_go) started_d[prep_slot_o] = '0;
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      started_q    <= '0;
      over_q       <= '0;
      done_valid_o <= 1'b0;
      drop_valid_o <= 1'b0;
    end else if (!enable_i) begin
      started_q    <= '0;
      over_q       <= '0;
      done_valid_o <= 1'b0;
      drop_valid_o <= 1'b0;
    end else begin
      started_q    <= started_d;
      over_q       <= over_d;
      done_valid_o <= done_go;
      drop_valid_o <= drop_go;
    end
  end
  always_ff @(posedge clk_i) begin
    done_o      <= '{user: USER_RX, slot: UseSlotW'(over_slot), seg: over_seg};
    drop_slot_o <= UseSlotW'(to_drop_slot);
  end

  // ------------------------------------------------------------------------------------------------ states
  logic resumed;
  slots_t mended;  // a fault of its queue pair has been answered in this cycle
  assign resumed = resume_valid_i && resume_i.direction == FAULT_DIR_RESPONDER;
  always_comb begin
    state_d = state_q;
    then_d  = then_q;
    if (alloc_i) state_d[free_slot_o] = FILL;
    if (judged_i) state_d[judged_slot_i] = good_i ? PREP : FREE;
    if (fetched_valid_i && state_q[fetched_slot_i] == FETCH) state_d[fetched_slot_i] = CUT;
    if (fetch_valid_i) state_d[fetch_slot_i] = FETCH;
    if (plain_valid_i) state_d[plain_slot_i] = READY;
    if (seg_valid_i && seg_last_i) state_d[seg_slot_i] = LOOK;
    for (int unsigned i = 0; i < RX_SLOTS; i++) begin
      mended[i] = resumed && !resume_i.error && qpn_q[i] == resume_i.qpn;
      if (state_q[i] == LOOK && todo_q[i] == '0) state_d[i] = READY;
      // Packets behind the one that waited were looked up ahead, most likely in the same page: what they know is out of date too.
      if (((state_q[i] == LOOK && todo_q[i] == '0) || ready[i]) && (mended[i] || stale_q[i]) && bad_q[i] != '0) begin
        state_d[i] = GIVE;
        then_d[i]  = PREP;
      end
      // What was not posted may be posted while the packet waits behind others.
      if (ready[i] && no_wqe_q[i] && posted_valid_i && qpn_q[i] == posted_qpn_i) state_d[i] = PREP;
      if (state_q[i] == HELD && resumed && qpn_q[i] == resume_i.qpn) state_d[i] = resume_i.error ? READY : PREP;
      if (state_q[i] == HELD && flush_valid_i && qpn_q[i] == flush_qpn_i) state_d[i] = READY;
      if (give[i] && then_q[i] == HELD && ((resumed && qpn_q[i] == resume_i.qpn) || (flush_valid_i && qpn_q[i] == flush_qpn_i))) begin
        then_d[i] = PREP;
      end
      if (give[i] && !has_over[i] && (!to_drop[i] || (drop_go && to_drop_slot == rxslot_t'(i)))) state_d[i] = then_d[i];
    end
    if (prep_go) state_d[prep_slot_o] = BUSY;
    if (show_go) state_d[show_slot_o] = SHOWN;
    if (abort_valid_i) begin
      state_d[abort_slot_i] = GIVE;
      then_d[abort_slot_i]  = PREP;
    end
    if (verdict_valid_i) begin
      unique case (verdict_i.verdict)
        VERDICT_TAKE:
          state_d[verdict_i.slot] = segs_q[verdict_i.slot] == '0 ? DONE : is_atomic_q[verdict_i.slot] ? ATOMIC : TAKEN;
        VERDICT_HOLD: begin
          state_d[verdict_i.slot] = GIVE;
          then_d[verdict_i.slot]  = woken_q[verdict_i.slot] || (resumed && resume_i.qpn == qpn_q[verdict_i.slot]) ||
                                    (flush_valid_i && flush_qpn_i == qpn_q[verdict_i.slot]) ? PREP : HELD;
        end
        default: begin
          state_d[verdict_i.slot] = GIVE;
          then_d[verdict_i.slot]  = FREE;
        end
      endcase
    end
    if (atomic_go) state_d[atomic_slot_o] = TAKEN;
    if (written_valid_i && written_last_i) state_d[written_slot_i] = DONE;
    if (atomic_done_i) state_d[atomic_done_slot_i] = DONE;
    if (land_go && state_q[land_slot_o] == DONE) state_d[land_slot_o] = FREE;
    for (int unsigned i = 0; i < RX_SLOTS; i++) begin
      if (state_q[i] == DONE && landed_q[i] && !has_over[i]) state_d[i] = FREE;
      freed[i] = state_q[i] != FREE && state_d[i] == FREE;
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= {RX_SLOTS{FREE}};
    end else if (!enable_i) begin
      state_q <= {RX_SLOTS{FREE}};
    end else begin
      state_q <= state_d;
    end
  end
  always_ff @(posedge clk_i) begin
    then_q <= then_d;
    for (int unsigned i = 0; i < RX_SLOTS; i++) begin
      older_q[i] <= older_q[i] & ~freed;
      if (resumed && resume_i.qpn == qpn_q[i]) woken_q[i] <= 1'b1;
      if (flush_valid_i && flush_qpn_i == qpn_q[i]) woken_q[i] <= 1'b1;
      if (mended[i]) stale_q[i] <= 1'b1;
    end
    if (judged_i) begin
      for (int unsigned i = 0; i < RX_SLOTS; i++) begin
        older_q[judged_slot_i][i] <= arrived[i] && !freed[i] && qpn_q[i] == judged_qpn_i;
      end
      qpn_q[judged_slot_i]       <= judged_qpn_i;
      is_atomic_q[judged_slot_i] <= judged_atomic_i;
      failed_q[judged_slot_i]    <= 1'b0;
      landed_q[judged_slot_i]    <= 1'b0;
    end
    if (prep_go) begin
      segs_q[prep_slot_o]   <= '0;
      bad_q[prep_slot_o]    <= '0;
      todo_q[prep_slot_o]   <= '0;
      no_wqe_q[prep_slot_o] <= 1'b0;
      stale_q[prep_slot_o]  <= 1'b0;
    end
    if (plain_valid_i) no_wqe_q[plain_slot_i] <= plain_no_wqe_i;
    if (show_go) woken_q[show_slot_o] <= 1'b0;
    if (rsp_valid_i) begin
      todo_q[rsp_i.id.slot[RxSlotW-1:0]][rsp_i.id.seg] <= 1'b0;
      if (rsp_i.result != XLT_RESULT_OK) bad_q[rsp_i.id.slot[RxSlotW-1:0]][rsp_i.id.seg] <= 1'b1;
    end
    if (seg_valid_i) begin
      segs_q[seg_slot_i][seg_index_i] <= 1'b1;
      todo_q[seg_slot_i][seg_index_i] <= 1'b1;
    end
    if (written_valid_i && written_last_i) failed_q[written_slot_i] <= written_failed_i;
    if (atomic_done_i) failed_q[atomic_done_slot_i] <= atomic_failed_i;
    if (land_go) landed_q[land_slot_o] <= 1'b1;
  end

  always_comb begin
    busy_o = 1'b0;
    for (int unsigned i = 0; i < RX_SLOTS; i++) busy_o |= arrived[i] && qpn_q[i] == busy_qpn_i;
  end

  logic looked;
  always_comb begin
    looked = 1'b0;
    for (int unsigned i = 0; i < RX_SLOTS; i++) looked |= state_q[i] == LOOK && todo_q[i] == '0;
  end
  assign work_o = prep != '0 || may_show != '0 || may_atomic != '0 || may_land != '0 || give != '0 || has_over != '0 || done_valid_o ||
                  drop_valid_o || looked;

  logic unused;
  assign unused = ^{rsp_i, start_i};

endmodule
