// Fault maps and interrupt lines, checked beside them. Bound to gru_tfm; no logic depends on it.
//
// Promises: FQ-1, every miss in fault-map mode is in its map in the next cycle; FQ-6, its line is up then and never falls while
//   the map holds a bit.
// Costs: the maps are inspected only while a line is up.

module gru_tfm_props
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input logic     clk_i,
  input logic     rst_ni,
  input logic     fault_valid_i,
  input cbr_t     fault_cbr_i,
  input ctx_cfg_t fault_cfg_i,
  input cbr_vec_t fault_q [NUM_TFM],
  input cbr_vec_t done_q  [NUM_TFM],
  input logic [NUM_IRQ-1:0] irq_o
);

  logic       set_q, int_q;
  cbr_t       cbr_q;
  logic [3:0] sel_q;
  logic [NUM_IRQ-1:0] irq_q;
  logic [NUM_TFM-1:0] held_q, held;  // maps that hold a bit, while a line is up
  always_comb begin
    held = '0;
    if (irq_o != '0) begin
      // verilator unroll_disable
      for (int i = 0; i < NUM_TFM; i++) held[i] = fault_q[i] != '0 || done_q[i] != '0;
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      set_q  <= 1'b0;
      int_q  <= 1'b0;
      cbr_q  <= '0;
      sel_q  <= '0;
      irq_q  <= '0;
      held_q <= '0;
    end else begin
      set_q  <= fault_valid_i && fault_cfg_i.fault_bit_enable;
      int_q  <= fault_cfg_i.tlb_int_enable;
      cbr_q  <= fault_cbr_i;
      sel_q  <= fault_cfg_i.int_select;
      irq_q  <= irq_o;
      held_q <= held;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      fq_1_fault_recorded: assert (!set_q || fault_q[sel_q][cbr_q]) else $error("a miss is not in its fault map");
      fq_6_line_rises: assert (!(set_q && int_q) || irq_o[sel_q]) else $error("a miss without its interrupt");
      fq_6_level_until_empty: assert ((irq_q & ~irq_o & held_q) == '0) else $error("an interrupt fell with its map not empty");
    end
  end

endmodule

bind gru_tfm gru_tfm_props u_props (.*);
