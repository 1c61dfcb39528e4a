// Translation and memory as hca_rx_tb makes them up: they look things up, take invalidations, refuse, answer late and out of order, and
// check who asks for what: no piece is used that is dead, none is done before its writes are answered, no byte is written that nobody sent.

// what is on its way to memory
typedef struct { rd_req_t q; longint unsigned at; } read_t;
typedef struct { axid_t id; logic [1:0] resp; longint unsigned va; longint unsigned at; } write_t;
read_t  reads[$];
write_t writes[$];

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
  req_ready <= !trouble(30);
  if (enable && req_valid && req_ready) begin
    check(req.va[11:0] + 12'(req.len - 1) >= req.va[11:0] && req.len != 0, "a piece crosses a page");
    check(!held[req.id.slot][req.id.seg] && !flying[req.id.slot][req.id.seg], "asked again while it is held or in flight");
    a.n = 32'((req.va - Base) / Room);
    check(req.qpn == head[a.n].dest_qpn[11:0] && req.pd == pd_of(req.qpn), "queue pair or domain of a look-up");
    a.id = req.id;
    use_va[req.id.slot][req.id.seg] = req.va;
    use_end[req.id.slot][req.id.seg] = req.va + 64'(req.len);
    a.va = req.va;
    a.at = cycle + 4 + (mode == RANDOM ? 64'(dice(60)) : 0);
    a.result = XLT_RESULT_OK;
    if (trouble(10)) begin
      a.result = faults[a.n] > 2 ? XLT_RESULT_BAD_KEY : XLT_RESULT_FAULT_NOT_PRESENT;
      faults[a.n]++;
    end
    asked.push_back(a);
  end
  if (asked.size() > 0) begin
    pick = mode == RANDOM ? dice(asked.size()) : 0;
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
  if (trouble(3)) held[dice(32)] <= '0;  // an invalidation of what one slot holds
  if (!rst_n) begin
    held <= '0;
    flying <= '0;
  end
end

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
  rd_ready <= !trouble(30);
  wr_ready <= !trouble(30);
  if (enable && rd_valid && rd_ready) reads.push_back('{rd, cycle + 64'(latency)});
  if (enable && wr_valid && wr_ready) begin
    base = 64'(wr.pa) & ~64'd63;
    check(wr.user.mapped && wr.pa[11:0] == wr.user.va[11:0] && 64'(wr.pa) == wr.user.va + Offset, "address of a write");
    check(wr.strb == ((64'd1 << wr.user.bytes) - 1) << wr.pa[5:0] && 32'(wr.user.bytes) + 32'(wr.pa[5:0]) <= 64, "strobes of a write");
    n = 32'((wr.user.va - Base) / Room);
    check(fate[n] == TAKES || verdict_valid, "a packet that is not taken writes");
    check(wr.user.qpn == head[n].dest_qpn[11:0] && wr.user.key == keyidx_t'(n), "whose write it is");
    if (wr.lock) check(wr.id == WID_ATOMIC && wr.user.bytes == 8, "an exclusive write");
    if (!(wr.lock && trouble(50))) begin
      for (int unsigned i = 0; i < 64; i++) if (wr.strb[i]) memory[base + 64'(i)] = wr.data[8*i+:8];
      if (!wr.lock) written += 64'(wr.user.bytes);
      writes.push_back('{wr.id, wr.lock ? 2'd1 : broken[n] ? 2'd2 : 2'd0, wr.user.va,
                         cycle + 64'(latency) + (mode == RANDOM ? 64'(dice(20)) : 0)});
    end else begin
      writes.push_back('{wr.id, 2'd0, wr.user.va, cycle + 64'(latency)});  // refused: somebody wrote between
    end
  end
  if (reads.size() > 0) begin
    pick = mode == RANDOM ? dice(reads.size()) : 0;
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
