// The adapter: registers and memory behind AXI, flits in and out. docs/hca.md section 9 has the picture.
//
// Promises: quiescent_o is high when no register (other than what now_i feeds) changes next cycle unless an input does; deadline_o is the
//   absolute time at which a timer in here expires (all ones: none). What waits for the link or for memory to be ready is quiescent.
// Needs: now_i counts cycles, and jumps at most to deadline_o, and only while quiescent_o is high. Reads of one AXI ID answer in order.
//   The link keeps flits in order; it may lose or damage packets.

module hca_top
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [63:0] now_i,
  input  logic [7:0]  mutant_i,
  input  logic [7:0]  node_i,
  // AXI4-Lite slave: the register block.
  input  logic [8:0]  s_axil_awaddr_i,
  input  logic        s_axil_awvalid_i,
  output logic        s_axil_awready_o,
  input  logic [63:0] s_axil_wdata_i,
  input  logic [7:0]  s_axil_wstrb_i,
  input  logic        s_axil_wvalid_i,
  output logic        s_axil_wready_o,
  output logic [1:0]  s_axil_bresp_o,
  output logic        s_axil_bvalid_o,
  input  logic        s_axil_bready_i,
  input  logic [8:0]  s_axil_araddr_i,
  input  logic        s_axil_arvalid_i,
  output logic        s_axil_arready_o,
  output logic [63:0] s_axil_rdata_o,
  output logic [1:0]  s_axil_rresp_o,
  output logic        s_axil_rvalid_o,
  input  logic        s_axil_rready_i,
  // AXI4 master: host memory.
  output axid_t       m_axi_arid_o,
  output pa_t         m_axi_araddr_o,
  output logic [7:0]  m_axi_arlen_o,
  output logic [2:0]  m_axi_arsize_o,
  output logic [1:0]  m_axi_arburst_o,
  output logic        m_axi_arlock_o,
  output hca_user_t   m_axi_aruser_o,
  output logic        m_axi_arvalid_o,
  input  logic        m_axi_arready_i,
  input  axid_t       m_axi_rid_i,
  input  line_t       m_axi_rdata_i,
  input  logic [1:0]  m_axi_rresp_i,
  input  logic        m_axi_rlast_i,
  input  logic        m_axi_rvalid_i,
  output logic        m_axi_rready_o,
  output axid_t       m_axi_awid_o,
  output pa_t         m_axi_awaddr_o,
  output logic [7:0]  m_axi_awlen_o,
  output logic [2:0]  m_axi_awsize_o,
  output logic [1:0]  m_axi_awburst_o,
  output logic        m_axi_awlock_o,
  output hca_user_t   m_axi_awuser_o,
  output logic        m_axi_awvalid_o,
  input  logic        m_axi_awready_i,
  output line_t       m_axi_wdata_o,
  output logic [63:0] m_axi_wstrb_o,
  output logic        m_axi_wlast_o,
  output logic        m_axi_wvalid_o,
  input  logic        m_axi_wready_i,
  input  axid_t       m_axi_bid_i,
  input  logic [1:0]  m_axi_bresp_i,
  input  logic        m_axi_bvalid_i,
  output logic        m_axi_bready_o,
  // Link.
  output logic        link_out_valid_o,
  input  logic        link_out_ready_i,
  output flit_t       link_out_o,
  input  logic        link_in_valid_i,
  output logic        link_in_ready_o,
  input  flit_t       link_in_i,
  output logic [2:0]  irq_o,          // [irq] of spec/hca.toml
  // Not for hardware: probes and monitor.
  output hca_snoop_t  snoop_o,
  output logic        quiescent_o,
  output logic [63:0] deadline_o,
  output obs_xlt_t    obs_xlt_o,
  output obs_pkt_t    obs_pkt_o
);

  // ------------------------------------------------------------------------------------------------ wires
  // Memory. Readers and writers by place; the lower class of a read goes first.
  localparam int unsigned RdMmu = 0, RdQp = 1, RdRx = 2, RdTx = 3, NumRd = 4;
  localparam int unsigned WrMmu = 0, WrCq = 1, WrRx = 2, NumWr = 3;
  localparam logic [NumRd-1:0][1:0] RdClass = {2'd2, 2'd1, 2'd1, 2'd0};
  logic    [NumRd-1:0] rd_valid, rd_ready;
  rd_req_t [NumRd-1:0] rd;
  logic    [NumWr-1:0] wr_valid, wr_ready;
  wr_req_t [NumWr-1:0] wr;
  logic    rd_rsp_valid, wr_rsp_valid;
  rd_rsp_t rd_rsp;
  wr_rsp_t wr_rsp;

  // Translation, by xlt_user_e.
  logic     [1:0] req_valid, req_ready, start_valid, done_valid, drop_valid;
  xlt_req_t [1:0] req;
  use_t     [1:0] start, done;
  logic     [1:0][UseSlotW-1:0] drop_slot;
  logic     rsp_valid;
  xlt_rsp_t rsp;
  logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] rx_live;
  logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] tx_live;

  // Registers, commands, faults.
  logic        enable, flt_valid, flt_ready, resume_valid, resume_ready, qp_cmd_valid, qp_cmd_ready, qp_done_valid, cq_cmd_valid, cq_cmd_ready;
  doorbell_t   doorbell;
  logic [31:0] rnr_delay, ack_timeout;
  flt_req_t    flt;
  resume_t     resume;
  qp_cmd_t     qp_cmd;
  cmd_status_e qp_done_status;
  hca_qp_report_t qp_report;
  cq_cmd_t     cq_cmd;
  logic        cq_fired_valid, cq_overflow;
  cqn_t        cq_fired;
  logic   [1:0] async_valid;
  async_t [1:0] async;

  // Queue pairs.
  logic        cfg_valid, cfg_load_rq, unused_load_sq, pkt_valid, pkt_ready, verdict_valid, land_valid, land_ready, flush_valid, tx_valid, tx_ready;
  logic        fail_valid, fail_ready, tx_flush_valid, cq_valid, cq_ready, rx_busy, tx_busy;
  qpn_t        cfg_qpn, flush_qpn, tx_flush_qpn, busy_qpn;
  qp_cfg_t     cfg;
  rx_pkt_t     pkt;
  rx_verdict_t verdict;
  rx_land_t    land;
  tx_pkt_t     tx;
  tx_fail_t    fail;
  cq_req_t     cq;

  logic [3:0][31:0] count;
  logic [12:0] tx_bytes, rx_bytes;
  logic [5:0]  quiet;
  logic [63:0] mmu_deadline, qp_deadline, rx_deadline, cq_deadline;

  // ------------------------------------------------------------------------------------------------ blocks
  hca_mmu u_mmu (
    .clk_i, .rst_ni, .mutant_i, .now_i, .node_i,
    .s_axil_awvalid_i, .s_axil_awready_o, .s_axil_awaddr_i, .s_axil_wvalid_i, .s_axil_wready_o, .s_axil_wdata_i, .s_axil_wstrb_i,
    .s_axil_bvalid_o, .s_axil_bready_i, .s_axil_bresp_o, .s_axil_arvalid_i, .s_axil_arready_o, .s_axil_araddr_i,
    .s_axil_rvalid_o, .s_axil_rready_i, .s_axil_rdata_o, .s_axil_rresp_o,
    .rd_valid_o(rd_valid[RdMmu]), .rd_ready_i(rd_ready[RdMmu]), .rd_o(rd[RdMmu]), .rd_rsp_valid_i(rd_rsp_valid), .rd_rsp_i(rd_rsp),
    .wr_valid_o(wr_valid[WrMmu]), .wr_ready_i(wr_ready[WrMmu]), .wr_o(wr[WrMmu]), .wr_rsp_valid_i(wr_rsp_valid), .wr_rsp_i(wr_rsp),
    .req_valid_i(req_valid), .req_ready_o(req_ready), .req_i(req), .rsp_valid_o(rsp_valid), .rsp_o(rsp),
    .rx_live_o(rx_live), .tx_live_o(tx_live), .start_valid_i(start_valid), .start_i(start), .done_valid_i(done_valid), .done_i(done),
    .drop_valid_i(drop_valid), .drop_slot_i(drop_slot),
    .flt_valid_i(flt_valid), .flt_ready_o(flt_ready), .flt_i(flt),
    .resume_valid_o(resume_valid), .resume_ready_i(resume_ready), .resume_o(resume),
    .qp_cmd_valid_o(qp_cmd_valid), .qp_cmd_ready_i(qp_cmd_ready), .qp_cmd_o(qp_cmd), .qp_done_valid_i(qp_done_valid),
    .qp_done_status_i(qp_done_status), .qp_report_i(qp_report),
    .cq_cmd_valid_o(cq_cmd_valid), .cq_cmd_ready_i(cq_cmd_ready), .cq_cmd_o(cq_cmd),
    .enable_o(enable), .doorbell_o(doorbell), .rnr_delay_o(rnr_delay), .ack_timeout_o(ack_timeout),
    .cq_fired_valid_i(cq_fired_valid), .cq_fired_i(cq_fired), .async_valid_i(async_valid), .async_i(async),
    .cq_overflow_i(cq_overflow), .count_i(count), .tx_bytes_i(tx_bytes), .rx_bytes_i(rx_bytes), .irq_o,
    .cmd_snoop_valid_o(snoop_o.cmd_valid), .cmd_snoop_o(snoop_o.cmd), .fence_snoop_valid_o(snoop_o.fence_valid),
    .obs_o(obs_xlt_o), .quiescent_o(quiet[0]), .deadline_o(mmu_deadline)
  );

  hca_qp u_qp (
    .clk_i, .rst_ni, .enable_i(enable), .mutant_i, .now_i, .rnr_delay_i(rnr_delay), .ack_timeout_i(ack_timeout), .doorbell_i(doorbell),
    .qp_cmd_valid_i(qp_cmd_valid), .qp_cmd_ready_o(qp_cmd_ready), .qp_cmd_i(qp_cmd), .qp_done_valid_o(qp_done_valid),
    .qp_done_status_o(qp_done_status), .qp_report_o(qp_report),
    .cfg_valid_o(cfg_valid), .cfg_qpn_o(cfg_qpn), .cfg_o(cfg), .cfg_load_sq_o(unused_load_sq), .cfg_load_rq_o(cfg_load_rq),
    .busy_qpn_o(busy_qpn), .busy_i(rx_busy || tx_busy),
    .rd_valid_o(rd_valid[RdQp]), .rd_ready_i(rd_ready[RdQp]), .rd_o(rd[RdQp]), .rd_rsp_valid_i(rd_rsp_valid), .rd_rsp_i(rd_rsp),
    .pkt_valid_i(pkt_valid), .pkt_ready_o(pkt_ready), .pkt_i(pkt), .verdict_valid_o(verdict_valid), .verdict_o(verdict),
    .land_valid_i(land_valid), .land_ready_o(land_ready), .land_i(land), .flush_valid_o(flush_valid), .flush_qpn_o(flush_qpn),
    .tx_valid_o(tx_valid), .tx_ready_i(tx_ready), .tx_o(tx), .fail_valid_i(fail_valid), .fail_ready_o(fail_ready), .fail_i(fail),
    .tx_flush_valid_o(tx_flush_valid), .tx_flush_qpn_o(tx_flush_qpn),
    .flt_valid_o(flt_valid), .flt_ready_i(flt_ready), .flt_o(flt),
    .resume_valid_i(resume_valid), .resume_ready_o(resume_ready), .resume_i(resume),
    .cq_valid_o(cq_valid), .cq_ready_i(cq_ready), .cq_o(cq), .async_valid_o(async_valid[0]), .async_o(async[0]),
    .count_o(count[0]), .quiescent_o(quiet[1]), .deadline_o(qp_deadline),
    .obs_qp_valid_o(obs_pkt_o.qp_valid), .obs_qp_qpn_o(obs_pkt_o.qp_qpn), .obs_qp_state_o(obs_pkt_o.qp_state)
  );

  hca_rx u_rx (
    .clk_i, .rst_ni, .mutant_i, .enable_i(enable), .flit_valid_i(link_in_valid_i), .flit_ready_o(link_in_ready_o), .flit_i(link_in_i),
    .cfg_valid_i(cfg_valid), .cfg_qpn_i(cfg_qpn), .cfg_i(cfg), .cfg_load_rq_i(cfg_load_rq), .doorbell_i(doorbell),
    .rd_valid_o(rd_valid[RdRx]), .rd_ready_i(rd_ready[RdRx]), .rd_o(rd[RdRx]), .rd_rsp_valid_i(rd_rsp_valid), .rd_rsp_i(rd_rsp),
    .wr_valid_o(wr_valid[WrRx]), .wr_ready_i(wr_ready[WrRx]), .wr_o(wr[WrRx]), .wr_rsp_valid_i(wr_rsp_valid), .wr_rsp_i(wr_rsp),
    .req_valid_o(req_valid[USER_RX]), .req_ready_i(req_ready[USER_RX]), .req_o(req[USER_RX]), .rsp_valid_i(rsp_valid), .rsp_i(rsp),
    .live_i(rx_live), .start_valid_o(start_valid[USER_RX]), .start_o(start[USER_RX]), .done_valid_o(done_valid[USER_RX]),
    .done_o(done[USER_RX]), .drop_valid_o(drop_valid[USER_RX]), .drop_slot_o(drop_slot[USER_RX]),
    .pkt_valid_o(pkt_valid), .pkt_ready_i(pkt_ready), .pkt_o(pkt), .verdict_valid_i(verdict_valid), .verdict_i(verdict),
    .land_valid_o(land_valid), .land_ready_i(land_ready), .land_o(land),
    .resume_valid_i(resume_valid && resume_ready), .resume_i(resume), .flush_valid_i(flush_valid), .flush_qpn_i(flush_qpn),
    .busy_qpn_i(busy_qpn), .busy_o(rx_busy),
    .count_o(count[1]), .rx_bytes_o(rx_bytes), .quiescent_o(quiet[2]), .deadline_o(rx_deadline),
    .obs_taken_valid_o(obs_pkt_o.taken_valid), .obs_taken_o(obs_pkt_o.taken), .obs_land_valid_o(obs_pkt_o.land_valid),
    .obs_land_o(obs_pkt_o.land)
  );

  hca_tx u_tx (
    .clk_i, .rst_ni, .enable_i(enable), .tx_valid_i(tx_valid), .tx_ready_o(tx_ready), .tx_i(tx),
    .fail_valid_o(fail_valid), .fail_ready_i(fail_ready), .fail_o(fail), .tx_flush_valid_i(tx_flush_valid), .tx_flush_qpn_i(tx_flush_qpn),
    .busy_qpn_i(busy_qpn), .busy_o(tx_busy),
    .req_valid_o(req_valid[USER_TX]), .req_ready_i(req_ready[USER_TX]), .req_o(req[USER_TX]), .rsp_valid_i(rsp_valid), .rsp_i(rsp),
    .live_i(tx_live), .start_valid_o(start_valid[USER_TX]), .start_o(start[USER_TX]), .done_valid_o(done_valid[USER_TX]),
    .done_o(done[USER_TX]), .drop_valid_o(drop_valid[USER_TX]), .drop_slot_o(drop_slot[USER_TX]),
    .rd_valid_o(rd_valid[RdTx]), .rd_ready_i(rd_ready[RdTx]), .rd_o(rd[RdTx]), .rd_rsp_valid_i(rd_rsp_valid), .rd_rsp_i(rd_rsp),
    .flit_valid_o(link_out_valid_o), .flit_ready_i(link_out_ready_i), .flit_o(link_out_o),
    .count_o(count[2]), .tx_bytes_o(tx_bytes), .sent_valid_o(obs_pkt_o.sent_valid), .sent_o(obs_pkt_o.sent), .quiescent_o(quiet[3])
  );

  hca_cq u_cq (
    .clk_i, .rst_ni, .enable_i(enable), .cq_cmd_valid_i(cq_cmd_valid), .cq_cmd_ready_o(cq_cmd_ready), .cq_cmd_i(cq_cmd),
    .doorbell_i(doorbell), .cq_valid_i(cq_valid), .cq_ready_o(cq_ready), .cq_i(cq),
    .wr_valid_o(wr_valid[WrCq]), .wr_ready_i(wr_ready[WrCq]), .wr_o(wr[WrCq]), .wr_rsp_valid_i(wr_rsp_valid), .wr_rsp_i(wr_rsp),
    .cq_fired_valid_o(cq_fired_valid), .cq_fired_o(cq_fired), .cq_overflow_o(cq_overflow), .async_valid_o(async_valid[1]),
    .async_o(async[1]), .snoop_valid_o(snoop_o.cq_valid), .snoop_cqn_o(snoop_o.cq), .count_o(count[3]),
    .quiescent_o(quiet[4]), .deadline_o(cq_deadline), .obs_cqe_valid_o(obs_pkt_o.cqe_valid), .obs_cqe_cqn_o(obs_pkt_o.cqe_cqn),
    .obs_cqe_o(obs_pkt_o.cqe)
  );

  hca_axi #(
    .NumRd  (NumRd),
    .NumWr  (NumWr),
    .RdClass(RdClass)
  ) u_axi (
    .clk_i, .rst_ni, .mutant_i, .enable_i(enable),
    .rd_valid_i(rd_valid), .rd_ready_o(rd_ready), .rd_i(rd), .rd_rsp_valid_o(rd_rsp_valid), .rd_rsp_o(rd_rsp),
    .wr_valid_i(wr_valid), .wr_ready_o(wr_ready), .wr_i(wr), .wr_rsp_valid_o(wr_rsp_valid), .wr_rsp_o(wr_rsp),
    .m_axi_arvalid_o, .m_axi_arready_i, .m_axi_arid_o, .m_axi_araddr_o, .m_axi_arlen_o, .m_axi_arsize_o, .m_axi_arburst_o,
    .m_axi_arlock_o, .m_axi_aruser_o, .m_axi_rvalid_i, .m_axi_rready_o, .m_axi_rid_i, .m_axi_rdata_i, .m_axi_rresp_i, .m_axi_rlast_i,
    .m_axi_awvalid_o, .m_axi_awready_i, .m_axi_awid_o, .m_axi_awaddr_o, .m_axi_awlen_o, .m_axi_awsize_o, .m_axi_awburst_o,
    .m_axi_awlock_o, .m_axi_awuser_o, .m_axi_wvalid_o, .m_axi_wready_i, .m_axi_wdata_o, .m_axi_wstrb_o, .m_axi_wlast_o,
    .m_axi_bvalid_i, .m_axi_bready_o, .m_axi_bid_i, .m_axi_bresp_i,
    .quiescent_o(quiet[5])
  );

  // ------------------------------------------------------------------------------------------------ time
  assign quiescent_o = &quiet;
  always_comb begin
    deadline_o = mmu_deadline;
    if (qp_deadline < deadline_o) deadline_o = qp_deadline;
    if (rx_deadline < deadline_o) deadline_o = rx_deadline;
    if (cq_deadline < deadline_o) deadline_o = cq_deadline;
  end

endmodule
