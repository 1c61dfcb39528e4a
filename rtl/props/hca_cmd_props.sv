// The order of commands, checked beside the command queue. Bound to hca_cmd; no logic depends on it.
//
// Promises: SD-1, an invalidation counts as executed only when translation has accepted it; SD-2, a fence's value goes out only
//   when no invalidation before it has an access in flight; SD-8, an invalidation at the head is offered in the next cycle,
//   whatever it covers. The consumer index moves by one, with memory's answer to a status.
// Costs: an index for each tag, in the simulator only.

module hca_cmd_props
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input logic               clk_i,
  input logic               rst_ni,
  input logic               enable_i,
  input hca_command_t       cmd,
  input logic               start,
  input logic               push,
  input cmd_status_e        status,
  input logic               tag_ok,
  input logic               covers,
  input cmd_status_e        precheck,
  input logic               fetch_bad,
  input index_t             exec_q,
  input logic               inv_valid_o,
  input logic               inv_ready_i,
  input keyidx_t            inv_key_o,
  input logic               inv_whole_o,
  input va_t                inv_first_o,
  input va_t                inv_last_o,
  input logic [InvTagW-1:0] inv_tag_o,
  input logic [InvTags-1:0] inv_busy_i,
  input logic               wr_valid_o,
  input wr_req_t            wr_o,
  input logic               wr_rsp_valid_i,
  input wr_rsp_t            wr_rsp_i,
  input index_t             retire_index,  // the command that is being retired
  input index_t             cmdq_cons_o
);

  index_t index [InvTags];  // the command whose invalidation has this tag
  logic   offered_q, waiting_q, status_q, fence_seen_q;
  index_t cons_q;
  logic [KEY_IDX_WIDTH+1+2*VaW+InvTagW-1:0] offer_q;

  logic invalidates, moved;
  assign invalidates = cmd.opcode inside {CMD_OP_INVALIDATE_RANGE, CMD_OP_INVALIDATE_KEY} && covers;
  assign moved       = cmdq_cons_o != cons_q;

  logic early;  // a fence's value is out, and an invalidation before it has accesses in flight
  always_comb begin
    early = 1'b0;
    for (int t = 0; t < int'(InvTags); t++) begin
      if (inv_busy_i[t] && $signed(index_t'(index[t] - retire_index)) < 0) early = 1'b1;
    end
  end

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni || !enable_i) begin
      for (int t = 0; t < int'(InvTags); t++) index[t] <= '0;
      offered_q    <= 1'b0;
      waiting_q    <= 1'b0;
      status_q     <= 1'b0;
      fence_seen_q <= 1'b0;
      cons_q       <= '0;
      offer_q      <= '0;
    end else begin
      if (inv_valid_o && inv_ready_i) begin
        index[inv_tag_o] <= exec_q;
        sd_2_tag_free: assert (!inv_busy_i[inv_tag_o])
          else $error("SD-2: tag %0d is given to an invalidation while another waits under it", inv_tag_o);
      end
      sd_1_executed_is_accepted: assert (!(push && invalidates && status == CMD_STATUS_OK) || (inv_valid_o && inv_ready_i))
        else $error("SD-1: invalidation %0d counts as executed and translation has not accepted it", exec_q);
      if (wr_valid_o && wr_o.id == WID_FENCE && !fence_seen_q) begin
        sd_2_fence_waits: assert (!early) else $error("SD-2: fence %0d is written with covered accesses in flight", retire_index);
      end
      sd_8_offered: assert (!offered_q || inv_valid_o)
        else $error("SD-8: invalidation %0d is at the head and is not offered", exec_q);
      inv_stable: assert (!waiting_q || (inv_valid_o && offer_q == {inv_key_o, inv_whole_o, inv_first_o, inv_last_o, inv_tag_o}))
        else $error("an offered invalidation changes");
      cons_with_answer: assert (!moved || (status_q && cmdq_cons_o == index_t'(cons_q + 1'b1)) || cmdq_cons_o == '0)
        else $error("the consumer index moves without memory's answer");

      offered_q    <= start && !fetch_bad && precheck == CMD_STATUS_OK && invalidates && tag_ok;
      waiting_q    <= inv_valid_o && !inv_ready_i;
      offer_q      <= {inv_key_o, inv_whole_o, inv_first_o, inv_last_o, inv_tag_o};
      fence_seen_q <= wr_valid_o && wr_o.id == WID_FENCE;
      status_q     <= wr_rsp_valid_i && wr_rsp_i.id == WID_CMD;
      cons_q       <= cmdq_cons_o;
    end
  end

endmodule

bind hca_cmd hca_cmd_props u_props (.*, .fetch_bad(bad_q[exec_q[CmdSlotW-1:0]]), .retire_index(u_retire.wb_q));
