// End of an access: what it does to the data segment, the CBE and the control block, and the arithmetic of the atomics.
//
// Promises: exactly one outcome for each retirement. avalue is what memory held before the atomic.
//   Atomics work on the aligned 32 or 64 bits at baddr0, old being what memory held:
//     FETCH reads; CLR writes 0; INC and DEC add and subtract 1; DECZ subtracts 1 unless old is 0;
//     QCHK1 and QCHK2 treat the word as {limit, head} of a queue and add 1 or 2 to head, or end with QLIMIT_REACHED;
//     SWAP writes op1; OR, AND, XOR, ADD combine with op1; CSWAP writes op1 if old == op2; CADD adds op1 if old == op2;
//     EPOLL reads until old == op1, NPOLL until old != op1.
//   MESQ reserves nelem lines by adding to head, or ends with QLIMIT_REACHED; the lines go to queue + 64 * old head.
//   An exclusive write that failed (OKAY) sends the control block back to the read, with a fresh lookup.
// Needs: acc_i is the access of ret_i.cbr, avalue_i its stored avalue.
// Costs: combinational.

module gru_retire
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input  logic        valid_i,
  input  ret_t        ret_i,
  input  acc_t        acc_i,
  input  logic [63:0] avalue_i,
  output out_e        out_o,
  output logic        step_o,
  output cbu_t        moving_o,
  output logic        exc_o,
  output logic [19:0] ecause_o,
  output logic [2:0]  sub_o,
  output logic        avalue_we_o,
  output logic [63:0] avalue_o,
  output logic        dsr_we_o,
  output line_t       dsr_data_o,
  output logic [63:0] dsr_mask_o,
  output logic        amo_push_o,
  output logic [63:0] amo_data_o,
  output logic [7:0]  amo_strb_o,
  output logic        use_done_o   // ends the use of a translation (atomic without write, error after the lookup)
);

  localparam logic [1:0] RespExOkay = 2'b01;

  // ------------------------------------------------------------------------------------------------ atomics
  logic [63:0] dword, old, sum, result;
  logic [31:0] head;
  logic [63:0] want;
  logic        amo_write, amo_limit, amo_poll;
  always_comb begin
    dword     = ret_i.data[{acc_i.va[5:3], 6'd0}+:64];
    old       = acc_i.word ? {32'd0, acc_i.va[2] ? dword[63:32] : dword[31:0]} : dword;
    amo_write = 1'b1;
    amo_limit = 1'b0;
    amo_poll  = 1'b0;
    result    = old;
    want      = acc_i.mesq ? acc_i.next.idef5 : (acc_i.exopc == EXOP_IR_QCHK2 ? 64'd2 : 64'd1);
    head      = old[31:0] + want[31:0];
    sum       = old + acc_i.op1;
    if (acc_i.mesq || (!acc_i.er && (acc_i.exopc == EXOP_IR_QCHK1 || acc_i.exopc == EXOP_IR_QCHK2))) begin
      amo_limit = want[63:32] != '0 || {1'b0, old[31:0]} + {1'b0, want[31:0]} > {1'b0, old[63:32]};
      amo_write = !amo_limit;
      result    = {old[63:32], head};
    end else if (!acc_i.er) begin
      unique case (acc_i.exopc)
        EXOP_IR_CLR: result = '0;
        EXOP_IR_INC: result = old + 64'd1;
        EXOP_IR_DEC: result = old - 64'd1;
        EXOP_IR_DECZ: begin
          result    = old - 64'd1;
          amo_write = old != '0;
        end
        default: amo_write = 1'b0;
      endcase
    end else begin
      unique case (acc_i.exopc)
        EXOP_ER_SWAP: result = acc_i.op1;
        EXOP_ER_OR:   result = old | acc_i.op1;
        EXOP_ER_AND:  result = old & acc_i.op1;
        EXOP_ER_XOR:  result = old ^ acc_i.op1;
        EXOP_ER_ADD:  result = sum;
        EXOP_ER_CSWAP: begin
          result    = acc_i.op1;
          amo_write = same(old, acc_i.next.idef6, acc_i.word);
        end
        EXOP_ER_CADD: begin
          result    = sum;
          amo_write = same(old, acc_i.next.idef6, acc_i.word);
        end
        default: begin  // EPOLL, NPOLL
          amo_write = 1'b0;
          amo_poll  = same(old, acc_i.op1, acc_i.word) != (acc_i.exopc == EXOP_ER_EPOLL);
        end
      endcase
    end
  end

  // Equality on the operand's width.
  function automatic logic same(input logic [63:0] a, input logic [63:0] b, input logic word);
    return a[31:0] == b[31:0] && (word || a[63:32] == b[63:32]);
  endfunction

  assign amo_data_o = acc_i.word ? {2{result[31:0]}} : result;
  assign amo_strb_o = !acc_i.word ? 8'hff : (acc_i.va[2] ? 8'hf0 : 8'h0f);

  // ------------------------------------------------------------------------------------------------ outcome
  logic is_amo, failed;
  assign is_amo = acc_i.kind == ACC_AMO;
  assign failed = ret_i.resp[1];

  always_comb begin
    out_o       = OUT_AGAIN;
    step_o      = 1'b0;
    moving_o    = acc_i.next;
    exc_o       = 1'b0;
    ecause_o    = '0;
    sub_o       = CB_SUBSTATUS_NO_ERROR;
    avalue_we_o = 1'b0;
    avalue_o    = old;
    dsr_we_o    = 1'b0;
    amo_push_o  = 1'b0;
    use_done_o  = 1'b0;
    if (valid_i) begin
      unique case (ret_i.src)
        RET_READ: begin
          if (failed) begin
            out_o = OUT_DONE;
            exc_o = 1'b1;
            ecause_o[CB_ECAUSE_RA_RESPONSE_FATAL] = 1'b1;
            use_done_o = is_amo && acc_i.mapped;
          end else if (is_amo) begin
            avalue_we_o = 1'b1;
            amo_push_o  = amo_write;
            use_done_o  = !amo_write && acc_i.mapped;
            if (amo_write) out_o = OUT_CONT;
            else if (amo_poll) out_o = OUT_POLL;
            else begin
              out_o = OUT_DONE;
              exc_o = amo_limit;
              sub_o = amo_limit ? CB_SUBSTATUS_QLIMIT_REACHED : CB_SUBSTATUS_NO_ERROR;
            end
          end else begin
            dsr_we_o = 1'b1;
            step_o   = 1'b1;
            out_o    = acc_i.done ? OUT_DONE : OUT_AGAIN;
          end
        end
        RET_WRITE: begin
          if (failed) begin
            out_o = OUT_DONE;
            exc_o = 1'b1;
            ecause_o[CB_ECAUSE_HA_RESPONSE_FATAL] = 1'b1;
          end else if (is_amo && ret_i.resp != RespExOkay) begin
            out_o = OUT_AGAIN;
          end else begin
            step_o = 1'b1;
            out_o  = acc_i.done ? OUT_DONE : OUT_AGAIN;
            if (acc_i.mesq) moving_o.idef1 = acc_i.va + {26'd0, avalue_i[31:0], 6'd0};
          end
        end
        default: begin  // RET_LOCAL, RET_TFH
          out_o      = OUT_DONE;
          exc_o      = ret_i.ecause != '0;
          ecause_o   = ret_i.ecause;
          use_done_o = ret_i.used;
        end
      endcase
    end
  end

  assign dsr_data_o = rotate_line(ret_i.data, acc_i.va[5:0] - acc_i.dsr_off);
  assign dsr_mask_o = byte_mask(acc_i.bytes, acc_i.dsr_off);

  logic unused;
  assign unused = ^{acc_i, ret_i.cbr, avalue_i[63:32]};

endmodule
