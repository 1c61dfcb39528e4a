// Generated from spec/ by `make gen`. Do not edit.

package gru_pkg;

  localparam int unsigned NUM_CTX = 32'd16;  // contexts, one CCH each
  localparam int unsigned NUM_CBR = 32'd128;  // control blocks, one CBE and one TFH each
  localparam int unsigned NUM_TGH = 32'd24;  // shootdown handles
  localparam int unsigned NUM_TFM = 32'd16;  // fault maps, one a core
  localparam int unsigned NUM_IRQ = 32'd16;  // interrupt lines, one a core
  localparam int unsigned DSR_BYTES = 32'd32768;  // data segment of the whole chiplet
  localparam int unsigned LINE_BYTES = 32'd64;  // cache line: the unit of memory traffic
  localparam int unsigned CBR_AU = 32'd2;  // control blocks in an allocation unit (one bit of cbr_allocation_map)
  localparam int unsigned DSR_AU_BYTES = 32'd1024;  // bytes in an allocation unit (one bit of dsr_allocation_map)
  localparam int unsigned ASID_WIDTH = 32'd24;  // address-space identifier
  localparam int unsigned VA_WIDTH = 32'd64;  // virtual address
  localparam int unsigned PFN_WIDTH = 32'd41;  // page frame number, always in 4 KiB frames
  localparam int unsigned PA_WIDTH = 32'd53;  // physical address
  localparam int unsigned PAGE_SHIFT = 32'd12;  // smallest page
  localparam int unsigned INVAL_ALL_N = 32'd1023;  // TGH n that purges the whole address space of the ASID (GRUMAXINVAL - 1)
  localparam int unsigned INDEXWAY_WIDTH = 32'd12;  // TFH indexway
  localparam int unsigned REGION_LSB = 32'd61;  // vaddr[63:61] selects the CCH asid and sizeavail
  localparam int unsigned NUM_REGION = 32'd8;  // regions of an address space

  // Byte offsets in the chiplet window.
  localparam logic [27:0] GRU_SIZE = 28'h8000000;  // chiplet window
  localparam logic [27:0] GSEG_STRIDE = 28'h0400000;  // user segment of context n starts at n * this
  localparam logic [27:0] CB_OFFSET = 28'h0000000;  // control blocks in a segment
  localparam logic [27:0] DSR_OFFSET = 28'h0020000;  // data segment in a segment
  localparam logic [27:0] TFM_BASE = 28'h4000000;  // fault maps
  localparam logic [27:0] TGH_BASE = 28'h4008000;  // shootdown handles
  localparam logic [27:0] CBE_BASE = 28'h4010000;  // control block extensions
  localparam logic [27:0] TFH_BASE = 28'h4018000;  // fault handles
  localparam logic [27:0] CCH_BASE = 28'h4020000;  // context handles
  localparam logic [27:0] HANDLE_STRIDE = 28'h0000100;  // distance between two handles; the first 64 bytes of each are real
  localparam logic [27:0] HANDLE_BYTES = 28'h0000040;  // size of a handle

  localparam int unsigned NUM_PAGE_SIZES = 11;

  // Address bits below the page number, by page size code. Codes past the last are the last.
  function automatic logic [5:0] page_shift(input logic [4:0] code);
    unique case (code)
      5'd0: page_shift = 6'd12;
      5'd1: page_shift = 6'd14;
      5'd2: page_shift = 6'd16;
      5'd3: page_shift = 6'd18;
      5'd4: page_shift = 6'd20;
      5'd5: page_shift = 6'd21;
      5'd6: page_shift = 6'd22;
      5'd7: page_shift = 6'd24;
      5'd8: page_shift = 6'd26;
      5'd9: page_shift = 6'd28;
      default: page_shift = 6'd30;
    endcase
  endfunction

  typedef enum logic [1:0] {
    HANDLE_STATUS_IDLE = 2'd0,
    HANDLE_STATUS_EXCEPTION = 2'd1,
    HANDLE_STATUS_ACTIVE = 2'd2
  } handle_status_e;

  typedef enum logic {
    TGH_OPC_NOP = 1'd0,
    TGH_OPC_TLBINV = 1'd1
  } tgh_opc_e;

  typedef enum logic [2:0] {
    TGH_STATE_IDLE = 3'd0,
    TGH_STATE_PE_INVAL = 3'd1,
    TGH_STATE_INTERRUPT_INVAL = 3'd2,
    TGH_STATE_WAITDONE = 3'd3,
    TGH_STATE_RESTART_CTX = 3'd4
  } tgh_state_e;

  typedef enum logic [2:0] {
    TGH_CAUSE_RR_ECC = 3'd0,
    TGH_CAUSE_TLB_ECC = 3'd1,
    TGH_CAUSE_LRU_ECC = 3'd2,
    TGH_CAUSE_PS_ECC = 3'd3,
    TGH_CAUSE_MUL_ERR = 3'd4,
    TGH_CAUSE_DATA_ERR = 3'd5,
    TGH_CAUSE_SW_FORCE = 3'd6
  } tgh_cause_e;

  typedef enum logic [2:0] {
    TFH_OPC_NOOP = 3'd0,
    TFH_OPC_RESTART = 3'd1,
    TFH_OPC_WRITE_ONLY = 3'd2,
    TFH_OPC_WRITE_RESTART = 3'd3,
    TFH_OPC_EXCEPTION = 3'd4,
    TFH_OPC_USER_POLLING_MODE = 3'd7
  } tfh_opc_e;

  typedef enum logic [2:0] {
    TFH_STATE_INACTIVE = 3'd0,
    TFH_STATE_IDLE = 3'd1,
    TFH_STATE_MISS_UPM = 3'd2,
    TFH_STATE_MISS_FMM = 3'd3,
    TFH_STATE_HW_ERR = 3'd4,
    TFH_STATE_WRITE_TLB = 3'd5,
    TFH_STATE_RESTART_CBR = 3'd6
  } tfh_state_e;

  typedef enum logic [5:0] {
    TFH_CAUSE_NONE = 6'd0,
    TFH_CAUSE_TLB_MISS = 6'd1,
    TFH_CAUSE_TLB_MOD = 6'd2,
    TFH_CAUSE_HW_ERROR_RR = 6'd3,
    TFH_CAUSE_HW_ERROR_MAIN_ARRAY = 6'd4,
    TFH_CAUSE_HW_ERROR_VALID = 6'd5,
    TFH_CAUSE_HW_ERROR_PAGESIZE = 6'd6,
    TFH_CAUSE_INSTRUCTION_EXCEPTION = 6'd7,
    TFH_CAUSE_UNCORRECTIBLE_ERROR = 6'd8
  } tfh_cause_e;

  typedef enum logic [1:0] {
    GAA_RAM = 2'd0,
    GAA_MMIO = 2'd1,
    GAA_NCRAM = 2'd2,
    GAA_REGISTER = 2'd3
  } gaa_e;

  typedef enum logic [2:0] {
    CCH_OPC_NONE = 3'd0,
    CCH_OPC_START = 3'd1,
    CCH_OPC_ALLOCATE = 3'd2,
    CCH_OPC_INTERRUPT = 3'd3,
    CCH_OPC_DEALLOCATE = 3'd4,
    CCH_OPC_INTERRUPT_SYNC = 3'd5
  } cch_opc_e;

  typedef enum logic [1:0] {
    CCH_STATE_INACTIVE = 2'd0,
    CCH_STATE_MAPPED = 2'd1,
    CCH_STATE_ACTIVE = 2'd2,
    CCH_STATE_INTERRUPTED = 2'd3
  } cch_state_e;

  typedef enum logic [3:0] {
    CCH_CAUSE_NONE = 4'd0,
    CCH_CAUSE_REGION_REGISTER_WRITE_ERROR = 4'd1,
    CCH_CAUSE_ILLEGAL_OPCODE = 4'd2,
    CCH_CAUSE_INVALID_START_REQUEST = 4'd3,
    CCH_CAUSE_INVALID_ALLOCATION_REQUEST = 4'd4,
    CCH_CAUSE_INVALID_DEALLOCATION_REQUEST = 4'd5,
    CCH_CAUSE_INVALID_INTERRUPT_REQUEST = 4'd6,
    CCH_CAUSE_CCH_BUSY = 4'd7,
    CCH_CAUSE_NO_CBRS_TO_ALLOCATE = 4'd8,
    CCH_CAUSE_BAD_TFM_CONFIG = 4'd9,
    CCH_CAUSE_CBR_RESOURCES_OVERSUBSCRIPED = 4'd10,
    CCH_CAUSE_DSR_RESOURCES_OVERSUBSCRIPED = 4'd11,
    CCH_CAUSE_CBR_DEALLOCATION_ERROR = 4'd12
  } cch_cause_e;

  typedef enum logic [3:0] {
    CBR_STATE_INACTIVE = 4'd0,
    CBR_STATE_IDLE = 4'd1,
    CBR_STATE_PE_CHECK = 4'd2,
    CBR_STATE_QUEUED = 4'd3,
    CBR_STATE_WAIT_RESPONSE = 4'd4,
    CBR_STATE_INTERRUPTED = 4'd5,
    CBR_STATE_INTERRUPTED_MISS_FMM = 4'd6,
    CBR_STATE_BUSY_INTERRUPT_MISS_FMM = 4'd7,
    CBR_STATE_INTERRUPTED_MISS_UPM = 4'd8,
    CBR_STATE_BUSY_INTERRUPTED_MISS_UPM = 4'd9,
    CBR_STATE_REQUEST_ISSUE = 4'd10,
    CBR_STATE_BUSY_INTERRUPT = 4'd11
  } cbr_state_e;

  typedef enum logic [2:0] {
    CB_IMA_MAPPED = 3'd0,
    CB_IMA_CB_DELAY = 3'd1,
    CB_IMA_UNMAPPED = 3'd2,
    CB_IMA_INTERRUPT = 3'd4
  } cb_ima_e;

  typedef enum logic [2:0] {
    CB_XTYPE_B = 3'd0,
    CB_XTYPE_S = 3'd1,
    CB_XTYPE_W = 3'd2,
    CB_XTYPE_DW = 3'd3,
    CB_XTYPE_CL = 3'd6
  } cb_xtype_e;

  typedef enum logic [1:0] {
    CB_ISTATUS_IDLE = 2'd0,
    CB_ISTATUS_EXCEPTION = 2'd1,
    CB_ISTATUS_ACTIVE = 2'd2,
    CB_ISTATUS_CALL_OS = 2'd3
  } cb_istatus_e;

  typedef enum logic [2:0] {
    CB_SUBSTATUS_NO_ERROR = 3'd0,
    CB_SUBSTATUS_LB_OVERFLOWED = 3'd1,
    CB_SUBSTATUS_QLIMIT_REACHED = 3'd2,
    CB_SUBSTATUS_PAGE_OVERFLOW = 3'd3,
    CB_SUBSTATUS_AMO_NACKED = 3'd4,
    CB_SUBSTATUS_PUT_NACKED = 3'd5
  } cb_substatus_e;

  typedef enum logic [7:0] {
    CB_OPC_NOP = 8'd0,
    CB_OPC_BCOPY = 8'd1,
    CB_OPC_VLOAD = 8'd2,
    CB_OPC_IVLOAD = 8'd3,
    CB_OPC_VSTORE = 8'd4,
    CB_OPC_IVSTORE = 8'd5,
    CB_OPC_VSET = 8'd6,
    CB_OPC_IVSET = 8'd7,
    CB_OPC_MESQ = 8'd8,
    CB_OPC_GAMXR = 8'd9,
    CB_OPC_GAMIR = 8'd10,
    CB_OPC_GAMIRR = 8'd11,
    CB_OPC_GAMER = 8'd12,
    CB_OPC_GAMERR = 8'd13,
    CB_OPC_BSTORE = 8'd14,
    CB_OPC_VFLUSH = 8'd15
  } cb_opc_e;

  typedef enum logic [7:0] {
    EXOP_IR_FETCH = 8'd1,
    EXOP_IR_CLR = 8'd2,
    EXOP_IR_INC = 8'd5,
    EXOP_IR_DEC = 8'd7,
    EXOP_IR_QCHK1 = 8'd13,
    EXOP_IR_QCHK2 = 8'd14,
    EXOP_IR_DECZ = 8'd15
  } exop_ir_e;

  typedef enum logic [7:0] {
    EXOP_ER_SWAP = 8'd0,
    EXOP_ER_OR = 8'd1,
    EXOP_ER_AND = 8'd2,
    EXOP_ER_XOR = 8'd3,
    EXOP_ER_ADD = 8'd4,
    EXOP_ER_CSWAP = 8'd8,
    EXOP_ER_EPOLL = 8'd9,
    EXOP_ER_NPOLL = 8'd10,
    EXOP_ER_CADD = 8'd12
  } exop_er_e;

  localparam int unsigned CB_ECAUSE_RI = 0;
  localparam int unsigned CB_ECAUSE_INVALID_INSTRUCTION = 1;
  localparam int unsigned CB_ECAUSE_UNMAPPED_MODE_FORBIDDEN = 2;
  localparam int unsigned CB_ECAUSE_PE_CHECK_DATA_ERROR = 3;
  localparam int unsigned CB_ECAUSE_IAA_GAA_MISMATCH = 4;
  localparam int unsigned CB_ECAUSE_DATA_SEGMENT_LIMIT_EXCEPTION = 5;
  localparam int unsigned CB_ECAUSE_OS_FATAL_TLB_FAULT = 6;
  localparam int unsigned CB_ECAUSE_EXECUTION_HW_ERROR = 7;
  localparam int unsigned CB_ECAUSE_TLBHW_ERROR = 8;
  localparam int unsigned CB_ECAUSE_RA_REQUEST_TIMEOUT = 9;
  localparam int unsigned CB_ECAUSE_HA_REQUEST_TIMEOUT = 10;
  localparam int unsigned CB_ECAUSE_RA_RESPONSE_FATAL = 11;
  localparam int unsigned CB_ECAUSE_RA_RESPONSE_NON_FATAL = 12;
  localparam int unsigned CB_ECAUSE_HA_RESPONSE_FATAL = 13;
  localparam int unsigned CB_ECAUSE_HA_RESPONSE_NON_FATAL = 14;
  localparam int unsigned CB_ECAUSE_ADDRESS_SPACE_DECODE_ERROR = 15;
  localparam int unsigned CB_ECAUSE_PROTOCOL_STATE_DATA_ERROR = 16;
  localparam int unsigned CB_ECAUSE_RA_RESPONSE_DATA_ERROR = 17;
  localparam int unsigned CB_ECAUSE_HA_RESPONSE_DATA_ERROR = 18;
  localparam int unsigned CB_ECAUSE_FORCED_ERROR = 19;

  localparam int unsigned CBR_EXS_ABORT_OCC = 0;
  localparam int unsigned CBR_EXS_INT_OCC = 1;
  localparam int unsigned CBR_EXS_PENDING = 2;
  localparam int unsigned CBR_EXS_QUEUED = 3;
  localparam int unsigned CBR_EXS_TLB_INVAL = 4;
  localparam int unsigned CBR_EXS_EXCEPTION = 5;
  localparam int unsigned CBR_EXS_CB_INT_PENDING = 6;

  // Broken variants (mutant_i), for the tests of the checks.
  localparam logic [7:0] MUT_NONE = 8'd0;  // the product
  localparam logic [7:0] MUT_ACK_BEFORE_DRAIN = 8'd1;  // status does not wait for accesses in flight
  localparam logic [7:0] MUT_FILL_NOT_DROPPED = 8'd2;  // drop-in ignores shootdowns since its miss
  localparam logic [7:0] MUT_RANGE_SHORT = 8'd3;  // last page of a range survives
  localparam logic [7:0] MUT_LARGE_SURVIVES = 8'd4;  // only the first page of an entry is compared
  localparam logic [7:0] MUT_ASID_IGNORED = 8'd5;  // lookups match any address space
  localparam logic [7:0] MUT_RACE_LOOKUP = 8'd6;  // a hit in the accepting cycle is not in flight
  localparam logic [7:0] MUT_DUP_UPGRADE = 8'd7;  // an upgrade leaves the older entry
  localparam logic [7:0] MUT_DUP_SIZES = 8'd8;  // a drop-in leaves older entries of other sizes
  localparam logic [7:0] MUT_RACE_FILL = 8'd9;  // drop-in ignores the shootdown of its own cycle
  localparam logic [7:0] MUT_SLOT_LATE = 8'd10;  // covered entries die a cycle late
  localparam logic [7:0] MUT_FILL_HIDES = 8'd11;  // a drop-in marks its set swept and keeps what was covered
  localparam logic [7:0] MUT_NO_BYPASS = 8'd12;  // lookup reading a set as it is written sees the old entry
  localparam logic [7:0] MUT_LOG_LAP = 8'd13;  // a lapped log goes unnoticed
  localparam logic [7:0] MUT_CTX_DRAIN = 8'd14;  // context scope forgets accesses through another context's entry
  localparam logic [7:0] MUT_DRAIN_ALL = 8'd15;  // status waits for every access in flight
  localparam logic [7:0] MUT_SWEEP_STALLS = 8'd16;  // lookups wait for the sweep
  localparam logic [7:0] MUT_MOD_LOST = 8'd17;  // write hits a clean entry
  localparam logic [7:0] MUT_SLOT_SHORT = 8'd18;  // a slot is given back one set early
  localparam logic [7:0] MUT_ASID_ZERO = 8'd19;  // address space 0 cannot be shot down
  localparam logic [7:0] MUT_DROP_ANY = 8'd20;  // any shootdown since the miss drops a drop-in
  localparam logic [7:0] MUT_SLOT_LEAK = 8'd21;  // slots are never given back
  localparam logic [7:0] MUT_PAGE_OFFSET = 8'd22;  // page number bits inside a large page are lost
  localparam logic [7:0] MUT_WRONG_REPORT = 8'd23;  // a dropped drop-in is reported as entered
  localparam logic [7:0] MUT_ACK_TWICE = 8'd24;  // shootdown status pulses twice
  localparam logic [7:0] MUT_LOST_ANSWER = 8'd25;  // a write to a clean entry gets no answer
  localparam logic [7:0] MUT_EDGE_OVERLAP = 8'd26;  // an entry dies only if its first or last page lies in the range (Xilinx's ATC demo)
  localparam logic [7:0] MUT_SIZE_LEVEL = 8'd27;  // a range reaches only entries of the base page size (XiangShan's superpage flush)
  localparam logic [7:0] MUT_TRAFFIC_SAVES = 8'd28;  // an entry survives a sweep that meets traffic to its set (NVIDIA erratum T264-SMMU-3)
  localparam logic [7:0] MUT_ZERO_IS_ALL = 8'd29;  // n = 0 purges the address space (CVA6's 0 means all)
  localparam logic [7:0] MUT_RANGE_LONG = 8'd30;  // one page past the range dies too (Coyote's inclusive end)
  localparam logic [7:0] MUT_STICKY_MATCH = 8'd31;  // a match stays for the later ways of its set (the flags of a RISC-V reference model's loop)
  localparam logic [7:0] MUT_ACK_EARLY = 8'd32;  // shootdown status returns on acceptance, before the drain
  localparam logic [7:0] MUT_LATE_FILL = 8'd33;  // WRITE_RESTART drops in although no miss is pending
  localparam logic [7:0] MUT_UNLOAD_BUSY = 8'd34;  // INTERRUPT_SYNC completes with accesses in flight
  localparam logic [7:0] MUT_NO_FMM_LOCK = 8'd35;  // INTERRUPT ignores a fault-map miss
  localparam logic [7:0] MUT_USE_DONE_EARLY = 8'd36;  // the TLB hears 'access over' when the request leaves
  localparam logic [7:0] MUT_AXI_UNSTABLE = 8'd37;  // write data changes while it waits for ready
  localparam logic [7:0] MUT_QUIET_LIE = 8'd38;  // quiescent_o ignores the pipeline
  localparam logic [7:0] MUT_IRQ_PULSE = 8'd39;  // the line falls although its map is not empty
  localparam logic [7:0] MUT_TWO_ACCESSES = 8'd40;  // a restarted control block is queued twice
  localparam logic [7:0] MUT_FAULT_LOST = 8'd41;  // the fault map bit of a miss is not set

  // TLB global handle: one shootdown at a time, status ACTIVE until it is done.
  typedef struct packed {
    logic [239:0] rsvd0;
    logic [15:0] ctxbitmap;  // contexts concerned
    logic [5:0] rsvd1;
    logic [9:0] n;  // pages minus one; 1023 purges the ASID
    logic [8:0] rsvd2;
    logic [38:0] vaddrmask;  // address bits [50:12] that take part
    logic [14:0] rsvd3;
    logic [0:0] is_global;  // every address space
    logic [10:0] rsvd4;
    logic [4:0] pagesize;  // page size code
    logic [7:0] rsvd5;
    logic [23:0] asid;  // address space
    logic [63:0] vaddr;  // first address
    logic [36:0] rsvd6;
    logic [2:0] cause;  // tgh_cause
    logic [0:0] rsvd7;
    logic [2:0] state;  // tgh_state
    logic [1:0] rsvd8;
    logic [1:0] status;  // handle_status; written values are ignored
    logic [12:0] rsvd9;
    logic [0:0] opc;  // tgh_opc
    logic [0:0] delresp;  // the driver's lock bit; the device never touches it
    logic [0:0] cmd;  // start
  } tgh_t;

  localparam int unsigned TGH_CMD_LSB = 0;
  localparam int unsigned TGH_CMD_WIDTH = 1;
  localparam int unsigned TGH_DELRESP_LSB = 1;
  localparam int unsigned TGH_DELRESP_WIDTH = 1;
  localparam int unsigned TGH_OPC_LSB = 2;
  localparam int unsigned TGH_OPC_WIDTH = 1;
  localparam int unsigned TGH_STATUS_LSB = 16;
  localparam int unsigned TGH_STATUS_WIDTH = 2;
  localparam int unsigned TGH_STATE_LSB = 20;
  localparam int unsigned TGH_STATE_WIDTH = 3;
  localparam int unsigned TGH_CAUSE_LSB = 24;
  localparam int unsigned TGH_CAUSE_WIDTH = 3;
  localparam int unsigned TGH_VADDR_LSB = 64;
  localparam int unsigned TGH_VADDR_WIDTH = 64;
  localparam int unsigned TGH_ASID_LSB = 128;
  localparam int unsigned TGH_ASID_WIDTH = 24;
  localparam int unsigned TGH_PAGESIZE_LSB = 160;
  localparam int unsigned TGH_PAGESIZE_WIDTH = 5;
  localparam int unsigned TGH_GLOBAL_LSB = 176;
  localparam int unsigned TGH_GLOBAL_WIDTH = 1;
  localparam int unsigned TGH_VADDRMASK_LSB = 192;
  localparam int unsigned TGH_VADDRMASK_WIDTH = 39;
  localparam int unsigned TGH_N_LSB = 240;
  localparam int unsigned TGH_N_WIDTH = 10;
  localparam int unsigned TGH_CTXBITMAP_LSB = 256;
  localparam int unsigned TGH_CTXBITMAP_WIDTH = 16;

  // TLB fault handle: the pending miss of one control block and the drop-in that answers it.
  typedef struct packed {
    logic [191:0] rsvd0;
    logic [63:0] fillvaddr;  // address of the drop-in
    logic [10:0] rsvd1;
    logic [4:0] pagesize;  // page size code of the drop-in
    logic [6:0] rsvd2;
    logic [40:0] pfn;  // frame number of the drop-in, in 4 KiB units for any page size
    logic [4:0] rsvd3;
    logic [1:0] gaa;  // gaa
    logic [0:0] dirty;  // drop-in may be written through
    logic [23:0] fillasid;  // address space of the drop-in
    logic [7:0] rsvd4;
    logic [23:0] missasid;  // address space of the miss
    logic [63:0] missvaddr;  // address that missed
    logic [11:0] rsvd5;
    logic [3:0] ctxnum;  // context
    logic [3:0] rsvd6;
    logic [11:0] indexway;  // set and way the hardware proposes
    logic [0:0] rsvd7;
    logic [0:0] cb_int;  // the control block asked for a completion interrupt
    logic [5:0] cause;  // tfh_cause, tested as bits by the driver (write = cause & 2)
    logic [0:0] rsvd8;
    logic [2:0] state;  // tfh_state
    logic [1:0] rsvd9;
    logic [1:0] status;  // handle_status; written values are ignored
    logic [8:0] rsvd10;
    logic [2:0] opc;  // tfh_opc
    logic [1:0] rsvd11;
    logic [0:0] delresp;  // the driver's lock bit; the device never touches it
    logic [0:0] cmd;  // start
  } tfh_t;

  localparam int unsigned TFH_CMD_LSB = 0;
  localparam int unsigned TFH_CMD_WIDTH = 1;
  localparam int unsigned TFH_DELRESP_LSB = 1;
  localparam int unsigned TFH_DELRESP_WIDTH = 1;
  localparam int unsigned TFH_OPC_LSB = 4;
  localparam int unsigned TFH_OPC_WIDTH = 3;
  localparam int unsigned TFH_STATUS_LSB = 16;
  localparam int unsigned TFH_STATUS_WIDTH = 2;
  localparam int unsigned TFH_STATE_LSB = 20;
  localparam int unsigned TFH_STATE_WIDTH = 3;
  localparam int unsigned TFH_CAUSE_LSB = 24;
  localparam int unsigned TFH_CAUSE_WIDTH = 6;
  localparam int unsigned TFH_CB_INT_LSB = 30;
  localparam int unsigned TFH_CB_INT_WIDTH = 1;
  localparam int unsigned TFH_INDEXWAY_LSB = 32;
  localparam int unsigned TFH_INDEXWAY_WIDTH = 12;
  localparam int unsigned TFH_CTXNUM_LSB = 48;
  localparam int unsigned TFH_CTXNUM_WIDTH = 4;
  localparam int unsigned TFH_MISSVADDR_LSB = 64;
  localparam int unsigned TFH_MISSVADDR_WIDTH = 64;
  localparam int unsigned TFH_MISSASID_LSB = 128;
  localparam int unsigned TFH_MISSASID_WIDTH = 24;
  localparam int unsigned TFH_FILLASID_LSB = 160;
  localparam int unsigned TFH_FILLASID_WIDTH = 24;
  localparam int unsigned TFH_DIRTY_LSB = 184;
  localparam int unsigned TFH_DIRTY_WIDTH = 1;
  localparam int unsigned TFH_GAA_LSB = 185;
  localparam int unsigned TFH_GAA_WIDTH = 2;
  localparam int unsigned TFH_PFN_LSB = 192;
  localparam int unsigned TFH_PFN_WIDTH = 41;
  localparam int unsigned TFH_PAGESIZE_LSB = 240;
  localparam int unsigned TFH_PAGESIZE_WIDTH = 5;
  localparam int unsigned TFH_FILLVADDR_LSB = 256;
  localparam int unsigned TFH_FILLVADDR_WIDTH = 64;

  // TLB fault map: one a core; a bit per control block.
  typedef struct packed {
    logic [127:0] rsvd0;
    logic [127:0] done_bits;  // control blocks that finished; write 1 clears
    logic [127:0] rsvd1;
    logic [127:0] fault_bits;  // control blocks with a miss; write 1 clears, which is the driver's xchg
  } tfm_t;

  localparam int unsigned TFM_FAULT_BITS_LSB = 0;
  localparam int unsigned TFM_FAULT_BITS_WIDTH = 128;
  localparam int unsigned TFM_DONE_BITS_LSB = 256;
  localparam int unsigned TFM_DONE_BITS_WIDTH = 128;

  // Context configuration handle.
  typedef struct packed {
    logic [127:0] sizeavail;  // 8 x 16 bits: page sizes in use in region r, bit = 1 << code
    logic [255:0] asid;  // 8 x 32 bits: address space of region r
    logic [63:0] cbr_allocation_map;  // pairs of control blocks
    logic [31:0] dsr_allocation_map;  // 1 KiB units of the data segment
    logic [2:0] rsvd0;
    logic [0:0] tfm_done_bit_enable;  // completion sets a done bit
    logic [3:0] cause;  // cch_cause
    logic [3:0] rsvd1;
    logic [1:0] state;  // cch_state
    logic [1:0] status;  // handle_status; written values are ignored
    logic [3:0] tlb_int_select;  // which fault map and interrupt line
    logic [0:0] tfm_fault_bit_enable;  // miss sets a fault map bit (else user polling mode)
    logic [0:0] tlb_int_enable;  // miss raises the interrupt of tlb_int_select
    logic [0:0] cb_int_enable;  // completion interrupts allowed
    logic [1:0] req_slice;  // requests a slice: 4, 8, 16, all
    logic [0:0] req_slice_set_enable;  // take req_slice
    logic [0:0] unmap_enable;  // unmapped addressing allowed
    logic [2:0] opc;  // cch_opc
    logic [0:0] delresp;  // the driver's lock bit; the device never touches it
    logic [0:0] cmd;  // start
  } cch_t;

  localparam int unsigned CCH_CMD_LSB = 0;
  localparam int unsigned CCH_CMD_WIDTH = 1;
  localparam int unsigned CCH_DELRESP_LSB = 1;
  localparam int unsigned CCH_DELRESP_WIDTH = 1;
  localparam int unsigned CCH_OPC_LSB = 2;
  localparam int unsigned CCH_OPC_WIDTH = 3;
  localparam int unsigned CCH_UNMAP_ENABLE_LSB = 5;
  localparam int unsigned CCH_UNMAP_ENABLE_WIDTH = 1;
  localparam int unsigned CCH_REQ_SLICE_SET_ENABLE_LSB = 6;
  localparam int unsigned CCH_REQ_SLICE_SET_ENABLE_WIDTH = 1;
  localparam int unsigned CCH_REQ_SLICE_LSB = 7;
  localparam int unsigned CCH_REQ_SLICE_WIDTH = 2;
  localparam int unsigned CCH_CB_INT_ENABLE_LSB = 9;
  localparam int unsigned CCH_CB_INT_ENABLE_WIDTH = 1;
  localparam int unsigned CCH_TLB_INT_ENABLE_LSB = 10;
  localparam int unsigned CCH_TLB_INT_ENABLE_WIDTH = 1;
  localparam int unsigned CCH_TFM_FAULT_BIT_ENABLE_LSB = 11;
  localparam int unsigned CCH_TFM_FAULT_BIT_ENABLE_WIDTH = 1;
  localparam int unsigned CCH_TLB_INT_SELECT_LSB = 12;
  localparam int unsigned CCH_TLB_INT_SELECT_WIDTH = 4;
  localparam int unsigned CCH_STATUS_LSB = 16;
  localparam int unsigned CCH_STATUS_WIDTH = 2;
  localparam int unsigned CCH_STATE_LSB = 18;
  localparam int unsigned CCH_STATE_WIDTH = 2;
  localparam int unsigned CCH_CAUSE_LSB = 24;
  localparam int unsigned CCH_CAUSE_WIDTH = 4;
  localparam int unsigned CCH_TFM_DONE_BIT_ENABLE_LSB = 28;
  localparam int unsigned CCH_TFM_DONE_BIT_ENABLE_WIDTH = 1;
  localparam int unsigned CCH_DSR_ALLOCATION_MAP_LSB = 32;
  localparam int unsigned CCH_DSR_ALLOCATION_MAP_WIDTH = 32;
  localparam int unsigned CCH_CBR_ALLOCATION_MAP_LSB = 64;
  localparam int unsigned CCH_CBR_ALLOCATION_MAP_WIDTH = 64;
  localparam int unsigned CCH_ASID_LSB = 128;
  localparam int unsigned CCH_ASID_WIDTH = 256;
  localparam int unsigned CCH_SIZEAVAIL_LSB = 384;
  localparam int unsigned CCH_SIZEAVAIL_WIDTH = 128;

  // Control block extension: the progress of an instruction, saved and restored with the context.
  typedef struct packed {
    logic [7:0] cbrexecstatus;  // cbr_exs, a bit each
    logic [3:0] cbrstate;  // cbr_state
    logic [19:0] ecause;  // cb_ecause, a bit each
    logic [9:0] rsvd0;
    logic [21:0] idef2upd;  // current tri0
    logic [63:0] idef5upd;  // elements that remain
    logic [63:0] idef3upd;  // current baddr1
    logic [63:0] idef6cpy;  // BCOPY: source lines that remain; else copy of value / op2
    logic [63:0] idef5cpy;  // copy of op1 / stride
    logic [63:0] idef1upd;  // current baddr0
    logic [9:0] rsvd1;
    logic [21:0] idef4upd;  // current tri1
    logic [9:0] rsvd2;
    logic [21:0] idef4cpy;  // copy of tri1 / bufsize
    logic [9:0] rsvd3;
    logic [21:0] idef2cpy;  // copy of tri0
    logic [7:0] exopccpy;  // copy of exopc
    logic [7:0] opccpy;  // copy of opc
    logic [0:0] rsvd4;
    logic [1:0] iaa1cpy;  // copy of iaa1
    logic [1:0] iaa0cpy;  // copy of iaa0
    logic [2:0] xtypecpy;  // copy of xtype
    logic [3:0] rsvd5;
    logic [2:0] imacpy;  // copy of ima
    logic [0:0] rsvd6;
  } cbe_t;

  localparam int unsigned CBE_IMACPY_LSB = 1;
  localparam int unsigned CBE_IMACPY_WIDTH = 3;
  localparam int unsigned CBE_XTYPECPY_LSB = 8;
  localparam int unsigned CBE_XTYPECPY_WIDTH = 3;
  localparam int unsigned CBE_IAA0CPY_LSB = 11;
  localparam int unsigned CBE_IAA0CPY_WIDTH = 2;
  localparam int unsigned CBE_IAA1CPY_LSB = 13;
  localparam int unsigned CBE_IAA1CPY_WIDTH = 2;
  localparam int unsigned CBE_OPCCPY_LSB = 16;
  localparam int unsigned CBE_OPCCPY_WIDTH = 8;
  localparam int unsigned CBE_EXOPCCPY_LSB = 24;
  localparam int unsigned CBE_EXOPCCPY_WIDTH = 8;
  localparam int unsigned CBE_IDEF2CPY_LSB = 32;
  localparam int unsigned CBE_IDEF2CPY_WIDTH = 22;
  localparam int unsigned CBE_IDEF4CPY_LSB = 64;
  localparam int unsigned CBE_IDEF4CPY_WIDTH = 22;
  localparam int unsigned CBE_IDEF4UPD_LSB = 96;
  localparam int unsigned CBE_IDEF4UPD_WIDTH = 22;
  localparam int unsigned CBE_IDEF1UPD_LSB = 128;
  localparam int unsigned CBE_IDEF1UPD_WIDTH = 64;
  localparam int unsigned CBE_IDEF5CPY_LSB = 192;
  localparam int unsigned CBE_IDEF5CPY_WIDTH = 64;
  localparam int unsigned CBE_IDEF6CPY_LSB = 256;
  localparam int unsigned CBE_IDEF6CPY_WIDTH = 64;
  localparam int unsigned CBE_IDEF3UPD_LSB = 320;
  localparam int unsigned CBE_IDEF3UPD_WIDTH = 64;
  localparam int unsigned CBE_IDEF5UPD_LSB = 384;
  localparam int unsigned CBE_IDEF5UPD_WIDTH = 64;
  localparam int unsigned CBE_IDEF2UPD_LSB = 448;
  localparam int unsigned CBE_IDEF2UPD_WIDTH = 22;
  localparam int unsigned CBE_ECAUSE_LSB = 480;
  localparam int unsigned CBE_ECAUSE_WIDTH = 20;
  localparam int unsigned CBE_CBRSTATE_LSB = 500;
  localparam int unsigned CBE_CBRSTATE_WIDTH = 4;
  localparam int unsigned CBE_CBREXECSTATUS_LSB = 504;
  localparam int unsigned CBE_CBREXECSTATUS_WIDTH = 8;

  // Control block: one instruction, started by writing double-word 0 last with icmd = 1.
  typedef struct packed {
    logic [63:0] avalue;  // what an atomic read
    logic [63:0] rsvd0;
    logic [63:0] baddr1_op2;  // second address, value, or second operand
    logic [63:0] stride_op1;  // stride in elements, or first operand
    logic [63:0] nelem;  // elements
    logic [63:0] baddr0;  // first address
    logic [41:0] rsvd1;
    logic [21:0] tri1_bufsize;  // second data segment offset, or BCOPY buffer size in lines
    logic [0:0] tlb_fault_color;  // toggles with each miss reported to the user
    logic [0:0] rsvd2;
    logic [3:0] isubstatus;  // cb_substatus in the low three bits, implicit abort above
    logic [1:0] istatus;  // cb_istatus
    logic [1:0] rsvd3;
    logic [21:0] tri0_off;  // byte offset in the context's data segment
    logic [7:0] exopc;  // exop of the atomics
    logic [7:0] opc;  // cb_opc
    logic [0:0] rsvd4;
    logic [1:0] iaa1;  // gaa expected of baddr1
    logic [1:0] iaa0;  // gaa expected of baddr0
    logic [2:0] xtype;  // cb_xtype
    logic [3:0] rsvd5;
    logic [2:0] ima;  // cb_ima, a bit each
    logic [0:0] icmd;  // start
  } cb_t;

  localparam int unsigned CB_ICMD_LSB = 0;
  localparam int unsigned CB_ICMD_WIDTH = 1;
  localparam int unsigned CB_IMA_LSB = 1;
  localparam int unsigned CB_IMA_WIDTH = 3;
  localparam int unsigned CB_XTYPE_LSB = 8;
  localparam int unsigned CB_XTYPE_WIDTH = 3;
  localparam int unsigned CB_IAA0_LSB = 11;
  localparam int unsigned CB_IAA0_WIDTH = 2;
  localparam int unsigned CB_IAA1_LSB = 13;
  localparam int unsigned CB_IAA1_WIDTH = 2;
  localparam int unsigned CB_OPC_LSB = 16;
  localparam int unsigned CB_OPC_WIDTH = 8;
  localparam int unsigned CB_EXOPC_LSB = 24;
  localparam int unsigned CB_EXOPC_WIDTH = 8;
  localparam int unsigned CB_TRI0_LSB = 32;
  localparam int unsigned CB_TRI0_WIDTH = 22;
  localparam int unsigned CB_ISTATUS_LSB = 56;
  localparam int unsigned CB_ISTATUS_WIDTH = 2;
  localparam int unsigned CB_ISUBSTATUS_LSB = 58;
  localparam int unsigned CB_ISUBSTATUS_WIDTH = 4;
  localparam int unsigned CB_TLB_FAULT_COLOR_LSB = 63;
  localparam int unsigned CB_TLB_FAULT_COLOR_WIDTH = 1;
  localparam int unsigned CB_TRI1_BUFSIZE_LSB = 64;
  localparam int unsigned CB_TRI1_BUFSIZE_WIDTH = 22;
  localparam int unsigned CB_BADDR0_LSB = 128;
  localparam int unsigned CB_BADDR0_WIDTH = 64;
  localparam int unsigned CB_NELEM_LSB = 192;
  localparam int unsigned CB_NELEM_WIDTH = 64;
  localparam int unsigned CB_STRIDE_OP1_LSB = 256;
  localparam int unsigned CB_STRIDE_OP1_WIDTH = 64;
  localparam int unsigned CB_BADDR1_OP2_LSB = 320;
  localparam int unsigned CB_BADDR1_OP2_WIDTH = 64;
  localparam int unsigned CB_AVALUE_LSB = 448;
  localparam int unsigned CB_AVALUE_WIDTH = 64;

endpackage
