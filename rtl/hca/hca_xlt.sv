// Translation: from key and address to a physical address, and who still uses it.
//
//   new look-ups ─┬▶ S0, S1 hca_xlt_lookup ─▶ S2 decide ─▶ answer
//       replay ───┘                                └▶ wait for a slot (walk, key fetch), then replay
//
// Promises: one look-up a cycle is taken while none is replayed, whatever misses, sweeps and invalidations do (SD-4); answers of what is
//   cached come three cycles after acceptance, others when their walk ends, in any order. Every look-up is answered; none starves.
//   An accepted invalidation kills what it covers from the next cycle on, for any range and page size (SD-1, SD-5, SD-8): cached
//   translations, held uses, and walks, which are walked again with whoever waits for them (SD-3). An OK answer of the accepting cycle
//   comes with its use not live. inv_busy_o says which invalidations still have covered accesses in flight (SD-2).
//   live of a use rises with its OK answer. Look-ups of one page share a walk; those of one key share its fetch.
// Needs: a use (id) has one look-up at a time and none while it is in flight; asking anew gives a held use back. A drop of a use whose
//   look-up is not yet answered does nothing to that look-up: the answer comes. start only with live, done only after start.
//   Invalidation tags as hca_xlt_uses. After enable_i was low no answer to an earlier read comes.
// Costs: see the parts. Counts: MPT_*, MTT_*, WALK_DROPPED, KILLED, BAD_KEYS, BAD_TABLES, LOOKUPS. mutant_i is 0 in the product.
//
// Parts: hca_xlt_lookup both caches (hca_xlt_mpt keys, hca_xlt_cache translations, with hca_xlt_inval what is dead and not yet swept) ·
//   hca_xlt_decide · hca_xlt_walk slots in flight · hca_xlt_replay who waits for them · hca_xlt_uses accesses · hca_xlt_drain what
//   an invalidation waits for · hca_xlt_monitor. Here: who goes into the pipeline, and what the decision sets off.

