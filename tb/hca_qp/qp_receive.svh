// What hca_qp_tb receives from: an hca_rx, one packet at a time, some of whose packets fault, and the faults' driver. Included in its
// module. Checks what lands, in which order, and that verdicts come in time.

// ---- hca_rx: one packet at a time; those of a held queue pair wait ----
typedef struct { rx_pkt_t pkt; logic lands; longint unsigned due; } arrived_t;
arrived_t slots[$];
logic [4095:0] held;
arrived_t shown;
logic asks;
longint unsigned shown_at;
arrived_t landing[$];

function automatic bit answers_one(hca_packet_t h);
  return h.opcode inside {PKT_OP_READ_RESP, PKT_OP_ATOMIC_RESP};
endfunction

function automatic void check_land(hca_packet_t h);
  int unsigned p;
  hca_wqe_t w;
  p = side(h.dest_qpn) >> 1;
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
  if (h.opcode == PKT_OP_READ_REQ && h.msn[15:0] != land_msg[p][15:0]) return;  // asked again
  if (h.msn[15:0] != land_msg[p][15:0]) wrong($sformatf("message %0d lands, expected %0d", h.msn, land_msg[p]));
  if (h.opcode != PKT_OP_READ_REQ && h.offset != land_off[p]) wrong("a packet lands out of order");
  if (h.opcode == PKT_OP_READ_REQ || 32'(h.offset) + 1 == count_packets(w, 32'(traits[2 * p].mtu_shift))) begin
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
    if (cable.size() != 0 && cable[0].due <= cycle && slots.size() < 32) begin
      wire_t t;
      rx_pkt_t r;
      t = cable.pop_front();
      r = '0;
      r.slot = RxSlotW'($urandom());
      r.head = t.pkt.head;
      r.head.dest_qpn[23:QPN_WIDTH] = '0;  // the other end's numbers may be wider than this device's
      r.head.src_qpn[23:QPN_WIDTH] = traits[side(t.pkt.head.src_qpn)].high;
      slots.push_back('{pkt: r, lands: 0, due: 0});
    end
    if (flush_valid) held[flush_qpn] = 0;
    if (resume_valid && resume_ready && resume.direction == FAULT_DIR_RESPONDER) held[resume.qpn] = 0;
    if (pkt_valid && pkt_ready) begin
      pkt_valid <= 0;
      shown_at = cycle;
      if (shown.pkt.result != XLT_RESULT_OK && shown.pkt.head.opcode inside {PKT_OP_SEND, PKT_OP_WRITE})
        cov_policy[(policy_of(side(shown.pkt.head.dest_qpn) >> 1) * Sides + 1) * Positions + position(shown.pkt.head)]++;
      if (shown.pkt.head.opcode inside {PKT_OP_ACK, PKT_OP_NAK}) begin
        automatic int unsigned p = side(shown.pkt.head.dest_qpn) >> 1;
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
    if (asks && cycle - shown_at > 6 && !pkt_valid) wrong("a verdict is late");
    if (verdict_valid) begin
      if (!asks || verdict.slot != shown.pkt.slot) wrong("a verdict without a packet");
      asks <= 0;
      if (verdict.verdict == VERDICT_TAKE) begin
        if (shown.pkt.result != XLT_RESULT_OK) wrong("a fault is taken");
        shown.due = cycle + 60 + 64'($urandom_range(3));
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
            shown.pkt.result = permille(rxfault) ? XLT_RESULT_FAULT_NOT_PRESENT : XLT_RESULT_OK;
          {shown.pkt.key, shown.pkt.va, shown.pkt.seg_rest} = {$urandom(), $urandom(), $urandom(), $urandom()};
          said[named(qpn_t'(shown.pkt.head.dest_qpn), answers_one(shown.pkt.head) ? FAULT_DIR_REQUESTER : FAULT_DIR_RESPONDER,
                     shown.pkt.seg_rest)] = 1'b1;
          shown.pkt.no_wqe = shown.pkt.head.opcode == PKT_OP_SEND && permille(norecv);
          pkt <= shown.pkt;
          pkt_valid <= 1;
          asks <= 1;
          break;
        end
      end
    end
    if ((!land_valid || land_ready) && landing.size() != 0 && landing[0].due <= cycle) begin
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
  flt_ready <= permille(500);
  if (!rst_ni) begin
    resume_valid <= 0;
    outstanding = '0;
  end else begin
    if (resume_valid && resume_ready) resume_valid <= 0;
    if (flt_valid && flt_ready && !outstanding[flt.qpn][flt.direction]) begin
      answer_t a;
      outstanding[flt.qpn][flt.direction] = 1;
      a.due = cycle + 200 + 64'($urandom_range(400));
      a.resume = '{qpn: flt.qpn, direction: flt.direction, error: tail_until != 0 && permille(500)};
      if (said.exists(named(flt.qpn, flt.direction, flt.length)) == 0) wrong("a fault nobody told of");
      answers.push_back(a);
    end
    if ((!resume_valid || resume_ready) && answers.size() != 0 && answers[0].due <= cycle) begin
      answer_t a;
      a = answers.pop_front();
      outstanding[a.resume.qpn][a.resume.direction] = 0;
      resume_valid <= 1;
      resume <= a.resume;
    end
  end
end
