// Inbound packets made ready: the work request fetched, the payload cut at elements and pages, each piece's address looked up.
//
//   pick ─▶ P1 context, decide ─┬▶ fetch of the work request (picked again when it is there)
//                               ├▶ nothing to look up
//                               └▶ E elements ─▶ one piece a cycle ─▶ look-up
//
// Promises: one packet, and one piece, a cycle; a packet waits for nobody but the port it needs. A SEND's work request is fetched only when
//   the doorbell has posted it. A queue pair that was never given queues has none: nothing is fetched or looked up for it.
// Needs: what is asked for a slot stays its own until the answer is there.
// Costs: pick to look-up three cycles.

module hca_rx_prep
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  // Queue pairs.
  input  logic        cfg_valid_i,
  input  qpn_t        cfg_qpn_i,
  input  qp_cfg_t     cfg_i,
  input  logic        cfg_load_rq_i,
  input  logic        rq_valid_i,      // doorbell of a receive queue
  input  qpn_t        rq_qpn_i,
  input  index_t      rq_index_i,
  // The packet to prepare.
  input  logic        pick_valid_i,
  output logic        pick_ready_o,
  input  rxslot_t     pick_slot_i,
  input  logic        pick_fetched_i,  // its work request is there
  input  hca_packet_t pick_head_i,
  // What became of it.
  output logic        plain_valid_o,   // nothing is looked up
  output rxslot_t     plain_slot_o,
  output rx_flags_t   plain_flags_o,
  output logic        fetch_valid_o,   // its work request is on its way
  output rxslot_t     fetch_slot_o,
  output logic        seg_valid_o,     // a piece has been asked for
  output rxslot_t     seg_slot_o,
  output seg_t        seg_index_o,
  output rx_seg_t     seg_o,
  output logic        seg_last_o,
  // Memory.
  output logic        rd_valid_o,
  input  logic        rd_ready_i,
  output rd_req_t     rd_o,
  input  logic        rd_rsp_valid_i,
  input  rd_rsp_t     rd_rsp_i,
  output logic        fetched_valid_o,
  output rxslot_t     fetched_slot_o,
  // Look-ups.
  output logic        req_valid_o,
  input  logic        req_ready_i,
  output xlt_req_t    req_o,
  output logic        work_o
);

  localparam int unsigned PosW = 48;  // a place in a message, whatever a header claims: 32 bits of packets of up to 4096 bytes

  // What counts of a work request.
  typedef struct packed {
    logic        error;
    logic [3:0]  num_sge;
    logic [31:0] lkey1;
    logic [31:0] length1;
    va_t         addr1;
    logic [31:0] lkey0;
    logic [31:0] length0;
    va_t         addr0;
  } request_t;

  // A run of payload in one element.
  typedef struct packed {
    logic [31:0] key;
    va_t         va;
    logic [12:0] len;
    logic [31:0] rest;
  } element_t;

  // ------------------------------------------------------------------------------------------------ P1: context and work request
  logic        p1_valid_q, p1_go, p1_fetched_q, pick;
  rxslot_t     p1_slot_q;
  hca_packet_t p1_head_q;
  request_t    p1_request_q;
  request_t    request_mem [RX_SLOTS];
  qp_cfg_t     p1_cfg;
  index_t      p1_prod;
  qpn_t        p1_qpn, pick_qpn;
  logic [NUM_QP-1:0] known_q, rung_q;  // has queues; its doorbell was rung since

  assign pick_ready_o = !p1_valid_q || p1_go;
  assign pick         = pick_valid_i && pick_ready_o;
  assign pick_qpn     = pick_head_i.dest_qpn[QPN_WIDTH-1:0];
  assign p1_qpn       = p1_head_q.dest_qpn[QPN_WIDTH-1:0];

  ram_1r1w #(.Width($bits(qp_cfg_t)), .Depth(NUM_QP)) u_cfg (
    .clk_i, .we_i(cfg_valid_i), .waddr_i(cfg_qpn_i), .wdata_i(cfg_i), .re_i(pick), .raddr_i(pick_qpn), .rdata_o(p1_cfg)
  );
  ram_1r1w #(.Width(INDEX_WIDTH), .Depth(NUM_QP)) u_prod (
    .clk_i, .we_i(rq_valid_i), .waddr_i(rq_qpn_i), .wdata_i(rq_index_i), .re_i(pick), .raddr_i(pick_qpn), .rdata_o(p1_prod)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      known_q <= '0;
      rung_q  <= '0;
    end else if (!enable_i) begin
      known_q <= '0;
      rung_q  <= '0;
    end else begin
      if (cfg_valid_i) known_q[cfg_qpn_i] <= 1'b1;
      if (cfg_valid_i && cfg_load_rq_i) rung_q[cfg_qpn_i] <= 1'b0;
      if (rq_valid_i) rung_q[rq_qpn_i] <= 1'b1;
    end
  end

  assign fetched_valid_o = rd_rsp_valid_i && (rd_rsp_i.id & ~axid_t'(RX_SLOTS - 1)) == RID_RXWQE;
  assign fetched_slot_o  = rd_rsp_i.id[RxSlotW-1:0];
  hca_wqe_t wqe;
  assign wqe = hca_wqe_t'(rd_rsp_i.data);
  always_ff @(posedge clk_i) begin
    if (fetched_valid_o) begin
      request_mem[fetched_slot_o] <= '{error: rd_rsp_i.resp[1], num_sge: wqe.num_sge, lkey1: wqe.lkey1, length1: wqe.length1,
                                       addr1: wqe.addr1, lkey0: wqe.lkey0, length0: wqe.length0, addr0: wqe.addr0};
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) p1_valid_q <= 1'b0;
    else if (!enable_i) p1_valid_q <= 1'b0;
    else if (pick_ready_o) p1_valid_q <= pick_valid_i;
  end
  always_ff @(posedge clk_i) begin
    if (pick) begin
      p1_slot_q    <= pick_slot_i;
      p1_head_q    <= pick_head_i;
      p1_fetched_q <= pick_fetched_i;
      p1_request_q <= request_mem[pick_slot_i];
    end
  end

  // ------------------------------------------------------------------------------------------------ decide
  logic    known, posted, direct, local_write, atomic_answer, fetch, cut, rd_free, e_free;
  pkt_op_e op;
  index_t  ahead;
  logic [12:0] payload;
  assign op            = pkt_op_e'(p1_head_q.opcode);
  assign known         = known_q[p1_qpn];
  assign ahead         = (rung_q[p1_qpn] ? p1_prod : '0) - p1_head_q.ssn;
  assign posted        = known && ahead != '0 && ahead <= index_t'(1) << p1_cfg.rq_log;
  assign atomic_answer = op == PKT_OP_ATOMIC_RESP;
  assign payload       = (atomic_answer || op == PKT_OP_CMP_SWAP || op == PKT_OP_FETCH_ADD) ? 13'd8 : p1_head_q.length;
  assign direct        = known && payload != '0 &&
                         (op == PKT_OP_WRITE || ((op == PKT_OP_CMP_SWAP || op == PKT_OP_FETCH_ADD) && p1_head_q.va[2:0] == '0));
  assign local_write   = known && payload != '0 && ((op == PKT_OP_SEND && posted) || op == PKT_OP_READ_RESP || atomic_answer);
  assign fetch         = local_write && !p1_fetched_q;

  // The payload's place in the elements of the work request.
  logic [PosW-1:0] start, finish, total, second;
  logic [31:0]     length0, length1, rest, room0;
  logic [12:0]     in_first;
  rx_flags_t       flags;
  element_t [1:0]  element;
  assign length0 = p1_request_q.num_sge == '0 ? '0 : p1_request_q.length0;
  assign length1 = (p1_request_q.num_sge < 4'd2 || atomic_answer) ? '0 : p1_request_q.length1;
  assign start   = atomic_answer ? '0 : PosW'(p1_head_q.offset) << p1_cfg.mtu_shift;
  assign finish  = start + PosW'(payload);
  assign total   = PosW'(length0) + PosW'(length1);
  assign room0   = start < PosW'(length0) ? length0 - 32'(start) : '0;
  assign second  = start < PosW'(length0) ? '0 : start - PosW'(length0);
  assign in_first = 32'(payload) < room0 ? payload : 13'(room0);
  assign rest    = p1_head_q.rest < 32'(payload) ? 32'(payload) : p1_head_q.rest;
  assign flags   = '{
      no_wqe:    op == PKT_OP_SEND && !posted,
      bad_table: local_write && p1_fetched_q && p1_request_q.error,
      bad_sge:   local_write && p1_fetched_q && !p1_request_q.error && p1_request_q.num_sge > 4'(MAX_SGE),
      too_long:  local_write && p1_fetched_q && !p1_request_q.error && p1_request_q.num_sge <= 4'(MAX_SGE) && finish > total
  };
  always_comb begin
    if (direct) begin
      element[0] = '{key: p1_head_q.rkey, va: p1_head_q.va, len: payload, rest: rest};
      element[1] = '0;
    end else begin
      element[0] = '{key: p1_request_q.lkey0, va: p1_request_q.addr0 + VaW'(start), len: in_first, rest: rest < room0 ? rest : room0};
      element[1] = '{key: p1_request_q.lkey1, va: p1_request_q.addr1 + VaW'(second), len: payload - in_first, rest: '0};
      element[1].rest = rest - 32'(in_first) < length1 - 32'(second) ? rest - 32'(in_first) : length1 - 32'(second);
    end
    if (element[0].len == '0) begin
      element[0] = element[1];
      element[1].len = '0;
    end
  end

  assign cut           = (direct || (local_write && p1_fetched_q)) && flags == '0;
  assign p1_go         = p1_valid_q && (fetch ? rd_free : cut ? e_free : 1'b1);
  assign plain_valid_o = p1_valid_q && !fetch && !cut;
  assign plain_slot_o  = p1_slot_q;
  assign plain_flags_o = flags;
  assign fetch_valid_o = p1_valid_q && fetch && rd_free;
  assign fetch_slot_o  = p1_slot_q;

  // ------------------------------------------------------------------------------------------------ the fetch
  index_t place;
  assign rd_free = !rd_valid_o || rd_ready_i;
  assign place   = op == PKT_OP_SEND ? p1_head_q.ssn & ((index_t'(1) << p1_cfg.rq_log) - 1'b1) :
                                       p1_head_q.msn[INDEX_WIDTH-1:0] & ((index_t'(1) << p1_cfg.sq_log) - 1'b1);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) rd_valid_o <= 1'b0;
    else if (!enable_i) rd_valid_o <= 1'b0;
    else if (rd_free) rd_valid_o <= fetch_valid_o;
  end
  always_ff @(posedge clk_i) begin
    if (fetch_valid_o) begin
      rd_o <= '{id: RID_RXWQE | axid_t'(p1_slot_q),
                pa: (op == PKT_OP_SEND ? p1_cfg.rq_base : p1_cfg.sq_base) + pa_t'({place, 6'd0}),
                size: 3'd6, lock: 1'b0,
                user: '{mapped: 1'b0, need: NEED_LOCAL_READ, qpn: p1_qpn, key: '0, va: '0, bytes: 7'(ENTRY_BYTES)}};
    end
  end

  // ------------------------------------------------------------------------------------------------ E: cut, look up
  logic           e_valid_q, e_go, e_last, req_free;
  rxslot_t        e_slot_q;
  qpn_t           e_qpn_q;
  pd_t            e_pd_q;
  need_e          e_need_q;
  seg_t           e_seg_q;
  logic [12:0]    e_offset_q, edge_room, piece;
  element_t [1:0] e_q;
  assign req_free  = !req_valid_o || req_ready_i;
  assign edge_room = 13'd4096 - 13'(e_q[0].va[PageW-1:0]);
  assign piece     = e_q[0].len < edge_room ? e_q[0].len : edge_room;
  assign e_go      = e_valid_q && req_free;
  assign e_last    = e_q[0].len == piece && e_q[1].len == '0;
  assign e_free    = !e_valid_q || (e_go && e_last);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      e_valid_q   <= 1'b0;
      req_valid_o <= 1'b0;
    end else if (!enable_i) begin
      e_valid_q   <= 1'b0;
      req_valid_o <= 1'b0;
    end else begin
      if (e_free) e_valid_q <= p1_valid_q && cut;
      if (req_free) req_valid_o <= e_valid_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (e_free) begin
      e_slot_q   <= p1_slot_q;
      e_qpn_q    <= p1_qpn;
      e_pd_q     <= p1_cfg.pd;
      e_need_q   <= rx_need(op);
      e_seg_q    <= '0;
      e_offset_q <= '0;
      e_q        <= element;
    end else if (e_go) begin
      e_seg_q    <= e_seg_q + 1'b1;
      e_offset_q <= e_offset_q + piece;
      if (e_q[0].len == piece) begin
        e_q[0]     <= e_q[1];
        e_q[1].len <= '0;
      end else begin
        e_q[0].va   <= e_q[0].va + VaW'(piece);
        e_q[0].len  <= e_q[0].len - piece;
        e_q[0].rest <= e_q[0].rest - 32'(piece);
      end
    end
    if (e_go) begin
      req_o <= '{id: '{user: USER_RX, slot: UseSlotW'(e_slot_q), seg: e_seg_q}, qpn: e_qpn_q, pd: e_pd_q, key: e_q[0].key, va: e_q[0].va, len: piece,
                 need: e_need_q};
    end
  end
  assign seg_valid_o = e_go;
  assign seg_slot_o  = e_slot_q;
  assign seg_index_o = e_seg_q;
  assign seg_last_o  = e_last;
  assign seg_o       = '{key: e_q[0].key, va: e_q[0].va, len: piece, offset: e_offset_q, rest: e_q[0].rest};

  logic unused;
  assign unused = ^{p1_head_q, wqe, rd_rsp_i.resp[0]};
  assign work_o = p1_valid_q || e_valid_q || rd_valid_o || req_valid_o;

endmodule
