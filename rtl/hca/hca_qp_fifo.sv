// A deep first-in first-out store in RAM.
//
// Promises: the oldest word stands at data_o while valid_o, two cycles after it was pushed at the earliest; pop_i takes it,
//   one a cycle.
// Needs: never more than Depth words pushed and not popped (queue pairs stand in a list at most once each).
// Costs: Width x Depth bits of RAM.

module hca_qp_fifo #(
  parameter  int unsigned Width = 12,
  parameter  int unsigned Depth = 4096,
  localparam int unsigned AddrW = $clog2(Depth)
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,
  input  logic             push_i,
  input  logic [Width-1:0] data_i,
  output logic             valid_o,
  output logic [Width-1:0] data_o,
  input  logic             pop_i,
  output logic             empty_o   // nothing here, nor on its way to data_o
);

  if ((1 << AddrW) != Depth || Depth < 2) begin : g_check
    $error("hca_qp_fifo: Depth must be a power of two, at least 2");
  end

  logic [AddrW:0] head_q, tail_q;  // words in the RAM: [head_q, tail_q)
  logic valid_q, take;

  assign take = head_q != tail_q && (!valid_q || pop_i);
  assign valid_o = valid_q;
  assign empty_o = !valid_q && head_q == tail_q;

  ram_1r1w #(.Width(Width), .Depth(Depth)) u_ram (
    .clk_i, .we_i(push_i), .waddr_i(tail_q[AddrW-1:0]), .wdata_i(data_i), .re_i(take), .raddr_i(head_q[AddrW-1:0]), .rdata_o(data_o)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_q <= '0;
      tail_q <= '0;
      valid_q <= 1'b0;
    end else if (clear_i) begin
      head_q <= '0;
      tail_q <= '0;
      valid_q <= 1'b0;
    end else begin
      if (push_i) tail_q <= tail_q + 1'b1;
      if (take) head_q <= head_q + 1'b1;
      if (take) valid_q <= 1'b1;
      else if (pop_i) valid_q <= 1'b0;
    end
  end

endmodule
