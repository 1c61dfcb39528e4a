// hca_rx between a link, a translation unit, queue pairs and a memory made up here; checks itself, prints its numbers, ends.
//
// Plusargs: those of tb/block/packets.svh, think (cycles to a verdict).
// Checks: every packet is shown once when it is taken, in the order of its queue pair, with what is wrong with it; every byte of a taken packet
//   is in memory when it lands and no other byte is written; a piece is in flight from before the showing until its last write is answered;
//   what was handed out is given back; an atomic's value; the order of landing.
// Ends with "PASS cycles=... packets=... digest=...", and how often each bin of its cover groups was hit (tb/block/points_hca.py), or with
//   the first check that failed.

module hca_rx_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
;

  localparam int unsigned RequestBase = 'h4000_0000;  // receive queues
  localparam int unsigned SendBase    = 'h6000_0000;  // send queues
  localparam int unsigned Offset      = 'h8000_0000;  // physical - virtual
  localparam int unsigned Room        = 16384;        // each packet's own piece of the address space
  localparam longint unsigned Base    = 64'h1000_0000_0000;

  int unsigned think;
  logic clk = 1'b0, rst_n = 1'b0;
  longint unsigned cycle = 0;
  always #5 clk = !clk;
  always @(posedge clk) cycle++;
  `include "packets.svh"
  `include "rx_packets.svh"

  // ------------------------------------------------------------------------------------------------ the device
  logic        enable = 1'b0;
  logic        flit_valid, flit_ready, cfg_valid, cfg_load_rq, rd_valid, rd_ready, rd_rsp_valid, wr_valid, wr_ready, wr_rsp_valid;
  logic        req_valid, req_ready, rsp_valid, start_valid, done_valid, drop_valid, pkt_valid, pkt_ready, verdict_valid, land_valid;
  logic        land_ready, resume_valid, flush_valid, quiescent, busy, obs_taken_valid, obs_land_valid;
  flit_t       flit;
  qpn_t        cfg_qpn, flush_qpn;
  qp_cfg_t     cfg;
  doorbell_t   doorbell;
  rd_req_t     rd;
  rd_rsp_t     rd_rsp;
  wr_req_t     wr;
  wr_rsp_t     wr_rsp;
  xlt_req_t    req;
  xlt_rsp_t    rsp;
  logic [RX_SLOTS-1:0][MAX_SEGMENTS-1:0] live;
  use_t        start_use, done_use;
  logic [UseSlotW-1:0]  drop_slot;
  rx_pkt_t     pkt;
  rx_verdict_t verdict;
  rx_land_t    land;
  resume_t     resume;
  logic [31:0] count;
  logic [12:0] rx_bytes;
  logic [63:0] deadline;
  hca_packet_t obs_taken, obs_land;

  hca_rx dut (
    .clk_i(clk), .rst_ni(rst_n), .mutant_i(mutant), .enable_i(enable), .flit_valid_i(flit_valid), .flit_ready_o(flit_ready), .flit_i(flit),
    .cfg_valid_i(cfg_valid), .cfg_qpn_i(cfg_qpn), .cfg_i(cfg), .cfg_load_rq_i(cfg_load_rq), .doorbell_i(doorbell), .rd_valid_o(rd_valid),
    .rd_ready_i(rd_ready), .rd_o(rd), .rd_rsp_valid_i(rd_rsp_valid), .rd_rsp_i(rd_rsp), .wr_valid_o(wr_valid), .wr_ready_i(wr_ready),
    .wr_o(wr), .wr_rsp_valid_i(wr_rsp_valid), .wr_rsp_i(wr_rsp), .req_valid_o(req_valid), .req_ready_i(req_ready), .req_o(req),
    .rsp_valid_i(rsp_valid), .rsp_i(rsp), .live_i(live), .start_valid_o(start_valid), .start_o(start_use), .done_valid_o(done_valid),
    .done_o(done_use), .drop_valid_o(drop_valid), .drop_slot_o(drop_slot), .pkt_valid_o(pkt_valid), .pkt_ready_i(pkt_ready), .pkt_o(pkt),
    .verdict_valid_i(verdict_valid), .verdict_i(verdict), .land_valid_o(land_valid), .land_ready_i(land_ready), .land_o(land),
    .resume_valid_i(resume_valid), .resume_i(resume), .flush_valid_i(flush_valid), .flush_qpn_i(flush_qpn), .count_o(count),
    .busy_qpn_i('0), .busy_o(busy), .rx_bytes_o(rx_bytes), .quiescent_o(quiescent), .deadline_o(deadline), .obs_taken_valid_o(obs_taken_valid), .obs_taken_o(obs_taken),
    .obs_land_valid_o(obs_land_valid), .obs_land_o(obs_land)
  );

  // ------------------------------------------------------------------------------------------------ link
  int unsigned sending = 0, flit_no = 0, flits;
  logic        go = 1'b0, pause = 1'b0;
  line_t       data;
  logic [31:0] crc_state_q, crc_state, crc;
  hca_crc u_crc (.first_i(flit_no == 0), .state_i(crc_state_q), .data_i(data), .state_o(crc_state), .crc_o(crc));
  always_comb begin
    flits = 1 + (32'(head[sending].length) + 63) / 64;
    if (wrong[sending] == SHORT && flits > 1) flits--;
    else if (wrong[sending] == SHORT || wrong[sending] == LONG) flits++;
    data = '0;
    if (flit_no == 0) data = line_t'(head[sending]);
    else for (int unsigned i = 0; i < 64; i++) data[8*i+:8] = payload(sending, (flit_no - 1) * 64 + i);
    flit_valid = go && sending < packets && !pause;
    flit = '{data: data, sop: flit_no == 0, eop: flit_no == flits - 1, crc: crc};
    if (wrong[sending] == CORRUPT && flit.eop) flit.data[37] = !flit.data[37];
  end
  always_ff @(posedge clk) begin
    pause <= trouble(20);
    if (flit_valid && flit_ready) begin
      crc_state_q <= crc_state;
      flit_no <= flit.eop ? 0 : flit_no + 1;
      if (flit.eop) sending <= sending + 1;
    end
  end

  // ------------------------------------------------------------------------------------------------ neighbours
  `include "rx_memory.svh"
  `include "rx_qps.svh"

  // ------------------------------------------------------------------------------------------------ the run
  longint unsigned begun, expected_bytes, quiet;
  int unsigned good;
  initial begin
    read_settings(75);
    think = setting("think", 2);
    for (int unsigned n = 0; n < packets; n++) make(n);
    {cfg_valid, cfg_load_rq, doorbell} = '0;
    repeat (5) @(negedge clk);
    rst_n = 1'b1;
    enable = 1'b1;
    @(negedge clk);
    repeat (200) begin  // of queue pairs that are not used, or set up anew
      cfg_valid = 1'b1;
      cfg_load_rq = dice(2) == 0;
      cfg_qpn = qpn_t'($urandom());
      cfg = qp_cfg_t'({6{$urandom()}});
      cfg.mtu_shift = 4'(MTU_SHIFT_MIN + dice(MTU_SHIFT_MAX - MTU_SHIFT_MIN + 1));
      @(negedge clk);
    end
    for (int unsigned q = 0; q < qps; q++) begin
      cfg_valid = 1'b1;
      cfg_load_rq = 1'b1;
      cfg_qpn = qpn_t'(q * 37 % 4096);
      cfg = '{pd: pd_of(qpn_t'(q * 37 % 4096)), sq_log: 4'd13, rq_log: 4'd13, mtu_shift: 4'd8, sq_base: pa_t'(SendBase),
               rq_base: pa_t'(RequestBase)};
      @(negedge clk);
      cfg_valid = 1'b0;
      doorbell = '{rq_valid: 1'b1, qpn: qpn_t'(q * 37 % 4096), index: 16'(packets), default: '0};
      @(negedge clk);
      doorbell = '0;
    end
    go = 1'b1;
    begun = cycle;
    good = 0;
    for (int unsigned n = 0; n < packets; n++) if (wrong[n] == FINE) good++;
    quiet = 0;
    while (!(sending == packets && takes + drops == good && lands == takes && quiet > 20)) begin
      @(negedge clk);
      quiet = quiescent ? quiet + 1 : 0;
      if (cycle > begun + 64'(packets) * 2000) begin
        check(1'b0, $sformatf("stuck: sent %0d good %0d taken %0d dropped %0d landed %0d", sending, good, takes, drops, lands));
      end
    end
    check(flying == '0 && held == '0, "translations are left");
    expected_bytes = 0;
    for (int unsigned n = 0; n < packets; n++) if (fate[n] == LANDED) expected_bytes += 64'(bytes_of(n));
    check(written == expected_bytes, "bytes written that nobody sent");
    $write("PASS cycles=%0d packets=%0d taken=%0d dropped=%0d bytes=%0d digest=%0d", cycle - begun - 20, packets, takes, drops, written, digest);
    foreach (cov_verdict[i]) $write(" verdict_%0d=%0d", i, cov_verdict[i]);
    foreach (cov_wake[i]) $write(" wake_%0d=%0d", i, cov_wake[i]);
    foreach (cov_wrong[i]) $write(" wrong_%0d=%0d", i, cov_wrong[i]);
    $display("");
    $finish;
  end

endmodule
