// What passes between the parts of the HCA's translation (hca_xlt*), and the two questions they all ask: may this access use this
// key, and does this invalidation cover this translation.

package hca_xlt_pkg;
  import hca_pkg::*;
  import hca_int_pkg::*;

  localparam int unsigned VpnW = VaW - PageW;
  localparam int unsigned PfnW = PaW - PageW;
  localparam int unsigned LargeW = 2 * TABLE_BITS;             // page-number bits below the largest leaf
  localparam int unsigned ReachW = TABLE_LEVELS * TABLE_BITS;  // page-number bits of the largest table
  localparam int unsigned UseW = $bits(use_t);
  localparam int unsigned NumUses = 1 << UseW;
  // Walks and key fetches wait in slots: 0 .. WALKERS-1 walk, the others fetch.
  localparam int unsigned KeySlots = 16;
  localparam int unsigned Slots = WALKERS + KeySlots;
  localparam int unsigned SlotW = $clog2(Slots);

  typedef logic [VpnW-1:0] vpn_t;
  typedef logic [PfnW-1:0] pfn_t;
  typedef logic [ReachW-1:0] pn_t;  // page number in a table
  typedef logic [LargeW-1:0] off_t;
  typedef logic [UseW-1:0] useix_t;
  typedef logic [SlotW-1:0] slot_t;
  typedef logic [1:0] level_t;  // of a leaf, counted from the last level: 0: 4 KiB, 1: 2 MiB, 2: 1 GiB

  // A key table entry, or that it could not be read.
  typedef struct packed {
    logic error;
    logic valid;
    logic local_write;
    logic remote_write;
    logic remote_read;
    logic remote_atomic;
    logic on_demand;
    logic whole;
    pd_t pd;
    logic [31:0] key;
    va_t start;
    logic [63:0] length;
    logic [2:0] levels;
    pfn_t root;
    vpn_t table_base;
  } region_t;

  // The pages of a leaf: page numbers first .. first + pages_less_one(level).
  typedef struct packed {
    keyidx_t key;
    vpn_t first;
    level_t level;
  } span_t;

  // A cached translation: one 4 KiB page of a leaf, which knows its leaf. So one probe serves every page size, and two entries
  // can never match one look-up.
  typedef struct packed {
    keyidx_t key;
    vpn_t vpn;
    off_t off;  // the page's number within its leaf
    level_t level;
  } tag_t;

  typedef struct packed {
    pfn_t pfn;  // of this page
    logic write;
  } leaf_t;

  typedef struct packed {
    tag_t tag;
    leaf_t leaf;
  } entry_t;

  typedef struct packed {
    keyidx_t key;
    logic whole;  // all of the key, the cached key entry too
    vpn_t first;
    vpn_t last;
  } inval_t;

  // How a walk ended.
  typedef enum logic [1:0] { WALK_LEAF, WALK_ABSENT, WALK_BAD } walk_end_e;

  typedef struct packed {
    walk_end_e how;
    entry_t entry;  // of a leaf; else its tag names the page asked for
  } outcome_t;

  // A look-up on its second and later ways through the pipeline.
  typedef struct packed {
    logic answered;  // `slot` has what this look-up waited for
    logic last;      // the slot is free after it
    logic late;      // it had found no slot
    slot_t slot;
  } again_t;

  // What the caches know of a look-up. Without `known` only `numbered` means something.
  typedef struct packed {
    logic numbered;  // the key's index lies in the key table
    logic known;     // the region is at hand
    region_t region;
    xlt_result_e check;  // what the region says of the access
    logic levels;        // its table has a possible number of levels
    logic in_reach;      // and reaches the page
    pn_t pn;             // the page's number in the table
    logic hit;           // the translation is cached
    entry_t entry;
  } found_t;

  function automatic keyidx_t index_of(input logic [31:0] key);
    return keyidx_t'(key >> 8);
  endfunction

  function automatic vpn_t page_of(input va_t va);
    return va[VaW-1:PageW];
  endfunction

  function automatic logic is_write(input need_e need);
    return need inside {NEED_LOCAL_WRITE, NEED_REMOTE_WRITE, NEED_REMOTE_ATOMIC};
  endfunction

  function automatic logic [TABLE_BITS-1:0] table_index(input pn_t pn, input level_t left);
    return pn[32'(left)*TABLE_BITS+:TABLE_BITS];
  endfunction

  function automatic vpn_t pages_less_one(input level_t level);
    unique case (level)
      2'd0: pages_less_one = '0;
      2'd1: pages_less_one = vpn_t'({TABLE_BITS{1'b1}});
      default: pages_less_one = vpn_t'({LargeW{1'b1}});
    endcase
  endfunction

  function automatic span_t span_of(input tag_t tag);
    return '{key: tag.key, first: tag.vpn - (vpn_t'(tag.off) & pages_less_one(tag.level)), level: tag.level};
  endfunction

  function automatic logic covers(input inval_t inval, input span_t span, input logic [7:0] mutant);
    // A large leaf may reach past the end of the address space.
    automatic logic [VpnW:0] last = {1'b0, span.first} + (mutant == HMUT_LARGE_SURVIVES ? '0 : {1'b0, pages_less_one(span.level)});
    return inval.key == span.key && (inval.whole || (span.first <= inval.last && last >= {1'b0, inval.first}));
  endfunction

  // For which sizes of the leaf it may end at does an invalidation cover this walk. Bit 0, the page itself, implies the others.
  function automatic logic [2:0] covers_walk(input inval_t inval, input keyidx_t key, input vpn_t vpn, input pn_t pn,
                                             input logic [7:0] mutant);
    for (int l = 0; l < 3; l++) begin
      covers_walk[l] = covers(inval, span_of('{key: key, vpn: vpn, off: off_t'(pn), level: level_t'(l)}), mutant);
    end
    if (mutant == HMUT_WALK_NOT_DROPPED) covers_walk = '0;
  endfunction

  // OK, or what is wrong with the access by its key (docs/hca.md, section 2, in that order).
  function automatic xlt_result_e check_region(input region_t region, input xlt_req_t req, input logic [7:0] mutant);
    automatic logic [64:0] reach = {1'b0, req.va - region.start} + 65'(req.len);
    automatic logic [64:0] limit = {1'b0, region.length} + 65'(mutant == HMUT_LENGTH_OFF);
    automatic logic allowed;
    unique case (req.need)
      NEED_LOCAL_WRITE: allowed = region.local_write;
      NEED_REMOTE_READ: allowed = region.remote_read;
      NEED_REMOTE_WRITE: allowed = region.remote_write;
      NEED_REMOTE_ATOMIC: allowed = region.remote_atomic;
      default: allowed = 1'b1;
    endcase
    // No early returns: the simulator counts an arm's coverage at its end.
    if (region.error) check_region = XLT_RESULT_BAD_TABLE;
    else if (!region.valid || region.key != req.key) check_region = XLT_RESULT_BAD_KEY;
    else if (region.pd != req.pd && mutant != HMUT_PD_IGNORED) check_region = XLT_RESULT_WRONG_PD;
    else if (!allowed) check_region = XLT_RESULT_NO_RIGHT;
    else if (region.whole ? req.va[VaW-1:HCA_VA_BITS] != '0 : (req.va < region.start || reach > limit))
      check_region = XLT_RESULT_OUT_OF_BOUNDS;
    else check_region = XLT_RESULT_OK;
  endfunction

endpackage
