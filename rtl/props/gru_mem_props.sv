// Queues of the engine, checked beside gru_mem. Bound to gru_mem; no logic depends on it.
//
// Promises: the queues between TLB, bus and retirement never overflow, and nothing retires in the cycle after block_i.
// Costs: a few compares a cycle.

module gru_mem_props
  import gru_eng_pkg::*;
(
  input logic       clk_i,
  input logic       rst_ni,
  input logic       req_valid_i,
  input logic       pop,
  input logic [3:0] count_o,
  input logic       amo_push_i,
  input logic [2:0] am_count,
  input logic       block_i,
  input logic       ret_valid_o
);

  logic blocked_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) blocked_q <= 1'b0;
    else blocked_q <= block_i;
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      queue_has_room: assert (!req_valid_i || count_o < 4'(MemDepth)) else $error("bus queue overflow");
      queue_not_empty: assert (!pop || count_o != '0) else $error("bus queue underflow");
      atomics_have_room: assert (!amo_push_i || am_count < 3'd4) else $error("queue of atomic writes overflow");
      blocked_means_no_retirement: assert (!blocked_q || !ret_valid_o) else $error("a retirement after block_i");
    end
  end

endmodule

bind gru_mem gru_mem_props u_props (.*);
