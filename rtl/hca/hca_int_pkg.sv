// What passes between the blocks of the HCA. Layouts that software or the other end can see stand in hca_pkg (spec/hca.toml).
//
// Conventions: a request is valid/ready with a stable payload; a response or notice is valid for one cycle and cannot be refused, so
//   whoever asks has room for the answer. All are registered outputs unless a port says "combinational".

package hca_int_pkg;
  import hca_pkg::*;

  localparam int unsigned PaW = 52;
  localparam int unsigned VaW = 64;
  localparam int unsigned RxSlotW = $clog2(RX_SLOTS);
  localparam int unsigned TxSlotW = $clog2(TX_SLOTS);
  localparam int unsigned UseSlotW = RxSlotW > TxSlotW ? RxSlotW : TxSlotW;
  localparam int unsigned SegW = $clog2(MAX_SEGMENTS);
  localparam int unsigned WalkerW = $clog2(WALKERS);
  localparam int unsigned PageW = 12;

  typedef logic [PaW-1:0] pa_t;
  typedef logic [VaW-1:0] va_t;
  typedef logic [QPN_WIDTH-1:0] qpn_t;
  typedef logic [CQN_WIDTH-1:0] cqn_t;
  typedef logic [KEY_IDX_WIDTH-1:0] keyidx_t;
  typedef logic [PD_WIDTH-1:0] pd_t;
  typedef logic [PSN_WIDTH-1:0] psn_t;
  typedef logic [INDEX_WIDTH-1:0] index_t;
  typedef logic [511:0] line_t;

  // ---- memory (hca_axi) -----------------------------------------------------------------------------------------------
  // Single beats of 64 bytes. Reads of one ID answer in order. Nobody may refuse a read's data or a write's response.

  typedef logic [7:0] axid_t;
  localparam axid_t RID_PAYLOAD = 8'h00;  // TX payload, all in order
  localparam axid_t RID_CMD = 8'h01;
  localparam axid_t RID_QPC = 8'h02;      // contexts of MODIFY_QP, MODIFY_CQ
  localparam axid_t RID_WALK = 8'h20;     // + walker
  localparam axid_t RID_MPT = 8'h40;      // + 0..15
  localparam axid_t RID_RXWQE = 8'h60;    // + RX slot
  localparam axid_t RID_SQWQE = 8'h80;    // + 0..63: prefetch of send work requests
  localparam axid_t ID_ATOMIC = 8'hC0;    // reads and writes: AXI's exclusive pair has one ID
  localparam axid_t RID_ATOMIC = ID_ATOMIC;
  localparam axid_t WID_RX = 8'h00;       // payload of packets, all in order: of two writes to one byte the later one stays
  localparam axid_t WID_CQE = 8'h20;
  localparam axid_t WID_FAULT = 8'h21;
  localparam axid_t WID_FENCE = 8'h22;
  localparam axid_t WID_CMD = 8'h23;      // status of a command, QUERY_QP
  localparam axid_t WID_ATOMIC = ID_ATOMIC;

  // AXI sideband: whose access this is, for the oracle. Not `mapped`: the device's own tables and queues.
  typedef struct packed {
    logic mapped;
    need_e need;
    qpn_t qpn;
    keyidx_t key;
    va_t va;            // address of the first byte of the beat that is used
    logic [6:0] bytes;  // bytes used from va on: 1..64, none past the line
  } hca_user_t;

  typedef struct packed {
    axid_t id;
    pa_t pa;
    logic [2:0] size;  // log2 of the bytes wanted (6: the line)
    logic lock;
    hca_user_t user;
  } rd_req_t;

  typedef struct packed {
    axid_t id;
    logic [1:0] resp;  // AXI: 0 OKAY, 1 EXOKAY, 2 SLVERR, 3 DECERR
    line_t data;
  } rd_rsp_t;

  typedef struct packed {
    axid_t id;
    pa_t pa;
    logic lock;
    hca_user_t user;
    line_t data;
    logic [63:0] strb;
  } wr_req_t;

  typedef struct packed {
    axid_t id;
    logic [1:0] resp;
  } wr_rsp_t;

  // ---- translation (hca_xlt) -------------------------------------------------------------------------------------------
  // A use is named by who asked, slot and segment. After an OK answer it is held: an invalidation that covers it takes it away
  // (live falls). From `start`, in a cycle with `live` high, until `done`, it is in flight: an invalidation that covers it waits. A start
  // in the very cycle an invalidation is accepted counts as in flight. `drop` gives a held use back. live rises with the OK answer; an
  // answer that comes with live low has been taken away already: look up again.

  typedef enum logic { USER_RX = 1'b0, USER_TX = 1'b1 } xlt_user_e;

  typedef struct packed {
    xlt_user_e user;
    logic [UseSlotW-1:0] slot;
    logic [SegW-1:0] seg;
  } use_t;

  typedef struct packed {
    use_t id;
    qpn_t qpn;
    pd_t pd;
    logic [31:0] key;
    va_t va;
    logic [12:0] len;  // 1..4096; va..va+len-1 lies in one 4 KiB page
    need_e need;
  } xlt_req_t;

  typedef struct packed {
    use_t id;
    xlt_result_e result;
    pa_t pa;  // of va
  } xlt_rsp_t;

  // ---- faults (hca_fault) ----------------------------------------------------------------------------------------------

  typedef struct packed {
    qpn_t qpn;
    fault_dir_e direction;
    logic write;
    logic rdma;
    fault_cause_e cause;
    logic [31:0] key;
    va_t va;
    logic [31:0] length;
    logic [12:0] packet_length;
    index_t wqe_index;
  } flt_req_t;

  typedef struct packed {
    qpn_t qpn;
    fault_dir_e direction;
    logic error;
  } resume_t;

  // What a fault's record says, and whose it is (inside hca_fault).
  typedef struct packed {
    logic write;
    logic rdma;
    fault_cause_e cause;
    logic [31:0] key;
    va_t va;
    logic [31:0] length;
    logic [12:0] packet_length;
    index_t wqe_index;
  } fault_body_t;

  typedef struct packed {
    qpn_t qpn;
    fault_dir_e direction;
    logic [31:0] token;
    fault_body_t body;
  } fault_record_t;

  // ---- commands for the queue pairs (hca_cmd -> hca_qp) ----------------------------------------------------------------

  typedef struct packed {
    cmd_op_e op;  // MODIFY_QP or QUERY_QP
    qpn_t qpn;
    logic load_sq;
    logic load_rq;
    hca_qpc_t qpc;
  } qp_cmd_t;

  typedef struct packed {
    cqn_t cqn;
    hca_cqc_t cqc;
  } cq_cmd_t;

  // What the receive and send engines need of a queue pair, broadcast when MODIFY_QP with load_sq or load_rq is done.
  typedef struct packed {
    pd_t pd;
    logic [3:0] sq_log;
    logic [3:0] rq_log;
    logic [3:0] mtu_shift;
    pa_t sq_base;
    pa_t rq_base;
  } qp_cfg_t;

  // Doorbells, decoded from the register block, for one cycle each.
  typedef struct packed {
    logic sq_valid;
    logic rq_valid;
    qpn_t qpn;
    index_t index;
    logic cq_valid;
    cqn_t cqn;
    index_t cq_index;
    logic cq_arm;
  } doorbell_t;

  // ---- commands executed and not yet retired (hca_cmd -> hca_cmd_retire) -------------------------------------------------

  localparam int unsigned CmdSlots = 16;  // commands fetched and not retired
  localparam int unsigned CmdSlotW = $clog2(CmdSlots);
  localparam int unsigned InvTags = 32;   // invalidations whose accesses in flight may still be waited for
  localparam int unsigned InvTagW = $clog2(InvTags);

  typedef enum logic [1:0] {
    RETIRE_STATUS,  // nothing but its status
    RETIRE_FENCE,   // a value first, when what was in flight is over
    RETIRE_REPORT   // a report first
  } retire_kind_e;

  typedef struct packed {
    retire_kind_e kind;
    cmd_status_e status;
    pa_t addr;
    logic [63:0] value;
  } retire_t;

  // ---- packets (hca_rx <-> hca_qp <-> hca_tx) --------------------------------------------------------------------------

  typedef struct packed {
    line_t data;
    logic sop;
    logic eop;
    logic [31:0] crc;  // with eop: CRC-32 (reflected 0xEDB88320, all flits of the packet, bytes ascending)
  } flit_t;

  // A packet that has arrived whole, has the right CRC, and whose payload's place in memory has been looked up. Of one queue pair they
  // come in the order of arrival, the next after the verdict on the one before.
  typedef struct packed {
    logic [RxSlotW-1:0] slot;
    hca_packet_t head;
    logic no_wqe;              // SEND: no receive work request at head.ssn; READ_RESP: none at head.msn
    logic too_long;            // SEND, READ_RESP: the work request's elements are too short
    xlt_result_e result;       // OK, or that of the first segment that is not
    logic bad_sge;             // the work request's num_sge is out of range
    logic [31:0] key;          // of that segment
    va_t va;
    logic [12:0] seg_offset;   // its first byte in the packet's payload
    logic [31:0] seg_rest;     // bytes of the message from va on that lie in the same element (what a driver should map)
  } rx_pkt_t;

  typedef enum logic [1:0] {
    VERDICT_DROP = 2'd0,   // forget it
    VERDICT_TAKE = 2'd1,   // carry it out; rx_land follows
    VERDICT_HOLD = 2'd2    // look its addresses up again after a resume of this queue pair's receive side, then present it again
  } verdict_e;

  typedef struct packed {
    logic [RxSlotW-1:0] slot;
    verdict_e verdict;
  } rx_verdict_t;

  // A taken packet's payload is in memory (its writes are answered) or its atomic is done. Of one queue pair: in order.
  typedef struct packed {
    qpn_t qpn;
    hca_packet_t head;
    logic failed;           // memory answered with an error
    logic [63:0] old_value; // atomics
    index_t wqe_index;
  } rx_land_t;

  // A packet to send. Pieces of payload come from up to two elements; hca_tx cuts them at page edges and looks them up.
  typedef struct packed {
    hca_packet_t head;       // complete; hca_tx adds nothing
    qpn_t qpn;               // own queue pair
    fault_dir_e side;        // REQUESTER: of the send side; RESPONDER: of the receive side (READ_RESP, ACK, ...)
    pd_t pd;
    need_e need;             // LOCAL_READ or REMOTE_READ
    index_t wqe_index;
    logic [31:0] key0;
    va_t va0;
    logic [12:0] len0;       // bytes of this packet from element 0, from va0
    logic [31:0] rest0;      // bytes of the message from va0 on in this element
    logic [31:0] key1;
    va_t va1;
    logic [12:0] len1;
    logic [31:0] rest1;
  } tx_pkt_t;

  // A packet could not be sent: its addresses. It and all younger packets of the same queue pair and side have been dropped; of it none
  // was sent. From then on hca_tx takes packets of that side again.
  typedef struct packed {
    qpn_t qpn;
    fault_dir_e side;
    hca_packet_t head;
    index_t wqe_index;
    xlt_result_e result;
    logic [31:0] key;
    va_t va;
    logic [31:0] length;
    logic [12:0] packet_length;
  } tx_fail_t;

  typedef struct packed {
    cqn_t cqn;
    hca_cqe_t cqe;  // owner is filled in by hca_cq
  } cq_req_t;

  typedef struct packed {
    async_type_e kind;
    logic [23:0] subject;
  } async_t;

  // ---- inside hca_rx -----------------------------------------------------------------------------------------------------

  typedef logic [RxSlotW-1:0] rxslot_t;
  typedef logic [SegW-1:0] seg_t;

  // A piece of a packet's payload that lies in one element and one page.
  typedef struct packed {
    logic [31:0] key;
    va_t va;
    logic [12:0] len;
    logic [12:0] offset;  // of its first byte in the payload
    logic [31:0] rest;    // bytes of the message from va on in the same element
  } rx_seg_t;

  // Why a packet was not looked up although it names addresses.
  typedef struct packed {
    logic no_wqe;
    logic too_long;
    logic bad_sge;
    logic bad_table;  // memory answered the fetch of its work request with an error
  } rx_flags_t;

  // What an inbound packet needs of the addresses it writes.
  function automatic need_e rx_need(pkt_op_e op);
    unique case (op)
      PKT_OP_WRITE:                    rx_need = NEED_REMOTE_WRITE;
      PKT_OP_CMP_SWAP, PKT_OP_FETCH_ADD: rx_need = NEED_REMOTE_ATOMIC;
      default:                         rx_need = NEED_LOCAL_WRITE;
    endcase
  endfunction

  // ---- what the monitor sees (spec/events.toml, layer hca_device), one cycle each ---------------------------------------
  typedef struct packed {
    logic walk_valid; logic [31:0] walk_key; va_t walk_va;
    logic fill_valid; logic fill_dropped; logic [31:0] fill_key; va_t fill_va; logic [39:0] fill_pfn; logic [5:0] fill_shift; logic fill_write;
    logic inv_valid; index_t inv_index; logic [31:0] inv_key; va_t inv_addr; logic [63:0] inv_length; logic inv_whole;
    logic [MTT_WAYS-1:0] kill_valid; logic [MTT_WAYS-1:0][KEY_IDX_WIDTH-1:0] kill_key; logic [MTT_WAYS-1:0][63:0] kill_va;
    logic [MTT_WAYS-1:0][5:0] kill_shift;
    logic fence_valid; index_t fence_index; logic [63:0] fence_value;
    logic fault_valid; flt_req_t fault; logic [31:0] fault_token;
    logic record_valid; qpn_t record_qpn; fault_dir_e record_dir; logic [31:0] record_token; index_t record_prod;
    logic resume_valid; qpn_t resume_qpn; fault_dir_e resume_dir; logic [31:0] resume_token; logic resume_error; logic resume_ok;
    logic lkp_valid; use_t lkp_id; logic rsp_valid; use_t rsp_id; logic rsp_ok; pa_t rsp_pa;
  } obs_xlt_t;

  typedef struct packed {
    logic qp_valid; qpn_t qp_qpn; qp_state_e qp_state;
    logic sent_valid; hca_packet_t sent;
    logic taken_valid; hca_packet_t taken;
    logic land_valid; hca_packet_t land;
    logic cqe_valid; cqn_t cqe_cqn; hca_cqe_t cqe;
  } obs_pkt_t;

  typedef struct packed {
    logic cq_valid; cqn_t cq;          // an entry was written (response received)
    logic cmd_valid; index_t cmd;      // a command's status was written; entry of the queue
    logic fence_valid;                 // a fence's value was written
  } hca_snoop_t;

endpackage
