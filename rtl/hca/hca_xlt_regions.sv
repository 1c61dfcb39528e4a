// The regions of the slots in flight: of a walk since it was begun, of a key fetch since memory answered.
//
// Promises: s1_region_o is, a cycle after s0_valid_i, the region of slot s0_slot_i.
// Costs: two RAMs; a walk begins and a fetch ends in one cycle.

module hca_xlt_regions
  import hca_pkg::*;
  import hca_xlt_pkg::*;
(
  input  logic    clk_i,
  input  logic    walk_valid_i,
  input  slot_t   walk_slot_i,
  input  region_t walk_region_i,
  input  logic    key_valid_i,
  input  slot_t   key_slot_i,
  input  region_t key_region_i,
  input  logic    s0_valid_i,
  input  slot_t   s0_slot_i,
  output region_t s1_region_o
);

  localparam int unsigned WalkW = $clog2(WALKERS);
  localparam int unsigned KeyW = $clog2(KeySlots);
  if ((WALKERS & (WALKERS - 1)) != 0 || (KeySlots & (KeySlots - 1)) != 0 || KeySlots > WALKERS) begin : g_check
    $error("hca_xlt_regions: slots of both kinds must be powers of two, walks not the fewer");
  end

  logic s0_walk, s1_walk_q, unused;
  region_t walk_region, key_region;
  assign s0_walk = s0_slot_i < slot_t'(WALKERS);
  assign unused = ^{walk_slot_i[SlotW-1:WalkW], key_slot_i[SlotW-1:KeyW]};

  ram_1r1w #(
    .Width($bits(region_t)),
    .Depth(WALKERS)
  ) u_walk (
    .clk_i,
    .we_i   (walk_valid_i),
    .waddr_i(walk_slot_i[WalkW-1:0]),
    .wdata_i(walk_region_i),
    .re_i   (s0_valid_i && s0_walk),
    .raddr_i(s0_slot_i[WalkW-1:0]),
    .rdata_o(walk_region)
  );
  ram_1r1w #(
    .Width($bits(region_t)),
    .Depth(KeySlots)
  ) u_key (
    .clk_i,
    .we_i   (key_valid_i),
    .waddr_i(key_slot_i[KeyW-1:0]),
    .wdata_i(key_region_i),
    .re_i   (s0_valid_i && !s0_walk),
    .raddr_i(s0_slot_i[KeyW-1:0]),
    .rdata_o(key_region)
  );

  always_ff @(posedge clk_i) begin
    if (s0_valid_i) s1_walk_q <= s0_walk;
  end
  assign s1_region_o = s1_walk_q ? walk_region : key_region;

endmodule
