// Memory with one write and one read port.
//
// Promises: rdata_o is the word at raddr_i one cycle after re_i, and holds until the next re_i. A read of the address that is
//   written in the same cycle returns the old word. Infers as RAM; contents are undefined until written.
// Needs: addresses below Depth.
// Costs: Width x Depth bits of RAM, one cycle.

module ram_1r1w #(
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

  if (Depth < 2) begin : g_check
    $error("ram_1r1w: Depth must be at least 2");
  end

  logic [Width-1:0] mem[Depth];

  always_ff @(posedge clk_i) begin
    if (we_i) mem[waddr_i] <= wdata_i;
    if (re_i) rdata_o <= mem[raddr_i];
  end

endmodule
