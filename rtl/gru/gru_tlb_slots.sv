// Shootdowns whose covered entries are dead but not yet removed: the slots, and which sets each has swept.
//
// Promises: from the cycle after acceptance on, an entry is reported covered by every slot that covers its page and has not swept its
//   set; so covered entries are dead at once, whatever the size of the range, and the sweep may take its time. A slot comes free after
//   Sets sweep steps, that of the last drop-in also by fill_end_i. Shootdowns and drop-ins have slots of their own, so neither can starve the other.
// Needs: acceptance and allocation only while the kind's free output is high; in a cycle with step_i the caller removes every covered
//   entry of set_i (cover_o) from the valid bits.
// Costs: a comparator of each slot for both probes and for every way of the swept set; Slots x Sets bits.

module gru_tlb_slots
  import gru_pkg::*;
  import gru_int_pkg::*;
#(
  parameter  int unsigned Sets       = 128,
  parameter  int unsigned Ways       = 4,
  parameter  int unsigned ShootSlots = 8,
  parameter  int unsigned FillSlots  = 4,
  localparam int unsigned IdxW       = $clog2(Sets),
  localparam int unsigned Slots      = ShootSlots + FillSlots
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  input  logic           [     7:0]  mutant_i,

  // A shootdown enters.
  output logic                       shoot_free_o,
  input  logic                       accept_i,
  input  tlb_shoot_t                 shoot_i,
  // A drop-in enters: older entries of other sizes under its page die. Its own set counts as swept.
  output logic                       fill_free_o,
  input  logic                       fill_i,
  input  tlb_page_t                  fill_page_i,
  input  logic                       fill_end_i,     // nothing is left for the slot of the last drop-in to cover

  // A set is being rewritten (step_i); sweep_i: by the sweep, not by a drop-in.
  input  logic                       step_i,
  input  logic                       sweep_i,
  input  logic           [IdxW-1:0]  set_i,
  input  logic           [Ways-1:0]  way_valid_i,
  input  tlb_page_t      [Ways-1:0]  way_page_i,
  output logic           [Ways-1:0]  cover_o,

  // The hit stage asks about its two probes.
  input  logic           [     1:0]  probe_valid_i,
  input  logic      [1:0][IdxW-1:0]  probe_set_i,
  input  tlb_page_t      [     1:0]  probe_page_i,
  output logic           [     1:0]  probe_dead_o,

  output logic                       active_o
);

  if (ShootSlots < 1 || FillSlots < 1) begin : g_check
    $error("gru_tlb_slots: at least one slot of each kind");
  end

  typedef logic [Slots-1:0] slots_t;
  typedef logic [IdxW:0] left_t;

  tlb_shoot_t slot_q[Slots];
  left_t left_q[Slots];
  slots_t swept_q[Sets];
  slots_t active_q, active_d, late_q, last_fill_q, seen;

  // Shootdowns take slots [0, ShootSlots), drop-ins the others; the lowest free one.
  slots_t take, taken_by_fill;
  always_comb begin
    take = '0;
    taken_by_fill = '0;
    if (accept_i) begin
      for (int s = ShootSlots - 1; s >= 0; s--) begin
        if (!active_q[s]) take = slots_t'(1) << s;
      end
    end
    if (fill_i) begin
      for (int s = Slots - 1; s >= int'(ShootSlots); s--) begin
        if (!active_q[s]) taken_by_fill = slots_t'(1) << s;
      end
    end
  end

  tlb_shoot_t entering, internal;
  logic unused_ctx;
  assign unused_ctx = ^fill_page_i.ctx;  // a page has one owner, whichever context fills it
  always_comb begin
    entering = shoot_i;
    if (mutant_i == MUT_RANGE_SHORT) entering.last = shoot_i.last - vpn_t'(1);
    if (mutant_i == MUT_RANGE_LONG) entering.last = shoot_i.last + vpn_t'(shoot_i.last != '1);
    if (mutant_i == MUT_ZERO_IS_ALL && shoot_i.scope == SCOPE_RANGE && shoot_i.first == shoot_i.last) entering.scope = SCOPE_ASID;
    internal = '0;
    internal.scope = SCOPE_RANGE;
    internal.asid = fill_page_i.asid;
    internal.first = fill_page_i.lo;
    internal.last = fill_page_i.lo | vpn_t'(fill_page_i.span);
    internal.mask = '1;
  end

  function automatic logic covered(input slots_t by, input tlb_page_t page, input logic [7:0] mutant);
    automatic tlb_page_t p = page;
    automatic tlb_page_t p_last = page;
    if (mutant == MUT_LARGE_SURVIVES || mutant == MUT_EDGE_OVERLAP) p.span = '0;
    p_last.lo = page.lo | vpn_t'(page.span);
    p_last.span = '0;
    covered = 1'b0;
    // verilator unroll_disable
    for (int unsigned s = 0; s < Slots; s++) begin
      if (by[s] && shoot_covers(slot_q[s], p)) begin
        if (mutant != MUT_SIZE_LEVEL || page.span == '0 || slot_q[s].scope != SCOPE_RANGE || s >= ShootSlots) covered = 1'b1;
      end
      if (by[s] && mutant == MUT_EDGE_OVERLAP && shoot_covers(slot_q[s], p_last)) covered = 1'b1;
    end
    if (mutant == MUT_ASID_ZERO && p.asid == '0) covered = 1'b0;
  endfunction

  assign seen = (mutant_i == MUT_SLOT_LATE) ? active_q & ~late_q : active_q;

  always_comb begin
    probe_dead_o = '0;
    for (int unsigned p = 0; p < 2; p++) begin
      if (probe_valid_i[p] && (seen & ~swept_q[probe_set_i[p]]) != '0) begin
        probe_dead_o[p] = covered(seen & ~swept_q[probe_set_i[p]], probe_page_i[p], mutant_i);
      end
    end
  end

  always_comb begin
    cover_o = '0;
    if (step_i && (active_q & ~swept_q[set_i]) != '0) begin
      for (int unsigned w = 0; w < Ways; w++) begin
        if (way_valid_i[w]) cover_o[w] = covered(active_q & ~swept_q[set_i], way_page_i[w], mutant_i);
        if (w != 0 && mutant_i == MUT_STICKY_MATCH && cover_o[w-1]) cover_o[w] = way_valid_i[w];
      end
      for (int unsigned p = 0; p < 2; p++) begin
        if (mutant_i == MUT_TRAFFIC_SAVES && probe_valid_i[p] && probe_set_i[p] == set_i) cover_o = '0;
      end
    end
  end

  always_comb begin
    active_d = active_q | take | taken_by_fill;
    if (sweep_i && mutant_i != MUT_SLOT_LEAK) begin
      for (int unsigned s = 0; s < Slots; s++) begin
        if (active_q[s] && (left_q[s] == left_t'(1) || (mutant_i == MUT_SLOT_SHORT && left_q[s] == left_t'(2)))) begin
          active_d[s] = 1'b0;
        end
      end
    end
    if (fill_end_i) active_d = active_d & ~last_fill_q;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q <= '0;
      late_q   <= '0;
    end else begin
      active_q <= active_d;
      late_q   <= active_d & ~active_q;
    end
  end

  // Contents mean something only while the slot is active, so none of this has a reset.
  always_ff @(posedge clk_i) begin
    if (sweep_i) begin
      for (int unsigned s = 0; s < Slots; s++) left_q[s] <= left_q[s] - left_t'(1);
    end
    if (fill_i) last_fill_q <= taken_by_fill;
    if ((take | taken_by_fill) != '0) begin
      for (int unsigned s = 0; s < Slots; s++) begin
        if (take[s]) slot_q[s] <= entering;
        if (taken_by_fill[s]) slot_q[s] <= internal;
        if (take[s] || taken_by_fill[s]) left_q[s] <= left_t'(Sets);
      end
      // verilator unroll_disable
      for (int unsigned i = 0; i < Sets; i++) begin
        automatic logic here = step_i && set_i == IdxW'(i);
        swept_q[i] <= ((swept_q[i] | (here ? active_q : '0)) & ~(take | taken_by_fill)) | (here ? taken_by_fill : '0);
      end
    end else if (step_i) begin
      swept_q[set_i] <= swept_q[set_i] | active_q;
    end
  end

  assign shoot_free_o = ~&active_q[ShootSlots-1:0];
  assign fill_free_o = ~&active_q[Slots-1:ShootSlots];
  assign active_o = active_q != '0;

endmodule
