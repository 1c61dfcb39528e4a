// The first two stages of the pipeline: read both caches (S0), check the key and look for the page (S1). What they found stands
// in registers for the decision (S2), true for the invalidations accepted up to the cycle before it (SD-1, SD-8).
//
// Promises: one look-up a cycle, whatever fills and sweeps do (SD-4); s2_* two cycles after s0_*.
// Needs: of a replay whose slot has a region, that region at s1_fetched_i a cycle after S0.
// Costs: both caches, and the comparators of the key check.

module hca_xlt_lookup
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
(
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                enable_i,
  input  logic [7:0]          mutant_i,
  input  logic [15:0]         mpt_size_i,

  input  logic                s0_valid_i,
  input  logic                s0_new_i,
  input  xlt_req_t            s0_req_i,
  input  again_t              s0_again_i,
  input  region_t             s1_fetched_i,
  output logic                s2_valid_o,
  output logic                s2_new_o,
  output xlt_req_t            s2_req_o,
  output again_t              s2_again_o,
  output found_t              s2_found_o,

  input  logic                key_fill_valid_i,
  input  region_t             key_fill_i,
  output logic                fill_ready_o,
  input  logic                fill_valid_i,
  input  entry_t              fill_i,
  output logic                fill_decide_o,
  output entry_t              fill_entry_o,
  input  logic                drop_i,

  output logic                inval_ready_o,
  input  logic                accept_i,
  input  inval_t              inval_i,
  output logic [MTT_WAYS-1:0] kill_o,
  output tag_t [MTT_WAYS-1:0] kill_tag_o,
  output logic                busy_o         // something changes next cycle without an input
);

  localparam int unsigned SetW = $clog2(MTT_ENTRIES / MTT_WAYS);

  // ---- S1 ------------------------------------------------------------------------------------------------------------------------

  logic s1_valid_q, s1_new_q, key_hit, hit, cache_active;
  xlt_req_t s1_req_q;
  again_t s1_again_q;
  region_t cached, region;
  entry_t entry;

  hca_xlt_mpt u_mpt (
    .clk_i,
    .rst_ni,
    .enable_i,
    .mutant_i,
    .s0_valid_i,
    .s0_set_i    (s0_req_i.key[8+:$clog2(MPT_ENTRIES)]),
    .s1_key_i    (index_of(s1_req_q.key)),
    .s1_hit_o    (key_hit),
    .s1_region_o (cached),
    .fill_valid_i(key_fill_valid_i),
    .fill_i      (key_fill_i),
    .accept_i,
    .inval_i
  );

  hca_xlt_cache u_cache (
    .clk_i,
    .rst_ni,
    .enable_i,
    .mutant_i,
    .s0_valid_i,
    .s0_set_key_i(s0_req_i.key[8+:SetW]),
    .s0_set_vpn_i(s0_req_i.va[PageW+:SetW]),
    .s1_valid_i  (s1_valid_q),
    .s1_key_i    (index_of(s1_req_q.key)),
    .s1_vpn_i    (page_of(s1_req_q.va)),
    .s1_hit_o    (hit),
    .s1_entry_o  (entry),
    .fill_ready_o,
    .fill_valid_i,
    .fill_i,
    .fill_decide_o,
    .fill_entry_o,
    .drop_i,
    .inval_ready_o,
    .accept_i,
    .inval_i,
    .kill_o,
    .kill_tag_o,
    .active_o    (cache_active)
  );

  assign region = s1_again_q.answered ? s1_fetched_i : cached;

  // Where the page stands in the table.
  vpn_t page;
  logic in_reach;
  assign page = page_of(s1_req_q.va) - region.table_base;
  always_comb begin
    in_reach = page_of(s1_req_q.va) >= region.table_base;
    for (int unsigned l = 1; l <= TABLE_LEVELS; l++) begin
      if (32'(region.levels) == l && (page >> (l * TABLE_BITS)) != '0) in_reach = 1'b0;
    end
  end

  found_t found;
  assign found = '{
          numbered: s1_req_q.key[31:20] == '0 && 16'(index_of(s1_req_q.key)) < mpt_size_i,
          known: s1_again_q.answered || key_hit,
          region: region,
          check: check_region(region, s1_req_q, mutant_i),
          levels: region.levels != '0 && region.levels <= 3'(TABLE_LEVELS),
          in_reach: in_reach,
          pn: pn_t'(page),
          hit: hit,
          entry: entry
      };

  // ---- S2 ------------------------------------------------------------------------------------------------------------------------

  logic s2_valid_q, s2_new_q, accept_q;
  xlt_req_t s2_req_q;
  again_t s2_again_q;
  found_t s2_found_q;
  inval_t inval_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s1_valid_q <= 1'b0;
      s2_valid_q <= 1'b0;
      accept_q   <= 1'b0;
    end else begin
      s1_valid_q <= s0_valid_i && enable_i;
      s2_valid_q <= s1_valid_q && enable_i;
      accept_q   <= accept_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (accept_i) inval_q <= inval_i;
    if (s0_valid_i) begin
      s1_req_q   <= s0_req_i;
      s1_new_q   <= s0_new_i;
      s1_again_q <= s0_again_i;
    end
    if (s1_valid_q) begin
      s2_req_q   <= s1_req_q;
      s2_new_q   <= s1_new_q;
      s2_again_q <= s1_again_q;
      s2_found_q <= found;
    end
  end

  // The caches answered a cycle ago; an invalidation may have been accepted since. A slot knows for itself.
  always_comb begin
    s2_found_o = s2_found_q;
    if (accept_q) begin
      if (!s2_again_q.answered && inval_q.whole && inval_q.key == index_of(s2_req_q.key) && mutant_i != HMUT_KEY_KEPT) begin
        s2_found_o.known = 1'b0;
      end
      if (covers(inval_q, span_of(s2_found_q.entry.tag), mutant_i)) s2_found_o.hit = 1'b0;
    end
  end

  assign s2_valid_o = s2_valid_q;
  assign s2_new_o = s2_new_q;
  assign s2_req_o = s2_req_q;
  assign s2_again_o = s2_again_q;
  assign busy_o = s1_valid_q || s2_valid_q || cache_active;

endmodule
