// Generated from spec/ by `make gen`. Do not edit.

package hca_pkg;

  localparam int unsigned NUM_QP = 4096;  // queue pairs
  localparam int unsigned QPN_WIDTH = 12;  // queue pair number
  localparam int unsigned NUM_CQ = 256;  // completion queues
  localparam int unsigned CQN_WIDTH = 8;  // completion queue number
  localparam int unsigned NUM_KEY = 4096;  // memory keys: entries of the key table
  localparam int unsigned KEY_IDX_WIDTH = 12;  // index of a key: key[19:8]; key[7:0] is the variant
  localparam int unsigned PD_WIDTH = 24;  // protection domain
  localparam int unsigned PSN_WIDTH = 24;  // packet sequence number
  localparam int unsigned INDEX_WIDTH = 16;  // producer and consumer indices run freely, modulo 2**16; a queue has at most 2**15 entries
  localparam int unsigned ENTRY_BYTES = 64;  // size of every queue entry, context and table line
  localparam int unsigned MTU_SHIFT_MIN = 8;  // smallest path MTU, 256 bytes
  localparam int unsigned MTU_SHIFT_MAX = 12;  // largest path MTU, 4096 bytes
  localparam int unsigned MAX_SGE = 2;  // scatter/gather elements of a work request
  localparam int unsigned MAX_SEGMENTS = 4;  // pieces of a packet's payload, none crossing a page: two elements, each over at most one page edge
  localparam int unsigned MAX_MESSAGE = 1073741824;  // longest message, bytes
  localparam int unsigned MAX_UNACKED = 256;  // send work requests of a queue pair that are issued and not completed
  localparam int unsigned TABLE_BITS = 9;  // index bits of one level of a translation table: 512 entries of 8 bytes
  localparam int unsigned TABLE_LEVELS = 4;  // most levels
  localparam int unsigned HCA_VA_BITS = 48;  // a region of the whole address space reaches to 2**48
  localparam int unsigned NODE_IRQS = 16;  // interrupt lines a node has at the port; node n's line i is line 16 * n + i
  localparam int unsigned RX_SLOTS = 32;  // inbound packets in hand
  localparam int unsigned TX_SLOTS = 48;  // outbound packets in hand: one every three cycles over a memory latency of 120
  localparam int unsigned TX_LARGE = 16;  // of them, packets with a payload past TX_LARGE_BYTES: what one that comes next must wait for at most
  localparam int unsigned TX_LARGE_BYTES = 1024;  // payload past which a packet counts as large
  localparam int unsigned WALKERS = 32;  // translation walks outstanding
  localparam int unsigned MTT_ENTRIES = 1024;  // translations cached
  localparam int unsigned MTT_WAYS = 4;  // ways of that cache
  localparam int unsigned MPT_ENTRIES = 256;  // keys cached
  localparam int unsigned SHOOT_SLOTS = 8;  // invalidations accepted and not yet swept

  localparam int unsigned IRQ_FAULT = 0;  // fault queue not empty, enabled, and coalescing satisfied
  localparam int unsigned IRQ_COMPLETION = 1;  // an armed completion queue has fired
  localparam int unsigned IRQ_ASYNC = 2;  // an asynchronous event waits

  localparam int unsigned CSR_BYTES = 512;
  // Byte offsets in the register block.
  localparam int unsigned CSR_ID = 'h000;  // What this is
  localparam int unsigned CSR_CTRL = 'h008;  // The device works only while enabled; clearing it is a reset of everything but these registers
  localparam int unsigned CSR_STATUS = 'h010;  // Sticky conditions; write one to clear
  localparam int unsigned CSR_IRQ_ENABLE = 'h018;  // Interrupt lines that may rise
  localparam int unsigned CSR_MPT_BASE = 'h020;  // Physical address of the key table, 64-byte aligned
  localparam int unsigned CSR_MPT_SIZE = 'h028;  // Entries of the key table, at most 4096
  localparam int unsigned CSR_CMDQ_BASE = 'h030;  // Physical address of the command queue
  localparam int unsigned CSR_CMDQ_SIZE = 'h038;  // Its entries, a power of two; a write starts it anew at index 0. With 0, ringing stops it, with an asynchronous event
  localparam int unsigned CSR_CMDQ_PROD = 'h040;  // Doorbell: producer index
  localparam int unsigned CSR_CMDQ_CONS = 'h048;  // Commands done
  localparam int unsigned CSR_FQ_BASE = 'h050;  // Physical address of the fault queue
  localparam int unsigned CSR_FQ_SIZE = 'h058;  // Its entries, a power of two; 0 or anything else: faults wait in the device
  localparam int unsigned CSR_FQ_PROD = 'h060;  // Records written: each is in memory before the index moves
  localparam int unsigned CSR_FQ_CONS = 'h068;  // Records software is done with
  localparam int unsigned CSR_FQ_COALESCE = 'h070;  // Fault interrupt coalescing: the line rises when `count` records wait, or some have waited `delay` cycles
  localparam int unsigned CSR_SQ_DOORBELL = 'h080;  // Doorbell of a send queue: the write is the event
  localparam int unsigned CSR_RQ_DOORBELL = 'h088;  // Doorbell of a receive queue
  localparam int unsigned CSR_CQ_DOORBELL = 'h090;  // Doorbell of a completion queue
  localparam int unsigned CSR_CQ_COALESCE = 'h098;  // Completion interrupt coalescing, over all queues, as FQ_COALESCE
  localparam int unsigned CSR_CQ_EVENT = 'h0a0;  // Completion queues 64 n .. 64 n + 63 that have fired; write one to clear
  localparam int unsigned CSR_ASYNC_EVENT = 'h0c0;  // The oldest asynchronous event
  localparam int unsigned CSR_ASYNC_POP = 'h0c8;  // Any write drops the oldest asynchronous event
  localparam int unsigned CSR_RETRY = 'h0d0;  // Waits of the send side, cycles
  localparam int unsigned CSR_COUNTER = 'h100;  // Counters (spec/hca.toml [counter])

  typedef enum logic [7:0] {
    CMD_OP_NOP = 8'd0,
    CMD_OP_MODIFY_QP = 8'd1,
    CMD_OP_MODIFY_CQ = 8'd2,
    CMD_OP_INVALIDATE_RANGE = 8'd3,
    CMD_OP_INVALIDATE_KEY = 8'd4,
    CMD_OP_FENCE = 8'd5,
    CMD_OP_RESUME = 8'd6,
    CMD_OP_QUERY_QP = 8'd7
  } cmd_op_e;

  typedef enum logic [7:0] {
    CMD_STATUS_OK = 8'd0,
    CMD_STATUS_BAD_OPCODE = 8'd1,
    CMD_STATUS_BAD_NUMBER = 8'd2,
    CMD_STATUS_BAD_TOKEN = 8'd3,
    CMD_STATUS_BAD_CONTEXT = 8'd4,
    CMD_STATUS_BAD_ADDRESS = 8'd5
  } cmd_status_e;

  typedef enum logic [3:0] {
    QP_STATE_RESET = 4'd0,
    QP_STATE_INIT = 4'd1,
    QP_STATE_RTR = 4'd2,
    QP_STATE_RTS = 4'd3,
    QP_STATE_SQD = 4'd4,
    QP_STATE_SQE = 4'd5,
    QP_STATE_ERR = 4'd6
  } qp_state_e;

  typedef enum logic [1:0] {
    FAULT_POLICY_STALL = 2'd0,
    FAULT_POLICY_DISCARD = 2'd1,
    FAULT_POLICY_RESTART = 2'd2
  } fault_policy_e;

  typedef enum logic [7:0] {
    WR_OPCODE_RDMA_WRITE = 8'd0,
    WR_OPCODE_SEND = 8'd2,
    WR_OPCODE_RDMA_READ = 8'd4,
    WR_OPCODE_ATOMIC_CMP_AND_SWP = 8'd5,
    WR_OPCODE_ATOMIC_FETCH_AND_ADD = 8'd6
  } wr_opcode_e;

  typedef enum logic [7:0] {
    WC_OPCODE_SEND = 8'd0,
    WC_OPCODE_RDMA_WRITE = 8'd1,
    WC_OPCODE_RDMA_READ = 8'd2,
    WC_OPCODE_COMP_SWAP = 8'd3,
    WC_OPCODE_FETCH_ADD = 8'd4,
    WC_OPCODE_RECV = 8'd128
  } wc_opcode_e;

  typedef enum logic [7:0] {
    WC_STATUS_SUCCESS = 8'd0,
    WC_STATUS_LOC_LEN_ERR = 8'd1,
    WC_STATUS_LOC_QP_OP_ERR = 8'd2,
    WC_STATUS_LOC_EEC_OP_ERR = 8'd3,
    WC_STATUS_LOC_PROT_ERR = 8'd4,
    WC_STATUS_WR_FLUSH_ERR = 8'd5,
    WC_STATUS_MW_BIND_ERR = 8'd6,
    WC_STATUS_BAD_RESP_ERR = 8'd7,
    WC_STATUS_LOC_ACCESS_ERR = 8'd8,
    WC_STATUS_REM_INV_REQ_ERR = 8'd9,
    WC_STATUS_REM_ACCESS_ERR = 8'd10,
    WC_STATUS_REM_OP_ERR = 8'd11,
    WC_STATUS_RETRY_EXC_ERR = 8'd12,
    WC_STATUS_RNR_RETRY_EXC_ERR = 8'd13,
    WC_STATUS_GENERAL_ERR = 8'd21
  } wc_status_e;

  typedef enum logic [7:0] {
    PKT_OP_SEND = 8'd1,
    PKT_OP_WRITE = 8'd2,
    PKT_OP_READ_REQ = 8'd3,
    PKT_OP_READ_RESP = 8'd4,
    PKT_OP_CMP_SWAP = 8'd5,
    PKT_OP_FETCH_ADD = 8'd6,
    PKT_OP_ATOMIC_RESP = 8'd7,
    PKT_OP_ACK = 8'd8,
    PKT_OP_NAK = 8'd9
  } pkt_op_e;

  typedef enum logic [7:0] {
    NAK_SYNDROME_NONE = 8'd0,
    NAK_SYNDROME_RNR = 8'd1,
    NAK_SYNDROME_PSN = 8'd2,
    NAK_SYNDROME_INV_REQ = 8'd3,
    NAK_SYNDROME_REM_ACCESS = 8'd4,
    NAK_SYNDROME_REM_OP = 8'd5,
    NAK_SYNDROME_SUSPEND = 8'd6,
    NAK_SYNDROME_RESTART = 8'd7
  } nak_syndrome_e;

  typedef enum logic [0:0] {
    FAULT_DIR_REQUESTER = 1'd0,
    FAULT_DIR_RESPONDER = 1'd1
  } fault_dir_e;

  typedef enum logic [7:0] {
    FAULT_CAUSE_NOT_PRESENT = 8'd1,
    FAULT_CAUSE_READ_ONLY = 8'd2
  } fault_cause_e;

  typedef enum logic [2:0] {
    NEED_LOCAL_READ = 3'd0,
    NEED_LOCAL_WRITE = 3'd1,
    NEED_REMOTE_READ = 3'd2,
    NEED_REMOTE_WRITE = 3'd3,
    NEED_REMOTE_ATOMIC = 3'd4
  } need_e;

  typedef enum logic [3:0] {
    XLT_RESULT_OK = 4'd0,
    XLT_RESULT_FAULT_NOT_PRESENT = 4'd1,
    XLT_RESULT_FAULT_READ_ONLY = 4'd2,
    XLT_RESULT_BAD_KEY = 4'd4,
    XLT_RESULT_WRONG_PD = 4'd5,
    XLT_RESULT_NO_RIGHT = 4'd6,
    XLT_RESULT_OUT_OF_BOUNDS = 4'd7,
    XLT_RESULT_BAD_TABLE = 4'd8
  } xlt_result_e;

  typedef enum logic [7:0] {
    ASYNC_TYPE_QP_FATAL = 8'd1,
    ASYNC_TYPE_QP_REQ_ERR = 8'd2,
    ASYNC_TYPE_QP_ACCESS_ERR = 8'd3,
    ASYNC_TYPE_CQ_ERR = 8'd4,
    ASYNC_TYPE_COMMAND_QUEUE = 8'd5
  } async_type_e;

  typedef enum logic [20:0] {
    ACCESS_LOCAL_WRITE = 21'd1,
    ACCESS_REMOTE_WRITE = 21'd2,
    ACCESS_REMOTE_READ = 21'd4,
    ACCESS_REMOTE_ATOMIC = 21'd8,
    ACCESS_MW_BIND = 21'd16,
    ACCESS_ZERO_BASED = 21'd32,
    ACCESS_ON_DEMAND = 21'd64,
    ACCESS_HUGETLB = 21'd128,
    ACCESS_RELAXED_ORDERING = 21'd1048576
  } access_e;

  typedef enum logic [1:0] {
    ADVICE_PREFETCH = 2'd0,
    ADVICE_PREFETCH_WRITE = 2'd1,
    ADVICE_PREFETCH_NO_FAULT = 2'd2
  } advice_e;

  localparam int unsigned COUNT_TX_PACKETS = 0;  // packets sent
  localparam int unsigned COUNT_RX_PACKETS = 1;  // packets received whole
  localparam int unsigned COUNT_TX_BYTES = 2;  // payload bytes sent
  localparam int unsigned COUNT_RX_BYTES = 3;  // payload bytes received
  localparam int unsigned COUNT_BAD_CRC = 4;  // packets dropped: corrupted or truncated
  localparam int unsigned COUNT_BAD_PACKET = 5;  // packets dropped: opcode, length or queue pair impossible
  localparam int unsigned COUNT_OUT_OF_SEQUENCE = 6;  // requests dropped: PSN ahead of the one expected
  localparam int unsigned COUNT_DUPLICATE = 7;  // requests behind the PSN expected
  localparam int unsigned COUNT_RETRANSMIT = 8;  // times a send side went back
  localparam int unsigned COUNT_RNR_NAK_SENT = 9;  // RNR NAKs sent
  localparam int unsigned COUNT_NAK_SENT = 10;  // other NAKs sent
  localparam int unsigned COUNT_TIMEOUTS = 11;  // acknowledgements that did not come in time
  localparam int unsigned COUNT_MPT_HIT = 12;  // MPT cache hits
  localparam int unsigned COUNT_MPT_MISS = 13;  // MPT cache misses
  localparam int unsigned COUNT_MTT_HIT = 14;  // MTT cache hits
  localparam int unsigned COUNT_MTT_MISS = 15;  // MTT cache misses: walks started
  localparam int unsigned COUNT_WALK_DROPPED = 16;  // walks whose result an invalidation covered: walked again
  localparam int unsigned COUNT_FAULTS = 17;  // fault records written
  localparam int unsigned COUNT_FAULTS_MERGED = 18;  // faults of a queue pair and direction with one outstanding
  localparam int unsigned COUNT_FAULT_HELD = 19;  // faults that waited for room in the queue
  localparam int unsigned COUNT_RESUMES = 20;  // resumes accepted
  localparam int unsigned COUNT_BAD_TOKENS = 21;  // resumes refused
  localparam int unsigned COUNT_INVALIDATIONS = 22;  // range and key invalidations
  localparam int unsigned COUNT_KILLED = 23;  // cached translations dropped by invalidations
  localparam int unsigned COUNT_FENCES = 24;  // fences completed
  localparam int unsigned COUNT_CQES = 25;  // completions written
  localparam int unsigned COUNT_BAD_KEYS = 26;  // translations refused: key, domain, rights or bounds
  localparam int unsigned COUNT_BAD_TABLES = 27;  // translations refused: table
  localparam int unsigned COUNT_QP_ERRORS = 28;  // queue pairs that went to ERR by themselves
  localparam int unsigned COUNT_COMMANDS = 29;  // commands done
  localparam int unsigned COUNT_BAD_COMMANDS = 30;  // of them, with a status other than OK
  localparam int unsigned COUNT_LOOKUPS = 31;  // translations asked for

  // Broken variants (mutant_i), for the tests of the checks.
  localparam logic [7:0] HMUT_NONE = 8'd0;  // the product
  localparam logic [7:0] HMUT_ACK_BEFORE_DRAIN = 8'd1;  // a fence does not wait for accesses in flight
  localparam logic [7:0] HMUT_WALK_NOT_DROPPED = 8'd2;  // a walk fills although an invalidation covered it
  localparam logic [7:0] HMUT_RANGE_SHORT = 8'd3;  // the last page of a range survives
  localparam logic [7:0] HMUT_LARGE_SURVIVES = 8'd4;  // only the first page of a large translation is compared
  localparam logic [7:0] HMUT_KEY_IGNORED = 8'd5;  // cached translations match any key
  localparam logic [7:0] HMUT_RACE_WALK = 8'd6;  // a walk that ends in the accepting cycle fills
  localparam logic [7:0] HMUT_HELD_SURVIVES = 8'd7;  // a translation handed out and not yet used survives an invalidation
  localparam logic [7:0] HMUT_DRAIN_ALL = 8'd8;  // a fence waits for every access in flight, covered or not
  localparam logic [7:0] HMUT_RECORD_LOST = 8'd9;  // a fault record is dropped when the queue is full
  localparam logic [7:0] HMUT_INDEX_FIRST = 8'd10;  // the producer index moves before the record is written
  localparam logic [7:0] HMUT_STALE_TOKEN = 8'd11;  // a resume is accepted whatever its token
  localparam logic [7:0] HMUT_IRQ_EDGE = 8'd12;  // the fault interrupt is an edge: lost when software empties the queue as a record comes
  localparam logic [7:0] HMUT_RNR_SKIPS = 8'd13;  // a retry after RNR begins one packet late
  localparam logic [7:0] HMUT_LATE_WRITE = 8'd14;  // a fence does not wait for writes still on their way to memory
  localparam logic [7:0] HMUT_PD_IGNORED = 8'd15;  // a key is used without comparing its protection domain
  localparam logic [7:0] HMUT_LENGTH_OFF = 8'd16;  // an access may pass the end of its region by one byte
  localparam logic [7:0] HMUT_FENCE_FIRST = 8'd17;  // a fence overtakes the invalidation before it
  localparam logic [7:0] HMUT_DUP_EXECUTED = 8'd18;  // a repeated atomic is carried out again
  localparam logic [7:0] HMUT_NAK_LOST = 8'd19;  // a sequence gap is not reported
  localparam logic [7:0] HMUT_EARLY_CQE = 8'd20;  // a receive completion is written before its payload has landed
  localparam logic [7:0] HMUT_UPGRADE_KEPT = 8'd21;  // a read-only translation stays cached after its write fault
  localparam logic [7:0] HMUT_SHOOT_FULL_ACK = 8'd22;  // an invalidation that finds no slot is acknowledged and forgotten
  localparam logic [7:0] HMUT_KEY_KEPT = 8'd23;  // an invalidated key stays in the key cache
  localparam logic [7:0] HMUT_RESUME_FORGOTTEN = 8'd24;  // a resume does not wake its queue pair
  localparam logic [7:0] HMUT_FAULT_TWICE = 8'd25;  // a second fault of the same requester is queued while the first is outstanding
  localparam logic [7:0] HMUT_ABORT_TOUCHES = 8'd26;  // a fault answered with error is retried instead
  localparam logic [7:0] HMUT_AXI_UNSTABLE = 8'd27;  // write data changes while it waits for ready
  localparam logic [7:0] HMUT_QUIET_LIE = 8'd28;  // quiescent_o ignores walks in flight

  // Key table entry: a memory region.
  typedef struct packed {
    logic [191:0] rsvd0;
    logic [63:0] table_base;  // address translated by entry 0 of the table, page aligned
    logic [11:0] rsvd1;
    logic [39:0] root;  // frame of the table's first level
    logic [8:0] rsvd2;
    logic [2:0] levels;  // levels of the translation table, 1 to 4
    logic [63:0] length;  // bytes; 0 is an empty region
    logic [63:0] start;  // first address
    logic [31:0] key;  // the key itself, index and variant
    logic [23:0] pd;  // protection domain
    logic [0:0] rsvd3;
    logic [0:0] whole;  // the whole address space; start and length are not looked at
    logic [0:0] on_demand;  // a missing translation is a fault; else it is an error (pinned regions have no holes)
    logic [0:0] remote_atomic;  // IBV_ACCESS_REMOTE_ATOMIC
    logic [0:0] remote_read;  // IBV_ACCESS_REMOTE_READ
    logic [0:0] remote_write;  // IBV_ACCESS_REMOTE_WRITE
    logic [0:0] local_write;  // IBV_ACCESS_LOCAL_WRITE
    logic [0:0] valid;  // the entry names a region
  } hca_mpt_t;

  // Command queue entry. The device writes double-word 7 when it is done.
  typedef struct packed {
    logic [54:0] rsvd0;
    logic [0:0] done;  // written by the device: 1
    logic [7:0] status;  // written by the device: cmd_status
    logic [191:0] rsvd1;
    logic [63:0] length;  // INVALIDATE_RANGE: bytes (0: nothing; past 2**64 is clamped to the end); FENCE: the value to write
    logic [63:0] addr;  // INVALIDATE_RANGE: first address; MODIFY_*, QUERY_QP: the context's physical address; FENCE: where to write
    logic [27:0] rsvd2;
    logic [0:0] load_rq;  // MODIFY_QP: start the receive side anew with rq_psn, and take the addresses and sizes
    logic [0:0] load_sq;  // MODIFY_QP: start the send side anew with sq_psn
    logic [0:0] error;  // RESUME: abort with the architected error
    logic [0:0] direction;  // RESUME: fault_dir
    logic [31:0] key;  // INVALIDATE_RANGE, INVALIDATE_KEY: the key; only its index counts
    logic [31:0] token;  // RESUME: the token of the fault record
    logic [23:0] qpn;  // RESUME, MODIFY_QP, QUERY_QP: queue pair; MODIFY_CQ: completion queue
    logic [7:0] opcode;  // cmd_op
  } hca_command_t;

  // Queue pair context, read by MODIFY_QP.
  typedef struct packed {
    logic [199:0] rsvd0;
    logic [23:0] rq_psn;  // first PSN expected
    logic [7:0] rsvd1;
    logic [23:0] sq_psn;  // first PSN sent
    logic [63:0] rq_base;  // physical address of the receive queue
    logic [63:0] sq_base;  // physical address of the send queue, 64-byte aligned
    logic [15:0] rsvd2;
    logic [3:0] rq_log;  // log2 of the receive queue's entries
    logic [3:0] sq_log;  // log2 of the send queue's entries
    logic [7:0] recv_cqn;  // completion queue of the receive side
    logic [7:0] send_cqn;  // completion queue of the send side
    logic [23:0] dest_qpn;  // queue pair at the other end
    logic [23:0] pd;  // protection domain
    logic [16:0] rsvd3;
    logic [0:0] allow_atomic;  // the receive side serves atomics
    logic [0:0] allow_write;  // the receive side serves RDMA WRITE
    logic [0:0] allow_read;  // the receive side serves RDMA READ
    logic [0:0] rsvd4;
    logic [2:0] retry_cnt;  // timeouts and sequence NAKs in a row before the send side gives up; 7: never
    logic [0:0] rsvd5;
    logic [2:0] rnr_retry;  // RNR NAKs in a row before the send side gives up; 7: never
    logic [3:0] mtu_shift;  // path MTU, 8 to 12
    logic [1:0] rsvd6;
    logic [1:0] policy;  // fault_policy: what the receive side does with a packet that faults
    logic [3:0] state;  // qp_state
  } hca_qpc_t;

  // Written by QUERY_QP.
  typedef struct packed {
    logic [263:0] rsvd0;
    logic [23:0] msn;  // messages received whole
    logic [7:0] rsvd1;
    logic [23:0] epsn;  // PSN expected
    logic [7:0] rsvd2;
    logic [23:0] una_psn;  // oldest PSN not acknowledged
    logic [7:0] rsvd3;
    logic [23:0] next_psn;  // next PSN sent
    logic [15:0] rq_prod;  // receive producer index seen
    logic [15:0] sq_done;  // send work requests completed
    logic [15:0] sq_next;  // next send work request to issue
    logic [15:0] sq_prod;  // send producer index seen
    logic [52:0] rsvd4;
    logic [0:0] sq_waiting;  // the send side waits for the other end (RNR timer or restart)
    logic [0:0] rq_parked;  // the receive side has a fault outstanding
    logic [0:0] sq_parked;  // the send side waits for a fault's resume
    logic [3:0] rsvd5;
    logic [3:0] state;  // qp_state
  } hca_qp_report_t;

  // Completion queue context, read by MODIFY_CQ.
  typedef struct packed {
    logic [383:0] rsvd0;
    logic [63:0] base;  // physical address, 64-byte aligned
    logic [55:0] rsvd1;
    logic [3:0] log;  // log2 of its entries
    logic [2:0] rsvd2;
    logic [0:0] valid;  // in use; 0 destroys
  } hca_cqc_t;

  // Work queue entry, send and receive.
  typedef struct packed {
    logic [63:0] rsvd0;
    logic [63:0] swap;  // CMP_AND_SWP: the new value
    logic [31:0] lkey1;  // element 1: key
    logic [31:0] length1;  // element 1: bytes
    logic [63:0] addr1;  // element 1: address; atomics: compare, or what to add
    logic [31:0] lkey0;  // element 0: key
    logic [31:0] length0;  // element 0: bytes
    logic [63:0] addr0;  // element 0: address
    logic [63:0] remote_addr;  // RDMA and atomics: address at the other end
    logic [31:0] rkey;  // RDMA and atomics: key at the other end
    logic [15:0] rsvd1;
    logic [3:0] num_sge;  // scatter/gather elements, 0 to 2
    logic [1:0] rsvd2;
    logic [0:0] fence;  // IBV_SEND_FENCE: reads and atomics before it first. Always so: a READ or atomic holds all that follow it
    logic [0:0] signaled;  // make a completion also when it succeeds
    logic [7:0] opcode;  // wr_opcode (send queue)
  } hca_wqe_t;

  // Completion queue entry.
  typedef struct packed {
    logic [375:0] rsvd0;
    logic [7:0] syndrome;  // nak_syndrome or xlt_result behind an error
    logic [15:0] rsvd1;
    logic [15:0] wqe_index;  // index of the work request
    logic [31:0] byte_len;  // bytes received, read or swapped
    logic [7:0] rsvd2;
    logic [23:0] qpn;  // queue pair
    logic [6:0] rsvd3;
    logic [0:0] recv;  // of the receive queue
    logic [7:0] opcode;  // wc_opcode
    logic [7:0] status;  // wc_status
    logic [6:0] rsvd4;
    logic [0:0] owner;  // 1 in the queue's first round, 0 in the second, and so on
  } hca_cqe_t;

  // Fault record.
  typedef struct packed {
    logic [191:0] rsvd0;
    logic [31:0] seqno;  // number of the record, counting from 0 since the device was enabled
    logic [15:0] rsvd1;
    logic [15:0] wqe_index;  // work request, when a work queue entry named the address
    logic [31:0] packet_length;  // bytes of the packet from va on
    logic [31:0] length;  // bytes of the operation from va on, in this region
    logic [63:0] va;  // address that faulted
    logic [31:0] key;  // key
    logic [31:0] token;  // names this fault in RESUME
    logic [7:0] rsvd2;
    logic [23:0] qpn;  // queue pair
    logic [15:0] rsvd3;
    logic [7:0] cause;  // fault_cause
    logic [4:0] rsvd4;
    logic [0:0] rdma;  // named by a packet (RDMA), not by a work queue entry
    logic [0:0] write;  // the access writes memory
    logic [0:0] direction;  // fault_dir
  } hca_fault_t;

  // Header flit of a packet. Payload follows in flits of 64 bytes, packed from byte 0; the last flit carries a CRC beside it.
  typedef struct packed {
    logic [63:0] swap;  // ATOMIC: the new value of CMP_AND_SWP
    logic [63:0] operand;  // ATOMIC: compare or add; ATOMIC_RESP: the old value
    logic [15:0] rsvd0;
    logic [15:0] ssn;  // SEND: number of SEND messages before it on this queue pair = receive WQE index
    logic [31:0] offset;  // packets of the message before this one; ACK, NAK: packets of the unfinished message received
    logic [31:0] rest;  // bytes of the message from this packet's first byte on; READ_REQ: bytes wanted
    logic [31:0] rkey;  // WRITE, READ_REQ, ATOMIC: key
    logic [63:0] va;  // WRITE, READ_REQ, ATOMIC: address of this packet's first byte
    logic [15:0] rsvd1;
    logic [23:0] msn;  // requests: number of the message (16 bits: the WQE's index); ACK, NAK: messages received whole; READ_RESP: number of the request
    logic [23:0] psn;  // sequence number; ACK: last one accepted; NAK: the one expected
    logic [15:0] rsvd2;
    logic [23:0] src_qpn;  // queue pair it comes from
    logic [23:0] dest_qpn;  // queue pair it is for
    logic [18:0] rsvd3;
    logic [12:0] length;  // payload bytes, 0 to 4096
    logic [7:0] rsvd4;
    logic [7:0] syndrome;  // NAK: nak_syndrome
    logic [4:0] rsvd5;
    logic [0:0] ack_req;  // an acknowledgement is wanted
    logic [0:0] last;  // last packet of its message
    logic [0:0] first;  // first packet of its message
    logic [7:0] opcode;  // pkt_op
  } hca_packet_t;

  // Translation table entry.
  localparam int unsigned MTT_READ_LSB = 0;  // present; the device may read
  localparam int unsigned MTT_READ_WIDTH = 1;
  localparam int unsigned MTT_WRITE_LSB = 1;  // the device may write
  localparam int unsigned MTT_WRITE_WIDTH = 1;
  localparam int unsigned MTT_TABLE_LSB = 2;  // points to the next level; not allowed in the last one
  localparam int unsigned MTT_TABLE_WIDTH = 1;
  localparam int unsigned MTT_PFN_LSB = 12;  // frame; an entry without `table` above the last level maps a large page (2 MiB, 1 GiB), its frame aligned
  localparam int unsigned MTT_PFN_WIDTH = 40;

endpackage
