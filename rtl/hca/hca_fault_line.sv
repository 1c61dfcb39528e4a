// Faults waiting for their record to be written: a line of (direction, queue pair), long enough for all of them.
//
// Promises: first in, first out; the head is there two cycles after it came into an empty line.
// Needs: push and pop at most one each a cycle, pop only with head_valid_o; never more than Ids inside.
// Costs: one RAM.

module hca_fault_line #(
  parameter  int unsigned Ids = 8192,
  localparam int unsigned IdW = $clog2(Ids)
) (
  input  logic           clk_i,
  input  logic           rst_ni,
  input  logic           enable_i,
  input  logic           push_i,
  input  logic [IdW-1:0] id_i,
  input  logic           pop_i,
  output logic           head_valid_o,
  output logic [IdW-1:0] head_o,
  output logic [IdW:0]   count_o,
  output logic           quiescent_o
);

  if (Ids < 2 || (Ids & (Ids - 1)) != 0) begin : g_check
    $error("hca_fault_line: Ids must be a power of two, at least 2");
  end

  logic           re, re_q, head_valid_q;
  logic [IdW:0]   wr_q, rd_q, count_q;  // indices with wrap bit
  logic [IdW-1:0] rdata, head_q;

  ram_1r1w #(.Width(IdW), .Depth(Ids)) u_ram (
    .clk_i, .we_i(push_i), .waddr_i(wr_q[IdW-1:0]), .wdata_i(id_i), .re_i(re), .raddr_i(rd_q[IdW-1:0]), .rdata_o(rdata)
  );

  assign re = wr_q != rd_q && !head_valid_q && !re_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      re_q         <= 1'b0;
      head_valid_q <= 1'b0;
      head_q       <= '0;
      wr_q         <= '0;
      rd_q         <= '0;
      count_q      <= '0;
    end else if (!enable_i) begin
      re_q         <= 1'b0;
      head_valid_q <= 1'b0;
      wr_q         <= '0;
      rd_q         <= '0;
      count_q      <= '0;
    end else begin
      re_q <= re;
      if (re) rd_q <= rd_q + 1'b1;
      if (re_q) begin
        head_valid_q <= 1'b1;
        head_q       <= rdata;
      end
      if (pop_i) head_valid_q <= 1'b0;
      if (push_i) wr_q <= wr_q + 1'b1;
      count_q <= count_q + (IdW + 1)'(push_i) - (IdW + 1)'(pop_i);
    end
  end

  assign head_valid_o = head_valid_q;
  assign head_o       = head_q;
  assign count_o      = count_q;
  assign quiescent_o  = !re && !re_q && !push_i && !pop_i;

endmodule
