// Control blocks and their extensions: the instruction lines, the working state, and the status a user spins on.
//
// Promises: double-word 0 written with icmd = 1 copies the line into the CBE and makes the control block ready, at once in a
//   started context, else at START: no user need know that its context is being interrupted. The written istatus
//   counts only while the context is not started (restore). Writes to a control block or CBE with an instruction in
//   progress are taken from the bus and have no effect. A CBE restored with cbrstate past IDLE is in progress from START on
//   (go_i), whatever state it was saved in.
//   CBE state and execution status are derived, never stored: what software reads is what the engine does.
// Needs: retire_*_i at most once a cycle and never in the cycle of reg_ready_o for a write or of start_o (see block_o).
// Costs: a start takes one cycle more than the write of double-word 0.

module gru_cb
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        cb_valid_i,   // register access to a control block
  input  logic        cbe_valid_i,  // register access to a CBE
  input  reg_req_t    reg_i,
  output logic [63:0] cb_rdata_o,
  output logic [63:0] cbe_rdata_o,
  output logic        reg_ready_o,
  output logic        block_o,      // keep retirements away from the next cycle
  input  logic        retiring_i,   // a retirement uses the write ports now
  // Engine: state of the control block being picked.
  input  cbr_t        rd_cbr_i,
  output cbs_t        rd_static_o,
  output cbu_t        rd_moving_o,
  // Engine: retirement.
  input  logic        ret_valid_i,   // access over
  input  cbr_t        ret_cbr_i,
  input  logic        ret_step_i,    // write the moved state
  input  cbu_t        ret_moving_i,
  input  logic        ret_done_i,    // instruction over
  input  logic [19:0] ret_ecause_i,
  input  logic        ret_exc_i,
  input  logic [2:0]  ret_sub_i,
  input  logic        ret_avalue_we_i,
  input  logic [63:0] ret_avalue_i,
  output logic [63:0] avalue_o,      // of ret_cbr_i
  // A started instruction.
  output logic        start_o,
  output cbr_t        start_cbr_o,
  // Misses.
  input  logic        upm_valid_i,   // miss reported to the user
  input  cbr_t        upm_cbr_i,
  input  logic        upm2_valid_i,  // fault-map miss handed to the user
  input  cbr_t        upm2_cbr_i,
  input  logic        resume_valid_i, // runs again after a miss
  input  cbr_t        resume_cbr_i,
  input  logic        tlb_inval_valid_i, // its drop-in was ignored
  input  cbr_t        tlb_inval_cbr_i,
  // Contexts.
  input  cbr_vec_t    run_i,
  input  cbr_vec_t    alloc_i,
  input  cbr_vec_t    stopping_i,
  input  cbr_vec_t    mask_i,
  input  logic        go_i,
  input  logic        dealloc_i,
  // Vectors of the engine, for the derived state.
  input  cbr_vec_t    ready_i,
  input  cbr_vec_t    busy_i,
  input  cbr_vec_t    look_i,
  input  cbr_vec_t    fmm_i,
  input  cbr_vec_t    upm_i,
  output cbr_vec_t    active_o,      // instruction in progress
  output cbr_vec_t    restored_o,    // will be in progress at START
  output logic        snoop_valid_o,
  output cbr_t        snoop_idx_o,
  output logic        busy_o
);

  // Storage.
  line_t        row_mem    [NUM_CBR];
  cbs_t         static_mem [NUM_CBR];
  logic [63:0]  idef1_mem  [NUM_CBR];
  logic [63:0]  idef3_mem  [NUM_CBR];
  logic [63:0]  idef5_mem  [NUM_CBR];
  logic [63:0]  idef6_mem  [NUM_CBR];
  tri_t         idef2_mem  [NUM_CBR];
  tri_t         idef4_mem  [NUM_CBR];
  logic [63:0]  avalue_mem [NUM_CBR];
  logic [19:0]  ecause_mem [NUM_CBR];
  logic [3:0]   sub_mem    [NUM_CBR];
  cbr_vec_t     active_q, restored_q, color_q, inval_q, st0_q, st1_q;
  cbr_vec_t     snoop_q;
  logic         start_q, held_q;  // an instruction is copied to its CBE; it waits for START
  cbr_t         start_cbr_q;

  // ------------------------------------------------------------------------------------------------ registers
  cbr_t     idx;
  logic     is_wr, running, cb_wr, cbe_wr, dw0_wr, go_start;
  logic [63:0] dw0_merged, row_word;
  line_t    row_cpu;
  assign idx         = reg_i.idx;
  assign is_wr       = reg_i.write && (cb_valid_i || cbe_valid_i);
  assign block_o     = is_wr || start_q;
  assign reg_ready_o = !start_q && !(is_wr && retiring_i);
  assign running     = run_i[idx] || (go_i && mask_i[idx]);
  assign cb_wr       = cb_valid_i && reg_i.write && reg_ready_o && !active_q[idx];
  assign cbe_wr      = cbe_valid_i && reg_i.write && reg_ready_o && !active_q[idx];
  assign dw0_wr      = cb_wr && reg_i.dw == 3'd0;

  assign row_cpu    = row_mem[start_q ? start_cbr_q : idx];
  assign row_word   = row_cpu[64*reg_i.dw+:64];
  assign dw0_merged = merge_word(cb_rdata_o, reg_i.wdata, reg_i.wstrb);
  assign go_start   = dw0_wr && dw0_merged[CB_ICMD_LSB];

  always_comb begin
    cb_rdata_o = row_word;
    if (reg_i.dw == 3'd7) cb_rdata_o = avalue_mem[idx];
    if (reg_i.dw == 3'd0) begin
      cb_rdata_o[CB_ICMD_LSB]                          = active_q[idx] || restored_q[idx];
      cb_rdata_o[CB_ISTATUS_LSB+:CB_ISTATUS_WIDTH]     = {st1_q[idx], st0_q[idx]};
      cb_rdata_o[CB_ISUBSTATUS_LSB+:CB_ISUBSTATUS_WIDTH] = sub_mem[idx];
      cb_rdata_o[CB_TLB_FAULT_COLOR_LSB]               = color_q[idx];
    end
  end

  gru_cbe_view u_view (
    .dw_i         (reg_i.dw),
    .static_i     (static_mem[idx]),
    .moving_i     ('{idef1: idef1_mem[idx], idef3: idef3_mem[idx], idef5: idef5_mem[idx], idef6: idef6_mem[idx],
                     idef2: idef2_mem[idx], idef4: idef4_mem[idx]}),
    .ecause_i     (ecause_mem[idx]),
    .allocated_i  (alloc_i[idx]),
    .restored_i   (restored_q[idx]),
    .active_i     (active_q[idx]),
    .running_i    (running),
    .stopping_i   (stopping_i[idx]),
    .ready_i      (ready_i[idx]),
    .busy_i       (busy_i[idx]),
    .look_i       (look_i[idx]),
    .fmm_i        (fmm_i[idx]),
    .upm_i        (upm_i[idx]),
    .tlb_inval_i  (inval_q[idx]),
    .exception_i  ({st1_q[idx], st0_q[idx]} == CB_ISTATUS_EXCEPTION),
    .rdata_o      (cbe_rdata_o)
  );

  // ------------------------------------------------------------------------------------------------ one write port each
  cb_t   line;
  logic  bcopy;
  assign line  = row_cpu;
  assign bcopy = line.opc == CB_OPC_BCOPY;

  cbs_t  start_static;
  cbu_t  start_moving;
  always_comb begin
    start_static = '{ima: line.ima, xtype: line.xtype, iaa0: line.iaa0, iaa1: line.iaa1, opc: line.opc, exopc: line.exopc,
                     idef2: line.tri0_off, idef4: line.tri1_bufsize, idef5: line.stride_op1};
    // BCOPY: both buffer positions start at tri0, all elements are still to be read. MESQ: nothing reserved yet.
    start_moving = '{idef1: line.baddr0, idef3: line.baddr1_op2, idef5: line.nelem,
                     idef6: bcopy ? line.nelem : line.baddr1_op2, idef2: line.tri0_off,
                     idef4: bcopy ? line.tri0_off : (line.opc == CB_OPC_MESQ ? '0 : line.tri1_bufsize)};
  end

  cbr_t w_cbr;
  cbu_t w_moving;
  logic w_step, w_start;
  logic [63:0] wd;
  assign w_start  = start_q && !retiring_i;
  assign w_step   = ret_valid_i && ret_step_i;
  assign w_cbr    = ret_valid_i ? ret_cbr_i : (start_q ? start_cbr_q : idx);
  assign w_moving = ret_valid_i ? ret_moving_i : start_moving;
  assign wd       = reg_i.wdata;

  always_ff @(posedge clk_i) begin
    if (cb_wr && reg_i.dw != 3'd7) begin
      for (int unsigned i = 0; i < 8; i++) begin
        if (reg_i.wstrb[i]) row_mem[idx][{reg_i.dw, 6'd0} + 9'(8*i)+:8] <= wd[8*i+:8];
      end
    end
    if (w_start) static_mem[w_cbr] <= start_static;
    else if (cbe_wr) begin
      unique case (reg_i.dw)
        3'd0: begin
          static_mem[idx].ima   <= wd[CBE_IMACPY_LSB+:CBE_IMACPY_WIDTH];
          static_mem[idx].xtype <= wd[CBE_XTYPECPY_LSB+:CBE_XTYPECPY_WIDTH];
          static_mem[idx].iaa0  <= wd[CBE_IAA0CPY_LSB+:CBE_IAA0CPY_WIDTH];
          static_mem[idx].iaa1  <= wd[CBE_IAA1CPY_LSB+:CBE_IAA1CPY_WIDTH];
          static_mem[idx].opc   <= wd[CBE_OPCCPY_LSB+:CBE_OPCCPY_WIDTH];
          static_mem[idx].exopc <= wd[CBE_EXOPCCPY_LSB+:CBE_EXOPCCPY_WIDTH];
          static_mem[idx].idef2 <= wd[CBE_IDEF2CPY_LSB+:CBE_IDEF2CPY_WIDTH];
        end
        3'd1: static_mem[idx].idef4 <= wd[CBE_IDEF4CPY_LSB%64+:CBE_IDEF4CPY_WIDTH];
        3'd3: static_mem[idx].idef5 <= wd;
        default: ;
      endcase
    end
    if (w_step || w_start) begin
      idef1_mem[w_cbr] <= w_moving.idef1;
      idef3_mem[w_cbr] <= w_moving.idef3;
      idef5_mem[w_cbr] <= w_moving.idef5;
      idef6_mem[w_cbr] <= w_moving.idef6;
      idef2_mem[w_cbr] <= w_moving.idef2;
      idef4_mem[w_cbr] <= w_moving.idef4;
    end else if (cbe_wr) begin
      unique case (reg_i.dw)
        3'd1: idef4_mem[w_cbr] <= wd[CBE_IDEF4UPD_LSB%64+:CBE_IDEF4UPD_WIDTH];
        3'd2: idef1_mem[w_cbr] <= wd;
        3'd4: idef6_mem[w_cbr] <= wd;
        3'd5: idef3_mem[w_cbr] <= wd;
        3'd6: idef5_mem[w_cbr] <= wd;
        3'd7: idef2_mem[w_cbr] <= wd[CBE_IDEF2UPD_LSB%64+:CBE_IDEF2UPD_WIDTH];
        default: ;
      endcase
    end
    if (ret_valid_i && ret_avalue_we_i) avalue_mem[ret_cbr_i] <= ret_avalue_i;
    else if (cb_wr && reg_i.dw == 3'd7) avalue_mem[idx] <= merge_word(avalue_mem[idx], wd, reg_i.wstrb);
    if (ret_valid_i && ret_done_i) ecause_mem[w_cbr] <= ret_ecause_i;
    else if (w_start) ecause_mem[w_cbr] <= '0;
    else if (cbe_wr && reg_i.dw == 3'd7) ecause_mem[w_cbr] <= wd[CBE_ECAUSE_LSB%64+:CBE_ECAUSE_WIDTH];
    if (ret_valid_i && ret_done_i) sub_mem[w_cbr] <= {1'b0, ret_sub_i};
    else if (w_start) sub_mem[w_cbr] <= '0;
    else if (dw0_wr && !running) sub_mem[w_cbr] <= dw0_merged[CB_ISUBSTATUS_LSB+:CB_ISUBSTATUS_WIDTH];
  end

  assign rd_static_o = static_mem[rd_cbr_i];
  assign rd_moving_o = '{idef1: idef1_mem[rd_cbr_i], idef3: idef3_mem[rd_cbr_i], idef5: idef5_mem[rd_cbr_i],
                         idef6: idef6_mem[rd_cbr_i], idef2: idef2_mem[rd_cbr_i], idef4: idef4_mem[rd_cbr_i]};
  assign avalue_o    = avalue_mem[ret_cbr_i];

  // ------------------------------------------------------------------------------------------------ status
  logic [3:0] written_state;
  logic       written_busy;
  assign written_state = wd[CBE_CBRSTATE_LSB%64+:CBE_CBRSTATE_WIDTH];
  assign written_busy  = written_state != CBR_STATE_INACTIVE && written_state != CBR_STATE_IDLE;

  // A miss reported to a user whose context is being restarted is not reported any more.
  cbr_vec_t reopened;
  assign reopened = go_i ? (mask_i & (active_q | restored_q)) : '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q    <= '0;
      restored_q  <= '0;
      color_q     <= '0;
      inval_q     <= '0;
      st0_q       <= '0;
      st1_q       <= '0;
      snoop_q     <= '0;
      start_q     <= 1'b0;
      held_q      <= 1'b0;
      start_cbr_q <= '0;
    end else begin
      start_q <= go_start || (start_q && retiring_i);
      // Whole contexts first: what happens to one control block in the same cycle is assigned later and wins.
      if (go_i) begin
        active_q   <= active_q | (restored_q & mask_i);
        restored_q <= restored_q & ~mask_i;
        st1_q      <= st1_q | reopened;
        st0_q      <= st0_q & ~reopened;
      end
      if (dealloc_i) begin
        active_q   <= active_q & ~mask_i;
        restored_q <= restored_q & ~mask_i;
        color_q    <= color_q & ~mask_i;
        inval_q    <= inval_q & ~mask_i;
        st0_q      <= st0_q & ~mask_i;
        st1_q      <= st1_q & ~mask_i;
      end
      if (go_start) begin
        start_cbr_q     <= idx;
        held_q          <= !running;
        active_q[idx]   <= running;
        restored_q[idx] <= !running;
        inval_q[idx]    <= 1'b0;
      end
      if (go_start && running) begin
        {st1_q[idx], st0_q[idx]} <= CB_ISTATUS_ACTIVE;
      end else if (dw0_wr && !running) begin
        {st1_q[idx], st0_q[idx]} <= dw0_merged[CB_ISTATUS_LSB+:CB_ISTATUS_WIDTH];
        color_q[idx] <= dw0_merged[CB_TLB_FAULT_COLOR_LSB];
      end
      if (cbe_wr && reg_i.dw == 3'd7 && !running) restored_q[idx] <= written_busy;
      if (ret_valid_i && ret_done_i) begin
        active_q[ret_cbr_i] <= 1'b0;
        {st1_q[ret_cbr_i], st0_q[ret_cbr_i]} <= ret_exc_i ? CB_ISTATUS_EXCEPTION : CB_ISTATUS_IDLE;
      end
      if (upm_valid_i) begin
        {st1_q[upm_cbr_i], st0_q[upm_cbr_i]} <= CB_ISTATUS_CALL_OS;
        color_q[upm_cbr_i] <= ~color_q[upm_cbr_i];
      end
      if (upm2_valid_i) begin
        {st1_q[upm2_cbr_i], st0_q[upm2_cbr_i]} <= CB_ISTATUS_CALL_OS;
        color_q[upm2_cbr_i] <= ~color_q[upm2_cbr_i];
      end
      if (resume_valid_i) {st1_q[resume_cbr_i], st0_q[resume_cbr_i]} <= CB_ISTATUS_ACTIVE;
      if (tlb_inval_valid_i) inval_q[tlb_inval_cbr_i] <= 1'b1;
      if (|snoop_q || ret_valid_i || upm_valid_i || upm2_valid_i || resume_valid_i) begin
        snoop_q <= snoop_q & ~lowest128(snoop_q);
        if (ret_valid_i && ret_done_i) snoop_q[ret_cbr_i] <= 1'b1;
        if (upm_valid_i) snoop_q[upm_cbr_i] <= 1'b1;
        if (upm2_valid_i) snoop_q[upm2_cbr_i] <= 1'b1;
        if (resume_valid_i) snoop_q[resume_cbr_i] <= 1'b1;
      end
    end
  end

  assign start_o       = w_start && !held_q;
  assign start_cbr_o   = start_cbr_q;
  assign active_o      = active_q;
  assign restored_o    = restored_q;
  assign snoop_valid_o = |snoop_q;
  assign snoop_idx_o   = |snoop_q ? enc128(lowest128(snoop_q)) : '0;
  assign busy_o        = start_q || |snoop_q;

  logic unused;
  assign unused = ^{reg_i.unit, reg_i.line, line};

endmodule
