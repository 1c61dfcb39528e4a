// Two sources, one neighbour: they take turns, and who has been shown stays until it is taken (or withdraws).

module hca_qp_arb #(
  parameter int unsigned Width = 32
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [1:0]       valid_i,
  output logic [1:0]       ready_o,
  input  logic [Width-1:0] data0_i,
  input  logic [Width-1:0] data1_i,
  output logic             valid_o,
  input  logic             ready_i,
  output logic [Width-1:0] data_o
);

  logic pick, next_q;

  assign pick = valid_i[next_q] ? next_q : !next_q;
  assign valid_o = |valid_i;
  assign data_o = pick ? data1_i : data0_i;
  assign ready_o = {ready_i && pick, ready_i && !pick};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) next_q <= 1'b0;
    else if (valid_o) next_q <= ready_i ? !pick : pick;
  end

endmodule
