// gru_tfh, gru_tfm and gru_tgh with one plain port a field, for the block bench. As in the chip a miss enters its handle and its
// fault map in one cycle, and a register access goes to one of them; the TLB's and the engine's ports are the bench's.

module gru_handles_tb
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic   [7:0] mutant_i,
  input  logic         reset_i,

  // Registers: 1 fault handle, 2 fault map, 3 shootdown handle.
  input  logic   [1:0] reg_unit_i,
  input  logic         reg_write_i,
  input  cbr_t         reg_idx_i,
  input  logic   [2:0] reg_dw_i,
  input  logic  [63:0] reg_wdata_i,
  output logic  [63:0] reg_rdata_o,

  // Misses, and instructions that end.
  input  logic         park_valid_i,
  input  cbr_t         park_cbr_i,
  input  logic         park_mod_i,
  input  logic  [11:0] park_indexway_i,
  input  ctx_t         park_ctx_i,
  input  asid_t        park_asid_i,
  input  va_t          park_va_i,
  input  logic         park_ima_int_i,
  input  logic         park_int_i,        // tlb_int_enable
  input  logic         park_fault_bit_i,  // fault_bit_enable
  input  logic   [3:0] park_core_i,
  input  logic         done_valid_i,
  input  cbr_t         done_cbr_i,
  input  logic         done_int_i,        // cb_int_enable
  input  logic         done_bit_i,        // done_bit_enable
  input  logic   [3:0] done_core_i,

  // Drop-ins.
  output logic         fill_valid_o,
  input  logic         fill_ready_i,
  output cbr_t         fill_cbr_o,
  output ctx_t         fill_ctx_o,
  output asid_t        fill_asid_o,
  output va_t          fill_va_o,
  output pfn_t         fill_pfn_o,
  output psize_t       fill_pagesize_o,
  output logic   [1:0] fill_gaa_o,
  output logic         fill_dirty_o,
  output logic  [11:0] fill_indexway_o,
  input  logic         fill_done_i,
  input  logic         fill_dropped_i,

  // What commands do.
  output cbr_t         cmd_cbr_o,
  output logic         resume_o,
  output logic         to_upm_o,
  output logic         exc_valid_o,
  input  logic         exc_ready_i,
  output logic         tlb_inval_o,

  // Contexts; vectors in two halves.
  input  logic  [63:0] alloc0_i,
  input  logic  [63:0] alloc1_i,
  input  logic  [63:0] mask0_i,
  input  logic  [63:0] mask1_i,
  input  logic         go_i,
  input  logic         dealloc_i,
  output logic  [63:0] fmm0_o,
  output logic  [63:0] fmm1_o,
  output logic  [63:0] upm0_o,
  output logic  [63:0] upm1_o,
  output logic         tfh_snoop_o,
  output cbr_t         tfh_snoop_idx_o,
  output logic         tfh_busy_o,
  output logic  [15:0] irq_o,
  output logic         tfm_busy_o,

  // Shootdowns.
  output logic         shoot_valid_o,
  input  logic         shoot_ready_i,
  output tgh_idx_t     shoot_tgh_o,
  output logic   [1:0] shoot_scope_o,
  output asid_t        shoot_asid_o,
  output vpn_t         shoot_first_o,
  output vpn_t         shoot_last_o,
  output vpn_t         shoot_mask_o,
  output logic  [15:0] shoot_ctxbitmap_o,
  input  logic  [23:0] shoot_done_i,
  output logic         tgh_snoop_o,
  output tgh_idx_t     tgh_snoop_idx_o,
  output logic         tgh_busy_o
);

  logic rst_n;
  assign rst_n = rst_ni && !reset_i;

  reg_req_t    rq;
  tlb_rsp_t    rsp;
  ctx_cfg_t    park_cfg, done_cfg;
  tlb_fill_t   fill;
  tlb_shoot_t  shoot;
  cbr_vec_t    fmm, upm;
  logic [63:0] rdata[4];

  always_comb begin
    rq = '0;
    rq.write = reg_write_i;
    rq.idx = reg_idx_i;
    rq.dw = reg_dw_i;
    rq.wdata = reg_wdata_i;
    rq.wstrb = '1;
    rsp = '0;
    rsp.cbr = park_cbr_i;
    rsp.mod = park_mod_i;
    rsp.indexway = park_indexway_i;
    park_cfg = '0;
    park_cfg.tlb_int_enable = park_int_i;
    park_cfg.fault_bit_enable = park_fault_bit_i;
    park_cfg.int_select = park_core_i;
    done_cfg = '0;
    done_cfg.cb_int_enable = done_int_i;
    done_cfg.done_bit_enable = done_bit_i;
    done_cfg.int_select = done_core_i;
  end
  assign rdata[0] = '0;
  assign reg_rdata_o = rdata[reg_unit_i];

  gru_tfh u_tfh (
    .clk_i, .rst_ni(rst_n), .mutant_i,
    .reg_valid_i(reg_unit_i == 2'd1), .reg_i(rq), .reg_rdata_o(rdata[1]),
    .park_valid_i, .park_rsp_i(rsp), .park_ctx_i, .park_asid_i, .park_va_i, .park_ima_int_i, .park_cfg_i(park_cfg),
    .fill_valid_o, .fill_ready_i, .fill_o(fill), .fill_done_i, .fill_dropped_i,
    .cmd_cbr_o, .resume_o, .to_upm_o, .exc_valid_o, .exc_ready_i, .tlb_inval_o,
    .alloc_i({alloc1_i, alloc0_i}), .mask_i({mask1_i, mask0_i}), .go_i, .dealloc_i, .fmm_o(fmm), .upm_o(upm),
    .snoop_valid_o(tfh_snoop_o), .snoop_idx_o(tfh_snoop_idx_o), .busy_o(tfh_busy_o)
  );

  gru_tfm u_tfm (
    .clk_i, .rst_ni(rst_n), .mutant_i,
    .reg_valid_i(reg_unit_i == 2'd2), .reg_i(rq), .reg_rdata_o(rdata[2]),
    .fault_valid_i(park_valid_i), .fault_cbr_i(park_cbr_i), .fault_cfg_i(park_cfg),
    .done_valid_i, .done_cbr_i, .done_cfg_i(done_cfg), .irq_o, .busy_o(tfm_busy_o)
  );

  gru_tgh u_tgh (
    .clk_i, .rst_ni(rst_n), .mutant_i,
    .reg_valid_i(reg_unit_i == 2'd3), .reg_i(rq), .reg_rdata_o(rdata[3]),
    .shoot_valid_o, .shoot_ready_i, .shoot_o(shoot), .shoot_done_i,
    .snoop_valid_o(tgh_snoop_o), .snoop_idx_o(tgh_snoop_idx_o), .busy_o(tgh_busy_o)
  );

  assign {fmm1_o, fmm0_o} = fmm;
  assign {upm1_o, upm0_o} = upm;
  assign fill_cbr_o = fill.cbr;
  assign fill_ctx_o = fill.ctx;
  assign fill_asid_o = fill.asid;
  assign fill_va_o = fill.va;
  assign fill_pfn_o = fill.pfn;
  assign fill_pagesize_o = fill.pagesize;
  assign fill_gaa_o = fill.gaa;
  assign fill_dirty_o = fill.dirty;
  assign fill_indexway_o = fill.indexway;
  assign shoot_tgh_o = shoot.tgh;
  assign shoot_scope_o = shoot.scope;
  assign shoot_asid_o = shoot.asid;
  assign shoot_first_o = shoot.first;
  assign shoot_last_o = shoot.last;
  assign shoot_mask_o = shoot.mask;
  assign shoot_ctxbitmap_o = shoot.ctxbitmap;

endmodule
