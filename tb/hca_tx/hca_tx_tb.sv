// hca_tx with hca_axi and hca_link behind it, between queue pairs, a translation unit and a memory made up here; checks itself, prints its
// numbers, ends.
//
// Plusargs: those of tb/block/packets.svh, look (cycles to translation's answers), rate (cycles a flit).
// Checks: packets of one queue pair and side leave in order, each once, whole, with the right CRC and bytes; what the link is told to do to a
//   packet is done; a failure is the right one, and it and all younger are dropped, as by a flush; a translation is live when it is started
//   and in flight until its last line has come, none is in flight twice, and all are given back; beats name their bytes.
// Ends with "PASS cycles=... packets=... digest=...", and how often each bin of its cover groups was hit (tb/block/points_hca.py), or with
//   the first check that failed.

module hca_tx_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_tx_pkg::*;
;

  localparam longint unsigned Offset = 64'h0000_0008_0000_0000;  // physical - virtual, page aligned
  localparam int unsigned RoomW = 15;                            // of each packet's own piece of the address space, anywhere in it
  localparam int unsigned LinkLatency = 9;

  int unsigned look, rate;
  logic clk = 1'b0, rst_n = 1'b0, enable = 1'b0, go = 1'b0;
  longint unsigned cycle = 1;
  always #5 clk = !clk;
  always @(posedge clk) cycle <= cycle + 1;
  `include "packets.svh"
  `include "tx_packets.svh"

  // ------------------------------------------------------------------------------------------------ the device
  logic tx_valid = 1'b0, tx_ready, fail_valid, fail_ready = 1'b0, flush_valid = 1'b0, req_valid, req_ready = 1'b0, rsp_valid = 1'b0;
  logic start_valid, done_valid, drop_valid, rd_valid, rd_ready, rd_rsp_valid, busy, tx_quiet, axi_quiet, link_quiet;
  tx_pkt_t tx;
  tx_fail_t fail;
  qpn_t flush_qpn = '0;
  xlt_req_t req;
  xlt_rsp_t rsp;
  logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] held = '0, flying = '0;
  use_t start, done;
  logic [UseSlotW-1:0] drop_slot;
  rd_req_t rd;
  rd_rsp_t rd_rsp;
  logic out_valid, out_ready, in_valid, in_ready = 1'b0, taken_action;
  flit_t out, in;
  logic [1:0] action = '0;
  logic [31:0] count;
  logic [12:0] tx_bytes;
  logic sent_valid;
  hca_packet_t sent;
  logic [63:0] link_deadline;

  hca_tx u_tx (
    .clk_i(clk), .rst_ni(rst_n), .enable_i(enable), .tx_valid_i(tx_valid), .tx_ready_o(tx_ready), .tx_i(tx), .fail_valid_o(fail_valid),
    .fail_ready_i(fail_ready), .fail_o(fail), .tx_flush_valid_i(flush_valid), .tx_flush_qpn_i(flush_qpn), .busy_qpn_i(qpn_of(1)),
    .busy_o(busy), .req_valid_o(req_valid), .req_ready_i(req_ready), .req_o(req), .rsp_valid_i(rsp_valid), .rsp_i(rsp),
    .live_i(held | flying), .start_valid_o(start_valid), .start_o(start), .done_valid_o(done_valid), .done_o(done),
    .drop_valid_o(drop_valid), .drop_slot_o(drop_slot), .rd_valid_o(rd_valid), .rd_ready_i(rd_ready), .rd_o(rd),
    .rd_rsp_valid_i(rd_rsp_valid), .rd_rsp_i(rd_rsp), .flit_valid_o(out_valid), .flit_ready_i(out_ready), .flit_o(out),
    .count_o(count), .tx_bytes_o(tx_bytes), .sent_valid_o(sent_valid), .sent_o(sent), .quiescent_o(tx_quiet)
  );

  logic arvalid, arready = 1'b0, rvalid = 1'b0;
  axid_t arid, rid;
  pa_t araddr;
  hca_user_t aruser;
  line_t rdata;
  logic [1:0] rresp;
  logic [1:0] wr_valid = '0;
  wr_req_t [1:0] wr;
  assign wr = '0;
  hca_axi #(.NumRd(2), .NumWr(2), .RdClass({2'd1, 2'd0})) u_axi (
    .clk_i(clk), .rst_ni(rst_n), .mutant_i(mutant), .enable_i(enable), .rd_valid_i({rd_valid, 1'b0}), .rd_ready_o({rd_ready, unused_ready}),
    .rd_i({rd, rd_req_t'('0)}), .rd_rsp_valid_o(rd_rsp_valid), .rd_rsp_o(rd_rsp), .wr_valid_i(wr_valid), .wr_ready_o(), .wr_i(wr),
    .wr_rsp_valid_o(), .wr_rsp_o(), .m_axi_arvalid_o(arvalid), .m_axi_arready_i(arready), .m_axi_arid_o(arid), .m_axi_araddr_o(araddr),
    .m_axi_arlen_o(), .m_axi_arsize_o(), .m_axi_arburst_o(), .m_axi_arlock_o(), .m_axi_aruser_o(aruser), .m_axi_rvalid_i(rvalid),
    .m_axi_rready_o(), .m_axi_rid_i(rid), .m_axi_rdata_i(rdata), .m_axi_rresp_i(rresp), .m_axi_rlast_i(1'b1), .m_axi_awvalid_o(),
    .m_axi_awready_i(1'b1), .m_axi_awid_o(), .m_axi_awaddr_o(), .m_axi_awlen_o(), .m_axi_awsize_o(), .m_axi_awburst_o(),
    .m_axi_awlock_o(), .m_axi_awuser_o(), .m_axi_wvalid_o(), .m_axi_wready_i(1'b1), .m_axi_wdata_o(), .m_axi_wstrb_o(),
    .m_axi_wlast_o(), .m_axi_bvalid_i(1'b0), .m_axi_bready_o(), .m_axi_bid_i('0), .m_axi_bresp_i('0), .quiescent_o(axi_quiet)
  );
  logic unused_ready;

  hca_link #(.Depth(64)) u_link (
    .clk_i(clk), .rst_ni(rst_n), .now_i(cycle), .latency_i(16'(LinkLatency)), .cycles_per_flit_i(8'(rate)), .action_i(action),
    .action_taken_o(taken_action), .flit_valid_i(out_valid), .flit_ready_o(out_ready), .flit_i(out), .flit_valid_o(in_valid),
    .flit_ready_i(in_ready), .flit_o(in), .quiescent_o(link_quiet), .deadline_o(link_deadline)
  );

  // ------------------------------------------------------------------------------------------------ queue pairs
  int unsigned next = 0, shown = 0, gone = 0, left = 0, got = 0, lost = 0, failures = 0, flushed = 0;
  longint unsigned begun, ended, bytes = 0;

  // All of an owner's packets from position `from` on that have not left: they may not any more, or (unsure) perhaps.
  task automatic cancel(int unsigned owner, int unsigned from, bit unsure);
    int unsigned n;
    for (int unsigned i = from; i < order[owner].size(); i++) begin
      n = order[owner][i];
      if (fate[n] == GIVEN || (fate[n] == MAY_LEAVE && !unsure)) begin
        fate[n] = unsure ? MAY_LEAVE : GONE;
        if (!unsure) gone++;
      end
    end
  endtask

  // It is on its way to the link. A packet without payload needs no use to tell.
  function automatic bit started(int unsigned n);
    automatic segs_t pieces = pieces_of(request_of(pkt[n]));
    return pieces == '0 || begun_q[n] || u_tx.u_slots.state_q[use_of[n][lowest_seg(pieces)].slot[TxSlotW-1:0]] == u_tx.u_slots.FLY;
  endfunction
  bit begun_q[MaxPackets];

  always @(posedge clk) begin
    if (enable) begin
      if (tx_valid && tx_ready) begin
        fate[next] = GIVEN;
        order[owner_of(next)].push_back(next);
        if (next == 0) begun = cycle;
        next++;
      end
      if (fail_valid && fail_ready) begin
        automatic int unsigned n = 32'(fail.head.operand), at = 0, p;
        automatic piece_t piece;
        automatic tx_req_t r = request_of(pkt[n]);
        failures++;
        check(!told[n] && (fate[n] == GIVEN || bad_line[n] >= 0), "a failure of a packet that is not in hand");
        told[n] = 1'b1;
        fared(n, wrong[n] != XLT_RESULT_OK ? 1 : 2);
        p = wrong[n] != XLT_RESULT_OK ? wrong_piece[n] : piece_at(n, fail.va);
        piece = piece_of(r.elem[p/2], p[0]);
        check(fail.head == pkt[n].head && fail.qpn == pkt[n].qpn && fail.side == pkt[n].side && fail.wqe_index == index_t'(n), "whose failure");
        check(fail.result == (wrong[n] != XLT_RESULT_OK ? wrong[n] : XLT_RESULT_BAD_TABLE) && (wrong[n] != XLT_RESULT_OK || bad_line[n] >= 0),
              "a failure's reason");
        check(fail.va == piece.va && fail.key == r.elem[p/2].key && fail.length == r.elem[p/2].rest - 32'(piece.skip), "a failure's address");
        check(fail.packet_length == pkt[n].head.length - piece.skip - (p >= 2 ? pkt[n].len0 : 13'd0), "a failure's bytes");
        if (bad_line[n] < 0) begin
          while (order[owner_of(n)][at] != n) at++;
          for (int unsigned i = 0; i < at; i++) check(fate[order[owner_of(n)][i]] != GIVEN || started(order[owner_of(n)][i]), "a failure overtakes");
          cancel(owner_of(n), at, 1'b0);
        end else begin
          cancel(owner_of(n), 0, 1'b1);
        end
      end
      if (flush_valid) begin
        flushed++;
        for (int unsigned side = 0; side < 2; side++) cancel({19'd0, flush_qpn, side[0]}, 0, 1'b1);
      end
    end
  end
  always @(negedge clk) begin
    if (go) begin
      if (!tx_valid || shown != next) begin
        tx_valid = next < packets && !trouble(20);
        if (tx_valid) tx = pkt[next];
        shown = next;
      end
      fail_ready  = !trouble(50);
      flush_valid = trouble(1) && dice(4) == 0;
      flush_qpn   = qpn_of(dice(qps));
    end
  end

  // ------------------------------------------------------------------------------------------------ neighbours
  `include "tx_memory.svh"
  `include "tx_link.svh"

  // ------------------------------------------------------------------------------------------------ the run
  int unsigned quiet;
  initial begin
    read_settings(20);
    look = setting("look", 3);
    rate = setting("rate", 1);
    for (int unsigned n = 0; n < packets; n++) make(n);
    repeat (5) @(negedge clk);
    rst_n  = 1'b1;
    enable = 1'b1;
    @(negedge clk);
    go    = 1'b1;
    quiet = 0;
    while (!(next == packets && quiet > 50)) begin
      @(negedge clk);
      quiet = tx_quiet && axi_quiet && link_quiet && !fail_valid && lines.size() == 0 && asked.size() == 0 && link_deadline == '1 ? quiet + 1 : 0;
      if (cycle > 64'(packets) * 2000 + 10000) check(1'b0, $sformatf("stuck: given %0d left %0d gone %0d got %0d", next, left, gone, got));
    end
    for (int unsigned n = 0; n < packets; n++) begin
      if (fate[n] == MAY_LEAVE) gone++;
      if (fate[n] != LEFT && !told[n]) fared(n, 3);
      check(fate[n] != GIVEN, $sformatf("packet %0d is forgotten", n));
      check(bad_line[n] < 0 || !broken[n] || told[n] || flushed != 0 || failures != 0, "a refused line nobody hears of");
    end
    check(left + gone == packets && got == left - lost, "packets that are neither sent nor dropped");
    check(held == '0 && flying == '0, "translations are left");
    check(!busy, "busy at the end");
    $write("PASS cycles=%0d packets=%0d left=%0d gone=%0d failures=%0d flushes=%0d bytes=%0d digest=%0d", ended - begun, packets, left, gone,
           failures, flushed, bytes, digest);
    foreach (cov_fate[i]) $write(" fate_%0d=%0d", i, cov_fate[i]);
    foreach (cov_link[i]) $write(" link_%0d=%0d", i, cov_link[i]);
    $display("");
    $finish;
  end

endmodule
