// AXI4-Lite slave of the chiplet window: takes one access at a time and turns it into a register request.
//
// Promises: one write per two cycles when the unit is ready at once; reads and writes alternate when both wait.
//   An address outside the map, a control block or data segment unit the context does not own, or a partial write of a
//   handle is answered with SLVERR and has no effect.
// Needs: 8-byte aligned addresses (the low three bits are ignored); the request stays until reg_ready_i.
// Costs: one cycle of decode between acceptance and the unit, answer in the next.

module gru_axil
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [26:0] awaddr_i,
  input  logic        awvalid_i,
  output logic        awready_o,
  input  logic [63:0] wdata_i,
  input  logic [7:0]  wstrb_i,
  input  logic        wvalid_i,
  output logic        wready_o,
  output logic [1:0]  bresp_o,
  output logic        bvalid_o,
  input  logic        bready_i,
  input  logic [26:0] araddr_i,
  input  logic        arvalid_i,
  output logic        arready_o,
  output logic [63:0] rdata_o,
  output logic [1:0]  rresp_o,
  output logic        rvalid_o,
  input  logic        rready_i,
  // Which physical unit a context's n-th allocation unit is; answered in the same cycle.
  output ctx_t              map_ctx_o,
  output logic [CbAuW-1:0]  map_cb_o,
  input  logic              map_cb_ok_i,
  input  logic [CbAuW-1:0]  map_cb_i,
  output logic [DsrAuW-1:0] map_dsr_o,
  input  logic              map_dsr_ok_i,
  input  logic [DsrAuW-1:0] map_dsr_i,
  // To the units.
  output logic        reg_valid_o,
  output reg_req_t    reg_o,
  input  logic        reg_ready_i,
  input  logic [63:0] reg_rdata_i,
  output logic        busy_o
);

  localparam logic [1:0] RespOkay = 2'b00;
  localparam logic [1:0] RespSlverr = 2'b10;

  logic        valid_q, write_q;
  logic [26:3] addr_q;
  logic [63:0] wdata_q;
  logic [7:0]  wstrb_q;
  logic        prefer_read_q;
  logic        b_valid_q, r_valid_q;
  logic [1:0]  b_resp_q, r_resp_q;
  logic [63:0] r_data_q;

  // Take a request only when its answer has a place to go.
  logic can_w, can_r, take_w, take_r;
  assign can_w  = awvalid_i && wvalid_i && !valid_q && (!b_valid_q || bready_i);
  assign can_r  = arvalid_i && !valid_q && (!r_valid_q || rready_i);
  assign take_w = can_w && !(can_r && prefer_read_q);
  assign take_r = can_r && !take_w;
  assign awready_o = take_w;
  assign wready_o  = take_w;
  assign arready_o = take_r;

  // Decode.
  logic  in_seg, in_line, ok;
  unit_e unit;
  logic [11:0] block;
  assign in_seg  = {1'b0, addr_q, 3'b000} < TFM_BASE;
  assign in_line = addr_q[7:6] == 2'b00;
  assign block   = addr_q[26:15];

  assign map_ctx_o = addr_q[25:22];
  assign map_cb_o  = addr_q[14:9];
  assign map_dsr_o = addr_q[14:10];

  always_comb begin
    unit = UNIT_NONE;
    ok   = 1'b0;
    if (in_seg) begin
      if (addr_q[21:15] == CB_OFFSET[21:15]) begin
        unit = UNIT_CB;
        ok   = in_line && map_cb_ok_i;
      end else if (addr_q[21:15] == DSR_OFFSET[21:15]) begin
        unit = UNIT_DSR;
        ok   = map_dsr_ok_i;
      end
    end else begin
      unique case (block)
        TFM_BASE[26:15]: begin
          unit = UNIT_TFM;
          ok   = in_line && addr_q[14:8] < 7'(NUM_TFM);
        end
        TGH_BASE[26:15]: begin
          unit = UNIT_TGH;
          ok   = in_line && addr_q[14:8] < 7'(NUM_TGH);
        end
        CBE_BASE[26:15]: begin
          unit = UNIT_CBE;
          ok   = in_line;
        end
        TFH_BASE[26:15]: begin
          unit = UNIT_TFH;
          ok   = in_line;
        end
        CCH_BASE[26:15]: begin
          unit = UNIT_CCH;
          ok   = in_line && addr_q[14:8] < 7'(NUM_CTX);
        end
        default: ;
      endcase
      if (write_q && wstrb_q != 8'hff) ok = 1'b0;
    end
  end

  always_comb begin
    reg_o       = '0;
    reg_o.write = write_q;
    reg_o.unit  = ok ? unit : UNIT_NONE;
    reg_o.idx   = in_seg ? {map_cb_i, addr_q[8]} : addr_q[14:8];
    reg_o.dw    = addr_q[5:3];
    reg_o.line  = {map_dsr_i, addr_q[9:6]};
    reg_o.wdata = wdata_q;
    reg_o.wstrb = wstrb_q;
  end
  assign reg_valid_o = valid_q && ok;

  logic finish;
  assign finish = valid_q && (!ok || reg_ready_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q       <= 1'b0;
      write_q       <= 1'b0;
      addr_q        <= '0;
      wdata_q       <= '0;
      wstrb_q       <= '0;
      prefer_read_q <= 1'b0;
      b_valid_q     <= 1'b0;
      b_resp_q      <= '0;
      r_valid_q     <= 1'b0;
      r_resp_q      <= '0;
      r_data_q      <= '0;
    end else begin
      if (b_valid_q && bready_i) b_valid_q <= 1'b0;
      if (r_valid_q && rready_i) r_valid_q <= 1'b0;
      if (finish) begin
        valid_q <= 1'b0;
        if (write_q) begin
          b_valid_q <= 1'b1;
          b_resp_q  <= ok ? RespOkay : RespSlverr;
        end else begin
          r_valid_q <= 1'b1;
          r_resp_q  <= ok ? RespOkay : RespSlverr;
          r_data_q  <= ok ? reg_rdata_i : '0;
        end
      end
      if (take_w) begin
        valid_q       <= 1'b1;
        write_q       <= 1'b1;
        addr_q        <= awaddr_i[26:3];
        wdata_q       <= wdata_i;
        wstrb_q       <= wstrb_i;
        prefer_read_q <= 1'b1;
      end else if (take_r) begin
        valid_q       <= 1'b1;
        write_q       <= 1'b0;
        addr_q        <= araddr_i[26:3];
        prefer_read_q <= 1'b0;
      end
    end
  end

  assign bvalid_o = b_valid_q;
  assign bresp_o  = b_resp_q;
  assign rvalid_o = r_valid_q;
  assign rresp_o  = r_resp_q;
  assign rdata_o  = r_data_q;
  assign busy_o   = valid_q || b_valid_q || r_valid_q;

  logic unused;
  assign unused = ^{awaddr_i[2:0], araddr_i[2:0]};

endmodule
