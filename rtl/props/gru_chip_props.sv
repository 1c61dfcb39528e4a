// What the chiplet promises across its blocks, checked beside it. Bound to gru_top; no logic depends on it.
//
// Promises: SD-2 from end to end (a shootdown's status returns only when no access through a covered translation is on its
//   way to or from memory), the context lock, one access per control block from lookup to response, and that quiescent_o
//   tells the truth. Keeps its own books from the TLB's and the bus's ports; nothing of the drain logic is reused.
// Costs: simulation time only at acceptances, and a compare of the state in cycles after quiescent ones.

module gru_chip_props
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input logic       clk_i,
  input logic       rst_ni,
  // TLB.
  input logic       lkp_valid,
  input logic       lkp_ready,
  input tlb_req_t   lkp,
  input logic       rsp_valid,
  input tlb_rsp_t   rsp,
  input logic       shoot_valid,
  input logic       shoot_ready,
  input tlb_shoot_t shoot,
  input logic [NUM_TGH-1:0] tgh_wait,     // status ACTIVE, draining
  // Ends of accesses.
  input logic       m_axi_rvalid_i,
  input logic       m_axi_rready_o,
  input cbr_t       m_axi_rid_i,
  input logic       m_axi_bvalid_i,
  input logic       m_axi_bready_o,
  input cbr_t       m_axi_bid_i,
  input logic       ret_valid,
  input ret_t       ret,
  input out_e       out,
  input acc_t       ret_acc,
  input cbr_vec_t   bus_amo,
  // Contexts.
  input logic       state_valid,
  input ctx_t       state_ctx,
  input logic [1:0] state_new,
  input logic [NUM_CTX-1:0] sync,
  input logic [NumCbAu-1:0] cb_map [NUM_CTX],
  input cbr_vec_t   fmm,
  input cbr_vec_t   upm,
  input logic       dealloc,
  input cbr_vec_t   ctx_mask,
  // Quiescence.
  input logic       quiescent_o,
  input cbr_vec_t   ready,
  input cbr_vec_t   busy,
  input cbr_vec_t   look,
  input cbr_vec_t   active,
  input cbr_vec_t   run,
  input logic [NUM_IRQ-1:0] irq_o,
  input logic       m_axi_arvalid_o,
  input logic       m_axi_awvalid_o,
  input logic       m_axi_wvalid_o,
  input logic       s_axil_bvalid_o,
  input logic       s_axil_rvalid_o,
  input logic [2:0] pipe,
  input logic [3:0] mem_count,
  input snoop_t     snoop_o,
  input logic [63:0] deadline_o
);

  // ------------------------------------------------------------------------------------------------ accesses
  typedef struct packed {
    asid_t asid;
    ctx_t  ctx;
    vpn_t  vpn;
  } look_t;
  typedef struct packed {
    asid_t asid;
    ctx_t  ctx;
    vpn_t  first;
    vpn_t  last;
  } use_t;

  look_t    look_q [NUM_CBR];
  use_t     use_q  [NUM_CBR];
  cbr_vec_t asked_q;  // lookup on its way
  cbr_vec_t using_q;  // access through a translation on its way

  look_t l;
  use_t  hit_use;
  vpn_t  span;
  logic  hit;
  assign hit  = rsp_valid && rsp.hit;
  assign l    = look_q[rsp.cbr];
  assign span = (vpn_t'(1) << (page_shift(rsp.pagesize) - 6'd12)) - vpn_t'(1);
  assign hit_use = '{asid: l.asid, ctx: l.ctx, first: l.vpn & ~span, last: l.vpn | span};

  // The atomic's end is known when its read is seen to need no write.
  cbr_vec_t ended;
  always_comb begin
    ended = '0;
    if (m_axi_rvalid_i && m_axi_rready_o && !bus_amo[m_axi_rid_i]) ended[m_axi_rid_i] = 1'b1;
    if (m_axi_bvalid_i && m_axi_bready_o) ended[m_axi_bid_i] = 1'b1;
    if (ret_valid && (ret.src == RET_LOCAL || (ret.src == RET_READ && ret_acc.kind == ACC_AMO && out != OUT_CONT)))
      ended[ret.cbr] = 1'b1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) {asked_q, using_q} <= '0;
    else begin
      using_q <= using_q & ~ended;
      if (hit) using_q[rsp.cbr] <= 1'b1;
      if (rsp_valid) asked_q[rsp.cbr] <= 1'b0;
      if (lkp_valid && lkp_ready) asked_q[lkp.cbr] <= 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (lkp_valid && lkp_ready) look_q[lkp.cbr] <= '{asid: lkp.asid, ctx: lkp.ctx, vpn: lkp.va[63:12]};
    if (hit) use_q[rsp.cbr] <= hit_use;
  end

  // ------------------------------------------------------------------------------------------------ SD-2
  function automatic logic covers(input tlb_shoot_t s, input use_t u);
    if (s.scope == SCOPE_CTX) return s.ctxbitmap[u.ctx];
    if (s.asid != u.asid) return 1'b0;
    if (s.scope == SCOPE_ASID) return 1'b1;
    // With a partial mask the TLB may take more than this; what it must take is compared here.
    return s.mask == '1 && u.first <= s.last && s.first <= u.last;
  endfunction

  // A hit answered in the cycle after acceptance was decided in the accepting cycle: the books are taken then.
  logic       accepted_q;
  tlb_shoot_t shoot_q;
  cbr_vec_t   owed_q [NUM_TGH];
  logic [NUM_TGH-1:0] wait_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      accepted_q <= 1'b0;
      wait_q     <= '0;
      for (int t = 0; t < NUM_TGH; t++) owed_q[t] <= '0;
    end else begin
      accepted_q <= shoot_valid && shoot_ready;
      wait_q     <= tgh_wait;
      if (ended != '0 && tgh_wait != '0) begin
        for (int t = 0; t < NUM_TGH; t++) owed_q[t] <= owed_q[t] & ~ended;
      end
      if (accepted_q) begin
        automatic cbr_vec_t owed = '0;
        // verilator unroll_disable
        for (int i = 0; i < NUM_CBR; i++) owed[i] = using_q[i] && !ended[i] && covers(shoot_q, use_q[i]);
        if (hit && covers(shoot_q, hit_use)) owed[rsp.cbr] = 1'b1;
        owed_q[shoot_q.tgh] <= owed;
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (shoot_valid && shoot_ready) shoot_q <= shoot;
  end

  // A handle whose status returned in this cycle, and one that was accepted and may never have waited.
  logic [NUM_TGH-1:0] back;
  logic sd2_bad;
  always_comb begin
    back = wait_q & ~tgh_wait;
    sd2_bad = 1'b0;
    if (back != '0) begin
      // verilator unroll_disable
      for (int t = 0; t < NUM_TGH; t++) if (back[t] && owed_q[t] != '0) sd2_bad = 1'b1;
    end
  end
  logic begun_q, begun_waits_q;  // accepted two cycles ago, and the status waited a cycle ago
  tgh_idx_t begun_tgh_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      begun_q       <= 1'b0;
      begun_waits_q <= 1'b0;
      begun_tgh_q   <= '0;
    end else begin
      begun_q       <= accepted_q;
      begun_waits_q <= tgh_wait[shoot_q.tgh];
      begun_tgh_q   <= shoot_q.tgh;
    end
  end

  // ------------------------------------------------------------------------------------------------ quiescence
  typedef struct packed {
    cbr_vec_t ready, busy, look, active, run, fmm, upm;
    logic [NUM_TGH-1:0] tgh;
    logic [NUM_IRQ-1:0] irq;
    logic [4:0] bus;
    logic [2:0] pipe;
    logic [3:0] mem;
    snoop_t     snoop;
    logic [63:0] deadline;
  } key_t;
  key_t key, key_q;
  assign key = '{ready: ready, busy: busy, look: look, active: active, run: run, fmm: fmm, upm: upm, tgh: tgh_wait, irq: irq_o,
                 bus: {m_axi_arvalid_o, m_axi_awvalid_o, m_axi_wvalid_o, s_axil_bvalid_o, s_axil_rvalid_o}, pipe: pipe,
                 mem: mem_count, snoop: snoop_o, deadline: deadline_o};
  logic quiet_q, moved;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) quiet_q <= 1'b0;
    else quiet_q <= quiescent_o;
  end
  always_ff @(posedge clk_i) begin
    if (quiescent_o && !quiet_q) key_q <= key;
  end
  always_comb begin
    moved = 1'b0;
    if (quiet_q) moved = key != key_q;
  end

  // ------------------------------------------------------------------------------------------------ contexts
  cbr_vec_t left;
  logic interrupted;
  assign interrupted = state_valid && state_new == CCH_STATE_INTERRUPTED;
  always_comb begin
    left = '0;
    if (interrupted) left = cb_mask(cb_map[state_ctx]);
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      sd_2_status_after_access: assert (!sd2_bad) else $error("shootdown status returned before a covered access ended");
      sd_2_status_waits: assert (!begun_q || owed_q[begun_tgh_q] == '0 || begun_waits_q)
        else $error("shootdown status returned on acceptance with a covered access in flight");
      one_access_lookup: assert (!(lkp_valid && lkp_ready) || !(asked_q[lkp.cbr] || using_q[lkp.cbr]))
        else $error("a control block looks up with an access on its way");
      one_access_parked: assert (!(lkp_valid && lkp_ready) || !(fmm[lkp.cbr] || upm[lkp.cbr]))
        else $error("a control block looks up with a miss pending");
      ctx_lock_fault_map: assert (!interrupted || (left & fmm) == '0)
        else $error("context interrupted with a fault-map miss pending");
      ctx_sync_no_access: assert (!interrupted || !sync[state_ctx] || (left & (asked_q | using_q)) == '0)
        else $error("context synchronised with an access in flight");
      ctx_dealloc_no_access: assert (!dealloc || (ctx_mask & (asked_q | using_q)) == '0)
        else $error("context gone with an access in flight");
      quiescent_is_true: assert (!moved) else $error("state moved after a quiescent cycle");
    end
  end

endmodule

bind gru_top gru_chip_props u_chip_props (
  .tgh_wait (u_tgh.wait_q),
  .bus_amo  (u_mem.amo_q),
  .sync     (u_cch.sync_q),
  .cb_map   (u_cch.cb_map_q),
  .pipe     ({u_exec.p1_valid_q, u_exec.p2_valid_q, u_exec.p3_valid_q}),
  .*
);
