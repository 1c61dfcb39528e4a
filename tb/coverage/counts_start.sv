// Tells C++ that a model is out of its first reset. Bound to the top module of an instrumented build; no logic depends on it.

module counts_start (
  input logic start_i
);

  import "DPI-C" function void counts_started();

  logic once_q;
  initial once_q = 1'b0;
  always @(posedge start_i) begin
    if (!once_q) begin
      once_q <= 1'b1;
      counts_started();
    end
  end

endmodule
