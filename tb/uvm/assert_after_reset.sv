// Assertions begin when a clock edge in reset has passed: before it every register holds anything at all, and means nothing.
//
// Bound to the top of a UVM simulator by tb/uvm/build.py.

module assert_after_reset (
  input logic clk_i,
  input logic rst_ni
);
  logic passed_q, on_q;
  initial begin
    $assertoff;
    passed_q = 1'b0;
    on_q = 1'b0;
  end
  always @(posedge clk_i) begin
    if (!rst_ni) passed_q <= 1'b1;
    if (passed_q && !on_q) begin
      $asserton;
      on_q <= 1'b1;
    end
  end
endmodule
