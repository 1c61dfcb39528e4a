// Invalidations whose covered translations are dead but not yet removed: the slots, and which sets each has swept.
//
// Promises: from the cycle after acceptance a cached translation is reported dead by every slot that covers it and has not swept its
//   set; so covered translations are dead at once, whatever the range (SD-8), and the sweep may take its time. A slot comes free
//   after Sets sweep steps.
// Needs: acceptance only with free_o; in a cycle with step_i the caller removes every covered entry of set_i (cover_o) from the
//   valid bits; what enters the set in that cycle is covered by no slot taken before.
// Costs: a comparator of each slot for the probe and for every way of the swept set; SHOOT_SLOTS x Sets bits.

module hca_xlt_inval
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
#(
  parameter  int unsigned Sets = 256,
  parameter  int unsigned Ways = 4,
  localparam int unsigned IdxW = $clog2(Sets)
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                enable_i,
  input  logic [7:0]          mutant_i,

  output logic                free_o,
  input  logic                accept_i,
  input  inval_t              inval_i,

  // A set is being rewritten (step_i); sweep_i: by the sweep, not by a fill.
  input  logic                step_i,
  input  logic                sweep_i,
  input  logic [IdxW-1:0]     set_i,
  input  logic [Ways-1:0]     way_valid_i,
  input  tag_t [Ways-1:0]     way_tag_i,
  output logic [Ways-1:0]     cover_o,

  // A look-up asks about the entry it matches.
  input  logic                probe_valid_i,
  input  logic [IdxW-1:0]     probe_set_i,
  input  tag_t                probe_tag_i,
  output logic                probe_dead_o,

  output logic                active_o
);

  localparam int unsigned Invals = SHOOT_SLOTS;
  if (Invals < 2 || (Sets & (Sets - 1)) != 0) begin : g_check
    $error("hca_xlt_inval: at least two slots, and Sets a power of two");
  end

  typedef logic [Invals-1:0] slots_t;
  typedef logic [IdxW:0] left_t;

  inval_t slot_q[Invals];
  left_t left_q[Invals];
  slots_t swept_q[Sets];
  slots_t active_q, active_d, take;
  inval_t entering;

  always_comb begin
    entering = inval_i;
    if (mutant_i == HMUT_RANGE_SHORT) begin
      if (inval_i.last == '0) entering.first = vpn_t'(1);
      else entering.last = inval_i.last - vpn_t'(1);
    end
  end

  always_comb begin
    take = '0;
    if (accept_i) begin
      for (int s = Invals - 1; s >= 0; s--) begin
        if (!active_q[s]) take = slots_t'(1) << s;
      end
    end
  end

  function automatic logic covered(input slots_t by, input tag_t tag, input logic [7:0] mutant);
    covered = 1'b0;
    // verilator unroll_disable
    for (int unsigned s = 0; s < Invals; s++) begin
      if (by[s] && covers(slot_q[s], span_of(tag), mutant)) covered = 1'b1;
    end
  endfunction

  always_comb begin
    probe_dead_o = 1'b0;
    if (probe_valid_i && (active_q & ~swept_q[probe_set_i]) != '0) begin
      probe_dead_o = covered(active_q & ~swept_q[probe_set_i], probe_tag_i, mutant_i);
    end
  end

  always_comb begin
    cover_o = '0;
    if (step_i && (active_q & ~swept_q[set_i]) != '0) begin
      for (int unsigned w = 0; w < Ways; w++) begin
        if (way_valid_i[w]) cover_o[w] = covered(active_q & ~swept_q[set_i], way_tag_i[w], mutant_i);
      end
    end
  end

  always_comb begin
    active_d = active_q | take;
    if (sweep_i) begin
      for (int unsigned s = 0; s < Invals; s++) begin
        if (active_q[s] && left_q[s] == left_t'(1)) active_d[s] = 1'b0;
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) active_q <= '0;
    else if (!enable_i) active_q <= '0;
    else active_q <= active_d;
  end

  // What a fill of the accepting cycle brings is covered by the new slot as all else: its set is not swept.
  slots_t swept_here;
  assign swept_here = active_q | (mutant_i == HMUT_RACE_WALK && !sweep_i ? take : '0);

  // Contents mean something only while the slot is active, so none of this has a reset.
  always_ff @(posedge clk_i) begin
    if (sweep_i) begin
      for (int unsigned s = 0; s < Invals; s++) left_q[s] <= left_q[s] - left_t'(1);
    end
    if (take != '0) begin
      for (int unsigned s = 0; s < Invals; s++) begin
        if (take[s]) begin
          slot_q[s] <= entering;
          left_q[s] <= left_t'(Sets);
        end
      end
      // verilator unroll_disable
      for (int unsigned i = 0; i < Sets; i++) begin
        automatic logic here = step_i && set_i == IdxW'(i);
        swept_q[i] <= (swept_q[i] & ~take) | (here ? swept_here : '0);
      end
    end else if (step_i) begin
      swept_q[set_i] <= swept_q[set_i] | active_q;
    end
  end

  assign free_o = ~&active_q || mutant_i == HMUT_SHOOT_FULL_ACK;
  assign active_o = active_q != '0;

endmodule
