// The external TLB: lookups at one a cycle, drop-ins, and a shootdown port.
//
// Promises:
//   Lookups of contexts with at most two page sizes are accepted every cycle; each further pair of sizes holds the port one cycle. The
//   answer comes two cycles after acceptance (one more a further pair), in order, whatever shootdowns and drop-ins do (SD-4).
//   From the cycle after a shootdown is accepted no lookup in the hit stage hits an entry it covers, for any range, scope and page
//   size (SD-1, SD-5, SD-6); shoot_done_o follows when the accesses in flight that used a covered translation are over (SD-2).
//   A drop-in whose miss precedes a covering shootdown is dropped (SD-3). A drop-in replaces what it overlaps (SD-7). A shootdown
//   waits for a slot at most one sweep, which takes Sets cycles, twice as many while drop-ins come without pause (SD-8).
//   A write that hits a clean entry misses with mod set.
// Needs: one access a control block; one use_done for every hit, not before its answer; a shootdown handle is not reused before its
//   shoot_done_o; drop-ins only of page sizes that the context's lookups probe; no back-pressure on answers.
// Costs: three copies of the tags, two of the data; see the parts. mutant_i is 0 in the product.
//
// Parts: gru_tlb_lookup the pipeline · gru_tlb_fill the drop-in's way in and the log · gru_tlb_slots what is dead and not yet swept ·
//   gru_tlb_drain accesses in flight. Here: valid bits, pseudo-LRU state, and the port that drop-ins and the sweep share.

module gru_tlb
  import gru_pkg::*;
  import gru_int_pkg::*;
