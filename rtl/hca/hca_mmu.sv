// The memory side of the adapter: registers, commands, faults and translation, wired together.
//
//   AXI4-Lite ─▶ hca_regs ─▶ hca_cmd ─┬─▶ hca_xlt ◀── look-ups, uses (hca_rx, hca_tx)
//                   ▲  lines          ├─▶ hca_fault ◀── faults, ──▶ resumes (hca_qp)
//                   └── indices ──────┴─▶ hca_qp, hca_cq
//
// Promises: those of its blocks. One read and one write port to memory: commands before walks, records before statuses.
// Needs: enable_o low resets everything else too; no answer to a request made before that comes after it is high again.
// Costs: wiring.

module hca_mmu
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  mutant_i,
  input  logic [63:0] now_i,
  input  logic [7:0]  node_i,
  // registers: AXI4-Lite
  input  logic        s_axil_awvalid_i,
  output logic        s_axil_awready_o,
  input  logic [8:0]  s_axil_awaddr_i,
  input  logic        s_axil_wvalid_i,
  output logic        s_axil_wready_o,
  input  logic [63:0] s_axil_wdata_i,
  input  logic [7:0]  s_axil_wstrb_i,
  output logic        s_axil_bvalid_o,
  input  logic        s_axil_bready_i,
  output logic [1:0]  s_axil_bresp_o,
  input  logic        s_axil_arvalid_i,
  output logic        s_axil_arready_o,
  input  logic [8:0]  s_axil_araddr_i,
  output logic        s_axil_rvalid_o,
  input  logic        s_axil_rready_i,
  output logic [63:0] s_axil_rdata_o,
  output logic [1:0]  s_axil_rresp_o,
  // memory
  output logic        rd_valid_o,
  input  logic        rd_ready_i,
  output rd_req_t     rd_o,
  input  logic        rd_rsp_valid_i,
  input  rd_rsp_t     rd_rsp_i,
  output logic        wr_valid_o,
  input  logic        wr_ready_i,
  output wr_req_t     wr_o,
  input  logic        wr_rsp_valid_i,
  input  wr_rsp_t     wr_rsp_i,
  // translation; index: xlt_user_e
  input  logic     [1:0] req_valid_i,
  output logic     [1:0] req_ready_o,
  input  xlt_req_t [1:0] req_i,
  output logic           rsp_valid_o,
  output xlt_rsp_t       rsp_o,
  output logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] rx_live_o,
  output logic [TX_SLOTS-1:0][MAX_SEGMENTS-1:0] tx_live_o,
  input  logic       [1:0]      start_valid_i,
  input  use_t       [1:0]      start_i,
  input  logic       [1:0]      done_valid_i,
  input  use_t       [1:0]      done_i,
  input  logic       [1:0]      drop_valid_i,
  input  logic       [1:0][UseSlotW-1:0] drop_slot_i,
  // faults and resumes
  input  logic        flt_valid_i,
  output logic        flt_ready_o,
  input  flt_req_t    flt_i,
  output logic        resume_valid_o,
  input  logic        resume_ready_i,
  output resume_t     resume_o,
  // commands for queue pairs and completion queues
  output logic        qp_cmd_valid_o,
  input  logic        qp_cmd_ready_i,
  output qp_cmd_t     qp_cmd_o,
  input  logic        qp_done_valid_i,
  input  cmd_status_e qp_done_status_i,
  input  hca_qp_report_t qp_report_i,
  output logic        cq_cmd_valid_o,
  input  logic        cq_cmd_ready_i,
  output cq_cmd_t     cq_cmd_o,
  // registers' effects
  output logic        enable_o,
  output doorbell_t   doorbell_o,
  output logic [31:0] rnr_delay_o,
  output logic [31:0] ack_timeout_o,
  input  logic        cq_fired_valid_i,
  input  cqn_t        cq_fired_i,
  input  logic   [1:0] async_valid_i,  // hca_qp, hca_cq
  input  async_t [1:0] async_i,
  input  logic        cq_overflow_i,
  input  logic [3:0][31:0] count_i,
  input  logic [12:0] tx_bytes_i,
  input  logic [12:0] rx_bytes_i,
  output logic [2:0]  irq_o,
  // probes, monitor
  output logic        cmd_snoop_valid_o,
  output index_t      cmd_snoop_o,
  output logic        fence_snoop_valid_o,
  output obs_xlt_t    obs_o,
  output logic        quiescent_o,
  output logic [63:0] deadline_o
);

  localparam int unsigned Outside = 4;             // blocks that count, beside the three here
  localparam int unsigned CountSources = Outside + 3;

  // ---- registers -----------------------------------------------------------------------------------------------------------

  pa_t         mpt_base, cmdq_base, fq_base;
  logic [15:0] mpt_size, cmdq_size, fq_size;
  index_t      cmdq_prod, cmdq_cons, fq_cons, fq_prod;
  logic        cmdq_restart, fq_kick, fault_overflow, command_stopped, cmd_async_valid;
  async_t      cmd_async;
  logic [31:0] xlt_count, cmd_count, fault_count;
  logic        regs_quiet, xlt_quiet, cmd_quiet, fault_quiet;
  obs_xlt_t    xlt_obs;

  hca_regs #(.CountSources(CountSources), .AsyncSources(3)) u_regs (
    .clk_i, .rst_ni, .mutant_i, .now_i, .node_i,
    .s_axil_awvalid_i, .s_axil_awready_o, .s_axil_awaddr_i, .s_axil_wvalid_i, .s_axil_wready_o, .s_axil_wdata_i, .s_axil_wstrb_i,
    .s_axil_bvalid_o, .s_axil_bready_i, .s_axil_bresp_o, .s_axil_arvalid_i, .s_axil_arready_o, .s_axil_araddr_i,
    .s_axil_rvalid_o, .s_axil_rready_i, .s_axil_rdata_o, .s_axil_rresp_o,
    .enable_o, .mpt_base_o(mpt_base), .mpt_size_o(mpt_size),
    .cmdq_base_o(cmdq_base), .cmdq_size_o(cmdq_size), .cmdq_prod_o(cmdq_prod), .cmdq_restart_o(cmdq_restart),
    .fq_base_o(fq_base), .fq_size_o(fq_size), .fq_cons_o(fq_cons), .fq_kick_o(fq_kick), .doorbell_o, .rnr_delay_o, .ack_timeout_o,
    .cmdq_cons_i(cmdq_cons), .fq_prod_i(fq_prod), .fault_overflow_i(fault_overflow), .command_stopped_i(command_stopped),
    .cq_overflow_i, .cq_fired_valid_i, .cq_fired_i,
    .async_valid_i({cmd_async_valid, async_valid_i}), .async_i({cmd_async, async_i}),
    .count_i({count_i, xlt_count, cmd_count, fault_count}), .tx_bytes_i, .rx_bytes_i, .killed_i(3'($countones(xlt_obs.kill_valid))),
    .irq_o, .quiescent_o(regs_quiet), .deadline_o
  );

  // ---- memory --------------------------------------------------------------------------------------------------------------

  logic    [1:0] rd_valid, rd_ready, wr_valid, wr_ready;  // commands, walks; records, statuses
  rd_req_t [1:0] rd;
  wr_req_t [1:0] wr;

  hca_arb #(.T(rd_req_t)) u_rd_arb (
    .clk_i, .rst_ni, .valid_i(rd_valid), .ready_o(rd_ready), .data_i(rd), .valid_o(rd_valid_o), .ready_i(rd_ready_i), .data_o(rd_o)
  );
  hca_arb #(.T(wr_req_t)) u_wr_arb (
    .clk_i, .rst_ni, .valid_i(wr_valid), .ready_o(wr_ready), .data_i(wr), .valid_o(wr_valid_o), .ready_i(wr_ready_i), .data_o(wr_o)
  );

  // ---- commands ------------------------------------------------------------------------------------------------------------

  logic        inv_valid, inv_ready, inv_whole;
  keyidx_t     inv_key;
  va_t         inv_first, inv_last;
  logic [InvTagW-1:0] inv_tag;
  logic [InvTags-1:0] inv_busy;
  logic        rsm_valid, rsm_ready, rsm_done, rsm_ok, clr_valid, clr_ready;
  resume_t     rsm;
  logic [31:0] rsm_token;
  qpn_t        clr_qpn;
  logic [1:0]  clr_dir;
  logic        obs_inv_valid, obs_inv_whole, obs_fence_valid;
  index_t      obs_inv_index, obs_fence_index;
  logic [31:0] obs_inv_key;
  va_t         obs_inv_addr;
  logic [63:0] obs_inv_length, obs_fence_value;

  hca_cmd u_cmd (
    .clk_i, .rst_ni, .enable_i(enable_o), .mutant_i,
    .cmdq_base_i(cmdq_base), .cmdq_size_i(cmdq_size), .cmdq_prod_i(cmdq_prod), .cmdq_restart_i(cmdq_restart),
    .cmdq_cons_o(cmdq_cons), .stopped_o(command_stopped), .async_valid_o(cmd_async_valid), .async_o(cmd_async),
    .rd_valid_o(rd_valid[0]), .rd_ready_i(rd_ready[0]), .rd_o(rd[0]), .rd_rsp_valid_i, .rd_rsp_i,
    .wr_valid_o(wr_valid[1]), .wr_ready_i(wr_ready[1]), .wr_o(wr[1]), .wr_rsp_valid_i, .wr_rsp_i,
    .inv_valid_o(inv_valid), .inv_ready_i(inv_ready), .inv_key_o(inv_key), .inv_whole_o(inv_whole), .inv_first_o(inv_first),
    .inv_last_o(inv_last), .inv_tag_o(inv_tag), .inv_busy_i(inv_busy),
    .qp_cmd_valid_o, .qp_cmd_ready_i, .qp_cmd_o, .qp_done_valid_i, .qp_done_status_i, .qp_report_i,
    .cq_cmd_valid_o, .cq_cmd_ready_i, .cq_cmd_o,
    .rsm_valid_o(rsm_valid), .rsm_ready_i(rsm_ready), .rsm_o(rsm), .rsm_token_o(rsm_token),
    .rsm_done_i(rsm_done), .rsm_ok_i(rsm_ok),
    .clr_valid_o(clr_valid), .clr_ready_i(clr_ready), .clr_qpn_o(clr_qpn), .clr_dir_o(clr_dir),
    .cmd_snoop_valid_o, .cmd_snoop_o, .fence_snoop_valid_o,
    .obs_inv_valid_o(obs_inv_valid), .obs_inv_index_o(obs_inv_index), .obs_inv_key_o(obs_inv_key), .obs_inv_addr_o(obs_inv_addr),
    .obs_inv_length_o(obs_inv_length), .obs_inv_whole_o(obs_inv_whole),
    .obs_fence_valid_o(obs_fence_valid), .obs_fence_index_o(obs_fence_index), .obs_fence_value_o(obs_fence_value),
    .count_o(cmd_count), .quiescent_o(cmd_quiet)
  );

  // ---- faults --------------------------------------------------------------------------------------------------------------

  logic        obs_fault_valid, obs_record_valid, obs_resume_valid, obs_resume_ok;
  flt_req_t    obs_fault;
  logic [31:0] obs_fault_token, obs_record_token;
  qpn_t        obs_record_qpn;
  fault_dir_e  obs_record_dir;
  index_t      obs_record_prod;
  resume_t     obs_resume;
  logic [31:0] obs_resume_token;

  hca_fault u_fault (
    .clk_i, .rst_ni, .enable_i(enable_o), .mutant_i,
    .flt_valid_i, .flt_ready_o, .flt_i,
    .rsm_valid_i(rsm_valid), .rsm_ready_o(rsm_ready), .rsm_i(rsm), .rsm_token_i(rsm_token),
    .rsm_done_o(rsm_done), .rsm_ok_o(rsm_ok),
    .clr_valid_i(clr_valid), .clr_ready_o(clr_ready), .clr_qpn_i(clr_qpn), .clr_dir_i(clr_dir),
    .resume_valid_o, .resume_ready_i, .resume_o,
    .fq_base_i(fq_base), .fq_size_i(fq_size), .fq_cons_i(fq_cons), .fq_kick_i(fq_kick), .fq_prod_o(fq_prod),
    .overflow_o(fault_overflow), .wr_valid_o(wr_valid[0]), .wr_ready_i(wr_ready[0]), .wr_o(wr[0]), .wr_rsp_valid_i, .wr_rsp_i,
    .obs_fault_valid_o(obs_fault_valid), .obs_fault_o(obs_fault), .obs_fault_token_o(obs_fault_token),
    .obs_record_valid_o(obs_record_valid), .obs_record_qpn_o(obs_record_qpn), .obs_record_dir_o(obs_record_dir),
    .obs_record_token_o(obs_record_token), .obs_record_prod_o(obs_record_prod),
    .obs_resume_valid_o(obs_resume_valid), .obs_resume_ok_o(obs_resume_ok), .obs_resume_o(obs_resume),
    .obs_resume_token_o(obs_resume_token), .count_o(fault_count), .quiescent_o(fault_quiet)
  );

  // ---- translation ---------------------------------------------------------------------------------------------------------

  // Mutant LATE_WRITE: a use that writes counts as over as soon as it has begun.
  logic [1:0] done_valid;
  use_t [1:0] done;
  logic       late_valid_q;
  use_t       late_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      late_valid_q <= 1'b0;
      late_q       <= '0;
    end else begin
      late_valid_q <= start_valid_i[USER_RX];
      late_q       <= start_i[USER_RX];
    end
  end
  always_comb begin
    done_valid = done_valid_i;
    done       = done_i;
    if (mutant_i == HMUT_LATE_WRITE) begin
      done_valid[USER_RX] = late_valid_q;
      done[USER_RX]       = late_q;
    end
  end

  hca_xlt u_xlt (
    .clk_i, .rst_ni, .enable_i(enable_o), .mutant_i, .mpt_base_i(mpt_base), .mpt_size_i(mpt_size),
    .req_valid_i, .req_ready_o, .req_i, .rsp_valid_o, .rsp_o, .rx_live_o, .tx_live_o,
    .start_valid_i, .start_i, .done_valid_i(done_valid), .done_i(done), .drop_valid_i, .drop_slot_i,
    .rd_valid_o(rd_valid[1]), .rd_ready_i(rd_ready[1]), .rd_o(rd[1]), .rd_rsp_valid_i, .rd_rsp_i,
    .inv_valid_i(inv_valid), .inv_ready_o(inv_ready), .inv_key_i(inv_key), .inv_whole_i(inv_whole), .inv_first_i(inv_first),
    .inv_last_i(inv_last), .inv_tag_i(inv_tag), .inv_busy_o(inv_busy),
    .count_o(xlt_count), .obs_o(xlt_obs), .quiescent_o(xlt_quiet)
  );

  // ---- what the monitor sees -----------------------------------------------------------------------------------------------

  always_comb begin
    obs_o              = xlt_obs;
    obs_o.inv_valid    = obs_inv_valid;
    obs_o.inv_index    = obs_inv_index;
    obs_o.inv_key      = obs_inv_key;
    obs_o.inv_addr     = obs_inv_addr;
    obs_o.inv_length   = obs_inv_length;
    obs_o.inv_whole    = obs_inv_whole;
    obs_o.fence_valid  = obs_fence_valid;
    obs_o.fence_index  = obs_fence_index;
    obs_o.fence_value  = obs_fence_value;
    obs_o.fault_valid  = obs_fault_valid;
    obs_o.fault        = obs_fault;
    obs_o.fault_token  = obs_fault_token;
    obs_o.record_valid = obs_record_valid;
    obs_o.record_qpn   = obs_record_qpn;
    obs_o.record_dir   = obs_record_dir;
    obs_o.record_token = obs_record_token;
    obs_o.record_prod  = obs_record_prod;
    obs_o.resume_valid = obs_resume_valid;
    obs_o.resume_qpn   = obs_resume.qpn;
    obs_o.resume_dir   = obs_resume.direction;
    obs_o.resume_token = obs_resume_token;
    obs_o.resume_error = obs_resume.error;
    obs_o.resume_ok    = obs_resume_ok;
  end

  assign quiescent_o = regs_quiet && cmd_quiet && fault_quiet && xlt_quiet && !rd_valid_o && !wr_valid_o && !late_valid_q;

endmodule
