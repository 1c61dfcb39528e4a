// Write ports of the working state, checked beside gru_cb. Bound to gru_cb; no logic depends on it.
//
// Promises: a retirement, a start and a processor's write never meet.
// Costs: nothing to speak of.

module gru_cb_props
  import gru_eng_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,
  input logic ret_valid_i,
  input logic cb_wr,
  input logic cbe_wr,
  input logic w_start
);

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      one_writer: assert (32'(ret_valid_i) + 32'(cb_wr || cbe_wr) + 32'(w_start) <= 32'd1)
        else $error("two writers of the working state");
    end
  end

endmodule

bind gru_cb gru_cb_props u_props (.*);
