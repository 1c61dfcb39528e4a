// hca_xlt with one plain port a field, for the block test: every port is an integer the test sets or reads by name. A use is
// {user, slot, seg} in 8 bits.

module xlt_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  mutant_i,
  input  logic        enable_i,
  input  pa_t         mpt_base_i,
  input  logic [15:0] mpt_size_i,
  input  logic [1:0]  req_valid_i,
  input  logic [$bits(use_t)-1:0] req0_use_i,
  input  logic [23:0] req0_pd_i,
  input  logic [31:0] req0_key_i,
  input  va_t         req0_va_i,
  input  logic [12:0] req0_len_i,
  input  logic [2:0]  req0_need_i,
  input  logic [$bits(use_t)-1:0] req1_use_i,
  input  logic [23:0] req1_pd_i,
  input  logic [31:0] req1_key_i,
  input  va_t         req1_va_i,
  input  logic [12:0] req1_len_i,
  input  logic [2:0]  req1_need_i,
  input  logic [1:0]  start_valid_i,
  input  logic [$bits(use_t)-1:0] start0_i,
  input  logic [$bits(use_t)-1:0] start1_i,
  input  logic [1:0]  done_valid_i,
  input  logic [$bits(use_t)-1:0] done0_i,
  input  logic [$bits(use_t)-1:0] done1_i,
  input  logic [1:0]  drop_valid_i,
  input  logic [UseSlotW-1:0] drop0_slot_i,
  input  logic [UseSlotW-1:0] drop1_slot_i,
  input  logic        inv_valid_i,
  input  keyidx_t     inv_key_i,
  input  logic        inv_whole_i,
  input  va_t         inv_first_i,
  input  va_t         inv_last_i,
  input  logic [4:0]  inv_tag_i,
  input  logic        rd_ready_i,
  input  logic        mem_valid_i,
  input  logic [7:0]  mem_id_i,
  input  logic [1:0]  mem_resp_i,
  input  logic [63:0] mem_data0_i,
  input  logic [63:0] mem_data1_i,
  input  logic [63:0] mem_data2_i,
  input  logic [63:0] mem_data3_i,
  input  logic [63:0] mem_data4_i,
  input  logic [63:0] mem_data5_i,
  input  logic [63:0] mem_data6_i,
  input  logic [63:0] mem_data7_i,

  output logic [1:0]  req_ready_o,
  output logic        rsp_valid_o,
  output logic [$bits(use_t)-1:0] rsp_use_o,
  output logic [3:0]  rsp_result_o,
  output pa_t         rsp_pa_o,
  output logic [63:0] live0_o,  // bit u of all together: use u
  output logic [63:0] live1_o,
  output logic [63:0] live2_o,
  output logic [63:0] live3_o,
  output logic [63:0] live4_o,
  output logic [63:0] live5_o,
  output logic [63:0] live6_o,
  output logic [63:0] live7_o,
  output logic        inv_ready_o,
  output logic [31:0] inv_busy_o,
  output logic        rd_valid_o,
  output logic [7:0]  rd_id_o,
  output pa_t         rd_pa_o,
  output logic [2:0]  rd_size_o,
  output logic [11:0] rd_key_o,
  output va_t         rd_va_o,
  output logic [31:0] count_o,
  output logic        quiescent_o,
  output logic        walk_valid_o,
  output logic        fill_valid_o,
  output logic        fill_dropped_o,
  output logic [3:0]  kill_o,
  output logic [11:0] kill_key_o,   // of the lowest way that lost its entry
  output va_t         kill_va_o,
  output logic [5:0]  kill_shift_o
);

  xlt_req_t [1:0] req;
  xlt_rsp_t rsp;
  rd_req_t rd;
  rd_rsp_t mem;
  obs_xlt_t obs;
  logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] rx_live;
  logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] tx_live;

  assign req[0] = '{id: use_t'(req0_use_i), qpn: qpn_t'({req0_use_i, req0_use_i}), pd: req0_pd_i, key: req0_key_i, va: req0_va_i, len: req0_len_i,
                    need: need_e'(req0_need_i)};
  assign req[1] = '{id: use_t'(req1_use_i), qpn: qpn_t'({req1_use_i, req1_use_i}), pd: req1_pd_i, key: req1_key_i, va: req1_va_i, len: req1_len_i,
                    need: need_e'(req1_need_i)};
  assign mem = '{id: mem_id_i, resp: mem_resp_i, data: {mem_data7_i, mem_data6_i, mem_data5_i, mem_data4_i, mem_data3_i, mem_data2_i,
                                                        mem_data1_i, mem_data0_i}};

  hca_xlt u_xlt (
    .clk_i,
    .rst_ni,
    .enable_i,
    .mutant_i,
    .mpt_base_i,
    .mpt_size_i,
    .req_valid_i,
    .req_ready_o,
    .req_i         (req),
    .rsp_valid_o,
    .rsp_o         (rsp),
    .rx_live_o     (rx_live),
    .tx_live_o     (tx_live),
    .start_valid_i,
    .start_i       ({use_t'(start1_i), use_t'(start0_i)}),
    .done_valid_i,
    .done_i        ({use_t'(done1_i), use_t'(done0_i)}),
    .drop_valid_i,
    .drop_slot_i   ({drop1_slot_i, drop0_slot_i}),
    .inv_valid_i,
    .inv_ready_o,
    .inv_key_i,
    .inv_whole_i,
    .inv_first_i,
    .inv_last_i,
    .inv_tag_i,
    .inv_busy_o,
    .rd_valid_o,
    .rd_ready_i,
    .rd_o          (rd),
    .rd_rsp_valid_i(mem_valid_i),
    .rd_rsp_i      (mem),
    .count_o,
    .quiescent_o,
    .obs_o         (obs)
  );

  assign rsp_use_o = rsp.id;
  assign rsp_result_o = rsp.result;
  assign rsp_pa_o = rsp.pa;
  assign {live3_o, live2_o, live1_o, live0_o} = 256'(rx_live);
  assign {live7_o, live6_o, live5_o, live4_o} = 256'(tx_live);
  assign rd_id_o = rd.id;
  assign rd_pa_o = rd.pa;
  assign rd_size_o = rd.size;
  assign rd_key_o = rd.user.key;
  assign rd_va_o = rd.user.va;
  assign walk_valid_o = obs.walk_valid;
  assign fill_valid_o = obs.fill_valid;
  assign fill_dropped_o = obs.fill_dropped;
  assign kill_o = obs.kill_valid;
  always_comb begin
    kill_key_o = '0;
    kill_va_o = '0;
    kill_shift_o = '0;
    for (int w = 3; w >= 0; w--) begin
      if (obs.kill_valid[w]) begin
        kill_key_o = obs.kill_key[w];
        kill_va_o = obs.kill_va[w];
        kill_shift_o = obs.kill_shift[w];
      end
    end
  end

endmodule
