// Contexts: 16 CCHs, their state machine, and the maps from a context's units to physical ones.
//
// Promises: ALLOCATE, START, INTERRUPT, INTERRUPT_SYNC and DEALLOCATE with the checks and causes of the CCH; a command that
//   fails leaves the context as it was, with status EXCEPTION. Flags, ASIDs and page sizes take effect at START.
//   INTERRUPT holds until no lookup of the context is on its way and no fault-map miss is pending (the context lock);
//   INTERRUPT_SYNC also until no access is in flight. DEALLOCATE with accesses in flight fails.
//   While a command runs, writes to its CCH change only delresp.
// Needs: mask_o/go_o/dealloc_o are obeyed in the cycle they are given.
// Costs: ALLOCATE 66 cycles (one allocation unit a cycle), START 10, the rest 2; one command at a time except the
//   INTERRUPTs, which wait side by side.

module gru_cch
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
  // What the control blocks are doing.
  input  cbr_vec_t    busy_i,  // picked, until its access is over or parked
  input  cbr_vec_t    look_i,  // picked, until its lookup is answered
  input  cbr_vec_t    fmm_i,   // miss in fault-map mode
  // What they may do.
  output cbr_vec_t    run_o,      // context started
  output cbr_vec_t    alloc_o,    // context exists
  output cbr_vec_t    stopping_o, // INTERRUPT on its way
  output cbr_vec_t    mask_o,     // control blocks of the context that starts or goes
  output logic        go_o,       // START
  output logic        dealloc_o,
  // Lookups, all answered in the same cycle.
  input  cbr_t        cfg_cbr_i  [3],
  output ctx_t        cfg_ctx_o  [3],
  output ctx_cfg_t    cfg_o      [3],
  input  ctx_t        region_ctx_i,
  input  logic [2:0]  region_i,
  output asid_t       region_asid_o,
  output logic [NumSizes-1:0] region_sizes_o,
  input  ctx_t        dsr_ctx_i  [3],
  input  logic [11:0] dsr_au_i   [3],
  output logic        dsr_ok_o   [3],
  output logic [DsrAuW-1:0] dsr_au_o [3],
  input  ctx_t        cb_ctx_i,
  input  logic [CbAuW-1:0]  cb_au_i,
  output logic        cb_ok_o,
  output logic [CbAuW-1:0]  cb_au_o,
  output logic        snoop_valid_o,
  output ctx_t        snoop_idx_o,
  output logic        state_valid_o,  // for the monitor: a context changed state
  output ctx_t        state_ctx_o,
  output logic [1:0]  state_o,
  output logic        busy_o
);

  typedef logic [NUM_CTX-1:0] ctx_vec_t;
  localparam logic [5:0] LastStep = 6'(NumCbAu - 1);

  logic [511:0] row_mem [NUM_CTX];

  ctx_vec_t     active_q;             // status ACTIVE
  ctx_vec_t     exc_q;                // status EXCEPTION
  ctx_vec_t     pend_q, wait_q, sync_q, snoop_q;
  cch_state_e   state_q [NUM_CTX];
  cch_cause_e   cause_q [NUM_CTX];
  ctx_cfg_t     cfg_q   [NUM_CTX];
  logic [NumCbAu-1:0]  cb_map_q  [NUM_CTX];
  logic [NumDsrAu-1:0] dsr_map_q [NUM_CTX];
  cbr_vec_t     run_q, alloc_q, stopping_q;
  logic [NumCbAu-1:0]  cb_used_q;
  logic [NumDsrAu-1:0] dsr_used_q;

  function automatic ctx_vec_t lowest(input ctx_vec_t v);
    return v & (~v + ctx_vec_t'(1));
  endfunction
  function automatic ctx_t encode(input ctx_vec_t oh);
    return {|(oh & 16'hFF00), |(oh & 16'hF0F0), |(oh & 16'hCCCC), |(oh & 16'hAAAA)};
  endfunction

  // ------------------------------------------------------------------------------------------------ registers
  ctx_t  idx;
  logic  wr, start;
  assign idx   = reg_i.idx[CtxW-1:0];
  assign wr    = reg_valid_i && reg_i.write;
  assign start = wr && !active_q[idx] && reg_i.dw == 3'd0 && reg_i.wdata[CCH_CMD_LSB];

  line_t row_cpu;
  assign row_cpu = row_mem[idx];
  always_comb begin
    reg_rdata_o = row_cpu[64*reg_i.dw+:64];
    if (reg_i.dw == 3'd0) begin
      reg_rdata_o[CCH_CMD_LSB]                      = active_q[idx];
      reg_rdata_o[CCH_STATUS_LSB+:CCH_STATUS_WIDTH] = active_q[idx] ? HANDLE_STATUS_ACTIVE
                                                    : exc_q[idx] ? HANDLE_STATUS_EXCEPTION : HANDLE_STATUS_IDLE;
      reg_rdata_o[CCH_STATE_LSB+:CCH_STATE_WIDTH]   = state_q[idx];
      reg_rdata_o[CCH_CAUSE_LSB+:CCH_CAUSE_WIDTH]   = cause_q[idx];
    end
  end

  // ------------------------------------------------------------------------------------------------ commands
  typedef enum logic [1:0] {S_IDLE, S_CHECK, S_ALLOC, S_LOAD} fsm_e;
  fsm_e       fsm_q;
  ctx_t       cur_q;
  logic [5:0] step_q;
  cch_t       row;
  assign row = row_mem[cur_q];

  cbr_vec_t cur_mask;
  assign cur_mask = (fsm_q != S_IDLE) ? cb_mask(cb_map_q[cur_q]) : '0;

  // Verdict on the command in S_CHECK.
  cch_cause_e verdict;
  always_comb begin
    verdict = CCH_CAUSE_NONE;
    unique case (row.opc)
      CCH_OPC_ALLOCATE: begin
        if (state_q[cur_q] != CCH_STATE_INACTIVE) verdict = CCH_CAUSE_INVALID_ALLOCATION_REQUEST;
        else if (row.cbr_allocation_map == '0) verdict = CCH_CAUSE_NO_CBRS_TO_ALLOCATE;
        else if (row.tlb_int_enable && !row.tfm_fault_bit_enable) verdict = CCH_CAUSE_BAD_TFM_CONFIG;
        else if (|(row.cbr_allocation_map & cb_used_q)) verdict = CCH_CAUSE_CBR_RESOURCES_OVERSUBSCRIPED;
        else if (|(row.dsr_allocation_map & dsr_used_q)) verdict = CCH_CAUSE_DSR_RESOURCES_OVERSUBSCRIPED;
      end
      CCH_OPC_START: begin
        if (state_q[cur_q] != CCH_STATE_MAPPED && state_q[cur_q] != CCH_STATE_INTERRUPTED)
          verdict = CCH_CAUSE_INVALID_START_REQUEST;
        else if (row.tlb_int_enable && !row.tfm_fault_bit_enable) verdict = CCH_CAUSE_BAD_TFM_CONFIG;
      end
      CCH_OPC_INTERRUPT, CCH_OPC_INTERRUPT_SYNC:
        if (state_q[cur_q] != CCH_STATE_ACTIVE) verdict = CCH_CAUSE_INVALID_INTERRUPT_REQUEST;
      CCH_OPC_DEALLOCATE: begin
        if (state_q[cur_q] != CCH_STATE_MAPPED && state_q[cur_q] != CCH_STATE_INTERRUPTED)
          verdict = CCH_CAUSE_INVALID_DEALLOCATION_REQUEST;
        else if (|(busy_i & cur_mask)) verdict = CCH_CAUSE_CBR_DEALLOCATION_ERROR;
      end
      default: verdict = CCH_CAUSE_ILLEGAL_OPCODE;
    endcase
  end

  // Contexts whose INTERRUPT may complete.
  ctx_vec_t released;
  always_comb begin
    released = '0;
    if (|wait_q) begin
      for (int unsigned c = 0; c < NUM_CTX; c++) begin
        if (wait_q[c]) begin
          released[c] = ~|(cb_mask(cb_map_q[c])
                           & ((mutant_i == MUT_UNLOAD_BUSY ? '0 : (sync_q[c] ? busy_i : look_i))
                              | (mutant_i == MUT_NO_FMM_LOCK ? '0 : fmm_i)));
        end
      end
    end
  end
  // One a cycle, so that the monitor sees each.
  ctx_vec_t rel_oh;
  ctx_t     rel;
  logic     rel_any, finish, fail, step_last;
  assign rel_oh  = (fsm_q == S_IDLE || fsm_q == S_ALLOC) ? lowest(released) : '0;
  assign rel     = encode(rel_oh);
  assign rel_any = |rel_oh;
  assign fail    = fsm_q == S_CHECK && verdict != CCH_CAUSE_NONE;

  logic load_last, alloc_last, is_intr, is_dealloc;
  assign load_last  = fsm_q == S_LOAD && step_q == 6'(NUM_REGION);
  assign alloc_last = fsm_q == S_ALLOC && step_last && !rel_any;
  assign step_last  = step_q == LastStep;
  assign is_intr    = row.opc == CCH_OPC_INTERRUPT || row.opc == CCH_OPC_INTERRUPT_SYNC;
  assign is_dealloc = fsm_q == S_CHECK && !fail && row.opc == CCH_OPC_DEALLOCATE;
  assign finish     = load_last || alloc_last || is_dealloc || fail;

  assign mask_o    = cur_mask;
  assign go_o      = load_last;
  assign dealloc_o = is_dealloc;

  cch_state_e new_state;
  always_comb begin
    new_state = CCH_STATE_INTERRUPTED;
    if (load_last) new_state = CCH_STATE_ACTIVE;
    else if (alloc_last) new_state = CCH_STATE_MAPPED;
    else if (is_dealloc) new_state = CCH_STATE_INACTIVE;
  end
  assign state_valid_o = (finish && !fail) || rel_any;
  assign state_ctx_o   = rel_any ? rel : cur_q;
  assign state_o       = new_state;

  ctx_vec_t pick_oh;
  assign pick_oh = lowest(pend_q);

  ctx_vec_t cur_oh, idx_oh;
  assign cur_oh = ctx_vec_t'(1) << cur_q;
  assign idx_oh = ctx_vec_t'(1) << idx;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q   <= '0;
      exc_q      <= '0;
      pend_q     <= '0;
      wait_q     <= '0;
      sync_q     <= '0;
      snoop_q    <= '0;
      run_q      <= '0;
      alloc_q    <= '0;
      stopping_q <= '0;
      cb_used_q  <= '0;
      dsr_used_q <= '0;
      fsm_q      <= S_IDLE;
      cur_q      <= '0;
      step_q     <= '0;
      for (int unsigned c = 0; c < NUM_CTX; c++) begin
        state_q[c]   <= CCH_STATE_INACTIVE;
        cause_q[c]   <= CCH_CAUSE_NONE;
        cfg_q[c]     <= '0;
        cb_map_q[c]  <= '0;
        dsr_map_q[c] <= '0;
      end
    end else if (start || |active_q || |snoop_q) begin
      active_q <= (active_q | (start ? idx_oh : '0)) & ~((finish ? cur_oh : '0) | rel_oh);
      exc_q    <= (exc_q & ~(start ? idx_oh : '0)) | (fail ? cur_oh : '0);
      pend_q   <= (pend_q & ~(fsm_q == S_IDLE ? pick_oh : '0)) | (start ? idx_oh : '0);
      snoop_q  <= (snoop_q & ~lowest(snoop_q)) | (finish ? cur_oh : '0) | rel_oh;
      if (start) cause_q[idx] <= CCH_CAUSE_NONE;
      if (fail) cause_q[cur_q] <= verdict;
      if (state_valid_o) state_q[state_ctx_o] <= new_state;
      if (rel_any) begin
        wait_q     <= wait_q & ~rel_oh;
        stopping_q <= stopping_q & ~cb_mask(cb_map_q[rel]);
      end
      unique case (fsm_q)
        S_IDLE: if (|pend_q) begin
          fsm_q <= S_CHECK;
          cur_q <= encode(pick_oh);
        end
        S_CHECK: begin
          step_q <= '0;
          fsm_q  <= S_IDLE;
          if (!fail) begin
            if (row.opc == CCH_OPC_ALLOCATE) begin
              fsm_q             <= S_ALLOC;
              cb_map_q[cur_q]   <= row.cbr_allocation_map;
              dsr_map_q[cur_q]  <= row.dsr_allocation_map;
              cb_used_q         <= cb_used_q | row.cbr_allocation_map;
              dsr_used_q        <= dsr_used_q | row.dsr_allocation_map;
            end
            if (row.opc == CCH_OPC_START) fsm_q <= S_LOAD;
            if (is_intr) begin
              wait_q[cur_q] <= 1'b1;
              sync_q[cur_q] <= row.opc == CCH_OPC_INTERRUPT_SYNC;
              run_q         <= run_q & ~cur_mask;
              stopping_q    <= stopping_q | cur_mask;
            end
            if (is_dealloc) begin
              cb_used_q        <= cb_used_q & ~cb_map_q[cur_q];
              dsr_used_q       <= dsr_used_q & ~dsr_map_q[cur_q];
              alloc_q          <= alloc_q & ~cur_mask;
              cb_map_q[cur_q]  <= '0;
              dsr_map_q[cur_q] <= '0;
            end
          end
        end
        S_ALLOC: if (!rel_any) begin
          step_q <= step_q + 6'd1;
          if (step_last) begin
            fsm_q   <= S_IDLE;
            alloc_q <= alloc_q | cur_mask;
          end
        end
        S_LOAD: begin
          step_q <= step_q + 6'd1;
          if (load_last) begin
            fsm_q        <= S_IDLE;
            run_q        <= run_q | cur_mask;
            cfg_q[cur_q] <= '{unmap_enable: row.unmap_enable, cb_int_enable: row.cb_int_enable,
                              tlb_int_enable: row.tlb_int_enable, fault_bit_enable: row.tfm_fault_bit_enable,
                              done_bit_enable: row.tfm_done_bit_enable, int_select: row.tlb_int_select};
          end
        end
        default: fsm_q <= S_IDLE;
      endcase
    end
  end

  logic [2:0] reg_no;
  logic       cb_known;
  assign reg_no = step_q[2:0];
  always_ff @(posedge clk_i) begin
    if (wr) begin
      if (!active_q[idx]) row_mem[idx][64*reg_i.dw+:64] <= reg_i.wdata;
      else if (reg_i.dw == 3'd0) row_mem[idx][CCH_DELRESP_LSB] <= reg_i.wdata[CCH_DELRESP_LSB];
    end
  end

  // ------------------------------------------------------------------------------------------------ maps
  gru_cch_maps u_maps (
    .clk_i, .rst_ni,
    .ctx_i          (cur_q),
    .clear_i        (fsm_q == S_CHECK && !fail && (row.opc == CCH_OPC_ALLOCATE || row.opc == CCH_OPC_DEALLOCATE)),
    .add_cb_i       (fsm_q == S_ALLOC && !rel_any && cb_map_q[cur_q][step_q]),
    .add_dsr_i      (fsm_q == S_ALLOC && !rel_any && !step_q[5] && dsr_map_q[cur_q][step_q[4:0]]),
    .add_au_i       (step_q),
    .set_region_i   (fsm_q == S_LOAD && !load_last),
    .set_no_i       (reg_no),
    .set_asid_i     (row.asid[32*reg_no+:ASID_WIDTH]),
    .set_sizes_i    (row.sizeavail[16*reg_no+:NumSizes]),
    .owner_cbr_i    (cfg_cbr_i),
    .owner_o        (cfg_ctx_o),
    .region_ctx_i, .region_i, .region_asid_o, .region_sizes_o,
    .dsr_ctx_i, .dsr_au_i, .dsr_ok_o, .dsr_au_o,
    .cb_ctx_i, .cb_au_i, .cb_ok_o (cb_known), .cb_au_o
  );
  for (genvar p = 0; p < 3; p++) begin : gen_cfg
    assign cfg_o[p] = cfg_q[cfg_ctx_o[p]];
  end
  assign cb_ok_o = cb_known && state_q[cb_ctx_i] != CCH_STATE_INACTIVE;

  assign run_o         = run_q;
  assign alloc_o       = alloc_q;
  assign stopping_o    = stopping_q;
  assign snoop_valid_o = |snoop_q;
  assign snoop_idx_o   = encode(lowest(snoop_q));
  assign busy_o        = fsm_q != S_IDLE || |pend_q || |released || |snoop_q;

  logic unused;
  assign unused = ^{reg_i.unit, reg_i.line, reg_i.wstrb, reg_i.idx[CbrW-1:CtxW], row};

endmodule
