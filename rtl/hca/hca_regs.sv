// The register block with what stands behind it: doorbells, sticky conditions, events, counters, interrupt lines.
//
// Promises: a doorbell is a pulse in the cycle after the register took the write; numbers past the last are ignored. Conditions
//   that come as software clears them stay. The lines are levels (FQ-6), coalesced against now_i. While disabled, indices and
//   events are 0.
// Needs: the bus of spec/hca.rdl, 64-bit accesses.
// Costs: a record's index to the line, one cycle.

module hca_regs
  import hca_pkg::*;
  import hca_int_pkg::*;
#(
  parameter int unsigned CountSources = 7,
  parameter int unsigned AsyncSources = 3
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  mutant_i,
  input  logic [63:0] now_i,
  input  logic [7:0]  node_i,
  // AXI4-Lite
  input  logic        s_axil_awvalid_i,
  output logic        s_axil_awready_o,
  input  logic [8:0]  s_axil_awaddr_i,
  input  logic        s_axil_wvalid_i,
  output logic        s_axil_wready_o,
  input  logic [63:0] s_axil_wdata_i,
  input  logic [7:0]  s_axil_wstrb_i,
  output logic        s_axil_bvalid_o,
  input  logic        s_axil_bready_i,
  output logic [1:0]  s_axil_bresp_o,
  input  logic        s_axil_arvalid_i,
  output logic        s_axil_arready_o,
  input  logic [8:0]  s_axil_araddr_i,
  output logic        s_axil_rvalid_o,
  input  logic        s_axil_rready_i,
  output logic [63:0] s_axil_rdata_o,
  output logic [1:0]  s_axil_rresp_o,
  // what software set
  output logic        enable_o,
  output pa_t         mpt_base_o,
  output logic [15:0] mpt_size_o,
  output pa_t         cmdq_base_o,
  output logic [15:0] cmdq_size_o,
  output index_t      cmdq_prod_o,
  output logic        cmdq_restart_o,  // CMDQ_SIZE was written
  output pa_t         fq_base_o,
  output logic [15:0] fq_size_o,
  output index_t      fq_cons_o,
  output logic        fq_kick_o,       // FQ_BASE, FQ_SIZE or FQ_CONS was written
  output doorbell_t   doorbell_o,
  output logic [31:0] rnr_delay_o,
  output logic [31:0] ack_timeout_o,
  // what software sees
  input  index_t      cmdq_cons_i,
  input  index_t      fq_prod_i,
  input  logic        fault_overflow_i,
  input  logic        command_stopped_i,
  input  logic        cq_overflow_i,
  input  logic        cq_fired_valid_i,
  input  cqn_t        cq_fired_i,
  input  logic   [AsyncSources-1:0]       async_valid_i,
  input  async_t [AsyncSources-1:0]       async_i,
  input  logic   [CountSources-1:0][31:0] count_i,
  input  logic [12:0] tx_bytes_i,
  input  logic [12:0] rx_bytes_i,
  input  logic [$clog2(MTT_WAYS+1)-1:0] killed_i,
  output logic [2:0]  irq_o,
  output logic        quiescent_o,
  output logic [63:0] deadline_o
);

  hca_csr_pkg::hca_csr__in_t  in;
  hca_csr_pkg::hca_csr__out_t out;

  hca_csr u_csr (
    .clk            (clk_i),
    .arst_n         (rst_ni),
    .s_axil_awready (s_axil_awready_o),
    .s_axil_awvalid (s_axil_awvalid_i),
    .s_axil_awaddr  (s_axil_awaddr_i),
    .s_axil_awprot  (3'b000),
    .s_axil_wready  (s_axil_wready_o),
    .s_axil_wvalid  (s_axil_wvalid_i),
    .s_axil_wdata   (s_axil_wdata_i),
    .s_axil_wstrb   (s_axil_wstrb_i),
    .s_axil_bready  (s_axil_bready_i),
    .s_axil_bvalid  (s_axil_bvalid_o),
    .s_axil_bresp   (s_axil_bresp_o),
    .s_axil_arready (s_axil_arready_o),
    .s_axil_arvalid (s_axil_arvalid_i),
    .s_axil_araddr  (s_axil_araddr_i),
    .s_axil_arprot  (3'b000),
    .s_axil_rready  (s_axil_rready_i),
    .s_axil_rvalid  (s_axil_rvalid_o),
    .s_axil_rdata   (s_axil_rdata_o),
    .s_axil_rresp   (s_axil_rresp_o),
    .hwif_in        (in),
    .hwif_out       (out)
  );

  assign enable_o      = out.CTRL.enable.value;
  assign mpt_base_o    = out.MPT_BASE.addr.value;
  assign mpt_size_o    = out.MPT_SIZE.entries.value;
  assign cmdq_base_o   = out.CMDQ_BASE.addr.value;
  assign cmdq_size_o   = out.CMDQ_SIZE.entries.value;
  assign cmdq_prod_o   = out.CMDQ_PROD.index.value;
  assign fq_base_o     = out.FQ_BASE.addr.value;
  assign fq_size_o     = out.FQ_SIZE.entries.value;
  assign fq_cons_o     = out.FQ_CONS.index.value;
  assign rnr_delay_o   = out.RETRY.rnr_delay.value;
  assign ack_timeout_o = out.RETRY.ack_timeout.value;

  // ---- writes that are events: a cycle later, when the register holds what was written -------------------------------------

  typedef struct packed {
    logic cmdq_size;
    logic fq_kick;
    logic fq_cons;
    logic sq;
    logic rq;
    logic cq;
    logic pop;
  } written_t;
  written_t written_d, written_q;

  assign written_d = '{
    cmdq_size: out.CMDQ_SIZE.entries.swmod,
    fq_kick:   out.FQ_BASE.addr.swmod || out.FQ_SIZE.entries.swmod || out.FQ_CONS.index.swmod,
    fq_cons:   out.FQ_CONS.index.swmod,
    sq:        out.SQ_DOORBELL.qpn.swmod,
    rq:        out.RQ_DOORBELL.qpn.swmod,
    cq:        out.CQ_DOORBELL.cqn.swmod,
    pop:       out.ASYNC_POP.pop.swmod
  };

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) written_q <= '0;
    else written_q <= written_d;
  end

  assign cmdq_restart_o = written_q.cmdq_size;
  assign fq_kick_o      = written_q.fq_kick;

  always_comb begin
    doorbell_o          = '0;
    doorbell_o.sq_valid = enable_o && written_q.sq && out.SQ_DOORBELL.qpn.value < 24'(NUM_QP);
    doorbell_o.rq_valid = enable_o && written_q.rq && out.RQ_DOORBELL.qpn.value < 24'(NUM_QP);
    doorbell_o.qpn      = written_q.sq ? out.SQ_DOORBELL.qpn.value[QPN_WIDTH-1:0] : out.RQ_DOORBELL.qpn.value[QPN_WIDTH-1:0];
    doorbell_o.index    = written_q.sq ? out.SQ_DOORBELL.index.value : out.RQ_DOORBELL.index.value;
    doorbell_o.cq_valid = enable_o && written_q.cq;
    doorbell_o.cqn      = out.CQ_DOORBELL.cqn.value;
    doorbell_o.cq_index = out.CQ_DOORBELL.index.value;
    doorbell_o.cq_arm   = out.CQ_DOORBELL.arm.value;
  end

  // ---- events and counters: registers outside the generated block, answered in the cycle after the request -----------------

  logic [NUM_CQ/64-1:0][63:0] fired, clear;
  logic [15:0]                fired_count;
  logic                       head_valid, async_lost, events_quiet, any_clear;
  async_t                     head;
  logic [31:0][63:0]          counters;
  logic [NUM_CQ/64-1:0]       event_rd_q, event_wr_q;
  logic [31:0]                counter_rd_q;

  hca_events #(.Sources(AsyncSources)) u_events (
    .clk_i, .rst_ni, .enable_i(enable_o),
    .fired_valid_i(cq_fired_valid_i), .fired_i(cq_fired_i), .clear_i(clear), .fired_o(fired), .fired_count_o(fired_count),
    .async_valid_i, .async_i, .pop_i(written_q.pop), .head_valid_o(head_valid), .head_o(head), .overflow_o(async_lost),
    .quiescent_o(events_quiet)
  );

  hca_counters #(.Sources(CountSources)) u_counters (
    .clk_i, .rst_ni, .count_i, .tx_bytes_i, .rx_bytes_i, .killed_i, .value_o(counters)
  );

  always_comb begin
    any_clear = 1'b0;
    for (int unsigned i = 0; i < NUM_CQ / 64; i++) begin
      clear[i] = '0;
      if (out.CQ_EVENT[i].req && out.CQ_EVENT[i].req_is_wr) begin
        clear[i]  = out.CQ_EVENT[i].wr_data.fired & out.CQ_EVENT[i].wr_biten.fired;
        any_clear = 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      event_rd_q   <= '0;
      event_wr_q   <= '0;
      counter_rd_q <= '0;
    end else begin
      for (int unsigned i = 0; i < NUM_CQ / 64; i++) begin
        event_rd_q[i] <= out.CQ_EVENT[i].req && !out.CQ_EVENT[i].req_is_wr;
        event_wr_q[i] <= out.CQ_EVENT[i].req && out.CQ_EVENT[i].req_is_wr;
      end
      for (int unsigned i = 0; i < 32; i++) counter_rd_q[i] <= out.COUNTER[i].req && !out.COUNTER[i].req_is_wr;
    end
  end

  always_comb begin
    in.ID.node.next                 = node_i;
    in.STATUS.fault_overflow.hwset  = fault_overflow_i;
    in.STATUS.command_stopped.hwset = command_stopped_i;
    in.STATUS.cq_overflow.hwset     = cq_overflow_i;
    in.STATUS.async_overflow.hwset  = async_lost;
    in.CMDQ_PROD.index.hwclr        = !enable_o || written_q.cmdq_size;
    in.CMDQ_CONS.index.next         = cmdq_cons_i;
    in.FQ_PROD.index.next           = fq_prod_i;
    in.FQ_CONS.index.hwclr          = !enable_o;
    in.ASYNC_EVENT.valid.next       = head_valid;
    in.ASYNC_EVENT.kind.next        = head_valid ? head.kind : '0;
    in.ASYNC_EVENT.subject.next     = head_valid ? head.subject : '0;
    for (int unsigned i = 0; i < NUM_CQ / 64; i++) begin
      in.CQ_EVENT[i].rd_ack        = event_rd_q[i];
      in.CQ_EVENT[i].wr_ack        = event_wr_q[i];
      in.CQ_EVENT[i].rd_data.fired = fired[i];
    end
    for (int unsigned i = 0; i < 32; i++) begin
      in.COUNTER[i].rd_ack        = counter_rd_q[i];
      in.COUNTER[i].rd_data.value = counters[i];
    end
  end

  // ---- interrupt lines -----------------------------------------------------------------------------------------------------

  index_t      records;
  logic        fault_line, fault_quiet, cq_quiet, async_line_q, async_line_d;
  logic [63:0] fault_deadline, cq_deadline;

  assign records = fq_prod_i - fq_cons_o;

  hca_coalesce u_fault_line (
    .clk_i, .rst_ni, .enable_i(enable_o && out.IRQ_ENABLE.fault.value), .now_i, .waiting_i(records), .restart_i(written_q.fq_cons),
    .count_i(out.FQ_COALESCE.count.value), .delay_i(out.FQ_COALESCE.delay.value),
    .line_o(fault_line), .quiescent_o(fault_quiet), .deadline_o(fault_deadline)
  );
  hca_coalesce u_cq_line (
    .clk_i, .rst_ni, .enable_i(enable_o && out.IRQ_ENABLE.completion.value), .now_i, .waiting_i(fired_count), .restart_i(any_clear),
    .count_i(out.CQ_COALESCE.count.value), .delay_i(out.CQ_COALESCE.delay.value),
    .line_o(irq_o[IRQ_COMPLETION]), .quiescent_o(cq_quiet), .deadline_o(cq_deadline)
  );

  // Mutant IRQ_EDGE: up when a record comes into an empty queue, down when software moves its index.
  logic   edge_q;
  index_t prod_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      edge_q       <= 1'b0;
      prod_q       <= '0;
      async_line_q <= 1'b0;
    end else begin
      prod_q <= fq_prod_i;
      if (fq_prod_i != prod_q && prod_q == fq_cons_o) edge_q <= out.IRQ_ENABLE.fault.value;
      else if (written_q.fq_cons) edge_q <= 1'b0;
      async_line_q <= async_line_d;
    end
  end

  assign async_line_d      = head_valid && enable_o && out.IRQ_ENABLE.asynchronous.value;
  assign irq_o[IRQ_FAULT]  = mutant_i == HMUT_IRQ_EDGE ? edge_q : fault_line;
  assign irq_o[IRQ_ASYNC]  = async_line_q;
  assign deadline_o        = fault_deadline < cq_deadline ? fault_deadline : cq_deadline;

  // ---- quiescence: accesses the generated block has taken and not answered -------------------------------------------------

  logic [2:0] pending_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) pending_q <= '0;
    else begin
      pending_q <= pending_q + 3'(s_axil_awvalid_i && s_axil_awready_o) + 3'(s_axil_arvalid_i && s_axil_arready_o)
                   - 3'(s_axil_bvalid_o && s_axil_bready_i) - 3'(s_axil_rvalid_o && s_axil_rready_i);
    end
  end

  assign quiescent_o = pending_q == '0 && !s_axil_awvalid_i && !s_axil_wvalid_i && !s_axil_arvalid_i && written_q == '0
                       && events_quiet && fault_quiet && cq_quiet && async_line_q == async_line_d && prod_q == fq_prod_i;

  logic unused;
  assign unused = out.ASYNC_POP.pop.value;

endmodule
