// hca_tx with hca_axi and hca_link behind it, between queue pairs, a translation unit and a memory made up here; checks itself, prints its
// numbers, ends.
//
// Plusargs: seed, packets, qps (queue pairs), mode (0 everything at random; 1 the same, but nothing is wrong, nothing waits; 2 as 1, all packets
//   of `length` bytes at address offset `skew`), length, skew, latency (memory's answers), look (translation's answers).
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

  localparam int unsigned MaxPackets = 8192;
  localparam longint unsigned Offset = 64'h0000_0008_0000_0000;  // physical - virtual, page aligned
  localparam longint unsigned Room = 64'd32768;                  // each packet's own piece of the address space
  localparam longint unsigned Base = 64'h0000_1000_0000_0000;
  localparam int unsigned LinkLatency = 9;

  int unsigned packets, qps, mode, fixed_length, skew, latency, look, seed, rate;
  logic [7:0] mutant;
  logic clk = 1'b0, rst_n = 1'b0, enable = 1'b0, go = 1'b0;
  longint unsigned cycle = 1;
  always #5 clk = !clk;
  always @(posedge clk) cycle <= cycle + 1;

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
  localparam int unsigned Fates = 4, Sizes = 3, Actions = 4;
  int unsigned cov_fate[(MAX_SEGMENTS + 1) * Fates], cov_link[Sizes * Actions];
  task automatic check(bit ok, string what);
    if (!ok) begin
      $display("FAIL cycle %0d: %s", cycle, what);
      $finish(1);
      $fatal(1);
    end
  endtask

  // ------------------------------------------------------------------------------------------------ the packets
  typedef enum int { TO_COME, GIVEN, MAY_LEAVE, LEFT, GONE } fate_e;
  tx_pkt_t     pkt[MaxPackets];
  fate_e       fate[MaxPackets];
  xlt_result_e wrong[MaxPackets];       // of piece wrong_piece, else OK
  int unsigned wrong_piece[MaxPackets];
  int          bad_line[MaxPackets];    // memory refuses this one of its lines (-1: none)
  bit          told[MaxPackets];        // its failure has been told
  use_t        use_of[MaxPackets][MAX_SEGMENTS];
  int unsigned order[8192][$];          // by queue pair and side: accepted and neither left nor gone

  function automatic byte unsigned byte_at(longint unsigned pa);
    return 8'(pa * 167 + (pa >> 8) * 29 + (pa >> 15) * 71);
  endfunction
  function automatic int unsigned owner_of(int unsigned n);
    return {19'd0, pkt[n].qpn, pkt[n].side};
  endfunction
  function automatic int unsigned packet_at(longint unsigned va);
    return int'((va - Base) / Room);
  endfunction
  function automatic int unsigned piece_at(int unsigned n, longint unsigned va);  // MAX_SEGMENTS: nobody's
    piece_t piece;
    tx_req_t req = request_of(pkt[n]);
    for (int unsigned p = 0; p < MAX_SEGMENTS; p++) begin
      piece = piece_of(req.elem[p/2], p[0]);
      if (va >= piece.va && va < piece.va + 64'(piece.len)) return p;
    end
    return MAX_SEGMENTS;
  endfunction
  function automatic void fared(int unsigned n, int unsigned how);  // left, its look-up failed, a line of it was refused, dropped
    cov_fate[$countones(pieces_of(request_of(pkt[n]))) * Fates + how]++;
    note({32'(how), 32'(n)});
  endfunction
  function automatic byte unsigned payload(int unsigned n, int unsigned i);
    if (i < 32'(pkt[n].len0)) return byte_at(pkt[n].va0 + 64'(i) + Offset);
    return byte_at(pkt[n].va1 + 64'(i) - 64'(pkt[n].len0) + Offset);
  endfunction

  task automatic make(int unsigned n);
    int unsigned length, cut;
    segs_t pieces;
    length = mode == 2 ? fixed_length : dice(4) == 0 ? 0 : dice(3) == 0 ? dice(4097) : dice(200);
    cut    = mode == 2 || dice(2) == 0 ? length : dice(length + 1);
    pkt[n] = '0;
    pkt[n].qpn  = qpn_t'(dice(qps) * 37);
    pkt[n].side = fault_dir_e'(mode == 2 ? 0 : dice(2));
    pkt[n].pd   = 24'(n);
    pkt[n].need = dice(2) == 0 ? NEED_LOCAL_READ : NEED_REMOTE_READ;
    pkt[n].wqe_index = index_t'(n);
    pkt[n].key0 = {12'd0, 12'(n), 8'd1};
    pkt[n].key1 = {12'd0, 12'(n), 8'd2};
    pkt[n].len0 = 13'(cut);
    pkt[n].len1 = 13'(length - cut);
    pkt[n].va0  = Base + 64'(n) * Room + (mode == 2 ? 64'(skew) : 64'(dice(4096)));
    pkt[n].va1  = Base + 64'(n) * Room + 64'd16384 + 64'(dice(4096));
    pkt[n].rest0 = 32'(cut) + dice(5000);
    pkt[n].rest1 = 32'(length - cut) + dice(5000);
    pkt[n].head.opcode  = PKT_OP_WRITE;
    pkt[n].head.length  = 13'(length);
    pkt[n].head.psn     = 24'(n);
    pkt[n].head.operand = 64'(n);
    pkt[n].head.swap    = {$urandom(), $urandom()};
    pieces = pieces_of(request_of(pkt[n]));
    fate[n] = TO_COME;
    wrong[n] = XLT_RESULT_OK;
    bad_line[n] = -1;
    told[n] = 1'b0;
    if (pieces != '0 && chance(10)) begin
      wrong_piece[n] = 32'(lowest_seg(pieces));
      for (int unsigned p = 0; p < MAX_SEGMENTS; p++) if (pieces[p] && dice(2) == 0) wrong_piece[n] = p;
      wrong[n] = dice(2) == 0 ? XLT_RESULT_FAULT_NOT_PRESENT : XLT_RESULT_NO_RIGHT;
    end else if (pieces != '0 && chance(4)) begin
      bad_line[n] = dice(3);
    end
  endtask

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
    .fail_ready_i(fail_ready), .fail_o(fail), .tx_flush_valid_i(flush_valid), .tx_flush_qpn_i(flush_qpn), .busy_qpn_i(12'd37),
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
        tx_valid = next < packets && !chance(20);
        if (tx_valid) tx = pkt[next];
        shown = next;
      end
      fail_ready  = !chance(50);
      flush_valid = chance(1) && dice(4) == 0;
      flush_qpn   = qpn_t'(dice(qps) * 37);
    end
  end

  // ------------------------------------------------------------------------------------------------ translation
  xlt_req_t asked[$];
  longint unsigned due[$];
  always @(posedge clk) begin
    if (enable) begin
      automatic logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] h = held, f = flying;
      if (req_valid && req_ready) begin
        check(!f[req.id.slot[TxSlotW-1:0]][req.id.seg], "a use in flight is asked for");
        h[req.id.slot[TxSlotW-1:0]][req.id.seg] = 1'b0;
        asked.push_back(req);
        due.push_back(cycle + 64'(look) + 64'(mode == 0 ? dice(40) : 0));
      end
      if (drop_valid) h[drop_slot[TxSlotW-1:0]] = '0;
      if (done_valid) begin
        check(f[done.slot[TxSlotW-1:0]][done.seg], "done, and not in flight");
        f[done.slot[TxSlotW-1:0]][done.seg] = 1'b0;
      end
      if (chance(3)) h[dice(TX_SLOTS)] = '0;  // an invalidation
      if (start_valid) begin
        check(held[start.slot[TxSlotW-1:0]][start.seg], "a start of what is not held");
        h[start.slot[TxSlotW-1:0]][start.seg] = 1'b0;
        f[start.slot[TxSlotW-1:0]][start.seg] = 1'b1;
      end
      if (rsp_valid && rsp.result == XLT_RESULT_OK) h[rsp.id.slot[TxSlotW-1:0]][rsp.id.seg] = !chance(3);
      held   <= h;
      flying <= f;
    end
  end
  always @(negedge clk) begin
    automatic int unsigned at;
    automatic int unsigned n;
    req_ready = !chance(30);
    rsp_valid = 1'b0;
    if (asked.size() != 0) begin
      at = mode == 0 ? dice(asked.size()) : 0;
      if (due[at] <= cycle) begin
        n = packet_at(asked[at].va);
        check(asked[at].pd == pkt[n].pd && asked[at].need == pkt[n].need && asked[at].qpn == pkt[n].qpn, "who asks");
        check(13'(asked[at].va[11:0]) + asked[at].len <= 13'd4096, "a look-up past its page");
        rsp_valid  = 1'b1;
        rsp.id     = asked[at].id;
        rsp.pa     = pa_t'(asked[at].va + Offset);
        rsp.result = wrong[n] != XLT_RESULT_OK && piece_at(n, asked[at].va) == wrong_piece[n] ? wrong[n] : XLT_RESULT_OK;
        use_of[n][piece_at(n, asked[at].va)] = asked[at].id;
        asked.delete(at);
        due.delete(at);
      end
    end
  end

  // ------------------------------------------------------------------------------------------------ memory
  longint unsigned lines[$];
  hca_user_t users[$];
  longint unsigned line_due[$];
  always @(posedge clk) begin
    if (enable && arvalid && arready) begin
      automatic int unsigned n = packet_at(aruser.va), p = piece_at(n, aruser.va);
      automatic longint unsigned end_va;
      automatic piece_t piece;
      automatic tx_req_t r = request_of(pkt[n]);
      piece  = piece_of(r.elem[p/2], p[0]);
      end_va = (aruser.va | 64'd63) + 1;
      if (end_va > piece.va + 64'(piece.len)) end_va = piece.va + 64'(piece.len);
      check(arid == RID_PAYLOAD && araddr[5:0] == '0 && aruser.mapped, "a read");
      begun_q[n] = 1'b1;
      check((64'(araddr) | 64'(aruser.va[5:0])) == aruser.va + Offset, "a read's address");
      check(64'(aruser.bytes) == end_va - aruser.va && aruser.need == pkt[n].need && aruser.key == keyidx_t'(n) && aruser.qpn == pkt[n].qpn,
            "a read's owner");
      check(flying[use_of[n][p].slot[TxSlotW-1:0]][use_of[n][p].seg], "a read with a use that is not in flight");
      lines.push_back(64'(araddr));
      users.push_back(aruser);
      line_due.push_back(cycle + 64'(latency) + 64'(mode == 0 ? dice(10) : 0));
    end
    if (enable && rvalid) begin
      automatic int unsigned n = packet_at(users[0].va), p = piece_at(n, users[0].va);
      check(flying[use_of[n][p].slot[TxSlotW-1:0]][use_of[n][p].seg], "a line comes for a use that is not in flight");
      void'(lines.pop_front());
      void'(users.pop_front());
      void'(line_due.pop_front());
    end
  end
  always @(negedge clk) begin
    arready = !chance(25);
    rvalid  = lines.size() != 0 && line_due[0] <= cycle && !chance(20);
    if (rvalid) begin
      automatic int unsigned n = packet_at(users[0].va);
      rid   = RID_PAYLOAD;
      rresp = bad_line[n] >= 0 && (users[0].va >> 6) % 3 == 64'(bad_line[n]) ? 2'b10 : 2'b00;
      if (rresp[1]) broken[n] = 1'b1;
      for (int unsigned i = 0; i < 64; i++) rdata[8*i+:8] = byte_at(lines[0] + 64'(i));
    end
  end
  bit broken[MaxPackets];

  // ------------------------------------------------------------------------------------------------ link
  // At its entry: order and fate. At its end: contents.
  logic [1:0] done_to[MaxPackets];
  int unsigned on_cable[$];
  always @(posedge clk) begin
    if (enable && taken_action) begin
      automatic hca_packet_t head = out.data;
      automatic int unsigned n = 32'(head.operand), owner;
      check(n < packets && head == pkt[n].head, "a header");
      owner = owner_of(n);
      while (order[owner].size() != 0 && order[owner][0] != n && fate[order[owner][0]] inside {GONE, MAY_LEAVE}) begin
        if (fate[order[owner][0]] == MAY_LEAVE) begin
          fate[order[owner][0]] = GONE;
          gone++;
        end
        void'(order[owner].pop_front());
      end
      check(order[owner].size() != 0 && order[owner][0] == n, "a packet out of order");
      check(fate[n] inside {GIVEN, MAY_LEAVE}, "a packet that was dropped leaves");
      check(wrong[n] == XLT_RESULT_OK, "a packet leaves whose addresses are wrong");
      void'(order[owner].pop_front());
      fate[n] = LEFT;
      done_to[n] = action;
      left++;
      fared(n, 0);
      cov_link[(pkt[n].head.length == '0 ? 0 : pkt[n].head.length <= 13'd64 ? 1 : 2) * Actions + 32'(action)]++;
      if (action == 2'd1) lost++;
      else on_cable.push_back(n);
    end
    if (enable && count[COUNT_TX_PACKETS]) begin
      bytes += 64'(tx_bytes);
      ended = cycle;
    end
  end
  always @(negedge clk) action = chance(10) ? 2'(dice(4)) : 2'd0;

  function automatic logic [31:0] crc_of(logic [31:0] state, line_t data);
    for (int unsigned i = 0; i < 512; i++) state = (state >> 1) ^ ((state[0] ^ data[i]) ? 32'hEDB88320 : 32'd0);
    return state;
  endfunction

  line_t       flits[$];
  logic [31:0] crc_state = '1;
  always @(posedge clk) begin
    if (enable && in_valid && in_ready) begin
      check(in.sop == (flits.size() == 0), "a packet's first flit");
      flits.push_back(in.data);
      crc_state = crc_of(crc_state, in.data);
      if (in.eop) begin
        automatic int unsigned n, want;
        automatic bit good = ~crc_state == in.crc;
        check(on_cable.size() != 0, "a packet nobody sent");
        n = on_cable.pop_front();
        want = 1 + (32'(pkt[n].head.length) + 63) / 64;
        unique case (done_to[n])
          2'd0: begin
            check(flits[0] == pkt[n].head, "a header");
            check(flits.size() == want, "a packet's flits");
            check(good == !broken[n], "a CRC");
            for (int unsigned i = 0; good && i < (want - 1) * 64; i++) begin
              check(flits[1+i/64][8*(i%64)+:8] == (i < 32'(pkt[n].head.length) ? payload(n, i) : 8'd0), $sformatf("byte %0d of packet %0d", i, n));
            end
          end
          2'd2: check(flits.size() == want && (!good || broken[n]), "a packet that should be damaged");
          2'd3: check(want > 1 ? flits.size() < want : !good, "a packet that should be cut");
          default: check(1'b0, "a packet that should be lost");
        endcase
        got++;
        flits.delete();
        crc_state = '1;
      end
    end
  end
  always @(negedge clk) in_ready = !chance(30);

  // ------------------------------------------------------------------------------------------------ the run
  int unsigned quiet;
  initial begin
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
    if (!$value$plusargs("packets=%d", packets)) packets = 1000;
    if (!$value$plusargs("qps=%d", qps)) qps = 8;
    if (!$value$plusargs("mode=%d", mode)) mode = 0;
    if (!$value$plusargs("length=%d", fixed_length)) fixed_length = 64;
    if (!$value$plusargs("skew=%d", skew)) skew = 0;
    if (!$value$plusargs("latency=%d", latency)) latency = 20;
    if (!$value$plusargs("look=%d", look)) look = 3;
    if (!$value$plusargs("rate=%d", rate)) rate = 1;
    if (!$value$plusargs("mutant=%d", mutant)) mutant = 0;
    void'($urandom(int'(seed)));
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
