// Queue pairs alone: one hca_qp, its send sides wired to its own receive sides through a lossy, faulting cable that keeps the order.
//
// Behavioural: what hca_tx, hca_rx, hca_fault, hca_cq and memory promise, no more. Checks that every message is carried out whole, in order
// and once, that its completion comes, in order, once and with success, that packets name the right bytes, and that verdicts come in time.
// Plusargs: seed, messages, pairs, loss, ackloss (of acknowledgements alone), txfault, rxfault, norecv (permille), policy (3: each pair its
//   own), mutant, size (0: mixed operations of mixed sizes; n: RDMA WRITEs of n bytes, with wide SENDs mostly), wide (1: numbers, addresses,
//   domains, sizes of packets and rings over their whole width, a clock that has run for long, and at the end a message a pair of up to the
//   greatest length, whose packets are checked as far as they come in `tail` cycles; then memory refuses and faults are not resolved).
// Prints one line at the end: "PASS cycles=... messages=..." or "FAIL ...", with how often each bin of its cover groups was hit
// (tb/block/points_hca.py).

module hca_qp_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input logic clk_i,
  input logic rst_ni
);

  localparam int unsigned Pairs = 64;
  localparam int unsigned Log = 12;
  longint unsigned cycle, skipped;  // it may be that nothing happens for long
  int unsigned messages, pairs, loss, ackloss, tail_cycles, txfault, rxfault, norecv, policy, mutant, size, wide;

  `include "checks.svh"
  function automatic bit permille(int unsigned n);
    return dice(1000) < n;
  endfunction
  int unsigned errors = 0;
  function automatic void wrong(string what);
    if (errors < 5) $display("FAIL at %0d: %s", cycle, what);
    errors++;
  endfunction

  `include "qp_work.svh"

  // ---- cover groups ----
  localparam int unsigned Positions = 4, Sides = 2, Policies = 3, Windows = 4, Heard = 3;
  int unsigned cov_policy[Policies * Sides * Positions], cov_window[Windows], cov_heard[Heard * (Windows - 1)], cov_psn[4];
  int unsigned acked[Pairs], newest[Pairs];  // messages acknowledged; the newest sent
  function automatic int unsigned position(hca_packet_t h);  // first, middle, last, only
    if (h.offset == '0) return h.last ? 3 : 0;
    return h.last ? 2 : 1;
  endfunction
  function automatic int unsigned window(int unsigned p);  // messages sent and not acknowledged: 1, to 16, to all but one, all
    automatic int unsigned open = (newest[p] - acked[p]) & 32'hffff;
    return open == 0 || open > 1024 ? 0 : open < 16 ? 1 : open < MAX_UNACKED - 1 ? 2 : 3;
  endfunction
  function automatic int unsigned policy_of(int unsigned p);
    return policy < Policies ? policy : p % Policies;
  endfunction

  initial begin
    messages = setting("messages", 200);
    pairs    = setting("pairs", 1);
    loss     = setting("loss", 0);
    ackloss  = setting("ackloss", 0);
    tail_cycles = setting("tail", 30_000);
    txfault  = setting("txfault", 0);
    rxfault  = setting("rxfault", 0);
    norecv   = setting("norecv", 0);
    policy   = setting("policy", 0);
    mutant   = setting("mutant", 0);
    size     = setting("size", 0);
    wide     = setting("wide", 0);
    begin_draws();
    foreach (traits[i]) traits[i] = random_traits(i);
    skipped = wide != 0 ? (64'd1 << 24) - 1000 : 0;
    {last_progress, began, link_free, shown_at, tail_until, tail} = '0;
    foreach (cov_policy[i]) cov_policy[i] = 0;
    foreach (cov_window[i]) cov_window[i] = 0;
    foreach (cov_psn[i]) cov_psn[i] = 0;
    foreach (cov_heard[i]) cov_heard[i] = 0;
    for (int unsigned i = 0; i < Pairs; i++) begin
      {acked[i], newest[i], failed[i]} = '0;
      {posted[i], completed[i], received[i], sends_total[i], land_msg[i], land_off[i], ans_msg[i], ans_off[i]} = '0;
    end
    foreach (tally[i]) tally[i] = 0;
  end

  // ---- the block ----
  logic enable, sent_all;
  doorbell_t doorbell;
  logic cmd_valid, cmd_ready, done_valid, rd_valid, rd_ready, rsp_valid, pkt_valid, pkt_ready, verdict_valid, land_valid, land_ready;
  logic flush_valid, tx_valid, tx_ready, fail_valid, fail_ready, tx_flush_valid, flt_valid, flt_ready, resume_valid, resume_ready;
  logic cq_valid, cq_ready, async_valid, quiescent;
  qp_cmd_t cmd;
  cmd_status_e done_status;
  hca_qp_report_t report;
  rd_req_t rd;
  rd_rsp_t rsp;
  rx_pkt_t pkt;
  rx_verdict_t verdict;
  rx_land_t land;
  qpn_t flush_qpn, tx_flush_qpn;
  tx_pkt_t tx;
  tx_fail_t fail;
  flt_req_t flt;
  resume_t resume;
  cq_req_t cq;
  async_t async_event;
  logic [31:0] count;
  logic [63:0] deadline;

  hca_qp dut (
    .clk_i, .rst_ni, .enable_i(enable), .mutant_i(mutant[7:0]), .now_i(cycle + skipped), .rnr_delay_i(32'd300), .ack_timeout_i(32'd5000),
    .doorbell_i(doorbell), .qp_cmd_valid_i(cmd_valid), .qp_cmd_ready_o(cmd_ready), .qp_cmd_i(cmd), .qp_done_valid_o(done_valid),
    .qp_done_status_o(done_status), .qp_report_o(report), .cfg_valid_o(), .cfg_qpn_o(), .cfg_o(), .cfg_load_sq_o(), .cfg_load_rq_o(),
    .busy_qpn_o(), .busy_i(1'b0), .rd_valid_o(rd_valid), .rd_ready_i(rd_ready), .rd_o(rd), .rd_rsp_valid_i(rsp_valid), .rd_rsp_i(rsp),
    .pkt_valid_i(pkt_valid), .pkt_ready_o(pkt_ready), .pkt_i(pkt), .verdict_valid_o(verdict_valid), .verdict_o(verdict),
    .land_valid_i(land_valid), .land_ready_o(land_ready), .land_i(land), .flush_valid_o(flush_valid), .flush_qpn_o(flush_qpn),
    .tx_valid_o(tx_valid), .tx_ready_i(tx_ready), .tx_o(tx), .fail_valid_i(fail_valid), .fail_ready_o(fail_ready), .fail_i(fail),
    .tx_flush_valid_o(tx_flush_valid), .tx_flush_qpn_o(tx_flush_qpn), .flt_valid_o(flt_valid), .flt_ready_i(flt_ready), .flt_o(flt),
    .resume_valid_i(resume_valid), .resume_ready_o(resume_ready), .resume_i(resume), .cq_valid_o(cq_valid), .cq_ready_i(cq_ready),
    .cq_o(cq), .async_valid_o(async_valid), .async_o(async_event), .count_o(count), .quiescent_o(quiescent), .deadline_o(deadline),
    .obs_qp_valid_o(), .obs_qp_qpn_o(), .obs_qp_state_o()
  );

  // ---- commands and doorbells ----
  int unsigned setup;
  bit spoilt, under_way;  // a context that cannot be meant
  typedef enum { SETUP, RUN } phase_e;
  phase_e phase;

  always @(posedge clk_i) begin
    doorbell <= '0;
    if (!rst_ni) begin
      cycle <= 0;
      enable <= 0;
      phase <= SETUP;
      setup <= 0;
      cmd_valid <= 0;
      sent_all <= 0;
    end else begin
      cycle <= cycle + 1;
      enable <= cycle > 3;
      if (phase == SETUP && enable) begin
        if (!cmd_valid && setup < 2 * pairs) begin
          cmd_valid <= 1;
          cmd <= '0;
          cmd.op <= CMD_OP_MODIFY_QP;
          cmd.qpn <= traits[setup].qpn;
          cmd.load_sq <= 1;
          cmd.load_rq <= 1;
          cmd.qpc.state <= QP_STATE_RTS;
          cmd.qpc.policy <= 2'(policy_of(setup / 2));
          cmd.qpc.mtu_shift <= traits[setup].mtu_shift;
          cmd.qpc.rnr_retry <= 3'd7;
          cmd.qpc.retry_cnt <= 3'd7;
          cmd.qpc.allow_read <= 1;
          cmd.qpc.allow_write <= 1;
          cmd.qpc.allow_atomic <= 1;
          cmd.qpc.dest_qpn <= {traits[setup ^ 1].high, traits[setup ^ 1].qpn};
          cmd.qpc.pd <= traits[setup].pd;
          cmd.qpc.send_cqn <= traits[setup].send_cqn;
          cmd.qpc.recv_cqn <= traits[setup].recv_cqn;
          cmd.qpc.sq_log <= traits[setup].sq_log;
          cmd.qpc.rq_log <= traits[setup].rq_log;
          cmd.qpc.sq_base <= 64'(traits[setup].sq_base);
          cmd.qpc.rq_base <= 64'(traits[setup].rq_base);
          cmd.qpc.sq_psn <= 24'hfffff0;
          cmd.qpc.rq_psn <= 24'hfffff0;
          spoilt <= 0;
          if (wide != 0 && permille(300)) begin
            cmd.qpc.mtu_shift <= 4'(MTU_SHIFT_MAX + 1);
            spoilt <= 1;
          end
        end else if (cmd_valid && cmd_ready) begin
          cmd_valid <= 0;
          under_way <= spoilt;
          if (!spoilt) setup <= setup + 1;
        end
        if (done_valid && done_status != (under_way ? CMD_STATUS_BAD_CONTEXT : CMD_STATUS_OK)) wrong("status of a context");
        if (setup == 2 * pairs && cmd_ready) phase <= RUN;
      end
      if (phase == RUN && !sent_all) begin
        // Post a few, ring.
        int unsigned p, batch;
        bit all;
        p = $urandom_range(pairs - 1);
        batch = size != 0 ? 64 : $urandom_range(5) + 1;
        if (permille(size != 0 ? 1000 : 300) && posted[p] < messages &&
            posted[p] - completed[p] + 80 < (1 << traits[2 * p].sq_log)) begin
          for (int unsigned i = 0; i < batch && posted[p] < messages; i++) begin
            hca_wqe_t w;
            w = random_wqe();
            if (posted[p] == messages - 1) w.signaled = 1;
            wqes[key(2 * p, posted[p])] = w;
            sends_total[p] += 32'(w.opcode == WR_OPCODE_SEND);
            posted[p]++;
          end
          doorbell.sq_valid <= 1;
          doorbell.qpn <= traits[2 * p].qpn;
          doorbell.index <= index_t'(posted[p]);
        end else if (wide != 0 && permille(100)) begin
          doorbell.rq_valid <= 1;  // receives: whether there are any is hca_rx's knowledge
          doorbell.qpn <= traits[2 * p + 1].qpn;
          doorbell.index <= index_t'($urandom());
        end
        all = 1;
        for (int unsigned i = 0; i < pairs; i++) all &= posted[i] == messages;
        if (all) sent_all <= 1;
      end
      if (tail_until != 0 && tail < pairs) begin
        wqes[key(2 * tail, posted[tail])] = long_wqe();
        posted[tail]++;
        doorbell.sq_valid <= 1;
        doorbell.qpn <= traits[2 * tail].qpn;
        doorbell.index <= index_t'(posted[tail]);
        tail++;
      end
    end
  end

  `include "qp_cable.svh"
  `include "qp_receive.svh"

  // ---- completions, the end ----
  longint unsigned last_progress, began, tail_until;  // until then the long messages are on their way; 0: they were not sent
  int unsigned tail;
  bit [1:0] failed[Pairs];  // side of the pair's ends that told of a failure: sends, receives
  int unsigned tally[32];
  always @(posedge clk_i) begin
    cq_ready <= permille(500);
    if (rst_ni) for (int unsigned i = 0; i < 32; i++) tally[i] += 32'(count[i]);
    if (rst_ni && cq_valid && cq_ready) begin
      int unsigned p;
      p = side(cq.cqe.qpn) >> 1;
      if (cq.cqn != (cq.cqe.recv ? traits[side(cq.cqe.qpn)].recv_cqn : traits[side(cq.cqe.qpn)].send_cqn)) wrong("completion queue");
      last_progress = cycle;
      note({16'(cq.cqe.wqe_index), 8'(cq.cqe.recv), 8'(cq.cqe.status), 32'(cq.cqe.qpn)});
      if (cq.cqe.status != WC_STATUS_SUCCESS && tail_until == 0) begin
        wrong($sformatf("completion of queue pair %0d, %0d: status %0d", cq.cqe.qpn, cq.cqe.wqe_index, cq.cqe.status));
      end
      if (cq.cqe.status != WC_STATUS_SUCCESS) begin
        if (failed[p][cq.cqe.recv] || cq.cqe.wqe_index != 16'(cq.cqe.recv ? received[p] : posted[p] - 1)) wrong("what failed");
        failed[p][cq.cqe.recv] = 1'b1;
      end else if (cq.cqe.recv) begin
        if (32'(cq.cqe.wqe_index) != (received[p] & 32'hffff)) wrong("a receive completes out of order");
        received[p]++;
      end else begin
        hca_wqe_t w;
        while (completed[p] < posted[p] && !wqes[key(2 * p, completed[p])].signaled && 16'(cq.cqe.wqe_index) != completed[p][15:0]) begin
          completed[p]++;
        end
        if (16'(cq.cqe.wqe_index) != completed[p][15:0]) wrong("a send completes out of order");
        w = wqes[key(2 * p, completed[p])];
        if (!w.signaled) wrong("not signaled");
        if (cq.cqe.opcode != (w.opcode == 2 ? WC_OPCODE_SEND : w.opcode == 0 ? WC_OPCODE_RDMA_WRITE : w.opcode == 4 ? WC_OPCODE_RDMA_READ :
                              w.opcode == 5 ? WC_OPCODE_COMP_SWAP : WC_OPCODE_FETCH_ADD)) wrong("opcode of a completion");
        if (w.opcode >= 4 && cq.cqe.byte_len != total(w)) wrong("byte_len of a completion");
        completed[p]++;
      end
    end
    if (rst_ni && land_valid) last_progress = cycle;
    if (rst_ni && phase == RUN && began == 0) began = cycle;
    if (rst_ni && async_valid && (tail_until == 0 || side_of.exists(32'(async_event.subject)) == 0))
      wrong($sformatf("async event %0d of %0d", async_event.kind, async_event.subject));
    if (rst_ni && sent_all && cycle >= tail_until) begin
      bit all;
      all = 1;
      for (int unsigned i = 0; i < pairs; i++) all &= completed[i] == messages && received[i] == sends_total[i] && land_msg[i] == messages;
      if (all && quiescent && wide != 0 && tail_until == 0 && errors == 0) begin
        tail_until = cycle + 64'(tail_cycles);
        skipped = (64'd1 << 25) - 1000 - cycle;
      end else if ((all && quiescent) || tail_until != 0 || cycle - last_progress > 400000 || cycle > 3000000 || errors > 0) begin
        if (!all && tail_until == 0) begin
          wrong("stuck");
          for (int unsigned i = 0; i < pairs; i++)
            if (completed[i] != messages) begin
              $display("pair %0d: completed %0d landed %0d received %0d of %0d", i, completed[i], land_msg[i], received[i], sends_total[i]);
            end
        end
        $write("%s cycles=%0d messages=%0d retransmit=%0d timeouts=%0d rnr=%0d nak=%0d oos=%0d dup=%0d bad=%0d",
                 errors == 0 ? "PASS" : "FAIL", last_progress - began, messages * pairs, tally[COUNT_RETRANSMIT], tally[COUNT_TIMEOUTS],
                 tally[COUNT_RNR_NAK_SENT], tally[COUNT_NAK_SENT], tally[COUNT_OUT_OF_SEQUENCE], tally[COUNT_DUPLICATE], tally[COUNT_BAD_PACKET]);
        $write(" digest=%0d", digest);
        foreach (cov_policy[i]) $write(" policy_%0d=%0d", i, cov_policy[i]);
        foreach (cov_window[i]) $write(" window_%0d=%0d", i, cov_window[i]);
        foreach (cov_heard[i]) $write(" heard_%0d=%0d", i, cov_heard[i]);
        foreach (cov_psn[i]) $write(" psn_%0d=%0d", i, cov_psn[i]);
        $display("");
        $finish;
      end
    end
  end

endmodule
