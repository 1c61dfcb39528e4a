// Who holds and who uses a translation: live bits, and for every invalidation's tag the accesses in flight it waits for.
//
// Promises: a use is live from the cycle of its OK answer; an invalidation that covers it takes a held one away from the cycle after
//   acceptance on, also one answered in that very cycle. A started use is in flight, and live, to the cycle of its done_i. inv_busy_o[tag]
//   is high from the cycle after acceptance while any access is in flight that was so at acceptance (started in that cycle included)
//   and is covered; it waits for no other (SD-2, exact).
// Needs: start_i only of a live use; done_i only of one in flight, a cycle or more after its start; a tag is not reused while busy;
//   ask_* (a new look-up of this use) only when it is not in flight: it gives back what is held.
// Costs: a span and a comparator for each use there is (320; a use's number could name 512). The comparators serve the accepting cycle
//   only, which is what makes the time until the fence independent of the number of accesses in flight.

module hca_xlt_uses
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
(
  input  logic                                  clk_i,
  input  logic                                  rst_ni,
  input  logic                                  enable_i,
  input  logic [7:0]                            mutant_i,

  input  logic                                  ask_valid_i,
  input  useix_t                                ask_i,
  input  logic                                  hit_valid_i,  // an OK answer is decided; live from the next cycle
  input  useix_t                                hit_use_i,
  input  tag_t                                  hit_tag_i,
  input  logic [1:0]                            start_valid_i,
  input  use_t [1:0]                            start_i,
  input  logic [1:0]                            done_valid_i,
  input  use_t [1:0]                            done_i,
  input  logic [1:0]                            drop_valid_i,
  input  logic [1:0][UseSlotW-1:0]              drop_slot_i,
  output logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] rx_live_o,
  output logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] tx_live_o,

  input  logic                                  accept_i,
  input  inval_t                                inval_i,
  input  logic [4:0]                            tag_i,
  output logic [31:0]                           inv_busy_o
);

  typedef logic [NumUses-1:0] uses_t;
  localparam int unsigned PerUser = NumUses / 2;

  // A slot's number has room for more slots than a user has. What is not there costs nothing.
  function automatic logic exists(input int unsigned use_ix);
    return use_ix % PerUser < (use_ix < PerUser ? RX_SLOTS : TX_SLOTS) * MAX_SEGMENTS;
  endfunction

  span_t span_q[NumUses];
  uses_t held_q, held_d, flying_q, flying_d, started, finished, dropped, covered;

  always_comb begin
    started = '0;
    finished = '0;
    dropped = '0;
    for (int unsigned u = 0; u < 2; u++) begin
      if (start_valid_i[u]) started[useix_t'(start_i[u])] = 1'b1;
      if (done_valid_i[u]) finished[useix_t'(done_i[u])] = 1'b1;
      if (drop_valid_i[u]) begin
        dropped[u*PerUser+32'(drop_slot_i[u])*MAX_SEGMENTS+:MAX_SEGMENTS] = '1;
      end
    end
    if (ask_valid_i) dropped[ask_i] = 1'b1;
  end

  assign flying_d = (flying_q & ~finished) | started;

  // Covered uses, the one being answered aside. A loop that a simulator enters at acceptances only.
  always_comb begin
    covered = '0;
    if (accept_i) begin
      // verilator unroll_disable
      for (int unsigned i = 0; i < NumUses; i++) begin
        if (exists(i) && (held_q[i] || flying_q[i])) covered[i] = covers(inval_i, span_q[i], mutant_i);
      end
    end
  end

  always_comb begin
    held_d = held_q & ~started & ~dropped;
    if (mutant_i != HMUT_HELD_SURVIVES) held_d &= ~covered;
    if (hit_valid_i) begin
      held_d[hit_use_i] = !(accept_i && covers(inval_i, span_of(hit_tag_i), mutant_i)) || mutant_i == HMUT_HELD_SURVIVES;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      held_q   <= '0;
      flying_q <= '0;
    end else if (!enable_i) begin
      held_q   <= '0;
      flying_q <= '0;
    end else begin
      held_q   <= held_d;
      flying_q <= flying_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (hit_valid_i) span_q[hit_use_i] <= span_of(hit_tag_i);
  end

  hca_xlt_drain #(
    .N(NumUses)
  ) u_drain (
    .clk_i,
    .rst_ni,
    .enable_i,
    .accept_i,
    .tag_i,
    .covered_i (flying_d & (mutant_i == HMUT_DRAIN_ALL ? '1 : covered)),
    .finished_i(finished),
    .busy_o    (inv_busy_o)
  );

  uses_t live;
  assign live = held_q | flying_q;
  assign rx_live_o = live[RX_SLOTS*MAX_SEGMENTS-1:0];
  assign tx_live_o = live[PerUser+TX_SLOTS*MAX_SEGMENTS-1:PerUser];

  logic unused_live;
  assign unused_live = ^live;

endmodule
