// One HCA with flat ports, for UVM agents. Its link leads back to it through a cable (loop_i), or is the link agent's.
//
// Promises: the buses carry AXI's own names, so that bus models find them. now_o counts cycles from 1 after reset. seen_o says in which groups of ports something happened in this cycle (bits below),
//   so that a monitor reads the rest only then. Combinational, like all observed ports.
// Needs: loop_i is constant from reset on.

module hca_uvm_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic [7:0]   mutant_i,
  input  logic [7:0]   node_i,
  output logic [63:0]  now_o,
  // The cable.
  input  logic         loop_i,
  input  logic [15:0]  loop_latency_i,
  input  logic [7:0]   loop_rate_i,
  input  logic [31:0]  loop_fates_i,   // two bits an opcode: pass, lose, corrupt, truncate
  output logic [7:0]   loop_opcode_o,  // of the packet that enters it
  // AXI4-Lite slave.
  input  logic [8:0]   s_axil_awaddr,
  input  logic         s_axil_awvalid,
  output logic         s_axil_awready,
  input  logic [63:0]  s_axil_wdata,
  input  logic [7:0]   s_axil_wstrb,
  input  logic         s_axil_wvalid,
  output logic         s_axil_wready,
  output logic [1:0]   s_axil_bresp,
  output logic         s_axil_bvalid,
  input  logic         s_axil_bready,
  input  logic [8:0]   s_axil_araddr,
  input  logic         s_axil_arvalid,
  output logic         s_axil_arready,
  output logic [63:0]  s_axil_rdata,
  output logic [1:0]   s_axil_rresp,
  output logic         s_axil_rvalid,
  input  logic         s_axil_rready,
  // AXI4 master.
  output logic [7:0]   m_axi_arid,
  output logic [51:0]  m_axi_araddr,
  output logic [7:0]   m_axi_arlen,
  output logic [2:0]   m_axi_arsize,
  output logic [1:0]   m_axi_arburst,
  output logic         m_axi_arlock,
  output logic         m_axi_arvalid,
  input  logic         m_axi_arready,
  input  logic [7:0]   m_axi_rid,
  input  logic [511:0] m_axi_rdata,
  input  logic [1:0]   m_axi_rresp,
  input  logic         m_axi_rlast,
  input  logic         m_axi_rvalid,
  output logic         m_axi_rready,
  output logic [7:0]   m_axi_awid,
  output logic [51:0]  m_axi_awaddr,
  output logic [7:0]   m_axi_awlen,
  output logic [2:0]   m_axi_awsize,
  output logic [1:0]   m_axi_awburst,
  output logic         m_axi_awlock,
  output logic         m_axi_awvalid,
  input  logic         m_axi_awready,
  output logic [511:0] m_axi_wdata,
  output logic [63:0]  m_axi_wstrb,
  output logic         m_axi_wlast,
  output logic         m_axi_wvalid,
  input  logic         m_axi_wready,
  input  logic [7:0]   m_axi_bid,
  input  logic [1:0]   m_axi_bresp,
  input  logic         m_axi_bvalid,
  output logic         m_axi_bready,
  // Their sidebands, from bit 0: mapped (1), need (3), qpn (13), key (16), bytes (7), va (64).
  output logic [103:0] m_axi_aruser,
  output logic [103:0] m_axi_awuser,
  // The link agent's end, used when loop_i is low.
  input  logic         link_in_valid_i,
  output logic         link_in_ready_o,
  input  logic [511:0] link_in_data_i,
  input  logic         link_in_sop_i,
  input  logic         link_in_eop_i,
  input  logic [31:0]  link_in_crc_i,
  input  logic         link_out_ready_i,
  // What crosses the device's link, whoever is at the other end.
  output logic         link_out_valid_o,
  output logic         link_out_taken_o,
  output logic [511:0] link_out_data_o,
  output logic         link_out_sop_o,
  output logic         link_out_eop_o,
  output logic [31:0]  link_out_crc_o,
  output logic         link_rx_taken_o,
  output logic [511:0] link_rx_data_o,
  output logic         link_rx_sop_o,
  output logic         link_rx_eop_o,
  output logic [31:0]  link_rx_crc_o,
  output logic [2:0]   irq_o,
  output logic         quiescent_o,
  output logic [63:0]  deadline_o,
  // What the monitor sees (obs_xlt_t, obs_pkt_t, hca_snoop_t), each with its bit of seen_o.
  output logic [18:0]  seen_o,
  output logic [31:0]  walk_key_o,
  output logic [63:0]  walk_va_o,
  output logic         fill_dropped_o,
  output logic [31:0]  fill_key_o,
  output logic [63:0]  fill_va_o,
  output logic [39:0]  fill_pfn_o,
  output logic [5:0]   fill_shift_o,
  output logic         fill_write_o,
  output logic [15:0]  inv_index_o,
  output logic [31:0]  inv_key_o,
  output logic [63:0]  inv_addr_o,
  output logic [63:0]  inv_length_o,
  output logic         inv_whole_o,
  output logic [MTT_WAYS-1:0] kill_valid_o,
  output logic [MTT_WAYS*KEY_IDX_WIDTH-1:0] kill_key_o,
  output logic [MTT_WAYS*64-1:0] kill_va_o,
  output logic [MTT_WAYS*6-1:0] kill_shift_o,
  output logic [15:0]  fence_index_o,
  output logic [63:0]  fence_value_o,
  output logic [23:0]  fault_qpn_o,
  output logic         fault_dir_o,
  output logic [31:0]  fault_key_o,
  output logic [63:0]  fault_va_o,
  output logic [7:0]   fault_cause_o,
  output logic [31:0]  fault_token_o,
  output logic [23:0]  record_qpn_o,
  output logic         record_dir_o,
  output logic [31:0]  record_token_o,
  output logic [15:0]  record_prod_o,
  output logic [23:0]  resume_qpn_o,
  output logic         resume_dir_o,
  output logic [31:0]  resume_token_o,
  output logic         resume_error_o,
  output logic         resume_ok_o,
  output logic [23:0]  qp_qpn_o,
  output logic [3:0]   qp_state_o,
  output logic [511:0] sent_o,
  output logic [511:0] taken_o,
  output logic [511:0] land_o,
  output logic [511:0] cqe_o,
  output logic [7:0]   cqe_cqn_o,
  output logic [7:0]   snoop_cq_o,
  output logic [15:0]  snoop_cmd_o
);

  logic [63:0] now_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) now_q <= 64'd1;
    else now_q <= now_q + 64'd1;
  end
  assign now_o = now_q;

  // ------------------------------------------------------------------------------------------------ the link
  flit_t out_flit, rx_flit, agent_flit, cable_flit;
  logic out_valid, out_ready, rx_valid, rx_ready, cable_ready, cable_valid, begins, unused_quiet;
  logic [63:0] unused_deadline;

  hca_link #(
    .Depth(1024)
  ) u_cable (
    .clk_i,
    .rst_ni,
    .now_i            (now_q),
    .latency_i        (loop_latency_i),
    .cycles_per_flit_i(loop_rate_i),
    .action_i         (loop_fates_i[5'(2 * out_flit.data[3:0])+:2]),
    .action_taken_o   (begins),
    .flit_valid_i     (out_valid && loop_i),
    .flit_ready_o     (cable_ready),
    .flit_i           (out_flit),
    .flit_valid_o     (cable_valid),
    .flit_ready_i     (rx_ready && loop_i),
    .flit_o           (cable_flit),
    .quiescent_o      (unused_quiet),
    .deadline_o       (unused_deadline)
  );

  assign agent_flit = '{data: link_in_data_i, sop: link_in_sop_i, eop: link_in_eop_i, crc: link_in_crc_i};
  assign out_ready = loop_i ? cable_ready : link_out_ready_i;
  assign rx_valid = loop_i ? cable_valid : link_in_valid_i;
  assign rx_flit = loop_i ? cable_flit : agent_flit;
  assign link_in_ready_o = rx_ready && !loop_i;
  assign loop_opcode_o = out_flit.data[7:0];
  assign link_out_valid_o = out_valid;
  assign link_out_taken_o = out_valid && out_ready;
  assign {link_out_data_o, link_out_sop_o, link_out_eop_o, link_out_crc_o} = out_flit;
  assign link_rx_taken_o = rx_valid && rx_ready;
  assign {link_rx_data_o, link_rx_sop_o, link_rx_eop_o, link_rx_crc_o} = rx_flit;

  // ------------------------------------------------------------------------------------------------ the device
  hca_user_t aruser, awuser;
  hca_snoop_t snoop;
  obs_xlt_t x;
  obs_pkt_t p;

  hca_top u_hca (
    .clk_i, .rst_ni, .now_i(now_q), .mutant_i, .node_i, .s_axil_awaddr_i(s_axil_awaddr), .s_axil_awvalid_i(s_axil_awvalid),
    .s_axil_awready_o(s_axil_awready), .s_axil_wdata_i(s_axil_wdata), .s_axil_wstrb_i(s_axil_wstrb),
    .s_axil_wvalid_i(s_axil_wvalid), .s_axil_wready_o(s_axil_wready), .s_axil_bresp_o(s_axil_bresp),
    .s_axil_bvalid_o(s_axil_bvalid), .s_axil_bready_i(s_axil_bready), .s_axil_araddr_i(s_axil_araddr),
    .s_axil_arvalid_i(s_axil_arvalid), .s_axil_arready_o(s_axil_arready), .s_axil_rdata_o(s_axil_rdata),
    .s_axil_rresp_o(s_axil_rresp), .s_axil_rvalid_o(s_axil_rvalid), .s_axil_rready_i(s_axil_rready), .m_axi_arid_o(m_axi_arid),
    .m_axi_araddr_o(m_axi_araddr), .m_axi_arlen_o(m_axi_arlen), .m_axi_arsize_o(m_axi_arsize), .m_axi_arburst_o(m_axi_arburst),
    .m_axi_arlock_o(m_axi_arlock), .m_axi_aruser_o(aruser), .m_axi_arvalid_o(m_axi_arvalid), .m_axi_arready_i(m_axi_arready),
    .m_axi_rid_i(m_axi_rid), .m_axi_rdata_i(m_axi_rdata), .m_axi_rresp_i(m_axi_rresp), .m_axi_rlast_i(m_axi_rlast),
    .m_axi_rvalid_i(m_axi_rvalid), .m_axi_rready_o(m_axi_rready), .m_axi_awid_o(m_axi_awid), .m_axi_awaddr_o(m_axi_awaddr),
    .m_axi_awlen_o(m_axi_awlen), .m_axi_awsize_o(m_axi_awsize), .m_axi_awburst_o(m_axi_awburst), .m_axi_awlock_o(m_axi_awlock),
    .m_axi_awuser_o(awuser), .m_axi_awvalid_o(m_axi_awvalid), .m_axi_awready_i(m_axi_awready), .m_axi_wdata_o(m_axi_wdata),
    .m_axi_wstrb_o(m_axi_wstrb), .m_axi_wlast_o(m_axi_wlast), .m_axi_wvalid_o(m_axi_wvalid), .m_axi_wready_i(m_axi_wready),
    .m_axi_bid_i(m_axi_bid), .m_axi_bresp_i(m_axi_bresp), .m_axi_bvalid_i(m_axi_bvalid), .m_axi_bready_o(m_axi_bready),
    .link_out_valid_o(out_valid), .link_out_ready_i(out_ready), .link_out_o(out_flit), .link_in_valid_i(rx_valid),
    .link_in_ready_o(rx_ready), .link_in_i(rx_flit), .irq_o, .snoop_o(snoop), .quiescent_o, .deadline_o, .obs_xlt_o(x),
    .obs_pkt_o(p)
  );

  assign m_axi_aruser = {aruser.va, aruser.bytes, 16'(aruser.key), 13'(aruser.qpn), aruser.need, aruser.mapped};
  assign m_axi_awuser = {awuser.va, awuser.bytes, 16'(awuser.key), 13'(awuser.qpn), awuser.need, awuser.mapped};

  // ------------------------------------------------------------------------------------------------ what there is to see
  assign seen_o = {
    p.cqe_valid, p.land_valid, p.taken_valid, p.sent_valid, p.qp_valid,
    x.resume_valid, x.record_valid, x.fault_valid, x.fence_valid, x.kill_valid != '0, x.inv_valid, x.fill_valid, x.walk_valid,
    snoop.fence_valid, snoop.cmd_valid, snoop.cq_valid,
    begins, link_rx_taken_o, link_out_taken_o
  };
  assign walk_key_o = x.walk_key;
  assign walk_va_o = x.walk_va;
  assign {fill_dropped_o, fill_key_o, fill_va_o, fill_pfn_o, fill_shift_o, fill_write_o} =
      {x.fill_dropped, x.fill_key, x.fill_va, x.fill_pfn, x.fill_shift, x.fill_write};
  assign {inv_index_o, inv_key_o, inv_addr_o, inv_length_o, inv_whole_o} =
      {x.inv_index, x.inv_key, x.inv_addr, x.inv_length, x.inv_whole};
  assign {kill_valid_o, kill_key_o, kill_va_o, kill_shift_o} = {x.kill_valid, x.kill_key, x.kill_va, x.kill_shift};
  assign {fence_index_o, fence_value_o} = {x.fence_index, x.fence_value};
  assign {fault_key_o, fault_va_o, fault_token_o} = {x.fault.key, x.fault.va, x.fault_token};
  assign fault_qpn_o = 24'(x.fault.qpn);
  assign fault_dir_o = x.fault.direction;
  assign fault_cause_o = 8'(x.fault.cause);
  assign record_qpn_o = 24'(x.record_qpn);
  assign record_dir_o = x.record_dir;
  assign {record_token_o, record_prod_o} = {x.record_token, x.record_prod};
  assign resume_qpn_o = 24'(x.resume_qpn);
  assign resume_dir_o = x.resume_dir;
  assign {resume_token_o, resume_error_o, resume_ok_o} = {x.resume_token, x.resume_error, x.resume_ok};
  assign qp_qpn_o = 24'(p.qp_qpn);
  assign qp_state_o = 4'(p.qp_state);
  assign {sent_o, taken_o, land_o, cqe_o} = {512'(p.sent), 512'(p.taken), 512'(p.land), 512'(p.cqe)};
  assign cqe_cqn_o = 8'(p.cqe_cqn);
  assign snoop_cq_o = 8'(snoop.cq);
  assign snoop_cmd_o = 16'(snoop.cmd);

endmodule
