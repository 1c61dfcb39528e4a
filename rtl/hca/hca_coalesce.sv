// Interrupt line with coalescing: a level that is up while something waits and enough of it, or for long enough.
//
// Promises: the line is up in the cycle after `waiting_i` is not 0 and either at least `count_i` wait (0 and 1: any), or
//   nothing has moved for `delay_i` cycles (0: never): neither the queue out of emptiness nor software's end of it. It falls when
//   that ends.
// Needs: restart_i in every cycle in which software took something.
// Costs: one cycle from input to line.

module hca_coalesce (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,   // this interrupt may rise
  input  logic [63:0] now_i,
  input  logic [15:0] waiting_i,
  input  logic        restart_i,
  input  logic [15:0] count_i,
  input  logic [31:0] delay_i,
  output logic        line_o,
  output logic        quiescent_o,
  output logic [63:0] deadline_o
);

  logic        some, some_q, enough, late, timed;
  logic        line_d, line_q;
  logic [63:0] since_q, due;

  assign some   = waiting_i != '0;
  assign enough = waiting_i >= count_i;
  assign timed  = some && some_q && delay_i != '0;
  assign due    = since_q + 64'(delay_i);
  assign late   = timed && !restart_i && now_i >= due;
  assign line_d = enable_i && some && (enough || late);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      some_q  <= 1'b0;
      line_q  <= 1'b0;
      since_q <= '0;
    end else begin
      some_q <= some;
      line_q <= line_d;
      if (some && (!some_q || restart_i)) since_q <= now_i;
    end
  end

  assign line_o      = line_q;
  assign quiescent_o = some == some_q && line_q == line_d && !restart_i;
  assign deadline_o  = enable_i && timed && !enough && !line_q ? due : '1;

endmodule
