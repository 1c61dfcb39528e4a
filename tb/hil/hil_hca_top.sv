// The harness around HCAs: one whose link leads back to it, or two with a link between them. All behaviour is C++ behind DPI (see
// core.h, hca_dpi.cpp); this file wires it.
//
// Promises: one block calls C++ at each clock edge, in the order written here: edge; of each node memory handshakes, lookups, trace,
//   probes, pins; packets that enter a link; tick; the next pins of each node. So native and cocotb see the same calls in the same
//   order. stop_toggle_o changes when the present advance() is over.
// Needs: the clock only runs inside advance().
// Costs: a clock edge without traffic makes two cheap calls, and two a node.

module hil_hca_top
  import hca_pkg::*;
  import hca_int_pkg::*;
  import trace_pkg::*;
#(
  parameter int unsigned Nodes = 2  // 1: the link loops back
) (
  input  logic clk_i         /*verilator public_flat_rw*/,
  input  logic rst_ni        /*verilator public_flat_rw*/,
  output logic stop_toggle_o /*verilator public_flat_rw*/
);

  if (Nodes < 1 || Nodes > 2) begin : g_check
    $error("hil_hca_top: an HCA has a link to itself or to one other");
  end

  // ---- what C++ offers ------------------------------------------------------------------------------------------------

  import "DPI-C" function void hil_dpi_edge(input longint now);
  import "DPI-C" function void hil_dpi_ar(
    input int n, input int id, input longint pa, input int size, input bit lock,
    input bit mapped, input int need, input int qpn, input int key, input longint va, input int bytes
  );
  import "DPI-C" function void hil_dpi_aw(
    input int n, input int id, input longint pa, input int size, input bit lock,
    input bit mapped, input int need, input int qpn, input int key, input longint va, input int bytes
  );
  import "DPI-C" function void hil_dpi_w(input int n, input bit [511:0] line, input longint strobe);
  import "DPI-C" function void hil_dpi_r(input int n, output bit [511:0] line);
  import "DPI-C" function void hil_dpi_snoop(input int n, input int kind, input int index);
  import "DPI-C" function void hil_dpi_trace(
    input int n, input int ev, input longint a0, input longint a1, input longint a2, input longint a3, input longint a4, input longint a5
  );
  import "DPI-C" function void hil_dpi_lookup(
    input int n, input bit accepted, input int id, input bit answered, input bit ok, input int answered_id, input longint pa
  );
  import "DPI-C" function void hil_dpi_packet(input int n, input int opcode);
  import "DPI-C" function void hil_dpi_pins(
    input int n, input bit awready, input bit wready, input bit bvalid, input bit berror, input bit arready, input bit rvalid,
    input bit rerror, input longint rdata, input bit mem_rready, input bit mem_bready, input int irq
  );
  import "DPI-C" function void hil_dpi_tick(
    input bit quiet, input longint deadline, output longint now, output bit stop, output int mutant, output int link_latency,
    output int link_rate
  );
  import "DPI-C" function void hil_dpi_drive(
    input int n, output bit awvalid, output bit wvalid, output bit arvalid, output int addr, output longint wdata,
    output bit mem_arready, output bit mem_awready, output bit mem_wready,
    output bit mem_rvalid, output bit mem_rnew, output int mem_rid, output int mem_rresp,
    output bit mem_bvalid, output int mem_bid, output int mem_bresp, output int fates
  );

  // ---- the devices ----------------------------------------------------------------------------------------------------

  logic [63:0] now_q;
  logic [7:0] mutant_q;

  logic axil_awvalid_q [Nodes], axil_awready [Nodes], axil_wvalid_q [Nodes], axil_wready [Nodes], axil_bvalid [Nodes];
  logic axil_arvalid_q [Nodes], axil_arready [Nodes], axil_rvalid [Nodes];
  logic [8:0] axil_addr_q [Nodes];
  logic [63:0] axil_wdata_q [Nodes], axil_rdata [Nodes];
  logic [1:0] axil_bresp [Nodes], axil_rresp [Nodes];

  axid_t arid [Nodes], awid [Nodes], rid_q [Nodes], bid_q [Nodes];
  pa_t araddr [Nodes], awaddr [Nodes];
  logic [2:0] arsize [Nodes], awsize [Nodes];
  logic arlock [Nodes], awlock [Nodes], arvalid [Nodes], awvalid [Nodes], wvalid [Nodes], rready [Nodes], bready [Nodes];
  logic arready_q [Nodes], awready_q [Nodes], wready_q [Nodes], rvalid_q [Nodes], bvalid_q [Nodes];
  hca_user_t aruser [Nodes], awuser [Nodes];
  line_t wdata [Nodes], rdata_q [Nodes];
  logic [63:0] wstrb [Nodes];
  logic [1:0] rresp_q [Nodes], bresp_q [Nodes];

  // Every transfer is one beat of an incrementing burst; the length is checked below, the rest is constant.
  logic [7:0] arlen [Nodes], awlen [Nodes];
  logic [1:0] unused_arburst [Nodes], unused_awburst [Nodes];
  logic unused_wlast [Nodes];

  logic [2:0] irq [Nodes];
  hca_snoop_t snoop [Nodes];
  logic [Nodes-1:0] quiescent, link_quiescent, requesting, packet_begins;
  logic [63:0] deadline [Nodes], link_deadline [Nodes];
  obs_xlt_t obs_xlt [Nodes];
  obs_pkt_t obs_pkt [Nodes];

  flit_t out_flit [Nodes], in_flit [Nodes];
  logic out_valid [Nodes], out_ready [Nodes], in_valid [Nodes], in_ready [Nodes];

  logic [15:0] link_latency_q;
  logic [7:0] link_rate_q;
  logic [31:0] fates_q [Nodes];  // two bits an opcode

  for (genvar n = 0; n < Nodes; n++) begin : gen_node
    hca_top u_hca (
      .clk_i,
      .rst_ni,
      .now_i            (now_q),
      .mutant_i         (mutant_q),
      .node_i           (8'(n)),
      .s_axil_awaddr_i  (axil_addr_q[n]),
      .s_axil_awvalid_i (axil_awvalid_q[n]),
      .s_axil_awready_o (axil_awready[n]),
      .s_axil_wdata_i   (axil_wdata_q[n]),
      .s_axil_wstrb_i   (8'hff),
      .s_axil_wvalid_i  (axil_wvalid_q[n]),
      .s_axil_wready_o  (axil_wready[n]),
      .s_axil_bresp_o   (axil_bresp[n]),
      .s_axil_bvalid_o  (axil_bvalid[n]),
      .s_axil_bready_i  (1'b1),
      .s_axil_araddr_i  (axil_addr_q[n]),
      .s_axil_arvalid_i (axil_arvalid_q[n]),
      .s_axil_arready_o (axil_arready[n]),
      .s_axil_rdata_o   (axil_rdata[n]),
      .s_axil_rresp_o   (axil_rresp[n]),
      .s_axil_rvalid_o  (axil_rvalid[n]),
      .s_axil_rready_i  (1'b1),
      .m_axi_arid_o     (arid[n]),
      .m_axi_araddr_o   (araddr[n]),
      .m_axi_arlen_o    (arlen[n]),
      .m_axi_arsize_o   (arsize[n]),
      .m_axi_arburst_o  (unused_arburst[n]),
      .m_axi_arlock_o   (arlock[n]),
      .m_axi_aruser_o   (aruser[n]),
      .m_axi_arvalid_o  (arvalid[n]),
      .m_axi_arready_i  (arready_q[n]),
      .m_axi_rid_i      (rid_q[n]),
      .m_axi_rdata_i    (rdata_q[n]),
      .m_axi_rresp_i    (rresp_q[n]),
      .m_axi_rlast_i    (1'b1),
      .m_axi_rvalid_i   (rvalid_q[n]),
      .m_axi_rready_o   (rready[n]),
      .m_axi_awid_o     (awid[n]),
      .m_axi_awaddr_o   (awaddr[n]),
      .m_axi_awlen_o    (awlen[n]),
      .m_axi_awsize_o   (awsize[n]),
      .m_axi_awburst_o  (unused_awburst[n]),
      .m_axi_awlock_o   (awlock[n]),
      .m_axi_awuser_o   (awuser[n]),
      .m_axi_awvalid_o  (awvalid[n]),
      .m_axi_awready_i  (awready_q[n]),
      .m_axi_wdata_o    (wdata[n]),
      .m_axi_wstrb_o    (wstrb[n]),
      .m_axi_wlast_o    (unused_wlast[n]),
      .m_axi_wvalid_o   (wvalid[n]),
      .m_axi_wready_i   (wready_q[n]),
      .m_axi_bid_i      (bid_q[n]),
      .m_axi_bresp_i    (bresp_q[n]),
      .m_axi_bvalid_i   (bvalid_q[n]),
      .m_axi_bready_o   (bready[n]),
      .link_out_valid_o (out_valid[n]),
      .link_out_ready_i (out_ready[n]),
      .link_out_o       (out_flit[n]),
      .link_in_valid_i  (in_valid[n]),
      .link_in_ready_o  (in_ready[n]),
      .link_in_i        (in_flit[n]),
      .irq_o            (irq[n]),
      .snoop_o          (snoop[n]),
      .quiescent_o      (quiescent[n]),
      .deadline_o       (deadline[n]),
      .obs_xlt_o        (obs_xlt[n]),
      .obs_pkt_o        (obs_pkt[n])
    );

    // Out of node n, into the other one. A packet's fate depends on its opcode, which is in its first flit.
    localparam int unsigned To = (n + 1) % Nodes;
    logic [1:0] fate;
    assign fate = fates_q[n][5'(2 * out_flit[n].data[3:0])+:2];

    hca_link u_link (
      .clk_i,
      .rst_ni,
      .now_i             (now_q),
      .latency_i         (link_latency_q),
      .cycles_per_flit_i (link_rate_q),
      .action_i          (fate),
      .action_taken_o    (packet_begins[n]),
      .flit_valid_i      (out_valid[n]),
      .flit_ready_o      (out_ready[n]),
      .flit_i            (out_flit[n]),
      .flit_valid_o      (in_valid[To]),
      .flit_ready_i      (in_ready[To]),
      .flit_o            (in_flit[To]),
      .quiescent_o       (link_quiescent[n]),
      .deadline_o        (link_deadline[n])
    );

    assign requesting[n] = arvalid[n] || awvalid[n] || wvalid[n];
  end

  logic [63:0] first_deadline;
  always_comb begin
    first_deadline = '1;
    for (int n = 0; n < Nodes; n++) begin
      if (deadline[n] < first_deadline) first_deadline = deadline[n];
      if (link_deadline[n] < first_deadline) first_deadline = link_deadline[n];
    end
  end

  // ---- the monitor ----------------------------------------------------------------------------------------------------

  // One record per event of spec/events.toml, in this order within a cycle.
  function automatic void trace_xlt(input int n, input obs_xlt_t o);
    if (o.walk_valid) hil_dpi_trace(n, HDEV_WALK, 64'(o.walk_key), o.walk_va, 0, 0, 0, 0);
    if (o.fill_valid && !o.fill_dropped) begin
      hil_dpi_trace(n, HDEV_FILL, 64'(o.fill_key), o.fill_va, 64'(o.fill_pfn), 64'(o.fill_shift), 64'(o.fill_write), 0);
    end
    if (o.fill_valid && o.fill_dropped) hil_dpi_trace(n, HDEV_FILL_DROPPED, 64'(o.fill_key), o.fill_va, 0, 0, 0, 0);
    if (o.inv_valid) begin
      hil_dpi_trace(n, HDEV_INVALIDATE, 64'(o.inv_index), 64'(o.inv_key), o.inv_addr, o.inv_length, 64'(o.inv_whole), 0);
    end
    for (int i = 0; i < MTT_WAYS; i++) begin
      if (o.kill_valid[i]) hil_dpi_trace(n, HDEV_KILL, 64'(o.kill_key[i]), o.kill_va[i], 64'(o.kill_shift[i]), 0, 0, 0);
    end
    if (o.fence_valid) hil_dpi_trace(n, HDEV_FENCE, 64'(o.fence_index), o.fence_value, 0, 0, 0, 0);
    if (o.fault_valid) begin
      hil_dpi_trace(n, HDEV_FAULT, 64'(o.fault.qpn), 64'(o.fault.direction), 64'(o.fault.key), o.fault.va, 64'(o.fault.cause),
                    64'(o.fault_token));
    end
    if (o.record_valid) begin
      hil_dpi_trace(n, HDEV_RECORD, 64'(o.record_qpn), 64'(o.record_dir), 64'(o.record_token), 64'(o.record_prod), 0, 0);
    end
    if (o.resume_valid) begin
      hil_dpi_trace(n, HDEV_RESUME, 64'(o.resume_qpn), 64'(o.resume_dir), 64'(o.resume_token), 64'(o.resume_error), 64'(o.resume_ok), 0);
    end
  endfunction

  // `own`: the node's own queue pair.
  function automatic void trace_packet(input int n, input hca_packet_t p, input logic [23:0] own, input logic was_sent);
    if (p.opcode == PKT_OP_NAK) begin
      hil_dpi_trace(n, HDEV_NAK, 64'(own), 64'(p.psn), 64'(p.syndrome), 64'(was_sent), 0, 0);
    end else begin
      hil_dpi_trace(n, HDEV_PACKET, 64'(p.opcode), 64'(own), 64'(p.psn), 64'(p.length), 64'(was_sent), 0);
    end
  endfunction

  function automatic void trace_pkt(input int n, input obs_pkt_t o);
    if (o.qp_valid) hil_dpi_trace(n, HDEV_QP, 64'(o.qp_qpn), 64'(o.qp_state), 0, 0, 0, 0);
    if (o.sent_valid) trace_packet(n, o.sent, o.sent.src_qpn, 1'b1);
    if (o.taken_valid) trace_packet(n, o.taken, o.taken.dest_qpn, 1'b0);
    if (o.land_valid) hil_dpi_trace(n, HDEV_LAND, 64'(o.land.dest_qpn), 64'(o.land.psn), o.land.va, 64'(o.land.length), 0, 0);
    if (o.cqe_valid) begin
      hil_dpi_trace(n, HDEV_CQE, 64'(o.cqe_cqn), 64'(o.cqe.qpn), 64'(o.cqe.status), 64'(o.cqe.opcode), 64'(o.cqe.wqe_index), 0);
    end
  endfunction

  logic [Nodes-1:0] xlt_event, pkt_event;
  for (genvar n = 0; n < Nodes; n++) begin : gen_event
    assign xlt_event[n] = obs_xlt[n].walk_valid || obs_xlt[n].fill_valid || obs_xlt[n].inv_valid || obs_xlt[n].kill_valid != '0 ||
                          obs_xlt[n].fence_valid || obs_xlt[n].fault_valid || obs_xlt[n].record_valid || obs_xlt[n].resume_valid;
    assign pkt_event[n] = obs_pkt[n].qp_valid || obs_pkt[n].sent_valid || obs_pkt[n].taken_valid || obs_pkt[n].land_valid ||
                          obs_pkt[n].cqe_valid;
  end

  // ---- the tick -------------------------------------------------------------------------------------------------------

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      now_q <= 64'd1;  // cycle 0 is reset
      mutant_q <= '0;
      stop_toggle_o <= 1'b0;
      link_latency_q <= 16'd1;
      link_rate_q <= 8'd1;
      for (int n = 0; n < Nodes; n++) begin
        axil_awvalid_q[n] <= 1'b0;
        axil_wvalid_q[n] <= 1'b0;
        axil_arvalid_q[n] <= 1'b0;
        axil_addr_q[n] <= '0;
        axil_wdata_q[n] <= '0;
        arready_q[n] <= 1'b0;
        awready_q[n] <= 1'b0;
        wready_q[n] <= 1'b0;
        rvalid_q[n] <= 1'b0;
        bvalid_q[n] <= 1'b0;
        rid_q[n] <= '0;
        rresp_q[n] <= '0;
        rdata_q[n] <= '0;
        bid_q[n] <= '0;
        bresp_q[n] <= '0;
        fates_q[n] <= '0;
      end
    end else begin
      automatic longint now, axil_wdata;
      automatic bit stop, axil_awv, axil_wv, axil_arv, mem_arr, mem_awr, mem_wr, mem_rv, mem_rnew, mem_bv;
      automatic int mutant, link_latency, link_rate, axil_addr, mem_rid, mem_rresp, mem_bid, mem_bresp, fates;
      automatic bit [511:0] line;

      hil_dpi_edge(now_q);
      for (int n = 0; n < Nodes; n++) begin
        if (arvalid[n] && arready_q[n]) begin
          hil_dpi_ar(n, 32'(arid[n]), 64'(araddr[n]), 32'(arsize[n]), arlock[n], aruser[n].mapped, 32'(aruser[n].need),
                     32'(aruser[n].qpn), 32'(aruser[n].key), aruser[n].va, 32'(aruser[n].bytes));
        end
        if (awvalid[n] && awready_q[n]) begin
          hil_dpi_aw(n, 32'(awid[n]), 64'(awaddr[n]), 32'(awsize[n]), awlock[n], awuser[n].mapped, 32'(awuser[n].need),
                     32'(awuser[n].qpn), 32'(awuser[n].key), awuser[n].va, 32'(awuser[n].bytes));
        end
        if (wvalid[n] && wready_q[n]) hil_dpi_w(n, wdata[n], wstrb[n]);
        if (obs_xlt[n].lkp_valid || obs_xlt[n].rsp_valid) begin
          hil_dpi_lookup(n, obs_xlt[n].lkp_valid, 32'(obs_xlt[n].lkp_id), obs_xlt[n].rsp_valid, obs_xlt[n].rsp_ok,
                         32'(obs_xlt[n].rsp_id), 64'(obs_xlt[n].rsp_pa));
        end
        if (xlt_event[n]) trace_xlt(n, obs_xlt[n]);
        if (pkt_event[n]) trace_pkt(n, obs_pkt[n]);
        if (snoop[n].cq_valid) hil_dpi_snoop(n, SNOOP_CQ, 32'(snoop[n].cq));
        if (snoop[n].cmd_valid) hil_dpi_snoop(n, SNOOP_COMMAND, 32'(snoop[n].cmd));
        if (snoop[n].fence_valid) hil_dpi_snoop(n, SNOOP_FENCE, 0);
        if (packet_begins[n]) hil_dpi_packet(n, 32'(out_flit[n].data[7:0]));
        hil_dpi_pins(n, axil_awready[n] && axil_awvalid_q[n], axil_wready[n] && axil_wvalid_q[n], axil_bvalid[n],
                     axil_bresp[n] != 2'b00, axil_arready[n] && axil_arvalid_q[n], axil_rvalid[n], axil_rresp[n] != 2'b00,
                     axil_rdata[n], rready[n], bready[n], 32'(irq[n]));
      end

      hil_dpi_tick(&quiescent && &link_quiescent && requesting == '0, first_deadline, now, stop, mutant, link_latency, link_rate);
      now_q <= now;
      mutant_q <= mutant[7:0];
      stop_toggle_o <= stop_toggle_o ^ stop;
      link_latency_q <= link_latency[15:0];
      link_rate_q <= link_rate[7:0];

      for (int n = 0; n < Nodes; n++) begin
        hil_dpi_drive(n, axil_awv, axil_wv, axil_arv, axil_addr, axil_wdata, mem_arr, mem_awr, mem_wr, mem_rv, mem_rnew, mem_rid,
                      mem_rresp, mem_bv, mem_bid, mem_bresp, fates);
        axil_awvalid_q[n] <= axil_awv;
        axil_wvalid_q[n] <= axil_wv;
        axil_arvalid_q[n] <= axil_arv;
        axil_addr_q[n] <= axil_addr[8:0];
        axil_wdata_q[n] <= axil_wdata;
        arready_q[n] <= mem_arr;
        awready_q[n] <= mem_awr;
        wready_q[n] <= mem_wr;
        rvalid_q[n] <= mem_rv;
        bvalid_q[n] <= mem_bv;
        if (mem_rnew) begin
          hil_dpi_r(n, line);
          rdata_q[n] <= line;
          rid_q[n] <= mem_rid[7:0];
          rresp_q[n] <= mem_rresp[1:0];
        end
        bid_q[n] <= mem_bid[7:0];
        bresp_q[n] <= mem_bresp[1:0];
        fates_q[n] <= fates;
      end
    end
  end

  for (genvar n = 0; n < Nodes; n++) begin : gen_assert
    always_ff @(posedge clk_i) begin
      if (rst_ni) begin
        single_beat_reads : assert (!arvalid[n] || arlen[n] == 8'd0) else $error("a read of more than one beat");
        single_beat_writes : assert (!awvalid[n] || awlen[n] == 8'd0) else $error("a write of more than one beat");
      end
    end
  end

endmodule
