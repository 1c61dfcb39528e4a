// hca_regs at full width: events of every source in every cycle, every completion queue, values of all bits behind every register.
//
// Plusargs: seed, cycles (of each round; of the first, 20 times as many, so that all queues fire together), rounds, hot (cycles in which
//   every source counts everything), and where each register is, by name (id_at=...), so that the map is spec/hca.rdl's alone. Between
//   the first rounds nothing happens for a long time.
// Checks: counters hold exactly what was raised; queues that fired stay until they are cleared; asynchronous events come in order, eight
//   are kept, a lost one is told of; what software wrote is what comes out, what the device shows is what is read; each doorbell once.
// Ends with "PASS cycles=... items=... digest=...", or with the first check that failed.

module hca_regs_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
;

  localparam int unsigned Sources = 7, Asyncs = 3, Kept = 8, KilledW = $clog2(MTT_WAYS + 1);
  logic clk = 1'b0, rst_n = 1'b0;
  longint unsigned cycle = 0, skipped = 0;
  int unsigned cycles, rounds, hot;
  always #5 clk = !clk;

  `include "checks.svh"
  function automatic longint unsigned any();
    return {$urandom(), $urandom()};
  endfunction
  function automatic logic [8:0] at(string name);
    automatic int unsigned found;
    if (!$value$plusargs({name, "_at=%d"}, found)) begin
      $display("FAIL no place is given for %s", name);
      $finish(1);
      $fatal(1);
    end
    return found[8:0];
  endfunction

  // ------------------------------------------------------------------------------------------------ the block
  logic awvalid = 0, awready, wvalid = 0, wready, bvalid, bready = 0, arvalid = 0, arready, rvalid, rready = 0;
  logic [8:0] awaddr = 0, araddr = 0;
  logic [63:0] wdata = 0, rdata, deadline;
  logic [7:0] wstrb = '1, node = 0;
  logic [1:0] bresp, rresp;
  logic enable, restart, kick, fault_lost = 0, stopped = 0, cq_lost = 0, fired_valid = 0, quiet;
  pa_t mpt_base, cmdq_base, fq_base;
  logic [15:0] mpt_size, cmdq_size, fq_size;
  index_t cmdq_prod, fq_cons, cmdq_cons = 0, fq_prod = 0;
  doorbell_t bell;
  logic [31:0] rnr_delay, ack_timeout;
  cqn_t fired = 0;
  logic [Asyncs-1:0] async_valid = 0;
  async_t [Asyncs-1:0] async_in = '0;
  logic [Sources-1:0][31:0] raised = '0;
  logic [12:0] tx_bytes = 0, rx_bytes = 0;
  logic [KilledW-1:0] killed = 0;
  logic [2:0] irq;
  hca_regs #(.CountSources(Sources), .AsyncSources(Asyncs)) dut (
    .clk_i(clk), .rst_ni(rst_n), .mutant_i(8'd0), .now_i(cycle + skipped), .node_i(node),
    .s_axil_awvalid_i(awvalid), .s_axil_awready_o(awready), .s_axil_awaddr_i(awaddr), .s_axil_wvalid_i(wvalid), .s_axil_wready_o(wready),
    .s_axil_wdata_i(wdata), .s_axil_wstrb_i(wstrb), .s_axil_bvalid_o(bvalid), .s_axil_bready_i(bready), .s_axil_bresp_o(bresp),
    .s_axil_arvalid_i(arvalid), .s_axil_arready_o(arready), .s_axil_araddr_i(araddr), .s_axil_rvalid_o(rvalid), .s_axil_rready_i(rready),
    .s_axil_rdata_o(rdata), .s_axil_rresp_o(rresp),
    .enable_o(enable), .mpt_base_o(mpt_base), .mpt_size_o(mpt_size), .cmdq_base_o(cmdq_base), .cmdq_size_o(cmdq_size),
    .cmdq_prod_o(cmdq_prod), .cmdq_restart_o(restart), .fq_base_o(fq_base), .fq_size_o(fq_size), .fq_cons_o(fq_cons), .fq_kick_o(kick),
    .doorbell_o(bell), .rnr_delay_o(rnr_delay), .ack_timeout_o(ack_timeout),
    .cmdq_cons_i(cmdq_cons), .fq_prod_i(fq_prod), .fault_overflow_i(fault_lost), .command_stopped_i(stopped), .cq_overflow_i(cq_lost),
    .cq_fired_valid_i(fired_valid), .cq_fired_i(fired), .async_valid_i(async_valid), .async_i(async_in), .count_i(raised),
    .tx_bytes_i(tx_bytes), .rx_bytes_i(rx_bytes), .killed_i(killed), .irq_o(irq), .quiescent_o(quiet), .deadline_o(deadline)
  );

  // ------------------------------------------------------------------------------------------------ what must be
  longint unsigned counted[32];
  logic [255:0] have_fired = '0;
  async_t events[$];
  bit lost = 0;
  doorbell_t rung[$];

  // Whatever moves in a cycle is counted at its end.
  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (rst_n) begin
      for (int unsigned s = 0; s < Sources; s++)
        for (int unsigned i = 0; i < 32; i++)
          if (!(i inside {COUNT_TX_BYTES, COUNT_RX_BYTES, COUNT_KILLED})) counted[i] += 64'(raised[s][i]);
      counted[COUNT_TX_BYTES] += 64'(tx_bytes);
      counted[COUNT_RX_BYTES] += 64'(rx_bytes);
      counted[COUNT_KILLED] += 64'(killed);
      if (enable) begin
        if (fired_valid) have_fired[fired] = 1'b1;
        for (int unsigned s = 0; s < Asyncs; s++) begin
          if (async_valid[s]) begin
            if (events.size() == Kept) lost = 1;
            else events.push_back(async_in[s]);
          end
        end
      end
      if (bell.sq_valid || bell.rq_valid || bell.cq_valid) begin
        check(rung.size() != 0 && bell == rung[0], "a doorbell");
        void'(rung.pop_front());
      end
    end
  end

  task automatic still();
    {fired_valid, async_valid, raised, tx_bytes, rx_bytes, killed, fault_lost, stopped, cq_lost} = '0;
  endtask

  `include "regs_bus.svh"

  // ------------------------------------------------------------------------------------------------ rounds
  doorbell_t expected;
  task automatic doorbells();
    automatic longint unsigned data;
    automatic logic [63:0] sq, rq, cq;
    for (int unsigned i = 0; i < 6; i++) begin
      read(at("sq_doorbell"), sq);
      read(at("rq_doorbell"), rq);
      read(at("cq_doorbell"), cq);
      data = any();
      if (i % 3 != 2 && chance(70)) data[23:12] = '0;  // past the last queue pair otherwise
      case (i % 3)
        0: sq = data;
        1: rq = data;
        default: cq = data;
      endcase
      expected          = '0;
      expected.sq_valid = i % 3 == 0 && data[23:0] < 24'(NUM_QP);
      expected.rq_valid = i % 3 == 1 && data[23:0] < 24'(NUM_QP);
      expected.cq_valid = i % 3 == 2;
      expected.qpn      = i % 3 == 0 ? sq[11:0] : rq[11:0];
      expected.index    = i % 3 == 0 ? sq[47:32] : rq[47:32];
      expected.cqn      = cq[7:0];
      expected.cq_index = cq[47:32];
      expected.cq_arm   = cq[63];
      if (expected.sq_valid || expected.rq_valid || expected.cq_valid) rung.push_back(expected);
      write(at(i % 3 == 0 ? "sq_doorbell" : i % 3 == 1 ? "rq_doorbell" : "cq_doorbell"), data);
      repeat (3) @(negedge clk);
      check(rung.size() == 0, "a doorbell did not ring");
      note(data);
    end
  endtask

  task automatic counters();
    for (int unsigned i = 0; i < 32; i++) begin
      automatic logic [63:0] got;
      read(at("counter") + 9'(8 * i), got);
      check(got == counted[i], $sformatf("counter %0d: %0d, it is %0d", i, got, counted[i]));
      note(got);
    end
  endtask

  task automatic queues();
    automatic logic [63:0] got;
    for (int unsigned i = 0; i < 4; i++) begin
      automatic longint unsigned clear = chance(50) ? '1 : any();
      read(at("cq_event") + 9'(8 * i), got);
      check(got == have_fired[64*i+:64], "which queues have fired");
      write(at("cq_event") + 9'(8 * i), clear);
      have_fired[64*i+:64] &= ~clear;
      read(at("cq_event") + 9'(8 * i), got);
      check(got == have_fired[64*i+:64], "which queues have fired, some cleared");
      note(got);
    end
  endtask

  task automatic asynchronous();
    automatic logic [63:0] got;
    read(at("status"), got);
    check(got[3] == lost, "whether an asynchronous event was lost");
    write(at("status"), '1);
    lost = 0;
    while (events.size() != 0) begin
      read(at("async_event"), got);
      check(got == {8'd0, events[0].subject, 16'd0, 8'(events[0].kind), 8'd1}, "the oldest asynchronous event");
      note(got);
      write(at("async_pop"), any());
      void'(events.pop_front());
      repeat (2) @(negedge clk);
    end
    shown("async_event", 0);
  endtask

  task automatic registers();
    automatic longint unsigned pa = (64'd1 << PaW) - 1;
    written("mpt_base", any(), pa);
    check(mpt_base == wdata[PaW-1:0], "the key table's address");
    written("mpt_size", any(), 64'hffff);
    check(mpt_size == wdata[15:0], "the key table's size");
    written("cmdq_base", any(), pa);
    check(cmdq_base == wdata[PaW-1:0], "the command queue's address");
    written("cmdq_size", any(), 64'hffff);
    check(cmdq_size == wdata[15:0], "the command queue's size");
    written("cmdq_prod", any(), 64'hffff);
    check(cmdq_prod == wdata[15:0], "the command queue's producer");
    written("fq_base", any(), pa);
    check(fq_base == wdata[PaW-1:0], "the fault queue's address");
    written("fq_size", any(), 64'hffff);
    check(fq_size == wdata[15:0], "the fault queue's size");
    written("fq_cons", any(), 64'hffff);
    check(fq_cons == wdata[15:0], "the fault queue's consumer");
    written("fq_coalesce", any(), 64'hffff_ffff_0000_ffff);
    written("cq_coalesce", any(), 64'hffff_ffff_0000_ffff);
    written("retry", any(), '1);
    check({ack_timeout, rnr_delay} == wdata, "the waits");
    written("irq_enable", any(), 64'h7);
    {node, cmdq_cons, fq_prod} = 40'(any());
    repeat (2) @(negedge clk);
    shown("cmdq_cons", 64'(cmdq_cons));
    shown("fq_prod", 64'(fq_prod));
  endtask

  task automatic traffic(int unsigned many);
    repeat (many) begin
      @(negedge clk);
      fired_valid = chance(70);
      fired       = 8'($urandom());
      async_valid = chance(5) ? 3'($urandom()) : '0;
      for (int unsigned s = 0; s < Asyncs; s++) async_in[s] = async_t'(any());
      for (int unsigned s = 0; s < Sources; s++) raised[s] = $urandom() & $urandom();
      {tx_bytes, rx_bytes} = 26'($urandom());
      killed = KilledW'($urandom() % (MTT_WAYS + 1));
    end
    @(negedge clk) still();
    repeat (4) @(negedge clk);
  endtask

  initial begin
    cycles = setting("cycles", 200);
    rounds = setting("rounds", 40);
    hot = setting("hot", 280_000);
    begin_draws();
    foreach (counted[i]) counted[i] = 0;
    repeat (3) @(negedge clk);
    rst_n = 1'b1;
    write(at("ctrl"), 1);
    for (int unsigned round = 0; round < rounds; round++) begin
      traffic(round == 0 ? 20 * cycles : cycles);
      counters();
      queues();
      asynchronous();
      registers();
      doorbells();
      crowd();
      if (round < 2) skipped = (64'd1 << (24 + round)) - 300 - cycle;
    end
    raised = '1;
    {tx_bytes, rx_bytes, killed} = {13'd4096, 13'd4096, KilledW'(MTT_WAYS)};
    repeat (hot) @(negedge clk);
    still();
    counters();
    $display("PASS cycles=%0d items=%0d digest=%0d", cycle, items, digest);
    $finish;
  end

endmodule
