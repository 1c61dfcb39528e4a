// The GRU chiplet: an external TLB with a shootdown port, its control blocks, and two buses.
//
// Promises: the register window, the memory traffic and the interrupt lines described in docs/architecture.md §3.
//   quiescent_o high means that no register (other than what now_i feeds) changes next cycle unless an input does;
//   deadline_o is the absolute now_i time at which a timer in here expires (all ones: none).
// Needs: AXI4-Lite accesses of full 64-bit alignment; a memory that keeps AXI4 ordering per ID and answers exclusive accesses.
// Costs: see the blocks. mutant_i selects a deliberately broken variant for tests of the assertions; the product ties it to 0.

module gru_top
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
#(
  parameter int unsigned TlbEntries = 512,
  parameter int unsigned TlbWays    = 4,
  parameter int unsigned ShootSlots = 8,
  parameter int unsigned ShootLog   = 64
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic [63:0]         now_i,
  input  logic [7:0]          mutant_i,

  // AXI4-Lite slave: the chiplet window.
  input  logic [26:0]         s_axil_awaddr_i,
  input  logic                s_axil_awvalid_i,
  output logic                s_axil_awready_o,
  input  logic [63:0]         s_axil_wdata_i,
  input  logic [7:0]          s_axil_wstrb_i,
  input  logic                s_axil_wvalid_i,
  output logic                s_axil_wready_o,
  output logic [1:0]          s_axil_bresp_o,
  output logic                s_axil_bvalid_o,
  input  logic                s_axil_bready_i,
  input  logic [26:0]         s_axil_araddr_i,
  input  logic                s_axil_arvalid_i,
  output logic                s_axil_arready_o,
  output logic [63:0]         s_axil_rdata_o,
  output logic [1:0]          s_axil_rresp_o,
  output logic                s_axil_rvalid_o,
  input  logic                s_axil_rready_i,

  // AXI4 master: memory. ID is the control block, one access outstanding per ID.
  output cbr_t                m_axi_arid_o,
  output pa_t                 m_axi_araddr_o,
  output logic [7:0]          m_axi_arlen_o,
  output logic [2:0]          m_axi_arsize_o,
  output logic [1:0]          m_axi_arburst_o,
  output logic                m_axi_arlock_o,
  output axi_user_t           m_axi_aruser_o,
  output logic                m_axi_arvalid_o,
  input  logic                m_axi_arready_i,
  input  cbr_t                m_axi_rid_i,
  input  logic [511:0]        m_axi_rdata_i,
  input  logic [1:0]          m_axi_rresp_i,
  input  logic                m_axi_rlast_i,
  input  logic                m_axi_rvalid_i,
  output logic                m_axi_rready_o,
  output cbr_t                m_axi_awid_o,
  output pa_t                 m_axi_awaddr_o,
  output logic [7:0]          m_axi_awlen_o,
  output logic [2:0]          m_axi_awsize_o,
  output logic [1:0]          m_axi_awburst_o,
  output logic                m_axi_awlock_o,
  output axi_user_t           m_axi_awuser_o,
  output logic                m_axi_awvalid_o,
  input  logic                m_axi_awready_i,
  output logic [511:0]        m_axi_wdata_o,
  output logic [63:0]         m_axi_wstrb_o,
  output logic                m_axi_wlast_o,
  output logic                m_axi_wvalid_o,
  input  logic                m_axi_wready_i,
  input  cbr_t                m_axi_bid_i,
  input  logic [1:0]          m_axi_bresp_i,
  input  logic                m_axi_bvalid_i,
  output logic                m_axi_bready_o,

  output logic [NUM_IRQ-1:0]  irq_o,
  output snoop_t              snoop_o,
  output logic                quiescent_o,
  output logic [63:0]         deadline_o,
  output obs_gru_t            obs_o
);

  // ------------------------------------------------------------------------------------------------ register bus
  logic        reg_valid, reg_ready, axil_busy;
  reg_req_t    rq;
  logic [63:0] reg_rdata, rd_cb, rd_cbe, rd_tfm, rd_tgh, rd_tfh, rd_cch, rd_dsr;
  logic        sel_cb, sel_dsr, sel_tfm, sel_tgh, sel_cbe, sel_tfh, sel_cch, cb_ready, dsr_ready;

  ctx_t              map_ctx;
  logic [CbAuW-1:0]  map_cb, map_cb_phys;
  logic [DsrAuW-1:0] map_dsr;
  logic              map_cb_ok;

  ctx_t              dsr_ctx [3];
  logic [11:0]       dsr_au  [3];
  logic              dsr_ok  [3];
  logic [DsrAuW-1:0] dsr_phys[3];

  gru_axil u_axil (
    .clk_i, .rst_ni,
    .awaddr_i (s_axil_awaddr_i), .awvalid_i (s_axil_awvalid_i), .awready_o (s_axil_awready_o),
    .wdata_i (s_axil_wdata_i), .wstrb_i (s_axil_wstrb_i), .wvalid_i (s_axil_wvalid_i), .wready_o (s_axil_wready_o),
    .bresp_o (s_axil_bresp_o), .bvalid_o (s_axil_bvalid_o), .bready_i (s_axil_bready_i),
    .araddr_i (s_axil_araddr_i), .arvalid_i (s_axil_arvalid_i), .arready_o (s_axil_arready_o),
    .rdata_o (s_axil_rdata_o), .rresp_o (s_axil_rresp_o), .rvalid_o (s_axil_rvalid_o), .rready_i (s_axil_rready_i),
    .map_ctx_o (map_ctx), .map_cb_o (map_cb), .map_cb_ok_i (map_cb_ok), .map_cb_i (map_cb_phys),
    .map_dsr_o (map_dsr), .map_dsr_ok_i (dsr_ok[2]), .map_dsr_i (dsr_phys[2]),
    .reg_valid_o (reg_valid), .reg_o (rq), .reg_ready_i (reg_ready), .reg_rdata_i (reg_rdata),
    .busy_o (axil_busy)
  );

  always_comb begin
    sel_cb  = reg_valid && rq.unit == UNIT_CB;
    sel_dsr = reg_valid && rq.unit == UNIT_DSR;
    sel_tfm = reg_valid && rq.unit == UNIT_TFM;
    sel_tgh = reg_valid && rq.unit == UNIT_TGH;
    sel_cbe = reg_valid && rq.unit == UNIT_CBE;
    sel_tfh = reg_valid && rq.unit == UNIT_TFH;
    sel_cch = reg_valid && rq.unit == UNIT_CCH;
    reg_ready = 1'b1;
    if (sel_cb || sel_cbe) reg_ready = cb_ready;
    if (sel_dsr) reg_ready = dsr_ready;
    reg_rdata = '0;
    unique case (rq.unit)
      UNIT_CB:  reg_rdata = rd_cb;
      UNIT_DSR: reg_rdata = rd_dsr;
      UNIT_TFM: reg_rdata = rd_tfm;
      UNIT_TGH: reg_rdata = rd_tgh;
      UNIT_CBE: reg_rdata = rd_cbe;
      UNIT_TFH: reg_rdata = rd_tfh;
      UNIT_CCH: reg_rdata = rd_cch;
      default: ;
    endcase
  end

  // ------------------------------------------------------------------------------------------------ contexts
  cbr_vec_t ready, busy, look, fmm, upm, active, restored, run, alloc, stopping, ctx_mask;
  logic     go, dealloc, cch_busy, cch_snoop, state_valid;
  ctx_t     cch_snoop_idx, state_ctx;
  logic [1:0] state_new;
  cbr_t     cfg_cbr [3];
  ctx_t     cfg_ctx [3];
  ctx_cfg_t cfg     [3];
  ctx_t     p2_ctx;
  logic [2:0] p2_region;
  asid_t    p2_asid;
  logic [NumSizes-1:0] p2_sizes;

  assign dsr_ctx[2] = map_ctx;
  assign dsr_au[2]  = {7'd0, map_dsr};

  gru_cch u_cch (
    .clk_i, .rst_ni, .mutant_i,
    .reg_valid_i (sel_cch), .reg_i (rq), .reg_rdata_o (rd_cch),
    .busy_i (busy), .look_i (look), .fmm_i (fmm),
    .run_o (run), .alloc_o (alloc), .stopping_o (stopping), .mask_o (ctx_mask), .go_o (go), .dealloc_o (dealloc),
    .cfg_cbr_i (cfg_cbr), .cfg_ctx_o (cfg_ctx), .cfg_o (cfg),
    .region_ctx_i (p2_ctx), .region_i (p2_region), .region_asid_o (p2_asid), .region_sizes_o (p2_sizes),
    .dsr_ctx_i (dsr_ctx), .dsr_au_i (dsr_au), .dsr_ok_o (dsr_ok), .dsr_au_o (dsr_phys),
    .cb_ctx_i (map_ctx), .cb_au_i (map_cb), .cb_ok_o (map_cb_ok), .cb_au_o (map_cb_phys),
    .snoop_valid_o (cch_snoop), .snoop_idx_o (cch_snoop_idx),
    .state_valid_o (state_valid), .state_ctx_o (state_ctx), .state_o (state_new),
    .busy_o (cch_busy)
  );

  // ------------------------------------------------------------------------------------------------ control blocks
  cbr_t     p1_cbr, start_cbr, tfh_cbr;
  cbs_t     p1_static;
  cbu_t     p1_moving;
  logic     cb_block, cb_busy, start, ret_valid, resume, to_upm, tlb_inval, park, cb_snoop;
  cbr_t     cb_snoop_idx;
  ret_t     ret;
  acc_t     ret_acc, park_acc;
  out_e     out;
  logic     step, exc, avalue_we, dsr_we, amo_push, ret_use_done;
  cbu_t     moving;
  logic [19:0] ecause;
  logic [2:0]  sub;
  logic [63:0] avalue, avalue_old, amo_data, dsr_mask;
  logic [7:0]  amo_strb;
  line_t       dsr_data;
  tlb_rsp_t    rsp;
  logic        rsp_valid;

  gru_cb u_cb (
    .clk_i, .rst_ni,
    .cb_valid_i (sel_cb), .cbe_valid_i (sel_cbe), .reg_i (rq), .cb_rdata_o (rd_cb), .cbe_rdata_o (rd_cbe),
    .reg_ready_o (cb_ready), .block_o (cb_block), .retiring_i (ret_valid),
    .rd_cbr_i (p1_cbr), .rd_static_o (p1_static), .rd_moving_o (p1_moving),
    .ret_valid_i (ret_valid), .ret_cbr_i (ret.cbr), .ret_step_i (step), .ret_moving_i (moving),
    .ret_done_i (out == OUT_DONE), .ret_ecause_i (ecause), .ret_exc_i (exc), .ret_sub_i (sub),
    .ret_avalue_we_i (avalue_we), .ret_avalue_i (avalue), .avalue_o (avalue_old),
    .start_o (start), .start_cbr_o (start_cbr),
    .upm_valid_i (park && !cfg[1].fault_bit_enable), .upm_cbr_i (rsp.cbr),
    .upm2_valid_i (to_upm), .upm2_cbr_i (tfh_cbr),
    .resume_valid_i (resume && upm[tfh_cbr]), .resume_cbr_i (tfh_cbr),
    .tlb_inval_valid_i (tlb_inval), .tlb_inval_cbr_i (tfh_cbr),
    .run_i (run), .alloc_i (alloc), .stopping_i (stopping), .mask_i (ctx_mask), .go_i (go), .dealloc_i (dealloc),
    .ready_i (ready), .busy_i (busy), .look_i (look), .fmm_i (fmm), .upm_i (upm),
    .active_o (active), .restored_o (restored),
    .snoop_valid_o (cb_snoop), .snoop_idx_o (cb_snoop_idx), .busy_o (cb_busy)
  );

  // ------------------------------------------------------------------------------------------------ data segment
  // Port b serves index vectors first come; the processor's read holds new ones back until the port is free.
  logic      idx_re, idx_busy, cpu_re, cpu_got_q, dsr_wr, a_re;
  dsr_line_t idx_line, a_line;
  line_t     a_data, b_data;
  logic [63:0] cpu_wmask;
  assign cpu_wmask = {56'd0, rq.wstrb} << {rq.dw, 3'd0};
  assign dsr_wr    = sel_dsr && rq.write && !dsr_we;
  assign cpu_re    = sel_dsr && !rq.write && !cpu_got_q && !idx_busy && !idx_re;
  assign dsr_ready = rq.write ? !dsr_we : cpu_got_q;
  assign rd_dsr    = b_data[{rq.dw, 6'd0}+:64];
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) cpu_got_q <= 1'b0;
    else cpu_got_q <= cpu_re;
  end

  gru_dsr u_dsr (
    .clk_i,
    .we_i     (dsr_we || dsr_wr),
    .waddr_i  (dsr_we ? ret_acc.dsr_line : rq.line),
    .wdata_i  (dsr_we ? dsr_data : {8{rq.wdata}}),
    .wmask_i  (dsr_we ? dsr_mask : cpu_wmask),
    .a_re_i   (a_re),
    .a_addr_i (a_line),
    .a_data_o (a_data),
    .b_re_i   (idx_re || cpu_re),
    .b_addr_i (cpu_re ? rq.line : idx_line),
    .b_data_o (b_data)
  );

  // ------------------------------------------------------------------------------------------------ engine
  logic       lkp_valid, lkp_ready, mem_valid, exec_work, mem_work;
  tlb_req_t   lkp;
  mem_req_t   mem_req;
  logic [3:0] mem_count;
  cbr_t       m0_cbr;
  acc_t       m0_acc;

  assign cfg_cbr[0] = p1_cbr;
  assign cfg_cbr[1] = rsp.cbr;
  assign cfg_cbr[2] = ret.cbr;
  assign dsr_ctx[0] = cfg_ctx[0];
  assign dsr_ctx[1] = p2_ctx;

  gru_exec u_exec (
    .clk_i, .rst_ni, .now_i, .mutant_i,
    .p1_cbr_o (p1_cbr), .p1_static_i (p1_static), .p1_moving_i (p1_moving), .p1_ctx_i (cfg_ctx[0]), .p1_cfg_i (cfg[0]),
    .index_au_o (dsr_au[0]), .index_ok_i (dsr_ok[0]), .index_au_i (dsr_phys[0]),
    .index_re_o (idx_re), .index_line_o (idx_line), .index_data_i (b_data),
    .index_hold_i (sel_dsr && !rq.write), .index_busy_o (idx_busy),
    .p2_ctx_o (p2_ctx), .p2_au_o (dsr_au[1]), .p2_au_ok_i (dsr_ok[1]), .p2_au_i (dsr_phys[1]),
    .p2_region_o (p2_region), .p2_asid_i (p2_asid), .p2_sizes_i (p2_sizes),
    .lkp_valid_o (lkp_valid), .lkp_ready_i (lkp_ready), .lkp_o (lkp), .rsp_valid_i (rsp_valid), .rsp_i (rsp),
    .park_valid_o (park), .park_acc_o (park_acc),
    .mem_valid_o (mem_valid), .mem_o (mem_req), .mem_count_i (mem_count),
    .acc_a_cbr_i (m0_cbr), .acc_a_o (m0_acc), .acc_b_cbr_i (ret.cbr), .acc_b_o (ret_acc),
    .start_valid_i (start), .start_cbr_i (start_cbr), .resume_valid_i (resume), .resume_cbr_i (tfh_cbr),
    .ret_valid_i (ret_valid), .ret_cbr_i (ret.cbr), .ret_out_i (out), .ret_parked_i (ret_valid && ret.src == RET_TFH),
    .run_i (run), .active_i (active), .restored_i (restored), .mask_i (ctx_mask), .go_i (go), .dealloc_i (dealloc),
    .ready_o (ready), .busy_o (busy), .look_o (look), .deadline_o, .work_o (exec_work)
  );

  gru_retire u_retire (
    .valid_i (ret_valid), .ret_i (ret), .acc_i (ret_acc), .avalue_i (avalue_old),
    .out_o (out), .step_o (step), .moving_o (moving), .exc_o (exc), .ecause_o (ecause), .sub_o (sub),
    .avalue_we_o (avalue_we), .avalue_o (avalue),
    .dsr_we_o (dsr_we), .dsr_data_o (dsr_data), .dsr_mask_o (dsr_mask),
    .amo_push_o (amo_push), .amo_data_o (amo_data), .amo_strb_o (amo_strb), .use_done_o (ret_use_done)
  );

  logic       exc_valid, exc_ready;
  logic [1:0] use_done_valid;
  cbr_t [1:0] use_done_cbr;

  gru_mem u_mem (
    .clk_i, .rst_ni, .mutant_i,
    .req_valid_i (mem_valid), .req_i (mem_req), .count_o (mem_count),
    .acc_cbr_o (m0_cbr), .acc_i (m0_acc), .dsr_re_o (a_re), .dsr_line_o (a_line), .dsr_data_i (a_data),
    .exc_valid_i (exc_valid), .exc_cbr_i (tfh_cbr), .exc_ready_o (exc_ready),
    .block_i (cb_block || (sel_dsr && rq.write)),
    .ret_valid_o (ret_valid), .ret_o (ret), .ret_acc_i (ret_acc), .ret_use_done_i (ret_use_done),
    .amo_push_i (amo_push), .amo_data_i (amo_data), .amo_strb_i (amo_strb),
    .use_done_valid_o (use_done_valid), .use_done_cbr_o (use_done_cbr),
    .arvalid_o (m_axi_arvalid_o), .arready_i (m_axi_arready_i), .arid_o (m_axi_arid_o), .araddr_o (m_axi_araddr_o),
    .arsize_o (m_axi_arsize_o), .arlock_o (m_axi_arlock_o), .aruser_o (m_axi_aruser_o),
    .rvalid_i (m_axi_rvalid_i), .rready_o (m_axi_rready_o), .rid_i (m_axi_rid_i), .rdata_i (m_axi_rdata_i),
    .rresp_i (m_axi_rresp_i),
    .awvalid_o (m_axi_awvalid_o), .awready_i (m_axi_awready_i), .awid_o (m_axi_awid_o), .awaddr_o (m_axi_awaddr_o),
    .awsize_o (m_axi_awsize_o), .awlock_o (m_axi_awlock_o), .awuser_o (m_axi_awuser_o),
    .wvalid_o (m_axi_wvalid_o), .wready_i (m_axi_wready_i), .wdata_o (m_axi_wdata_o), .wstrb_o (m_axi_wstrb_o),
    .bvalid_i (m_axi_bvalid_i), .bready_o (m_axi_bready_o), .bid_i (m_axi_bid_i), .bresp_i (m_axi_bresp_i),
    .work_o (mem_work)
  );
  assign m_axi_arlen_o   = '0;
  assign m_axi_arburst_o = 2'b01;
  assign m_axi_awlen_o   = '0;
  assign m_axi_awburst_o = 2'b01;
  assign m_axi_wlast_o   = 1'b1;

  // ------------------------------------------------------------------------------------------------ faults and shootdowns
  logic       fill_valid, fill_ready, fill_done, fill_dropped, tfh_snoop, tfh_busy;
  tlb_fill_t  fill;
  cbr_t       fill_done_cbr, tfh_snoop_idx;

  gru_tfh u_tfh (
    .clk_i, .rst_ni, .mutant_i,
    .reg_valid_i (sel_tfh), .reg_i (rq), .reg_rdata_o (rd_tfh),
    .park_valid_i (park), .park_rsp_i (rsp), .park_ctx_i (park_acc.ctx), .park_asid_i (park_acc.asid),
    .park_va_i (park_acc.va), .park_ima_int_i (park_acc.ima_int), .park_cfg_i (cfg[1]),
    .fill_valid_o (fill_valid), .fill_ready_i (fill_ready), .fill_o (fill), .fill_done_i (fill_done),
    .fill_dropped_i (fill_dropped),
    .cmd_cbr_o (tfh_cbr), .resume_o (resume), .to_upm_o (to_upm), .exc_valid_o (exc_valid), .exc_ready_i (exc_ready),
    .tlb_inval_o (tlb_inval),
    .alloc_i (alloc), .mask_i (ctx_mask), .go_i (go), .dealloc_i (dealloc), .fmm_o (fmm), .upm_o (upm),
    .snoop_valid_o (tfh_snoop), .snoop_idx_o (tfh_snoop_idx), .busy_o (tfh_busy)
  );

  logic tfm_busy;
  gru_tfm u_tfm (
    .clk_i, .rst_ni, .mutant_i,
    .reg_valid_i (sel_tfm), .reg_i (rq), .reg_rdata_o (rd_tfm),
    .fault_valid_i (park), .fault_cbr_i (rsp.cbr), .fault_cfg_i (cfg[1]),
    .done_valid_i (ret_valid && out == OUT_DONE && ret_acc.ima_int), .done_cbr_i (ret.cbr), .done_cfg_i (cfg[2]),
    .irq_o, .busy_o (tfm_busy)
  );

  logic               shoot_valid, shoot_ready, tgh_snoop, tgh_busy, tlb_idle;
  tlb_shoot_t         shoot;
  logic [NUM_TGH-1:0] shoot_done;
  tgh_idx_t           tgh_snoop_idx;
  obs_tlb_t           obs_tlb;

  gru_tgh u_tgh (
    .clk_i, .rst_ni, .mutant_i,
    .reg_valid_i (sel_tgh), .reg_i (rq), .reg_rdata_o (rd_tgh),
    .shoot_valid_o (shoot_valid), .shoot_ready_i (shoot_ready), .shoot_o (shoot), .shoot_done_i (shoot_done),
    .snoop_valid_o (tgh_snoop), .snoop_idx_o (tgh_snoop_idx), .busy_o (tgh_busy)
  );

  gru_tlb #(.Entries(TlbEntries), .Ways(TlbWays), .ShootSlots(ShootSlots), .LogDepth(ShootLog)) u_tlb (
    .clk_i, .rst_ni, .mutant_i,
    .lkp_valid_i (lkp_valid), .lkp_ready_o (lkp_ready), .lkp_i (lkp), .rsp_valid_o (rsp_valid), .rsp_o (rsp),
    .use_done_valid_i (use_done_valid), .use_done_cbr_i (use_done_cbr),
    .fill_valid_i (fill_valid), .fill_ready_o (fill_ready), .fill_i (fill), .fill_done_o (fill_done),
    .fill_done_cbr_o (fill_done_cbr), .fill_dropped_o (fill_dropped),
    .shoot_valid_i (shoot_valid), .shoot_ready_o (shoot_ready), .shoot_i (shoot), .shoot_done_o (shoot_done),
    .idle_o (tlb_idle), .obs_o (obs_tlb)
  );

  // ------------------------------------------------------------------------------------------------ status
  always_comb begin
    snoop_o = '{cb_valid: cb_snoop, cb: cb_snoop_idx, tfh_valid: tfh_snoop, tfh: tfh_snoop_idx,
                tgh_valid: tgh_snoop, tgh: tgh_snoop_idx, cch_valid: cch_snoop, cch: cch_snoop_idx};
  end

  assign quiescent_o = !(axil_busy || s_axil_awvalid_i || s_axil_wvalid_i || s_axil_arvalid_i
                         || (exec_work && mutant_i != MUT_QUIET_LIE)
                         || mem_work || cch_busy || cb_busy || tfh_busy || tfm_busy || tgh_busy || !tlb_idle || cpu_got_q);

  always_comb begin
    obs_o               = '0;
    obs_o.tlb           = obs_tlb;
    obs_o.miss_valid    = park;
    obs_o.miss_cbr      = rsp.cbr;
    obs_o.miss_va       = park_acc.va;
    obs_o.miss_asid     = park_acc.asid;
    obs_o.miss_cause    = rsp.mod ? TFH_CAUSE_TLB_MOD : TFH_CAUSE_TLB_MISS;
    obs_o.restart_valid = resume;
    obs_o.restart_cbr   = tfh_cbr;
    obs_o.done_valid    = ret_valid && out == OUT_DONE;
    obs_o.done_cbr      = ret.cbr;
    obs_o.done_istatus  = exc ? CB_ISTATUS_EXCEPTION : CB_ISTATUS_IDLE;
    obs_o.done_ecause   = ecause;
    obs_o.cch_valid     = state_valid;
    obs_o.cch_ctx       = state_ctx;
    obs_o.cch_state     = state_new;
  end

  logic unused;
  assign unused = ^{m_axi_rlast_i, fill_done_cbr, cfg_ctx[1], cfg_ctx[2], cfg[1], cfg[2], ret, park_acc};

endmodule
