// Reads send work requests ahead of their use: batches of queue pairs, in the order asked for, in a ring of slots.
//
// Promises: the oldest work request stands at head_o with its contents at wqe_o the cycle after `look_i`, once head_valid_o. A batch is
//   taken only when a whole one fits (room_o).
// Needs: after enable_i was low no answer to an earlier read.
// Costs: FetchSlots lines of RAM.

module hca_qp_fetch
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_qp_pkg::*;
(
  input  logic     clk_i,
  input  logic     rst_ni,
  input  logic     enable_i,
  input  logic     fetch_valid_i,
  input  fetch_t   fetch_i,
  output logic     room_o,
  // memory
  output logic     rd_valid_o,
  input  logic     rd_ready_i,
  output rd_req_t  rd_o,
  input  logic     rd_rsp_valid_i,
  input  rd_rsp_t  rd_rsp_i,
  // the oldest
  output logic     head_valid_o,
  output ahead_t   head_o,
  output logic     head_bad_o,
  input  logic     look_i,        // read its contents
  output hca_wqe_t wqe_o,
  input  logic     free_i,
  output qpn_t     last_qpn_o,    // the newest is of this queue pair
  // reads of a queue pair that memory has not answered
  input  qpn_t     busy_qpn_i,
  output logic     busy_o,
  output logic     idle_o         // nothing to ask for
);

  localparam int unsigned CountW = $clog2(FetchBatch) + 1;

  if (RID_SQWQE[FetchW-1:0] != '0) begin : g_check
    $error("hca_qp_fetch: RID_SQWQE must be a multiple of the slots");
  end

  ahead_t ahead_q[FetchSlots];
  logic [FetchSlots-1:0] asked_q, answered_q, bad_q;
  logic [FetchW:0] head_q, tail_q, used;
  logic [FetchW-1:0] head, tail, rsp_slot;
  fetch_t job_q;  // count: what is left of it
  qpn_t last_qpn_q;
  logic ask, answer;
  index_t place;

  assign head = head_q[FetchW-1:0];
  assign tail = tail_q[FetchW-1:0];
  assign used = tail_q - head_q;
  assign idle_o = job_q.count == '0;
  assign room_o = idle_o && !fetch_valid_i && used <= (FetchW + 1)'(FetchSlots - FetchBatch);

  assign place = job_q.idx & ~({INDEX_WIDTH{1'b1}} << job_q.log);

  // Registered: the payload stays while it waits, whatever becomes of the job.
  logic rd_valid_q;
  logic [FetchW-1:0] rd_slot_q;
  pa_t rd_pa_q;

  assign ask = job_q.count != '0 && (!rd_valid_q || rd_ready_i);

  always_comb begin
    rd_o = '0;
    rd_o.id = RID_SQWQE | axid_t'(rd_slot_q);
    rd_o.pa = rd_pa_q;
    rd_o.size = 3'd6;
  end
  assign rd_valid_o = rd_valid_q;

  assign answer = rd_rsp_valid_i && (rd_rsp_i.id & ~axid_t'(FetchSlots - 1)) == RID_SQWQE;
  assign rsp_slot = rd_rsp_i.id[FetchW-1:0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_q <= '0;
      tail_q <= '0;
      job_q <= '0;
      rd_valid_q <= 1'b0;
      asked_q <= '0;
      answered_q <= '0;
      bad_q <= '0;
      last_qpn_q <= '0;
    end else begin
      if (rd_ready_i) rd_valid_q <= 1'b0;
      if (answer) begin
        asked_q[rsp_slot] <= 1'b0;
        answered_q[rsp_slot] <= 1'b1;
        bad_q[rsp_slot] <= rd_rsp_i.resp[1];
      end
      if (!enable_i) begin
        head_q <= '0;
        tail_q <= '0;
        job_q <= '0;
        rd_valid_q <= 1'b0;
        asked_q <= '0;
      end else begin
        if (fetch_valid_i) begin
          job_q <= fetch_i;
          last_qpn_q <= fetch_i.qpn;
        end
        if (ask) begin
          tail_q <= tail_q + 1'b1;
          asked_q[tail] <= 1'b1;
          answered_q[tail] <= 1'b0;
          job_q.count <= job_q.count - CountW'(1);
          job_q.idx <= job_q.idx + 1'b1;
          rd_valid_q <= 1'b1;
        end
        if (free_i) head_q <= head_q + 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (ask) begin
      ahead_q[tail] <= '{qpn: job_q.qpn, idx: job_q.idx, gen: job_q.gen};
      rd_slot_q <= tail;
      rd_pa_q <= job_q.base + (pa_t'(place) << $clog2(ENTRY_BYTES));
    end
  end

  ram_1r1w #(.Width($bits(hca_wqe_t)), .Depth(FetchSlots)) u_ram (
    .clk_i, .we_i(answer), .waddr_i(rsp_slot), .wdata_i(rd_rsp_i.data), .re_i(look_i), .raddr_i(head), .rdata_o(wqe_o)
  );

  assign head_valid_o = used != '0 && answered_q[head];
  assign head_o = ahead_q[head];
  assign head_bad_o = bad_q[head];
  assign last_qpn_o = last_qpn_q;

  always_comb begin
    busy_o = (job_q.count != '0) && job_q.qpn == busy_qpn_i;
    for (int unsigned i = 0; i < FetchSlots; i++) if (asked_q[i] && ahead_q[i].qpn == busy_qpn_i) busy_o = 1'b1;
  end

endmodule
