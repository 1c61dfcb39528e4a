// The front of the drop-in path and the log behind the magic: no translation enters that a shootdown since its miss has revoked.
//
// Promises: a drop-in is decided (decide_o, one cycle) against every shootdown accepted from the cycle of its control block's last
//   miss up to and including the cycle of the decision; drop_o says one covers it (SD-3). Only covered drop-ins are dropped, except when
//   more than Depth shootdowns came since the miss (lapped_o).
// Needs: the caller reads the drop-in's set in the cycle of go_o and rewrites it in the cycle of decide_o, which follows at once.
//   ready_to_go_i low holds the drop-in before go_o.
// Costs: accept to decide_o two cycles, one more for every further four shootdowns since the miss; Depth shootdowns and 128 positions
//   of RAM, five comparators.

module gru_tlb_fill
  import gru_pkg::*;
  import gru_int_pkg::*;
#(
  parameter int unsigned Depth = 64
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic       [7:0] mutant_i,

  input  logic             fill_valid_i,
  output logic             fill_ready_o,
  input  tlb_fill_t        fill_i,

  input  logic             miss_i,         // the control block's lookup misses in this cycle
  input  cbr_t             miss_cbr_i,
  input  logic             accept_i,
  input  tlb_shoot_t       shoot_i,

  input  logic             ready_to_go_i,
  output logic             go_o,
  output logic             decide_o,
  output logic             drop_o,
  output logic             lapped_o,
  output tlb_fill_t        fill_o,         // stable from the cycle after acceptance to decide_o
  output tlb_page_t        page_o
);

  localparam int unsigned Banks = 4;  // log entries compared in a cycle
  localparam int unsigned PtrW = $clog2(Depth);
  localparam int unsigned RowW = PtrW - 2;
  // Positions count shootdowns since reset and never repeat while anything is pending: 2^48 cycles are days.
  localparam int unsigned PosW = 48;
  typedef logic [PosW-1:0] pos_t;

  if (Depth < 8 || (Depth & (Depth - 1)) != 0) begin : g_check
    $error("gru_tlb_fill: Depth must be a power of two, at least 8");
  end

  // ---- the log ----------------------------------------------------------------------------------------------------------

  pos_t count_q;  // shootdowns accepted before this cycle; the next one is written here
  logic log_re;
  pos_t from;  // first of the four positions to read
  tlb_shoot_t [Banks-1:0] log_rdata;

  for (genvar b = 0; b < Banks; b++) begin : g_bank
    logic [RowW-1:0] row;
    // Bank b holds the one of from..from+3 that ends in b; it is in the next row if from is already past b.
    assign row = RowW'((from[PtrW-1:0] + PtrW'(Banks - 1 - b)) >> 2);
    ram_1r1w #(
      .Width($bits(tlb_shoot_t)),
      .Depth(Depth / Banks)
    ) u_log (
      .clk_i,
      .we_i   (accept_i && count_q[1:0] == 2'(b)),
      .waddr_i(count_q[PtrW-1:2]),
      .wdata_i(shoot_i),
      .re_i   (log_re),
      .raddr_i(row),
      .rdata_o(log_rdata[b])
    );
  end

  // Where the log stood when a control block missed. The shootdown accepted in the cycle of the miss is at that position.
  pos_t missed_at;
  logic [NUM_CBR-1:0] has_missed_q;
  ram_1r1w #(
    .Width(PosW),
    .Depth(NUM_CBR)
  ) u_missed_at (
    .clk_i,
    .we_i   (miss_i),
    .waddr_i(miss_cbr_i),
    .wdata_i(count_q),
    .re_i   (fill_valid_i && fill_ready_o),
    .raddr_i(fill_i.cbr),
    .rdata_o(missed_at)
  );

  // ---- one drop-in at a time --------------------------------------------------------------------------------------------

  logic busy_q, first_q, decide_q;
  logic killed_q, lapped_q, known_q;
  tlb_fill_t fill_q;
  pos_t from_q, until_q, until_now;
  logic [Banks-1:0] compare_d, compare_q;
  logic last, match_log, match_now, lapped;

  assign fill_ready_o = !busy_q;
  assign fill_o = fill_q;

  size_t size;
  assign size = size_of(fill_q.pagesize);
  always_comb begin
    page_o.asid = fill_q.asid;
    page_o.ctx  = fill_q.ctx;
    page_o.span = span_of(size);
    page_o.lo   = fill_q.va[VA_WIDTH-1:PAGE_SHIFT] & ~vpn_t'(page_o.span);
  end

  // Reading starts at the miss and ends at the shootdowns accepted so far; later ones are compared as they come.
  assign from = first_q ? missed_at : from_q;
  assign until_now = first_q ? count_q : until_q;
  assign lapped = first_q ? (known_q ? (until_now - from > pos_t'(Depth)) : (count_q != '0)) : lapped_q;
  assign last = lapped || (until_now - from) <= pos_t'(Banks);
  assign log_re = busy_q && !decide_q && from != until_now;
  assign go_o = busy_q && !decide_q && last && ready_to_go_i;

  always_comb begin
    compare_d = '0;
    if (log_re && !lapped) begin
      for (int unsigned b = 0; b < Banks; b++) begin
        compare_d[b] = pos_t'(2'(2'(b) - from[1:0])) < until_now - from;
      end
    end
  end

  always_comb begin
    match_log = 1'b0;
    if (compare_q != '0) begin
      for (int unsigned b = 0; b < Banks; b++) begin
        if (compare_q[b] && (shoot_covers(log_rdata[b], page_o) || mutant_i == MUT_DROP_ANY)) match_log = 1'b1;
      end
    end
    match_now = 1'b0;
    if (busy_q && accept_i && !(decide_q && mutant_i == MUT_RACE_FILL)) match_now = shoot_covers(shoot_i, page_o);
  end

  assign decide_o = decide_q;
  assign lapped_o = decide_q && lapped_q && mutant_i != MUT_LOG_LAP;
  assign drop_o = decide_q && (killed_q || match_log || match_now || lapped_o) && mutant_i != MUT_FILL_NOT_DROPPED;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q      <= '0;
      has_missed_q <= '0;
      busy_q       <= 1'b0;
      first_q      <= 1'b0;
      decide_q     <= 1'b0;
      compare_q    <= '0;
    end else begin
      if (accept_i) count_q <= count_q + pos_t'(1);
      if (miss_i) has_missed_q[miss_cbr_i] <= 1'b1;
      if (fill_valid_i && fill_ready_o) busy_q <= 1'b1;
      else if (decide_q) busy_q <= 1'b0;
      first_q   <= fill_valid_i && fill_ready_o;
      decide_q  <= go_o;
      compare_q <= compare_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (fill_valid_i && fill_ready_o) begin
      fill_q   <= fill_i;
      known_q  <= has_missed_q[fill_i.cbr];
      killed_q <= 1'b0;
    end else if (busy_q) begin
      killed_q <= killed_q || match_log || match_now;
      lapped_q <= lapped;
      until_q  <= until_now;
      if (!last) from_q <= from + pos_t'(Banks);
      else from_q <= from;
    end
  end

endmodule
