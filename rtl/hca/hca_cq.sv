// Completion queues: entries written in order, each visible before anything tells of it.
//
//   cq_i ─▶ C0 contexts ─▶ C1 full? entry, address ─▶ wr_o          answers, in order ─▶ snoop, arm ─▶ fired
//
// Promises: an entry every cycle that memory takes one. A queue fires once for an `arm`: at once when entries past the index given are in
//   memory, else when the next one is. A full queue (or one that does not exist) loses the entry and says so. A queue is given anew when
//   no entry is on its way, so none of its old life counts in the new one.
// Needs: at most one doorbell a cycle. Bits of several queues that fire together follow each other, one a cycle.
// Costs: request to write three cycles. Contexts are a RAM; indices are small RAMs read in the same cycle.

module hca_cq
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       enable_i,
  input  logic       cq_cmd_valid_i,
  output logic       cq_cmd_ready_o,
  input  cq_cmd_t    cq_cmd_i,
  input  doorbell_t  doorbell_i,
  input  logic       cq_valid_i,
  output logic       cq_ready_o,
  input  cq_req_t    cq_i,
  output logic       wr_valid_o,
  input  logic       wr_ready_i,
  output wr_req_t    wr_o,
  input  logic       wr_rsp_valid_i,
  input  wr_rsp_t    wr_rsp_i,
  output logic       cq_fired_valid_o,
  output cqn_t       cq_fired_o,
  output logic       cq_overflow_o,
  output logic       async_valid_o,
  output async_t     async_o,
  output logic       snoop_valid_o,   // an entry is in memory
  output cqn_t       snoop_cqn_o,
  output logic [31:0] count_o,
  output logic       quiescent_o,
  output logic [63:0] deadline_o,
  output logic       obs_cqe_valid_o,
  output cqn_t       obs_cqe_cqn_o,
  output hca_cqe_t   obs_cqe_o
);

  localparam int unsigned Flight = 64;  // entries on their way to memory
  localparam int unsigned FlightW = $clog2(Flight);

  typedef struct packed {
    logic [3:0] log;
    pa_t        base;
  } context_t;

  typedef struct packed {
    cqn_t     cqn;
    hca_cqe_t cqe;
  } flight_t;
  flight_t          flight_mem [Flight];
  logic [FlightW:0] flight_rd_q, flight_wr_q;
  flight_t          oldest;
  logic             answer;

  // The entry in C1, the second stage.
  logic     c0_go, c1_valid_q, c1_go, c1_valid_ctx_q, c1_full, c1_write, wr_free, room;
  cq_req_t  c1_q;
  index_t   c1_prod_q, c1_cons_q, prod_now, cons_now;
  context_t c1_ctx;

  // ------------------------------------------------------------------------------------------------ state of the queues
  // prod: entries given a place; seen: entries in memory; cons: what software has told. Not `ok`: 0, whatever the RAM holds.
  logic [NUM_CQ-1:0] valid_q, prod_ok_q, seen_ok_q, cons_ok_q, armed_q, fired_q;
  index_t prod_mem [NUM_CQ];
  index_t seen_mem [NUM_CQ];
  index_t cons_mem [NUM_CQ];
  logic   load, bell;
  cqn_t   load_cqn, bell_cqn;
  assign cq_cmd_ready_o = enable_i && !c1_valid_q && flight_rd_q == flight_wr_q && !bell;
  assign load           = cq_cmd_valid_i && cq_cmd_ready_o;
  assign load_cqn       = cq_cmd_i.cqn;
  assign bell           = doorbell_i.cq_valid;
  assign bell_cqn       = doorbell_i.cqn;

  // ------------------------------------------------------------------------------------------------ C0: which entry
  assign c0_go      = cq_valid_i && cq_ready_o;
  assign cq_ready_o = enable_i && !cq_cmd_valid_i && (!c1_valid_q || c1_go);
  // The entry in C1 moves its queue's index only if it is written: wait for it when the next is of the same queue.
  assign prod_now   = c1_valid_q && c1_q.cqn == cq_i.cqn ? (c1_write ? c1_prod_q + 1'b1 : c1_prod_q) :
                      prod_ok_q[cq_i.cqn] ? prod_mem[cq_i.cqn] : '0;
  assign cons_now   = bell && bell_cqn == cq_i.cqn ? doorbell_i.cq_index : cons_ok_q[cq_i.cqn] ? cons_mem[cq_i.cqn] : '0;

  ram_1r1w #(.Width($bits(context_t)), .Depth(NUM_CQ)) u_ctx (
    .clk_i, .we_i(load), .waddr_i(load_cqn), .wdata_i({cq_cmd_i.cqc.log, cq_cmd_i.cqc.base[PaW-1:0]}), .re_i(c0_go), .raddr_i(cq_i.cqn),
    .rdata_o(c1_ctx)
  );
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) c1_valid_q <= 1'b0;
    else if (!enable_i) c1_valid_q <= 1'b0;
    else if (c0_go || c1_go) c1_valid_q <= c0_go;
  end
  always_ff @(posedge clk_i) begin
    if (c0_go) begin
      c1_q           <= cq_i;
      c1_prod_q      <= prod_now;
      c1_cons_q      <= cons_now;
      c1_valid_ctx_q <= valid_q[cq_i.cqn];
    end
  end

  // ------------------------------------------------------------------------------------------------ C1: the entry
  hca_cqe_t entry;
  index_t   place;
  logic     failed, c1_lost;
  assign c1_full  = !c1_valid_ctx_q || index_t'(c1_prod_q - c1_cons_q) >= index_t'(1) << c1_ctx.log;
  assign wr_free  = !wr_valid_o || wr_ready_i;
  // A failed write tells the same port; it cannot wait.
  assign c1_lost  = c1_valid_q && c1_full && !failed;
  assign c1_write = c1_valid_q && !c1_full && wr_free && room;
  assign c1_go    = c1_write || c1_lost;
  assign place    = c1_prod_q & ((index_t'(1) << c1_ctx.log) - 1'b1);
  always_comb begin
    entry       = c1_q.cqe;
    entry.owner = !c1_prod_q[c1_ctx.log];
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) wr_valid_o <= 1'b0;
    else if (!enable_i) wr_valid_o <= 1'b0;
    else if (wr_free) wr_valid_o <= c1_write;
  end
  always_ff @(posedge clk_i) begin
    if (c1_write) begin
      wr_o <= '{id: WID_CQE, pa: c1_ctx.base + pa_t'({place, 6'd0}), lock: 1'b0,
                user: '{mapped: 1'b0, need: NEED_LOCAL_WRITE, qpn: entry.qpn[QPN_WIDTH-1:0], key: '0, va: '0, bytes: 7'(ENTRY_BYTES)},
                data: line_t'(entry), strb: '1};
    end
  end

  // ------------------------------------------------------------------------------------------------ answers
  index_t           seen_next, seen_bell;
  assign room      = flight_wr_q - flight_rd_q != (FlightW + 1)'(Flight);
  assign oldest    = flight_mem[flight_rd_q[FlightW-1:0]];
  assign answer    = wr_rsp_valid_i && wr_rsp_i.id == WID_CQE && enable_i;
  assign failed    = answer && wr_rsp_i.resp[1];
  assign seen_next = (seen_ok_q[oldest.cqn] ? seen_mem[oldest.cqn] : '0) + 1'b1;
  assign seen_bell = answer && oldest.cqn == bell_cqn ? seen_next : seen_ok_q[bell_cqn] ? seen_mem[bell_cqn] : '0;
  always_ff @(posedge clk_i) begin
    if (c1_write) flight_mem[flight_wr_q[FlightW-1:0]] <= '{cqn: c1_q.cqn, cqe: entry};
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      flight_rd_q <= '0;
      flight_wr_q <= '0;
    end else if (!enable_i) begin
      flight_rd_q <= '0;
      flight_wr_q <= '0;
    end else begin
      if (c1_write) flight_wr_q <= flight_wr_q + 1'b1;
      if (answer) flight_rd_q <= flight_rd_q + 1'b1;
    end
  end

  // ------------------------------------------------------------------------------------------------ indices, arm
  always_ff @(posedge clk_i) begin
    if (c1_write) prod_mem[c1_q.cqn] <= c1_prod_q + 1'b1;
    if (answer) seen_mem[oldest.cqn] <= seen_next;
    if (bell) cons_mem[bell_cqn] <= doorbell_i.cq_index;
  end

  logic fire_valid;
  cqn_t fire_cqn;
  always_comb begin
    fire_cqn = '0;
    for (int unsigned i = NUM_CQ; i > 0; i--) begin
      if (fired_q[i-1]) fire_cqn = cqn_t'(i - 1);
    end
  end
  assign fire_valid = fired_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q   <= '0;
      prod_ok_q <= '0;
      seen_ok_q <= '0;
      cons_ok_q <= '0;
      armed_q   <= '0;
      fired_q   <= '0;
    end else if (!enable_i) begin
      valid_q   <= '0;
      prod_ok_q <= '0;
      seen_ok_q <= '0;
      cons_ok_q <= '0;
      armed_q   <= '0;
      fired_q   <= '0;
    end else begin
      if (fire_valid) fired_q[fire_cqn] <= 1'b0;
      if (c1_write) prod_ok_q[c1_q.cqn] <= 1'b1;
      if (answer) begin
        seen_ok_q[oldest.cqn] <= 1'b1;
        if (armed_q[oldest.cqn]) begin
          fired_q[oldest.cqn] <= 1'b1;
          armed_q[oldest.cqn] <= 1'b0;
        end
      end
      if (bell) begin
        cons_ok_q[bell_cqn] <= 1'b1;
        if (doorbell_i.cq_arm) begin
          armed_q[bell_cqn] <= seen_bell == doorbell_i.cq_index;
          if (seen_bell != doorbell_i.cq_index) fired_q[bell_cqn] <= 1'b1;
        end
      end
      if (load) begin
        valid_q[load_cqn]   <= cq_cmd_i.cqc.valid;
        prod_ok_q[load_cqn] <= 1'b0;
        seen_ok_q[load_cqn] <= 1'b0;
        cons_ok_q[load_cqn] <= 1'b0;
        armed_q[load_cqn]   <= 1'b0;
        fired_q[load_cqn]   <= 1'b0;
      end
    end
  end

  // ------------------------------------------------------------------------------------------------ seen from outside
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cq_fired_valid_o <= 1'b0;
      cq_overflow_o    <= 1'b0;
      async_valid_o    <= 1'b0;
      snoop_valid_o    <= 1'b0;
    end else begin
      cq_fired_valid_o <= enable_i && fire_valid;
      cq_overflow_o    <= enable_i && c1_lost;
      async_valid_o    <= enable_i && (c1_lost || failed);
      snoop_valid_o    <= answer && !failed;
    end
  end
  always_ff @(posedge clk_i) begin
    cq_fired_o    <= fire_cqn;
    async_o       <= '{kind: ASYNC_TYPE_CQ_ERR, subject: 24'(failed ? oldest.cqn : c1_q.cqn)};
    snoop_cqn_o   <= oldest.cqn;
    obs_cqe_cqn_o <= oldest.cqn;
    obs_cqe_o     <= oldest.cqe;
  end
  assign obs_cqe_valid_o = snoop_valid_o;
  always_comb begin
    count_o             = '0;
    count_o[COUNT_CQES] = snoop_valid_o;
  end
  logic unused;
  assign unused = ^{doorbell_i, cq_cmd_i};
  assign deadline_o  = '1;
  assign quiescent_o = !(c1_valid_q || wr_valid_o || fire_valid || cq_fired_valid_o || cq_overflow_o || async_valid_o || snoop_valid_o);

endmodule
