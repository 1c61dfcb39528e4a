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

  // The set of the TLB a page lives in, before it is cut to the number of sets: its page number, shifted by the address space, so that
  // equal layouts do not fight for the same sets. Address spaces come in blocks of eight, one ASID a region.
  localparam int unsigned SetHashW = INDEXWAY_WIDTH;
  function automatic logic [SetHashW-1:0] set_hash(input asid_t asid, input vpn_t vpn, input size_t size);
    set_hash = SetHashW'(vpn >> (page_shift(5'(size)) - 6'(PAGE_SHIFT))) ^ asid[3+:SetHashW];
  endfunction

  function automatic size_t lowest_size(input logic [NumSizes-1:0] sizes);
    lowest_size = '0;
    for (int s = NumSizes - 1; s >= 0; s--) begin
      if (sizes[s]) lowest_size = size_t'(s);
    end
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
