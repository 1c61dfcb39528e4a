// A prepared packet shown to the queue pairs, its translations in flight from then on.
//
// Promises: when pkt_valid_o is high every piece of the packet has been started, so no invalidation can be over before the verdict; what is
//   shown stays. A piece that died before its start sends the packet back to be looked up again, and nobody has seen it.
// Needs: the verdict within a bounded time (uses in flight wait for it).
// Costs: a packet of one piece (or none) a cycle; one cycle more for each further piece. start_*_o and pkt_valid_o follow live_i in the
//   same cycle.

module hca_rx_show
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  // The next packet.
  input  logic        next_valid_i,
  output logic        next_ready_o,
  input  rx_pkt_t     next_i,
  input  logic [MAX_SEGMENTS-1:0] next_segs_i,  // pieces to start: none when the packet is not OK
  // Translation.
  input  logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] live_i,
  output logic        start_valid_o,
  output use_t        start_o,
  output logic        abort_valid_o,
  output rxslot_t     abort_slot_o,
  // To the queue pairs.
  output logic        pkt_valid_o,
  input  logic        pkt_ready_i,
  output rx_pkt_t     pkt_o,
  output logic        work_o
);

  logic                    valid_q, more, live;
  logic [MAX_SEGMENTS-1:0] todo_q;
  seg_t                    seg;

  always_comb begin
    seg = '0;
    for (int unsigned i = MAX_SEGMENTS; i > 0; i--) begin
      if (todo_q[i-1]) seg = seg_t'(i - 1);
    end
  end
  assign more          = (todo_q & (todo_q - 1'b1)) != '0;
  assign live          = live_i[pkt_o.slot][seg];
  assign start_valid_o = valid_q && todo_q != '0 && live;
  assign start_o       = '{user: USER_RX, slot: UseSlotW'(pkt_o.slot), seg: seg};
  assign abort_valid_o = valid_q && todo_q != '0 && !live;
  assign abort_slot_o  = pkt_o.slot;
  assign pkt_valid_o   = valid_q && (todo_q == '0 || (!more && live));
  assign next_ready_o  = !valid_q || abort_valid_o || (pkt_valid_o && pkt_ready_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= 1'b0;
    else if (!enable_i) valid_q <= 1'b0;
    else if (next_ready_o) valid_q <= next_valid_i;
  end
  always_ff @(posedge clk_i) begin
    if (next_ready_o) begin
      pkt_o  <= next_i;
      todo_q <= next_segs_i;
    end else if (start_valid_o) begin
      todo_q[seg] <= 1'b0;
    end
  end
  assign work_o = valid_q;

endmodule
