// The chip's way to memory: one AXI4 master for all blocks. Single beats; responses are broadcast to everybody.
//
//   rd_i[n] ─▶ class, then turn ─▶ AR register        R ─▶ register ─▶ rd_rsp_o
//   wr_i[n] ─▶ turn             ─▶ AW + W registers   B ─▶ register ─▶ wr_rsp_o
//
// Promises: every channel keeps its payload while it waits. Reads: a lower class always goes first, within a class all get their turn;
//   writes: all get their turn. Requests of one requester keep their order. After a disable no response of an earlier request reaches a
//   block: nothing new leaves until all old ones are answered.
// Needs: RREADY and BREADY are always high, so whoever asks has room. A locked request is 8 bytes, an unlocked write a line with strobes.
// Costs: a cycle out, a cycle back; a read and a write each cycle.

module hca_axi
  import hca_pkg::*;
  import hca_int_pkg::*;
#(
  parameter int unsigned NumRd = 4,
  parameter int unsigned NumWr = 3,
  parameter logic [NumRd-1:0][1:0] RdClass = '0,  // 0 goes first
  parameter int unsigned MaxOutstanding = 1023    // of each kind
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic [7:0]          mutant_i,
  input  logic                enable_i,
  input  logic [NumRd-1:0]    rd_valid_i,
  output logic [NumRd-1:0]    rd_ready_o,      // combinational
  input  rd_req_t [NumRd-1:0] rd_i,
  output logic                rd_rsp_valid_o,
  output rd_rsp_t             rd_rsp_o,
  input  logic [NumWr-1:0]    wr_valid_i,
  output logic [NumWr-1:0]    wr_ready_o,      // combinational
  input  wr_req_t [NumWr-1:0] wr_i,
  output logic                wr_rsp_valid_o,
  output wr_rsp_t             wr_rsp_o,
  output logic                m_axi_arvalid_o,
  input  logic                m_axi_arready_i,
  output axid_t               m_axi_arid_o,
  output pa_t                 m_axi_araddr_o,
  output logic [7:0]          m_axi_arlen_o,
  output logic [2:0]          m_axi_arsize_o,
  output logic [1:0]          m_axi_arburst_o,
  output logic                m_axi_arlock_o,
  output hca_user_t           m_axi_aruser_o,
  input  logic                m_axi_rvalid_i,
  output logic                m_axi_rready_o,
  input  axid_t               m_axi_rid_i,
  input  line_t               m_axi_rdata_i,
  input  logic [1:0]          m_axi_rresp_i,
  input  logic                m_axi_rlast_i,
  output logic                m_axi_awvalid_o,
  input  logic                m_axi_awready_i,
  output axid_t               m_axi_awid_o,
  output pa_t                 m_axi_awaddr_o,
  output logic [7:0]          m_axi_awlen_o,
  output logic [2:0]          m_axi_awsize_o,
  output logic [1:0]          m_axi_awburst_o,
  output logic                m_axi_awlock_o,
  output hca_user_t           m_axi_awuser_o,
  output logic                m_axi_wvalid_o,
  input  logic                m_axi_wready_i,
  output line_t               m_axi_wdata_o,
  output logic [63:0]         m_axi_wstrb_o,
  output logic                m_axi_wlast_o,
  input  logic                m_axi_bvalid_i,
  output logic                m_axi_bready_o,
  input  axid_t               m_axi_bid_i,
  input  logic [1:0]          m_axi_bresp_i,
  output logic                quiescent_o
);

  if (NumRd < 2 || NumWr < 2 || MaxOutstanding < 1) begin : g_check
    $error("hca_axi: NumRd and NumWr must be at least 2, MaxOutstanding at least 1");
  end

  localparam int unsigned CountW = $clog2(MaxOutstanding + 1);
  localparam int unsigned RdW = $clog2(NumRd);
  localparam int unsigned WrW = $clog2(NumWr);
  localparam logic [1:0] BurstIncr = 2'b01;
  localparam logic [2:0] SizeLine = 3'd6;
  localparam logic [2:0] SizeDword = 3'd3;

  // Single beats only.
  assign m_axi_arlen_o   = '0;
  assign m_axi_arburst_o = BurstIncr;
  assign m_axi_awlen_o   = '0;
  assign m_axi_awburst_o = BurstIncr;
  assign m_axi_wlast_o   = 1'b1;
  assign m_axi_rready_o  = 1'b1;
  assign m_axi_bready_o  = 1'b1;

  // ------------------------------------------------------------------------------------------------ what is under way
  logic [CountW-1:0] reads_q, writes_q;
  logic rd_go, wr_go, open, drained, closed_q;
  assign drained = reads_q == '0 && writes_q == '0;
  assign open    = enable_i && !(closed_q && !drained);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reads_q  <= '0;
      writes_q <= '0;
      closed_q <= 1'b0;
    end else begin
      reads_q  <= reads_q + CountW'(rd_go) - CountW'(m_axi_rvalid_i);
      writes_q <= writes_q + CountW'(wr_go) - CountW'(m_axi_bvalid_i);
      closed_q <= !open;
    end
  end

  // ------------------------------------------------------------------------------------------------ reads
  localparam int unsigned Classes = 4;
  logic                        ar_free, rd_any;
  logic [1:0]                  rd_best;
  logic [RdW-1:0]              rd_index;
  rd_req_t                     rd_req;
  logic [Classes-1:0]          class_any;
  logic [Classes-1:0][RdW-1:0] class_index;
  assign ar_free  = !m_axi_arvalid_o || m_axi_arready_i;
  assign rd_any   = |class_any;
  assign rd_index = class_index[rd_best];

  always_comb begin
    rd_best = '1;
    for (int unsigned c = Classes; c > 0; c--) if (class_any[c-1]) rd_best = 2'(c - 1);
  end
  // A turn of each class's own: what goes first in between must not turn the others'.
  for (genvar c = 0; c < int'(Classes); c++) begin : g_class
    logic [NumRd-1:0] asks;
    always_comb begin
      for (int unsigned n = 0; n < NumRd; n++) asks[n] = rd_valid_i[n] && RdClass[n] == 2'(c);
    end
    rr_pick #(
      .N(NumRd)
    ) u_rd_pick (
      .clk_i,
      .rst_ni,
      .req_i    (asks),
      .advance_i(rd_go && rd_best == 2'(c)),
      .valid_o  (class_any[c]),
      .index_o  (class_index[c])
    );
  end
  assign rd_go      = rd_any && open && ar_free && reads_q != CountW'(MaxOutstanding);
  assign rd_ready_o = rd_go ? NumRd'(1) << rd_index : '0;
  assign rd_req     = rd_i[rd_index];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      m_axi_arvalid_o <= 1'b0;
      rd_rsp_valid_o  <= 1'b0;
    end else begin
      if (ar_free) m_axi_arvalid_o <= rd_go;
      rd_rsp_valid_o <= m_axi_rvalid_i && enable_i && !closed_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (rd_go) begin
      m_axi_arid_o   <= rd_req.id;
      m_axi_araddr_o <= rd_req.pa;
      m_axi_arsize_o <= rd_req.size;
      m_axi_arlock_o <= rd_req.lock;
      m_axi_aruser_o <= rd_req.user;
    end
    if (m_axi_rvalid_i) rd_rsp_o <= '{id: m_axi_rid_i, resp: m_axi_rresp_i, data: m_axi_rdata_i};
  end

  // ------------------------------------------------------------------------------------------------ writes
  logic           w_free, wr_any;
  logic [WrW-1:0] wr_index;
  wr_req_t        wr_req;
  assign w_free = (!m_axi_awvalid_o || m_axi_awready_i) && (!m_axi_wvalid_o || m_axi_wready_i);

  rr_pick #(
    .N(NumWr)
  ) u_wr_pick (
    .clk_i,
    .rst_ni,
    .req_i    (wr_valid_i),
    .advance_i(wr_go),
    .valid_o  (wr_any),
    .index_o  (wr_index)
  );
  assign wr_go      = wr_any && open && w_free && writes_q != CountW'(MaxOutstanding);
  assign wr_ready_o = wr_go ? NumWr'(1) << wr_index : '0;
  assign wr_req     = wr_i[wr_index];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      m_axi_awvalid_o <= 1'b0;
      m_axi_wvalid_o  <= 1'b0;
      wr_rsp_valid_o  <= 1'b0;
    end else begin
      if (w_free) begin
        m_axi_awvalid_o <= wr_go;
        m_axi_wvalid_o  <= wr_go;
      end else begin
        if (m_axi_awready_i) m_axi_awvalid_o <= 1'b0;
        if (m_axi_wready_i) m_axi_wvalid_o <= 1'b0;
      end
      wr_rsp_valid_o <= m_axi_bvalid_i && enable_i && !closed_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (wr_go) begin
      m_axi_awid_o   <= wr_req.id;
      m_axi_awaddr_o <= wr_req.lock ? {wr_req.pa[PaW-1:3], 3'd0} : {wr_req.pa[PaW-1:6], 6'd0};
      m_axi_awsize_o <= wr_req.lock ? SizeDword : SizeLine;
      m_axi_awlock_o <= wr_req.lock;
      m_axi_awuser_o <= wr_req.user;
      m_axi_wdata_o  <= wr_req.data;
      m_axi_wstrb_o  <= wr_req.strb;
    end
    if (mutant_i == HMUT_AXI_UNSTABLE && m_axi_wvalid_o && !m_axi_wready_i) m_axi_wdata_o[7:0] <= ~m_axi_wdata_o[7:0];
    if (m_axi_bvalid_i) wr_rsp_o <= '{id: m_axi_bid_i, resp: m_axi_bresp_i};
  end

  assign quiescent_o = !m_axi_arvalid_o && !m_axi_awvalid_o && !m_axi_wvalid_o && !rd_rsp_valid_o && !wr_rsp_valid_o
                    && !m_axi_rvalid_i && !m_axi_bvalid_i && !(open && (|rd_valid_i || |wr_valid_i)) && closed_q == !open;

  logic unused;
  assign unused = ^{m_axi_rlast_i, wr_req.pa[2:0]};

endmodule
