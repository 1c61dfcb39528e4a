// ram_1r1w whose read of the word being written returns the new word: what a pipeline needs when flags beside the memory (valid bits,
// tags in registers) are looked at a cycle after the read.
//
// Promises: rdata_o is, from one cycle after re_i until the next re_i, the word at raddr_i with the write of the cycle of re_i in it.
// Needs: addresses below Depth.
// Costs: ram_1r1w and one word of registers.

module ram_1r1w_fwd #(
  parameter  int unsigned Width = 32,
  parameter  int unsigned Depth = 128,
  localparam int unsigned AddrW = $clog2(Depth)
) (
  input  logic             clk_i,
  input  logic             we_i,
  input  logic [AddrW-1:0] waddr_i,
  input  logic [Width-1:0] wdata_i,
  input  logic             re_i,
  input  logic [AddrW-1:0] raddr_i,
  output logic [Width-1:0] rdata_o
);

  logic forward_q;
  logic [Width-1:0] word_q, from_ram;

  ram_1r1w #(
    .Width(Width),
    .Depth(Depth)
  ) u_ram (
    .clk_i,
    .we_i,
    .waddr_i,
    .wdata_i,
    .re_i,
    .raddr_i,
    .rdata_o(from_ram)
  );

  always_ff @(posedge clk_i) begin
    if (re_i) begin
      forward_q <= we_i && waddr_i == raddr_i;
      if (we_i) word_q <= wdata_i;
    end
  end

  assign rdata_o = forward_q ? word_q : from_ram;

endmodule
