// Contexts: a memory with one write and one read port, for a pipeline that reads in one stage and writes back in the next.
//
// Promises: rdata_o is the word at raddr_i one cycle after re_i, that of a write in the same cycle included. A word not written since
//   reset or `clear_i` reads as zero.
// Costs: Width x Depth bits of RAM, Depth + 2 Width flip-flops.

module hca_qp_ram #(
  parameter  int unsigned Width = 32,
  parameter  int unsigned Depth = 64,
  localparam int unsigned AddrW = $clog2(Depth)
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,
  input  logic             we_i,
  input  logic [AddrW-1:0] waddr_i,
  input  logic [Width-1:0] wdata_i,
  input  logic             re_i,
  input  logic [AddrW-1:0] raddr_i,
  output logic [Width-1:0] rdata_o
);

  logic [Width-1:0] stored, forward_q;
  logic [Depth-1:0] written_q;
  logic known_q, forwards_q;

  ram_1r1w #(.Width(Width), .Depth(Depth)) u_ram (
    .clk_i, .we_i, .waddr_i, .wdata_i, .re_i, .raddr_i, .rdata_o(stored)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      written_q <= '0;
      known_q <= 1'b0;
      forwards_q <= 1'b0;
    end else begin
      if (clear_i) written_q <= '0;
      else if (we_i) written_q[waddr_i] <= 1'b1;
      if (re_i) begin
        known_q <= written_q[raddr_i];
        forwards_q <= we_i && waddr_i == raddr_i;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (re_i) forward_q <= wdata_i;
  end

  assign rdata_o = forwards_q ? forward_q : known_q ? stored : '0;

endmodule
