// Queue pairs as hca_rx_tb makes them up: they judge what is shown, hold and wake, and check what is shown and what lands, to the byte.
// A hurried packet is held, and the only resume that would wake it comes in the cycle before its verdict or in the same.

typedef struct { rx_pkt_t pkt; int unsigned n; longint unsigned at; bit hurried; } judge_t;
typedef struct { int unsigned qp; int unsigned kind; int unsigned at_position; longint unsigned at; } wake_t;
judge_t judging[$];
wake_t  waking[$];
int unsigned takes = 0, drops = 0, lands = 0;
rx_pkt_t was_pkt;
logic was_waiting = 1'b0, hurried_now = 1'b0;  // a hurried packet's resume is on its way
always_ff @(posedge clk) begin
  automatic int unsigned qp, n;
  automatic judge_t j;
  automatic wake_t w;
  automatic bit resumes = 1'b0;
  verdict_valid <= 1'b0;
  resume_valid <= 1'b0;
  flush_valid <= 1'b0;
  pkt_ready <= !trouble(30);
  if (enable && was_waiting) check(pkt_valid && pkt == was_pkt, "a packet shown changes while it waits");
  was_waiting <= enable && pkt_valid && !pkt_ready;
  was_pkt <= pkt;
  if (enable && pkt_valid && pkt_ready) begin
    n  = 32'(pkt.head.src_qpn);
    qp = 32'(pkt.head.dest_qpn);
    check(pkt.head == head[n], "the header of a packet shown");
    check(wrong[n] == FINE, "a bad packet is shown");
    check(by_qp[qp][shown[qp]] == n, $sformatf("packet %0d of queue pair %0d is shown out of order", n, qp));
    if (pkt.result == XLT_RESULT_OK) begin
      check({pkt.no_wqe, pkt.too_long, pkt.bad_sge} == {flags[n].no_wqe, flags[n].too_long, flags[n].bad_sge} && !flags[n].bad_table,
            $sformatf("flags of packet %0d: %b%b%b", n, pkt.no_wqe, pkt.too_long, pkt.bad_sge));
    end else if (flags[n].bad_table) begin
      check(pkt.result == XLT_RESULT_BAD_TABLE, "a work request memory refused");
    end else begin
      check(flags[n] == '0 && 32'(pkt.seg_offset) < 8 + bytes_of(n) && pkt.va == where(n, 32'(pkt.seg_offset)), "the piece that failed");
      check(32'(pkt.key) == n << 8 || 32'(pkt.key) == (n << 8) + 1, "the key of the piece that failed");
      if (head[n].opcode == PKT_OP_WRITE) check(pkt.seg_rest == head[n].rest - 32'(pkt.seg_offset), "what is left of the message");
    end
    check(head[n].opcode != PKT_OP_WRITE || pkt.result != XLT_RESULT_OK || head[n].length == 0 || start_valid || flying[pkt.slot] != '0,
          "shown before its translation is in flight");
    j.pkt = pkt;
    j.n = n;
    j.at = cycle + 64'(think) + (mode == RANDOM ? 64'(dice(6)) : 0);
    j.hurried = pkt.result == XLT_RESULT_FAULT_NOT_PRESENT && dice(4) == 0;
    judging.push_back(j);
  end
  hurried_now <= 1'b0;
  if (judging.size() > 0 && judging[0].at <= cycle + 1 && judging[0].hurried && !hurried_now) begin
    resumes = 1'b1;
    resume_valid <= 1'b1;
    resume <= '{qpn: qpn_t'(judging[0].pkt.head.dest_qpn), direction: FAULT_DIR_RESPONDER, error: dice(4) == 0};
  end
  if (resumes && dice(2) == 0) begin
    hurried_now <= 1'b1;
  end else if (judging.size() > 0 && judging[0].at <= cycle + 1) begin
    j = judging.pop_front();
    qp = 32'(j.pkt.head.dest_qpn);
    verdict_valid <= 1'b1;
    verdict.slot <= j.pkt.slot;
    if (j.hurried) begin
      verdict.verdict <= VERDICT_HOLD;
      cov_verdict[position(j.pkt.head) * Verdicts + 2]++;
      note({32'd4, 32'(j.n)});
    end else if (j.pkt.result inside {XLT_RESULT_FAULT_NOT_PRESENT} && dice(4) != 0) begin
      verdict.verdict <= VERDICT_HOLD;
      cov_verdict[position(j.pkt.head) * Verdicts + 2]++;
      note({32'd2, 32'(j.n)});
      w.at_position = position(j.pkt.head);
      w.qp = qp;
      w.kind = dice(4);
      w.at = cycle + 1 + 64'(dice(100));
      waking.push_back(w);
    end else if (j.pkt.result != XLT_RESULT_OK || {j.pkt.no_wqe, j.pkt.too_long, j.pkt.bad_sge} != '0 || trouble(5)) begin
      verdict.verdict <= VERDICT_DROP;
      cov_verdict[position(j.pkt.head) * Verdicts + 1]++;
      note({32'd1, 32'(j.n)});
      fate[j.n] <= DROPPED;
      shown[qp]++;
      drops++;
    end else begin
      verdict.verdict <= VERDICT_TAKE;
      cov_verdict[position(j.pkt.head) * Verdicts]++;
      note({32'd0, 32'(j.n)});
      fate[j.n] <= TAKES;
      land_by_qp[qp].push_back(j.n);
      shown[qp]++;
      takes++;
    end
  end
  if (waking.size() > 0 && !resumes) begin
    automatic int unsigned k = dice(waking.size());
    if (waking[k].at <= cycle) begin
      if (waking[k].kind == 0) flush_valid <= 1'b1;  // shown again as it is
      else resume_valid <= 1'b1;
      cov_wake[waking[k].at_position * Wakes + (waking[k].kind == 0 ? 2 : waking[k].kind == 1 ? 1 : 0)]++;
      flush_qpn <= qpn_t'(waking[k].qp);
      resume <= '{qpn: qpn_t'(waking[k].qp), direction: FAULT_DIR_RESPONDER, error: waking[k].kind == 1};
      waking.delete(k);
    end
  end
end

always_ff @(posedge clk) begin
  automatic int unsigned n, qp;
  automatic logic [63:0] now_there;
  land_ready <= !trouble(30);
  if (enable && land_valid && land_ready) begin
    n  = 32'(land.head.src_qpn);
    qp = 32'(land.qpn);
    check(land.head == head[n] && land.head.dest_qpn == 24'(land.qpn), "the header of a packet landed");
    check(fate[n] == TAKES && land_by_qp[qp][landed[qp]] == n, $sformatf("packet %0d of queue pair %0d lands out of order", n, qp));
    landed[qp]++;
    fate[n] <= LANDED;
    lands++;
    note({32'd3, 32'(n)});
    note(land.old_value);
    check(land.failed == (broken[n] && bytes_of(n) != 0), "whether memory took it");
    check(land.wqe_index == (head[n].opcode == PKT_OP_SEND ? head[n].ssn : head[n].msn[15:0]), "work request of a packet landed");
    for (int unsigned i = 0; i < bytes_of(n); i++) begin
      automatic byte unsigned expected = head[n].opcode == PKT_OP_ATOMIC_RESP ? head[n].operand[8*i+:8] : payload(n, i);
      automatic longint unsigned at = where(n, i) + Offset;
      check(memory.exists(at) && memory[at] == expected,
            $sformatf("byte %0d of packet %0d (opcode %0d length %0d) at %h", i, n, head[n].opcode, head[n].length, at));
    end
    if (head[n].opcode inside {PKT_OP_CMP_SWAP, PKT_OP_FETCH_ADD}) begin
      for (int unsigned i = 0; i < 8; i++) now_there[8*i+:8] = memory[head[n].va + Offset + 64'(i)];
      if (head[n].opcode == PKT_OP_FETCH_ADD) check(now_there == land.old_value + head[n].operand, "sum of an atomic");
      else check(now_there == (land.old_value == head[n].operand ? head[n].swap : land.old_value), "a swap");
      for (int unsigned i = 0; i < 8; i++) check(land.old_value[8*i+:8] == payload(n, i + 1000), "old value of an atomic");
    end
  end
end
