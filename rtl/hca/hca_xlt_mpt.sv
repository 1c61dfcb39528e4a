// The key cache: direct-mapped by the key's index.
//
// Promises: a probe each cycle, answered the cycle after (S1), the fill of that cycle seen. From the cycle after the invalidation of a
//   key is accepted, S1 does not find it.
// Needs: whoever fills does not bring an entry whose key was invalidated while it was read, in the same cycle neither.
// Costs: a RAM of regions; a valid bit and the upper index bits in registers.

module hca_xlt_mpt
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
#(
  parameter  int unsigned Entries = MPT_ENTRIES,
  localparam int unsigned IdxW    = $clog2(Entries),
  localparam int unsigned TagW    = KEY_IDX_WIDTH - IdxW
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       enable_i,
  input  logic [7:0] mutant_i,

  input  logic            s0_valid_i,
  input  logic [IdxW-1:0] s0_set_i,  // low bits of the key's index
  input  keyidx_t         s1_key_i,
  output logic       s1_hit_o,
  output region_t    s1_region_o,

  input  logic       fill_valid_i,
  input  region_t    fill_i,

  input  logic       accept_i,
  input  inval_t     inval_i
);

  if ((Entries & (Entries - 1)) != 0 || Entries >= NUM_KEY || Entries < 2) begin : g_check
    $error("hca_xlt_mpt: Entries must be a power of two below the number of keys");
  end

  typedef logic [IdxW-1:0] idx_t;
  typedef logic [TagW-1:0] keytag_t;

  logic [Entries-1:0] valid_q;
  keytag_t tag_q[Entries];
  keyidx_t fill_key;
  assign fill_key = keyidx_t'(fill_i.key >> 8);

  ram_1r1w_fwd #(
    .Width($bits(region_t)),
    .Depth(Entries)
  ) u_ram (
    .clk_i,
    .we_i   (fill_valid_i),
    .waddr_i(idx_t'(fill_key)),
    .wdata_i(fill_i),
    .re_i   (s0_valid_i),
    .raddr_i(s0_set_i),
    .rdata_o(s1_region_o)
  );

  assign s1_hit_o = valid_q[idx_t'(s1_key_i)] && tag_q[idx_t'(s1_key_i)] == s1_key_i[KEY_IDX_WIDTH-1:IdxW];

  logic dies, unused_range;
  assign unused_range = ^{inval_i.first, inval_i.last};
  assign dies = accept_i && inval_i.whole && tag_q[idx_t'(inval_i.key)] == inval_i.key[KEY_IDX_WIDTH-1:IdxW] &&
                mutant_i != HMUT_KEY_KEPT;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= '0;
    end else if (!enable_i) begin
      valid_q <= '0;
    end else begin
      if (dies) valid_q[idx_t'(inval_i.key)] <= 1'b0;
      if (fill_valid_i) valid_q[idx_t'(fill_key)] <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (fill_valid_i) tag_q[idx_t'(fill_key)] <= fill_key[KEY_IDX_WIDTH-1:IdxW];
  end

endmodule
