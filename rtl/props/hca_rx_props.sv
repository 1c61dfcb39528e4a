// Rules of the receive engine, checked beside hca_rx and its slots. Bound; no logic depends on them.
//
// Promises: what is offered stays until it is taken; a translation is started only while it lives, is in flight whenever its packet stands
//   before the queue pairs or is carried out, and is given back before its slot is used again; only packets whose result is OK are taken;
//   whoever says it rests offers nothing and goes on resting until somebody wakes it.
// Costs: a few compares a cycle.

module hca_rx_props
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input logic        clk_i,
  input logic        rst_ni,
  input logic        enable_i,
  input logic        flit_valid_i,
  input logic        flit_ready_o,
  input logic        rd_valid_o,
  input logic        rd_ready_i,
  input rd_req_t     rd_o,
  input logic        rd_rsp_valid_i,
  input logic        wr_valid_o,
  input logic        wr_ready_i,
  input wr_req_t     wr_o,
  input logic        wr_rsp_valid_i,
  input logic        req_valid_o,
  input logic        req_ready_i,
  input xlt_req_t    req_o,
  input logic        rsp_valid_i,
  input logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] live_i,
  input logic        start_valid_o,
  input use_t        start_o,
  input logic        done_valid_o,
  input use_t        done_o,
  input logic        drop_valid_o,
  input logic        pkt_valid_o,
  input logic        pkt_ready_i,
  input rx_pkt_t     pkt_o,
  input logic        verdict_valid_i,
  input rx_verdict_t verdict_i,
  input logic        land_valid_o,
  input logic        land_ready_i,
  input rx_land_t    land_o,
  input logic        resume_valid_i,
  input logic        flush_valid_i,
  input doorbell_t   doorbell_i,
  input logic        cfg_valid_i,
  input logic        quiescent_o,
  input logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] segs,
  input logic        alloc,
  input rxslot_t     free_slot
);

  localparam int unsigned Patience = 64;  // cycles a packet may wait for its verdict once it was taken

  logic    rd_wait_q, wr_wait_q, req_wait_q, pkt_wait_q, land_wait_q, resting_q, on_q;
  rd_req_t rd_q;
  wr_req_t wr_q;
  xlt_req_t req_q;
  rx_pkt_t pkt_q;
  rx_land_t land_q;
  logic [RX_SLOTS-1:0] shown_q, ok_q;
  logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] flying_q;
  logic [$clog2(Patience)-1:0] waited_q;
  logic on;
  assign on = rst_ni && enable_i && on_q;  // the cycle before counts too

  logic [MAX_SEGMENTS-1:0] pkt_flying;
  always_comb begin
    pkt_flying = flying_q[pkt_o.slot];
    if (start_valid_o && start_o.slot[RxSlotW-1:0] == pkt_o.slot) pkt_flying[start_o.seg] = 1'b1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {rd_wait_q, wr_wait_q, req_wait_q, pkt_wait_q, land_wait_q, resting_q, on_q} <= '0;
      shown_q  <= '0;
      flying_q <= '0;
      waited_q <= '0;
    end else if (!enable_i) begin
      {rd_wait_q, wr_wait_q, req_wait_q, pkt_wait_q, land_wait_q, resting_q, on_q} <= '0;
      shown_q  <= '0;
      flying_q <= '0;
      waited_q <= '0;
    end else begin
      on_q        <= 1'b1;
      rd_wait_q   <= rd_valid_o && !rd_ready_i;
      wr_wait_q   <= wr_valid_o && !wr_ready_i;
      req_wait_q  <= req_valid_o && !req_ready_i;
      pkt_wait_q  <= pkt_valid_o && !pkt_ready_i;
      land_wait_q <= land_valid_o && !land_ready_i;
      resting_q   <= quiescent_o && !((flit_valid_i && flit_ready_o) || rd_rsp_valid_i || wr_rsp_valid_i || rsp_valid_i ||
                                      verdict_valid_i || resume_valid_i || flush_valid_i || doorbell_i.rq_valid || cfg_valid_i);
      if (done_valid_o) flying_q[done_o.slot[RxSlotW-1:0]][done_o.seg] <= 1'b0;
      if (start_valid_o) flying_q[start_o.slot[RxSlotW-1:0]][start_o.seg] <= 1'b1;
      if (verdict_valid_i) shown_q[verdict_i.slot] <= 1'b0;
      if (pkt_valid_o && pkt_ready_i) shown_q[pkt_o.slot] <= 1'b1;
      waited_q <= shown_q == '0 || verdict_valid_i ? '0 : waited_q + 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    rd_q   <= rd_o;
    wr_q   <= wr_o;
    req_q  <= req_o;
    pkt_q  <= pkt_o;
    land_q <= land_o;
    if (pkt_valid_o) begin
      ok_q[pkt_o.slot] <= pkt_o.result == XLT_RESULT_OK && !pkt_o.no_wqe && !pkt_o.too_long && !pkt_o.bad_sge;
    end
  end

  always_ff @(posedge clk_i) begin
    if (on) begin
      read_stable: assert (!rd_wait_q || (rd_valid_o && rd_o == rd_q)) else $error("a read changes while it waits");
      write_stable: assert (!wr_wait_q || (wr_valid_o && wr_o == wr_q)) else $error("a write changes while it waits");
      lookup_stable: assert (!req_wait_q || (req_valid_o && req_o == req_q)) else $error("a look-up changes while it waits");
      packet_stable: assert (!pkt_wait_q || (pkt_valid_o && pkt_o == pkt_q)) else $error("a packet shown changes while it waits");
      landing_stable: assert (!land_wait_q || (land_valid_o && land_o == land_q)) else $error("a landing changes while it waits");

      started_alive: assert (!start_valid_o || live_i[start_o.slot[RxSlotW-1:0]][start_o.seg]) else $error("a dead translation is used");
      started_once: assert (!start_valid_o || !flying_q[start_o.slot[RxSlotW-1:0]][start_o.seg]) else $error("a use in flight is started again");
      done_once: assert (!done_valid_o || flying_q[done_o.slot[RxSlotW-1:0]][done_o.seg]) else $error("a use is done that is not in flight");
      shown_in_flight: assert (!pkt_valid_o || pkt_o.result != XLT_RESULT_OK || (segs[pkt_o.slot] & ~pkt_flying) == '0)
        else $error("a packet is shown before its translations are in flight");
      given_back: assert (!alloc || flying_q[free_slot] == '0) else $error("a slot is used again while its old uses are in flight");

      judged_once: assert (!verdict_valid_i || shown_q[verdict_i.slot]) else $error("a verdict on a packet that waits for none");
      takes_what_is_fine: assert (!verdict_valid_i || verdict_i.verdict != VERDICT_TAKE || ok_q[verdict_i.slot])
        else $error("a packet is taken whose addresses are not right");
      judged_in_time: assert (waited_q != '1) else $error("a verdict does not come: what it holds in flight keeps fences waiting");

      rests: assert (!quiescent_o || !(rd_valid_o || wr_valid_o || req_valid_o || start_valid_o || done_valid_o || drop_valid_o ||
                                       pkt_valid_o || land_valid_o))
        else $error("says it rests and offers something");
      // A verdict lets the next packet go in its own cycle.
      goes_on_resting: assert (!resting_q || quiescent_o || verdict_valid_i) else $error("wakes although nothing came");
    end
  end

endmodule

bind hca_rx hca_rx_props u_props (.*);
