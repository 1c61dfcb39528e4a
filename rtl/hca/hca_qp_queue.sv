// A short first-in first-out store between a pipeline that must not wait and a neighbour that may refuse.
//
// Promises: payload stable while it waits, except that `kill_i` takes away what belongs to `kill_tag_i`, at once. room_o: there is room for
//   one more beside the two whose orders are in the pipeline.
// Needs: a push only after room_o was seen high in the cycle before, or in this one.

module hca_qp_queue #(
  parameter  int unsigned Width = 32,
  parameter  int unsigned Depth = 4,
  parameter  int unsigned TagW = 1
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,
  input  logic             push_i,
  input  logic [Width-1:0] data_i,
  input  logic [TagW-1:0]  tag_i,
  output logic             room_o,
  input  logic [1:0]       kill_i,
  input  logic [1:0][TagW-1:0] kill_tag_i,
  output logic             valid_o,
  output logic [Width-1:0] data_o,
  input  logic             ready_i,
  output logic             empty_o
);

  localparam int unsigned PtrW = $clog2(Depth);

  if ((1 << PtrW) != Depth || Depth < 4) begin : g_check
    $error("hca_qp_queue: Depth must be a power of two, at least 4");
  end

  logic [Width-1:0] data_q[Depth];
  logic [TagW-1:0] tag_q[Depth];
  logic [Depth-1:0] live_q, dies;
  logic [PtrW:0] head_q, tail_q, count;

  always_comb begin
    for (int unsigned i = 0; i < Depth; i++) begin
      dies[i] = (kill_i[0] && tag_q[i] == kill_tag_i[0]) || (kill_i[1] && tag_q[i] == kill_tag_i[1]);
    end
  end

  assign count = tail_q - head_q;
  assign empty_o = count == '0;
  assign room_o = count <= (PtrW + 1)'(Depth - 3);
  assign valid_o = !empty_o && live_q[head_q[PtrW-1:0]] && !dies[head_q[PtrW-1:0]];
  assign data_o = data_q[head_q[PtrW-1:0]];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_q <= '0;
      tail_q <= '0;
      live_q <= '0;
    end else if (clear_i) begin
      head_q <= '0;
      tail_q <= '0;
    end else begin
      if (!empty_o && (ready_i || !valid_o)) head_q <= head_q + 1'b1;
      for (int unsigned i = 0; i < Depth; i++) begin
        if (dies[i]) live_q[i] <= 1'b0;
      end
      if (push_i) begin
        tail_q <= tail_q + 1'b1;
        live_q[tail_q[PtrW-1:0]] <= 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (push_i) begin
      data_q[tail_q[PtrW-1:0]] <= data_i;
      tag_q[tail_q[PtrW-1:0]] <= tag_i;
    end
  end

endmodule
