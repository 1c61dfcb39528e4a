// The GRU with flat ports named as bus models expect them: what a testbench written with cocotb and bus models alone simulates.
//
// Promises: every port is a plain vector that cocotb reads and drives; `snoop_*` are the fields of snoop_t. Time is a counter that
//   counts every cycle, for nothing is skipped here.
// Needs: a clock that never stops. The memory answers with single beats.
// Costs: nothing but the GRU itself; there is no C++.

module conventional_top
  import gru_pkg::*;
  import gru_int_pkg::*;
(
  input  logic               clk           /*verilator public_flat_rw*/,
  input  logic               rst_n         /*verilator public_flat_rw*/,

  // AXI4-Lite: the chiplet window.
  input  logic [26:0]        s_axil_awaddr  /*verilator public_flat_rw*/,
  input  logic               s_axil_awvalid /*verilator public_flat_rw*/,
  output logic               s_axil_awready /*verilator public_flat_rw*/,
  input  logic [63:0]        s_axil_wdata   /*verilator public_flat_rw*/,
  input  logic [7:0]         s_axil_wstrb   /*verilator public_flat_rw*/,
  input  logic               s_axil_wvalid  /*verilator public_flat_rw*/,
  output logic               s_axil_wready  /*verilator public_flat_rw*/,
  output logic [1:0]         s_axil_bresp   /*verilator public_flat_rw*/,
  output logic               s_axil_bvalid  /*verilator public_flat_rw*/,
  input  logic               s_axil_bready  /*verilator public_flat_rw*/,
  input  logic [26:0]        s_axil_araddr  /*verilator public_flat_rw*/,
  input  logic               s_axil_arvalid /*verilator public_flat_rw*/,
  output logic               s_axil_arready /*verilator public_flat_rw*/,
  output logic [63:0]        s_axil_rdata   /*verilator public_flat_rw*/,
  output logic [1:0]         s_axil_rresp   /*verilator public_flat_rw*/,
  output logic               s_axil_rvalid  /*verilator public_flat_rw*/,
  input  logic               s_axil_rready  /*verilator public_flat_rw*/,

  // AXI4: memory.
  output logic [CbrW-1:0]    m_axi_arid     /*verilator public_flat_rw*/,
  output logic [63:0]        m_axi_araddr   /*verilator public_flat_rw*/,
  output logic [7:0]         m_axi_arlen    /*verilator public_flat_rw*/,
  output logic [2:0]         m_axi_arsize   /*verilator public_flat_rw*/,
  output logic [1:0]         m_axi_arburst  /*verilator public_flat_rw*/,
  output logic               m_axi_arlock   /*verilator public_flat_rw*/,
  output logic               m_axi_arvalid  /*verilator public_flat_rw*/,
  input  logic               m_axi_arready  /*verilator public_flat_rw*/,
  input  logic [CbrW-1:0]    m_axi_rid      /*verilator public_flat_rw*/,
  input  logic [511:0]       m_axi_rdata    /*verilator public_flat_rw*/,
  input  logic [1:0]         m_axi_rresp    /*verilator public_flat_rw*/,
  input  logic               m_axi_rlast    /*verilator public_flat_rw*/,
  input  logic               m_axi_rvalid   /*verilator public_flat_rw*/,
  output logic               m_axi_rready   /*verilator public_flat_rw*/,
  output logic [CbrW-1:0]    m_axi_awid     /*verilator public_flat_rw*/,
  output logic [63:0]        m_axi_awaddr   /*verilator public_flat_rw*/,
  output logic [7:0]         m_axi_awlen    /*verilator public_flat_rw*/,
  output logic [2:0]         m_axi_awsize   /*verilator public_flat_rw*/,
  output logic [1:0]         m_axi_awburst  /*verilator public_flat_rw*/,
  output logic               m_axi_awlock   /*verilator public_flat_rw*/,
  output logic               m_axi_awvalid  /*verilator public_flat_rw*/,
  input  logic               m_axi_awready  /*verilator public_flat_rw*/,
  output logic [511:0]       m_axi_wdata    /*verilator public_flat_rw*/,
  output logic [63:0]        m_axi_wstrb    /*verilator public_flat_rw*/,
  output logic               m_axi_wlast    /*verilator public_flat_rw*/,
  output logic               m_axi_wvalid   /*verilator public_flat_rw*/,
  input  logic               m_axi_wready   /*verilator public_flat_rw*/,
  input  logic [CbrW-1:0]    m_axi_bid      /*verilator public_flat_rw*/,
  input  logic [1:0]         m_axi_bresp    /*verilator public_flat_rw*/,
  input  logic               m_axi_bvalid   /*verilator public_flat_rw*/,
  output logic               m_axi_bready   /*verilator public_flat_rw*/,

  // Interrupt lines and coherence probes.
  output logic [NUM_IRQ-1:0] irq             /*verilator public_flat_rw*/,
  output logic               snoop_cb_valid  /*verilator public_flat_rw*/,
  output cbr_t               snoop_cb        /*verilator public_flat_rw*/,
  output logic               snoop_tfh_valid /*verilator public_flat_rw*/,
  output cbr_t               snoop_tfh       /*verilator public_flat_rw*/,
  output logic               snoop_tgh_valid /*verilator public_flat_rw*/,
  output tgh_idx_t           snoop_tgh       /*verilator public_flat_rw*/,
  output logic               snoop_cch_valid /*verilator public_flat_rw*/,
  output ctx_t               snoop_cch       /*verilator public_flat_rw*/
);

  logic [63:0] now_q;
  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) now_q <= 64'd1;  // cycle 0 is reset
    else now_q <= now_q + 64'd1;
  end

  snoop_t snoop;
  pa_t araddr, awaddr;
  assign m_axi_araddr    = 64'(araddr);
  assign m_axi_awaddr    = 64'(awaddr);
  assign snoop_cb_valid  = snoop.cb_valid;
  assign snoop_cb        = snoop.cb;
  assign snoop_tfh_valid = snoop.tfh_valid;
  assign snoop_tfh       = snoop.tfh;
  assign snoop_tgh_valid = snoop.tgh_valid;
  assign snoop_tgh       = snoop.tgh;
  assign snoop_cch_valid = snoop.cch_valid;
  assign snoop_cch       = snoop.cch;

  // What only the harness of the native and cocotb hosts looks at: who a beat is for, when time may be skipped, the monitor.
  axi_user_t unused_aruser, unused_awuser;
  logic unused_quiescent;
  logic [63:0] unused_deadline;
  obs_gru_t unused_obs;

  gru_top u_gru (
    .clk_i            (clk),
    .rst_ni           (rst_n),
    .now_i            (now_q),
    .mutant_i         (8'd0),
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
    .m_axi_aruser_o   (unused_aruser),
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
    .m_axi_awuser_o   (unused_awuser),
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
    .irq_o            (irq),
    .snoop_o          (snoop),
    .quiescent_o      (unused_quiescent),
    .deadline_o       (unused_deadline),
    .obs_o            (unused_obs)
  );

endmodule
