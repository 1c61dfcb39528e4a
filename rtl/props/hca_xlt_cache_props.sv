// What the translation cache promises, checked beside it. Bound to hca_xlt_cache; no logic depends on it.
//
// Promises: as hca_xlt_props: named after the rules, own books (the birth of every entry, from the place of the write), own arithmetic.
// Needs: a history of History invalidations to be enough: an entry is gone from the arrays long before that many more are accepted.
// Costs: simulation time in cycles with hits of entries older than an invalidation.

module hca_xlt_cache_props
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
#(
  parameter  int unsigned Entries = MTT_ENTRIES,
  parameter  int unsigned Ways    = MTT_WAYS,
  localparam int unsigned Sets    = Entries / Ways
) (
  input logic                    clk_i,
  input logic                    rst_ni,
  input logic                    enable_i,
  input logic                    s1_valid_i,
  input keyidx_t                 s1_key_i,
  input vpn_t                    s1_vpn_i,
  input logic                    s1_hit_o,
  input entry_t                  s1_entry_o,
  input logic                    accept_i,
  input inval_t                  inval_i,
  // Inside.
  input logic [$clog2(Sets)-1:0] s1_idx,
  input logic [$clog2(Ways)-1:0] s1_way,
  input logic [Ways-1:0]         s1_match,
  input logic                    wr_en,
  input logic [$clog2(Sets)-1:0] f1_idx_q,
  input logic [$clog2(Ways)-1:0] wr_way
);

  localparam int unsigned History = 16;  // invalidations an entry can outlive in the arrays: more than there are slots
  typedef logic [31:0] serial_t;

  inval_t history_q[History];
  serial_t count_q;
  serial_t sound_q[Sets][Ways];  // no invalidation with a lower number concerns the entry

  function automatic logic concerns(input inval_t inval, input tag_t tag);
    automatic vpn_t pages = vpn_t'(1) << (TABLE_BITS * 32'(tag.level));
    automatic vpn_t first = tag.vpn - (vpn_t'(tag.off) % pages);
    if (inval.key != tag.key) return 1'b0;
    if (inval.whole) return 1'b1;
    return inval.first <= first ? inval.last >= first : inval.first - first < pages;
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) count_q <= '0;
    else if (accept_i) count_q <= count_q + 1;
  end
  always_ff @(posedge clk_i) begin
    if (accept_i) history_q[count_q[$clog2(History)-1:0]] <= inval_i;
    if (s1_hit_o) sound_q[s1_idx][s1_way] <= count_q;  // checked below; not checked again
    if (wr_en) sound_q[f1_idx_q][wr_way] <= count_q + serial_t'(accept_i);
  end

  logic stale_q, stale_large_q, stale_edge_q, stale_late_q, live_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {stale_q, stale_large_q, stale_edge_q, stale_late_q, live_q} <= '0;
    end else begin
      automatic serial_t age = count_q - sound_q[s1_idx][s1_way];
      live_q <= enable_i;
      {stale_q, stale_large_q, stale_edge_q, stale_late_q} <= '0;
      if (s1_hit_o && age != '0) begin
        // verilator unroll_disable
        for (int unsigned k = 1; k <= History; k++) begin
          automatic serial_t serial = count_q - serial_t'(k);
          automatic inval_t inval = history_q[serial[$clog2(History)-1:0]];
          if (serial_t'(k) <= age && concerns(inval, s1_entry_o.tag)) begin
            stale_q <= 1'b1;
            if (k > 1) stale_late_q <= 1'b1;
            if (s1_entry_o.tag.level != '0 && !inval.whole) stale_large_q <= 1'b1;
            if (inval.whole || inval.first == '0 || inval.last == '1) stale_edge_q <= 1'b1;
          end
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (live_q) begin
      sd_1_no_hit_after_invalidation: assert (!stale_late_q) else $error("hit of an entry invalidated long ago");
      sd_5_every_page_size: assert (!stale_large_q) else $error("a large translation outlives a range that overlaps it");
      sd_6_scope_is_explicit: assert (!stale_edge_q) else $error("page 0, the last page or a whole key not covered");
      sd_8_dead_at_once: assert (!stale_q) else $error("hit of a covered entry in a cycle after acceptance");
      sd_7_one_match: assert ($countones(s1_match) <= 1) else $error("two entries match one look-up");
      hit_is_the_entry: assert (!s1_hit_o || (s1_valid_i && s1_entry_o.tag.key == s1_key_i && s1_entry_o.tag.vpn == s1_vpn_i))
        else $error("hit of another page's or key's entry");
    end
  end

endmodule

bind hca_xlt_cache hca_xlt_cache_props #(
  .Entries(Entries),
  .Ways   (Ways)
) u_props (
  .*
);