#(
  parameter int unsigned Entries    = 512,
  parameter int unsigned Ways       = 4,
  parameter int unsigned ShootSlots = 8,
  parameter int unsigned LogDepth   = 64
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic         [7:0] mutant_i,

  input  logic               lkp_valid_i,
  output logic               lkp_ready_o,
  input  tlb_req_t           lkp_i,
  output logic               rsp_valid_o,
  output tlb_rsp_t           rsp_o,
  input  logic         [1:0] use_done_valid_i,
  input  cbr_t         [1:0] use_done_cbr_i,

  input  logic               fill_valid_i,
  output logic               fill_ready_o,
  input  tlb_fill_t          fill_i,
  output logic               fill_done_o,
  output cbr_t               fill_done_cbr_o,
  output logic               fill_dropped_o,

  input  logic               shoot_valid_i,
  output logic               shoot_ready_o,
  input  tlb_shoot_t         shoot_i,
  output logic [NUM_TGH-1:0] shoot_done_o,

  output logic               idle_o,
  output obs_tlb_t           obs_o
);

  localparam int unsigned Sets = Entries / Ways;
  localparam int unsigned IdxW = $clog2(Sets);
  localparam int unsigned WayW = $clog2(Ways);
  localparam int unsigned FillSlots = 4;

  if (Ways < 2 || Ways > 4 || (Ways & (Ways - 1)) != 0) begin : g_check_ways
    $error("gru_tlb: Ways must be 2 or 4");
  end
  if ((Sets & (Sets - 1)) != 0 || Sets * Ways != Entries || Sets < 2 || IdxW + WayW > INDEXWAY_WIDTH) begin : g_check_sets
    $error("gru_tlb: Entries / Ways must be a power of two, at least 2, and indexway must hold set and way");
  end

  typedef logic [IdxW-1:0] idx_t;
  typedef logic [WayW-1:0] way_t;
  typedef logic [Ways-1:0] ways_t;

  // ---- lookups ----------------------------------------------------------------------------------------------------------------

  logic wr_en, slots_active;
  idx_t wr_idx;
  way_t wr_way;
  tlb_tag_t wr_tag;
  tlb_data_t wr_data;

  ways_t valid_q[Sets];
  logic [Ways-2:0] plru_q[Sets];

  // Stage 1 of the pipeline.
  logic s1_valid, s1_sel, s1_hit, s1_miss;
  tlb_req_t s1_req;
  idx_t [1:0] s1_idx;
  ways_t [1:0] s1_ways;
  logic [1:0] s1_match, s1_dead;
  way_t [1:0] s1_way;
  tlb_page_t [1:0] s1_page;
  idx_t s1_use_idx;
  logic [Ways-2:0] s1_plru;

  logic unused_watched;
  assign unused_watched = ^{s1_req, s1_ways, s1_way};  // whole for the assertions

  gru_tlb_lookup #(
    .Sets(Sets),
    .Ways(Ways)
  ) u_lookup (
    .clk_i,
    .rst_ni,
    .mutant_i,
    .hold_i     (mutant_i == MUT_SWEEP_STALLS && slots_active),
    .lkp_valid_i,
    .lkp_ready_o,
    .lkp_i,
    .rsp_valid_o,
    .rsp_o,
    .wr_en_i    (wr_en),
    .wr_idx_i   (wr_idx),
    .wr_way_i   (wr_way),
    .wr_tag_i   (wr_tag),
    .wr_data_i  (wr_data),
    .valid_o    (s1_valid),
    .req_o      (s1_req),
    .idx_o      (s1_idx),
    .set_valid_i({valid_q[s1_idx[1]], valid_q[s1_idx[0]]}),
    .ways_o     (s1_ways),
    .match_o    (s1_match),
    .page_o     (s1_page),
    .way_o      (s1_way),
    .dead_i     (s1_dead),
    .sel_o      (s1_sel),
    .hit_o      (s1_hit),
    .miss_o     (s1_miss),
    .use_idx_o  (s1_use_idx),
    .plru_i     (plru_q[s1_use_idx]),
    .plru_o     (s1_plru)
  );

  // ---- drop-ins and the sweep share the third port --------------------------------------------------------------------------

  logic m0_read, m1_byp_q, accept, fill_go, decide, drop, lapped, commit, fill_free, slot_taken;
  logic m1_valid_q, m1_fill_q, m1_sweep_q;
  idx_t m0_idx, m1_idx_q, sweep_idx_q;
  tlb_tag_t wr_tag_q;
  way_t wr_way_q;
  tlb_tag_t [Ways-1:0] m1_tag, m1_tag_ram;
  tlb_page_t [Ways-1:0] m1_page;
  tlb_page_t fill_page;
  tlb_fill_t fill;
  ways_t m1_cover, m1_overlap, m1_kill;
  logic [NumSizes-1:0] sizes_q, fill_size, larger, visit_q, visit_next_q;
  logic other_sizes, other_sizes_q, m1_last_q, visit, visited;
  asid_t visit_asid_q;
  vpn_t visit_vpn_q;

  assign accept = shoot_valid_i && shoot_ready_o;
  // Drop-ins leave at least every other cycle to the sweep, so that a slot is never long in coming: a visit follows a sweep step, and
  // no drop-in follows a visit at once.
  assign visit = visit_q != '0 && (!m1_valid_q || m1_sweep_q);
  assign visited = m1_valid_q && !m1_fill_q && !m1_sweep_q;
  assign m0_read = fill_go || slots_active;
  always_comb begin
    m0_idx = sweep_idx_q;
    if (visit) m0_idx = idx_t'(set_hash(visit_asid_q, visit_vpn_q, lowest_size(visit_q)));
    else if (fill_go) m0_idx = idx_t'(set_hash(fill_page.asid, fill_page.lo, size_of(fill.pagesize)));
  end

  // Entries of other sizes may overlap the page from other sets; they die through a slot. A larger page can be in one set only, so
  // the slot of a drop-in above nothing smaller ends when those few sets are visited; smaller ones take a sweep.
  assign fill_size = NumSizes'(1) << size_of(fill.pagesize);
  assign larger = sizes_q & ~(fill_size | (fill_size - 1'b1));
  assign other_sizes = (sizes_q & ~fill_size) != '0 && mutant_i != MUT_DUP_SIZES;

  gru_tlb_fill #(
    .Depth(LogDepth)
  ) u_fill (
    .clk_i,
    .rst_ni,
    .mutant_i,
    .fill_valid_i,
    .fill_ready_o,
    .fill_i,
    .miss_i       (s1_miss),
    .miss_cbr_i   (s1_req.cbr),
    .accept_i     (accept),
    .shoot_i,
    .ready_to_go_i(visit_q == '0 && !visited && (fill_free || !other_sizes)),
    .go_o         (fill_go),
    .decide_o     (decide),
    .drop_o       (drop),
    .lapped_o     (lapped),
    .fill_o       (fill),
    .page_o       (fill_page)
  );

  for (genvar w = 0; w < Ways; w++) begin : g_way
    ram_1r1w #(
      .Width($bits(tlb_tag_t)),
      .Depth(Sets)
    ) u_ram (
      .clk_i,
      .we_i   (wr_en && wr_way == way_t'(w)),
      .waddr_i(wr_idx),
      .wdata_i(wr_tag),
      .re_i   (m0_read),
      .raddr_i(m0_idx),
      .rdata_o(m1_tag_ram[w])
    );
  end

  // As in the lookup pipeline: a read of the entry being written takes it from a register.
  always_ff @(posedge clk_i) begin
    if (wr_en) begin
      wr_tag_q <= wr_tag;
      wr_way_q <= wr_way;
    end
    if (m0_read) m1_byp_q <= wr_en && wr_idx == m0_idx;
  end

  assign commit = decide && !drop;
  assign slot_taken = commit && other_sizes_q;

  always_comb begin
    m1_tag = '0;
    m1_page = '0;
    m1_overlap = '0;
    if (m1_valid_q) begin
      for (int w = 0; w < Ways; w++) begin
        m1_tag[w] = (m1_byp_q && wr_way_q == way_t'(w)) ? wr_tag_q : m1_tag_ram[w];
        m1_page[w].asid = m1_tag[w].asid;
        m1_page[w].ctx = m1_tag[w].ctx;
        m1_page[w].lo = m1_tag[w].lo;
        m1_page[w].span = span_of(m1_tag[w].size);
        if (commit && valid_q[m1_idx_q][w] && m1_page[w].asid == fill_page.asid &&
            ((m1_page[w].lo ^ fill_page.lo) & ~(vpn_t'(m1_page[w].span) | vpn_t'(fill_page.span))) == '0) begin
          m1_overlap[w] = mutant_i != MUT_DUP_UPGRADE;
        end
      end
    end
  end

  gru_tlb_slots #(
    .Sets      (Sets),
    .Ways      (Ways),
    .ShootSlots(ShootSlots),
    .FillSlots (FillSlots)
  ) u_slots (
    .clk_i,
    .rst_ni,
    .mutant_i,
    .shoot_free_o (shoot_ready_o),
    .accept_i     (accept),
    .shoot_i,
    .fill_free_o  (fill_free),
    .fill_i       (slot_taken),
    .fill_page_i  (fill_page),
    .fill_end_i   (m1_last_q),
    .step_i       (m1_valid_q && (!m1_fill_q || commit)),
    .sweep_i      (m1_sweep_q),
    .set_i        (m1_idx_q),
    .way_valid_i  (valid_q[m1_idx_q]),
    .way_page_i   (m1_page),
    .cover_o      (m1_cover),
    .probe_valid_i(s1_match),
    .probe_set_i  (s1_idx),
    .probe_page_i (s1_page),
    .probe_dead_o (s1_dead),
    .active_o     (slots_active)
  );

  assign m1_kill = (mutant_i == MUT_FILL_HIDES && m1_fill_q ? '0 : m1_cover) | m1_overlap;

  function automatic way_t place(input ways_t used, input way_t victim);
    place = victim;
    for (int w = Ways - 1; w >= 0; w--) begin
      if (!used[w]) place = way_t'(w);
    end
  endfunction

  way_t fill_victim;
  logic [Ways-2:0] fill_plru;
  plru_tree #(
    .Ways(Ways)
  ) u_fill_plru (
    .state_i (plru_q[m1_idx_q]),
    .touch_i (wr_way),
    .state_o (fill_plru),
    .victim_o(fill_victim)
  );

  assign wr_en = commit;
  assign wr_idx = m1_idx_q;
  assign wr_way = place(valid_q[m1_idx_q] & ~m1_kill, fill_victim);
  assign wr_tag = '{asid: fill.asid, ctx: fill.ctx, lo: fill_page.lo, size: size_of(fill.pagesize)};
  assign wr_data = '{pfn: fill.pfn, gaa: fill.gaa, dirty: fill.dirty};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      m1_valid_q  <= 1'b0;
      m1_fill_q   <= 1'b0;
      m1_sweep_q  <= 1'b0;
      m1_last_q   <= 1'b0;
      visit_q     <= '0;
      sweep_idx_q <= '0;
      sizes_q     <= '0;
      fill_done_o <= 1'b0;
      for (int i = 0; i < Sets; i++) begin
        valid_q[i] <= '0;
        plru_q[i]  <= '0;
      end
    end else begin
      m1_valid_q  <= m0_read;
      m1_fill_q   <= fill_go;
      m1_sweep_q  <= m0_read && !fill_go && !visit;
      m1_last_q   <= visit && (visit_q & (visit_q - 1'b1)) == '0;
      if (slot_taken) visit_q <= visit_next_q;
      else if (visit) visit_q <= visit_q & (visit_q - 1'b1);
      fill_done_o <= decide;
      if (m0_read && !fill_go && !visit) sweep_idx_q <= sweep_idx_q + 1'b1;
      if (accept && shoot_i.scope == SCOPE_CTX && (&shoot_i.ctxbitmap)) sizes_q <= '0;
      else if (commit) sizes_q <= sizes_q | fill_size;
      if (m1_kill != '0 || commit) begin
        valid_q[m1_idx_q] <= (valid_q[m1_idx_q] & ~m1_kill) | (commit ? ways_t'(1) << wr_way : '0);
      end
      if (s1_hit) plru_q[s1_use_idx] <= s1_plru;
      if (commit) plru_q[m1_idx_q] <= fill_plru;
    end
  end

  always_ff @(posedge clk_i) begin
    if (m0_read) m1_idx_q <= m0_idx;
    if (fill_go) begin
      other_sizes_q <= other_sizes;
      visit_next_q  <= (sizes_q & (fill_size - 1'b1)) == '0 ? larger : '0;
    end
    if (slot_taken) begin
      visit_asid_q <= fill_page.asid;
      visit_vpn_q  <= fill_page.lo;
    end
    if (decide) begin
      fill_done_cbr_o <= fill.cbr;
      fill_dropped_o  <= drop && mutant_i != MUT_WRONG_REPORT;
    end
  end

  // ---- drain ----------------------------------------------------------------------------------------------------------------

  logic drain_busy;
  gru_tlb_drain u_drain (
    .clk_i,
    .rst_ni,
    .mutant_i,
    .hit_valid_i(s1_hit),
    .hit_cbr_i  (s1_req.cbr),
    .hit_ctx_i  (s1_req.ctx),
    .hit_page_i (s1_page[s1_sel]),
    .use_done_valid_i,
    .use_done_cbr_i,
    .accept_i   (accept),
    .shoot_i,
    .shoot_done_o,
    .busy_o     (drain_busy)
  );

  assign idle_o = !(s1_valid || rsp_valid_o || !fill_ready_o || fill_done_o || m1_valid_q || slots_active || drain_busy);

  // ---- what a monitor sees --------------------------------------------------------------------------------------------------

  always_comb begin
    obs_o = '0;
    obs_o.lkp_valid = lkp_valid_i && lkp_ready_o;
    obs_o.lkp_cbr = lkp_i.cbr;
    obs_o.rsp_valid = rsp_valid_o;
    obs_o.rsp = rsp_o;
    obs_o.fill_valid = decide;
    obs_o.fill_dropped = drop;
    obs_o.fill_lapped = lapped;
    obs_o.fill = fill;
    obs_o.shoot_accept = accept;
    obs_o.shoot = shoot_i;
    obs_o.shoot_done = shoot_done_o;
    if (m1_kill != '0) begin
      for (int w = 0; w < Ways; w++) begin
        obs_o.kill[w].valid = m1_kill[w];
        obs_o.kill[w].va = {m1_tag[w].lo, PAGE_SHIFT'(0)};
        obs_o.kill[w].asid = m1_tag[w].asid;
        obs_o.kill[w].pagesize = psize_t'(m1_tag[w].size);
      end
    end
  end

endmodule
