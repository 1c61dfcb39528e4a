// Completion queues that have fired, and the asynchronous events: what software learns from without looking into memory.
//
// Promises: a queue that fires in the very cycle software clears its bit stays fired. Eight asynchronous events are kept in
//   order; one that finds no room is lost and overflow_o says so.
// Needs: pop_i takes the oldest event; without one it does nothing.
// Costs: everything in the next cycle; the number of fired queues one more.

module hca_events
  import hca_pkg::*;
  import hca_int_pkg::*;
#(
  parameter int unsigned Sources = 3,
  parameter int unsigned Depth = 8
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  input  logic                       enable_i,
  // completion queues
  input  logic                       fired_valid_i,
  input  cqn_t                       fired_i,
  input  logic [NUM_CQ/64-1:0][63:0] clear_i,
  output logic [NUM_CQ/64-1:0][63:0] fired_o,
  output logic [15:0]                fired_count_o,
  // asynchronous events
  input  logic   [Sources-1:0]       async_valid_i,
  input  async_t [Sources-1:0]       async_i,
  input  logic                       pop_i,
  output logic                       head_valid_o,
  output async_t                     head_o,
  output logic                       overflow_o,
  output logic                       quiescent_o
);

  localparam int unsigned PtrW = $clog2(Depth);

  if (Depth < 2 || (Depth & (Depth - 1)) != 0) begin : g_check
    $error("hca_events: Depth must be a power of two, at least 2");
  end

  logic [NUM_CQ/64-1:0][63:0] fired_d, fired_q;
  logic [15:0]                count_d, count_q;

  always_comb begin
    fired_d = fired_q & ~clear_i;
    if (fired_valid_i) fired_d[fired_i[7:6]][fired_i[5:0]] = 1'b1;
    count_d = '0;
    for (int unsigned i = 0; i < NUM_CQ / 64; i++) count_d += 16'($countones(fired_q[i]));
  end

  async_t [Depth-1:0] fifo_d, fifo_q;
  logic [PtrW:0] head_d, head_q, tail_d, tail_q;  // with wrap bit
  logic          overflow;

  always_comb begin
    fifo_d   = fifo_q;
    head_d   = head_q;
    tail_d   = tail_q;
    overflow = 1'b0;
    if (pop_i && head_q != tail_q) head_d = head_q + 1'b1;
    for (int unsigned s = 0; s < Sources; s++) begin
      if (async_valid_i[s]) begin
        if (tail_d - head_d == (PtrW + 1)'(Depth)) begin
          overflow = 1'b1;
        end else begin
          fifo_d[tail_d[PtrW-1:0]] = async_i[s];
          tail_d = tail_d + 1'b1;
        end
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      fired_q <= '0;
      count_q <= '0;
      fifo_q  <= '0;
      head_q  <= '0;
      tail_q  <= '0;
    end else if (!enable_i) begin
      fired_q <= '0;
      count_q <= '0;
      head_q  <= '0;
      tail_q  <= '0;
    end else begin
      fired_q <= fired_d;
      count_q <= count_d;
      fifo_q  <= fifo_d;
      head_q  <= head_d;
      tail_q  <= tail_d;
    end
  end

  assign fired_o       = fired_q;
  assign fired_count_o = count_q;
  assign head_valid_o  = head_q != tail_q;
  assign head_o        = fifo_q[head_q[PtrW-1:0]];
  assign overflow_o    = overflow && enable_i;
  assign quiescent_o   = enable_i ? count_q == count_d && fired_q == fired_d && head_q == head_d && tail_q == tail_d
                                  : count_q == '0 && fired_q == '0 && head_q == tail_q;

endmodule
