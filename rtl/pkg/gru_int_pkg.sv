// Types that travel between the blocks of the GRU. Layouts software sees are in gru_pkg (generated from spec/).
//
// One number names a request everywhere: the control block (CBR). A control block has at most one access outstanding, so
// the CBR is the lookup tag, the index of the access in flight, the fault handle and the AXI identifier.

package gru_int_pkg;

  import gru_pkg::*;

  localparam int unsigned CtxW = $clog2(NUM_CTX);
  localparam int unsigned CbrW = $clog2(NUM_CBR);
  localparam int unsigned TghW = $clog2(NUM_TGH);
  localparam int unsigned VpnW = VA_WIDTH - PAGE_SHIFT;  // 52: page number in 4 KiB pages
  localparam int unsigned NumSizes = NUM_PAGE_SIZES;

  typedef logic [CtxW-1:0] ctx_t;
  typedef logic [CbrW-1:0] cbr_t;
  typedef logic [TghW-1:0] tgh_idx_t;
  typedef logic [ASID_WIDTH-1:0] asid_t;
  typedef logic [VA_WIDTH-1:0] va_t;
  typedef logic [VpnW-1:0] vpn_t;
  typedef logic [PFN_WIDTH-1:0] pfn_t;
  typedef logic [PA_WIDTH-1:0] pa_t;
  typedef logic [4:0] psize_t;  // page size code

  // Lookup port of the TLB.
  typedef struct packed {
    cbr_t cbr;
    ctx_t ctx;
    asid_t asid;
    va_t va;
    logic write;
    logic [NumSizes-1:0] sizes;  // page sizes the context uses in this region (CCH sizeavail)
  } tlb_req_t;

  typedef struct packed {
    cbr_t cbr;
    logic hit;
    logic mod;  // miss because of a write to a clean entry
    pa_t pa;
    logic [1:0] gaa;
    psize_t pagesize;
    logic [INDEXWAY_WIDTH-1:0] indexway;  // proposed place of the drop-in, on a miss
  } tlb_rsp_t;

  // Drop-in (fill) port of the TLB.
  typedef struct packed {
    cbr_t cbr;  // whose fault handle
    ctx_t ctx;
    asid_t asid;
    va_t va;
    pfn_t pfn;
    psize_t pagesize;
    logic [1:0] gaa;
    logic dirty;
    logic [INDEXWAY_WIDTH-1:0] indexway;
  } tlb_fill_t;

  // Shootdown port of the TLB. Scope is explicit; address 0 and ASID 0 are ordinary values.
  typedef enum logic [1:0] {
    SCOPE_RANGE = 2'd0,  // pages first..last of asid
    SCOPE_ASID  = 2'd1,  // every page of asid
    SCOPE_CTX   = 2'd2   // every entry and access of the contexts in ctxbitmap
  } shoot_scope_e;

  typedef struct packed {
    tgh_idx_t tgh;
    shoot_scope_e scope;
    asid_t asid;
    vpn_t first;  // inclusive, after the vaddrmask
    vpn_t last;  // inclusive, clamped at the last page of the address space
    vpn_t mask;  // page number bits that take part
    logic [NUM_CTX-1:0] ctxbitmap;
  } tlb_shoot_t;

  // A translation's page, as the shootdown logic sees it: its first page number and the page number bits inside it.
  localparam int unsigned SpanW = 18;  // 1 GiB pages
  typedef logic [SpanW-1:0] span_t;
  typedef struct packed {
    asid_t asid;
    ctx_t ctx;  // context it was filled for
    vpn_t lo;
    span_t span;
  } tlb_page_t;

  // What the TLB stores. Page size codes past the last are stored as the last.
  localparam int unsigned SizeW = $clog2(NumSizes);
  typedef logic [SizeW-1:0] size_t;
  typedef struct packed {
    asid_t asid;
    ctx_t ctx;
    vpn_t lo;
    size_t size;
  } tlb_tag_t;
  typedef struct packed {
    pfn_t pfn;
    logic [1:0] gaa;
    logic dirty;
  } tlb_data_t;

  function automatic size_t size_of(input psize_t code);
    size_of = (code >= psize_t'(NumSizes)) ? size_t'(NumSizes - 1) : size_t'(code);
  endfunction

  function automatic span_t span_of(input size_t size);
    span_of = ~(~span_t'(0) << (page_shift(5'(size)) - 6'(PAGE_SHIFT)));
  endfunction

  // Does the shootdown cover the page? Overlap is enough, whatever the two page sizes are (SD-5).
  // A mask with holes below the page size of the entry covers it whenever a page between its ends would: never too little.
  function automatic logic shoot_covers(input tlb_shoot_t s, input tlb_page_t p);
    unique case (s.scope)
      SCOPE_RANGE:
      shoot_covers = s.asid == p.asid && (p.lo & s.mask) <= s.last && ((p.lo | vpn_t'(p.span)) & s.mask) >= s.first;
      SCOPE_ASID: shoot_covers = s.asid == p.asid;
      default: shoot_covers = s.ctxbitmap[p.ctx];
    endcase
  endfunction

  // Broken variants, for the tests of the assertions (mutant_i). 1..31: TLB.
  localparam logic [7:0] MUT_NONE = 8'd0;
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

  // AXI sideband with every memory request: whose translation it used.
  typedef struct packed {
    logic mapped;  // 0: unmapped (physical) addressing, no translation
    ctx_t ctx;
    cbr_t cbr;
    asid_t asid;
    va_t va;
  } axi_user_t;
  localparam int unsigned AxiUserW = $bits(axi_user_t);

  // Coherence probes: the device changed a line that a processor may hold. Index of the handle.
  typedef struct packed {
    logic cb_valid;
    cbr_t cb;
    logic tfh_valid;
    cbr_t tfh;
    logic tgh_valid;
    tgh_idx_t tgh;
    logic cch_valid;
    ctx_t cch;
  } snoop_t;

  // What a monitor may see. No logic depends on it; synthesis removes it.
  typedef struct packed {
    logic valid;
    va_t va;
    asid_t asid;
    psize_t pagesize;
  } obs_kill_t;

  typedef struct packed {
    logic lkp_valid;  // lookup accepted
    cbr_t lkp_cbr;
    logic rsp_valid;  // lookup answered
    tlb_rsp_t rsp;
    logic fill_valid;  // drop-in decided
    logic fill_dropped;
    logic fill_lapped;  // dropped because the log no longer reaches back to its miss
    tlb_fill_t fill;
    logic shoot_accept;  // from the next cycle on covered entries are dead
    tlb_shoot_t shoot;
    logic [NUM_TGH-1:0] shoot_done;  // drained; several may finish in one cycle
    obs_kill_t [3:0] kill;  // entries removed by the sweep or by a replacing drop-in
  } obs_tlb_t;

  typedef struct packed {
    obs_tlb_t tlb;
    logic miss_valid;  // control block parked, fault handle written
    cbr_t miss_cbr;
    va_t miss_va;
    asid_t miss_asid;
    logic [5:0] miss_cause;
    logic restart_valid;  // control block runs again
    cbr_t restart_cbr;
    logic done_valid;  // instruction finished
    cbr_t done_cbr;
    logic [1:0] done_istatus;
    logic [19:0] done_ecause;
    logic cch_valid;
    ctx_t cch_ctx;
    logic [1:0] cch_state;
  } obs_gru_t;

endpackage
