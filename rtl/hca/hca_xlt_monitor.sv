// What the translation counts, and what a monitor sees of it. No logic depends on this.
//
// Promises: count_o passes what happens once a cycle; translations killed, up to MTT_WAYS a cycle, are counted one by one while busy_o.
//   Translations are reported by their leaf: its first address, frame and size. A dropped walk is reported by the page it was for.

module hca_xlt_monitor
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
(
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                enable_i,

  input  logic [31:0]         count_i,
  output logic [31:0]         count_o,
  output logic                busy_o,

  input  logic                lkp_valid_i,
  input  use_t                lkp_id_i,
  input  logic                rsp_valid_i,
  input  xlt_rsp_t            rsp_i,
  input  logic                walk_valid_i,
  input  logic [31:0]         walk_key_i,
  input  va_t                 walk_va_i,
  input  logic                end_valid_i,
  input  logic                end_drop_i,
  input  vpn_t                end_vpn_i,
  input  logic [31:0]         end_key_i,
  input  logic                fill_i,
  input  entry_t              fill_entry_i,
  input  logic [MTT_WAYS-1:0] kill_i,
  input  tag_t [MTT_WAYS-1:0] kill_tag_i,
  output obs_xlt_t            obs_o
);

  localparam int unsigned KilledW = $clog2(MTT_ENTRIES) + 1;
  logic [KilledW-1:0] killed_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) killed_q <= '0;
    else if (!enable_i) killed_q <= '0;
    else killed_q <= killed_q + KilledW'($countones(kill_i)) - KilledW'(killed_q != '0);
  end
  assign busy_o = killed_q != '0;

  always_comb begin
    count_o = count_i;
    count_o[COUNT_KILLED] = busy_o;
  end

  function automatic logic [5:0] shift_of(input level_t level);
    return 6'(PageW) + 6'(TABLE_BITS) * 6'(level);
  endfunction

  span_t filled;
  logic unused;
  assign unused = ^{filled.key, fill_entry_i.tag.key};
  assign filled = span_of(fill_entry_i.tag);

  always_comb begin
    obs_o = '0;
    obs_o.lkp_valid = lkp_valid_i;
    obs_o.lkp_id = lkp_id_i;
    obs_o.rsp_valid = rsp_valid_i;
    obs_o.rsp_id = rsp_i.id;
    obs_o.rsp_ok = rsp_i.result == XLT_RESULT_OK;
    obs_o.rsp_pa = rsp_i.pa;
    obs_o.walk_valid = walk_valid_i;
    obs_o.walk_key = walk_key_i;
    obs_o.walk_va = walk_va_i;
    if (fill_i) begin
      obs_o.fill_valid = 1'b1;
      obs_o.fill_key = end_key_i;
      obs_o.fill_va = {filled.first, PageW'(0)};
      obs_o.fill_pfn = fill_entry_i.leaf.pfn & ~pfn_t'(pages_less_one(filled.level));
      obs_o.fill_shift = shift_of(filled.level);
      obs_o.fill_write = fill_entry_i.leaf.write;
    end else if (end_valid_i && end_drop_i) begin
      obs_o.fill_valid = 1'b1;
      obs_o.fill_dropped = 1'b1;
      obs_o.fill_key = end_key_i;
      obs_o.fill_va = {end_vpn_i, PageW'(0)};
    end
    obs_o.kill_valid = kill_i;
    if (kill_i != '0) begin
      for (int unsigned w = 0; w < MTT_WAYS; w++) begin
        automatic span_t span = span_of(kill_tag_i[w]);
        obs_o.kill_key[w] = span.key;
        obs_o.kill_va[w] = {span.first, PageW'(0)};
        obs_o.kill_shift[w] = shift_of(span.level);
      end
    end
  end

endmodule
