// gru_tlb with one plain port a field, for the block test: every port is an integer the test sets or reads by name. reset_i resets
// it in the middle; the last outputs tell its parameters.

module tlb_tb
  import gru_pkg::*;
  import gru_int_pkg::*;
#(
  parameter int unsigned Entries    = 512,
  parameter int unsigned Ways       = 4,
  parameter int unsigned ShootSlots = 8,
  parameter int unsigned LogDepth   = 64
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                reset_i,
  input  logic          [7:0] mutant_i,

  input  logic                lkp_valid_i,
  input  cbr_t                lkp_cbr_i,
  input  ctx_t                lkp_ctx_i,
  input  asid_t               lkp_asid_i,
  input  va_t                 lkp_va_i,
  input  logic                lkp_write_i,
  input  logic [NumSizes-1:0] lkp_sizes_i,
  input  logic          [1:0] use_valid_i,
  input  cbr_t                use_cbr0_i,
  input  cbr_t                use_cbr1_i,
  input  logic                fill_valid_i,
  input  cbr_t                fill_cbr_i,
  input  ctx_t                fill_ctx_i,
  input  asid_t               fill_asid_i,
  input  va_t                 fill_va_i,
  input  pfn_t                fill_pfn_i,
  input  psize_t              fill_pagesize_i,
  input  logic          [1:0] fill_gaa_i,
  input  logic                fill_dirty_i,
  input  logic                shoot_valid_i,
  input  tgh_idx_t            shoot_tgh_i,
  input  logic          [1:0] shoot_scope_i,
  input  asid_t               shoot_asid_i,
  input  vpn_t                shoot_first_i,
  input  vpn_t                shoot_last_i,
  input  vpn_t                shoot_mask_i,
  input  logic  [NUM_CTX-1:0] shoot_ctxbitmap_i,

  output logic                lkp_ready_o,
  output logic                rsp_valid_o,
  output cbr_t                rsp_cbr_o,
  output logic                rsp_hit_o,
  output logic                rsp_mod_o,
  output pa_t                 rsp_pa_o,
  output logic          [1:0] rsp_gaa_o,
  output psize_t              rsp_pagesize_o,
  output logic         [11:0] rsp_indexway_o,
  output logic                fill_ready_o,
  output logic                fill_done_o,
  output cbr_t                fill_done_cbr_o,
  output logic                fill_dropped_o,
  output logic                shoot_ready_o,
  output logic  [NUM_TGH-1:0] shoot_done_o,
  output logic                idle_o,
  output logic                decide_o,
  output logic                lapped_o,
  output logic          [3:0] kill_o,
  output va_t                 kill_va0_o,
  output va_t                 kill_va1_o,
  output va_t                 kill_va2_o,
  output va_t                 kill_va3_o,

  output logic         [15:0] entries_o,
  output logic         [15:0] ways_o,
  output logic         [15:0] slots_o,
  output logic         [15:0] log_depth_o
);

  assign entries_o = 16'(Entries);
  assign ways_o = 16'(Ways);
  assign slots_o = 16'(ShootSlots);
  assign log_depth_o = 16'(LogDepth);

  logic rst_n;
  assign rst_n = rst_ni && !reset_i;

  tlb_req_t lkp;
  tlb_fill_t fill;
  tlb_shoot_t shoot;
  tlb_rsp_t rsp;
  obs_tlb_t obs;

  assign lkp = '{cbr: lkp_cbr_i, ctx: lkp_ctx_i, asid: lkp_asid_i, va: lkp_va_i, write: lkp_write_i, sizes: lkp_sizes_i};
  assign fill = '{cbr: fill_cbr_i, ctx: fill_ctx_i, asid: fill_asid_i, va: fill_va_i, pfn: fill_pfn_i, pagesize: fill_pagesize_i,
                  gaa: fill_gaa_i, dirty: fill_dirty_i, indexway: '0};
  assign shoot = '{tgh: shoot_tgh_i, scope: shoot_scope_e'(shoot_scope_i), asid: shoot_asid_i, first: shoot_first_i,
                   last: shoot_last_i, mask: shoot_mask_i, ctxbitmap: shoot_ctxbitmap_i};

  gru_tlb #(
    .Entries   (Entries),
    .Ways      (Ways),
    .ShootSlots(ShootSlots),
    .LogDepth  (LogDepth)
  ) u_tlb (
    .clk_i,
    .rst_ni          (rst_n),
    .mutant_i,
    .lkp_valid_i,
    .lkp_ready_o,
    .lkp_i           (lkp),
    .rsp_valid_o,
    .rsp_o           (rsp),
    .use_done_valid_i(use_valid_i),
    .use_done_cbr_i  ({use_cbr1_i, use_cbr0_i}),
    .fill_valid_i,
    .fill_ready_o,
    .fill_i          (fill),
    .fill_done_o,
    .fill_done_cbr_o,
    .fill_dropped_o,
    .shoot_valid_i,
    .shoot_ready_o,
    .shoot_i         (shoot),
    .shoot_done_o,
    .idle_o,
    .obs_o           (obs)
  );

  assign rsp_cbr_o = rsp.cbr;
  assign rsp_hit_o = rsp.hit;
  assign rsp_mod_o = rsp.mod;
  assign rsp_pa_o = rsp.pa;
  assign rsp_gaa_o = rsp.gaa;
  assign rsp_pagesize_o = rsp.pagesize;
  assign rsp_indexway_o = rsp.indexway;
  assign decide_o = obs.fill_valid;
  assign lapped_o = obs.fill_lapped;
  assign kill_o = {obs.kill[3].valid, obs.kill[2].valid, obs.kill[1].valid, obs.kill[0].valid};
  assign kill_va0_o = obs.kill[0].va;
  assign kill_va1_o = obs.kill[1].va;
  assign kill_va2_o = obs.kill[2].va;
  assign kill_va3_o = obs.kill[3].va;

endmodule
