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
endmodule
