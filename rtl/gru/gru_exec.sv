// The barrel engine: picks a ready control block a cycle, works out its next access, looks the translation up, and hands the
// access to the bus or parks the control block in its fault handle.
//
//   P0 pick ─▶ P1 read state, index vector ─▶ P2 step ─▶ P3 lookup ─▶ TLB ─▶ hit: bus queue · miss: fault handle
//
// Promises: fair pick (every ready control block of a batch runs before one runs twice); one access per control block; a
//   control block resumed after a miss enters P1 in the next cycle when P1 is free. Lookups leave only when the bus queue
//   has a place for every answer on its way, so the TLB never waits.
//   Polling atomics wait until now_i reaches deadline_o; all that wait are woken together, PollBackoff cycles after the first.
// Needs: the TLB answers in order; retire_* at most once a cycle.
// Costs: ready to lookup three cycles.

module gru_exec
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [63:0] now_i,
  input  logic [7:0]  mutant_i,
  // State of the control block in P1.
  output cbr_t        p1_cbr_o,
  input  cbs_t        p1_static_i,
  input  cbu_t        p1_moving_i,
  input  ctx_t        p1_ctx_i,
  input  ctx_cfg_t    p1_cfg_i,
  // Index vector in the data segment (P1 asks, the line arrives in P2).
  output logic [11:0] index_au_o,
  input  logic        index_ok_i,
  input  logic [DsrAuW-1:0] index_au_i,
  output logic        index_re_o,
  output dsr_line_t   index_line_o,
  input  line_t       index_data_i,
  input  logic        index_hold_i,   // the processor wants that port: hold back
  output logic        index_busy_o,   // the port's data is needed
  // Context of the access in P2.
  output ctx_t        p2_ctx_o,
  output logic [11:0] p2_au_o,
  input  logic        p2_au_ok_i,
  input  logic [DsrAuW-1:0] p2_au_i,
  output logic [2:0]  p2_region_o,
  input  asid_t       p2_asid_i,
  input  logic [NumSizes-1:0] p2_sizes_i,
  // TLB.
  output logic        lkp_valid_o,
  input  logic        lkp_ready_i,
  output tlb_req_t    lkp_o,
  input  logic        rsp_valid_i,
  input  tlb_rsp_t    rsp_i,
  // Miss.
  output logic        park_valid_o,
  output acc_t        park_acc_o,
  // Bus queue.
  output logic        mem_valid_o,
  output mem_req_t    mem_o,
  input  logic [3:0]  mem_count_i,    // requests queued
  // Accesses on their way, read by control block.
  input  cbr_t        acc_a_cbr_i,
  output acc_t        acc_a_o,
  input  cbr_t        acc_b_cbr_i,
  output acc_t        acc_b_o,
  // What happens to control blocks.
  input  logic        start_valid_i,
  input  cbr_t        start_cbr_i,
  input  logic        resume_valid_i,
  input  cbr_t        resume_cbr_i,
  input  logic        ret_valid_i,
  input  cbr_t        ret_cbr_i,
  input  out_e        ret_out_i,
  input  logic        ret_parked_i,   // the retirement is of a parked control block
  input  cbr_vec_t    run_i,
  input  cbr_vec_t    active_i,
  input  cbr_vec_t    restored_i,
  input  cbr_vec_t    mask_i,
  input  logic        go_i,
  input  logic        dealloc_i,
  output cbr_vec_t    ready_o,
  output cbr_vec_t    busy_o,
  output cbr_vec_t    look_o,
  output logic [63:0] deadline_o,
  output logic        work_o          // something moves
);

  cbr_vec_t ready_q, busy_q, look_q, poll_q, batch_q;
  logic     poll_any_q;
  logic [63:0] deadline_q;

  // ------------------------------------------------------------------------------------------------ P0
  cbr_vec_t able, cand, pick_oh;
  logic     pick_any, inject, p1_free, p2_free, p3_free;
  cbr_t     pick;
  always_comb begin
    able    = ready_q & run_i;
    // Ended in this cycle while a restart of its context made it ready.
    if (ret_parked_i) able[ret_cbr_i] = 1'b0;
    cand    = |(able & batch_q) ? (able & batch_q) : able;
    pick_oh = lowest128(cand);
    pick    = enc128(pick_oh);
  end
  assign inject   = resume_valid_i && p1_free && run_i[resume_cbr_i];
  assign pick_any = |able && p1_free && !inject;

  // ------------------------------------------------------------------------------------------------ P1
  logic p1_valid_q;
  cbr_t p1_cbr_q;
  logic p1_index, p1_go;
  assign p1_index = p1_static_i.opc == CB_OPC_IVLOAD || p1_static_i.opc == CB_OPC_IVSTORE || p1_static_i.opc == CB_OPC_IVSET;
  assign p1_go    = p1_valid_q && p2_free && !(p1_index && index_hold_i);
  assign p1_free  = !p1_valid_q || p1_go;
  assign p1_cbr_o = p1_cbr_q;
  assign index_au_o   = p1_moving_i.idef4[21:10];
  assign index_re_o   = p1_go && p1_index;
  assign index_line_o = {index_au_i, p1_moving_i.idef4[9:6]};

  // ------------------------------------------------------------------------------------------------ P2
  logic     p2_valid_q, p2_index_q, p2_index_ok_q;
  cbr_t     p2_cbr_q;
  cbs_t     p2_static_q;
  cbu_t     p2_moving_q;
  ctx_t     p2_ctx_q;
  ctx_cfg_t p2_cfg_q;
  acc_t     p2_acc;
  logic     p2_go;
  assign p2_go        = p2_valid_q && p3_free;
  assign p2_free      = !p2_valid_q || p2_go;
  assign index_busy_o = p2_valid_q && p2_index_q;
  assign p2_ctx_o     = p2_ctx_q;

  logic [63:0] index_word;
  assign index_word = p2_index_q ? index_data_i[{p2_moving_q.idef4[5:3], 6'd0}+:64] : '0;

  gru_step u_step (
    .s_i        (p2_static_q),
    .u_i        (p2_moving_q),
    .ctx_i      (p2_ctx_q),
    .cfg_i      (p2_cfg_q),
    .index_ok_i (p2_index_ok_q),
    .index_i    (index_word),
    .dsr_au_o   (p2_au_o),
    .dsr_ok_i   (p2_au_ok_i),
    .dsr_au_i   (p2_au_i),
    .region_o   (p2_region_o),
    .asid_i     (p2_asid_i),
    .sizes_i    (p2_sizes_i),
    .acc_o      (p2_acc)
  );

  // ------------------------------------------------------------------------------------------------ P3
  logic       p3_valid_q, p3_mapped, p3_room, p3_go, bypass;
  cbr_t       p3_cbr_q;
  acc_t       p3_acc_q;
  logic [3:0] looking_q;
  assign p3_mapped   = p3_acc_q.mapped && p3_acc_q.kind != ACC_LOCAL;
  // A lookup once offered stays offered: places in the queue are only taken by this stage.
  assign p3_room     = mem_count_i + looking_q < 4'(MemDepth);
  assign lkp_valid_o = p3_valid_q && p3_mapped && p3_room;
  assign bypass      = p3_valid_q && !p3_mapped && p3_room && !rsp_valid_i;
  assign p3_go       = (lkp_valid_o && lkp_ready_i) || bypass;
  assign p3_free     = !p3_valid_q || p3_go;
  assign lkp_o       = '{cbr: p3_cbr_q, ctx: p3_acc_q.ctx, asid: p3_acc_q.asid, va: p3_acc_q.va, write: p3_acc_q.wperm,
                         sizes: p3_acc_q.sizes};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      p1_valid_q <= 1'b0;
      p2_valid_q <= 1'b0;
      p3_valid_q <= 1'b0;
    end else begin
      if (p1_free) p1_valid_q <= pick_any || inject;
      if (p2_free) p2_valid_q <= p1_go;
      if (p3_free) p3_valid_q <= p2_go;
    end
  end
  always_ff @(posedge clk_i) begin
    if (pick_any || inject) p1_cbr_q <= inject ? resume_cbr_i : pick;
    if (p1_go) begin
      p2_cbr_q      <= p1_cbr_q;
      p2_static_q   <= p1_static_i;
      p2_moving_q   <= p1_moving_i;
      p2_ctx_q      <= p1_ctx_i;
      p2_cfg_q      <= p1_cfg_i;
      p2_index_q    <= p1_index;
      p2_index_ok_q <= index_ok_i;
    end
    if (p2_go) begin
      p3_cbr_q <= p2_cbr_q;
      p3_acc_q <= p2_acc;
    end
  end

  // ------------------------------------------------------------------------------------------------ accesses on their way
  acc_t acc_mem [NUM_CBR];
  always_ff @(posedge clk_i) begin
    if (p3_go) acc_mem[p3_cbr_q] <= p3_acc_q;
  end
  assign acc_a_o = acc_mem[acc_a_cbr_i];
  assign acc_b_o = acc_mem[acc_b_cbr_i];

  // ------------------------------------------------------------------------------------------------ answer of the TLB
  acc_t rsp_acc;
  logic iaa_bad;
  assign rsp_acc      = acc_mem[rsp_i.cbr];
  assign iaa_bad      = rsp_acc.iaa != rsp_i.gaa;
  assign park_valid_o = rsp_valid_i && !rsp_i.hit;
  assign park_acc_o   = rsp_acc;
  assign mem_valid_o  = (rsp_valid_i && rsp_i.hit) || bypass;
  always_comb begin
    mem_o = '0;
    if (rsp_valid_i) begin
      mem_o.cbr  = rsp_i.cbr;
      mem_o.kind = iaa_bad ? ACC_LOCAL : rsp_acc.kind;
      mem_o.used = 1'b1;
      mem_o.pa   = rsp_i.pa;
      mem_o.ecause[CB_ECAUSE_IAA_GAA_MISMATCH] = 1'b1;
    end else begin
      mem_o.cbr    = p3_cbr_q;
      mem_o.kind   = p3_acc_q.kind;
      mem_o.pa     = p3_acc_q.va[PA_WIDTH-1:0];
      mem_o.ecause = p3_acc_q.ecause;
    end
  end

  // ------------------------------------------------------------------------------------------------ who may run
  logic wake;
  assign wake = poll_any_q && now_i >= deadline_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ready_q    <= '0;
      busy_q     <= '0;
      look_q     <= '0;
      poll_q     <= '0;
      batch_q    <= '0;
      poll_any_q <= 1'b0;
      deadline_q <= '1;
      looking_q  <= '0;
    end else begin
      looking_q <= looking_q + 4'(lkp_valid_o && lkp_ready_i) - 4'(rsp_valid_i);
      // Vectors first: what happens to one control block in the same cycle is assigned later and wins.
      if (go_i || dealloc_i || wake) begin
        ready_q <= (ready_q | (wake ? poll_q : '0) | (go_i ? (active_i | restored_i) & mask_i & ~busy_q : '0))
                 & ~(dealloc_i ? mask_i : '0);
        poll_q  <= wake ? '0 : (poll_q & ~mask_i);
        if (wake) begin
          poll_any_q <= 1'b0;
          deadline_q <= '1;
        end
      end
      if (pick_any) begin
        batch_q       <= cand & ~pick_oh;
        ready_q[pick] <= 1'b0;
        busy_q[pick]  <= 1'b1;
        look_q[pick]  <= 1'b1;
      end
      if (start_valid_i) ready_q[start_cbr_i] <= 1'b1;
      if (resume_valid_i) begin
        ready_q[resume_cbr_i] <= !inject || mutant_i == MUT_TWO_ACCESSES;
        if (inject) begin
          busy_q[resume_cbr_i] <= 1'b1;
          look_q[resume_cbr_i] <= 1'b1;
        end
      end
      if (park_valid_o) busy_q[rsp_i.cbr] <= 1'b0;
      if (rsp_valid_i) look_q[rsp_i.cbr] <= 1'b0;
      else if (bypass) look_q[p3_cbr_q] <= 1'b0;
      if (ret_valid_i) begin
        if (ret_out_i != OUT_CONT) busy_q[ret_cbr_i] <= 1'b0;
        if (ret_out_i == OUT_AGAIN) ready_q[ret_cbr_i] <= 1'b1;
        if (ret_parked_i) ready_q[ret_cbr_i] <= 1'b0;
        if (ret_out_i == OUT_POLL) begin
          poll_q[ret_cbr_i] <= 1'b1;
          poll_any_q        <= 1'b1;
          if (!poll_any_q || wake) deadline_q <= now_i + 64'(PollBackoff);
        end
      end
    end
  end

  assign ready_o    = ready_q;
  assign busy_o     = busy_q;
  assign look_o     = look_q;
  assign deadline_o = deadline_q;
  assign work_o     = |able || p1_valid_q || p2_valid_q || p3_valid_q || looking_q != '0 || wake;

  logic unused;
  assign unused = ^{rsp_i, rsp_acc};

endmodule
