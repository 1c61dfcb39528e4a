// A control block extension as software reads it: one double-word, its state derived from what the engine does.
//
// Promises: cbrstate is INACTIVE without a context, IDLE without an instruction; in a started context QUEUED (ready), PE_CHECK
//   (lookup on its way), REQUEST_ISSUE (access on its way) or WAIT_RESPONSE (a miss is pending, or a poll waits); otherwise
//   BUSY_* while an INTERRUPT runs and INTERRUPTED* after it, with the kind of miss. Any of these but the first two, written
//   back to a new context's CBE, makes the instruction go on at START.
// Costs: combinational.

module gru_cbe_view
  import gru_pkg::*;
  import gru_eng_pkg::*;
(
  input  logic [2:0]  dw_i,
  input  cbs_t        static_i,
  input  cbu_t        moving_i,
  input  logic [19:0] ecause_i,
  input  logic        allocated_i,
  input  logic        restored_i,   // will be in progress at START
  input  logic        active_i,     // instruction in progress
  input  logic        running_i,    // context started
  input  logic        stopping_i,   // INTERRUPT on its way
  input  logic        ready_i,
  input  logic        busy_i,
  input  logic        look_i,
  input  logic        fmm_i,
  input  logic        upm_i,
  input  logic        tlb_inval_i,  // a drop-in was ignored
  input  logic        exception_i,
  output logic [63:0] rdata_o
);

  cbr_state_e state;
  always_comb begin
    if (!allocated_i) state = CBR_STATE_INACTIVE;
    else if (restored_i) state = CBR_STATE_INTERRUPTED;
    else if (!active_i) state = CBR_STATE_IDLE;
    else if (running_i) begin
      if (ready_i) state = CBR_STATE_QUEUED;
      else if (look_i) state = CBR_STATE_PE_CHECK;
      else if (busy_i) state = CBR_STATE_REQUEST_ISSUE;
      else state = CBR_STATE_WAIT_RESPONSE;
    end else if (fmm_i) state = stopping_i ? CBR_STATE_BUSY_INTERRUPT_MISS_FMM : CBR_STATE_INTERRUPTED_MISS_FMM;
    else if (upm_i) state = stopping_i ? CBR_STATE_BUSY_INTERRUPTED_MISS_UPM : CBR_STATE_INTERRUPTED_MISS_UPM;
    else state = busy_i ? CBR_STATE_BUSY_INTERRUPT : CBR_STATE_INTERRUPTED;
  end

  logic [7:0] exs;
  always_comb begin
    exs                         = '0;
    exs[CBR_EXS_INT_OCC]        = active_i && !running_i;
    exs[CBR_EXS_PENDING]        = active_i;
    exs[CBR_EXS_QUEUED]         = ready_i;
    exs[CBR_EXS_TLB_INVAL]      = tlb_inval_i;
    exs[CBR_EXS_EXCEPTION]      = exception_i;
    exs[CBR_EXS_CB_INT_PENDING] = active_i && |(static_i.ima & CB_IMA_INTERRUPT);
  end

  always_comb begin
    rdata_o = '0;
    unique case (dw_i)
      3'd0: begin
        rdata_o[CBE_IMACPY_LSB+:CBE_IMACPY_WIDTH]     = static_i.ima;
        rdata_o[CBE_XTYPECPY_LSB+:CBE_XTYPECPY_WIDTH] = static_i.xtype;
        rdata_o[CBE_IAA0CPY_LSB+:CBE_IAA0CPY_WIDTH]   = static_i.iaa0;
        rdata_o[CBE_IAA1CPY_LSB+:CBE_IAA1CPY_WIDTH]   = static_i.iaa1;
        rdata_o[CBE_OPCCPY_LSB+:CBE_OPCCPY_WIDTH]     = static_i.opc;
        rdata_o[CBE_EXOPCCPY_LSB+:CBE_EXOPCCPY_WIDTH] = static_i.exopc;
        rdata_o[CBE_IDEF2CPY_LSB+:CBE_IDEF2CPY_WIDTH] = static_i.idef2;
      end
      3'd1: begin
        rdata_o[CBE_IDEF4CPY_LSB%64+:CBE_IDEF4CPY_WIDTH] = static_i.idef4;
        rdata_o[CBE_IDEF4UPD_LSB%64+:CBE_IDEF4UPD_WIDTH] = moving_i.idef4;
      end
      3'd2: rdata_o = moving_i.idef1;
      3'd3: rdata_o = static_i.idef5;
      3'd4: rdata_o = moving_i.idef6;
      3'd5: rdata_o = moving_i.idef3;
      3'd6: rdata_o = moving_i.idef5;
      default: begin
        rdata_o[CBE_IDEF2UPD_LSB%64+:CBE_IDEF2UPD_WIDTH]           = moving_i.idef2;
        rdata_o[CBE_ECAUSE_LSB%64+:CBE_ECAUSE_WIDTH]               = ecause_i;
        rdata_o[CBE_CBRSTATE_LSB%64+:CBE_CBRSTATE_WIDTH]           = state;
        rdata_o[CBE_CBREXECSTATUS_LSB%64+:CBE_CBREXECSTATUS_WIDTH] = exs;
      end
    endcase
  end

endmodule
