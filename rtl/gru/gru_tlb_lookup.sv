// The lookup pipeline of the TLB: which sets (stage 0, as the request comes), hit or miss (stage 1), answer (registered).
//
// Promises: a request is accepted every cycle unless the one before has more than two page sizes to probe; its answer follows two
//   cycles after acceptance, one more for each further pair of sizes. A lookup in stage 1 sees every drop-in written and every
//   shootdown accepted in an earlier cycle, and none of its own cycle.
// Needs: the valid bits and the pseudo-LRU state of the sets named in stage 1, and of each probe that matches whether a shootdown
//   covers it (dead_i), in the same cycle; writes of the arrays on wr_*.
// Costs: two copies of tags and data, one a probe.

module gru_tlb_lookup
  import gru_pkg::*;
  import gru_int_pkg::*;
#(
  parameter  int unsigned Sets = 128,
  parameter  int unsigned Ways = 4,
  localparam int unsigned IdxW = $clog2(Sets),
  localparam int unsigned WayW = $clog2(Ways)
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,
  input  logic           [     7:0] mutant_i,

  input  logic                      hold_i,        // take no request (broken variant)
  input  logic                      lkp_valid_i,
  output logic                      lkp_ready_o,
  input  tlb_req_t                  lkp_i,
  output logic                      rsp_valid_o,
  output tlb_rsp_t                  rsp_o,

  // An entry is written.
  input  logic                      wr_en_i,
  input  logic           [IdxW-1:0] wr_idx_i,
  input  logic           [WayW-1:0] wr_way_i,
  input  tlb_tag_t                  wr_tag_i,
  input  tlb_data_t                 wr_data_i,

  // Stage 1.
  output logic                      valid_o,       // something is in it
  output tlb_req_t                  req_o,
  output logic      [1:0][IdxW-1:0] idx_o,         // sets of the two probes
  input  logic      [1:0][Ways-1:0] set_valid_i,   // their valid bits
  output logic      [1:0][Ways-1:0] ways_o,        // which ways match
  output logic           [     1:0] match_o,
  output tlb_page_t      [     1:0] page_o,
  output logic      [1:0][WayW-1:0] way_o,
  input  logic           [     1:0] dead_i,
  output logic                      sel_o,         // the probe that hits
  output logic                      hit_o,
  output logic                      miss_o,
  output logic           [IdxW-1:0] use_idx_o,     // set whose pseudo-LRU state is
  input  logic           [Ways-2:0] plru_i,        // this,
  output logic           [Ways-2:0] plru_o         // and after a hit becomes that
);

  typedef logic [IdxW-1:0] idx_t;
  typedef logic [WayW-1:0] way_t;

  // ---- stage 0: which sets ------------------------------------------------------------------------------------------------

  logic s1_valid_q, s1_found, s1_more;
  tlb_req_t s1_req_q, s0_req;
  logic [NumSizes-1:0] s1_rest_q, s0_sizes, s0_rest;
  logic s0_read;
  size_t [1:0] s0_size, s1_size_q;
  logic [1:0] s0_probe, s1_probe_q;
  idx_t [1:0] s0_idx, s1_idx_q;

  assign s1_more = s1_valid_q && s1_rest_q != '0;
  assign lkp_ready_o = !s1_more && !hold_i;
  assign s0_req = s1_more ? s1_req_q : lkp_i;
  assign s0_sizes = s1_more ? s1_rest_q : lkp_i.sizes;
  assign s0_read = s1_more || (lkp_valid_i && !hold_i);
  assign s0_rest = s0_sizes & (s0_sizes - 1'b1);

  always_comb begin
    s0_size = '0;
    s0_idx = '0;
    s0_probe = '0;
    if (s0_read) begin
      s0_probe = {s0_rest != '0, s0_sizes != '0};
      s0_size[0] = lowest_size(s0_sizes);
      s0_size[1] = lowest_size(s0_rest);
      for (int p = 0; p < 2; p++) begin
        s0_idx[p] = idx_t'(set_hash(s0_req.asid, s0_req.va[VA_WIDTH-1:PAGE_SHIFT], s0_size[p]));
      end
    end
  end

  // ---- the arrays -------------------------------------------------------------------------------------------------------

  tlb_tag_t [1:0][Ways-1:0] s1_tag_ram;
  tlb_data_t [1:0][Ways-1:0] s1_data_ram;

  for (genvar w = 0; w < Ways; w++) begin : g_way
    for (genvar p = 0; p < 2; p++) begin : g_probe
      ram_1r1w #(
        .Width($bits(tlb_tag_t) + $bits(tlb_data_t)),
        .Depth(Sets)
      ) u_ram (
        .clk_i,
        .we_i   (wr_en_i && wr_way_i == way_t'(w)),
        .waddr_i(wr_idx_i),
        .wdata_i({wr_tag_i, wr_data_i}),
        .re_i   (s0_read && s0_probe[p]),
        .raddr_i(s0_idx[p]),
        .rdata_o({s1_tag_ram[p][w], s1_data_ram[p][w]})
      );
    end
  end

  // The arrays answer a read of the set being written with the old entry: note it and take the new one from the write register.
  logic [1:0] s1_byp_q;
  tlb_tag_t wr_tag_q;
  tlb_data_t wr_data_q;
  way_t wr_way_q;

  always_ff @(posedge clk_i) begin
    if (wr_en_i) begin
      wr_tag_q  <= wr_tag_i;
      wr_data_q <= wr_data_i;
      wr_way_q  <= wr_way_i;
    end
    if (s0_read) begin
      for (int p = 0; p < 2; p++) s1_byp_q[p] <= wr_en_i && wr_idx_i == s0_idx[p] && mutant_i != MUT_NO_BYPASS;
    end
  end

  // ---- stage 1: hit -------------------------------------------------------------------------------------------------------

  tlb_data_t [1:0] s1_data;
  logic s1_last, s1_mod;

  always_comb begin
    ways_o = '0;
    way_o = '0;
    page_o = '0;
    s1_data = '0;
    if (s1_valid_q) begin
      for (int p = 0; p < 2; p++) begin
        page_o[p].asid = s1_req_q.asid;
        page_o[p].span = span_of(s1_size_q[p]);
        page_o[p].lo = s1_req_q.va[VA_WIDTH-1:PAGE_SHIFT] & ~vpn_t'(page_o[p].span);
        for (int w = 0; w < Ways; w++) begin
          automatic logic byp = s1_byp_q[p] && wr_way_q == way_t'(w);
          automatic tlb_tag_t tag = byp ? wr_tag_q : s1_tag_ram[p][w];
          if (s1_probe_q[p] && set_valid_i[p][w] && tag.lo == page_o[p].lo && tag.size == s1_size_q[p] &&
              (tag.asid == s1_req_q.asid || mutant_i == MUT_ASID_IGNORED)) begin
            ways_o[p][w] = 1'b1;
            way_o[p] = way_t'(w);
            page_o[p].ctx = tag.ctx;
            s1_data[p] = byp ? wr_data_q : s1_data_ram[p][w];
          end
        end
      end
    end
  end

  assign match_o = {ways_o[1] != '0, ways_o[0] != '0};

  // One live match at most (SD-7); a dead one of another size may stand beside it.
  assign s1_found = (match_o & ~dead_i) != '0;
  assign sel_o = !(match_o[0] && !dead_i[0]);
  assign s1_last = s1_valid_q && (s1_found || s1_rest_q == '0);
  assign s1_mod = s1_found && s1_req_q.write && !s1_data[sel_o].dirty && mutant_i != MUT_MOD_LOST;
  assign hit_o = s1_found && !s1_mod;
  assign miss_o = s1_last && !hit_o;

  // Where a drop-in would go: a hint for software, decided again when it comes.
  way_t hint_victim, hint_way;
  plru_tree #(
    .Ways(Ways)
  ) u_plru (
    .state_i (plru_i),
    .touch_i (way_o[sel_o]),
    .state_o (plru_o),
    .victim_o(hint_victim)
  );
  assign use_idx_o = s1_idx_q[hit_o && sel_o];
  always_comb begin
    hint_way = hint_victim;
    for (int w = Ways - 1; w >= 0; w--) begin
      if (!set_valid_i[0][w]) hint_way = way_t'(w);
    end
  end

  assign valid_o = s1_valid_q;
  assign req_o = s1_req_q;
  assign idx_o = s1_idx_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s1_valid_q  <= 1'b0;
      rsp_valid_o <= 1'b0;
    end else begin
      s1_valid_q  <= s1_more ? !s1_found : (lkp_valid_i && lkp_ready_o);
      rsp_valid_o <= s1_last && !(s1_mod && mutant_i == MUT_LOST_ANSWER);
    end
  end

  always_ff @(posedge clk_i) begin
    if (s0_read) begin
      s1_req_q   <= s0_req;
      s1_rest_q  <= s0_rest & (s0_rest - 1'b1);
      s1_size_q  <= s0_size;
      s1_probe_q <= s0_probe;
      s1_idx_q   <= s0_idx;
    end
    if (s1_last) begin
      rsp_o.cbr      <= s1_req_q.cbr;
      rsp_o.hit      <= hit_o;
      rsp_o.mod      <= s1_mod;
      rsp_o.pa       <= {
        (s1_data[sel_o].pfn & ~pfn_t'(page_o[sel_o].span)) |
        (pfn_t'(s1_req_q.va[PAGE_SHIFT+:SpanW]) & (mutant_i == MUT_PAGE_OFFSET ? '0 : pfn_t'(page_o[sel_o].span))),
        s1_req_q.va[PAGE_SHIFT-1:0]
      };
      rsp_o.gaa      <= s1_data[sel_o].gaa;
      rsp_o.pagesize <= psize_t'(s1_size_q[sel_o]);
      rsp_o.indexway <= INDEXWAY_WIDTH'({s1_idx_q[0], hint_way});
    end
  end

endmodule
