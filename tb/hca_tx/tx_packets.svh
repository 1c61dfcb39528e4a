// The packets of hca_tx_tb: what is given to the device, what is wrong with it, its pieces and bytes, what has become of it.

localparam int unsigned Fates = 4, Sizes = 3, Actions = 4;
int unsigned cov_fate[(MAX_SEGMENTS + 1) * Fates], cov_link[Sizes * Actions];

typedef enum int { TO_COME, GIVEN, MAY_LEAVE, LEFT, GONE } fate_e;
tx_pkt_t     pkt[MaxPackets];
fate_e       fate[MaxPackets];
xlt_result_e wrong[MaxPackets];       // of piece wrong_piece, else OK
int unsigned wrong_piece[MaxPackets];
int          bad_line[MaxPackets];    // memory refuses this one of its lines (-1: none)
bit          told[MaxPackets];        // its failure has been told
use_t        use_of[MaxPackets][MAX_SEGMENTS];
int unsigned order[8192][$];          // by queue pair and side: accepted and neither left nor gone

function automatic byte unsigned byte_at(longint unsigned pa);
  return 8'(pa * 167 + (pa >> 8) * 29 + (pa >> 15) * 71);
endfunction
function automatic int unsigned owner_of(int unsigned n);
  return {19'd0, pkt[n].qpn, pkt[n].side};
endfunction
function automatic qpn_t qpn_of(int unsigned q);
  return qpn_t'(q * 1531 + 37);
endfunction
int unsigned packet_in[longint unsigned];  // by its room; of an address of nobody: the first packet, and nothing fits
function automatic int unsigned packet_at(longint unsigned va);
  return packet_in.exists(va >> RoomW) != 0 ? packet_in[va>>RoomW] : 0;
endfunction
function automatic longint unsigned pa_of(longint unsigned va);
  return 64'(pa_t'(va + Offset));
endfunction
function automatic logic [31:0] key_of(int unsigned n, int unsigned piece);
  return piece < MAX_SEGMENTS / 2 ? pkt[n].key0 : pkt[n].key1;
endfunction
function automatic int unsigned piece_at(int unsigned n, longint unsigned va);  // MAX_SEGMENTS: nobody's
  piece_t piece;
  tx_req_t req = request_of(pkt[n]);
  for (int unsigned p = 0; p < MAX_SEGMENTS; p++) begin
    piece = piece_of(req.elem[p/2], p[0]);
    if (va >= piece.va && va < piece.va + 64'(piece.len)) return p;
  end
  return MAX_SEGMENTS;
endfunction
function automatic void fared(int unsigned n, int unsigned how);  // left, its look-up failed, a line of it was refused, dropped
  cov_fate[$countones(pieces_of(request_of(pkt[n]))) * Fates + how]++;
  note({32'(how), 32'(n)});
endfunction
function automatic byte unsigned payload(int unsigned n, int unsigned i);
  if (i < 32'(pkt[n].len0)) return byte_at(pa_of(pkt[n].va0 + 64'(i)));
  return byte_at(pa_of(pkt[n].va1 + 64'(i) - 64'(pkt[n].len0)));
endfunction

task automatic make(int unsigned n);
  int unsigned length, cut;
  longint unsigned room;
  segs_t pieces;
  do room = {$urandom(), $urandom()} & ~((64'd1 << RoomW) - 1); while (packet_in.exists(room >> RoomW));
  packet_in[room>>RoomW] = n;
  length = mode == EQUAL ? fixed_length : dice(4) == 0 ? 0 : dice(3) == 0 ? dice(4097) : dice(200);
  cut    = mode == EQUAL || dice(2) == 0 ? length : dice(length + 1);
  pkt[n] = '0;
  pkt[n].qpn  = qpn_of(dice(qps));
  pkt[n].side = fault_dir_e'(mode == EQUAL ? 0 : dice(2));
  pkt[n].pd   = 24'($urandom());
  pkt[n].need = dice(2) == 0 ? NEED_LOCAL_READ : NEED_REMOTE_READ;
  pkt[n].wqe_index = index_t'(n);
  pkt[n].key0 = $urandom();
  pkt[n].key1 = $urandom();
  pkt[n].len0 = 13'(cut);
  pkt[n].len1 = 13'(length - cut);
  pkt[n].va0  = room + (mode == EQUAL ? 64'(skew) : 64'(dice(4096)));
  pkt[n].va1  = room + 64'd16384 + 64'(dice(4096));
  pkt[n].rest0 = 32'(cut) + ($urandom() >> (1 + dice(31)));
  pkt[n].rest1 = 32'(length - cut) + ($urandom() >> (1 + dice(31)));
  pkt[n].head.opcode  = PKT_OP_WRITE;
  pkt[n].head.length  = 13'(length);
  pkt[n].head.psn     = 24'(n);
  pkt[n].head.operand = 64'(n);
  pkt[n].head.swap    = {$urandom(), $urandom()};
  pieces = pieces_of(request_of(pkt[n]));
  fate[n] = TO_COME;
  wrong[n] = XLT_RESULT_OK;
  bad_line[n] = -1;
  told[n] = 1'b0;
  if (pieces != '0 && trouble(10)) begin
    wrong_piece[n] = 32'(lowest_seg(pieces));
    for (int unsigned p = 0; p < MAX_SEGMENTS; p++) if (pieces[p] && dice(2) == 0) wrong_piece[n] = p;
    wrong[n] = dice(2) == 0 ? XLT_RESULT_FAULT_NOT_PRESENT : XLT_RESULT_NO_RIGHT;
  end else if (pieces != '0 && trouble(4)) begin
    bad_line[n] = dice(3);
  end
endtask
