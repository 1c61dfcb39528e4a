// For every invalidation's tag, which of N activities it still waits for.
//
// Promises: busy_o[tag] is high from the cycle after acceptance until the cycle after the last of covered_i is finished; it waits for no
//   other (SD-2, exact).
// Needs: a tag is not reused while busy; covered_i holds none that finishes in the accepting cycle.
// Costs: N bits a tag.

module hca_xlt_drain #(
  parameter  int unsigned N    = 32,
  parameter  int unsigned Tags = 32,
  localparam int unsigned TagW = $clog2(Tags)
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic            enable_i,

  input  logic            accept_i,
  input  logic [TagW-1:0] tag_i,
  input  logic [N-1:0]    covered_i,
  input  logic [N-1:0]    finished_i,
  output logic [Tags-1:0] busy_o
);

  logic [N-1:0] pending_q[Tags];
  logic [Tags-1:0] busy_q;
  logic falls;
  assign falls = busy_q != '0 && finished_i != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q <= '0;
    end else if (!enable_i) begin
      busy_q <= '0;
    end else begin
      if (falls) begin
        for (int unsigned t = 0; t < Tags; t++) busy_q[t] <= busy_q[t] && (pending_q[t] & ~finished_i) != '0;
      end
      if (accept_i) busy_q[tag_i] <= covered_i != '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (falls) begin
      for (int unsigned t = 0; t < Tags; t++) pending_q[t] <= pending_q[t] & ~finished_i;
    end
    if (accept_i) pending_q[tag_i] <= covered_i;
  end

  assign busy_o = busy_q;

endmodule
