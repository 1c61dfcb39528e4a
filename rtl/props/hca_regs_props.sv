// The interrupt lines, checked beside the registers. Bound to hca_regs; no logic depends on it.
//
// Promises: FQ-6, with the fault interrupt on and no coalescing the line is up in the cycle after there are records, and down
//   in the cycle after there are none; with coalescing it is up when enough wait. The completion line likewise.
// Costs: nothing.

module hca_regs_props
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input logic        clk_i,
  input logic        rst_ni,
  input logic        enable_o,
  input logic [2:0]  irq_o,
  input index_t      records,
  input logic [15:0] fired_count,
  input logic        fault_on,
  input logic        cq_on,
  input logic [15:0] fault_least,
  input logic [15:0] cq_least
);

  logic up_q, down_q, cq_up_q, cq_down_q;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      up_q      <= 1'b0;
      down_q    <= 1'b0;
      cq_up_q   <= 1'b0;
      cq_down_q <= 1'b0;
    end else begin
      fq_6_line_up: assert (!up_q || irq_o[IRQ_FAULT]) else $error("FQ-6: records wait and the fault line is down");
      fq_6_line_down: assert (!down_q || !irq_o[IRQ_FAULT])
        else $error("FQ-6: the fault line is up, and no record waits or it is off");
      cq_line_up: assert (!cq_up_q || irq_o[IRQ_COMPLETION]) else $error("queues have fired and the completion line is down");
      cq_line_down: assert (!cq_down_q || !irq_o[IRQ_COMPLETION])
        else $error("the completion line is up, and no queue has fired or it is off");
      up_q      <= enable_o && fault_on && records != '0 && records >= fault_least;
      down_q    <= !enable_o || !fault_on || records == '0;
      cq_up_q   <= enable_o && cq_on && fired_count != '0 && fired_count >= cq_least;
      cq_down_q <= !enable_o || !cq_on || fired_count == '0;
    end
  end

endmodule

bind hca_regs hca_regs_props u_props (
  .*, .fault_on(out.IRQ_ENABLE.fault.value), .cq_on(out.IRQ_ENABLE.completion.value),
  .fault_least(out.FQ_COALESCE.count.value), .cq_least(out.CQ_COALESCE.count.value)
);
