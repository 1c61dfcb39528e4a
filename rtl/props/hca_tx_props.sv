// The rules of the transmit side, checked beside it. Bound to hca_tx; no logic depends on it.
//
// Promises: only live translations are started, none twice, none given back that is not in flight; a slot is empty of uses in flight when it
//   takes the next packet; flits of a packet are one run from sop to eop; what rests goes on resting until something comes.
// Costs: simulation time; a bit for each use.

module hca_tx_props
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_tx_pkg::*;
(
  input logic       clk_i,
  input logic       rst_ni,
  input logic       enable_i,
  input logic       tx_valid_i,
  input logic       tx_ready_o,
  input logic       fail_valid_o,
  input logic       fail_ready_i,
  input logic       tx_flush_valid_i,
  input logic       req_valid_o,
  input logic       req_ready_i,
  input xlt_req_t   req_o,
  input logic       rsp_valid_i,
  input logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] live_i,
  input logic       start_valid_o,
  input use_t       start_o,
  input logic       done_valid_o,
  input use_t       done_o,
  input logic       rd_valid_o,
  input logic       rd_ready_i,
  input logic       rd_rsp_valid_i,
  input logic       flit_valid_o,
  input logic       flit_ready_i,
  input flit_t      flit_o,
  input logic       quiescent_o
);

  logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] flying_q, live_q;
  logic inside_q, resting_q;
  logic moves;  // something an input does in this cycle
  assign moves = (tx_valid_i && tx_ready_o) || (fail_valid_o && fail_ready_i) || tx_flush_valid_i || (req_valid_o && req_ready_i)
              || rsp_valid_i || live_i != live_q || (rd_valid_o && rd_ready_i) || rd_rsp_valid_i || (flit_valid_o && flit_ready_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      flying_q  <= '0;
      inside_q  <= 1'b0;
      resting_q <= 1'b0;
    end else if (!enable_i) begin
      flying_q  <= '0;
      inside_q  <= 1'b0;
      resting_q <= 1'b0;
    end else begin
      if (done_valid_o) flying_q[done_o.slot[TxSlotW-1:0]][done_o.seg] <= 1'b0;
      if (start_valid_o) flying_q[start_o.slot[TxSlotW-1:0]][start_o.seg] <= 1'b1;
      if (flit_valid_o && flit_ready_i) inside_q <= !flit_o.eop;
      resting_q <= quiescent_o && !moves;
    end
  end
  always_ff @(posedge clk_i) live_q <= live_i;

  always_ff @(posedge clk_i) begin
    if (rst_ni && enable_i) begin
      tx_starts_live: assert (!start_valid_o || live_i[start_o.slot[TxSlotW-1:0]][start_o.seg]) else $error("a dead translation is used");
      tx_starts_once: assert (!start_valid_o || !flying_q[start_o.slot[TxSlotW-1:0]][start_o.seg]) else $error("a use in flight is started");
      tx_done_once: assert (!done_valid_o || flying_q[done_o.slot[TxSlotW-1:0]][done_o.seg]) else $error("a use is done that is not in flight");
      tx_asks_landed: assert (!req_valid_o || !flying_q[req_o.id.slot[TxSlotW-1:0]][req_o.id.seg]) else $error("a use in flight is looked up");
      tx_flits_in_packets: assert (!flit_valid_o || flit_o.sop == !inside_q) else $error("a flit outside its packet");
      tx_goes_on_resting: assert (!resting_q || quiescent_o || moves) else $error("wakes although nothing came");
    end
  end

endmodule

bind hca_tx hca_tx_props u_props (.*);
