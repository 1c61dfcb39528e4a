// The buses of the chiplet, checked beside it. Bound to gru_top; no logic depends on it.
//
// Promises: the rules of axi_props; the register port keeps its answers until they are taken; a control block has one access outstanding, so
//   its ID does too.
// Costs: simulation time only while a channel waits.

module gru_axi_props
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input logic        clk_i,
  input logic        rst_ni,
  input logic        s_axil_bvalid_o,
  input logic        s_axil_bready_i,
  input logic [1:0]  s_axil_bresp_o,
  input logic        s_axil_rvalid_o,
  input logic        s_axil_rready_i,
  input logic [1:0]  s_axil_rresp_o,
  input logic [63:0] s_axil_rdata_o,
  input logic        m_axi_arvalid_o,
  input logic        m_axi_arready_i,
  input cbr_t        m_axi_arid_o,
  input pa_t         m_axi_araddr_o,
  input logic [2:0]  m_axi_arsize_o,
  input logic        m_axi_arlock_o,
  input axi_user_t   m_axi_aruser_o,
  input logic        m_axi_rvalid_i,
  input logic        m_axi_rready_o,
  input cbr_t        m_axi_rid_i,
  input logic        m_axi_awvalid_o,
  input logic        m_axi_awready_i,
  input cbr_t        m_axi_awid_o,
  input pa_t         m_axi_awaddr_o,
  input logic [2:0]  m_axi_awsize_o,
  input logic        m_axi_awlock_o,
  input axi_user_t   m_axi_awuser_o,
  input logic        m_axi_wvalid_o,
  input logic        m_axi_wready_i,
  input line_t       m_axi_wdata_o,
  input logic [63:0] m_axi_wstrb_o,
  input logic        m_axi_bvalid_i,
  input logic        m_axi_bready_o,
  input cbr_t        m_axi_bid_i
);

  typedef struct packed {
    cbr_t       id;
    pa_t        addr;
    logic [2:0] size;
    logic       lock;
    axi_user_t  user;
  } ax_t;

  ax_t ar, aw;
  assign ar = '{id: m_axi_arid_o, addr: m_axi_araddr_o, size: m_axi_arsize_o, lock: m_axi_arlock_o, user: m_axi_aruser_o};
  assign aw = '{id: m_axi_awid_o, addr: m_axi_awaddr_o, size: m_axi_awsize_o, lock: m_axi_awlock_o, user: m_axi_awuser_o};

  // Requests on the bus, by ID. An atomic's write follows its read's answer.
  cbr_vec_t reading, writing;
  axi_props #(
    .IdW($bits(cbr_t)),
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

  // Each bit: the channel waited in the last cycle, with the payload kept beside it.
  logic b_wait_q, r_wait_q;
  logic [1:0]   b_q;
  logic [65:0]  r_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) {b_wait_q, r_wait_q} <= '0;
    else begin
      b_wait_q  <= s_axil_bvalid_o && !s_axil_bready_i;
      r_wait_q  <= s_axil_rvalid_o && !s_axil_rready_i;
    end
  end
  always_ff @(posedge clk_i) begin
    if (s_axil_bvalid_o && !s_axil_bready_i) b_q <= s_axil_bresp_o;
    if (s_axil_rvalid_o && !s_axil_rready_i) r_q <= {s_axil_rresp_o, s_axil_rdata_o};
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      axil_b_stable: assert (!b_wait_q || (s_axil_bvalid_o && s_axil_bresp_o == b_q)) else $error("B changed while it waited");
      axil_r_stable: assert (!r_wait_q || (s_axil_rvalid_o && {s_axil_rresp_o, s_axil_rdata_o} == r_q))
        else $error("R changed while it waited");

      one_access_ar: assert (!m_axi_arvalid_o || (!reading[m_axi_arid_o] && !writing[m_axi_arid_o]))
        else $error("a second read of a control block");
      one_access_aw: assert (!m_axi_awvalid_o || (!reading[m_axi_awid_o] && !writing[m_axi_awid_o]))
        else $error("a second write of a control block");
    end
  end

endmodule

bind gru_top gru_axi_props u_axi_props (.*);
