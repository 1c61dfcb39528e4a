// Types and functions of the engine: the register bus behind AXI4-Lite, the working state of an instruction and the access
// it makes next. Layouts software sees are in gru_pkg; what the blocks share with the TLB is in gru_int_pkg.

package gru_eng_pkg;

  import gru_pkg::*;
  import gru_int_pkg::*;

  localparam int unsigned DsrLines = DSR_BYTES / LINE_BYTES;
  localparam int unsigned DsrLineW = $clog2(DsrLines);
  localparam int unsigned NumCbAu  = NUM_CBR / CBR_AU;
  localparam int unsigned NumDsrAu = DSR_BYTES / DSR_AU_BYTES;
  localparam int unsigned CbAuW    = $clog2(NumCbAu);
  localparam int unsigned DsrAuW   = $clog2(NumDsrAu);
  // Lookups and memory requests that may wait between the TLB and the bus.
  localparam int unsigned MemDepth = 8;
  // Longest wait of a polling atomic (EPOLL, NPOLL) between two reads, in cycles of now_i.
  localparam int unsigned PollBackoff = 64;

  typedef logic [DsrLineW-1:0]  dsr_line_t;
  typedef logic [511:0]         line_t;
  typedef logic [NUM_CBR-1:0]   cbr_vec_t;
  typedef logic [21:0]          tri_t;

  typedef enum logic [2:0] {
    UNIT_NONE, UNIT_CB, UNIT_DSR, UNIT_TFM, UNIT_TGH, UNIT_CBE, UNIT_TFH, UNIT_CCH
  } unit_e;

  // One 64-bit access of the processor, decoded; the unit answers with ready (and read data) in any later or the same cycle.
  typedef struct packed {
    logic        write;
    unit_e       unit;
    cbr_t        idx;   // control block, handle or map
    logic [2:0]  dw;    // double-word of the line
    dsr_line_t   line;  // data segment line
    logic [63:0] wdata;
    logic [7:0]  wstrb;
  } reg_req_t;

  // Flags of a context, as its CCH had them at START.
  typedef struct packed {
    logic       unmap_enable;
    logic       cb_int_enable;
    logic       tlb_int_enable;
    logic       fault_bit_enable;
    logic       done_bit_enable;
    logic [3:0] int_select;
  } ctx_cfg_t;

  // CBE, the part an instruction does not change.
  typedef struct packed {
    logic [2:0]  ima;
    logic [2:0]  xtype;
    logic [1:0]  iaa0;
    logic [1:0]  iaa1;
    logic [7:0]  opc;
    logic [7:0]  exopc;
    tri_t        idef2;  // tri0
    tri_t        idef4;  // tri1, bufsize
    logic [63:0] idef5;  // stride, op1
  } cbs_t;

  // CBE, the part that moves.
  typedef struct packed {
    logic [63:0] idef1;  // current baddr0
    logic [63:0] idef3;  // current baddr1
    logic [63:0] idef5;  // elements that remain
    logic [63:0] idef6;  // BCOPY: source elements that remain; else value or op2
    tri_t        idef2;  // current tri0 (BCOPY: where the next source bytes go)
    tri_t        idef4;  // current tri1 (BCOPY: where the next destination bytes come from; MESQ: 1 once lines are reserved)
  } cbu_t;

  typedef enum logic [1:0] {
    ACC_READ, ACC_WRITE, ACC_AMO, ACC_LOCAL
  } acc_e;

  // The next access of an instruction, and its state once that access has completed.
  typedef struct packed {
    acc_e        kind;
    logic        done;     // the instruction ends with this access
    logic        set;      // write data is the value of VSET, not the data segment
    logic        wperm;    // the lookup asks for write permission
    logic        ima_int;  // completion interrupt asked for
    logic        mesq;     // the reservation of a MESQ
    logic        er;       // exopc is of GAMER/GAMERR
    logic        word;     // 32-bit atomic
    logic [7:0]  exopc;
    logic [63:0] op1;
    logic [19:0] ecause;   // ACC_LOCAL: end with this exception (none: normal end)
    logic [1:0]  iaa;
    logic        mapped;
    ctx_t        ctx;
    asid_t       asid;
    logic [NumSizes-1:0] sizes;
    va_t         va;
    logic [6:0]  bytes;
    dsr_line_t   dsr_line;
    logic [5:0]  dsr_off;
    cbu_t        next;
  } acc_t;

  // Between the TLB's answer and the bus.
  typedef struct packed {
    cbr_t        cbr;
    acc_e        kind;
    logic        used;    // a translation in the TLB's table of accesses in flight
    logic [19:0] ecause;  // ACC_LOCAL
    pa_t         pa;
  } mem_req_t;

  typedef enum logic [1:0] {
    RET_READ, RET_WRITE, RET_LOCAL, RET_TFH
  } ret_e;

  // An access that came to its end.
  typedef struct packed {
    ret_e        src;
    cbr_t        cbr;
    logic        used;
    logic [19:0] ecause;
    logic [1:0]  resp;
    line_t       data;
  } ret_t;

  // What a retirement does to its control block.
  typedef enum logic [1:0] {
    OUT_AGAIN,  // ready for its next access (or for the same one)
    OUT_DONE,   // instruction over
    OUT_POLL,   // wait for the poll timer
    OUT_CONT    // second half of an atomic on its way
  } out_e;

  // Bytes of a line rotated right by n.
  function automatic line_t rotate_line(input line_t l, input logic [5:0] n);
    logic [1023:0] two;
    two = {l, l} >> {n, 3'b000};
    return two[511:0];
  endfunction

  // n bytes from offset off on.
  function automatic logic [63:0] byte_mask(input logic [6:0] n, input logic [5:0] off);
    logic [64:0] ones;
    ones = (65'd1 << n) - 65'd1;
    return ones[63:0] << off;
  endfunction

  // Index of the single bit set (0 when none).
  function automatic cbr_t enc128(input cbr_vec_t oh);
    return {|oh[127:64],
            |(oh & 128'hFFFFFFFF00000000FFFFFFFF00000000),
            |(oh & 128'hFFFF0000FFFF0000FFFF0000FFFF0000),
            |(oh & 128'hFF00FF00FF00FF00FF00FF00FF00FF00),
            |(oh & 128'hF0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0),
            |(oh & 128'hCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC),
            |(oh & 128'hAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA)};
  endfunction

  // Lowest bit set, alone.
  function automatic cbr_vec_t lowest128(input cbr_vec_t v);
    return v & (~v + 128'd1);
  endfunction

  // One bit of the map for each pair of control blocks.
  function automatic cbr_vec_t cb_mask(input logic [NumCbAu-1:0] map);
    cbr_vec_t m;
    for (int unsigned i = 0; i < NumCbAu; i++) begin
      m[2*i]   = map[i];
      m[2*i+1] = map[i];
    end
    return m;
  endfunction

  // Write the bytes of a word that the strobes name.
  function automatic logic [63:0] merge_word(input logic [63:0] old, input logic [63:0] w, input logic [7:0] strb);
    logic [63:0] r;
    for (int unsigned i = 0; i < 8; i++) r[8*i+:8] = strb[i] ? w[8*i+:8] : old[8*i+:8];
    return r;
  endfunction

endpackage