module hca_xlt
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
(
  input  logic                                  clk_i,
  input  logic                                  rst_ni,
  input  logic                                  enable_i,
  input  logic [7:0]                            mutant_i,
  input  pa_t                                   mpt_base_i,
  input  logic [15:0]                           mpt_size_i,

  input  logic [1:0]                            req_valid_i,    // index: xlt_user_e
  output logic [1:0]                            req_ready_o,    // combinational
  input  xlt_req_t [1:0]                        req_i,
  output logic                                  rsp_valid_o,
  output xlt_rsp_t                              rsp_o,
  output logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] rx_live_o,
  output logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] tx_live_o,
  input  logic [1:0]                            start_valid_i,
  input  use_t [1:0]                            start_i,
  input  logic [1:0]                            done_valid_i,
  input  use_t [1:0]                            done_i,
  input  logic [1:0]                            drop_valid_i,
  input  logic [1:0][UseSlotW-1:0]              drop_slot_i,

  input  logic                                  inv_valid_i,
  output logic                                  inv_ready_o,
  input  keyidx_t                               inv_key_i,
  input  logic                                  inv_whole_i,
  input  va_t                                   inv_first_i,
  input  va_t                                   inv_last_i,
  input  logic [4:0]                            inv_tag_i,
  output logic [31:0]                           inv_busy_o,

  output logic                                  rd_valid_o,
  input  logic                                  rd_ready_i,
  output rd_req_t                               rd_o,
  input  logic                                  rd_rsp_valid_i,
  input  rd_rsp_t                               rd_rsp_i,

  output logic [31:0]                           count_o,
  output logic                                  quiescent_o,
  output obs_xlt_t                              obs_o
);

  // ---- invalidations ----------------------------------------------------------------------------------------------------------------

  logic accept, inval_ready;
  inval_t inval;
  assign inv_ready_o = inval_ready && enable_i;
  assign accept = inv_valid_i && inv_ready_o;
  logic unused_offsets;  // of pages
  assign unused_offsets = ^{inv_first_i[PageW-1:0], inv_last_i[PageW-1:0]};
  assign inval = '{key: inv_key_i, whole: inv_whole_i, first: page_of(inv_first_i), last: page_of(inv_last_i)};

  // ---- S0: a replay, or a new look-up -------------------------------------------------------------------------------------------------

  logic again_valid, new_valid, s0_valid, turn, any_req;
  xlt_req_t again_req, new_req, s0_req;
  again_t again;
  rr_pick #(
    .N(2)
  ) u_turn (
    .clk_i,
    .rst_ni,
    .req_i    (req_valid_i),
    .advance_i(new_valid),
    .valid_o  (any_req),
    .index_o  (turn)
  );
  assign new_valid = any_req && !again_valid && enable_i;
  assign new_req = req_i[turn];
  assign req_ready_o = {new_valid && turn, new_valid && !turn};
  assign s0_valid = again_valid || new_valid;
  assign s0_req = again_valid ? again_req : new_req;

  // ---- S1: what the caches say; S2: the decision ---------------------------------------------------------------------------------------

  logic s2_valid, s2_new, s2_poison, from_walk;
  xlt_req_t s2_req;
  again_t s2_again;
  found_t s2_found;
  outcome_t s2_outcome;
  region_t s1_fetched, key_fill;
  entry_t fill_entry, done_entry;
  logic fill_ready, fill_decide, end_q, end_drop, done_leaf, lookup_busy, key_fill_valid, pop;
  slot_t done_slot, end_slot_q;
  logic [31:0] end_key;
  tag_t end_tag;
  logic [MTT_WAYS-1:0] kill;
  tag_t [MTT_WAYS-1:0] kill_tag;
  logic unused_end;
  assign unused_end = ^end_tag;  // whole for the assertions

  hca_xlt_lookup u_lookup (
    .clk_i,
    .rst_ni,
    .enable_i,
    .mutant_i,
    .mpt_size_i,
    .s0_valid_i      (s0_valid),
    .s0_new_i        (new_valid),
    .s0_req_i        (s0_req),
    .s0_again_i      (again_valid ? again : '0),
    .s1_fetched_i    (s1_fetched),
    .s2_valid_o      (s2_valid),
    .s2_new_o        (s2_new),
    .s2_req_o        (s2_req),
    .s2_again_o      (s2_again),
    .s2_found_o      (s2_found),
    .key_fill_valid_i(key_fill_valid),
    .key_fill_i      (key_fill),
    .fill_ready_o    (fill_ready),
    .fill_valid_i    (pop && done_leaf),
    .fill_i          (done_entry),
    .fill_decide_o   (fill_decide),
    .fill_entry_o    (fill_entry),
    .drop_i          (end_drop),
    .inval_ready_o   (inval_ready),
    .accept_i        (accept),
    .inval_i         (inval),
    .kill_o          (kill),
    .kill_tag_o      (kill_tag),
    .busy_o          (lookup_busy)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) end_q <= 1'b0;
    else end_q <= pop && done_slot < slot_t'(WALKERS) && enable_i;
  end
  always_ff @(posedge clk_i) begin
    if (pop) end_slot_q <= done_slot;
  end

  assign from_walk = s2_again.answered && s2_again.slot < slot_t'(WALKERS);

  logic answer, from_cache, need_key, need_walk, retry;
  xlt_result_e result;
  entry_t entry;
  assign entry = from_walk ? s2_outcome.entry : s2_found.entry;

  hca_xlt_decide u_decide (
    .mutant_i,
    .valid_i     (s2_valid),
    .revoked_i   (s2_again.answered && s2_poison),
    .numbered_i  (s2_found.numbered),
    .known_i     (s2_found.known),
    .check_i     (s2_found.check),
    .levels_i    (s2_found.levels),
    .in_reach_i  (s2_found.in_reach),
    .on_demand_i (s2_found.region.on_demand),
    .write_i     (is_write(s2_req.need)),
    .walked_i    (from_walk),
    .how_i       (s2_outcome.how),
    .cached_i    (s2_found.hit),
    .writable_i  (entry.leaf.write),
    .answer_o    (answer),
    .result_o    (result),
    .from_cache_o(from_cache),
    .need_key_o  (need_key),
    .need_walk_o (need_walk),
    .retry_o     (retry)
  );

  // Who lacks something joins who fetches it, else takes a slot, else waits for one behind those who wait.
  logic joins, walk_free, key_free, late_busy, in_turn, alloc, late, park, walk_busy;
  slot_t join_slot, alloc_slot;
  assign in_turn = !late_busy || s2_again.late || s2_again.answered;
  assign alloc = (need_key && !joins && key_free && in_turn) || (need_walk && !joins && walk_free && in_turn);
  assign park = need_key || need_walk || retry;
  assign late = retry || (park && !joins && !alloc);

  logic done_valid, replay_busy;
  logic [31:0] walk_reads, uses_fly;
  hca_xlt_walk u_walk (
    .clk_i,
    .rst_ni,
    .enable_i,
    .mutant_i,
    .mpt_base_i,
    .ask_i           (s2_req),
    .ask_valid_i     (need_key || need_walk),
    .ask_key_i       (need_key),
    .joins_o         (joins),
    .join_slot_o     (join_slot),
    .walk_free_o     (walk_free),
    .key_free_o      (key_free),
    .alloc_slot_o    (alloc_slot),
    .alloc_valid_i   (alloc),
    .alloc_region_i  (s2_found.region),
    .alloc_pn_i      (s2_found.pn),
    .free_valid_i    (s2_valid && s2_again.answered && s2_again.last),
    .free_slot_i     (s2_again.slot),
    .rd_valid_o,
    .rd_ready_i,
    .rd_o,
    .rd_rsp_valid_i,
    .rd_rsp_i,
    .done_valid_o    (done_valid),
    .done_slot_o     (done_slot),
    .done_leaf_o     (done_leaf),
    .done_entry_o    (done_entry),
    .pop_i           (pop),
    .end_valid_i     (end_q),
    .end_slot_i      (end_slot_q),
    .end_drop_o      (end_drop),
    .end_tag_o       (end_tag),
    .end_key_o       (end_key),
    .s0_valid_i      (again_valid && again.answered),
    .s0_slot_i       (again.slot),
    .s1_region_o     (s1_fetched),
    .s2_slot_i       (s2_again.slot),
    .s2_poison_o     (s2_poison),
    .s2_outcome_o    (s2_outcome),
    .key_fill_valid_o(key_fill_valid),
    .key_fill_o      (key_fill),
    .accept_i        (accept),
    .inval_i         (inval),
    .inv_tag_i,
    .inv_busy_o      (walk_reads),
    .busy_o          (walk_busy)
  );

  hca_xlt_replay u_replay (
    .clk_i,
    .rst_ni,
    .enable_i,
    .new_valid_i  (new_valid),
    .new_i        (new_req),
    .park_valid_i (park),
    .park_use_i   (useix_t'(s2_req.id)),
    .park_late_i  (late),
    .park_first_i (alloc),
    .park_slot_i  (alloc ? alloc_slot : join_slot),
    .done_valid_i (done_valid),
    .done_slot_i  (done_slot),
    .fill_ready_i (fill_ready),
    .pop_o        (pop),
    .slots_free_i (walk_free && key_free),
    .late_back_i  (s2_valid && s2_again.late),
    .late_busy_o  (late_busy),
    .again_valid_o(again_valid),
    .again_req_o  (again_req),
    .again_o      (again),
    .busy_o       (replay_busy)
  );

  logic ok;
  assign ok = answer && result == XLT_RESULT_OK;
  hca_xlt_uses u_uses (
    .clk_i,
    .rst_ni,
    .enable_i,
    .mutant_i,
    .ask_valid_i(new_valid),
    .ask_i      (useix_t'(new_req.id)),
    .hit_valid_i(ok),
    .hit_use_i  (useix_t'(s2_req.id)),
    .hit_tag_i  (entry.tag),
    .start_valid_i,
    .start_i,
    .done_valid_i,
    .done_i,
    .drop_valid_i,
    .drop_slot_i,
    .rx_live_o,
    .tx_live_o,
    .accept_i   (accept),
    .inval_i    (inval),
    .tag_i      (inv_tag_i),
    .inv_busy_o (uses_fly)
  );
  assign inv_busy_o = uses_fly | walk_reads;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) rsp_valid_o <= 1'b0;
    else rsp_valid_o <= answer && enable_i;
  end
  always_ff @(posedge clk_i) begin
    if (answer) rsp_o <= '{id: s2_req.id, result: result, pa: {entry.leaf.pfn, s2_req.va[PageW-1:0]}};
  end

  // ---- counters, what a monitor sees -------------------------------------------------------------------------------------------------

  logic counting;
  logic [31:0] count;
  always_comb begin
    count = '0;
    count[COUNT_LOOKUPS] = new_valid;
    count[COUNT_MPT_HIT] = s2_valid && s2_new && s2_found.numbered && s2_found.known;
    count[COUNT_MPT_MISS] = s2_valid && s2_new && s2_found.numbered && !s2_found.known;
    count[COUNT_MTT_HIT] = from_cache && s2_new;
    count[COUNT_MTT_MISS] = alloc && need_walk;
    count[COUNT_WALK_DROPPED] = end_q && end_drop;
    count[COUNT_BAD_KEYS] = answer && result inside {XLT_RESULT_BAD_KEY, XLT_RESULT_WRONG_PD, XLT_RESULT_NO_RIGHT, XLT_RESULT_OUT_OF_BOUNDS};
    count[COUNT_BAD_TABLES] = answer && result == XLT_RESULT_BAD_TABLE;
  end

  hca_xlt_monitor u_monitor (
    .clk_i,
    .rst_ni,
    .enable_i,
    .count_i      (count),
    .count_o,
    .busy_o       (counting),
    .lkp_valid_i  (new_valid),
    .lkp_id_i     (new_req.id),
    .rsp_valid_i  (rsp_valid_o),
    .rsp_i        (rsp_o),
    .walk_valid_i (alloc && need_walk),
    .walk_key_i   (s2_req.key),
    .walk_va_i    (s2_req.va),
    .end_valid_i  (end_q),
    .end_drop_i   (end_drop),
    .end_vpn_i    (end_tag.vpn),
    .end_key_i    (end_key),
    .fill_i       (fill_decide && !end_drop),
    .fill_entry_i (fill_entry),
    .kill_i       (kill),
    .kill_tag_i   (kill_tag),
    .obs_o
  );

  assign quiescent_o = !(s0_valid || lookup_busy || rsp_valid_o || rd_valid_o || replay_busy || end_q ||
                         counting || inv_valid_i || (walk_busy && mutant_i != HMUT_QUIET_LIE));

endmodule
