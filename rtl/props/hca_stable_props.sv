// One valid/ready interface between blocks of the HCA: what is offered stays, unchanged, until it is taken.
//
// Needs: `excuse_i` in a cycle in which the offer may be taken back.
// Costs: a copy of the payload, written only while it waits.

module hca_stable_props #(
  parameter int unsigned Width = 1
) (
  input logic             clk_i,
  input logic             rst_ni,
  input logic             enable_i,
  input logic             excuse_i,
  input logic             valid_i,
  input logic             ready_i,
  input logic [Width-1:0] data_i
);

  logic             wait_q;
  logic [Width-1:0] data_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) wait_q <= 1'b0;
    else wait_q <= enable_i && valid_i && !ready_i && !excuse_i;
  end
  always_ff @(posedge clk_i) begin
    if (valid_i && !ready_i) data_q <= data_i;
    if (rst_ni && enable_i) begin
      offer_stays: assert (!wait_q || excuse_i || (valid_i && data_i == data_q)) else $error("%m: an offer changed while it waited");
    end
  end

endmodule
