// Tree pseudo-LRU of one set: who goes next, and the state after a use. Combinational; the caller keeps the state.
//
// Promises: victim_o is never the way touched last. Any state is legal, so the state needs no initial value.
// Needs: Ways a power of two, at least 2.
// Costs: Ways - 1 bits of state a set.

module plru_tree #(
  parameter  int unsigned Ways = 4,
  localparam int unsigned WayW = $clog2(Ways)
) (
  input  logic [Ways-2:0] state_i,
  input  logic [WayW-1:0] touch_i,
  output logic [Ways-2:0] state_o,  // state_i after a use of touch_i
  output logic [WayW-1:0] victim_o
);

  if (Ways < 2 || (Ways & (Ways - 1)) != 0) begin : g_check
    $error("plru_tree: Ways must be a power of two, at least 2");
  end

  // Heap order: the children of node n are 2n+1 and 2n+2. A node's bit names the half to evict from.
  always_comb begin
    automatic int unsigned node = 0;
    state_o = state_i;
    for (int unsigned level = 0; level < WayW; level++) begin
      state_o[node] = ~touch_i[WayW-1-level];
      node = 2 * node + 1 + 32'(touch_i[WayW-1-level]);
    end
  end

  always_comb begin
    automatic int unsigned node = 0;
    victim_o = '0;
    for (int unsigned level = 0; level < WayW; level++) begin
      victim_o[WayW-1-level] = state_i[node];
      node = 2 * node + 1 + 32'(state_i[node]);
    end
  end

endmodule
