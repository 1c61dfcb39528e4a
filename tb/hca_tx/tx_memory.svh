// Translation and memory as hca_tx_tb makes them up: they answer late and out of order, refuse, take invalidations, and check who asks for
// what: no piece is used that is dead or in flight already, every line is of a piece in flight.

xlt_req_t asked[$];
longint unsigned due[$];
always @(posedge clk) begin
  if (enable) begin
    automatic logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] h = held, f = flying;
    if (req_valid && req_ready) begin
      check(!f[req.id.slot[TxSlotW-1:0]][req.id.seg], "a use in flight is asked for");
      h[req.id.slot[TxSlotW-1:0]][req.id.seg] = 1'b0;
      asked.push_back(req);
      due.push_back(cycle + 64'(look) + 64'(mode == RANDOM ? dice(40) : 0));
    end
    if (drop_valid) h[drop_slot[TxSlotW-1:0]] = '0;
    if (done_valid) begin
      check(f[done.slot[TxSlotW-1:0]][done.seg], "done, and not in flight");
      f[done.slot[TxSlotW-1:0]][done.seg] = 1'b0;
    end
    if (trouble(3)) h[dice(TX_SLOTS)] = '0;  // an invalidation
    if (start_valid) begin
      check(held[start.slot[TxSlotW-1:0]][start.seg], "a start of what is not held");
      h[start.slot[TxSlotW-1:0]][start.seg] = 1'b0;
      f[start.slot[TxSlotW-1:0]][start.seg] = 1'b1;
    end
    if (rsp_valid && rsp.result == XLT_RESULT_OK) h[rsp.id.slot[TxSlotW-1:0]][rsp.id.seg] = !trouble(3);
    held   <= h;
    flying <= f;
  end
end
always @(negedge clk) begin
  automatic int unsigned at;
  automatic int unsigned n;
  req_ready = !trouble(30);
  rsp_valid = 1'b0;
  if (asked.size() != 0) begin
    at = mode == RANDOM ? dice(asked.size()) : 0;
    if (due[at] <= cycle) begin
      n = packet_at(asked[at].va);
      check(asked[at].key == key_of(n, piece_at(n, asked[at].va)), "a look-up's key");
      check(asked[at].pd == pkt[n].pd && asked[at].need == pkt[n].need && asked[at].qpn == pkt[n].qpn, "who asks");
      check(13'(asked[at].va[11:0]) + asked[at].len <= 13'd4096, "a look-up past its page");
      rsp_valid  = 1'b1;
      rsp.id     = asked[at].id;
      rsp.pa     = pa_t'(pa_of(asked[at].va));
      rsp.result = wrong[n] != XLT_RESULT_OK && piece_at(n, asked[at].va) == wrong_piece[n] ? wrong[n] : XLT_RESULT_OK;
      use_of[n][piece_at(n, asked[at].va)] = asked[at].id;
      asked.delete(at);
      due.delete(at);
    end
  end
end

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
    check((64'(araddr) | 64'(aruser.va[5:0])) == pa_of(aruser.va), "a read's address");
    check(64'(aruser.bytes) == end_va - aruser.va && aruser.need == pkt[n].need && aruser.key == keyidx_t'(key_of(n, p) >> 8) &&
          aruser.qpn == pkt[n].qpn, "a read's owner");
    check(flying[use_of[n][p].slot[TxSlotW-1:0]][use_of[n][p].seg], "a read with a use that is not in flight");
    lines.push_back(64'(araddr));
    users.push_back(aruser);
    line_due.push_back(cycle + 64'(latency) + 64'(mode == RANDOM ? dice(10) : 0));
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
  arready = !trouble(25);
  rvalid  = lines.size() != 0 && line_due[0] <= cycle && !trouble(20);
  if (rvalid) begin
    automatic int unsigned n = packet_at(users[0].va);
    rid   = RID_PAYLOAD;
    rresp = bad_line[n] >= 0 && (users[0].va >> 6) % 3 == 64'(bad_line[n]) ? 2'b10 : 2'b00;
    if (rresp[1]) broken[n] = 1'b1;
    for (int unsigned i = 0; i < 64; i++) rdata[8*i+:8] = byte_at(lines[0] + 64'(i));
  end
end
bit broken[MaxPackets];
