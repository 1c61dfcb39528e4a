// What the TLB promises, checked beside it. Bound to gru_tlb; no logic depends on it.
//
// Promises: every assertion is named after the rule it keeps (SD-n of the design) and fails in a test for some mutant_i. Checks keep
//   their own books: every entry's birth, every access in flight and every shootdown are recorded here from the ports and from
//   the place of the write; covering is computed with this file's own arithmetic.
// Needs: a history of History shootdowns to be enough: an entry is gone from the arrays long before that many more are accepted.
// Costs: simulation time only in cycles with hits of entries older than a shootdown, acceptances, and decisions of drop-ins.

module gru_tlb_props
  import gru_pkg::*;
  import gru_int_pkg::*;
#(
  parameter  int unsigned Entries  = 512,
  parameter  int unsigned Ways     = 4,
  parameter  int unsigned LogDepth = 64,
  localparam int unsigned Sets     = Entries / Ways,
  localparam int unsigned IdxW     = $clog2(Sets),
  localparam int unsigned WayW     = $clog2(Ways)
) (
  input logic                       clk_i,
  input logic                       rst_ni,
  input logic                       lkp_valid_i,
  input logic                       lkp_ready_o,
  input tlb_req_t                   lkp_i,
  input logic                       rsp_valid_o,
  input tlb_rsp_t                   rsp_o,
  input logic           [      1:0] use_done_valid_i,
  input cbr_t           [      1:0] use_done_cbr_i,
  input logic                       fill_done_o,
  input logic                       fill_dropped_o,
  input logic                       shoot_valid_i,
  input logic                       shoot_ready_o,
  input tlb_shoot_t                 shoot_i,
  input logic           [NUM_TGH-1:0] shoot_done_o,
  // Inside.
  input logic                       s1_hit,
  input logic                       s1_miss,
  input logic                       s1_sel,
  input tlb_req_t                   s1_req,
  input logic      [1:0][ Ways-1:0] s1_ways,
  input logic           [      1:0] s1_dead,
  input logic      [1:0][ WayW-1:0] s1_way,
  input logic      [1:0][ IdxW-1:0] s1_idx,
  input logic                       wr_en,
  input logic           [ IdxW-1:0] wr_idx,
  input logic           [ WayW-1:0] wr_way,
  input logic                       decide,
  input logic                       drop,
  input tlb_fill_t                  fill
);

  localparam int unsigned Recent = 32;  // shootdowns an entry can outlive in the arrays: more than there are slots
  localparam int unsigned History = LogDepth < Recent ? 2 * Recent : 2 * LogDepth;
  localparam int unsigned HistW = $clog2(History);
  typedef logic [31:0] serial_t;

  typedef struct packed {
    serial_t sound;  // no shootdown with a lower number concerns the entry
    asid_t asid;
    ctx_t ctx;
    vpn_t first;
    vpn_t last;
    psize_t code;
    pfn_t pfn;
    logic dirty;
  } book_t;

  // ---- the books --------------------------------------------------------------------------------------------------------

  function automatic logic covers(input tlb_shoot_t s, input book_t b);
    if (s.scope == SCOPE_CTX) return s.ctxbitmap[b.ctx];
    if (s.asid != b.asid) return 1'b0;
    if (s.scope == SCOPE_ASID) return 1'b1;
    return !((b.first & s.mask) > s.last || (b.last & s.mask) < s.first);
  endfunction

  function automatic book_t book_of(input tlb_fill_t f);
    automatic vpn_t pages = vpn_t'(1) << (page_shift(f.pagesize) - 6'd12);
    book_of = '0;
    book_of.asid = f.asid;
    book_of.ctx = f.ctx;
    book_of.first = f.va[63:12] - (f.va[63:12] % pages);
    book_of.last = book_of.first + (pages - vpn_t'(1));
    book_of.code = f.pagesize > 5'd10 ? 5'd10 : f.pagesize;
    book_of.pfn = f.pfn;
    book_of.dirty = f.dirty;
  endfunction

  book_t book_q[Sets][Ways];
  tlb_shoot_t history_q[History];
  serial_t count_q;
  serial_t missed_q[NUM_CBR];
  logic [NUM_CBR-1:0] flying_q, finished;
  book_t flight_q[NUM_CBR];
  ctx_t flight_ctx_q[NUM_CBR];
  vpn_t flight_vpn_q[NUM_CBR];
  logic [NUM_CBR-1:0] pending_q[NUM_TGH];
  logic [NUM_TGH-1:0] outstanding_q;
  serial_t handle_q[NUM_TGH];
  logic [2:0] late_q[NUM_TGH];

  logic accept, looked_up;
  assign accept = shoot_valid_i && shoot_ready_o;
  assign looked_up = lkp_valid_i && lkp_ready_o;

  book_t hit_book;
  book_t fill_book;
  assign fill_book = book_of(fill);
  assign hit_book = book_q[s1_idx[s1_sel]][s1_way[s1_sel]];

  always_comb begin
    finished = '0;
    for (int i = 0; i < 2; i++) if (use_done_valid_i[i]) finished[use_done_cbr_i[i]] = 1'b1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q       <= '0;
      flying_q      <= '0;
      outstanding_q <= '0;
      for (int i = 0; i < NUM_CBR; i++) missed_q[i] <= '0;
    end else begin
      if (accept) count_q <= count_q + 1;
      if (s1_miss) missed_q[s1_req.cbr] <= count_q;
      if (s1_hit || use_done_valid_i != '0) begin
        flying_q <= flying_q & ~finished;
        if (s1_hit) flying_q[s1_req.cbr] <= 1'b1;
      end
      if (accept || shoot_done_o != '0) begin
        outstanding_q <= outstanding_q & ~shoot_done_o;
        if (accept) outstanding_q[shoot_i.tgh] <= 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (accept) begin
      history_q[count_q[HistW-1:0]] <= shoot_i;
      handle_q[shoot_i.tgh] <= count_q;
    end
    if (s1_hit) book_q[s1_idx[s1_sel]][s1_way[s1_sel]].sound <= count_q;  // checked below; not checked again
    if (wr_en) begin
      book_q[wr_idx][wr_way] <= book_of(fill);
      book_q[wr_idx][wr_way].sound <= count_q + serial_t'(accept);
    end
    if (s1_hit) begin
      flight_q[s1_req.cbr] <= hit_book;
      flight_ctx_q[s1_req.cbr] <= s1_req.ctx;
      flight_vpn_q[s1_req.cbr] <= s1_req.va[63:12];
    end
    if (outstanding_q != '0) begin
      for (int h = 0; h < NUM_TGH; h++) begin
        pending_q[h] <= pending_q[h] & ~finished;
        if (pending_q[h] == '0 && !late_q[h][2]) late_q[h] <= late_q[h] + 3'd1;
      end
    end
    if (accept) begin
      automatic logic [NUM_CBR-1:0] covered = '0;
      late_q[shoot_i.tgh] <= '0;
      // verilator unroll_disable
      for (int i = 0; i < NUM_CBR; i++) begin
        covered[i] = flying_q[i] && !finished[i] &&
            (covers(shoot_i, flight_q[i]) || (shoot_i.scope == SCOPE_CTX && shoot_i.ctxbitmap[flight_ctx_q[i]]));
      end
      if (s1_hit && (covers(shoot_i, hit_book) || (shoot_i.scope == SCOPE_CTX && shoot_i.ctxbitmap[s1_req.ctx]))) begin
        covered[s1_req.cbr] = 1'b1;
      end
      pending_q[shoot_i.tgh] <= covered;
    end
  end

  // ---- SD-1, SD-3, SD-5, SD-6, SD-8: hits and drop-ins of what was shot down -------------------------------------------------

  // Inspected in a clocked process, a cycle after the hit and the decision: cheap to simulate, and one form for the prover.
  logic stale_q, stale_acked_q, stale_large_q, stale_edge_q;
  logic fill_missed_q, fill_lost_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {stale_q, stale_acked_q, stale_large_q, stale_edge_q} <= '0;
      {fill_missed_q, fill_lost_q} <= '0;
    end else begin
      automatic logic stale = 1'b0;
      automatic logic acked = 1'b0;
      automatic logic big = 1'b0;
      automatic logic wide = 1'b0;
      automatic logic covered = 1'b0;
      automatic serial_t age = count_q - hit_book.sound;
      automatic serial_t since = count_q - missed_q[fill.cbr];
      if (s1_hit && age != '0) begin
        // verilator unroll_disable
        for (int unsigned k = 1; k <= Recent; k++) begin
          automatic serial_t serial = count_q - serial_t'(k);
          automatic tlb_shoot_t s = history_q[serial[HistW-1:0]];
          if (serial_t'(k) <= age && covers(s, hit_book)) begin
            stale = 1'b1;
            acked |= !(outstanding_q[s.tgh] && handle_q[s.tgh] == serial);
            big |= s.scope == SCOPE_RANGE && hit_book.code != '0;
            wide |= s.scope != SCOPE_RANGE || s.asid == '0 || s.first == '0 || s.last == '1;
          end
        end
      end
      {stale_q, stale_acked_q, stale_large_q, stale_edge_q} <= {stale, acked, big, wide};
      if (decide) begin
        // verilator unroll_disable
        for (int unsigned k = 1; k <= History; k++) begin
          automatic serial_t serial = count_q - serial_t'(k);
          if (serial_t'(k) <= since && covers(history_q[serial[HistW-1:0]], fill_book)) covered = 1'b1;
        end
        if (accept && covers(shoot_i, fill_book)) covered = 1'b1;
      end
      fill_missed_q <= decide && covered && !drop;
      fill_lost_q   <= decide && !covered && drop && since <= serial_t'(LogDepth);
    end
  end

  // ---- SD-4, SD-8: time ----------------------------------------------------------------------------------------------------

  logic [3:0] pairs_q;  // further cycles the last lookup may hold the port
  logic [1:0] expect_q;  // lookups of at most two sizes in the pipe
  logic [15:0] waited_q;
  logic decided_q, dropped_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      pairs_q   <= '0;
      expect_q  <= '0;
      waited_q  <= '0;
      decided_q <= 1'b0;
      dropped_q <= 1'b0;
    end else begin
      if (looked_up) pairs_q <= 4'(($countones(lkp_i.sizes) + 1) / 2) - 4'(lkp_i.sizes != '0);
      else if (pairs_q != '0) pairs_q <= pairs_q - 4'd1;
      expect_q  <= {expect_q[0], looked_up && $countones(lkp_i.sizes) <= 2};
      waited_q  <= (shoot_valid_i && !shoot_ready_o) ? waited_q + 16'd1 : '0;
      decided_q <= decide;
      dropped_q <= drop;
    end
  end

  pfn_t answer_pfn, answer_offset;
  always_comb begin
    answer_pfn = '0;
    answer_offset = '0;
    if (rsp_valid_o && rsp_o.hit) begin
      answer_offset = pfn_t'(flight_vpn_q[rsp_o.cbr] - flight_q[rsp_o.cbr].first);
      answer_pfn = (flight_q[rsp_o.cbr].pfn & ~pfn_t'(flight_q[rsp_o.cbr].last - flight_q[rsp_o.cbr].first)) + answer_offset;
    end
  end

  logic live_q;  // out of reset
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) live_q <= 1'b0;
    else live_q <= 1'b1;
  end

  // ---- the assertions --------------------------------------------------------------------------------------------------------

  always_ff @(posedge clk_i) begin
    if (live_q) begin
      sd_1_no_hit_after_ack: assert (!stale_acked_q) else $error("hit of an entry whose shootdown is acknowledged");
      sd_5_every_page_size: assert (!stale_large_q) else $error("a large entry outlives a range that overlaps it");
      sd_6_scope_is_explicit: assert (!stale_edge_q) else $error("address 0, ASID 0, last page or wide scope not covered");
      sd_8_dead_at_once: assert (!stale_q) else $error("hit of a covered entry in a cycle after acceptance");

      sd_3_covered_is_dropped: assert (!fill_missed_q) else $error("a revoked drop-in entered");
      sd_3_only_covered: assert (!fill_lost_q) else $error("a drop-in was lost");
      sd_3_reported: assert (!fill_done_o || (decided_q && fill_dropped_o == dropped_q)) else $error("drop-in report");

      sd_4_port_stays_open: assert (lkp_ready_o || pairs_q != '0) else $error("a lookup waits");
      sd_4_latency: assert (!expect_q[1] || rsp_valid_o) else $error("no answer after two cycles");

      sd_7_one_match: assert ($countones(s1_ways[0] & {Ways{!s1_dead[0]}}) + $countones(s1_ways[1] & {Ways{!s1_dead[1]}}) <= 1)
        else $error("two live entries match one lookup");
      sd_8_no_starvation: assert (waited_q <= 16'(2 * Sets + 8)) else $error("a shootdown waits longer than two sweeps");

      hit_is_the_entry: assert (!s1_hit || (hit_book.asid == s1_req.asid && s1_req.va[63:12] >= hit_book.first &&
          s1_req.va[63:12] <= hit_book.last)) else $error("hit of another page's entry");
      write_needs_dirty: assert (!s1_hit || !s1_req.write || hit_book.dirty) else $error("write through a clean entry");
      answer_is_the_entry: assert (!(rsp_valid_o && rsp_o.hit) || (flying_q[rsp_o.cbr] && !rsp_o.mod &&
          rsp_o.pagesize == flight_q[rsp_o.cbr].code && rsp_o.pa[PA_WIDTH-1:12] == answer_pfn))
        else $error("answer differs from the entry");

      env_one_access_a_cbr: assert (!looked_up || !flying_q[lkp_i.cbr] || finished[lkp_i.cbr]) else $error("second access");
      env_use_was_in_flight: assert ((finished & ~flying_q) == '0) else $error("use_done without an access");
    end
  end

  logic [NUM_TGH-1:0] early, late;
  always_comb begin
    early = '0;
    late = '0;
    if (outstanding_q != '0) begin
      for (int h = 0; h < NUM_TGH; h++) begin
        early[h] = shoot_done_o[h] && pending_q[h] != '0;
        late[h] = outstanding_q[h] && late_q[h] > 3'd2;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (live_q) begin
      sd_2_ack_after_last_use: assert (early == '0) else $error("acknowledged with a covered access in flight");
      sd_2_waits_for_covered_only: assert (late == '0) else $error("no acknowledgement though nothing covered is in flight");
      sd_2_ack_once: assert ((shoot_done_o & ~outstanding_q) == '0) else $error("acknowledged twice");
      env_handle_is_free: assert (!accept || !outstanding_q[shoot_i.tgh] || shoot_done_o[shoot_i.tgh]) else $error("handle busy");
    end
  end

endmodule

bind gru_tlb gru_tlb_props #(
  .Entries (Entries),
  .Ways    (Ways),
  .LogDepth(LogDepth)
) u_props (
  .*
);
