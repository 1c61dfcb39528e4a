// hca_link with one plain port a field, for the block test: a flit's data are eight words.

module link_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
#(
  parameter int unsigned Depth = 16
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  mutant_i,  // there is none
  input  logic [63:0] now_i,
  input  logic [15:0] latency_i,
  input  logic [7:0]  cycles_per_flit_i,
  input  logic [1:0]  action_i,
  input  logic        valid_i,
  input  logic        sop_i,
  input  logic        eop_i,
  input  logic [31:0] crc_i,
  input  logic [63:0] data0_i,
  input  logic [63:0] data1_i,
  input  logic [63:0] data2_i,
  input  logic [63:0] data3_i,
  input  logic [63:0] data4_i,
  input  logic [63:0] data5_i,
  input  logic [63:0] data6_i,
  input  logic [63:0] data7_i,
  input  logic        ready_i,

  output logic        action_taken_o,
  output logic        ready_o,
  output logic        valid_o,
  output logic        sop_o,
  output logic        eop_o,
  output logic [31:0] crc_o,
  output logic [63:0] data0_o,
  output logic [63:0] data1_o,
  output logic [63:0] data2_o,
  output logic [63:0] data3_o,
  output logic [63:0] data4_o,
  output logic [63:0] data5_o,
  output logic [63:0] data6_o,
  output logic [63:0] data7_o,
  output logic        quiescent_o,
  output logic [63:0] deadline_o
);

  flit_t in, out;
  assign in = '{data: {data7_i, data6_i, data5_i, data4_i, data3_i, data2_i, data1_i, data0_i}, sop: sop_i, eop: eop_i, crc: crc_i};

  hca_link #(
    .Depth(Depth)
  ) u_link (
    .clk_i,
    .rst_ni,
    .now_i,
    .latency_i,
    .cycles_per_flit_i,
    .action_i,
    .action_taken_o,
    .flit_valid_i(valid_i),
    .flit_ready_o(ready_o),
    .flit_i      (in),
    .flit_valid_o(valid_o),
    .flit_ready_i(ready_i),
    .flit_o      (out),
    .quiescent_o,
    .deadline_o
  );

  assign {data7_o, data6_o, data5_o, data4_o, data3_o, data2_o, data1_o, data0_o} = out.data;
  assign {sop_o, eop_o, crc_o} = {out.sop, out.eop, out.crc};

endmodule
