// What hca_qp_tb sends into: a memory with the work requests, an hca_tx some of whose packets fault, a wire that loses some. Included in
// its module. Checks each packet against its work request.

// ---- memory: 120 cycles ----
typedef struct { longint unsigned due; rd_req_t req; } read_t;
read_t reads[$];
always @(posedge clk_i) begin
  rsp_valid <= 0;
  rd_ready <= permille(size != 0 ? 1000 : 800);
  if (rst_ni) begin
    if (rd_valid && rd_ready) reads.push_back('{due: cycle + 120, req: rd});
    if (reads.size() != 0 && reads[0].due <= cycle) begin
      read_t r;
      int unsigned k;
      r = reads.pop_front();
      k = key_at(r.req.pa);
      rsp_valid <= 1;
      rsp <= '0;
      rsp.id <= r.req.id;
      if (!wqes.exists(k)) wrong("a work request is read that was not posted");
      rsp.data <= wqes[k];
      if (tail_until != 0 && pairs > 1 && permille(300)) rsp.resp <= 2'd2;
    end
  end
end

// ---- hca_tx and the wire: some packets fault, some are lost ----
typedef struct { longint unsigned due; tx_pkt_t pkt; } wire_t;
wire_t waiting[$], cable[$];
longint unsigned link_free;

// Faults that were told of: whose, and their lengths.
bit said[longint unsigned];
function automatic longint unsigned named(qpn_t qpn, fault_dir_e direction, logic [31:0] length);
  return {19'd0, qpn, direction, length};
endfunction

function automatic void check_sent(tx_pkt_t t);
  hca_wqe_t w;
  longint unsigned at, va;
  int unsigned left, mtu_shift;
  if (t.head.dest_qpn != {traits[side(24'(t.qpn)) ^ 1].high, traits[side(24'(t.qpn)) ^ 1].qpn}) wrong("whom a packet is for");
  if (!(t.head.opcode inside {PKT_OP_SEND, PKT_OP_WRITE, PKT_OP_READ_REQ, PKT_OP_CMP_SWAP, PKT_OP_FETCH_ADD})) return;
  mtu_shift = 32'(traits[side(24'(t.qpn))].mtu_shift);
  w = wqes[key(side(24'(t.qpn)), 32'(t.head.msn))];
  if (t.pd != traits[side(24'(t.qpn))].pd) wrong("protection domain");
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
    if (t.head.length != 0 && t.key0 != (at < 64'(w.length0) && w.num_sge > 0 ? w.lkey0 : w.lkey1)) wrong("key");
    if (t.len1 != 0 && t.key1 != w.lkey1) wrong("key of the second element");
    if (t.len1 != 0 && (t.va1 != w.addr1 || t.va0 + 64'(t.len0) != w.addr0 + 64'(w.length0))) wrong("second element");
  end
endfunction

always @(posedge clk_i) begin
  tx_ready <= permille(size != 0 ? 1000 : 700) && waiting.size() < 14;
  if (!rst_ni) begin
    fail_valid <= 0;
  end else begin
    if (tx_valid && tx_ready) begin
      check_sent(tx);
      if (tx.side == FAULT_DIR_REQUESTER) begin
        automatic int unsigned p = side(24'(tx.qpn)) >> 1;
        newest[p] = 32'(tx.head.msn);
        cov_window[window(p)]++;
        cov_psn[tx.head.psn == 24'hffffff ? 0 : tx.head.psn == 24'h0 ? 1 : tx.head.psn > 24'hffff00 ? 2 : 3]++;
        note({8'd0, tx.head.psn, 32'(tx.qpn)});
      end
      waiting.push_back('{due: cycle + 3 + (size != 0 ? 0 : 64'($urandom_range(10))), pkt: tx});
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
    if (!fail_valid && waiting.size() != 0 && waiting[0].due <= cycle && link_free <= cycle && cable.size() < 200) begin
      wire_t t;
      t = waiting.pop_front();
      if ((t.pkt.len0 != 0) && permille(txfault)) begin
        tx_fail_t f;
        if (t.pkt.side == FAULT_DIR_REQUESTER)
          cov_policy[(policy_of(side(24'(t.pkt.qpn)) >> 1) * Sides) * Positions + position(t.pkt.head)]++;
        f = '0;
        f.qpn = t.pkt.qpn;
        f.side = t.pkt.side;
        f.head = t.pkt.head;
        f.wqe_index = t.pkt.wqe_index;
        f.result = permille(500) ? XLT_RESULT_FAULT_NOT_PRESENT : XLT_RESULT_FAULT_READ_ONLY;
        f.length = $urandom();
        f.packet_length = 13'($urandom());
        said[named(f.qpn, f.side, f.length)] = 1'b1;
        f.key = t.pkt.key0;
        f.va = t.pkt.va0;
        fail <= f;
        fail_valid <= 1;
      end else begin
        link_free = cycle + 1 + ((64'(t.pkt.head.length) + 63) >> 6);
        t.due = cycle + 150;
        if (!permille(loss) && !(t.pkt.head.opcode == PKT_OP_ACK && permille(ackloss))) cable.push_back(t);
      end
    end
  end
end
