// The buses of the chiplet, checked beside it. Bound to gru_top; no logic depends on it.
//
// Promises: a channel the chiplet drives keeps valid and payload until it is taken (AXI4 A3.2.1); each request is one beat
//   within a line; a control block has one access outstanding, so its ID does too; a response answers a request.
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

  ax_t ar, aw, ar_q, aw_q;
  assign ar = '{id: m_axi_arid_o, addr: m_axi_araddr_o, size: m_axi_arsize_o, lock: m_axi_arlock_o, user: m_axi_aruser_o};
  assign aw = '{id: m_axi_awid_o, addr: m_axi_awaddr_o, size: m_axi_awsize_o, lock: m_axi_awlock_o, user: m_axi_awuser_o};

  // Each bit: the channel waited in the last cycle, with the payload kept beside it.
  logic ar_wait_q, aw_wait_q, w_wait_q, b_wait_q, r_wait_q;
  logic [575:0] w_q;
  logic [1:0]   b_q;
  logic [65:0]  r_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) {ar_wait_q, aw_wait_q, w_wait_q, b_wait_q, r_wait_q} <= '0;
    else begin
      ar_wait_q <= m_axi_arvalid_o && !m_axi_arready_i;
      aw_wait_q <= m_axi_awvalid_o && !m_axi_awready_i;
      w_wait_q  <= m_axi_wvalid_o && !m_axi_wready_i;
      b_wait_q  <= s_axil_bvalid_o && !s_axil_bready_i;
      r_wait_q  <= s_axil_rvalid_o && !s_axil_rready_i;
    end
  end
  always_ff @(posedge clk_i) begin
    if (m_axi_arvalid_o && !m_axi_arready_i) ar_q <= ar;
    if (m_axi_awvalid_o && !m_axi_awready_i) aw_q <= aw;
    if (m_axi_wvalid_o && !m_axi_wready_i) w_q <= {m_axi_wdata_o, m_axi_wstrb_o};
    if (s_axil_bvalid_o && !s_axil_bready_i) b_q <= s_axil_bresp_o;
    if (s_axil_rvalid_o && !s_axil_rready_i) r_q <= {s_axil_rresp_o, s_axil_rdata_o};
  end

  // Requests on the bus, by ID. An atomic's write follows its read's answer.
  cbr_vec_t reading_q, writing_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) {reading_q, writing_q} <= '0;
    else begin
      if (m_axi_rvalid_i && m_axi_rready_o) reading_q[m_axi_rid_i] <= 1'b0;
      if (m_axi_bvalid_i && m_axi_bready_o) writing_q[m_axi_bid_i] <= 1'b0;
      if (m_axi_arvalid_o && m_axi_arready_i) reading_q[m_axi_arid_o] <= 1'b1;
      if (m_axi_awvalid_o && m_axi_awready_i) writing_q[m_axi_awid_o] <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      axi_ar_stable: assert (!ar_wait_q || (m_axi_arvalid_o && ar == ar_q)) else $error("AR changed while it waited");
      axi_aw_stable: assert (!aw_wait_q || (m_axi_awvalid_o && aw == aw_q)) else $error("AW changed while it waited");
      axi_w_stable: assert (!w_wait_q || (m_axi_wvalid_o && {m_axi_wdata_o, m_axi_wstrb_o} == w_q))
        else $error("W changed while it waited");
      axil_b_stable: assert (!b_wait_q || (s_axil_bvalid_o && s_axil_bresp_o == b_q)) else $error("B changed while it waited");
      axil_r_stable: assert (!r_wait_q || (s_axil_rvalid_o && {s_axil_rresp_o, s_axil_rdata_o} == r_q))
        else $error("R changed while it waited");

      one_access_ar: assert (!m_axi_arvalid_o || (!reading_q[m_axi_arid_o] && !writing_q[m_axi_arid_o]))
        else $error("a second read of a control block");
      one_access_aw: assert (!m_axi_awvalid_o || (!reading_q[m_axi_awid_o] && !writing_q[m_axi_awid_o]))
        else $error("a second write of a control block");
      axi_w_not_empty: assert (!m_axi_wvalid_o || m_axi_wstrb_o != '0) else $error("a write of no byte");
      axi_size: assert ((!m_axi_arvalid_o || m_axi_araddr_o[2:0] == '0) && (!m_axi_awvalid_o || m_axi_awaddr_o[2:0] == '0))
        else $error("an unaligned request");
      // A write response may come before the harness has shown AW taken only if the memory is broken.
      axi_r_expected: assert (!m_axi_rvalid_i || reading_q[m_axi_rid_i]) else $error("R without a request");
      axi_b_expected: assert (!m_axi_bvalid_i || writing_q[m_axi_bid_i]) else $error("B without a request");
    end
  end

endmodule

bind gru_top gru_axi_props u_axi_props (.*);
