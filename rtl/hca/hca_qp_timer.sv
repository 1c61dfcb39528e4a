// Waits of one constant length: queue pairs in the order in which they began to wait.
//
// Promises: fires with the queue pair's number `delay_i` cycles after `start_i`, or as soon after as `take_i` lets it and those before it.
// Needs: at most one wait a queue pair. A delay made shorter applies after the waits begun before.

module hca_qp_timer
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,
  input  logic [63:0] now_i,
  input  logic [31:0] delay_i,
  input  logic        start_i,
  input  qpn_t        start_qpn_i,
  output logic        fire_o,
  output qpn_t        fire_qpn_o,
  input  logic        take_i,
  output logic        settled_o,   // nothing is on its way to the head
  output logic [63:0] deadline_o   // all ones: none
);

  qpn_t qpn;
  logic [63:0] deadline;
  logic valid, empty;

  hca_qp_fifo #(.Width(QPN_WIDTH + 64), .Depth(NUM_QP)) u_fifo (
    .clk_i, .rst_ni, .clear_i,
    .push_i(start_i), .data_i({start_qpn_i, now_i + 64'(delay_i)}),
    .valid_o(valid), .data_o({qpn, deadline}), .pop_i(take_i && fire_o), .empty_o(empty)
  );

  assign fire_o = valid && now_i >= deadline;
  assign fire_qpn_o = qpn;
  assign settled_o = (valid || empty) && !fire_o;
  assign deadline_o = valid ? deadline : '1;

endmodule
