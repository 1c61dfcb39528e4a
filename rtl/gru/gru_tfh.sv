// Fault handles: the pending miss of each control block, and the drop-ins and restarts that answer it.
//
// Promises: a miss shows in its handle in the next cycle; at most one miss per control block. Commands run one at a time in
//   batches, none starves. RESTART and WRITE_RESTART resume the control block, EXCEPTION ends its instruction,
//   USER_POLLING_MODE hands a fault-map miss to the user, WRITE_ONLY leaves the miss pending. A command to a handle without a
//   pending miss changes nothing but its status. A drop-in the TLB ignored still restarts.
//   Written status, state, cause and miss fields are ignored, delresp is only stored; while a command runs, nothing else is.
// Needs: fill_done_i once per accepted drop-in; park_valid_i only for control blocks without a pending miss.
// Costs: command to drop-in one cycle when no other command runs, drop-in done to resume none.

module gru_tfh
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  mutant_i,
  input  logic        reg_valid_i,
  input  reg_req_t    reg_i,
  output logic [63:0] reg_rdata_o,
  // A lookup missed.
  input  logic        park_valid_i,
  input  tlb_rsp_t    park_rsp_i,
  input  ctx_t        park_ctx_i,
  input  asid_t       park_asid_i,
  input  va_t         park_va_i,
  input  logic        park_ima_int_i,
  input  ctx_cfg_t    park_cfg_i,
  // Drop-in.
  output logic        fill_valid_o,
  input  logic        fill_ready_i,
  output tlb_fill_t   fill_o,
  input  logic        fill_done_i,
  input  logic        fill_dropped_i,
  // What the command does to the control block (tfh_cbr_o).
  output cbr_t        cmd_cbr_o,
  output logic        resume_o,
  output logic        to_upm_o,      // fault-map miss becomes the user's
  output logic        exc_valid_o,   // end the instruction
  input  logic        exc_ready_i,
  output logic        tlb_inval_o,   // the drop-in was ignored
  // Contexts.
  input  cbr_vec_t    alloc_i,
  input  cbr_vec_t    mask_i,
  input  logic        go_i,
  input  logic        dealloc_i,
  output cbr_vec_t    fmm_o,
  output cbr_vec_t    upm_o,
  output logic        snoop_valid_o,
  output cbr_t        snoop_idx_o,
  output logic        busy_o
);

  typedef struct packed {
    logic [INDEXWAY_WIDTH-1:0] indexway;
    ctx_t  ctx;
    asid_t asid;
    va_t   va;
    logic  cb_int;
    logic  mod;
  } miss_t;

  typedef struct packed {
    asid_t       asid;
    logic        dirty;
    logic [1:0]  gaa;
  } fill_a_t;

  typedef struct packed {
    pfn_t        pfn;
    psize_t      pagesize;
  } fill_b_t;

  miss_t       miss_mem [NUM_CBR];
  fill_a_t     fill_a_mem [NUM_CBR];
  fill_b_t     fill_b_mem [NUM_CBR];
  va_t         fill_va_mem [NUM_CBR];
  tfh_opc_e    opc_mem [NUM_CBR];
  cbr_vec_t    delresp_q, fmm_q, upm_q;
  cbr_vec_t    active_q;  // command written, not finished
  cbr_vec_t    pend_q;    // command written, not begun
  cbr_vec_t    batch_q, snoop_q;

  typedef enum logic [1:0] {S_IDLE, S_RUN, S_FILL} fsm_e;
  fsm_e        fsm_q;
  cbr_t        cur_q;
  logic        asked_q;  // drop-in offered: it stays offered although the context may be restarted

  // ------------------------------------------------------------------------------------------------ registers
  cbr_t     idx;
  logic     wr, active, start;
  miss_t    miss_cpu;
  fill_a_t  fill_a_cpu;
  fill_b_t  fill_b_cpu;
  logic     missing;
  assign idx        = reg_i.idx;
  assign wr         = reg_valid_i && reg_i.write;
  assign active     = active_q[idx];
  assign start      = wr && !active && reg_i.dw == 3'd0 && reg_i.wdata[TFH_CMD_LSB];
  assign miss_cpu   = miss_mem[idx];
  assign fill_a_cpu = fill_a_mem[idx];
  assign fill_b_cpu = fill_b_mem[idx];
  assign missing    = fmm_q[idx] || upm_q[idx];

  tfh_state_e state;
  always_comb begin
    if (fsm_q == S_FILL && cur_q == idx) state = TFH_STATE_WRITE_TLB;
    else if (fmm_q[idx]) state = TFH_STATE_MISS_FMM;
    else if (upm_q[idx]) state = TFH_STATE_MISS_UPM;
    else state = alloc_i[idx] ? TFH_STATE_IDLE : TFH_STATE_INACTIVE;
  end

  always_comb begin
    reg_rdata_o = '0;
    unique case (reg_i.dw)
      3'd0: begin
        reg_rdata_o[TFH_CMD_LSB]                          = active;
        reg_rdata_o[TFH_DELRESP_LSB]                      = delresp_q[idx];
        reg_rdata_o[TFH_OPC_LSB+:TFH_OPC_WIDTH]           = opc_mem[idx];
        reg_rdata_o[TFH_STATUS_LSB+:TFH_STATUS_WIDTH]     = active ? HANDLE_STATUS_ACTIVE
                                                          : missing ? HANDLE_STATUS_EXCEPTION : HANDLE_STATUS_IDLE;
        reg_rdata_o[TFH_STATE_LSB+:TFH_STATE_WIDTH]       = state;
        reg_rdata_o[TFH_CAUSE_LSB+:TFH_CAUSE_WIDTH]       = !missing ? TFH_CAUSE_NONE
                                                          : miss_cpu.mod ? TFH_CAUSE_TLB_MOD : TFH_CAUSE_TLB_MISS;
        reg_rdata_o[TFH_CB_INT_LSB]                       = miss_cpu.cb_int;
        reg_rdata_o[TFH_INDEXWAY_LSB+:TFH_INDEXWAY_WIDTH] = miss_cpu.indexway;
        reg_rdata_o[TFH_CTXNUM_LSB+:TFH_CTXNUM_WIDTH]     = miss_cpu.ctx;
      end
      3'd1: reg_rdata_o = miss_cpu.va;
      3'd2: begin
        reg_rdata_o[TFH_MISSASID_LSB%64+:TFH_MISSASID_WIDTH] = miss_cpu.asid;
        reg_rdata_o[TFH_FILLASID_LSB%64+:TFH_FILLASID_WIDTH] = fill_a_cpu.asid;
        reg_rdata_o[TFH_DIRTY_LSB%64]                        = fill_a_cpu.dirty;
        reg_rdata_o[TFH_GAA_LSB%64+:TFH_GAA_WIDTH]           = fill_a_cpu.gaa;
      end
      3'd3: begin
        reg_rdata_o[TFH_PFN_LSB%64+:TFH_PFN_WIDTH]           = fill_b_cpu.pfn;
        reg_rdata_o[TFH_PAGESIZE_LSB%64+:TFH_PAGESIZE_WIDTH] = fill_b_cpu.pagesize;
      end
      3'd4: reg_rdata_o = fill_va_mem[idx];
      default: ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (wr && !active) begin
      unique case (reg_i.dw)
        3'd0: opc_mem[idx] <= tfh_opc_e'(reg_i.wdata[TFH_OPC_LSB+:TFH_OPC_WIDTH]);
        3'd2: fill_a_mem[idx] <= '{asid: reg_i.wdata[TFH_FILLASID_LSB%64+:TFH_FILLASID_WIDTH],
                                   dirty: reg_i.wdata[TFH_DIRTY_LSB%64],
                                   gaa: reg_i.wdata[TFH_GAA_LSB%64+:TFH_GAA_WIDTH]};
        3'd3: fill_b_mem[idx] <= '{pfn: reg_i.wdata[TFH_PFN_LSB%64+:TFH_PFN_WIDTH],
                                   pagesize: reg_i.wdata[TFH_PAGESIZE_LSB%64+:TFH_PAGESIZE_WIDTH]};
        3'd4: fill_va_mem[idx] <= reg_i.wdata;
        default: ;
      endcase
    end
    if (park_valid_i) begin
      miss_mem[park_rsp_i.cbr] <= '{indexway: park_rsp_i.indexway, ctx: park_ctx_i, asid: park_asid_i, va: park_va_i,
                                    cb_int: park_ima_int_i, mod: park_rsp_i.mod};
    end
  end

  // ------------------------------------------------------------------------------------------------ commands
  cbr_vec_t cand, pick_oh;
  cbr_t     pick;
  always_comb begin
    cand    = '0;
    pick_oh = '0;
    pick    = '0;
    if (fsm_q == S_IDLE && |pend_q) begin
      cand    = |(pend_q & batch_q) ? (pend_q & batch_q) : pend_q;
      pick_oh = lowest128(cand);
      pick    = enc128(pick_oh);
    end
  end

  miss_t    miss;
  fill_a_t  fill_a;
  fill_b_t  fill_b;
  tfh_opc_e opc;
  logic     cur_miss, is_fill, running, finish;
  assign miss     = miss_mem[cur_q];
  assign fill_a   = fill_a_mem[cur_q];
  assign fill_b   = fill_b_mem[cur_q];
  assign opc      = opc_mem[cur_q];
  assign cur_miss = fmm_q[cur_q] || upm_q[cur_q];
  assign running  = fsm_q == S_RUN && (cur_miss || asked_q || (mutant_i == MUT_LATE_FILL && is_fill));
  assign is_fill  = opc == TFH_OPC_WRITE_ONLY || opc == TFH_OPC_WRITE_RESTART;

  assign fill_valid_o = running && is_fill;
  assign fill_o = '{cbr: cur_q, ctx: miss.ctx, asid: fill_a.asid, va: fill_va_mem[cur_q], pfn: fill_b.pfn,
                    pagesize: fill_b.pagesize, gaa: fill_a.gaa, dirty: fill_a.dirty, indexway: miss.indexway};

  assign exc_valid_o = running && opc == TFH_OPC_EXCEPTION;
  assign to_upm_o    = running && opc == TFH_OPC_USER_POLLING_MODE && fmm_q[cur_q];
  // The context may have been restarted while the drop-in was on its way: then the miss is gone and nothing waits.
  assign resume_o    = cur_miss && ((fsm_q == S_RUN && opc == TFH_OPC_RESTART)
                                    || (fsm_q == S_FILL && fill_done_i && opc == TFH_OPC_WRITE_RESTART));
  assign tlb_inval_o = fsm_q == S_FILL && fill_done_i && fill_dropped_i;
  assign cmd_cbr_o   = cur_q;

  always_comb begin
    finish = 1'b0;
    if (fsm_q == S_FILL) finish = fill_done_i;
    else if (fsm_q == S_RUN) finish = exc_valid_o ? exc_ready_i : !fill_valid_o;
  end

  logic direct;  // begin at once
  assign direct = start && fsm_q == S_IDLE && pend_q == '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      delresp_q <= '0;
      fmm_q     <= '0;
      upm_q     <= '0;
      active_q  <= '0;
      pend_q    <= '0;
      batch_q   <= '0;
      snoop_q   <= '0;
      fsm_q     <= S_IDLE;
      cur_q     <= '0;
      asked_q   <= 1'b0;
    end else begin
      asked_q <= fill_valid_o && !fill_ready_i;
      // Whole contexts first: what happens to one handle in the same cycle is assigned later and wins.
      if (go_i || dealloc_i) begin
        fmm_q <= fmm_q & ~mask_i;
        upm_q <= upm_q & ~mask_i;
      end
      if (wr && reg_i.dw == 3'd0) delresp_q[idx] <= reg_i.wdata[TFH_DELRESP_LSB];
      if (|snoop_q || park_valid_i || finish) begin
        snoop_q <= snoop_q & ~lowest128(snoop_q);
        if (park_valid_i) snoop_q[park_rsp_i.cbr] <= 1'b1;
        if (finish) snoop_q[cur_q] <= 1'b1;
      end
      if (start) begin
        active_q[idx] <= 1'b1;
        if (!direct) pend_q[idx] <= 1'b1;
      end
      unique case (fsm_q)
        S_IDLE: begin
          if (direct) begin
            fsm_q <= S_RUN;
            cur_q <= idx;
          end else if (|pend_q) begin
            fsm_q        <= S_RUN;
            cur_q        <= pick;
            pend_q[pick] <= 1'b0;
            batch_q      <= cand & ~pick_oh;
          end
        end
        S_RUN: if (fill_valid_o && fill_ready_i) fsm_q <= S_FILL;
        default: ;
      endcase
      if (finish) begin
        fsm_q           <= S_IDLE;
        active_q[cur_q] <= 1'b0;
      end
      if (resume_o || (exc_valid_o && exc_ready_i)) begin
        fmm_q[cur_q] <= 1'b0;
        upm_q[cur_q] <= 1'b0;
      end
      if (to_upm_o) begin
        fmm_q[cur_q] <= 1'b0;
        upm_q[cur_q] <= 1'b1;
      end
      if (park_valid_i) begin
        fmm_q[park_rsp_i.cbr] <= park_cfg_i.fault_bit_enable;
        upm_q[park_rsp_i.cbr] <= !park_cfg_i.fault_bit_enable;
      end
    end
  end

  assign fmm_o         = fmm_q;
  assign upm_o         = upm_q;
  assign snoop_valid_o = |snoop_q;
  assign snoop_idx_o   = |snoop_q ? enc128(lowest128(snoop_q)) : '0;
  assign busy_o        = fsm_q != S_IDLE || |pend_q || |snoop_q;

  logic unused;
  assign unused = ^{miss, reg_i.unit, reg_i.line, reg_i.wstrb, park_rsp_i, park_cfg_i};

endmodule
