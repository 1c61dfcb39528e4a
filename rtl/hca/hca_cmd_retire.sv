// The far end of the command queue: what executed commands write, in order. A fence waits here while commands behind it execute.
//
// Promises: in order of the queue, a fence's value is written when no invalidation executed before it has an access in flight
//   (SD-2), a report as soon as memory takes it; then double-word 7 of the entry. The consumer index moves, and the probe goes
//   out, when memory has answered that write. Statuses are pipelined.
// Needs: at most CmdSlots commands pushed and not retired; one report at a time (report_free_o). A bit of inv_busy_i that has
//   fallen rises again only for an invalidation executed later, in the cycle after at the earliest.
// Costs: push to a fence's write, two cycles when nothing is in flight.

module hca_cmd_retire
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  input  logic [7:0]  mutant_i,
  input  logic        restart_i,     // with idle_o: begin again at index 0
  input  pa_t         base_i,
  input  index_t      mask_i,        // entries - 1
  input  logic        push_valid_i,
  input  retire_t     push_i,
  input  line_t       report_i,      // with a push of RETIRE_REPORT
  output logic        report_free_o,
  input  logic [InvTags-1:0] inv_busy_i,
  output index_t      cons_o,
  output logic        idle_o,
  output logic        failed_o,      // memory refused a status: pulse
  output logic        wr_valid_o,
  input  logic        wr_ready_i,
  output wr_req_t     wr_o,
  input  logic        wr_rsp_valid_i,
  input  wr_rsp_t     wr_rsp_i,
  output logic        cmd_snoop_valid_o,
  output index_t      cmd_snoop_o,
  output logic        fence_snoop_valid_o,
  output logic        obs_fence_valid_o,
  output index_t      obs_fence_index_o,
  output logic [63:0] obs_fence_value_o,
  output logic        command_done_o,     // counters
  output logic        command_bad_o,
  output logic        quiescent_o
);

  retire_t            slot_q [CmdSlots];
  logic [InvTags-1:0] wait_q [CmdSlots];  // invalidations before the fence in this slot that have accesses in flight
  line_t              report_q;
  logic               report_full_q;
  index_t             push_q, wb_q, cons_q;  // pushed, status written, status answered
  logic               first_q;               // the fence's value or the report is on its way
  logic               wr_valid_q;
  wr_req_t            wr_q;
  logic               snoop_q, fence_snoop_q, obs_fence_q;
  index_t             snoop_index_q, obs_index_q;
  logic [63:0]        obs_value_q;

  retire_t head;
  assign head = slot_q[wb_q[CmdSlotW-1:0]];

  logic have, free, send_status, send_fence, send_report, drained;
  assign have        = push_q != wb_q && !first_q;
  assign free        = !wr_valid_q || wr_ready_i;
  assign drained     = wait_q[wb_q[CmdSlotW-1:0]] == '0 || mutant_i == HMUT_ACK_BEFORE_DRAIN;
  assign send_status = have && free && head.kind == RETIRE_STATUS;
  assign send_fence  = have && free && head.kind == RETIRE_FENCE && drained;
  assign send_report = have && free && head.kind == RETIRE_REPORT;

  // Responses of one ID come in order: statuses that went before a report are answered before it.
  logic cmd_rsp, fence_rsp, report_rsp, status_rsp, first_rsp, rsp_bad;
  assign rsp_bad    = wr_rsp_i.resp[1];
  assign cmd_rsp    = wr_rsp_valid_i && wr_rsp_i.id == WID_CMD;
  assign status_rsp = cmd_rsp && cons_q != wb_q;
  assign report_rsp = cmd_rsp && cons_q == wb_q && first_q;
  assign fence_rsp  = wr_rsp_valid_i && wr_rsp_i.id == WID_FENCE && first_q;
  assign first_rsp  = report_rsp || fence_rsp;

  hca_command_t done;
  wr_req_t      next;
  always_comb begin
    done        = '0;
    done.done   = 1'b1;
    done.status = head.status;
    next        = '0;
    next.id     = head.kind == RETIRE_FENCE ? WID_FENCE : WID_CMD;
    unique case (head.kind)
      RETIRE_FENCE: begin
        next.pa   = {head.addr[PaW-1:6], 6'b0};
        next.data = line_t'(head.value) << {head.addr[5:3], 6'b0};
        next.strb = 64'hff << {head.addr[5:3], 3'b0};
      end
      RETIRE_REPORT: begin
        next.pa   = head.addr;
        next.data = report_q;
        next.strb = '1;
      end
      default: begin
        next.pa   = base_i + {30'b0, wb_q & mask_i, 6'b0};
        next.data = done;
        next.strb = 64'hff << 56;
      end
    endcase
  end

  logic [CmdSlotW-1:0] push_slot, wb_slot;
  assign push_slot = push_q[CmdSlotW-1:0];
  assign wb_slot   = wb_q[CmdSlotW-1:0];

  always_ff @(posedge clk_i) begin
    if (push_valid_i) slot_q[push_slot] <= push_i;
    // In the same cycle as a push, too: else the fence or report would be written a second time.
    if (first_rsp) begin
      slot_q[wb_slot].kind <= RETIRE_STATUS;
      if (rsp_bad) slot_q[wb_slot].status <= CMD_STATUS_BAD_ADDRESS;
    end
    if (push_valid_i && push_i.kind == RETIRE_REPORT) report_q <= report_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned i = 0; i < CmdSlots; i++) wait_q[i] <= '0;
      report_full_q <= 1'b0;
      push_q        <= '0;
      wb_q          <= '0;
      cons_q        <= '0;
      first_q       <= 1'b0;
      wr_valid_q    <= 1'b0;
      wr_q          <= '0;
      snoop_q       <= 1'b0;
      snoop_index_q <= '0;
      fence_snoop_q <= 1'b0;
      obs_fence_q   <= 1'b0;
      obs_index_q   <= '0;
      obs_value_q   <= '0;
    end else begin
      for (int unsigned i = 0; i < CmdSlots; i++) begin
        if (wait_q[i] != '0) wait_q[i] <= wait_q[i] & inv_busy_i;
      end
      if (push_valid_i) begin
        push_q            <= push_q + 1'b1;
        wait_q[push_slot] <= push_i.kind == RETIRE_FENCE ? inv_busy_i : '0;
        if (push_i.kind == RETIRE_REPORT) report_full_q <= 1'b1;
      end

      if (wr_ready_i) wr_valid_q <= 1'b0;
      if (send_status || send_fence || send_report) begin
        wr_valid_q <= 1'b1;
        wr_q       <= next;
      end
      if (send_status) wb_q <= wb_q + 1'b1;
      if (send_fence || send_report) first_q <= 1'b1;
      if (first_rsp) first_q <= 1'b0;
      if (report_rsp) report_full_q <= 1'b0;
      if (status_rsp) cons_q <= cons_q + 1'b1;

      snoop_q       <= status_rsp;
      snoop_index_q <= cons_q & mask_i;
      fence_snoop_q <= fence_rsp && !rsp_bad;
      obs_fence_q   <= fence_rsp && !rsp_bad;
      if (fence_rsp) begin
        obs_index_q <= wb_q;
        obs_value_q <= head.value;
      end

      if (!enable_i || (restart_i && idle_o)) begin
        push_q <= '0;
        wb_q   <= '0;
        cons_q <= '0;
      end
      if (!enable_i) begin
        report_full_q <= 1'b0;
        first_q       <= 1'b0;
        wr_valid_q    <= 1'b0;
        snoop_q       <= 1'b0;
        fence_snoop_q <= 1'b0;
        obs_fence_q   <= 1'b0;
      end
    end
  end

  // A command's status, kept until memory has it: what was bad counts then.
  logic bad_q [CmdSlots];
  always_ff @(posedge clk_i) begin
    if (send_status) bad_q[wb_slot] <= head.status != CMD_STATUS_OK;
  end

  assign cons_o              = cons_q;
  assign report_free_o       = !report_full_q;
  assign idle_o              = push_q == cons_q && !first_q && !wr_valid_q;
  assign failed_o            = status_rsp && rsp_bad;
  assign wr_valid_o          = wr_valid_q;
  assign wr_o                = wr_q;
  assign cmd_snoop_valid_o   = snoop_q;
  assign cmd_snoop_o         = snoop_index_q;
  assign fence_snoop_valid_o = fence_snoop_q;
  assign obs_fence_valid_o   = obs_fence_q;
  assign obs_fence_index_o   = obs_index_q;
  assign obs_fence_value_o   = obs_value_q;
  assign command_done_o      = status_rsp;
  assign command_bad_o       = status_rsp && bad_q[cons_q[CmdSlotW-1:0]];

  // A fence that waits for accesses, and writes that wait for memory, wait for inputs.
  logic settled;
  always_comb begin
    settled = 1'b1;
    for (int unsigned i = 0; i < CmdSlots; i++) begin
      if ((wait_q[i] & ~inv_busy_i) != '0) settled = 1'b0;
    end
  end
  assign quiescent_o = settled && !push_valid_i && !wr_valid_q && !send_status && !send_fence && !send_report
                       && !snoop_q && !fence_snoop_q && !obs_fence_q;

  logic unused;
  assign unused = wr_rsp_i.resp[0];

endmodule
