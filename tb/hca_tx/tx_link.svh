// Both ends of the cable in hca_tx_tb: at its entry order and fate are checked, at its end what came, to the byte.

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
always @(negedge clk) action = trouble(10) ? 2'(dice(4)) : 2'd0;

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
always @(negedge clk) in_ready = !trouble(30);
