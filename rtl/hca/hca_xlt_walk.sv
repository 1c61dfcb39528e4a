// Walks and key fetches in flight: one slot each, one memory read of each at a time.
//
// Promises: any mix of WALKERS walks and KeySlots key fetches runs at once. A slot whose answer an invalidation covers, accepted from
//   the cycle the slot was taken to the cycle before the answer is used, is poisoned: by the page sizes separately, for the size of
//   the leaf is known only at the end, so exactly (SD-3). A walk whose page is covered reads no table any more; inv_busy_o[tag] is high
//   while such a walk has a read in flight, from the cycle after acceptance on, so software may free tables after a fence (SD-2).
//   A finished slot is offered (done_*) in turn, and keeps its answer until it is freed.
// Needs: a free slot for alloc_valid_i; no response to a read of before enable_i was low.
// Costs: a page comparator for each slot (who waits for this page already?), three range comparators in the accepting cycle.

module hca_xlt_walk
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
(
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic        enable_i,
  input  logic [7:0] mutant_i,
  input  pa_t        mpt_base_i,

  // The decision stage: is a slot on its way to what this look-up lacks, and which would be taken.
  input  xlt_req_t   ask_i,
  input  logic       ask_valid_i,
  input  logic       ask_key_i,  // it lacks the key; else the translation
  output logic       joins_o,
  output slot_t      join_slot_o,
  output logic       walk_free_o,
  output logic       key_free_o,
  output slot_t      alloc_slot_o,
  input  logic       alloc_valid_i,
  input  region_t    alloc_region_i,
  input  pn_t        alloc_pn_i,
  input  logic       free_valid_i,
  input  slot_t      free_slot_i,

  output logic       rd_valid_o,
  input  logic       rd_ready_i,
  output rd_req_t    rd_o,
  input  logic       rd_rsp_valid_i,
  input  rd_rsp_t    rd_rsp_i,

  // A finished slot; from the cycle of pop_i on nobody joins it.
  output logic       done_valid_o,
  output slot_t      done_slot_o,
  output logic       done_leaf_o,   // it has a translation to cache
  output entry_t     done_entry_o,
  input  logic       pop_i,
  // The walk popped in the cycle before: is it void?
  input  logic       end_valid_i,
  input  slot_t      end_slot_i,
  output logic       end_drop_o,
  output tag_t       end_tag_o,
  output logic [31:0] end_key_o,
  // Answers for the pipeline: regions a cycle after s0_*, outcomes at once.
  input  logic       s0_valid_i,
  input  slot_t      s0_slot_i,
  output region_t    s1_region_o,
  input  slot_t      s2_slot_i,
  output logic       s2_poison_o,
  output outcome_t   s2_outcome_o,
  // A key to cache.
  output logic       key_fill_valid_o,
  output region_t    key_fill_o,

  input  logic       accept_i,
  input  inval_t     inval_i,
  input  logic [4:0] inv_tag_i,
  output logic [31:0] inv_busy_o,
  output logic       busy_o
);

  typedef logic [Slots-1:0] slots_t;
  typedef logic [WalkerW-1:0] walker_t;
  localparam int unsigned KeySlotW = $clog2(KeySlots);

  if (Slots != WALKERS + KeySlots || KeySlots < 2) begin : g_check
    $error("hca_xlt_walk: slots");
  end

  slots_t busy_q, want_q, done_q, closed_q;
  logic [WALKERS-1:0] reading_q, answered, covered;
  logic [2:0] poison_q[Slots];  // by level of the leaf; of a key fetch: bit 0
  qpn_t qpn_q[Slots];
  logic [31:0] key_q[Slots];
  va_t va_q[Slots];
  pn_t pn_q[WALKERS];
  level_t left_q[WALKERS];  // levels below the one to read
  pfn_t frame_q[WALKERS];
  outcome_t outcome_q[WALKERS];

  function automatic logic is_walk(input slot_t slot);
    return slot < slot_t'(WALKERS);
  endfunction

  logic unused_ask;
  assign unused_ask = ^{ask_i.id, ask_i.pd, ask_i.len, ask_i.need};

  // ---- taking and joining ---------------------------------------------------------------------------------------------------------

  logic [WALKERS-1:0] walk_idle;
  logic [KeySlots-1:0] key_idle;
  assign walk_idle = ~busy_q[WALKERS-1:0];
  assign key_idle = ~busy_q[Slots-1:WALKERS];
  assign walk_free_o = |walk_idle;
  assign key_free_o = |key_idle;

  always_comb begin
    alloc_slot_o = '0;
    if (ask_key_i) begin
      for (int i = int'(KeySlots) - 1; i >= 0; i--) if (key_idle[i]) alloc_slot_o = slot_t'(int'(WALKERS) + i);
    end else begin
      for (int i = int'(WALKERS) - 1; i >= 0; i--) if (walk_idle[i]) alloc_slot_o = slot_t'(i);
    end
  end

  slots_t open, same;
  always_comb begin
    open = busy_q & ~closed_q & (ask_key_i ? slots_t'({KeySlots{1'b1}}) << WALKERS : slots_t'({WALKERS{1'b1}}));
    if (pop_i) open[done_slot_o] = 1'b0;
    same = '0;
    join_slot_o = '0;
    if (ask_valid_i && open != '0) begin
      for (int i = int'(Slots) - 1; i >= 0; i--) begin
        if (open[i] && !poison_q[i][0] && index_of(key_q[i]) == index_of(ask_i.key) &&
            (ask_key_i || page_of(va_q[i]) == page_of(ask_i.va))) begin
          same[i] = 1'b1;
          join_slot_o = slot_t'(i);
        end
      end
    end
  end
  assign joins_o = same != '0;

  // ---- reads out --------------------------------------------------------------------------------------------------------------------

  logic issue, cancel, want_any;
  slot_t want_slot;
  rd_req_t rd_d;
  rr_pick #(
    .N(Slots)
  ) u_want (
    .clk_i,
    .rst_ni,
    .req_i    (want_q),
    .advance_i(issue || cancel),
    .valid_o  (want_any),
    .index_o  (want_slot)
  );
  // A covered walk reads no further. Nothing leaves in an accepting cycle, so what is in flight is plain.
  assign cancel = want_any && is_walk(want_slot) && poison_q[want_slot][0];
  assign issue = want_any && !cancel && !accept_i && (!rd_valid_o || rd_ready_i);

  always_comb begin
    rd_d = '0;
    rd_d.user.qpn = qpn_q[want_slot];
    rd_d.user.key = index_of(key_q[want_slot]);
    rd_d.user.va = va_q[want_slot];
    if (is_walk(want_slot)) begin
      rd_d.id = RID_WALK + axid_t'(want_slot);
      rd_d.pa = {frame_q[walker_t'(want_slot)], table_index(pn_q[walker_t'(want_slot)], left_q[walker_t'(want_slot)]), 3'b0};
      rd_d.size = 3'd3;
    end else begin
      rd_d.id = RID_MPT + (axid_t'(want_slot) - axid_t'(WALKERS));
      rd_d.pa = mpt_base_i + pa_t'({index_of(key_q[want_slot]), 6'b0});
      rd_d.size = 3'd6;
    end
  end

  // ---- answers in -------------------------------------------------------------------------------------------------------------------

  logic walk_rsp, key_rsp, walk_over;
  slot_t rsp_slot;
  walker_t rw;
  level_t left;
  outcome_t outcome;
  region_t region;
  pfn_t next;

  assign walk_rsp = rd_rsp_valid_i && rd_rsp_i.id[7:WalkerW] == RID_WALK[7:WalkerW];
  assign key_rsp = rd_rsp_valid_i && rd_rsp_i.id[7:KeySlotW] == RID_MPT[7:KeySlotW];
  assign rw = walker_t'(rd_rsp_i.id);
  assign rsp_slot = walk_rsp ? slot_t'(rw) : slot_t'(WALKERS) + slot_t'(rd_rsp_i.id[KeySlotW-1:0]);
  assign left = left_q[rw];

  hca_xlt_decode u_decode (
    .rsp_i    (rd_rsp_i),
    .key_i    (index_of(key_q[slot_t'(rw)])),
    .vpn_i    (page_of(va_q[slot_t'(rw)])),
    .pn_i     (pn_q[rw]),
    .left_i   (left),
    .over_o   (walk_over),
    .outcome_o(outcome),
    .next_o   (next),
    .region_o (region)
  );

  // Only a region can be cached, and only while it is the table's.
  assign key_fill_o = region;
  assign key_fill_valid_o = key_rsp && busy_q[rsp_slot] && !region.error && region.valid && !poison_q[rsp_slot][0] &&
      index_of(region.key) == index_of(key_q[rsp_slot]) && region.key[31:20] == '0 &&
      !(accept_i && inval_i.whole && inval_i.key == index_of(region.key));

  // ---- answers kept -----------------------------------------------------------------------------------------------------------------

  hca_xlt_regions u_regions (
    .clk_i,
    .walk_valid_i (alloc_valid_i && !ask_key_i),
    .walk_slot_i  (alloc_slot_o),
    .walk_region_i(alloc_region_i),
    .key_valid_i  (key_rsp),
    .key_slot_i   (rsp_slot - slot_t'(WALKERS)),
    .key_region_i (region),
    .s0_valid_i,
    .s0_slot_i,
    .s1_region_o
  );

  assign s2_outcome_o = outcome_q[walker_t'(s2_slot_i)];
  assign s2_poison_o = poison_q[s2_slot_i][0] || (is_walk(s2_slot_i) && poison_q[s2_slot_i][s2_outcome_o.entry.tag.level]);

  // Of a covered walk what is kept may be of an earlier walk: it is void by the page.
  always_comb begin
    end_tag_o = outcome_q[walker_t'(end_slot_i)].entry.tag;
    if (poison_q[end_slot_i][0]) begin
      end_tag_o = '{key: index_of(key_q[end_slot_i]), vpn: page_of(va_q[end_slot_i]), off: off_t'(pn_q[walker_t'(end_slot_i)]), level: '0};
    end
  end
  assign end_drop_o = poison_q[end_slot_i][end_tag_o.level] ||
      (accept_i && mutant_i != HMUT_RACE_WALK && covers(inval_i, span_of(end_tag_o), mutant_i));
  assign end_key_o = key_q[end_slot_i];

  rr_pick #(
    .N(Slots)
  ) u_done (
    .clk_i,
    .rst_ni,
    .req_i    (done_q),
    .advance_i(pop_i),
    .valid_o  (done_valid_o),
    .index_o  (done_slot_o)
  );
  assign done_entry_o = outcome_q[walker_t'(done_slot_o)].entry;
  assign done_leaf_o = is_walk(done_slot_o) && !poison_q[done_slot_o][0] && outcome_q[walker_t'(done_slot_o)].how == WALK_LEAF;

  // ---- state ------------------------------------------------------------------------------------------------------------------------

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q     <= '0;
      want_q     <= '0;
      done_q     <= '0;
      closed_q   <= '0;
      reading_q  <= '0;
      rd_valid_o <= 1'b0;
    end else if (!enable_i) begin
      busy_q     <= '0;
      want_q     <= '0;
      done_q     <= '0;
      closed_q   <= '0;
      reading_q  <= '0;
      rd_valid_o <= 1'b0;
    end else begin
      if (rd_ready_i) rd_valid_o <= 1'b0;
      if (issue) begin
        rd_valid_o <= 1'b1;
        want_q[want_slot] <= 1'b0;
      end
      reading_q <= reading_q & ~answered;
      if (issue && is_walk(want_slot)) reading_q[walker_t'(want_slot)] <= 1'b1;
      if (cancel) begin
        want_q[want_slot] <= 1'b0;
        done_q[want_slot] <= 1'b1;
      end
      if (walk_rsp || key_rsp) begin
        if (key_rsp || walk_over) done_q[rsp_slot] <= 1'b1;
        else want_q[rsp_slot] <= 1'b1;
      end
      if (pop_i) begin
        done_q[done_slot_o]   <= 1'b0;
        closed_q[done_slot_o] <= 1'b1;
      end
      if (free_valid_i) begin
        busy_q[free_slot_i]   <= 1'b0;
        closed_q[free_slot_i] <= 1'b0;
      end
      if (alloc_valid_i) begin
        busy_q[alloc_slot_o] <= 1'b1;
        want_q[alloc_slot_o] <= 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (issue) rd_o <= rd_d;
    if (walk_rsp) begin
      outcome_q[rw] <= outcome;
      left_q[rw]    <= left - 2'd1;
      frame_q[rw]   <= next;
    end
    if (accept_i) begin
      // verilator unroll_disable
      for (int unsigned s = 0; s < Slots; s++) begin
        if (s >= WALKERS) begin
          poison_q[s][0] <= poison_q[s][0] || (inval_i.whole && inval_i.key == index_of(key_q[s]));
        end else if (!(mutant_i == HMUT_RACE_WALK && end_valid_i && end_slot_i == slot_t'(s))) begin
          poison_q[s] <= poison_q[s] | covers_walk(inval_i, index_of(key_q[s]), page_of(va_q[s]), pn_q[walker_t'(s)], mutant_i);
        end
      end
    end
    if (alloc_valid_i) begin
      // Of the first cycle: a walk was given its region before the invalidation; nothing of a key was read yet.
      poison_q[alloc_slot_o] <= '0;
      if (accept_i && !ask_key_i) begin
        poison_q[alloc_slot_o] <= covers_walk(inval_i, index_of(ask_i.key), page_of(ask_i.va), alloc_pn_i, mutant_i);
      end
      qpn_q[alloc_slot_o] <= ask_i.qpn;
      key_q[alloc_slot_o] <= ask_i.key;
      va_q[alloc_slot_o]  <= ask_i.va;
      if (!ask_key_i) begin
        pn_q[walker_t'(alloc_slot_o)]    <= alloc_pn_i;
        left_q[walker_t'(alloc_slot_o)]  <= level_t'(alloc_region_i.levels - 3'd1);
        frame_q[walker_t'(alloc_slot_o)] <= alloc_region_i.root;
      end
    end
  end

  // Reads in flight of walks whose page is covered.
  always_comb begin
    answered = '0;
    if (walk_rsp) answered[rw] = 1'b1;
    covered = '0;
    if (accept_i) begin
      // verilator unroll_disable
      for (int unsigned w = 0; w < WALKERS; w++) begin
        if (reading_q[w] && !answered[w]) begin
          covered[w] = covers(inval_i, '{key: index_of(key_q[w]), first: page_of(va_q[w]), level: '0}, mutant_i);
        end
      end
    end
  end
  hca_xlt_drain #(
    .N(WALKERS)
  ) u_drain (
    .clk_i,
    .rst_ni,
    .enable_i,
    .accept_i,
    .tag_i     (inv_tag_i),
    .covered_i (covered),
    .finished_i(answered),
    .busy_o    (inv_busy_o)
  );

  assign busy_o = busy_q != '0;

endmodule
