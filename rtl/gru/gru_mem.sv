// The bus side of the engine: a queue of requests, the AXI4 master, and the one retirement a cycle.
//
//   queue ─▶ M0 pop, read store data ─▶ M1 align ─▶ AR | AW+W registers         R, B, local ends ─▶ R0 choose ─▶ R1 retire
//
// Promises: requests leave in the order of the queue; each is one beat (a whole line; an atomic is 8 bytes, exclusive). ID is
//   the control block. Every channel keeps its payload while it waits. use_done_o[0] tells the TLB in the cycle of the last
//   response that an access is over; [1] is for ends only R1 knows.
// Needs: responses only for requests made; R of an atomic that writes finds room in the small queue of its second half.
// Costs: queue to bus two cycles, response to retirement one.

module gru_mem
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  mutant_i,
  input  logic        req_valid_i,
  input  mem_req_t    req_i,
  output logic [3:0]  count_o,
  // The access of the request in M0.
  output cbr_t        acc_cbr_o,
  input  acc_t        acc_i,
  output logic        dsr_re_o,
  output dsr_line_t   dsr_line_o,
  input  line_t       dsr_data_i,
  // Instruction ended by its fault handle.
  input  logic        exc_valid_i,
  input  cbr_t        exc_cbr_i,
  output logic        exc_ready_o,
  // Retirement.
  input  logic        block_i,      // no retirement in the next cycle
  output logic        ret_valid_o,
  output ret_t        ret_o,
  input  acc_t        ret_acc_i,    // the access of ret_o.cbr
  input  logic        ret_use_done_i,
  input  logic        amo_push_i,   // second half of the atomic that retires
  input  logic [63:0] amo_data_i,
  input  logic [7:0]  amo_strb_i,
  output logic [1:0]  use_done_valid_o,
  output cbr_t [1:0]  use_done_cbr_o,
  // AXI4.
  output logic        arvalid_o,
  input  logic        arready_i,
  output cbr_t        arid_o,
  output pa_t         araddr_o,
  output logic [2:0]  arsize_o,
  output logic        arlock_o,
  output axi_user_t   aruser_o,
  input  logic        rvalid_i,
  output logic        rready_o,
  input  cbr_t        rid_i,
  input  line_t       rdata_i,
  input  logic [1:0]  rresp_i,
  output logic        awvalid_o,
  input  logic        awready_i,
  output cbr_t        awid_o,
  output pa_t         awaddr_o,
  output logic [2:0]  awsize_o,
  output logic        awlock_o,
  output axi_user_t   awuser_o,
  output logic        wvalid_o,
  input  logic        wready_i,
  output line_t       wdata_o,
  output logic [63:0] wstrb_o,
  input  logic        bvalid_i,
  output logic        bready_o,
  input  cbr_t        bid_i,
  input  logic [1:0]  bresp_i,
  output logic        work_o
);

  localparam int unsigned PtrW = $clog2(MemDepth);
  localparam logic [2:0] SizeLine = 3'd6;
  localparam logic [2:0] SizeDword = 3'd3;

  // ------------------------------------------------------------------------------------------------ queue
  mem_req_t q_mem [MemDepth];
  logic [PtrW:0] rd_q, wr_q;
  mem_req_t head;
  logic     head_valid, pop, pop_bus, pop_local;
  assign count_o    = wr_q - rd_q;
  assign head_valid = rd_q != wr_q;
  assign head       = q_mem[rd_q[PtrW-1:0]];
  assign acc_cbr_o  = head.cbr;
  assign pop        = pop_bus || pop_local;
  always_ff @(posedge clk_i) begin
    if (req_valid_i) q_mem[wr_q[PtrW-1:0]] <= req_i;
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rd_q <= '0;
      wr_q <= '0;
    end else begin
      if (req_valid_i) wr_q <= wr_q + 1'b1;
      if (pop) rd_q <= rd_q + 1'b1;
    end
  end

  // ------------------------------------------------------------------------------------------------ M0, M1
  logic        m1_valid_q, m1_free, m1_go, m1_write_q, m1_set_q;
  cbr_t        m1_cbr_q;
  logic [PA_WIDTH-1:3] m1_pa_q;
  logic        m1_amo_q, m1_lock_q;
  axi_user_t   m1_user_q;
  logic [63:0] m1_strb_q, m1_value_q;
  logic [5:0]  m1_rot_q;
  cbr_vec_t    used_q, amo_q;  // of the accesses on the bus
  pa_t         pa_mem [NUM_CBR];

  assign pop_bus    = head_valid && head.kind != ACC_LOCAL && m1_free;
  assign m1_free    = !m1_valid_q || m1_go;
  assign dsr_re_o   = pop_bus && head.kind == ACC_WRITE && !acc_i.set;
  assign dsr_line_o = acc_i.dsr_line;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      m1_valid_q <= 1'b0;
      used_q     <= '0;
      amo_q      <= '0;
    end else begin
      if (m1_free) m1_valid_q <= pop_bus;
      if (pop_bus) begin
        used_q[head.cbr] <= head.used;
        amo_q[head.cbr]  <= head.kind == ACC_AMO;
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (pop_bus) begin
      m1_cbr_q   <= head.cbr;
      m1_pa_q    <= head.pa[PA_WIDTH-1:3];
      m1_write_q <= head.kind == ACC_WRITE;
      m1_set_q   <= acc_i.set;
      m1_amo_q   <= head.kind == ACC_AMO;
      m1_lock_q  <= head.kind == ACC_AMO && acc_i.wperm;
      m1_user_q  <= '{mapped: acc_i.mapped, ctx: acc_i.ctx, cbr: head.cbr, asid: acc_i.asid, va: acc_i.va};
      m1_strb_q  <= byte_mask(acc_i.bytes, head.pa[5:0]);
      m1_rot_q   <= acc_i.dsr_off - head.pa[5:0];
      m1_value_q <= acc_i.op1;
      pa_mem[head.cbr] <= head.pa;
    end
  end

  // ------------------------------------------------------------------------------------------------ second half of atomics
  typedef struct packed {
    cbr_t        cbr;
    pa_t         pa;
    axi_user_t   user;
    logic [63:0] data;
    logic [7:0]  strb;
  } amo_t;
  amo_t       am_mem [4];
  logic [2:0] am_rd_q, am_wr_q, am_count;
  amo_t       am;
  logic       am_valid, am_go, am_room;
  assign am_count = am_wr_q - am_rd_q;
  assign am_valid = am_count != '0;
  assign am_room  = am_count < 3'd3;  // the retirement in R1 may still push one
  assign am       = am_mem[am_rd_q[1:0]];
  always_ff @(posedge clk_i) begin
    if (amo_push_i) begin
      am_mem[am_wr_q[1:0]] <= '{cbr: ret_o.cbr, pa: pa_mem[ret_o.cbr],
                                user: '{mapped: ret_acc_i.mapped, ctx: ret_acc_i.ctx, cbr: ret_o.cbr, asid: ret_acc_i.asid,
                                        va: ret_acc_i.va},
                                data: amo_data_i, strb: amo_strb_i};
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      am_rd_q <= '0;
      am_wr_q <= '0;
    end else begin
      if (amo_push_i) am_wr_q <= am_wr_q + 3'd1;
      if (am_go) am_rd_q <= am_rd_q + 3'd1;
    end
  end

  // ------------------------------------------------------------------------------------------------ channels
  logic ar_free, w_free;
  assign ar_free = !arvalid_o || arready_i;
  assign w_free  = (!awvalid_o || awready_i) && (!wvalid_o || wready_i);
  assign am_go   = am_valid && w_free;
  assign m1_go   = m1_valid_q && (m1_write_q ? (w_free && !am_valid) : ar_free);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      arvalid_o <= 1'b0;
      awvalid_o <= 1'b0;
      wvalid_o  <= 1'b0;
    end else begin
      if (ar_free) arvalid_o <= m1_go && !m1_write_q;
      if (w_free) begin
        awvalid_o <= am_go || (m1_go && m1_write_q);
        wvalid_o  <= am_go || (m1_go && m1_write_q);
      end else begin
        if (awready_i) awvalid_o <= 1'b0;
        if (wready_i) wvalid_o <= 1'b0;
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (m1_go && !m1_write_q) begin
      arid_o   <= m1_cbr_q;
      araddr_o <= m1_amo_q ? {m1_pa_q[PA_WIDTH-1:3], 3'd0} : {m1_pa_q[PA_WIDTH-1:6], 6'd0};
      arsize_o <= m1_amo_q ? SizeDword : SizeLine;
      arlock_o <= m1_lock_q;
      aruser_o <= m1_user_q;
    end
    if (am_go) begin
      awid_o   <= am.cbr;
      awaddr_o <= {am.pa[PA_WIDTH-1:3], 3'd0};
      awsize_o <= SizeDword;
      awlock_o <= 1'b1;
      awuser_o <= am.user;
      wdata_o  <= {8{am.data}};
      wstrb_o  <= {56'd0, am.strb} << {am.pa[5:3], 3'd0};
    end else if (m1_go && m1_write_q) begin
      awid_o   <= m1_cbr_q;
      awaddr_o <= {m1_pa_q[PA_WIDTH-1:6], 6'd0};
      awsize_o <= SizeLine;
      awlock_o <= 1'b0;
      awuser_o <= m1_user_q;
      wdata_o  <= m1_set_q ? {8{m1_value_q}} : rotate_line(dsr_data_i, m1_rot_q);
      wstrb_o  <= m1_strb_q;
    end
    if (mutant_i == MUT_AXI_UNSTABLE && wvalid_o && !wready_i) wdata_o[7:0] <= ~wdata_o[7:0];
  end

  // ------------------------------------------------------------------------------------------------ R0, R1
  logic r_ok, local_ok, grant_r, grant_b, grant_exc, bus_first_q, prefer_b_q;
  assign r_ok     = rvalid_i && (!amo_q[rid_i] || am_room);
  assign local_ok = head_valid && head.kind == ACC_LOCAL;

  always_comb begin
    {grant_r, grant_b, grant_exc, pop_local} = '0;
    if (!block_i) begin
      if (exc_valid_i && !(bus_first_q && (r_ok || bvalid_i))) grant_exc = 1'b1;
      else if (local_ok && !(bus_first_q && (r_ok || bvalid_i))) pop_local = 1'b1;
      else if (bvalid_i && (prefer_b_q || !r_ok)) grant_b = 1'b1;
      else if (r_ok) grant_r = 1'b1;
    end
  end
  assign rready_o    = grant_r;
  assign bready_o    = grant_b;
  assign exc_ready_o = grant_exc;

  logic ret_valid_q;
  ret_t ret_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ret_valid_q <= 1'b0;
      bus_first_q <= 1'b0;
      prefer_b_q  <= 1'b0;
    end else begin
      ret_valid_q <= grant_r || grant_b || grant_exc || pop_local;
      if (grant_r || grant_b || grant_exc || pop_local) bus_first_q <= grant_exc || pop_local;
      if (grant_r) prefer_b_q <= 1'b1;
      if (grant_b) prefer_b_q <= 1'b0;
    end
  end
  always_ff @(posedge clk_i) begin
    if (grant_r) begin
      ret_q.src  <= RET_READ;
      ret_q.cbr  <= rid_i;
      ret_q.resp <= rresp_i;
      ret_q.data <= rdata_i;
    end else if (grant_b) begin
      ret_q.src  <= RET_WRITE;
      ret_q.cbr  <= bid_i;
      ret_q.resp <= bresp_i;
    end else if (grant_exc) begin
      ret_q.src    <= RET_TFH;
      ret_q.cbr    <= exc_cbr_i;
      ret_q.used   <= 1'b0;
      ret_q.ecause <= 20'd1 << CB_ECAUSE_OS_FATAL_TLB_FAULT;
    end else if (pop_local) begin
      ret_q.src    <= RET_LOCAL;
      ret_q.cbr    <= head.cbr;
      ret_q.used   <= head.used;
      ret_q.ecause <= head.ecause;
    end
  end
  assign ret_valid_o = ret_valid_q;
  assign ret_o       = ret_q;

  always_comb begin
    use_done_valid_o  = '0;
    use_done_cbr_o[0] = grant_r ? rid_i : bid_i;
    use_done_cbr_o[1] = ret_q.cbr;
    if (mutant_i == MUT_USE_DONE_EARLY) begin
      use_done_valid_o[0] = pop_bus && head.used;
      use_done_cbr_o[0]   = head.cbr;
    end else begin
      use_done_valid_o[0] = (grant_r && used_q[rid_i] && !amo_q[rid_i]) || (grant_b && used_q[bid_i]);
      use_done_valid_o[1] = ret_valid_q && ret_use_done_i;
    end
  end

  assign work_o = head_valid || m1_valid_q || arvalid_o || awvalid_o || wvalid_o || ret_valid_q || am_valid || rvalid_i
               || bvalid_i || exc_valid_i;

  logic unused;
  assign unused = ^{acc_i, ret_acc_i};

endmodule
