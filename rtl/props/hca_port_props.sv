// The ports of the HCA and the interfaces between its blocks, checked beside it. Bound to hca_top; no logic depends on it.
//
// Promises: the rules of axi_props at the memory port; all that is valid/ready inside and at the link keeps its payload while it waits; only
//   atomics are locked, and one is under way at most.
// Costs: simulation time only while something waits.

module hca_port_props
  import hca_pkg::*;
  import hca_int_pkg::*;
#(
  parameter int unsigned NumRd = 4,
  parameter int unsigned NumWr = 3
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        enable,
  input logic        m_axi_arvalid_o,
  input logic        m_axi_arready_i,
  input axid_t       m_axi_arid_o,
  input pa_t         m_axi_araddr_o,
  input logic [2:0]  m_axi_arsize_o,
  input logic        m_axi_arlock_o,
  input hca_user_t   m_axi_aruser_o,
  input logic        m_axi_rvalid_i,
  input logic        m_axi_rready_o,
  input axid_t       m_axi_rid_i,
  input logic        m_axi_awvalid_o,
  input logic        m_axi_awready_i,
  input axid_t       m_axi_awid_o,
  input pa_t         m_axi_awaddr_o,
  input logic [2:0]  m_axi_awsize_o,
  input logic        m_axi_awlock_o,
  input hca_user_t   m_axi_awuser_o,
  input logic        m_axi_wvalid_o,
  input logic        m_axi_wready_i,
  input line_t       m_axi_wdata_o,
  input logic [63:0] m_axi_wstrb_o,
  input logic        m_axi_bvalid_i,
  input logic        m_axi_bready_o,
  input axid_t       m_axi_bid_i,
  input logic        link_out_valid_o,
  input logic        link_out_ready_i,
  input flit_t       link_out_o,
  input logic    [NumRd-1:0] rd_valid,
  input logic    [NumRd-1:0] rd_ready,
  input rd_req_t [NumRd-1:0] rd,
  input logic    [NumWr-1:0] wr_valid,
  input logic    [NumWr-1:0] wr_ready,
  input wr_req_t [NumWr-1:0] wr,
  input logic     [1:0] req_valid,
  input logic     [1:0] req_ready,
  input xlt_req_t [1:0] req,
  input logic        flt_valid,
  input logic        flt_ready,
  input flt_req_t    flt,
  input logic        resume_valid,
  input logic        resume_ready,
  input resume_t     resume,
  input logic        qp_cmd_valid,
  input logic        qp_cmd_ready,
  input qp_cmd_t     qp_cmd,
  input logic        cq_cmd_valid,
  input logic        cq_cmd_ready,
  input cq_cmd_t     cq_cmd,
  input logic        tx_valid,
  input logic        tx_ready,
  input tx_pkt_t     tx,
  input logic        tx_withdrawn,   // hca_qp takes packets of some queue pair back
  input logic        fail_valid,
  input logic        fail_ready,
  input tx_fail_t    fail,
  input logic        tx_flush_valid,
  input logic        cq_valid,
  input logic        cq_ready,
  input cq_req_t     cq
);

  // ------------------------------------------------------------------------------------------------ memory port
  typedef struct packed {
    axid_t      id;
    pa_t        addr;
    logic [2:0] size;
    logic       lock;
    hca_user_t  user;
  } ax_t;
  ax_t ar, aw;
  assign ar = '{id: m_axi_arid_o, addr: m_axi_araddr_o, size: m_axi_arsize_o, lock: m_axi_arlock_o, user: m_axi_aruser_o};
  assign aw = '{id: m_axi_awid_o, addr: m_axi_awaddr_o, size: m_axi_awsize_o, lock: m_axi_awlock_o, user: m_axi_awuser_o};

  logic [255:0] reading, writing;
  axi_props #(
    .IdW($bits(axid_t)),
    .AxW($bits(ax_t)),
    .WW (576)
  ) u_rules (
    .clk_i, .rst_ni,
    .arvalid_i(m_axi_arvalid_o), .arready_i(m_axi_arready_i), .arid_i(m_axi_arid_o), .araddr_i(m_axi_araddr_o[6:0]),
    .arsize_i(m_axi_arsize_o), .ar_i(ar), .rvalid_i(m_axi_rvalid_i), .rready_i(m_axi_rready_o), .rid_i(m_axi_rid_i),
    .awvalid_i(m_axi_awvalid_o), .awready_i(m_axi_awready_i), .awid_i(m_axi_awid_o), .awaddr_i(m_axi_awaddr_o[6:0]),
    .awsize_i(m_axi_awsize_o), .aw_i(aw),
    .wvalid_i(m_axi_wvalid_o), .wready_i(m_axi_wready_i), .wstrb_i(m_axi_wstrb_o), .w_i({m_axi_wdata_o, m_axi_wstrb_o}),
    .bvalid_i(m_axi_bvalid_i), .bready_i(m_axi_bready_o), .bid_i(m_axi_bid_i),
    .reading_o(reading), .writing_o(writing)
  );

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      locks_are_atomics: assert ((!m_axi_arvalid_o || m_axi_arlock_o == (m_axi_arid_o == ID_ATOMIC)) &&
                                 (!m_axi_awvalid_o || m_axi_awlock_o == (m_axi_awid_o == ID_ATOMIC)))
        else $error("a lock that is no atomic's, or an atomic without");
      one_atomic: assert (!(m_axi_arvalid_o && m_axi_arlock_o) || (!reading[ID_ATOMIC] && !writing[ID_ATOMIC]))
        else $error("a second atomic");
      within_a_line: assert ((!m_axi_arvalid_o || !m_axi_aruser_o.mapped || 8'(m_axi_aruser_o.va[5:0]) + 8'(m_axi_aruser_o.bytes) <= 8'd64)
                          && (!m_axi_awvalid_o || !m_axi_awuser_o.mapped || 8'(m_axi_awuser_o.va[5:0]) + 8'(m_axi_awuser_o.bytes) <= 8'd64))
        else $error("a beat that names bytes past its line");
    end
  end

  // ------------------------------------------------------------------------------------------------ inside
  for (genvar n = 0; n < NumRd; n++) begin : g_rd
    hca_stable_props #(.Width($bits(rd_req_t))) u_stable (
      .clk_i, .rst_ni, .enable_i(enable), .excuse_i(1'b0), .valid_i(rd_valid[n]), .ready_i(rd_ready[n]), .data_i(rd[n])
    );
  end
  for (genvar n = 0; n < NumWr; n++) begin : g_wr
    hca_stable_props #(.Width($bits(wr_req_t))) u_stable (
      .clk_i, .rst_ni, .enable_i(enable), .excuse_i(1'b0), .valid_i(wr_valid[n]), .ready_i(wr_ready[n]), .data_i(wr[n])
    );
  end
  for (genvar n = 0; n < 2; n++) begin : g_req
    hca_stable_props #(.Width($bits(xlt_req_t))) u_stable (
      .clk_i, .rst_ni, .enable_i(enable), .excuse_i(1'b0), .valid_i(req_valid[n]), .ready_i(req_ready[n]), .data_i(req[n])
    );
  end
  hca_stable_props #(.Width($bits(flit_t))) u_link (
    .clk_i, .rst_ni, .enable_i(enable), .excuse_i(1'b0), .valid_i(link_out_valid_o), .ready_i(link_out_ready_i), .data_i(link_out_o)
  );
  hca_stable_props #(.Width($bits(flt_req_t))) u_flt (
    .clk_i, .rst_ni, .enable_i(enable), .excuse_i(1'b0), .valid_i(flt_valid), .ready_i(flt_ready), .data_i(flt)
  );
  hca_stable_props #(.Width($bits(resume_t))) u_resume (
    .clk_i, .rst_ni, .enable_i(enable), .excuse_i(1'b0), .valid_i(resume_valid), .ready_i(resume_ready), .data_i(resume)
  );
  hca_stable_props #(.Width($bits(qp_cmd_t))) u_qp_cmd (
    .clk_i, .rst_ni, .enable_i(enable), .excuse_i(1'b0), .valid_i(qp_cmd_valid), .ready_i(qp_cmd_ready), .data_i(qp_cmd)
  );
  hca_stable_props #(.Width($bits(cq_cmd_t))) u_cq_cmd (
    .clk_i, .rst_ni, .enable_i(enable), .excuse_i(1'b0), .valid_i(cq_cmd_valid), .ready_i(cq_cmd_ready), .data_i(cq_cmd)
  );
  // What a queue pair has offered before it went back, failed or was flushed is taken back; so is its failure by a flush.
  hca_stable_props #(.Width($bits(tx_pkt_t))) u_tx (
    .clk_i, .rst_ni, .enable_i(enable), .excuse_i(tx_withdrawn), .valid_i(tx_valid), .ready_i(tx_ready), .data_i(tx)
  );
  hca_stable_props #(.Width($bits(tx_fail_t))) u_fail (
    .clk_i, .rst_ni, .enable_i(enable), .excuse_i(tx_flush_valid), .valid_i(fail_valid), .ready_i(fail_ready), .data_i(fail)
  );
  hca_stable_props #(.Width($bits(cq_req_t))) u_cq (
    .clk_i, .rst_ni, .enable_i(enable), .excuse_i(1'b0), .valid_i(cq_valid), .ready_i(cq_ready), .data_i(cq)
  );

endmodule

bind hca_top hca_port_props #(
  .NumRd(NumRd),
  .NumWr(NumWr)
) u_port_props (
  .*,
  .tx_withdrawn(u_qp.u_send.u_tx.kill_i != '0 || u_qp.u_recv.u_tx.kill_i != '0)
);
