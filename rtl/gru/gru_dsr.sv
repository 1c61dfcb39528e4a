// Data segment: 32 KiB as 512 lines of 64 bytes.
//
// Promises: one write a cycle with byte enables, two synchronous reads a cycle; read data holds until that port reads again.
//   Port a serves the store data of the bus, port b the index vectors and the processor.
// Costs: data one cycle after the address; a read in the cycle of a write to the same line returns the old bytes.

module gru_dsr
  import gru_eng_pkg::*;
(
  input  logic        clk_i,
  input  logic        we_i,
  input  dsr_line_t   waddr_i,
  input  line_t       wdata_i,
  input  logic [63:0] wmask_i,
  input  logic        a_re_i,
  input  dsr_line_t   a_addr_i,
  output line_t       a_data_o,
  input  logic        b_re_i,
  input  dsr_line_t   b_addr_i,
  output line_t       b_data_o
);

  line_t mem [DsrLines];

  always_ff @(posedge clk_i) begin
    if (we_i) begin
      for (int unsigned i = 0; i < 64; i++) begin
        if (wmask_i[i]) mem[waddr_i][8*i+:8] <= wdata_i[8*i+:8];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (a_re_i) a_data_o <= mem[a_addr_i];
  end

  always_ff @(posedge clk_i) begin
    if (b_re_i) b_data_o <= mem[b_addr_i];
  end

endmodule
