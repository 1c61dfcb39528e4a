// A fault record's way to memory, and the fault queue's producer index.
//
// Promises: FQ-2, the index moves when memory has answered the record. FQ-7, room_o while fewer than all entries are filled. A
//   record that memory refuses is kept, and written again when software has written a register of the queue.
// Needs: send_i only with free_o and room_o. done_ack_i once for each done_o.
// Costs: send to the write offered, one cycle; response to the index, one cycle.

module hca_fault_write
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic          enable_i,
  input  logic [7:0]    mutant_i,
  input  pa_t           fq_base_i,
  input  logic [15:0]   fq_size_i,
  input  index_t        fq_cons_i,
  input  logic          fq_kick_i,
  output index_t        fq_prod_o,
  output index_t        taken_o,    // entries filled, or about to be
  output logic          size_ok_o,
  output logic          room_o,
  output logic          free_o,
  input  logic          send_i,
  input  fault_record_t record_i,
  output logic          done_o,     // held until the fault's state follows
  output fault_record_t record_o,
  input  logic          done_ack_i,
  output logic          written_o,  // pulses
  output logic          refused_o,
  output index_t        prod_next_o,
  output logic          wr_valid_o,
  input  logic          wr_ready_i,
  output wr_req_t       wr_o,
  input  logic          wr_rsp_valid_i,
  input  wr_rsp_t       wr_rsp_i,
  output logic          quiescent_o
);

  typedef enum logic [2:0] {
    WR_IDLE,
    WR_SEND,
    WR_WAIT,
    WR_DONE,     // the fault's state has to follow
    WR_REFUSED,  // by memory: wait for software
    WR_RETRY     // and for room
  } wr_state_e;

  wr_state_e     state_q;
  fault_record_t record_q;
  pa_t           pa_q, next_pa;
  index_t        prod_q, filled;
  logic [31:0]   seqno_q;
  logic          size_ok, room, answered, written, refused, move;

  assign size_ok  = fq_size_i != '0 && (fq_size_i & (fq_size_i - 1'b1)) == '0;
  assign filled   = prod_q - fq_cons_i;
  assign room     = size_ok && filled < fq_size_i;
  assign next_pa  = {fq_base_i[PaW-1:6], 6'b0} + {30'b0, prod_q & (fq_size_i - 1'b1), 6'b0};
  assign answered = state_q == WR_WAIT && wr_rsp_valid_i && wr_rsp_i.id == WID_FAULT;
  assign written  = answered && !wr_rsp_i.resp[1];
  assign refused  = answered && wr_rsp_i.resp[1];
  assign move     = mutant_i == HMUT_INDEX_FIRST ? send_i : written;

  hca_fault_t image;
  always_comb begin
    image               = '0;
    image.direction     = record_q.direction;
    image.write         = record_q.body.write;
    image.rdma          = record_q.body.rdma;
    image.cause         = record_q.body.cause;
    image.qpn           = 24'(record_q.qpn);
    image.token         = record_q.token;
    image.key           = record_q.body.key;
    image.va            = record_q.body.va;
    image.length        = record_q.body.length;
    image.packet_length = 32'(record_q.body.packet_length);
    image.wqe_index     = record_q.body.wqe_index;
    image.seqno         = seqno_q;
    wr_o      = '0;
    wr_o.id   = WID_FAULT;
    wr_o.pa   = pa_q;
    wr_o.data = image;
    wr_o.strb = '1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q  <= WR_IDLE;
      record_q <= '0;
      pa_q     <= '0;
      prod_q   <= '0;
      seqno_q  <= '0;
    end else if (!enable_i) begin
      state_q <= WR_IDLE;
      prod_q  <= '0;
      seqno_q <= '0;
    end else begin
      unique case (state_q)
        WR_SEND: if (wr_ready_i) state_q <= WR_WAIT;
        WR_WAIT: begin
          if (written) state_q <= WR_DONE;
          else if (refused) state_q <= WR_REFUSED;
        end
        WR_DONE:    if (done_ack_i) state_q <= WR_IDLE;
        WR_REFUSED: if (fq_kick_i) state_q <= WR_RETRY;
        WR_RETRY: begin
          pa_q <= next_pa;
          if (room) state_q <= WR_SEND;
        end
        default: ;
      endcase
      if (send_i) begin
        state_q  <= WR_SEND;
        record_q <= record_i;
        pa_q     <= next_pa;
      end
      if (move) prod_q <= prod_q + 1'b1;
      if (written) seqno_q <= seqno_q + 1'b1;
    end
  end

  assign fq_prod_o   = prod_q;
  assign prod_next_o = prod_q + index_t'(move);
  assign taken_o     = filled + index_t'(state_q inside {WR_SEND, WR_WAIT, WR_REFUSED, WR_RETRY});
  assign size_ok_o   = size_ok;
  assign room_o      = room;
  assign free_o      = state_q == WR_IDLE;
  assign done_o      = state_q == WR_DONE;
  assign record_o    = record_q;
  assign written_o   = written;
  assign refused_o   = refused;
  assign wr_valid_o  = state_q == WR_SEND;
  assign quiescent_o = !send_i && (state_q inside {WR_IDLE, WR_WAIT} || (state_q == WR_REFUSED && !fq_kick_i)
                                   || (state_q == WR_RETRY && !room && pa_q == next_pa));

  logic unused;
  assign unused = ^{wr_rsp_i.resp[0], fq_base_i[5:0]};

endmodule
