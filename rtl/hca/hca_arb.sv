// Two requesters of one port: the first goes first. What has been offered stays offered until it is taken.
//
// Promises: a stable payload while valid_o waits. The second gets every slot the first leaves.
// Needs: requesters that keep their payload stable; a first one that pauses (bounded in what it has outstanding).
// Costs: combinational.

module hca_arb #(
  parameter type T = logic
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic [1:0] valid_i,
  output logic [1:0] ready_o,
  input  T     [1:0] data_i,
  output logic       valid_o,
  input  logic       ready_i,
  output T           data_o
);

  logic hold_q;  // the second was offered and not taken
  logic pick;

  assign pick    = hold_q || !valid_i[0];
  assign valid_o = valid_i[pick];
  assign data_o  = data_i[pick];
  assign ready_o = {ready_i && pick, ready_i && !pick};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) hold_q <= 1'b0;
    else hold_q <= pick && valid_i[1] && !ready_i;
  end

endmodule
