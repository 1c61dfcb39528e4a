// The harness around the GRU: what both hosts simulate. All behaviour is C++ behind DPI (see core.h); this file wires it.
//
// Promises: one block calls C++ at each clock edge, in the order written here: edge, memory handshakes, trace, snoops, tick. So
//   native and cocotb see the same calls in the same order. stop_toggle_o changes when the present advance() is over.
// Needs: the clock only runs inside advance().
// Costs: a clock edge without traffic makes three cheap calls.

module hil_top
  import gru_pkg::*;
  import gru_int_pkg::*;
  import trace_pkg::*;
(
  input  logic clk_i         /*verilator public_flat_rw*/,
  input  logic rst_ni        /*verilator public_flat_rw*/,
  output logic stop_toggle_o /*verilator public_flat_rw*/
);

  // ---- what C++ offers ------------------------------------------------------------------------------------------------

  import "DPI-C" function void hil_dpi_edge(input longint now);
  import "DPI-C" function void hil_dpi_ar(
    input int id, input longint pa, input int size, input bit lock,
    input bit mapped, input int ctx, input int cbr, input int asid, input longint va
  );
  import "DPI-C" function void hil_dpi_aw(
    input int id, input longint pa, input int size, input bit lock,
    input bit mapped, input int ctx, input int cbr, input int asid, input longint va
  );
  import "DPI-C" function void hil_dpi_w(input bit [511:0] line, input longint strobe);
  import "DPI-C" function void hil_dpi_r(output bit [511:0] line);
  import "DPI-C" function void hil_dpi_snoop(input int kind, input int index);
  import "DPI-C" function void hil_dpi_trace(
    input int ev, input longint a0, input longint a1, input longint a2, input longint a3, input longint a4, input longint a5
  );
  import "DPI-C" function void hil_dpi_lookup(
    input bit accepted, input int cbr, input bit answered, input bit hit, input int answered_cbr, input longint pa
  );
  import "DPI-C" function void hil_dpi_tick(
    input bit awready, input bit wready, input bit bvalid, input bit berror, input bit arready, input bit rvalid, input bit rerror,
    input longint rdata, input bit mem_rready, input bit mem_bready, input bit quiet, input longint deadline, input int irq,
    output longint now, output bit stop, output int mutant,
    output bit awvalid, output bit wvalid, output bit arvalid, output int addr, output longint wdata,
    output bit mem_arready, output bit mem_awready, output bit mem_wready,
    output bit mem_rvalid, output bit mem_rnew, output int mem_rid, output int mem_rresp,
    output bit mem_bvalid, output int mem_bid, output int mem_bresp
  );

  // ---- the device -----------------------------------------------------------------------------------------------------

  logic [63:0] now_q;
  logic [7:0] mutant_q;

  logic axil_awvalid_q, axil_awready, axil_wvalid_q, axil_wready, axil_bvalid, axil_arvalid_q, axil_arready, axil_rvalid;
  logic [26:0] axil_addr_q;
  logic [63:0] axil_wdata_q, axil_rdata;
  logic [1:0] axil_bresp, axil_rresp;

  cbr_t arid, awid, rid_q, bid_q;
  pa_t araddr, awaddr;
  logic [2:0] arsize, awsize;
  logic arlock, awlock, arvalid, awvalid, wvalid, arready_q, awready_q, wready_q, rvalid_q, bvalid_q, rready, bready;
  axi_user_t aruser, awuser;
  logic [511:0] wdata, rdata_q;
  logic [63:0] wstrb;
  logic [1:0] rresp_q, bresp_q;

  logic [NUM_IRQ-1:0] irq;
  snoop_t snoop;
  logic quiescent;
  logic [63:0] deadline;
  obs_gru_t obs;

  // Every transfer is one beat of an incrementing burst; the length is checked below, the rest is constant.
  logic [7:0] arlen, awlen;
  logic [1:0] unused_arburst, unused_awburst;
  logic unused_wlast;

  gru_top u_gru (
    .clk_i,
    .rst_ni,
    .now_i            (now_q),
    .mutant_i         (mutant_q),
    .s_axil_awaddr_i  (axil_addr_q),
    .s_axil_awvalid_i (axil_awvalid_q),
    .s_axil_awready_o (axil_awready),
    .s_axil_wdata_i   (axil_wdata_q),
    .s_axil_wstrb_i   (8'hff),
    .s_axil_wvalid_i  (axil_wvalid_q),
    .s_axil_wready_o  (axil_wready),
    .s_axil_bresp_o   (axil_bresp),
    .s_axil_bvalid_o  (axil_bvalid),
    .s_axil_bready_i  (1'b1),
    .s_axil_araddr_i  (axil_addr_q),
    .s_axil_arvalid_i (axil_arvalid_q),
    .s_axil_arready_o (axil_arready),
    .s_axil_rdata_o   (axil_rdata),
    .s_axil_rresp_o   (axil_rresp),
    .s_axil_rvalid_o  (axil_rvalid),
    .s_axil_rready_i  (1'b1),
    .m_axi_arid_o     (arid),
    .m_axi_araddr_o   (araddr),
    .m_axi_arlen_o    (arlen),
    .m_axi_arsize_o   (arsize),
    .m_axi_arburst_o  (unused_arburst),
    .m_axi_arlock_o   (arlock),
    .m_axi_aruser_o   (aruser),
    .m_axi_arvalid_o  (arvalid),
    .m_axi_arready_i  (arready_q),
    .m_axi_rid_i      (rid_q),
    .m_axi_rdata_i    (rdata_q),
    .m_axi_rresp_i    (rresp_q),
    .m_axi_rlast_i    (1'b1),
    .m_axi_rvalid_i   (rvalid_q),
    .m_axi_rready_o   (rready),
    .m_axi_awid_o     (awid),
    .m_axi_awaddr_o   (awaddr),
    .m_axi_awlen_o    (awlen),
    .m_axi_awsize_o   (awsize),
    .m_axi_awburst_o  (unused_awburst),
    .m_axi_awlock_o   (awlock),
    .m_axi_awuser_o   (awuser),
    .m_axi_awvalid_o  (awvalid),
    .m_axi_awready_i  (awready_q),
    .m_axi_wdata_o    (wdata),
    .m_axi_wstrb_o    (wstrb),
    .m_axi_wlast_o    (unused_wlast),
    .m_axi_wvalid_o   (wvalid),
    .m_axi_wready_i   (wready_q),
    .m_axi_bid_i      (bid_q),
    .m_axi_bresp_i    (bresp_q),
    .m_axi_bvalid_i   (bvalid_q),
    .m_axi_bready_o   (bready),
    .irq_o            (irq),
    .snoop_o          (snoop),
    .quiescent_o      (quiescent),
    .deadline_o       (deadline),
    .obs_o            (obs)
  );

  // ---- the monitor ----------------------------------------------------------------------------------------------------

  // One record per event of spec/events.toml, in this order within a cycle.
  function automatic void trace_tlb(input obs_tlb_t t);
    if (t.fill_valid && !t.fill_dropped) begin
      hil_dpi_trace(DEV_FILL, 64'(t.fill.cbr), t.fill.va, 64'(t.fill.asid), 64'(t.fill.pfn), 64'(t.fill.pagesize), 64'(t.fill.dirty));
    end
    if (t.fill_valid && t.fill_dropped) begin
      hil_dpi_trace(DEV_FILL_DROPPED, 64'(t.fill.cbr), t.fill.va, 64'(t.fill.asid), 0, 0, 0);
    end
    if (t.shoot_accept) begin
      // n as a handle has it: pages minus one; INVAL_ALL_N for a whole address space or context.
      hil_dpi_trace(DEV_SHOOT_ACCEPT, 64'(t.shoot.tgh), {t.shoot.first, 12'h000}, 64'(t.shoot.asid),
                    t.shoot.scope == SCOPE_RANGE ? 64'(t.shoot.last - t.shoot.first) : 64'(INVAL_ALL_N),
                    64'(t.shoot.scope == SCOPE_CTX), 0);
    end
    for (int i = 0; i < NUM_TGH; i++) begin
      if (t.shoot_done[i]) hil_dpi_trace(DEV_SHOOT_DONE, 64'(i), 0, 0, 0, 0, 0);
    end
    for (int i = 0; i < 4; i++) begin
      if (t.kill[i].valid) hil_dpi_trace(DEV_KILL, t.kill[i].va, 64'(t.kill[i].asid), 64'(t.kill[i].pagesize), 0, 0, 0);
    end
  endfunction

  function automatic void trace_gru(input obs_gru_t o);
    if (o.miss_valid) hil_dpi_trace(DEV_MISS, 64'(o.miss_cbr), o.miss_va, 64'(o.miss_asid), 64'(o.miss_cause), 0, 0);
    if (o.restart_valid) hil_dpi_trace(DEV_RESTART, 64'(o.restart_cbr), 0, 0, 0, 0, 0);
    if (o.done_valid) hil_dpi_trace(DEV_CB_DONE, 64'(o.done_cbr), 64'(o.done_istatus), 64'(o.done_ecause), 0, 0, 0);
    if (o.cch_valid) hil_dpi_trace(DEV_CCH, 64'(o.cch_ctx), 64'(o.cch_state), 0, 0, 0, 0);
  endfunction

  logic any_kill;
  always_comb begin
    any_kill = 1'b0;
    for (int i = 0; i < 4; i++) any_kill |= obs.tlb.kill[i].valid;
  end
  logic tlb_event, gru_event;
  assign tlb_event = obs.tlb.fill_valid || obs.tlb.shoot_accept || obs.tlb.shoot_done != '0 || any_kill;
  assign gru_event = obs.miss_valid || obs.restart_valid || obs.done_valid || obs.cch_valid;

  // ---- the tick -------------------------------------------------------------------------------------------------------

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      now_q <= 64'd1;  // cycle 0 is reset
      mutant_q <= '0;
      stop_toggle_o <= 1'b0;
      axil_awvalid_q <= 1'b0;
      axil_wvalid_q <= 1'b0;
      axil_arvalid_q <= 1'b0;
      axil_addr_q <= '0;
      axil_wdata_q <= '0;
      arready_q <= 1'b0;
      awready_q <= 1'b0;
      wready_q <= 1'b0;
      rvalid_q <= 1'b0;
      bvalid_q <= 1'b0;
      rid_q <= '0;
      rresp_q <= '0;
      rdata_q <= '0;
      bid_q <= '0;
      bresp_q <= '0;
    end else begin
      automatic longint now;
      automatic bit stop, axil_awv, axil_wv, axil_arv, mem_arr, mem_awr, mem_wr, mem_rv, mem_rnew, mem_bv;
      automatic int mutant, axil_addr, mem_rid, mem_rresp, mem_bid, mem_bresp;
      automatic longint axil_wdata;
      automatic bit [511:0] line;

      hil_dpi_edge(now_q);
      if (arvalid && arready_q) begin
        hil_dpi_ar(32'(arid), 64'(araddr), 32'(arsize), arlock,
                   aruser.mapped, 32'(aruser.ctx), 32'(aruser.cbr), 32'(aruser.asid), aruser.va);
      end
      if (awvalid && awready_q) begin
        hil_dpi_aw(32'(awid), 64'(awaddr), 32'(awsize), awlock,
                   awuser.mapped, 32'(awuser.ctx), 32'(awuser.cbr), 32'(awuser.asid), awuser.va);
      end
      if (wvalid && wready_q) hil_dpi_w(wdata, wstrb);
      if (obs.tlb.lkp_valid || obs.tlb.rsp_valid) begin
        hil_dpi_lookup(obs.tlb.lkp_valid, 32'(obs.tlb.lkp_cbr), obs.tlb.rsp_valid, obs.tlb.rsp.hit, 32'(obs.tlb.rsp.cbr),
                       64'(obs.tlb.rsp.pa));
      end
      if (tlb_event) trace_tlb(obs.tlb);
      if (gru_event) trace_gru(obs);
      if (snoop.cb_valid) hil_dpi_snoop(SNOOP_CB, 32'(snoop.cb));
      if (snoop.tfh_valid) hil_dpi_snoop(SNOOP_TFH, 32'(snoop.tfh));
      if (snoop.tgh_valid) hil_dpi_snoop(SNOOP_TGH, 32'(snoop.tgh));
      if (snoop.cch_valid) hil_dpi_snoop(SNOOP_CCH, 32'(snoop.cch));

      hil_dpi_tick(
        axil_awready && axil_awvalid_q, axil_wready && axil_wvalid_q, axil_bvalid, axil_bresp != 2'b00,
        axil_arready && axil_arvalid_q, axil_rvalid, axil_rresp != 2'b00, axil_rdata, rready, bready,
        quiescent && !arvalid && !awvalid && !wvalid, deadline, 32'(irq),
        now, stop, mutant, axil_awv, axil_wv, axil_arv, axil_addr, axil_wdata, mem_arr, mem_awr, mem_wr,
        mem_rv, mem_rnew, mem_rid, mem_rresp, mem_bv, mem_bid, mem_bresp
      );

      now_q <= now;
      mutant_q <= mutant[7:0];
      stop_toggle_o <= stop_toggle_o ^ stop;
      axil_awvalid_q <= axil_awv;
      axil_wvalid_q <= axil_wv;
      axil_arvalid_q <= axil_arv;
      axil_addr_q <= axil_addr[26:0];
      axil_wdata_q <= axil_wdata;
      arready_q <= mem_arr;
      awready_q <= mem_awr;
      wready_q <= mem_wr;
      rvalid_q <= mem_rv;
      bvalid_q <= mem_bv;
      if (mem_rnew) begin
        hil_dpi_r(line);
        rdata_q <= line;
        rid_q <= mem_rid[CbrW-1:0];
        rresp_q <= mem_rresp[1:0];
      end
      bid_q <= mem_bid[CbrW-1:0];
      bresp_q <= mem_bresp[1:0];
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      single_beat_reads : assert (!arvalid || arlen == 8'd0) else $error("a read of more than one beat");
      single_beat_writes : assert (!awvalid || awlen == 8'd0) else $error("a write of more than one beat");
    end
  end

endmodule
