// hca_mmu with one plain port a field, for the block test. Queue pairs are stood in for here: they take every command and resume at once,
// unless `stall` holds them, answer with the status a test says, and report their own number. Memory is the library's (mmu_lib.cpp).

module mmu_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  mutant_i,
  input  logic        write_i,        // a register access, for one cycle
  input  logic        read_i,
  input  logic [8:0]  addr_i,
  input  logic [63:0] data_i,
  input  logic        flt_valid_i,
  input  qpn_t        flt_qpn_i,
  input  logic        flt_dir_i,
  input  va_t         flt_va_i,
  input  logic        req_valid_i,    // a look-up of the receive side
  input  logic [$bits(use_t)-1:0] req_use_i,
  input  logic [31:0] req_key_i,
  input  va_t         req_va_i,
  input  logic [2:0]  req_need_i,
  input  logic        start_valid_i,
  input  logic        done_valid_i,
  input  logic [$bits(use_t)-1:0] use_i,          // of start or done
  input  logic        fired_valid_i,
  input  cqn_t        fired_i,
  input  logic [1:0]  async_valid_i,
  input  logic [7:0]  async_kind_i,
  input  logic [23:0] async_subject_i,
  input  logic [63:0] flt_mix_i,      // turns bits of what a fault says beside its address
  input  logic [7:0]  qp_status_i,    // what queue pairs answer to a command
  input  logic [4:0]  stall_i,        // resume, command to a queue pair, to a completion queue, write's response, read's data: not now
  // memory
  input  logic        rd_ready_i,
  input  logic        rd_rsp_valid_i,
  input  logic [7:0]  rd_rsp_id_i,
  input  logic [1:0]  rd_rsp_resp_i,
  input  line_t       rd_rsp_data_i,
  input  logic        wr_ready_i,
  input  logic        wr_rsp_valid_i,
  input  logic [7:0]  wr_rsp_id_i,
  input  logic [1:0]  wr_rsp_resp_i,
  output logic        rd_valid_o,
  output logic [7:0]  rd_id_o,
  output pa_t         rd_pa_o,
  output logic        wr_valid_o,
  output logic [7:0]  wr_id_o,
  output pa_t         wr_pa_o,
  output line_t       wr_data_o,
  output logic [63:0] wr_strb_o,

  output logic        bvalid_o,
  output logic [1:0]  bresp_o,
  output logic        rvalid_o,
  output logic [1:0]  rresp_o,
  output logic [63:0] rdata_o,
  output logic        flt_ready_o,
  output logic        req_ready_o,
  output logic        rsp_valid_o,
  output logic [$bits(use_t)-1:0] rsp_use_o,
  output logic [3:0]  rsp_result_o,
  output logic [63:0] rsp_pa_o,
  output logic        live_o,         // of use_i
  output logic        resume_valid_o,
  output qpn_t        resume_qpn_o,
  output logic        resume_dir_o,
  output logic        resume_error_o,
  output logic        qp_cmd_valid_o,
  output logic [7:0]  qp_cmd_op_o,
  output qpn_t        qp_cmd_qpn_o,
  output logic        cq_cmd_valid_o,
  output cqn_t        cq_cmd_cqn_o,
  output logic        db_sq_o,
  output logic        db_rq_o,
  output qpn_t        db_qpn_o,
  output index_t      db_index_o,
  output logic        db_cq_o,
  output cqn_t        db_cqn_o,
  output index_t      db_cq_index_o,
  output logic        db_arm_o,
  output logic [2:0]  irq_o,
  output logic        cmd_snoop_o,
  output index_t      cmd_snoop_index_o,
  output logic        fence_snoop_o,
  output logic        inv_o,
  output index_t      inv_index_o,
  output logic        record_o,
  output index_t      record_prod_o,
  output logic        quiescent_o,
  output logic [63:0] deadline_o,
  output logic [63:0] now_o
);

  logic [63:0] now_q;
  logic        qp_done_q;
  qp_cmd_t     qp_cmd;
  hca_qp_report_t report_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      now_q     <= '0;
      qp_done_q <= 1'b0;
      report_q  <= '0;
    end else begin
      now_q            <= now_q + 1'b1;
      qp_done_q        <= qp_cmd_valid_o && !stall_i[1];
      if (qp_cmd_valid_o && !stall_i[1]) begin
        report_q.sq_prod <= 16'(qp_cmd.qpn);
        report_q.una_psn <= ~24'(qp_cmd.qpn);
      end
    end
  end
  assign now_o = now_q;

  flt_req_t  flt;
  xlt_req_t  req;
  xlt_rsp_t  rsp;
  resume_t   resume;
  cq_cmd_t   cq_cmd;
  doorbell_t doorbell;
  rd_req_t   rd;
  wr_req_t   wr;
  obs_xlt_t  obs;
  logic [1:0] req_ready;
  logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] live;
  use_t      one_use;

  assign one_use = use_t'(use_i);
  assign live_o  = live[one_use.slot[RxSlotW-1:0]][one_use.seg];
  assign req     = '{id: use_t'(req_use_i), qpn: {3{req_use_i[3:0]}}, pd: '0, key: req_key_i, va: req_va_i, len: 13'd1, need: need_e'(req_need_i)};
  assign flt     = '{qpn: flt_qpn_i, direction: fault_dir_e'(flt_dir_i), write: flt_va_i[12], rdma: flt_va_i[13],
                     cause: flt_mix_i[63] ? FAULT_CAUSE_READ_ONLY : FAULT_CAUSE_NOT_PRESENT, key: 32'h1234_5678 ^ flt_mix_i[31:0],
                     va: flt_va_i, length: 32'd9000 ^ flt_mix_i[62:31], packet_length: 13'd4096 ^ flt_mix_i[25:13],
                     wqe_index: 16'd77 ^ flt_mix_i[47:32]};

  hca_mmu u_mmu (
    .clk_i,
    .rst_ni,
    .mutant_i,
    .now_i           (now_q),
    .node_i          (8'd1),
    .s_axil_awvalid_i(write_i),
    .s_axil_awready_o(),
    .s_axil_awaddr_i (addr_i),
    .s_axil_wvalid_i (write_i),
    .s_axil_wready_o (),
    .s_axil_wdata_i  (data_i),
    .s_axil_wstrb_i  (8'hff),
    .s_axil_bvalid_o (bvalid_o),
    .s_axil_bready_i (!stall_i[3]),
    .s_axil_bresp_o  (bresp_o),
    .s_axil_arvalid_i(read_i),
    .s_axil_arready_o(),
    .s_axil_araddr_i (addr_i),
    .s_axil_rvalid_o (rvalid_o),
    .s_axil_rready_i (!stall_i[4]),
    .s_axil_rdata_o  (rdata_o),
    .s_axil_rresp_o  (rresp_o),
    .rd_valid_o,
    .rd_ready_i,
    .rd_o            (rd),
    .rd_rsp_valid_i,
    .rd_rsp_i        ('{id: rd_rsp_id_i, resp: rd_rsp_resp_i, data: rd_rsp_data_i}),
    .wr_valid_o,
    .wr_ready_i,
    .wr_o            (wr),
    .wr_rsp_valid_i,
    .wr_rsp_i        ('{id: wr_rsp_id_i, resp: wr_rsp_resp_i}),
    .req_valid_i     ({1'b0, req_valid_i}),
    .req_ready_o     (req_ready),
    .req_i           ({xlt_req_t'('0), req}),
    .rsp_valid_o,
    .rsp_o           (rsp),
    .rx_live_o       (live),
    .tx_live_o       (),
    .start_valid_i   ({1'b0, start_valid_i}),
    .start_i         ({use_t'('0), one_use}),
    .done_valid_i    ({1'b0, done_valid_i}),
    .done_i          ({use_t'('0), one_use}),
    .drop_valid_i    ('0),
    .drop_slot_i     ('0),
    .flt_valid_i,
    .flt_ready_o,
    .flt_i           (flt),
    .resume_valid_o,
    .resume_ready_i  (!stall_i[0]),
    .resume_o        (resume),
    .qp_cmd_valid_o,
    .qp_cmd_ready_i  (!stall_i[1]),
    .qp_cmd_o        (qp_cmd),
    .qp_done_valid_i (qp_done_q),
    .qp_done_status_i(cmd_status_e'(qp_status_i)),
    .qp_report_i     (report_q),
    .cq_cmd_valid_o,
    .cq_cmd_ready_i  (!stall_i[2]),
    .cq_cmd_o        (cq_cmd),
    .enable_o        (),
    .doorbell_o      (doorbell),
    .rnr_delay_o     (),
    .ack_timeout_o   (),
    .cq_fired_valid_i(fired_valid_i),
    .cq_fired_i      (fired_i),
    .async_valid_i,
    .async_i         ({2{async_t'({async_kind_i, async_subject_i})}}),
    .cq_overflow_i   (1'b0),
    .count_i         ('0),
    .tx_bytes_i      ('0),
    .rx_bytes_i      ('0),
    .irq_o,
    .cmd_snoop_valid_o  (cmd_snoop_o),
    .cmd_snoop_o        (cmd_snoop_index_o),
    .fence_snoop_valid_o(fence_snoop_o),
    .obs_o              (obs),
    .quiescent_o,
    .deadline_o
  );

  assign req_ready_o    = req_ready[USER_RX];
  assign rsp_use_o      = rsp.id;
  assign rsp_result_o   = rsp.result;
  assign rsp_pa_o       = 64'(rsp.pa);
  assign resume_qpn_o   = resume.qpn;
  assign resume_dir_o   = resume.direction;
  assign resume_error_o = resume.error;
  assign qp_cmd_op_o    = qp_cmd.op;
  assign qp_cmd_qpn_o   = qp_cmd.qpn;
  assign cq_cmd_cqn_o   = cq_cmd.cqn;
  assign db_sq_o        = doorbell.sq_valid;
  assign db_rq_o        = doorbell.rq_valid;
  assign db_qpn_o       = doorbell.qpn;
  assign db_index_o     = doorbell.index;
  assign db_cq_o        = doorbell.cq_valid;
  assign db_cqn_o       = doorbell.cqn;
  assign db_cq_index_o  = doorbell.cq_index;
  assign db_arm_o       = doorbell.cq_arm;
  assign rd_id_o        = rd.id;
  assign rd_pa_o        = rd.pa;
  assign wr_id_o        = wr.id;
  assign wr_pa_o        = wr.pa;
  assign wr_data_o      = wr.data;
  assign wr_strb_o      = wr.strb;
  assign inv_o          = obs.inv_valid;
  assign inv_index_o    = obs.inv_index;
  assign record_o       = obs.record_valid;
  assign record_prod_o  = obs.record_prod;

endmodule
