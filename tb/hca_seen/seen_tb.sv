// hca_xlt_monitor with one plain port a field, for the block test. Way 2 of those that may lose their entry has a tag; the others have
// its complement.

module seen_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
(
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [7:0]       mutant_i,  // there is none
  input  logic             enable_i,
  input  logic [31:0]      count_i,
  input  logic             lkp_valid_i,
  input  logic [UseW-1:0]  lkp_id_i,
  input  logic             rsp_valid_i,
  input  logic [UseW-1:0]  rsp_id_i,
  input  logic [3:0]       rsp_result_i,
  input  pa_t              rsp_pa_i,
  input  logic             walk_valid_i,
  input  logic [31:0]      walk_key_i,
  input  va_t              walk_va_i,
  input  logic             end_valid_i,
  input  logic             end_drop_i,
  input  vpn_t             end_vpn_i,
  input  logic [31:0]      end_key_i,
  input  logic             fill_i,
  input  vpn_t             fill_vpn_i,
  input  off_t             fill_off_i,
  input  level_t           fill_level_i,
  input  pfn_t             fill_pfn_i,
  input  logic             fill_write_i,
  input  logic [3:0]       kill_i,
  input  keyidx_t          kill_key_i,
  input  vpn_t             kill_vpn_i,
  input  off_t             kill_off_i,
  input  level_t           kill_level_i,

  output logic [31:0]      count_o,
  output logic             busy_o,
  output logic             lkp_valid_o,
  output logic [UseW-1:0]  lkp_id_o,
  output logic             rsp_valid_o,
  output logic [UseW-1:0]  rsp_id_o,
  output logic             rsp_ok_o,
  output pa_t              rsp_pa_o,
  output logic             walk_valid_o,
  output logic [31:0]      walk_key_o,
  output va_t              walk_va_o,
  output logic             fill_valid_o,
  output logic             fill_dropped_o,
  output logic [31:0]      fill_key_o,
  output va_t              fill_va_o,
  output pfn_t             fill_pfn_o,
  output logic [5:0]       fill_shift_o,
  output logic             fill_write_o,
  output logic [3:0]       kill_valid_o,
  output keyidx_t          kill0_key_o,
  output va_t              kill0_va_o,
  output logic [5:0]       kill0_shift_o,
  output keyidx_t          kill2_key_o,
  output va_t              kill2_va_o,
  output logic [5:0]       kill2_shift_o
);

  xlt_rsp_t rsp;
  entry_t fill_entry;
  tag_t tag;
  obs_xlt_t obs;
  assign rsp = '{id: use_t'(rsp_id_i), result: xlt_result_e'(rsp_result_i), pa: rsp_pa_i};
  assign fill_entry = '{tag: '{key: index_of(end_key_i), vpn: fill_vpn_i, off: fill_off_i, level: fill_level_i},
                        leaf: '{pfn: fill_pfn_i, write: fill_write_i}};
  assign tag = '{key: kill_key_i, vpn: kill_vpn_i, off: kill_off_i, level: kill_level_i};

  hca_xlt_monitor u_monitor (
    .clk_i,
    .rst_ni,
    .enable_i,
    .count_i,
    .count_o,
    .busy_o,
    .lkp_valid_i,
    .lkp_id_i    (use_t'(lkp_id_i)),
    .rsp_valid_i,
    .rsp_i       (rsp),
    .walk_valid_i,
    .walk_key_i,
    .walk_va_i,
    .end_valid_i,
    .end_drop_i,
    .end_vpn_i,
    .end_key_i,
    .fill_i,
    .fill_entry_i(fill_entry),
    .kill_i,
    .kill_tag_i  ({~tag, tag, ~tag, ~tag}),
    .obs_o       (obs)
  );

  assign {lkp_valid_o, lkp_id_o} = {obs.lkp_valid, obs.lkp_id};
  assign {rsp_valid_o, rsp_id_o, rsp_ok_o, rsp_pa_o} = {obs.rsp_valid, obs.rsp_id, obs.rsp_ok, obs.rsp_pa};
  assign {walk_valid_o, walk_key_o, walk_va_o} = {obs.walk_valid, obs.walk_key, obs.walk_va};
  assign {fill_valid_o, fill_dropped_o, fill_key_o, fill_va_o} = {obs.fill_valid, obs.fill_dropped, obs.fill_key, obs.fill_va};
  assign {fill_pfn_o, fill_shift_o, fill_write_o} = {obs.fill_pfn, obs.fill_shift, obs.fill_write};
  assign kill_valid_o = obs.kill_valid;
  assign {kill0_key_o, kill0_va_o, kill0_shift_o} = {obs.kill_key[0], obs.kill_va[0], obs.kill_shift[0]};
  assign {kill2_key_o, kill2_va_o, kill2_shift_o} = {obs.kill_key[2], obs.kill_va[2], obs.kill_shift[2]};

endmodule
