// Fault handles, checked beside them. Bound to gru_tfh; no logic depends on it.
//
// Promises: a drop-in is offered only for a pending miss and stays offered unchanged; a control block misses once at a time; a
//   command resumes only what waits. Keeps its own book of the misses, from the ports.
// Costs: a few compares a cycle.

module gru_tfh_props
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input logic      clk_i,
  input logic      rst_ni,
  input logic      park_valid_i,
  input tlb_rsp_t  park_rsp_i,
  input logic      fill_valid_o,
  input logic      fill_ready_i,
  input tlb_fill_t fill_o,
  input logic      resume_o,
  input logic      exc_valid_o,
  input logic      exc_ready_i,
  input cbr_t      cmd_cbr_o,
  input cbr_vec_t  mask_i,
  input logic      go_i,
  input logic      dealloc_i
);

  // Own book of the misses, from the ports.
  cbr_vec_t  missing_q;
  logic      wait_q;
  tlb_fill_t fill_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      missing_q <= '0;
      wait_q    <= 1'b0;
    end else begin
      if (go_i || dealloc_i) missing_q <= missing_q & ~mask_i;
      if (resume_o || (exc_valid_o && exc_ready_i)) missing_q[cmd_cbr_o] <= 1'b0;
      if (park_valid_i) missing_q[park_rsp_i.cbr] <= 1'b1;
      wait_q <= fill_valid_o && !fill_ready_i;
    end
  end
  always_ff @(posedge clk_i) begin
    if (fill_valid_o && !fill_ready_i) fill_q <= fill_o;
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      tfh_fill_needs_miss: assert (!fill_valid_o || wait_q || missing_q[fill_o.cbr])
        else $error("a drop-in from a handle without a pending miss");
      tfh_fill_stable: assert (!wait_q || (fill_valid_o && fill_o == fill_q)) else $error("a drop-in changed while it waited");
      tfh_one_miss: assert (!park_valid_i || !missing_q[park_rsp_i.cbr]) else $error("a second miss of a control block");
      tfh_resume_needs_miss: assert (!(resume_o || exc_valid_o) || missing_q[cmd_cbr_o])
        else $error("a control block resumed that does not wait");
    end
  end

endmodule

bind gru_tfh gru_tfh_props u_props (.*);
