// Stores of every size: hca_qp_fifo, hca_qp_queue, hca_qp_ram, hca_fault_line, hca_events and hca_link beside queues of this testbench.
//
// Parameter: Size, a power of two from 2 on; who needs more takes its least. Plusargs: seed, cycles.
// Checks: what goes in comes out, in order, once; room, emptiness and counts; words never written are 0 (hca_qp_ram); a kill takes what is
//   named; a full store of events loses the next and says so; a flit comes when it is due. Every store is filled and emptied.
// Ends with "PASS cycles=... items=... digest=...", or with the first check that failed.

module hca_stores_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
#(
  parameter int unsigned Size = 64
);

  localparam int unsigned Least = Size < 4 ? 4 : Size;
  localparam int unsigned Events = Size > 64 ? 64 : Size;
  localparam int unsigned Ids = 2 * Size;
  localparam int unsigned AddrW = $clog2(Size);
  localparam int unsigned IdW = $clog2(Ids);

  logic clk = 1'b0, rst_n = 1'b0, clear = 1'b0;
  longint unsigned cycle = 0;
  int unsigned cycles, most[6];
  bit fill = 1'b1;  // more goes in than comes out
  always #5 clk = !clk;
  always @(negedge clk) cycle++;  // an input of the link: not at the edge that samples it

  `include "checks.svh"

  // ------------------------------------------------------------------------------------------------ the stores
  logic fifo_push = 0, fifo_valid, fifo_pop = 0, fifo_empty;
  logic [11:0] fifo_in, fifo_out;
  hca_qp_fifo #(.Width(12), .Depth(Size)) u_fifo (
    .clk_i(clk), .rst_ni(rst_n), .clear_i(clear), .push_i(fifo_push), .data_i(fifo_in), .valid_o(fifo_valid), .data_o(fifo_out),
    .pop_i(fifo_pop), .empty_o(fifo_empty)
  );
  logic queue_push = 0, queue_room, queue_valid, queue_ready = 0, queue_empty;
  logic [31:0] queue_in, queue_out;
  logic [1:0] queue_tag, kill = 0;
  logic [1:0][1:0] kill_tag;
  hca_qp_queue #(.Width(32), .Depth(Least), .TagW(2)) u_queue (
    .clk_i(clk), .rst_ni(rst_n), .clear_i(clear), .push_i(queue_push), .data_i(queue_in), .tag_i(queue_tag), .room_o(queue_room),
    .kill_i(kill), .kill_tag_i(kill_tag), .valid_o(queue_valid), .data_o(queue_out), .ready_i(queue_ready), .empty_o(queue_empty)
  );
  logic ram_we = 0, ram_re = 0;
  logic [AddrW-1:0] ram_waddr, ram_raddr;
  logic [31:0] ram_in, ram_out;
  hca_qp_ram #(.Width(32), .Depth(Size)) u_ram (
    .clk_i(clk), .rst_ni(rst_n), .clear_i(clear), .we_i(ram_we), .waddr_i(ram_waddr), .wdata_i(ram_in), .re_i(ram_re),
    .raddr_i(ram_raddr), .rdata_o(ram_out)
  );
  logic line_push = 0, line_pop = 0, line_valid, line_quiet;
  logic [IdW-1:0] line_in, line_out;
  logic [IdW:0] line_count;
  hca_fault_line #(.Ids(Ids)) u_line (
    .clk_i(clk), .rst_ni(rst_n), .enable_i(!clear), .push_i(line_push), .id_i(line_in), .pop_i(line_pop), .head_valid_o(line_valid),
    .head_o(line_out), .count_o(line_count), .quiescent_o(line_quiet)
  );
  logic [2:0] async_valid = 0;
  async_t [2:0] async_in;
  async_t async_out;
  logic async_pop = 0, async_head, async_lost, events_quiet, fired_valid = 0;
  cqn_t fired_in;
  logic [NUM_CQ/64-1:0][63:0] events_clear = 0, fired;
  logic [15:0] fired_count;
  hca_events #(.Sources(3), .Depth(Events)) u_events (
    .clk_i(clk), .rst_ni(rst_n), .enable_i(!clear), .fired_valid_i(fired_valid), .fired_i(fired_in), .clear_i(events_clear),
    .fired_o(fired), .fired_count_o(fired_count), .async_valid_i(async_valid), .async_i(async_in), .pop_i(async_pop),
    .head_valid_o(async_head), .head_o(async_out), .overflow_o(async_lost), .quiescent_o(events_quiet)
  );
  logic link_valid = 0, link_ready, link_out_valid, link_out_ready = 0, link_taken, link_quiet;
  flit_t link_in, link_out;
  logic [15:0] latency = 7;
  logic [7:0] per_flit = 0;
  logic [63:0] link_deadline;
  hca_link #(.Depth(Least)) u_link (
    .clk_i(clk), .rst_ni(rst_n), .now_i(cycle), .latency_i(latency), .cycles_per_flit_i(per_flit), .action_i(2'd0),
    .action_taken_o(link_taken), .flit_valid_i(link_valid), .flit_ready_o(link_ready), .flit_i(link_in), .flit_valid_o(link_out_valid),
    .flit_ready_i(link_out_ready), .flit_o(link_out), .quiescent_o(link_quiet), .deadline_o(link_deadline)
  );

  // ------------------------------------------------------------------------------------------------ what they must hold
  logic [11:0] fifo_ref[$];
  typedef struct { logic [31:0] data; logic [1:0] tag; } tagged_t;
  tagged_t queue_ref[$];
  logic [31:0] ram_ref[int unsigned];
  logic [31:0] ram_expect = 0;
  bit ram_asked = 0, room_before = 1;
  logic [IdW-1:0] line_ref[$];
  async_t events_ref[$];
  bit [NUM_CQ-1:0] fired_ref = '0, fired_before = '0;
  typedef struct { flit_t flit; longint unsigned due; } cable_t;
  cable_t cable[$];

  function automatic void deep(int unsigned which, int unsigned count);
    if (count > most[which]) most[which] = count;
  endfunction

  // What the edge will take, from inputs and outputs of this cycle.
  task automatic judge();
    if (fifo_valid) check(fifo_ref.size() != 0 && fifo_out == fifo_ref[0], "the oldest of the fifo");
    check(fifo_empty == (fifo_ref.size() == 0), "the fifo is empty or not");
    if (fifo_pop) begin
      note(64'(fifo_ref.pop_front()));
    end
    if (fifo_push) fifo_ref.push_back(fifo_in);
    deep(0, fifo_ref.size());

    for (int i = 0; i < queue_ref.size();) begin
      if ((kill[0] && queue_ref[i].tag == kill_tag[0]) || (kill[1] && queue_ref[i].tag == kill_tag[1])) queue_ref.delete(i);
      else i++;
    end
    if (queue_valid) check(queue_ref.size() != 0 && queue_out == queue_ref[0].data, "the oldest of the queue");
    if (queue_empty) check(queue_ref.size() == 0, "the queue is not empty");
    if (queue_valid && queue_ready) begin
      note(64'(queue_ref[0].data));
      void'(queue_ref.pop_front());
    end
    if (queue_push) queue_ref.push_back('{queue_in, queue_tag});
    deep(1, queue_ref.size());
    room_before = queue_room;

    if (ram_asked) check(ram_out == ram_expect, "a word of the memory");
    if (ram_we) ram_ref[32'(ram_waddr)] = ram_in;
    if (ram_re) begin
      ram_asked  = 1;
      ram_expect = ram_ref.exists(32'(ram_raddr)) ? ram_ref[32'(ram_raddr)] : '0;
      note(64'(ram_expect));
    end
    deep(2, ram_ref.num());

    check(32'(line_count) == line_ref.size(), "how many stand in the line");
    if (line_valid) check(line_ref.size() != 0 && line_out == line_ref[0], "the head of the line");
    if (line_pop) note(64'(line_ref.pop_front()));
    if (line_push) line_ref.push_back(line_in);
    deep(3, line_ref.size());

    check(fired == fired_ref, "completion queues that have fired");
    check(32'(fired_count) == $countones(fired_before), "how many have fired");
    fired_before = fired_ref;
    fired_ref &= ~events_clear;
    if (fired_valid) fired_ref[fired_in] = 1'b1;
    check(async_head == (events_ref.size() != 0), "whether there is an event");
    if (async_head) check(async_out == events_ref[0], "the oldest event");
    if (async_pop && events_ref.size() != 0) note(64'(events_ref.pop_front()));
    begin
      automatic bit lost = 0;
      for (int s = 0; s < 3; s++) begin
        if (async_valid[s] && events_ref.size() == Events) lost = 1;
        else if (async_valid[s]) events_ref.push_back(async_in[s]);
      end
      check(async_lost == lost, "an event that is lost");
    end
    deep(4, events_ref.size());

    if (link_out_valid) check(cable.size() != 0 && link_out == cable[0].flit && cycle >= cable[0].due, "a flit on the cable");
    if (cable.size() != 0 && cycle > cable[0].due + 2) check(link_out_valid, "a flit is late");
    if (link_out_valid && link_out_ready) begin
      note(cable[0].flit.data[63:0]);
      void'(cable.pop_front());
    end
    if (link_valid && link_ready) cable.push_back('{link_in, cycle + (latency < 2 ? 2 : 64'(latency))});
    check(cable.size() <= Least, "more flits than the link holds");
    deep(5, cable.size());
  endtask

  task automatic drive(int unsigned in, int unsigned out);
    fifo_push  = fifo_ref.size() < Size && chance(in);
    fifo_in    = 12'($urandom());
    fifo_pop   = fifo_valid && chance(out);
    queue_push = queue_room && room_before && chance(in);
    queue_in   = $urandom();
    queue_tag  = 2'($urandom());
    queue_ready = chance(out);
    kill       = chance(fill ? 0 : 4) ? 2'($urandom()) : '0;
    kill_tag   = 4'($urandom());
    ram_we     = chance(in);
    ram_in     = $urandom();
    ram_waddr  = AddrW'($urandom());
    ram_re     = chance(out);
    ram_raddr  = chance(30) ? ram_waddr : AddrW'($urandom());
    line_push  = line_ref.size() < Ids && chance(in);
    line_in    = IdW'($urandom());
    line_pop   = line_valid && chance(out);
    async_valid = chance(in / 3) ? 3'($urandom()) : '0;
    async_in   = 96'({$urandom(), $urandom(), $urandom()});
    async_pop  = chance(out);
    fired_valid = chance(in);
    fired_in   = cqn_t'($urandom());
    events_clear = chance(10) ? {8{$urandom()}} & {8{$urandom()}} : '0;
    if (!link_valid || link_ready) begin
      link_valid = chance(in);
      link_in    = '{data: {16{$urandom()}}, sop: 1'b1, eop: 1'b1, crc: $urandom()};
    end
    link_out_ready = chance(out);
  endtask

  initial begin
    cycles = setting("cycles", 2000);
    begin_draws();
    foreach (most[i]) most[i] = 0;
    {fifo_in, queue_in, queue_tag, kill_tag, ram_waddr, ram_raddr, ram_in, line_in, async_in, fired_in, link_in} = '0;
    repeat (3) @(negedge clk);
    rst_n = 1'b1;
    for (int unsigned part = 0; part < 6; part++) begin
      fill = !part[0];
      per_flit = part < 2 ? 8'd0 : part < 4 ? 8'd1 : 8'd3;
      if (cable.size() == 0) latency = 16'($urandom() % 20);
      for (int unsigned i = 0; i < cycles + (fill ? 3 * Ids : 0); i++) begin
        @(negedge clk);
        drive(fill ? 90 : 20, fill ? 3 : 80);
        #1 judge();
        @(posedge clk);
      end
      if (part == 3) begin  // everything is forgotten, in the middle
        @(negedge clk);
        drive(0, 0);
        {fifo_push, queue_push, ram_we, ram_re, line_push, fired_valid, async_valid, kill, ram_asked} = '0;
        link_valid = 1'b0;  // nobody judges these cycles: what the link took in them would be forgotten
        clear = 1'b1;
        @(posedge clk);
        @(negedge clk) clear = 1'b0;
        fifo_ref.delete();
        queue_ref.delete();
        ram_ref.delete();
        line_ref.delete();
        events_ref.delete();
        {fired_ref, fired_before} = '0;
        room_before = 1'b1;
      end
    end
    check(most[0] == Size && most[2] == Size && most[3] == Ids && most[4] == Events, "a store that was never full");
    $display("PASS cycles=%0d items=%0d digest=%0d fifo=%0d queue=%0d line=%0d events=%0d link=%0d", cycle, items, digest, most[0], most[1],
             most[3], most[4], most[5]);
    $finish;
  end

endmodule
