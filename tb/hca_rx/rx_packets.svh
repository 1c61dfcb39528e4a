// The packets of hca_rx_tb: what is sent, what is wrong with it, where its bytes must go, what has become of it.

localparam int unsigned Positions = 4, Verdicts = 3, Wakes = 3, Ops = 8, Wrongs = 4;
int unsigned cov_verdict[Positions * Verdicts], cov_wake[Positions * Wakes], cov_wrong[Ops * Wrongs + 2];  // the last two: no opcode, no queue pair
function automatic int unsigned position(hca_packet_t h);  // first, middle, last, only
  if (h.offset == '0) return h.rest == 32'(h.length) ? 3 : 0;
  return h.rest == 32'(h.length) ? 2 : 1;
endfunction

typedef enum int { FINE, CORRUPT, SHORT, LONG, NO_OPCODE, NO_QP } wrong_e;
typedef enum int { WAITS, TAKES, LANDED, DROPPED } fate_e;
hca_packet_t head[MaxPackets];
wrong_e      wrong[MaxPackets];
fate_e       fate[MaxPackets];
rx_flags_t   flags[MaxPackets];
int unsigned size0[MaxPackets], size1[MaxPackets];  // elements of its work request
bit          broken[MaxPackets];                    // memory refuses its writes
int unsigned shown[4096], landed[4096];             // number of the queue pair's packet to come next
int unsigned by_qp[4096][$];                        // good packets of a queue pair, in order
int unsigned land_by_qp[4096][$];                   // taken ones
byte unsigned memory[longint unsigned];

function automatic byte unsigned payload(int unsigned n, int unsigned i);
  return 8'((n * 77 + i * 13 + (i >> 8) * 5 + 1) ^ (i >> 3));
endfunction
function automatic pd_t pd_of(qpn_t qpn);
  return pd_t'(32'(qpn) * 32'd5003 + 32'd9_000_005);
endfunction
function automatic longint unsigned base_of(int unsigned n);
  return 64'(n) * Room + Base;
