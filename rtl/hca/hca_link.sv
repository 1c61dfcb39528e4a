// One direction of the cable between two nodes: every flit comes out `latency_i` cycles after it went in, at most one in
// `cycles_per_flit_i`, and single packets can be lost or damaged. It stands outside the chip.
//
//   in ─▶ action of the packet ─▶ ring of flits, each with the cycle it is due ─▶ out
//
// Promises: order; a waiting output keeps its payload. `action_i` is taken with a packet's first flit (action_taken_o, in that cycle) and
//   holds for the packet: LOSE takes all of it away, CORRUPT turns one bit of its last flit, TRUNCATE ends it after half of its payload (a
//   packet without payload loses its CRC instead).
// Needs: now_i counts cycles, or jumps to deadline_o when everything is quiescent. No change of latency_i while flits are on their way.
// Costs: at least MinLatency cycles. Depth flits are held; a latency beyond Depth flits' time, or a receiver that stops, stops the sender.

module hca_link
  import hca_pkg::*;
  import hca_int_pkg::*;
#(
  parameter int unsigned Depth = 4096
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [63:0] now_i,
  input  logic [15:0] latency_i,
  input  logic [7:0]  cycles_per_flit_i,  // 0 is 1
  input  logic [1:0]  action_i,
  output logic        action_taken_o,     // combinational
  input  logic        flit_valid_i,
  output logic        flit_ready_o,
  input  flit_t       flit_i,
  output logic        flit_valid_o,
  input  logic        flit_ready_i,
  output flit_t       flit_o,
  output logic        quiescent_o,
  output logic [63:0] deadline_o
);

  if (Depth < 4 || (Depth & (Depth - 1)) != 0) begin : g_check
    $error("hca_link: Depth must be a power of two, at least 4");
  end

  localparam int unsigned PtrW = $clog2(Depth);
  localparam logic [15:0] MinLatency = 16'd2;  // into the ring, out of the ring

  typedef enum logic [1:0] { PASS = 2'd0, LOSE = 2'd1, CORRUPT = 2'd2, TRUNCATE = 2'd3 } action_e;
  typedef struct packed {
    flit_t       flit;
    logic [63:0] due;
  } entry_t;

  // ------------------------------------------------------------------------------------------------ in
  logic [63:0] next_q;  // no flit is taken before
  logic        full, taken;
  assign flit_ready_o   = !full && now_i >= next_q;
  assign taken          = flit_valid_i && flit_ready_o;
  assign action_taken_o = taken && flit_i.sop;

  action_e     action, action_q;
  hca_packet_t head;
  logic [5:0]  left, left_q;  // TRUNCATE: flits of this packet still let through, this one not counted
  logic        gone_q;        // TRUNCATE: the rest is cut off
  logic        keep;
  flit_t       flit;
  assign action = flit_i.sop ? action_e'(action_i) : action_q;
  assign head   = flit_i.data;
  assign left   = flit_i.sop ? 6'((head.length + 13'd63) >> 7) : left_q;

  always_comb begin
    flit = flit_i;
    keep = 1'b1;
    unique case (action)
      LOSE: keep = 1'b0;
      CORRUPT: if (flit_i.eop) flit.data[{flit_i.crc[8:0]}] = !flit_i.data[{flit_i.crc[8:0]}];
      TRUNCATE: begin
        keep = flit_i.sop || !gone_q;
        if (flit_i.sop && flit_i.eop) flit.crc = ~flit_i.crc;
        if (left == '0) flit.eop = 1'b1;
      end
      default: ;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      next_q   <= '0;
      action_q <= PASS;
      left_q   <= '0;
      gone_q   <= 1'b0;
    end else if (taken) begin
      next_q   <= now_i + (cycles_per_flit_i == '0 ? 64'd1 : 64'(cycles_per_flit_i));
      action_q <= action;
      left_q   <= left - 6'd1;
      gone_q   <= left == '0 || (gone_q && !flit_i.sop);
    end
  end

  // ------------------------------------------------------------------------------------------------ ring
  logic [PtrW:0] wr_q, rd_q, rd_d;
  logic          push, pop, head_valid_q;
  entry_t        entry, out;
  assign push  = taken && keep;
  assign pop   = flit_valid_o && flit_ready_i;
  assign full  = (wr_q - rd_q) == (PtrW + 1)'(Depth);
  assign rd_d  = pop ? rd_q + 1'b1 : rd_q;
  assign entry = '{flit: flit, due: now_i + 64'(latency_i < MinLatency ? MinLatency : latency_i)};

  ram_1r1w #(
    .Width($bits(entry_t)),
    .Depth(Depth)
  ) u_ring (
    .clk_i,
    .we_i   (push),
    .waddr_i(wr_q[PtrW-1:0]),
    .wdata_i(entry),
    .re_i   (1'b1),
    .raddr_i(rd_d[PtrW-1:0]),
    .rdata_o(out)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wr_q         <= '0;
      rd_q         <= '0;
      head_valid_q <= 1'b0;
    end else begin
      if (push) wr_q <= wr_q + 1'b1;
      rd_q         <= rd_d;
      head_valid_q <= rd_d != wr_q;  // a word of this cycle is read in the next
    end
  end

  // ------------------------------------------------------------------------------------------------ out
  logic due;
  assign due          = now_i >= out.due;
  assign flit_valid_o = head_valid_q && due;
  assign flit_o       = out.flit;

  logic unused;
  assign unused = ^head;

  // The sender may be asleep behind a line that is not ready: the cycle it is ready again is a deadline too.
  logic [63:0] due_at, ready_at;
  assign due_at      = head_valid_q && !due ? out.due : '1;
  assign ready_at    = now_i < next_q && !full ? next_q : '1;
  assign quiescent_o = !taken && !(head_valid_q && due && flit_ready_i) && (head_valid_q == (rd_q != wr_q));
  assign deadline_o  = due_at < ready_at ? due_at : ready_at;

endmodule
