// hca_cq between queue pairs, software and a memory made up here: every entry where it belongs, told of when it is there, and fired once.
//
// Plusargs: seed, cycles, wait (memory's answers), bad (percent of entries memory refuses), off (times the block is switched off), queues
//   (256: all; 1: one of the largest size, given once), given (percent of cycles in which a queue is given anew).
// Checks: an entry is written whole, in its place, with the owner bit of its round, or lost and told of, as the queue's fullness says at its
//   acceptance; entries keep their order; a probe only after memory's answer; a refused entry is an asynchronous event; a queue fires once
//   for an arm, at once or with the next entry; a queue that is given anew begins anew; nothing is told as reset ends.
// Ends with "PASS cycles=... items=... digest=...", and how often each bin of its cover group was hit, or with the first check that failed.

module hca_cqs_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
;

  localparam int unsigned Queues = 6;
  localparam cqn_t Numbers[Queues] = '{8'd0, 8'd1, 8'd63, 8'd64, 8'd200, 8'd255};
  logic clk = 1'b0, rst_n = 1'b0, enable = 1'b0;
  longint unsigned cycle = 0;
  int unsigned cycles, latency, bad, off, queues, given;
  always #5 clk = !clk;

  `include "checks.svh"

  logic cmd_valid = 0, cmd_ready, cq_valid = 0, cq_ready, wr_valid, wr_ready = 0, rsp_valid = 0, fired_valid, overflow, async_valid, snoop, quiet;
  logic obs_valid;
  cq_cmd_t cmd = '0;
  doorbell_t bell = '0;
  cq_req_t cq = '0;
  wr_req_t wr;
  wr_rsp_t rsp = '0;
  cqn_t fired, snoop_cqn, obs_cqn;
  async_t event_out;
  hca_cqe_t obs_cqe;
  logic [31:0] count;
  logic [63:0] deadline;
  hca_cq dut (
    .clk_i(clk), .rst_ni(rst_n), .enable_i(enable), .cq_cmd_valid_i(cmd_valid), .cq_cmd_ready_o(cmd_ready), .cq_cmd_i(cmd),
    .doorbell_i(bell), .cq_valid_i(cq_valid), .cq_ready_o(cq_ready), .cq_i(cq), .wr_valid_o(wr_valid), .wr_ready_i(wr_ready), .wr_o(wr),
    .wr_rsp_valid_i(rsp_valid), .wr_rsp_i(rsp), .cq_fired_valid_o(fired_valid), .cq_fired_o(fired), .cq_overflow_o(overflow),
    .async_valid_o(async_valid), .async_o(event_out), .snoop_valid_o(snoop), .snoop_cqn_o(snoop_cqn), .count_o(count),
    .quiescent_o(quiet), .deadline_o(deadline), .obs_cqe_valid_o(obs_valid), .obs_cqe_cqn_o(obs_cqn), .obs_cqe_o(obs_cqe)
  );

  function automatic cqn_t any_queue();
    return queues > Queues ? cqn_t'(dice(NUM_CQ)) : Numbers[dice(queues)];
  endfunction

  // ------------------------------------------------------------------------------------------------ what must be
  bit          valid[256], armed[256], pending[256];
  int unsigned log2_of[256];
  pa_t         base[256];
  index_t      prod[256], cons[256], seen[256];
  typedef struct { cqn_t cqn; hca_cqe_t cqe; pa_t pa; } entry_t;
  entry_t to_write[$], in_memory[$];
  longint unsigned due[$];
  cqn_t lost[$];
  bit  snoop_q = 0, failed_q = 0, fire_q = 0;
  cqn_t told_q = 0, fire_cqn_q = 0;
  // fullness when an entry comes: none, empty, some, one left, full; unarmed or armed
  int unsigned cov_cq[5 * 2];

  task automatic forget();
    foreach (valid[i]) begin
      {valid[i], armed[i], pending[i]} = '0;
      {prod[i], cons[i], seen[i]} = '0;
    end
    to_write.delete();
    in_memory.delete();
    due.delete();
    lost.delete();
    {snoop_q, failed_q, fire_q} = '0;
  endtask

  task automatic judge();
    automatic bit answer = rsp_valid && rsp.id == WID_CQE;
    automatic entry_t e;
    check(snoop == snoop_q && (!snoop || snoop_cqn == told_q), "a probe");
    check(count[COUNT_CQES] == snoop_q && obs_valid == snoop_q, "what is counted");
    check(fired_valid == fire_q && (!fired_valid || fired == fire_cqn_q), $sformatf("a queue fires, or does not: %0d, %0d", fired_valid, fire_q));
    if (async_valid) begin
      check(event_out.kind == ASYNC_TYPE_CQ_ERR, "the kind of an event");
      if (failed_q) check(event_out.subject == 24'(told_q), "whose entry was refused");
      else begin
        check(lost.size() != 0 && event_out.subject == 24'(lost[0]) && overflow, "whose entry was lost");
        void'(lost.pop_front());
      end
    end else check(!failed_q && !overflow, "an event is missing");
    if (wr_valid) begin
      check(to_write.size() != 0, "an entry nobody made");
      e = to_write[0];
      check(wr.id == WID_CQE && wr.pa == e.pa && wr.data == line_t'(e.cqe) && wr.strb == '1 && !wr.lock && !wr.user.mapped, "an entry");
      if (wr_ready) begin
        note({wr.data[63:56], 56'(wr.pa)});
        in_memory.push_back(e);
        due.push_back(cycle + 64'(1 + $urandom() % (latency + 1)));
        void'(to_write.pop_front());
      end
    end

    // the edge: what fires next, then answers, doorbells, commands and new entries
    fire_q = 0;
    for (int i = 255; i >= 0; i--) if (pending[i]) {fire_q, fire_cqn_q} = {1'b1, cqn_t'(i)};
    if (fire_q) begin
      pending[fire_cqn_q] = 0;
      note({56'd7, fire_cqn_q});
    end
    snoop_q  = answer && !rsp.resp[1];
    failed_q = answer && rsp.resp[1];
    if (answer) begin
      e = in_memory.pop_front();
      void'(due.pop_front());
      told_q = e.cqn;
      seen[e.cqn]++;
      if (armed[e.cqn]) {pending[e.cqn], armed[e.cqn]} = 2'b10;
    end
    if (bell.cq_valid) begin
      cons[bell.cqn] = bell.cq_index;
      if (bell.cq_arm) begin
        armed[bell.cqn] = seen[bell.cqn] == bell.cq_index;
        if (!armed[bell.cqn]) pending[bell.cqn] = 1;
      end
    end
    if (cq_valid && cq_ready) begin
      automatic cqn_t q = cq.cqn;
      automatic index_t there = prod[q] - cons[q];
      automatic int unsigned size = 1 << log2_of[q];
      automatic bit full = !valid[q] || 32'(there) >= size;
      cov_cq[(!valid[q] ? 0 : there == 0 ? 1 : full ? 4 : 32'(there) == size - 1 ? 3 : 2) * 2 + 32'(armed[q])]++;
      note({24'(there), 32'(cq.cqe.wqe_index), q});
      if (full) lost.push_back(q);
      else begin
        e.cqn = q;
        e.cqe = cq.cqe;
        e.cqe.owner = !prod[q][log2_of[q]];
        e.pa = base[q] + pa_t'({prod[q] & index_t'(size - 1), 6'd0});
        to_write.push_back(e);
        prod[q]++;
      end
    end
    if (cmd_valid && cmd_ready) begin
      automatic cqn_t q = cmd.cqn;
      check(to_write.size() == 0 && in_memory.size() == 0, "given anew while entries are on their way");
      valid[q] = cmd.cqc.valid;
      log2_of[q] = 32'(cmd.cqc.log);
      base[q] = cmd.cqc.base[PaW-1:0];
      {prod[q], cons[q], seen[q]} = '0;
      {armed[q], pending[q]} = '0;
    end
  endtask

  bit held_cq, held_cmd;
  task automatic drive(int unsigned entries);
    automatic cqn_t q = any_queue();
    if (!held_cq) begin
      cq_valid = chance(entries);
      cq.cqn = q;
      cq.cqe = hca_cqe_t'({16{$urandom()}});
      cq.cqe.owner = 1'b0;
    end
    if (!held_cmd) begin
      cmd_valid = chance(given) || queues == 1 && !valid[Numbers[0]];
      cmd.cqn = any_queue();
      cmd.cqc = '0;
      cmd.cqc.valid = chance(85);
      cmd.cqc.log = queues == 1 ? '1 : chance(70) ? 4'($urandom() % 4) : 4'($urandom());
      cmd.cqc.base = {12'd0, 46'({$urandom(), $urandom()}), 6'd0};
    end
    bell = '0;
    if (chance(15)) begin
      bell.cq_valid = 1'b1;
      bell.cqn = any_queue();
      // As far as software may have seen it.
      bell.cq_index = cons[bell.cqn] + index_t'($urandom() % (32'(index_t'(seen[bell.cqn] - cons[bell.cqn])) + 1));
      bell.cq_arm = chance(60);
      if (chance(50)) bell.cq_index = seen[bell.cqn];
    end
    wr_ready  = chance(60);
    rsp_valid = 0;
    rsp       = '{id: WID_CQE, resp: 2'd0};
    if (in_memory.size() != 0 && due[0] <= cycle && chance(80)) begin
      rsp_valid = 1;
      if (chance(bad)) rsp.resp = 2'd2;
    end else if (chance(10)) begin
      rsp_valid = 1;  // somebody else's
      rsp.id = WID_FENCE;
      rsp.resp = 2'($urandom());
    end
  endtask

  initial begin
    cycles = setting("cycles", 10000);
    latency = setting("wait", 20);
    bad = setting("bad", 3);
    off = setting("off", 3);
    queues = setting("queues", Queues);
    given = setting("given", 1);
    begin_draws();
    foreach (cov_cq[i]) cov_cq[i] = 0;
    foreach (log2_of[i]) log2_of[i] = 0;
    forget();
    {held_cq, held_cmd} = '0;
    repeat (3) @(negedge clk);
    rst_n = 1'b1;
    #1 check(!snoop && !fired_valid && !overflow && !async_valid && !wr_valid, "something is told as reset ends");
    @(negedge clk) enable = 1'b1;
    for (int unsigned part = 0; part <= off; part++) begin
      for (int unsigned i = 0; i < cycles / (off + 1); i++) begin
        @(negedge clk);
        drive(part % 2 == 0 ? 60 : 95);
        #1 judge();
        held_cq  = cq_valid && !cq_ready;
        held_cmd = cmd_valid && !cmd_ready;
        @(posedge clk) cycle++;
      end
      if (part < off) begin
        @(negedge clk);
        {enable, cq_valid, cmd_valid, rsp_valid, wr_ready, bell} = '0;
        repeat (3) @(posedge clk);
        forget();
        {held_cq, held_cmd} = '0;
        @(negedge clk);
        check(!wr_valid && !snoop && !fired_valid && !async_valid && quiet, "it does something although it is off");
        enable = 1'b1;
      end
    end
    @(negedge clk);
    {cq_valid, cmd_valid, bell, rsp_valid, wr_ready, held_cq, held_cmd} = '0;
    #1 judge();
    @(posedge clk) cycle++;
    for (int unsigned i = 0; i < 200 + 3 * latency; i++) begin  // everything owed comes
      @(negedge clk);
      drive(0);
      {cmd_valid, bell} = '0;
      #1 judge();
      @(posedge clk) cycle++;
    end
    check(to_write.size() == 0 && in_memory.size() == 0 && lost.size() == 0, "an entry is forgotten");
    $write("PASS cycles=%0d items=%0d digest=%0d", cycle, items, digest);
    foreach (cov_cq[i]) $write(" cq_%0d=%0d", i, cov_cq[i]);
    $display("");
    $finish;
  end

endmodule
