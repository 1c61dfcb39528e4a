// The receive side's end of the link: flits into a slot, the packet judged whole.
//
// Promises: a packet is good when its CRC is right and it has its header's number of payload flits. It is bad (dropped, counted) also when
//   its opcode, length or queue pair cannot be. ready falls only when a packet begins and no slot is free.
// Needs: free_slot_i another one in the cycle after `alloc_o`.
// Costs: verdict one cycle after the last flit. While disabled everything that comes is swallowed.

module hca_rx_in
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  input  logic        flit_valid_i,
  output logic        flit_ready_o,
  input  flit_t       flit_i,
  // Slots.
  input  logic        free_valid_i,
  input  rxslot_t     free_slot_i,
  output logic        alloc_o,         // free_slot_i is taken
  output logic        judged_o,        // the packet in judged_slot_o has ended
  output rxslot_t     judged_slot_o,
  output logic        good_o,
  output hca_packet_t head_o,
  // Payload memory.
  output logic                       pay_we_o,
  output logic [RxSlotW+6-1:0]       pay_addr_o,
  output line_t                      pay_data_o,
  // Counters.
  output logic        bad_crc_o,
  output logic        bad_packet_o,
  output logic        work_o
);

  localparam int unsigned CountW = 8;  // a header may claim up to 128 payload flits; more is more than any

  logic              in_q, take, begin_packet, judge_q, lost_q, stray_q;
  logic [CountW-1:0] count_q;
  logic [31:0]       state_q, state, crc, want_q;
  rxslot_t           slot_q, slot;
  hca_packet_t       head_q, head;

  assign flit_ready_o = in_q || free_valid_i || !enable_i;
  assign take         = flit_valid_i && flit_ready_o && enable_i;
  assign begin_packet = take && flit_i.sop;
  assign alloc_o      = begin_packet && !in_q;  // a packet that begins inside another takes over its slot
  assign slot         = in_q ? slot_q : free_slot_i;
  assign head         = hca_packet_t'(flit_i.data);

  hca_crc u_crc (.first_i(flit_i.sop), .state_i(state_q), .data_i(flit_i.data), .state_o(state), .crc_o(crc));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      in_q    <= 1'b0;
      judge_q <= 1'b0;
      lost_q  <= 1'b0;
      stray_q <= 1'b0;
    end else if (!enable_i) begin
      in_q    <= 1'b0;
      judge_q <= 1'b0;
      lost_q  <= 1'b0;
      stray_q <= 1'b0;
    end else begin
      judge_q <= take && flit_i.eop && (in_q || flit_i.sop);
      lost_q  <= begin_packet && in_q;                           // the end of the packet before never came
      stray_q <= take && flit_i.eop && !in_q && !flit_i.sop;     // an end whose beginning never came
      if (take) in_q <= (in_q || flit_i.sop) && !flit_i.eop;
    end
  end
  always_ff @(posedge clk_i) begin
    if (take) begin
      state_q <= state;
      want_q  <= flit_i.crc ^ crc;  // zero: right
      if (flit_i.sop) begin
        head_q  <= head;
        slot_q  <= slot;
        count_q <= '0;
      end else if (count_q != '1) begin
        count_q <= count_q + 1'b1;
      end
    end
  end

  // ------------------------------------------------------------------------------------------------ payload
  // The header flit carries the value of an atomic's answer: it becomes the payload, eight bytes at its place 0.
  logic [CountW-1:0] place;
  assign place      = flit_i.sop ? '0 : count_q;
  assign pay_we_o   = take && (flit_i.sop || (place < CountW'(64) && head_q.opcode != PKT_OP_ATOMIC_RESP));
  assign pay_addr_o = {flit_i.sop ? slot : slot_q, place[5:0]};
  assign pay_data_o = flit_i.sop ? line_t'(head.operand) : flit_i.data;

  // ------------------------------------------------------------------------------------------------ verdict
  logic whole, possible, op_known;
  always_comb begin
    unique case (pkt_op_e'(head_q.opcode))
      PKT_OP_SEND, PKT_OP_WRITE, PKT_OP_READ_REQ, PKT_OP_READ_RESP, PKT_OP_CMP_SWAP, PKT_OP_FETCH_ADD, PKT_OP_ATOMIC_RESP, PKT_OP_ACK,
      PKT_OP_NAK: op_known = 1'b1;
      default:    op_known = 1'b0;
    endcase
  end
  assign whole         = want_q == '0 && 14'(count_q) == (14'(head_q.length) + 14'd63) >> 6;
  assign possible      = op_known && head_q.length <= 13'(1 << MTU_SHIFT_MAX) && head_q.dest_qpn < 24'(NUM_QP);
  assign judged_o      = judge_q;
  assign judged_slot_o = slot_q;
  assign head_o        = head_q;
  assign good_o        = judge_q && whole && possible;
  assign bad_crc_o     = (judge_q && !whole) || lost_q || stray_q;
  assign bad_packet_o  = judge_q && whole && !possible;
  assign work_o        = judge_q || lost_q || stray_q;

endmodule
