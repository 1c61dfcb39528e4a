// Compare-and-swap and fetch-and-add on host memory, one at a time.
//
//   IDLE ─▶ READ ─▶ READ_WAIT ─▶ WRITE ─▶ WRITE_WAIT ─▶ IDLE         not exclusive any more: READ again
//                       └─ error, or compare failed: IDLE
//
// Promises: the eight bytes change at most once, and from the value that is reported: the write is exclusive and is tried again until memory
//   says that nobody wrote between. A compare that fails writes nothing.
// Needs: pa_i aligned to 8; memory that answers exclusive reads and writes of 8 bytes.
// Costs: a read and a write of memory.

module hca_atomic
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  input  logic        valid_i,
  output logic        ready_o,
  input  rxslot_t     slot_i,
  input  hca_packet_t head_i,
  input  pa_t         pa_i,
  // Memory.
  output logic        rd_valid_o,
  input  logic        rd_ready_i,
  output rd_req_t     rd_o,
  input  logic        rd_rsp_valid_i,
  input  rd_rsp_t     rd_rsp_i,
  output logic        wr_valid_o,
  input  logic        wr_ready_i,
  output wr_req_t     wr_o,
  input  logic        wr_rsp_valid_i,
  input  wr_rsp_t     wr_rsp_i,
  // End.
  output logic        done_valid_o,
  output rxslot_t     done_slot_o,
  output logic        done_failed_o,
  output logic [63:0] old_value_o,
  output logic        work_o
);

  localparam logic [1:0] ExOkay = 2'd1;
  localparam logic [2:0] SizeDword = 3'd3;

  typedef enum logic [2:0] { IDLE, READ, READ_WAIT, WRITE, WRITE_WAIT } state_e;
  state_e      state_q, state_d;
  rxslot_t     slot_q;
  logic        add_q, done_d, failed_d, rd_answer, wr_answer, differs;
  logic [63:0] operand_q, swap_q, old_q, found, new_value;
  pa_t         pa_q;
  hca_user_t   user_q;

  assign ready_o   = state_q == IDLE;
  assign rd_answer = rd_rsp_valid_i && rd_rsp_i.id == RID_ATOMIC;
  assign wr_answer = wr_rsp_valid_i && wr_rsp_i.id == WID_ATOMIC;
  assign found     = rd_rsp_i.data[{pa_q[5:3], 6'd0}+:64];
  assign differs   = !add_q && found != operand_q;
  assign new_value = add_q ? old_q + operand_q : swap_q;

  always_comb begin
    state_d  = state_q;
    done_d   = 1'b0;
    failed_d = 1'b0;
    unique case (state_q)
      IDLE: if (valid_i) state_d = READ;
      READ: if (rd_ready_i) state_d = READ_WAIT;
      READ_WAIT:
        if (rd_answer) begin
          failed_d = rd_rsp_i.resp[1];
          done_d   = failed_d || differs;
          state_d  = done_d ? IDLE : WRITE;
        end
      WRITE: if (wr_ready_i) state_d = WRITE_WAIT;
      WRITE_WAIT:
        if (wr_answer) begin
          failed_d = wr_rsp_i.resp[1];
          done_d   = failed_d || wr_rsp_i.resp == ExOkay;
          state_d  = done_d ? IDLE : READ;
        end
      default: state_d = IDLE;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q      <= IDLE;
      done_valid_o <= 1'b0;
    end else if (!enable_i) begin
      state_q      <= IDLE;
      done_valid_o <= 1'b0;
    end else begin
      state_q      <= state_d;
      done_valid_o <= done_d;
    end
  end
  always_ff @(posedge clk_i) begin
    if (state_q == IDLE) begin
      slot_q    <= slot_i;
      add_q     <= pkt_op_e'(head_i.opcode) == PKT_OP_FETCH_ADD;
      operand_q <= head_i.operand;
      swap_q    <= head_i.swap;
      pa_q      <= pa_i;
      user_q    <= '{mapped: 1'b1, need: NEED_REMOTE_ATOMIC, qpn: head_i.dest_qpn[QPN_WIDTH-1:0], key: head_i.rkey[8+:KEY_IDX_WIDTH],
                     va: head_i.va, bytes: 7'd8};
    end
    if (rd_answer) old_q <= found;
    done_failed_o <= failed_d;
    done_slot_o   <= slot_q;
  end
  assign old_value_o = old_q;

  assign rd_valid_o = state_q == READ;
  assign rd_o       = '{id: RID_ATOMIC, pa: pa_q, size: SizeDword, lock: 1'b1, user: user_q};
  assign wr_valid_o = state_q == WRITE;
  assign wr_o       = '{id: WID_ATOMIC, pa: pa_q, lock: 1'b1, user: user_q, data: {8{new_value}}, strb: 64'hFF << pa_q[5:0]};
  logic unused;
  assign unused = ^head_i;
  assign work_o     = state_q == READ || state_q == WRITE || done_valid_o;

endmodule
