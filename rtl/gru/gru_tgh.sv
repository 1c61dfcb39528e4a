// Shootdown handles: 24 TGHs in front of the TLB's shootdown port.
//
// Promises: any number of handles may be active at once, none starves (lowest-numbered first within a batch); the status
//   returns to IDLE the cycle after the TLB reports the drain of that handle. Written status, state and cause are ignored,
//   delresp is only stored, a write to an active handle changes only delresp.
// Needs: shoot_done_i pulses once per accepted shootdown.
// Costs: command to shootdown port two cycles, done to status one.

module gru_tgh
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic [7:0]         mutant_i,
  input  logic               reg_valid_i,
  input  reg_req_t           reg_i,
  output logic [63:0]        reg_rdata_o,
  output logic               shoot_valid_o,
  input  logic               shoot_ready_i,
  output tlb_shoot_t         shoot_o,
  input  logic [NUM_TGH-1:0] shoot_done_i,
  output logic               snoop_valid_o,
  output tgh_idx_t           snoop_idx_o,
  output logic               busy_o
);

  typedef logic [NUM_TGH-1:0] vec_t;

  logic [63:0]  w_vaddr   [NUM_TGH];
  logic [63:0]  w_asid    [NUM_TGH];
  logic [63:0]  w_mask    [NUM_TGH];
  logic [63:0]  w_ctx     [NUM_TGH];
  vec_t         delresp_q, opc_q;
  vec_t         pend_q;   // command written, not yet with the TLB (or a NOP)
  vec_t         wait_q;   // accepted, draining
  vec_t         batch_q, snoop_q;
  logic         out_valid_q;
  tlb_shoot_t   out_q;

  function automatic vec_t lowest(input vec_t v);
    return v & (~v + vec_t'(1));
  endfunction
  function automatic tgh_idx_t encode(input vec_t oh);
    return {|(oh & 24'hFF0000), |(oh & 24'h00FF00), |(oh & 24'hF0F0F0), |(oh & 24'hCCCCCC), |(oh & 24'hAAAAAA)};
  endfunction

  // Register side.
  tgh_idx_t     idx;
  logic         active, wr, start;
  assign idx    = reg_i.idx[TghW-1:0];
  assign active = pend_q[idx] || wait_q[idx];
  assign wr     = reg_valid_i && reg_i.write;
  assign start  = wr && !active && reg_i.dw == 3'd0 && reg_i.wdata[TGH_CMD_LSB];

  logic [63:0] dw0;
  always_comb begin
    dw0 = '0;
    dw0[TGH_CMD_LSB]                        = active;
    dw0[TGH_DELRESP_LSB]                    = delresp_q[idx];
    dw0[TGH_OPC_LSB]                        = opc_q[idx];
    dw0[TGH_STATUS_LSB+:TGH_STATUS_WIDTH]   = active ? HANDLE_STATUS_ACTIVE : HANDLE_STATUS_IDLE;
    dw0[TGH_STATE_LSB+:TGH_STATE_WIDTH]     = wait_q[idx] ? TGH_STATE_WAITDONE
                                            : pend_q[idx] ? TGH_STATE_PE_INVAL : TGH_STATE_IDLE;
    unique case (reg_i.dw)
      3'd0: reg_rdata_o = dw0;
      3'd1: reg_rdata_o = w_vaddr[idx];
      3'd2: reg_rdata_o = w_asid[idx];
      3'd3: reg_rdata_o = w_mask[idx];
      3'd4: reg_rdata_o = w_ctx[idx];
      default: reg_rdata_o = '0;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (wr && !active) begin
      unique case (reg_i.dw)
        3'd1: w_vaddr[idx] <= reg_i.wdata;
        3'd2: w_asid[idx]  <= reg_i.wdata;
        3'd3: w_mask[idx]  <= reg_i.wdata;
        3'd4: w_ctx[idx]   <= reg_i.wdata;
        default: ;
      endcase
    end
  end

  // Which command next.
  vec_t     cand, pick_oh;
  tgh_idx_t pick;
  logic     pick_any, pick_nop, load;
  always_comb begin
    cand     = |(pend_q & batch_q) ? (pend_q & batch_q) : pend_q;
    // The one in the output register is not a candidate any more.
    if (out_valid_q) cand[out_q.tgh] = 1'b0;
    pick_oh  = lowest(cand);
    pick     = encode(pick_oh);
    pick_any = |cand;
    pick_nop = pick_any && opc_q[pick] == TGH_OPC_NOP;
  end
  assign load = pick_any && !pick_nop && (!out_valid_q || shoot_ready_i);

  // Words of the handle to the shootdown the TLB understands.
  tlb_shoot_t shoot_d;
  logic [9:0] n;
  logic [52:0] last;
  always_comb begin
    n                 = w_mask[pick][TGH_N_LSB%64+:TGH_N_WIDTH];
    shoot_d           = '0;
    shoot_d.tgh       = pick;
    shoot_d.asid      = w_asid[pick][TGH_ASID_LSB%64+:TGH_ASID_WIDTH];
    shoot_d.mask      = {{(VpnW - TGH_VADDRMASK_WIDTH) {1'b1}}, w_mask[pick][TGH_VADDRMASK_LSB%64+:TGH_VADDRMASK_WIDTH]};
    shoot_d.ctxbitmap = w_ctx[pick][TGH_CTXBITMAP_LSB%64+:TGH_CTXBITMAP_WIDTH];
    shoot_d.first     = w_vaddr[pick][PAGE_SHIFT+:VpnW] & shoot_d.mask;
    last = {1'b0, shoot_d.first}
         + (({43'd0, n} + 53'd1) << (page_shift(w_asid[pick][TGH_PAGESIZE_LSB%64+:TGH_PAGESIZE_WIDTH]) - 6'(PAGE_SHIFT)))
         - 53'd1;
    shoot_d.last      = last[52] ? '1 : last[51:0];
    if (w_asid[pick][TGH_GLOBAL_LSB%64]) shoot_d.scope = SCOPE_CTX;
    else if (n == 10'(INVAL_ALL_N))      shoot_d.scope = SCOPE_ASID;
    else                                 shoot_d.scope = SCOPE_RANGE;
  end

  // A shootdown may drain in the cycle it is accepted or any later one.
  vec_t accept_oh, done;
  logic accept;
  assign accept    = out_valid_q && shoot_ready_i;
  assign accept_oh = accept ? (vec_t'(1) << out_q.tgh) : '0;
  assign done      = mutant_i == MUT_ACK_EARLY ? accept_oh : shoot_done_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      delresp_q   <= '0;
      opc_q       <= '0;
      pend_q      <= '0;
      wait_q      <= '0;
      batch_q     <= '0;
      snoop_q     <= '0;
      out_valid_q <= 1'b0;
      out_q       <= '0;
    end else begin
      if (wr && reg_i.dw == 3'd0) begin
        delresp_q[idx] <= reg_i.wdata[TGH_DELRESP_LSB];
        if (!active) opc_q[idx] <= reg_i.wdata[TGH_OPC_LSB];
      end
      if (|pend_q || start || |wait_q || |snoop_q || |shoot_done_i) begin
        if (load || pick_nop) batch_q <= cand & ~pick_oh;
        if (load) begin
          out_valid_q <= 1'b1;
          out_q       <= shoot_d;
        end else if (accept) begin
          out_valid_q <= 1'b0;
        end
        pend_q  <= (pend_q & ~accept_oh & ~(pick_nop ? pick_oh : '0)) | (start ? (vec_t'(1) << idx) : '0);
        wait_q  <= (wait_q | accept_oh) & ~done;
        snoop_q <= (snoop_q & ~lowest(snoop_q)) | done | (pick_nop ? pick_oh : '0);
      end
    end
  end

  assign shoot_valid_o = out_valid_q;
  assign shoot_o       = out_q;
  assign snoop_valid_o = |snoop_q;
  assign snoop_idx_o   = encode(lowest(snoop_q));
  assign busy_o        = out_valid_q || |cand || |snoop_q;

  logic unused;
  assign unused = ^{reg_i.unit, reg_i.line, reg_i.wstrb, reg_i.idx[CbrW-1:TghW], w_vaddr[pick][PAGE_SHIFT-1:0]};

endmodule
