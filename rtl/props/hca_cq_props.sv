// Rules of the completion queues, checked beside hca_cq. Bound; no logic depends on them.
//
// Promises: an entry waits unchanged until memory takes it, its index moves only with it, and nothing tells of it before memory's answer;
//   a queue fires only if it was armed, once; one that is full or does not exist is not written.
// Costs: a few compares a cycle and two bits a queue.

module hca_cq_props
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input logic      clk_i,
  input logic      rst_ni,
  input logic      enable_i,
  input doorbell_t doorbell_i,
  input logic      load,
  input logic      wr_valid_o,
  input logic      wr_ready_i,
  input wr_req_t   wr_o,
  input logic      answer,
  input logic      failed,
  input logic      snoop_valid_o,
  input logic      cq_fired_valid_o,
  input cqn_t      cq_fired_o,
  input logic      c1_valid_q,
  input logic      c1_write,
  input logic      c1_lost,
  input cq_req_t   c1_q,
  input index_t    c1_prod_q,
  input index_t    c1_cons_q,
  input logic [NUM_CQ-1:0] valid_q,
  input logic [NUM_CQ-1:0] armed_q,
  input logic [NUM_CQ-1:0] fired_q,
  input cqn_t answered_cqn,
  input logic [6:0] flight_rd_q,
  input logic [6:0] flight_wr_q
);

  logic    wait_q, answered_q;
  wr_req_t wr_q;
  // Events a queue may still make: one an arm. A second arm may come while the first one's event is on its way out.
  logic [NUM_CQ-1:0][1:0] owed_q;
  // Software may have polled the entry before its answer is here: then the second arm and that answer come in one cycle.
  logic armed, owing;
  assign armed = doorbell_i.cq_valid && doorbell_i.cq_arm;
  assign owing = fired_q[doorbell_i.cqn] || (answer && armed_q[answered_cqn] && answered_cqn == doorbell_i.cqn);
  index_t  waiting;
  assign waiting = c1_prod_q - c1_cons_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wait_q     <= 1'b0;
      answered_q <= 1'b0;
      owed_q     <= '0;
    end else begin
      wait_q     <= enable_i && wr_valid_o && !wr_ready_i;
      answered_q <= answer && !failed;
      if (cq_fired_valid_o) owed_q[cq_fired_o] <= owed_q[cq_fired_o] - 1'b1;
      if (armed) owed_q[doorbell_i.cqn] <= owing ? 2'd2 : 2'd1;
      if (!enable_i) owed_q <= '0;
    end
  end
  always_ff @(posedge clk_i) wr_q <= wr_o;

  always_ff @(posedge clk_i) begin
    if (rst_ni && enable_i) begin
      entry_stable: assert (!wait_q || (wr_valid_o && wr_o == wr_q)) else $error("a completion changes while it waits");
      told_after_answer: assert (snoop_valid_o == answered_q) else $error("a completion is told of before memory has it, or not at all");
      answers_asked: assert (!answer || flight_rd_q != flight_wr_q) else $error("an answer to no completion");
      fires_if_armed: assert (!cq_fired_valid_o || owed_q[cq_fired_o] != 2'd0) else $error("a queue fires that is not armed");
      full_is_not_written: assert (!c1_write || (valid_q[c1_q.cqn] && !c1_lost)) else $error("a completion is written into no queue");
      ever_in_order: assert (!c1_valid_q || !valid_q[c1_q.cqn] || waiting <= index_t'(1) << (INDEX_WIDTH - 1))
        else $error("a queue holds more than any can");
      anew_when_empty: assert (!load || (flight_rd_q == flight_wr_q && !c1_valid_q)) else $error("a queue is given anew under its entries");
    end
  end

endmodule

bind hca_cq hca_cq_props u_props (.*, .answered_cqn(oldest.cqn));
