// The GRU with flat ports for the UVM environment: both buses by the names that bus models expect, interrupt lines, coherence probes, and
// what crosses the ports of the TLB inside.
//
// Promises: `strobes_o` holds every valid and ready that a monitor asks for in each cycle (STROBES of tb/uvm/gru/view.py names its bits), so
//   that a quiet cycle costs one read. `tlb_*` are named as the ports of tb/tlb/tlb_tb.sv, so the TLB's monitors watch it here.
// Needs: a clock that never stops: time is a counter.

module gru_uvm_tb
  import gru_pkg::*;
  import gru_int_pkg::*;
#(
  parameter int unsigned TlbEntries = 512,
  parameter int unsigned TlbWays    = 4,
  parameter int unsigned ShootSlots = 8,
  parameter int unsigned ShootLog   = 64
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic [7:0]         mutant_i,

  // AXI4-Lite: the chiplet window.
  input  logic [26:0]        s_axil_awaddr,
  input  logic               s_axil_awvalid,
  output logic               s_axil_awready,
  input  logic [63:0]        s_axil_wdata,
  input  logic [7:0]         s_axil_wstrb,
  input  logic               s_axil_wvalid,
  output logic               s_axil_wready,
  output logic [1:0]         s_axil_bresp,
  output logic               s_axil_bvalid,
  input  logic               s_axil_bready,
  input  logic [26:0]        s_axil_araddr,
  input  logic               s_axil_arvalid,
  output logic               s_axil_arready,
  output logic [63:0]        s_axil_rdata,
  output logic [1:0]         s_axil_rresp,
  output logic               s_axil_rvalid,
  input  logic               s_axil_rready,

  // AXI4: memory.
  output logic [CbrW-1:0]    m_axi_arid,
  output logic [63:0]        m_axi_araddr,
  output logic [7:0]         m_axi_arlen,
  output logic [2:0]         m_axi_arsize,
  output logic [1:0]         m_axi_arburst,
  output logic               m_axi_arlock,
  output logic [AxiUserW-1:0] m_axi_aruser,
  output logic               m_axi_arvalid,
  input  logic               m_axi_arready,
  input  logic [CbrW-1:0]    m_axi_rid,
  input  logic [511:0]       m_axi_rdata,
  input  logic [1:0]         m_axi_rresp,
  input  logic               m_axi_rlast,
  input  logic               m_axi_rvalid,
  output logic               m_axi_rready,
  output logic [CbrW-1:0]    m_axi_awid,
  output logic [63:0]        m_axi_awaddr,
  output logic [7:0]         m_axi_awlen,
  output logic [2:0]         m_axi_awsize,
  output logic [1:0]         m_axi_awburst,
  output logic               m_axi_awlock,
  output logic [AxiUserW-1:0] m_axi_awuser,
  output logic               m_axi_awvalid,
  input  logic               m_axi_awready,
  output logic [511:0]       m_axi_wdata,
  output logic [63:0]        m_axi_wstrb,
  output logic               m_axi_wlast,
  output logic               m_axi_wvalid,
  input  logic               m_axi_wready,
  input  logic [CbrW-1:0]    m_axi_bid,
  input  logic [1:0]         m_axi_bresp,
  input  logic               m_axi_bvalid,
  output logic               m_axi_bready,

  // Interrupt lines and coherence probes.
  output logic [NUM_IRQ-1:0] irq_o,
  output cbr_t               snoop_cb_o,
  output cbr_t               snoop_tfh_o,
  output tgh_idx_t           snoop_tgh_o,
  output ctx_t               snoop_cch_o,
  output cbr_t               done_cbr_o,
  output logic [1:0]         done_istatus_o,
  output logic [19:0]        done_ecause_o,
  output logic [15:0]        strobes_o,

  // The TLB's ports, and its size.
  output logic [15:0]         tlb_entries_o,
  output logic [15:0]         tlb_ways_o,
  output logic [15:0]         tlb_log_depth_o,
  output cbr_t                tlb_lkp_cbr_o,
  output ctx_t                tlb_lkp_ctx_o,
  output asid_t               tlb_lkp_asid_o,
  output va_t                 tlb_lkp_va_o,
  output logic                tlb_lkp_write_o,
  output logic [NumSizes-1:0] tlb_lkp_sizes_o,
  output cbr_t                tlb_rsp_cbr_o,
  output logic                tlb_rsp_hit_o,
  output logic                tlb_rsp_mod_o,
  output pa_t                 tlb_rsp_pa_o,
  output logic [1:0]          tlb_rsp_gaa_o,
  output psize_t              tlb_rsp_pagesize_o,
  output logic [1:0]          tlb_use_valid_o,
  output cbr_t                tlb_use_cbr0_o,
  output cbr_t                tlb_use_cbr1_o,
  output cbr_t                tlb_fill_cbr_o,
  output ctx_t                tlb_fill_ctx_o,
  output asid_t               tlb_fill_asid_o,
  output va_t                 tlb_fill_va_o,
  output pfn_t                tlb_fill_pfn_o,
  output psize_t              tlb_fill_pagesize_o,
  output logic [1:0]          tlb_fill_gaa_o,
  output logic                tlb_fill_dirty_o,
  output cbr_t                tlb_fill_done_cbr_o,
  output logic                tlb_fill_dropped_o,
  output tgh_idx_t            tlb_shoot_tgh_o,
  output logic [1:0]          tlb_shoot_scope_o,
  output asid_t               tlb_shoot_asid_o,
  output vpn_t                tlb_shoot_first_o,
  output vpn_t                tlb_shoot_last_o,
  output vpn_t                tlb_shoot_mask_o,
  output logic [NUM_CTX-1:0]  tlb_shoot_ctxbitmap_o,
  output logic [NUM_TGH-1:0]  tlb_shoot_done_o
);

  logic [63:0] now_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) now_q <= 64'd1;  // cycle 0 is reset
    else now_q <= now_q + 64'd1;
  end

  snoop_t snoop;
  pa_t araddr, awaddr;
  axi_user_t aruser, awuser;
  logic quiescent;
  obs_gru_t obs;
  assign m_axi_araddr = 64'(araddr);
  assign m_axi_awaddr = 64'(awaddr);
  assign m_axi_aruser = aruser;
  assign m_axi_awuser = awuser;
  assign snoop_cb_o   = snoop.cb;
  assign snoop_tfh_o  = snoop.tfh;
  assign snoop_tgh_o  = snoop.tgh;
  assign snoop_cch_o  = snoop.cch;

  assign tlb_entries_o         = 16'(TlbEntries);
  assign tlb_ways_o            = 16'(TlbWays);
  assign tlb_log_depth_o       = 16'(ShootLog);
  assign tlb_lkp_cbr_o         = u_gru.lkp.cbr;
  assign tlb_lkp_ctx_o         = u_gru.lkp.ctx;
  assign tlb_lkp_asid_o        = u_gru.lkp.asid;
  assign tlb_lkp_va_o          = u_gru.lkp.va;
  assign tlb_lkp_write_o       = u_gru.lkp.write;
  assign tlb_lkp_sizes_o       = u_gru.lkp.sizes;
  assign tlb_rsp_cbr_o         = u_gru.rsp.cbr;
  assign tlb_rsp_hit_o         = u_gru.rsp.hit;
  assign tlb_rsp_mod_o         = u_gru.rsp.mod;
  assign tlb_rsp_pa_o          = u_gru.rsp.pa;
  assign tlb_rsp_gaa_o         = u_gru.rsp.gaa;
  assign tlb_rsp_pagesize_o    = u_gru.rsp.pagesize;
  assign tlb_use_valid_o       = u_gru.use_done_valid;
  assign tlb_use_cbr0_o        = u_gru.use_done_cbr[0];
  assign tlb_use_cbr1_o        = u_gru.use_done_cbr[1];
  assign tlb_fill_cbr_o        = u_gru.fill.cbr;
  assign tlb_fill_ctx_o        = u_gru.fill.ctx;
  assign tlb_fill_asid_o       = u_gru.fill.asid;
  assign tlb_fill_va_o         = u_gru.fill.va;
  assign tlb_fill_pfn_o        = u_gru.fill.pfn;
  assign tlb_fill_pagesize_o   = u_gru.fill.pagesize;
  assign tlb_fill_gaa_o        = u_gru.fill.gaa;
  assign tlb_fill_dirty_o      = u_gru.fill.dirty;
  assign tlb_fill_done_cbr_o   = u_gru.fill_done_cbr;
  assign tlb_fill_dropped_o    = u_gru.fill_dropped;
  assign tlb_shoot_tgh_o       = u_gru.shoot.tgh;
  assign tlb_shoot_scope_o     = u_gru.shoot.scope;
  assign tlb_shoot_asid_o      = u_gru.shoot.asid;
  assign tlb_shoot_first_o     = u_gru.shoot.first;
  assign tlb_shoot_last_o      = u_gru.shoot.last;
  assign tlb_shoot_mask_o      = u_gru.shoot.mask;
  assign tlb_shoot_ctxbitmap_o = u_gru.shoot.ctxbitmap;
  assign tlb_shoot_done_o      = u_gru.shoot_done;

  assign strobes_o[0]  = u_gru.lkp_valid;
  assign strobes_o[1]  = u_gru.lkp_ready;
  assign strobes_o[2]  = u_gru.rsp_valid;
  assign strobes_o[3]  = |u_gru.use_done_valid;
  assign strobes_o[4]  = u_gru.fill_valid;
  assign strobes_o[5]  = u_gru.fill_ready;
  assign strobes_o[6]  = u_gru.fill_done;
  assign strobes_o[7]  = u_gru.shoot_valid;
  assign strobes_o[8]  = u_gru.shoot_ready;
  assign strobes_o[9]  = |u_gru.shoot_done;
  assign strobes_o[10] = snoop.cb_valid;
  assign strobes_o[11] = snoop.tfh_valid;
  assign strobes_o[12] = snoop.tgh_valid;
  assign strobes_o[13] = snoop.cch_valid;
  assign strobes_o[14] = quiescent;
  assign strobes_o[15] = obs.done_valid;
  assign done_cbr_o     = obs.done_cbr;
  assign done_istatus_o = obs.done_istatus;
  assign done_ecause_o  = obs.done_ecause;

  // What only the harness that skips time looks at.
  logic [63:0] unused_deadline;

  gru_top #(
    .TlbEntries (TlbEntries),
    .TlbWays    (TlbWays),
    .ShootSlots (ShootSlots),
    .ShootLog   (ShootLog)
  ) u_gru (
    .clk_i            (clk_i),
    .rst_ni           (rst_ni),
    .now_i            (now_q),
    .mutant_i         (mutant_i),
    .s_axil_awaddr_i  (s_axil_awaddr),
    .s_axil_awvalid_i (s_axil_awvalid),
    .s_axil_awready_o (s_axil_awready),
    .s_axil_wdata_i   (s_axil_wdata),
    .s_axil_wstrb_i   (s_axil_wstrb),
    .s_axil_wvalid_i  (s_axil_wvalid),
    .s_axil_wready_o  (s_axil_wready),
    .s_axil_bresp_o   (s_axil_bresp),
    .s_axil_bvalid_o  (s_axil_bvalid),
    .s_axil_bready_i  (s_axil_bready),
    .s_axil_araddr_i  (s_axil_araddr),
    .s_axil_arvalid_i (s_axil_arvalid),
    .s_axil_arready_o (s_axil_arready),
    .s_axil_rdata_o   (s_axil_rdata),
    .s_axil_rresp_o   (s_axil_rresp),
    .s_axil_rvalid_o  (s_axil_rvalid),
    .s_axil_rready_i  (s_axil_rready),
    .m_axi_arid_o     (m_axi_arid),
    .m_axi_araddr_o   (araddr),
    .m_axi_arlen_o    (m_axi_arlen),
    .m_axi_arsize_o   (m_axi_arsize),
    .m_axi_arburst_o  (m_axi_arburst),
    .m_axi_arlock_o   (m_axi_arlock),
    .m_axi_aruser_o   (aruser),
    .m_axi_arvalid_o  (m_axi_arvalid),
    .m_axi_arready_i  (m_axi_arready),
    .m_axi_rid_i      (m_axi_rid),
    .m_axi_rdata_i    (m_axi_rdata),
    .m_axi_rresp_i    (m_axi_rresp),
    .m_axi_rlast_i    (m_axi_rlast),
    .m_axi_rvalid_i   (m_axi_rvalid),
    .m_axi_rready_o   (m_axi_rready),
    .m_axi_awid_o     (m_axi_awid),
    .m_axi_awaddr_o   (awaddr),
    .m_axi_awlen_o    (m_axi_awlen),
    .m_axi_awsize_o   (m_axi_awsize),
    .m_axi_awburst_o  (m_axi_awburst),
    .m_axi_awlock_o   (m_axi_awlock),
    .m_axi_awuser_o   (awuser),
    .m_axi_awvalid_o  (m_axi_awvalid),
    .m_axi_awready_i  (m_axi_awready),
    .m_axi_wdata_o    (m_axi_wdata),
    .m_axi_wstrb_o    (m_axi_wstrb),
    .m_axi_wlast_o    (m_axi_wlast),
    .m_axi_wvalid_o   (m_axi_wvalid),
    .m_axi_wready_i   (m_axi_wready),
    .m_axi_bid_i      (m_axi_bid),
    .m_axi_bresp_i    (m_axi_bresp),
    .m_axi_bvalid_i   (m_axi_bvalid),
    .m_axi_bready_o   (m_axi_bready),
    .irq_o            (irq_o),
    .snoop_o          (snoop),
    .quiescent_o      (quiescent),
    .deadline_o       (unused_deadline),
    .obs_o            (obs)
  );

endmodule
