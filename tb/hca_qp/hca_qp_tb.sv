// Queue pairs alone: one hca_qp, its send sides wired to its own receive sides through a lossy, faulting, reordering-free cable.
//
// Behavioural: what hca_tx, hca_rx, hca_fault, hca_cq and memory promise, no more. Checks that every message is carried out whole, in order
// and once, that its completion comes, in order, once and with success, that packets name the right bytes, and that verdicts come in time.
// Settings by plusargs: messages, pairs, loss, txfault, rxfault, norecv (permille), policy (3: each pair its own), mutant, size (0: mixed operations of mixed
// sizes; n: RDMA WRITEs of n bytes); the seed is Verilator's. Prints one line at the end: "PASS cycles=... messages=..." or
// "FAIL ...", with how often each bin of its cover groups was hit (tb/block/points_hca.py).

module hca_qp_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input logic clk_i,
  input logic rst_ni
);

  localparam int unsigned Pairs = 64;
  localparam int unsigned Log = 12;

  longint unsigned digest;
  function automatic void note(longint unsigned what);  // FNV-1a, by the double-word
    digest = (digest ^ what) * 64'h0000_0100_0000_01b3;
  endfunction
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

  int unsigned messages, pairs, loss, txfault, rxfault, norecv, policy, mutant, size, mtu_shift;
  initial begin
    if (!$value$plusargs("messages=%d", messages)) messages = 200;
    if (!$value$plusargs("pairs=%d", pairs)) pairs = 1;
    if (!$value$plusargs("loss=%d", loss)) loss = 0;
    if (!$value$plusargs("txfault=%d", txfault)) txfault = 0;
    if (!$value$plusargs("rxfault=%d", rxfault)) rxfault = 0;
    if (!$value$plusargs("norecv=%d", norecv)) norecv = 0;
    if (!$value$plusargs("policy=%d", policy)) policy = 0;
    if (!$value$plusargs("mutant=%d", mutant)) mutant = 0;
    if (!$value$plusargs("size=%d", size)) size = 0;
    mtu_shift = 8;
    {errors, last_progress, began, link_free, shown_at} = '0;
    digest = 64'hcbf2_9ce4_8422_2325;
    foreach (cov_policy[i]) cov_policy[i] = 0;
    foreach (cov_window[i]) cov_window[i] = 0;
    foreach (cov_psn[i]) cov_psn[i] = 0;
    foreach (cov_heard[i]) cov_heard[i] = 0;
    foreach (acked[i]) {acked[i], newest[i]} = '0;
    for (int unsigned i = 0; i < Pairs; i++) begin
      {posted[i], completed[i], received[i], sends_total[i], land_msg[i], land_off[i], ans_msg[i], ans_off[i]} = '0;
    end
    for (int unsigned i = 0; i < 32; i++) tally[i] = 0;
  end

  // Messages go from queue pair 2 i to 2 i + 1.
  longint unsigned now;
  logic enable, sent_all;
  hca_wqe_t wqes[int unsigned];  // {qpn, index}
  int unsigned posted[Pairs], completed[Pairs], received[Pairs], sends_total[Pairs];
  int unsigned land_msg[Pairs], land_off[Pairs], ans_msg[Pairs], ans_off[Pairs];
  int unsigned errors;

  function automatic void wrong(string what);
    if (errors < 5) $display("FAIL at %0d: %s", now, what);
    errors++;
  endfunction

  function automatic int unsigned key(int unsigned qpn, int unsigned index);
    return (qpn << 16) | (index & 32'hffff);
  endfunction

  function automatic bit chance(int unsigned permille);
    return $urandom_range(999) < permille;
  endfunction

  function automatic hca_wqe_t random_wqe();
    hca_wqe_t w;
    int unsigned pick;
    w = '0;
    w.rkey = $urandom();
    w.remote_addr = {$urandom(), $urandom()} & ~64'h7;
    w.addr0 = {$urandom(), $urandom()};
    w.addr1 = {$urandom(), $urandom()};
    w.swap = {$urandom(), $urandom()};
    w.lkey0 = 32'h100;
    w.lkey1 = 32'h200;
    w.num_sge = 1;
    w.signaled = chance(500);
    pick = $urandom_range(9);
    if (size != 0) begin
      w.opcode = WR_OPCODE_RDMA_WRITE;
      w.length0 = size;
      w.signaled = 0;
    end else begin
      w.opcode = pick < 4 ? WR_OPCODE_RDMA_WRITE : pick < 7 ? WR_OPCODE_SEND : pick < 8 ? WR_OPCODE_RDMA_READ :
                 pick < 9 ? WR_OPCODE_ATOMIC_CMP_AND_SWP : WR_OPCODE_ATOMIC_FETCH_AND_ADD;
      w.length0 = $urandom_range(900);
      w.length1 = $urandom_range(400);
      w.num_sge = 4'($urandom_range(2));
      if (w.opcode > 8'd4) begin
        w.num_sge = 1;
        w.length0 = 8;
      end
    end
    return w;
  endfunction

  function automatic int unsigned total(hca_wqe_t w);
    if (w.opcode > 8'd4) return 8;
    return (w.num_sge > 0 ? w.length0 : 0) + (w.num_sge > 1 ? w.length1 : 0);
  endfunction

  function automatic int unsigned count_packets(hca_wqe_t w);
    int unsigned n;
    n = (total(w) + (1 << mtu_shift) - 1) >> mtu_shift;
    return (n == 0 || w.opcode > 8'd4) ? 1 : n;
  endfunction

  // ---- the block ----
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
    .clk_i, .rst_ni, .enable_i(enable), .mutant_i(mutant[7:0]), .now_i(now), .rnr_delay_i(32'd300), .ack_timeout_i(32'd5000),
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
  typedef enum { SETUP, RUN } phase_e;
  phase_e phase;

  always @(posedge clk_i) begin
    doorbell <= '0;
    if (!rst_ni) begin
      now <= 0;
      enable <= 0;
      phase <= SETUP;
      setup <= 0;
      cmd_valid <= 0;
      sent_all <= 0;
    end else begin
      now <= now + 1;
      enable <= now > 3;
      if (phase == SETUP && enable) begin
        if (!cmd_valid && setup < 2 * pairs) begin
          cmd_valid <= 1;
          cmd <= '0;
          cmd.op <= CMD_OP_MODIFY_QP;
          cmd.qpn <= qpn_t'(setup);
          cmd.load_sq <= 1;
          cmd.load_rq <= 1;
          cmd.qpc.state <= QP_STATE_RTS;
          cmd.qpc.policy <= 2'(policy_of(setup / 2));
          cmd.qpc.mtu_shift <= mtu_shift[3:0];
          cmd.qpc.rnr_retry <= 3'd7;
          cmd.qpc.retry_cnt <= 3'd7;
          cmd.qpc.allow_read <= 1;
          cmd.qpc.allow_write <= 1;
          cmd.qpc.allow_atomic <= 1;
          cmd.qpc.dest_qpn <= 24'(setup ^ 1);
          cmd.qpc.sq_log <= 4'(Log);
          cmd.qpc.sq_base <= 64'(setup) << 24;
          cmd.qpc.sq_psn <= 24'hfffff0;
          cmd.qpc.rq_psn <= 24'hfffff0;
        end else if (cmd_valid && cmd_ready) begin
          cmd_valid <= 0;
          setup <= setup + 1;
        end
        if (done_valid && done_status != CMD_STATUS_OK) wrong("a good context is refused");
        if (setup == 2 * pairs && cmd_ready) phase <= RUN;
      end
      if (phase == RUN && !sent_all) begin
        // Post a few, ring.
        int unsigned p, batch;
        bit all;
        p = $urandom_range(pairs - 1);
        batch = size != 0 ? 64 : $urandom_range(5) + 1;
        if (chance(size != 0 ? 1000 : 300) && posted[p] < messages && posted[p] - completed[p] < (1 << Log) - 80) begin
          for (int unsigned i = 0; i < batch && posted[p] < messages; i++) begin
            hca_wqe_t w;
            w = random_wqe();
            if (posted[p] == messages - 1) w.signaled = 1;
            wqes[key(2 * p, posted[p])] = w;
            sends_total[p] += 32'(w.opcode == WR_OPCODE_SEND);
            posted[p]++;
          end
          doorbell.sq_valid <= 1;
          doorbell.qpn <= qpn_t'(2 * p);
          doorbell.index <= index_t'(posted[p]);
        end
        all = 1;
        for (int unsigned i = 0; i < pairs; i++) all &= posted[i] == messages;
        if (all) sent_all <= 1;
      end
    end
  end

  // ---- memory: 120 cycles ----
  typedef struct { longint unsigned due; rd_req_t req; } read_t;
  read_t reads[$];
  always @(posedge clk_i) begin
    rsp_valid <= 0;
    rd_ready <= chance(size != 0 ? 1000 : 800);
    if (rst_ni) begin
      if (rd_valid && rd_ready) reads.push_back('{due: now + 120, req: rd});
      if (reads.size() != 0 && reads[0].due <= now) begin
        read_t r;
        int unsigned k;
        r = reads.pop_front();
        k = key(32'(r.req.pa >> 24), 32'(r.req.pa >> 6) & ((1 << Log) - 1));
        rsp_valid <= 1;
        rsp <= '0;
        rsp.id <= r.req.id;
        if (!wqes.exists(k)) wrong("a work request is read that was not posted");
        rsp.data <= wqes[k];
      end
    end
  end

  // ---- hca_tx and the wire: some packets fault, some are lost ----
  typedef struct { longint unsigned due; tx_pkt_t pkt; } wire_t;
  wire_t waiting[$], cable[$];
  longint unsigned link_free;

  function automatic void check_sent(tx_pkt_t t);
    hca_wqe_t w;
    longint unsigned at, va;
    int unsigned left;
    if (!(t.head.opcode inside {PKT_OP_SEND, PKT_OP_WRITE, PKT_OP_READ_REQ, PKT_OP_CMP_SWAP, PKT_OP_FETCH_ADD})) return;
    w = wqes[key(32'(t.qpn), 32'(t.head.msn))];
    at = 64'(t.head.offset) << mtu_shift;
    left = total(w) - 32'(at);
    if (t.head.rest != left) wrong("rest");
    if (w.opcode != WR_OPCODE_SEND && t.head.va != w.remote_addr + at) wrong("remote address");
    if (w.opcode inside {WR_OPCODE_SEND, WR_OPCODE_RDMA_WRITE}) begin
      if (32'(t.head.length) != (left < (1 << mtu_shift) ? left : (1 << mtu_shift))) wrong("length");
      if (t.head.last != (left <= (1 << mtu_shift))) wrong("last");
      if (t.len0 + t.len1 != t.head.length) wrong("pieces");
      va = at < 64'(w.length0) && w.num_sge > 0 ? w.addr0 + at : w.addr1 + (at - 64'(w.length0));
      if (t.head.length != 0 && t.va0 != va) wrong("local address");
      if (t.len1 != 0 && (t.va1 != w.addr1 || t.va0 + 64'(t.len0) != w.addr0 + 64'(w.length0))) wrong("second element");
    end
  endfunction

  always @(posedge clk_i) begin
    tx_ready <= chance(size != 0 ? 1000 : 700) && waiting.size() < 14;
    if (!rst_ni) begin
      fail_valid <= 0;
    end else begin
      if (tx_valid && tx_ready) begin
        check_sent(tx);
        if (tx.side == FAULT_DIR_REQUESTER) begin
          automatic int unsigned p = 32'(tx.qpn) >> 1;
          newest[p] = 32'(tx.head.msn);
          cov_window[window(p)]++;
          cov_psn[tx.head.psn == 24'hffffff ? 0 : tx.head.psn == 24'h0 ? 1 : tx.head.psn > 24'hffff00 ? 2 : 3]++;
          note({8'd0, tx.head.psn, 32'(tx.qpn)});
        end
        waiting.push_back('{due: now + 3 + (size != 0 ? 0 : 64'($urandom_range(10))), pkt: tx});
      end
      if (fail_valid && fail_ready) begin
        automatic wire_t keep[$] = {};
        fail_valid <= 0;
        foreach (waiting[i]) if (waiting[i].pkt.qpn != fail.qpn || waiting[i].pkt.side != fail.side) keep.push_back(waiting[i]);
        waiting = keep;
      end
      if (tx_flush_valid) begin
        automatic wire_t keep[$] = {};
        if (fail.qpn == tx_flush_qpn) fail_valid <= 0;
        foreach (waiting[i]) if (waiting[i].pkt.qpn != tx_flush_qpn) keep.push_back(waiting[i]);
        waiting = keep;
      end
      if (!fail_valid && waiting.size() != 0 && waiting[0].due <= now && link_free <= now && cable.size() < 200) begin
        wire_t t;
        t = waiting.pop_front();
        if ((t.pkt.len0 != 0) && chance(txfault)) begin
          tx_fail_t f;
          if (t.pkt.side == FAULT_DIR_REQUESTER) cov_policy[(policy_of(32'(t.pkt.qpn) >> 1) * Sides) * Positions + position(t.pkt.head)]++;
          f = '0;
          f.qpn = t.pkt.qpn;
          f.side = t.pkt.side;
          f.head = t.pkt.head;
          f.wqe_index = t.pkt.wqe_index;
          f.result = XLT_RESULT_FAULT_NOT_PRESENT;
          f.key = t.pkt.key0;
          f.va = t.pkt.va0;
          fail <= f;
          fail_valid <= 1;
        end else begin
          link_free = now + 1 + ((64'(t.pkt.head.length) + 63) >> 6);
          t.due = now + 150;
          if (!chance(loss)) cable.push_back(t);
        end
      end
    end
  end

  // ---- hca_rx: one packet at a time; those of a held queue pair wait ----
  typedef struct { rx_pkt_t pkt; logic lands; longint unsigned due; } arrived_t;
  arrived_t slots[$];
  logic [4095:0] held;
  arrived_t shown;
  logic asks;
  longint unsigned shown_at;
  arrived_t landing[$];

  function automatic void check_land(hca_packet_t h);
    int unsigned p;
    hca_wqe_t w;
    p = 32'(h.dest_qpn) >> 1;
    if (h.opcode inside {PKT_OP_READ_RESP, PKT_OP_ATOMIC_RESP}) begin
      if (32'(h.msn) != (ans_msg[p] & 32'hffff) && h.offset == 0) begin
        ans_msg[p] = 32'(h.msn);
        ans_off[p] = 0;
      end
      if (32'(h.msn) != ans_msg[p] || h.offset != ans_off[p]) wrong("an answer lands out of order");
      ans_off[p]++;
      return;
    end
    w = wqes[key(2 * p, land_msg[p])];
    if (h.opcode == PKT_OP_READ_REQ && 32'(h.msn) != land_msg[p]) return;  // asked again
    if (32'(h.msn) != land_msg[p]) wrong($sformatf("message %0d lands, expected %0d", h.msn, land_msg[p]));
    if (h.opcode != PKT_OP_READ_REQ && h.offset != land_off[p]) wrong("a packet lands out of order");
    if (h.opcode == PKT_OP_READ_REQ || 32'(h.offset) + 1 == count_packets(w)) begin
      land_msg[p]++;
      land_off[p] = 0;
    end else land_off[p]++;
  endfunction

  always @(posedge clk_i) begin
    land_valid <= land_valid && !land_ready;
    if (!rst_ni) begin
      pkt_valid <= 0;
      asks <= 0;
      land_valid <= 0;
      held = '0;
    end else begin
      if (cable.size() != 0 && cable[0].due <= now && slots.size() < 32) begin
        wire_t t;
        rx_pkt_t r;
        t = cable.pop_front();
        r = '0;
        r.head = t.pkt.head;
        slots.push_back('{pkt: r, lands: 0, due: 0});
      end
      if (flush_valid) held[flush_qpn] = 0;
      if (resume_valid && resume_ready && resume.direction == FAULT_DIR_RESPONDER) held[resume.qpn] = 0;
      if (pkt_valid && pkt_ready) begin
        pkt_valid <= 0;
        shown_at = now;
        if (shown.pkt.result != XLT_RESULT_OK && shown.pkt.head.opcode inside {PKT_OP_SEND, PKT_OP_WRITE})
          cov_policy[(policy_of(32'(shown.pkt.head.dest_qpn) >> 1) * Sides + 1) * Positions + position(shown.pkt.head)]++;
        if (shown.pkt.head.opcode inside {PKT_OP_ACK, PKT_OP_NAK}) begin
          automatic int unsigned p = 32'(shown.pkt.head.dest_qpn) >> 1;
          acked[p] = 32'(shown.pkt.head.msn) & 32'hffff;
          if (shown.pkt.head.opcode == PKT_OP_NAK) begin
            automatic int unsigned w = window(p) == 3 ? 2 : window(p);
            case (shown.pkt.head.syndrome)
              8'(NAK_SYNDROME_PSN): cov_heard[w]++;
              8'(NAK_SYNDROME_RNR): cov_heard[Windows - 1 + w]++;
              8'(NAK_SYNDROME_SUSPEND): cov_heard[2 * (Windows - 1) + w]++;
              default: ;
            endcase
          end
        end
      end
      if (asks && now - shown_at > 6 && !pkt_valid) wrong("a verdict is late");
      if (verdict_valid) begin
        if (!asks) wrong("a verdict without a packet");
        asks <= 0;
        if (verdict.verdict == VERDICT_TAKE) begin
          if (shown.pkt.result != XLT_RESULT_OK) wrong("a fault is taken");
          shown.due = now + 60 + 64'($urandom_range(3));
          landing.push_back(shown);
        end else if (verdict.verdict == VERDICT_HOLD) begin
          held[shown.pkt.head.dest_qpn[11:0]] = 1;
          slots.push_front(shown);
        end
      end
      if (!pkt_valid && (!asks || verdict_valid)) begin
        for (int i = 0; i < slots.size(); i++) begin
          if (!held[slots[i].pkt.head.dest_qpn[11:0]]) begin
            shown = slots[i];
            slots.delete(i);
            if (!(shown.pkt.head.opcode inside {PKT_OP_ACK, PKT_OP_NAK, PKT_OP_READ_REQ}))
              shown.pkt.result = chance(rxfault) ? XLT_RESULT_FAULT_NOT_PRESENT : XLT_RESULT_OK;
            shown.pkt.no_wqe = shown.pkt.head.opcode == PKT_OP_SEND && chance(norecv);
            pkt <= shown.pkt;
            pkt_valid <= 1;
            asks <= 1;
            break;
          end
        end
      end
      if ((!land_valid || land_ready) && landing.size() != 0 && landing[0].due <= now) begin
        arrived_t a;
        a = landing.pop_front();
        check_land(a.pkt.head);
        land_valid <= 1;
        land <= '0;
        land.qpn <= a.pkt.head.dest_qpn[11:0];
        land.head <= a.pkt.head;
      end
    end
  end

  // ---- hca_fault and its driver ----
  typedef struct { longint unsigned due; resume_t resume; } answer_t;
  answer_t answers[$];
  logic [4095:0][1:0] outstanding;
  always @(posedge clk_i) begin
    flt_ready <= chance(500);
    if (!rst_ni) begin
      resume_valid <= 0;
      outstanding = '0;
    end else begin
      if (resume_valid && resume_ready) resume_valid <= 0;
      if (flt_valid && flt_ready && !outstanding[flt.qpn][flt.direction]) begin
        answer_t a;
        outstanding[flt.qpn][flt.direction] = 1;
        a.due = now + 200 + 64'($urandom_range(400));
        a.resume = '{qpn: flt.qpn, direction: flt.direction, error: 1'b0};
        answers.push_back(a);
      end
      if ((!resume_valid || resume_ready) && answers.size() != 0 && answers[0].due <= now) begin
        answer_t a;
        a = answers.pop_front();
        outstanding[a.resume.qpn][a.resume.direction] = 0;
        resume_valid <= 1;
        resume <= a.resume;
      end
    end
  end

  // ---- completions, the end ----
  longint unsigned last_progress, began;
  int unsigned tally[32];
  always @(posedge clk_i) begin
    cq_ready <= chance(500);
    if (rst_ni) for (int unsigned i = 0; i < 32; i++) tally[i] += 32'(count[i]);
    if (rst_ni && cq_valid && cq_ready) begin
      int unsigned p;
      p = 32'(cq.cqe.qpn) >> 1;
      last_progress = now;
      note({16'(cq.cqe.wqe_index), 8'(cq.cqe.recv), 8'(cq.cqe.status), 32'(cq.cqe.qpn)});
      if (cq.cqe.status != WC_STATUS_SUCCESS) begin
        wrong($sformatf("completion of queue pair %0d, %0d: status %0d", cq.cqe.qpn, cq.cqe.wqe_index, cq.cqe.status));
      end
      if (cq.cqe.recv) begin
        if (32'(cq.cqe.wqe_index) != (received[p] & 32'hffff)) wrong("a receive completes out of order");
        received[p]++;
      end else begin
        hca_wqe_t w;
        while (completed[p] < posted[p] && !wqes[key(2 * p, completed[p])].signaled && 32'(cq.cqe.wqe_index) != completed[p]) begin
          completed[p]++;
        end
        if (32'(cq.cqe.wqe_index) != completed[p]) wrong("a send completes out of order");
        w = wqes[key(2 * p, completed[p])];
        if (!w.signaled) wrong("not signaled");
        if (cq.cqe.opcode != (w.opcode == 2 ? WC_OPCODE_SEND : w.opcode == 0 ? WC_OPCODE_RDMA_WRITE : w.opcode == 4 ? WC_OPCODE_RDMA_READ :
                              w.opcode == 5 ? WC_OPCODE_COMP_SWAP : WC_OPCODE_FETCH_ADD)) wrong("opcode of a completion");
        if (w.opcode >= 4 && cq.cqe.byte_len != total(w)) wrong("byte_len of a completion");
        completed[p]++;
      end
    end
    if (rst_ni && land_valid) last_progress = now;
    if (rst_ni && phase == RUN && began == 0) began = now;
    if (rst_ni && async_valid) wrong($sformatf("async event %0d of %0d", async_event.kind, async_event.subject));
    if (rst_ni && sent_all) begin
      bit all;
      all = 1;
      for (int unsigned i = 0; i < pairs; i++) all &= completed[i] == messages && received[i] == sends_total[i] && land_msg[i] == messages;
      if ((all && quiescent) || now - last_progress > 400000 || now > 3000000 || errors > 0) begin
        if (!all) begin
          wrong("stuck");
          for (int unsigned i = 0; i < pairs; i++)
            if (completed[i] != messages) begin
              $display("pair %0d: completed %0d landed %0d received %0d of %0d", i, completed[i], land_msg[i], received[i], sends_total[i]);
            end
        end
        $write("%s cycles=%0d messages=%0d retransmit=%0d timeouts=%0d rnr=%0d nak=%0d oos=%0d dup=%0d bad=%0d",
                 errors == 0 ? "PASS" : "FAIL", last_progress - began, messages * pairs, tally[COUNT_RETRANSMIT], tally[COUNT_TIMEOUTS], tally[COUNT_RNR_NAK_SENT],
                 tally[COUNT_NAK_SENT], tally[COUNT_OUT_OF_SEQUENCE], tally[COUNT_DUPLICATE], tally[COUNT_BAD_PACKET]);
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
