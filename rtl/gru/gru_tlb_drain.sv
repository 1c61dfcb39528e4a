// Who still uses a translation: the accesses in flight, and for every shootdown handle those its status waits for.
//
// Promises: shoot_done_o[h] pulses once for every accepted shootdown of handle h, two cycles after acceptance or after the last
//   use_done_i of an access in flight at acceptance whose translation it covers; it waits for no other access (SD-2, exact).
//   An access is in flight from the cycle of its hit (hit_valid_i) to the cycle before its use_done_i.
// Needs: one access in flight a control block; every hit gets one use_done_i, later than the hit; a handle is not reused before
//   its shoot_done_o.
// Costs: a page and a comparator for each of the 128 control blocks, and 128 bits a handle. The comparators serve the accepting
//   cycle only, which is what makes the time until the status independent of the number of accesses in flight.

module gru_tlb_drain
  import gru_pkg::*;
  import gru_int_pkg::*;
(
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic         [7:0] mutant_i,

  input  logic               hit_valid_i,
  input  cbr_t               hit_cbr_i,
  input  ctx_t               hit_ctx_i,  // context of the access; the page carries the context of the entry
  input  tlb_page_t          hit_page_i,
  input  logic         [1:0] use_done_valid_i,
  input  cbr_t         [1:0] use_done_cbr_i,

  input  logic               accept_i,
  input  tlb_shoot_t         shoot_i,
  output logic [NUM_TGH-1:0] shoot_done_o,
  output logic               busy_o         // something changes next cycle without an input
);

  // A context-wide shootdown waits for every access of the context, and for every user of its entries.
  function automatic logic waits(input tlb_shoot_t s, input ctx_t ctx, input tlb_page_t p, input logic entry_only);
    waits = shoot_covers(s, p) || (s.scope == SCOPE_CTX && s.ctxbitmap[ctx] && !entry_only);
  endfunction

  tlb_page_t page_q[NUM_CBR];
  ctx_t ctx_q[NUM_CBR];
  logic [NUM_CBR-1:0] flying_q, finished, remain;
  logic [NUM_CBR-1:0] pending_q[NUM_TGH];
  logic [NUM_TGH-1:0] draining_q, drained, done_q;

  always_comb begin
    finished = '0;
    for (int i = 0; i < 2; i++) begin
      if (use_done_valid_i[i]) finished[use_done_cbr_i[i]] = 1'b1;
    end
  end
  assign remain = flying_q & ~finished;

  always_comb begin
    drained = '0;
    if (draining_q != '0) begin
      for (int unsigned h = 0; h < NUM_TGH; h++) drained[h] = draining_q[h] && pending_q[h] == '0;
    end
  end

  // The comparators sit in a clocked process: a simulator evaluates them at acceptances only.
  always_ff @(posedge clk_i) begin
    if (hit_valid_i) begin
      page_q[hit_cbr_i] <= hit_page_i;
      ctx_q[hit_cbr_i]  <= hit_ctx_i;
    end
    if (draining_q != '0 && use_done_valid_i != '0) begin
      for (int unsigned h = 0; h < NUM_TGH; h++) pending_q[h] <= pending_q[h] & ~finished;
    end
    if (accept_i) begin
      automatic logic [NUM_CBR-1:0] covered = '0;
      // verilator unroll_disable
      for (int unsigned i = 0; i < NUM_CBR; i++) begin
        if (remain[i]) covered[i] = waits(shoot_i, ctx_q[i], page_q[i], mutant_i == MUT_CTX_DRAIN);
      end
      if (mutant_i == MUT_DRAIN_ALL) covered = remain;
      if (hit_valid_i && mutant_i != MUT_RACE_LOOKUP && waits(shoot_i, hit_ctx_i, hit_page_i, mutant_i == MUT_CTX_DRAIN)) begin
        covered[hit_cbr_i] = 1'b1;
      end
      if (mutant_i == MUT_ACK_BEFORE_DRAIN) covered = '0;
      pending_q[shoot_i.tgh] <= covered;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      flying_q   <= '0;
      draining_q <= '0;
      done_q     <= '0;
    end else begin
      if (hit_valid_i || use_done_valid_i != '0) begin
        flying_q <= remain;
        if (hit_valid_i) flying_q[hit_cbr_i] <= 1'b1;
      end
      if (draining_q != '0) draining_q <= draining_q & ~drained;
      if (accept_i) draining_q[shoot_i.tgh] <= 1'b1;
      done_q <= drained | (mutant_i == MUT_ACK_TWICE ? done_q & ~draining_q : '0);
    end
  end

  assign shoot_done_o = done_q;
  assign busy_o = drained != '0 || done_q != '0;

endmodule
