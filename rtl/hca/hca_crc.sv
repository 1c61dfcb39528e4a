// CRC-32 of a packet, one flit at a time (reflected 0xEDB88320; bytes of a flit ascending). Combinational; the caller keeps the state.
//
//   state of the first flit: hca_crc's `first_i`; of the others: state_o of the flit before. The flit's CRC is crc_o, so of the last flit
//   it is what stands in flit_t.crc.
//
// Promises: over all flits of a packet crc_o is the usual CRC-32 (IEEE 802.3, zlib): all ones before, inverted after.
// Costs: the code is linear, so every bit is one exclusive or over a constant subset of the flit: no chain of 512 steps.

module hca_crc (
  input  logic         first_i,  // data_i is the packet's header flit; state_i is not looked at
  input  logic [31:0]  state_i,
  input  logic [511:0] data_i,
  output logic [31:0]  state_o,
  output logic [31:0]  crc_o
);

  localparam logic [31:0] Poly = 32'hEDB88320;
  localparam logic [31:0] Init = '1;

  // Which bits of a flit decide bit `index` of the state at its end: the last bit meets the polynomial once, each before it a step more.
  function automatic logic [511:0] mask(logic [4:0] index);
    automatic logic [31:0] column = Poly;
    mask = '0;
    for (int unsigned k = 0; k < 512; k++) begin
      mask[511-k] = column[index];
      column = (column >> 1) ^ (column[0] ? Poly : 32'd0);
    end
  endfunction

  // The state is added to the first 32 bits that come.
  logic [511:0] sum;
  assign sum = {data_i[511:32], data_i[31:0] ^ (first_i ? Init : state_i)};
  for (genvar i = 0; i < 32; i++) begin : g_bit
    localparam logic [511:0] Mask = mask(5'(i));
    assign state_o[i] = ^(sum & Mask);
  end
  assign crc_o = ~state_o;

endmodule
