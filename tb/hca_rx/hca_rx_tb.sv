// hca_rx between a link, a translation unit, queue pairs and a memory made up here; checks itself, prints its numbers, ends.
//
// Plusargs: seed, packets, qps (queue pairs), mode (0 everything at random; 1 like 0, but nothing is wrong, nothing waits: for rates; 2 as 1,
//   all packets of `length` bytes at address offset `skew`), length, skew, latency (memory's answers), think (cycles to a verdict).
// Checks: every packet is shown once when it is taken, in the order of its queue pair, with what is wrong with it; every byte of a taken packet
//   is in memory when it lands and no other byte is written; a piece is in flight from before the showing until its last write is answered;
//   what was handed out is given back; an atomic's value; the order of landing.
// Ends with "PASS cycles=... packets=... digest=...", and how often each bin of its cover groups was hit (tb/block/points_hca.py), or with
//   the first check that failed.

module hca_rx_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
;

  localparam int unsigned MaxPackets = 8192;
  localparam int unsigned RequestBase = 'h4000_0000;  // receive queues
  localparam int unsigned SendBase    = 'h6000_0000;  // send queues
  localparam int unsigned Offset      = 'h8000_0000;  // physical - virtual
  localparam int unsigned Room        = 16384;        // each packet's own piece of the address space

  int unsigned packets, qps, mode, fixed_length, skew, latency, think;
  logic clk = 1'b0, rst_n = 1'b0;
  longint unsigned cycle = 0;
  always #5 clk = !clk;
  always @(posedge clk) cycle++;

  function automatic int unsigned dice(int unsigned n);
    return n == 0 ? 0 : $urandom() % n;
  endfunction
  function automatic bit chance(int unsigned percent);  // of something unpleasant
    return mode == 0 && dice(100) < percent;
  endfunction
  longint unsigned digest = 64'hcbf2_9ce4_8422_2325;
  function automatic void note(longint unsigned what);  // FNV-1a, by the double-word
    digest = (digest ^ what) * 64'h0000_0100_0000_01b3;
  endfunction
  localparam int unsigned Positions = 4, Verdicts = 3, Wakes = 3, Ops = 8, Wrongs = 4;
  int unsigned cov_verdict[Positions * Verdicts], cov_wake[Positions * Wakes], cov_wrong[Ops * Wrongs + 2];  // the last two: no opcode, no queue pair
  function automatic int unsigned position(hca_packet_t h);  // first, middle, last, only
    if (h.offset == '0) return h.rest == 32'(h.length) ? 3 : 0;
    return h.rest == 32'(h.length) ? 2 : 1;
  endfunction
  task automatic check(bit ok, string what);
    if (!ok) begin
      $display("FAIL cycle %0d: %s", cycle, what);
      $finish(1);
      $fatal(1);
    end
  endtask

  // ------------------------------------------------------------------------------------------------ the packets
  typedef enum int { FINE, CORRUPT, SHORT, LONG, NO_OPCODE, NO_QP } wrong_e;
  typedef enum int { WAITS, TAKES, LANDED, DROPPED } fate_e;
  hca_packet_t head[MaxPackets];
  wrong_e      wrong[MaxPackets];
  fate_e       fate[MaxPackets];
  rx_flags_t   flags[MaxPackets];
  int unsigned size0[MaxPackets], size1[MaxPackets];  // elements of its work request
  bit          broken[MaxPackets];                    // memory refuses its writes
  int unsigned shown[4096], landed[4096];             // number of the queue pair's packet to come next
  int unsigned by_qp[4096][$];                        // good packets of a queue pair, in order
  int unsigned land_by_qp[4096][$];                   // taken ones
  byte unsigned memory[longint unsigned];

  function automatic byte unsigned payload(int unsigned n, int unsigned i);
    return 8'((n * 77 + i * 13 + (i >> 8) * 5 + 1) ^ (i >> 3));
  endfunction
  function automatic longint unsigned base_of(int unsigned n);
    return 64'(n) * Room + 64'h1000_0000_0000;
  endfunction
  // Virtual address of byte i of packet n's payload.
  function automatic longint unsigned where(int unsigned n, int unsigned i);
    automatic longint unsigned start = 64'(head[n].offset) * 256;  // MTU 256 for what goes through work requests with an offset
    if (pkt_op_e'(head[n].opcode) inside {PKT_OP_WRITE, PKT_OP_CMP_SWAP, PKT_OP_FETCH_ADD}) return head[n].va + 64'(i);
    if (start + 64'(i) < 64'(size0[n])) return base_of(n) + 64'(head[n].swap[11:0]) + start + 64'(i);
    return base_of(n) + 64'h2000 + 64'(head[n].swap[23:12]) + start + 64'(i) - 64'(size0[n]);
  endfunction
  function automatic int unsigned bytes_of(int unsigned n);
    case (pkt_op_e'(head[n].opcode))
      PKT_OP_SEND, PKT_OP_WRITE, PKT_OP_READ_RESP: return 32'(head[n].length);
      PKT_OP_ATOMIC_RESP: return 8;
      default: return 0;
    endcase
  endfunction

  task automatic make(int unsigned n);
    automatic int unsigned kind = mode == 0 ? dice(10) : 3;
    automatic int unsigned qp = dice(qps) * 37 % 4096;
    automatic int unsigned start = 0, rest;
    automatic hca_packet_t h = '0;
    h.dest_qpn = 24'(qp);
    h.src_qpn  = 24'(n);
    h.psn      = 24'(n);
    h.swap     = {$urandom(), $urandom()};
    h.operand  = {$urandom(), $urandom()};
    h.msn      = 24'(n);
    h.length   = mode == 2 ? 13'(fixed_length) : dice(3) == 0 ? 13'(dice(4097)) : 13'(dice(200));
    h.va       = base_of(n) + (mode == 2 ? 64'(skew) : 64'(dice(4096)));
    h.rest     = 32'(h.length) + (dice(2) == 0 ? 0 : dice(5000));
    h.rkey     = 32'(n) << 8;
    size0[n] = 0;
    size1[n] = 0;
    flags[n] = '0;
    broken[n] = chance(3);
    case (kind)
      0: h.opcode = PKT_OP_ACK;
      1: h.opcode = PKT_OP_READ_REQ;
      2: h.opcode = PKT_OP_FETCH_ADD;
      4: h.opcode = PKT_OP_ATOMIC_RESP;
      5, 6: h.opcode = PKT_OP_SEND;
      7: h.opcode = PKT_OP_READ_RESP;
      8: h.opcode = PKT_OP_CMP_SWAP;
      default: h.opcode = PKT_OP_WRITE;
    endcase
    if (h.opcode inside {PKT_OP_ACK, PKT_OP_READ_REQ, PKT_OP_FETCH_ADD, PKT_OP_CMP_SWAP, PKT_OP_ATOMIC_RESP}) h.length = '0;
    if (h.opcode == PKT_OP_WRITE && mode == 0) h.offset = dice(3);  // it says where it goes itself
    if (h.opcode inside {PKT_OP_FETCH_ADD, PKT_OP_CMP_SWAP}) h.va = {h.va[63:3], 3'd0};
    if (h.opcode inside {PKT_OP_SEND, PKT_OP_READ_RESP, PKT_OP_ATOMIC_RESP}) begin
      if (h.opcode != PKT_OP_ATOMIC_RESP) h.offset = dice(3);
      start = 256 * h.offset;
      rest = h.opcode == PKT_OP_ATOMIC_RESP ? 8 : 32'(h.length);
      // Elements that the message just fits, or (one in ten) is too long for.
      size0[n] = dice(2) == 0 ? start + rest : dice(start + rest + 100);
      size1[n] = start + rest > size0[n] ? start + rest - size0[n] : dice(100);
      if (h.opcode == PKT_OP_ATOMIC_RESP) begin
        size0[n] = 8 + dice(8);
        size1[n] = dice(9);
      end
      if (rest != 0 && dice(10) == 0) begin
        if (h.opcode == PKT_OP_ATOMIC_RESP) size0[n] = dice(8);
        else if (size1[n] > 0) size1[n] = 0;
        else if (size0[n] > 0) size0[n]--;
        flags[n].too_long = h.opcode == PKT_OP_ATOMIC_RESP || size0[n] + size1[n] < start + rest;
      end
      h.ssn = 16'(n);
      if (h.opcode == PKT_OP_SEND && dice(10) == 0) begin
        h.ssn = 16'h9000 + 16'(n);  // never posted
        flags[n] = '{no_wqe: 1'b1, default: '0};
      end else if (rest != 0 && dice(20) == 0) begin
        flags[n] = '{bad_sge: 1'b1, default: '0};
      end else if (rest != 0 && dice(20) == 0) begin
        flags[n] = '{bad_table: 1'b1, default: '0};
      end
    end
    wrong[n] = FINE;
    if (mode == 0) begin
      case (dice(40))
        0: wrong[n] = CORRUPT;
        1: wrong[n] = SHORT;
        2: wrong[n] = LONG;
        3: begin
          wrong[n] = NO_OPCODE;
          h.opcode = 8'd77;
        end
        4: begin
          wrong[n] = NO_QP;
          h.dest_qpn = 24'd4096 + 24'(qp);
        end
        default: ;
      endcase
    end
    if (wrong[n] inside {NO_OPCODE, NO_QP}) cov_wrong[Ops * Wrongs + 32'(wrong[n]) - 32'(NO_OPCODE)]++;
    else cov_wrong[(32'(h.opcode) - 1) * Wrongs + 32'(wrong[n])]++;
    head[n] = h;
    fate[n] = WAITS;
    if (wrong[n] == FINE) by_qp[qp].push_back(n);
    for (int unsigned i = 0; i < 8; i++) memory[h.va + Offset + 64'(i)] = payload(n, i + 1000);
  endtask

  // ------------------------------------------------------------------------------------------------ the device
  logic        enable = 1'b0;
  logic [7:0]  mutant = '0;
  logic        flit_valid, flit_ready, cfg_valid, cfg_load_rq, rd_valid, rd_ready, rd_rsp_valid, wr_valid, wr_ready, wr_rsp_valid;
  logic        req_valid, req_ready, rsp_valid, start_valid, done_valid, drop_valid, pkt_valid, pkt_ready, verdict_valid, land_valid;
  logic        land_ready, resume_valid, flush_valid, quiescent, busy, obs_taken_valid, obs_land_valid;
  flit_t       flit;
  qpn_t        cfg_qpn, flush_qpn;
  qp_cfg_t     cfg;
  doorbell_t   doorbell;
  rd_req_t     rd;
  rd_rsp_t     rd_rsp;
  wr_req_t     wr;
  wr_rsp_t     wr_rsp;
  xlt_req_t    req;
  xlt_rsp_t    rsp;
  logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] live;
  use_t        start_use, done_use;
  logic [UseSlotW-1:0]  drop_slot;
  rx_pkt_t     pkt;
  rx_verdict_t verdict;
  rx_land_t    land;
  resume_t     resume;
  logic [31:0] count;
  logic [12:0] rx_bytes;
  logic [63:0] deadline;
  hca_packet_t obs_taken, obs_land;

  hca_rx dut (
    .clk_i(clk), .rst_ni(rst_n), .mutant_i(mutant), .enable_i(enable), .flit_valid_i(flit_valid), .flit_ready_o(flit_ready), .flit_i(flit),
    .cfg_valid_i(cfg_valid), .cfg_qpn_i(cfg_qpn), .cfg_i(cfg), .cfg_load_rq_i(cfg_load_rq), .doorbell_i(doorbell), .rd_valid_o(rd_valid),
    .rd_ready_i(rd_ready), .rd_o(rd), .rd_rsp_valid_i(rd_rsp_valid), .rd_rsp_i(rd_rsp), .wr_valid_o(wr_valid), .wr_ready_i(wr_ready),
    .wr_o(wr), .wr_rsp_valid_i(wr_rsp_valid), .wr_rsp_i(wr_rsp), .req_valid_o(req_valid), .req_ready_i(req_ready), .req_o(req),
    .rsp_valid_i(rsp_valid), .rsp_i(rsp), .live_i(live), .start_valid_o(start_valid), .start_o(start_use), .done_valid_o(done_valid),
    .done_o(done_use), .drop_valid_o(drop_valid), .drop_slot_o(drop_slot), .pkt_valid_o(pkt_valid), .pkt_ready_i(pkt_ready), .pkt_o(pkt),
    .verdict_valid_i(verdict_valid), .verdict_i(verdict), .land_valid_o(land_valid), .land_ready_i(land_ready), .land_o(land),
    .resume_valid_i(resume_valid), .resume_i(resume), .flush_valid_i(flush_valid), .flush_qpn_i(flush_qpn), .count_o(count),
    .busy_qpn_i('0), .busy_o(busy), .rx_bytes_o(rx_bytes), .quiescent_o(quiescent), .deadline_o(deadline), .obs_taken_valid_o(obs_taken_valid), .obs_taken_o(obs_taken),
    .obs_land_valid_o(obs_land_valid), .obs_land_o(obs_land)
  );

  // ------------------------------------------------------------------------------------------------ link
  int unsigned sending = 0, flit_no = 0, flits;
  logic        go = 1'b0, pause = 1'b0;
  line_t       data;
  logic [31:0] crc_state_q, crc_state, crc;
  hca_crc u_crc (.first_i(flit_no == 0), .state_i(crc_state_q), .data_i(data), .state_o(crc_state), .crc_o(crc));
  always_comb begin
    flits = 1 + (32'(head[sending].length) + 63) / 64;
    if (wrong[sending] == SHORT && flits > 1) flits--;
    else if (wrong[sending] == SHORT || wrong[sending] == LONG) flits++;
    data = '0;
    if (flit_no == 0) data = line_t'(head[sending]);
    else for (int unsigned i = 0; i < 64; i++) data[8*i+:8] = payload(sending, (flit_no - 1) * 64 + i);
    flit_valid = go && sending < packets && !pause;
    flit = '{data: data, sop: flit_no == 0, eop: flit_no == flits - 1, crc: crc};
    if (wrong[sending] == CORRUPT && flit.eop) flit.data[37] = !flit.data[37];
  end
  always_ff @(posedge clk) begin
    pause <= chance(20);
    if (flit_valid && flit_ready) begin
      crc_state_q <= crc_state;
      flit_no <= flit.eop ? 0 : flit_no + 1;
      if (flit.eop) sending <= sending + 1;
    end
  end

  // what is on its way to memory
  typedef struct { rd_req_t q; longint unsigned at; } read_t;
  typedef struct { axid_t id; logic [1:0] resp; longint unsigned va; longint unsigned at; } write_t;
  read_t  reads[$];
  write_t writes[$];

  // ------------------------------------------------------------------------------------------------ translation
  typedef struct { use_t id; int unsigned n; longint unsigned va; longint unsigned at; xlt_result_e result; } asked_t;
  asked_t asked[$];
  logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] held, flying;
  longint unsigned use_va[RX_SLOTS][MAX_SEGMENTS], use_end[RX_SLOTS][MAX_SEGMENTS];
  int unsigned faults[MaxPackets];
  assign live = held;
  always_ff @(posedge clk) begin
    automatic asked_t a;
    automatic int unsigned pick;
    rsp_valid <= 1'b0;
    req_ready <= !chance(30);
    if (enable && req_valid && req_ready) begin
      check(req.va[11:0] + 12'(req.len - 1) >= req.va[11:0] && req.len != 0, "a piece crosses a page");
      check(!held[req.id.slot][req.id.seg] && !flying[req.id.slot][req.id.seg], "asked again while it is held or in flight");
      a.n = 32'((req.va - 64'h1000_0000_0000) / Room);
      check(req.qpn == head[a.n].dest_qpn[11:0] && req.pd == 24'(req.qpn) + 24'd5, "queue pair or domain of a look-up");
      a.id = req.id;
      use_va[req.id.slot][req.id.seg] = req.va;
      use_end[req.id.slot][req.id.seg] = req.va + 64'(req.len);
      a.va = req.va;
      a.at = cycle + 4 + (mode == 0 ? 64'(dice(60)) : 0);
      a.result = XLT_RESULT_OK;
      if (chance(10)) begin
        a.result = faults[a.n] > 2 ? XLT_RESULT_BAD_KEY : XLT_RESULT_FAULT_NOT_PRESENT;
        faults[a.n]++;
      end
      asked.push_back(a);
    end
    if (asked.size() > 0) begin
      pick = mode == 0 ? dice(asked.size()) : 0;
      if (asked[pick].at <= cycle) begin
        rsp_valid <= 1'b1;
        rsp <= '{id: asked[pick].id, result: asked[pick].result, pa: pa_t'(asked[pick].va + Offset)};
        if (asked[pick].result == XLT_RESULT_OK) held[asked[pick].id.slot][asked[pick].id.seg] <= 1'b1;
        asked.delete(pick);
      end
    end
    if (enable && start_valid) begin
      check(held[start_use.slot][start_use.seg], "a dead translation is used");
      held[start_use.slot][start_use.seg] <= 1'b0;
      flying[start_use.slot][start_use.seg] <= 1'b1;
    end
    if (enable && done_valid) begin
      check(flying[done_use.slot][done_use.seg], "done without start");
      for (int i = 0; i < writes.size(); i++) begin
        check(writes[i].va < use_va[done_use.slot][done_use.seg] || writes[i].va >= use_end[done_use.slot][done_use.seg],
              "done before its writes are answered");
      end
      flying[done_use.slot][done_use.seg] <= 1'b0;
    end
    if (enable && drop_valid) held[drop_slot] <= '0;
    if (chance(3)) held[dice(32)] <= '0;  // an invalidation of what one slot holds
    if (!rst_n) begin
      held <= '0;
      flying <= '0;
    end
  end

  // ------------------------------------------------------------------------------------------------ queue pairs
  typedef struct { rx_pkt_t pkt; int unsigned n; longint unsigned at; } judge_t;
  typedef struct { int unsigned qp; int unsigned kind; int unsigned at_position; longint unsigned at; } wake_t;
  judge_t judging[$];
  wake_t  waking[$];
  int unsigned takes = 0, drops = 0, lands = 0;
  rx_pkt_t was_pkt;
  logic was_waiting = 1'b0;
  always_ff @(posedge clk) begin
    automatic int unsigned qp, n;
    automatic judge_t j;
    automatic wake_t w;
    verdict_valid <= 1'b0;
    resume_valid <= 1'b0;
    flush_valid <= 1'b0;
    pkt_ready <= !chance(30);
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
      j.at = cycle + 64'(think) + (mode == 0 ? 64'(dice(6)) : 0);
      judging.push_back(j);
    end
    if (judging.size() > 0 && judging[0].at <= cycle + 1) begin
      j = judging.pop_front();
      qp = 32'(j.pkt.head.dest_qpn);
      verdict_valid <= 1'b1;
      verdict.slot <= j.pkt.slot;
      if (j.pkt.result inside {XLT_RESULT_FAULT_NOT_PRESENT} && dice(4) != 0) begin
        verdict.verdict <= VERDICT_HOLD;
        cov_verdict[position(j.pkt.head) * Verdicts + 2]++;
        note({32'd2, 32'(j.n)});
        w.at_position = position(j.pkt.head);
        w.qp = qp;
        w.kind = dice(4);
        w.at = cycle + 1 + 64'(dice(100));
        waking.push_back(w);
      end else if (j.pkt.result != XLT_RESULT_OK || {j.pkt.no_wqe, j.pkt.too_long, j.pkt.bad_sge} != '0 || chance(5)) begin
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
    if (waking.size() > 0) begin
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

  // ------------------------------------------------------------------------------------------------ landing
  always_ff @(posedge clk) begin
    automatic int unsigned n, qp;
    automatic logic [63:0] now_there;
    land_ready <= !chance(30);
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

  // ------------------------------------------------------------------------------------------------ memory
  longint unsigned written = 0;
  function automatic line_t request_line(int unsigned n);
    automatic hca_wqe_t w = '0;
    w.num_sge = flags[n].bad_sge ? 4'd3 : size1[n] > 0 ? 4'd2 : size0[n] > 0 ? 4'd1 : 4'd0;
    w.addr0 = base_of(n) + 64'(head[n].swap[11:0]);
    w.length0 = size0[n];
    w.lkey0 = n << 8;
    w.addr1 = base_of(n) + 64'h2000 + 64'(head[n].swap[23:12]);
    w.length1 = size1[n];
    w.lkey1 = (n << 8) + 1;
    return line_t'(w);
  endfunction
  always_ff @(posedge clk) begin
    automatic int unsigned n, pick;
    automatic longint unsigned base;
    rd_rsp_valid <= 1'b0;
    wr_rsp_valid <= 1'b0;
    rd_ready <= !chance(30);
    wr_ready <= !chance(30);
    if (enable && rd_valid && rd_ready) reads.push_back('{rd, cycle + 64'(latency)});
    if (enable && wr_valid && wr_ready) begin
      base = 64'(wr.pa) & ~64'd63;
      check(wr.user.mapped && wr.pa[11:0] == wr.user.va[11:0] && 64'(wr.pa) == wr.user.va + Offset, "address of a write");
      check(wr.strb == ((64'd1 << wr.user.bytes) - 1) << wr.pa[5:0] && 32'(wr.user.bytes) + 32'(wr.pa[5:0]) <= 64, "strobes of a write");
      n = 32'((wr.user.va - 64'h1000_0000_0000) / Room);
      check(fate[n] == TAKES || verdict_valid, "a packet that is not taken writes");
      check(wr.user.qpn == head[n].dest_qpn[11:0] && wr.user.key == keyidx_t'(n), "whose write it is");
      if (wr.lock) check(wr.id == WID_ATOMIC && wr.user.bytes == 8, "an exclusive write");
      if (!(wr.lock && chance(50))) begin
        for (int unsigned i = 0; i < 64; i++) if (wr.strb[i]) memory[base + 64'(i)] = wr.data[8*i+:8];
        if (!wr.lock) written += 64'(wr.user.bytes);
        writes.push_back('{wr.id, wr.lock ? 2'd1 : broken[n] ? 2'd2 : 2'd0, wr.user.va,
                           cycle + 64'(latency) + (mode == 0 ? 64'(dice(20)) : 0)});
      end else begin
        writes.push_back('{wr.id, 2'd0, wr.user.va, cycle + 64'(latency)});  // refused: somebody wrote between
      end
    end
    if (reads.size() > 0) begin
      pick = mode == 0 ? dice(reads.size()) : 0;
      if (reads[pick].at <= cycle) begin
        rd_rsp_valid <= 1'b1;
        rd_rsp.id <= reads[pick].q.id;
        rd_rsp.resp <= '0;
        if (reads[pick].q.lock) begin
          base = 64'(reads[pick].q.pa) & ~64'd63;
          for (int unsigned i = 0; i < 64; i++) rd_rsp.data[8*i+:8] <= memory.exists(base + 64'(i)) ? memory[base + 64'(i)] : 8'hEE;
        end else begin
          n = (32'(reads[pick].q.pa) & 32'h0FFF_FFFF) >> 6;
          check((32'(reads[pick].q.pa) & 32'hF000_0000) == (head[n].opcode == PKT_OP_SEND ? RequestBase : SendBase), "whose queue");
          rd_rsp.data <= request_line(n);
          rd_rsp.resp <= flags[n].bad_table ? 2'd3 : 2'd0;
        end
        reads.delete(pick);
      end
    end
    if (writes.size() > 0 && writes[0].at <= cycle) begin
      wr_rsp_valid <= 1'b1;
      wr_rsp <= '{id: writes[0].id, resp: writes[0].resp};
      void'(writes.pop_front());
    end
  end

  // ------------------------------------------------------------------------------------------------ the run
  longint unsigned begun, expected_bytes, quiet;
  int unsigned seed, good;
  initial begin
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
    if (!$value$plusargs("packets=%d", packets)) packets = 1000;
    if (!$value$plusargs("qps=%d", qps)) qps = 8;
    if (!$value$plusargs("mode=%d", mode)) mode = 0;
    if (!$value$plusargs("length=%d", fixed_length)) fixed_length = 64;
    if (!$value$plusargs("skew=%d", skew)) skew = 0;
    if (!$value$plusargs("latency=%d", latency)) latency = 75;
    if (!$value$plusargs("think=%d", think)) think = 2;
    if (!$value$plusargs("mutant=%d", mutant)) mutant = 0;
    void'($urandom(int'(seed)));
    for (int unsigned n = 0; n < packets; n++) make(n);
    {cfg_valid, cfg_load_rq, doorbell} = '0;
    repeat (5) @(negedge clk);
    rst_n = 1'b1;
    enable = 1'b1;
    @(negedge clk);
    for (int unsigned q = 0; q < qps; q++) begin
      cfg_valid = 1'b1;
      cfg_load_rq = 1'b1;
      cfg_qpn = qpn_t'(q * 37 % 4096);
      cfg = '{pd: 24'(q * 37 % 4096) + 24'd5, sq_log: 4'd13, rq_log: 4'd13, mtu_shift: 4'd8, sq_base: pa_t'(SendBase),
               rq_base: pa_t'(RequestBase)};
      @(negedge clk);
      cfg_valid = 1'b0;
      doorbell = '{rq_valid: 1'b1, qpn: qpn_t'(q * 37 % 4096), index: 16'(packets), default: '0};
      @(negedge clk);
      doorbell = '0;
    end
    go = 1'b1;
    begun = cycle;
    good = 0;
    for (int unsigned n = 0; n < packets; n++) if (wrong[n] == FINE) good++;
    quiet = 0;
    while (!(sending == packets && takes + drops == good && lands == takes && quiet > 20)) begin
      @(negedge clk);
      quiet = quiescent ? quiet + 1 : 0;
      if (cycle > begun + 64'(packets) * 2000) begin
        check(1'b0, $sformatf("stuck: sent %0d good %0d taken %0d dropped %0d landed %0d", sending, good, takes, drops, lands));
      end
    end
    check(flying == '0 && held == '0, "translations are left");
    expected_bytes = 0;
    for (int unsigned n = 0; n < packets; n++) if (fate[n] == LANDED) expected_bytes += 64'(bytes_of(n));
    check(written == expected_bytes, "bytes written that nobody sent");
    $write("PASS cycles=%0d packets=%0d taken=%0d dropped=%0d bytes=%0d digest=%0d", cycle - begun - 20, packets, takes, drops, written, digest);
    foreach (cov_verdict[i]) $write(" verdict_%0d=%0d", i, cov_verdict[i]);
    foreach (cov_wake[i]) $write(" wake_%0d=%0d", i, cov_wake[i]);
    foreach (cov_wrong[i]) $write(" wrong_%0d=%0d", i, cov_wrong[i]);
    $display("");
    $finish;
  end

endmodule
