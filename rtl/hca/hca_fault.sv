// Faults of queue pairs: one outstanding for each queue pair and direction, its record in the fault queue, its resume by token.
//
//   flt ─▶ state of (queue pair, direction) ─▶ waiting line of ids ─▶ record written ─▶ FQ_PROD       resume ─▶ state ─▶ resume_o
//
// Promises: FQ-1, a fault waits here until the queue has room: the line holds every id there is. FQ-2, the index moves after
//   memory has answered. FQ-3, a fault of an id with one outstanding is merged. FQ-4, a resume counts only with the token of the
//   record last written for its id. FQ-7, all entries are used. A record that memory refuses is kept, overflow_o says so, and it
//   is written again when software has written a register of the queue.
// Needs: clr (a queue pair's side starts anew) before the side does. The states take NUM_QP cycles to clear after power-on or
//   disabling; until then nothing is taken.
// Costs: two cycles an operation; a record's response to FQ_PROD, one cycle.

module hca_fault
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  input  logic [7:0]  mutant_i,
  // faults
  input  logic        flt_valid_i,
  output logic        flt_ready_o,
  input  flt_req_t    flt_i,
  // RESUME: rsm_done_o for one cycle, with rsm_ok_o
  input  logic        rsm_valid_i,
  output logic        rsm_ready_o,
  input  resume_t     rsm_i,
  input  logic [31:0] rsm_token_i,
  output logic        rsm_done_o,
  output logic        rsm_ok_o,
  // MODIFY_QP that loads a side: its fault is forgotten; bit of fault_dir
  input  logic        clr_valid_i,
  output logic        clr_ready_o,
  input  qpn_t        clr_qpn_i,
  input  logic [1:0]  clr_dir_i,
  // to the queue pairs
  output logic        resume_valid_o,
  input  logic        resume_ready_i,
  output resume_t     resume_o,
  // the queue
  input  pa_t         fq_base_i,
  input  logic [15:0] fq_size_i,
  input  index_t      fq_cons_i,
  input  logic        fq_kick_i,
  output index_t      fq_prod_o,
  output logic        overflow_o,
  output logic        wr_valid_o,
  input  logic        wr_ready_i,
  output wr_req_t     wr_o,
  input  logic        wr_rsp_valid_i,
  input  wr_rsp_t     wr_rsp_i,
  // what the monitor sees
  output logic        obs_fault_valid_o,
  output flt_req_t    obs_fault_o,
  output logic [31:0] obs_fault_token_o,
  output logic        obs_record_valid_o,
  output qpn_t        obs_record_qpn_o,
  output fault_dir_e  obs_record_dir_o,
  output logic [31:0] obs_record_token_o,
  output index_t      obs_record_prod_o,
  output logic        obs_resume_valid_o,
  output logic        obs_resume_ok_o,
  output resume_t     obs_resume_o,
  output logic [31:0] obs_resume_token_o,
  output logic [31:0] count_o,
  output logic        quiescent_o
);

  localparam int unsigned GenW = 32 - 12;
  localparam int unsigned Ids = 2 * NUM_QP;
  localparam int unsigned IdW = $clog2(Ids);

  if (QPN_WIDTH != 12) begin : g_check
    $error("hca_fault: a token is generation << 12 | queue pair");
  end

  typedef enum logic [2:0] {
    FLT_NONE      = 3'd0,
    FLT_WAITING   = 3'd1,  // in the line
    FLT_WRITING   = 3'd2,  // its record is on the way to memory
    FLT_WRITTEN   = 3'd3,  // software can resume it
    FLT_FORGOTTEN = 3'd4   // in the line, but its side started anew: no record
  } flt_state_e;

  typedef struct packed {
    flt_state_e        state;
    logic [GenW-1:0]   gen;
  } id_t;

  typedef enum logic [2:0] {
    OP_NONE,
    OP_WRITTEN,
    OP_RESUME,
    OP_CLEAR,
    OP_POP,
    OP_FAULT
  } op_e;

  // ---- states and bodies of all ids; both directions of a queue pair in one row --------------------------------------------

  logic            row_we, row_re;
  qpn_t            row_waddr, row_raddr;
  id_t [1:0]       row_wdata, row_rdata;
  logic            body_we;
  logic [IdW-1:0]  body_raddr, body_waddr;
  fault_body_t     body_wdata, body_rdata;

  ram_1r1w #(.Width($bits(row_wdata)), .Depth(NUM_QP)) u_rows (
    .clk_i, .we_i(row_we), .waddr_i(row_waddr), .wdata_i(row_wdata), .re_i(row_re), .raddr_i(row_raddr), .rdata_o(row_rdata)
  );
  ram_1r1w #(.Width($bits(fault_body_t)), .Depth(Ids)) u_bodies (
    .clk_i, .we_i(body_we), .waddr_i(body_waddr), .wdata_i(body_wdata), .re_i(row_re), .raddr_i(body_raddr), .rdata_o(body_rdata)
  );

  // ---- the waiting line, and the way to memory -----------------------------------------------------------------------------

  logic           push, head_valid, line_quiet;
  logic [IdW-1:0] push_id, head;
  logic [IdW:0]   in_line;
  logic           size_ok, room, wr_free, wr_done, send, written, refused, write_quiet;
  index_t         taken;
  fault_record_t  sent, on_way;
  op_e            op, op_q;

  hca_fault_line #(.Ids(Ids)) u_line (
    .clk_i, .rst_ni, .enable_i, .push_i(push), .id_i(push_id), .pop_i(op == OP_POP), .head_valid_o(head_valid), .head_o(head),
    .count_o(in_line), .quiescent_o(line_quiet)
  );

  hca_fault_write u_write (
    .clk_i, .rst_ni, .enable_i, .mutant_i, .fq_base_i, .fq_size_i, .fq_cons_i, .fq_kick_i, .fq_prod_o,
    .taken_o(taken), .size_ok_o(size_ok), .room_o(room), .free_o(wr_free), .send_i(send), .record_i(sent),
    .done_o(wr_done), .record_o(on_way), .done_ack_i(op == OP_WRITTEN),
    .written_o(written), .refused_o(refused), .prod_next_o(obs_record_prod_o),
    .wr_valid_o, .wr_ready_i, .wr_o, .wr_rsp_valid_i, .wr_rsp_i, .quiescent_o(write_quiet)
  );

  // ---- one operation at a time: read the row, then decide ------------------------------------------------------------------

  logic            clearing_q, enabled_q, exec_q;
  qpn_t            clear_q, qpn_q;
  fault_dir_e      dir_q;
  logic [1:0]      clr_dir_q;
  flt_req_t        flt_q;
  resume_t         rsm_q;
  logic [31:0]     token_q;
  logic            room_q, may_pop, idle;
  logic            resume_valid_q;
  resume_t         resume_q;

  assign idle    = enable_i && enabled_q && !clearing_q && !exec_q;
  assign may_pop = head_valid && wr_free && (room || mutant_i == HMUT_RECORD_LOST);

  always_comb begin
    op = OP_NONE;
    if (wr_done) op = OP_WRITTEN;
    else if (rsm_valid_i && !resume_valid_q) op = OP_RESUME;
    else if (clr_valid_i) op = OP_CLEAR;
    else if (may_pop) op = OP_POP;
    else if (flt_valid_i) op = OP_FAULT;
    if (!idle) op = OP_NONE;
  end

  assign rsm_ready_o = idle && !wr_done && !resume_valid_q;
  assign clr_ready_o = op == OP_CLEAR;
  assign flt_ready_o = idle && (op == OP_NONE || op == OP_FAULT);

  always_comb begin
    row_re = op != OP_NONE;
    unique case (op)
      OP_WRITTEN: row_raddr = on_way.qpn;
      OP_RESUME:  row_raddr = rsm_i.qpn;
      OP_CLEAR:   row_raddr = clr_qpn_i;
      OP_POP:     row_raddr = head[QPN_WIDTH-1:0];
      default:    row_raddr = flt_i.qpn;
    endcase
    body_raddr = head;
  end

  // ---- decide --------------------------------------------------------------------------------------------------------------

  id_t         row, next;
  logic        fault_new, fault_queue, fault_merged, resume_ok, lost;
  assign row = row_rdata[dir_q];

  always_comb begin
    next         = row;
    fault_new    = 1'b0;
    fault_queue  = 1'b0;
    fault_merged = 1'b0;
    resume_ok    = 1'b0;
    send         = 1'b0;
    lost         = 1'b0;
    if (exec_q) begin
      unique case (op_q)
        OP_FAULT: begin
          fault_new    = row.state inside {FLT_NONE, FLT_FORGOTTEN} || mutant_i == HMUT_FAULT_TWICE;
          fault_queue  = fault_new && row.state != FLT_FORGOTTEN;
          fault_merged = !fault_new;
          if (fault_new) next = '{state: FLT_WAITING, gen: row.gen + 1'b1};
        end
        OP_RESUME: begin
          resume_ok = (row.state == FLT_WRITTEN && token_q == {row.gen, qpn_q}) || mutant_i == HMUT_STALE_TOKEN;
          if (resume_ok) next.state = FLT_NONE;
        end
        OP_POP: begin
          send       = row.state != FLT_FORGOTTEN && room_q;
          lost       = row.state != FLT_FORGOTTEN && !room_q;  // mutant RECORD_LOST only
          next.state = send ? FLT_WRITING : lost ? FLT_WRITTEN : FLT_NONE;
        end
        OP_WRITTEN: if (row.state == FLT_WRITING && on_way.token == {row.gen, qpn_q}) next.state = FLT_WRITTEN;
        default: ;
      endcase
    end
  end

  function automatic id_t forget(id_t id, logic wanted);
    forget = id;
    if (wanted) begin
      unique case (id.state)
        FLT_WAITING, FLT_FORGOTTEN: forget.state = FLT_FORGOTTEN;
        default:                    forget.state = FLT_NONE;
      endcase
    end
  endfunction

  always_comb begin
    row_we    = exec_q || clearing_q;
    row_waddr = clearing_q ? clear_q : qpn_q;
    row_wdata = row_rdata;
    row_wdata[dir_q] = next;
    if (op_q == OP_CLEAR) begin
      for (int unsigned d = 0; d < 2; d++) row_wdata[d] = forget(row_rdata[d], clr_dir_q[d]);
    end
    if (clearing_q) row_wdata = '0;
  end

  assign body_we    = fault_new;
  assign body_waddr = {dir_q, qpn_q};
  assign body_wdata = '{write: flt_q.write, rdma: flt_q.rdma, cause: flt_q.cause, key: flt_q.key, va: flt_q.va,
                        length: flt_q.length, packet_length: flt_q.packet_length, wqe_index: flt_q.wqe_index};
  assign push       = fault_queue && in_line != (IdW + 1)'(Ids);
  assign push_id    = body_waddr;
  assign sent       = '{qpn: qpn_q, direction: dir_q, token: {row.gen, qpn_q}, body: body_rdata};

  // ---- sequencing ----------------------------------------------------------------------------------------------------------

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      clearing_q     <= 1'b1;
      clear_q        <= '0;
      enabled_q      <= 1'b0;
      exec_q         <= 1'b0;
      op_q           <= OP_NONE;
      qpn_q          <= '0;
      dir_q          <= FAULT_DIR_REQUESTER;
      clr_dir_q      <= '0;
      flt_q          <= '0;
      rsm_q          <= '0;
      token_q        <= '0;
      room_q         <= 1'b0;
      resume_valid_q <= 1'b0;
      resume_q       <= '0;
      rsm_done_o     <= 1'b0;
      rsm_ok_o       <= 1'b0;
    end else begin
      enabled_q <= enable_i;
      if (enabled_q && !enable_i) begin
        clearing_q <= 1'b1;
        clear_q    <= '0;
      end else if (clearing_q) begin
        clear_q <= clear_q + 1'b1;
        if (clear_q == '1) clearing_q <= 1'b0;
      end

      exec_q <= op != OP_NONE;
      op_q   <= op;
      qpn_q  <= row_raddr;
      room_q <= room;
      unique case (op)
        OP_WRITTEN: dir_q <= on_way.direction;
        OP_RESUME:  dir_q <= rsm_i.direction;
        OP_POP:     dir_q <= fault_dir_e'(head[IdW-1]);
        default:    dir_q <= flt_i.direction;
      endcase
      if (op == OP_CLEAR) clr_dir_q <= clr_dir_i;
      if (op == OP_FAULT) flt_q <= flt_i;
      if (op == OP_RESUME) begin
        rsm_q   <= rsm_i;
        token_q <= rsm_token_i;
      end

      // A resume that is accepted is over when the queue pairs have it.
      rsm_done_o <= 1'b0;
      if (exec_q && op_q == OP_RESUME) begin
        rsm_ok_o <= resume_ok;
        resume_q <= rsm_q;
        if (resume_ok && mutant_i != HMUT_RESUME_FORGOTTEN) resume_valid_q <= 1'b1;
        else rsm_done_o <= 1'b1;
      end
      if (resume_valid_q && resume_ready_i) begin
        resume_valid_q <= 1'b0;
        rsm_done_o     <= 1'b1;
      end

      if (!enable_i) begin
        exec_q         <= 1'b0;
        resume_valid_q <= 1'b0;
        rsm_done_o     <= 1'b0;
      end
    end
  end

  assign resume_valid_o = resume_valid_q;
  assign resume_o       = resume_q;

  // ---- what is counted and seen --------------------------------------------------------------------------------------------

  // A fault is held when the records before it already fill the queue.
  logic held;
  assign held       = fault_new && (!size_ok || (IdW + 4)'(taken) + (IdW + 4)'(in_line) >= (IdW + 4)'(fq_size_i));
  assign overflow_o = held || refused;

  always_comb begin
    count_o = '0;
    count_o[COUNT_FAULTS]        = written;
    count_o[COUNT_FAULTS_MERGED] = fault_merged;
    count_o[COUNT_FAULT_HELD]    = held;
    count_o[COUNT_RESUMES]       = exec_q && op_q == OP_RESUME && resume_ok;
    count_o[COUNT_BAD_TOKENS]    = exec_q && op_q == OP_RESUME && !resume_ok;
  end

  assign obs_fault_valid_o  = fault_new;
  assign obs_fault_o        = flt_q;
  assign obs_fault_token_o  = {next.gen, qpn_q};
  assign obs_record_valid_o = written;
  assign obs_record_qpn_o   = on_way.qpn;
  assign obs_record_dir_o   = on_way.direction;
  assign obs_record_token_o = on_way.token;
  assign obs_resume_valid_o = exec_q && op_q == OP_RESUME;
  assign obs_resume_ok_o    = resume_ok;
  assign obs_resume_o       = rsm_q;
  assign obs_resume_token_o = token_q;

  assign quiescent_o = !clearing_q && enabled_q == enable_i && !exec_q && op == OP_NONE && line_quiet && write_quiet
                       && !resume_valid_q && !rsm_done_o && !rsm_valid_i && !flt_valid_i && !clr_valid_i;

  logic unused;
  assign unused = ^on_way.body;

endmodule
