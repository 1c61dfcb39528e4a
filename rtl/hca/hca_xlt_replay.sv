// Look-ups that wait: their requests, who waits for which slot, and their second way into the pipeline.
//
// Promises: a look-up that waits for a slot (park to it) comes again when the slot is done, all of a slot in a row and in order, one a
//   cycle, marked `answered`, the last one marked `last`. A look-up that found no slot (park_late_i) comes again, in order, when slots of
//   both kinds are free; until the last of these is served (late_busy_o) others must not take slots before them, so none starves.
// Needs: a use has one look-up at a time; nobody parks to a slot from the cycle of its pop_o on.
// Costs: a RAM of requests; lists threaded through one table of links, so any number may wait for anything.

module hca_xlt_replay
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
(
  input  logic     clk_i,
  input  logic     rst_ni,
  input  logic     enable_i,

  input  logic     new_valid_i,  // a new look-up enters the pipeline
  input  xlt_req_t new_i,

  input  logic     park_valid_i,
  input  useix_t   park_use_i,
  input  logic     park_late_i,
  input  logic     park_first_i,  // the slot was just taken
  input  slot_t    park_slot_i,

  input  logic     done_valid_i,
  input  slot_t    done_slot_i,
  input  logic     fill_ready_i,
  output logic     pop_o,
  input  logic     slots_free_i,
  input  logic     late_back_i,  // the late look-up is decided
  output logic     late_busy_o,

  output logic     again_valid_o,
  output xlt_req_t again_req_o,
  output again_t   again_o,
  output logic     busy_o        // something happens next cycle without an input
);

  useix_t head_q[Slots];
  useix_t tail_q[Slots];
  useix_t next_q[NumUses];

  // The chain being replayed, and the list of the late.
  logic chain_q, late_q, late_flying_q;
  useix_t chain_use_q, chain_tail_q, late_head_q, late_tail_q;
  slot_t chain_slot_q;

  logic go_chain, go_late, last;
  useix_t use_r0, next_r0, tail_r0;
  slot_t slot_r0;

  always_comb begin
    pop_o = !chain_q && done_valid_i && fill_ready_i;
    go_chain = chain_q || pop_o;
    go_late = !go_chain && late_q && !late_flying_q && slots_free_i;
    slot_r0 = chain_q ? chain_slot_q : done_slot_i;
    tail_r0 = chain_q ? chain_tail_q : tail_q[done_slot_i];
    use_r0 = late_head_q;
    if (chain_q) use_r0 = chain_use_q;
    else if (pop_o) use_r0 = head_q[done_slot_i];
    next_r0 = next_q[use_r0];
    last = use_r0 == tail_r0;
  end

  ram_1r1w #(
    .Width($bits(xlt_req_t)),
    .Depth(NumUses)
  ) u_requests (
    .clk_i,
    .we_i   (new_valid_i),
    .waddr_i(useix_t'(new_i.id)),
    .wdata_i(new_i),
    .re_i   (go_chain || go_late),
    .raddr_i(use_r0),
    .rdata_o(again_req_o)
  );

  logic late_sole, late_in;
  assign late_sole = late_head_q == late_tail_q;
  assign late_in = park_valid_i && park_late_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      chain_q       <= 1'b0;
      late_q        <= 1'b0;
      late_flying_q <= 1'b0;
      again_valid_o <= 1'b0;
    end else if (!enable_i) begin
      chain_q       <= 1'b0;
      late_q        <= 1'b0;
      late_flying_q <= 1'b0;
      again_valid_o <= 1'b0;
    end else begin
      chain_q       <= go_chain && !last;
      late_q        <= (late_q && !(go_late && late_sole)) || late_in;
      late_flying_q <= (late_flying_q && !late_back_i) || go_late;
      again_valid_o <= go_chain || go_late;
    end
  end

  always_ff @(posedge clk_i) begin
    if (go_chain || go_late) again_o <= '{answered: go_chain, last: go_chain && last, late: go_late, slot: slot_r0};
    if (go_chain) begin
      chain_use_q  <= next_r0;
      chain_tail_q <= tail_r0;
      chain_slot_q <= slot_r0;
    end
    if (go_late) late_head_q <= next_r0;
    if (late_in) begin
      late_tail_q <= park_use_i;
      if (!late_q || (go_late && late_sole)) late_head_q <= park_use_i;
      else next_q[late_tail_q] <= park_use_i;
    end else if (park_valid_i) begin
      tail_q[park_slot_i] <= park_use_i;
      if (park_first_i) head_q[park_slot_i] <= park_use_i;
      else next_q[tail_q[park_slot_i]] <= park_use_i;
    end
  end

  assign late_busy_o = late_q || late_flying_q;
  assign busy_o = chain_q || done_valid_i || again_valid_o || late_busy_o;

endmodule
