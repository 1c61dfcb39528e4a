// The translation cache: set-associative, by 4 KiB page, with the leaf each page comes from.
//
// Promises: a probe each cycle, answered the cycle after (S1) whatever fills, sweeps and invalidations do. From the cycle after
//   acceptance S1 finds no entry that an invalidation covers, by any page of its leaf (SD-1, SD-5). A fill replaces the entry of
//   the same page (SD-7). Fills and the sweep share a port; fills leave every other cycle to the sweep.
// Needs: s1_* of the caller name the probe of the cycle before; drop_i in the cycle after fill_valid_i says that the fill is void.
// Costs: two copies of the tags, one of the data, a valid bit an entry, three bits of pseudo-LRU a set.

module hca_xlt_cache
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
#(
  parameter  int unsigned Entries = MTT_ENTRIES,
  parameter  int unsigned Ways    = MTT_WAYS,
  localparam int unsigned Sets    = Entries / Ways,
  localparam int unsigned IdxW    = $clog2(Sets),
  localparam int unsigned WayW    = $clog2(Ways)
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic            enable_i,
  input  logic [7:0]      mutant_i,

  input  logic            s0_valid_i,
  input  logic [IdxW-1:0] s0_set_key_i,  // low bits of key and page
  input  logic [IdxW-1:0] s0_set_vpn_i,
  input  logic            s1_valid_i,
  input  keyidx_t         s1_key_i,
  input  vpn_t            s1_vpn_i,
  output logic            s1_hit_o,
  output entry_t          s1_entry_o,

  output logic            fill_ready_o,
  input  logic            fill_valid_i,
  input  entry_t          fill_i,
  output logic            fill_decide_o,  // the fill of the cycle before enters now, or drop_i
  output entry_t          fill_entry_o,
  input  logic            drop_i,

  output logic            inval_ready_o,
  input  logic            accept_i,
  input  inval_t          inval_i,

  output logic [Ways-1:0] kill_o,         // left by an invalidation
  output tag_t [Ways-1:0] kill_tag_o,
  output logic            active_o
);

  if (Ways < 2 || (Ways & (Ways - 1)) != 0 || (Sets & (Sets - 1)) != 0 || Sets * Ways != Entries || Sets < 2) begin : g_check
    $error("hca_xlt_cache: Ways and Entries / Ways must be powers of two, at least 2");
  end

  typedef logic [IdxW-1:0] idx_t;
  typedef logic [WayW-1:0] way_t;
  typedef logic [Ways-1:0] ways_t;

  function automatic idx_t set_of(input idx_t key, input idx_t vpn, input logic [7:0] mutant);
    return vpn ^ (mutant == HMUT_KEY_IGNORED ? '0 : key);
  endfunction

  ways_t valid_q[Sets];
  logic [Ways-2:0] plru_q[Sets];

  logic wr_en;
  way_t wr_way;
  entry_t f1_entry_q;
  idx_t f1_idx_q;

  // ---- look-ups -----------------------------------------------------------------------------------------------------------------

  entry_t [Ways-1:0] s1_ways;
  ways_t s1_match;
  idx_t s1_idx;
  way_t s1_way;
  logic s1_dead;
  logic [Ways-2:0] s1_plru;
  assign s1_idx = set_of(idx_t'(s1_key_i), idx_t'(s1_vpn_i), mutant_i);

  for (genvar w = 0; w < int'(Ways); w++) begin : g_way
    ram_1r1w_fwd #(
      .Width($bits(entry_t)),
      .Depth(Sets)
    ) u_ram (
      .clk_i,
      .we_i   (wr_en && wr_way == way_t'(w)),
      .waddr_i(f1_idx_q),
      .wdata_i(f1_entry_q),
      .re_i   (s0_valid_i),
      .raddr_i(set_of(s0_set_key_i, s0_set_vpn_i, mutant_i)),
      .rdata_o(s1_ways[w])
    );
  end

  always_comb begin
    s1_match = '0;
    s1_way = '0;
    if (s1_valid_i) begin
      for (int unsigned w = 0; w < Ways; w++) begin
        s1_match[w] = valid_q[s1_idx][w] && s1_ways[w].tag.vpn == s1_vpn_i &&
                      (s1_ways[w].tag.key == s1_key_i || mutant_i == HMUT_KEY_IGNORED);
        if (s1_match[w]) s1_way = way_t'(w);
      end
    end
  end

  assign s1_entry_o = s1_ways[s1_way];
  assign s1_hit_o = s1_match != '0 && !s1_dead;

  logic [WayW-1:0] unused_victim;
  plru_tree #(
    .Ways(Ways)
  ) u_s1_plru (
    .state_i (plru_q[s1_idx]),
    .touch_i (s1_way),
    .state_o (s1_plru),
    .victim_o(unused_victim)
  );

  // ---- fills and the sweep --------------------------------------------------------------------------------------------------------

  logic m0_read, m0_sweep, f1_valid_q, f1_fill_q, slots_active, commit;
  idx_t m0_idx, sweep_idx_q;
  tag_t [Ways-1:0] m1_tag;
  ways_t m1_cover, m1_same, m1_kill;
  logic [Ways-2:0] fill_plru;
  way_t fill_victim;

  assign m0_sweep = slots_active && !fill_valid_i;
  assign m0_read = fill_valid_i || slots_active;
  assign m0_idx = fill_valid_i ? set_of(idx_t'(fill_i.tag.key), idx_t'(fill_i.tag.vpn), mutant_i) : sweep_idx_q;
  assign fill_ready_o = !(slots_active && f1_fill_q);

  for (genvar w = 0; w < int'(Ways); w++) begin : g_tag
    ram_1r1w_fwd #(
      .Width($bits(tag_t)),
      .Depth(Sets)
    ) u_ram (
      .clk_i,
      .we_i   (wr_en && wr_way == way_t'(w)),
      .waddr_i(f1_idx_q),
      .wdata_i(f1_entry_q.tag),
      .re_i   (m0_read),
      .raddr_i(m0_idx),
      .rdata_o(m1_tag[w])
    );
  end

  assign commit = f1_fill_q && !drop_i;
  always_comb begin
    m1_same = '0;
    for (int unsigned w = 0; w < Ways; w++) begin
      m1_same[w] = commit && valid_q[f1_idx_q][w] && m1_tag[w].key == f1_entry_q.tag.key && m1_tag[w].vpn == f1_entry_q.tag.vpn;
    end
  end

  hca_xlt_inval #(
    .Sets(Sets),
    .Ways(Ways)
  ) u_inval (
    .clk_i,
    .rst_ni,
    .enable_i,
    .mutant_i,
    .free_o       (inval_ready_o),
    .accept_i,
    .inval_i,
    .step_i       (f1_valid_q && (!f1_fill_q || commit)),
    .sweep_i      (f1_valid_q && !f1_fill_q),
    .set_i        (f1_idx_q),
    .way_valid_i  (valid_q[f1_idx_q]),
    .way_tag_i    (m1_tag),
    .cover_o      (m1_cover),
    .probe_valid_i(s1_match != '0),
    .probe_set_i  (s1_idx),
    .probe_tag_i  (s1_entry_o.tag),
    .probe_dead_o (s1_dead),
    .active_o     (slots_active)
  );

  assign m1_kill = m1_cover | m1_same;
  assign wr_en = commit;
  always_comb begin
    wr_way = fill_victim;
    for (int w = int'(Ways) - 1; w >= 0; w--) begin
      if (!valid_q[f1_idx_q][w] || m1_kill[w]) wr_way = way_t'(w);
    end
  end

  plru_tree #(
    .Ways(Ways)
  ) u_fill_plru (
    .state_i (plru_q[f1_idx_q]),
    .touch_i (wr_way),
    .state_o (fill_plru),
    .victim_o(fill_victim)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      f1_valid_q  <= 1'b0;
      f1_fill_q   <= 1'b0;
      sweep_idx_q <= '0;
      for (int i = 0; i < int'(Sets); i++) begin
        valid_q[i] <= '0;
        plru_q[i]  <= '0;
      end
    end else if (!enable_i) begin
      f1_valid_q <= 1'b0;
      f1_fill_q  <= 1'b0;
      for (int i = 0; i < int'(Sets); i++) valid_q[i] <= '0;
    end else begin
      f1_valid_q <= m0_read;
      f1_fill_q  <= fill_valid_i;
      if (m0_sweep) sweep_idx_q <= sweep_idx_q + 1'b1;
      if (m1_kill != '0 || commit) begin
        valid_q[f1_idx_q] <= (valid_q[f1_idx_q] & ~m1_kill) | (commit ? ways_t'(1) << wr_way : '0);
      end
      if (s1_hit_o) plru_q[s1_idx] <= s1_plru;
      if (commit) plru_q[f1_idx_q] <= fill_plru;
    end
  end

  always_ff @(posedge clk_i) begin
    if (m0_read) f1_idx_q <= m0_idx;
    if (fill_valid_i) f1_entry_q <= fill_i;
  end

  assign fill_decide_o = f1_fill_q;
  assign fill_entry_o = f1_entry_q;
  assign kill_o = m1_cover;
  assign kill_tag_o = m1_tag;
  assign active_o = f1_valid_q || slots_active;

endmodule
