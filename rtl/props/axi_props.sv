// The rules of an AXI4 master port of single beats, checked beside it; no logic depends on it.
//
// Promises: a channel the master drives keeps valid and payload until it is taken (AXI4 A3.2.1); a request is aligned to its size; a write has
//   a byte; a response answers a request.
// Costs: a counter for each ID and direction.

module axi_props #(
  parameter int unsigned IdW = 8,
  parameter int unsigned AxW = 1,  // payload of AR and AW
  parameter int unsigned WW = 1    // payload of W
) (
  input  logic           clk_i,
  input  logic           rst_ni,
  input  logic           arvalid_i,
  input  logic           arready_i,
  input  logic [IdW-1:0] arid_i,
  input  logic [6:0]     araddr_i,  // its low bits
  input  logic [2:0]     arsize_i,
  input  logic [AxW-1:0] ar_i,
  input  logic           rvalid_i,
  input  logic           rready_i,
  input  logic [IdW-1:0] rid_i,
  input  logic           awvalid_i,
  input  logic           awready_i,
  input  logic [IdW-1:0] awid_i,
  input  logic [6:0]     awaddr_i,
  input  logic [2:0]     awsize_i,
  input  logic [AxW-1:0] aw_i,
  input  logic           wvalid_i,
  input  logic           wready_i,
  input  logic [63:0]    wstrb_i,
  input  logic [WW-1:0]  w_i,
  input  logic           bvalid_i,
  input  logic           bready_i,
  input  logic [IdW-1:0] bid_i,
  output logic [(1<<IdW)-1:0] reading_o,  // IDs with a request on the bus
  output logic [(1<<IdW)-1:0] writing_o
);

  // Each bit: the channel waited in the last cycle, with the payload kept beside it.
  logic ar_wait_q, aw_wait_q, w_wait_q;
  logic [AxW-1:0] ar_q, aw_q;
  logic [WW-1:0]  w_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) {ar_wait_q, aw_wait_q, w_wait_q} <= '0;
    else begin
      ar_wait_q <= arvalid_i && !arready_i;
      aw_wait_q <= awvalid_i && !awready_i;
      w_wait_q  <= wvalid_i && !wready_i;
    end
  end
  always_ff @(posedge clk_i) begin
    if (arvalid_i && !arready_i) ar_q <= ar_i;
    if (awvalid_i && !awready_i) aw_q <= aw_i;
    if (wvalid_i && !wready_i) w_q <= w_i;
  end

  // Requests on the bus, by ID.
  logic [(1<<IdW)-1:0][9:0] reads_q, writes_q;
  logic ar_go, aw_go, r_go, b_go;
  assign ar_go = arvalid_i && arready_i;
  assign aw_go = awvalid_i && awready_i;
  assign r_go  = rvalid_i && rready_i;
  assign b_go  = bvalid_i && bready_i;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) {reads_q, writes_q, reading_o, writing_o} <= '0;
    else begin
      if (r_go && !(ar_go && arid_i == rid_i)) begin
        reads_q[rid_i]   <= reads_q[rid_i] - 10'd1;
        reading_o[rid_i] <= reads_q[rid_i] != 10'd1;
      end
      if (ar_go && !(r_go && arid_i == rid_i)) begin
        reads_q[arid_i]   <= reads_q[arid_i] + 10'd1;
        reading_o[arid_i] <= 1'b1;
      end
      if (b_go && !(aw_go && awid_i == bid_i)) begin
        writes_q[bid_i]  <= writes_q[bid_i] - 10'd1;
        writing_o[bid_i] <= writes_q[bid_i] != 10'd1;
      end
      if (aw_go && !(b_go && awid_i == bid_i)) begin
        writes_q[awid_i]  <= writes_q[awid_i] + 10'd1;
        writing_o[awid_i] <= 1'b1;
      end
    end
  end

  function automatic logic aligned(logic [6:0] addr, logic [2:0] size);
    return (addr & ((7'd1 << size) - 7'd1)) == '0;
  endfunction

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      axi_ar_stable: assert (!ar_wait_q || (arvalid_i && ar_i == ar_q)) else $error("AR changed while it waited");
      axi_aw_stable: assert (!aw_wait_q || (awvalid_i && aw_i == aw_q)) else $error("AW changed while it waited");
      axi_w_stable: assert (!w_wait_q || (wvalid_i && w_i == w_q)) else $error("W changed while it waited");
      axi_w_not_empty: assert (!wvalid_i || wstrb_i != '0) else $error("a write of no byte");
      axi_size: assert ((!arvalid_i || aligned(araddr_i, arsize_i)) && (!awvalid_i || aligned(awaddr_i, awsize_i)))
        else $error("an unaligned request");
      // A write response may come before the harness has shown AW taken only if the memory is broken.
      axi_r_expected: assert (!rvalid_i || reading_o[rid_i]) else $error("R without a request");
      axi_b_expected: assert (!bvalid_i || writing_o[bid_i]) else $error("B without a request");
    end
  end

endmodule
