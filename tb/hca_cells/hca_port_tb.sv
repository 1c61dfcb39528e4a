// hca_axi between requesters and a memory made up here, with as many of them, and as many accesses at once, as its parameters say.
//
// Parameters: those of hca_axi. Plusargs: seed, cycles, mutant.
// Checks: every request reaches the bus whole, once, and in the order of its requester; a lower class goes first; all get their turn; no more
//   are under way than allowed, and that many are at times; every channel keeps its payload; every answer is passed on in the next cycle,
//   but none of before a disable; quiet means that nothing moves.
// Ends with "PASS cycles=... items=... digest=...", or with the first check that failed.

module hca_port_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
#(
  parameter int unsigned NumRd = 4,
  parameter int unsigned NumWr = 3,
  parameter int unsigned MaxOutstanding = 16
);

  localparam int unsigned Waits = 100;  // of one requester, in requests of others, at most
  logic clk = 1'b0, rst_n = 1'b0, enable = 1'b0;
  longint unsigned cycle = 0;
  int unsigned cycles, most_rd = 0, most_wr = 0, dropped = 0;
  logic [7:0] mutant = '0;
  always #5 clk = !clk;

  function automatic logic [NumRd-1:0][1:0] classes();
    for (int unsigned n = 0; n < NumRd; n++) classes[n] = 2'(n % 3);
  endfunction
  localparam logic [NumRd-1:0][1:0] RdClass = classes();

  `include "checks.svh"

  logic [NumRd-1:0] rd_valid = '0, rd_ready;
  rd_req_t [NumRd-1:0] rd;
  logic [NumWr-1:0] wr_valid = '0, wr_ready;
  wr_req_t [NumWr-1:0] wr;
  logic rd_rsp_valid, wr_rsp_valid, arvalid, arready = 0, arlock, rvalid = 0, rready, awvalid, awready = 0, awlock, wvalid, wready = 0, bvalid = 0;
  logic bready, quiet, wlast;
  rd_rsp_t rd_rsp;
  wr_rsp_t wr_rsp;
  axid_t arid, awid, rid = 0, bid = 0;
  pa_t araddr, awaddr;
  hca_user_t aruser, awuser;
  logic [7:0] arlen, awlen;
  logic [2:0] arsize, awsize;
  logic [1:0] arburst, awburst, rresp = 0, bresp = 0;
  line_t rdata = 0, wdata;
  logic [63:0] wstrb;

  hca_axi #(.NumRd(NumRd), .NumWr(NumWr), .RdClass(RdClass), .MaxOutstanding(MaxOutstanding)) dut (
    .clk_i(clk), .rst_ni(rst_n), .mutant_i(mutant), .enable_i(enable), .rd_valid_i(rd_valid), .rd_ready_o(rd_ready), .rd_i(rd),
    .rd_rsp_valid_o(rd_rsp_valid), .rd_rsp_o(rd_rsp), .wr_valid_i(wr_valid), .wr_ready_o(wr_ready), .wr_i(wr),
    .wr_rsp_valid_o(wr_rsp_valid), .wr_rsp_o(wr_rsp), .m_axi_arvalid_o(arvalid), .m_axi_arready_i(arready), .m_axi_arid_o(arid),
    .m_axi_araddr_o(araddr), .m_axi_arlen_o(arlen), .m_axi_arsize_o(arsize), .m_axi_arburst_o(arburst), .m_axi_arlock_o(arlock),
    .m_axi_aruser_o(aruser), .m_axi_rvalid_i(rvalid), .m_axi_rready_o(rready), .m_axi_rid_i(rid), .m_axi_rdata_i(rdata),
    .m_axi_rresp_i(rresp), .m_axi_rlast_i(1'b1), .m_axi_awvalid_o(awvalid), .m_axi_awready_i(awready), .m_axi_awid_o(awid),
    .m_axi_awaddr_o(awaddr), .m_axi_awlen_o(awlen), .m_axi_awsize_o(awsize), .m_axi_awburst_o(awburst), .m_axi_awlock_o(awlock),
    .m_axi_awuser_o(awuser), .m_axi_wvalid_o(wvalid), .m_axi_wready_i(wready), .m_axi_wdata_o(wdata), .m_axi_wstrb_o(wstrb),
    .m_axi_wlast_o(wlast), .m_axi_bvalid_i(bvalid), .m_axi_bready_o(bready), .m_axi_bid_i(bid), .m_axi_bresp_i(bresp), .quiescent_o(quiet)
  );

  // ------------------------------------------------------------------------------------------------ what is under way
  rd_req_t rd_taken[$];
  wr_req_t aw_taken[$], w_taken[$];
  axid_t reads[$], writes[$];  // on the bus and not answered
  int unsigned writes_sent = 0, addresses = 0, datas = 0, old_rd = 0, old_wr = 0, waited_rd[NumRd], waited_wr[NumWr];
  logic enabled_q = 0, rsp_q = 0, wsp_q = 0, open_q = 0;
  rd_rsp_t rsp_expect;
  wr_rsp_t wsp_expect;

  function automatic pa_t random_pa();
    return pa_t'({$urandom(), $urandom()});
  endfunction
  function automatic hca_user_t random_user();
    return hca_user_t'({4{$urandom()}});
  endfunction

  task automatic judge();
    automatic int unsigned best = 3;
    // what comes from memory goes to everybody a cycle later, unless it is of before a disable
    check(rd_rsp_valid == rsp_q, "whether an answer is passed on");
    if (rsp_q) check(rd_rsp == rsp_expect, "a read's answer");
    check(wr_rsp_valid == wsp_q, "whether a write's answer is passed on");
    if (wsp_q) check(wr_rsp == wsp_expect, "a write's answer");
    check(rready && bready && arlen == '0 && awlen == '0 && wlast && arburst == 2'b01 && awburst == 2'b01, "single beats");
    check($onehot0(rd_ready) && $onehot0(wr_ready) && (rd_ready & ~rd_valid) == '0 && (wr_ready & ~wr_valid) == '0, "who is taken");
    if (!enable) check(rd_ready == '0 && wr_ready == '0, "a request is taken although all is off");
    if (old_rd != 0 || old_wr != 0) check(rd_ready == '0 && wr_ready == '0, "a request is taken before memory has answered the old ones");
    for (int unsigned n = 0; n < NumRd; n++) if (rd_valid[n] && 32'(RdClass[n]) < best) best = 32'(RdClass[n]);
    if (arvalid) check(rd_taken.size() != 0 && arid == rd_taken[0].id && araddr == rd_taken[0].pa && arsize == rd_taken[0].size &&
                       arlock == rd_taken[0].lock && aruser == rd_taken[0].user, "a read on the bus");
    if (arvalid && arready) begin
      note({8'd1, 56'(araddr)});
      reads.push_back(arid);
      void'(rd_taken.pop_front());
    end
    if (awvalid) check(aw_taken.size() != 0 && awid == aw_taken[0].id && awlock == aw_taken[0].lock && awuser == aw_taken[0].user &&
                       awaddr == (awlock ? {aw_taken[0].pa[PaW-1:3], 3'd0} : {aw_taken[0].pa[PaW-1:6], 6'd0}) &&
                       awsize == (awlock ? 3'd3 : 3'd6), "a write's address on the bus");
    if (wvalid) check(w_taken.size() != 0 && wdata == w_taken[0].data && wstrb == w_taken[0].strb, "a write's data on the bus");
    if (awvalid && awready) begin
      note({8'd2, 56'(awaddr)});
      writes.push_back(awid);
      addresses++;
      void'(aw_taken.pop_front());
    end
    if (wvalid && wready) begin
      datas++;
      void'(w_taken.pop_front());
    end
    for (int unsigned n = 0; n < NumRd; n++) begin
      if (rd_ready[n]) begin
        check(32'(RdClass[n]) == best, "a higher class goes first");
        rd_taken.push_back(rd[n]);
        waited_rd[n] = 0;
      end else if (rd_valid[n] && |rd_ready && 32'(RdClass[n]) == best) waited_rd[n]++;
      check(waited_rd[n] < NumRd, "a reader does not get its turn");
    end
    for (int unsigned n = 0; n < NumWr; n++) begin
      if (wr_ready[n]) begin
        aw_taken.push_back(wr[n]);
        w_taken.push_back(wr[n]);
        waited_wr[n] = 0;
      end else if (wr_valid[n] && |wr_ready) waited_wr[n]++;
      check(waited_wr[n] < NumWr, "a writer does not get its turn");
    end
    if (quiet) check(!arvalid && !awvalid && !wvalid && rd_ready == '0 && wr_ready == '0 && !rd_rsp_valid && !wr_rsp_valid, "quiet is not quiet");
    rsp_q = rvalid && enable && open_q;
    rsp_expect = '{id: rid, resp: rresp, data: rdata};
    wsp_q = bvalid && enable && open_q;
    wsp_expect = '{id: bid, resp: bresp};
    if (rvalid && old_rd != 0) begin
      old_rd--;
      dropped++;
    end
    if (bvalid && old_wr != 0) begin
      old_wr--;
      dropped++;
    end
    if (!enable && enabled_q) begin  // what is under way now is of before
      old_rd = reads.size() + rd_taken.size();
      old_wr = writes_out();
    end
    open_q = enable && old_rd == 0 && old_wr == 0 && (open_q || enabled_q == enable);
    enabled_q = enable;
    if (reads.size() + rd_taken.size() > most_rd) most_rd = reads.size() + rd_taken.size();
    if (writes_out() > most_wr) most_wr = writes_out();
    check(most_rd <= MaxOutstanding && most_wr <= MaxOutstanding, "more under way than allowed");
  endtask

  function automatic int unsigned writes_out();
    return writes.size() + aw_taken.size();
  endfunction

  task automatic drive(int unsigned ask, int unsigned answer, int unsigned take);
    for (int unsigned n = 0; n < NumRd; n++) begin
      if (rd_valid[n] && !taken_rd[n]) continue;
      rd_valid[n] = chance(ask);
      rd[n] = '{id: axid_t'($urandom()), pa: random_pa(), size: 3'd6, lock: chance(10), user: random_user()};
    end
    for (int unsigned n = 0; n < NumWr; n++) begin
      if (wr_valid[n] && !taken_wr[n]) continue;
      wr_valid[n] = chance(ask);
      wr[n] = '{id: axid_t'($urandom()), pa: random_pa(), lock: chance(10), user: random_user(), data: {16{$urandom()}}, strb: {2{$urandom()}}};
    end
    arready = chance(take);
    awready = chance(take);
    wready  = chance(take);
    rvalid  = reads.size() != 0 && chance(answer);
    if (rvalid) begin
      automatic int unsigned pick = $urandom() % reads.size();
      rid   = reads[pick];
      rresp = 2'($urandom());
      rdata = {16{$urandom()}};
      reads.delete(pick);
    end
    bvalid = writes.size() != 0 && datas > answered_wr && chance(answer) ;
    if (bvalid) begin  // the oldest: its data have been taken too
      bid   = writes.pop_front();
      bresp = 2'($urandom());
      answered_wr++;
    end
  endtask
  logic [NumRd-1:0] taken_rd;
  logic [NumWr-1:0] taken_wr;
  int unsigned answered_wr = 0;

  initial begin
    cycles = setting("cycles", 3000);
    mutant = 8'(setting("mutant", 0));
    begin_draws();
    foreach (waited_rd[n]) waited_rd[n] = 0;
    foreach (waited_wr[n]) waited_wr[n] = 0;
    {rd, wr, taken_rd, taken_wr} = '0;
    repeat (3) @(negedge clk);
    rst_n = 1'b1;
    for (int unsigned part = 0; part < 4; part++) begin
      for (int unsigned i = 0; i < cycles / 4 + (part == 1 ? 3 * MaxOutstanding : part == 2 ? 600 : 0); i++) begin
        @(negedge clk);
        if (part == 2 && chance(2)) enable = !enable;
        else if (part != 2) enable = 1'b1;
        case (part)
          0: drive(30, 50, 70);
          1: drive(95, 0, 100);   // until no more may be under way
          default: drive(60, 60, 60);
        endcase
        #1 judge();
        taken_rd = rd_ready;
        taken_wr = wr_ready;
        @(posedge clk) cycle++;
      end
    end
    check(most_rd == MaxOutstanding && most_wr == MaxOutstanding, "never were as many under way as may be");
    check(dropped != 0, "no answer came after a disable");
    $display("PASS cycles=%0d items=%0d digest=%0d dropped=%0d", cycle, items, digest, dropped);
    $finish;
  end

endmodule
