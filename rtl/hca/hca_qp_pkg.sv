// What the parts of hca_qp say to each other: contexts of both sides of a queue pair, the events that change them, what comes of them.
//
// A side is a pipeline of two stages: an event is chosen and its queue pair's context read; then the context is replaced and orders
//   go out. One event a cycle. An event is chosen only when there is room for everything it can order, so the second stage never waits.

package hca_qp_pkg;
  import hca_pkg::*;
  import hca_int_pkg::*;

  localparam int unsigned OffW = 23;                    // packets of a message: 2**30 / 256, and that many itself
  localparam int unsigned FlightW = $clog2(RX_SLOTS + 1);
  localparam int unsigned FetchSlots = 64;              // send work requests read ahead (read IDs RID_SQWQE + slot)
  localparam int unsigned FetchBatch = 16;              // of one queue pair at a time
  localparam int unsigned FetchW = $clog2(FetchSlots);
  localparam int unsigned RingW = $clog2(MAX_UNACKED);
  localparam int unsigned Turn = 16;                    // packets of one message before others have their turn
  localparam int unsigned GenW = 8;

  typedef logic [OffW-1:0] off_t;
  typedef logic [FlightW-1:0] flight_t;
  typedef logic [GenW-1:0] gen_t;

  // What MODIFY_QP gave and no event changes. Both sides keep a copy.
  typedef struct packed {
    fault_policy_e policy;
    logic [3:0] mtu_shift;
    logic [2:0] rnr_retry;
    logic [2:0] retry_cnt;
    logic allow_read;
    logic allow_write;
    logic allow_atomic;
    pd_t pd;
    logic [23:0] dest_qpn;
    cqn_t send_cqn;
    cqn_t recv_cqn;
    logic [3:0] sq_log;
    logic [3:0] rq_log;
    pa_t sq_base;
    pa_t rq_base;
  } qp_conf_t;

  // A place in what a send side sends: packet `off` of work request `idx`, its PSN, and the SENDs before the work request.
  typedef struct packed {
    index_t idx;
    off_t off;
    psn_t psn;
    index_t ssn;
  } place_t;

  typedef enum logic [1:0] { WAIT_NONE, WAIT_RNR, WAIT_RESTART } wait_e;
  typedef enum logic [1:0] { ALONE_READ, ALONE_SWAP, ALONE_ADD } alone_e;

  typedef struct packed {
    qp_state_e state;
    gen_t gen;               // of what is read ahead: older is thrown away
    index_t prod;
    index_t ahead;           // next work request to read
    place_t cur;             // next packet to send
    place_t una;             // first packet not acknowledged
    index_t done;            // work requests before it have had their completion
    index_t top_idx;         // farthest `cur` has been
    psn_t top_psn;
    logic [MAX_UNACKED-1:0] signaled;  // by index
    logic [MAX_UNACKED-1:0] send;
    logic listed;            // in the list of those with something to read and send
    logic closing;           // in the list of those with completions due
    logic parked;            // waits for a resume
    wait_e waits;            // for the other end
    logic probe;             // went back and does not know whether the other end takes it now: one packet, then its acknowledgement
    logic gap;               // asked again for missing READ answers, and none has come since
    logic ack_timer;         // an ACK time-out is running
    logic rnr_timer;
    logic progress;          // since that time-out began
    logic [2:0] retry;       // time-outs and sequence NAKs since the last progress
    logic [2:0] rnr;
    logic alone;             // a READ or atomic has been issued and is not complete
    logic alone_out;         // and nothing else may be: it waits for its answer
    alone_e alone_op;
    place_t alone_at;        // next answer expected
    logic [30:0] alone_len;  // bytes it reads
    flight_t flight;         // answers taken and not landed
    flight_t stale;          // of them, from before the side started anew
    logic fails;             // work request fail_idx fails when those before it are complete
    index_t fail_idx;
    wc_status_e fail_status;
    logic [7:0] fail_syndrome;
    logic skip;              // only for the mutant RNR_SKIPS
  } send_ctx_t;

  typedef struct packed {
    qp_state_e state;
    index_t prod;            // receives posted
    psn_t epsn;              // expected
    off_t eoff;              // packets of the unfinished message taken
    psn_t lpsn;              // landed: PSN, messages, packets of the unfinished one
    logic [23:0] msn;
    off_t loff;
    flight_t flight;         // taken and not landed
    flight_t stale;
    logic listed;            // in the list of those that owe something
    logic parked;            // a fault is outstanding
    logic suspended;         // a SUSPEND is owed or was sent: RESTART at the resume
    logic quiet;             // a NAK stands: no other for a gap
    nak_syndrome_e nak;      // owed, when all that was taken has landed
    logic ack;               // owed
    logic reads;             // a READ is being answered, from read_*
    va_t read_va;
    logic [31:0] read_key;
    logic [31:0] read_rest;
    off_t read_off;
    psn_t read_psn;
    index_t read_msn;
    logic atomic;            // an atomic's answer is owed
    logic atomic_known;      // the last atomic's answer, for when it is asked again
    psn_t atomic_psn;
    index_t atomic_msn;
    logic [63:0] atomic_value;
    logic fails;             // a receive's error completion is owed
    wc_status_e fail_status;
    logic [7:0] fail_syndrome;
    index_t fail_idx;
  } recv_ctx_t;

  typedef enum logic [3:0] {
    SEND_NONE, SEND_COMMAND, SEND_CROSS, SEND_DOORBELL, SEND_RESUME, SEND_FAIL, SEND_PACKET, SEND_LAND, SEND_ACK_TIMER, SEND_RNR_TIMER,
    SEND_CLOSE, SEND_ISSUE, SEND_FETCH
  } send_event_e;

  typedef enum logic [3:0] {
    RECV_NONE, RECV_COMMAND, RECV_CROSS, RECV_DOORBELL, RECV_RESUME, RECV_FAIL, RECV_PACKET, RECV_LAND, RECV_ANSWER
  } recv_event_e;

  // A queue pair went to ERR on its receive side: the send side follows, flushes, and tells software.
  typedef struct packed {
    qpn_t qpn;
    async_type_e kind;
  } cross_t;

  // A work request that has been read ahead.
  typedef struct packed {
    qpn_t qpn;
    index_t idx;
    gen_t gen;
  } ahead_t;

  typedef struct packed {
    qpn_t qpn;
    index_t idx;
    gen_t gen;
    logic [$clog2(FetchBatch):0] count;
    pa_t base;
    logic [3:0] log;
  } fetch_t;

  // What the send side needs to build a packet.
  typedef struct packed {
    qpn_t qpn;
    hca_wqe_t wqe;
    place_t at;
    logic [3:0] mtu_shift;
    pd_t pd;
    logic [23:0] dest_qpn;
    logic ack_req;
  } build_t;

  // Signed distance of PSNs: a before b.
  function automatic logic psn_before(psn_t a, psn_t b);
    psn_t distance;
    distance = a - b;
    return distance[PSN_WIDTH-1];
  endfunction

  // Packets, and so PSNs, of a message or of its rest.
  function automatic off_t packets(logic [31:0] bytes, logic [3:0] mtu_shift);
    logic [31:0] whole;
    whole = (bytes + (32'd1 << mtu_shift) - 32'd1) >> mtu_shift;
    return (whole == '0) ? off_t'(1) : off_t'(whole);
  endfunction

  function automatic logic state_sends(qp_state_e state);
    return state == QP_STATE_RTS;
  endfunction

  // SQD only stops new work requests.
  function automatic logic state_hears(qp_state_e state);
    return state == QP_STATE_RTS || state == QP_STATE_SQD;
  endfunction

  function automatic logic state_receives(qp_state_e state);
    return state == QP_STATE_RTR || state_hears(state);
  endfunction

  // The status of a work request whose local address was refused.
  function automatic wc_status_e local_status(xlt_result_e result);
    return (result == XLT_RESULT_BAD_TABLE) ? WC_STATUS_LOC_QP_OP_ERR : WC_STATUS_LOC_PROT_ERR;
  endfunction

  function automatic logic is_fault(xlt_result_e result);
    return result == XLT_RESULT_FAULT_NOT_PRESENT || result == XLT_RESULT_FAULT_READ_ONLY;
  endfunction

  function automatic fault_cause_e fault_cause(xlt_result_e result);
    return (result == XLT_RESULT_FAULT_READ_ONLY) ? FAULT_CAUSE_READ_ONLY : FAULT_CAUSE_NOT_PRESENT;
  endfunction

  // Back to what is not acknowledged. What was read ahead no longer counts.
  function automatic send_ctx_t send_back(send_ctx_t c);
    send_back = c;
    send_back.cur = c.una;
    send_back.ahead = c.una.idx;
    send_back.gen = c.gen + 1'b1;
    send_back.alone_out = 1'b0;
  endfunction

  // Work request `idx` fails. Those before it are sent again, the last asking for an acknowledgement, and complete first.
  function automatic send_ctx_t send_fails(send_ctx_t c, index_t idx, wc_status_e status, logic [7:0] syndrome);
    send_fails = send_back(c);
    send_fails.parked = 1'b0;
    send_fails.waits = WAIT_NONE;
    send_fails.probe = 1'b0;
    if (!c.fails || index_t'(idx - c.una.idx) < index_t'(c.fail_idx - c.una.idx)) begin
      send_fails.fails = 1'b1;
      send_fails.fail_idx = idx;
      send_fails.fail_status = status;
      send_fails.fail_syndrome = syndrome;
    end
  endfunction

  // All before `at` is acknowledged.
  function automatic send_ctx_t send_acked(send_ctx_t c, place_t at);
    send_acked = c;
    if (at.psn != c.una.psn) begin
      send_acked.una = at;
      send_acked.retry = '0;
      send_acked.rnr = '0;
      send_acked.probe = 1'b0;
      send_acked.gap = 1'b0;
      send_acked.waits = WAIT_NONE;
      send_acked.progress = 1'b1;
      if (psn_before(c.cur.psn, at.psn)) send_acked = send_back(send_acked);
    end
  endfunction

  // Back after a time-out or a sequence error, if it may once more.
  function automatic send_ctx_t send_again(send_ctx_t c, logic [2:0] limit);
    if (limit != '1 && c.retry >= limit) begin
      send_again = send_fails(c, c.una.idx, WC_STATUS_RETRY_EXC_ERR, '0);
    end else begin
      send_again = send_back(c);
      send_again.waits = WAIT_NONE;
      if (limit != '1) send_again.retry = c.retry + 1'b1;
    end
  endfunction

  // First work request that may not be sent: not posted, or failed.
  function automatic index_t send_limit(send_ctx_t c);
    return c.fails ? c.fail_idx : c.prod;
  endfunction

  // The next packet may leave.
  function automatic logic send_may(send_ctx_t c);
    return state_sends(c.state) && !c.parked && c.waits == WAIT_NONE && !c.alone_out && !(c.probe && c.cur.psn != c.una.psn);
  endfunction

  // What one event of the send side orders beside the new context.
  typedef struct packed {
    logic verdict;
    verdict_e kind;
    logic flt;
    logic cqe;
    logic build;
    logic ack_req;
    logic free;          // the work request read ahead is used up or of no use
    logic fetch;
    logic list;
    logic close;
    logic ack_start;
    logic rnr_start;
    logic crosses;         // went to ERR: the receive side follows
    logic tell;
    async_type_e told;
    logic flush;         // what waits in hca_tx and hca_rx
    logic withdraw;      // packets on their way to hca_tx: older ones were dropped there
    logic changed;       // of state
    logic bad_packet;
    logic retransmit;
    logic timeout;
    logic error;         // went to ERR by itself
  } send_out_t;

  // The settings after MODIFY_QP.
  function automatic qp_conf_t conf_of(qp_cmd_t cmd, qp_conf_t old);
    conf_of.policy = fault_policy_e'(cmd.qpc.policy);
    conf_of.mtu_shift = cmd.qpc.mtu_shift;
    conf_of.rnr_retry = cmd.qpc.rnr_retry;
    conf_of.retry_cnt = cmd.qpc.retry_cnt;
    conf_of.allow_read = cmd.qpc.allow_read;
    conf_of.allow_write = cmd.qpc.allow_write;
    conf_of.allow_atomic = cmd.qpc.allow_atomic;
    conf_of.pd = cmd.qpc.pd;
    conf_of.dest_qpn = cmd.qpc.dest_qpn;
    conf_of.send_cqn = cmd.qpc.send_cqn;
    conf_of.recv_cqn = cmd.qpc.recv_cqn;
    conf_of.sq_log = cmd.load_sq ? cmd.qpc.sq_log : old.sq_log;
    conf_of.rq_log = cmd.load_rq ? cmd.qpc.rq_log : old.rq_log;
    conf_of.sq_base = cmd.load_sq ? cmd.qpc.sq_base[PaW-1:0] : old.sq_base;
    conf_of.rq_base = cmd.load_rq ? cmd.qpc.rq_base[PaW-1:0] : old.rq_base;
  endfunction

  // MODIFY_QP that cannot be meant.
  function automatic logic qpc_bad(qp_cmd_t cmd);
    logic sq_bad, rq_bad;
    sq_bad = cmd.qpc.sq_base[5:0] != '0 || cmd.qpc.sq_base[63:PaW] != '0;
    rq_bad = cmd.qpc.rq_base[5:0] != '0 || cmd.qpc.rq_base[63:PaW] != '0;
    return cmd.qpc.state > QP_STATE_ERR || cmd.qpc.policy > FAULT_POLICY_RESTART || 32'(cmd.qpc.mtu_shift) < MTU_SHIFT_MIN ||
           32'(cmd.qpc.mtu_shift) > MTU_SHIFT_MAX || (cmd.load_sq && sq_bad) || (cmd.load_rq && rq_bad);
  endfunction

  // What was taken in this life has landed.
  function automatic logic recv_settled(recv_ctx_t c);
    return c.flight == c.stale;
  endfunction

  // The receive side goes to ERR by itself; the NAK goes when what was taken before has landed.
  function automatic recv_ctx_t recv_fails(recv_ctx_t c, nak_syndrome_e nak);
    recv_fails = c;
    recv_fails.state = QP_STATE_ERR;
    recv_fails.nak = nak;
    recv_fails.ack = 1'b0;
    recv_fails.reads = 1'b0;
    recv_fails.atomic = 1'b0;
  endfunction

  // Something can be sent, or a receive be completed.
  function automatic logic recv_owes(recv_ctx_t c);
    return ((c.nak != NAK_SYNDROME_NONE || c.fails) && recv_settled(c)) || (state_receives(c.state) && (c.ack || c.reads || c.atomic));
  endfunction

  typedef enum logic [2:0] { ANSWER_NONE, ANSWER_FAIL, ANSWER_NAK, ANSWER_ATOMIC, ANSWER_READ, ANSWER_ACK } answer_e;

  // What one event of the receive side orders beside the new context.
  typedef struct packed {
    logic verdict;
    verdict_e kind;
    logic flt;
    logic cqe;
    answer_e answer;
    logic list;
    logic crosses;
    async_type_e told;
    logic withdraw;      // answers on their way to hca_tx: older ones were dropped there
    logic bad_packet;
    logic out_of_sequence;
    logic duplicate;
    logic rnr_nak;
    logic nak;
  } recv_out_t;

endpackage
