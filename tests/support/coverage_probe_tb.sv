// The smallest bench with a file of rtl/ in it. With +fail=1 an assertion ends the run half-way.

module coverage_probe_tb;

  logic clk = 1'b0, rst_n = 1'b0;
  always #1 clk = !clk;

  int unsigned fail, cycle;
  initial if (!$value$plusargs("fail=%d", fail)) fail = 0;

  logic [2:0] state_q, state_d;
  logic [1:0] victim;
  plru_tree #(
    .Ways(4)
  ) u_plru (
    .state_i (state_q),
    .touch_i (cycle[2] ? 2'd1 : 2'd0),
    .state_o (state_d),
    .victim_o(victim)
  );

  initial cycle = 0;
  always @(posedge clk) begin
    cycle   <= cycle + 1;
    rst_n   <= cycle >= 3;
    state_q <= rst_n ? state_d : '0;
    probe_ends: assert (fail == 0 || cycle != 40) else $error("half-way");
    if (cycle == 100) begin
      $display("PASS cycles=%0d victim=%0d", cycle, victim);
      $finish;
    end
  end

endmodule
