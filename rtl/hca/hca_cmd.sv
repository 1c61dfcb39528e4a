// The command queue: fetches ahead, executes in order, hands results to hca_cmd_retire.
//
//   CMDQ_PROD ─▶ fetch ahead ─▶ execute: hca_xlt, hca_fault, hca_qp, hca_cq ─▶ hca_cmd_retire: fences, statuses, CMDQ_CONS
//
// Promises: a command is fetched only when there is room to retire it, so once fetched it waits for the commands before it and
//   for nothing else; an invalidation is offered to hca_xlt two cycles after its line arrives (SD-8). A fence waits only for
//   accesses under invalidations before it, and no command waits for a fence. A bad command is a NOP with its status.
// Needs: CMDQ_BASE and CMDQ_SIZE written before CMDQ_PROD. qp_done_valid_i once for each command given to hca_qp.
// Costs: two cycles a command that needs no answer from elsewhere.

module hca_cmd
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  input  logic [7:0]  mutant_i,
  // registers
  input  pa_t         cmdq_base_i,
  input  logic [15:0] cmdq_size_i,
  input  index_t      cmdq_prod_i,
  input  logic        cmdq_restart_i,
  output index_t      cmdq_cons_o,
  output logic        stopped_o,    // pulse: STATUS.command_stopped
  output logic        async_valid_o,
  output async_t      async_o,
  // memory
  output logic        rd_valid_o,
  input  logic        rd_ready_i,
  output rd_req_t     rd_o,
  input  logic        rd_rsp_valid_i,
  input  rd_rsp_t     rd_rsp_i,
  output logic        wr_valid_o,
  input  logic        wr_ready_i,
  output wr_req_t     wr_o,
  input  logic        wr_rsp_valid_i,
  input  wr_rsp_t     wr_rsp_i,
  // translation
  output logic        inv_valid_o,
  input  logic        inv_ready_i,
  output keyidx_t     inv_key_o,
  output logic        inv_whole_o,
  output va_t         inv_first_o,
  output va_t         inv_last_o,
  output logic [InvTagW-1:0] inv_tag_o,
  input  logic [InvTags-1:0] inv_busy_i,
  // queue pairs, completion queues, faults
  output logic        qp_cmd_valid_o,
  input  logic        qp_cmd_ready_i,
  output qp_cmd_t     qp_cmd_o,
  input  logic        qp_done_valid_i,
  input  cmd_status_e qp_done_status_i,
  input  hca_qp_report_t qp_report_i,
  output logic        cq_cmd_valid_o,
  input  logic        cq_cmd_ready_i,
  output cq_cmd_t     cq_cmd_o,
  output logic        rsm_valid_o,
  input  logic        rsm_ready_i,
  output resume_t     rsm_o,
  output logic [31:0] rsm_token_o,
  input  logic        rsm_done_i,
  input  logic        rsm_ok_i,
  output logic        clr_valid_o,
  input  logic        clr_ready_i,
  output qpn_t        clr_qpn_o,
  output logic [1:0]  clr_dir_o,
  // probes, monitor, counters
  output logic        cmd_snoop_valid_o,
  output index_t      cmd_snoop_o,
  output logic        fence_snoop_valid_o,
  output logic        obs_inv_valid_o,
  output index_t      obs_inv_index_o,
  output logic [31:0] obs_inv_key_o,
  output va_t         obs_inv_addr_o,
  output logic [63:0] obs_inv_length_o,
  output logic        obs_inv_whole_o,
  output logic        obs_fence_valid_o,
  output index_t      obs_fence_index_o,
  output logic [63:0] obs_fence_value_o,
  output logic [31:0] count_o,
  output logic        quiescent_o
);

  localparam int unsigned HeadW = 256;  // the double-words of a command that say something

  typedef enum logic [3:0] {
    EX_NEXT,
    EX_INV,
    EX_READ,
    EX_CONTEXT,
    EX_CLEAR,
    EX_QP,
    EX_QP_DONE,
    EX_CQ,
    EX_RESUME,
    EX_RESUME_DONE
  } ex_state_e;

  // ---- the queue as it was when the first command of a busy period was rung ------------------------------------------------

  pa_t    base_q;
  index_t size_q, mask;
  logic   config_ok;
  assign mask      = size_q - 1'b1;
  assign config_ok = size_q != '0 && (size_q & mask) == '0 && base_q[5:0] == '0;

  // ---- fetch ---------------------------------------------------------------------------------------------------------------

  logic [HeadW-1:0]  slot_q [CmdSlots];
  logic [CmdSlots-1:0]  bad_q;  // memory refused the fetch
  index_t            fetch_q, have_q, exec_q;
  logic              stop_q, restart_q;
  logic              rd_valid_q;
  rd_req_t           rd_q;
  logic              rung, fetch, fetched, context_rd, rd_free, drop;
  logic              stop_config, stop_fetch, stop_status, restart_done, retire_idle;

  assign rung    = fetch_q != cmdq_prod_i;
  assign rd_free = !rd_valid_q || rd_ready_i;
  assign fetch   = rung && config_ok && !stop_q && !restart_q && !cmdq_restart_i && rd_free && !context_rd
                   && fetch_q - cmdq_cons_o < 16'(CmdSlots);
  assign fetched = rd_rsp_valid_i && rd_rsp_i.id == RID_CMD;

  // ---- execute -------------------------------------------------------------------------------------------------------------

  ex_state_e          state_d, state_q;
  hca_command_t       cmd;
  logic               start, may_invalidate;
  line_t              context_q;
  logic               context_rsp;
  hca_qpc_t           qpc;
  hca_cqc_t           cqc;
  va_t                last;
  logic [InvTagW-1:0] tag_d, tag_q;
  logic               tag_ok;
  logic               push;
  retire_t            push_entry;
  cmd_status_e        status;
  retire_kind_e       kind;
  logic               report_free;
  logic               park, parked_q;  // mutant FENCE_FIRST

  assign cmd         = hca_command_t'({256'b0, slot_q[exec_q[CmdSlotW-1:0]]});
  assign start       = state_q == EX_NEXT && exec_q != have_q && !stop_q && !restart_q;
  assign qpc         = context_q;
  assign cqc         = context_q;
  assign context_rsp = rd_rsp_valid_i && rd_rsp_i.id == RID_QPC;
  assign context_rd  = state_q == EX_READ;
  assign may_invalidate = tag_ok && !parked_q;

  always_comb begin
    last = cmd.addr + cmd.length - 1'b1;
    if (last < cmd.addr) last = '1;
  end

  always_comb begin
    tag_ok = 1'b0;
    tag_d  = '0;
    for (int i = int'(InvTags) - 1; i >= 0; i--) begin
      if (!inv_busy_i[i]) begin
        tag_ok = 1'b1;
        tag_d  = InvTagW'(i);
      end
    end
  end

  // A context no queue pair can have.
  logic bad_sq, bad_rq, bad_qpc, bad_cqc;
  assign bad_sq  = qpc.sq_base[5:0] != '0 || qpc.sq_base[63:PaW] != '0;
  assign bad_rq  = qpc.rq_base[5:0] != '0 || qpc.rq_base[63:PaW] != '0;
  assign bad_qpc = qpc.state > QP_STATE_ERR || qpc.policy > FAULT_POLICY_RESTART || qpc.mtu_shift < 4'(MTU_SHIFT_MIN)
                   || qpc.mtu_shift > 4'(MTU_SHIFT_MAX) || (cmd.load_sq && bad_sq) || (cmd.load_rq && bad_rq);
  assign bad_cqc = cqc.valid && (cqc.base[5:0] != '0 || cqc.base[63:PaW] != '0);

  // What is wrong with a command before anything is asked of memory or another block.
  cmd_status_e precheck;
  logic        covers, far;
  assign far    = cmd.addr[63:PaW] != '0;  // no memory there
  assign covers = cmd.opcode == CMD_OP_INVALIDATE_KEY || cmd.length != '0;
  always_comb begin
    precheck = CMD_STATUS_OK;
    unique case (cmd.opcode)
      CMD_OP_NOP: ;
      CMD_OP_MODIFY_QP, CMD_OP_MODIFY_CQ, CMD_OP_QUERY_QP: begin
        if (cmd.qpn >= (cmd.opcode == CMD_OP_MODIFY_CQ ? 24'(NUM_CQ) : 24'(NUM_QP))) precheck = CMD_STATUS_BAD_NUMBER;
        else if (cmd.addr[5:0] != '0) precheck = CMD_STATUS_BAD_CONTEXT;
        else if (far) precheck = CMD_STATUS_BAD_ADDRESS;
      end
      CMD_OP_INVALIDATE_RANGE, CMD_OP_INVALIDATE_KEY: if (cmd.key[31:KEY_IDX_WIDTH+8] != '0) precheck = CMD_STATUS_BAD_NUMBER;
      CMD_OP_FENCE: begin
        if (cmd.addr[2:0] != '0) precheck = CMD_STATUS_BAD_CONTEXT;
        else if (far) precheck = CMD_STATUS_BAD_ADDRESS;
      end
      CMD_OP_RESUME: if (cmd.qpn >= 24'(NUM_QP)) precheck = CMD_STATUS_BAD_NUMBER;
      default: precheck = CMD_STATUS_BAD_OPCODE;
    endcase
  end

  always_comb begin
    state_d    = state_q;
    push       = 1'b0;
    park       = 1'b0;
    status     = CMD_STATUS_OK;
    kind       = RETIRE_STATUS;
    stop_fetch = 1'b0;
    unique case (state_q)
      EX_NEXT: if (start) begin
        status = precheck;
        if (bad_q[exec_q[CmdSlotW-1:0]]) begin
          stop_fetch = 1'b1;
        end else if (precheck != CMD_STATUS_OK) begin
          push = 1'b1;
        end else begin
          unique case (cmd.opcode)
            CMD_OP_MODIFY_QP, CMD_OP_MODIFY_CQ: state_d = EX_READ;
            CMD_OP_INVALIDATE_RANGE, CMD_OP_INVALIDATE_KEY: begin
              park = covers && may_invalidate && mutant_i == HMUT_FENCE_FIRST;
              push = !covers || park;
              if (covers && may_invalidate && !park) state_d = EX_INV;
            end
            CMD_OP_RESUME: state_d = EX_RESUME;
            CMD_OP_QUERY_QP: if (report_free) state_d = EX_QP;
            default: begin
              push = 1'b1;
              kind = cmd.opcode == CMD_OP_FENCE ? RETIRE_FENCE : RETIRE_STATUS;
            end
          endcase
        end
      end
      EX_INV: if (inv_ready_i) begin
        push    = 1'b1;
        state_d = EX_NEXT;
      end
      EX_READ: if (rd_free) state_d = EX_CONTEXT;
      EX_CONTEXT: if (context_rsp) begin
        push    = rd_rsp_i.resp[1];
        status  = CMD_STATUS_BAD_ADDRESS;
        state_d = rd_rsp_i.resp[1] ? EX_NEXT : cmd.opcode == CMD_OP_MODIFY_CQ ? EX_CQ : EX_CLEAR;
      end
      EX_CLEAR: begin
        if (bad_qpc) begin
          push    = 1'b1;
          status  = CMD_STATUS_BAD_CONTEXT;
          state_d = EX_NEXT;
        end else if (clr_ready_i || clr_dir_o == '0) state_d = EX_QP;
      end
      EX_QP: if (qp_cmd_ready_i) state_d = EX_QP_DONE;
      EX_QP_DONE: if (qp_done_valid_i) begin
        push    = 1'b1;
        status  = qp_done_status_i;
        kind    = cmd.opcode == CMD_OP_QUERY_QP && qp_done_status_i == CMD_STATUS_OK ? RETIRE_REPORT : RETIRE_STATUS;
        state_d = EX_NEXT;
      end
      EX_CQ: begin
        if (bad_cqc) status = CMD_STATUS_BAD_CONTEXT;
        push = cq_cmd_ready_i || bad_cqc;
        if (push) state_d = EX_NEXT;
      end
      EX_RESUME: if (rsm_ready_i) state_d = EX_RESUME_DONE;
      EX_RESUME_DONE: if (rsm_done_i) begin
        push    = 1'b1;
        status  = rsm_ok_i ? CMD_STATUS_OK : CMD_STATUS_BAD_TOKEN;
        state_d = EX_NEXT;
      end
      default: state_d = EX_NEXT;
    endcase
  end
  assign push_entry = '{kind: kind, status: status, addr: cmd.addr[PaW-1:0], value: cmd.length};

  // A stop or a restart drops what was fetched and not begun.
  assign stop_config  = rung && !config_ok && !stop_q && !restart_q && !cmdq_restart_i && enable_i;
  assign drop         = stop_q || restart_q;
  assign restart_done = restart_q && state_q == EX_NEXT && retire_idle && !rd_valid_q && fetch_q == have_q && !parked_q;

  always_ff @(posedge clk_i) begin
    if (fetched) begin
      slot_q[have_q[CmdSlotW-1:0]] <= rd_rsp_i.data[HeadW-1:0];
      bad_q[have_q[CmdSlotW-1:0]]  <= rd_rsp_i.resp[1];
    end
    if (context_rsp) context_q <= rd_rsp_i.data;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      base_q     <= '0;
      size_q     <= '0;
      fetch_q    <= '0;
      have_q     <= '0;
      exec_q     <= '0;
      stop_q     <= 1'b0;
      restart_q  <= 1'b0;
      rd_valid_q <= 1'b0;
      rd_q       <= '0;
      state_q    <= EX_NEXT;
      tag_q      <= '0;
    end else if (!enable_i) begin
      base_q     <= cmdq_base_i;
      size_q     <= cmdq_size_i;
      fetch_q    <= '0;
      have_q     <= '0;
      exec_q     <= '0;
      stop_q     <= 1'b0;
      restart_q  <= 1'b0;
      rd_valid_q <= 1'b0;
      state_q    <= EX_NEXT;
    end else begin
      if (fetch_q == cmdq_cons_o && !drop) begin
        base_q <= cmdq_base_i;
        size_q <= cmdq_size_i;
      end
      if (rd_ready_i) rd_valid_q <= 1'b0;
      if (fetch || (context_rd && rd_free)) begin
        rd_valid_q <= 1'b1;
        rd_q       <= '0;
        rd_q.size  <= 3'd6;
        rd_q.id    <= context_rd ? RID_QPC : RID_CMD;
        rd_q.pa    <= context_rd ? cmd.addr[PaW-1:0] : base_q + {30'b0, fetch_q & mask, 6'b0};
      end
      if (fetch) fetch_q <= fetch_q + 1'b1;
      if (fetched) have_q <= have_q + 1'b1;
      if (push) exec_q <= exec_q + 1'b1;
      if (park || (start && state_d == EX_INV)) tag_q <= tag_d;
      state_q <= state_d;
      if (stop_config || stop_fetch || stop_status) stop_q <= 1'b1;
      if (cmdq_restart_i) restart_q <= 1'b1;
      else if (restart_done) begin
        restart_q <= 1'b0;
        stop_q    <= 1'b0;
        fetch_q   <= '0;
        have_q    <= '0;
        exec_q    <= '0;
        base_q    <= cmdq_base_i;
        size_q    <= cmdq_size_i;
      end
    end
  end

  // ---- what a command asks of the others -----------------------------------------------------------------------------------

  typedef struct packed {
    keyidx_t key;
    logic    whole;
    va_t     first;
    va_t     last;
  } inv_t;
  inv_t inv, parked_inv_q;
  logic parked_go;

  assign inv = '{key: cmd.key[8+:KEY_IDX_WIDTH], whole: cmd.opcode == CMD_OP_INVALIDATE_KEY, first: cmd.addr, last: last};

  // Mutant FENCE_FIRST: an invalidation counts as executed and is kept back until everything behind it is retired.
  assign parked_go = parked_q && retire_idle && exec_q == have_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      parked_q     <= 1'b0;
      parked_inv_q <= '0;
    end else if (!enable_i) begin
      parked_q <= 1'b0;
    end else begin
      if (park) begin
        parked_q     <= 1'b1;
        parked_inv_q <= inv;
      end else if (parked_go && inv_ready_i) begin
        parked_q <= 1'b0;
      end
    end
  end

  assign inv_valid_o = state_q == EX_INV || parked_go;
  assign {inv_key_o, inv_whole_o, inv_first_o, inv_last_o} = parked_q ? parked_inv_q : inv;
  assign inv_tag_o   = tag_q;

  assign qp_cmd_valid_o = state_q == EX_QP;
  assign qp_cmd_o       = '{op: cmd_op_e'(cmd.opcode), qpn: cmd.qpn[QPN_WIDTH-1:0], load_sq: cmd.load_sq, load_rq: cmd.load_rq,
                            qpc: qpc};
  assign cq_cmd_valid_o = state_q == EX_CQ && !bad_cqc;
  assign cq_cmd_o       = '{cqn: cmd.qpn[CQN_WIDTH-1:0], cqc: cqc};
  assign rsm_valid_o    = state_q == EX_RESUME;
  assign rsm_o          = '{qpn: cmd.qpn[QPN_WIDTH-1:0], direction: fault_dir_e'(cmd.direction), error: cmd.error};
  assign rsm_token_o    = cmd.token;
  assign clr_valid_o    = state_q == EX_CLEAR && clr_dir_o != '0 && !bad_qpc;
  assign clr_qpn_o      = cmd.qpn[QPN_WIDTH-1:0];
  always_comb begin
    clr_dir_o = '0;
    clr_dir_o[FAULT_DIR_REQUESTER] = cmd.load_sq;
    clr_dir_o[FAULT_DIR_RESPONDER] = cmd.load_rq;
  end

  // ---- retire --------------------------------------------------------------------------------------------------------------

  logic command_done, command_bad, retire_quiet;
  hca_cmd_retire u_retire (
    .clk_i, .rst_ni, .enable_i, .mutant_i, .restart_i(restart_done), .base_i(base_q), .mask_i(mask),
    .push_valid_i(push), .push_i(push_entry), .report_i(qp_report_i), .report_free_o(report_free), .inv_busy_i,
    .cons_o(cmdq_cons_o), .idle_o(retire_idle), .failed_o(stop_status),
    .wr_valid_o, .wr_ready_i, .wr_o, .wr_rsp_valid_i, .wr_rsp_i,
    .cmd_snoop_valid_o, .cmd_snoop_o, .fence_snoop_valid_o,
    .obs_fence_valid_o, .obs_fence_index_o, .obs_fence_value_o,
    .command_done_o(command_done), .command_bad_o(command_bad), .quiescent_o(retire_quiet)
  );

  assign stopped_o     = (stop_config || stop_fetch || stop_status) && !stop_q;
  assign async_valid_o = stopped_o;
  assign async_o       = '{kind: ASYNC_TYPE_COMMAND_QUEUE, subject: '0};

  // One that covers nothing is seen and counted too.
  assign obs_inv_valid_o  = (inv_valid_o && inv_ready_i)
                            || (push && state_q == EX_NEXT && status == CMD_STATUS_OK && !covers
                                && cmd.opcode == CMD_OP_INVALIDATE_RANGE);
  assign obs_inv_index_o  = exec_q;
  assign obs_inv_key_o    = cmd.key;
  assign obs_inv_addr_o   = cmd.addr;
  assign obs_inv_whole_o  = cmd.opcode == CMD_OP_INVALIDATE_KEY;
  assign obs_inv_length_o = cmd.length;

  always_comb begin
    count_o = '0;
    count_o[COUNT_INVALIDATIONS] = obs_inv_valid_o;
    count_o[COUNT_FENCES]        = obs_fence_valid_o;
    count_o[COUNT_COMMANDS]      = command_done;
    count_o[COUNT_BAD_COMMANDS]  = command_bad;
  end

  // Waiting for memory, for a queue pair's answer or for a fence's accesses is waiting for inputs.
  logic exec_quiet, config_quiet, run_quiet, off_quiet;
  assign exec_quiet   = state_q inside {EX_CONTEXT, EX_QP_DONE, EX_RESUME_DONE} || (state_q == EX_NEXT && !start);
  assign config_quiet = (fetch_q != cmdq_cons_o || drop || (base_q == cmdq_base_i && size_q == cmdq_size_i));
  assign run_quiet    = retire_quiet && exec_quiet && config_quiet && !fetch && !rd_valid_q && !stop_config && !restart_done
                        && !cmdq_restart_i && !parked_q;
  assign off_quiet    = fetch_q == '0 && exec_q == '0 && cmdq_cons_o == '0 && base_q == cmdq_base_i && size_q == cmdq_size_i;
  assign quiescent_o  = enable_i ? run_quiet : off_quiet;

  assign rd_valid_o = rd_valid_q;
  assign rd_o       = rd_q;

  logic unused;
  assign unused = ^{rd_rsp_i.resp[0], rd_rsp_i.data, cmd};

endmodule
