// What becomes of a look-up whose key and translation are known as far as they are. Combinational.
//
// Promises: of a valid look-up exactly one of answer_o, need_key_o, need_walk_o and retry_o. Errors in the order of docs/hca.md, section 2; a
//   fault or an error of a table only from a walk of this look-up (SD-7), never from the cache; nothing from a revoked slot (SD-3).

module hca_xlt_decide
  import hca_pkg::*;
  import hca_xlt_pkg::*;
(
  input  logic [7:0]  mutant_i,
  input  logic        valid_i,
  input  logic        revoked_i,    // the slot it waited for is poisoned
  input  logic        numbered_i,   // the key's index lies in the key table
  input  logic        known_i,      // the region is at hand; else what follows means nothing
  input  xlt_result_e check_i,      // what the region says of the access
  input  logic        levels_i,     // its table has a possible number of levels
  input  logic        in_reach_i,   // and reaches the page
  input  logic        on_demand_i,
  input  logic        write_i,
  input  logic        walked_i,     // the walk it waited for ended
  input  walk_end_e   how_i,
  input  logic        cached_i,     // else: the cache has its leaf
  input  logic        writable_i,   // the leaf, walked or cached
  output logic        answer_o,
  output xlt_result_e result_o,
  output logic        from_cache_o,
  output logic        need_key_o,
  output logic        need_walk_o,
  output logic        retry_o
);

  xlt_result_e absent, read_only;
  assign absent = on_demand_i ? XLT_RESULT_FAULT_NOT_PRESENT : XLT_RESULT_BAD_TABLE;
  assign read_only = on_demand_i ? XLT_RESULT_FAULT_READ_ONLY : XLT_RESULT_NO_RIGHT;

  always_comb begin
    answer_o = 1'b0;
    from_cache_o = 1'b0;
    need_key_o = 1'b0;
    need_walk_o = 1'b0;
    retry_o = 1'b0;
    result_o = XLT_RESULT_OK;
    if (valid_i) begin
      answer_o = 1'b1;
      if (revoked_i) begin
        {answer_o, retry_o} = 2'b01;
      end else if (!numbered_i) begin
        result_o = XLT_RESULT_BAD_KEY;
      end else if (!known_i) begin
        {answer_o, need_key_o} = 2'b01;
      end else if (check_i != XLT_RESULT_OK) begin
        result_o = check_i;
      end else if (!levels_i) begin
        result_o = XLT_RESULT_BAD_TABLE;
      end else if (!in_reach_i) begin
        result_o = absent;
      end else if (walked_i && how_i != WALK_LEAF) begin
        result_o = how_i == WALK_ABSENT ? absent : XLT_RESULT_BAD_TABLE;
      end else if (!walked_i && !(cached_i && (!write_i || writable_i || mutant_i == HMUT_UPGRADE_KEPT))) begin
        {answer_o, need_walk_o} = 2'b01;
      end else begin
        from_cache_o = !walked_i;
        if (write_i && !writable_i) result_o = read_only;
      end
    end
  end

endmodule
