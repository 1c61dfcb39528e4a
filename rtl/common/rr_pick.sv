// Round robin: one of those who ask, the next after the one served last.
//
// Promises: index_o asks when valid_o; after `advance_i` it comes last, so who asks on is served after at most N - 1 others.
// Needs: advance_i only with valid_o.
// Costs: combinational from req_i; two priority encoders.

module rr_pick #(
  parameter  int unsigned N = 4,
  localparam int unsigned W = $clog2(N)
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic [N-1:0] req_i,
  input  logic         advance_i,
  output logic         valid_o,
  output logic [W-1:0] index_o
);

  if (N < 2) begin : g_check
    $error("rr_pick: N must be at least 2");
  end

  logic [N-1:0] above_q, first;  // above_q: the places after the one served last

  assign valid_o = |req_i;
  assign first   = |(req_i & above_q) ? req_i & above_q : req_i;

  always_comb begin
    index_o = '0;
    for (int unsigned i = N; i > 0; i--) begin
      if (first[i-1]) index_o = W'(i - 1);
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      above_q <= '0;
    end else if (advance_i) begin
      for (int unsigned i = 0; i < N; i++) above_q[i] <= i > 32'(index_o);
    end
  end

endmodule
