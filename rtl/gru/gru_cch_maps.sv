// Which physical units a context owns, and what its regions are: the tables ALLOCATE and START fill, read by everybody.
//
// Promises: a context's n-th control block pair and n-th KiB of data segment are the n-th set bits of its allocation maps; units
//   past the last are not ok. All reads answer in the same cycle.
// Needs: units added in ascending order, after clear_i.
// Costs: 512 x 5, 1024 x 6, 64 x 4 and 128 x 35 bits of RAM.

module gru_cch_maps
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  // ALLOCATE and START of one context.
  input  ctx_t        ctx_i,
  input  logic        clear_i,
  input  logic        add_cb_i,
  input  logic        add_dsr_i,
  input  logic [CbAuW-1:0]  add_au_i,
  input  logic        set_region_i,
  input  logic [2:0]  set_no_i,
  input  asid_t       set_asid_i,
  input  logic [NumSizes-1:0] set_sizes_i,
  // Reads.
  input  cbr_t        owner_cbr_i [3],
  output ctx_t        owner_o     [3],
  input  ctx_t        region_ctx_i,
  input  logic [2:0]  region_i,
  output asid_t       region_asid_o,
  output logic [NumSizes-1:0] region_sizes_o,
  input  ctx_t        dsr_ctx_i   [3],
  input  logic [11:0] dsr_au_i    [3],
  output logic        dsr_ok_o    [3],
  output logic [DsrAuW-1:0] dsr_au_o [3],
  input  ctx_t        cb_ctx_i,
  input  logic [CbAuW-1:0]  cb_au_i,
  output logic        cb_ok_o,
  output logic [CbAuW-1:0]  cb_au_o
);

  logic [NumSizes+ASID_WIDTH-1:0] region_mem [NUM_CTX*NUM_REGION];
  logic [CbAuW-1:0]  cb_mem    [NUM_CTX*NumCbAu];
  logic [DsrAuW-1:0] dsr_mem   [NUM_CTX*NumDsrAu];
  ctx_t              owner_mem [NumCbAu];
  logic [CbAuW:0]    cb_n_q    [NUM_CTX];
  logic [DsrAuW:0]   dsr_n_q   [NUM_CTX];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned c = 0; c < NUM_CTX; c++) begin
        cb_n_q[c]  <= '0;
        dsr_n_q[c] <= '0;
      end
    end else if (clear_i) begin
      cb_n_q[ctx_i]  <= '0;
      dsr_n_q[ctx_i] <= '0;
    end else begin
      if (add_cb_i) cb_n_q[ctx_i] <= cb_n_q[ctx_i] + 1'b1;
      if (add_dsr_i) dsr_n_q[ctx_i] <= dsr_n_q[ctx_i] + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (add_cb_i) begin
      cb_mem[{ctx_i, cb_n_q[ctx_i][CbAuW-1:0]}] <= add_au_i;
      owner_mem[add_au_i] <= ctx_i;
    end
    if (add_dsr_i) dsr_mem[{ctx_i, dsr_n_q[ctx_i][DsrAuW-1:0]}] <= add_au_i[DsrAuW-1:0];
    if (set_region_i) region_mem[{ctx_i, set_no_i}] <= {set_sizes_i, set_asid_i};
  end

  for (genvar p = 0; p < 3; p++) begin : gen_port
    assign owner_o[p]  = owner_mem[owner_cbr_i[p][CbrW-1:1]];
    assign dsr_ok_o[p] = dsr_au_i[p] < 12'(dsr_n_q[dsr_ctx_i[p]]);
    assign dsr_au_o[p] = dsr_mem[{dsr_ctx_i[p], dsr_au_i[p][DsrAuW-1:0]}];
  end
  assign {region_sizes_o, region_asid_o} = region_mem[{region_ctx_i, region_i}];
  assign cb_ok_o = {1'b0, cb_au_i} < cb_n_q[cb_ctx_i];
  assign cb_au_o = cb_mem[{cb_ctx_i, cb_au_i}];

  logic unused;
  assign unused = ^{owner_cbr_i[0][0], owner_cbr_i[1][0], owner_cbr_i[2][0]};

endmodule
