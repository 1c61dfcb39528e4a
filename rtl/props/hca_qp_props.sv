// Rules of the queue pairs, checked beside hca_qp and its parts. Bound; no logic depends on them.
//
// Promises: a verdict comes in the second cycle after its packet was taken; no list of queue pairs has one in it twice, and no queue to a
//   neighbour overflows; a side never lands more than it took; what is parked, waits or stands in ERR sends nothing, and nothing is sent
//   past what was posted.
// Costs: a few compares a cycle.

module hca_qp_props (
  input logic clk_i,
  input logic rst_ni,
  input logic enable_i,
  input logic pkt_valid_i,
  input logic pkt_ready_o,
  input logic verdict_valid_o,
  input logic send_verdict_valid,
  input logic recv_verdict_valid
);

  logic [1:0] taken_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) taken_q <= '0;
    else if (!enable_i) taken_q <= '0;
    else taken_q <= {taken_q[0], pkt_valid_i && pkt_ready_o};
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni && enable_i) begin
      verdict_in_time: assert (verdict_valid_o || !taken_q[1]) else $error("a packet has no verdict after two cycles");
      one_verdict: assert (!(send_verdict_valid && recv_verdict_valid)) else $error("two verdicts in a cycle");
    end
  end

endmodule

module hca_qp_send_props
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_qp_pkg::*;
(
  input logic        clk_i,
  input logic        rst_ni,
  input logic        enable_i,
  input send_event_e event_q,
  input send_ctx_t   ctx,
  input send_ctx_t   ctx_next,
  input send_out_t   out
);

  index_t open;
  assign open = ctx_next.cur.idx - ctx_next.done;

  always_ff @(posedge clk_i) begin
    if (rst_ni && enable_i && event_q != SEND_NONE) begin
      sends_when_it_may: assert (!out.build || (ctx.state == QP_STATE_RTS && !ctx.parked && ctx.waits == WAIT_NONE && !ctx.alone_out))
        else $error("a send side sends although it must wait");
      sends_what_is_posted: assert (!out.build || ctx.cur.idx != ctx.prod) else $error("a send side sends what was not posted");
      window_kept: assert (open <= index_t'(MAX_UNACKED)) else $error("too many work requests unacknowledged");
      acked_in_order: assert (event_q inside {SEND_COMMAND} || !psn_before(ctx_next.una.psn, ctx.una.psn))
        else $error("an acknowledgement went back");
      answers_landed: assert (event_q != SEND_LAND || ctx.flight != '0) else $error("more answers landed than were taken");
      faults_park: assert (!out.flt || ctx_next.parked) else $error("a fault does not park its send side");
    end
  end

endmodule

module hca_qp_recv_props
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_qp_pkg::*;
(
  input logic        clk_i,
  input logic        rst_ni,
  input logic        enable_i,
  input recv_event_e event_q,
  input recv_ctx_t   ctx,
  input recv_ctx_t   ctx_next,
  input recv_out_t   out,
  input rx_pkt_t     pkt_q
);

  always_ff @(posedge clk_i) begin
    if (rst_ni && enable_i && event_q != RECV_NONE) begin
      takes_when_it_may: assert (!out.verdict || out.kind == VERDICT_DROP || state_receives(ctx.state))
        else $error("taken in a state that receives nothing");
      takes_no_fault: assert (!out.verdict || out.kind != VERDICT_TAKE || pkt_q.result == XLT_RESULT_OK)
        else $error("a packet with a fault is taken");
      expects_in_order: assert (event_q == RECV_COMMAND || !psn_before(ctx_next.epsn, ctx.epsn)) else $error("the PSN expected went back");
      counts_landed: assert (event_q == RECV_COMMAND || !psn_before(ctx_next.epsn, ctx_next.lpsn)) else $error("more is acknowledged than was taken");
      requests_landed: assert (event_q != RECV_LAND || ctx.flight != '0) else $error("more packets landed than were taken");
      nak_says_where: assert (out.answer != ANSWER_NAK || ctx.state == QP_STATE_ERR || ctx.lpsn == ctx.epsn)
        else $error("a NAK names a PSN that is not the one expected");
    end
  end

endmodule

module hca_qp_fifo_props #(
  parameter int unsigned Depth = 4096
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   push_i,
  input logic                   pop_i,
  input logic                   valid_o,
  input logic [$clog2(Depth):0] head_q,
  input logic [$clog2(Depth):0] tail_q
);

  logic [$clog2(Depth):0] words;
  assign words = tail_q - head_q;

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      once_in_a_list: assert (!push_i || words != ($clog2(Depth) + 1)'(Depth)) else $error("a list of queue pairs overflows");
      list_not_empty: assert (!pop_i || valid_o) else $error("taken from an empty list");
    end
  end

endmodule

module hca_qp_queue_props #(
  parameter int unsigned Depth = 4
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   push_i,
  input logic [$clog2(Depth):0] count
);

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      queue_has_room: assert (!push_i || count != ($clog2(Depth) + 1)'(Depth)) else $error("a queue to a neighbour overflows");
    end
  end

endmodule

bind hca_qp hca_qp_props u_props (.*);
bind hca_qp_send hca_qp_send_props u_props (.*);
bind hca_qp_recv hca_qp_recv_props u_props (.*);
bind hca_qp_fifo hca_qp_fifo_props #(.Depth(Depth)) u_props (.*);
bind hca_qp_queue hca_qp_queue_props #(.Depth(Depth)) u_props (.*);
