// What the HCA's translation promises, checked beside it. Bound to hca_xlt; no logic depends on it.
//
// Promises: every assertion is named after the rule it keeps (SD-n of the design) and fails in a test for some mutant_i. Checks keep
//   their own books: the birth of every walk, every use, every key and every invalidation are recorded here; covering is computed with
//   this file's own arithmetic.
// Needs: a history of History invalidations to be enough for a walk; of older walks nothing is claimed.
// Costs: simulation time in acceptances, fills and answers of walks.

module hca_xlt_props
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
(
  input logic                                  clk_i,
  input logic                                  rst_ni,
  input logic                                  enable_i,
  input logic [1:0]                            req_valid_i,
  input logic [1:0]                            req_ready_o,
  input xlt_req_t [1:0]                        req_i,
  input logic                                  rsp_valid_o,
  input logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] rx_live_o,
  input logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] tx_live_o,
  input logic [1:0]                            start_valid_i,
  input use_t [1:0]                            start_i,
  input logic [1:0]                            done_valid_i,
  input use_t [1:0]                            done_i,
  input logic                                  inv_valid_i,
  input logic                                  inv_ready_o,
  input keyidx_t                               inv_key_i,
  input logic                                  inv_whole_i,
  input va_t                                   inv_first_i,
  input va_t                                   inv_last_i,
  input logic [4:0]                            inv_tag_i,
  input logic [31:0]                           inv_busy_o,
  input logic                                  rd_valid_o,
  input logic                                  rd_ready_i,
  input rd_req_t                               rd_o,
  input logic                                  rd_rsp_valid_i,
  input rd_rsp_t                               rd_rsp_i,
  input logic                                  quiescent_o,
  // Inside.
  input logic                                  again_valid,
  input logic                                  s2_valid,
  input logic                                  key_fill_valid,
  input region_t                               key_fill,
  input logic                                  answer,
  input logic                                  from_cache,
  input logic                                  from_walk,
  input logic                                  need_walk,
  input logic                                  alloc,
  input slot_t                                 alloc_slot,
  input xlt_result_e                           result,
  input xlt_req_t                              s2_req,
  input again_t                                s2_again,
  input found_t                                s2_found,
  input entry_t                                entry,
  input logic                                  end_q,
  input logic                                  end_drop,
  input slot_t                                 end_slot_q,
  input tag_t                                  end_tag
);

  localparam int unsigned History = 64;
  localparam int unsigned HistW = $clog2(History);
  localparam int unsigned LongestWait = 2 * MTT_ENTRIES / MTT_WAYS + 16;  // for a slot: two sweeps
  typedef logic [31:0] serial_t;
  typedef logic [NumUses-1:0] uses_t;
  typedef logic [WALKERS-1:0] walks_t;

  typedef struct packed {
    keyidx_t key;
    logic whole;
    va_t first;
    va_t last;
  } range_t;

  typedef struct packed {
    keyidx_t key;
    va_t first;
    va_t last;
  } book_t;

  function automatic logic covered_by(input range_t range, input book_t book);
    automatic va_t from = {range.first[63:12], 12'h000};
    automatic va_t to = {range.last[63:12], 12'hfff};
    return range.key == book.key && (range.whole || !(book.first > to || book.last < from));
  endfunction

  function automatic book_t book_of(input tag_t tag);
    automatic va_t bytes = va_t'(4096) << (TABLE_BITS * 32'(tag.level));
    automatic va_t page = {tag.vpn, 12'h000};
    automatic va_t into = {34'h0, tag.off, 12'h000} % bytes;
    automatic va_t last = page - into + (bytes - 1);
    return '{key: tag.key, first: page - into, last: last < page ? '1 : last};  // it may reach past the end
  endfunction

  // ---- invalidations and walks ----------------------------------------------------------------------------------------------

  logic accept, live_q;
  range_t range;
  range_t history_q[History];
  serial_t count_q;
  serial_t began_q[Slots];
  book_t asked_q[Slots];  // the page a walk was begun for
  assign accept = inv_valid_i && inv_ready_o;
  assign range = '{key: inv_key_i, whole: inv_whole_i, first: inv_first_i, last: inv_last_i};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '0;
      live_q  <= 1'b0;
    end else begin
      live_q <= enable_i;
      if (accept) count_q <= count_q + 1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (accept) history_q[count_q[HistW-1:0]] <= range;
    if (alloc) began_q[alloc_slot] <= count_q;
    if (alloc) asked_q[alloc_slot] <= '{key: index_of(s2_req.key), first: {page_of(s2_req.va), 12'h000}, last: {page_of(s2_req.va), 12'hfff}};
  end

  // Was an invalidation accepted since the slot was taken, up to the cycle before this, that covers the book?
  function automatic logic since(input slot_t slot, input book_t book);
    automatic serial_t age = count_q - began_q[slot];
    since = 1'b0;
    // verilator unroll_disable
    for (int unsigned k = 1; k <= History; k++) begin
      automatic serial_t serial = count_q - serial_t'(k);
      if (serial_t'(k) <= age && covered_by(history_q[serial[HistW-1:0]], book)) since = 1'b1;
    end
  endfunction

  logic fill_missed_q, fill_lost_q, old_answer_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {fill_missed_q, fill_lost_q, old_answer_q} <= '0;
    end else begin
      automatic book_t ended = book_of(end_tag);
      {fill_missed_q, fill_lost_q, old_answer_q} <= '0;
      if (end_q) begin
        automatic logic covered = since(end_slot_q, ended) || (accept && covered_by(range, ended));
        fill_missed_q <= covered && !end_drop;
        fill_lost_q   <= !covered && end_drop && count_q - began_q[end_slot_q] <= serial_t'(History);
      end
      if (answer && from_walk) old_answer_q <= since(s2_again.slot, book_of(entry.tag));
    end
  end

  // ---- uses -----------------------------------------------------------------------------------------------------------------

  book_t use_q[NumUses];
  uses_t held_q, flying_q, open_q, started, finished, live, doomed_q, hit, waits;
  uses_t pending_q[32];
  logic ok;
  assign ok = answer && result == XLT_RESULT_OK;
  assign live = {(NumUses/2)'(tx_live_o), (NumUses/2)'(rx_live_o)};

  always_comb begin
    started = '0;
    finished = '0;
    hit = '0;
    for (int u = 0; u < 2; u++) begin
      if (start_valid_i[u]) started[useix_t'(start_i[u])] = 1'b1;
      if (done_valid_i[u]) finished[useix_t'(done_i[u])] = 1'b1;
    end
    if (ok) hit[useix_t'(s2_req.id)] = 1'b1;
  end

  walks_t reads_q[32];  // tables' reads an invalidation's tag waits for
  logic [31:0] expected;
  always_comb begin
    for (int t = 0; t < 32; t++) expected[t] = pending_q[t] != '0 || reads_q[t] != '0;
  end

  // Reads of tables in flight, and of those that this cycle's acceptance waits for.
  walks_t reading_q, reading, came, read_waits;
  walks_t stopped_q;  // walks whose page an invalidation covers: they may read no more
  always_comb begin
    reading = reading_q;
    came = '0;
    if (rd_valid_o && rd_o.id >= RID_WALK && rd_o.id < RID_WALK + axid_t'(WALKERS)) reading[rd_o.id[WalkerW-1:0]] = 1'b1;
    if (rd_rsp_valid_i && rd_rsp_i.id >= RID_WALK && rd_rsp_i.id < RID_WALK + axid_t'(WALKERS)) came[rd_rsp_i.id[WalkerW-1:0]] = 1'b1;
    read_waits = '0;
    if (accept) begin
      // verilator unroll_disable
      for (int w = 0; w < int'(WALKERS); w++) begin
        if (reading[w] && !came[w]) read_waits[w] = covered_by(range, asked_q[w]);
      end
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reading_q <= '0;
      stopped_q <= '0;
      for (int t = 0; t < 32; t++) reads_q[t] <= '0;
    end else if (!enable_i) begin
      reading_q <= '0;
      stopped_q <= '0;
      for (int t = 0; t < 32; t++) reads_q[t] <= '0;
    end else begin
      reading_q <= reading & ~came;
      if (came != '0) begin
        for (int t = 0; t < 32; t++) reads_q[t] <= reads_q[t] & ~came;
      end
      if (accept) begin
        reads_q[inv_tag_i] <= read_waits;
        // verilator unroll_disable
        for (int w = 0; w < int'(WALKERS); w++) begin
          if (covered_by(range, asked_q[w])) stopped_q[w] <= 1'b1;
        end
      end
      if (alloc && need_walk) stopped_q[alloc_slot[WalkerW-1:0]] <= 1'b0;
    end
  end

  // Accesses in flight that this cycle's acceptance waits for.
  always_comb begin
    waits = '0;
    if (accept) begin
      // verilator unroll_disable
      for (int i = 0; i < NumUses; i++) begin
        waits[i] = ((flying_q[i] && !finished[i]) || started[i]) && covered_by(range, use_q[i]);
      end
    end
  end

  uses_t asking;
  always_comb begin
    asking = '0;
    for (int u = 0; u < 2; u++) if (req_valid_i[u] && req_ready_o[u]) asking[useix_t'(req_i[u].id)] = 1'b1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      flying_q <= '0;
      open_q   <= '0;
      doomed_q <= '0;
      held_q   <= '0;
      for (int t = 0; t < 32; t++) pending_q[t] <= '0;
    end else if (!enable_i) begin
      flying_q <= '0;
      open_q   <= '0;
      doomed_q <= '0;
      held_q   <= '0;
      for (int t = 0; t < 32; t++) pending_q[t] <= '0;
    end else begin
      flying_q <= (flying_q & ~finished) | started;
      open_q   <= (open_q | asking) & ~(answer ? uses_t'(1) << useix_t'(s2_req.id) : '0);
      held_q   <= (held_q | hit) & ~started & ~asking;
      doomed_q <= doomed_q & ~hit;
      if (finished != '0) begin
        for (int t = 0; t < 32; t++) pending_q[t] <= pending_q[t] & ~finished;
      end
      if (accept) begin
        pending_q[inv_tag_i] <= waits;
        // verilator unroll_disable
        for (int i = 0; i < NumUses; i++) begin
          if (hit[i] ? covered_by(range, book_of(entry.tag)) : (held_q[i] && !started[i] && covered_by(range, use_q[i]))) begin
            doomed_q[i] <= 1'b1;
          end
        end
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (ok) use_q[useix_t'(s2_req.id)] <= book_of(entry.tag);
  end

  // ---- keys, memory, time ----------------------------------------------------------------------------------------------------

  logic [NUM_KEY-1:0] sound_q;  // read, and not invalidated since
  logic [9:0] flight_q;  // reads
  logic [15:0] waited_q;
  logic read_waits_q;
  rd_req_t read_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sound_q      <= '0;
      flight_q     <= '0;
      waited_q     <= '0;
      read_waits_q <= 1'b0;
    end else if (!enable_i) begin
      sound_q      <= '0;
      flight_q     <= '0;
      waited_q     <= '0;
      read_waits_q <= 1'b0;
    end else begin
      if (accept && inv_whole_i) sound_q[inv_key_i] <= 1'b0;
      if (key_fill_valid) sound_q[index_of(key_fill.key)] <= !(accept && inv_whole_i && inv_key_i == index_of(key_fill.key));
      flight_q     <= flight_q + 10'(rd_valid_o && rd_ready_i)
                      - 10'(rd_rsp_valid_i && rd_rsp_i.id >= RID_WALK && rd_rsp_i.id < RID_RXWQE);
      waited_q     <= inv_valid_i && !inv_ready_o ? waited_q + 16'd1 : '0;
      read_waits_q <= rd_valid_o && !rd_ready_i;
    end
  end
  always_ff @(posedge clk_i) read_q <= rd_o;

  // The access lies in the region, by its last byte.
  function automatic logic inside_region(input region_t region, input xlt_req_t req);
    automatic va_t last = req.va + va_t'(req.len) - 1;
    if (region.whole) return last < va_t'(1) << HCA_VA_BITS;
    return req.va >= region.start && last - region.start < region.length;
  endfunction

  // ---- the assertions --------------------------------------------------------------------------------------------------------

  always_ff @(posedge clk_i) begin
    if (live_q && enable_i) begin
      sd_1_key_is_sound: assert (!(s2_valid && !s2_again.answered && s2_found.known) || sound_q[index_of(s2_req.key)])
        else $error("an invalidated key is used");
      sd_1_held_is_taken: assert ((live & doomed_q & ~flying_q) == '0) else $error("a held use survives its invalidation");
      sd_2_waits_for_last_use: assert ((expected & ~inv_busy_o) == '0) else $error("not busy with a covered access in flight");
      sd_2_waits_for_covered_only: assert ((inv_busy_o & ~expected) == '0) else $error("busy though nothing covered is in flight");
      sd_2_covered_reads_no_more: assert ((reading & ~reading_q & stopped_q) == '0) else $error("a covered walk reads a table");
      sd_3_covered_is_dropped: assert (!fill_missed_q) else $error("a revoked walk entered the cache");
      sd_3_only_covered: assert (!fill_lost_q) else $error("a walk was dropped without cause");
      sd_3_no_old_answer: assert (!old_answer_q) else $error("a look-up was answered from a revoked walk");
      sd_4_port_stays_open: assert (req_valid_i == '0 || again_valid || req_ready_o != '0) else $error("a look-up waits");
      sd_7_fault_is_walked: assert (!(answer && from_cache) || result == XLT_RESULT_OK) else $error("a fault out of the cache");
      sd_8_no_starvation: assert (waited_q <= 16'(LongestWait)) else $error("an invalidation waits longer than two sweeps");
      write_needs_write: assert (!(ok && is_write(s2_req.need)) || entry.leaf.write) else $error("write through a read-only leaf");
      domain_is_equal: assert (!ok || s2_found.region.pd == s2_req.pd) else $error("a key of another domain");
      access_is_inside: assert (!ok || inside_region(s2_found.region, s2_req)) else $error("an access past its region");
      answer_was_asked: assert (!answer || open_q[useix_t'(s2_req.id)]) else $error("an answer nobody asked for");
      quiet_means_quiet: assert (!quiescent_o || (flight_q == '0 && !rsp_valid_o)) else $error("quiescent with a read in flight");
      read_is_stable: assert (!read_waits_q || (rd_valid_o && rd_o == read_q)) else $error("a waiting read changed");

      env_one_lookup_a_use: assert ((asking & (open_q | (flying_q & ~finished))) == '0) else $error("second look-up of a use");
      env_start_is_live: assert ((started & ~live) == '0 && (started & flying_q) == '0) else $error("start of a use that is not held");
      env_done_is_flying: assert ((finished & ~flying_q) == '0) else $error("done of a use not in flight");
      env_tag_is_free: assert (!accept || !inv_busy_o[inv_tag_i]) else $error("tag busy");
    end
  end

endmodule

bind hca_xlt hca_xlt_props u_props (.*);