endfunction
// Virtual address of byte i of packet n's payload.
function automatic longint unsigned where(int unsigned n, int unsigned i);
  automatic longint unsigned start = 64'(head[n].offset) * 256;  // MTU 256 for what goes through work requests with an offset
  if (pkt_op_e'(head[n].opcode) inside {PKT_OP_WRITE, PKT_OP_CMP_SWAP, PKT_OP_FETCH_ADD}) return head[n].va + 64'(i);
  if (start + 64'(i) < 64'(size0[n])) return base_of(n) + 64'(head[n].swap[11:0]) + start + 64'(i);
  return base_of(n) + 64'h2000 + 64'(head[n].swap[23:12]) + start + 64'(i) - 64'(size0[n]);
endfunction
function automatic int unsigned bytes_of(int unsigned n);
  case (pkt_op_e'(head[n].opcode))
    PKT_OP_SEND, PKT_OP_WRITE, PKT_OP_READ_RESP: return 32'(head[n].length);
    PKT_OP_ATOMIC_RESP: return 8;
    default: return 0;
  endcase
endfunction

task automatic make(int unsigned n);
  automatic int unsigned kind = mode == RANDOM ? dice(10) : 3;
  automatic int unsigned qp = dice(qps) * 37 % 4096;
  automatic int unsigned start = 0, rest;
  automatic hca_packet_t h = '0;
  h.dest_qpn = 24'(qp);
  h.src_qpn  = 24'(n);
  h.psn      = 24'(n);
  h.swap     = {$urandom(), $urandom()};
  h.operand  = {$urandom(), $urandom()};
  h.msn      = 24'(n);
  h.length   = mode == EQUAL ? 13'(fixed_length) : dice(3) == 0 ? 13'(dice(4097)) : 13'(dice(200));
  h.va       = base_of(n) + (mode == EQUAL ? 64'(skew) : 64'(dice(4096)));
  h.rest     = 32'(h.length) + (dice(2) == 0 ? 0 : dice(5000));
  h.rkey     = 32'(n) << 8;
  size0[n] = 0;
  size1[n] = 0;
  flags[n] = '0;
  broken[n] = trouble(3);
  case (kind)
    0: h.opcode = PKT_OP_ACK;
    1: h.opcode = PKT_OP_READ_REQ;
    2: h.opcode = PKT_OP_FETCH_ADD;
    4: h.opcode = PKT_OP_ATOMIC_RESP;
    5, 6: h.opcode = PKT_OP_SEND;
    7: h.opcode = PKT_OP_READ_RESP;
    8: h.opcode = PKT_OP_CMP_SWAP;
    default: h.opcode = PKT_OP_WRITE;
  endcase
  if (h.opcode inside {PKT_OP_ACK, PKT_OP_READ_REQ, PKT_OP_FETCH_ADD, PKT_OP_CMP_SWAP, PKT_OP_ATOMIC_RESP}) h.length = '0;
  if (h.opcode == PKT_OP_WRITE && mode == RANDOM) h.offset = dice(3);  // it says where it goes itself
  if (h.opcode inside {PKT_OP_FETCH_ADD, PKT_OP_CMP_SWAP}) h.va = {h.va[63:3], 3'd0};
  if (h.opcode inside {PKT_OP_SEND, PKT_OP_READ_RESP, PKT_OP_ATOMIC_RESP}) begin
    if (h.opcode != PKT_OP_ATOMIC_RESP) h.offset = dice(3);
    start = 256 * h.offset;
    rest = h.opcode == PKT_OP_ATOMIC_RESP ? 8 : 32'(h.length);
    // Elements that the message just fits, or (one in ten) is too long for.
    size0[n] = dice(2) == 0 ? start + rest : dice(start + rest + 100);
    size1[n] = start + rest > size0[n] ? start + rest - size0[n] : dice(100);
    if (h.opcode == PKT_OP_ATOMIC_RESP) begin
      size0[n] = 8 + dice(8);
      size1[n] = dice(9);
    end
    if (rest != 0 && dice(10) == 0) begin
      if (h.opcode == PKT_OP_ATOMIC_RESP) size0[n] = dice(8);
      else if (size1[n] > 0) size1[n] = 0;
      else if (size0[n] > 0) size0[n]--;
      flags[n].too_long = h.opcode == PKT_OP_ATOMIC_RESP || size0[n] + size1[n] < start + rest;
    end
    h.ssn = 16'(n);
    if (h.opcode == PKT_OP_SEND && dice(10) == 0) begin
      h.ssn = 16'h9000 + 16'(n);  // never posted
      flags[n] = '{no_wqe: 1'b1, default: '0};
    end else if (rest != 0 && dice(20) == 0) begin
      flags[n] = '{bad_sge: 1'b1, default: '0};
    end else if (rest != 0 && dice(20) == 0) begin
      flags[n] = '{bad_table: 1'b1, default: '0};
    end
  end
  wrong[n] = FINE;
  if (mode == RANDOM) begin
    case (dice(40))
      0: wrong[n] = CORRUPT;
      1: wrong[n] = SHORT;
      2: wrong[n] = LONG;
      3: begin
        wrong[n] = NO_OPCODE;
        h.opcode = 8'd77;
      end
      4: begin
        wrong[n] = NO_QP;
        h.dest_qpn = 24'd4096 + 24'(qp);
      end
      default: ;
    endcase
  end
  if (wrong[n] inside {NO_OPCODE, NO_QP}) cov_wrong[Ops * Wrongs + 32'(wrong[n]) - 32'(NO_OPCODE)]++;
  else cov_wrong[(32'(h.opcode) - 1) * Wrongs + 32'(wrong[n])]++;
  head[n] = h;
  fate[n] = WAITS;
  if (wrong[n] == FINE) by_qp[qp].push_back(n);
  for (int unsigned i = 0; i < 8; i++) memory[h.va + Offset + 64'(i)] = payload(n, i + 1000);
endtask
