// The work of hca_qp_tb: whose numbers and sizes its queue pairs have, what is posted to them, how far each message has come. Included in
// its module.
//
// Messages go from queue pair 2 i to 2 i + 1.

// What a context is given. Queue pair i of the bench has the device's number `qpn`; `high`: the part of it that the other end is told
// and that this device has no queue pairs for.
typedef struct {
  qpn_t qpn;
  logic [11:0] high;
  logic [3:0] mtu_shift, sq_log, rq_log;
  pd_t pd;
  cqn_t send_cqn, recv_cqn;
  pa_t sq_base, rq_base;
} traits_t;
traits_t traits[2 * Pairs];
int unsigned side_of[int unsigned];  // by the device's number

function automatic traits_t random_traits(int unsigned i);
  automatic traits_t t;
  t = '{qpn: qpn_t'(i), mtu_shift: 4'd8, sq_log: 4'(Log), sq_base: pa_t'(i) << 24, default: '0};
  if (wide != 0) begin
    t.qpn = qpn_t'((i * 2531 + 32'd1234) % NUM_QP);  // 2531: prime to the number of queue pairs
    t.high = 12'($urandom());
    t.mtu_shift = 4'(MTU_SHIFT_MIN + (i / 2) % (MTU_SHIFT_MAX - MTU_SHIFT_MIN + 1));
    t.sq_log = 4'(7 + $urandom_range(8));
    if (size != 0) t.sq_log = 4'd15;
    t.rq_log = 4'($urandom());
    t.pd = pd_t'($urandom());
    {t.send_cqn, t.recv_cqn} = 16'($urandom());
    t.sq_base = {$urandom(), $urandom()} & ~52'h3f;
    t.rq_base = {$urandom(), $urandom()} & ~52'h3f;
  end
  side_of[32'(t.qpn)] = i;
  return t;
endfunction
function automatic int unsigned side(logic [23:0] qpn);  // of the bench
  return side_of[32'(qpn[QPN_WIDTH-1:0])];
endfunction

hca_wqe_t wqes[int unsigned];  // {qpn, index}
int unsigned posted[Pairs], completed[Pairs], received[Pairs], sends_total[Pairs];
int unsigned land_msg[Pairs], land_off[Pairs], ans_msg[Pairs], ans_off[Pairs];

function automatic int unsigned key(int unsigned qpn, int unsigned index);
  return (qpn << 16) | (index & 32'hffff);
endfunction

// The work request at an address: the ring that has it; of the requests that were there, the one not done.
function automatic int unsigned key_at(pa_t pa);
  for (int unsigned p = 0; p < pairs; p++) begin
    automatic longint unsigned places = 64'd1 << traits[2 * p].sq_log;
    automatic pa_t place = (pa - traits[2 * p].sq_base) >> 6;
    if (64'(place) < places) begin
      automatic int unsigned from = completed[p];
      return key(2 * p, from + (32'((64'(place) - 64'(from)) & (places - 1))));
    end
  end
  wrong("what is read is no ring");
  return 0;
endfunction

function automatic hca_wqe_t random_wqe();
  hca_wqe_t w;
  int unsigned pick;
  w = '0;
  w.rkey = $urandom();
  w.remote_addr = {$urandom(), $urandom()} & ~64'h7;
  w.addr0 = {$urandom(), $urandom()};
  w.addr1 = {$urandom(), $urandom()};
  w.swap = {$urandom(), $urandom()};
  w.lkey0 = 32'h100;
  w.lkey1 = 32'h200;
  w.num_sge = 1;
  w.signaled = permille(500);
  pick = $urandom_range(9);
  if (size != 0) begin
    w.opcode = WR_OPCODE_RDMA_WRITE;
    w.length0 = size;
    w.signaled = wide != 0 && permille(20);
    if (wide != 0 && !permille(20)) w.opcode = permille(3) ? WR_OPCODE_RDMA_READ : WR_OPCODE_SEND;
  end else begin
    w.opcode = pick < 4 ? WR_OPCODE_RDMA_WRITE : pick < 7 ? WR_OPCODE_SEND : pick < 8 ? WR_OPCODE_RDMA_READ :
               pick < 9 ? WR_OPCODE_ATOMIC_CMP_AND_SWP : WR_OPCODE_ATOMIC_FETCH_AND_ADD;
    w.length0 = $urandom_range(900);
    w.length1 = $urandom_range(400);
    w.num_sge = 4'($urandom_range(2));
    if (w.opcode > 8'd4) begin
      w.num_sge = 1;
      w.length0 = 8;
    end
  end
  if (wide != 0) {w.lkey0, w.lkey1} = {$urandom(), $urandom()};
  return w;
endfunction

function automatic hca_wqe_t long_wqe();
  hca_wqe_t w;
  w = random_wqe();
  w.opcode = permille(330) ? WR_OPCODE_SEND : permille(500) ? WR_OPCODE_RDMA_WRITE : WR_OPCODE_RDMA_READ;
  w.signaled = 0;
  w.num_sge = 4'd2;
  w.length0 = $urandom_range(MAX_MESSAGE) >> $urandom_range(12);
  w.length1 = $urandom_range(MAX_MESSAGE - w.length0);
  if (permille(300)) w.length1 = 0;
  if (permille(200) || pairs == 1) w.length0 = MAX_MESSAGE - w.length1;
  return w;
endfunction

function automatic int unsigned total(hca_wqe_t w);
  if (w.opcode > 8'd4) return 8;
  return (w.num_sge > 0 ? w.length0 : 0) + (w.num_sge > 1 ? w.length1 : 0);
endfunction

function automatic int unsigned count_packets(hca_wqe_t w, int unsigned mtu_shift);
  int unsigned n;
  n = (total(w) + (1 << mtu_shift) - 1) >> mtu_shift;
  return (n == 0 || w.opcode > 8'd4) ? 1 : n;
endfunction
