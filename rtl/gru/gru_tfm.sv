// Fault maps and interrupt lines: per core, 128 fault bits and 128 done bits.
//
// Promises: a bit set by the device in the cycle a processor clears it stays set; writes are write-one-to-clear, so the
//   driver's exchange loses nothing. A line rises with a bit whose context asks for the interrupt and stays up until the
//   core's whole map is zero.
// Needs: at most one fault bit and one done bit a cycle.
// Costs: bit and line in the cycle after the event.

module gru_tfm
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
  input  logic        fault_valid_i,
  input  cbr_t        fault_cbr_i,
  input  ctx_cfg_t    fault_cfg_i,
  input  logic        done_valid_i,
  input  cbr_t        done_cbr_i,
  input  ctx_cfg_t    done_cfg_i,
  output logic [NUM_IRQ-1:0] irq_o,
  output logic        busy_o
);

  cbr_vec_t fault_q [NUM_TFM];
  cbr_vec_t done_q  [NUM_TFM];
  logic [NUM_IRQ-1:0] irq_q;
  logic               dirty_q;  // a map changed: lines may have to fall

  logic [3:0] idx;
  logic       wr, set_fault, set_done;
  assign idx       = reg_i.idx[3:0];
  assign wr        = reg_valid_i && reg_i.write;
  assign set_fault = fault_valid_i && fault_cfg_i.fault_bit_enable && mutant_i != MUT_FAULT_LOST;
  assign set_done  = done_valid_i && done_cfg_i.cb_int_enable && done_cfg_i.done_bit_enable;

  always_comb begin
    unique case (reg_i.dw)
      3'd0: reg_rdata_o = fault_q[idx][63:0];
      3'd1: reg_rdata_o = fault_q[idx][127:64];
      3'd4: reg_rdata_o = done_q[idx][63:0];
      3'd5: reg_rdata_o = done_q[idx][127:64];
      default: reg_rdata_o = '0;
    endcase
  end

  logic [NUM_TFM-1:0] nonzero;

  // Sets come after clears: with nonblocking order the later assignment to the same bit wins.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned i = 0; i < NUM_TFM; i++) begin
        fault_q[i] <= '0;
        done_q[i]  <= '0;
      end
    end else begin
      if (wr) begin
        unique case (reg_i.dw)
          3'd0: fault_q[idx][63:0]   <= fault_q[idx][63:0] & ~reg_i.wdata;
          3'd1: fault_q[idx][127:64] <= fault_q[idx][127:64] & ~reg_i.wdata;
          3'd4: done_q[idx][63:0]    <= done_q[idx][63:0] & ~reg_i.wdata;
          3'd5: done_q[idx][127:64]  <= done_q[idx][127:64] & ~reg_i.wdata;
          default: ;
        endcase
      end
      if (set_fault) fault_q[fault_cfg_i.int_select][fault_cbr_i] <= 1'b1;
      if (set_done) done_q[done_cfg_i.int_select][done_cbr_i] <= 1'b1;
    end
  end

  always_comb begin
    nonzero = '0;
    if (dirty_q) begin
      for (int unsigned i = 0; i < NUM_TFM; i++) nonzero[i] = |fault_q[i] || |done_q[i];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      irq_q   <= '0;
      dirty_q <= 1'b0;
    end else begin
      dirty_q <= wr;
      if (dirty_q) irq_q <= irq_q & nonzero;
      else if (mutant_i == MUT_IRQ_PULSE) irq_q <= '0;
      if (set_fault && fault_cfg_i.tlb_int_enable) irq_q[fault_cfg_i.int_select] <= 1'b1;
      if (set_done) irq_q[done_cfg_i.int_select] <= 1'b1;
    end
  end

  assign irq_o  = irq_q;
  assign busy_o = dirty_q || (mutant_i == MUT_IRQ_PULSE && |irq_q);

  logic unused;
  assign unused = ^{reg_i.unit, reg_i.line, reg_i.wstrb, reg_i.idx[CbrW-1:4], fault_cfg_i, done_cfg_i};

endmodule
