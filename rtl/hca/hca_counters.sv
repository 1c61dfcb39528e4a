// The counters of the register block: 64 bits each, since power-on.
//
// Promises: every pulse of every source counts, however many come in one cycle.
// Needs: nothing.
// Costs: a pulse counts in the next cycle; reading is combinational.

module hca_counters
  import hca_pkg::*;
#(
  parameter int unsigned Sources = 7,
  localparam int unsigned Counters = 32
) (
  input  logic                              clk_i,
  input  logic                              rst_ni,
  input  logic [Sources-1:0][Counters-1:0]  count_i,
  input  logic [12:0]                       tx_bytes_i,
  input  logic [12:0]                       rx_bytes_i,
  input  logic [$clog2(MTT_WAYS+1)-1:0]     killed_i,
  output logic [Counters-1:0][63:0]         value_o
);

  localparam int unsigned AddW = 13;

  if (Sources < 1) begin : g_check
    $error("hca_counters: Sources must be at least 1");
  end

  logic [Counters-1:0][AddW-1:0] add;
  logic [Counters-1:0][63:0]     value_q;

  always_comb begin
    for (int unsigned i = 0; i < Counters; i++) begin
      add[i] = '0;
      for (int unsigned s = 0; s < Sources; s++) add[i] += AddW'(count_i[s][i]);
    end
    add[COUNT_TX_BYTES] = tx_bytes_i;
    add[COUNT_RX_BYTES] = rx_bytes_i;
    add[COUNT_KILLED]   = AddW'(killed_i);
  end

  for (genvar i = 0; i < Counters; i++) begin : g_counter
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) value_q[i] <= '0;
      else if (add[i] != '0) value_q[i] <= value_q[i] + 64'(add[i]);
    end
  end

  assign value_o = value_q;

endmodule
